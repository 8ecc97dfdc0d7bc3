//! Conversations with one connection: what goes in, what comes out, and when.

use super::*;
use crate::http::response::{ResponseLimits, ResponseReader};
use crate::rng::Rng;
use crate::serve::settings::Quotas;
use std::cell::Cell;

mod limits;
mod plain;
mod time;
mod work;

/// A clock that is ahead of the batch's time, and may move on as it is read.
#[derive(Default)]
struct Ahead {
    batch: Mono,
    by: Nanos,
    per_reading: Nanos,
    readings: Cell<u64>,
}

impl Clock for Ahead {
    fn now(&self) -> Mono {
        self.readings.set(self.readings.get() + 1);
        self.batch + self.by + Nanos(self.per_reading.0 * self.readings.get())
    }
}

/// A connection, its world, and a time that passes when told.
struct Talk {
    home: Home,
    status: StatusAnswer,
    date: HttpDate,
    settings: Settings,
    metrics: Metrics,
    draining: bool,
    may_park: bool,
    conn: Conn,
    now: Mono,
    clock: Ahead,
    out: Vec<u8>,
    shut: bool,
    closed: bool,
    /// Whether the peer reads; if not, what is taken stays unsent.
    reads: bool,
}

/// The kernel has it all; as the floor tells it.
fn sent(conn: &mut Conn, now: Mono, around: &Surroundings<'_>) {
    if around.draining || !conn.come_to_rest(now, around.settings) {
        conn.handle_sent(now, around);
    }
}

impl Talk {
    fn new() -> Talk {
        Talk::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Talk {
        let mut settings = Settings { echo: true, ..Settings::default() };
        change(&mut settings);
        let now = Mono(1_000_000_000);
        let date = HttpDate::from_unix_secs(784_111_777);
        Talk {
            home: Home::new(64),
            status: StatusAnswer::new(Home::new(64).snapshot(), date),
            date,
            conn: Conn::new(now, &settings),
            settings,
            metrics: Metrics::new(["0".to_string()]),
            draining: false,
            may_park: true,
            now,
            clock: Ahead::default(),
            out: Vec::new(),
            shut: false,
            closed: false,
            reads: true,
        }
    }

    /// Lets the connection handle something, then asks it what the worker asks, in its order.
    fn act(&mut self, handle: impl FnOnce(&mut Conn, Mono, &Surroundings<'_>)) {
        self.clock.batch = self.now;
        let around = Surroundings {
            home: &self.home,
            status: &self.status,
            date: &self.date,
            clock: &self.clock,
            settings: &self.settings,
            tally: self.metrics.tally(0),
            metrics: &self.metrics,
            draining: self.draining,
            may_park: self.may_park,
        };
        handle(&mut self.conn, self.now, &around);
        while let Some(bytes) = self.conn.take_output(self.now, &self.settings) {
            self.out.extend_from_slice(&bytes);
            if !self.reads {
                break;
            }
            sent(&mut self.conn, self.now, &around);
        }
        match self.conn.close_wish() {
            CloseWish::KeepOpen => {}
            CloseWish::ShutdownWrite => self.shut = true,
            CloseWish::Close => self.closed = true,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.act(|conn, now, around| conn.handle_bytes(now, bytes, around));
    }

    fn end(&mut self) {
        self.act(|conn, now, around| conn.handle_end(now, around.settings));
    }

    fn event(&mut self) {
        self.act(|conn, now, around| conn.handle_event(now, around));
    }

    fn drain(&mut self) {
        self.draining = true;
        self.act(|conn, now, around| conn.handle_drain(now, around));
    }

    fn wants_bytes(&self) -> bool {
        self.conn.wants_bytes(&self.settings)
    }

    /// The peer, who did not read, has read it all.
    fn read(&mut self) {
        self.reads = true;
        self.act(sent);
    }

    /// Lets time go by, and what is due on the way happen at its time.
    fn pass(&mut self, span: Nanos) {
        let until = self.now + span;
        for _ in 0..10_000 {
            let due = self.conn.timeout();
            if self.closed || due > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(due);
            self.act(|conn, now, around| conn.handle_timeout(now, around));
        }
        panic!("a deadline that fires does not go away");
    }

    fn apply(&mut self) {
        self.home.apply(Change::parse(crate::home::Device::Light, "toggle", None).unwrap());
    }

    /// The answers so far, as another reader sees them: status, content, whether more may follow.
    fn answers(&self) -> Vec<(u16, String, bool)> {
        let mut reader = ResponseReader::new(ResponseLimits {
            capture_bytes_max: 100_000,
            ..ResponseLimits::default()
        });
        let mut answers = Vec::new();
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            reader.start(false);
            let read = reader.read(rest).expect("an answer is well-formed");
            let done = read.done.expect("an answer is whole");
            let content = String::from_utf8(reader.captured().to_vec()).unwrap();
            answers.push((done.status, content, done.keep_alive));
            rest = &rest[read.consumed..];
        }
        answers
    }

    #[track_caller]
    fn check(&self, statuses: &[u16]) {
        let got: Vec<u16> = self.answers().iter().map(|(status, ..)| *status).collect();
        assert_eq!(got, statuses, "{}", String::from_utf8_lossy(&self.out));
    }
}

const STATUS: &[u8] = b"GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const POLL: &[u8] = b"GET /events/live HTTP/1.1\r\nHost: h\r\n\r\n";
const POLL_SINCE_1: &[u8] = b"GET /events/live?since=1 HTTP/1.1\r\nHost: h\r\n\r\n";
const COMMAND: &[u8] = b"POST /devices/light/command HTTP/1.1\r\nHost: h\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\r\n\
    {\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}";
const CHUNKED: &[u8] = b"POST /devices/light/command HTTP/1.1\r\nHost: h\r\n\
    Transfer-Encoding: chunked\r\n\r\n\
    5;x=y\r\n{\"act\r\nC\r\nion\":\"off\"}  \r\n0\r\nX: y\r\n\r\n";
const CLOSING: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const EXPECTING: &[u8] = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\
    Content-Length: 5\r\n\r\n";

/// A request whose answer is as long as its content.
fn echo(len: usize) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n");
    [head.as_bytes(), &vec![b'e'; len]].concat()
}

fn secs(n: u64) -> Nanos {
    Nanos::from_secs(n)
}

fn millis(n: u64) -> Nanos {
    Nanos::from_millis(n)
}

/// What came out, and when each batch of it did, for `input` cut at `cuts`.
fn conversation(input: &[u8], cuts: &[usize]) -> (Vec<u8>, bool, bool) {
    let mut talk = Talk::new();
    let mut begin = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        talk.receive(&input[begin..end]);
        begin = end;
    }
    talk.pass(secs(1));
    talk.end();
    talk.pass(secs(60));
    (talk.out, talk.shut, talk.closed)
}

