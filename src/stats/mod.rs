//! What many measurements say together.
//!
//! [`Histogram`] holds the latencies of a run, those that never came included; [`compare`] tells
//! whether two sets of runs differ. Pure; not here: what is measured (`pace::recorder`), and how a run
//! is written down (`results`).

pub mod compare;
pub mod histogram;

pub use histogram::{Beside, Histogram, Quantile, Summary};
