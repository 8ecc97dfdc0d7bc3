//! The epoll driver: an honest, tuned baseline for the ring.
//!
//! Edge-triggered, so that a busy connection is not looked at again by the next `epoll_pwait2` just to
//! find it empty, and writability needs no `epoll_ctl`; one `recv` per event into one large shared
//! buffer; sends go out at once. An edge is lost if it is not used up, therefore a connection that
//! may hold more (a full buffer, a FIN behind the bytes, paused receiving) waits in `ready` and is
//! read in the next turn, which then does not sleep.
//!
//! Start at [`Epoll::turn`](Driver::turn).

use super::accepting::Accepting;
use super::net::{self, Address, Listener, Waker};
use super::stamps::Stamping;
use super::{ConnId, Counters, Driver, Event, Outlet, Sending, Wait};
use crate::clock::Clock;
use crate::io::clock::{MonotonicClock, timespec};
use crate::slab::{Key, Slab};
use crate::spare::SpareBuffers;
use crate::units::Nanos;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A driver on epoll(7). Runs on every Linux; sleeps to the nanosecond from 5.11 on.
#[derive(Debug)]
pub struct Epoll {
    poller: OwnedFd,
    sockets: Slab<Socket>,
    accepting: Accepting<Listener>,
    waker: Waker,
    spare: SpareBuffers,
    /// Connections whose edge is not used up, each once; may hold stale ids.
    ready: Vec<ConnId>,
    /// `ready` of the last turn while it is worked off; kept for its capacity.
    reading: Vec<ConnId>,
    /// Connects that failed at once, to be reported in the next turn.
    refused: Vec<(ConnId, io::Error)>,
    events: Vec<libc::epoll_event>,
    receive_buf: Box<[u8]>,
    /// `epoll_pwait2` is missing (Linux before 5.11): sleep in whole milliseconds.
    coarse: bool,
    /// Acknowledge what was received at once.
    quickack: bool,
    counters: Counters,
    /// Only where somebody wants the kernel's stamps.
    stamping: Option<Box<Stamping>>,
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    phase: Phase,
    /// What the kernel has not taken yet of a pending send, and how much of it is gone.
    unsent: Option<(Vec<u8>, usize)>,
    paused: bool,
    /// The kernel may hold more than was read: an edge was seen and not used up.
    readable: bool,
    /// Stands in `ready`.
    queued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// FIN was received; only sending is left.
    ReceivedEnd,
    /// [`Event::Failed`] was reported; nothing more is.
    Failed,
}

/// Cookies of what is not a connection; a connection's generation has 24 bits, so none collides.
const LISTENER: u64 = u64::MAX;
const WAKER: u64 = u64::MAX - 1;

/// Chosen: a turn's worth at saturation; what does not fit comes in the next turn.
const EVENTS_MAX: usize = 512;
/// Chosen: one `recv` drains what a deep pipeline or a large body brings in one go.
const RECEIVE_BUF_BYTES: usize = 64 * 1024;
/// Chosen: connections accepted per turn, so that a storm of them does not starve the others.
const ACCEPTS_PER_TURN: usize = 64;
/// Kernel: fs/select.c lets epoll add 0.1 % of the timeout as slack (at most 100 ms). A sleep longer
/// than this is cut short by 1/128 and finished by a second, exact one.
const EXACT_SLEEP_MAX: Nanos = Nanos::from_millis(10);

