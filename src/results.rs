//! The on-disk schema of a run: what `pace --json` writes and `bench.json` holds.
//!
//! The keys are a contract (`ringpace.run/1`): others may be added, none renamed or dropped. A
//! figure that is +infinity, because a request that failed or never finished takes part in the
//! percentiles, is `null`. Every `*_ns` is in nanoseconds, every `*_s` in seconds. Not here: how a
//! figure comes about; see `pace::recorder` and `pace::verdict`. The quantiles by name are [`FIGURES`].
//! The schema of a bench is [`bench`],
//! that of its knee search [`knee`], of a duet [`duet`], of a self-test [`selftest`], of a merge
//! [`merged`].

pub mod bench;
pub mod duet;
mod figures;
pub mod knee;
pub mod merged;
pub mod selftest;

pub use figures::{FIGURES, Figure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;

/// The name and version of the schema of [`Run`].
pub const RUN_SCHEMA: &str = "ringpace.run/1";

/// One run of the pacer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Always [`RUN_SCHEMA`].
    pub schema: String,
    /// May the figures be believed.
    pub verdict: Verdict,
    /// Why the verdict is not VALID; one sentence each.
    pub reasons: Vec<String>,
    /// Requests per second that were asked for; where the rate changes or a file makes it, those that
    /// were planned per second of the measured time. Of a duet, half of what both servers got.
    pub offered_rps: f64,
    /// Requests answered as expected per second, over the measured time or until the last request
    /// was sent, whichever is longer.
    pub achieved_rps: f64,
    /// Measured time; the warm-up is not in it.
    pub duration_s: f64,
    /// The same as it was planned: longer, if the run was interrupted before its end.
    #[serde(default)]
    pub planned_duration_s: f64,
    /// Whether the run was stopped (SIGINT, SIGTERM) before its end, or while it awaited the last
    /// answers.
    #[serde(default)]
    pub interrupted: bool,
    /// Requests that the schedule holds for the measured time.
    pub planned: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Requests that failed, by kind.
    pub errors: Errors,
    /// Requests still unanswered, or never sent, when the drain window closed.
    pub unfinished: u64,
    /// Requests that the pacer did not send because they were overdue (`--catch-up skip`).
    #[serde(default)]
    pub skipped: u64,
    /// The share of the planned requests that might fail or never finish before the run counted as
    /// failed (`--error-budget`).
    #[serde(default)]
    pub error_budget: Option<f64>,
    /// Connections used.
    pub connections: Connections,
    /// What was sent when.
    pub schedule: Schedule,
    /// done - intended: what a user waits. Requests that failed or never finished count as +infinity.
    /// Long polls are not in it (nor in `service_ns`), unless there is nothing else.
    pub response_ns: Quantiles,
    /// done - sent.
    pub service_ns: Quantiles,
    /// sent - intended: the pacer's own error.
    pub lateness_ns: Quantiles,
    /// First byte of the final answer - sent; an interim response (1xx) is no answer.
    #[serde(default)]
    pub ttfb_ns: Quantiles,
    /// How much of each figure of `response_ns` may be the pacer's doing.
    #[serde(default)]
    pub error_ns: QuantileErrors,
    /// How sure each figure of `response_ns` is, by this run alone.
    #[serde(default)]
    pub interval_ns: QuantileIntervals,
    /// Whether response times had become steady, and when; `null` if there is too little to tell.
    #[serde(default)]
    pub steadiness: Option<Steadiness>,
    /// Quantiles of `response_ns` that fewer than ten requests lie beyond: the word of a few.
    #[serde(default)]
    pub too_few: Vec<String>,
    /// What the server says it spent its time on (Server-Timing), by its own names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub server_timing_ns: BTreeMap<String, Quantiles>,
    /// Answers whose Server-Timing did not follow its grammar, or had too many names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_timing_malformed: u64,
    /// Where the time went by the kernel's own stamps, with `--timestamps kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_stamps: Option<KernelStamps>,
    /// Gaps in the pacer's own loop.
    pub stalls: Stalls,
    /// The longest of them, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub longest_stalls: Vec<StallSpan>,
    /// The same figures over the requests whose life overlaps no stall.
    pub without_stalls: WithoutStalls,
    /// Per request kind, in the order of the mix.
    pub requests: Vec<RequestKind>,
    /// The lateness whole, for `ringpace merge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness_histogram: Option<Encoded>,
    /// The machine and the pacer's settings on it.
    pub host: serde_json::Map<String, serde_json::Value>,
    /// The version of ringpace that wrote this.
    pub version: String,
}

