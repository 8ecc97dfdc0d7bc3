//! What the server process does when something fails: signals under load, kills, resets at every
//! moment, a full accept queue, descriptors that run out at the wrong time. On every backend.
//!
//! Not here: signals to a server at rest, see `serve_process.rs`; want of descriptors alone, see
//! `descriptors.rs`. Start at [`sigterm_under_load_cuts_no_answer_short`].

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use support::{
    BACKENDS, Client, Ended, NoResponse, PATIENCE, Response, Server, await_that, end_of,
    in_parallel, metric, on_every_backend, sum_of, with_descriptors,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
const POLL: &str = "GET /events/live HTTP/1.1\r\nHost: h\r\n\r\n";
const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\n\r\n\
    {\"action\":\"toggle\"}";

/// A server of every backend in turn, on two workers.
fn on_two_workers(more: &[&str], test: impl Fn(&mut Server)) {
    on_every_backend(&[&["--workers", "2"], more].concat(), test);
}

/// Terminates the server once each of so many clients has said that it is well under way. What they saw.
fn terminate_amid<T: Send + 'static>(
    server: &mut Server,
    clients: usize,
    client: fn(SocketAddr, &Sender<()>) -> T,
) -> Vec<T> {
    let (under_way, waiting) = channel();
    let addr = server.addr;
    let begin = |_| {
        let under_way = under_way.clone();
        thread::spawn(move || client(addr, &under_way))
    };
    let running: Vec<_> = (0..clients).map(begin).collect();
    (0..clients).for_each(|_| waiting.recv_timeout(PATIENCE).expect("each gets going"));
    server.terminate();
    let seen = running.into_iter().map(|client| client.join().expect("it panics with its reason"));
    let seen = seen.collect();
    assert_eq!(server.wait().code(), Some(0));
    seen
}

/// What one client of the load saw.
#[derive(Debug, Default)]
struct Seen {
    /// Of the commands that were confirmed to it.
    seqs: Vec<u64>,
    /// Its last answer announced the close, which then came in order.
    was_told: bool,
}

/// Asks one thing after the other until the server closes, and says so once it is well under way.
fn load(addr: SocketAddr, under_way: &Sender<()>) -> Seen {
    let mut client = Client::connect(addr).expect("the server accepts connections");
    let mut seen = Seen::default();
    for (turn, request) in [STATUS, COMMAND, POLL, COMMAND, HEALTH].iter().cycle().enumerate() {
        if turn == 30 {
            under_way.send(()).expect("the test waits for it");
        }
        if client.try_send(request.as_bytes()).is_err() {
            return seen;
        }
        let answer = match client.read() {
            Ok(answer) => answer,
            // Closed before the answer began; `Failed` comes with nothing read, see below.
            Err(NoResponse::Closed | NoResponse::Failed(_)) if client.is_between() => return seen,
            Err(why) => panic!("an answer was cut: {why:?}"),
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        if *request == COMMAND {
            seen.seqs.push(seq_of(&answer));
        }
        if answer.field("Connection") == Some("close") {
            client.read_close().expect("a FIN and no reset");
            return Seen { was_told: true, ..seen };
        }
    }
    seen
}

fn seq_of(answer: &Response) -> u64 {
    let json: serde_json::Value = serde_json::from_str(answer.text()).expect("it is JSON");
    json["seq"].as_u64().expect("a confirmation has a seq")
}

#[test]
fn sigterm_under_load_cuts_no_answer_short() {
    const CLIENTS: usize = 24;
    on_two_workers(&["--poll-timeout", "5ms", "--device-latency", "1ms"], |server| {
        let seen = terminate_amid(server, CLIENTS, load);
        let told = seen.iter().filter(|client| client.was_told).count();
        println!("{told} of {CLIENTS} were told; the others closed before an answer began");
        assert!(told > 0, "nobody was told");
        let mut seqs: Vec<u64> = seen.into_iter().flat_map(|client| client.seqs).collect();
        let confirmed = seqs.len();
        seqs.sort_unstable();
        seqs.dedup();
        assert_eq!(seqs.len(), confirmed, "a command was confirmed twice");
    });
}

/// What became of one client's connections.
#[derive(Debug, Default)]
struct Churned {
    answered: u32,
    /// In order, before an answer began.
    closed: u32,
    /// In whatever other way.
    broken: Vec<String>,
}

/// Connects and asks one thing, again and again, until nobody listens.
fn churn(addr: SocketAddr, under_way: &Sender<()>) -> Churned {
    let mut seen = Churned::default();
    while let Ok(mut client) = Client::connect(addr) {
        match client.try_send(LAST.as_bytes()).map(|()| client.read()) {
            Ok(Ok(answer)) => {
                assert_eq!(answer.status, 200, "{}", answer.text());
                seen.answered += 1;
                seen.broken.extend(client.read_close().err());
            }
            Ok(Err(NoResponse::Closed)) => seen.closed += 1,
            broken => seen.broken.push(format!("{broken:?}")),
        }
        if seen.answered == 30 {
            under_way.send(()).expect("the test waits for it");
        }
    }
    seen
}

#[test]
fn sigterm_among_peers_that_come_and_go_breaks_off_none_that_was_connected() {
    const CLIENTS: usize = 20;
    on_two_workers(&[], |server| {
        let seen = terminate_amid(server, CLIENTS, churn);
        let sum = |count: fn(&Churned) -> u32| seen.iter().map(count).sum::<u32>();
        let (answered, closed) = (sum(|client| client.answered), sum(|client| client.closed));
        println!("{answered} were answered, {closed} closed before an answer began");
        let broken: Vec<&String> = seen.iter().flat_map(|client| &client.broken).collect();
        assert!(broken.is_empty(), "{} were connected and broken off: {broken:?}", broken.len());
    });
}

#[test]
fn a_server_that_was_killed_starts_again_on_its_port() {
    for backend in BACKENDS {
        println!("--backend {backend}");
        let flags = ["--backend", backend, "--workers", "2", "--poll-timeout", "1m"];
        let mut server = Server::start(&flags);
        let addr = server.addr;
        for _ in 0..3 {
            let (mut idle, mut poll, mut half) =
                (server.connect(), server.connect(), server.connect());
            idle.ask(STATUS);
            poll.send(POLL);
            half.send("GET /devi");
            server.signal("-KILL");
            server.wait();
            let ended = idle.read_close();
            assert!(ended != Err("stayed open".into()), "a dead server's connection goes on");
            // The kernel takes a dead process's ring down, and with it what an accept holds open, in a
            // thread of its own: where many rings end at once, a little later.
            await_that("the port is free", || TcpListener::bind(addr).is_ok());
            // The old connections are still there, in whatever state the kernel left them.
            server = Server::start_on(&addr.to_string(), &flags);
            assert_eq!(server.connect().ask(STATUS).status, 200);
        }
    }
}

#[test]
fn a_reset_at_any_moment_harms_nobody_and_leaves_nothing_behind() {
    let upload = format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n{:9000}", "x");
    let chunks = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n0;a=b\r\nX: y\r\n\r\n";
    let refused = format!("G@T / HTTP/1.1\r\n\r\n{:5000}", "x");
    let greedy = STATUS.repeat(5_000);
    let scripts =
        [COMMAND, POLL, &upload, chunks, &refused, &greedy, &[STATUS, POLL, STATUS].concat()];
    // Short deadlines for a fault of Linux 6.18, which `io::uring` tells of: a ring hears nothing of a
    // reset behind very many octets, and a deadline has to find it.
    let tight = "--echo --device-latency 3ms --poll-timeout 20ms --idle-timeout 3s";
    let more = "--head-timeout 3s --content-timeout 3s --write-timeout 3s";
    let tight: Vec<&str> = tight.split(' ').chain(more.split(' ')).collect();
    on_two_workers(&tight, |server| {
        let mut witness = server.connect();
        // Each worker opens what it needs by the time it has answered somebody.
        (0..30).for_each(|_| drop(server.connect().ask(HEALTH)));
        await_that("all are gone", || metric(&mut witness, "connections") == 1);
        let descriptors = server.descriptors();
        for script in scripts {
            // Some 150 moments, at every octet of what is short.
            let step = (script.len() / 150).max(1);
            for cut in (0..=script.len()).step_by(step) {
                let mut client = server.connect();
                client.send_in_pieces(&script.as_bytes()[..cut], usize::MAX);
                // Every other one first takes what has been answered so far, if that is anything.
                if cut % 2 == 0 && script.starts_with("GET") && cut >= STATUS.len() {
                    drop(client.read());
                }
                client.reset();
                // After each, so that it is never idle for as long as is allowed.
                assert_eq!(witness.ask(HEALTH).status, 200);
            }
        }
        await_that("all are gone", || metric(&mut witness, "connections") == 1);
        await_that("nothing is parked", || metric(&mut witness, "parked_polls") == 0);
        await_that("no descriptor is left", || server.descriptors() <= descriptors);
        // At most the commands that were sent whole were carried out.
        let next = seq_of(&witness.ask(COMMAND));
        assert!(next <= 2, "{next} commands were carried out, and one was sent whole");
    });
}

#[test]
fn a_full_accept_queue_is_served_once_there_is_somebody_to_serve_it() {
    // Twice what the queue holds: of more the kernel may drop some again, for longer each time.
    const CLIENTS: usize = 4;
    for backend in BACKENDS {
        println!("--backend {backend}");
        let server = Server::start(&["--backend", backend, "--backlog", "1"]);
        server.connect().ask(HEALTH);
        server.signal("-STOP");
        let (connected, waiting) = channel();
        let addr = server.addr;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let connected = connected.clone();
                thread::spawn(move || {
                    let mut client = Client::connect(addr).expect("a SYN is sent again");
                    connected.send(()).expect("the test waits for it");
                    client.ask(STATUS).status
                })
            })
            .collect();
        // As many as the queue holds; the others' SYNs are dropped, and sent again after a second.
        (0..2).for_each(|_| waiting.recv_timeout(PATIENCE).expect("the queue takes two"));
        server.signal("-CONT");
        for client in clients {
            assert_eq!(client.join().expect("it is served"), 200);
        }
    }
}

