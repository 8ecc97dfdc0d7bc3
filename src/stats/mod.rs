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
pub mod log_linear;
pub mod steady;
pub mod timeline;

pub use histogram::{Beside, Histogram, Quantile};

/// The two in the middle of what is sorted, which are one and the same if the number is odd; `None` of
/// nothing.
pub fn middle<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
    let high = *sorted.get(sorted.len() / 2)?;
    let low = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some((low, high))
}