/// May the figures of a run be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The pacer's own error is small against what it reports.
    Valid,
    /// Something disturbed the run; the reasons say what, and how much.
    Suspect,
    /// The figures are the pacer's or the machine's, not the server's.
    Invalid,
}

/// Failed requests by kind. Every planned request is in exactly one count of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errors {
    /// Answered whole, but not with the status or size that was expected.
    pub status: u64,
    /// Answered with something that is not HTTP/1.1.
    pub malformed: u64,
    /// The connection was reset or closed before the answer was whole.
    pub reset: u64,
    /// No whole answer within the timeout.
    pub timeout: u64,
    /// No connection could be made to send it on.
    pub connect: u64,
}

impl Errors {
    /// All failed requests.
    pub fn total(&self) -> u64 {
        self.status + self.malformed + self.reset + self.timeout + self.connect
    }
}

impl AddAssign for Errors {
    fn add_assign(&mut self, other: Errors) {
        self.status += other.status;
        self.malformed += other.malformed;
        self.reset += other.reset;
        self.timeout += other.timeout;
        self.connect += other.connect;
    }
}

impl Sum for Errors {
    fn sum<I: Iterator<Item = Errors>>(each: I) -> Errors {
        each.fold(Errors::default(), |mut sum, errors| {
            sum += errors;
            sum
        })
    }
}

/// Connections used in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections that were established, those from before the start and of the warm-up included.
    pub opened: u64,
    /// The most requests that were in flight at once.
    pub peak_in_flight: u64,
    /// Requests that were due while every connection allowed was busy, and so waited for one.
    #[serde(default)]
    pub starved: u64,
    /// Requests sent a second time, as a connection that had been idle for a second or more was closed
    /// when they came (RFC 9112 section 9.5).
    #[serde(default)]
    pub retried: u64,
}

/// What was planned. Equal hashes mean the same requests at the same offsets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// `constant`, `burst:50/10ms`, `ramp:1000..5000`, as typed.
    pub arrivals: String,
    /// Seed of the arrivals and of the mix.
    pub seed: u64,
    /// 16 hexadecimal digits over every planned request's number, offset and kind.
    pub hash: String,
}

/// A distribution. `null` where the value is +infinity or, with a count of zero, where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it: quantiles in ns
pub struct Quantiles {
    pub min: Option<u64>,
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    pub p99_9: Option<u64>,
    pub p99_99: Option<u64>,
    pub max: Option<u64>,
    /// Requests the distribution is over, those at +infinity included.
    pub count: u64,
    /// How many of them are at +infinity.
    #[serde(default)]
    pub infinite: u64,
    /// The longest time observed, that for which a request was waited for which failed or never
    /// finished included; what a `null` is longer than.
    #[serde(default)]
    pub longest_observed: Option<u64>,
}

/// Gaps in the pacer's own loop: preemption, steal, interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// Gaps longer than `threshold_ns`.
    pub count: u64,
    /// Their sum.
    pub total_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// For how long the loops of all threads ran, the drain window included.
    #[serde(default)]
    pub observed_ns: u64,
    /// From what length a gap counts.
    #[serde(default)]
    pub threshold_ns: u64,
    /// Requests whose life, from intended to done, overlaps one.
    #[serde(default)]
    pub requests_overlapping: u64,
}

/// One gap in the pacer's own loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StallSpan {
    /// When it began, from the begin of the measured time.
    pub at_s: f64,
    /// How long it took.
    pub length_ns: u64,
}

/// The distributions over the requests whose life overlaps no stall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WithoutStalls {
    /// As in [`Run::response_ns`].
    pub response_ns: Quantiles,
    /// As in [`Run::lateness_ns`].
    pub lateness_ns: Quantiles,
}

