//! Searches the knee: per target the highest rate that keeps a latency objective.
//!
//! Rates climb by doubling until two in a row fail, or the top of the range is reached; then the gap
//! between the highest pass and the lowest fail above it is halved in the ratio until it is as small as
//! was asked for. A fail is never taken alone: where one rate fails and the next passes, the search goes
//! on above, and the pass above a fail is reported. Each rate is run several times; more than half of
//! the runs decide, and a run that is INVALID, or has no figures, keeps nothing.
//!
//! Everything is worked out from the runs that there are, so a search that was interrupted goes on by
//! itself. Targets take turns run by run. Pure: no process, clock or file. Not here: making runs (see
//! `run`). Start at [`next_job`]; the choice of a rate is [`Range::step`].

use super::summary::{spread, summary};
use crate::pace::threshold::Threshold;
use crate::results::Verdict;
use crate::results::bench::BenchRun;
use crate::results::knee::{
    Contradiction, KneeEnding, KneePlanRecord, KneeProbe, KneeTarget, ProbeOutcome,
};
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::str::FromStr;

/// What is searched.
#[derive(Clone, Debug)]
pub struct KneePlan {
    /// What a rate must keep.
    pub objective: Threshold,
    /// The lowest rate tried, in requests/s; not zero.
    pub from: u64,
    /// The highest; above `from`.
    pub to: u64,
    /// How near pass and fail must be.
    pub within: Within,
    /// Runs at each rate; at least 1.
    pub repeats: u32,
    /// Measured time of each.
    pub duration: Nanos,
    /// Time before it at the same rate.
    pub warmup: Nanos,
}

/// A share, typed in per cent: `5%`. From 1 % to 100 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Within(f64);

impl Default for Within {
    /// Chosen: four rates beyond the doubling; runs of seconds differ by as much.
    fn default() -> Within {
        Within(0.05)
    }
}

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Within, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) if (1.0..=100.0).contains(&percent) => Ok(Within(percent / 100.0)),
            _ => Err(format!("`{text}` is no such share; write one from `1%` to `100%`")),
        }
    }
}

impl KneePlan {
    /// As `bench.json` keeps it.
    pub(super) fn record(&self) -> KneePlanRecord {
        KneePlanRecord {
            objective: self.objective.to_string(),
            from: self.from.to_string(),
            to: self.to.to_string(),
            within: self.within.0,
            repeats: self.repeats,
            duration_s: self.duration.as_secs_f64(),
            warmup_s: self.warmup.as_secs_f64(),
        }
    }

    fn range(&self) -> Range {
        Range { from: self.from, to: self.to, within: self.within }
    }

    /// No search of one target makes more runs.
    pub(super) fn runs_max(&self) -> usize {
        let doublings = self.range().rungs().count();
        // The gap that is halved is of neighbours on the ladder, a factor of 2 at most. Twice that pays
        // for middles that are rounded.
        let halvings = (4f64.ln() / (1.0 + self.within.0).ln()).log2().ceil().max(0.0);
        (doublings + halvings as usize) * self.repeats as usize
    }
}

/// The rates that may be tried.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: u64,
    to: u64,
    within: Within,
}

/// What a search does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It tries this rate.
    Probe(u64),
    /// It is over.
    End(KneeEnding),
}

impl Range {
    /// From `passed`, which says of each rate that was decided whether it passed.
    fn step(&self, passed: &BTreeMap<u64, bool>) -> Step {
        let mut fails_in_a_row = 0;
        for rung in self.rungs() {
            match passed.get(&rung) {
                None => return Step::Probe(rung),
                Some(true) => fails_in_a_row = 0,
                Some(false) => fails_in_a_row += 1,
            }
            if fails_in_a_row == 2 {
                break;
            }
        }
        let edge = Edge::of(passed);
        match (edge.passed, edge.failed) {
            (None, _) => Step::End(KneeEnding::BelowRange),
            (Some(_), None) => Step::End(KneeEnding::AboveRange),
            (Some(low), Some(high)) => match self.between(low, high) {
                Some(rate) => Step::Probe(rate),
                None => Step::End(KneeEnding::Found),
            },
        }
    }

