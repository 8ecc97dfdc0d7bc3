//! The io_uring driver: multishot accept and receive, provided buffers, one `io_uring_enter` per turn.
//!
//! A socket's life: (1) accepted or connected, its receive is armed; (2) completions carry bytes in
//! buffers that the kernel chose; (3) sends are queued as SQEs and go out with the next enter, which
//! also sleeps; (4) `close` cancels what is armed; (5) the slot is freed, and the descriptor closed,
//! at the last completion. Every SQE's cookie names operation, generation and slot, so a completion
//! of an earlier life is dropped, and memory lent to the kernel stays in the slot until then.
//!
//! Normal paths, not errors: ENOBUFS (armed again once buffers are back), a multishot that ends
//! (armed again), an overflowing completion queue (drained by the next enter), a short send (the rest
//! is sent). Features that a kernel lacks are dropped one by one, each with a [`Uring::notes`] line.
//!
//! A known limit, measured on Linux 6.18: a multishot receive that takes more than 33 buffers in one go
//! and has a reset (not a FIN) behind them ends in silence; the worker's deadlines find the connection.
//!
//! Start at [`Uring::turn`](Driver::turn), then `complete`. Not here: setting up; see `ring`.

mod accept;
mod cookie;
mod socket;

use super::accepting::Accepting;
use super::buffers::{BufferRing, RECEIVE_GROUP};
use super::lent::Lent;
use super::net::{self, Address, Listener, Waker};
use super::ring::{Enter, Ring};
use super::{ConnId, Counters, Driver, Event, Outlet, Sending, Wait};
use crate::clock::Clock;
use crate::io::clock::MonotonicClock;
use crate::io::limits::descriptor_limit;
use crate::slab::{Key, Slab};
use crate::spare::SpareBuffers;
use crate::units::Nanos;
use cookie::{Cookie, NO_CONN, Op, decode, encode};
use io_uring::{cqueue, opcode, squeue, types};
use socket::{Receiving, Socket};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

pub use super::ring::explain_setup;
pub use super::ring::settings::{MinWait, Settings, Sqpoll, TaskRun, Wake};

/// A driver on io_uring; Linux 5.19 and later.
pub struct Uring {
    ring: Ring,
    sockets: Slab<Socket>,
    buffers: BufferRing,
    accepting: Accepting<Listener>,
    /// The kernel accepts for us: there will be a last completion of that.
    accept_armed: bool,
    /// Where the kernel writes the eventfd's count.
    wake_count: Lent<u64>,
    waking: Waking,
    waker: Waker,
    /// Drivers that a message was sent to; a cookie's slot is an index. As many as there are cores.
    told: Vec<Waker>,
    /// Other drivers are woken by messages.
    messages: bool,
    spare: SpareBuffers,
    /// Sockets whose receive has to be armed again with the next submission.
    unarmed: Vec<ConnId>,
    accept_multishot: bool,
    /// A kernel without multishot receive (before 6.0), or one told not to use it.
    one_shot: bool,
    direct_send: bool,
    /// How many sockets the ring's table of files holds: those of the first slots.
    files: u32,
    /// Acknowledge what was received at once.
    quickack: bool,
    counters: Counters,
}

/// The read of the eventfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waking {
    On,
    /// The driver ends: the read is not armed again.
    Ending,
    Over,
}

/// Chosen: cancelling socket operations takes microseconds.
const DROP_PATIENCE: Nanos = Nanos::from_secs(1);

impl Uring {
    /// A driver with no connections, as close to `settings` as this kernel allows; to be made on the
    /// thread that will use it (SINGLE_ISSUER).
    ///
    /// # Errors
    /// Says what to do where io_uring is forbidden, missing or out of locked memory.
    pub fn new(settings: &Settings) -> io::Result<Uring> {
        let mut ring = Ring::new(settings)?;
        let buffers = BufferRing::register(ring.raw(), settings.buffers, settings.buffer_bytes)
            .map_err(|error| explain_buffers(&error))?;
        let files = if settings.fixed_files { files_max()? } else { 0 };
        let files = if files > 0 && ring.register_files(files) { files } else { 0 };
        let messages = settings.wake == Wake::MsgRing && ring.delivers_messages();
        let waker = Waker::new()?;
        let waker = if messages { waker.with_ring(ring.fd())? } else { waker };
        let mut driver = Uring {
            ring,
            sockets: Slab::new(),
            buffers,
            accepting: Accepting::Off,
            accept_armed: false,
            wake_count: Lent::new(0),
            waking: Waking::On,
            waker,
            told: Vec::new(),
            messages,
            spare: net::spare_buffers(),
            unarmed: Vec::new(),
            accept_multishot: settings.accept_multishot,
            one_shot: !settings.recv_multishot,
            direct_send: settings.direct_send,
            files,
            quickack: false,
            counters: Counters::default(),
        };
        driver.arm_wake()?;
        Ok(driver)
    }

