use super::*;
use crate::rng::{Rng, unit_f64};

/// A draw of the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let (u, v) = (unit_f64(rng.next_u64()), unit_f64(rng.next_u64()));
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Requests in an interval.
const EACH: usize = 10;

/// A run: intervals of requests whose times are lognormal about a level that remembers `memory` (in
/// 0..1) of the interval before. The marginal distribution is the standard lognormal whatever the
/// memory; `shared` of the variance is the level's.
fn run_of(seed: u64, intervals: usize, memory: f64, shared: f64) -> Vec<Vec<f64>> {
    let mut rng = Rng::new(seed);
    let mut level = normal(&mut rng);
    let mut interval = || {
        level = memory * level + (1.0 - memory * memory).sqrt() * normal(&mut rng);
        let own = |rng: &mut Rng| shared.sqrt() * level + (1.0 - shared).sqrt() * normal(rng);
        (0..EACH).map(|_| own(&mut rng).exp()).collect()
    };
    (0..intervals).map(|_| interval()).collect()
}

/// The interval of a quantile, in the unit of the requests, and what it is made of.
fn interval_of(run: &[Vec<f64>], q: f64) -> (f64, f64, Ranks) {
    let mut sorted: Vec<f64> = run.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let at = |q: f64| sorted[((q * n as f64).ceil() as usize).clamp(1, n) - 1];
    let excess = |q: f64| -> Vec<f64> {
        let below = |interval: &Vec<f64>| {
            let below = interval.iter().filter(|time| **time <= at(q)).count();
            below as f64 - q * interval.len() as f64
        };
        run.iter().map(below).collect()
    };
    let found = ranks(&excess(q), n as u64, q, block_length(&excess(0.5))).unwrap();
    (at(found.low), found.high.map_or(f64::INFINITY, at), found)
}

/// Of `runs`, how many intervals hold the truth, and the median effective size as a share of all.
fn coverage(runs: u64, memory: f64, shared: f64, (q, truth): (f64, f64)) -> (f64, f64) {
    let found: Vec<(f64, f64, Ranks)> =
        (0..runs).map(|seed| interval_of(&run_of(seed, 256, memory, shared), q)).collect();
    let held = found.iter().filter(|(low, high, _)| *low <= truth && truth <= *high).count();
    let mut sizes: Vec<f64> = found.iter().map(|(_, _, ranks)| ranks.effective).collect();
    sizes.sort_by(f64::total_cmp);
    (held as f64 / runs as f64, sizes[sizes.len() / 2] / (256 * EACH) as f64)
}

/// Quantiles of the standard lognormal.
const P50: (f64, f64) = (0.5, 1.0);
const P99: (f64, f64) = (0.99, 10.2404);

#[test]
fn intervals_of_independent_requests_hold_the_truth_as_often_as_they_say() {
    for quantile in [P50, P99] {
        let (held, size) = coverage(100, 0.0, 0.0, quantile);
        // Three standard errors of 100 draws are 0.065.
        assert!(held > 0.88, "{quantile:?}: {held}");
        assert!(size > 0.85, "{quantile:?}: {size} of the sample size");
    }
}

#[test]
fn intervals_of_requests_that_are_alike_hold_it_nearly_as_often() {
    // What remembers the interval before for three, and for ten intervals; what is alike only within
    // an interval.
    for (memory, shared, at_least) in [(0.0, 0.5, 0.88), (0.7, 0.3, 0.82), (0.9, 0.5, 0.72)] {
        for quantile in [P50, P99] {
            let (held, size) = coverage(100, memory, shared, quantile);
            assert!(held >= at_least, "memory {memory}, {quantile:?}: {held}");
            assert!(size < 0.7, "memory {memory}, {quantile:?}: {size} of the sample size");
        }
    }
}

