//! A simulated network under real workers: virtual time, seeded, one thread.
//!
//! [`SimDriver`] is a [`Driver`] whose kernel is a [`Net`] of [`Link`]s. It receives in pieces, takes
//! sends in part, completes them late, and breaks links, as its seed says. What a worker gave to send,
//! and when, is kept in [`Link::sent`]; what it was given, in [`Link::given`]. [`Sim`] lets workers
//! sleep for real: a worker that chose to wait runs again only when its driver has something or its
//! time has come, so a wake-up that is lost is a test that fails.
//!
//! Not here: what clients say and what the answers should be; see `tests`.

use super::Worker;
use crate::clock::{Clock, FakeClock};
use crate::home::Home;
use crate::io::net::{Address, Listener, Waker};
use crate::io::wait::{WaitMode, Waiting};
use crate::io::{ConnId, Counters, Driver, Event, Outlet, Sending, Wait};
use crate::rng::Rng;
use crate::serve::floor::Shared;
use crate::serve::metrics::Metrics;
use crate::serve::settings::{Quotas, Settings};
use crate::slab::Slab;
use crate::units::{Mono, Nanos};
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One virtual time for all.
#[derive(Clone)]
pub(super) struct SimClock(Rc<FakeClock>);

impl Clock for SimClock {
    fn now(&self) -> Mono {
        self.0.now()
    }
}

/// One TCP connection, and everything that happened on it.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// What the client has sent and the worker has not received.
    pub(super) up: VecDeque<u8>,
    /// FIN stands behind `up`.
    pub(super) up_end: bool,
    /// The client reset the connection.
    pub(super) reset: bool,
    /// The kernel takes everything at once, and says so at once.
    pub(super) prompt: bool,
    /// What the kernel has taken and the client has not read.
    pub(super) down: VecDeque<u8>,
    /// Beyond it the kernel takes no more.
    pub(super) down_bytes_max: usize,
    /// All that the client has read.
    pub(super) read: Vec<u8>,
    /// When FIN came to stand behind `down`, or the socket was closed.
    pub(super) down_ended_at: Option<Mono>,
    /// When the worker closed the socket.
    pub(super) closed_at: Option<Mono>,
    /// It did so in the middle of what it had given to send.
    pub(super) cut: bool,
    /// Nobody listened.
    pub(super) refused: bool,
    /// What the worker gave to send, and when.
    pub(super) sent: Vec<(Mono, Vec<u8>)>,
    /// How many bytes in all the worker had received, and when.
    pub(super) given: Vec<(Mono, usize)>,
}

impl Link {
    pub(super) fn given_bytes(&self) -> usize {
        self.given.last().map_or(0, |(_, bytes)| *bytes)
    }

    /// The client reads up to `limit` bytes.
    pub(super) fn read(&mut self, limit: usize) {
        let len = limit.min(self.down.len());
        self.read.extend(self.down.drain(..len));
    }
}

/// The kernel of all drivers.
pub(super) struct Net {
    pub(super) links: Vec<Link>,
    pub(super) rng: Rng,
    /// How much one receive brings, if it is there.
    pub(super) receive_bytes: Range<u64>,
    /// By worker: links that wait to be accepted.
    backlog: Vec<VecDeque<usize>>,
    listening: Vec<bool>,
}

type SharedNet = Rc<RefCell<Net>>;

impl Net {
    /// A client connects to `worker`.
    pub(super) fn connect(&mut self, worker: usize, link: Link) -> usize {
        let refused = !self.listening[worker];
        let index = self.links.len();
        self.links.push(Link { refused, ..link });
        if !refused {
            self.backlog[worker].push_back(index);
        }
        index
    }
}

pub(super) struct SimDriver {
    net: SharedNet,
    clock: SimClock,
    worker: usize,
    sockets: Slab<Socket>,
    waker: Waker,
    woken: bool,
    counters: Counters,
}

struct Socket {
    link: usize,
    paused: bool,
    ended: bool,
    failed: bool,
    sending: Option<Pending>,
}

struct Pending {
    rest: VecDeque<u8>,
    /// All is with the kernel, which will say so then.
    done_at: Option<Mono>,
}

/// Chosen: several requests, so that pipelines come whole as well as in pieces.
const RECEIVE_BYTES: Range<u64> = 1..600;
/// Chosen: longer than a device takes, shorter than any deadline.
const COMPLETION_DELAY_MAX: Nanos = Nanos::from_millis(5);

