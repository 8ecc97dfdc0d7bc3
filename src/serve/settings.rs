//! What can be set about the server's behaviour, apart from where and how it runs.

use super::access::AccessLog;
use super::token::Token;
use crate::clock::Clock;
use crate::http::RequestLimits;
use crate::units::Nanos;

/// Limits and latencies; the same for every connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a device takes to carry out a command; an answer is never earlier.
    pub device_latency: Nanos,
    /// How long a long poll waits for an event.
    pub poll_timeout: Nanos,
    /// What a status costs besides; `None` for nothing.
    pub status_work: Option<StatusWork>,
    /// Offer `GET /` and `POST /` besides the API, for independent HTTP suites.
    pub echo: bool,
    /// Say in Server-Timing where a request's time went.
    pub server_timing: bool,
    /// How much of a request is taken.
    pub limits: RequestLimits,
    /// How much of everything that peers can pile up.
    pub quotas: Quotas,
    /// What every request but `/healthz` has to carry, if anything.
    pub token: Option<Token>,
    /// Where each answered request is written down, if anywhere.
    pub access_log: Option<AccessLog>,
    /// From the first byte of a head to its end.
    pub head_timeout: Nanos,
    /// From the end of a head to the end of its content.
    pub content_timeout: Nanos,
    /// Between requests.
    pub idle_timeout: Nanos,
    /// For a peer to read what it asked for.
    pub write_timeout: Nanos,
    /// After the last answer, for the peer to finish and close.
    pub linger_timeout: Nanos,
    /// For requests that are on their way on connections closed as idle, at shutdown before and after
    /// the FIN, else after it.
    pub drain_grace: Nanos,
    /// At shutdown, for everything.
    pub drain_timeout: Nanos,
}

/// Work that a server is made to do in every status, so that it is slower by a known time: whoever
/// compares servers can see whether his comparison tells.
#[derive(Clone, Copy, Debug)]
pub struct StatusWork(Nanos);

impl StatusWork {
    /// Chosen: more than any comparison needs to see, and a core still answers ten a second.
    pub const SPAN_MAX: Nanos = Nanos::from_millis(100);

    /// `span` of work; `None` for none.
    ///
    /// # Errors
    /// The sentence that refuses more than [`StatusWork::SPAN_MAX`].
    pub fn new(span: Nanos) -> Result<Option<StatusWork>, String> {
        if span > StatusWork::SPAN_MAX {
            let most = StatusWork::SPAN_MAX.as_typed();
            return Err(format!("--status-work {} is more than {most}", span.as_typed()));
        }
        Ok((span > Nanos::ZERO).then_some(StatusWork(span)))
    }

    /// How long it takes.
    pub fn span(self) -> Nanos {
        self.0
    }

    /// Spins until the time is over by `clock`. What the scheduler takes meanwhile counts, as in any
    /// work that is bounded by the monotonic clock.
    pub fn burn(self, clock: &dyn Clock) {
        let begin = clock.now();
        while clock.now().saturating_since(begin) < self.0 {
            std::hint::spin_loop();
        }
    }
}

/// Bounds on what peers can make the server hold. With those on heads, contents and time they bound
/// its memory: connections times (`inbox_bytes_max`, or a head, or a content, and `output_bytes_max`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Connections of all cores together. Beyond: 503 and a close.
    pub connections_max: usize,
    /// Connections of one core. Beyond: 503 and a close.
    pub core_connections_max: usize,
    /// Polls parked on one core. Beyond: 503, and the connection stays.
    pub parked_max: usize,
    /// Answers of one connection that are not with the kernel yet. Beyond: its requests wait.
    pub pipeline_max: usize,
    /// Octets of one connection that wait behind an answer still owed. Beyond: they wait in the kernel.
    pub inbox_bytes_max: usize,
    /// Octets of answers to one connection that are not with the kernel yet. Beyond: its requests wait,
    /// and a peer that goes on not reading is closed after the write timeout.
    pub output_bytes_max: usize,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            // Chosen: what one peer address has ports for. Descriptors usually run out first.
            connections_max: 65_536,
            core_connections_max: 65_536,
            // Chosen: an event is offered to all of them at once, which takes about 10 ms then.
            parked_max: 10_000,
            // Chosen: about as many answers of the API as `output_bytes_max` holds.
            pipeline_max: 1024,
            // Chosen: several hundred pipelined requests behind a parked poll.
            inbox_bytes_max: 64 * 1024,
            // Chosen: a deep pipeline's answers.
            output_bytes_max: 256 * 1024,
        }
    }
}

impl Default for Settings {
    /// Contract: the device latency and poll timeout of the API. Chosen within what nginx, hyper, node
    /// and Envoy hold to: 10-60 s for heads, 60 s between reads and writes, 5-75 s idle.
    fn default() -> Settings {
        Settings {
            device_latency: Nanos::from_millis(2),
            poll_timeout: Nanos::from_millis(500),
            status_work: None,
            echo: false,
            server_timing: false,
            limits: RequestLimits::default(),
            quotas: Quotas::default(),
            token: None,
            access_log: None,
            head_timeout: Nanos::from_secs(10),
            content_timeout: Nanos::from_secs(30),
            idle_timeout: Nanos::from_secs(75),
            write_timeout: Nanos::from_secs(60),
            linger_timeout: Nanos::from_secs(5),
            drain_grace: Nanos::from_millis(200),
            drain_timeout: Nanos::from_secs(5),
        }
    }
}
