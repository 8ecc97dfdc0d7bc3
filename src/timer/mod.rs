//! Deadlines: when to look at something again.
//!
//! One [`Wheel`] per core holds the device latencies, the long polls' timeouts and the deadlines of
//! every connection. Pure: the time is handed in. Not here: reading a clock, or sleeping.

pub mod wheel;

pub use wheel::{TimerKey, Wheel};
