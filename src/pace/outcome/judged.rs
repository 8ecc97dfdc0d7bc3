//! What the course of a run says of its figures: how sure they are, and whether they had become steady.
//!
//! Pure. Not here: the statistics; see `stats::bootstrap` and `stats::steady`.

use crate::pace::recorder::Recorder;
use crate::results::{self, QuantileInterval, QuantileIntervals, is_thin};
use crate::stats::bootstrap::{CONFIDENCE, block_length, ranks};
use crate::stats::steady::{self, Finding};
use crate::stats::timeline::{Rows, Timeline};
use crate::stats::{Histogram, Quantile};
use crate::units::Nanos;

/// The intervals of the quantiles of `response`, which is of this kind, or of all that are not kept
/// apart.
pub(super) fn intervals(
    recorder: &Recorder,
    kind: Option<usize>,
    response: &Histogram,
) -> QuantileIntervals {
    let Some(timeline) = recorder.timeline() else { return QuantileIntervals::default() };
    let rows = match kind {
        Some(kind) => timeline.rows(std::iter::once(kind)),
        None => timeline.rows(together(recorder)),
    };
    let rows = rows.from(timeline.grid().warmups);
    let block_least = block_length(&rows.excess(0.5));
    let of = |q: f64, beyond_per_100k: u64| {
        if is_thin(response.count(), beyond_per_100k) {
            return None;
        }
        interval(&rows, timeline, response, (q, block_least))
    };
    let p50 = of(0.5, 50_000);
    QuantileIntervals {
        confidence: if p50.is_some() { CONFIDENCE } else { 0.0 },
        p50,
        p90: of(0.9, 10_000),
        p95: of(0.95, 5_000),
        p99: of(0.99, 1_000),
        p99_9: of(0.999, 100),
        p99_99: of(0.9999, 10),
    }
}

fn interval(
    rows: &Rows,
    timeline: &Timeline,
    response: &Histogram,
    (q, block_least): (f64, usize),
) -> Option<QuantileInterval> {
    let found = ranks(&rows.excess(q), response.count(), q, block_least)?;
    let at = |q: f64| match response.quantile(q) {
        Quantile::Finite(value) => Some(value.0),
        Quantile::Infinite | Quantile::Empty => None,
    };
    Some(QuantileInterval {
        low: at(found.low),
        high: found.high.and_then(at),
        effective: found.effective,
        block_s: found.block as f64 * timeline.grid().step.as_secs_f64(),
    })
}

/// Whether the run that was measured for `duration` had become steady.
pub(super) fn steadiness(recorder: &Recorder, duration: Nanos) -> Option<results::Steadiness> {
    let timeline = recorder.timeline()?;
    let grid = timeline.grid();
    // A run that was stopped has nothing to say of what was to come.
    let reached = grid.warmups + duration.0.div_ceil(grid.step.0) as usize;
    let kinds: Vec<Rows> = together(recorder)
        .map(|kind| timeline.rows(std::iter::once(kind)).until(reached))
        .collect();
    let found = steady::judge(&kinds, grid)?;
    let (percent, warmup) = (100.0 * found.change, grid.warmup);
    let against = |percent: f64| {
        format!("{:.0} % {}", percent.abs(), if percent < 0.0 { "lower" } else { "higher" })
    };
    let says = match (found.finding, found.after) {
        (Finding::Drifts, _) => format!(
            "not steady: the p50 of the last third of the measured time is {} than that of the first",
            against(percent)
        ),
        (Finding::Late, Some(after)) => format!(
            "not steady: the warm-up of {warmup} is too short; up to {after} from the start of the load \
             the p50 is {} than after",
            against(percent)
        ),
        (Finding::Late, None) => String::from(
            "not steady: response times had not settled by half of the time, warm-up included",
        ),
        (Finding::Steady, after) => {
            format!("steady after {} (warm-up {warmup})", after.unwrap_or_default())
        }
    };
    Some(results::Steadiness {
        steady: found.finding == Finding::Steady,
        after_s: found.after.map(Nanos::as_secs_f64),
        warmup_s: warmup.as_secs_f64(),
        change: found.change,
        says,
    })
}

/// The kinds that the figures of all together are of.
fn together(recorder: &Recorder) -> impl Iterator<Item = usize> + '_ {
    let kinds = recorder.kinds().iter().enumerate();
    kinds.filter(|(_, kind)| !kind.is_apart).map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