    /// What this kernel lacked, one sentence each, for the results.
    pub fn notes(&self) -> &[String] {
        self.ring.notes()
    }

    /// Queues an SQE; makes room by submitting when the queue is full.
    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: holds for every SQE of this driver, whose memory is one of these:
        // - the bytes of a send: on the heap of a Vec in the socket's slot. A move of the Vec leaves
        //   them where they are; they are neither changed nor freed before `complete_send`.
        // - the address of a connect: `Lent`, in the slot until `complete_connect`.
        // - the count of the eventfd: `Lent`, in `wake_count`.
        // - receive buffers: `buffers` says who owns which until when.
        // A slot is freed at its socket's last completion. `drop` waits for all completions before it
        // frees any of these, and leaks them all if they do not come.
        unsafe { self.ring.push(entry, &mut self.counters) }
    }

    fn arm_wake(&mut self) -> io::Result<()> {
        let fd = types::Fd(self.waker.as_fd().as_raw_fd());
        let count = self.wake_count.as_ptr().cast();
        self.push(&opcode::Read::new(fd, count, 8).build().user_data(encode(Op::Wake, NO_CONN)))
    }

    fn arm_receive(&mut self, id: ConnId) -> io::Result<()> {
        let Some(socket) = self.sockets.get_mut(id) else { return Ok(()) };
        if socket.receiving != Receiving::Idle || socket.paused || socket.closing {
            return Ok(());
        }
        socket.receiving = Receiving::Armed;
        let (fd, flags) = socket.target();
        let entry = match self.one_shot {
            false => opcode::RecvMulti::new(fd, RECEIVE_GROUP).build().flags(flags),
            true => opcode::Recv::new(fd, std::ptr::null_mut(), 0)
                .buf_group(RECEIVE_GROUP)
                .build()
                .flags(flags | squeue::Flags::BUFFER_SELECT),
        };
        self.push(&entry.user_data(encode(Op::Receive, id)))
    }

    fn cancel(&mut self, op: Op, id: ConnId) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(encode(op, id)).build();
        self.push(&entry.user_data(encode(Op::Cancel, id)))
    }

    fn queue_send(&mut self, id: ConnId) -> io::Result<()> {
        let Some(socket) = self.sockets.get(id) else { return Ok(()) };
        let Some((bytes, gone)) = &socket.sending else { return Ok(()) };
        let rest = &bytes[*gone..];
        let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let (fd, flags) = socket.target();
        let entry = opcode::Send::new(fd, rest.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build()
            .flags(flags);
        self.push(&entry.user_data(encode(Op::Send, id)))
    }

    /// Takes in a socket, and enters it in the ring's table of files if there is room.
    fn adopt(&mut self, fd: OwnedFd) -> ConnId {
        let id = self.sockets.insert(Socket::new(fd));
        if id.slot < self.files {
            self.counters.syscalls += 1;
            let socket = self.sockets.get_mut(id).expect("just inserted");
            let entered = self.ring.set_file(id.slot, Some(socket.fd.as_fd()));
            socket.file = entered.then_some(id.slot);
        }
        id
    }

    /// Gives a socket's place in the table back. A kernel before 6.13 holds on to its file for as long
    /// as older operations of any socket run, hence the peer is told by hand.
    fn leave_table(&mut self, id: ConnId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if let Some(index) = socket.file.take() {
            self.counters.syscalls += 2;
            let _ = socket2::SockRef::from(&socket.fd).shutdown(std::net::Shutdown::Both);
            self.ring.set_file(index, None);
        }
    }

    /// Takes in one completion.
    fn complete(
        &mut self,
        cqe: &cqueue::Entry,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> io::Result<()> {
        let Some(Cookie { op, id }) = decode(cqe.user_data()) else { return Ok(()) };
        match op {
            Op::Receive => self.complete_receive(id, cqe, on_event),
            Op::Send => return self.complete_send(id, cqe.result(), on_event),
            Op::Accept => return self.complete_accept(cqe, on_event),
            Op::Connect => self.complete_connect(id, cqe.result(), on_event),
            Op::Cancel => {}
            // Cancelled, or a wake that was faster than the cancel.
            Op::Wake if self.waking == Waking::Ending => self.waking = Waking::Over,
            Op::Wake => {
                on_event(Event::Woken);
                return self.arm_wake();
            }
            Op::Told => on_event(Event::Woken),
            // The message failed: that ring is full, or ends. Its eventfd is never full.
            Op::Tell => self.told[id.slot as usize].wake(),
        }
        Ok(())
    }

    fn complete_receive(
        &mut self,
        id: ConnId,
        cqe: &cqueue::Entry,
        on_event: &mut impl FnMut(Event<'_>),
    ) {
        let more = cqueue::more(cqe.flags());
        let buffer = cqueue::buffer_select(cqe.flags());
        if let Some(socket) = self.sockets.get_mut(id) {
            let report = socket.reports();
            if !more {
                socket.receiving = Receiving::Idle;
            }
            match (cqe.result(), buffer) {
                (1.., Some(buffer)) => {
                    let len = cqe.result() as usize;
                    self.counters.received_bytes += len as u64;
                    if self.quickack && report {
                        self.counters.syscalls += 1;
                        net::acknowledge(socket.fd.as_fd());
                    }
                    if report {
                        on_event(Event::Received(id, self.buffers.bytes(buffer, len)));
                    }
                }
                (result, _) => self.stop_receiving(id, result, report, on_event),
            }
        }
        if let Some(buffer) = buffer {
            self.buffers.give_back(buffer);
        }
        if !more {
            self.unarmed.push(id);
            self.free_if_over(id);
        }
    }

    /// A receive ended with `result` instead of bytes: FIN, no buffer, cancelled, or broken.
    fn stop_receiving(
        &mut self,
        id: ConnId,
        result: i32,
        report: bool,
        on_event: &mut impl FnMut(Event<'_>),
    ) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        match -result {
            0 => {
                socket.receiving = Receiving::Over;
                if report {
                    on_event(Event::ReceivedEnd(id));
                }
            }
            // The pool is empty for the moment, which says nothing of the peer. This turn gives
            // buffers back, and the socket is armed again after it.
            libc::ENOBUFS => self.counters.out_of_buffers += 1,
            libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
            libc::EINVAL if !self.one_shot => {
                self.one_shot = true;
                self.ring.note("multishot receive is missing (Linux 6.0): one receive per SQE");
            }
            code => {
                socket.receiving = Receiving::Over;
                socket.failed = true;
                if report {
                    on_event(Event::Failed(id, io::Error::from_raw_os_error(code)));
                }
            }
        }
    }

    fn complete_send(
        &mut self,
        id: ConnId,
        result: i32,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> io::Result<()> {
        let Some(socket) = self.sockets.get_mut(id) else { return Ok(()) };
        let Some((bytes, gone)) = &mut socket.sending else { return Ok(()) };
        let failed = match result {
            0.. => {
                *gone += result as usize;
                self.counters.sent_bytes += result as u64;
                None
            }
            _ if matches!(-result, libc::EINTR | libc::EAGAIN) => None,
            _ => Some(io::Error::from_raw_os_error(-result)),
        };
        let whole = *gone == bytes.len();
        if !whole && failed.is_none() && !socket.closing {
            return self.queue_send(id);
        }
        let report = socket.reports();
        socket.failed |= failed.is_some();
        if let Some((bytes, _)) = socket.sending.take() {
            self.spare.put_back(bytes);
        }
        match failed {
            _ if !report => self.free_if_over(id),
            None => on_event(Event::Sent(id)),
            Some(error) => on_event(Event::Failed(id, error)),
        }
        Ok(())
    }

    fn complete_connect(&mut self, id: ConnId, result: i32, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.connecting = None;
        if socket.closing {
            return self.free_if_over(id);
        }
        if result < 0 {
            socket.receiving = Receiving::Over;
            socket.failed = true;
            return on_event(Event::Failed(id, io::Error::from_raw_os_error(-result)));
        }
        self.unarmed.push(id);
        on_event(Event::Connected(id));
    }

    /// Frees the slot of a closed socket once the kernel holds nothing of it.
    fn free_if_over(&mut self, id: ConnId) {
        let over = self.sockets.get(id).is_some_and(|socket| {
            let armed = matches!(socket.receiving, Receiving::Armed | Receiving::Cancelling);
            socket.closing && !armed && socket.sending.is_none() && socket.connecting.is_none()
        });
        if over {
            self.leave_table(id);
            self.sockets.remove(id);
            self.counters.syscalls += 1; // close(2)
            self.resume_accepting(); // one more descriptor to be had
        }
    }

    /// Submits, and sleeps as `wait` allows unless completions are there already.
    fn enter(&mut self, wait: Wait) -> io::Result<()> {
        let until = match wait {
            Wait::Poll => Enter::Submit,
            _ if self.ring.has_completions() => Enter::Submit,
            Wait::Until(deadline) => Enter::Until(deadline),
            Wait::Forever => Enter::Forever,
        };
        self.ring.enter(until, &mut self.counters)
    }

    /// Whether the kernel holds none of our memory.
    fn is_idle(&self) -> bool {
        self.sockets.is_empty() && self.waking == Waking::Over
    }

    fn arm_unarmed(&mut self) -> io::Result<()> {
        while let Some(id) = self.unarmed.pop() {
            self.arm_receive(id)?;
        }
        Ok(())
    }
}

impl Drop for Uring {
    /// Cancels what is armed and reaps it, so that the kernel has let go of all memory before it is
    /// freed; closing a ring only begins to cancel. What does not end in time is leaked.
    fn drop(&mut self) {
        if !self.end() {
            std::mem::forget(std::mem::take(&mut self.sockets));
            std::mem::replace(&mut self.wake_count, Lent::new(0)).leak();
            self.buffers.leak();
        }
    }
}

impl Uring {
    /// Closes everything and waits until the kernel has let go of our memory; whether it has.
    fn end(&mut self) -> bool {
        let _ = self.stop_listening(|_| {});
        self.waking = Waking::Ending;
        let _ = self.cancel(Op::Wake, NO_CONN);
        let open: Vec<ConnId> = self.sockets.keys().collect();
        open.into_iter().for_each(|id| self.close(id));
        let _ = self.turn_while(|ring| !ring.is_idle(), &mut |_| {});
        self.is_idle()
    }

    /// Turns as long as `goes_on` says so, but no longer than the kernel is given.
    fn turn_while(
        &mut self,
        goes_on: impl Fn(&Uring) -> bool,
        on_event: &mut impl FnMut(Event<'_>),
    ) -> io::Result<()> {
        let give_up = MonotonicClock.now() + DROP_PATIENCE;
        while goes_on(self) && MonotonicClock.now() < give_up {
            self.turn(Wait::Until(give_up), &mut *on_event)?;
        }
        Ok(())
    }
}

impl Outlet for Uring {
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.take()
    }

    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        debug_assert!(!bytes.is_empty(), "an empty send would never complete");
        let Some(socket) = self.sockets.get_mut(id) else { return Sending::Done };
        assert!(socket.sending.is_none(), "one send per connection at a time");
        let mut gone = 0;
        if self.direct_send {
            self.counters.syscalls += 1;
            match net::send_now(socket.fd.as_fd(), &bytes) {
                Ok(sent) => gone = sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    socket.failed = true;
                    return Sending::Failed(error);
                }
            }
            self.counters.sent_bytes += gone as u64;
            if gone == bytes.len() {
                self.spare.put_back(bytes);
                return Sending::Done;
            }
        }
        socket.sending = Some((bytes, gone));
        match self.queue_send(id) {
            Ok(()) => Sending::Pending,
            Err(error) => {
                // The SQE did not get into the queue, so the kernel never saw the bytes.
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.sending = None;
                    socket.failed = true;
                }
                Sending::Failed(error)
            }
        }
    }

    fn pause_receiving(&mut self, id: ConnId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.paused = true;
        if socket.receiving == Receiving::Armed {
            socket.receiving = Receiving::Cancelling;
            if self.cancel(Op::Receive, id).is_err() {
                // No SQE to be had: receiving goes on, which costs memory but loses nothing.
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.receiving = Receiving::Armed;
                }
            }
        }
    }

    fn resume_receiving(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.paused = false;
            // While the cancel is under way its completion arms the receive again.
            self.unarmed.push(id);
        }
    }

    fn shutdown_write(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get(id) {
            self.counters.syscalls += 1;
            net::shutdown_write(socket.fd.as_fd());
        }
    }

    fn close(&mut self, id: ConnId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if socket.closing {
            return;
        }
        socket.closing = true;
        let receiving = socket.receiving == Receiving::Armed;
        let (sending, connecting) = (socket.sending.is_some(), socket.connecting.is_some());
        for (armed, op) in
            [(receiving, Op::Receive), (sending, Op::Send), (connecting, Op::Connect)]
        {
            if armed && self.cancel(op, id).is_err() {
                // No SQE to be had. Ending the connection completes what is armed just as well.
                if let Some(socket) = self.sockets.get(id) {
                    let _ = socket2::SockRef::from(&socket.fd).shutdown(std::net::Shutdown::Both);
                }
            }
        }
        self.free_if_over(id);
    }

    fn peer(&self, id: ConnId) -> Option<SocketAddr> {
        net::peer_of(self.sockets.get(id)?.fd.as_fd())
    }

    fn wake(&mut self, other: &Waker) {
        let Some(ring) = other.ring().filter(|_| self.messages) else {
            self.counters.syscalls += 1;
            return other.wake();
        };
        let known = self.told.iter().position(|told| told.is(other));
        let slot = known.unwrap_or(self.told.len());
        let (ring, message) = (types::Fd(ring.as_raw_fd()), encode(Op::Told, NO_CONN));
        if known.is_none() {
            self.told.push(other.clone());
        }
        let entry = opcode::MsgRingData::new(ring, 0, message, None)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(encode(Op::Tell, Key { slot: slot as u32, generation: 0 }));
        if self.push(&entry).is_err() {
            other.wake();
        }
    }
}

