//! What many measurements say together.
//!
//! [`Histogram`] holds the latencies of a run, those that never came included; [`timeline`] how they
//! went over its course. [`bootstrap`] says how sure a quantile of one run is, [`steady`] whether the
//! run had settled, and [`compare`] whether two sets of runs differ. Pure; not here: what is measured
//! (`pace::recorder`), and how a run is written down (`results`).

pub mod beta;
pub mod bootstrap;
pub mod compare;
pub mod histogram;
pub mod steady;
pub mod timeline;

pub use histogram::{Beside, Histogram, Quantile, Summary};
