//! The kernel's own stamps of what a connection sends and receives (SO_TIMESTAMPING), by which the
//! time of an exchange splits into three: the send path from our call to the device, the server with
//! the network from there to the answer's arrival, and how long the answer lay before we read it.
//!
//! Software stamps, which loopback TCP has too (Documentation/networking/timestamping.rst): a
//! transmit stamp comes by the socket's error queue, with the offset of the byte it is of; a receive
//! stamp comes beside the bytes that are read, and is of the last segment among them. Both are of
//! CLOCK_REALTIME, which the kernel slews together with CLOCK_MONOTONIC, so that only a step moves
//! them apart: their distance is sampled every second, with its error, and steps are counted.
//!
//! A request costs two system calls more (the error queue is read until it is empty), so this is
//! for looking into a latency and not for the figure itself. One request at a time per connection,
//! as the pacer has it. Start at [`Stamps`]; the driver drives [`Stamping`].

use super::{ConnId, net};
use crate::clock::{Clock, WallOffset};
use crate::io::clock::{MonotonicClock, wall_offset};
use crate::stats::Histogram;
use crate::units::{Mono, Nanos, Wall};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What the stamps of a run come to.
#[derive(Clone, Debug)]
pub struct Stamps {
    /// From the call of send(2) until the kernel handed the request to the device.
    pub send_path: Histogram,
    /// From there until the last segment of the answer came in.
    pub server: Histogram,
    /// From there until it was read.
    pub read_lag: Histogram,
    /// Exchanges that lack a stamp: unanswered ones, and the first few of the machine, since the
    /// kernel switches receive stamps on by deferred work (net_enable_timestamp).
    pub incomplete: u64,
    /// Exchanges whose stamps are out of order by more than the clocks' error.
    pub disordered: u64,
    /// How far a stamp may be off on our clock, at most.
    pub clock_error: Nanos,
    /// Times that CLOCK_REALTIME was set.
    pub clock_steps: u64,
}

impl Default for Stamps {
    fn default() -> Stamps {
        Stamps {
            send_path: Histogram::new(),
            server: Histogram::new(),
            read_lag: Histogram::new(),
            incomplete: 0,
            disordered: 0,
            clock_error: Nanos::ZERO,
            clock_steps: 0,
        }
    }
}

impl Stamps {
    /// Adds what another thread of the same run found.
    pub fn merge(&mut self, other: &Stamps) {
        self.send_path.merge(&other.send_path);
        self.server.merge(&other.server);
        self.read_lag.merge(&other.read_lag);
        self.incomplete += other.incomplete;
        self.disordered += other.disordered;
        self.clock_error = self.clock_error.max(other.clock_error);
        self.clock_steps = self.clock_steps.max(other.clock_steps);
    }
}

/// One request and its answer on one connection.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    called_at: Mono,
    /// The stream's offset of the request's last byte, which its stamp bears.
    last_byte: u32,
    transmitted: Option<Wall>,
    /// The last segment of the answer so far, and when it was read.
    received: Option<(Wall, Mono)>,
}

/// A connection: how many bytes it has sent, and its present exchange.
#[derive(Clone, Copy, Debug)]
struct Line {
    id: ConnId,
    sent_bytes: u32,
    exchange: Option<Exchange>,
}

/// Collects the stamps of one driver's connections.
#[derive(Debug)]
pub struct Stamping {
    stamps: Stamps,
    measured_from: Mono,
    /// By slot.
    lines: Vec<Option<Line>>,
    offset: WallOffset,
    sampled_at: Mono,
}

/// Chosen: a step is seen within this; a sample takes a microsecond.
const SAMPLE_EVERY: Nanos = Nanos::from_secs(1);

const TIMESTAMPING: net::OptionName = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);

impl Stamping {
    /// Of no connection yet.
    pub(super) fn new() -> Stamping {
        let offset = wall_offset();
        let stamps = Stamps { clock_error: offset.error, ..Stamps::default() };
        let sampled_at = MonotonicClock.now();
        Stamping { stamps, measured_from: Mono(0), lines: Vec::new(), offset, sampled_at }
    }

    /// Forgets what was found, and counts exchanges that begin at `measured_from` or later.
    pub fn measure_from(&mut self, measured_from: Mono) {
        self.stamps = Stamps { clock_error: self.offset.error, ..Stamps::default() };
        self.measured_from = measured_from;
    }

