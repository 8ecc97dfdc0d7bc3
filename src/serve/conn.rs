//! One HTTP/1.1 connection of the server, sans-IO; the worker owns the socket.
//!
//! Feed it with `handle_bytes`, `handle_end` (FIN), `handle_sent`, `handle_timeout`, `handle_event` (the
//! event log has grown), `handle_drain`, `handle_refusal` (there is no room for it) and `handle_failure`
//! (its socket is broken). After any of them ask, in this order: `take_output` for bytes to send,
//! `take_records` for the access log, which would be lost with the connection, `close_wish` for what to
//! do once all is sent, `wants_bytes` for whether to go on receiving, and `timeout` for when to call
//! back.
//!
//! Requests are answered in order, one at a time: while an answer is owed (a device at work, a poll
//! parked) nothing behind it is parsed (RFC 9112 section 9.3.2). What waits is bounded: unparsed input,
//! unsent output, and time for heads, contents, idleness and readers that do not read.
//!
//! Time is the batch's, which is handed in. A clock is read only for what must be timed to the moment: a
//! device or a poll that begins, `--server-timing`, `--status-work`; it stands in [`Surroundings`].
//!
//! Start at `consume`. Not here: sockets, which core this is.

use super::access::{Journal, Record};
use super::api::{self, Answer};
use super::metrics::{Metrics, Path, Tally};
use super::reply::Reply;
use super::router::{self, Call};
use super::settings::Settings;
use super::status::StatusAnswer;
use super::timing::Marks;
use crate::clock::Clock;
use crate::home::{Change, Home, Seq};
use crate::http::body::{self, Decoded};
use crate::http::{
    BodyDecoder, Connection, Framing, HeadParser, HttpDate, Method, Parsed, Reject, RequestHead,
    ResponseHead, Version, encode,
};
use crate::units::{Mono, Nanos};
use std::net::SocketAddr;
use std::sync::Arc;

/// What a connection needs of its worker while it handles something.
pub struct Surroundings<'a> {
    /// Devices and events.
    pub home: &'a Home,
    /// The last answer to a status of this core.
    pub status: &'a StatusAnswer,
    /// The present Date line.
    pub date: &'a HttpDate,
    /// For what must be timed to the moment. Costs some 25 ns: no plain request reads it.
    pub clock: &'a dyn Clock,
    /// Limits and latencies.
    pub settings: &'a Settings,
    /// What this core counts.
    pub tally: &'a Tally,
    /// What all cores count, for `/metrics`.
    pub metrics: &'a Metrics,
    /// The server is shutting down: every answer says `Connection: close`.
    pub draining: bool,
    /// Whether one more poll may be parked on this core.
    pub may_park: bool,
}

impl Surroundings<'_> {
    /// How long a peer has to close after its last answer. At shutdown that is short: one that keeps its
    /// end open must not hold up everybody.
    fn linger(&self) -> Nanos {
        if self.draining { self.brief_linger() } else { self.settings.linger_timeout }
    }

    /// How long a peer has to close that is owed nothing, and may be sending at this moment.
    fn brief_linger(&self) -> Nanos {
        self.settings.linger_timeout.min(self.settings.drain_grace)
    }

    /// The present time, where Server-Timing is on.
    fn mark(&self) -> Option<Mono> {
        self.settings.server_timing.then(|| self.clock.now())
    }
}

/// What to do with the socket once all output is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseWish {
    /// Nothing.
    KeepOpen,
    /// Send FIN and go on receiving, so that a reset does not eat the answer (RFC 9112 section 9.6).
    ShutdownWrite,
    /// Close it.
    Close,
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    phase: Phase,
    parser: HeadParser,
    /// Received and not yet parsed: part of a head, or what stands behind an answer still owed.
    inbox: Vec<u8>,
    /// Encoded and not yet taken by the worker.
    outbox: Vec<u8>,
    /// Bytes taken by the worker that are not yet with the kernel.
    unsent: usize,
    /// How many answers stand in the outbox, and in what is unsent.
    answers: usize,
    unsent_answers: usize,
    /// When the phase must be over; see `timeout`.
    deadline: Mono,
    /// When a reader that does not read is given up on; meaningful while `unsent > 0`.
    write_deadline: Mono,
    /// When the last bytes were handed over.
    heard_at: Mono,
    /// The newest event then; or, while requests wait in the inbox, when the first of them was.
    seen: Seq,
    peer_ended: bool,
    shutdown_sent: bool,
    /// Where answered requests are noted, if there is an access log.
    journal: Option<Box<Journal>>,
}

