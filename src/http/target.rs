//! Request targets and the parts of a URI in them: paths, hosts, percent-encoding.
//!
//! The head parser has looked at every octet of a path when it hands out a [`Target`]; what is left
//! here is the rare absolute form, the host grammar that it shares with the Host field, and decoding.
//! A path is neither decoded nor normalised: the router splits it at `/` and decodes a segment once,
//! by [`decode_segment`], so that `%2F` separates nothing and `%252F` is never decoded twice.

use super::bytes::{self, HOST, PATH, QUERY};
use super::reject::Reject;
use super::request::Method;
use std::net::Ipv6Addr;

/// What a request asks for (RFC 9112 §3.2). The absolute form has been reduced to its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'b> {
    /// A path, which begins with `/`, and what follows the first `?` if there is one; both as they
    /// came, with every percent-encoding checked and none decoded.
    Origin {
        /// From the first `/`, never empty.
        path: &'b [u8],
        /// Without its `?`; may be empty.
        query: Option<&'b [u8]>,
    },
    /// `*`, or an absolute form without path and query: the server as a whole; only OPTIONS has it.
    Asterisk,
}

/// Where a target is in its head, as positions. Without a path, an absolute form begins at `mark`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TargetSpan {
    pub(crate) begin: usize,
    pub(crate) end: usize,
    /// Where the path ends, which is at the `?`, or at `end` if there is none.
    pub(crate) mark: usize,
}

impl TargetSpan {
    /// The target that it is in `head`, which has `method`.
    #[inline]
    pub(crate) fn of(self, head: &[u8], method: Method) -> Target<'_> {
        let path = &head[self.begin..self.mark];
        let query = (self.mark < self.end).then(|| &head[self.mark + 1..self.end]);
        match (path, query) {
            (b"*", _) => Target::Asterisk, // any path begins with `/`
            // Only an absolute form may omit the path (RFC 9110 §4.2.3, RFC 9112 §3.2.4).
            ([], None) if method == Method::Options => Target::Asterisk,
            ([], query) => Target::Origin { path: b"/", query },
            (path, query) => Target::Origin { path, query },
        }
    }
}

/// Decodes one path segment into `buffer`, once. `None` if the result does not fit, or if a `%` is
/// not followed by two hexadecimal digits (which the head parser has excluded).
pub fn decode_segment<'o>(segment: &[u8], buffer: &'o mut [u8]) -> Option<&'o [u8]> {
    let mut len = 0;
    let mut rest = segment;
    while let [first, tail @ ..] = rest {
        let octet = if *first == b'%' {
            let (octet, after) = percent_octet(tail)?;
            rest = after;
            octet
        } else {
            rest = tail;
            *first
        };
        *buffer.get_mut(len)? = octet;
        len += 1;
    }
    Some(&buffer[..len])
}

/// The octet that the two digits after a `%` stand for, and what follows them.
fn percent_octet(digits: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = digits else { return None };
    Some((bytes::hex_value(*high)? << 4 | bytes::hex_value(*low)?, rest))
}

/// Checks the two digits after a `%`. They may stand for no control: none has a place in a name or in a
/// parameter, and whoever decodes one into a line of a log or a head has been split.
fn check_percent(high: u8, low: u8) -> Result<(), Reject> {
    match percent_octet(&[high, low]) {
        Some((octet, _)) if !octet.is_ascii_control() => Ok(()),
        _ => Err(Reject::BadPercent),
    }
}

/// Takes an absolute target apart (RFC 9112 §3.2.2): `http://host[:port][/path][?query]`. The
/// authority is validated and then of no further use, as one service answers for every name. A
/// userinfo is refused (RFC 9110 §4.2.4), and so is any scheme but http: nothing else is served.
pub(crate) fn absolute(target: &[u8]) -> Result<Target<'_>, Reject> {
    const SCHEME: &[u8] = b"http://";
    let (scheme, rest) = target.split_at_checked(SCHEME.len()).ok_or(Reject::BadTarget)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Reject::BadTarget);
    }
    let authority_end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority_end);
    check_host(authority)?;
    let (path, query) = match rest.iter().position(|b| *b == b'?') {
        Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
        None => (rest, None),
    };
    check_part::<PATH>(path)?;
    check_part::<QUERY>(query.unwrap_or(b""))?;
    Ok(Target::Origin { path: if path.is_empty() { b"/" } else { path }, query })
}

/// Runs from `at` over octets of `CLASS` and sound percent-encodings; stops at any other octet, or at a
/// `%` that two digits do not follow.
#[inline]
pub(crate) fn skip_encoded<const CLASS: u8>(text: &[u8], at: usize) -> Result<usize, Reject> {
    let mut at = bytes::skip::<CLASS>(text, at);
    while let [b'%', high, low, ..] = text[at..] {
        check_percent(high, low)?;
        at = bytes::skip::<CLASS>(text, at + 3);
    }
    Ok(at)
}

/// Checks that `part` holds only octets of `CLASS` and sound percent-encodings.
fn check_part<const CLASS: u8>(part: &[u8]) -> Result<(), Reject> {
    match part.get(skip_encoded::<CLASS>(part, 0)?) {
        None => Ok(()),
        Some(b'%') => Err(Reject::BadPercent),
        Some(_) => Err(Reject::BadTarget),
    }
}

/// Checks `uri-host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2.2), which must not be empty (RFC 9110
/// §4.2.1). No userinfo, no comma, no IPvFuture (none is registered), no port over 65535.
pub(crate) fn check_host(host: &[u8]) -> Result<(), Reject> {
    let end = match host {
        [b'[', ..] => ip_literal_end(host),
        _ => reg_name_end(host),
    };
    match end.map(|end| &host[end..]) {
        Some([] | [b':']) => Ok(()),
        Some([b':', port @ ..]) if is_port(port) => Ok(()),
        _ => Err(Reject::BadHost),
    }
}

/// Whether `port` is a number of 16 bits.
fn is_port(port: &[u8]) -> bool {
    bytes::decimal(port).is_some_and(|n| n <= u64::from(u16::MAX))
}

/// Where a `[` IPv6 address `]` ends.
fn ip_literal_end(host: &[u8]) -> Option<usize> {
    let close = host.iter().position(|b| *b == b']')?;
    let address = std::str::from_utf8(&host[1..close]).ok()?;
    address.parse::<Ipv6Addr>().ok().map(|_| close + 1)
}

/// Where a name or IPv4 address ends, if it is not empty.
fn reg_name_end(host: &[u8]) -> Option<usize> {
    skip_encoded::<HOST>(host, 0).ok().filter(|at| *at > 0)
}

#[cfg(test)]
mod tests;
