//! What the pacer is to do, as typed -> arrivals, rates, and options of the pacer. Every error says
//! `file:line: sentence`.
//!
//! Arrivals that carry their own rate (`ramp:..`, `steps:..`, `burst:50/10ms`, `replay:FILE`) leave no
//! room for `rate`; the plan then has one rate, theirs, which names the runs. Those that carry their own
//! length make `duration` optional. Start at [`Source::load`].

use super::{Parsed, Source, TypedPlan};
use crate::bench::BenchError;
use crate::bench::plan::{OfferedRate, PacerOptions};
use crate::pace::arrivals::{Arrivals, ArrivalsTyped};
use crate::pace::mix::Mix;
use crate::pace::replay::Replay;
use crate::units::Nanos;
use toml::Spanned;

/// When requests are due, and for how long.
pub(super) struct PlannedLoad {
    pub(super) arrivals: Arrivals,
    /// At least one.
    pub(super) rates: Vec<OfferedRate>,
    pub(super) duration: Nanos,
}

impl Source<'_> {
    pub(super) fn load(&self, typed: &TypedPlan, mix: &Mix) -> Result<PlannedLoad, BenchError> {
        let (arrivals, at) = match &typed.arrivals {
            None => (Arrivals::Constant, 0..0),
            Some(typed_arrivals) => (self.arrivals(typed_arrivals, mix)?, typed_arrivals.span()),
        };
        let rates = match arrivals.rate() {
            Some(own) => {
                self.no_rate_beside(typed, &arrivals)?;
                vec![OfferedRate { text: own.as_typed(), rate: own }]
            }
            // A knee search has rates of its own.
            None if typed.knee.is_some() && typed.rate.is_none() && typed.rates.is_none() => {
                Vec::new()
            }
            None => self.rates(typed)?,
        };
        let warmup = self.warmup(typed);
        let duration = match (&typed.duration, arrivals.length(warmup)) {
            (Some(typed), _) => self.not_zero(typed, "duration")?,
            (None, Some(Nanos::ZERO)) => {
                return Err(self.error(at, "the file of the replay ends within the warm-up"));
            }
            (None, Some(length)) => length,
            (None, None) => {
                let what = "duration is missing; write one like duration = \"30s\"";
                return Err(self.error(0..0, what));
            }
        };
        Ok(PlannedLoad { arrivals, rates, duration })
    }

    pub(super) fn warmup(&self, typed: &TypedPlan) -> Nanos {
        typed.warmup.as_ref().map_or(Nanos::ZERO, |span| span.get_ref().0)
    }

    fn arrivals(
        &self,
        arrivals: &Spanned<Parsed<ArrivalsTyped>>,
        mix: &Mix,
    ) -> Result<Arrivals, BenchError> {
        let file = match &arrivals.get_ref().0 {
            ArrivalsTyped::Whole(whole) => return Ok(whole.clone()),
            ArrivalsTyped::File(file) => self.beside(file).display().to_string(),
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            self.error(arrivals.span(), format!("the replay's file {file}: {error}"))
        })?;
        // The sentence begins with the file and line of what is replayed.
        let replay = Replay::parse(&file, &text, mix);
        replay.map(Arrivals::Replay).map_err(|what| self.error(arrivals.span(), what))
    }

    /// The mix, read; what is wrong in it is said with its own file and line as well.
    pub(super) fn mix(&self, typed: &Spanned<String>) -> Result<Mix, BenchError> {
        let path = self.file(typed)?;
        let text = std::fs::read_to_string(&path)
            .map_err(|error| self.error(typed.span(), format!("{}: {error}", path.display())))?;
        Mix::parse(&path.display().to_string(), &text)
            .map_err(|what| self.error(typed.span(), what))
    }

    fn no_rate_beside(&self, typed: &TypedPlan, arrivals: &Arrivals) -> Result<(), BenchError> {
        let at = typed.rate.as_ref().map(Spanned::span);
        let at = at.or(typed.rates.as_ref().map(Spanned::span));
        match at {
            None => Ok(()),
            Some(at) => {
                let what = format!("arrivals {arrivals} say the rate themselves; leave this out");
                Err(self.error(at, what))
            }
        }
    }

    /// `rate`, or `rates`, of which no two are equal.
    fn rates(&self, typed: &TypedPlan) -> Result<Vec<OfferedRate>, BenchError> {
        let typed: Vec<&Spanned<Parsed<OfferedRate>>> = match (&typed.rate, &typed.rates) {
            (Some(one), None) => vec![one],
            (None, Some(many)) if many.get_ref().is_empty() => {
                return Err(self.error(many.span(), "rates is empty; nothing would be sent"));
            }
            (None, Some(many)) => many.get_ref().iter().collect(),
            (Some(one), Some(_)) => {
                return Err(self.error(one.span(), "give rate or rates, not both"));
            }
            (None, None) => {
                return Err(self.error(0..0, "rate is missing; write one like rate = \"1000\""));
            }
        };
        let mut rates: Vec<OfferedRate> = Vec::new();
        for rate in typed {
            if rates.iter().any(|other| other.rate == rate.get_ref().0.rate) {
                return Err(self.error(rate.span(), "this rate is there twice"));
            }
            rates.push(rate.get_ref().0.clone());
        }
        Ok(rates)
    }
}

pub(super) fn pacer_options(typed: &TypedPlan) -> PacerOptions {
    PacerOptions {
        catch_up: typed.catch_up.as_ref().map(|policy| policy.0),
        drain: typed.drain.as_ref().map(|span| span.get_ref().0),
        timestamps: typed.timestamps.as_ref().map(|who| who.get_ref().0),
        backend: typed.pacer_backend.as_ref().map(|backend| backend.get_ref().0),
        wait: typed.pacer_wait.as_ref().map(|wait| wait.0),
    }
}
