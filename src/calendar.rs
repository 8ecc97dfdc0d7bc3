//! The proleptic Gregorian calendar over seconds since 1970, UTC without leap seconds, as time(2) has
//! them.
//!
//! Not here: reading the wall clock (see `io::clock`), the Date field of HTTP (see `http::HttpDate`).

/// The last second of the year 9999: four digits are all that RFC 3339 and HTTP have.
pub const SECONDS_MAX: u64 = 253_402_300_799;

/// `1994-11-06T08:49:37Z`, as RFC 3339 writes it. After the year 9999 it stays at its last second.
pub fn rfc3339(unix_secs: u64) -> String {
    let secs = unix_secs.min(SECONDS_MAX);
    let (year, month, day) = civil(secs / 86_400);
    let (hour, minute, second) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1)
}

/// Year, month (0 is January) and day (from 1) of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year, and grouped by the
/// 400 years, 146,097 days, after which the calendar repeats. Within such an era the years before
/// a day follow once its leap days are taken out: one in 1,460 days, but not in 36,524, but in 146,096.
pub fn civil(days: u64) -> (u64, u64, u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (secs, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (784_111_777, "1994-11-06T08:49:37Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_772_366_400, "2026-03-01T12:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(secs), expected);
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_day_before() {
        let is_leap =
            |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 0, 1);
        for days in 0..800 * 365 {
            assert_eq!(civil(days), (year, month, day), "day {days}");
            let february = if is_leap(year) { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > lengths[month as usize] {
                (month, day) = (month + 1, 1);
            }
            if month == 12 {
                (year, month) = (year + 1, 0);
            }
        }
    }
}
