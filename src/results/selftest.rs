//! The on-disk schema of `pace --selftest --json`: the floor of the instrument, and how fast it can
//! be asked to go.
//!
//! The keys are a contract (`ringpace.selftest/1`), as those of [`super::Run`] are.

use super::{Quantiles, Run, Verdict};
use serde::{Deserialize, Serialize};

/// The name and version of the schema of [`SelfTest`].
pub const SELFTEST_SCHEMA: &str = "ringpace.selftest/1";

/// What the pacer measured of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SelfTest {
    /// Always [`SELFTEST_SCHEMA`].
    pub schema: String,
    /// The run against a server that answers at once: what no server here can be faster than.
    pub floor: Run,
    /// The highest rate at which the p50 stayed within `p50_max_ns`, in requests per second; `null`
    /// if none was held.
    pub maximum_rps: Option<u64>,
    /// The bound of the search.
    pub p50_max_ns: u64,
    /// Every rate that was tried, in order.
    pub steps: Vec<Step>,
    /// Length of a request on the wire.
    pub request_bytes: u64,
    /// Length of an answer on the wire.
    pub answer_bytes: u64,
    /// Where the server spun.
    pub server_cpu: usize,
}

/// One rate of the search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// As in [`Run::offered_rps`].
    pub offered_rps: f64,
    /// As in [`Run::achieved_rps`].
    pub achieved_rps: f64,
    /// As in [`Run::response_ns`].
    pub response_ns: Quantiles,
    /// As in [`Run::lateness_ns`].
    pub lateness_ns: Quantiles,
    /// As in [`Run::verdict`].
    pub verdict: Verdict,
    /// Whether the rate was held.
    pub is_held: bool,
}
