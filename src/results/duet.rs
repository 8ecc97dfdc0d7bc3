//! What a duet leaves on disk: `pace --duet --json` writes a [`DuetRun`] (`ringpace.duet/1`), and
//! `bench.json` holds a [`Duet`] under `duet`.
//!
//! In a duet two servers, A and B, get the same requests in pairs, at one schedule's consecutive
//! arrivals and in random order. A *difference* is A's time less B's in one pair: positive, A is
//! slower. Every `*_ns` is in nanoseconds. Not here: how a figure comes about; see `pace::pairs` and
//! `bench::duet`.

use super::Run;
use super::bench::{Finding, Interval};
use serde::{Deserialize, Serialize};

/// The name and version of the schema of [`DuetRun`].
pub const DUET_SCHEMA: &str = "ringpace.duet/1";

/// Two servers, started once and paced together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DuetRun {
    /// Always [`DUET_SCHEMA`].
    pub schema: String,
    /// The requests of server A, as of any run.
    pub a: Run,
    /// The requests of server B.
    pub b: Run,
    /// What they differ by.
    pub pairs: Pairs,
}

/// The pairs of a run. Memory and size do not depend on its length: the time is cut into a fixed
/// number of blocks, and each holds a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// The length of a block of time.
    pub block_s: f64,
    /// Requests whose partner was not measured: at the end of the warm-up, and at the end.
    pub unpaired: u64,
    /// Of each request kind, in the order of the mix.
    pub requests: Vec<KindPairs>,
}

/// The pairs of one request kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindPairs {
    /// Its name in the mix.
    pub name: String,
    /// By time.
    pub blocks: Vec<Block>,
}

/// The pairs of one block of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Those in which A went first.
    pub a_first: Cell,
    /// Those in which B did.
    pub b_first: Cell,
}

/// Pairs of one kind, order and block of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Differences of the response time and how many pairs have each, ascending; known to 0.8 %.
    pub response_ns: Vec<(i64, u64)>,
    /// The same of the service time.
    pub service_ns: Vec<(i64, u64)>,
    /// Pairs in which A did not answer as expected and B did; their difference is +infinity.
    pub only_a_failed: u64,
    /// Pairs in which only B did not; -infinity.
    pub only_b_failed: u64,
    /// Pairs in which neither did; they have no difference.
    pub both_failed: u64,
}

impl Cell {
    /// All pairs of it.
    pub fn pairs(&self) -> u64 {
        let answered: u64 = self.response_ns.iter().map(|(_, count)| count).sum();
        answered + self.only_a_failed + self.only_b_failed + self.both_failed
    }
}

/// The duet of a bench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Duet {
    /// The target that is A.
    pub a: String,
    /// The target that is B.
    pub b: String,
    /// Every time that both were started and paced, in order.
    pub restarts: Vec<Restart>,
    /// What all of it comes to: for each rate and request kind the response and the service time.
    pub findings: Vec<DuetFinding>,
}

/// Both servers, started once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// Offered rate, of both together, as typed.
    pub rate: String,
    /// From 1.
    pub repeat: u32,
    /// The [`DuetRun`], below the bench's directory.
    pub file: String,
}

/// What one time of one request kind differs by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuetFinding {
    /// Offered rate, of both together, as typed.
    pub rate: String,
    /// The request's name in the mix.
    pub request: String,
    /// `response` or `service`.
    pub time: String,
    /// Pairs with at least one answer.
    pub pairs: u64,
    /// Pairs in which A went first.
    pub a_first: u64,
    /// How often both servers were started.
    pub restarts: u32,
    /// The typical difference: of each restart the mean of the medians of both orders, and of those
    /// the mean. `null` if there is none, or it is infinite.
    pub difference_ns: Option<f64>,
    /// Where it lies. The confidence is that of all findings of this time together.
    pub interval: Option<Interval>,
    /// The difference of each restart by itself.
    pub each_ns: Vec<Option<f64>>,
    /// By how much the first of a pair is slower than the second, whoever it is; the difference above
    /// is free of it.
    pub order_ns: Option<f64>,
    /// Where that lies.
    pub order_interval: Option<Interval>,
    /// Whether A is slower ([`Finding::Higher`]), faster, or not to be told from B.
    pub finding: Finding,
    /// Pairs in which only A failed.
    pub only_a_failed: u64,
    /// Pairs in which only B failed.
    pub only_b_failed: u64,
    /// Pairs in which both failed.
    pub both_failed: u64,
    /// Whether A fails more often, less often, or neither can be said.
    pub failures: Finding,
}
