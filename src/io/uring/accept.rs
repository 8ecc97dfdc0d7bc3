//! Accepting on the ring: an SQE for many connections or for one, armed again whenever it is over.
//!
//! Start at [`Uring::complete_accept`]. Not here: when accepting pauses and for how long; see
//! `io::accepting`.

use super::Uring;
use super::cookie::{NO_CONN, Op, encode};
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::{Event, net};
use io_uring::{cqueue, opcode, types};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

impl Uring {
    pub(super) fn arm_accept(&mut self) -> io::Result<()> {
        let Some(listener) = self.accepting.on() else { return Ok(()) };
        let fd = types::Fd(listener.as_fd().as_raw_fd());
        let entry = match self.accept_multishot {
            true => opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC).build(),
            false => {
                let (address, len) = (std::ptr::null_mut(), std::ptr::null_mut()); // not asked for
                opcode::Accept::new(fd, address, len).flags(libc::SOCK_CLOEXEC).build()
            }
        };
        self.push(&entry.user_data(encode(Op::Accept, NO_CONN)))?;
        self.accept_armed = true;
        Ok(())
    }

    pub(super) fn complete_accept(
        &mut self,
        cqe: &cqueue::Entry,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> io::Result<()> {
        let result = cqe.result();
        if result >= 0 {
            // SAFETY: the completion gives us this new descriptor, and nobody else owns it.
            let fd = unsafe { OwnedFd::from_raw_fd(result) };
            self.accept(fd, on_event);
        }
        if cqueue::more(cqe.flags()) {
            return Ok(());
        }
        self.accept_armed = false;
        if self.accepting.is_off() {
            return Ok(());
        }
        match io::Error::from_raw_os_error(-result.min(0)) {
            error if net::is_out_of_resources(&error) => self.pause_accepting(),
            error if error.raw_os_error() == Some(libc::EINVAL) => {
                return Err(explain_accept(&error));
            }
            // It was for one, or the peer gave up while it waited, or the kernel ended the multishot
            // for a reason of its own (a full completion queue).
            _ => return self.arm_accept(),
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, fd: OwnedFd, on_event: &mut impl FnMut(Event<'_>)) {
        self.counters.accepted += 1;
        let id = self.adopt(fd);
        self.unarmed.push(id);
        on_event(Event::Accepted(id));
    }

    /// Ends the accept that is armed, and waits until the kernel has said everything about it.
    pub(super) fn end_accept(&mut self, on_event: &mut impl FnMut(Event<'_>)) -> io::Result<()> {
        if !self.accept_armed || self.cancel(Op::Accept, NO_CONN).is_err() {
            return Ok(());
        }
        self.turn_while(|ring| ring.accept_armed, on_event)
    }

    fn pause_accepting(&mut self) {
        if self.accepting.pause(MonotonicClock.now()).is_some() {
            self.counters.accept_pauses += 1;
        }
    }

    pub(super) fn resume_accepting(&mut self) {
        if self.accepting.resume().is_some() && self.arm_accept().is_err() {
            // No SQE to be had: the end of another pause tries again.
            self.accepting.pause(MonotonicClock.now());
        }
    }
}

fn explain_accept(error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "io_uring refused to accept: {error}; multishot accept needs Linux 5.19, or use `--backend epoll`"
        ),
    )
}
