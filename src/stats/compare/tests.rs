use super::*;
use crate::rng::{Rng, unit_f64};

const INF: f64 = f64::INFINITY;

#[track_caller]
fn check(base: &[f64], new: &[f64], shift: f64, ends: Option<(f64, f64)>, finding: Finding) {
    let difference = compare(base, new, 0.0);
    assert_eq!(difference.shift, shift);
    assert_eq!(difference.interval.map(|interval| (interval.low, interval.high)), ends);
    assert_eq!(difference.finding, finding);
}

#[test]
fn three_repeats_that_do_not_overlap_are_told_apart_with_ninety_percent() {
    check(&[1.0, 2.0, 3.0], &[12.0, 11.0, 13.0], 10.0, Some((8.0, 12.0)), Finding::Higher);
    check(&[12.0, 11.0, 13.0], &[1.0, 2.0, 3.0], -10.0, Some((-12.0, -8.0)), Finding::Lower);
    let interval = compare(&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0], 0.0).interval.unwrap();
    // 2 of the 20 orders of three and three are the extremes.
    assert!((interval.confidence - 0.9).abs() < 1e-12, "{interval:?}");
}

#[test]
fn what_overlaps_cannot_be_told_apart() {
    let doubt = Finding::CannotTell(Doubt::HoldsZero);
    check(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0], 2.0, Some((-0.5, 4.0)), doubt);
    check(&[5.0; 3], &[5.0; 3], 0.0, Some((0.0, 0.0)), doubt);
}

#[test]
fn two_repeats_are_too_few_whatever_they_say() {
    let doubt = Finding::CannotTell(Doubt::FewRepeats);
    check(&[1.0, 1.0], &[9.0, 9.0], 8.0, None, doubt);
    check(&[1.0], &[9.0, 9.0, 9.0], 8.0, None, doubt);
    check(&[], &[9.0], 0.0, None, doubt);
}

#[test]
fn a_difference_within_the_error_is_not_believed() {
    let (base, new) = ([10.0, 10.1, 10.2], [11.0, 11.1, 11.2]);
    assert_eq!(compare(&base, &new, 0.9).finding, Finding::Higher);
    assert_eq!(compare(&base, &new, 1.1).finding, Finding::CannotTell(Doubt::Error));
}

#[test]
fn repeats_without_end_are_longer_than_any_and_equal_among_themselves() {
    check(&[1.0, 2.0, 3.0], &[INF; 3], INF, Some((INF, INF)), Finding::Higher);
    let doubt = Finding::CannotTell(Doubt::HoldsZero);
    check(&[INF; 3], &[INF; 3], 0.0, Some((0.0, 0.0)), doubt);
    check(&[1.0, 2.0, INF], &[11.0, 12.0, 13.0], 10.0, Some((-INF, 12.0)), doubt);
    check(&[INF, 1.0], &[INF, 1.0], 0.0, None, Finding::CannotTell(Doubt::FewRepeats));
}

#[test]
fn one_strange_repeat_of_five_does_not_hide_a_difference() {
    let (base, new) = ([50.0, 50.1, 50.2, 50.3, 900.0], [52.0, 52.1, 52.2, 52.3, 52.4]);
    let difference = compare(&base, &new, 0.0);
    assert_eq!(difference.finding, Finding::CannotTell(Doubt::HoldsZero));
    // Of six there is room for one.
    let base = [50.0, 50.1, 50.2, 50.3, 50.4, 900.0];
    let new = [52.0, 52.1, 52.2, 52.3, 52.4, 52.5];
    assert_eq!(compare(&base, &new, 0.0).finding, Finding::CannotTell(Doubt::HoldsZero));
    let base = [50.0, 50.1, 50.2, 50.3, 50.4, 50.5, 900.0];
    let new = [52.0, 52.1, 52.2, 52.3, 52.4, 52.5, 52.6];
    assert_eq!(compare(&base, &new, 0.0).finding, Finding::Higher);
}

/// Hollander and Wolfe (1973), page 69: permeability of membranes at term and before.
#[test]
fn the_published_example_has_its_published_answer() {
    let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    let before = [1.15, 0.88, 0.90, 0.74, 1.21];
    let difference = compare(&before, &term, 0.0);
    let Interval { low, high, confidence } = difference.interval.unwrap();
    assert!((difference.shift - 0.305).abs() < 1e-9, "{difference:?}");
    assert!((low + 0.15).abs() < 1e-9 && (high - 0.76).abs() < 1e-9, "{difference:?}");
    assert!((0.95..0.97).contains(&confidence), "{confidence}");
}