impl SimDriver {
    fn new(net: SharedNet, clock: SimClock, worker: usize) -> SimDriver {
        SimDriver {
            net,
            clock,
            worker,
            sockets: Slab::new(),
            waker: Waker::new().expect("an eventfd is to be had"),
            woken: false,
            counters: Counters::default(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.sockets.len()
    }

    /// Whether a turn would find something now.
    fn has_work(&mut self) -> bool {
        self.woken |= self.waker.drain();
        self.woken || self.next_due().is_some_and(|due| due <= self.clock.now())
    }

    /// When the next thing happens, if nobody does anything.
    fn next_due(&self) -> Option<Mono> {
        let net = self.net.borrow();
        let now = self.clock.now();
        let accept = (!net.backlog[self.worker].is_empty()).then_some(now);
        let sockets = self.sockets.keys().filter_map(|id| {
            let socket = self.sockets.get(id)?;
            socket.next_due(&net.links[socket.link], now)
        });
        accept.into_iter().chain(sockets).min()
    }

    fn accept_all(&mut self, events: &mut Vec<Happening>) {
        let mut net = self.net.borrow_mut();
        while let Some(link) = net.backlog[self.worker].pop_front() {
            let (paused, ended, failed) = (false, false, false);
            let id = self.sockets.insert(Socket { link, paused, ended, failed, sending: None });
            self.counters.accepted += 1;
            events.push(Happening::Accepted(id));
        }
    }
}

/// An event that owns its bytes.
enum Happening {
    Accepted(ConnId),
    Received(ConnId, Vec<u8>),
    End(ConnId),
    Sent(ConnId),
    Failed(ConnId),
}

impl Happening {
    fn tell(&self, on_event: &mut impl FnMut(Event<'_>)) {
        on_event(match self {
            Happening::Accepted(id) => Event::Accepted(*id),
            Happening::Received(id, bytes) => Event::Received(*id, bytes),
            Happening::End(id) => Event::ReceivedEnd(*id),
            Happening::Sent(id) => Event::Sent(*id),
            Happening::Failed(id) => {
                Event::Failed(*id, io::Error::from(io::ErrorKind::ConnectionReset))
            }
        });
    }
}

impl Socket {
    /// In keeping with `happen`: what it would do at once is due now.
    fn next_due(&self, link: &Link, now: Mono) -> Option<Mono> {
        if self.failed {
            return None;
        }
        let receives = !self.paused && !link.up.is_empty();
        let ends = !self.paused && link.up.is_empty() && link.up_end && !self.ended;
        let sends = self.sending.as_ref().and_then(|pending| match pending.done_at {
            Some(at) => Some(at.max(now)),
            None => (link.down.len() < link.down_bytes_max).then_some(now),
        });
        (receives || ends || link.reset).then_some(now).or(sends)
    }

    /// Lets the kernel of this socket get on, and tells what came of it.
    fn happen(&mut self, id: ConnId, net: &mut Net, now: Mono, events: &mut Vec<Happening>) {
        if self.failed {
            return;
        }
        let Net { links, rng, receive_bytes, .. } = net;
        let link = &mut links[self.link];
        if link.reset {
            self.failed = true;
            self.sending = None;
            return events.push(Happening::Failed(id));
        }
        if let Some(pending) = &mut self.sending {
            pending.push_out(link, rng, now);
            if pending.done_at.is_some_and(|at| at <= now) {
                self.sending = None;
                events.push(Happening::Sent(id));
            }
        }
        if !self.paused && !link.up.is_empty() {
            let Range { start, end } = *receive_bytes;
            let len = ((start + rng.below(end - start)) as usize).min(link.up.len());
            let bytes: Vec<u8> = link.up.drain(..len).collect();
            link.given.push((now, link.given_bytes() + len));
            events.push(Happening::Received(id, bytes));
        } else if !self.paused && link.up_end && !self.ended {
            self.ended = true;
            events.push(Happening::End(id));
        }
    }
}

impl Pending {
    /// Moves what there is room for; a part of it, as kernels may.
    fn push_out(&mut self, link: &mut Link, rng: &mut Rng, now: Mono) {
        let room = link.down_bytes_max.saturating_sub(link.down.len()).min(self.rest.len());
        let len = if link.prompt || room == 0 { room } else { 1 + rng.below(room as u64) as usize };
        link.down.extend(self.rest.drain(..len));
        if self.rest.is_empty() && self.done_at.is_none() {
            let late = !link.prompt && rng.chance(0.5);
            let delay = if late { rng.below(COMPLETION_DELAY_MAX.0) } else { 0 };
            self.done_at = Some(now + Nanos(delay));
        }
    }
}

impl Outlet for SimDriver {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        assert!(!bytes.is_empty(), "an empty send would never complete");
        let Some(socket) = self.sockets.get_mut(id) else { return Sending::Done };
        assert!(socket.sending.is_none(), "one send per connection at a time");
        assert!(!socket.failed, "it was told that the connection is broken");
        let now = self.clock.now();
        let mut net = self.net.borrow_mut();
        let Net { links, rng, .. } = &mut *net;
        let link = &mut links[socket.link];
        assert!(link.down_ended_at.is_none(), "it has sent FIN");
        if link.reset && rng.chance(0.5) {
            socket.failed = true;
            return Sending::Failed(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        link.sent.push((now, bytes.clone()));
        let mut pending = Pending { rest: bytes.into(), done_at: None };
        pending.push_out(link, rng, now);
        if pending.done_at == Some(now) && (link.prompt || rng.chance(0.5)) {
            return Sending::Done;
        }
        socket.sending = Some(pending);
        Sending::Pending
    }

    fn pause_receiving(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.paused = true;
        }
    }

    fn resume_receiving(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.paused = false;
        }
    }

    fn shutdown_write(&mut self, id: ConnId) {
        if let Some(socket) = self.sockets.get(id) {
            assert!(socket.sending.is_none(), "FIN while a send is pending");
            self.net.borrow_mut().links[socket.link].down_ended_at = Some(self.clock.now());
        }
    }

    fn close(&mut self, id: ConnId) {
        let Some(socket) = self.sockets.remove(id) else { return };
        let link = &mut self.net.borrow_mut().links[socket.link];
        link.closed_at = Some(self.clock.now());
        link.down_ended_at = link.down_ended_at.or(link.closed_at);
        link.cut = socket.sending.is_some_and(|pending| !pending.rest.is_empty());
    }
}

impl Driver for SimDriver {
    fn listen(&mut self, _: Listener) -> io::Result<()> {
        unreachable!("the simulation accepts by itself")
    }

    fn stop_listening(&mut self, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        self.net.borrow_mut().listening[self.worker] = false;
        let mut events = Vec::new();
        self.accept_all(&mut events);
        events.iter().for_each(|event| event.tell(&mut on_event));
        Ok(())
    }

    fn connect(&mut self, _: Address) -> io::Result<ConnId> {
        unreachable!("a server does not connect")
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn turn(&mut self, _: Wait, mut on_event: impl FnMut(Event<'_>)) -> io::Result<()> {
        self.counters.turns += 1;
        self.woken |= self.waker.drain();
        if std::mem::take(&mut self.woken) {
            on_event(Event::Woken);
        }
        let mut events = Vec::new();
        self.accept_all(&mut events);
        let now = self.clock.now();
        let mut ids: Vec<ConnId> = self.sockets.keys().collect();
        let mut net = self.net.borrow_mut();
        shuffle(&mut ids, &mut net.rng);
        for id in ids {
            let socket = self.sockets.get_mut(id).expect("just listed");
            for _ in 0..=net.rng.below(3) {
                socket.happen(id, &mut net, now, &mut events);
            }
        }
        drop(net);
        events.iter().for_each(|event| event.tell(&mut on_event));
        Ok(())
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

impl Drop for SimDriver {
    fn drop(&mut self) {
        let ids: Vec<ConnId> = self.sockets.keys().collect();
        ids.into_iter().for_each(|id| self.close(id));
    }
}

pub(super) fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

/// A worker, and how it sleeps.
struct Bed {
    worker: Worker<SimDriver, SimClock>,
    /// What it chose; `None` between turns.
    asleep: Option<Wait>,
}

/// Workers that share a home, their network, and time.
pub(super) struct Sim {
    pub(super) clock: SimClock,
    pub(super) net: SharedNet,
    pub(super) home: Arc<Home>,
    pub(super) settings: Arc<Settings>,
    /// When each event was published, by seq; the first stands for no event.
    pub(super) published_at: Vec<Mono>,
    /// When the last worker ended.
    pub(super) ended_at: Option<Mono>,
    beds: Vec<Bed>,
    stop: Arc<AtomicBool>,
    wakers: Arc<[Waker]>,
    /// Turns since time last moved.
    turns_at_once: u32,
}

/// Chosen: many times what the clients of one moment can cause; a worker that spins comes there soon.
const TURNS_AT_ONCE_MAX: u32 = 20_000;

/// Output of one request that may be taken on when the bound is nearly met.
const OUTPUT_SLACK: usize = 1_000;

impl Sim {
    pub(super) fn new(seed: u64, workers: usize, settings: Settings) -> Sim {
        let clock = SimClock(Rc::new(FakeClock::at(Mono(1_000_000_000))));
        let net = Rc::new(RefCell::new(Net {
            links: Vec::new(),
            rng: Rng::new(seed),
            receive_bytes: RECEIVE_BYTES,
            backlog: vec![VecDeque::new(); workers],
            listening: vec![true; workers],
        }));
        let shared = Shared {
            home: Arc::new(Home::new(64)),
            settings: Arc::new(settings),
            metrics: Metrics::new((0..workers).map(|index| index.to_string())),
            admitted: Arc::default(),
        };
        let drivers: Vec<SimDriver> = (0..workers)
            .map(|index| SimDriver::new(Rc::clone(&net), clock.clone(), index))
            .collect();
        let wakers: Arc<[Waker]> = drivers.iter().map(Driver::waker).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let bed = |(core, driver)| {
            let waiting = Waiting::new(WaitMode::Block, clock.now());
            let (wakers, stop) = (Arc::clone(&wakers), Arc::clone(&stop));
            let clock = clock.clone();
            let worker = Worker::new(driver, clock, core, shared.clone(), waiting, wakers, stop);
            Bed { worker, asleep: None }
        };
        let beds = drivers.into_iter().enumerate().map(bed).collect();
        Sim {
            beds,
            net,
            home: shared.home,
            settings: shared.settings,
            published_at: vec![clock.now()],
            ended_at: None,
            clock,
            stop,
            wakers,
            turns_at_once: 0,
        }
    }

    pub(super) fn net(&self) -> RefMut<'_, Net> {
        self.net.borrow_mut()
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
    }

    /// Runs every worker that has reason to, until none has.
    pub(super) fn run_workers(&mut self) {
        loop {
            let mut order: Vec<usize> = (0..self.beds.len()).collect();
            shuffle(&mut order, &mut self.net().rng);
            let mut any = false;
            let mut over = None;
            for index in order {
                let now = self.clock.now();
                let bed = &mut self.beds[index];
                let wait = *bed.asleep.get_or_insert_with(|| bed.worker.choose_wait());
                let has_work = bed.worker.driver.has_work();
                let wakes = match wait {
                    Wait::Poll => true,
                    Wait::Until(at) => at <= now || has_work,
                    Wait::Forever => has_work,
                };
                if wakes {
                    any = true;
                    bed.asleep = None;
                    let end = bed.worker.turn(wait).expect("the simulated driver does not break");
                    let told = bed.worker.drain_if_told();
                    told.expect("the simulated driver does not break");
                    if bed.worker.is_drained(end) {
                        over = Some(index);
                    }
                    self.check_bounds(index);
                    self.note_published();
                }
            }
            if let Some(index) = over {
                self.beds.remove(index);
                self.ended_at = Some(self.clock.now());
            } else if !any {
                return;
            }
        }
    }

    fn check_bounds(&mut self, index: usize) {
        self.turns_at_once += 1;
        assert!(self.turns_at_once < TURNS_AT_ONCE_MAX, "a worker spins");
        // A turn may bring as much as it likes before the pause it leads to.
        let inbox_slack = 4 * self.net().receive_bytes.end as usize;
        let floor = &self.beds[index].worker.station.floor;
        // One timer a connection, whatever happened to its deadline.
        assert!(floor.timers() <= floor.open() && floor.parked() <= floor.open());
        for (inbox, output) in floor.held_bytes() {
            assert!(inbox <= Quotas::default().inbox_bytes_max + inbox_slack, "{inbox} bytes in");
            let output_max = Quotas::default().output_bytes_max + OUTPUT_SLACK;
            assert!(output <= output_max, "{output} bytes out");
        }
    }

    fn note_published(&mut self) {
        let newest = self.home.newest().0 as usize;
        self.published_at.resize(newest + 1, self.clock.now());
    }

    /// Moves time on to the next thing that workers or kernel wait for, `other` at the latest;
    /// `false` if there is none.
    pub(super) fn advance(&mut self, other: Option<Mono>) -> bool {
        let waits = self.beds.iter().filter_map(|bed| match bed.asleep {
            Some(Wait::Until(at)) => Some(at),
            _ => None,
        });
        let kernel = self.beds.iter().filter_map(|bed| bed.worker.driver.next_due());
        let Some(next) = waits.chain(kernel).chain(other).min() else { return false };
        let now = self.clock.now();
        if next > now {
            self.clock.0.advance(next - now);
            self.turns_at_once = 0;
        }
        true
    }

    /// Every connection has gone, and nothing of it is left behind.
    pub(super) fn check_nothing_left(&self) {
        for bed in &self.beds {
            let (worker, floor) = (&bed.worker, &bed.worker.station.floor);
            let left = (floor.open(), floor.timers(), floor.parked(), worker.driver.open());
            assert_eq!(left, (0, 0, 0, 0), "connections, timers, parked polls, sockets");
        }
    }
}