impl Driver for Uring {
    fn listen(&mut self, listener: Listener) -> io::Result<()> {
        self.quickack = listener.quickack();
        self.accepting = Accepting::On(listener);
        self.arm_accept()
    }

    fn stop_listening(&mut self, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        let Some(listener) = self.accepting.stop() else { return Ok(()) };
        net::refuse_handshakes(listener.as_fd());
        self.counters.syscalls += 2; // and the accept that finds nobody
        // Until it has ended, the kernel holds the socket open.
        self.end_accept(&mut on_event)?;
        net::accept_all(listener.as_fd(), false, |fd| {
            self.counters.syscalls += 1;
            self.accept(fd, &mut on_event);
        });
        Ok(())
    }

    fn connect(&mut self, to: Address) -> io::Result<ConnId> {
        let socket = net::client_socket(to, false)?;
        let id = self.adopt(socket.into());
        let socket = self.sockets.get_mut(id).expect("just inserted");
        let lent = socket.connecting.insert(Lent::new(to.to_sockaddr()));
        // SAFETY: connect(2) reads the address, and nobody writes to it.
        let address = unsafe { lent.get() };
        let (address, len) = (address.as_ptr().cast(), address.len());
        let (fd, flags) = socket.target();
        let entry = opcode::Connect::new(fd, address, len).build().flags(flags);
        match self.push(&entry.user_data(encode(Op::Connect, id))) {
            Ok(()) => Ok(id),
            Err(error) => {
                self.leave_table(id);
                self.sockets.remove(id);
                Err(error)
            }
        }
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn turn(&mut self, wait: Wait, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        self.counters.turns += 1;
        if self.accepting.due(|| MonotonicClock.now()) {
            self.resume_accepting();
        }
        self.arm_unarmed()?;
        self.enter(self.accepting.cap(wait))?;
        // At most one queue's worth, so that a storm of completions does not keep a turn going.
        for _ in 0..self.ring.completions_max() {
            let Some(cqe) = self.ring.next_completion() else { break };
            self.complete(&cqe, &mut on_event)?;
        }
        Ok(())
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

/// How many sockets a table can have: as many as descriptors are allowed, or less.
fn files_max() -> io::Result<u32> {
    Ok(descriptor_limit()?.min(FILES_MAX) as u32)
}

/// Chosen: half a MiB of table; sockets beyond go by their descriptors.
const FILES_MAX: u64 = 65_536;

fn explain_buffers(error: &io::Error) -> io::Error {
    let advice = match error.raw_os_error() {
        Some(libc::EINVAL) => {
            "this kernel has no provided buffer rings (Linux 5.19); use `--backend epoll`"
        }
        Some(libc::ENOMEM) => {
            "the buffers exceed locked memory; raise `ulimit -l`, or use `--backend epoll`"
        }
        _ => "use `--backend epoll`",
    };
    io::Error::new(error.kind(), format!("io_uring refused the receive buffers: {error}; {advice}"))
}

#[cfg(test)]
mod tests;
