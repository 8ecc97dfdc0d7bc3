//! ringpace: a smart-home HTTP API on a thread-per-core io_uring runtime, a pacer that loads any
//! HTTP/1.1 server at an exact rate and states its own error, and a bench that compares.
//!
//! # Code map
//!
//! Modules form layers; imports point only down, and `tests/tidy.rs` enforces it.
//!
//! | layer | modules | what stands there |
//! |---|---|---|
//! | 0 | [`units`] [`clock`] [`calendar`] [`slab`] [`spare`] [`rng`] | spans, rates; slots, buffers |
//! | 1 | [`http`] [`timer`] [`stats`] | pure, and know nothing of each other |
//! | 2 | [`home`] [`results`] | devices and event log; the on-disk schema of a run |
//! | 3 | [`serve`] and [`pace`], their cores | sans-IO; the two never meet |
//! | 4 | [`io`] | the system: the only module with libc and unsafe code |
//! | 5 | `serve::{server, station, worker, monoio}`, `pace::worker` | core x driver x wheel x clock |
//! | 6 | [`bench`] [`report`] [`doctor`] | child processes and files |
//! | 7 | [`cli`] | typed flags to a plan that can run |
//!
//! `scratch`, in layer 4 too, is for tests.
//!
//! Start at [`serve::conn`] for the server, at [`pace::worker`] for the pacer.

pub mod calendar;
pub mod clock;
pub mod rng;
pub mod slab;
pub mod spare;
pub mod units;

pub mod http;
pub mod stats;
pub mod timer;

pub mod home;
pub mod results;

pub mod io;
pub mod pace;
#[cfg(test)]
mod scratch;
pub mod serve;

pub mod bench;
pub mod doctor;
pub mod report;

pub mod cli;