    /// What was found. The exchanges that still go on count as they stand.
    pub fn take(&mut self) -> Stamps {
        for slot in 0..self.lines.len() {
            if let Some(exchange) = self.lines[slot].as_mut().and_then(|line| line.exchange.take())
            {
                self.finish(exchange);
            }
        }
        std::mem::take(&mut self.stamps)
    }

    /// Asks the kernel to stamp a connection that has just been made and has sent nothing yet: the
    /// offsets count from here.
    pub(super) fn enable(&mut self, fd: BorrowedFd<'_>, id: ConnId) -> io::Result<()> {
        let flags: libc::c_uint = libc::SOF_TIMESTAMPING_TX_SOFTWARE
            | libc::SOF_TIMESTAMPING_RX_SOFTWARE
            | libc::SOF_TIMESTAMPING_SOFTWARE
            | libc::SOF_TIMESTAMPING_OPT_ID
            | libc::SOF_TIMESTAMPING_OPT_TSONLY;
        net::set_option(fd, TIMESTAMPING, flags as i32).map_err(|error| {
            let sentence = format!("the kernel refused to stamp a socket: {error}");
            io::Error::new(error.kind(), sentence)
        })?;
        let slot = id.slot as usize;
        if self.lines.len() <= slot {
            self.lines.resize(slot + 1, None);
        }
        self.lines[slot] = Some(Line { id, sent_bytes: 0, exchange: None });
        Ok(())
    }

    /// A request of so many bytes is about to be sent.
    pub(super) fn begin(&mut self, id: ConnId, bytes: usize) {
        let Some(line) = self.line(id) else { return };
        // The kernel counts modulo 2^32 as well.
        line.sent_bytes = line.sent_bytes.wrapping_add(bytes as u32);
        let begun = Exchange {
            called_at: MonotonicClock.now(),
            last_byte: line.sent_bytes.wrapping_sub(1),
            transmitted: None,
            received: None,
        };
        if let Some(ended) = line.exchange.replace(begun) {
            self.finish(ended);
        }
    }

    /// Receives as `net::receive_now` does, and takes the stamp of what came.
    pub(super) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        id: ConnId,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let (count, control) = receive_message(fd, buffer, libc::MSG_DONTWAIT)?;
        let read_at = MonotonicClock.now();
        if read_at.saturating_since(self.sampled_at) >= SAMPLE_EVERY {
            self.sample(read_at);
        }
        if let Some(at) = control.stamp()
            && let Some(exchange) = self.line(id).and_then(|line| line.exchange.as_mut())
        {
            exchange.received = Some((at, read_at));
        }
        Ok(count)
    }

    /// Empties the error queue of a connection; whether there was anything in it.
    pub(super) fn drain_errors(&mut self, fd: BorrowedFd<'_>, id: ConnId) -> bool {
        let mut found = false;
        // With OPT_TSONLY a stamp has no content.
        while let Ok((_, control)) =
            receive_message(fd, &mut [], libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)
        {
            found = true;
            if let (Some(at), Some(of_byte)) = (control.stamp(), control.stamped_byte())
                && let Some(exchange) = self.line(id).and_then(|line| line.exchange.as_mut())
                && exchange.last_byte == of_byte
            {
                exchange.transmitted = Some(at);
            }
        }
        found
    }

    /// The connection is closed.
    pub(super) fn close(&mut self, id: ConnId) {
        if let Some(exchange) = self.line(id).and_then(|line| line.exchange.take()) {
            self.finish(exchange);
        }
    }

    fn line(&mut self, id: ConnId) -> Option<&mut Line> {
        self.lines.get_mut(id.slot as usize)?.as_mut().filter(|line| line.id == id)
    }

    fn finish(&mut self, exchange: Exchange) {
        if exchange.called_at < self.measured_from {
            return;
        }
        let (Some(transmitted), Some((received, read_at))) =
            (exchange.transmitted, exchange.received)
        else {
            self.stamps.incomplete += 1;
            return;
        };
        let [transmitted, received] = [transmitted, received].map(|at| self.offset.to_mono(at));
        let error = self.offset.error;
        let is_ordered = exchange.called_at <= transmitted + error
            && transmitted <= received + error
            && received <= read_at + error;
        if !is_ordered {
            self.stamps.disordered += 1;
            return;
        }
        self.stamps.send_path.record(transmitted.saturating_since(exchange.called_at));
        self.stamps.server.record(received.saturating_since(transmitted));
        self.stamps.read_lag.record(read_at.saturating_since(received));
    }

    fn sample(&mut self, now: Mono) {
        self.sampled_at = now;
        let offset = wall_offset();
        if self.offset.step_until(offset).is_some() {
            self.stamps.clock_steps += 1;
            // What was stamped before the step does not fit what is stamped after it.
            self.lines.iter_mut().flatten().for_each(|line| line.exchange = None);
            self.offset = offset;
        } else if offset.error <= self.offset.error {
            self.offset = offset;
        }
        self.stamps.clock_error = self.stamps.clock_error.max(self.offset.error);
    }
}

