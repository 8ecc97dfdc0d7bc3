//! The on-disk schema of a bench: what `bench.json` holds (`ringpace.bench/1`).
//!
//! It is written anew after every run, so a bench that was interrupted has its finished runs here
//! and `complete` is false. `runs` is what was measured; `summaries`, `comparisons`, `differences` and
//! `claims` are worked out from it. As in a run, a latency of `null` is +infinity. Not here: how a
//! figure comes about; see `bench::summary`, `bench::claim` and `bench::sampler`.

use super::duet::Duet;
use super::knee::{Knee, KneePlanRecord};
use super::{Errors, QuantileErrors, QuantileInterval, Run, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The name and version of the schema of [`Bench`].
pub const BENCH_SCHEMA: &str = "ringpace.bench/1";

/// One bench: targets x rates x repeats.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bench {
    /// Always [`BENCH_SCHEMA`].
    pub schema: String,
    /// The version of ringpace that wrote this.
    pub version: String,
    /// When the bench was started, UTC, `2026-03-01T12:00:00Z`.
    pub started: String,
    /// When the last of its runs was made, written likewise; `null` before that.
    #[serde(default)]
    pub finished: Option<String>,
    /// 16 hexadecimal digits over everything that shapes a run: the plan, the mix, the set-up steps,
    /// the binary.
    pub plan_hash: String,
    /// By target: the files it is started from, as they were when its runs were made.
    #[serde(default)]
    pub programs: BTreeMap<String, Vec<ProgramFile>>,
    /// What was to be measured, after every override.
    pub plan: PlanRecord,
    /// The machine.
    pub host: serde_json::Map<String, serde_json::Value>,
    /// What was done otherwise than the file says, and why; one sentence each.
    pub notes: Vec<String>,
    /// Whether every run of the plan is in `runs`.
    pub complete: bool,
    /// The runs, in the order in which they were made.
    pub runs: Vec<BenchRun>,
    /// The repeats of each target at each rate, put together.
    pub summaries: Vec<Summary>,
    /// Each target against the first.
    pub comparisons: Vec<Comparison>,
    /// Each target against the one it is compared with: whether they differ, and how sure that is.
    #[serde(default)]
    pub differences: Vec<Difference>,
    /// The same in a word for each pair of targets: p50 and p99, in total and of each kind, together.
    #[serde(default)]
    pub verdicts: Vec<PairVerdict>,
    /// What two targets that were paced together differ by; `null` unless they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duet: Option<Duet>,
    /// The search for the highest rate that keeps an objective, if the file asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee: Option<Knee>,
    /// The claims of the file, judged.
    pub claims: Vec<ClaimResult>,
}

/// A plan as it was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Its name.
    pub name: String,
    /// Measured time of a run.
    pub duration_s: f64,
    /// Time before it at the same rate, in no figure.
    pub warmup_s: f64,
    /// Runs of each target at each rate.
    pub repeats: u32,
    /// Offered rates, as typed. Arrivals that carry their own have one: the mean of bursts and of a
    /// replay, the highest of a ramp or of steps.
    pub rates: Vec<String>,
    /// `constant`, `burst:50/10ms`, `ramp:1000..5000`, `replay:FILE`.
    pub arrivals: String,
    /// The mix file, as typed.
    pub mix: String,
    /// Connections opened at the start.
    pub connections: u32,
    /// Connections allowed; `null`: the pacer's own bound.
    pub max_connections: Option<u32>,
    /// Whether they were spread evenly over the cores of our own server.
    #[serde(default)]
    pub spread: bool,
    /// CPUs of the pacer.
    pub pacer_cpus: String,
    /// Seed of arrivals, of the mix and of the order of the rates.
    pub seed: u64,
    /// After which a request has failed; `null`: the pacer's own.
    pub timeout_s: Option<f64>,
    /// Whether a target was measured against itself (`--aa`): there are two, which differ in name only.
    #[serde(default)]
    pub aa: bool,
    /// Whether the two targets were paced together, pair by pair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duet: bool,
    /// What else the pacer was told.
    #[serde(default, skip_serializing_if = "PacerRecord::is_default")]
    pub pacer: PacerRecord,
    /// The knee search; `null` if the file asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knee: Option<KneePlanRecord>,
    /// The servers under test.
    pub targets: Vec<TargetRecord>,
}

/// A file that a target is started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// Where it is.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, since 1970.
    pub modified_ns: u64,
}

