//! Writes responses: status line, the fields every answer carries, and content.
//!
//! Into the caller's buffer and with no other allocation; no formatting machinery, as this runs for
//! every request. What a status may not carry is left out here and not by each caller: 1xx, 204 and
//! 304 get no content, length or type (RFC 9110 §8.6, RFC 9112 §6.1), and an answer to HEAD has the
//! fields of GET without the content (RFC 9110 §9.3.2). Never chunked: every length is known.
//! Start at [`ResponseHead::encode`].

use super::date::HttpDate;

/// The interim response to `Expect: 100-continue` (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a response says about its connection (RFC 9112 §9.6, §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It ends after this response.
    Close,
    /// It persists; has to be said to HTTP/1.0 only.
    KeepAlive,
}

/// A response, but for its content.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// 100 to 599.
    pub status: u16,
    /// Of the content; without it the field is left out.
    pub content_type: Option<&'a str>,
    /// At most a second old.
    pub date: &'a HttpDate,
    /// Left out, it is the version's default.
    pub connection: Option<Connection>,
    /// Other fields, name and value, such as Allow. Not from a peer: nothing is checked.
    pub extra: [Option<(&'a str, &'a str)>; 2],
}

impl<'a> ResponseHead<'a> {
    /// An answer with JSON content and the fields of the contract, no more.
    pub const fn json(status: u16, date: &'a HttpDate) -> ResponseHead<'a> {
        ResponseHead { status, content_type: Some(JSON), date, connection: None, extra: [None; 2] }
    }

    /// Appends the response to `out`. The length told is that of `content`, which itself is left out
    /// if `include_content` is false: an answer to HEAD.
    pub fn encode(&self, content: &[u8], include_content: bool, out: &mut Vec<u8>) {
        let is_usual = self.status == 200 && self.content_type == Some(JSON);
        if is_usual {
            out.extend_from_slice(OK_JSON);
            push_length(content.len(), out);
        } else {
            self.push_beginning(content.len(), out);
        }
        out.extend_from_slice(self.date.field_line());
        match self.connection {
            Some(Connection::Close) => out.extend_from_slice(b"Connection: close\r\n"),
            Some(Connection::KeepAlive) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            None => {}
        }
        for (name, value) in self.extra.iter().flatten() {
            push_field(name, value, out);
        }
        out.extend_from_slice(b"\r\n");
        if include_content && (is_usual || may_have_content(self.status)) {
            out.extend_from_slice(content);
        }
    }

    /// Status line and what is said of the content, whatever they are.
    fn push_beginning(&self, content_len: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        push_status(self.status, out);
        if may_have_content(self.status) {
            if let Some(content_type) = self.content_type {
                push_field("Content-Type", content_type, out);
            }
            out.extend_from_slice(b"Content-Length: ");
            push_length(content_len, out);
        }
    }
}

const JSON: &str = "application/json";

/// How nearly every answer begins, up to its length.
const OK_JSON: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";

/// Whether a response with `status` has content at all (RFC 9112 §6.3).
pub const fn may_have_content(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

/// The registered reason phrase (RFC 9110 §15, RFC 6585); empty, as the grammar allows, for a
/// status that is not in use here.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

fn push_status(status: u16, out: &mut Vec<u8>) {
    debug_assert!((100..600).contains(&status), "no such status: {status}");
    push_decimal(u64::from(status), out);
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_field(name: &str, value: &str, out: &mut Vec<u8>) {
    debug_assert!(!value.contains(['\r', '\n']), "{name} would split the response");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a length and the line end behind it, in one piece if it has the usual number of digits.
#[inline]
fn push_length(len: usize, out: &mut Vec<u8>) {
    let digit = |n: usize| b'0' + (n % 10) as u8;
    match len {
        10..100 => out.extend_from_slice(&[digit(len / 10), digit(len), b'\r', b'\n']),
        100..1000 => {
            out.extend_from_slice(&[digit(len / 100), digit(len / 10), digit(len), b'\r', b'\n'])
        }
        _ => {
            push_decimal(len as u64, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends `n` in decimal digits.
fn push_decimal(n: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20]; // u64::MAX has twenty
    let mut begin = digits.len();
    let mut rest = n;
    loop {
        begin -= 1;
        digits[begin] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

#[cfg(test)]
mod tests;
