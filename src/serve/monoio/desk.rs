//! What the tasks of one core share: its station, the state of each connection's socket, the alarm.
//!
//! An event is handled at once by the task that awaited it: into the floor, then the second pass for
//! what that changed. The first event of a batch reads the clock and wakes the root future, which the
//! runtime polls after all tasks have run and before it sleeps; so the root's poll is the end of the
//! turn ([`Desk::poll_root`]): timers, other cores' events, the announcement of the sleep, the alarm.
//!
//! Every borrow of the state ends before the next await. System calls are the runtime's and are not
//! counted here.

use super::super::station::Station;
use crate::clock::Clock;
use crate::io::accepting::Accepting;
use crate::io::alarm::Alarm;
use crate::io::clock::{MonotonicClock, wall_secs};
use crate::io::net;
use crate::io::{ConnId, Counters, Outlet, Sending};
use crate::serve::floor::Floor;
use crate::slab::Slab;
use crate::spare::SpareBuffers;
use crate::units::Mono;
use monoio::io::{CancelHandle, Canceller};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

/// See the file's head.
pub(super) struct Desk(RefCell<State>);

struct State {
    station: Station,
    lines: Lines,
    alarm: Alarm,
    /// The time of this batch, once its first event has ended the sleep.
    batch: Option<Mono>,
    /// The listener is the accepting task's.
    accepting: Accepting<()>,
    canceller: Option<Canceller>,
    /// Tasks that have not ended.
    tasks: usize,
    /// What the accepting broke on.
    failure: Option<io::Error>,
    /// Everything is drained: the tasks end.
    over: bool,
    /// Never sleep.
    spin: bool,
    /// The task that sees to that.
    spinner: Option<Waker>,
    root: Option<Waker>,
    acceptor: Option<Waker>,
    /// Tasks that let the others have their turn.
    resting: Vec<Waker>,
    /// The tasks that end when `over` is set, each in its place.
    attendants: [Option<Waker>; Attendant::COUNT],
}

/// A task that waits for something that is no connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attendant {
    /// For the alarm.
    Alarm,
    /// For other cores.
    Wakes,
}

impl Attendant {
    const COUNT: usize = Attendant::Wakes as usize + 1;
}

/// What the second pass tells the connections' tasks.
struct Lines {
    slab: Slab<Line>,
    spare: SpareBuffers,
    counters: Counters,
    /// The connection whose task is running: it need not be woken to see its output.
    current: Option<ConnId>,
    /// A descriptor was given back since the end of the last turn.
    freed: bool,
}

#[derive(Default)]
struct Line {
    peer: Option<SocketAddr>,
    outgoing: Option<Vec<u8>>,
    shutdown: bool,
    paused: bool,
    closed: bool,
    /// The receiver has handed bytes over and lets the sender go first.
    yielded: bool,
    task: Option<Waker>,
}

/// What a connection's sender does next.
pub(super) enum Order {
    Send(Vec<u8>),
    ShutdownWrite,
}

impl Desk {
    pub(super) fn new(station: Station, alarm: Alarm, spin: bool) -> Desk {
        Desk(RefCell::new(State {
            station,
            lines: Lines {
                slab: Slab::new(),
                spare: net::spare_buffers(),
                counters: Counters::default(),
                current: None,
                freed: false,
            },
            alarm,
            batch: None,
            accepting: Accepting::On(()),
            canceller: Some(Canceller::new()),
            tasks: 0,
            failure: None,
            over: false,
            spin,
            spinner: None,
            root: None,
            acceptor: None,
            resting: Vec::new(),
            attendants: [const { None }; Attendant::COUNT],
        }))
    }

    /// The end of a turn. Ready once the server is drained and all tasks have ended.
    pub(super) fn poll_root(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        register(&mut state.root, cx);
        state.end_turn();
        state.resting.drain(..).for_each(Waker::wake);
        if !state.over || state.tasks > 0 {
            return Poll::Pending;
        }
        Poll::Ready(state.failure.take().map_or(Ok(()), Err))
    }

