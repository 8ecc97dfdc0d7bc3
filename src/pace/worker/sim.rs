//! A simulated kernel and server for the worker: one thread, fake time, behaviour given by a
//! closure.
//!
//! Every reading of the clock and every call costs a little time, so nothing spins for ever; a turn
//! that may sleep jumps to what comes next. A run is as reproducible as the closure.

use crate::clock::Clock;
use crate::io::{ConnId, Counters, Driver, Event, Outlet, Sending, Wait, net};
use crate::slab::Slab;
use crate::units::{Mono, Nanos};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a reading of the clock costs.
const READ_COST: u64 = 100;
/// What a call into the kernel costs, and each event it brings.
const CALL_COST: u64 = 2_000;

/// The time and what happens to the pacer in it.
#[derive(Default)]
pub(super) struct World {
    now: Cell<u64>,
    /// The pacer is stopped at this time, for this long.
    freezes: RefCell<Vec<(u64, u64)>>,
    /// When somebody presses Ctrl-C.
    pub(super) stop_at: Cell<Option<Mono>>,
    pub(super) stop: AtomicBool,
}

impl World {
    pub(super) fn at(start: Mono) -> Rc<World> {
        let world = World::default();
        world.now.set(start.0);
        Rc::new(world)
    }

    pub(super) fn freeze(&self, at: Mono, length: Nanos) {
        self.freezes.borrow_mut().push((at.0, length.0));
    }

    fn pass(&self, span: u64) {
        let mut now = self.now.get() + span;
        self.freezes.borrow_mut().retain(|(at, length)| {
            let is_ahead = *at > now;
            if !is_ahead {
                now += length;
            }
            is_ahead
        });
        self.now.set(now);
        if self.stop_at.get().is_some_and(|at| at.0 <= now) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn pass_until(&self, until: u64) {
        self.pass(until.saturating_sub(self.now.get()));
    }
}

/// The pacer's clock.
#[derive(Clone)]
pub(super) struct SimClock(pub(super) Rc<World>);

impl Clock for SimClock {
    fn now(&self) -> Mono {
        self.0.pass(READ_COST);
        Mono(self.0.now.get())
    }
}

/// What the server is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told<'a> {
    /// Somebody connects.
    Connect,
    /// A whole request.
    Request(&'a [u8]),
}

/// What the server makes happen on the same connection.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Connected,
    Refuse,
    /// The backlog of a Unix socket is full.
    Full,
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

/// What the server does: acts, each after a span from now, in order.
pub(super) type Acts = Vec<(Nanos, Act)>;

type Server = Box<dyn FnMut(Mono, Told<'_>) -> Acts>;

/// How sends go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendMode {
    /// At once.
    Direct,
    /// In the next turn, as a ring does it.
    Batched,
}

pub(super) struct SimDriver {
    world: Rc<World>,
    server: Server,
    mode: SendMode,
    conns: Slab<SimConn>,
    /// By time, then in the order they were caused.
    pending: BTreeMap<(u64, u64), (ConnId, Act)>,
    caused: u64,
    batch: Vec<(ConnId, Vec<u8>)>,
    pub(super) log: Rc<RefCell<Log>>,
}

/// What a test may ask about afterwards.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// When each request arrived at the server.
    pub(super) arrivals: Vec<Mono>,
    /// Connections open at once, at most.
    pub(super) open_max: usize,
    /// Connections opened and not closed.
    pub(super) open: usize,
}

struct SimConn {
    /// The kernel told that it is broken; nothing may be told after that.
    is_broken: bool,
    is_sending: bool,
}

