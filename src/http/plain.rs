//! The shortest way through what nearly every request head is made of.
//!
//! A function for each kind of line, without state, that reads it in one go. `Some` says that the
//! line is there whole and sound, and what it says; `None` says nothing at all, and the head parser
//! looks closer, octet by octet if need be. So a rule is enforced there and only there, and nothing
//! here may accept what it would refuse. The parser's tests hold the two together: no split of the
//! octets changes a verdict, and in a head that trickles in no line with text is read here.
//!
//! Start at [`request_line`].

use super::bytes::{self, HOST, PATH, QUERY, TOKEN};
use super::fields::{FieldName, Span};
use super::request::Method;
use super::target::TargetSpan;

/// A request line, and where the line behind it begins.
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) target: TargetSpan,
    pub(crate) next: usize,
}

/// GET or POST, an origin form without percent-encodings, HTTP/1.1, CRLF.
#[inline]
pub(crate) fn request_line(window: &[u8]) -> Option<RequestLine> {
    const VERSION: &[u8] = b" HTTP/1.1\r\n";
    let (method, begin) = if window.starts_with(b"GET /") {
        (Method::Get, 4)
    } else if window.starts_with(b"POST /") {
        (Method::Post, 5)
    } else {
        return None;
    };
    let mark = bytes::skip::<PATH>(window, begin);
    let mut end = mark;
    if !window[end..].starts_with(VERSION) {
        end = bytes::skip::<QUERY>(window, mark);
        if window.get(mark) != Some(&b'?') || !window[end..].starts_with(VERSION) {
            return None;
        }
    }
    let target = TargetSpan { begin, end, mark };
    Some(RequestLine { method, target, next: end + VERSION.len() })
}

/// `Host: `, a name or IPv4 address without percent-encodings, perhaps a port of four or five digits,
/// CRLF. Where the line behind it begins.
#[inline]
pub(crate) fn host(window: &[u8], at: usize) -> Option<usize> {
    const NAME: &[u8] = b"Host: ";
    if !window[at..].starts_with(NAME) {
        return None;
    }
    let begin = at + NAME.len();
    let mut end = bytes::skip::<HOST>(window, begin);
    if end == begin {
        return None;
    }
    if let [b':', a, b, c, d, ..] = window[end..]
        && bytes::are_digits([a, b, c, d])
    {
        end += 5; // no four digits are too large for a port
        if let Some(e @ b'0'..=b'9') = window.get(end) {
            let is_port = (u32::from_be_bytes([a, b, c, d]), *e) <= PORT_MAX;
            end += usize::from(is_port); // the parser finds the digit behind a larger one
        }
    }
    window[end..].starts_with(b"\r\n").then_some(end + 2)
}

/// The largest port, 65535, by its digits: their order is that of the numbers.
const PORT_MAX: (u32, u8) = (u32::from_be_bytes(*b"6553"), b'5');

/// Any field line whose value is visible: its name, and where its value is, blanks around it
/// included. The line behind it begins two octets after the value.
#[inline]
pub(crate) fn field(window: &[u8], at: usize) -> Option<(FieldName, Span)> {
    let (name, colon) = field_name(window, at)?;
    let begin = colon + 1;
    let end = begin + bytes::visible_prefix(&window[begin..]);
    window[end..].starts_with(b"\r\n").then_some((name, Span { begin, end }))
}

/// A field name and where its colon is.
#[inline]
fn field_name(window: &[u8], at: usize) -> Option<(FieldName, usize)> {
    // What every request with content has, as nearly every client writes it.
    if let Some((b"Content-", rest)) = window[at..].split_first_chunk() {
        if rest.starts_with(b"Length: ") {
            return Some((FieldName::ContentLength, at + b"Content-Length".len()));
        }
        if rest.starts_with(b"Type: ") {
            return Some((FieldName::ContentType, at + b"Content-Type".len()));
        }
    }
    let colon = bytes::skip::<TOKEN>(window, at);
    let is_name = colon > at && window.get(colon) == Some(&b':');
    is_name.then(|| (FieldName::of(&window[at..colon]), colon))
}

/// The blank line. Where the head ends.
#[inline]
pub(crate) fn head_end(window: &[u8], at: usize) -> Option<usize> {
    window[at..].starts_with(b"\r\n").then_some(at + 2)
}