    /// `from`, its doubles, and `to`.
    fn rungs(&self) -> impl Iterator<Item = u64> {
        let (from, to) = (self.from, self.to);
        let doubles = std::iter::successors(Some(from), |rate| rate.checked_mul(2));
        doubles.take_while(move |rate| *rate < to).chain([to])
    }

    /// The rate in the middle, by ratio; `None` if the two are near enough.
    fn between(&self, low: u64, high: u64) -> Option<u64> {
        if high as f64 <= low as f64 * (1.0 + self.within.0) {
            return None;
        }
        let middle = (low as f64 * high as f64).sqrt();
        let inside = |rate: &u64| low < *rate && *rate < high;
        [rounded(middle), middle.round() as u64].into_iter().find(inside)
    }
}

/// To three digits, so that rates are read and typed with ease.
fn rounded(rate: f64) -> u64 {
    let unit = 10f64.powf((rate.log10().floor() - 2.0).max(0.0));
    ((rate / unit).round() * unit) as u64
}

/// Where passing ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    /// The highest rate that passed.
    passed: Option<u64>,
    /// The lowest above it that failed.
    failed: Option<u64>,
}

impl Edge {
    fn of(passed: &BTreeMap<u64, bool>) -> Edge {
        let highest = passed.iter().rev().find(|(_, passed)| **passed).map(|(rate, _)| *rate);
        let above = |rate: &u64| highest.is_none_or(|highest| *rate > highest);
        Edge { passed: highest, failed: passed.keys().copied().find(above) }
    }
}

/// Every pass that has a fail below it.
fn contradictions(passed: &BTreeMap<u64, bool>) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut last_fail = None;
    for (rate, passed) in passed {
        match (passed, last_fail) {
            (false, _) => last_fail = Some(rate),
            (true, Some(failed)) => found
                .push(Contradiction { passed: rate.to_string(), failed: u64::to_string(failed) }),
            (true, None) => {}
        }
    }
    found
}

/// What one run says of its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vote {
    Kept,
    Missed,
    /// It is INVALID or has no figures.
    Void,
}

impl Vote {
    fn of(run: &BenchRun, objective: &Threshold) -> Vote {
        match &run.run {
            Some(run) if run.verdict != Verdict::Invalid => match objective.check(run) {
                Ok(()) => Vote::Kept,
                Err(_) => Vote::Missed,
            },
            _ => Vote::Void,
        }
    }
}

/// More than half of `repeats` must keep it; as soon as they do, or no longer can, it is decided.
fn outcome(votes: &[Vote], repeats: u32) -> ProbeOutcome {
    let count = |of: Vote| votes.iter().filter(|vote| **vote == of).count();
    let (kept, void, half) = (count(Vote::Kept), count(Vote::Void), repeats as usize);
    if 2 * kept > half {
        ProbeOutcome::Passed
    } else if 2 * void >= half {
        ProbeOutcome::Invalid
    } else if 2 * (votes.len() - kept) >= half {
        ProbeOutcome::Failed
    } else {
        ProbeOutcome::Undecided
    }
}

/// The runs of one target by their rate.
struct Tally<'a> {
    plan: &'a KneePlan,
    by_rate: BTreeMap<u64, Vec<&'a BenchRun>>,
}

