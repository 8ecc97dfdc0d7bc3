use super::*;

#[track_caller]
fn check(class: u8, members: &str) {
    for octet in 0..=255u8 {
        let expected = members.as_bytes().contains(&octet);
        assert_eq!(is(class, octet), expected, "{octet:#04x} {:?}", char::from(octet));
    }
}

const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[test]
fn every_class_holds_exactly_what_its_grammar_says() {
    check(TOKEN, &format!("{ALNUM}!#$%&'*+-.^_`|~"));
    check(PATH, &format!("{ALNUM}-._~!$&'()*+,;=:@/"));
    check(QUERY, &format!("{ALNUM}-._~!$&'()*+,;=:@/?"));
    check(HOST, &format!("{ALNUM}-._~!$&'()*+;="));
    check(ABSOLUTE, &format!("{ALNUM}-._~!$&'()*+,;=:@/?%[]"));
}

#[test]
fn a_field_value_holds_tabs_blanks_visible_octets_and_obs_text() {
    for octet in 0..=255u8 {
        let expected = octet == b'\t' || (0x20..0x7f).contains(&octet) || octet >= 0x80;
        assert_eq!(is(VALUE, octet), expected, "{octet:#04x}");
        let quoted = expected && octet != b'"' && octet != b'\\';
        assert_eq!(is(QUOTED, octet), quoted, "{octet:#04x}");
    }
}

/// Checks `skip` against the table for any octet at any place of a word, from any start.
#[track_caller]
fn check_skip<const CLASS: u8>() {
    for len in 0..20 {
        for stop in 0..len {
            for octet in 0..=255u8 {
                let mut bytes = vec![b'a'; len];
                bytes[stop] = octet;
                let expected = if is(CLASS, octet) { len } else { stop };
                for from in 0..=stop {
                    assert_eq!(skip::<CLASS>(&bytes, from), expected, "{len} {from} {octet:#04x}");
                }
            }
        }
    }
}

#[test]
fn skipping_stops_at_the_first_octet_outside_the_class_wherever_it_stands() {
    check_skip::<TOKEN>();
    check_skip::<PATH>();
    check_skip::<VALUE>();
    check_skip::<HOST>();
}

#[test]
fn only_blanks_and_tabs_are_trimmed() {
    for (padded, expected) in
        [("", ""), (" \t ", ""), ("\t a b \t", "a b"), ("\x0ba\x0c", "\x0ba\x0c"), ("a", "a")]
    {
        assert_eq!(trim(padded.as_bytes()), expected.as_bytes(), "{padded:?}");
    }
    assert_eq!(trim(b"\xa0a\xa0"), b"\xa0a\xa0");
}

#[test]
fn lists_are_split_at_commas_and_their_elements_trimmed() {
    let elements: Vec<_> = list(b"a ,\tb,, c").collect();
    assert_eq!(elements, [&b"a"[..], b"b", b"", b"c"]);
}

#[test]
fn a_decimal_number_is_digits_only_and_never_wraps() {
    for (text, expected) in [
        ("0", Some(0)),
        ("0010", Some(10)),
        ("18446744073709551614", Some(u64::MAX - 1)),
        ("18446744073709551616", Some(u64::MAX)),
        ("9999999999999999999999999999999999999999", Some(u64::MAX)),
        ("", None),
        ("+5", None),
        ("-1", None),
        ("0x5", None),
        ("5_0", None),
        ("5 ", None),
        ("5.", None),
        ("\u{0665}", None),
    ] {
        assert_eq!(decimal(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn hexadecimal_digits_have_their_value_in_both_cases() {
    for octet in 0..=255u8 {
        let expected = char::from(octet).to_digit(16).map(|n| n as u8);
        assert_eq!(hex_value(octet), expected, "{octet:#04x}");
    }
}

#[test]
fn names_and_options_are_equal_in_any_case_and_in_nothing_else() {
    for octet in (b' '..=0xff).filter(|octet| *octet != 0x7f) {
        for place in 0..14 {
            let mut text = *b"CONTENT-length";
            text[place] = octet;
            let expected = text.eq_ignore_ascii_case(b"content-length");
            assert_eq!(is_folded(&text, b"content-length"), expected, "{place} {octet:#04x}");
        }
        for place in 0..5 {
            let mut text = *b"Close";
            text[place] = octet;
            assert_eq!(is_folded(&text, b"close"), text.eq_ignore_ascii_case(b"close"));
        }
    }
    for text in [&b""[..], b"hos", b"hosts", b"host "] {
        assert!(!is_folded(text, b"host"));
    }
}

#[test]
fn four_digits_are_told_from_anything_else_at_any_place() {
    for octet in 0..=255u8 {
        for place in 0..4 {
            for others in [b'0', b'9'] {
                let mut octets = [others; 4];
                octets[place] = octet;
                assert_eq!(are_digits(octets), octet.is_ascii_digit(), "{octets:?}");
            }
        }
    }
}
