//! Whole experiments: targets x rates x repeats, from a TOML file to a directory of results.
//!
//! The bench starts child processes and reads files, and does nothing else: the pacer and our own
//! server are children like any other server, so no measurement runs inside the process that
//! conducts it. A fresh server for every run; repeats of the targets are interleaved; each result
//! is on disk as soon as it exists, and an interrupted bench resumes where it stopped.
//!
//! Start at [`run`]; the file's keys are in [`plan`]. [`compare`] sets two benches side by side.

pub mod claim;
pub mod compare;
mod difference;
pub mod duet;
pub mod knee;
mod measure;
pub mod plan;
mod program;
mod progress;
mod run;
pub mod sampler;
mod store;
mod summary;
pub mod target;

pub use plan::{Overrides, Plan};
pub use run::{BenchOutcome, Ending, run};

use std::fmt;

/// Why a bench could not be run at all.
#[derive(Debug)]
pub enum BenchError {
    /// The experiment file, a flag, or the directory of results is wrong: exit code 2.
    File(String),
    /// The machine refused: exit code 1.
    Machine(String),
}

impl BenchError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            BenchError::File(_) => 2,
            BenchError::Machine(_) => 1,
        }
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BenchError::File(what) | BenchError::Machine(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for BenchError {}
