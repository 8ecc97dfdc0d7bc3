//! One connection of the pacer to the server: HTTP/1.1 keep-alive with one request at a time.
//!
//! Sans-IO: the worker owns the socket and hands over what it hears. Bytes that no request asked
//! for, before, after or beyond an answer, are malformed and end the connection; they are never
//! taken for the answer to a later request. Not here: which request goes onto which connection,
//! timeouts, recording (see `pool`). Order of use: [`Conn::handle_connected`], then for each
//! request [`Conn::begin`] and `handle_bytes` until a [`Step`] ends it. Start at
//! [`Conn::handle_bytes`].

use super::outstanding::Ticket;
use crate::http::response::{ResponseDone, ResponseReader};
use crate::http::server_timing::ServerTiming;
use crate::units::{Mono, Nanos};

/// A connection from the attempt to make it until it is broken or given up.
#[derive(Debug)]
pub struct Conn {
    phase: Phase,
    reader: ResponseReader,
    /// When it was established, or its last answer was whole.
    idle_since: Mono,
    /// When the status line of the answer began to come; of several, the last.
    first_byte_at: Option<Mono>,
    answers: u64,
}

/// What a connection can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The attempt to make it goes on.
    Connecting,
    /// A request may begin.
    Idle,
    /// A request is being sent or answered.
    Busy,
    /// No use any more; it is to be closed.
    Broken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    Connecting,
    Idle,
    Busy(Exchange),
    /// Answered before the request's last byte was with the kernel; idle once it is.
    Answered,
    /// Nothing that is heard counts any more; the worker closes it.
    #[default]
    Broken,
}

/// A request that is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exchange {
    ticket: Ticket,
    /// The connection had been idle for [`IDLE_RACE`]: the server may have closed it meanwhile.
    may_be_closed: bool,
    /// A part of the answer has come.
    is_heard: bool,
    /// The kernel has not taken the whole request yet.
    is_sending: bool,
}

/// What something heard means for the request on the connection, if there is one. Whether the
/// connection is of further use, [`Conn::standing`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing has ended.
    Continue,
    /// The request has been answered whole.
    Answered {
        /// Whose answer.
        ticket: Ticket,
        /// The status code.
        status: u16,
        /// How long the content was.
        content_bytes: u64,
    },
    /// The connection broke under the request.
    Lost(Ticket, Loss),
    /// The connection could not be made.
    ConnectFailed,
    /// The server closed the connection, or it broke, while it was idle.
    ClosedIdle,
    /// Bytes came on an idle connection.
    Unasked,
}

/// How a connection broke under a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What came was not an answer, or more than one.
    Malformed,
    /// Closed or reset in the middle.
    Reset,
    /// Closed or reset before anything of an answer came, on a connection that had been idle for
    /// [`IDLE_RACE`]: the server may have closed it before it saw the request (RFC 9112 section 9.5).
    IdleClose,
}

/// From how long without a request a connection may have been closed for that. A server that loses
/// requests on connections in use fails, and is not to be helped by sending them again. Chosen: the
/// shortest keep-alive timeout that servers are configured with in whole seconds; by default Node,
/// uvicorn and Apache wait 5 s, and nginx 75 s.
pub const IDLE_RACE: Nanos = Nanos::from_secs(1);

impl Conn {
    /// A connection that is being made.
    pub fn connecting(reader: ResponseReader) -> Conn {
        Conn {
            phase: Phase::Connecting,
            reader,
            idle_since: Mono(0),
            first_byte_at: None,
            answers: 0,
        }
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match self.phase {
            Phase::Connecting => Standing::Connecting,
            Phase::Idle => Standing::Idle,
            Phase::Busy(_) | Phase::Answered => Standing::Busy,
            Phase::Broken => Standing::Broken,
        }
    }

    /// How many answers it has brought.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// What was kept of the content of the last answer.
    pub fn content(&self) -> &[u8] {
        self.reader.captured()
    }

    /// When the first byte of the final status line came of the answer that has just ended. An
    /// interim response (1xx) before it is not the answer.
    pub fn first_byte_at(&self) -> Option<Mono> {
        self.first_byte_at
    }

    /// What the answer that has just ended says in Server-Timing, if anything.
    pub fn server_timing(&self) -> Option<&ServerTiming> {
        let timing = self.reader.server_timing();
        (!timing.is_empty()).then_some(timing)
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Mono) {
        if self.phase == Phase::Connecting {
            self.idle_since = now;
            self.phase = Phase::Idle;
        }
    }

