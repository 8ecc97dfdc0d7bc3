//! The histogram against a sorted list of the same samples.

use super::*;
use crate::rng::Rng;

/// What the histogram should say, from all samples sorted; `u64::MAX` is +infinity.
struct Model(Vec<u64>);

impl Model {
    fn at(&self, rank: usize) -> Quantile {
        match self.0.get(rank - 1) {
            None => Quantile::Empty,
            Some(&u64::MAX) => Quantile::Infinite,
            Some(&value) => Quantile::Finite(Nanos(value)),
        }
    }
}

fn histogram_of(samples: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for sample in samples {
        match *sample {
            u64::MAX => histogram.record_infinite(),
            latency => histogram.record(Nanos(latency)),
        }
    }
    histogram
}

/// Latencies of every order of magnitude up to 1 h, and some at +infinity.
fn random_samples(rng: &mut Rng) -> Vec<u64> {
    let infinite = [0.0, 0.001, 0.3, 1.0][rng.below(4) as usize];
    let count = [1, 2, 10, 100, 3_000][rng.below(5) as usize];
    let mut draw = || match rng.chance(infinite) {
        true => u64::MAX,
        false => (rng.next_u64() >> (23 + rng.below(41))).min(LONGEST.0),
    };
    (0..count).map(|_| draw()).collect()
}

/// `got` is `exact` or at most 0.1 % above it.
#[track_caller]
fn check(got: Quantile, exact: Quantile, context: &str) {
    match (got, exact) {
        (Quantile::Finite(got), Quantile::Finite(exact)) => {
            assert!(got >= exact, "{got:?} is below {exact:?}: {context}");
            assert!(got.0 - exact.0 <= exact.0 / 1_000, "{got:?} for {exact:?}: {context}");
        }
        _ => assert_eq!(got, exact, "{context}"),
    }
}

#[test]
fn quantiles_are_those_of_the_sorted_samples_within_three_digits() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut samples = random_samples(&mut rng);
        let histogram = histogram_of(&samples);
        samples.sort_unstable();
        let count = samples.len();
        let model = Model(samples);
        for _ in 0..50 {
            let thousandths = rng.below(1_001) as usize;
            let rank = (thousandths * count).div_ceil(1_000).max(1);
            let q = thousandths as f64 / 1_000.0;
            check(histogram.quantile(q), model.at(rank), &format!("seed {seed}, q {q}"));
        }
        assert_eq!(histogram.min(), model.at(1), "seed {seed}");
        assert_eq!(histogram.max(), model.at(count), "seed {seed}");
    }
}

#[test]
fn the_mean_is_exact_and_infinite_as_soon_as_one_sample_is() {
    let mut histogram = histogram_of(&[1, 2, 1_000_003]);
    assert_eq!(histogram.mean(), Quantile::Finite(Nanos(1_000_006 / 3)));
    histogram.record_infinite();
    assert_eq!(histogram.mean(), Quantile::Infinite);
}

#[test]
fn a_merge_says_what_one_histogram_of_all_samples_says() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let (ours, theirs) = (random_samples(&mut rng), random_samples(&mut rng));
        let mut merged = histogram_of(&ours);
        merged.merge(&Histogram::new());
        merged.merge(&histogram_of(&theirs));
        let mut from_empty = Histogram::new();
        from_empty.merge(&merged);
        let together = histogram_of(&[ours, theirs].concat());
        for histogram in [merged, from_empty] {
            assert_eq!(histogram.beside(), together.beside(), "seed {seed}");
            assert!(histogram.hdr() == together.hdr(), "seed {seed}");
        }
    }
}

#[test]
fn infinite_samples_rank_above_all_others() {
    let mut histogram = Histogram::new();
    for latency in 1..=98 {
        histogram.record(Nanos(latency));
    }
    histogram.record_infinite();
    histogram.record_infinite();
    assert_eq!(histogram.quantile(0.98), Quantile::Finite(Nanos(98)));
    assert_eq!(histogram.quantile(0.981), Quantile::Infinite);
    assert_eq!(histogram.quantile(0.95), Quantile::Finite(Nanos(95)));
    assert_eq!((histogram.max(), histogram.mean()), (Quantile::Infinite, Quantile::Infinite));
    assert_eq!(histogram.min(), Quantile::Finite(Nanos(1)));
    assert_eq!((histogram.count(), histogram.infinite()), (100, 2));
    assert_eq!(histogram.longest_observed(), Some(Nanos(98)));
}