/// Conversations whose answers depend on the bytes alone: no `Expect`, whose 100 may be left out if
/// the content is there already.
fn conversations() -> Vec<Vec<u8>> {
    let bad = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
    vec![
        STATUS.to_vec(),
        [STATUS, COMMAND, STATUS].concat(),
        [STATUS, POLL, COMMAND, STATUS].concat(),
        [CHUNKED, STATUS, &echo(300), STATUS].concat(),
        [b"\r\n".as_slice(), STATUS, b"\r\n", STATUS].concat(),
        [STATUS, bad, STATUS].concat(),
        [POLL, bad].concat(),
        [STATUS, CLOSING, STATUS].concat(),
        [COMMAND, CLOSING, STATUS].concat(),
        [COMMAND, &STATUS[..20]].concat(),
        [STATUS, &COMMAND[..COMMAND.len() - 1]].concat(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [
            STATUS,
            b"POST /devices/light/command HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n",
        ]
        .concat(),
    ]
}

#[test]
fn any_split_of_a_conversation_gives_the_same_answers() {
    for (index, input) in conversations().iter().enumerate() {
        let whole = conversation(input, &[]);
        assert!(whole.2, "conversation {index} comes to an end");
        for cut in 0..=input.len() {
            assert_eq!(conversation(input, &[cut]), whole, "conversation {index} cut at {cut}");
        }
        let every: Vec<usize> = (1..input.len()).collect();
        assert_eq!(conversation(input, &every), whole, "conversation {index} by octets");
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            let mut cuts: Vec<usize> =
                (0..4).map(|_| rng.below(input.len() as u64 + 1) as usize).collect();
            cuts.sort_unstable();
            assert_eq!(conversation(input, &cuts), whole, "conversation {index}, seed {seed}");
        }
    }
}

