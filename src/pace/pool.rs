//! Brings the requests that are due onto connections, and sees each to its one end.
//!
//! A request that is due never waits for a busy connection: it takes the connection that has been
//! idle longest, else a new one is asked for, else, with every connection allowed in use, it
//! queues with its intended time kept. Whichever connection is free first takes the head of the
//! queue. One total deadline per request, from when it was due, so an answer that drips dies too.
//! Sans-IO: the worker connects, sends and closes as told. Not here: the schedule, the loop (see
//! `worker`).
//!
//! Inputs are [`Pool::handle_due`] and what the driver reports; after any of them poll
//! [`Pool::poll_send`], [`Pool::poll_close`] and [`Pool::poll_connect`]. Start at
//! [`Pool::poll_send`].

use super::capture::{Capture, Captures};
use super::conn::{Conn, Loss, Standing, Step};
use super::delivery::Publication;
use super::mix::{Expect, Mix};
use super::outstanding::{Due, Outstanding, Place, Request, Ticket};
use super::recorder::{Ending, Failure, Recorder};
use super::stalls::StallMeter;
use crate::http::response::{ResponseLimits, ResponseReader};
use crate::slab::Key;
use crate::units::{Mono, Nanos};
use std::collections::VecDeque;

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, those being made included; at least 1.
    pub connections_max: usize,
    /// From when a request is due until it fails; also the longest an attempt to connect may take.
    pub timeout: Nanos,
}

/// A request and the idle connection it is to be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The connection.
    pub id: Key,
    /// The kind, whose bytes are to be sent.
    pub kind: usize,
    /// The request's number in the schedule.
    pub k: u64,
    ticket: Ticket,
}

/// How many connections may be in the making at once during the run. Chosen: half of a server's usual
/// listen backlog (128); what overflows one is retried by TCP only after a second.
const CONNECTING_MAX: usize = 64;

/// The first pause after a failed attempt to connect; it doubles with every further one.
/// Chosen: a server that restarts is back at once, and a dead one costs 1 % of the loop or less.
const BACKOFF_FIRST: Nanos = Nanos::from_millis(1);

/// The longest pause between attempts. Chosen: how late the pacer may notice that a server is back.
const BACKOFF_MAX: Nanos = Nanos::from_millis(100);

/// The connections and outstanding requests of one worker.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    kinds: Vec<Treatment>,
    /// By slot; the key tells which life of the slot it is.
    conns: Vec<Option<(Key, Conn)>>,
    counts: Counts,
    /// Attempts to connect, oldest first; some may have ended.
    attempts: VecDeque<(Key, Mono)>,
    /// Longest idle first; some may have broken meanwhile.
    idle: VecDeque<Key>,
    outstanding: Outstanding,
    /// Requests without a connection, by when they were due.
    waiting: VecDeque<Ticket>,
    closing: Vec<Key>,
    backoff: Backoff,
    /// When the last of the connections that stood was lost; meaningful while none stands.
    stood_until: Mono,
    response_limits: ResponseLimits,
    /// What was taken from answers so far.
    pub captures: Captures,
    /// What has happened so far.
    pub recorder: Recorder,
}

/// Bytes of an answer's content that a value is looked for in. Chosen: an API's answers are smaller;
/// in a longer one nothing is found.
const CAPTURE_BYTES_MAX: usize = 64 * 1024;

/// What the pool needs to know of a request kind.
#[derive(Clone, Debug)]
struct Treatment {
    expect: Expect,
    captures: Vec<Capture>,
    published: Option<Publication>,
    is_head: bool,
    may_retry: bool,
    signature: u64,
}

/// Connections by standing.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    connecting: usize,
    idle: usize,
    busy: usize,
}

impl Counts {
    fn live(self) -> usize {
        self.connecting + self.idle + self.busy
    }

