//! One spinning core: sends what is due when it is due, and reaps answers in the slack.
//!
//! The loop never sleeps (unless `PaceWait::Hybrid` says so) and never waits for an answer. Close
//! to the next due time it touches nothing but the clock; otherwise it turns the driver over and
//! over, so an answer is seen within a turn of the kernel having it. A request's three times are
//! read here: intended comes from the schedule, sent immediately before the send, done at the
//! event that completes the answer. Generic over driver and clock, so a simulation runs the very
//! same loop. Not here: what happens to a request (see `pool`), threads and pinning (see
//! `pace::run`).
//!
//! Order of use: [`Worker::establish`] or [`Worker::establish_evenly`], [`Worker::pace`],
//! [`Worker::into_recorder`].

use super::agenda::Agenda;
use super::catch_up::{CatchUp, Fate};
use super::mix::Mix;
use super::plan::PaceWait;
use super::pool::{Assignment, Limits, Pool};
use super::recorder::{Interruption, Recorder};
use super::schedule::{Horizon, Lane, Load};
use super::spread::SpreadError;
use super::stalls::{Activity, StallMeter};
use crate::clock::{Clock, WallOffset};
use crate::io::net::Address;
use crate::io::stamps::{Stamping, Stamps};
use crate::io::{ConnId, Driver, Event, Sending, Wait};
use crate::stats::timeline::Timeline;
use crate::units::{Mono, Nanos};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

pub mod duet;
pub mod feed;
pub mod observer;
mod outgoing;
mod seating;

use feed::Feed;
use outgoing::Outgoing;

/// What one worker is to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// The server.
    pub to: Address,
    /// The load of the whole run.
    pub load: Load,
    /// This worker's share of it.
    pub lane: Lane,
    /// How long it is sent before it counts, and while it does.
    pub horizon: Horizon,
    /// How long answers are awaited after that.
    pub drain: Nanos,
    /// Connections to have before the start; this worker's share.
    pub connections: usize,
    /// Bounds; this worker's share.
    pub limits: Limits,
    /// What to do with slack.
    pub wait: PaceWait,
    /// What to do about overdue requests.
    pub catch_up: CatchUp,
    /// How far the wall clock, by which answers say when something was published, is ahead.
    pub wall: WallOffset,
}

/// Why the connections could not be had before the start.
#[derive(Debug)]
pub enum EstablishError {
    /// An attempt failed.
    Refused(io::Error),
    /// Only so many stood when for so long none more had come to stand.
    Unresponsive(usize, Nanos),
    /// The run was stopped first.
    Stopped,
    /// The driver failed.
    Driver(io::Error),
    /// The connections cannot be spread.
    Spread(SpreadError),
}

/// Closest to the next due time that the driver is still turned. Chosen: about twice what a turn
/// takes that brings one answer; at high rates an eighth of the gap between requests, else no turn
/// would fit.
const GUARD_MAX: Nanos = Nanos::from_micros(2);
const GUARD_SHARE: u64 = 8;

/// How long before the next due time a hybrid worker is awake. Chosen: wake-ups take 5-60 us.
const SLEEP_GUARD: Nanos = Nanos::from_micros(100);

/// Overdue requests that are sent between two turns of the driver. Chosen: a pacer that is behind
/// must still see answers, or no connection would ever become free.
const SENDS_PER_TURN: usize = 32;

/// Connections closed between two turns. Chosen: a close takes some 10 us, and no request waits
/// for it.
const CLOSES_PER_TURN: usize = 4;

/// The longest sleep without a look at the stop flag. Chosen: nobody notices it on Ctrl-C.
const NAP_MAX: Nanos = Nanos::from_millis(10);

/// How long answers are awaited after a stop. Chosen: who stops a run does not want to wait.
const STOP_DRAIN_MAX: Nanos = Nanos::from_millis(500);

/// Connections in the making at once before the start, of all workers. Chosen: one fewer than the
/// smallest backlog that servers listen with (5, Python's socketserver). What overflows a backlog is
/// tried again by TCP after one second, then after three.
const ESTABLISHING_MAX: usize = 4;

