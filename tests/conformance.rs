//! Holds the server to RFC 9110, RFC 9112 and the project's API, from outside, on every backend.
//!
//! One table (`cases`); each row is sent whole and byte by byte, and where it must end in a close
//! also with a command pipelined behind it, which then must never be carried out.
//! Not here: timing, processes and signals, which `serve_process.rs` tests.
//! Start at [`every_row_holds`].

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

mod cases;
mod support;

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ringpace::http::rules::{self, Outcome, RULES};
use ringpace::io::clock::wall_secs;

use cases::{API, Answer, Body, Case, End, NO_EVENT, STATUS, Step, Target};
use support::{Client, NoResponse, Response, Server, imf_fixdate_secs, shown};

/// Rows in flight at once. Chosen: most wait for deadlines or for the other side of a socket.
const CONVERSATIONS: usize = 8;

/// Above this much, "byte by byte" is in pieces of [`LONG_PIECE_BYTES`]: the row is about length.
const BYTEWISE_BYTES_MAX: usize = 4_096;
const LONG_PIECE_BYTES: usize = 509;

const PROBE: &str = "GET /healthz HTTP/1.1\r\nHost: probe\r\n\r\n";

/// A command that nothing may carry out: it stands behind what closes the connection.
const NEVER_RUN: &str = "POST /devices/lock/command HTTP/1.1\r\nHost: h\r\n\
    Content-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"action\":\"unlock\"}";

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
}

#[test]
fn every_row_holds_on_monoio_with_io_uring() {
    every_row_holds("monoio-uring");
    every_row_holds("monoio-uring --task-run defer --sq-entries 256 --cq-entries 2048");
}

#[test]
fn every_row_holds_on_monoio_with_epoll() {
    every_row_holds("monoio-epoll");
}

/// How the bytes of a row reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    Whole,
    Bytewise,
    /// Whole, with [`NEVER_RUN`] in the same write.
    Followed,
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

fn deliveries(case: &Case) -> Vec<Delivery> {
    let closes = case.end == End::Closes && !case.finishes() && case.target != Target::Impatient;
    let followed = (closes && !case.owns_what_follows).then_some(Delivery::Followed);
    [Delivery::Whole, Delivery::Bytewise].into_iter().chain(followed).collect()
}

