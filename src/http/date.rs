//! The Date field: an IMF-fixdate, RFC 9110 §5.6.7.
//!
//! Made once a second by whoever owns the clock and then copied; no formatting machinery, no
//! allocation. Not here: reading the wall clock, local time, the two obsolete formats.

use crate::calendar::{SECONDS_MAX, civil};

/// A date as its field line, which answers take over in one piece:
/// `Date: Sun, 06 Nov 1994 08:49:37 GMT` and CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate([u8; LINE_BYTES]);

/// Length of the line, whatever the date.
const LINE_BYTES: usize = TEMPLATE.len();
const TEMPLATE: &[u8; 37] = b"Date: ___, __ ___ ____ __:__:__ GMT\r\n";
/// Length of the field's name with its colon and blank; the date stands behind it.
const NAME_BYTES: usize = b"Date: ".len();

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

    /// The octets for the wire.
    pub const fn field_line(&self) -> &[u8; LINE_BYTES] {
        &self.0
    }
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
