//! Counts and distributions of a run: every planned request ends in exactly one count.
//!
//! Failed and unfinished requests take part in the percentiles at +infinity, so a server cannot look
//! fast by dropping its slow answers. Requests of the warm-up are in no count and no distribution,
//! but on the timeline that steadiness is judged by. Memory does not depend on the length of the run.
//! Recorders of several threads merge; nothing is ever averaged. Not here: what the figures are worth
//! (see `verdict`). Start at [`Recorder::note_ended`].

use super::delivery::Deliveries;
use super::interval::Interval;
use super::outstanding::{Due, Request};
use super::pairs::Settled;
use super::schedule::ScheduleHash;
use super::spans::Spans;
use super::stalls::StallMeter;
use crate::clock::WallOffset;
use crate::http::server_timing::ServerTiming;
use crate::results::{self, Errors};
use crate::stats::Histogram;
use crate::stats::timeline::Timeline;
use crate::units::{Mono, Nanos};

/// Why a request failed. The variants are the keys of [`Errors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Answered whole, but not with the status or size that was expected.
    Status,
    /// Answered with something that is not HTTP/1.1.
    Malformed,
    /// The connection was reset or closed before the answer was whole.
    Reset,
    /// No whole answer within the timeout.
    Timeout,
    /// No connection could be made to send it on.
    Connect,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered as expected.
    Ok,
    /// Failed.
    Failed(Failure),
    /// The run was over first.
    Unfinished,
    /// The pacer was so late that it did not send it.
    Skipped,
}

/// How somebody stopped a run before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interruption {
    /// All was sent; the last answers were no longer awaited.
    Drain,
    /// In the schedule, of which the rest is not planned.
    Schedule,
}

/// What is recorded of one request kind.
#[derive(Clone, Debug, Default)]
pub struct KindRecord {
    /// Requests the schedule held.
    pub planned: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Requests that failed.
    pub errors: Errors,
    /// Requests that had not ended when the run did.
    pub unfinished: u64,
    /// Requests that were not sent because they were overdue.
    pub skipped: u64,
    /// Requests whose life overlaps a stall.
    pub overlapping: u64,
    /// Whether it is kept out of the figures of all kinds together: a long poll.
    pub is_apart: bool,
    /// sent - intended, over everything that was sent.
    pub lateness: Histogram,
    /// done - intended.
    pub response: Histogram,
    /// done - sent.
    pub service: Histogram,
    /// First byte of the final answer - sent.
    pub ttfb: Histogram,
    /// The least that the response time may have been without the pacer's part in it: done - sent,
    /// less the time for which an answer may have lain unseen.
    pub undelayed: Histogram,
    /// How long what its answers bring took since its publication, where they are to say so.
    pub deliveries: Option<Deliveries>,
}

/// Counts of connections and of what happened on them outside a request. Those established and those
/// refused are of the whole run, from before its start; the others are of the measured time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Established.
    pub opened: u64,
    /// Attempts that failed.
    pub refused: u64,
    /// The most requests in flight at once; of several threads, the sum of theirs.
    pub peak_in_flight: u64,
    /// Closed by the server after they had been idle: with no request outstanding, or with one that had
    /// to be sent a second time.
    pub closed_idle: u64,
    /// Dropped because bytes came that nobody had asked for.
    pub unasked: u64,
    /// Requests sent a second time after an idle connection turned out to have been closed.
    pub retried: u64,
}

/// Everything that is recorded during a run.
#[derive(Clone, Debug)]
pub struct Recorder {
    kinds: Vec<KindRecord>,
    response_without_stalls: Histogram,
    lateness_without_stalls: Histogram,
    starved: u64,
    overrun: u64,
    hash: ScheduleHash,
    last_sent_at: Option<Mono>,
    interval: Option<Box<Interval>>,
    /// Measured requests that have ended since they were taken last; `None` if nobody takes them.
    settled: Option<Vec<Settled>>,
    /// When the present turn of the driver began, and the one before it.
    turns_began_at: (Mono, Mono),
    spans: Spans,
    timeline: Option<Timeline>,
    wall: WallOffset,
    /// By how much the wall clock was set during the run, if somebody did.
    pub wall_step: Option<Nanos>,
    /// How the run was stopped before its end, if it was.
    pub interrupted: Option<Interruption>,
    /// Gaps in the loop.
    pub stalls: StallMeter,
    /// What the connections did.
    pub connections: ConnectionCounts,
}

