use super::*;
use crate::rng::Rng;
use crate::stats::Histogram;

const SECOND: Nanos = Nanos::from_secs(1);

#[test]
fn a_boundary_is_where_measuring_begins_and_no_interval_is_missing() {
    for (warmup, duration) in
        [(0, 1_000), (1_000, 10_000), (7_000, 10_001), (999, 3), (15_000, 5_000)]
    {
        let grid = Grid::new(Nanos(warmup), Nanos(duration));
        assert!(grid.warmups <= 256 && (1..=256).contains(&grid.measured), "{grid:?}");
        assert_eq!(grid.begin(grid.warmups), Nanos(warmup));
        for offset in 0..warmup + duration {
            let at = grid.interval_at(Nanos(offset));
            assert!(
                grid.begin(at).0 <= offset && offset < grid.begin(at + 1).0,
                "{offset} {grid:?}"
            );
            assert_eq!(at >= grid.warmups, offset >= warmup, "{offset} {grid:?}");
        }
        assert_eq!(grid.interval_at(Nanos(9 * (warmup + duration))), grid.intervals() - 1);
    }
}

#[test]
fn buckets_are_in_order_and_fine_to_a_thirty_second() {
    for bucket in 0..INFINITE - 1 {
        let (low, next) = (lowest_of(bucket), lowest_of(bucket + 1));
        assert!(next > low && next - low <= (low / 32.0).max(1.0), "{bucket}");
        assert_eq!(bucket_of(Nanos(low as u64)), bucket);
        assert_eq!(bucket_of(Nanos(next as u64 - 1)), bucket);
    }
    assert_eq!(bucket_of(Nanos(u64::MAX)), INFINITE - 1);
    assert!(lowest_of(INFINITE - 1) > 60e9);
}

/// Requests of random times, some of which never come, over two seconds.
fn random(seed: u64) -> (Timeline, Histogram) {
    let mut rng = Rng::new(seed);
    let mut timeline = Timeline::new(Grid::new(SECOND, SECOND), 2);
    timeline.begin(Mono(5));
    let mut histogram = Histogram::new();
    for _ in 0..2_000 {
        let at = Mono(5 + rng.below(2_000_000_000));
        let response = rng.chance(0.98).then(|| Nanos(rng.below(1_000_000)));
        timeline.record(rng.below(2) as usize, at, response);
        if at.0 >= 1_000_000_005 {
            match response {
                Some(span) => histogram.record(span),
                None => histogram.record_infinite(),
            }
        }
    }
    (timeline, histogram)
}

#[test]
fn all_kinds_of_the_measured_time_have_the_quantiles_of_a_histogram() {
    for seed in 0..20 {
        let (timeline, histogram) = random(seed);
        let rows = timeline.rows(0..2).from(timeline.grid().warmups);
        assert_eq!(rows.requests().iter().sum::<u64>(), histogram.count(), "seed {seed}");
        for q in [0.1, 0.5, 0.9] {
            let exact = histogram.quantile(q).finite().unwrap().0 as f64;
            let coarse = rows.quantile(q).unwrap();
            assert!((coarse / exact - 1.0).abs() < 0.04, "seed {seed}: {coarse} {exact}");
            let excess = rows.excess(q);
            assert!(excess.iter().sum::<f64>().abs() < 1e-6, "seed {seed}");
        }
        assert_eq!(rows.quantile(0.999), Some(f64::INFINITY));
    }
}

#[test]
fn a_request_is_in_its_interval_in_whatever_order_they_come() {
    let grid = Grid::new(Nanos(1_000), Nanos(10_001));
    let mut rng = Rng::new(7);
    let mut timeline = Timeline::new(grid, 1);
    // What came before the start must not be remembered after it.
    timeline.record(0, Mono(500), None);
    timeline.begin(Mono(300));
    let mut expected = vec![0; grid.intervals()];
    expected[grid.interval_at(Nanos(500))] += 1;
    for offset in 0..12_000 {
        // In order for the most part, late by up to some intervals at times, and beyond the end.
        let late = if rng.chance(0.2) { rng.below(200) } else { 0 };
        let offset = Nanos(offset).saturating_sub(Nanos(late));
        timeline.record(0, Mono(300) + offset, Some(Nanos(5)));
        expected[grid.interval_at(offset)] += 1;
    }
    timeline.record(0, Mono(10), None);
    expected[0] += 1;
    assert_eq!(timeline.rows(0..1).requests(), expected);
}

#[test]
fn threads_add_up_to_one_timeline() {
    let ((mut one, _), (two, _)) = (random(1), random(2));
    let apart = [&one, &two].map(|timeline| timeline.rows(0..2).requests());
    one.merge(&two);
    let sum: Vec<u64> = apart[0].iter().zip(&apart[1]).map(|(one, two)| one + two).collect();
    assert_eq!(one.rows(0..2).requests(), sum);
}

#[test]
fn a_ridit_is_one_half_where_nothing_differs_and_bounded_where_much_does() {
    let (timeline, _) = random(3);
    let rows = timeline.rows(0..1);
    let (sum, all) = (rows.ridits(&rows).iter().sum::<f64>(), rows.requests().iter().sum::<u64>());
    assert!((sum / all as f64 - 0.5).abs() < 1e-9);
    let mut late = Timeline::new(timeline.grid(), 1);
    late.record(0, Mono(0), None);
    late.record(0, Mono(0), Some(Nanos(0)));
    let ridits = late.rows(0..1).ridits(&rows);
    assert!(ridits[0] > 0.9 && ridits[0] < 1.1, "{ridits:?}");
}

#[test]
fn of_no_requests_there_is_no_quantile() {
    let rows = Timeline::new(Grid::new(Nanos::ZERO, SECOND), 1).rows(0..1);
    assert_eq!((rows.quantile(0.5), rows.until(3).requests().len()), (None, 3));
}
