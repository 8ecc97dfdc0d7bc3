//! The on-disk schema of `ringpace merge`: several runs as one.
//!
//! The keys are a contract (`ringpace.merge/1`). Counts are added and histograms are merged; rates
//! are not there, since repeats one after the other and pacers side by side add up differently.

use super::{Encoded, Errors, QuantileErrors, Quantiles, RequestKind, Verdict};
use serde::{Deserialize, Serialize};

/// The name and version of the schema of [`Merged`].
pub const MERGE_SCHEMA: &str = "ringpace.merge/1";

/// Several runs as one. What interval logs do not hold is `null` for those.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merged {
    /// Always [`MERGE_SCHEMA`].
    pub schema: String,
    /// How many runs, those of merged inputs included.
    pub runs: u64,
    /// The worst of the runs.
    pub verdict: Option<Verdict>,
    /// Why, each with the file it is of.
    pub reasons: Vec<String>,
    /// The hash of each run's schedule, once.
    pub schedules: Vec<String>,
    /// As in [`super::Run::planned`].
    pub planned: u64,
    /// As in [`super::Run::ok`].
    pub ok: u64,
    /// As in [`super::Run::errors`].
    pub errors: Errors,
    /// As in [`super::Run::unfinished`]; of logs, all that failed or never finished.
    pub unfinished: u64,
    /// As in [`super::Run::skipped`].
    #[serde(default)]
    pub skipped: u64,
    /// As in [`super::Run::response_ns`].
    pub response_ns: Quantiles,
    /// As in [`super::Run::service_ns`].
    pub service_ns: Option<Quantiles>,
    /// As in [`super::Run::ttfb_ns`].
    pub ttfb_ns: Option<Quantiles>,
    /// As in [`super::Run::lateness_ns`].
    pub lateness_ns: Option<Quantiles>,
    /// As in [`super::Run::error_ns`].
    pub error_ns: Option<QuantileErrors>,
    /// As in [`super::Run::too_few`].
    pub too_few: Vec<String>,
    /// Per request kind.
    pub requests: Vec<RequestKind>,
    /// As in [`super::Run::lateness_histogram`]; so a merge can be merged.
    pub lateness_histogram: Option<Encoded>,
    /// The version of ringpace that wrote this.
    pub version: String,
}