impl Recorder {
    /// An empty record of so many request kinds.
    pub fn new(kinds: usize, stalls: StallMeter) -> Recorder {
        Recorder {
            kinds: vec![KindRecord::default(); kinds],
            response_without_stalls: Histogram::new(),
            lateness_without_stalls: Histogram::new(),
            starved: 0,
            overrun: 0,
            hash: ScheduleHash::default(),
            last_sent_at: None,
            interval: None,
            settled: None,
            turns_began_at: (Mono(0), Mono(0)),
            spans: Spans::default(),
            timeline: None,
            wall: WallOffset::default(),
            wall_step: None,
            interrupted: None,
            stalls,
            connections: ConnectionCounts::default(),
        }
    }

    /// The same, with the kinds that `is_apart` names kept out of the figures of all together;
    /// unless that is all of them, for then there would be none.
    pub fn with_apart(mut self, is_apart: impl Iterator<Item = bool> + Clone) -> Recorder {
        if !is_apart.clone().all(|apart| apart) {
            for (kind, apart) in self.kinds.iter_mut().zip(is_apart) {
                kind.is_apart = apart;
            }
        }
        self
    }

    /// The same, and keeps how response times went over the run, warm-up included.
    pub fn with_timeline(self, timeline: Timeline) -> Recorder {
        Recorder { timeline: Some(timeline), ..self }
    }

    /// The load starts at `start`.
    pub fn begin(&mut self, start: Mono, stalls: StallMeter) {
        self.stalls = stalls;
        if let Some(timeline) = &mut self.timeline {
            timeline.begin(start);
        }
    }

    /// The same, with the kinds whose answers are to say when what they bring was published. `wall` is
    /// how far the clock that they say it by is ahead of ours.
    pub fn with_deliveries(
        mut self,
        has_them: impl Iterator<Item = bool>,
        wall: WallOffset,
    ) -> Recorder {
        self.wall = wall;
        for (kind, has_them) in self.kinds.iter_mut().zip(has_them) {
            kind.deliveries = has_them.then(|| Deliveries::new(wall.error));
        }
        self
    }

    /// A request is due; `signature` is its kind's.
    pub fn note_planned(&mut self, due: &Due, signature: u64) {
        if due.is_measured {
            self.kinds[due.kind].planned += 1;
            self.hash.add(due.k, due.offset, signature);
        }
    }

    /// `request` found every connection allowed busy.
    pub fn note_starved(&mut self, request: &Request) {
        self.starved += u64::from(request.is_measured);
    }

    /// The run was over before the pacer got to `request`.
    pub fn note_overrun(&mut self, request: &Request) {
        self.overrun += u64::from(request.is_measured);
    }

    /// `request` is about to be handed to the kernel, for the first time.
    pub fn note_sent(&mut self, request: &Request, sent_at: Mono) {
        if request.is_measured {
            let lateness = sent_at.saturating_since(request.intended_at);
            self.kinds[request.kind].lateness.record(lateness);
            if let Some(interval) = &mut self.interval {
                interval.lateness.record(lateness);
            }
            self.last_sent_at = self.last_sent_at.max(Some(sent_at));
        }
    }

    /// `request` has ended at `now`. Stalls up to then must have been marked.
    pub fn note_ended(&mut self, request: &Request, ending: Ending, now: Mono) {
        let age = now.saturating_since(request.intended_at);
        if let Some(timeline) = &mut self.timeline {
            let response = (ending == Ending::Ok).then_some(age);
            timeline.record(request.kind, request.intended_at, response);
        }
        if !request.is_measured {
            return;
        }
        let unseen_since = self.turns_began_at.1;
        let kind = &mut self.kinds[request.kind];
        let (response, service) = kind.note_ended(request, ending, now, unseen_since);
        debug_assert!(response.is_none() || service.is_some(), "no answer without a send");
        if let (Ending::Ok, Some(deliveries)) = (ending, &mut kind.deliveries) {
            deliveries.record(self.wall.to_wall(now), request.published_at);
        }
        if let Some(interval) = &mut self.interval {
            record(&mut interval.responses[request.kind], response, age);
        }
        if let Some(settled) = &mut self.settled {
            let Request { k: pair, kind, intended_at, .. } = *request;
            settled.push(Settled { pair, kind, intended_at, answered: response.zip(service) });
        }
        if self.stalls.overlaps(request.intended_at) {
            kind.overlapping += 1;
            return;
        }
        if !kind.is_apart {
            record(&mut self.response_without_stalls, response, age);
        }
        if let Some(sent_at) = request.sent_at {
            self.lateness_without_stalls.record(sent_at.saturating_since(request.intended_at));
        }
    }

