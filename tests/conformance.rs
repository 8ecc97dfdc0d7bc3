//! Holds the server to RFC 9110, RFC 9112 and the project's API, from outside, on every backend, with
//! one worker and with four.
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

use ringpace::http::rules::{self, Outcome, RULES};
use ringpace::io::clock::wall_secs;

use cases::{API, Answer, Case, End, NO_EVENT, STATUS, Step, Target};
use judge::{Delivery, converse, deliveries, told};
use support::{Server, in_parallel};

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
fn every_rule_has_a_row_and_every_row_a_rule() {
    let table = cases::table();
    let unknown: Vec<&str> = table
        .iter()
        .map(|case| case.rule)
        .filter(|rule| *rule != API && rules::find(rule).is_none())
        .collect();
    assert!(unknown.is_empty(), "rows of no rule: {unknown:?}");
    let without: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.id)
        .filter(|id| table.iter().all(|case| case.rule != *id))
        .collect();
    assert!(without.is_empty(), "rules without a row: {without:?}");
}

#[test]
fn every_row_expects_what_its_rule_says() {
    let wrong: Vec<String> = cases::table()
        .iter()
        .filter_map(|case| Some((case, rules::find(case.rule)?.outcome)))
        .filter(|(case, outcome)| !expects(case, *outcome))
        .map(|(case, outcome)| format!("- {} [{}]: {outcome:?}", case.name, case.rule))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether all that the row lets pass is what the rule says.
fn expects(case: &Case, outcome: Outcome) -> bool {
    let answers: Vec<&Answer> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Await(answer) | Step::MayAwait(answer) => Some(answer),
            Step::Send(_) | Step::Finish => None,
        })
        .collect();
    let last_is_of = |statuses: &[u16]| {
        answers.last().is_some_and(|last| last.status.iter().all(|one| statuses.contains(one)))
    };
    let closes = matches!(case.end, End::Closes | End::ClosesLater);
    match outcome {
        Outcome::Serve => answers.iter().all(|answer| answer.status.iter().all(|s| *s < 300)),
        Outcome::Refuse(statuses) => closes && last_is_of(statuses),
        Outcome::Answer(statuses) => case.end == End::StaysOpen && last_is_of(statuses),
        Outcome::End => closes,
        Outcome::Hold(_) => true,
    }
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
    every_row_holds("uring --workers 4");
}

#[test]
fn every_row_holds_on_uring_with_other_ways_to_receive_and_send() {
    every_row_holds("uring --recv one-shot");
    every_row_holds("uring --send direct --fixed-files on");
    every_row_holds("uring --buffers 4 --buffer-bytes 64 --sq-entries 8 --cq-entries 16");
}

#[test]
fn every_row_holds_on_uring_with_other_ways_to_complete_and_wait() {
    every_row_holds("uring --task-run coop --quickack on");
    every_row_holds("uring --sqpoll any --sqpoll-idle 1ms");
    every_row_holds("uring --wait hybrid --min-wait 100us/4 --registered-ring off --wake eventfd");
}

#[test]
fn every_row_holds_on_epoll() {
    every_row_holds("epoll");
    every_row_holds("epoll --workers 4");
}

#[test]
fn every_row_holds_on_monoio_with_io_uring() {
    every_row_holds("monoio-uring");
    every_row_holds("monoio-uring --workers 4");
    every_row_holds("monoio-uring --task-run defer --sq-entries 256 --cq-entries 2048");
}

#[test]
fn every_row_holds_on_monoio_with_epoll() {
    every_row_holds("monoio-epoll");
    every_row_holds("monoio-epoll --workers 4");
}

struct Servers {
    quiet: Server,
    busy: Server,
    bare: Server,
    impatient: Server,
}

impl Servers {
    /// `backend` is one, with flags behind it if there are any.
    fn start(backend: &str) -> Servers {
        let start = |more: &[&str]| {
            let mut flags = vec!["--poll-timeout", "50ms", "--backend"];
            flags.extend(backend.split(' '));
            flags.extend(more);
            Server::start(&flags)
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
    let outcomes = in_parallel(CONVERSATIONS, &runs, |&(case, how, addr)| {
        converse(case, how, addr).map_err(|why| told(case, how, &why))
    });
    let mut failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
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