/// Words of ancillary data. Chosen: three timespecs, an extended error with an IPv6 address, and
/// three heads are some 150 bytes.
const CONTROL_WORDS: usize = 32;

/// The ancillary data of one message.
struct Control {
    /// Words, so that it is aligned as cmsghdr is.
    words: [u64; CONTROL_WORDS],
    bytes: usize,
}

/// Plain data of the kernel's.
///
/// # Safety
/// Every pattern of bits must be a value, and there must be nothing to drop.
unsafe trait Plain: Copy {}

// SAFETY: three pairs of integers.
unsafe impl Plain for [libc::timespec; 3] {}

// SAFETY: integers only.
unsafe impl Plain for libc::sock_extended_err {}

/// Kernel: include/uapi/linux/errqueue.h; handed to the device, rather than scheduled or acked.
const SCM_TSTAMP_SND: u32 = 0;

/// One recvmsg(2): how many bytes came, and what came beside them.
fn receive_message(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<(usize, Control)> {
    let mut control = Control { words: [0; CONTROL_WORDS], bytes: 0 };
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr is plain pointers and lengths, for which all zeros is a value: none of them.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.words.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control.words);
    // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer` and `msg_controllen` into
    // `control`, both borrowed for longer than the call, and keeps neither.
    let count =
        net::count_moved(|| unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) })?;
    control.bytes = message.msg_controllen;
    Ok((count, control))
}

impl Control {
    /// The software stamp, if there is one.
    fn stamp(&self) -> Option<Wall> {
        // scm_timestamping is three timespecs, of which the first is the software stamp.
        let times: [libc::timespec; 3] =
            self.find(|level, kind| level == libc::SOL_SOCKET && kind == libc::SCM_TIMESTAMPING)?;
        let libc::timespec { tv_sec, tv_nsec } = times[0];
        let ns = u64::try_from(tv_sec).ok()?.checked_mul(1_000_000_000)?;
        Some(Wall(ns + u64::try_from(tv_nsec).ok()?)).filter(|at| at.0 > 0)
    }

    /// The offset of the byte that a transmit stamp is of.
    fn stamped_byte(&self) -> Option<u32> {
        let error: libc::sock_extended_err = self.find(|level, kind| {
            (level == libc::SOL_IP && kind == libc::IP_RECVERR)
                || (level == libc::SOL_IPV6 && kind == libc::IPV6_RECVERR)
        })?;
        let is_stamp =
            error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING && error.ee_info == SCM_TSTAMP_SND;
        is_stamp.then_some(error.ee_data)
    }

