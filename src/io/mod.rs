//! The system: the only module with libc and with unsafe code.
//!
//! [`Driver`] is what a worker sees of the kernel: connections named by generation-tagged
//! [`ConnId`]s, events going up, sends and closes going down. A worker turns in two passes. First
//! [`Driver::turn`] hands every event to a closure, which feeds the sans-IO cores and may not touch
//! the driver; then the worker submits for the connections that changed. Two drivers stand behind
//! it: `uring` and `epoll`.
//!
//! Not here: HTTP, timers, what a connection is for. Start at [`Driver`].
#![allow(unsafe_code)] // the one address of unsafe; every block says who owns what until when

pub(crate) mod accepting;
pub mod alarm;
mod buffers;
pub mod clock;
pub mod disturbance;
#[cfg(test)]
mod driver_tests;
pub mod epoll;
pub mod host;
mod lent;
pub mod limits;
pub mod net;
pub mod perf;
pub mod probe;
pub mod process;
mod ring;
pub mod signal;
pub mod stamps;
pub mod topology;
pub mod uring;
pub mod wait;

use crate::slab::Key;
use crate::units::Mono;
use std::net::SocketAddr;

/// Names one connection for its whole life; a late event of an earlier life of the same slot never
/// bears it. Its `slot` is dense from 0, so a worker may index its own state by it.
pub type ConnId = Key;

/// What the kernel reports.
#[derive(Debug)]
pub enum Event<'a> {
    /// A peer has connected; receiving has begun.
    Accepted(ConnId),
    /// [`Driver::connect`] has succeeded; receiving has begun.
    Connected(ConnId),
    /// Bytes, never none; they are valid during the call only.
    Received(ConnId, &'a [u8]),
    /// The peer has finished sending (FIN). It may still read, so answers may still be sent.
    ReceivedEnd(ConnId),
    /// All bytes of a send that was [`Sending::Pending`] are with the kernel; the next may follow.
    Sent(ConnId),
    /// The connection is broken, or could not be made; what was being sent is lost. The worker
    /// still has to [`Driver::close`] it, and hears nothing more of it.
    Failed(ConnId, std::io::Error),
    /// Another thread used the [`net::Waker`].
    Woken,
}

/// How long a turn may sleep when nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Poll,
    /// Until this point, and never past it by more than the kernel's wake-up.
    Until(Mono),
    /// Until something happens.
    Forever,
}

impl Wait {
    /// The same, but ending at `until` at the latest.
    pub fn no_later_than(self, until: Mono) -> Wait {
        match self {
            Wait::Poll => Wait::Poll,
            Wait::Until(deadline) => Wait::Until(deadline.min(until)),
            Wait::Forever => Wait::Until(until),
        }
    }
}

/// What became of a send at once.
#[derive(Debug)]
pub enum Sending {
    /// Everything is with the kernel.
    Done,
    /// [`Event::Sent`] or [`Event::Failed`] will tell.
    Pending,
    /// The connection is broken; there will be no further event of it.
    Failed(std::io::Error),
}

/// Where what connections say goes: to a [`Driver`], or to whoever else owns the sockets. Calls with a
/// stale id do nothing.
pub trait Outlet {
    /// An empty buffer to fill for [`Outlet::send`]; recycled, so that sending allocates nothing once
    /// the first requests are through.
    fn buffer(&mut self) -> Vec<u8>;

    /// Sends all of `bytes`, which must not be empty. One send per connection at a time: after
    /// [`Sending::Pending`] the next must wait for [`Event::Sent`]. Drivers that batch submit in the
    /// next turn.
    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending;

    /// Takes no more bytes from the peer: what stays in the kernel's buffer slows the peer down.
    /// What was already on its way up may still arrive.
    fn pause_receiving(&mut self, id: ConnId);

    /// Undoes [`Outlet::pause_receiving`].
    fn resume_receiving(&mut self, id: ConnId);

    /// Tells the peer that nothing more will be sent (FIN). Not while a send is pending.
    fn shutdown_write(&mut self, id: ConnId);

    /// Forgets the connection; its socket is closed once the kernel lets go of it. `id` is stale
    /// from now on and no event bears it again.
    fn close(&mut self, id: ConnId);

    /// The address of the peer, if the driver can tell: a system call, for logs.
    fn peer(&self, _id: ConnId) -> Option<SocketAddr> {
        None
    }

    /// Ends the sleep of another driver, by whatever way is the cheapest for both; at the latest with
    /// the next turn.
    fn wake(&mut self, other: &net::Waker) {
        other.wake();
    }
}

/// A thread's way to the kernel. One per worker; never shared.
///
/// Order of use: `listen` or `connect`, then for ever: `turn`, and after it, for each connection that
/// changed, `send`, `pause_receiving`, `shutdown_write` or `close`. Calls with a stale id do nothing.
pub trait Driver: Outlet {
    /// Accepts on `listener` from now on.
    fn listen(&mut self, listener: net::Listener) -> std::io::Result<()>;

    /// Closes the listening socket once nobody waits there: lets no further handshake begin, and accepts
    /// everybody who has been through one, as far as descriptors suffice. May take turns for it.
    /// Connections stay.
    fn stop_listening(&mut self, on_event: impl FnMut(Event<'_>)) -> std::io::Result<()>;

    /// Begins to connect. [`Event::Connected`] or [`Event::Failed`] follows.
    fn connect(&mut self, to: net::Address) -> std::io::Result<ConnId>;

    /// A handle with which any thread can end this driver's sleep.
    fn waker(&self) -> net::Waker;

    /// Submits what is owed to the kernel, sleeps as `wait` allows, then hands over every event there
    /// is. A turn that finds events never sleeps.
    fn turn(&mut self, wait: Wait, on_event: impl FnMut(Event<'_>)) -> std::io::Result<()>;

    /// What this driver has counted since it was made.
    fn counters(&self) -> Counters;

    /// The kernel's stamps of its connections, if it was made to ask for them.
    fn stamps(&mut self) -> Option<&mut stamps::Stamping> {
        None
    }
}

/// What a driver counts about itself; monotonic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of [`Driver::turn`].
    pub turns: u64,
    /// System calls made.
    pub syscalls: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes handed to the kernel.
    pub sent_bytes: u64,
    /// Times the kernel found no receive buffer (io_uring, ENOBUFS).
    pub out_of_buffers: u64,
    /// Times accepting had to pause because descriptors ran out.
    pub accept_pauses: u64,
    /// Times the completion queue overflowed (io_uring).
    pub overflows: u64,
}