    /// The driver is asked for events. What it then reports was not there yet when it was asked
    /// before, so the time since is the longest for which the pacer can have overlooked it.
    pub fn turn_begins(&mut self, now: Mono) {
        self.turns_began_at = (now, self.turns_began_at.0);
    }

    /// The answer to `request` says what the server spent its time on.
    pub fn note_server_timing(&mut self, request: &Request, timing: &ServerTiming) {
        if request.is_measured {
            self.spans.record(timing);
        }
    }

    /// How response times went over the run.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    /// What servers said in Server-Timing, by name.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Keeps every measured request that ends from now on until it is taken.
    pub fn keep_settled(&mut self) {
        self.settled.get_or_insert_default();
    }

    /// The requests that have ended since the last call, in that order.
    pub fn take_settled(&mut self) -> impl Iterator<Item = Settled> + '_ {
        self.settled.iter_mut().flat_map(|settled| settled.drain(..))
    }

    /// Records into `empty` beside everything else from now on; what was recorded so before.
    pub fn cut(&mut self, empty: Box<Interval>) -> Option<Box<Interval>> {
        self.interval.replace(empty)
    }

    /// The interval that was being recorded, which is the last.
    pub fn take_interval(&mut self) -> Option<Box<Interval>> {
        self.interval.take()
    }

    /// Adds what another thread recorded in the same run.
    pub fn merge(&mut self, other: &Recorder) {
        assert_eq!(self.kinds.len(), other.kinds.len(), "threads of one run share a mix");
        for (kind, other) in self.kinds.iter_mut().zip(&other.kinds) {
            kind.merge(other);
        }
        self.response_without_stalls.merge(&other.response_without_stalls);
        self.lateness_without_stalls.merge(&other.lateness_without_stalls);
        self.starved += other.starved;
        self.overrun += other.overrun;
        self.hash.merge(other.hash);
        self.last_sent_at = self.last_sent_at.max(other.last_sent_at);
        self.stalls.merge(&other.stalls);
        self.spans.merge(&other.spans);
        if let (Some(own), Some(other)) = (&mut self.timeline, &other.timeline) {
            own.merge(other);
        }
        self.connections.merge(other.connections);
        self.interrupted = self.interrupted.max(other.interrupted);
    }

    /// Of each kind, in the order of the mix.
    pub fn kinds(&self) -> &[KindRecord] {
        &self.kinds
    }

    /// All kinds together; see [`KindRecord::overall`].
    pub fn total(&self) -> KindRecord {
        KindRecord::overall(self.kinds.iter())
    }

    /// Response time and lateness of the requests whose life overlaps no stall.
    pub fn without_stalls(&self) -> results::WithoutStalls {
        results::WithoutStalls {
            response_ns: quantiles(&self.response_without_stalls),
            lateness_ns: quantiles(&self.lateness_without_stalls),
        }
    }

    /// Gaps in the loop, and how many requests overlap one.
    pub fn stall_totals(&self) -> results::Stalls {
        self.stalls.totals(self.kinds.iter().map(|kind| kind.overlapping).sum())
    }

    /// Requests that were due while every connection allowed was busy.
    pub fn starved(&self) -> u64 {
        self.starved
    }

    /// Requests that the pacer had not got to when the run was over.
    pub fn overrun(&self) -> u64 {
        self.overrun
    }

    /// Over every planned request.
    pub fn hash(&self) -> ScheduleHash {
        self.hash
    }

    /// When the last request was sent.
    pub fn last_sent_at(&self) -> Option<Mono> {
        self.last_sent_at
    }

    /// Panics unless every planned request is in exactly one count and in every distribution, and
    /// every answer of a kind with deliveries in one count of those.
    pub fn assert_conservation(&self) {
        for (index, kind) in self.kinds.iter().enumerate() {
            let ended = kind.ok + kind.errors.total() + kind.unfinished + kind.skipped;
            assert_eq!(kind.planned, ended, "kind {index} lost or doubled a request");
            let KindRecord { response, service, ttfb, undelayed, .. } = kind;
            for histogram in [response, service, ttfb, undelayed] {
                assert_eq!(kind.planned, histogram.count(), "kind {index} lost a sample");
            }
            assert!(kind.lateness.count() <= kind.planned, "kind {index} was sent too often");
            let answers = kind.deliveries.as_ref().map_or(Some(kind.ok), Deliveries::answers);
            assert_eq!(answers, Some(kind.ok), "kind {index} lost a delivery");
        }
    }
}