#[test]
fn answers_come_in_order_and_each_in_its_time() {
    let mut talk = Talk::new();
    talk.receive(&[STATUS, COMMAND, POLL_SINCE_1, STATUS].concat());
    talk.check(&[200]);
    talk.pass(Nanos(talk.settings.device_latency.0 - 1));
    talk.check(&[200]);
    talk.pass(Nanos(1));
    talk.check(&[200, 200]);
    // The poll knows of the command's event, so it waits for another.
    talk.pass(Nanos(talk.settings.poll_timeout.0 - 1));
    talk.check(&[200, 200]);
    talk.pass(Nanos(1));
    talk.check(&[200; 4]);
    let answers = talk.answers();
    let lengths: Vec<usize> = answers.iter().map(|(_, content, _)| content.len()).collect();
    assert_eq!(lengths, [120, 80, 60, 120]);
    assert!(answers[2].1.contains("timeout"));
    assert!(answers[3].1.contains(r#""light","v":75"#), "the command is done by then");
}

#[test]
fn a_parked_poll_gets_the_event() {
    let mut talk = Talk::new();
    talk.receive(POLL);
    assert_eq!(talk.conn.parked_since(), Some(Seq(0)));
    talk.event();
    talk.check(&[]);
    talk.apply();
    talk.event();
    talk.check(&[200]);
    assert!(talk.answers()[0].1.starts_with(r#"{"seq":1,"device":"light""#));
    assert_eq!(talk.conn.parked_since(), None);
}

#[test]
fn an_event_at_the_moment_of_the_time_out_is_not_lost() {
    let mut talk = Talk::new();
    talk.receive(b"GET /events/live?since=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.apply();
    talk.pass(talk.settings.poll_timeout);
    assert!(talk.answers()[0].1.starts_with(r#"{"seq":1,"device""#), "{:?}", talk.answers());
}

#[test]
fn content_is_asked_for_unless_it_is_there() {
    let mut talk = Talk::new();
    talk.receive(EXPECTING);
    assert_eq!(talk.out, encode::CONTINUE);
    talk.receive(b"hello");
    assert!(talk.out.ends_with(b"\r\n\r\nhello"));

    let mut talk = Talk::new();
    talk.receive(&[EXPECTING, b"he"].concat());
    assert_eq!(talk.out, b"");
    talk.receive(b"llo");
    assert!(talk.out.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn content_that_will_be_refused_is_not_asked_for() {
    let mut talk = Talk::new();
    talk.receive(
        b"POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    talk.check(&[404]);
    assert!(talk.shut && !talk.answers()[0].2, "it may come or not, so nothing can follow");
    // What comes after it is content or not; nobody can tell, and it is dropped.
    talk.receive(STATUS);
    talk.check(&[404]);
}

#[test]
fn content_of_a_refused_request_is_read_and_dropped() {
    let mut talk = Talk::new();
    let head =
        format!("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", STATUS.len());
    let hidden = [head.as_bytes(), STATUS].concat();
    talk.receive(&[&hidden[..], CLOSING].concat());
    talk.check(&[404, 200]);
    assert_eq!(talk.answers()[1].1, r#"{"status":"ok"}"#);
}

#[test]
fn a_request_that_takes_too_long_to_arrive_is_408() {
    for cut in [1, 20, STATUS.len() - 1] {
        let mut talk = Talk::new();
        talk.pass(secs(5));
        talk.receive(&STATUS[..cut]);
        talk.pass(Nanos(talk.settings.head_timeout.0 - 1));
        talk.check(&[]);
        talk.pass(Nanos(1));
        talk.check(&[408]);
        assert!(talk.shut && !talk.closed);
    }
    let mut talk = Talk::new();
    talk.receive(&COMMAND[..COMMAND.len() - 1]);
    talk.pass(Nanos(talk.settings.content_timeout.0 - 1));
    talk.check(&[]);
    talk.pass(Nanos(1));
    talk.check(&[408]);
}

#[test]
fn a_peer_that_trickles_earns_no_time() {
    let mut talk = Talk::new();
    for octet in STATUS.chunks(1).take(30) {
        talk.receive(octet);
        talk.pass(millis(500));
    }
    talk.check(&[408]);
}

#[test]
fn after_the_last_answer_the_connection_lingers_for_a_while() {
    let mut talk = Talk::new();
    talk.receive(CLOSING);
    talk.check(&[200]);
    assert!(talk.shut && !talk.closed, "FIN, and go on reading");
    assert!(talk.wants_bytes());
    talk.receive(&[7; 100_000]);
    assert!(talk.conn.inbox.is_empty(), "what still comes is dropped");
    talk.pass(Nanos(talk.settings.linger_timeout.0 - 1));
    assert!(!talk.closed);
    talk.pass(Nanos(1));
    assert!(talk.closed);

    let mut talk = Talk::new();
    talk.receive(CLOSING);
    talk.end();
    assert!(talk.closed, "the peer's FIN ends it");
}

#[test]
fn lingering_begins_once_the_answer_is_sent() {
    let mut talk = Talk::new();
    talk.reads = false;
    talk.receive(CLOSING);
    talk.pass(Nanos(talk.settings.linger_timeout.0 * 2));
    assert!(!talk.closed && !talk.shut, "the peer is still reading");
    talk.read();
    assert!(talk.shut);
    talk.pass(Nanos(talk.settings.linger_timeout.0 - 1));
    assert!(!talk.closed);
    talk.pass(Nanos(1));
    assert!(talk.closed);
}

#[test]
fn a_fin_is_no_more_requests_and_not_an_abort() {
    for pipeline in [STATUS.to_vec(), COMMAND.to_vec(), [STATUS, COMMAND, POLL, STATUS].concat()] {
        let mut talk = Talk::new();
        talk.receive(&pipeline);
        talk.end();
        talk.pass(secs(1));
        assert!(talk.answers().iter().all(|(status, ..)| *status == 200));
        assert_eq!(talk.answers().len(), pipeline.windows(4).filter(|w| w == b"HTTP").count());
        assert!(talk.closed);
    }
}

#[test]
fn an_answer_that_is_still_being_sent_survives_the_peers_fin() {
    let mut talk = Talk::new();
    talk.reads = false;
    talk.receive(&echo(50_000));
    talk.end();
    talk.pass(secs(10));
    assert!(!talk.closed, "the peer is still reading");
    talk.read();
    assert!(talk.closed);
}

#[test]
fn a_request_cut_short_by_a_fin_is_never_carried_out() {
    for cut in 1..COMMAND.len() {
        let mut talk = Talk::new();
        talk.receive(&COMMAND[..cut]);
        talk.end();
        assert!(talk.closed);
        assert_eq!((talk.out.len(), talk.home.newest()), (0, Seq(0)), "cut at {cut}");
    }
}

#[test]
fn a_command_of_a_broken_connection_is_not_carried_out() {
    let mut talk = Talk::new();
    talk.receive(COMMAND);
    talk.act(|conn, _, _| conn.handle_failure());
    assert!(talk.closed);
    talk.receive(STATUS);
    talk.pass(secs(1));
    assert_eq!((talk.out.len(), talk.home.newest()), (0, Seq(0)));
}

#[test]
fn a_reader_that_does_not_read_is_given_up_on() {
    let mut talk = Talk::new();
    talk.reads = false;
    talk.receive(STATUS);
    talk.pass(Nanos(talk.settings.write_timeout.0 - 1));
    assert!(!talk.closed);
    talk.pass(Nanos(1));
    assert!(talk.closed);
}

#[test]
fn an_idle_time_shorter_than_the_write_time_cuts_no_answer_short() {
    let mut talk = Talk::with(|settings| settings.idle_timeout = secs(1));
    talk.reads = false;
    talk.receive(STATUS);
    talk.pass(secs(30));
    assert!(!talk.closed);
    talk.read();
    talk.pass(Nanos(secs(1).0 - 1));
    assert!(!talk.shut, "idle since it was read");
    talk.pass(Nanos(1));
    assert!(talk.shut);
}

#[test]
fn input_behind_an_answer_owed_is_bounded() {
    let mut talk = Talk::new();
    talk.receive(POLL);
    let mut requests = 0;
    while talk.wants_bytes() {
        talk.receive(STATUS);
        requests += 1;
    }
    assert!(talk.conn.inbox.len() < Quotas::default().inbox_bytes_max + STATUS.len());
    talk.pass(talk.settings.poll_timeout);
    assert!(talk.wants_bytes());
    assert_eq!(talk.answers().len(), 1 + requests);
}

#[test]
fn output_that_nobody_reads_is_bounded() {
    let mut talk = Talk::new();
    talk.reads = false;
    let request = echo(60_000);
    let mut requests = 0;
    while talk.wants_bytes() {
        talk.receive(&request);
        requests += 1;
    }
    assert!(talk.conn.output_bytes() < Quotas::default().output_bytes_max + 2 * request.len());
    // What was under way already waits, and is answered once there is room.
    talk.receive(&[STATUS, STATUS].concat());
    assert!(talk.conn.inbox.len() == 2 * STATUS.len());
    talk.read();
    assert!(talk.wants_bytes() && talk.conn.inbox.is_empty());
    assert_eq!(talk.answers().len(), requests + 2);
}

#[test]
fn a_peer_that_was_told_goodbye_cannot_fill_memory_behind_unread_output() {
    let mut talk = Talk::new();
    talk.reads = false;
    for _ in 0..4 {
        talk.receive(&echo(60_000));
    }
    let last = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n";
    talk.receive(&[last, &[b'e'; 60_000][..]].concat());
    assert!(talk.conn.output_bytes() > Quotas::default().output_bytes_max && talk.wants_bytes());
    for _ in 0..100 {
        talk.receive(&[b'x'; 10_000]);
    }
    assert!(
        talk.conn.inbox.len() < Quotas::default().inbox_bytes_max,
        "{} bytes",
        talk.conn.inbox.len()
    );
}

#[test]
fn a_fin_behind_full_output_leaves_the_backlog_to_be_answered() {
    let mut talk = Talk::new();
    talk.reads = false;
    let mut requests = 0;
    while talk.wants_bytes() {
        talk.receive(&echo(60_000));
        requests += 1;
    }
    talk.receive(&[STATUS, STATUS].concat());
    talk.end();
    assert!(!talk.closed);
    talk.read();
    assert_eq!(talk.answers().len(), requests + 2);
    assert!(talk.closed);
}

#[test]
fn a_head_may_be_longer_than_what_may_wait_behind_an_answer() {
    let mut talk = Talk::with(|settings| {
        settings.limits.line_bytes_max = 2 * Quotas::default().inbox_bytes_max;
        settings.limits.head_bytes_max = 2 * Quotas::default().inbox_bytes_max;
    });
    talk.receive(b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: ");
    while talk.conn.inbox.len() < 2 * Quotas::default().inbox_bytes_max - 1_100 {
        assert!(talk.wants_bytes());
        talk.receive(&[b'x'; 1_000]);
    }
    talk.receive(b"\r\n\r\n");
    talk.check(&[200]);
}

#[test]
fn http10_closes_unless_asked_to_stay() {
    let mut talk = Talk::new();
    talk.receive(b"GET /healthz HTTP/1.0\r\n\r\n");
    talk.check(&[200]);
    assert!(talk.shut);

    let mut talk = Talk::new();
    talk.receive(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(talk.out.windows(24).any(|line| line == b"Connection: keep-alive\r\n"));
    assert!(talk.out.starts_with(b"HTTP/1.1 200 OK\r\n") && !talk.shut);
    talk.receive(STATUS);
    talk.check(&[200, 200]);
}

#[test]
fn an_answer_to_head_has_the_fields_and_no_content() {
    let mut get = Talk::new();
    get.receive(STATUS);
    let mut head = Talk::new();
    head.receive(b"HEAD /devices/status HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(head.out, get.out[..get.out.len() - 120]);
}

#[test]
fn every_answer_carries_date_length_and_type_and_nothing_else() {
    let mut talk = Talk::new();
    talk.receive(STATUS);
    let text = String::from_utf8(talk.out).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT"
    );
}

#[test]
fn at_the_drain_polls_are_answered_and_idle_peers_get_a_grace() {
    let mut talk = Talk::new();
    talk.receive(&[POLL, STATUS].concat());
    talk.drain();
    talk.check(&[200]);
    assert!(talk.shut && !talk.answers()[0].2 && talk.conn.inbox.is_empty());

    let mut talk = Talk::new();
    talk.drain();
    talk.pass(millis(100));
    talk.receive(STATUS);
    talk.check(&[200]);
    assert!(talk.shut && !talk.answers()[0].2);

    let mut talk = Talk::new();
    talk.drain();
    talk.pass(talk.settings.drain_grace);
    assert!(talk.shut && !talk.closed, "a FIN first");
    talk.pass(talk.settings.drain_grace);
    assert!(talk.closed);
}

#[test]
fn at_the_drain_a_command_takes_its_time_and_an_unsent_answer_is_sent() {
    let mut talk = Talk::new();
    talk.receive(COMMAND);
    talk.drain();
    talk.check(&[]);
    talk.pass(talk.settings.device_latency);
    talk.check(&[200]);
    assert!(!talk.answers()[0].2);

    let mut talk = Talk::new();
    talk.reads = false;
    talk.receive(STATUS);
    talk.drain();
    talk.pass(secs(1));
    assert!(!talk.closed, "the answer has begun");
    talk.read();
    talk.pass(Nanos(0));
    assert!(talk.shut);
}

#[test]
fn commands_and_polls_may_take_no_time_at_all() {
    let mut talk = Talk::with(|settings| {
        settings.device_latency = Nanos::ZERO;
        settings.poll_timeout = Nanos::ZERO;
    });
    talk.receive(&[COMMAND, POLL, COMMAND, STATUS].concat());
    talk.check(&[200; 4]);
}