    /// Something happened that is no connection's: the alarm, or another core. Reads the clock itself,
    /// since the batch may have begun before the alarm was due, and moves the batch on: what comes after
    /// the timers in it does not come before them in time. Sets the alarm to the future only: on epoll
    /// its task would find one that is due again at once, and go on without an end of the turn. What is
    /// due still is the root's to do, which comes next and sets the alarm too.
    pub(super) fn attend(&self) {
        let mut state = self.0.borrow_mut();
        state.begin_batch();
        let now = MonotonicClock.now();
        state.batch = Some(now);
        state.advance(now);
        let next = state.next_wake().filter(|next| *next > now);
        state.alarm.set(next);
    }

    /// Whether everything is over; if not, `attendant` is woken when it is. It has one place, whatever
    /// its wakers look like: those of monoio do not always own to waking the same task.
    pub(super) fn poll_over(&self, attendant: Attendant, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.over {
            return Poll::Ready(());
        }
        register(&mut state.attendants[attendant as usize], cx);
        Poll::Pending
    }

    /// Has the turn end once more, and the caller's task woken by that: together they keep the
    /// runtime from sleeping. Ready when everything is over.
    pub(super) fn poll_spinning(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if state.over {
            return Poll::Ready(());
        }
        register(&mut state.spinner, cx);
        state.wake_root();
        Poll::Pending
    }

    /// Has the running task run again once all others have had their turn. The root wakes it: one that
    /// wakes itself is put before all others by monoio, and would starve them for as long as it finds
    /// something to do.
    pub(super) fn rest(&self, cx: &Context<'_>) {
        let mut state = self.0.borrow_mut();
        state.resting.push(cx.waker().clone());
        state.wake_root();
    }

    pub(super) fn task_began(&self) {
        self.0.borrow_mut().tasks += 1;
    }

    pub(super) fn task_ended(&self) {
        let mut state = self.0.borrow_mut();
        state.tasks -= 1;
        state.wake_root();
    }

    /// Whether to accept another connection; waits while descriptors are short.
    pub(super) fn poll_accepting(&self, cx: &mut Context<'_>) -> Poll<Option<CancelHandle>> {
        let mut state = self.0.borrow_mut();
        match state.accepting {
            Accepting::On(()) => Poll::Ready(state.canceller.as_ref().map(Canceller::handle)),
            Accepting::Off => Poll::Ready(None),
            Accepting::Paused(..) => {
                register(&mut state.acceptor, cx);
                Poll::Pending
            }
        }
    }

    pub(super) fn pause_accepting(&self) {
        let mut state = self.0.borrow_mut();
        if state.accepting.pause(MonotonicClock.now()).is_some() {
            state.lines.counters.accept_pauses += 1;
        }
        state.wake_root();
    }

    /// Nothing more will be accepted: the drain can begin, or the server is broken by `failure`.
    pub(super) fn accepting_ended(&self, failure: Option<io::Error>) {
        let mut state = self.0.borrow_mut();
        let now = state.begin_batch();
        state.accepting = Accepting::Off;
        state.failure = failure;
        state.station.drain(now);
        state.second_pass(now);
    }

    /// Takes in an accepted connection.
    pub(super) fn accept(&self, peer: SocketAddr) -> ConnId {
        let mut state = self.0.borrow_mut();
        let now = state.begin_batch();
        state.lines.counters.accepted += 1;
        let id = state.lines.slab.insert(Line { peer: Some(peer), ..Line::default() });
        state.station.floor.accept(now, id);
        state.second_pass(now);
        id
    }

    /// Bytes of the peer.
    pub(super) fn receive(&self, id: ConnId, bytes: &[u8]) {
        self.handle(id, |floor, lines, now| {
            lines.counters.received_bytes += bytes.len() as u64;
            floor.receive(now, id, bytes);
        });
    }