impl Epoll {
    /// A driver with no connections.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointers; the descriptor it returns is new and ours.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and nobody else owns it.
        let poller = unsafe { OwnedFd::from_raw_fd(fd) };
        let waker = Waker::new()?;
        control(&poller, libc::EPOLL_CTL_ADD, waker.as_fd(), libc::EPOLLIN, WAKER)?;
        Ok(Epoll {
            poller,
            sockets: Slab::new(),
            accepting: Accepting::Off,
            waker,
            spare: net::spare_buffers(),
            ready: Vec::new(),
            reading: Vec::new(),
            refused: Vec::new(),
            events: Vec::with_capacity(EVENTS_MAX),
            receive_buf: vec![0; RECEIVE_BUF_BYTES].into_boxed_slice(),
            coarse: false,
            quickack: false,
            counters: Counters::default(),
            stamping: None,
        })
    }

    /// A driver that has the kernel stamp what its own connections send and receive.
    pub fn with_stamps() -> io::Result<Epoll> {
        Ok(Epoll { stamping: Some(Box::new(Stamping::new())), ..Epoll::new()? })
    }

    fn register(&mut self, fd: OwnedFd, phase: Phase) -> io::Result<ConnId> {
        let socket =
            Socket { fd, phase, unsent: None, paused: false, readable: false, queued: false };
        let id = self.sockets.insert(socket);
        let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        let fd = self.sockets.get(id).expect("just inserted").fd.as_fd();
        self.counters.syscalls += 1;
        if let Err(error) = control(&self.poller, libc::EPOLL_CTL_ADD, fd, interest, cookie_of(id))
        {
            self.sockets.remove(id);
            return Err(error);
        }
        Ok(id)
    }

    /// Accepts what waits, up to the bound of a turn. Level-triggered: what is left is reported again.
    fn accept_waiting(&mut self, on_event: &mut impl FnMut(Event<'_>)) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.accepting.on() else { return Ok(()) };
            self.counters.syscalls += 1;
            let accepted = net::accept_now(listener.as_fd(), true)
                .and_then(|fd| self.register(fd, Phase::Open));
            match accepted {
                Ok(id) => {
                    self.counters.accepted += 1;
                    on_event(Event::Accepted(id));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if net::is_out_of_resources(&error) => return self.pause_accepting(),
                // The peer gave up while it waited (ECONNABORTED), or a network error that accept(2)
                // says to treat alike: the next one may be well.
                Err(error) if error.raw_os_error() != Some(libc::EINVAL) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn pause_accepting(&mut self) -> io::Result<()> {
        let Some(listener) = self.accepting.pause(MonotonicClock.now()) else { return Ok(()) };
        self.counters.accept_pauses += 1;
        control(&self.poller, libc::EPOLL_CTL_MOD, listener.as_fd(), 0, LISTENER)
    }

    fn resume_accepting(&mut self) {
        let Some(listener) = self.accepting.resume() else { return };
        let fd = listener.as_fd();
        if control(&self.poller, libc::EPOLL_CTL_MOD, fd, libc::EPOLLIN, LISTENER).is_err() {
            // The end of another pause tries again.
            self.accepting.pause(MonotonicClock.now());
        }
    }

    /// Handles one event of one connection: connect, then write, then read.
    fn handle(&mut self, id: ConnId, flags: u32, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let mut flags = flags;
        if let Some(stamping) = &mut self.stamping
            && flags & libc::EPOLLERR as u32 != 0
            && stamping.drain_errors(socket.fd.as_fd(), id)
        {
            // Stamps stood in the error queue; a connection that is broken shows it otherwise too.
            flags &= !(libc::EPOLLERR as u32);
        }
        if socket.phase == Phase::Connecting {
            let enable =
                |stamping: &mut Box<Stamping>| stamping.enable(socket.fd.as_fd(), id).err();
            let error = take_error(socket.fd.as_fd());
            match error.or_else(|| self.stamping.as_mut().and_then(enable)) {
                None => {
                    socket.phase = Phase::Open;
                    on_event(Event::Connected(id));
                }
                Some(error) => {
                    socket.phase = Phase::Failed;
                    return on_event(Event::Failed(id, error));
                }
            }
        }
        if flags & (libc::EPOLLOUT | libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0 {
            self.send_rest(id, on_event);
        }
        if flags & libc::EPOLLERR as u32 != 0 {
            self.break_unread(id, on_event);
        }
        let readable = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP;
        if flags & readable as u32 != 0 {
            let ends = flags & (libc::EPOLLRDHUP | libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0;
            self.receive(id, ends, on_event);
        }
    }

    /// One `recv`. `ends` says that a FIN or an error stands behind the bytes, which no later edge
    /// would tell.
    fn receive(&mut self, id: ConnId, ends: bool, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.readable = true;
        if socket.phase != Phase::Open || socket.paused {
            return;
        }
        self.counters.syscalls += 1;
        let received = match &mut self.stamping {
            None => net::receive_now(socket.fd.as_fd(), &mut self.receive_buf),
            Some(stamping) => stamping.receive(socket.fd.as_fd(), id, &mut self.receive_buf),
        };
        match received {
            Ok(0) => {
                socket.phase = Phase::ReceivedEnd;
                on_event(Event::ReceivedEnd(id));
            }
            Ok(n) => {
                self.counters.received_bytes += n as u64;
                if self.quickack {
                    self.counters.syscalls += 1;
                    net::acknowledge(socket.fd.as_fd());
                }
                socket.readable = ends || n == self.receive_buf.len();
                self.queue_if_readable(id);
                on_event(Event::Received(id, &self.receive_buf[..n]));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.readable = false,
            Err(error) => {
                socket.phase = Phase::Failed;
                on_event(Event::Failed(id, error));
            }
        }
    }

    /// Reports a reset of a connection that nobody reads from, which `receive` would never find.
    fn break_unread(&mut self, id: ConnId, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let unread = match socket.phase {
            Phase::ReceivedEnd => true,
            Phase::Open => socket.paused,
            Phase::Connecting | Phase::Failed => false,
        };
        // Taking the error clears it: where somebody reads, it is left for `receive` to find.
        if unread && let Some(error) = take_error(socket.fd.as_fd()) {
            socket.phase = Phase::Failed;
            on_event(Event::Failed(id, error));
        }
    }

    fn send_rest(&mut self, id: ConnId, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Some((bytes, gone)) = socket.unsent.take() else { return };
        match self.push_out(id, bytes, gone) {
            Sending::Done => on_event(Event::Sent(id)),
            Sending::Pending => {}
            Sending::Failed(error) => on_event(Event::Failed(id, error)),
        }
    }

    /// Sends `bytes[gone..]`; what the kernel does not take waits for the next edge.
    fn push_out(&mut self, id: ConnId, bytes: Vec<u8>, gone: usize) -> Sending {
        let Some(socket) = self.sockets.get_mut(id) else { return Sending::Done };
        self.counters.syscalls += 1;
        let outcome = net::send_now(socket.fd.as_fd(), &bytes[gone..]);
        let sent = match outcome {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                socket.phase = Phase::Failed;
                return Sending::Failed(error);
            }
        };
        self.counters.sent_bytes += sent as u64;
        if gone + sent == bytes.len() {
            self.spare.put_back(bytes);
            return Sending::Done;
        }
        // A short send set SOCK_NOSPACE in the kernel, so an edge will come when there is room.
        socket.unsent = Some((bytes, gone + sent));
        Sending::Pending
    }

    /// Fills `self.events`, sleeping no longer than `wait` allows.
    fn wait(&mut self, wait: Wait) -> io::Result<()> {
        let timeout = match wait {
            Wait::Poll => Some(Nanos::ZERO),
            Wait::Until(deadline) => {
                Some(exact_part(deadline.saturating_since(MonotonicClock.now())))
            }
            Wait::Forever => None,
        };
        self.counters.syscalls += 1;
        self.events.clear();
        let outcome = match timeout {
            // The older call is half the price where nothing has to be timed, and spinning is that.
            Some(Nanos::ZERO) => wait_millis(&self.poller, &mut self.events, timeout),
            _ if self.coarse => wait_millis(&self.poller, &mut self.events, timeout),
            _ => wait_nanos(&self.poller, &mut self.events, timeout),
        };
        match outcome {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && !self.coarse => {
                self.coarse = true;
                self.wait(wait)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn report_refused(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        for (id, error) in self.refused.drain(..) {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.phase = Phase::Failed;
                on_event(Event::Failed(id, error));
            }
        }
    }

    fn read_ready(&mut self, on_event: &mut impl FnMut(Event<'_>)) {
        std::mem::swap(&mut self.ready, &mut self.reading);
        while let Some(id) = self.reading.pop() {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            socket.queued = false;
            if socket.readable {
                // The edge that stands behind a FIN is gone; ask until the kernel says 0 or EAGAIN.
                self.receive(id, true, on_event);
            }
        }
    }

    /// Sees to it that the next turn reads what an edge announced. Once: a connection that stood in
    /// `ready` twice would be read twice a turn, and then queue itself four times.
    fn queue_if_readable(&mut self, id: ConnId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if socket.readable && !std::mem::replace(&mut socket.queued, true) {
            self.ready.push(id);
        }
    }
}

impl Outlet for Epoll {
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.take()
    }

    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        debug_assert!(!bytes.is_empty(), "an empty send would never complete");
        if let Some(socket) = self.sockets.get(id) {
            assert!(socket.unsent.is_none(), "one send per connection at a time");
        }
        if let Some(stamping) = &mut self.stamping {
            stamping.begin(id, bytes.len());
        }
        self.push_out(id, bytes, 0)
    }

    fn pause_receiving(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.paused = true;
        }
    }

    fn resume_receiving(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.paused = false;
            self.queue_if_readable(id);
        }
    }

    fn shutdown_write(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get(id) {
            self.counters.syscalls += 1;
            net::shutdown_write(socket.fd.as_fd());
        }
    }

    fn close(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.remove(id) {
            self.counters.syscalls += 1;
            if let Some(stamping) = &mut self.stamping {
                stamping.close(id);
            }
            drop(socket);
            self.resume_accepting();
        }
    }

    fn peer(&self, id: ConnId) -> Option<SocketAddr> {
        net::peer_of(self.sockets.get(id)?.fd.as_fd())
    }

    fn wake(&mut self, other: &Waker) {
        self.counters.syscalls += 1;
        other.wake();
    }
}

impl Driver for Epoll {
    fn listen(&mut self, listener: Listener) -> io::Result<()> {
        listener.set_nonblocking()?;
        self.quickack = listener.quickack();
        control(&self.poller, libc::EPOLL_CTL_ADD, listener.as_fd(), libc::EPOLLIN, LISTENER)?;
        self.accepting = Accepting::On(listener);
        Ok(())
    }

    fn stop_listening(&mut self, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        let Some(listener) = self.accepting.stop() else { return Ok(()) };
        net::refuse_handshakes(listener.as_fd());
        self.counters.syscalls += 2; // and the accept that finds nobody
        net::accept_all(listener.as_fd(), true, |fd| {
            self.counters.syscalls += 1;
            if let Ok(id) = self.register(fd, Phase::Open) {
                self.counters.accepted += 1;
                on_event(Event::Accepted(id));
            }
        });
        Ok(())
    }

    fn connect(&mut self, to: Address) -> io::Result<ConnId> {
        let socket = net::client_socket(to, true)?;
        self.counters.syscalls += 1;
        let begun = socket.connect(&to.to_sockaddr());
        let id = self.register(socket.into(), Phase::Connecting)?;
        match begun {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
                // On loopback, and on a Unix socket, a refusal comes at once; it is told like any
                // other.
                self.refused.push((id, error));
            }
            _ => {}
        }
        Ok(id)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn turn(&mut self, wait: Wait, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        self.counters.turns += 1;
        let sleeps = self.ready.is_empty() && self.refused.is_empty();
        let wait = if sleeps { wait } else { Wait::Poll };
        if self.accepting.due(|| MonotonicClock.now()) {
            self.resume_accepting();
        }
        self.wait(self.accepting.cap(wait))?;
        self.report_refused(&mut on_event);
        self.read_ready(&mut on_event);
        for index in 0..self.events.len() {
            let libc::epoll_event { events: flags, u64: cookie } = self.events[index];
            match cookie {
                LISTENER => self.accept_waiting(&mut on_event)?,
                WAKER => {
                    self.waker.drain();
                    on_event(Event::Woken);
                }
                _ => self.handle(id_of(cookie), flags, &mut on_event),
            }
        }
        Ok(())
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn stamps(&mut self) -> Option<&mut Stamping> {
        self.stamping.as_deref_mut()
    }
}

fn cookie_of(id: ConnId) -> u64 {
    u64::from(id.generation) << 32 | u64::from(id.slot)
}

fn id_of(cookie: u64) -> ConnId {
    Key { slot: cookie as u32, generation: (cookie >> 32) as u32 }
}

/// The part of a sleep that the kernel's slack cannot stretch past its end.
fn exact_part(sleep: Nanos) -> Nanos {
    if sleep > EXACT_SLEEP_MAX { Nanos(sleep.0 - sleep.0 / 128) } else { sleep }
}

fn control(
    poller: &OwnedFd,
    operation: i32,
    fd: BorrowedFd<'_>,
    interest: i32,
    cookie: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events: interest as u32, u64: cookie };
    // SAFETY: the kernel reads `event` during the call.
    match unsafe { libc::epoll_ctl(poller.as_raw_fd(), operation, fd.as_raw_fd(), &mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The error that a socket holds, of its connect or of a reset since; asking clears it (SO_ERROR).
fn take_error(fd: BorrowedFd<'_>) -> Option<io::Error> {
    match socket2::SockRef::from(&fd).take_error() {
        Ok(outcome) => outcome,
        Err(error) => Some(error),
    }
}

fn wait_nanos(
    poller: &OwnedFd,
    events: &mut Vec<libc::epoll_event>,
    timeout: Option<Nanos>,
) -> io::Result<()> {
    let timeout = timeout.map(|nanos| timespec(nanos.0));
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the kernel reads `timeout`, writes at most EVENTS_MAX entries into the spare capacity
    // of `events`, which is at least that, and keeps neither.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            poller.as_raw_fd(),
            events.as_mut_ptr(),
            EVENTS_MAX as libc::c_int,
            timeout,
            std::ptr::null::<libc::sigset_t>(),
            0usize,
        )
    };
    adopt(events, count)
}

/// Without `epoll_pwait2`: rounded up, since a deadline must not fire early and a sleep of 0 would spin.
fn wait_millis(
    poller: &OwnedFd,
    events: &mut Vec<libc::epoll_event>,
    timeout: Option<Nanos>,
) -> io::Result<()> {
    let timeout =
        timeout.map_or(-1, |nanos| i32::try_from(nanos.0.div_ceil(1_000_000)).unwrap_or(i32::MAX));
    // SAFETY: as in `wait_nanos`.
    let count = unsafe {
        libc::epoll_wait(poller.as_raw_fd(), events.as_mut_ptr(), EVENTS_MAX as i32, timeout)
    };
    adopt(events, libc::c_long::from(count))
}

fn adopt(events: &mut Vec<libc::epoll_event>, count: libc::c_long) -> io::Result<()> {
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    assert!(count <= events.capacity(), "the kernel was given room for {EVENTS_MAX} events");
    // SAFETY: the kernel has just initialised the first `count` entries.
    unsafe { events.set_len(count) };
    Ok(())
}

#[cfg(test)]
mod tests;
