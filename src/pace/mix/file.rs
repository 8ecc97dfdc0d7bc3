//! A mix as it stands in a TOML file.
//!
//! ```toml
//! [[request]]
//! name = "events"
//! weight = 10                               # relative to the others
//! method = "GET"                            # the default
//! path = "/events/live?since={since=0}"     # placeholders: see `template`
//! headers = { Accept = "application/json" }
//! expect_status = 200                       # else any 2xx; another counts as error `status`
//! expect_bytes = 60                         # of content; another number counts likewise
//! capture = { since = "json:seq" }          # its absence counts likewise
//! kind = "long_poll"                        # kept out of the overall latency
//! published = { key = "at", unit = "us" }   # where an answer says since when there was its content
//! ```
//!
//! A body may have placeholders too; Content-Length follows from what they came to.

use super::{Expect, Kind, Mix, is_origin_form};
use super::{check_header, check_method, check_takes_body, is_repeatable};
use crate::pace::capture::Capture;
use crate::pace::delivery::{Publication, Unit};
use crate::pace::template::Text;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// What is wrong, and at which byte of the file.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) sentence: String,
}

fn fault<T>(at: usize, sentence: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { at, sentence: sentence.into() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTyped {
    #[serde(default)]
    request: Vec<Spanned<RequestTyped>>,
}

/// A `[[request]]` as typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestTyped {
    name: Spanned<String>,
    weight: u32,
    method: Option<Spanned<String>>,
    path: Spanned<String>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<String>>,
    body: Option<Spanned<String>>,
    expect_status: Option<Spanned<u16>>,
    expect_bytes: Option<u64>,
    #[serde(default)]
    capture: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    kind: KindTyped,
    published: Option<Spanned<PublishedTyped>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedTyped {
    key: String,
    unit: Unit,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum KindTyped {
    #[default]
    Plain,
    LongPoll,
}

pub(super) fn parse(text: &str) -> Result<Mix, Fault> {
    let typed: FileTyped = toml::from_str(text).map_err(|error| Fault {
        at: error.span().map_or(0, |span| span.start),
        sentence: error.message().replace('\n', " "),
    })?;
    let names = captured_names(&typed)?;
    let mut kinds: Vec<Kind> = Vec::new();
    for request in typed.request {
        let name = request.get_ref().name.clone();
        let kind = checked(request.into_inner(), &names)?;
        if kinds.iter().any(|other| other.name == kind.name) {
            return fault(
                name.span().start,
                format!("`{}` is the name of two requests", kind.name),
            );
        }
        kinds.push(kind);
    }
    let weight_total = kinds.iter().map(|kind| u64::from(kind.weight)).sum();
    if kinds.is_empty() {
        return fault(0, "a mix needs at least one [[request]] table");
    }
    if weight_total == 0 {
        return fault(0, "the weights add up to zero, so nothing would be sent");
    }
    Ok(Mix { kinds, weight_total, names })
}

/// The names of everything that is captured, each once.
fn captured_names(typed: &FileTyped) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for (name, from) in typed.request.iter().flat_map(|request| &request.get_ref().capture) {
        let is_word = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_word || name == "counter" {
            return fault(
                from.span().start,
                format!("`{name}` is no name for a captured value; write one like `since`"),
            );
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

fn checked(typed: RequestTyped, names: &[String]) -> Result<Kind, Fault> {
    let method = checked_method(typed.method)?;
    let body = checked_body(&method, typed.body, names)?;
    let path = checked_path(typed.path, names)?;
    let mut headers = Vec::new();
    for (name, value) in typed.headers {
        headers.push(checked_header(name, value, names)?);
    }
    if let Some(status) = &typed.expect_status
        && !(200..600).contains(status.get_ref())
    {
        return fault(status.span().start, "expect_status is a final status, 200 to 599");
    }
    let published = checked_published(&method, typed.published)?;
    Ok(Kind {
        name: typed.name.into_inner(),
        weight: typed.weight,
        expect: Expect {
            status: typed.expect_status.map(Spanned::into_inner),
            bytes: typed.expect_bytes,
        },
        captures: checked_captures(typed.capture, names)?,
        published,
        long_poll: typed.kind == KindTyped::LongPoll,
        is_head: method == "HEAD",
        may_retry: is_repeatable(&method),
        method,
        path,
        headers,
        body,
        bearer: None,
    })
}

/// A path is one whatever its placeholders come to; captured values fit anywhere.
fn checked_path(typed: Spanned<String>, names: &[String]) -> Result<Text, Fault> {
    let at = typed.span().start;
    let typed = typed.into_inner();
    let path = Text::parse(&typed, names).or_else(|why| fault(at, why))?;
    let fits = |part: &[u8]| {
        std::str::from_utf8(part).is_ok_and(|part| is_origin_form(&format!("/{part}")))
    };
    if !path.starts_with(b"/") || !path.parts().all(fits) {
        return fault(
            at,
            format!(
                "`{typed}` is no path; it starts with `/` and holds printable ASCII without \
                 spaces and `#`"
            ),
        );
    }
    Ok(path)
}

fn checked_captures(
    typed: BTreeMap<String, Spanned<String>>,
    names: &[String],
) -> Result<Vec<Capture>, Fault> {
    let mut captures = Vec::new();
    for (name, from) in typed {
        let at = from.span().start;
        let from = from.into_inner();
        match from.strip_prefix("json:").filter(|key| !key.is_empty()) {
            Some(key) => {
                let slot = names.iter().position(|known| *known == name);
                let slot = slot.expect("every captured name was collected");
                captures.push(Capture { slot, key: String::from(key) });
            }
            None => {
                let sentence = format!(
                    "`{from}` is nothing to capture; write `json:` and a key of the answer"
                );
                return fault(at, sentence);
            }
        }
    }
    Ok(captures)
}

fn checked_published(
    method: &str,
    typed: Option<Spanned<PublishedTyped>>,
) -> Result<Option<Publication>, Fault> {
    let Some(typed) = typed else { return Ok(None) };
    let at = typed.span().start;
    let PublishedTyped { key, unit } = typed.into_inner();
    if key.is_empty() {
        return fault(at, "`published` needs the key of the answer that holds the time");
    }
    if method == "HEAD" {
        return fault(at, "the answer to a HEAD has no content that could say `published`");
    }
    Ok(Some(Publication { key, unit }))
}

fn checked_method(typed: Option<Spanned<String>>) -> Result<String, Fault> {
    let Some(typed) = typed else { return Ok(String::from("GET")) };
    let at = typed.span().start;
    let method = typed.into_inner();
    check_method(&method).or_else(|why| fault(at, why))?;
    Ok(method)
}

fn checked_body(
    method: &str,
    typed: Option<Spanned<String>>,
    names: &[String],
) -> Result<Text, Fault> {
    let Some(typed) = typed else { return Ok(Text::default()) };
    let at = typed.span().start;
    check_takes_body(method).or_else(|why| fault(at, why))?;
    Text::parse(&typed.into_inner(), names).or_else(|why| fault(at, why))
}

fn checked_header(
    name: String,
    value: Spanned<String>,
    names: &[String],
) -> Result<(String, Text), Fault> {
    let at = value.span().start;
    let value = value.into_inner();
    check_header(&name, &value).or_else(|why| fault(at, why))?;
    let value = Text::parse(&value, names).or_else(|why| fault(at, why))?;
    Ok((name, value))
}