/// Options of the pacer, as typed; `null`: the pacer's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacerRecord {
    /// As `pace --catch-up`.
    pub catch_up: Option<String>,
    /// As `pace --drain`.
    pub drain: Option<String>,
    /// As `pace --timestamps`.
    pub timestamps: Option<String>,
    /// As `pace --backend`.
    pub backend: Option<String>,
    /// As `pace --wait`.
    pub wait: Option<String>,
}

impl PacerRecord {
    fn is_default(&self) -> bool {
        *self == PacerRecord::default()
    }
}

/// A server under test.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its name.
    pub name: String,
    /// Its command line; our own server begins with `ringpace serve`.
    pub command: Vec<String>,
    /// Environment variables that were set for it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// CPUs it may run on; `null`: all.
    pub cpus: Option<String>,
    /// Where its command runs; `null` of our own server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What was run there once to set it up; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// What was requested until it answered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ready_path: String,
    /// The flags that axes of the file set, by which it differs from other targets.
    #[serde(default)]
    pub varied: Vec<Varied>,
}

/// A flag that an axis of the file set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Varied {
    /// `--wait`.
    pub flag: String,
    /// What it was set to.
    pub value: FlagValue,
    /// The target that differs from this one in this flag only, and is what it is compared with;
    /// `null` if this one has the first value.
    pub against: Option<String>,
}

/// What a flag is set to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FlagValue {
    /// The flag by itself, or not at all.
    Switch(bool),
    /// The flag with this value.
    Word(String),
}

impl fmt::Display for FlagValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            FlagValue::Switch(true) => "on",
            FlagValue::Switch(false) => "off",
            FlagValue::Word(word) => word,
        })
    }
}

/// One target at one rate, once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BenchRun {
    /// Name of the target.
    pub target: String,
    /// Offered rate, as typed.
    pub rate: String,
    /// From 1.
    pub repeat: u32,
    /// Why there are no figures; `null` if there are.
    pub failure: Option<String>,
    /// What the pacer wrote; `null` if the run failed.
    pub run: Option<Run>,
    /// CPU, memory and switches of the server over the measured time.
    pub target_usage: Option<Usage>,
    /// The same of the pacer.
    pub pacer_usage: Option<Usage>,
    /// Every flag about how our own server ran, with the value in force, as it can be typed; `null` for
    /// other servers.
    #[serde(default)]
    pub target_settings: Option<String>,
    /// What the kernel lacked or refused of it, one sentence each.
    #[serde(default)]
    pub target_notes: Vec<String>,
    /// The files of this run begin with this, below the bench's directory.
    pub files: String,
}

/// What a process, with all its threads and live children, used of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The part of the measured time that was sampled.
    pub covered_s: f64,
    /// CPU time, to the scheduler's precision.
    pub cpu_ns: u64,
    /// The part of it in user mode, to some 10 ms.
    pub user_ns: u64,
    /// The rest.
    pub system_ns: u64,
    /// CPU time over covered time; 100 is one whole CPU.
    pub cpu_percent: f64,
    /// Resident memory, mean of the samples.
    pub rss_mean_bytes: u64,
    /// Most resident memory since the process started (VmHWM).
    pub rss_peak_bytes: u64,
    /// Context switches because there was nothing to do.
    pub voluntary_switches: u64,
    /// Context switches because something else was to run.
    pub involuntary_switches: u64,
    /// Moves to another CPU; `null` where the kernel does not say.
    pub migrations: Option<u64>,
    /// One point per sampling interval.
    pub series: Vec<UsagePoint>,
    /// What perf counted meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perf: Option<PerfUsage>,
}

/// What perf_event_open(2) counted of a process, of the threads it had and all they started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerfUsage {
    /// `cycles`, `instructions`, `cache_references`, `cache_misses`, `branch_misses`, `task_clock_ns`,
    /// `page_faults`, `context_switches`, `cpu_migrations`; those of them that this machine counts.
    pub counts: BTreeMap<String, u64>,
    /// What is not counted, and why; one sentence each.
    pub notes: Vec<String>,
}

/// Usage between one sample and the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// End of the interval, from the begin of the measured time.
    pub at_s: f64,
    /// As in [`Usage::cpu_percent`].
    pub cpu_percent: f64,
    /// Resident memory at its end.
    pub rss_bytes: u64,
}

