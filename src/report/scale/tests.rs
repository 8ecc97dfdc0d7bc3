use super::*;

fn labels(scale: &Scale) -> Vec<String> {
    scale.steps().map(|(_, label)| label).collect()
}

/// The labels of the latency axis, upwards.
#[track_caller]
fn check(ns: &[f64], expected: &[&str]) {
    let scale = Scale::log(ns.iter().copied(), 300.0..10.0, latency).unwrap();
    assert_eq!(labels(&scale), expected);
    for ns in ns {
        let y = scale.at(*ns);
        assert!(y > 10.0 && y < 300.0, "{ns} ns lies at {y}");
    }
}

#[test]
fn the_latency_axis_is_no_longer_than_the_curves_need() {
    check(&[30_000.0, 45_000.0], &["20 us", "50 us"]);
    check(&[50_000.0], &["20 us", "50 us", "100 us"]);
    check(
        &[800.0, 90_000.0],
        &["500 ns", "1 us", "2 us", "5 us", "10 us", "20 us", "50 us", "100 us"],
    );
    check(&[1.0], &["0.5 ns", "1 ns", "2 ns"]);
}

#[test]
fn over_many_decades_those_and_the_ends_are_labelled() {
    let labels = ["20 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s", "5 s"];
    check(&[30_000.0, 2_000_000_000.0], &labels);
}

#[test]
fn an_axis_around_nothing_is_none() {
    assert!(Scale::log([0.0].into_iter(), 0.0..1.0, latency).is_none());
    assert!(Scale::log(std::iter::empty(), 0.0..1.0, latency).is_none());
}

#[test]
fn a_linear_axis_begins_at_zero_and_ends_at_a_step() {
    let scale = Scale::linear([3.0, 17.2].into_iter(), 100.0..0.0, 4, percent);
    assert_eq!(labels(&scale), ["0 %", "5 %", "10 %", "15 %", "20 %"]);
    assert_eq!((scale.at(0.0), scale.at(20.0), scale.at(10.0)), (100.0, 0.0, 50.0));
    // What is beyond the axis stands at its end.
    assert_eq!((scale.at(-5.0), scale.at(1e9)), (100.0, 0.0));
    let third = Scale::linear([0.3].into_iter(), 0.0..3.0, 3, percent);
    assert_eq!(labels(&third), ["0 %", "0.1 %", "0.2 %", "0.3 %"]);
    assert_eq!(labels(&Scale::linear(std::iter::empty(), 0.0..1.0, 2, percent)).len(), 3);
}

#[test]
fn time_ends_where_the_run_ends_and_may_begin_before_zero() {
    let run = Scale::time(0.0, 8.0, 0.0..80.0, 4);
    assert_eq!(labels(&run), ["0 s", "2 s", "4 s", "6 s", "8 s"]);
    assert_eq!(run.at(8.0), 80.0);
    assert_eq!(labels(&Scale::time(-1.0, 5.0, 0.0..60.0, 3)), ["0 s", "2 s", "4 s"]);
    assert_eq!(labels(&Scale::time(0.0, 0.0, 0.0..1.0, 1)), ["0 s", "1 s"]);
}

#[test]
fn nines_stand_at_equal_distances_and_end_where_the_curves_do() {
    let scale = Scale::nines(4.5, 0.0..42.0);
    assert_eq!(labels(&scale), ["p50", "p90", "p99", "p99.9", "p99.99"]);
    assert_eq!((scale.at(NINES_LEAST), scale.at(4.5)), (0.0, 42.0));
    let distance = |a: f64, b: f64| scale.at(b) - scale.at(a);
    assert!((distance(1.0, 2.0) - distance(3.0, 4.0)).abs() < 1e-9);
    // However few the requests, p99 is on it.
    assert_eq!(labels(&Scale::nines(0.0, 0.0..1.0)), ["p50", "p90", "p99"]);
}

#[test]
fn rates_are_written_as_they_are_typed() {
    let written: Vec<String> = [500.0, 1_000.0, 20_000.0, 1.5e6].map(rate).into();
    assert_eq!(written, ["500/s", "1k/s", "20k/s", "1.5M/s"]);
}
