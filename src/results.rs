//! The on-disk schema of a run: what `pace --json` writes and `bench.json` holds.
//!
//! The keys are a contract (`ringpace.run/1`): others may be added, none renamed or dropped. A
//! figure that is +infinity, because a request that failed or never finished takes part in the
//! percentiles, is `null`. Every `*_ns` is in nanoseconds, every `*_s` in seconds. Not here: how a
//! figure comes about; see `pace::recorder` and `pace::verdict`. The schema of a bench is [`bench`],
//! that of a self-test [`selftest`].

pub mod bench;
pub mod selftest;

use serde::{Deserialize, Serialize};

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
    /// Requests planned per second of the measured time.
    pub offered_rps: f64,
    /// Requests answered as expected per second, over the measured time or until the last request
    /// was sent, whichever is longer.
    pub achieved_rps: f64,
    /// Measured time; the warm-up is not in it.
    pub duration_s: f64,
    /// Requests that the schedule holds for the measured time.
    pub planned: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Requests that failed, by kind.
    pub errors: Errors,
    /// Requests still unanswered, or never sent, when the drain window closed.
    pub unfinished: u64,
    /// Connections used.
    pub connections: Connections,
    /// What was sent when.
    pub schedule: Schedule,
    /// done - intended: what a user waits. Requests that failed or never finished count as +infinity.
    pub response_ns: Quantiles,
    /// done - sent.
    pub service_ns: Quantiles,
    /// sent - intended: the pacer's own error.
    pub lateness_ns: Quantiles,
    /// Gaps in the pacer's own loop.
    pub stalls: Stalls,
    /// The same figures over the requests whose life overlaps no stall.
    pub without_stalls: WithoutStalls,
    /// Per request kind, in the order of the mix.
    pub requests: Vec<RequestKind>,
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

/// Connections used in a run, warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections that were established.
    pub opened: u64,
    /// The most requests that were in flight at once.
    pub peak_in_flight: u64,
    /// Requests that were due while every connection allowed was busy, and so waited for one.
    #[serde(default)]
    pub starved: u64,
}

/// What was planned. Equal hashes mean the same requests at the same offsets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// `constant`, `poisson`, `burst:50`, as typed.
    pub arrivals: String,
    /// Seed of the arrivals and of the mix.
    pub seed: u64,
    /// 16 hexadecimal digits over every planned request's offset and kind.
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
    /// The longest finite time observed; what a `null` is longer than.
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
    /// From what length a gap counts.
    #[serde(default)]
    pub threshold_ns: u64,
    /// Requests whose life, from intended to done, overlaps one.
    #[serde(default)]
    pub requests_overlapping: u64,
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
    /// As in [`Run::response_ns`].
    pub response_ns: Quantiles,
    /// As in [`Run::service_ns`].
    pub service_ns: Quantiles,
}
