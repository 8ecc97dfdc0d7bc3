//! Holds the server to RFC 9110, RFC 9112 and the project's API, from outside, on every backend.
//!
//! One table (`cases`); each row is sent whole and byte by byte, and where it must end in a close
//! also with a command pipelined behind it, which then must never be carried out.
//! Not here: timing, processes and signals, which `serve_process.rs` tests.
//! Start at [`every_row_holds`].

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod cases;
mod judge;
mod support;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ringpace::io::clock::wall_secs;

use cases::{Case, NO_EVENT, STATUS, Target};
use judge::{Delivery, converse, deliveries, told};
use support::Server;

/// Rows in flight at once. Chosen: most wait for deadlines or for the other side of a socket.
const CONVERSATIONS: usize = 8;

#[test]
fn the_table_is_large_and_no_two_rows_have_one_name() {
    let table = cases::table();
    assert!(table.len() >= 150, "{} rows", table.len());
    let mut names: Vec<&str> = table.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    let twice: Vec<&str> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn the_clock_that_dates_are_held_against_is_that_of_date_1() {
    let before = wall_secs();
    let date = Command::new("date").arg("+%s").output().expect("date runs").stdout;
    let date = String::from_utf8_lossy(&date).trim().parse().expect("date +%s is a number");
    // One more: what `wall_secs` reads may lag by a tick of the kernel.
    assert!((before..=wall_secs() + 1).contains(&date), "{date} at {before}");
}

#[test]
fn every_row_holds_on_uring() {
    every_row_holds("uring");
}

#[test]
fn every_row_holds_on_epoll() {
    every_row_holds("epoll");
}

#[test]
fn every_row_holds_on_monoio_with_io_uring() {
    every_row_holds("monoio-uring");
}

#[test]
fn every_row_holds_on_monoio_with_epoll() {
    every_row_holds("monoio-epoll");
}

struct Servers {
    quiet: Server,
    busy: Server,
    bare: Server,
    impatient: Server,
}

impl Servers {
    fn start(backend: &str) -> Servers {
        let start = |more: &[&str]| {
            Server::start(&[&["--backend", backend, "--poll-timeout", "50ms"], more].concat())
        };
        let deadlines =
            ["--head-timeout", "250ms", "--content-timeout", "250ms", "--idle-timeout", "250ms"];
        Servers {
            quiet: start(&["--echo"]),
            busy: start(&["--echo"]),
            bare: start(&[]),
            impatient: start(&[&["--echo"], &deadlines[..]].concat()),
        }
    }

    fn of(&self, target: Target) -> &Server {
        match target {
            Target::Quiet => &self.quiet,
            Target::Busy => &self.busy,
            Target::Bare => &self.bare,
            Target::Impatient => &self.impatient,
        }
    }
}

fn every_row_holds(backend: &str) {
    let servers = Servers::start(backend);
    let table = cases::table();
    let runs: Vec<(&Case, Delivery, SocketAddr)> = table
        .iter()
        .flat_map(|case| deliveries(case).into_iter().map(move |how| (case, how)))
        .map(|(case, how)| (case, how, servers.of(case.target).addr))
        .collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CONVERSATIONS {
            scope.spawn(|| {
                while let Some(&(case, how, addr)) = runs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Err(why) = converse(case, how, addr) {
                        failures.lock().expect("no holder panics").push(told(case, how, &why));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no holder panics");
    failures.sort();
    for server in [&servers.quiet, &servers.bare, &servers.impatient] {
        failures.extend(trace_of_a_refused_command(server));
    }
    let (rows, runs, failed) = (table.len(), runs.len(), failures.len());
    println!("{backend}: {rows} rows, {runs} conversations, {failed} failed");
    assert!(failures.is_empty(), "{failed} of {runs} on {backend}:\n{}", failures.join("\n"));
}

/// Nothing that was sent there may have changed the house.
fn trace_of_a_refused_command(server: &Server) -> Option<String> {
    let mut client = server.connect();
    let status = client.ask("GET /devices/status HTTP/1.1\r\nHost: h\r\n\r\n");
    let poll = client.ask("GET /events/live?since=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    let untouched = status.text() == STATUS && poll.text() == NO_EVENT;
    (!untouched)
        .then(|| format!("- a refused command left a trace: {} {}", status.text(), poll.text()))
}
