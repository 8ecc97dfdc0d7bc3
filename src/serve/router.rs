//! From method and target to what is to be done: a [`Call`], or a [`Reply`] that refuses.
//!
//! Decided on the head alone, so that a request that will be refused need not send its content.
//! Paths are matched octet by octet; only the device's segment is percent-decoded, once.

use super::reply::Reply;
use super::settings::Settings;
use super::token;
use crate::home::Device;
use crate::http::{Method, RequestHead, Target, target};

/// What a request asks for, decided by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `GET /devices/status`
    Status,
    /// `POST /devices/{id}/command`
    Command(Device),
    /// `GET /events/live`, `?since=SEQ`
    Events {
        /// Everything up to here is known to the client; `None`: everything up to now.
        since: Option<u64>,
    },
    /// `GET /healthz`
    Health,
    /// `GET /metrics`
    Metrics,
    /// `GET /` with `--echo`
    EchoOk,
    /// `POST /` with `--echo`
    Echo,
    /// The answer stands already; the content is read and dropped.
    Answered(Box<Reply>),
}

/// A resource, whatever the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource<'a> {
    Status,
    Command { segment: &'a [u8] },
    Events,
    Health,
    Metrics,
    Echo,
}

/// The call that `head` makes. With a token in `settings`, whoever does not present it learns nothing
/// but whether the server is well.
pub fn route(head: &RequestHead<'_>, settings: &Settings) -> Call {
    if let Some(token) = &settings.token
        && !token.admits(head.authorization)
        && !matches!(head.target, Target::Origin { path: b"/healthz", .. })
    {
        let has_presented = token::presented(head.authorization).is_some();
        return refuse(Reply::unauthorized(has_presented));
    }
    let echo = settings.echo;
    match head.target {
        // The parser lets the asterisk through for OPTIONS only.
        Target::Asterisk => Call::Answered(Box::new(Reply::options("GET, HEAD, POST, OPTIONS"))),
        Target::Origin { path, query } => match find(path, echo) {
            None => refuse(Reply::error(404, "there is nothing at this path")),
            Some(resource) => resource.call(head, query),
        },
    }
}

fn find(path: &[u8], echo: bool) -> Option<Resource<'_>> {
    // What nearly everybody asks for. By words: a `match` compares octet by octet.
    if path == b"/devices/status" {
        return Some(Resource::Status);
    }
    match path {
        b"/events/live" => Some(Resource::Events),
        b"/healthz" => Some(Resource::Health),
        b"/metrics" => Some(Resource::Metrics),
        b"/" if echo => Some(Resource::Echo),
        _ => {
            let segment = path.strip_prefix(b"/devices/")?.strip_suffix(b"/command")?;
            (!segment.contains(&b'/')).then_some(Resource::Command { segment })
        }
    }
}

impl Resource<'_> {
    fn call(self, head: &RequestHead<'_>, query: Option<&[u8]>) -> Call {
        match (self, head.method) {
            (Resource::Command { segment }, Method::Post) => command(segment, head.content_type),
            // A device that does not exist has no methods to name.
            (Resource::Command { segment }, _) if device_of(segment).is_none() => unknown_device(),
            (_, Method::Options) => Call::Answered(Box::new(Reply::options(self.allow()))),
            (Resource::Status, Method::Get | Method::Head) => Call::Status,
            (Resource::Events, Method::Get | Method::Head) => events(query),
            (Resource::Health, Method::Get | Method::Head) => Call::Health,
            (Resource::Metrics, Method::Get | Method::Head) => Call::Metrics,
            (Resource::Echo, Method::Get | Method::Head) => Call::EchoOk,
            (Resource::Echo, Method::Post) => Call::Echo,
            _ => {
                refuse(Reply::error(405, "this path does not take that method").allow(self.allow()))
            }
        }
    }

    /// The value of the Allow field (RFC 9110 section 10.2.1).
    fn allow(self) -> &'static str {
        match self {
            Resource::Command { .. } => "POST, OPTIONS",
            Resource::Echo => "GET, HEAD, POST, OPTIONS",
            Resource::Status | Resource::Events | Resource::Health | Resource::Metrics => {
                "GET, HEAD, OPTIONS"
            }
        }
    }
}

fn command(segment: &[u8], content_type: Option<&[u8]>) -> Call {
    let Some(device) = device_of(segment) else { return unknown_device() };
    match content_type {
        // RFC 9110 section 8.3: without a Content-Type the recipient may look for itself.
        None => Call::Command(device),
        Some(content_type) if is_json(content_type) => Call::Command(device),
        Some(_) => {
            refuse(Reply::error(415, "a command is JSON; send Content-Type: application/json"))
        }
    }
}

fn device_of(segment: &[u8]) -> Option<Device> {
    if let Some(device) = Device::from_id(segment) {
        return Some(device); // as nearly always, there is nothing to decode
    }
    let mut decoded = [0; SEGMENT_BYTES_MAX];
    Device::from_id(target::decode_segment(segment, &mut decoded)?)
}

/// Chosen: longer than any device's id; what decodes to more is unknown anyway.
const SEGMENT_BYTES_MAX: usize = 32;

#[cold]
fn unknown_device() -> Call {
    refuse(Reply::error(
        404,
        "there is no such device; there are light, thermostat, lock, camera, sensor",
    ))
}

#[cold]
fn refuse(reply: Reply) -> Call {
    Call::Answered(Box::new(reply))
}

/// `application/json` or `application/*+json` (RFC 6839), in any case, with any parameters.
fn is_json(content_type: &[u8]) -> bool {
    if content_type == b"application/json" {
        return true; // as nearly always
    }
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let Some(subtype) = essence
        .split_at_checked(APPLICATION.len())
        .and_then(|(kind, subtype)| kind.eq_ignore_ascii_case(APPLICATION).then_some(subtype))
    else {
        return false;
    };
    let suffix = subtype.len().saturating_sub(b"+json".len());
    subtype.eq_ignore_ascii_case(b"json")
        || (suffix > 0 && subtype[suffix..].eq_ignore_ascii_case(b"+json"))
}

const APPLICATION: &[u8] = b"application/";

/// `since` of the query, which may hold other parameters; the last one counts.
fn events(query: Option<&[u8]>) -> Call {
    let given = query
        .unwrap_or_default()
        .split(|byte| *byte == b'&')
        .filter_map(|parameter| parameter.strip_prefix(b"since="))
        .next_back();
    let Some(digits) = given else { return Call::Events { since: None } };
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let since =
        std::str::from_utf8(digits).ok().filter(|_| all_digits).and_then(|d| d.parse().ok());
    match since {
        Some(since) => Call::Events { since: Some(since) },
        None => refuse(Reply::error(422, "since is a seq: decimal digits, as the events carry it")),
    }
}

#[cfg(test)]
mod tests;