/// Before the start a server has at least so long for each further connection, however short the
/// timeout. Chosen: longer than TCP's first two retries of a lost SYN, after 1 s and 3 s.
const PATIENCE_MIN: Nanos = Nanos::from_secs(5);

/// Arrivals accounted for between two looks at the stop flag. Chosen: they take some milliseconds.
const OVERRUNS_PER_LOOK: u64 = 1 << 16;

/// What a worker has before it while it paces.
#[derive(Debug)]
struct Stint<'m> {
    agenda: Agenda<'m>,
    /// How close to a due time the driver is still turned.
    guard: Nanos,
    measured_from: Mono,
    is_warming_up: bool,
    /// The end of the schedule.
    until: Mono,
    /// When answers are no longer awaited.
    over_at: Mono,
}

impl Stint<'_> {
    /// Somebody stops the run at `now`, for the first time: ends the schedule, or else the drain.
    fn interrupt(&mut self, now: Mono, drain: Nanos) -> Interruption {
        if now >= self.until {
            self.over_at = now;
            return Interruption::Drain;
        }
        self.until = now;
        self.over_at = now + STOP_DRAIN_MAX.min(drain);
        self.agenda.stop_at(now);
        Interruption::Schedule
    }
}

/// The time until the next request is to be sent.
#[derive(Clone, Copy, Debug)]
struct Slack {
    now: Mono,
    next_at: Mono,
}

/// One worker: pool, driver and clock.
#[derive(Debug)]
pub struct Worker<'m, D, C> {
    task: Task,
    mix: &'m Mix,
    outgoing: Outgoing,
    driver: D,
    clock: C,
    pool: Pool,
    connect_error: Option<io::Error>,
    feed: Option<Feed>,
    /// The driver holds a send back until its next turn.
    owes_turn: bool,
}

impl<'m, D: Driver, C: Clock> Worker<'m, D, C> {
    /// A worker without connections. `authority` is what its requests say in Host.
    pub fn new(task: Task, mix: &'m Mix, authority: &str, driver: D, clock: C) -> Self {
        let now = clock.now();
        let recorder = Recorder::new(mix.kinds().len(), StallMeter::new(now, now))
            .with_apart(mix.kinds().iter().map(|kind| kind.long_poll))
            .with_timeline(Timeline::new(task.horizon.grid(), mix.kinds().len()))
            .with_deliveries(mix.kinds().iter().map(|kind| kind.published.is_some()), task.wall);
        Worker {
            outgoing: Outgoing::new(mix, authority, task.load.seed),
            pool: Pool::new(mix, task.load.seed, task.limits, recorder),
            task,
            mix,
            driver,
            clock,
            connect_error: None,
            feed: None,
            owes_turn: false,
        }
    }

    /// The same, and hands what it records to an observer every second.
    pub fn observed(self, feed: Option<Feed>) -> Self {
        Worker { feed, ..self }
    }

    /// Makes the connections that are to stand before the start, a few at a time. Ends at the latest
    /// when none more has come to stand for the timeout, or for 5 s if that is shorter.
    ///
    /// # Errors
    /// The first failed attempt ends it: a server that is not there should be said at once.
    pub fn establish(&mut self, stop: &AtomicBool) -> Result<(), EstablishError> {
        let wanted = self.task.connections;
        let at_once = (ESTABLISHING_MAX / self.task.lane.of as usize).max(1);
        let (mut stood_most, mut give_up_at) = (0, self.clock.now() + self.patience());
        loop {
            let (now, established) = (self.clock.now(), self.pool.established());
            if established >= wanted {
                return Ok(());
            }
            // A server that drops what it accepts makes no progress by accepting more.
            if established > stood_most {
                (stood_most, give_up_at) = (established, now + self.patience());
            }
            if let Some(error) = self.connect_error.take().filter(|error| !self.is_full(error)) {
                return Err(EstablishError::Refused(error));
            }
            let nap = self.nap(now, give_up_at, stop)?;
            while self.connect_error.is_none() && self.pool.poll_establish(now, wanted, at_once) {
                self.connect();
            }
            self.turn(now, nap).map_err(EstablishError::Driver)?;
            self.close_broken(usize::MAX);
        }
    }

