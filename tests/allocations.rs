//! A request that is answered allocates nothing: counted in the whole process, over real sockets.
//!
//! The first requests may: they make the buffers that all later ones use.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use ringpace::serve::settings::Settings;
use ringpace::serve::{Backend, Plan, Server};
use ringpace::units::Nanos;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const STATUS: &str = "GET /devices/status HTTP/1.1\r\nHost: ringpace\r\n\r\n";
const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: ringpace\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\r\n\
    {\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}";
const POLL: &str = "GET /events/live?since=0 HTTP/1.1\r\nHost: ringpace\r\n\r\n";
const WARM_UP: usize = 500;
const COUNTED: usize = 1_000;

struct Client {
    stream: TcpStream,
    answers: Vec<u8>,
}

impl Client {
    fn new(server: &Server) -> Client {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Client { stream, answers: vec![0; 64 * 1024] }
    }

    /// Asks and reads `size` bytes of answers; allocates nothing itself.
    fn exchange(&mut self, requests: &[u8], size: usize) {
        self.stream.write_all(requests).unwrap();
        self.stream.read_exact(&mut self.answers[..size]).unwrap();
        assert!(self.answers.starts_with(b"HTTP/1.1 200 "), "not answered as expected");
    }

    /// How many bytes one answer has.
    fn size_of_answer(&mut self, request: &str) -> usize {
        self.stream.write_all(request.as_bytes()).unwrap();
        self.stream.read(&mut self.answers).unwrap()
    }
}

/// Allocations of the process while `COUNTED` batches of `depth` requests are answered.
fn allocations_of(client: &mut Client, request: &str, depth: usize) -> usize {
    let size = client.size_of_answer(request) * depth;
    let requests = request.repeat(depth);
    for _ in 0..WARM_UP {
        client.exchange(requests.as_bytes(), size);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..COUNTED {
        client.exchange(requests.as_bytes(), size);
    }
    let change = region.change();
    change.allocations + change.reallocations
}

#[track_caller]
fn check(backend: Backend) {
    let plan = Plan {
        settings: Settings { device_latency: Nanos::from_micros(20), ..Settings::default() },
        ..Plan::new(backend)
    };
    let server = Server::start(&plan).unwrap();
    let mut client = Client::new(&server);
    client.size_of_answer(COMMAND); // there is an event to poll for
    let counts = [(STATUS, 1), (STATUS, 16), (COMMAND, 1), (COMMAND, 4), (POLL, 1)]
        .map(|(request, depth)| allocations_of(&mut client, request, depth));
    server.stopper().stop();
    server.join().unwrap();
    assert_eq!(counts, [0; 5], "{backend}: status, 16 at once, command, 4 at once, poll");
}

// One test: the count is of the whole process, so nothing may run beside it.
#[test]
fn a_request_that_is_answered_allocates_nothing() {
    check(Backend::Epoll);
    check(Backend::Uring);
}