impl KindRecord {
    /// Counts the ending; the response and service time, where there are.
    fn note_ended(
        &mut self,
        request: &Request,
        ending: Ending,
        now: Mono,
        unseen_since: Mono,
    ) -> (Option<Nanos>, Option<Nanos>) {
        match ending {
            Ending::Ok => self.ok += 1,
            Ending::Failed(failure) => *failure.count_in(&mut self.errors) += 1,
            Ending::Unfinished => self.unfinished += 1,
            Ending::Skipped => self.skipped += 1,
        }
        let age = now.saturating_since(request.intended_at);
        let since_sent = request.sent_at.map(|sent_at| now.saturating_since(sent_at));
        let is_answered = ending == Ending::Ok;
        let response = is_answered.then_some(age);
        let service = since_sent.filter(|_| is_answered);
        let first_byte = request.first_byte_at.filter(|_| is_answered);
        let ttfb = first_byte.zip(request.sent_at).map(|(at, sent)| at.saturating_since(sent));
        let unseen = now.saturating_since(unseen_since);
        let least = service.map(|service| service.saturating_sub(unseen));
        // What was never sent was not waited for from its send on.
        let waited = since_sent.unwrap_or(Nanos::ZERO);
        record(&mut self.response, response, age);
        record(&mut self.service, service, waited);
        record(&mut self.ttfb, ttfb, waited);
        record(&mut self.undelayed, least, waited);
        (response, service)
    }

    /// Kinds together: the counts and the lateness of all, the other distributions of all that are not
    /// kept apart.
    pub fn overall<'k>(kinds: impl Iterator<Item = &'k KindRecord> + Clone) -> KindRecord {
        let mut total = KindRecord::default();
        kinds.clone().for_each(|kind| total.count(kind));
        kinds.filter(|kind| !kind.is_apart).for_each(|kind| total.distribute(kind));
        total
    }

    /// Adds the requests of `other`.
    pub fn merge(&mut self, other: &KindRecord) {
        self.is_apart |= other.is_apart;
        self.count(other);
        self.distribute(other);
        if let Some(other) = &other.deliveries {
            self.deliveries.get_or_insert_default().merge(other);
        }
    }

    fn count(&mut self, other: &KindRecord) {
        self.planned += other.planned;
        self.ok += other.ok;
        self.unfinished += other.unfinished;
        self.skipped += other.skipped;
        self.overlapping += other.overlapping;
        self.errors += other.errors;
        self.lateness.merge(&other.lateness);
    }

    fn distribute(&mut self, other: &KindRecord) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.ttfb.merge(&other.ttfb);
        self.undelayed.merge(&other.undelayed);
    }
}

impl Failure {
    fn count_in(self, errors: &mut Errors) -> &mut u64 {
        match self {
            Failure::Status => &mut errors.status,
            Failure::Malformed => &mut errors.malformed,
            Failure::Reset => &mut errors.reset,
            Failure::Timeout => &mut errors.timeout,
            Failure::Connect => &mut errors.connect,
        }
    }
}

impl ConnectionCounts {
    /// Forgets what belongs to the warm-up; so many requests are in flight at its end.
    pub(super) fn forget_warmup(&mut self, in_flight: u64) {
        let ConnectionCounts { opened, refused, .. } = *self;
        *self = ConnectionCounts { opened, refused, ..ConnectionCounts::default() };
        self.peak_in_flight = in_flight;
    }

    fn merge(&mut self, other: ConnectionCounts) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.peak_in_flight += other.peak_in_flight;
        self.closed_idle += other.closed_idle;
        self.unasked += other.unasked;
        self.retried += other.retried;
    }
}

/// Records a span, or +infinity where there is none though it was `waited` for so long.
fn record(histogram: &mut Histogram, span: Option<Nanos>, waited: Nanos) {
    match span {
        Some(span) => histogram.record(span),
        None => histogram.record_infinite_after(waited),
    }
}

/// The figures of `histogram` as the results have them.
pub fn quantiles(histogram: &Histogram) -> results::Quantiles {
    histogram.into()
}

#[cfg(test)]
mod tests;
