//! The access log: what is noted of each answered request, and its line of JSON.
//!
//! Only when asked for. A connection notes a request in its [`Journal`] as it answers it; in the second
//! pass the worker hands the notes to an [`AccessLog`], a bounded queue that some other thread empties.
//! A worker never waits for that thread: what does not fit is dropped, and counted in the metrics.
//! Not here: that thread and the file, see `cli`. Start at [`AccessLog::open`].

use crate::calendar::rfc3339;
use crate::http::{Method, RequestHead, Target};
use crate::units::{Mono, Nanos};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Chosen: 8 ms of a million requests/s, or 80 ms of what one core serves; with the bound on targets
/// some ten megabytes at the very most.
const RECORDS_MAX: usize = 8192;
/// Chosen: longer than any path of the API. What is longer is cut.
const TARGET_BYTES_MAX: usize = 1024;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Seconds since 1970 at the answer, as in its Date.
    pub wall_secs: u64,
    /// Who asked; `None` if that was gone before it could be asked for.
    pub peer: Option<SocketAddr>,
    /// The worker, as the metrics label it.
    pub core: Arc<str>,
    /// What was asked, of which the first kilobyte is kept.
    pub request: Asked,
    /// The status of the answer.
    pub status: u16,
    /// The length of the answer, head and content.
    pub bytes: usize,
    /// From the batch of events that completed the head to the batch that held the answer.
    pub took: Nanos,
}

/// Method and target; neither, of a head that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    method: Option<Method>,
    target: Vec<u8>,
}

/// What one connection has noted and not handed over yet.
#[derive(Debug, Default)]
pub struct Journal {
    /// The request being answered, and when its head was whole.
    current: Option<(Asked, Mono)>,
    answered: Vec<Answered>,
}

#[derive(Debug)]
struct Answered {
    request: Asked,
    status: u16,
    bytes: usize,
    took: Nanos,
}

/// The end of the queue that workers hold. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog(SyncSender<Record>);

impl AccessLog {
    /// A queue, and the end of it that has to be emptied. It closes once every clone is dropped.
    pub fn open() -> (AccessLog, Receiver<Record>) {
        let (sender, receiver) = sync_channel(RECORDS_MAX);
        (AccessLog(sender), receiver)
    }

    /// Hands over a record; whether there was room, and anybody there.
    pub fn hand_over(&self, record: Record) -> bool {
        self.0.try_send(record).is_ok()
    }
}

impl Journal {
    /// A head is whole.
    pub fn begin(&mut self, now: Mono, head: &RequestHead<'_>) {
        let mut target = Vec::new();
        match head.target {
            Target::Asterisk => target.push(b'*'),
            Target::Origin { path, query } => {
                let query = query.into_iter().flat_map(|query| b"?".iter().chain(query));
                target.extend(path.iter().chain(query).take(TARGET_BYTES_MAX));
            }
        }
        self.current = Some((Asked { method: Some(head.method), target }, now));
    }

    /// The request, if any head was whole, is answered.
    pub fn end(&mut self, now: Mono, status: u16, bytes: usize) {
        let (request, began) = self.current.take().unwrap_or((Asked::default(), now));
        // As a batch has it; none goes back in time, but a log is no place to insist on that.
        let took = now.saturating_since(began);
        self.answered.push(Answered { request, status, bytes, took });
    }

    /// Whether anything is to be handed over.
    pub fn is_empty(&self) -> bool {
        self.answered.is_empty()
    }

    /// What was answered since the last call, in order.
    pub fn take(
        &mut self,
        wall_secs: u64,
        peer: Option<SocketAddr>,
        core: &Arc<str>,
    ) -> impl Iterator<Item = Record> {
        self.answered.drain(..).map(move |Answered { request, status, bytes, took }| {
            let core = Arc::clone(core);
            Record { wall_secs, peer, core, request, status, bytes, took }
        })
    }
}

impl Record {
    /// One line of JSON, its LF included. `method` and `path` are null where no head was accepted.
    pub fn line(&self) -> String {
        let mut line = String::with_capacity(192);
        let quoted = |text: Option<&str>| text.map_or("null".into(), |text| format!("\"{text}\""));
        let peer = self.peer.map(|peer| peer.to_string());
        let method = self.request.method.map(Method::as_str);
        // A target that was accepted holds neither quotes nor backslashes nor controls (RFC 3986).
        let path = method.map(|_| String::from_utf8_lossy(&self.request.target));
        writeln!(
            line,
            "{{\"time\":\"{}\",\"peer\":{},\"method\":{},\"path\":{},\"status\":{},\"bytes\":{},\
             \"microseconds\":{},\"core\":\"{}\"}}",
            rfc3339(self.wall_secs),
            quoted(peer.as_deref()),
            quoted(method),
            quoted(path.as_deref()),
            self.status,
            self.bytes,
            self.took.0 / 1_000,
            self.core,
        )
        .expect("writing to a String cannot fail");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadParser, Parsed, RequestLimits};

    fn head_of(text: &str) -> RequestHead<'_> {
        match HeadParser::default().parse(text.as_bytes(), &RequestLimits::default()) {
            Ok(Parsed::Complete(head)) => head,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn record_of(journal: &mut Journal) -> Record {
        let peer = "[::1]:80".parse().unwrap();
        journal.take(784_111_777, Some(peer), &Arc::from("3")).next().unwrap()
    }

    #[test]
    fn a_request_becomes_one_line_of_json() {
        let mut journal = Journal::default();
        journal
            .begin(Mono(5_000), &head_of("GET /events/live?since=4 HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(journal.is_empty());
        journal.end(Mono(2_006_999), 200, 321);
        assert_eq!(
            record_of(&mut journal).line(),
            "{\"time\":\"1994-11-06T08:49:37Z\",\"peer\":\"[::1]:80\",\"method\":\"GET\",\
             \"path\":\"/events/live?since=4\",\"status\":200,\"bytes\":321,\"microseconds\":2001,\
             \"core\":\"3\"}\n"
        );
        assert!(journal.is_empty());
    }

    #[test]
    fn what_was_no_request_has_neither_method_nor_path() {
        let mut journal = Journal::default();
        journal.end(Mono(5), 400, 99);
        let line = record_of(&mut journal).line();
        assert!(line.contains("\"method\":null,\"path\":null,\"status\":400"), "{line}");
    }

    #[test]
    fn a_request_never_took_less_than_no_time() {
        let mut journal = Journal::default();
        journal.begin(Mono(7), &head_of("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        journal.end(Mono(6), 200, 1);
        assert_eq!(record_of(&mut journal).took, Nanos::ZERO);
    }

    #[test]
    fn a_long_target_is_cut() {
        let mut journal = Journal::default();
        let text = format!("GET /a?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(5000));
        journal.begin(Mono(0), &head_of(&text));
        journal.end(Mono(0), 404, 1);
        assert_eq!(record_of(&mut journal).request.target.len(), TARGET_BYTES_MAX);
    }

    #[test]
    fn a_full_queue_and_one_that_nobody_empties_take_nothing_and_wait_for_nobody() {
        let (log, receiver) = AccessLog::open();
        let mut journal = Journal::default();
        journal.end(Mono(0), 200, 1);
        let record = record_of(&mut journal);
        let taken = (0..=RECORDS_MAX).filter(|_| log.hand_over(record.clone())).count();
        assert_eq!(taken, RECORDS_MAX);
        drop(receiver);
        assert!(!log.hand_over(record));
    }
}