#[derive(Debug, Default)]
enum Phase {
    /// Between requests, or within a head.
    Head,
    /// Within the content of a request whose head is decided.
    Content { request: Request, call: Call, decoder: BodyDecoder, content: Vec<u8> },
    /// An answer is owed.
    Owing { request: Request, debt: Debt },
    /// Nothing more is answered; whatever still comes is dropped, until the deadline.
    Draining,
    /// Nothing more is to be said. Also what `mem::take` leaves behind.
    #[default]
    Closed,
}

/// What of a request matters once its head has been parsed.
#[derive(Clone, Copy, Debug)]
struct Request {
    path: Path,
    head_only: bool,
    version: Version,
    keep_alive: bool,
    /// Taken with `--server-timing` only.
    marks: Option<Marks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Debt {
    Command(Change),
    Poll(Seq),
}

/// Chosen: a few commands that wait behind another one, so that such batches allocate nothing.
const INBOX_BYTES_KEPT: usize = 512;

impl Conn {
    /// A connection accepted at `now`.
    pub fn new(now: Mono, settings: &Settings) -> Conn {
        Conn {
            phase: Phase::Head,
            parser: HeadParser::default(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            unsent: 0,
            answers: 0,
            unsent_answers: 0,
            deadline: now + settings.idle_timeout,
            write_deadline: now,
            heard_at: now,
            seen: Seq(0),
            peer_ended: false,
            shutdown_sent: false,
            journal: settings.access_log.as_ref().map(|_| Box::default()),
        }
    }

    /// Takes in bytes of the peer.
    pub fn handle_bytes(&mut self, now: Mono, bytes: &[u8], around: &Surroundings<'_>) {
        self.heard_at = now;
        // Of requests that wait the first is meant: a poll must miss nothing that came after it.
        if !self.holds_requests(around.settings) {
            self.seen = around.home.newest();
        }
        if !self.inbox.is_empty() {
            self.inbox.extend_from_slice(bytes);
            return self.consume_inbox(now, around);
        }
        let used = self.consume(now, bytes, around);
        if used < bytes.len() {
            self.inbox.extend_from_slice(&bytes[used..]);
        }
    }

    /// There are too many connections: says so and closes.
    pub fn handle_refusal(&mut self, now: Mono, around: &Surroundings<'_>) {
        let reply = Reply::busy("there are too many connections; try again");
        self.reply_and_close(now, &reply, false, around);
    }

    /// Takes in the peer's FIN: no more requests will come, but what was asked is still answered.
    pub fn handle_end(&mut self, now: Mono, settings: &Settings) {
        self.peer_ended = true;
        match self.phase {
            // A request cut short is never processed (RFC 9112 section 8).
            Phase::Head | Phase::Content { .. } | Phase::Draining
                if !self.holds_requests(settings) =>
            {
                self.phase = Phase::Draining;
                self.deadline = now;
            }
            _ => {}
        }
    }

    /// The connection is broken; a command that is owed is not carried out any more.
    pub fn handle_failure(&mut self) {
        self.phase = Phase::Closed;
    }

    /// The kernel has taken all that `take_output` gave.
    pub fn handle_sent(&mut self, now: Mono, around: &Surroundings<'_>) {
        let was_full = self.is_full(around.settings);
        self.unsent = 0;
        self.unsent_answers = 0;
        match self.phase {
            // However long the peer took to read: from now on it has the full time.
            Phase::Draining => self.deadline = now + around.linger(),
            Phase::Head if self.parser.is_idle() && !around.draining => {
                self.deadline = now + around.settings.idle_timeout;
            }
            _ => {}
        }
        if was_full {
            self.consume_inbox(now, around);
        }
    }

    /// As [`Conn::handle_sent`], if the connection rests after it, as nearly all do: everything is
    /// answered, and nothing of the next request is here. Whether it does; if not, nothing has happened.
    /// Not for the drain, in which nobody may rest.
    #[inline]
    pub fn come_to_rest(&mut self, now: Mono, settings: &Settings) -> bool {
        let rests = matches!(self.phase, Phase::Head)
            && self.parser.is_idle()
            && self.inbox.is_empty()
            && self.outbox.is_empty()
            && !self.is_full(settings);
        if rests {
            self.unsent = 0;
            self.unsent_answers = 0;
            self.deadline = now + settings.idle_timeout;
        }
        rests
    }

    /// The point that `timeout` named has come.
    pub fn handle_timeout(&mut self, now: Mono, around: &Surroundings<'_>) {
        if self.unsent > 0 && self.write_deadline <= now {
            self.phase = Phase::Closed;
        }
        if self.deadline > now || self.only_sends() {
            return;
        }
        match std::mem::take(&mut self.phase) {
            Phase::Owing { request, debt } => {
                self.pay(now, &request, debt, around);
                self.consume_inbox(now, around);
            }
            // A peer that has sent nothing is let go without a word (RFC 9110 section 15.5.9), yet by a
            // FIN: one that has begun to just now is not met by a reset (RFC 9112 section 9.6).
            Phase::Head if self.parser.is_idle() => self.drain(now, around.brief_linger()),
            Phase::Head => self.time_out(now, begins_head(&self.inbox), around),
            Phase::Content { request, .. } => self.time_out(now, request.head_only, around),
            Phase::Draining | Phase::Closed => {}
        }
    }

    /// The event log may have grown: answers a parked poll if it has.
    pub fn handle_event(&mut self, now: Mono, around: &Surroundings<'_>) {
        let Phase::Owing { debt: Debt::Poll(since), .. } = self.phase else { return };
        let Some(reply) = api::try_event(since, around.home) else { return };
        if let Phase::Owing { request, .. } = std::mem::take(&mut self.phase) {
            self.settle(now, &request, &reply, around);
            self.consume_inbox(now, around);
        }
    }

    /// The server shuts down: a parked poll is answered now, a command in its own time, and whoever
    /// asks within the grace is answered with `Connection: close`.
    pub fn handle_drain(&mut self, now: Mono, around: &Surroundings<'_>) {
        match std::mem::take(&mut self.phase) {
            Phase::Owing { request, debt: debt @ Debt::Poll(_) } => {
                self.pay(now, &request, debt, around);
                self.consume_inbox(now, around);
            }
            Phase::Head if self.parser.is_idle() => {
                self.phase = Phase::Head;
                self.deadline = self.deadline.min(now + around.settings.drain_grace);
            }
            Phase::Draining => {
                self.phase = Phase::Draining;
                self.deadline = self.deadline.min(now + around.linger());
            }
            phase => self.phase = phase,
        }
    }

    /// The bytes to send; `handle_sent` is due once the kernel has them all, and until then there are
    /// no others.
    pub fn take_output(&mut self, now: Mono, settings: &Settings) -> Option<Vec<u8>> {
        if self.unsent > 0 || self.outbox.is_empty() || matches!(self.phase, Phase::Closed) {
            return None;
        }
        self.unsent = self.outbox.len();
        self.unsent_answers = std::mem::take(&mut self.answers);
        self.write_deadline = now + settings.write_timeout;
        Some(std::mem::take(&mut self.outbox))
    }

    /// Gives the connection an outbox to encode into, unless it has one.
    pub fn lend_outbox(&mut self, outbox: impl FnOnce() -> Vec<u8>) {
        if self.outbox.capacity() == 0 {
            self.outbox = outbox();
        }
    }

    /// Takes the outbox away if nothing has been encoded into it, so that idle connections hold none.
    pub fn unused_outbox(&mut self) -> Option<Vec<u8>> {
        let is_unused = self.outbox.is_empty() && self.outbox.capacity() > 0;
        is_unused.then(|| std::mem::take(&mut self.outbox))
    }

    /// What to do with the socket. Asked after all output is taken; says `KeepOpen` until it is sent.
    pub fn close_wish(&mut self) -> CloseWish {
        match self.phase {
            Phase::Closed => CloseWish::Close,
            _ if self.output_bytes() > 0 => CloseWish::KeepOpen,
            Phase::Draining if self.peer_ended => CloseWish::Close,
            Phase::Draining if !self.shutdown_sent => {
                self.shutdown_sent = true;
                CloseWish::ShutdownWrite
            }
            _ => CloseWish::KeepOpen,
        }
    }

    /// Whether bytes of the peer are welcome; if not, they should wait in the kernel.
    pub fn wants_bytes(&self, settings: &Settings) -> bool {
        match self.phase {
            Phase::Draining => true,
            Phase::Closed => false,
            // What waits here is a part of a head, which has its own limit, perhaps a greater one.
            Phase::Head | Phase::Content { .. } => !self.is_full(settings),
            Phase::Owing { .. } => {
                self.inbox.len() < settings.quotas.inbox_bytes_max && !self.is_full(settings)
            }
        }
    }

    /// When `handle_timeout` is due.
    pub fn timeout(&self) -> Mono {
        match self.unsent {
            0 => self.deadline,
            _ if self.only_sends() => self.write_deadline,
            _ => self.deadline.min(self.write_deadline),
        }
    }

    /// The seq after which a poll parked here waits for an event, if one is parked.
    pub fn parked_since(&self) -> Option<Seq> {
        match self.phase {
            Phase::Owing { debt: Debt::Poll(since), .. } => Some(since),
            _ => None,
        }
    }

    /// Whether there are records of answered requests to take.
    pub fn has_records(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| !journal.is_empty())
    }

