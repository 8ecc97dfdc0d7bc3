//! Workers under the simulated network: clients of every kind, and what must hold whatever they do.
//!
//! A [`Client`] writes a script of requests in pieces, reads well or badly, and leaves in its own way.
//! Afterwards [`Audit`] goes through everything that was said on its link: each whole request has one
//! answer, in order and in its time. A failure prints its seed; `run(seed)` replays it.

use super::sim::{Link, Sim, shuffle};
use crate::clock::Clock;
use crate::http::response::{ResponseLimits, ResponseReader};
use crate::rng::Rng;
use crate::serve::settings::Settings;
use crate::units::{Mono, Nanos};

const SEEDS: u64 = 200;

/// Chosen: no client here has business for longer, so whatever is open then has leaked.
const RUN_MAX: Nanos = Nanos::from_secs(20);

fn settings() -> Settings {
    Settings {
        poll_timeout: Nanos::from_millis(50),
        head_timeout: Nanos::from_millis(100),
        content_timeout: Nanos::from_millis(150),
        idle_timeout: Nanos::from_millis(300),
        write_timeout: Nanos::from_millis(200),
        linger_timeout: Nanos::from_millis(40),
        drain_grace: Nanos::from_millis(20),
        drain_timeout: Nanos::from_millis(150),
        ..Settings::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Status,
    Command,
    Poll {
        since: Option<u64>,
    },
    Refused(u16),
    Garbage,
    /// Says `Connection: close`.
    Last,
}

/// A request of a script, and where in it the request ends.
#[derive(Clone, Copy, Debug)]
struct Asked {
    kind: Kind,
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// FIN right behind the last request.
    Fin,
    /// FIN once everything is answered.
    Answered,
    /// Never: the server has to find out.
    Vanish,
    /// Reset, after so many bytes were written.
    Reset { after: usize },
}

#[derive(Debug)]
struct Client {
    worker: usize,
    link: Option<usize>,
    asked: Vec<Asked>,
    script: Vec<u8>,
    written: usize,
    piece_bytes_max: u64,
    /// 0: never reads.
    read_bytes_max: u64,
    down_bytes_max: usize,
    prompt: bool,
    stalls: f64,
    leave: Leave,
    /// How many answers it has read whole, to where they go, and the last of them.
    answered: usize,
    answered_bytes: usize,
    last_answer: Option<Answer>,
    /// Polls that are still to be asked, each from where the one before ended.
    follows: u32,
    next_act: Option<Mono>,
}

impl Client {
    fn new(rng: &mut Rng, now: Mono, workers: usize) -> Client {
        let prompt = rng.chance(0.6);
        let mut client = Client {
            worker: rng.below(workers as u64) as usize,
            link: None,
            asked: Vec::new(),
            script: Vec::new(),
            written: 0,
            piece_bytes_max: [1_000_000, 300, 20][rng.below(3) as usize],
            read_bytes_max: [0, 100, 2_000][rng.below(3) as usize],
            down_bytes_max: if prompt { usize::MAX } else { 100 + rng.below(3_000) as usize },
            prompt,
            stalls: if rng.chance(0.3) { 0.1 } else { 0.0 },
            leave: Leave::Answered,
            answered: 0,
            answered_bytes: 0,
            last_answer: None,
            follows: 0,
            next_act: Some(now + Nanos(rng.below(200_000_000))),
        };
        match rng.below(60) {
            0..15 => client.follow(rng, 0),
            15 => client.flood(rng),
            _ => client.mix(rng),
        }
        client.leave = match rng.below(8) {
            0 => Leave::Vanish,
            1 => Leave::Reset { after: rng.below(client.script.len() as u64 + 1) as usize },
            2 | 3 if client.follows == 0 => Leave::Fin,
            _ => Leave::Answered,
        };
        client
    }

    fn ask(&mut self, kind: Kind, bytes: &[u8]) {
        self.script.extend_from_slice(bytes);
        self.asked.push(Asked { kind, end: self.script.len() });
    }

    /// The traffic of the benchmark, and what goes wrong.
    fn mix(&mut self, rng: &mut Rng) {
        for _ in 0..rng.below(12) {
            match rng.below(22) {
                0..10 => self.status(),
                10..16 => self.command(rng),
                16..18 => self.poll(rng.chance(0.5).then(|| rng.below(20))),
                18 => self.ask(Kind::Refused(404), b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"),
                19 => self.ask(
                    Kind::Refused(422),
                    b"POST /devices/sensor/command HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n\
                      {\"action\":\"set\"}",
                ),
                20 => self.ask(Kind::Garbage, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n"),
                _ => self.ask(
                    Kind::Last,
                    b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                ),
            }
        }
        if rng.chance(0.15) && !self.script.is_empty() {
            // Cut short, and never finished.
            self.script.truncate(self.script.len() - 1 - rng.below(20) as usize);
        }
    }

    fn status(&mut self) {
        self.ask(Kind::Status, b"GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n");
    }

    fn command(&mut self, rng: &mut Rng) {
        let head = "POST /devices/light/command HTTP/1.1\r\nHost: h\r\n";
        let value = 10 + rng.below(90);
        let content = format!("{{\"action\":\"set\",\"value\":{value},\"ref\":\"run1\"}}");
        let text = match rng.below(4) {
            0 => format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n10\r\n{}\r\n18;x=\"y\"\r\n{}\r\n0\r\n\r\n",
                &content[..16],
                &content[16..]
            ),
            1 => format!("{head}Expect: 100-continue\r\nContent-Length: 40\r\n\r\n{content}"),
            _ => format!("{head}Content-Length: 40\r\n\r\n{content}"),
        };
        self.ask(Kind::Command, text.as_bytes());
    }

    fn poll(&mut self, since: Option<u64>) {
        let query = since.map_or(String::new(), |since| format!("?since={since}"));
        let text = format!("GET /events/live{query} HTTP/1.1\r\nHost: h\r\n\r\n");
        self.ask(Kind::Poll { since }, text.as_bytes());
    }

    /// A poller that asks for what comes after the last it saw.
    fn follow(&mut self, rng: &mut Rng, since: u64) {
        self.prompt = true;
        self.down_bytes_max = usize::MAX;
        self.follows = 3 + rng.below(10) as u32;
        self.poll(Some(since));
    }

    /// More than the server will hold for it, either way.
    fn flood(&mut self, rng: &mut Rng) {
        if rng.chance(0.5) {
            self.poll(None);
        }
        for _ in 0..1_900 {
            self.status();
        }
        self.piece_bytes_max = 20_000;
        self.read_bytes_max = [0, 50_000][rng.below(2) as usize];
    }

    /// One step: connect, read, write, leave.
    fn act(&mut self, sim: &Sim) {
        let now = sim.clock.now();
        let mut net = sim.net();
        let Some(index) = self.link else {
            let (prompt, down_bytes_max) = (self.prompt, self.down_bytes_max);
            let link = Link { prompt, down_bytes_max, ..Link::default() };
            self.link = Some(net.connect(self.worker, link));
            return;
        };
        let super::sim::Net { links, rng, .. } = &mut *net;
        let link = &mut links[index];
        if self.prompt {
            link.read(usize::MAX);
        } else if self.read_bytes_max > 0 {
            link.read(1 + rng.below(self.read_bytes_max) as usize);
        }
        let writes = self.written < self.script.len() || self.follows > 0;
        let mut pause = Nanos(rng.below(if writes { 2_000_000 } else { 20_000_000 }));
        if rng.chance(self.stalls) {
            pause = Nanos(rng.below(250_000_000));
        }
        self.next_act = Some(now + pause);
        if link.refused || link.closed_at.is_some() {
            link.read(usize::MAX);
            self.next_act = None;
        } else if let Leave::Reset { after } = self.leave
            && self.written >= after
        {
            link.reset = true;
            self.next_act = None;
        } else {
            self.write(link, rng);
            self.go_on(link);
        }
    }

    fn write(&mut self, link: &mut Link, rng: &mut Rng) {
        let left = self.script.len() - self.written;
        if left > 0 && !link.up_end {
            let len = (1 + rng.below(self.piece_bytes_max) as usize).min(left);
            link.up.extend(&self.script[self.written..self.written + len]);
            self.written += len;
        }
    }

    /// Once everything is written: FIN, or another poll.
    fn go_on(&mut self, link: &mut Link) {
        let is_over = link.down_ended_at.is_some();
        if self.written < self.script.len() && !is_over {
            return;
        }
        let news = answers(&link.read[self.answered_bytes..]);
        self.answered += news.len();
        self.answered_bytes += news.last().map_or(0, |answer| answer.end);
        self.last_answer = news.into_iter().last().or(self.last_answer.take());
        let answered = self.answered >= self.asked.len() || is_over;
        if answered && self.follows > 0 && !is_over {
            self.follows -= 1;
            let last = self.last_answer.as_ref().expect("it has asked");
            let since = last.json()["seq"].as_u64();
            let oldest = || last.content.trim_end_matches("\"}").rsplit(' ').next()?.parse().ok();
            return self.poll(Some(since.or_else(oldest).expect("events and 410 name a seq")));
        }
        link.up_end |= match self.leave {
            Leave::Fin => true,
            Leave::Answered => answered,
            Leave::Vanish | Leave::Reset { .. } => false,
        };
    }
}

/// An answer, and where in the stream it ends.
#[derive(Debug)]
struct Answer {
    status: u16,
    content: String,
    keep_alive: bool,
    end: usize,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.content).expect("every answer is JSON")
    }
}

