//! What can be set about the server's behaviour, apart from where and how it runs.

use crate::http::HeadLimits;
use crate::units::{Mono, Nanos};

/// Limits and latencies; the same for every connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a device takes to carry out a command; an answer is never earlier.
    pub device_latency: Nanos,
    /// How long a long poll waits for an event.
    pub poll_timeout: Nanos,
    /// Offer `GET /` and `POST /` besides the API, for independent HTTP suites.
    pub echo: bool,
    /// Says in Server-Timing where a request's time went, by this clock; `None` for not at all.
    pub server_timing: Option<fn() -> Mono>,
    /// Sizes of heads and contents.
    pub head: HeadLimits,
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
    /// At shutdown, for requests that are on their way on idle connections.
    pub drain_grace: Nanos,
    /// At shutdown, for everything.
    pub drain_timeout: Nanos,
}

impl Settings {
    /// The present time where Server-Timing is on; else `now`, the batch's, which costs nothing.
    pub fn mark(&self, now: Mono) -> Mono {
        self.server_timing.map_or(now, |clock| clock())
    }
}

impl Default for Settings {
    /// Contract: the device latency and poll timeout of the API. Chosen within what nginx, hyper, node
    /// and Envoy hold to: 10-60 s for heads, 60 s between reads and writes, 5-75 s idle.
    fn default() -> Settings {
        Settings {
            device_latency: Nanos::from_millis(2),
            poll_timeout: Nanos::from_millis(500),
            echo: false,
            server_timing: None,
            head: HeadLimits::default(),
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
