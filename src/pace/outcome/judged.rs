//! What the course of a run says of its figures: how sure they are, and whether they had become steady.
//!
//! Pure. Not here: the statistics; see `stats::bootstrap` and `stats::steady`.

use crate::pace::recorder::Recorder;
use crate::results::{self, Figure, QuantileInterval, QuantileIntervals};
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
    let of = |figure: &Figure| match figure.is_thin(response.count()) {
        true => None,
        false => interval(&rows, timeline, response, (figure.q, block_least)),
    };
    let found = QuantileIntervals::each(CONFIDENCE, of);
    // Where not even the median has one, none is claimed.
    QuantileIntervals { confidence: found.p50.map_or(0.0, |_| CONFIDENCE), ..found }
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