    /// The requests answered since the last call, in order, for the access log.
    pub fn take_records(
        &mut self,
        wall_secs: u64,
        peer: Option<SocketAddr>,
        core: &Arc<str>,
    ) -> impl Iterator<Item = Record> {
        let journal = self.journal.as_deref_mut();
        journal.into_iter().flat_map(move |journal| journal.take(wall_secs, peer, core))
    }

    /// Bytes held for input and for output, to be checked against their bounds.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> (usize, usize) {
        (self.inbox.len(), self.output_bytes())
    }

    fn output_bytes(&self) -> usize {
        self.outbox.len() + self.unsent
    }

    /// Whether nothing more may be answered until the kernel has taken what is there.
    fn is_full(&self, settings: &Settings) -> bool {
        self.output_bytes() >= settings.quotas.output_bytes_max
            || self.answers + self.unsent_answers >= settings.quotas.pipeline_max
    }

    /// Whether nothing is left to do but to get answers out. Then the phase's own deadline has to wait:
    /// it must not cut an answer short that the peer is still reading.
    fn only_sends(&self) -> bool {
        let at_rest = match self.phase {
            Phase::Head => self.parser.is_idle(),
            Phase::Draining => true,
            Phase::Content { .. } | Phase::Owing { .. } | Phase::Closed => false,
        };
        at_rest && self.output_bytes() > 0
    }