#[test]
fn requests_taken_for_independent_would_miss_it_far_more_often() {
    let mut held = 0;
    for seed in 0..100 {
        let mut sorted: Vec<f64> = run_of(seed, 256, 0.9, 0.5).concat();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = order_statistics(sorted.len() as f64, 0.5);
        let at = |q: f64| sorted[(q * sorted.len() as f64) as usize];
        held += usize::from(at(low) <= 1.0 && at(high.unwrap()) >= 1.0);
    }
    assert!(held < 50, "{held} of 100");
}

#[test]
fn a_burst_of_slow_requests_is_worth_one_of_them() {
    let mut calm: Vec<Vec<f64>> = vec![(0..20).map(f64::from).collect(); 256];
    calm[77].iter_mut().take(10).for_each(|time| *time += 1_000.0);
    // 10 of 5,120 are slow: half of them lie beyond the p99.9, and came all at once.
    let (low, high, found) = interval_of(&calm, 0.999);
    assert!(found.effective < 1_500.0, "{found:?}");
    assert!(low < 20.0 && high == f64::INFINITY, "{low} to {high}");
}

#[test]
fn longer_memory_takes_longer_blocks() {
    let median_block = |memory: f64| {
        let mut lengths: Vec<usize> =
            (0..51).map(|seed| interval_of(&run_of(seed, 256, memory, 0.9), 0.5).2.block).collect();
        lengths.sort_unstable();
        lengths[25]
    };
    let lengths = [0.0, 0.5, 0.9].map(median_block);
    // The optimum for this memory is (1.5 (2 r / (1 - r^2))^2 n)^(1/3), 9 and 33; what the median
    // shows of it is less.
    assert!(lengths[0] <= 3, "{lengths:?}");
    assert!((3..=13).contains(&lengths[1]), "{lengths:?}");
    assert!((13..=48).contains(&lengths[2]), "{lengths:?}");
}

#[test]
fn the_closed_form_is_what_draws_approach() {
    let mut rng = Rng::new(5);
    let series: Vec<f64> = (0..60).map(|_| normal(&mut rng)).collect();
    let mean = series.iter().sum::<f64>() / 60.0;
    for block in [1, 4, 12] {
        let draws = 20_000;
        let mut squares = 0.0;
        for _ in 0..draws {
            let sum: f64 = (0..60 / block)
                .map(|_| rng.below(60) as usize)
                .flat_map(|begin| (begin..begin + block).map(|at| series[at % 60] - mean))
                .sum();
            squares += sum * sum;
        }
        let drawn = squares / f64::from(draws) / (1.0 - block as f64 / 60.0);
        let exact = variance_of_sum(&series, block).variance;
        assert!((drawn / exact - 1.0).abs() < 0.05, "{block}: {drawn} and {exact}");
    }
}

#[test]
fn what_says_nothing_has_no_interval_and_what_never_varies_a_sure_one() {
    assert_eq!(ranks(&[0.0; 9], 1_000, 0.5, 1), None);
    assert_eq!(ranks(&[0.0; 20], 0, 0.5, 1), None);
    let sure = ranks(&[0.0; 20], 1_000, 0.5, 1).unwrap();
    assert_eq!((sure.effective, sure.block), (1_000.0, 1));
    assert!(sure.low > 0.46 && sure.high.unwrap() < 0.54, "{sure:?}");
    assert_eq!((block_length(&[]), variance_of_sum(&[], 3).variance), (1, 0.0));
}

#[test]
fn a_tail_that_the_sample_does_not_reach_has_no_upper_end() {
    // The order statistics of 100 about their p99: 0.99^100 is more than 2.5 %.
    let (low, high) = order_statistics(100.0, 0.99);
    assert!(high.is_none() && (0.95..0.98).contains(&low), "{low} {high:?}");
    // About their median: the 40th and the 61st (Conover, Practical Nonparametric Statistics).
    let (low, high) = order_statistics(100.0, 0.5);
    assert!((0.395..=0.41).contains(&low) && (0.595..=0.61).contains(&high.unwrap()));
}
