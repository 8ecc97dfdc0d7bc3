//! The pacer.
pub mod mix;
pub mod schedule;