/// The whole answers in `stream`.
fn answers(stream: &[u8]) -> Vec<Answer> {
    let mut reader = ResponseReader::new(ResponseLimits::default());
    let mut answers = Vec::new();
    let mut at = 0;
    loop {
        reader.start(false);
        let read = reader.read(&stream[at..]).expect("an answer is well-formed");
        let Some(done) = read.done else { return answers };
        at += read.consumed;
        let content = String::from_utf8(reader.captured().to_vec()).expect("JSON is UTF-8");
        let (status, keep_alive) = (done.status, done.keep_alive);
        answers.push(Answer { status, content, keep_alive, end: at });
    }
}

/// What there is to judge a client's link by.
struct Audit<'a> {
    client: &'a Client,
    link: &'a Link,
    /// Where in the stream each piece of `link.sent` ends.
    sent_ends: Vec<usize>,
    settings: &'a Settings,
    published_at: &'a [Mono],
    stopped_at: Option<Mono>,
}

impl Audit<'_> {
    fn check(&self) {
        let stream: Vec<u8> = self.link.sent.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        assert!(stream.starts_with(&self.link.read), "the client read what was sent");
        let answers = answers(&stream);
        let end = answers.last().map_or(0, |answer| answer.end);
        let interim = stream[end..].starts_with(b"HTTP/1.1 100 ");
        assert!(end == stream.len() || interim, "whole answers are sent");
        let mut previous = Mono(0);
        for (index, answer) in answers.iter().enumerate() {
            let at = self.sent_at(answer.end);
            let last = index + 1 == answers.len();
            assert!(answer.keep_alive || last, "nothing follows a close");
            self.check_answer(index, answer, at, previous);
            previous = at;
        }
        self.check_complete(&answers);
        self.check_end();
    }

    fn check_answer(&self, index: usize, answer: &Answer, at: Mono, previous: Mono) {
        let asked = self.client.asked.get(index).expect("an answer has a request");
        let arrival = self.given_at(asked.end);
        if asked.kind == Kind::Garbage && answer.status == 400 {
            return assert!(!answer.keep_alive);
        }
        if answer.status == 408 {
            // Where sends are held up, the rest may have come after the 408 and before it was sent.
            let late = arrival.is_none_or(|arrival| arrival >= at) || !self.client.prompt;
            return assert!(!answer.keep_alive && late);
        }
        let arrival = arrival.expect("only whole requests are answered");
        assert!(at >= arrival.max(previous));
        // Where sends are held up, a request may have been taken on before the last answer was sent.
        let begin = if self.client.prompt { arrival.max(previous) } else { arrival };
        let (status, len, takes) = match asked.kind {
            Kind::Status => (200, Some(120), Nanos::ZERO),
            Kind::Command => (200, Some(80), self.settings.device_latency),
            Kind::Poll { since } => {
                // Behind others that waited, it may be told what came after the first of those.
                let waited_behind = previous > arrival;
                return self.check_poll(since, answer, at, begin, (arrival, waited_behind));
            }
            Kind::Refused(status) => (status, None, Nanos::ZERO),
            Kind::Last => (200, Some(15), Nanos::ZERO),
            Kind::Garbage => panic!("{} is no answer to garbage", answer.status),
        };
        assert_eq!(answer.status, status, "{:?}", asked.kind);
        assert!(len.is_none_or(|len| answer.content.len() == len), "{}", answer.content);
        assert!(at >= begin + takes, "{:?} is answered early", asked.kind);
        assert!(!self.client.prompt || at == begin + takes, "{:?} is answered late", asked.kind);
        assert!(answer.keep_alive == (asked.kind != Kind::Last) || self.is_stopped(at));
    }

    fn check_poll(
        &self,
        since: Option<u64>,
        answer: &Answer,
        at: Mono,
        begin: Mono,
        (arrival, waited_behind): (Mono, bool),
    ) {
        let json = answer.json();
        if answer.status == 410 {
            let gone = self.published_at.len() as u64 - 1 > since.unwrap_or(0) + 64;
            return assert!(gone, "410, and nothing has left the log");
        }
        assert_eq!((answer.status, answer.content.len()), (200, 60));
        let seq = json["seq"].as_u64().expect("every event has a seq");
        if json["event"] == "timeout" {
            assert!(since.is_none_or(|since| seq <= since), "a time-out skips nothing");
            let waited = begin + self.settings.poll_timeout;
            assert!(at >= waited || self.is_stopped(at), "timed out early");
            assert!(!self.client.prompt || at <= waited, "timed out late");
            let next = since.and_then(|since| self.published_at.get(since as usize + 1));
            assert!(next.is_none_or(|next| *next >= at), "timed out beside an event");
            let missed = |published: &&Mono| **published > arrival && **published < at;
            let quiet = since.is_some() || !self.published_at.iter().any(|p| missed(&p));
            assert!(quiet || !self.client.prompt, "timed out beside an event");
            return;
        }
        let published = self.published_at[seq as usize];
        assert!(at >= published);
        match since {
            Some(since) => assert_eq!(seq, since + 1, "the first event after since"),
            None => {
                let is_new = published >= arrival || waited_behind;
                assert!(is_new || !self.client.prompt, "an event of before");
                let before = self.published_at[seq as usize - 1];
                let is_first = seq == 1 || before <= arrival;
                assert!(is_first || !self.client.prompt, "not the first event");
            }
        }
        assert!(!self.client.prompt || at == begin.max(published), "told late of the event");
    }

    /// Whether every whole request has its answer, or a reason not to.
    fn check_complete(&self, answers: &[Answer]) {
        let goes_on = answers.last().is_none_or(|answer| answer.keep_alive);
        if !goes_on || self.is_broken() {
            return;
        }
        let whole = self.client.asked.iter().filter_map(|asked| self.given_at(asked.end));
        // An idle connection is ended by a FIN, which a request may cross.
        let crossed = |at: &Mono| self.link.down_ended_at.is_some_and(|ended| *at >= ended);
        let (late, in_time): (Vec<Mono>, Vec<Mono>) = whole.partition(crossed);
        assert!(answers.len() >= in_time.len(), "every whole request is answered");
        assert!(answers.len() <= in_time.len() + late.len(), "every answer was asked for");
    }

    fn check_end(&self) {
        let link = self.link;
        assert!(
            link.closed_at.is_some() || link.refused || self.client.link.is_none(),
            "it leaked"
        );
        assert!(!link.cut || self.is_broken(), "an answer was cut short");
        let stream_bytes: usize = link.sent.iter().map(|(_, bytes)| bytes.len()).sum();
        if self.client.prompt && !self.is_broken() {
            assert_eq!(link.read.len(), stream_bytes, "the client reads everything");
        }
    }

    /// Whether answers may be missing: the peer reset, did not read in time, or the drain was over.
    fn is_broken(&self) -> bool {
        let Some(closed_at) = self.link.closed_at else { return self.link.reset };
        let last_sent = self.link.sent.last().map_or(Mono(0), |(at, _)| *at);
        let unread = !self.client.prompt && closed_at >= last_sent + self.settings.write_timeout;
        let drained = |stopped: Mono| closed_at >= stopped + self.settings.drain_timeout;
        self.link.reset || unread || self.stopped_at.is_some_and(drained)
    }

    fn is_stopped(&self, at: Mono) -> bool {
        self.stopped_at.is_some_and(|stopped| at >= stopped)
    }

    /// When the worker gave the byte before `end` to send.
    fn sent_at(&self, end: usize) -> Mono {
        let piece = self.sent_ends.partition_point(|sent| *sent < end);
        self.link.sent[piece].0
    }

    /// When the worker had the bytes up to `end`.
    fn given_at(&self, end: usize) -> Option<Mono> {
        let piece = self.link.given.partition_point(|(_, bytes)| *bytes < end);
        self.link.given.get(piece).map(|(at, _)| *at)
    }
}

