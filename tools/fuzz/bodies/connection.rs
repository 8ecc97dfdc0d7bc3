//! A whole connection of the server: however its octets are cut, and whenever its peer reads, it says
//! the same and ends the same, holds no more than it may, and what it says is well-formed HTTP.

use super::{pieces, split_choice};
use ringpace::clock::FakeClock;
use ringpace::home::Home;
use ringpace::http::response::{ResponseLimits, ResponseReader};
use ringpace::http::{HttpDate, RequestLimits};
use ringpace::rng::Rng;
use ringpace::serve::conn::{CloseWish, Conn, Surroundings};
use ringpace::serve::metrics::Metrics;
use ringpace::serve::settings::{Quotas, Settings};
use ringpace::serve::status::StatusAnswer;
use ringpace::units::{Mono, Nanos};

pub(crate) fn run(input: &[u8]) {
    let Some(([choice, seed], stream)) = split_choice(input) else { return };
    let settings = settings(choice);
    let whole = Talk::new(&settings).hold([stream].into_iter(), None);
    let reads = Rng::new(u64::from(seed));
    let cut = Talk::new(&settings).hold(pieces(stream, seed).into_iter(), Some(reads));
    // Whether leave to send is asked for in vain depends on whether content has come along.
    let asks_leave = stream.windows(6).any(|word| word.eq_ignore_ascii_case(b"expect"));
    // A poll tells what came after it: behind a command, whether it came in the same piece shows.
    let has = |part: &[u8]| stream.windows(part.len()).any(|word| word == part);
    let polls_behind_command = has(b"/command") && has(b"/events/live");
    if !asks_leave && !polls_behind_command {
        assert_eq!(cut, whole, "a split matters");
    }
    let has_head = stream.windows(4).any(|word| word == b"HEAD");
    if !has_head {
        assert_well_formed(&whole.said);
        assert_well_formed(&cut.said);
    }
}

/// The defaults, or limits that short inputs reach; no time is long enough to meet a deadline.
fn settings(choice: u8) -> Settings {
    let tight = Settings {
        limits: RequestLimits {
            line_bytes_max: 80,
            head_bytes_max: 200,
            fields_max: 5,
            body_bytes_max: 60,
        },
        quotas: Quotas {
            pipeline_max: 2,
            inbox_bytes_max: 100,
            output_bytes_max: 500,
            ..Quotas::default()
        },
        ..Settings::default()
    };
    let settings = if choice.is_multiple_of(2) { Settings::default() } else { tight };
    let device_latency = if choice & 2 == 0 { Nanos::ZERO } else { Nanos::from_millis(2) };
    Settings { echo: true, device_latency, poll_timeout: Nanos::from_millis(5), ..settings }
}

/// What a peer saw of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    said: Vec<u8>,
    is_closed: bool,
}

struct Talk<'a> {
    settings: &'a Settings,
    home: Home,
    status: StatusAnswer,
    date: HttpDate,
    metrics: Metrics,
    conn: Conn,
    now: Mono,
    said: Vec<u8>,
    /// The kernel has not taken all of what was given to it.
    is_sending: bool,
    ends: bool,
}

/// Longer than devices and polls take together, shorter than any deadline.
const SOON: Nanos = Nanos::from_secs(1);
/// A bound on the requests of one input, each of which may take its time.
const STEPS_MAX: usize = 1_000_000;

impl<'a> Talk<'a> {
    fn new(settings: &'a Settings) -> Talk<'a> {
        let now = Mono(1_000_000_000);
        let date = HttpDate::from_unix_secs(784_111_777);
        Talk {
            settings,
            home: Home::new(64),
            status: StatusAnswer::new(Home::new(64).snapshot(), date),
            date,
            metrics: Metrics::new(["0".to_string()]),
            conn: Conn::new(now, settings),
            now,
            said: Vec::new(),
            is_sending: false,
            ends: false,
        }
    }

    /// All of it, then a FIN. With `reads` the peer takes what is said only now and then.
    fn hold<'p>(mut self, pieces: impl Iterator<Item = &'p [u8]>, mut reads: Option<Rng>) -> Seen {
        for piece in pieces {
            let mut steps = 0;
            while !self.ends && !self.conn.wants_bytes(self.settings) {
                self.go_on();
                steps += 1;
                assert!(steps < STEPS_MAX, "it never wants more");
            }
            self.act(|conn, now, around| conn.handle_bytes(now, piece, around));
            self.give(reads.as_mut().is_none_or(|rng| rng.chance(0.5)));
        }
        self.act(|conn, now, around| conn.handle_end(now, around.settings));
        for _ in 0..STEPS_MAX {
            if self.ends || !self.go_on() {
                return Seen { said: self.said, is_closed: self.ends };
            }
        }
        panic!("it never comes to rest");
    }

    /// Lets the peer read, or time go by until what is owed is due; whether there was either.
    fn go_on(&mut self) -> bool {
        if self.is_sending {
            self.give(true);
            return true;
        }
        let due = self.conn.timeout();
        if due > self.now + SOON {
            return false;
        }
        self.now = self.now.max(due);
        self.act(|conn, now, around| conn.handle_timeout(now, around));
        self.give(true);
        true
    }

    fn act(&mut self, handle: impl FnOnce(&mut Conn, Mono, &Surroundings<'_>)) {
        let around = Surroundings {
            home: &self.home,
            status: &self.status,
            date: &self.date,
            clock: &FakeClock::at(self.now),
            settings: self.settings,
            tally: self.metrics.tally(0),
            metrics: &self.metrics,
            draining: false,
            may_park: true,
        };
        handle(&mut self.conn, self.now, &around);
    }

    /// The second pass: what is said goes out, and with `all` the kernel takes it at once.
    fn give(&mut self, all: bool) {
        loop {
            if self.is_sending {
                if !all {
                    break;
                }
                self.is_sending = false;
                self.act(|conn, now, around| conn.handle_sent(now, around));
            }
            let Some(bytes) = self.conn.take_output(self.now, self.settings) else { break };
            assert!(!bytes.is_empty(), "nothing to send was given to send");
            self.said.extend_from_slice(&bytes);
            self.is_sending = true;
        }
        self.ends |= self.conn.close_wish() == CloseWish::Close;
    }
}

/// Answers, one behind the other, as the pacer reads them.
fn assert_well_formed(said: &[u8]) {
    let mut reader = ResponseReader::new(ResponseLimits::default());
    let mut rest = said;
    while !rest.is_empty() {
        reader.start(false);
        let read = reader.read(rest).expect("an answer is well-formed");
        // Leave to send, and then the peer was gone.
        if read.done.is_none() {
            assert!(rest.starts_with(b"HTTP/1.1 100 "), "an answer is cut short");
            return;
        }
        rest = &rest[read.consumed..];
    }
}