#[test]
fn ranks_are_counted_as_by_listing_every_order() {
    assert_eq!(rank_sum_counts(3, 3), [1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0, 1.0]);
    for (m, n) in [(1, 1), (1, 6), (2, 5), (4, 4), (5, 3)] {
        let mut listed = vec![0.0; m * n + 1];
        for order in 0..1u32 << (m + n) {
            if order.count_ones() as usize == m {
                let is_new = |at: usize| order >> at & 1 == 1;
                let below = |at: usize| (0..at).filter(|other| !is_new(*other)).count();
                listed[(0..m + n).filter(|at| is_new(*at)).map(below).sum::<usize>()] += 1.0;
            }
        }
        assert_eq!(rank_sum_counts(m, n), listed, "{m} and {n}");
    }
}

#[test]
fn the_counted_and_the_normal_ranks_meet() {
    let (counted, _) = left_out(COUNTED_MAX, COUNTED_MAX);
    let spread = (30.0f64 * 30.0 * 61.0 / 12.0).sqrt();
    let normal = (450.0 - 1.959_964 * spread) as usize;
    assert!(counted.abs_diff(normal) <= 1, "{counted} and {normal}");
    assert!(left_out(31, 31).0 > counted);
}

/// A run against itself: how often a difference is found that is not there.
#[test]
fn repeats_of_the_same_are_told_apart_as_rarely_as_the_confidence_says() {
    for (repeats, at_most) in [(3, 0.1), (4, 0.05), (5, 0.05), (8, 0.05)] {
        let mut rng = Rng::new(7);
        // Skewed, as tails are: what assumes a bell would miss more often here.
        let mut draw = || (0..repeats).map(|_| (3.0 * unit_f64(rng.next_u64())).exp()).collect();
        let rounds = 4_000;
        let found = (0..rounds).filter(|_| {
            let (base, new): (Vec<f64>, Vec<f64>) = (draw(), draw());
            !matches!(compare(&base, &new, 0.0).finding, Finding::CannotTell(_))
        });
        let share = found.count() as f64 / f64::from(rounds);
        assert!(share <= at_most + 0.015, "{repeats} repeats: {share}");
    }
}

#[test]
fn few_pairs_have_students_interval() {
    let found = paired(&[1.0, 2.0, 3.0], &[], 0.0, CONFIDENCE);
    let Interval { low, high, .. } = found.interval.unwrap();
    // 4.302653 times the standard error, which is 1 over the root of 3.
    assert!((low + 0.484_13).abs() < 1e-4 && (high - 4.484_13).abs() < 1e-4, "{found:?}");
    assert_eq!((found.shift, found.finding), (2.0, Finding::CannotTell(Doubt::HoldsZero)));
    assert_eq!(paired(&[19.0, 20.0, 21.0], &[], 0.0, CONFIDENCE).finding, Finding::Higher);
    let few = Finding::CannotTell(Doubt::FewRepeats);
    assert_eq!(paired(&[9.0], &[], 0.0, CONFIDENCE).finding, few);
    assert_eq!(paired(&[], &[], 0.0, CONFIDENCE).finding, few);
}

#[test]
fn pairs_that_agree_by_accident_are_no_surer_than_their_runs() {
    assert_eq!(paired(&[5.0, 5.0, 5.0], &[], 0.0, CONFIDENCE).finding, Finding::Higher);
    let within = [9.0; 3];
    let doubt = Finding::CannotTell(Doubt::HoldsZero);
    assert_eq!(paired(&[5.0, 5.0, 5.0], &within, 0.0, CONFIDENCE).finding, doubt);
}

/// Hollander and Wolfe (1973), page 29: Hamilton depression scale before and after.
#[test]
fn the_published_example_of_pairs_has_its_published_answer() {
    let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
    let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.06 + 0.08, 1.29];
    let differences: Vec<f64> = before.iter().zip(after).map(|(b, a)| a - b).collect();
    let found = paired(&differences, &[], 0.0, CONFIDENCE);
    let Interval { low, high, confidence } = found.interval.unwrap();
    assert!((found.shift + 0.46).abs() < 1e-9, "{found:?}");
    assert!((low + 0.786).abs() < 1e-9 && (high + 0.010).abs() < 1e-9, "{found:?}");
    assert!((0.96..0.97).contains(&confidence), "{confidence}");
}