/// One whole run. The seed decides everything.
fn run(seed: u64, settings: Settings) {
    let mut rng = Rng::new(seed ^ 0xC11E_4775);
    let workers = 1 + rng.below(3) as usize;
    let mut sim = Sim::new(seed, workers, settings);
    let begin = sim.clock.now();
    let mut clients: Vec<Client> =
        (0..1 + rng.below(25)).map(|_| Client::new(&mut rng, begin, workers)).collect();
    let mut stop_at = rng.chance(0.4).then(|| begin + Nanos(rng.below(400_000_000)));
    let stopped_at = stop_at;
    loop {
        sim.run_workers();
        let now = sim.clock.now();
        let mut acting: Vec<&mut Client> = clients
            .iter_mut()
            .filter(|client| client.next_act.is_some_and(|at| at <= now))
            .collect();
        shuffle(&mut acting, &mut rng);
        acting.iter_mut().for_each(|client| client.act(&sim));
        if stop_at.take_if(|at| *at <= now).is_some() {
            sim.stop();
        }
        let next = clients.iter().filter_map(|client| client.next_act).chain(stop_at).min();
        sim.run_workers();
        if !sim.advance(next) {
            break;
        }
        assert!(sim.clock.now() < begin + RUN_MAX, "something is still open");
    }
    sim.check_nothing_left();
    if let Some(stopped) = stopped_at {
        let ended_at = sim.ended_at.expect("the workers have ended");
        assert!(ended_at <= stopped + sim.settings.drain_timeout, "the drain takes too long");
    }
    for client in &clients {
        let net = sim.net();
        let Some(link) = client.link.map(|index| &net.links[index]) else { continue };
        let (settings, published_at) = (&sim.settings, &sim.published_at[..]);
        let ends = link.sent.iter().scan(0, |end, (_, piece)| {
            *end += piece.len();
            Some(*end)
        });
        let sent_ends = ends.collect();
        Audit { client, link, sent_ends, settings, published_at, stopped_at }.check();
    }
}