fn told(case: &Case, how: Delivery, why: &str) -> String {
    format!("- {} [{}] {how:?}: {why}\n    sent {}", case.name, case.rule, shown(&case.sent()))
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

/// One row on a connection of its own.
fn converse(case: &Case, how: Delivery, addr: SocketAddr) -> Result<(), String> {
    let began_secs = wall_secs();
    let mut client = Client::connect(addr).map_err(|error| format!("connect: {error}"))?;
    let last_send = case.steps.iter().rposition(|step| matches!(step, Step::Send(_)));
    let mut last = None;
    for (index, step) in case.steps.iter().enumerate() {
        match step {
            Step::Send(bytes) => {
                let behind = how == Delivery::Followed && Some(index) == last_send;
                send(&mut client, bytes, how, if behind { NEVER_RUN } else { "" });
            }
            Step::Finish => client.finish(),
            Step::Await(answer) => {
                last = Some(read_answer(&mut client, case, answer, began_secs)?);
            }
            Step::MayAwait(answer) => match client.read() {
                Err(NoResponse::Closed) => return Ok(()),
                Err(why) => return Err(format!("{why:?}")),
                Ok(response) => {
                    judge(&response, answer, began_secs)?;
                    last = Some(response);
                }
            },
        }
    }
    judge_end(&mut client, case, last.as_ref())
}

fn send(client: &mut Client, bytes: &[u8], how: Delivery, behind: &str) {
    let piece = match how {
        Delivery::Whole | Delivery::Followed => usize::MAX,
        Delivery::Bytewise if bytes.len() <= BYTEWISE_BYTES_MAX => 1,
        Delivery::Bytewise => LONG_PIECE_BYTES,
    };
    client.send_in_pieces(&[bytes, behind.as_bytes()].concat(), piece);
}

fn read_answer(
    client: &mut Client,
    case: &Case,
    answer: &Answer,
    began_secs: u64,
) -> Result<Response, String> {
    let expected = || format!("no answer {:?}: ", answer.status);
    let to_head = matches!(answer.body, Body::Withheld { .. });
    let mut response =
        client.read_answer(to_head).map_err(|why| expected() + &format!("{why:?}"))?;
    if response.status == 100 && case.may_continue {
        response = client.read_answer(to_head).map_err(|why| expected() + &format!("{why:?}"))?;
    }
    judge(&response, answer, began_secs)?;
    Ok(response)
}

/// The response against what the row asks of it, apart from what becomes of the connection.
fn judge(response: &Response, answer: &Answer, began_secs: u64) -> Result<(), String> {
    if !answer.status.contains(&response.status) {
        let body = shown(&response.body);
        return Err(format!("{} {body} instead of {:?}", response.status, answer.status));
    }
    judge_body(response, &answer.body)?;
    if response.status != 100 {
        judge_date(response, began_secs)?;
    }
    judge_type(response, answer)?;
    judge_allow(response, answer)?;
    const BY_DEFAULT: [&str; 5] = ["Content-Type", "Content-Length", "Date", "Connection", "Allow"];
    match response.fields.iter().find(|(name, _)| !BY_DEFAULT.contains(&name.as_str())) {
        Some((name, value)) => Err(format!("a field {name}: {value}")),
        None => Ok(()),
    }
}

fn judge_body(response: &Response, expected: &Body) -> Result<(), String> {
    let body = response.body.as_slice();
    let holds = match expected {
        Body::Exact(text) => body == text.as_bytes(),
        Body::Error => is_error(body),
        Body::Applied { device, value } => {
            let begin = format!(
                "{{\"device\":\"{device}\",\"status\":\"applied\",\"value\":{value},\"seq\":"
            );
            is_padded(body, 80) && body.starts_with(begin.as_bytes())
        }
        Body::Polled => is_padded(body, 60) && body.starts_with(b"{\"seq\":"),
        Body::Any => true,
        Body::Absent => response.field("Content-Length").is_none(),
        Body::Withheld { bytes: None } => true,
        Body::Withheld { bytes: Some(bytes) } => {
            response.field("Content-Length") == Some(bytes.to_string().as_str())
        }
        Body::OkOrError(ok) if response.status == 200 => return judge_body(response, ok),
        Body::OkOrError(_) => is_error(body),
    };
    if holds { Ok(()) } else { Err(format!("body {} instead of {expected:?}", shown(body))) }
}

/// `{"error":"..."}`, a sentence, and nothing of what only the client should know.
fn is_error(body: &[u8]) -> bool {
    let parsed: Result<serde_json::Value, _> = serde_json::from_slice(body);
    let members = parsed.ok().and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let sentence = members.get("error").and_then(|error| error.as_str()).unwrap_or_default();
    members.len() == 1 && !sentence.is_empty() && !sentence.contains("secret")
}

/// JSON of `bytes` octets, filled up by spaces before the closing brace.
fn is_padded(body: &[u8], bytes: usize) -> bool {
    let unpadded = body.strip_suffix(b"}").unwrap_or_default().trim_ascii_end();
    let is_digit_or_quote = unpadded.last().is_some_and(|&b| b.is_ascii_digit() || b == b'"');
    let parsed: Result<serde_json::Value, _> = serde_json::from_slice(body);
    body.len() == bytes && is_digit_or_quote && parsed.is_ok()
}

/// RFC 9110 §6.6.1: at most a second old, and never ahead.
fn judge_date(response: &Response, began_secs: u64) -> Result<(), String> {
    let date = response.field("Date").ok_or_else(|| format!("{} without Date", response.status))?;
    let secs = imf_fixdate_secs(date).ok_or_else(|| format!("Date {date:?}"))?;
    let is_now = secs + 1 >= began_secs && secs <= wall_secs();
    if is_now { Ok(()) } else { Err(format!("Date {date:?} at {began_secs} seconds")) }
}

fn judge_type(response: &Response, answer: &Answer) -> Result<(), String> {
    let given = response.field("Content-Type");
    let expected = match answer.content_type {
        _ if matches!(answer.body, Body::Absent) => None,
        Some(content_type) if response.status == 200 => Some(content_type),
        _ => Some("application/json"),
    };
    let holds = match (given, expected) {
        (Some(given), Some("text/plain")) => given.starts_with("text/plain; version=0.0.4"),
        (given, expected) => given == expected,
    };
    if holds { Ok(()) } else { Err(format!("Content-Type {given:?}")) }
}

fn judge_allow(response: &Response, answer: &Answer) -> Result<(), String> {
    let allow = response.field("Allow");
    let listed: Vec<&str> = allow.unwrap_or_default().split(", ").collect();
    let is_due = matches!(response.status, 405 | 204);
    let holds = allow.is_some() == is_due && answer.allows.iter().all(|m| listed.contains(m));
    if holds { Ok(()) } else { Err(format!("{} with Allow {allow:?}", response.status)) }
}

fn judge_end(client: &mut Client, case: &Case, last: Option<&Response>) -> Result<(), String> {
    let announced = last.and_then(|response| response.field("Connection"));
    let closes = match case.end {
        End::Closes | End::ClosesLater => true,
        End::StaysOpen => false,
        End::AsAnnounced => announced == Some("close"),
    };
    let is_silent = case.end == End::ClosesLater || case.finishes() || last.is_none();
    let holds = match announced {
        Some("close") => closes,
        Some("keep-alive") => !closes && case.asks_keep_alive,
        Some(_) => false,
        None if closes => is_silent,
        None => !case.asks_keep_alive,
    };
    if !holds {
        return Err(format!("Connection: {announced:?} where the row says {:?}", case.end));
    }
    if closes { client.read_close() } else { probe(client) }
}

/// The next request gets the next answer: nothing stood in between.
fn probe(client: &mut Client) -> Result<(), String> {
    client.send_in_pieces(PROBE.as_bytes(), usize::MAX);
    let response = client.read().map_err(|why| format!("the next request: {why:?}"))?;
    let is_ours = response.status == 200 && response.body == b"{\"status\":\"ok\"}";
    if is_ours { Ok(()) } else { Err(format!("the next request was answered {response:?}")) }
}