#[test]
fn pairs_of_which_one_side_never_came_differ() {
    let found = |differences: &[f64]| paired(differences, &[], 0.0, CONFIDENCE).finding;
    assert_eq!(found(&[INF; 3]), Finding::Higher);
    assert_eq!(found(&[-INF; 7]), Finding::Lower);
    assert_eq!(found(&[INF, INF]), Finding::CannotTell(Doubt::FewRepeats));
    assert_eq!(found(&[INF, 1.0, 2.0]), Finding::CannotTell(Doubt::Infinite));
    assert_eq!(found(&[INF, -INF, 1.0, 2.0, 3.0, 4.0]), Finding::CannotTell(Doubt::HoldsZero));
}

#[test]
fn between_an_infinity_and_a_number_lies_that_infinity() {
    for (sorted, expected) in [
        (&[-INF, 1.0][..], -INF),
        (&[1.0, INF], INF),
        (&[-INF, INF], 0.0),
        (&[-INF, -INF, 2.0, 3.0], -INF),
        (&[1.0, 2.0], 1.5),
    ] {
        assert_eq!(median(sorted), expected, "{sorted:?}");
    }
}

/// How often pairs of the same are told apart, whose level drifts from pair to pair, and which now and
/// then are far off.
#[test]
fn pairs_of_the_same_are_told_apart_as_rarely_as_the_confidence_says() {
    for (pairs, confidence) in [(2, 0.95), (3, 0.95), (5, 0.95), (8, 0.95), (5, family(8))] {
        let mut rng = Rng::new(11);
        let mut uniform = || unit_f64(rng.next_u64());
        let rounds = 3_000;
        let mut found = 0;
        for _ in 0..rounds {
            let mut run = |level: f64| {
                let noise = (0..4).map(|_| uniform() - 0.5).sum::<f64>();
                level * (1.0 + 0.05 * noise) + if uniform() < 0.05 { 30.0 } else { 0.0 }
            };
            let levels = (0..pairs).map(|pair| 50.0 + 5.0 * f64::from(pair));
            let differences: Vec<f64> = levels.map(|level| run(level) - run(level)).collect();
            let said = paired(&differences, &[], 0.0, confidence).finding;
            found += u32::from(!matches!(said, Finding::CannotTell(_)));
        }
        let share = f64::from(found) / f64::from(rounds);
        assert!(share <= 1.0 - confidence + 0.012, "{pairs} pairs: {share}");
    }
}

#[test]
fn five_pairs_see_what_is_six_times_their_spread_as_a_family_of_eight() {
    let mut rng = Rng::new(3);
    let rounds = 500;
    let seen = (0..rounds).filter(|_| {
        let noise = |rng: &mut Rng| (0..4).map(|_| unit_f64(rng.next_u64()) - 0.5).sum::<f64>();
        // The spread of a sum of four is 0.58.
        let differences: Vec<f64> = (0..5).map(|_| 3.5 + noise(&mut rng)).collect();
        paired(&differences, &[], 0.0, family(8)).finding == Finding::Higher
    });
    assert!(seen.count() * 100 > 95 * rounds);
}

#[test]
fn two_intervals_are_apart_only_beyond_the_error() {
    let ends = |base, new, error| apart(base, new, error).map(|found| (found.low, found.high));
    assert_eq!(ends((1.0, 2.0), (5.0, 7.0), 2.9), Some((3.0, 6.0)));
    assert_eq!(ends((5.0, 7.0), (1.0, 2.0), 2.9), Some((-6.0, -3.0)));
    assert_eq!(ends((1.0, 2.0), (5.0, 7.0), 3.0), None);
    assert_eq!(ends((1.0, 5.0), (5.0, 7.0), 0.0), None);
    let infinite = f64::INFINITY;
    assert_eq!(ends((1.0, 2.0), (infinite, infinite), 1.0), Some((infinite, infinite)));
    assert_eq!(ends((1.0, infinite), (infinite, infinite), 1.0), None);
}