    /// How long the server has before the start to let one more connection stand.
    fn patience(&self) -> Nanos {
        self.task.limits.timeout.max(PATIENCE_MIN)
    }

    /// Whether an attempt failed because the backlog of a Unix socket is full (EAGAIN, connect(2)).
    /// TCP tries again by itself; here the pool's pauses do.
    fn is_full(&self, error: &io::Error) -> bool {
        matches!(self.task.to, Address::Unix(_)) && error.kind() == io::ErrorKind::WouldBlock
    }

    /// How long to sleep for the server before the start; an error if the time is up or the run stopped.
    fn nap(&self, now: Mono, give_up_at: Mono, stop: &AtomicBool) -> Result<Wait, EstablishError> {
        if now >= give_up_at {
            let established = self.pool.established();
            return Err(EstablishError::Unresponsive(established, self.patience()));
        }
        if stop.load(Ordering::Relaxed) {
            return Err(EstablishError::Stopped);
        }
        Ok(Wait::Until(give_up_at.min(now + NAP_MAX)))
    }

    /// Sends the schedule, whose offsets count from `start`, and drains. Returns for how long
    /// requests were measured: the planned duration, unless `stop` ended it.
    pub fn pace(&mut self, start: Mono, stop: &AtomicBool) -> io::Result<Nanos> {
        let mut stint = self.begin(start);
        while let Some(slack) = self.send_until_slack(&mut stint, stop) {
            self.use_slack(slack)?;
            self.prepare(&stint.agenda);
        }
        Ok(self.end(stint, stop))
    }

