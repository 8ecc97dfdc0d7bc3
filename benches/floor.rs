//! How close server and pacer come to the floor: a bare TCP ping-pong of the same sizes at the same
//! rate, both ends spinning. Many short interleaved rounds in one run, so that what the machine does
//! hits all; the bare drivers between tell the share of the kernel's interface from ours.
//!
//! `cargo bench --bench floor` (server on CPU 0, pacer on CPU 1). Prints; asserts nothing.
#![allow(clippy::print_stdout, missing_docs)]

use ringpace::clock::Clock;
use ringpace::io::clock::MonotonicClock;
use ringpace::io::epoll::Epoll;
use ringpace::io::net::Listener;
use ringpace::io::topology::{self, CpuList};
use ringpace::io::uring;
use ringpace::io::wait::WaitMode;
use ringpace::io::{Driver, Event, Wait};
use ringpace::pace;
use ringpace::serve::settings::Settings;
use ringpace::serve::{Backend, Plan, Server};
use ringpace::units::{Mono, Nanos, Rate};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

const SERVER_CPU: usize = 0;
const PACER_CPU: usize = 1;
/// What the pacer's status request and the server's answer to it weigh.
const REQUEST_BYTES: usize = 57;
const ANSWER_BYTES: usize = 229;

fn main() {
    // `cargo test --benches` runs this too: one short round is enough to see that it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, span) =
        if is_bench { (25, Nanos::from_millis(400)) } else { (1, Nanos::from_millis(50)) };
    for rate in [1_000, 10_000] {
        compare(rate, rounds, span);
    }
}

fn compare(rate: u64, rounds: usize, span: Nanos) {
    let rate = Rate::per_second(rate).expect("not zero");
    let contestants: [(&str, &dyn Fn() -> u64); 7] = [
        ("ping-pong, both ends spinning", &|| ping_pong(rate, span)),
        ("ping on a bare epoll driver", &|| ping_on(Epoll::new, rate, span)),
        ("ping on a bare uring driver", &|| ping_on(ring, rate, span)),
        ("epoll spin, 1 connection", &|| ringpace(Backend::Epoll, rate, span, 1)),
        ("uring spin, 1 connection", &|| ringpace(Backend::Uring, rate, span, 1)),
        ("epoll spin, 64 connections", &|| ringpace(Backend::Epoll, rate, span, 64)),
        ("uring spin, 64 connections", &|| ringpace(Backend::Uring, rate, span, 64)),
    ];
    let mut p50s = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (samples, (_, measure)) in p50s.iter_mut().zip(&contestants) {
            samples.push(measure());
        }
    }
    println!(
        "status at {rate}: p50 of {rounds} interleaved rounds of {span}; ratio: the median of each \
         round's own ratio to its ping-pong"
    );
    for ((name, _), samples) in contestants.iter().zip(&p50s) {
        let mut ratios: Vec<f64> =
            samples.iter().zip(&p50s[0]).map(|(p50, floor)| *p50 as f64 / *floor as f64).collect();
        ratios.sort_by(f64::total_cmp);
        let quarter = |n: usize| ratios[(ratios.len() - 1) * n / 4];
        println!(
            "  {name:<32} {:>9}  {:5.2}   (middle half {:.2} to {:.2}; least p50 {})",
            Nanos(median(samples)).to_string(),
            quarter(2),
            quarter(1),
            quarter(3),
            Nanos(*samples.iter().min().expect("a round"))
        );
    }
}

fn ringpace(backend: Backend, rate: Rate, span: Nanos, connections: usize) -> u64 {
    let server = Server::start(&Plan {
        listen: ([127, 0, 0, 1], 0).into(),
        backend,
        cpus: Some(CpuList::one(SERVER_CPU)),
        workers: None,
        wait: WaitMode::Spin,
        ring: uring::Settings::default(),
        backlog: 1024,
        settings: Settings::default(),
    })
    .expect("the server starts");
    let url = format!("http://{}/devices/status", server.address()).parse().expect("a URL");
    let mut plan = pace::Plan::new(url, rate, span);
    plan.cpus = vec![PACER_CPU];
    plan.connections = connections;
    plan.warmup = Nanos(span.0 / 10);
    let outcome = pace::run(&plan, &AtomicBool::new(false)).expect("the pacer runs");
    server.stopper().stop();
    server.join().expect("the server ends cleanly");
    outcome.run.response_ns.p50.expect("answers came")
}