/// The repeats of one target at one rate. INVALID repeats are left out of every figure, unless all are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the target.
    pub target: String,
    /// Offered rate, as typed.
    pub rate: String,
    /// Verdict of each repeat that has one, by repeat.
    pub verdicts: Vec<Verdict>,
    /// Why a repeat is not VALID; `repeat 2: ...`.
    pub reasons: Vec<String>,
    /// Repeats that have no figures.
    pub failed: u32,
    /// Repeats in the figures below.
    pub used: u32,
    /// All requests.
    pub total: KindSummary,
    /// Each request kind, in the order of the mix.
    pub requests: Vec<KindSummary>,
    /// sent - intended.
    pub lateness_ns: Spreads,
    /// The same over requests whose life overlaps no stall.
    pub lateness_without_stalls_ns: Spreads,
    /// Response time over requests whose life overlaps no stall.
    pub response_without_stalls_ns: Spreads,
    /// Stalls of the pacer, over all repeats.
    pub stalls: u64,
    /// Achieved rate.
    pub achieved_rps: Level,
    /// CPU of the target; 100 is one whole CPU. Empty if it was never sampled.
    pub cpu_percent: Level,
    /// CPU of the target per request answered as expected, in microseconds.
    pub cpu_us_per_request: Level,
    /// Mean resident memory of the target.
    pub rss_bytes: Level,
    /// Context switches of the target per second, of both kinds.
    pub switches_per_s: Level,
    /// Instructions of the target per request answered as expected, as perf counts them; empty where
    /// the machine does not.
    #[serde(default)]
    pub instructions_per_request: Level,
    /// Likewise its cycles.
    #[serde(default)]
    pub cycles_per_request: Level,
    /// Instructions per cycle.
    #[serde(default)]
    pub instructions_per_cycle: Level,
    /// Until response times were steady, in seconds from the start of the load; of the repeats in which
    /// they became so.
    #[serde(default)]
    pub steady_after_s: Level,
    /// Repeats that were not steady when measuring began, or did not stay so; `repeat 2: not
    /// steady: ...`.
    #[serde(default)]
    pub unsteady: Vec<String>,
}

impl Summary {
    /// Whether there are repeats and every one of them is INVALID.
    pub fn is_invalid(&self) -> bool {
        !self.verdicts.is_empty() && self.verdicts.iter().all(|v| *v == Verdict::Invalid)
    }
}

/// Figures of one request kind over the repeats; counts are sums.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KindSummary {
    /// `total`, or its name in the mix.
    pub name: String,
    /// Requests planned.
    pub planned: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Failed requests by kind.
    pub errors: Errors,
    /// Requests never sent or never answered.
    pub unfinished: u64,
    /// Requests that the pacer did not send because they were overdue (`catch_up = "skip"`).
    #[serde(default)]
    pub skipped: u64,
    /// done - intended.
    pub response_ns: Spreads,
    /// How much of each figure may be the pacer's doing; the median of the repeats.
    #[serde(default)]
    pub error_ns: QuantileErrors,
}

impl KindSummary {
    /// Requests that have no answer as expected: failed, unfinished or skipped.
    pub fn lost(&self) -> u64 {
        self.errors.total() + self.unfinished + self.skipped
    }
}

/// Quantiles over the repeats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it: quantiles in ns
pub struct Spreads {
    pub p50: Spread,
    pub p90: Spread,
    pub p95: Spread,
    pub p99: Spread,
    pub p99_9: Spread,
    pub p99_99: Spread,
    pub max: Spread,
    /// Requests in the smallest repeat. 0: there is no figure at all.
    pub count_least: u64,
    /// The longest finite time of any repeat; what a `null` is longer than.
    pub longest_observed: Option<u64>,
    /// Which repeats they are of; empty if that is not known.
    #[serde(default)]
    pub repeats: Vec<u32>,
}

/// One quantile of every repeat and their median; `null` is +infinity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Of an even number of repeats, the mean of the two in the middle.
    pub median: Option<u64>,
    /// By repeat.
    pub each: Vec<Option<u64>>,
    /// How sure each of them is by its run alone; empty of a figure that has no interval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Option<QuantileInterval>>,
}

/// One figure of every repeat and their median.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Of an even number of repeats, the mean of the two in the middle; `null`: no repeat has one.
    pub median: Option<f64>,
    /// By repeat.
    pub each: Vec<f64>,
    /// Which repeats they are of; empty if that is not known.
    #[serde(default)]
    pub repeats: Vec<u32>,
}

