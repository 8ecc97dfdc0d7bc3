use super::*;

#[track_caller]
fn check(seconds: u64, expected: &str) {
    let date = HttpDate::from_unix_secs(seconds);
    let line = std::str::from_utf8(date.field_line()).unwrap();
    assert_eq!(line, format!("Date: {expected}\r\n"), "{seconds}");
}

#[test]
fn dates_are_those_of_the_calendar() {
    check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check(59, "Thu, 01 Jan 1970 00:00:59 GMT");
    check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"); // the example of RFC 9110
    check(951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT");
    check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check(951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT");
    check(1_078_012_800, "Sun, 29 Feb 2004 00:00:00 GMT");
    check(1_230_768_000, "Thu, 01 Jan 2009 00:00:00 GMT");
    check(2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT");
    check(4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT");
    check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"); // 2100 has no leap day
    check(253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT");
}

#[test]
fn the_year_9999_never_ends() {
    check(253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT");
    check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}