/// One request kind of the mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestKind {
    /// Its name in the mix.
    pub name: String,
    /// As in [`Run::planned`].
    pub planned: u64,
    /// As in [`Run::ok`].
    pub ok: u64,
    /// As in [`Run::errors`].
    pub errors: Errors,
    /// As in [`Run::unfinished`].
    pub unfinished: u64,
    /// As in [`Run::skipped`].
    #[serde(default)]
    pub skipped: u64,
    /// Whether it is a long poll, which is not in the figures of the whole run.
    #[serde(default)]
    pub long_poll: bool,
    /// As in [`Run::response_ns`].
    pub response_ns: Quantiles,
    /// As in [`Run::service_ns`].
    pub service_ns: Quantiles,
    /// As in [`Run::lateness_ns`].
    #[serde(default)]
    pub lateness_ns: Quantiles,
    /// As in [`Run::ttfb_ns`].
    #[serde(default)]
    pub ttfb_ns: Quantiles,
    /// As in [`Run::error_ns`].
    #[serde(default)]
    pub error_ns: QuantileErrors,
    /// As in [`Run::interval_ns`].
    #[serde(default)]
    pub interval_ns: QuantileIntervals,
    /// As in [`Run::too_few`].
    #[serde(default)]
    pub too_few: Vec<String>,
    /// read - published, of the answers that say when what they bring was published. By the wall
    /// clock, which has to be the server's as well: both on one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_ns: Option<Quantiles>,
    /// What `delivery_ns` rests on; with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
    /// The distributions whole, for `ringpace merge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histograms: Option<KindHistograms>,
}

/// The error of each figure of a distribution of response times, in ns: an instrument that sends on
/// time and sees every answer at once would have found it within `[figure - error, figure]`. `null`
/// where the figure is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as those of `Quantiles`
pub struct QuantileErrors {
    pub min: Option<u64>,
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    pub p99_9: Option<u64>,
    pub p99_99: Option<u64>,
    pub max: Option<u64>,
}

/// How sure the quantiles of a distribution of response times are, by the run that they are of: what
/// other runs would differ by is not in it. `null` where too few requests lie beyond the quantile,
/// or the run has too few intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // as those of `Quantiles`
pub struct QuantileIntervals {
    /// How often such intervals hold the truth, in 0..=1; 0 if there is none.
    pub confidence: f64,
    pub p50: Option<QuantileInterval>,
    pub p90: Option<QuantileInterval>,
    pub p95: Option<QuantileInterval>,
    pub p99: Option<QuantileInterval>,
    pub p99_9: Option<QuantileInterval>,
    pub p99_99: Option<QuantileInterval>,
}

/// How sure one quantile is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileInterval {
    /// It is at least this, in ns; `null` is +infinity.
    pub low: Option<u64>,
    /// It is at most this, in ns; `null`: longer than anything measured.
    pub high: Option<u64>,
    /// So many independent requests would make it as sure.
    pub effective: f64,
    /// Requests that were due within so many seconds were taken to be alike.
    pub block_s: f64,
}

/// Whether the response times of a run had become steady.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steadiness {
    /// They had, when measuring began, and stayed so.
    pub steady: bool,
    /// When they became steady, from the start of the load; `null` if they did not.
    pub after_s: Option<f64>,
    /// For how long the load had run when measuring began.
    pub warmup_s: f64,
    /// By what share the p50 differs: that of the time before from that after, or that of the last
    /// third of the measured time from that of the first.
    pub change: f64,
    /// The same in words: `steady after 1.20 s`, `not steady: ...`.
    pub says: String,
}

/// The distributions of a request kind, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as the figures of `RequestKind`
pub struct KindHistograms {
    pub response: Encoded,
    pub service: Encoded,
    pub ttfb: Encoded,
    /// What `error_ns` comes from: the least that the response times may have been.
    pub undelayed: Encoded,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Encoded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Encoded>,
}

