//! The API: a [`Call`] and its content become an [`Answer`] against the home.
//!
//! Pure but for the home: no clock, no connection. What takes time (a command's device, a poll's
//! event) comes out as an answer still owed; `conn` waits for it and comes back with
//! [`finish_command`], [`try_event`] or [`end_poll`].

use super::reply::{Content, Reply};
use super::router::Call;
use crate::home::{Change, Device, FirstAfter, Home, Seq};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// What a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// This, at once.
    Now(Reply),
    /// Apply the change once the device had its time, then confirm.
    Command(Change),
    /// The first event after this seq, or word that there was none.
    Poll(Seq),
}

/// Carries out `call`, whose content has been read whole, and before whose arrival `seen` was the newest
/// event. `metrics` renders the metrics on demand.
#[inline]
pub fn answer(
    call: Call,
    content: &[u8],
    home: &Home,
    seen: Seq,
    metrics: impl FnOnce() -> String,
) -> Answer {
    match call {
        Call::Status => Answer::Now(Reply::ok(Content::Status(home.snapshot()))),
        Call::Command(device) => match read_command(device, content) {
            Ok(change) => Answer::Command(change),
            Err(Refusal { status, sentence }) => Answer::Now(Reply::error(status, &sentence)),
        },
        Call::Events { since } => {
            // Without `since`: what has come after this request arrived.
            let since = since.map_or(seen, Seq);
            try_event(since, home).map_or(Answer::Poll(since), Answer::Now)
        }
        Call::Health => Answer::Now(Reply::ok(Content::Json(r#"{"status":"ok"}"#))),
        Call::Metrics => Answer::Now(Reply::ok(Content::Metrics(metrics()))),
        Call::EchoOk => Answer::Now(Reply::ok(Content::Echo(b"OK".to_vec()))),
        Call::Echo => Answer::Now(Reply::ok(Content::Echo(content.to_vec()))),
        Call::Answered(reply) => Answer::Now(*reply),
    }
}

/// Applies a command whose device had its time, and confirms it.
pub fn finish_command(change: Change, home: &Home) -> Reply {
    Reply::ok(Content::Command(home.apply(change)))
}

/// The answer to a poll, if the log has one already.
pub fn try_event(since: Seq, home: &Home) -> Option<Reply> {
    match home.first_after(since) {
        FirstAfter::NotYet => None,
        FirstAfter::Event(event) => Some(Reply::ok(Content::Event(event))),
        FirstAfter::Gone { oldest } => {
            let sentence = format!(
                "events after {} have left the log; the oldest kept is {}",
                since.0, oldest.0
            );
            Some(Reply::error(410, &sentence))
        }
    }
}

/// The answer to a poll whose time is up: the event that came at the last moment, or the word that
/// there was none. Its seq is the newest there is, yet never beyond `since`, for a client that goes on
/// from there must not skip an event that another core has numbered and not published yet.
pub fn end_poll(since: Seq, home: &Home) -> Reply {
    let newest = home.newest().min(since);
    try_event(since, home).unwrap_or_else(|| Reply::ok(Content::Timeout(newest)))
}

/// A command as JSON; other members are ignored.
#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    value: Option<serde_json::Number>,
}

/// Why a command is not carried out.
struct Refusal {
    status: u16,
    sentence: String,
}

/// 400 for what is not JSON, 422 for JSON that is no command for this device.
#[inline(never)] // it would keep its caller from being inlined
fn read_command(device: Device, content: &[u8]) -> Result<Change, Refusal> {
    let refusal = |status, sentence| Refusal { status, sentence };
    let text = std::str::from_utf8(content).map_err(|_| refusal(400, NOT_UTF8.to_string()))?;
    let command: Command<'_> = serde_json::from_str(text).map_err(|error| {
        // serde reports the first thing it trips over; a wrong type may stand before broken JSON.
        match serde_json::from_str::<IgnoredAny>(text) {
            Err(error) => refusal(400, format!("the content is not JSON: {error}")),
            Ok(_) => refusal(422, format!("this is no command: {error}")),
        }
    })?;
    // serde would take an array for the members in their order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(refusal(422, "this is no command: it is not an object".to_string()));
    }
    let value = command.value.as_ref().and_then(serde_json::Number::as_f64);
    Change::parse(device, &command.action, value)
        .map_err(|refused| refusal(422, refused.to_string()))
}

const NOT_UTF8: &str = "the content is not JSON: it is not UTF-8 (RFC 8259 section 8.1)";

#[cfg(test)]
mod tests;
