//! One conversation, the same bytes from every backend and any number of workers.
//!
//! A fresh server each time, so seqs and states repeat; only the value of `Date` may differ, and of
//! `/metrics` only the names are compared. Start at [`every_backend_says_the_same`].

use ringpace::io::topology::{CpuList, usable_cpus};
use ringpace::io::uring::{Sqpoll, TaskRun, Wake};
use ringpace::serve::settings::Settings;
use ringpace::serve::{Backend, Plan, Server};
use ringpace::units::Nanos;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: a\r\n\r\n";
const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: a\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\r\n\
    {\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
const FIRST_EVENT: &str = "GET /events/live?since=0 HTTP/1.1\r\nHost: a\r\n\r\n";
const NO_EVENT: &str = "GET /events/live HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND_EVENT: &str = "GET /events/live?since=1 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Enough for connections to land on every one of eight workers, most of the time.
const POLLERS: usize = 32;
/// A poll that lasts this long is answered before.
const LONG: Nanos = Nanos::from_secs(60);
/// Chosen: enough for every order of sleeping and waking; a second in all.
const ROUNDS: usize = 20;
/// Each look is a request and its answer; seconds in all.
const LOOKS_MAX: u32 = 100_000;

#[test]
fn every_backend_says_the_same() {
    let expected = conversation(Backend::Uring, 1);
    assert!(expected.contains(
        "[{\"id\":\"light\",\"v\":75},{\"id\":\"thermostat\",\"v\":21.5},{\"id\":\"lock\",\"v\":1},\
         {\"id\":\"camera\",\"v\":0},{\"id\":\"sensor\",\"v\":47}   ]"
    ));
    for backend in Backend::ALL {
        for workers in [1, 2, 8] {
            let answers = conversation(backend, workers);
            assert_eq!(answers, expected, "{backend} with {workers} workers");
        }
    }
}

/// With polls parked on every core a command on one of them is heard on all, round after round, while
/// the cores go to sleep between.
#[test]
fn a_poll_parked_on_one_core_is_answered_by_a_command_on_another_by_message_and_by_write() {
    for wake in [Wake::MsgRing, Wake::Eventfd] {
        for sqpoll in [false, true] {
            let mut plan = plan(Backend::Uring, 2, LONG);
            plan.ring.wake = wake;
            if sqpoll {
                plan.ring.task_run = TaskRun::Interrupt;
                plan.ring.sqpoll = Some(Sqpoll { cpu: None, idle: Nanos::from_millis(1) });
            }
            let server = Server::start(&plan).expect("the server starts");
            let mut commander = Client::connect(server.address());
            let mut pollers: Vec<Client> =
                (0..POLLERS).map(|_| Client::connect(server.address())).collect();
            for round in 0..ROUNDS {
                let poll = format!("GET /events/live?since={round} HTTP/1.1\r\nHost: a\r\n\r\n");
                pollers.iter_mut().for_each(|poller| poller.send(&poll));
                let mut looks = 0..LOOKS_MAX;
                while parked(&mut commander) < POLLERS {
                    looks.next().expect("the polls are parked in the end");
                }
                let cores = parked_by_core(&mut commander);
                assert!(cores.iter().all(|polls| *polls > 0), "nobody is on one core: {cores:?}");
                commander.send(COMMAND);
                let confirmed = commander.answer();
                assert!(confirmed.contains("applied"), "{wake:?}: {confirmed}");
                for poller in &mut pollers {
                    let event = poller.answer();
                    assert!(
                        event.contains(&format!("\"seq\":{},", round + 1)),
                        "{wake:?}: {event}"
                    );
                }
            }
            drop((commander, pollers));
            server.stopper().stop();
            server.join().expect("the server ends cleanly");
        }
    }
}

/// What servers of this kind answer, from their start to their end.
fn conversation(backend: Backend, workers: usize) -> String {
    let mut answers = vain_poll(backend, workers);
    let server = Server::start(&plan(backend, workers, LONG)).expect("the server starts");
    let mut client = Client::connect(server.address());

    // Keep-alive: one after the other on one connection.
    for request in [STATUS, COMMAND, FIRST_EVENT, HEALTH] {
        client.send(request);
        answers.push_str(&client.answer());
    }
    client.send(METRICS);
    answers.push_str(&names(&client.answer()));

    // A command is heard by the polls that are parked on every core.
    let mut pollers: Vec<Client> =
        (0..POLLERS).map(|_| Client::connect(server.address())).collect();
    pollers.iter_mut().for_each(|poller| poller.send(SECOND_EVENT));
    let mut looks = 0..LOOKS_MAX;
    while parked(&mut client) < POLLERS {
        looks.next().expect("the polls are parked in the end");
    }
    client.send(COMMAND);
    answers.push_str(&client.answer());
    pollers.iter_mut().for_each(|poller| answers.push_str(&poller.answer()));

    // Pipelined, with answers that take time in between, and deeper than one receive buffer.
    client.send(&[STATUS, COMMAND, FIRST_EVENT, STATUS, COMMAND, HEALTH].concat());
    client.send(&STATUS.repeat(200));
    (0..206).for_each(|_| answers.push_str(&client.answer()));

    // The last words: a request that makes no sense, and a server that ends.
    let mut confused = Client::connect(server.address());
    confused.send("\u{1}\r\n\r\n");
    answers.push_str(&confused.answer());
    assert_eq!(confused.rest(), "", "400 is the end");
    server.stopper().stop();
    assert_eq!(client.rest(), "", "the drain closes an idle connection without a word");
    // It waits for peers to close theirs.
    drop((client, confused, pollers));
    server.join().expect("the server ends cleanly");
    answers
}

/// A poll that nothing answers but its end.
fn vain_poll(backend: Backend, workers: usize) -> String {
    let short = Nanos::from_millis(5);
    let server = Server::start(&plan(backend, workers, short)).expect("the server starts");
    let mut client = Client::connect(server.address());
    client.send(NO_EVENT);
    let answer = client.answer();
    drop(client);
    server.stopper().stop();
    server.join().expect("the server ends cleanly");
    answer
}

fn plan(backend: Backend, workers: usize, poll_timeout: Nanos) -> Plan {
    let first_two =
        usable_cpus().iter().take(2).map(usize::to_string).collect::<Vec<_>>().join(",");
    Plan {
        cpus: Some(first_two.parse::<CpuList>().expect("CPUs by number")),
        workers: Some(workers),
        settings: Settings {
            poll_timeout,
            drain_grace: Nanos::from_millis(1),
            ..Settings::default()
        },
        ..Plan::new(backend)
    }
}

struct Client {
    stream: TcpStream,
    unread: String,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("it is a TCP socket");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
        Client { stream, unread: String::new() }
    }

    fn send(&mut self, requests: &str) {
        self.stream.write_all(requests.as_bytes()).expect("the server reads");
    }

    /// The next answer, without the value of its Date.
    fn answer(&mut self) -> String {
        let head_len = loop {
            match self.unread.find("\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(self.read(), "the server closed; unread: {:?}", self.unread),
            }
        };
        let len = head_len + content_length(&self.unread[..head_len]);
        while self.unread.len() < len {
            assert!(self.read(), "the server closed within an answer");
        }
        let rest = self.unread.split_off(len);
        without_date(&std::mem::replace(&mut self.unread, rest))
    }

    /// What comes until the server closes.
    fn rest(&mut self) -> &str {
        while self.read() {}
        &self.unread
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let len = self.stream.read(&mut buffer).expect("the server answers in time");
        self.unread.push_str(std::str::from_utf8(&buffer[..len]).expect("answers are UTF-8"));
        len > 0
    }
}

fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    value.expect("every answer has a length").parse().expect("which is a number")
}

fn without_date(answer: &str) -> String {
    let at = answer.find("\r\nDate: ").expect("every answer has a date") + "\r\nDate: ".len();
    let end = at + answer[at..].find("\r\n").expect("which ends");
    [&answer[..at], &answer[end..]].concat()
}

/// The names of all metrics, each once.
fn names(metrics: &str) -> String {
    let samples = metrics.lines().filter(|line| line.starts_with("ringpace_"));
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_string();
    samples.map(name).collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join("\n")
}

/// How many polls are parked, by the metrics.
fn parked(client: &mut Client) -> usize {
    parked_by_core(client).iter().sum()
}

fn parked_by_core(client: &mut Client) -> Vec<usize> {
    client.send(METRICS);
    let metrics = client.answer();
    let samples = metrics.lines().filter(|line| line.starts_with("ringpace_parked_polls{"));
    samples
        .map(|line| line.rsplit(' ').next().expect("a value").parse().expect("a number"))
        .collect()
}
