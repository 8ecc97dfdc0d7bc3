use super::*;

#[track_caller]
fn check_span(text: &str, expected: Option<u64>) {
    assert_eq!(text.parse::<Nanos>().ok().map(|n| n.0), expected, "{text}");
}

#[test]
fn durations_read_as_typed() {
    check_span("500us", Some(500_000));
    check_span("2ms", Some(2_000_000));
    check_span("1.5s", Some(1_500_000_000));
    check_span("5m", Some(300_000_000_000));
    check_span("1h", Some(3_600_000_000_000));
    check_span("0", Some(0));
    for wrong in
        ["", "5", "ms", "-5ms", "5 ms", "5.ms", ".5s", "1.5ns", "1e3s", "9999999999h", "5sec"]
    {
        check_span(wrong, None);
    }
}

#[track_caller]
fn check_rate(text: &str, expected: Option<(u64, u64)>) {
    assert_eq!(text.parse::<Rate>().ok().map(|r| (r.num, r.den)), expected, "{text}");
}

#[test]
fn rates_are_exact_fractions() {
    check_rate("1000", Some((1000, 1)));
    check_rate("20k", Some((20_000, 1)));
    check_rate("1.5M", Some((1_500_000, 1)));
    check_rate("0.5", Some((1, 2)));
    check_rate("1e6/7", Some((1_000_000, 7)));
    check_rate("333333", Some((333_333, 1)));
    for wrong in ["", "0", "0.0", "-1", "1/0", "k", "1e99", "1000/s", "inf", "NaN"] {
        check_rate(wrong, None);
    }
}

#[test]
fn the_kth_arrival_never_drifts_whatever_the_rate() {
    for text in ["7", "333333", "1e6/7", "1000", "0.1"] {
        let rate: Rate = text.parse().unwrap();
        for k in [0, 1, 2, 6, 7, 999, 1_000_000, 123_456_789] {
            let exact = k as u128 * 1_000_000_000 * rate.den as u128 / rate.num as u128;
            assert_eq!(u128::from(rate.span_of(k).0), exact, "{text} {k}");
        }
    }
}

#[test]
fn counting_within_a_span_is_the_inverse_of_the_kth_offset() {
    for text in ["7", "333333", "1e6/7", "1000", "0.5", "3k"] {
        let rate: Rate = text.parse().unwrap();
        for span in [0, 1, 999_999, 1_000_000, 1_000_001, 30_000_000_000, 59_999_999_999] {
            let count = rate.count_within(Nanos(span));
            assert!(count == 0 || rate.span_of(count - 1) < Nanos(span), "{text} {span}");
            assert!(rate.span_of(count) >= Nanos(span), "{text} {span}");
        }
    }
}

#[test]
fn spans_are_shown_in_the_unit_a_person_would_pick() {
    for (n, text) in
        [(850, "850 ns"), (14_230, "14.2 us"), (2_050_000, "2.05 ms"), (1_500_000_000, "1.50 s")]
    {
        assert_eq!(Nanos(n).to_string(), text);
    }
}
