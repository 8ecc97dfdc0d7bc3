use super::*;
use crate::results::bench::sample;

#[test]
fn curves_end_where_infinity_begins_and_hold_no_quantile_beyond_the_count() {
    let names = |spreads: &Spreads| {
        let points = named(spreads, |spread| spread.median);
        points.iter().map(|point| point.quantile.label).collect::<Vec<&str>>()
    };
    let each = [10, 20, 30];
    assert_eq!(names(&sample::spreads(each, 10_000, true)), ["p50", "p90", "p95", "p99"]);
    assert_eq!(names(&sample::spreads(each, 500, false)), ["p50", "p90", "p95", "p99", "max"]);
    assert_eq!(names(&sample::spreads(each, 0, false)), ["max"]);
}

#[test]
fn the_line_is_the_median_of_the_repeats_and_meets_the_figures_of_the_tables() {
    let spreads = sample::spreads([10_000, 20_000, 30_000], 100, false);
    let flat = |ns: u64| (0..18).map(|nth| (nines_of(nth), ns)).collect::<Vec<_>>();
    let line = Line {
        name: "a",
        position: 0,
        spreads: &spreads,
        pointer: String::new(),
        repeats: vec![flat(7), flat(9), flat(1_000)],
    };
    let points = line.median();
    assert!(points.is_sorted_by(|one, other| one.0 <= other.0), "{points:?}");
    assert_eq!(points[0], (nines_of(0), 20_000));
    assert_eq!(points[1], (nines_of(1), 9));
    assert_eq!(points.last().map(|(_, ns)| *ns), Some(20_000 * 7));
    assert_eq!(median(&mut [10, 30]), 20);
}

#[test]
fn a_repeat_that_is_left_out_does_not_lend_its_number_to_the_next() {
    let spreads = Spreads { repeats: vec![1, 2, 4], ..sample::spreads([10, 20, 30], 100, false) };
    let line =
        Line { name: "a", position: 0, spreads: &spreads, pointer: String::new(), repeats: vec![] };
    let table = values("", &[line]);
    assert!(table.contains("repeat <i>4</i>") && !table.contains("repeat <i>3</i>"), "{table}");
}
