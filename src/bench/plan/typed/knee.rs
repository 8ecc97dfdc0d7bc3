//! `[knee]` as typed -> [`KneePlan`]. Every error says `file:line: sentence`.

use super::load::PlannedLoad;
use super::{Parsed, REPEATS, Source, TypedPlan, at};
use crate::bench::BenchError;
use crate::bench::knee::{KneePlan, Within};
use crate::bench::plan::OfferedRate;
use crate::pace::mix::Mix;
use crate::pace::threshold::Threshold;
use crate::units::Nanos;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedKnee {
    objective: Spanned<Parsed<Threshold>>,
    from: Spanned<Parsed<OfferedRate>>,
    to: Spanned<Parsed<OfferedRate>>,
    within: Option<Parsed<Within>>,
    repeats: Option<Spanned<u32>>,
    duration: Option<Spanned<Parsed<Nanos>>>,
    warmup: Option<Spanned<Parsed<Nanos>>>,
}

impl TypedKnee {
    /// Where its own `duration` stands.
    pub(super) fn duration_at(&self) -> Option<Range<usize>> {
        at(&self.duration)
    }

    /// Where its `to` stands.
    pub(super) fn to_at(&self) -> Range<usize> {
        self.to.span()
    }

    /// Where its own `warmup` stands.
    pub(super) fn warmup_at(&self) -> Option<Range<usize>> {
        at(&self.warmup)
    }
}

impl Source<'_> {
    pub(super) fn knee(
        &self,
        typed: &TypedPlan,
        load: &PlannedLoad,
        mix: &Mix,
    ) -> Result<Option<KneePlan>, BenchError> {
        let Some(knee) = &typed.knee else { return Ok(None) };
        if let (Some(_), Some(at)) = (load.arrivals.rate(), &typed.arrivals) {
            let what = "a knee search sets the rate, and these arrivals say it themselves";
            return Err(self.error(at.span(), what));
        }
        let objective = &knee.objective.get_ref().0;
        objective.check_kind(mix).map_err(|what| self.error(knee.objective.span(), what))?;
        let (from, to) = (self.whole_rate(&knee.from, "from")?, self.whole_rate(&knee.to, "to")?);
        if from >= to {
            return Err(self.error(knee.to.span(), "to must be above from"));
        }
        let duration = self.not_zero_if(knee.duration.as_ref(), "duration")?;
        Ok(Some(KneePlan {
            objective: objective.clone(),
            from,
            to,
            within: knee.within.as_ref().map_or_else(Within::default, |within| within.0),
            repeats: self.at_least_one(knee.repeats.as_ref(), "repeats")?.unwrap_or(REPEATS),
            duration: duration.unwrap_or(load.duration),
            warmup: knee
                .warmup
                .as_ref()
                .map_or_else(|| self.warmup(typed), |span| span.get_ref().0),
        }))
    }

    /// A whole number of requests per second.
    fn whole_rate(
        &self,
        rate: &Spanned<Parsed<OfferedRate>>,
        key: &str,
    ) -> Result<u64, BenchError> {
        match rate.get_ref().0.rate.parts() {
            (rate, 1) => Ok(rate),
            _ => {
                let what = format!("{key} must be a whole number of requests/s");
                Err(self.error(rate.span(), what))
            }
        }
    }
}