impl<'a> Tally<'a> {
    fn of(plan: &'a KneePlan, target: &str, runs: &'a [BenchRun]) -> Tally<'a> {
        let mut by_rate: BTreeMap<u64, Vec<&BenchRun>> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.target == target) {
            // Only rates that this module named are there; another is no part of the search.
            if let Ok(rate) = run.rate.parse::<u64>() {
                by_rate.entry(rate).or_default().push(run);
            }
        }
        Tally { plan, by_rate }
    }

    fn made(&self) -> usize {
        self.by_rate.values().map(Vec::len).sum()
    }

    fn votes(&self, runs: &[&BenchRun]) -> Vec<Vote> {
        runs.iter().map(|run| Vote::of(run, &self.plan.objective)).collect()
    }

    fn outcome(&self, runs: &[&BenchRun]) -> ProbeOutcome {
        outcome(&self.votes(runs), self.plan.repeats)
    }

    /// Of every rate that is decided, whether it passed.
    fn passed(&self) -> BTreeMap<u64, bool> {
        let decided = self.by_rate.iter().filter_map(|(rate, runs)| match self.outcome(runs) {
            ProbeOutcome::Passed => Some((*rate, true)),
            ProbeOutcome::Failed | ProbeOutcome::Invalid => Some((*rate, false)),
            ProbeOutcome::Undecided => None,
        });
        decided.collect()
    }

    /// The next run: of which rate, and which repeat. A failed run that was dropped left its number
    /// free, perhaps below others that are kept.
    fn next(&self) -> Option<(u64, u32)> {
        match self.plan.range().step(&self.passed()) {
            Step::End(_) => None,
            Step::Probe(rate) => {
                let made = self.by_rate.get(&rate).map_or(&[][..], Vec::as_slice);
                let is_free = |nth: &u32| made.iter().all(|run| run.repeat != *nth);
                (1..).find(is_free).map(|repeat| (rate, repeat))
            }
        }
    }

    fn found(&self, target: &str) -> KneeTarget {
        let passed = self.passed();
        let edge = Edge::of(&passed);
        KneeTarget {
            target: target.to_owned(),
            ending: match self.plan.range().step(&passed) {
                Step::Probe(_) => KneeEnding::Unfinished,
                Step::End(ending) => ending,
            },
            passed: edge.passed.map(|rate| rate.to_string()),
            failed: edge.failed.map(|rate| rate.to_string()),
            contradictions: contradictions(&passed),
            probes: self
                .by_rate
                .iter()
                .map(|(rate, runs)| self.probe(target, *rate, runs))
                .collect(),
        }
    }

    fn probe(&self, target: &str, rate: u64, runs: &[&BenchRun]) -> KneeProbe {
        let rate = rate.to_string();
        let votes = self.votes(runs);
        let measured = runs.iter().filter_map(|run| run.run.as_ref());
        let figures = measured.map(|run| self.plan.objective.figure(run).map(|ns| ns.0));
        KneeProbe {
            outcome: self.outcome(runs),
            kept: votes.iter().filter(|vote| **vote == Vote::Kept).count() as u32,
            of: votes.len() as u32,
            figure_ns: spread(figures.collect()),
            summary: summary(target, &rate, runs),
            rate,
        }
    }
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KneeJob {
    /// Index into the targets.
    pub(super) target: usize,
    /// As the pacer is given it.
    pub(super) rate: String,
    /// From 1.
    pub(super) repeat: u32,
}

/// The run that comes after `runs`; `None` if every search is over. Of the targets still searched the
/// one with the fewest runs is next, and they take turns in going first.
pub(super) fn next_job(plan: &KneePlan, targets: &[&str], runs: &[BenchRun]) -> Option<KneeJob> {
    let open = targets.iter().enumerate().filter_map(|(nth, target)| {
        let tally = Tally::of(plan, target, runs);
        let (rate, repeat) = tally.next()?;
        let round = tally.made();
        let turn = (nth + targets.len() - round % targets.len()) % targets.len();
        Some((round, turn, KneeJob { target: nth, rate: rate.to_string(), repeat }))
    });
    open.min_by_key(|(round, turn, _)| (*round, *turn)).map(|(_, _, job)| job)
}

/// What the runs say, per target.
pub(super) fn found(plan: &KneePlan, targets: &[&str], runs: &[BenchRun]) -> Vec<KneeTarget> {
    targets.iter().map(|target| Tally::of(plan, target, runs).found(target)).collect()
}

#[cfg(test)]
mod tests;