#[test]
fn the_longest_time_observed_may_be_one_that_was_waited_in_vain() {
    let mut waiting = Histogram::new();
    waiting.record_infinite_after(Nanos(70));
    assert_eq!(waiting.longest_observed(), Some(Nanos(70)));
    let mut histogram = histogram_of(&[5, 98]);
    histogram.merge(&waiting);
    assert_eq!((histogram.longest_observed(), histogram.count()), (Some(Nanos(98)), 3));
    histogram.record_infinite_after(Nanos(2_000));
    histogram.record_infinite_after(Nanos(30));
    assert_eq!(histogram.longest_observed(), Some(Nanos(2_000)));
    let (counts, beside) = (histogram.hdr().clone(), histogram.beside());
    assert_eq!(Histogram::from_parts(counts, Some(beside)).unwrap().beside(), beside);
    histogram.clear();
    assert_eq!(histogram.longest_observed(), None);
}

#[test]
fn an_empty_histogram_says_so() {
    let histogram = Histogram::new();
    for q in [0.0, 0.5, 1.0] {
        assert_eq!(histogram.quantile(q), Quantile::Empty);
    }
    assert_eq!((histogram.mean(), histogram.min()), (Quantile::Empty, Quantile::Empty));
    assert_eq!((histogram.count(), histogram.longest_observed()), (0, None));
}

#[test]
fn a_histogram_of_failures_only_is_infinite_throughout() {
    let histogram = histogram_of(&[u64::MAX; 3]);
    for q in [0.0, 0.5, 1.0] {
        assert_eq!(histogram.quantile(q), Quantile::Infinite);
    }
    assert_eq!(histogram.mean(), Quantile::Infinite);
    assert_eq!((histogram.count(), histogram.infinite()), (3, 3));
    assert_eq!(histogram.longest_observed(), None);
}

#[test]
fn a_latency_of_zero_is_a_latency() {
    let histogram = histogram_of(&[0, 0, 5]);
    assert_eq!(histogram.quantile(0.5), Quantile::Finite(Nanos(0)));
    assert_eq!(histogram.min(), Quantile::Finite(Nanos(0)));
}

#[test]
fn what_is_above_an_hour_is_counted_as_saturated_and_still_the_longest() {
    let longest = LONGEST.0 * 10;
    let histogram = histogram_of(&[1, LONGEST.0, longest, longest]);
    assert_eq!(histogram.saturated(), 2);
    assert_eq!(histogram.count(), 4);
    assert_eq!(histogram.longest_observed(), Some(Nanos(longest)));
    assert_eq!(histogram.max(), Quantile::Finite(Nanos(longest)));
    check(histogram.quantile(0.75), Quantile::Finite(LONGEST), "the third of four");
}

#[test]
fn decimal_quantiles_mean_the_rank_a_person_would_count() {
    let samples: Vec<u64> = (1..=100).collect();
    let histogram = histogram_of(&samples);
    for percent in 1..=100u64 {
        let q = format!("{}.{:02}", percent / 100, percent % 100).parse().unwrap();
        assert_eq!(histogram.quantile(q), Quantile::Finite(Nanos(percent)), "{percent} %");
    }
}

#[test]
fn a_quantile_outside_its_range_means_the_nearer_end() {
    let histogram = histogram_of(&[1, 2, 3]);
    assert_eq!(histogram.quantile(-1.0), histogram.min());
    assert_eq!(histogram.quantile(7.0), histogram.max());
    assert_eq!(histogram.quantile(f64::NAN), histogram.min());
}

#[test]
fn a_cleared_histogram_is_as_new() {
    let mut histogram = Histogram::new();
    histogram.record(Nanos(5));
    histogram.record(Nanos(LONGEST.0 + 1));
    histogram.record_infinite();
    histogram.clear();
    assert_eq!(histogram.beside(), Histogram::new().beside());
    assert_eq!(histogram.quantile(0.5), Quantile::Empty);
    histogram.record(Nanos(7));
    assert_eq!((histogram.min(), histogram.saturated()), (Quantile::Finite(Nanos(7)), 0));
    assert_eq!((histogram.counts.min(), histogram.counts.max()), (7, 7));
}