#[test]
fn a_server_without_descriptors_still_ends_when_it_is_told_to() {
    for backend in BACKENDS {
        println!("--backend {backend}");
        let mut server = Server::start_with_descriptors(24, &["--backend", backend]);
        let mut first = server.connect();
        first.ask(HEALTH);
        let _crowd: Vec<Client> = (0..40).map(|_| server.connect()).collect();
        await_that("accepting has paused", || metric(&mut first, "accept_pauses_total") > 0);
        server.terminate();
        first.read_close().expect("it closes in order");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_start_without_descriptors_serves_or_says_why_not_and_hangs_for_no_limit() {
    // From what the loader needs on, to more than four workers of any backend do.
    let limits: Vec<u32> = (8..48).collect();
    for backend in BACKENDS {
        let ends = in_parallel(4, &limits, |limit| {
            end_of(with_descriptors(*limit, &["--backend", backend, "--workers", "4"]))
        });
        for (limit, Ended { code, stderr }) in limits.iter().zip(&ends) {
            let told = *code == Some(1) && stderr.trim_end().lines().count() == 1;
            assert!(code.is_none() || told, "{backend} with {limit}: {code:?}, {stderr}");
        }
        let served = ends.iter().filter(|end| end.code.is_none()).count();
        println!("{backend} served with {served} of {} limits", limits.len());
        assert!(0 < served && served < limits.len());
    }
}

#[test]
fn peers_that_pour_without_end_leave_the_others_their_turn() {
    const FLOODS: usize = 8;
    static PIECE: [u8; 64 * 1024] = [1; 64 * 1024];
    on_every_backend(&[], |server| {
        let mut witness = server.connect();
        let mut floods: Vec<Client> = (0..FLOODS).map(|_| server.connect()).collect();
        floods.iter_mut().for_each(|flood| assert_eq!(flood.ask(HEALTH).status, 200));
        witness.ask(HEALTH);
        server.signal("-STOP");
        let mut poured = 0;
        for flood in &mut floods {
            flood.set_write_patience(Duration::from_millis(50));
            // Until the kernel holds no more of it.
            while flood.try_send(&PIECE).is_ok() {
                poured += PIECE.len() as u64;
            }
        }
        witness.send(METRICS);
        server.signal("-CONT");
        let answer = witness.read().expect("it is answered");
        let taken = sum_of(answer.text(), "received_bytes_total");
        println!("the witness, who came last, was answered after {taken} of {poured} octets");
        assert!(taken < poured / 2, "it had to wait until the others were through");
    });
}