    /// The content of the first part of a kind, if it is there whole.
    fn find<T: Plain>(&self, is_wanted: impl Fn(libc::c_int, libc::c_int) -> bool) -> Option<T> {
        let head_bytes = size_of::<libc::cmsghdr>();
        let base = self.words.as_ptr().cast::<u8>();
        let mut at = 0;
        while at + head_bytes <= self.bytes.min(size_of_val(&self.words)) {
            // SAFETY: a whole head lies within `words` at `at`, a multiple of its alignment.
            let head = unsafe { base.add(at).cast::<libc::cmsghdr>().read() };
            let content_bytes = head.cmsg_len.checked_sub(head_bytes)?;
            let content_at = at + head_bytes;
            let is_whole = content_bytes >= size_of::<T>()
                && content_at + size_of::<T>() <= size_of_val(&self.words);
            if is_wanted(head.cmsg_level, head.cmsg_type) {
                // SAFETY: as many bytes as a `T` has lie within `words`, and any make one: it is Plain.
                return is_whole
                    .then(|| unsafe { base.add(content_at).cast::<T>().read_unaligned() });
            }
            // Kernel: CMSG_ALIGN, to the size of a long.
            at += head.cmsg_len.next_multiple_of(size_of::<libc::c_long>());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::epoll::Epoll;
    use crate::io::{Driver, Event, Outlet, Wait};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    /// Answers `n` bytes to every ten, in a thread of its own.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buf = [0; 10];
            while stream.read_exact(&mut buf).is_ok() {
                stream.write_all(&buf).unwrap();
            }
        });
        address
    }

    /// Turns until the event comes, or some seconds have passed.
    fn turn_until(driver: &mut Epoll, is_it: impl Fn(&Event<'_>) -> bool) {
        let give_up_at = MonotonicClock.now() + Nanos::from_secs(10);
        let mut found = false;
        while !found {
            assert!(MonotonicClock.now() < give_up_at, "the event did not come");
            driver
                .turn(Wait::Until(give_up_at), |event| {
                    assert!(!matches!(event, Event::Failed(..)), "{event:?}");
                    found |= is_it(&event);
                })
                .unwrap();
        }
    }

    fn exchange(driver: &mut Epoll, id: ConnId) {
        let mut bytes = driver.buffer();
        bytes.extend_from_slice(b"0123456789");
        driver.send(id, bytes);
        turn_until(driver, |event| matches!(event, Event::Received(..)));
    }

    #[test]
    fn the_three_parts_of_an_exchange_add_up_to_what_we_saw_of_it() {
        let mut driver = Epoll::with_stamps().unwrap();
        let id = driver.connect(echo().into()).unwrap();
        turn_until(&mut driver, |event| matches!(event, Event::Connected(_)));
        // The kernel begins to stamp what it receives a little after it is asked.
        let is_stamped = (0..10_000).any(|_| {
            exchange(&mut driver, id);
            driver.stamps().unwrap().take().server.count() > 0
        });
        assert!(is_stamped, "the kernel stamps nothing");
        let measured_from = MonotonicClock.now();
        driver.stamps().unwrap().measure_from(measured_from);
        const EXCHANGES: u64 = 20;
        (0..EXCHANGES).for_each(|_| exchange(&mut driver, id));
        let whole = MonotonicClock.now() - measured_from;
        let stamps = driver.stamps().unwrap().take();
        let parts = [&stamps.send_path, &stamps.server, &stamps.read_lag];
        let counts = parts.map(|part| part.count());
        assert_eq!(counts, [EXCHANGES; 3]);
        assert_eq!((stamps.incomplete, stamps.disordered, stamps.clock_steps), (0, 0, 0));
        // Within the error of the clocks, and the rounding of each.
        let sum: u128 = parts.iter().map(|part| part.beside().sum).sum();
        let slack = EXCHANGES * (2 * stamps.clock_error.0 + 1);
        assert!(sum <= u128::from(whole.0 + slack), "{sum} of {whole}");
        assert!(sum > 0 && stamps.clock_error > Nanos::ZERO);
    }

    #[test]
    fn what_was_sent_before_the_measured_time_counts_nowhere() {
        let mut driver = Epoll::with_stamps().unwrap();
        let id = driver.connect(echo().into()).unwrap();
        turn_until(&mut driver, |event| matches!(event, Event::Connected(_)));
        let stamping = driver.stamps().unwrap();
        stamping.measure_from(MonotonicClock.now() + Nanos::from_secs(3_600));
        exchange(&mut driver, id);
        driver.close(id);
        let stamps = driver.stamps().unwrap().take();
        assert_eq!((stamps.server.count(), stamps.incomplete), (0, 0));
    }

    #[test]
    fn an_unanswered_exchange_is_incomplete_and_a_driver_without_stamps_has_none() {
        let mut driver = Epoll::with_stamps().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let id = driver.connect(listener.local_addr().unwrap().into()).unwrap();
        turn_until(&mut driver, |event| matches!(event, Event::Connected(_)));
        let mut bytes = driver.buffer();
        bytes.extend_from_slice(b"0123456789");
        driver.send(id, bytes);
        driver.close(id);
        assert_eq!(driver.stamps().unwrap().take().incomplete, 1);
        assert!(Epoll::new().unwrap().stamps().is_none());
    }
}