fn ring() -> io::Result<uring::Uring> {
    uring::Uring::new(&uring::Settings::default())
}

/// The same ping against the driver with nothing on top: what the kernel's interface itself costs.
fn ping_on<D: Driver>(make: fn() -> io::Result<D>, rate: Rate, span: Nanos) -> u64 {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), 64).expect("a port");
    let address = listener.local_address().expect("it is bound");
    serve_and_ping(address, rate, span, move |stop| {
        let mut driver = make().expect("a driver");
        driver.listen(listener).expect("a fresh listener");
        let mut asked = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let note = |event: Event<'_>| {
                if let Event::Received(id, _) = event {
                    asked.push(id);
                }
            };
            driver.turn(Wait::Poll, note).expect("a turn");
            for id in asked.drain(..) {
                let mut answer = driver.buffer();
                answer.extend_from_slice(&[b'a'; ANSWER_BYTES]);
                driver.send(id, answer);
            }
        }
    })
}

/// p50 from the intended time to the whole answer.
fn ping_pong(rate: Rate, span: Nanos) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    serve_and_ping(address, rate, span, move |stop| {
        let (mut stream, _) = listener.accept().expect("the client connects");
        prepare(&stream);
        while !stop.load(Ordering::Relaxed) {
            if exchange(&mut stream, &mut [0; REQUEST_BYTES], stop) {
                stream.write_all(&[b'a'; ANSWER_BYTES]).expect("room for an answer");
            }
        }
    })
}

/// Runs `serve` on its CPU until the pings from the other are through; their p50.
fn serve_and_ping(
    address: SocketAddr,
    rate: Rate,
    span: Nanos,
    serve: impl FnOnce(&AtomicBool) + Send,
) -> u64 {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            topology::pin_current_thread(SERVER_CPU).expect("CPU 0");
            serve(&stop);
        });
        let client = scope.spawn(|| {
            topology::pin_current_thread(PACER_CPU).expect("CPU 1");
            let mut stream = TcpStream::connect(address).expect("the server listens");
            prepare(&stream);
            let times = ping(&mut stream, rate, span);
            stop.store(true, Ordering::Relaxed);
            times
        });
        median(&client.join().expect("the client ends"))
    })
}

fn ping(stream: &mut TcpStream, rate: Rate, span: Nanos) -> Vec<u64> {
    let never = AtomicBool::new(false);
    let start = MonotonicClock.now();
    let mut times = Vec::new();
    for k in 0..rate.count_within(span) {
        let due = start + rate.span_of(k);
        spin_until(due);
        stream.write_all(&[b'q'; REQUEST_BYTES]).expect("room for a request");
        exchange(stream, &mut [0; ANSWER_BYTES], &never);
        times.push((MonotonicClock.now() - due).0);
    }
    times
}

fn spin_until(due: Mono) {
    while MonotonicClock.now() < due {
        std::hint::spin_loop();
    }
}

fn prepare(stream: &TcpStream) {
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream.set_nonblocking(true).expect("O_NONBLOCK");
}

/// Spins until `message` is filled; false if `stop` was raised first or the peer went.
fn exchange(stream: &mut TcpStream, message: &mut [u8], stop: &AtomicBool) -> bool {
    let mut filled = 0;
    while filled < message.len() {
        match stream.read(&mut message[filled..]) {
            Ok(0) => return false,
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if stop.load(Ordering::Relaxed) {
                    return false;
                }
            }
            Err(error) => panic!("the ping-pong broke: {error}"),
        }
    }
    true
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