    /// The peer's FIN.
    pub(super) fn end(&self, id: ConnId) {
        self.handle(id, |floor, _, now| floor.end(now, id));
    }

    /// The kernel has taken all of `bytes`, which can be used again.
    pub(super) fn sent(&self, id: ConnId, bytes: Vec<u8>) {
        self.handle(id, |floor, lines, now| {
            lines.counters.sent_bytes += bytes.len() as u64;
            lines.spare.put_back(bytes);
            floor.sent(now, id);
        });
    }

    /// The connection is broken.
    pub(super) fn fail(&self, id: ConnId) {
        self.handle(id, |floor, _, _| floor.fail(id));
    }

    /// Lets the floor of the running connection `id` handle something, then does what it changed.
    fn handle(&self, id: ConnId, act: impl FnOnce(&mut Floor, &mut Lines, Mono)) {
        let mut state = self.0.borrow_mut();
        let now = state.begin_batch();
        let State { station, lines, .. } = &mut *state;
        lines.current = Some(id);
        act(&mut station.floor, lines, now);
        station.second_pass(now, lines);
        lines.current = None;
    }

    /// The task of a connection has ended; its socket is closed.
    pub(super) fn forget(&self, id: ConnId) {
        let mut state = self.0.borrow_mut();
        state.lines.slab.remove(id);
        state.lines.freed = true;
    }

    /// Whether the connection's socket has to be closed. Every other wait of its task relies on the
    /// waker that is left here.
    pub(super) fn is_closed(&self, id: ConnId, cx: &mut Context<'_>) -> bool {
        let mut state = self.0.borrow_mut();
        let Some(line) = state.lines.slab.get_mut(id) else { return true };
        register(&mut line.task, cx);
        line.closed
    }

    pub(super) fn poll_order(&self, id: ConnId) -> Poll<Order> {
        let mut state = self.0.borrow_mut();
        let Some(line) = state.lines.slab.get_mut(id) else { return Poll::Pending };
        if let Some(bytes) = line.outgoing.take() {
            return Poll::Ready(Order::Send(bytes));
        }
        match std::mem::take(&mut line.shutdown) {
            true => Poll::Ready(Order::ShutdownWrite),
            false => Poll::Pending,
        }
    }

