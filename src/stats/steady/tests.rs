use super::*;
use crate::rng::{Rng, unit_f64};
use crate::stats::timeline::Timeline;
use crate::units::Mono;

const SECOND: Nanos = Nanos::from_secs(1);

/// Judges a run of 1 s of warm-up and 4 s at 1,000/s, two thirds of one kind and one of another that is
/// forty times slower. `factor` is what its times are multiplied with at a moment, in seconds from the
/// start; `spikes` is the chance of a request to find the machine stalled for 1 to 20 ms.
fn run_of(seed: u64, spikes: f64, factor: impl Fn(f64) -> f64) -> Steadiness {
    let grid = Grid::new(SECOND, Nanos::from_secs(4));
    let mut timeline = Timeline::new(grid, 2);
    let mut rng = Rng::new(seed);
    let mut stalled_until = 0;
    for k in 0..5_000u64 {
        let at = k * 1_000_000;
        if rng.chance(spikes) {
            stalled_until = at + 1_000_000 + rng.below(19_000_000);
        }
        let kind = usize::from(k % 3 == 0);
        let base = [50_000.0, 2_000_000.0][kind] * factor(at as f64 / 1e9);
        let own = base * (0.9 + 0.2 * unit_f64(rng.next_u64()));
        let response = own as u64 + stalled_until.saturating_sub(at);
        timeline.record(kind, Mono(at), Some(Nanos(response)));
    }
    let kinds = [0, 1].map(|kind| timeline.rows(std::iter::once(kind)));
    judge(&kinds, grid).unwrap()
}

#[test]
fn a_stationary_run_with_stalls_is_called_unsteady_in_less_than_one_of_twenty() {
    for spikes in [0.0, 0.002, 0.02] {
        let runs = 60;
        let unsteady: Vec<u64> = (0..runs)
            .filter(|seed| run_of(*seed, spikes, |_| 1.0).finding != Finding::Steady)
            .collect();
        assert!(unsteady.len() <= 3, "{spikes}: seeds {unsteady:?}");
    }
}

#[test]
fn the_end_of_a_transient_is_found_to_a_few_batches() {
    for seed in 0..10 {
        // Twice as slow for 0.6 s: over before measuring begins.
        let found = run_of(seed, 0.002, |at| if at < 0.6 { 2.0 } else { 1.0 });
        let after = found.after.unwrap().as_secs_f64();
        assert_eq!(found.finding, Finding::Steady, "seed {seed}: {found:?}");
        assert!((after - 0.6).abs() < 0.4 && found.change > 0.5, "seed {seed}: {found:?}");
        // A compiler: slower by half at first, and less and less so.
        let found = run_of(seed, 0.002, |at| 1.0 + 0.5 * (-at / 0.6).exp());
        assert_ne!(found.finding, Finding::Steady, "seed {seed}: {found:?}");
        let after = found.after.map_or(1.5, Nanos::as_secs_f64);
        assert!((1.0..2.5).contains(&after), "seed {seed}: {found:?}");
    }
}

#[test]
fn a_run_that_grows_slower_all_the_time_is_not_steady() {
    for seed in 0..10 {
        let found = run_of(seed, 0.002, |at| 1.0 + 0.1 * at);
        assert_ne!(found.finding, Finding::Steady, "seed {seed}: {found:?}");
        // Slower by a quarter for the last second only.
        let found = run_of(seed, 0.002, |at| if at > 4.0 { 1.25 } else { 1.0 });
        assert_eq!(found.finding, Finding::Drifts, "seed {seed}: {found:?}");
        assert!(found.after.is_none() && found.change > 0.1, "seed {seed}: {found:?}");
    }
}

#[test]
fn what_changes_by_a_hundredth_does_not_matter() {
    let found = run_of(1, 0.0, |at| if at < 2.0 { 1.01 } else { 1.0 });
    assert_eq!((found.finding, found.after), (Finding::Steady, Some(Nanos::ZERO)));
}

#[test]
fn of_few_intervals_nothing_is_said() {
    let grid = Grid::new(Nanos::ZERO, SECOND);
    let mut timeline = Timeline::new(grid, 1);
    (0..9).for_each(|k| timeline.record(0, Mono(k * 100_000_000), Some(Nanos(5))));
    assert_eq!(judge(&[timeline.rows(0..1)], grid), None);
    assert_eq!(judge(&[], grid), None);
}
