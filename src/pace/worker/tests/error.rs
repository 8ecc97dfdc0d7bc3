//! The error that every percentile carries, against a server whose latency is known exactly.

use super::*;
use crate::results::{QuantileErrors, Quantiles};

const LATENCY: Nanos = Nanos::from_micros(50);
/// A send costs the simulation one call, before the server has the request.
const SEND: Nanos = Nanos::from_micros(2);

/// Every figure with its error.
fn bounds(response: &Quantiles, error: &QuantileErrors) -> [(u64, u64); 8] {
    let pair = |figure: Option<u64>, error: Option<u64>| (figure.unwrap(), error.unwrap());
    [
        pair(response.min, error.min),
        pair(response.p50, error.p50),
        pair(response.p90, error.p90),
        pair(response.p95, error.p95),
        pair(response.p99, error.p99),
        pair(response.p99_9, error.p99_9),
        pair(response.p99_99, error.p99_99),
        pair(response.max, error.max),
    ]
}

/// The truth lies within every figure's error; HdrHistogram rounds by a thousandth.
#[track_caller]
fn check(sim: &Sim) -> Run {
    let run = sim.run(steady(|_| LATENCY)).run;
    let truth = LATENCY + SEND;
    for (figure, error) in bounds(&run.response_ns, &run.error_ns) {
        let least = figure.saturating_sub(error);
        assert!(least <= truth.0 + truth.0 / 1_000, "{least} is above {truth}: {run:?}");
        assert!(figure + figure / 1_000 >= truth.0, "{figure} is below {truth}: {run:?}");
    }
    run
}

#[test]
fn the_truth_lies_within_the_error_of_every_percentile() {
    for rate in ["1000", "10k", "50k"] {
        let mut sim = Sim::new(rate, Nanos::from_millis(200));
        sim.plan.wait = PaceWait::Spin;
        let run = check(&sim);
        // A spinning pacer knows its median to a few turns.
        assert!(run.error_ns.p50 < Some(10_000), "{rate}: {:?}", run.error_ns);
    }
}

#[test]
fn a_pacer_that_stood_still_says_that_its_tail_is_its_own() {
    let mut sim = Sim::new("1000", Nanos::from_secs(2));
    sim.plan.wait = PaceWait::Spin;
    sim.world.freeze(START + SECOND, Nanos::from_millis(100));
    let run = check(&sim);
    assert!(run.response_ns.max > Some(90_000_000) && run.error_ns.max > Some(90_000_000));
    assert!(run.error_ns.p50 < Some(10_000), "{:?}", run.error_ns);
}

#[test]
fn a_pacer_that_sleeps_cannot_tell_a_wake_up_from_the_server() {
    let run = check(&Sim::new("1000", Nanos::from_millis(200)));
    assert!(run.error_ns.p50 > Some(40_000), "{:?}", run.error_ns);
}
