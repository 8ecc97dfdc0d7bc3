//! The server: a [`Plan`] becomes pinned workers, one per CPU, that share nothing but the home.
//!
//! | modules | what stands there |
//! |---|---|
//! | [`settings`] [`token`] `plan` [`threads`] | what a server is to be |
//! | [`router`] [`reply`] [`api`] [`conn`] [`timing`] | one connection and its answers; sans-IO |
//! | [`floor`] [`access`] [`metrics`] | all connections of one core, and notes on them; sans-IO |
//! | [`station`], [`worker`] or `monoio` | one core, and what moves its bytes |
//! | `server` | start, pin, stop |
//!
//! Start at [`Server::start`].

pub mod access;
pub mod api;
pub mod conn;
pub mod floor;
pub mod metrics;
mod monoio;
mod plan;
pub mod reply;
pub mod router;
mod server;
pub mod settings;
pub mod station;
pub mod status;
pub mod threads;
pub mod timing;
pub mod token;
pub mod worker;

pub use plan::{Backend, Plan};
pub use server::{Server, Stopper};
