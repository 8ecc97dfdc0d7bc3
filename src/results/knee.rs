//! The on-disk schema of a knee search: `knee` of a `bench.json`, and of the plan in it.
//!
//! `runs` is what was measured, one probe after the other; `targets` is worked out from it. A rate is a
//! string as `pace -R` takes it. As in a run, a latency of `null` is +infinity. Not here: how the next
//! rate is chosen; see `bench::knee`. Start at [`Knee`].

use super::bench::{BenchRun, Spread, Summary};
use serde::{Deserialize, Serialize};

/// What a knee search is asked for; stands in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KneePlanRecord {
    /// What a rate must keep, as typed: `p99 < 5ms`.
    pub objective: String,
    /// The lowest rate tried, as typed.
    pub from: String,
    /// The highest rate tried, as typed.
    pub to: String,
    /// The search ends when the lowest rate that failed is at most this share above the highest that
    /// passed: 0.05 is 5 %.
    pub within: f64,
    /// Runs at each rate; more than half of them decide.
    pub repeats: u32,
    /// Measured time of each run.
    pub duration_s: f64,
    /// Time before it at the same rate, in no figure.
    pub warmup_s: f64,
}

/// What a knee search has found so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Knee {
    /// One per target, in the order of the plan.
    pub targets: Vec<KneeTarget>,
    /// The runs, in the order in which they were made.
    pub runs: Vec<BenchRun>,
}

/// The search of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KneeTarget {
    /// Its name.
    pub target: String,
    /// How the search ended.
    pub ending: KneeEnding,
    /// The knee: the highest rate that passed; `null` if none did.
    pub passed: Option<String>,
    /// The lowest rate above `passed` that failed; `null` if none did.
    pub failed: Option<String>,
    /// Every pass above a fail: there the latency did not rise with the rate, or noise decided.
    pub contradictions: Vec<Contradiction>,
    /// Every rate that was tried, ascending.
    pub probes: Vec<KneeProbe>,
}

/// How the search of a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KneeEnding {
    /// The knee lies between `passed` and `failed`, as near as was asked for.
    Found,
    /// The highest rate of the plan passed: the knee is there or above.
    AboveRange,
    /// The lowest rate of the plan failed, and so did the next: the knee is below.
    BelowRange,
    /// The bench was interrupted; `passed` and `failed` are what is known.
    Unfinished,
}

/// A rate that passed although a lower one had failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The rate that passed.
    pub passed: String,
    /// The nearest lower rate that failed.
    pub failed: String,
}

/// One rate that was tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KneeProbe {
    /// As the pacer was given it.
    pub rate: String,
    /// What the repeats decided.
    pub outcome: ProbeOutcome,
    /// Repeats that kept the objective and are not INVALID.
    pub kept: u32,
    /// Repeats that were made. Once more than half agree, no more are.
    pub of: u32,
    /// The objective's figure of every repeat that has one, and their median.
    pub figure_ns: Spread,
    /// The repeats put together, as those of the plan's rates are in `summaries` of the bench.
    pub summary: Summary,
}

/// What became of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeOutcome {
    /// More than half of its repeats kept the objective and are not INVALID.
    Passed,
    /// At least half did not.
    Failed,
    /// As [`ProbeOutcome::Failed`], and at least half are INVALID or have no figures: it may be the
    /// pacer, and not the target, that cannot go on from here.
    Invalid,
    /// Repeats are missing.
    Undecided,
}

impl Knee {
    /// The search of the target of this name.
    pub fn target(&self, name: &str) -> Option<&KneeTarget> {
        self.targets.iter().find(|target| target.target == name)
    }
}
