//! The Date field: an IMF-fixdate, RFC 9110 §5.6.7.
//!
//! Made once a second by whoever owns the clock and then copied; no formatting machinery, no
//! allocation. Not here: reading the wall clock, local time, the two obsolete formats.

/// A date as its field line, which answers take over in one piece:
/// `Date: Sun, 06 Nov 1994 08:49:37 GMT` and CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate([u8; LINE_BYTES]);

/// Length of the line, whatever the date.
const LINE_BYTES: usize = TEMPLATE.len();
const TEMPLATE: &[u8; 37] = b"Date: ___, __ ___ ____ __:__:__ GMT\r\n";
/// Length of the field's name with its colon and blank; the date stands behind it.
const NAME_BYTES: usize = b"Date: ".len();

/// The last second of the year 9999: four digits are all the format has.
const SECONDS_MAX: u64 = 253_402_300_799;

const WEEKDAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

impl HttpDate {
    /// The date `seconds` after 1970-01-01 00:00:00 UTC, without leap seconds, as `time(2)` has it.
    /// After the year 9999 it stays at its last second.
    pub fn from_unix_secs(seconds: u64) -> HttpDate {
        let seconds = seconds.min(SECONDS_MAX);
        let days = seconds / 86_400;
        let (year, month, day) = civil(days);
        let mut line = *TEMPLATE;
        let text = &mut line[NAME_BYTES..];
        // 1970-01-01 was a Thursday.
        text[0..3].copy_from_slice(three_letters(WEEKDAYS, (days + 4) % 7));
        text[5..7].copy_from_slice(&two_digits(day));
        text[8..11].copy_from_slice(three_letters(MONTHS, month));
        text[12..14].copy_from_slice(&two_digits(year / 100));
        text[14..16].copy_from_slice(&two_digits(year % 100));
        text[17..19].copy_from_slice(&two_digits(seconds / 3_600 % 24));
        text[20..22].copy_from_slice(&two_digits(seconds / 60 % 60));
        text[23..25].copy_from_slice(&two_digits(seconds % 60));
        HttpDate(line)
    }

    /// The same second as RFC 3339 writes it, for people's logs: `1994-11-06T08:49:37Z`.
    pub fn rfc3339(seconds: u64) -> String {
        let seconds = seconds.min(SECONDS_MAX);
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1)
    }

    /// The octets for the wire.
    pub const fn field_line(&self) -> &[u8; LINE_BYTES] {
        &self.0
    }
}

/// Year, month (0 is January) and day (from 1) of a day counted from 1970-01-01, in the proleptic
/// Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year, and grouped by the
/// 400 years, 146,097 days, after which the calendar repeats. Within such an era the years before
/// a day follow once its leap days are taken out: one in 1,460 days, but not in 36,524, but in 146,096.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // March to January have 153 days in each five months: 31, 30, 31, 30, 31.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let in_next_year = u64::from(month_from_march >= 10);
    (era * 400 + year + in_next_year, (month_from_march + 2) % 12, day_of_month)
}

fn three_letters(names: &[u8], index: u64) -> &[u8] {
    let begin = 3 * index as usize;
    &names[begin..begin + 3]
}

fn two_digits(n: u64) -> [u8; 2] {
    [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]
}

#[cfg(test)]
mod tests;