/// What the answers of a request kind say of when what they bring was published. Each answer as
/// expected is in one of the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Answers that say a time not after they were read: those of `delivery_ns`.
    pub with: u64,
    /// Answers that say no time, as a poll that timed out.
    pub without: u64,
    /// Answers that say a time after they were read: the server's clock is not ours.
    pub from_the_future: u64,
    /// The furthest after it.
    pub ahead_max_ns: u64,
    /// How far the distance of the wall clock from the pacer's may be off.
    pub clock_error_ns: u64,
}

/// A histogram of nanoseconds, whole and exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    /// The finite samples in HdrHistogram's V2 format, compressed, in base 64 (`HISTFAAA..`).
    pub v2: String,
    /// The least and the greatest finite sample, exactly; `null` if there is none.
    pub range_ns: Option<(u64, u64)>,
    /// The sum of the finite samples, exactly, as decimal digits, since it may take 128 bits.
    pub sum_ns: String,
    /// Samples at +infinity.
    pub infinite: u64,
    /// For how long one of those was waited for, at most.
    #[serde(default)]
    pub waited_ns: u64,
    /// Samples longer than the histogram tells apart.
    #[serde(default)]
    pub saturated: u64,
}

/// What lies between sent and done, by the kernel's stamps, over every exchange that was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelStamps {
    /// From our call of send(2) until the kernel handed the request to the device.
    pub send_path_ns: Quantiles,
    /// From there until the last segment of the answer came in: the server, with the network.
    pub server_ns: Quantiles,
    /// From there until the pacer had read it.
    pub read_lag_ns: Quantiles,
    /// Exchanges that lack a stamp: unanswered ones, and the first few, until the kernel has switched
    /// receive stamps on.
    pub incomplete: u64,
    /// Exchanges whose stamps contradict each other; in no distribution.
    pub disordered: u64,
    /// How far the stamps may be off on the pacer's clock, at most.
    pub clock_error_ns: u64,
    /// Times that the wall clock, which the stamps are of, was set during the run.
    pub clock_steps: u64,
}

/// What of the system came between the pacer's threads and their work, over the run with warm-up
/// and drain; stands in `host` under `disturbance`. `null` where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disturbance {
    /// Time that the hypervisor gave to others, of the pinned CPUs (/proc/stat).
    pub steal_ns: Option<u64>,
    /// Hardware interrupts on the pinned CPUs (/proc/interrupts).
    pub interrupts: Option<u64>,
    /// Soft interrupts on the pinned CPUs (/proc/softirqs); loopback TCP itself is made of them.
    pub softirqs: Option<u64>,
    /// Times that a thread was moved to another CPU.
    pub migrations: Option<u64>,
    /// Times that a thread lost its CPU while it wanted to go on.
    pub involuntary_switches: Option<u64>,
}

impl Disturbance {
    /// Adds what happened to another thread; unknown if one of the two is.
    pub fn add(&mut self, other: &Disturbance) {
        let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        self.steal_ns = sum(self.steal_ns, other.steal_ns);
        self.interrupts = sum(self.interrupts, other.interrupts);
        self.softirqs = sum(self.softirqs, other.softirqs);
        self.migrations = sum(self.migrations, other.migrations);
        self.involuntary_switches = sum(self.involuntary_switches, other.involuntary_switches);
    }
}

/// Fewer requests beyond a quantile make it the word of a few. Chosen: the usual rule of thumb, that a
/// quantile p takes 10 / (1 - p) requests.
const BEYOND_LEAST: u64 = 10;

/// Those of `runs` that take part in figures: all that are not INVALID, or all if that leaves none.
pub fn usable<T: Copy>(runs: &[T], verdict: impl Fn(&T) -> Verdict) -> Vec<T> {
    let believable = |run: &&T| verdict(run) != Verdict::Invalid;
    let valid: Vec<T> = runs.iter().filter(believable).copied().collect();
    if valid.is_empty() { runs.to_vec() } else { valid }
}

/// Whether too few of `count` requests lie beyond a quantile to believe it; of 100,000 it leaves
/// `beyond_per_100k`, none if it is the maximum.
fn is_thin(count: u64, beyond_per_100k: u64) -> bool {
    let beyond = u128::from(count) * u128::from(beyond_per_100k) / 100_000;
    beyond_per_100k > 0 && beyond < u128::from(BEYOND_LEAST)
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