    /// A request is about to be sent, at `now`. Only while idle.
    pub fn begin(&mut self, ticket: Ticket, now: Mono, is_head: bool) {
        assert_eq!(self.phase, Phase::Idle, "one request at a time");
        self.reader.start(is_head);
        self.first_byte_at = None;
        let may_be_closed = now.saturating_since(self.idle_since) >= IDLE_RACE;
        self.phase =
            Phase::Busy(Exchange { ticket, may_be_closed, is_heard: false, is_sending: false });
    }

    /// The kernel has not taken the whole request yet; [`Conn::handle_sent`] follows.
    pub fn handle_pending(&mut self) {
        if let Phase::Busy(exchange) = &mut self.phase {
            exchange.is_sending = true;
        }
    }

    /// The whole request is with the kernel.
    pub fn handle_sent(&mut self) {
        match &mut self.phase {
            Phase::Busy(exchange) => exchange.is_sending = false,
            Phase::Answered => self.phase = Phase::Idle,
            Phase::Connecting | Phase::Idle | Phase::Broken => {}
        }
    }

    /// Bytes came; never none.
    pub fn handle_bytes(&mut self, now: Mono, bytes: &[u8]) -> Step {
        match std::mem::take(&mut self.phase) {
            Phase::Busy(exchange) => {
                let heads = self.reader.heads_begun();
                let step = self.read(exchange, bytes);
                if self.reader.heads_begun() > heads {
                    self.first_byte_at = Some(now);
                }
                if let Step::Answered { .. } = step {
                    self.idle_since = now;
                }
                step
            }
            Phase::Idle | Phase::Answered => Step::Unasked,
            Phase::Connecting | Phase::Broken => Step::Continue,
        }
    }

    fn read(&mut self, exchange: Exchange, bytes: &[u8]) -> Step {
        let Ok(read) = self.reader.read(bytes) else {
            return Step::Lost(exchange.ticket, Loss::Malformed);
        };
        match read.done {
            None => {
                self.phase = Phase::Busy(Exchange { is_heard: true, ..exchange });
                Step::Continue
            }
            // Beyond the answer there is something that no request asked for.
            Some(_) if read.consumed < bytes.len() => Step::Lost(exchange.ticket, Loss::Malformed),
            Some(done) => self.answered(exchange, done),
        }
    }

    /// Leaves the phase that follows an answer: broken unless the connection is kept.
    fn answered(&mut self, exchange: Exchange, done: ResponseDone) -> Step {
        self.answers += 1;
        self.phase = match (done.keep_alive, exchange.is_sending) {
            (false, _) => Phase::Broken,
            (true, true) => Phase::Answered,
            (true, false) => Phase::Idle,
        };
        Step::Answered {
            ticket: exchange.ticket,
            status: done.status,
            content_bytes: done.content_bytes,
        }
    }

    /// The server will send nothing more (FIN). Some answers end so (RFC 9112 section 6.3, 8).
    pub fn handle_end(&mut self) -> Step {
        match std::mem::take(&mut self.phase) {
            Phase::Busy(exchange) if exchange.is_heard => match self.reader.handle_eof() {
                Ok(done) => self.answered(exchange, ResponseDone { keep_alive: false, ..done }),
                Err(_) => Step::Lost(exchange.ticket, Loss::Reset),
            },
            phase => lost(phase),
        }
    }

    /// The connection broke, or could not be made.
    pub fn handle_failed(&mut self) -> Step {
        lost(std::mem::take(&mut self.phase))
    }

    /// The worker gives the connection up, for a timeout or at the end.
    pub fn abandon(&mut self) {
        self.phase = Phase::Broken;
    }
}

/// What it means that a connection in `phase` is gone.
fn lost(phase: Phase) -> Step {
    match phase {
        Phase::Connecting => Step::ConnectFailed,
        Phase::Idle | Phase::Answered => Step::ClosedIdle,
        Phase::Busy(exchange) if exchange.may_be_closed && !exchange.is_heard => {
            Step::Lost(exchange.ticket, Loss::IdleClose)
        }
        Phase::Busy(exchange) => Step::Lost(exchange.ticket, Loss::Reset),
        Phase::Broken => Step::Continue,
    }
}

#[cfg(test)]
mod tests;