    fn of(&mut self, standing: Standing) -> Option<&mut usize> {
        match standing {
            Standing::Connecting => Some(&mut self.connecting),
            Standing::Idle => Some(&mut self.idle),
            Standing::Busy => Some(&mut self.busy),
            Standing::Broken => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    next_attempt_at: Mono,
    pause: Nanos,
}

impl Backoff {
    const NONE: Backoff = Backoff { next_attempt_at: Mono(0), pause: BACKOFF_FIRST };

    /// Whether an attempt has failed since the last answer.
    fn has_grown(self) -> bool {
        self.pause > BACKOFF_FIRST
    }

    /// Attempts that were under way together and fail together count once.
    fn grow(&mut self, now: Mono) {
        if now >= self.next_attempt_at {
            self.next_attempt_at = now + self.pause;
            self.pause = Nanos(self.pause.0 * 2).min(BACKOFF_MAX);
        }
    }
}

impl Pool {
    /// An empty pool for the kinds of `mix`, from which `seed` draws.
    pub fn new(mix: &Mix, seed: u64, limits: Limits, recorder: Recorder) -> Pool {
        assert!(limits.connections_max > 0, "nothing can be sent without a connection");
        let kinds = mix.kinds().iter().map(|kind| Treatment {
            expect: kind.expect,
            captures: kind.captures.clone(),
            published: kind.published.clone(),
            is_head: kind.is_head,
            may_retry: kind.may_retry,
            signature: kind.signature(seed),
        });
        let is_read =
            !mix.names().is_empty() || mix.kinds().iter().any(|kind| kind.published.is_some());
        let capture_bytes_max = if is_read { CAPTURE_BYTES_MAX } else { 0 };
        Pool {
            limits,
            kinds: kinds.collect(),
            conns: Vec::new(),
            counts: Counts::default(),
            attempts: VecDeque::new(),
            idle: VecDeque::new(),
            outstanding: Outstanding::default(),
            waiting: VecDeque::new(),
            closing: Vec::new(),
            backoff: Backoff::NONE,
            stood_until: Mono(0),
            response_limits: ResponseLimits { capture_bytes_max, ..ResponseLimits::default() },
            captures: Captures::new(mix.names().len()),
            recorder,
        }
    }

    /// The load starts at `start`. Attempts to connect that failed before tell nothing of it.
    pub fn begin(&mut self, start: Mono, stalls: StallMeter) {
        self.backoff = Backoff::NONE;
        self.recorder.begin(start, stalls);
    }

    /// The warm-up is over: what happened on connections counts from here on.
    pub fn forget_warmup(&mut self) {
        self.recorder.connections.forget_warmup(self.counts.busy as u64);
    }

    /// Connections that stand.
    pub fn established(&self) -> usize {
        self.counts.idle + self.counts.busy
    }

    /// Whether every request that was due has ended.
    pub fn is_quiet(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// A request is due. Poll for a send at once.
    pub fn handle_due(&mut self, due: &Due) {
        let request = self.planned(due);
        let coming = self.counts.idle + self.counts.connecting;
        if coming <= self.waiting.len() && self.counts.live() >= self.limits.connections_max {
            self.recorder.note_starved(&request);
        }
        let ticket = self.outstanding.push(request);
        self.waiting.push_back(ticket);
    }

    /// A request is so overdue that it is not to be sent.
    pub fn handle_skipped(&mut self, now: Mono, due: &Due) {
        let request = self.planned(due);
        self.recorder.note_ended(&request, Ending::Skipped, now);
    }

    fn planned(&mut self, due: &Due) -> Request {
        self.recorder.note_planned(due, self.kinds[due.kind].signature);
        Request::due(due)
    }

    /// The next request that can be sent now, and the connection to send it on. The worker calls
    /// [`Pool::handle_sending`] with it immediately before it sends.
    pub fn poll_send(&mut self) -> Option<Assignment> {
        let ticket = *self.waiting.front()?;
        let is_retry = self.outstanding.get_mut(ticket)?.is_retry;
        let id = self.take_idle(is_retry)?;
        self.waiting.pop_front();
        let request = self.outstanding.get_mut(ticket)?;
        request.place = Place::On(id);
        Some(Assignment { id, kind: request.kind, k: request.k, ticket })
    }

    /// The connection that has been idle longest: all get used, and evenly. For a second try the
    /// one that was made or answered last, which the server is least likely to have closed.
    fn take_idle(&mut self, is_retry: bool) -> Option<Key> {
        loop {
            let id = if is_retry { self.idle.pop_back() } else { self.idle.pop_front() }?;
            if self.conn(id).is_some_and(|conn| conn.standing() == Standing::Idle) {
                return Some(id);
            }
        }
    }

    /// The request is being sent, at `now`.
    pub fn handle_sending(&mut self, now: Mono, assignment: Assignment) {
        let Assignment { id, kind, ticket, .. } = assignment;
        let request = self.outstanding.get_mut(ticket).expect("it was assigned just now");
        if request.sent_at.is_none() {
            request.sent_at = Some(now);
            self.recorder.note_sent(request, now);
        }
        let is_head = self.kinds[kind].is_head;
        self.step(now, id, |conn| {
            conn.begin(ticket, now, is_head);
            Step::Continue
        });
        let peak = &mut self.recorder.connections.peak_in_flight;
        *peak = (*peak).max(self.counts.busy as u64);
    }

    /// The kernel did not take the whole request at once.
    pub fn handle_pending(&mut self, now: Mono, id: Key) {
        self.step(now, id, |conn| {
            conn.handle_pending();
            Step::Continue
        });
    }

    /// The kernel has the whole request now.
    pub fn handle_sent(&mut self, now: Mono, id: Key) {
        self.step(now, id, |conn| {
            conn.handle_sent();
            Step::Continue
        });
    }

    /// Whether the worker is to begin one more connection now, for a request that waits.
    pub fn poll_connect(&self, now: Mono) -> bool {
        self.waiting.len() > self.counts.connecting && self.may_connect(now, CONNECTING_MAX)
    }

    /// The same before the start, to have `wanted` connections, of which `at_once` may be in the making.
    pub fn poll_establish(&self, now: Mono, wanted: usize, at_once: usize) -> bool {
        self.counts.live() < wanted && self.may_connect(now, at_once)
    }

    fn may_connect(&self, now: Mono, connecting_max: usize) -> bool {
        self.counts.live() < self.limits.connections_max
            && self.counts.connecting < connecting_max
            && now >= self.backoff.next_attempt_at
    }

    /// The worker has begun to connect.
    pub fn handle_connecting(&mut self, now: Mono, id: Key) {
        let slot = id.slot as usize;
        if self.conns.len() <= slot {
            self.conns.resize_with(slot + 1, || None);
        }
        debug_assert!(self.conns[slot].is_none(), "the driver reused a slot that is in use");
        self.conns[slot] = Some((id, Conn::connecting(ResponseReader::new(self.response_limits))));
        self.counts.connecting += 1;
        self.attempts.push_back((id, now));
    }

    /// The worker could not even begin to connect.
    pub fn handle_connect_failed(&mut self, now: Mono) {
        self.recorder.connections.refused += 1;
        self.backoff.grow(now);
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Mono, id: Key) {
        self.recorder.connections.opened += 1;
        self.step(now, id, |conn| {
            conn.handle_connected(now);
            Step::Continue
        });
    }

    /// Bytes came.
    pub fn handle_bytes(&mut self, now: Mono, id: Key, bytes: &[u8]) {
        self.step(now, id, |conn| conn.handle_bytes(now, bytes));
    }

    /// The server will send nothing more.
    pub fn handle_end(&mut self, now: Mono, id: Key) {
        self.step(now, id, Conn::handle_end);
    }

    /// The connection broke, or could not be made.
    pub fn handle_failed(&mut self, now: Mono, id: Key) {
        self.step(now, id, Conn::handle_failed);
    }

    /// The next connection that the worker is to close; its key means nothing to the pool any more.
    pub fn poll_close(&mut self) -> Option<Key> {
        self.closing.pop()
    }

    /// The worker has no use for this connection, which is idle; poll for its close.
    pub fn give_up(&mut self, now: Mono, id: Key) {
        self.abandon(now, id);
    }

    /// Whether the attempt to make this connection goes on.
    pub fn is_connecting(&mut self, id: Key) -> bool {
        self.conn(id).is_some_and(|conn| conn.standing() == Standing::Connecting)
    }

    /// Whether the worker has something to do before it may sleep.
    pub fn has_chores(&self, now: Mono) -> bool {
        !self.closing.is_empty() || self.poll_connect(now)
    }

    /// When [`Pool::handle_timeouts`] has something to do, or a connection may be tried again.
    pub fn poll_timeout(&self, now: Mono) -> Option<Mono> {
        let timeout = self.limits.timeout;
        let request = self.outstanding.oldest().map(|(_, request)| request.intended_at + timeout);
        let attempt = self.attempts.front().map(|(_, begun_at)| *begun_at + timeout);
        let again = Some(self.backoff.next_attempt_at).filter(|at| *at > now);
        [request, attempt, again].into_iter().flatten().min()
    }

    /// Fails the requests and ends the attempts to connect whose time is up.
    pub fn handle_timeouts(&mut self, now: Mono) {
        let timeout = self.limits.timeout;
        while let Some((ticket, request)) = self.outstanding.oldest()
            && request.intended_at + timeout <= now
        {
            let failure = match request.place {
                Place::Waiting => {
                    let intended_at = request.intended_at;
                    self.time_out_waiting(ticket, intended_at)
                }
                Place::On(id) => {
                    self.abandon(now, id);
                    Failure::Timeout
                }
            };
            self.end(now, ticket, Ending::Failed(failure));
        }
        while let Some((id, begun_at)) = self.attempts.front().copied()
            && begun_at + timeout <= now
        {
            self.attempts.pop_front();
            if self.is_connecting(id) {
                self.handle_connect_failed(now);
                self.abandon(now, id);
            }
        }
    }

    /// Why a request had no connection in time: none could be made, or the server was too slow for
    /// those there are.
    fn time_out_waiting(&mut self, ticket: Ticket, intended_at: Mono) -> Failure {
        let first = self.waiting.pop_front();
        debug_assert_eq!(first, Some(ticket), "the queue is in the order of the deadlines");
        // None stands at the moment that others are replaced, too: what counts is its whole life.
        let none_stood = self.established() == 0 && self.stood_until <= intended_at;
        match none_stood || self.backoff.has_grown() {
            true => Failure::Connect,
            false => Failure::Timeout,
        }
    }

    /// A request was due before the run was over, and the worker has not got to it. Only after
    /// [`Pool::handle_finish`].
    pub fn handle_overrun(&mut self, now: Mono, due: &Due) {
        let request = self.planned(due);
        self.recorder.note_overrun(&request);
        self.recorder.note_ended(&request, Ending::Unfinished, now);
    }

    /// The run is over: whatever has not ended is unfinished.
    pub fn handle_finish(&mut self, now: Mono) {
        while let Some((ticket, _)) = self.outstanding.oldest() {
            self.end(now, ticket, Ending::Unfinished);
        }
        self.waiting.clear();
    }

    fn conn(&mut self, id: Key) -> Option<&mut Conn> {
        let (key, conn) = self.conns.get_mut(id.slot as usize)?.as_mut()?;
        (*key == id).then_some(conn)
    }

    fn abandon(&mut self, now: Mono, id: Key) {
        self.step(now, id, |conn| {
            conn.abandon();
            Step::Continue
        });
    }

    /// Lets one thing happen to a connection, keeps the books on its standing, and settles what it
    /// means for its request.
    fn step(&mut self, now: Mono, id: Key, happen: impl FnOnce(&mut Conn) -> Step) {
        let Some(conn) = self.conn(id) else { return };
        let before = conn.standing();
        let step = happen(conn);
        let (after, answers) = (conn.standing(), conn.answers());
        let is_whole = match step {
            Step::Answered { ticket, .. } => self.take_answer(id, ticket),
            _ => true,
        };
        if before != after {
            self.moved(now, id, before, after);
        }
        match step {
            Step::Continue => {}
            Step::Answered { ticket, status, content_bytes } => {
                self.backoff = Backoff::NONE;
                self.answered(now, ticket, is_whole, (status, content_bytes));
            }
            Step::Lost(ticket, loss) => self.lost(now, ticket, loss),
            Step::ConnectFailed => self.handle_connect_failed(now),
            Step::ClosedIdle => {
                self.recorder.connections.closed_idle += 1;
                // A server that drops what it has just accepted is not to be stormed.
                if answers == 0 {
                    self.backoff.grow(now);
                }
            }
            Step::Unasked => self.recorder.connections.unasked += 1,
        }
    }

    fn moved(&mut self, now: Mono, id: Key, before: Standing, after: Standing) {
        *self.counts.of(before).expect("a broken connection is forgotten at once") -= 1;
        match self.counts.of(after) {
            Some(count) => *count += 1,
            None => {
                self.conns[id.slot as usize] = None;
                self.closing.push(id);
                if before != Standing::Connecting {
                    self.stood_until = now;
                }
            }
        }
        if after == Standing::Idle {
            self.idle.push_back(id);
        }
        if before == Standing::Connecting {
            self.forget_ended_attempts();
        }
    }

    fn forget_ended_attempts(&mut self) {
        while let Some((id, _)) = self.attempts.front().copied()
            && !self.is_connecting(id)
        {
            self.attempts.pop_front();
        }
    }

    /// Takes from an answer what is kept of it beside its ending; whether all that its kind captures
    /// was there.
    fn take_answer(&mut self, id: Key, ticket: Ticket) -> bool {
        let Some(request) = self.outstanding.get_mut(ticket) else { return true };
        let Some(Some((_, conn))) = self.conns.get(id.slot as usize) else { return true };
        request.first_byte_at = conn.first_byte_at();
        if let Some(timing) = conn.server_timing() {
            self.recorder.note_server_timing(request, timing);
        }
        let Treatment { captures, published, .. } = &self.kinds[request.kind];
        request.published_at = published.as_ref().and_then(|one| one.read(conn.content()));
        // All are tried, even after one that is missing.
        captures.iter().filter(|capture| !self.captures.take(capture, conn.content())).count() == 0
    }

    /// An answer came, with all that its kind captures if it `is_whole`.
    fn answered(
        &mut self,
        now: Mono,
        ticket: Ticket,
        is_whole: bool,
        (status, content_bytes): (u16, u64),
    ) {
        let Some(request) = self.outstanding.get_mut(ticket) else { return };
        let ending = if now > request.intended_at + self.limits.timeout {
            Ending::Failed(Failure::Timeout)
        } else if is_whole && self.kinds[request.kind].expect.accepts(status, content_bytes) {
            Ending::Ok
        } else {
            Ending::Failed(Failure::Status)
        };
        self.end(now, ticket, ending);
    }

    fn lost(&mut self, now: Mono, ticket: Ticket, loss: Loss) {
        let failure = match loss {
            Loss::IdleClose if self.requeue(ticket) => return,
            Loss::IdleClose | Loss::Reset => Failure::Reset,
            Loss::Malformed => Failure::Malformed,
        };
        self.end(now, ticket, Ending::Failed(failure));
    }

    /// Gives a request that may be sent again its second try, at its place in the queue.
    fn requeue(&mut self, ticket: Ticket) -> bool {
        let Some(request) = self.outstanding.get_mut(ticket) else { return false };
        if request.is_retry || !self.kinds[request.kind].may_retry {
            return false;
        }
        request.is_retry = true;
        request.place = Place::Waiting;
        let index = self.waiting.partition_point(|other| *other < ticket);
        self.waiting.insert(index, ticket);
        self.recorder.connections.closed_idle += 1;
        self.recorder.connections.retried += 1;
        true
    }

    fn end(&mut self, now: Mono, ticket: Ticket, ending: Ending) {
        if let Some(request) = self.outstanding.remove(ticket) {
            self.recorder.note_ended(&request, ending, now);
        }
    }
}

#[cfg(test)]
mod tests;
