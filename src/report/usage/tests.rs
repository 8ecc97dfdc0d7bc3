use super::*;

fn point(at_s: f64) -> UsagePoint {
    UsagePoint { at_s, cpu_percent: at_s * 10.0, rss_bytes: 20_000_000 }
}

fn series(points: &[UsagePoint]) -> Series<'_> {
    Series { target: "a<b", position: 1, repeat: 2, nth: 7, points }
}

#[test]
fn a_sample_right_after_another_is_in_the_table_and_not_in_the_drawing() {
    let points = [point(1.0), point(2.0), point(2.1)];
    let drawn = drawn("1000", &MEASURES[0], &[series(&points)]);
    assert_eq!(drawn.matches("<circle").count(), 2);
    assert!(drawn.contains("data-at=\"/runs/7/target_usage/series/2/cpu_percent\""), "{drawn}");
    assert!(drawn.contains("aria-label=\"a&lt;b, repeat 2, 2.0 s: 20.0 %\""), "{drawn}");
}

#[test]
fn a_target_is_labelled_once() {
    let points = [point(1.0), point(2.0)];
    let drawn = drawn("1000", &MEASURES[1], &[series(&points), series(&points)]);
    assert_eq!(drawn.matches("class=\"label t1\"").count(), 1);
    assert_eq!(drawn.matches("class=\"thin s1 d1\"").count(), 2);
}