    /// Whether the peer's bytes are welcome.
    pub(super) fn poll_receiving(&self, id: ConnId) -> Poll<()> {
        match self.0.borrow().lines.slab.get(id) {
            Some(line) if !line.paused => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Lets the sender of the same task go first.
    pub(super) fn yield_to_sender(&self, id: ConnId) {
        if let Some(line) = self.0.borrow_mut().lines.slab.get_mut(id) {
            line.yielded = true;
        }
    }

    /// Whether the receiver has yielded since the last call.
    pub(super) fn take_yielded(&self, id: ConnId) -> bool {
        let mut state = self.0.borrow_mut();
        state.lines.slab.get_mut(id).is_some_and(|line| std::mem::take(&mut line.yielded))
    }
}

impl State {
    /// The time of this batch. Its first event ends the sleep.
    fn begin_batch(&mut self) -> Mono {
        if let Some(now) = self.batch {
            return now;
        }
        let now = MonotonicClock.now();
        self.batch = Some(now);
        self.station.floor.set_wall_secs(wall_secs());
        self.station.end_sleep();
        self.wake_root();
        now
    }

    fn end_turn(&mut self) {
        if self.batch.is_none() {
            self.station.floor.set_wall_secs(wall_secs());
        }
        let now = loop {
            let now = MonotonicClock.now();
            self.advance(now);
            if self.spin || self.station.may_sleep(now) {
                break now;
            }
        };
        if self.station.must_drain() {
            self.stop_accepting();
        }
        self.resume_accepting(now);
        if self.station.is_drained(now) && !self.over {
            self.end();
        }
        let next = self.next_wake();
        if next.is_some_and(|next| self.alarm.at().is_none_or(|at| next < at)) {
            self.alarm.set(next);
        }
        self.lines.counters.turns += 1;
        self.batch = None;
        // In a turn without a batch too: a timer may have closed a connection.
        self.station.count(&self.lines.counters);
        wake(&self.spinner);
    }

    fn advance(&mut self, now: Mono) {
        self.station.advance(now, &mut self.lines);
        self.second_pass(now);
    }

    fn second_pass(&mut self, now: Mono) {
        self.station.second_pass(now, &mut self.lines);
    }

    fn next_wake(&self) -> Option<Mono> {
        self.station.next_wake().into_iter().chain(self.accepting.until()).min()
    }

    /// Ends the accept that is under way; its task begins the drain.
    fn stop_accepting(&mut self) {
        self.accepting = Accepting::Off;
        if let Some(canceller) = self.canceller.take() {
            canceller.cancel();
        }
        wake(&self.acceptor);
    }

    fn resume_accepting(&mut self, now: Mono) {
        let freed = std::mem::take(&mut self.lines.freed);
        if (freed || self.accepting.due(|| now)) && self.accepting.resume().is_some() {
            wake(&self.acceptor);
        }
    }

    /// Closes what is still open, and ends the tasks.
    fn end(&mut self) {
        self.over = true;
        let open: Vec<ConnId> = self.lines.slab.keys().collect();
        open.into_iter().for_each(|id| self.lines.close(id));
        self.attendants.iter().for_each(wake);
    }

    fn wake_root(&self) {
        wake(&self.root);
    }
}

impl Lines {
    fn change(&mut self, id: ConnId, change: impl FnOnce(&mut Line)) {
        let Some(line) = self.slab.get_mut(id) else { return };
        change(line);
        wake(&line.task);
    }
}

impl Outlet for Lines {
    fn buffer(&mut self) -> Vec<u8> {
        self.spare.take()
    }

    fn send(&mut self, id: ConnId, bytes: Vec<u8>) -> Sending {
        if let Some(line) = self.slab.get_mut(id) {
            debug_assert!(line.outgoing.is_none(), "one send per connection at a time");
            line.outgoing = Some(bytes);
            if self.current != Some(id) {
                wake(&line.task);
            }
        }
        Sending::Pending
    }

    /// What the receive that is under way brings still comes up.
    fn pause_receiving(&mut self, id: ConnId) {
        if let Some(line) = self.slab.get_mut(id) {
            line.paused = true;
        }
    }

    fn resume_receiving(&mut self, id: ConnId) {
        self.change(id, |line| line.paused = false);
    }

    fn shutdown_write(&mut self, id: ConnId) {
        self.change(id, |line| line.shutdown = true);
    }

    fn close(&mut self, id: ConnId) {
        self.change(id, |line| line.closed = true);
    }

    fn peer(&self, id: ConnId) -> Option<SocketAddr> {
        self.slab.get(id)?.peer
    }
}

fn wake(waker: &Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake_by_ref();
    }
}

fn register(place: &mut Option<Waker>, cx: &Context<'_>) {
    if !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *place = Some(cx.waker().clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::serve::floor::Shared;
    use crate::serve::metrics::Metrics;
    use crate::serve::settings::Settings;
    use std::sync::Arc;

    fn desk() -> Desk {
        let shared = Shared {
            home: Arc::new(Home::new(64)),
            settings: Arc::new(Settings::default()),
            metrics: Metrics::new(["any".to_string()]),
            admitted: Arc::default(),
        };
        let (wakers, stop) = (Arc::new([]), Arc::default());
        let station = Station::new(Box::new(MonotonicClock), 0, 0, shared, wakers, stop);
        Desk::new(station, Alarm::new().unwrap(), false)
    }

    #[test]
    fn what_follows_the_timers_in_a_batch_is_not_before_them() {
        let desk = desk();
        let begun = desk.0.borrow_mut().begin_batch();
        desk.attend();
        let attended = desk.0.borrow_mut().begin_batch();
        assert!(attended > begun, "{attended:?} after {begun:?}");
    }
}
