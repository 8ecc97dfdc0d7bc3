//! Sends a row and judges what comes back, to the byte and to the end of the connection.
//!
//! Promises: an answer that is right in all but one thing is refused for that one.
//! Not here: the rows. Start at [`converse`].

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use ringpace::io::clock::wall_secs;

use crate::cases::{Answer, Body, Case, End, Step, Target};
use crate::support::{Client, NoResponse, Response, Stopwatch, imf_fixdate_secs, shown};

/// Above this much, "byte by byte" is in pieces of [`LONG_PIECE_BYTES`]: the row is about length.
const BYTEWISE_BYTES_MAX: usize = 4_096;
const LONG_PIECE_BYTES: usize = 509;

/// What is asked to see whether a connection is in step.
pub(crate) const PROBE: &str = "GET /healthz HTTP/1.1\r\nHost: probe\r\n\r\n";

/// A command that nothing may carry out: it stands behind what closes the connection.
const NEVER_RUN: &str = "POST /devices/lock/command HTTP/1.1\r\nHost: h\r\n\
    Content-Type: application/json\r\nContent-Length: 19\r\n\r\n{\"action\":\"unlock\"}";

/// How the bytes of a row reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Bytewise,
    /// Whole, with [`NEVER_RUN`] in the same write.
    Followed,
}

/// Every way in which a row can be delivered.
pub(crate) fn deliveries(case: &Case) -> Vec<Delivery> {
    let closes = case.end == End::Closes && !case.finishes() && case.target != Target::Impatient;
    let followed = (closes && !case.owns_what_follows).then_some(Delivery::Followed);
    [Delivery::Whole, Delivery::Bytewise].into_iter().chain(followed).collect()
}

/// A failure as one line, and what was sent.
pub(crate) fn told(case: &Case, how: Delivery, why: &str) -> String {
    format!("- {} [{}] {how:?}: {why}\n    sent {}", case.name, case.rule, shown(&case.sent()))
}

/// One row on a connection of its own.
pub(crate) fn converse(case: &Case, how: Delivery, addr: SocketAddr) -> Result<(), String> {
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
    let is_expected = |name: &str| BY_DEFAULT.iter().any(|field| field.eq_ignore_ascii_case(name));
    match response.fields.iter().find(|(name, _)| !is_expected(name)) {
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
    let is_now = secs + 1 >= began_secs && !is_ahead(secs);
    if is_now { Ok(()) } else { Err(format!("Date {date:?} at {began_secs} seconds")) }
}

/// Whether `secs` is in the future, by more than the tick of the kernel that `wall_secs` may lag.
fn is_ahead(secs: u64) -> bool {
    let waited = Stopwatch::start();
    while secs > wall_secs() {
        if waited.elapsed() > TICK_MAX {
            return true;
        }
        thread::yield_now();
    }
    false
}

/// Kernel: a tick of CONFIG_HZ=100, the longest there is.
const TICK_MAX: Duration = Duration::from_millis(10);

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