    /// Whether whole requests may wait in the inbox, held up by an answer that is owed or not sent.
    fn holds_requests(&self, settings: &Settings) -> bool {
        let is_owing = matches!(self.phase, Phase::Owing { .. });
        !self.inbox.is_empty() && (is_owing || self.is_full(settings))
    }

    fn consume_inbox(&mut self, now: Mono, around: &Surroundings<'_>) {
        let mut inbox = std::mem::take(&mut self.inbox);
        let used = self.consume(now, &inbox, around);
        inbox.drain(..used);
        // An emptied inbox of size gives its memory back: idle connections hold next to none.
        if !inbox.is_empty() || inbox.capacity() <= INBOX_BYTES_KEPT {
            self.inbox = inbox;
        }
        if self.peer_ended {
            self.handle_end(now, around.settings);
        }
    }

    /// Parses and answers as much of `bytes` as can be; how many it used. The rest has to be offered
    /// again, with more behind it.
    fn consume(&mut self, now: Mono, bytes: &[u8], around: &Surroundings<'_>) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            used += match self.phase {
                // Dropped even behind unsent output, else it would pile up.
                Phase::Draining | Phase::Closed => rest.len(),
                _ if self.is_full(around.settings) => break,
                Phase::Head => match self.consume_head(now, rest, around) {
                    0 => break,
                    n => n,
                },
                Phase::Content { .. } => self.consume_content(now, rest, around),
                Phase::Owing { .. } => break,
            };
        }
        used
    }

    /// One head, and its content where that is all there; 0 if the head is not whole yet.
    fn consume_head(&mut self, now: Mono, bytes: &[u8], around: &Surroundings<'_>) -> usize {
        let was_idle = self.parser.is_idle();
        let began_at = around.mark();
        let parsed = self.parser.parse(bytes, &around.settings.limits);
        let head = match &parsed {
            Ok(Parsed::Complete(head)) => head,
            Ok(Parsed::Partial) => {
                if was_idle && !self.parser.is_idle() {
                    // Absolute: a peer that trickles does not earn more time with each byte.
                    self.deadline = now + around.settings.head_timeout;
                }
                return 0;
            }
            Err(reject) => {
                self.reject(now, *reject, begins_head(bytes), around);
                return bytes.len();
            }
        };
        if let Some(journal) = &mut self.journal {
            journal.begin(now, head);
        }
        let call = router::route(head, around.settings);
        if matches!(call, Call::Status) && self.answer_plainly(now, head, around) {
            return head.len;
        }
        let heard_at = self.heard_at;
        let marks = began_at.map(|began_at| Marks { heard_at, began_at, owed_since: None });
        let request = Request::of(head, &call, marks);
        let after = &bytes[head.len..];
        if let Some(content) = body::whole(head.framing, after) {
            let len = head.len + content.len();
            self.act(now, &request, call, content, around);
            return len;
        }
        if head.expect_continue && after.is_empty() {
            // A final answer instead of 100; then close, for the content may or may not come.
            if let Call::Answered(reply) = &call {
                self.settle(now, &Request { keep_alive: false, ..request }, reply, around);
                return head.len;
            }
            self.outbox.extend_from_slice(encode::CONTINUE);
        }
        self.deadline = now + around.settings.content_timeout;
        let decoder = BodyDecoder::new(head.framing, around.settings.limits.body_bytes_max);
        self.phase = Phase::Content { request, call, decoder, content: Vec::new() };
        head.len
    }

    /// Answers a request for the status about which nothing is special, as nearly all are: the answer
    /// stands ready. Whether it did; any other goes the way of all requests, which comes to the same
    /// bytes.
    #[inline]
    fn answer_plainly(
        &mut self,
        now: Mono,
        head: &RequestHead<'_>,
        around: &Surroundings<'_>,
    ) -> bool {
        let settings = around.settings;
        let is_plain = head.method == Method::Get
            && head.version == Version::Http11
            && head.keep_alive
            && head.framing == Framing::None
            && self.journal.is_none()
            && settings.status_work.is_none()
            && !settings.server_timing
            && !around.draining;
        if is_plain {
            around.status.push(around.home.snapshot(), around.date, &mut self.outbox);
            around.tally.answered(Path::Status, 200);
            self.answers += 1;
            self.deadline = now + settings.idle_timeout;
        }
        is_plain
    }

    fn consume_content(&mut self, now: Mono, bytes: &[u8], around: &Surroundings<'_>) -> usize {
        let Phase::Content { request, decoder, content, .. } = &mut self.phase else { return 0 };
        let head_only = request.head_only;
        match decoder.decode(bytes, content) {
            Ok(Decoded { consumed, done: false }) => consumed,
            Ok(Decoded { consumed, done: true }) => {
                if let Phase::Content { request, call, content, .. } =
                    std::mem::take(&mut self.phase)
                {
                    self.act(now, &request, call, &content, around);
                }
                consumed
            }
            Err(reject) => {
                self.reject(now, reject, head_only, around);
                bytes.len()
            }
        }
    }

    /// A request is here whole: answers it, or notes what is owed.
    fn act(
        &mut self,
        now: Mono,
        request: &Request,
        call: Call,
        content: &[u8],
        around: &Surroundings<'_>,
    ) {
        if let (Call::Status, Some(work)) = (&call, around.settings.status_work) {
            work.burn(around.clock);
        }
        let metrics = || around.metrics.render(around.tally);
        let (debt, wait) = match api::answer(call, content, around.home, self.seen, metrics) {
            Answer::Now(reply) => return self.settle(now, request, &reply, around),
            Answer::Command(change) => (Debt::Command(change), around.settings.device_latency),
            Answer::Poll(since) => (Debt::Poll(since), around.settings.poll_timeout),
        };
        let is_poll = matches!(debt, Debt::Poll(_));
        if wait == Nanos::ZERO || (around.draining && is_poll) {
            return self.pay(now, request, debt, around);
        }
        if is_poll && !around.may_park {
            let reply = Reply::busy("there are too many long polls; try again");
            return self.settle(now, request, &reply, around);
        }
        // The batch's time was read before these bytes were received, and a device is never early.
        let now = around.clock.now();
        self.deadline = now + wait;
        let marks = request.marks.map(|marks| Marks { owed_since: Some(now), ..marks });
        self.phase = Phase::Owing { request: Request { marks, ..*request }, debt };
    }

    /// Time is up for what is owed: the device is done, or the poll waited in vain.
    fn pay(&mut self, now: Mono, request: &Request, debt: Debt, around: &Surroundings<'_>) {
        let reply = match debt {
            Debt::Command(change) => api::finish_command(change, around.home),
            Debt::Poll(since) => api::end_poll(since, around.home),
        };
        self.settle(now, request, &reply, around);
    }

    /// Answers `request`, and goes on to the next or closes.
    fn settle(&mut self, now: Mono, request: &Request, reply: &Reply, around: &Surroundings<'_>) {
        let keep_alive = request.keep_alive && !around.draining;
        let connection = match (keep_alive, request.version) {
            (false, _) => Some(Connection::Close),
            (true, Version::Http10) => Some(Connection::KeepAlive),
            (true, Version::Http11) => None,
        };
        around.tally.answered(request.path, reply.status);
        let timing = request.marks.zip(around.mark()).map(|(marks, now)| {
            let awaited = if request.path == Path::Events { "event" } else { "device" };
            marks.field(now, awaited)
        });
        self.encode(now, reply, connection, !request.head_only, timing.as_deref(), around);
        if keep_alive {
            self.phase = Phase::Head;
            self.deadline = now + around.settings.idle_timeout;
        } else {
            self.drain(now, around.linger());
        }
    }

    #[cold]
    fn time_out(&mut self, now: Mono, head_only: bool, around: &Surroundings<'_>) {
        let reply = Reply::error(408, "the request took too long to arrive");
        self.reply_and_close(now, &reply, head_only, around);
    }

    fn reject(&mut self, now: Mono, reject: Reject, head_only: bool, around: &Surroundings<'_>) {
        let reply = Reply::error(reject.status(), reject.reason());
        self.reply_and_close(now, &reply, head_only, around);
    }

    #[cold]
    fn reply_and_close(
        &mut self,
        now: Mono,
        reply: &Reply,
        head_only: bool,
        around: &Surroundings<'_>,
    ) {
        around.tally.answered(Path::Other, reply.status);
        self.encode(now, reply, Some(Connection::Close), !head_only, None, around);
        self.drain(now, around.linger());
    }

    fn drain(&mut self, now: Mono, linger: Nanos) {
        self.phase = Phase::Draining;
        self.deadline = now + linger;
    }

    #[inline]
    fn encode(
        &mut self,
        now: Mono,
        reply: &Reply,
        connection: Option<Connection>,
        include_content: bool,
        timing: Option<&str>,
        around: &Surroundings<'_>,
    ) {
        let begin = self.outbox.len();
        let head = ResponseHead {
            status: reply.status,
            content_type: reply.content.media_type(),
            date: around.date,
            connection,
            extra: [reply.field, timing.map(|value| ("Server-Timing", value))],
        };
        let outbox = &mut self.outbox;
        reply.content.render(|content| head.encode(content, include_content, outbox));
        self.answers += 1;
        if let Some(journal) = &mut self.journal {
            journal.end(now, reply.status, self.outbox.len() - begin);
        }
    }
}

impl Request {
    fn of(head: &RequestHead<'_>, call: &Call, marks: Option<Marks>) -> Request {
        Request {
            path: Path::of(call),
            head_only: head.method == Method::Head,
            version: head.version,
            keep_alive: head.keep_alive,
            marks,
        }
    }
}

/// Whether a head that is refused or late began as HEAD: then its answer too has no content
/// (RFC 9110 section 9.3.2). Behind more than the two line ends that the parser skips it is no method:
/// it would be seen or not depending on how the octets were split.
fn begins_head(bytes: &[u8]) -> bool {
    let behind = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let behind = behind.strip_prefix(b"\r\n").unwrap_or(behind);
    behind.starts_with(b"HEAD ")
}

#[cfg(test)]
mod tests;