/// Prints the seed if what it runs fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn whatever_clients_do_each_request_is_answered_once_in_order_and_in_its_time() {
    for seed in 0..SEEDS {
        let seed = Seed(seed);
        run(seed.0, settings());
    }
}

#[test]
fn the_same_holds_for_devices_that_take_no_time_and_patient_readers() {
    for seed in SEEDS..SEEDS + 100 {
        let seed = Seed(seed);
        let (device_latency, idle_timeout) = (Nanos::ZERO, Nanos::from_millis(60));
        run(seed.0, Settings { device_latency, idle_timeout, ..settings() });
    }
}

/// A command of no latency behind more answers than the output holds, all in one receive: it is carried
/// out only when the output went out at once, in the second pass.
#[test]
fn a_command_of_the_second_pass_wakes_the_poll_of_another_core() {
    let mut sim = Sim::new(1, 2, Settings { device_latency: Nanos::ZERO, ..settings() });
    sim.net().receive_bytes = 64_000..64_001;
    let mut rng = Rng::new(1);
    let mut client = Client::new(&mut rng, sim.clock.now(), 1);
    (client.script, client.asked) = (Vec::new(), Vec::new());
    client.poll(None);
    let polling = connect(&sim, 1, &client.script);
    sim.run_workers();
    (client.script, client.asked) = (Vec::new(), Vec::new());
    (0..1_300).for_each(|_| client.status());
    client.command(&mut rng);
    let commanding = connect(&sim, 0, &client.script);
    sim.run_workers();
    assert_eq!(sim.net().links[commanding].sent.len(), 2, "the output was full once");
    let polled = answers(&sim.net().links[polling].sent[0].1);
    assert_eq!(polled[0].json()["seq"], 1);
}

fn connect(sim: &Sim, worker: usize, script: &[u8]) -> usize {
    let up = script.iter().copied().collect();
    let link = Link { up, prompt: true, down_bytes_max: usize::MAX, ..Link::default() };
    sim.net().connect(worker, link)
}
