//! One connection's socket, and what the kernel holds of it.

use crate::io::lent::Lent;
use io_uring::{squeue, types};
use socket2::SockAddr;
use std::os::fd::{AsRawFd, OwnedFd};

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) fd: OwnedFd,
    /// Its index in the ring's table of files, if it stands there.
    pub(super) file: Option<u32>,
    pub(super) receiving: Receiving,
    /// The send whose bytes the kernel may be reading, and how many of them are gone.
    pub(super) sending: Option<(Vec<u8>, usize)>,
    /// The address that the kernel reads until the connect completes.
    pub(super) connecting: Option<Lent<SockAddr>>,
    pub(super) paused: bool,
    /// The worker was told that it is broken: report nothing more.
    pub(super) failed: bool,
    /// `close` was called: report nothing, free the slot at the last completion.
    pub(super) closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    /// Nothing armed: not yet, or to be armed again.
    Idle,
    Armed,
    /// Armed, and asked to stop.
    Cancelling,
    /// FIN or an error was seen; never armed again.
    Over,
}

impl Socket {
    pub(super) fn new(fd: OwnedFd) -> Socket {
        Socket {
            fd,
            file: None,
            receiving: Receiving::Idle,
            sending: None,
            connecting: None,
            paused: false,
            failed: false,
            closing: false,
        }
    }

    /// What an SQE names it by, and the flag that says how to read that.
    pub(super) fn target(&self) -> (types::Fd, squeue::Flags) {
        match self.file {
            Some(index) => (types::Fd(index as i32), squeue::Flags::FIXED_FILE),
            None => (types::Fd(self.fd.as_raw_fd()), squeue::Flags::empty()),
        }
    }

    /// Whether the worker still wants to hear of it.
    pub(super) fn reports(&self) -> bool {
        !self.failed && !self.closing
    }
}