    fn begin(&mut self, start: Mono) -> Stint<'m> {
        let Task { lane, horizon, drain, .. } = self.task;
        let measured_from = start + horizon.warmup;
        self.pool.begin(start, StallMeter::new(self.clock.now(), measured_from));
        if let Some(stamps) = self.driver.stamps() {
            stamps.measure_from(measured_from);
        }
        if let Some(feed) = &mut self.feed {
            feed.begin(measured_from, &mut self.pool.recorder);
        }
        let gap = self.task.load.rate.span_of(lane.of);
        let catch_up = self.task.catch_up;
        let until = start + horizon.end();
        Stint {
            agenda: Agenda::new(self.mix, &self.task.load, lane, horizon, catch_up, start),
            guard: GUARD_MAX.min(Nanos(gap.0 / GUARD_SHARE)),
            measured_from,
            is_warming_up: true,
            until,
            over_at: until + drain,
        }
    }

    /// Sends what is due. The time that is left then; `None` once everything is over.
    fn send_until_slack(&mut self, stint: &mut Stint<'_>, stop: &AtomicBool) -> Option<Slack> {
        self.send_due(&mut stint.agenda, stint.guard);
        let now = self.mark(Activity::Spinning);
        if stint.is_warming_up && now >= stint.measured_from {
            self.begin_measuring(stint);
        }
        let is_through = stint.agenda.peek().is_none();
        if now >= stint.over_at || (is_through && self.pool.is_quiet()) {
            return None;
        }
        if self.pool.recorder.interrupted.is_none() && stop.load(Ordering::Relaxed) {
            self.pool.recorder.interrupted = Some(stint.interrupt(now, self.task.drain));
        }
        let over_at = stint.over_at;
        let next_at = send_at(&mut stint.agenda, now).unwrap_or(over_at).min(over_at);
        Some(Slack { now, next_at })
    }

    /// The warm-up is over: what it counted counts no more.
    fn begin_measuring(&mut self, stint: &mut Stint<'_>) {
        stint.is_warming_up = false;
        self.pool.forget_warmup();
    }

    /// Nothing more is sent or awaited; for how long requests were measured.
    fn end(&mut self, mut stint: Stint<'_>, stop: &AtomicBool) -> Nanos {
        if stint.is_warming_up {
            self.begin_measuring(&mut stint);
        }
        let now = self.clock.now();
        self.pool.handle_finish(now);
        self.account_for_overrun(now, &mut stint, stop);
        if let Some(feed) = &mut self.feed {
            feed.finish(self.clock.now(), &mut self.pool.recorder);
        }
        stint.until.saturating_since(stint.measured_from)
    }

    /// A worker that was stopped for longer than the timeout, or asked for more than it can send, has
    /// not got to everything that was due. It is planned all the same; unless `stop` is set meanwhile,
    /// which ends the schedule at what has been accounted for.
    fn account_for_overrun(&mut self, now: Mono, stint: &mut Stint<'_>, stop: &AtomicBool) {
        let mut accounted: u64 = 0;
        while let Some(due) = stint.agenda.peek() {
            if accounted.is_multiple_of(OVERRUNS_PER_LOOK)
                && self.pool.recorder.interrupted.is_none()
                && stop.load(Ordering::Relaxed)
            {
                self.pool.recorder.interrupted = Some(Interruption::Schedule);
                stint.until = due.intended_at;
                return;
            }
            self.pool.handle_overrun(now, &due);
            stint.agenda.advance();
            accounted += 1;
        }
    }

    /// The kernel's stamps over the measured time, if the driver asked for them.
    pub fn take_stamps(&mut self) -> Option<Stamps> {
        self.driver.stamps().map(Stamping::take)
    }

    /// What was recorded. Closes all connections.
    pub fn into_recorder(self) -> Recorder {
        self.pool.recorder
    }

    /// Sends the requests that are due or will be within `guard`, up to a bound. What can be prepared
    /// is, before the time comes: choosing the request and its connection would make it late.
    fn send_due(&mut self, agenda: &mut Agenda<'_>, guard: Nanos) {
        for _ in 0..SENDS_PER_TURN {
            let now = self.mark(Activity::Spinning);
            let next = agenda.poll(now);
            if next.is_none_or(|(due, _)| now < due.intended_at) {
                self.pool.recorder.stalls.caught_up(now);
            }
            let until = if self.owes_turn { now } else { now + guard };
            match next {
                Some((due, Fate::Skip)) => self.pool.handle_skipped(now, &due),
                Some((due, Fate::SendAt(at))) if at <= until => {
                    self.pool.handle_due(&due);
                    self.send_assigned(at);
                }
                _ => return,
            }
            // Works out and renders the request after this one, now that this one is under way.
            agenda.advance();
            self.prepare(agenda);
        }
    }

    fn prepare(&mut self, agenda: &Agenda<'_>) {
        if let Some(due) = agenda.peek() {
            self.outgoing.prepare(due, &self.pool.captures);
        }
    }

    /// Sends what has a connection, and nothing before `due_at`.
    fn send_assigned(&mut self, due_at: Mono) {
        while let Some(assignment) = self.pool.poll_send() {
            self.send(assignment, due_at);
        }
    }

    fn send(&mut self, assignment: Assignment, due_at: Mono) {
        let id = assignment.id;
        let mut bytes = self.driver.buffer();
        let Assignment { kind, k, .. } = assignment;
        self.outgoing.write(kind, k, &self.pool.captures, &mut bytes);
        let sent_at = self.spin_until(due_at);
        let sending = self.driver.send(id, bytes);
        self.pool.handle_sending(sent_at, assignment);
        let now = self.mark(Activity::Syscall);
        match sending {
            Sending::Done => {}
            Sending::Pending => {
                self.owes_turn = true;
                self.pool.handle_pending(now, id);
            }
            Sending::Failed(_) => self.pool.handle_failed(now, id),
        }
    }

    /// Touches nothing but the clock until `due_at`; the reading that ends it.
    fn spin_until(&mut self, due_at: Mono) -> Mono {
        loop {
            let now = self.mark(Activity::Spinning);
            if now >= due_at {
                return now;
            }
            std::hint::spin_loop();
        }
    }

    /// Everything that can wait until no request is due for a while.
    fn use_slack(&mut self, Slack { now, next_at }: Slack) -> io::Result<()> {
        if let Some(feed) = self.feed.as_mut().filter(|feed| feed.is_due(now)) {
            feed.cut_if_due(now, &mut self.pool.recorder);
            self.mark(Activity::Syscall);
        }
        let wait = self.wait_until(now, next_at);
        self.turn(now, wait)?;
        let now = self.mark(Activity::Spinning);
        self.pool.handle_timeouts(now);
        self.send_assigned(now);
        self.close_broken(CLOSES_PER_TURN);
        // One at a time: a connect takes tens of microseconds, and a request may fall due
        // meanwhile.
        if self.pool.poll_connect(now) {
            self.connect();
        }
        Ok(())
    }

    fn wait_until(&self, now: Mono, next_at: Mono) -> Wait {
        if self.task.wait == PaceWait::Spin || self.owes_turn || self.pool.has_chores(now) {
            return Wait::Poll;
        }
        let awake_at = Mono(next_at.0.saturating_sub(SLEEP_GUARD.0)).min(now + NAP_MAX);
        let wake_at = self.pool.poll_timeout(now).map_or(awake_at, |at| at.min(awake_at));
        if wake_at > now { Wait::Until(wake_at) } else { Wait::Poll }
    }

    /// Lets the driver report; the pool hears everything at the time it is reported.
    fn turn(&mut self, now: Mono, wait: Wait) -> io::Result<()> {
        self.pool.recorder.turn_begins(now);
        if let Wait::Until(wake_at) = wait {
            self.pool.recorder.stalls.sleep_until(wake_at);
        }
        self.owes_turn = false;
        let Worker { driver, clock, pool, connect_error, .. } = self;
        driver.turn(wait, |event| {
            let now = clock.now();
            pool.recorder.stalls.mark(now, Activity::Syscall);
            hear(now, event, pool, connect_error);
        })?;
        self.mark(Activity::Syscall);
        Ok(())
    }

    /// Begins one connection; `None` if even that failed.
    fn connect(&mut self) -> Option<ConnId> {
        let connecting: io::Result<ConnId> = self.driver.connect(self.task.to);
        let now = self.mark(Activity::Syscall);
        match connecting {
            Ok(id) => {
                self.pool.handle_connecting(now, id);
                Some(id)
            }
            Err(error) => {
                self.connect_error = Some(error);
                self.pool.handle_connect_failed(now);
                None
            }
        }
    }

    fn close_broken(&mut self, count_max: usize) {
        for _ in 0..count_max {
            let Some(id) = self.pool.poll_close() else { return };
            self.driver.close(id);
            self.mark(Activity::Syscall);
        }
    }

    /// Takes over the readings and stalls of a worker on the same thread, which had its turn since.
    fn follow(&mut self, other: &Self) {
        self.pool.recorder.stalls.follow(&other.pool.recorder.stalls);
    }

    /// Reads the clock and accounts for what happened since it was read last.
    fn mark(&mut self, activity: Activity) -> Mono {
        let now = self.clock.now();
        self.pool.recorder.stalls.mark(now, activity);
        now
    }
}

/// When the next request is to be sent, if there is one.
fn send_at(agenda: &mut Agenda<'_>, now: Mono) -> Option<Mono> {
    agenda.poll(now).map(|(_, fate)| match fate {
        Fate::SendAt(at) => at,
        Fate::Skip => now,
    })
}

/// Tells the pool what the driver reports at `now`.
fn hear(now: Mono, event: Event<'_>, pool: &mut Pool, connect_error: &mut Option<io::Error>) {
    match event {
        Event::Received(id, bytes) => pool.handle_bytes(now, id, bytes),
        Event::Connected(id) => pool.handle_connected(now, id),
        Event::Sent(id) => pool.handle_sent(now, id),
        Event::ReceivedEnd(id) => pool.handle_end(now, id),
        Event::Failed(id, error) => {
            if pool.is_connecting(id) {
                *connect_error = Some(error);
            }
            pool.handle_failed(now, id);
        }
        Event::Accepted(_) | Event::Woken => {}
    }
}

#[cfg(test)]
mod tests;
