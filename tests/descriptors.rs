//! A server that runs out of descriptors: those who are in are served, nothing spins, and whoever waited
//! is served as soon as somebody leaves.
//!
//! The server is a process of its own, so that the limit (`ulimit -n`) is its alone.

#![allow(clippy::unwrap_used)] // outside `cfg(test)` clippy takes the functions of a test for others

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Enough for a ring, its eventfd, the listener and some twenty peers.
const DESCRIPTORS: u32 = 32;
const PEERS: usize = 40;
/// Far longer than an answer takes, far shorter than anybody waits for a test.
const PATIENCE: Duration = Duration::from_secs(10);
/// Several pauses of the accept loop (100 ms each).
const SEVERAL_PAUSES: Duration = Duration::from_millis(350);

/// The server, which ends with the test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(backend: &str) -> Server {
        let limited = format!("ulimit -n {DESCRIPTORS}; exec \"$@\"");
        let mut process = Command::new("sh")
            .args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_ringpace"), "serve"])
            .args(["--listen", "127.0.0.1:0", "--backend", backend])
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let stdout = process.stdout.take().expect("it is piped");
        let address = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_string))
            .expect("the server says where it listens");
        Server { process, address }
    }

    fn connect(&self) -> TcpStream {
        let peer = TcpStream::connect(&self.address).expect("the backlog has room");
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ask(mut peer: &TcpStream, path: &str) {
    write!(peer, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
}

/// The content of one answer.
fn content(peer: &TcpStream) -> String {
    let mut reader = BufReader::new(peer);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer comes");
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        assert!(!line.is_empty(), "the connection was closed");
    }
    let mut content = vec![0; length];
    reader.read_exact(&mut content).unwrap();
    String::from_utf8(content).unwrap()
}

fn metric(peer: &TcpStream, name: &str) -> u64 {
    ask(peer, "/metrics");
    let text = content(peer);
    let line = text.lines().find(|line| line.starts_with(&format!("ringpace_{name}{{"))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn check(backend: &str) {
    let server = Server::start(backend);
    let mut peers: Vec<TcpStream> = (0..PEERS).map(|_| server.connect()).collect();
    let last = peers.pop().unwrap();
    ask(&last, "/healthz");
    for peer in &peers[..10] {
        ask(peer, "/healthz");
        assert_eq!(content(peer), r#"{"status":"ok"}"#, "who is in is served");
    }
    let before = metric(&peers[0], "loop_turns_total");
    last.set_read_timeout(Some(SEVERAL_PAUSES)).unwrap();
    let waiting = (&last).read(&mut [0]).expect_err("there is no descriptor for the last");
    assert_eq!(waiting.kind(), ErrorKind::WouldBlock);
    let turns = metric(&peers[0], "loop_turns_total") - before;
    assert!(turns < 30, "{turns} turns of which none could do anything");
    assert!(metric(&peers[0], "accept_pauses_total") > 0);
    peers.drain(1..20);
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(content(&last), r#"{"status":"ok"}"#, "who waited is served");
}

#[test]
fn epoll_outlives_want_of_descriptors() {
    check("epoll");
}

#[test]
fn the_ring_outlives_want_of_descriptors() {
    check("uring");
}

#[test]
fn monoio_on_epoll_outlives_want_of_descriptors() {
    check("monoio-epoll");
}

#[test]
fn monoio_on_io_uring_outlives_want_of_descriptors() {
    check("monoio-uring");
}