/// The median of one target's figure over that of the first target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Offered rate, as typed.
    pub rate: String,
    /// `p50`, `status.p99`, `cpu_us`: as a claim would name it after the target.
    pub figure: String,
    /// The first target.
    pub base: String,
    /// The one compared with it.
    pub target: String,
    /// `target / base`; `null` where either is unknown or +infinity.
    pub ratio: Option<f64>,
}

/// A figure of one target less that of another, over the repeats. Where it is in ns, `null` is
/// infinite, or unknown if there is no repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Offered rate, as typed.
    pub rate: String,
    /// The target compared with.
    pub base: String,
    /// The target compared.
    pub target: String,
    /// The one flag by which they differ, if axes made them.
    pub flag: Option<String>,
    /// `total`, or the request's name in the mix.
    pub request: String,
    /// `p50`, `p95`, `p99`, `p99.9` of the response time; `cpu`: the server's CPU time per request.
    pub figure: String,
    /// Median of the repeats of `base`.
    pub base_ns: Option<f64>,
    /// Median of the repeats of `target`.
    pub target_ns: Option<f64>,
    /// Target less base, see `stats::compare`: of each pair of repeats, or of every repeat of the
    /// one and every of the other.
    pub difference_ns: Option<f64>,
    /// Where it lies; `null` with too few repeats.
    pub interval: Option<Interval>,
    /// The instrument's own: what may be the pacer's doing, and the histogram's step. A difference up
    /// to this is not believed.
    pub error_ns: Option<f64>,
    /// What may be said.
    pub finding: Finding,
    /// So many pairs of repeats it rests on; 0 if they were not paired.
    #[serde(default)]
    pub pairs: u32,
}

/// What may be said of a target beside the one it is compared with, of several figures together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairVerdict {
    /// Offered rate, as typed.
    pub rate: String,
    /// The target compared with.
    pub base: String,
    /// The target compared.
    pub target: String,
    /// The one flag by which they differ, if axes made them.
    pub flag: Option<String>,
    /// In a word.
    pub outcome: PairOutcome,
    /// Figures that were looked at; 0 if there are too few repeats or requests for any.
    pub figures: u32,
    /// How often all their intervals together hold the truth, in 0..=1.
    pub confidence: f64,
    /// Those that differ: `status.p50 +20.1 us`.
    pub differ: Vec<String>,
}

/// What may be said of two targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairOutcome {
    /// No figure differs.
    CannotTell,
    /// Every figure that differs is higher.
    Slower,
    /// Every figure that differs is lower.
    Faster,
    /// Some are higher, some are lower.
    Mixed,
}

/// An interval of confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end; `null` is -infinity.
    pub low_ns: Option<f64>,
    /// Its upper end; `null` is +infinity.
    pub high_ns: Option<f64>,
    /// How often such an interval holds the truth, in 0..=1.
    pub confidence: f64,
}

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The target has more.
    Higher,
    /// The target has less.
    Lower,
    /// There are too few repeats to say it of the servers, but the runs that there are have more, each
    /// by its own interval: as much may lie between two starts of one server.
    RunsHigher,
    /// Likewise, less.
    RunsLower,
    /// Too few repeats for any interval.
    TooFewRepeats,
    /// A side is infinite in some of few repeats, so that there is no interval.
    Infinite,
    /// Too few requests beyond the quantile.
    TooFewRequests,
    /// The interval holds zero.
    HoldsZero,
    /// The difference is within the instrument's own error.
    WithinError,
    /// Every repeat of one side is INVALID: the figures are the pacer's or the machine's.
    Invalid,
}

/// A claim of the file and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimResult {
    /// In words.
    pub text: String,
    /// As an expression.
    pub expr: String,
    /// Whether it holds; of several rates, the worst answer.
    pub outcome: ClaimOutcome,
    /// The figures it was judged by, one entry per rate.
    pub figures: Vec<String>,
}

/// Whether a claim holds. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimOutcome {
    /// One of its targets was left out by `--only`.
    Skipped,
    /// It does.
    Holds,
    /// It cannot be told: the interval of left less right holds zero, a figure is missing, or both
    /// sides are +infinity.
    Unknown,
    /// It does not.
    Fails,
}

#[cfg(test)]
pub(crate) mod sample;