impl SimDriver {
    pub(super) fn new(
        world: &Rc<World>,
        mode: SendMode,
        server: impl FnMut(Mono, Told<'_>) -> Acts + 'static,
    ) -> SimDriver {
        SimDriver {
            world: Rc::clone(world),
            server: Box::new(server),
            mode,
            conns: Slab::new(),
            pending: BTreeMap::new(),
            caused: 0,
            batch: Vec::new(),
            log: Rc::default(),
        }
    }

    fn tell(&mut self, id: ConnId, told: Told<'_>) {
        let now = self.world.now.get();
        let mut last = now;
        for (after, act) in (self.server)(Mono(now), told) {
            last = last.max(now + after.0);
            self.caused += 1;
            self.pending.insert((last, self.caused), (id, act));
        }
    }

    fn arrive(&mut self, id: ConnId, bytes: &[u8]) {
        self.log.borrow_mut().arrivals.push(Mono(self.world.now.get()));
        self.tell(id, Told::Request(bytes));
    }

    fn deliver(&mut self, id: ConnId, act: Act, on_event: &mut impl FnMut(Event<'_>)) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.is_broken) else { return };
        self.world.pass(CALL_COST);
        match act {
            Act::Connected => on_event(Event::Connected(id)),
            Act::Bytes(bytes) => on_event(Event::Received(id, &bytes)),
            Act::Fin => on_event(Event::ReceivedEnd(id)),
            Act::Full => {
                conn.is_broken = true;
                on_event(Event::Failed(id, io::ErrorKind::WouldBlock.into()));
            }
            Act::Refuse | Act::Reset => {
                conn.is_broken = true;
                on_event(Event::Failed(id, io::ErrorKind::ConnectionReset.into()));
            }
        }
    }
}

impl Outlet for SimDriver {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        let conn = self.conns.get_mut(id).expect("the worker sends on live connections only");
        assert!(!conn.is_sending, "one send per connection at a time");
        if conn.is_broken {
            return Sending::Failed(io::ErrorKind::BrokenPipe.into());
        }
        if self.mode == SendMode::Batched {
            conn.is_sending = true;
            self.batch.push((id, bytes));
            return Sending::Pending;
        }
        self.world.pass(CALL_COST);
        self.arrive(id, &bytes);
        Sending::Done
    }

    fn pause_receiving(&mut self, _: ConnId) {}

    fn resume_receiving(&mut self, _: ConnId) {}

    fn shutdown_write(&mut self, _: ConnId) {}

    fn close(&mut self, id: ConnId) {
        self.world.pass(CALL_COST);
        self.conns.remove(id).expect("a connection is closed once");
        self.log.borrow_mut().open = self.conns.len();
    }
}

impl Driver for SimDriver {
    fn listen(&mut self, _: net::Listener) -> io::Result<()> {
        unreachable!("a pacer does not listen")
    }

    fn stop_listening(&mut self) {}

    fn connect(&mut self, _: net::Address) -> io::Result<ConnId> {
        self.world.pass(20 * CALL_COST);
        let id = self.conns.insert(SimConn { is_broken: false, is_sending: false });
        {
            let mut log = self.log.borrow_mut();
            log.open = self.conns.len();
            log.open_max = log.open_max.max(log.open);
        }
        self.tell(id, Told::Connect);
        Ok(id)
    }

    fn waker(&self) -> net::Waker {
        unreachable!("a pacer is not woken")
    }

    fn turn(&mut self, wait: Wait, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        self.world.pass(CALL_COST);
        for (id, bytes) in std::mem::take(&mut self.batch) {
            if let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.is_broken) {
                conn.is_sending = false;
                self.arrive(id, &bytes);
                on_event(Event::Sent(id));
            }
        }
        if let Wait::Until(until) = wait {
            let next = self.pending.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            self.world.pass_until(next.min(until.0));
        }
        // What falls due while this turn delivers is for the next one.
        let now = self.world.now.get();
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (id, act) = entry.remove();
            self.deliver(id, act, &mut on_event);
        }
        Ok(())
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// An answer of 200 with so many bytes of content.
pub(super) fn answer(content_bytes: usize) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {content_bytes}\r\n\r\n").into_bytes();
    bytes.resize(bytes.len() + content_bytes, b'x');
    bytes
}

/// A server that accepts after 30 us and answers each request after `latency` of when it came.
pub(super) fn steady(mut latency: impl FnMut(Mono) -> Nanos) -> impl FnMut(Mono, Told<'_>) -> Acts {
    move |now, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => vec![(latency(now), Act::Bytes(answer(2)))],
    }
}
