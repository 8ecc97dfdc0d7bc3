//! The bytes of the requests of one worker, the next one's ready before it is due.
//!
//! What is always the same is rendered once. What is not is rendered right after the request before
//! it was sent, and anew in slack if a value was captured meanwhile, so that no send waits for it.
//! No allocation once the buffers have grown. Start at [`Outgoing::write`].

use crate::pace::capture::Captures;
use crate::pace::mix::Mix;
use crate::pace::outstanding::Due;
use crate::pace::template::Template;

/// Renders requests, ahead where it can.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// By kind.
    templates: Vec<Template>,
    seed: u64,
    ahead: Option<Ahead>,
    ahead_bytes: Vec<u8>,
    scratch: Vec<u8>,
}

/// What is rendered ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ahead {
    k: u64,
    /// Of the captured values.
    version: u64,
}

impl Outgoing {
    /// The requests of `mix`; `authority` is what they say in Host.
    pub(super) fn new(mix: &Mix, authority: &str, seed: u64) -> Outgoing {
        Outgoing {
            templates: mix.kinds().iter().map(|kind| kind.template(authority)).collect(),
            seed,
            ahead: None,
            ahead_bytes: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Renders the request that is due next, unless that has been done.
    pub(super) fn prepare(&mut self, due: Due, captured: &Captures) {
        let template = &self.templates[due.kind];
        let ahead = Ahead { k: due.k, version: captured.version() };
        if template.constant().is_some() || self.ahead == Some(ahead) {
            return;
        }
        self.ahead_bytes.clear();
        template.render(self.seed, due.k, captured, &mut self.scratch, &mut self.ahead_bytes);
        self.ahead = Some(ahead);
    }

    /// Fills `out`, which is empty, with request `k`, of `kind`.
    pub(super) fn write(&mut self, kind: usize, k: u64, captured: &Captures, out: &mut Vec<u8>) {
        let template = &self.templates[kind];
        if let Some(bytes) = template.constant() {
            out.extend_from_slice(bytes);
        } else if self.ahead == Some(Ahead { k, version: captured.version() }) {
            std::mem::swap(&mut self.ahead_bytes, out);
            self.ahead = None;
        } else {
            template.render(self.seed, k, captured, &mut self.scratch, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::capture::Capture;
    use crate::units::{Mono, Nanos};

    const MIX: &str = "[[request]]\nname='a'\nweight=1\npath='/{counter}?since={since=0}'\n\
                       capture={since='json:seq'}\n[[request]]\nname='b'\nweight=1\npath='/b'\n";

    fn due(kind: usize, k: u64) -> Due {
        Due { k, kind, offset: Nanos::ZERO, intended_at: Mono(0), is_measured: true }
    }

    #[track_caller]
    fn check(outgoing: &mut Outgoing, kind: usize, k: u64, captured: &Captures, target: &str) {
        let mut out = Vec::new();
        outgoing.write(kind, k, captured, &mut out);
        let expected = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_request_is_the_same_whether_rendered_ahead_or_not() {
        let mix = Mix::parse("m", MIX).unwrap();
        let mut outgoing = Outgoing::new(&mix, "h", 1);
        let mut captured = Captures::new(1);
        outgoing.prepare(due(0, 5), &captured);
        check(&mut outgoing, 0, 5, &captured, "/5?since=0");
        check(&mut outgoing, 0, 5, &captured, "/5?since=0");
        outgoing.prepare(due(0, 6), &captured);
        // Another goes first, as after a connection came free.
        check(&mut outgoing, 0, 4, &captured, "/4?since=0");
        check(&mut outgoing, 1, 3, &captured, "/b");
        check(&mut outgoing, 0, 6, &captured, "/6?since=0");
        outgoing.prepare(due(0, 7), &captured);
        assert!(captured.take(&Capture { slot: 0, key: String::from("seq") }, b"{\"seq\":9}"));
        check(&mut outgoing, 0, 7, &captured, "/7?since=9");
        outgoing.prepare(due(0, 8), &captured);
        assert!(captured.take(&Capture { slot: 0, key: String::from("seq") }, b"{\"seq\":10}"));
        outgoing.prepare(due(0, 8), &captured);
        check(&mut outgoing, 0, 8, &captured, "/8?since=10");
    }
}
