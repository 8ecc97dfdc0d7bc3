//! Placeholder.

mod single;
pub use single::run_table;
