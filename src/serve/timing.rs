//! What became of one request's time inside the server, as the Server-Timing field says it (W3C
//! Server Timing): for a client that wants to tell the server's time from the network's.
//!
//! Three spans that add up to the time from the bytes being here to the answer being written:
//! `queue` until the request's turn came, `work`, and what was waited for: `device` for a command's
//! device, `event` for a long poll. A device's time counts from when it begins, behind what has passed
//! in the queue. Off, no clock is read and nothing is sent. Pure. Start at [`Marks::field`].

use crate::units::{Mono, Nanos};

/// The points in time of one request.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// The connection's last bytes were handed over.
    pub heard_at: Mono,
    /// Its turn came.
    pub began_at: Mono,
    /// It began to wait for a device or an event.
    pub owed_since: Option<Mono>,
}

impl Marks {
    /// The value of the field for an answer that is written at `now`.
    pub fn field(self, now: Mono, awaited: &str) -> String {
        let queue = self.began_at.saturating_since(self.heard_at);
        let whole = now.saturating_since(self.began_at);
        let waited = self.owed_since.map_or(Nanos::ZERO, |since| now.saturating_since(since));
        let mut value = format!("queue;dur={}, work;dur={}", ms(queue), ms(whole - waited));
        if self.owed_since.is_some() {
            value.push_str(&format!(", {awaited};dur={}", ms(waited)));
        }
        value
    }
}

/// Milliseconds to the nanosecond.
fn ms(span: Nanos) -> String {
    format!("{}.{:06}", span.0 / 1_000_000, span.0 % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_add_up_to_the_whole() {
        let marks = Marks { heard_at: Mono(1_000), began_at: Mono(1_500), owed_since: None };
        assert_eq!(marks.field(Mono(4_500), "device"), "queue;dur=0.000500, work;dur=0.003000");
        let marks = Marks { owed_since: Some(Mono(2_000)), ..marks };
        assert_eq!(
            marks.field(Mono(2_003_000), "device"),
            "queue;dur=0.000500, work;dur=0.000500, device;dur=2.001000"
        );
    }
}
