//! Sockets and wake-ups: what both drivers need of the kernel besides their own event interface.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A listening TCP socket, non-blocking.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// Ends the sleep of one driver, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);
