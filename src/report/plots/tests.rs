use super::*;

fn curve(ns: &[u64]) -> Curve {
    let point = |(nth, ns): (usize, &u64)| Point { nines: nth as f64 + 1.0, ns: *ns, name: "p" };
    Curve {
        name: "a".into(),
        colour: 0,
        points: ns.iter().enumerate().map(point).collect(),
        repeats: Vec::new(),
    }
}

/// The labels of the latency axis, upwards.
#[track_caller]
fn check(ns: &[u64], expected: &[&str]) {
    let frame = Frame::around(&[curve(ns)]).unwrap();
    let labels: Vec<String> = steps(frame.least, frame.most).into_iter().map(step_label).collect();
    assert_eq!(labels, expected);
    for ns in ns {
        let y = frame.y(*ns as f64);
        assert!(y > TOP && y < HEIGHT - BOTTOM, "{ns} ns lies at {y}");
    }
}

#[test]
fn the_latency_axis_is_no_longer_than_the_curves_need() {
    check(&[30_000, 45_000], &["20 us", "50 us"]);
    check(&[50_000], &["20 us", "50 us", "100 us"]);
    check(&[800, 90_000], &["500 ns", "1 us", "2 us", "5 us", "10 us", "20 us", "50 us", "100 us"]);
    check(&[1], &["0.5 ns", "1 ns", "2 ns"]);
}

#[test]
fn over_many_decades_those_and_the_ends_are_labelled() {
    let labels = ["20 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s", "5 s"];
    check(&[30_000, 2_000_000_000], &labels);
}

#[test]
fn the_percentile_axis_ends_where_the_curves_do() {
    let frame = Frame::around(&[curve(&[1_000, 2_000, 3_000])]).unwrap();
    assert_eq!(frame.x(3.0), WIDTH - RIGHT);
    assert!(Frame::around(&[]).is_none());
}
