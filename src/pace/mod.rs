//! The pacer: loads an HTTP/1.1 server at an exact rate and says how exact it was.
//!
//! Sans-IO cores: [`arrivals`], [`course`], [`replay`], [`schedule`], [`catch_up`] and [`agenda`]
//! (when), [`mix`], [`template`] and [`capture`] (what), [`conn`], [`outstanding`], [`pool`] and
//! [`spread`] (how), [`stalls`], [`recorder`], [`delivery`], [`interval`], [`pairs`] and [`signed`]
//! (what came of it), [`verdict`], [`threshold`] and [`budget`] (what it is worth), [`hlog`], [`hgrm`],
//! [`csv`], [`prom`] and [`live`] (how others read it).
//! Glue: [`worker`] runs them on one core, [`run`](mod@run) puts one worker on each CPU, starts them
//! together and merges what they recorded, and [`outputs`] writes it; [`selftest`] has it measure
//! itself, and [`duet`] two servers at once. This file is the map. Start at [`run()`].

pub mod agenda;
pub mod arrivals;
pub mod budget;
pub mod capture;
pub mod catch_up;
pub mod conn;
pub mod course;
pub mod csv;
pub mod delivery;
pub mod duet;
pub mod encoded;
pub mod hgrm;
pub mod hlog;
pub mod interval;
pub mod live;
pub mod merge;
pub mod mix;
pub mod outcome;
pub mod outputs;
pub mod outstanding;
pub mod pairs;
pub mod plan;
pub mod pool;
pub mod prom;
pub mod recorder;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod selftest;
pub mod signed;
pub mod spans;
pub mod spread;
pub mod stalls;
pub mod template;
pub mod threshold;
pub mod url;
pub mod verdict;
pub mod worker;

pub use catch_up::CatchUp;
pub use outcome::Outcome;
pub use plan::{Backend, Outputs, PaceWait, Plan, Timestamps};
pub use run::{PaceError, run};
