//! What the few fields that HTTP/1.1 itself lives on mean, taken together.
//!
//! [`Fields`] is told one validated field line after another and at the end says how the message is
//! framed and whether the connection lasts. It keeps numbers and positions, no table of fields: all
//! others are recognised by their length and passed over. What breaks a rule of framing is refused
//! at its line; what is merely not served (417, 413, 501) only at the end, so that a head that is
//! also malformed gets the 400 it deserves.

use super::body::Framing;
use super::bytes;
use super::reject::Reject;
use super::request::{RequestLimits, Version};
use super::target;

/// A field that has a meaning here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldName {
    #[default]
    Other,
    Host,
    Expect,
    Connection,
    ContentType,
    Authorization,
    ContentLength,
    TransferEncoding,
}

impl FieldName {
    /// Recognises `name`, a token, by its length first: most fields are told apart from ours by
    /// that alone.
    #[inline(always)] // one of its two callers is the hot loop
    pub(crate) fn of(name: &[u8]) -> FieldName {
        let (candidate, is_spelled_so) = match name.len() {
            4 => (FieldName::Host, bytes::is_folded(name, b"host")),
            6 => (FieldName::Expect, bytes::is_folded(name, b"expect")),
            10 => (FieldName::Connection, bytes::is_folded(name, b"connection")),
            12 => (FieldName::ContentType, bytes::is_folded(name, b"content-type")),
            13 => (FieldName::Authorization, bytes::is_folded(name, b"authorization")),
            14 => (FieldName::ContentLength, bytes::is_folded(name, b"content-length")),
            17 => (FieldName::TransferEncoding, name.eq_ignore_ascii_case(b"transfer-encoding")),
            _ => return FieldName::Other,
        };
        if is_spelled_so { candidate } else { FieldName::Other }
    }
}

/// Positions in a head: `begin..end`. Default: nowhere, as nothing but the request line begins at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Span {
    /// The octets of this span of `head`, unless it is nowhere.
    #[inline]
    pub(crate) fn of(self, head: &[u8]) -> Option<&[u8]> {
        (self.end > 0).then(|| &head[self.begin..self.end])
    }

    /// This span or, if it is nowhere, the other.
    fn or(self, other: Span) -> Span {
        if self.end == 0 { other } else { self }
    }

    /// This span without the SP and HTAB around it, and its octets. Quick if there is just the one
    /// SP after the colon.
    #[inline]
    fn trimmed(self, head: &[u8]) -> (Span, &[u8]) {
        let raw = &head[self.begin..self.end];
        let is_blank = |octet: Option<&u8>| octet.is_none_or(|octet| *octet <= b' ');
        if let [b' ', value @ ..] = raw
            && !is_blank(value.first())
            && !is_blank(value.last())
        {
            return (Span { begin: self.begin + 1, end: self.end }, value);
        }
        let value = bytes::trim_start(raw);
        let begin = self.end - value.len();
        let value = bytes::trim_end(value);
        (Span { begin, end: begin + value.len() }, value)
    }
}

/// What the Connection fields ask for (RFC 9112 §9.3); the later variant wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Persistence {
    #[default]
    Unsaid,
    KeepAlive,
    Close,
}

impl Persistence {
    /// What one connection option asks for.
    fn asked(option: &[u8]) -> Persistence {
        if bytes::is_folded(option, b"keep-alive") {
            Persistence::KeepAlive
        } else if bytes::is_folded(option, b"close") {
            Persistence::Close
        } else {
            Persistence::Unsaid
        }
    }

    /// What a list of connection options asks for.
    #[cold]
    fn asked_by_any(options: &[u8]) -> Persistence {
        bytes::list(options).map(Persistence::asked).max().unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Encoding {
    #[default]
    None,
    Chunked,
    /// Something else, then `chunked`: the framing is known but the content is not.
    UnknownThenChunked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expectation {
    #[default]
    None,
    Continue,
    Unknown,
}

/// The meaning of the field lines of one head so far.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    count: usize,
    has_host: bool,
    persistence: Persistence,
    encoding: Encoding,
    expectation: Expectation,
    length: Option<u64>,
    pub(crate) content_type: Span,
    pub(crate) authorization: Span,
}

/// What a whole head says about its message.
pub(crate) struct Meaning {
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
}

impl Fields {
    /// Whether there may be one more field line.
    #[inline]
    pub(crate) fn check_room(&self, limits: &RequestLimits) -> Result<(), Reject> {
        if self.count < limits.fields_max { Ok(()) } else { Err(Reject::TooManyFields) }
    }

    /// Takes in the value of a field line. A refusal changes nothing.
    #[inline]
    pub(crate) fn add(&mut self, name: FieldName, head: &[u8], raw: Span) -> Result<(), Reject> {
        if name != FieldName::Other {
            self.add_meaning(name, head, raw)?;
        }
        self.count += 1;
        Ok(())
    }

    fn add_meaning(&mut self, name: FieldName, head: &[u8], raw: Span) -> Result<(), Reject> {
        let (span, value) = raw.trimmed(head);
        match name {
            FieldName::Other => {}
            FieldName::Host => self.add_host(value)?,
            FieldName::Expect => self.add_expectation(value),
            FieldName::Connection => self.add_connection(value),
            // Of repeated singletons the first counts; neither decides where the message ends.
            FieldName::ContentType => self.content_type = self.content_type.or(span),
            FieldName::Authorization => self.authorization = self.authorization.or(span),
            FieldName::ContentLength => self.add_length(value)?,
            FieldName::TransferEncoding => self.add_encoding(value)?,
        }
        Ok(())
    }

    #[inline(never)]
    fn add_host(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.has_host {
            return Err(Reject::HostRepeated);
        }
        target::check_host(value)?;
        self.has_host = true;
        Ok(())
    }

    /// A list, whose empty elements say nothing (RFC 9110 §5.6.1.2); the line's limit bounds them.
    #[cold]
    fn add_expectation(&mut self, value: &[u8]) {
        for expected in bytes::list(value).filter(|expected| !expected.is_empty()) {
            if !expected.eq_ignore_ascii_case(b"100-continue") {
                self.expectation = Expectation::Unknown;
            } else if self.expectation == Expectation::None {
                self.expectation = Expectation::Continue;
            }
        }
    }

    /// Only the two options that concern the connection itself. A nomination of any other field,
    /// Content-Length and Host among them, changes nothing (RFC 9110 §7.6.1).
    fn add_connection(&mut self, value: &[u8]) {
        let asked = match Persistence::asked(value) {
            Persistence::Unsaid => Persistence::asked_by_any(value),
            by_the_only_option => by_the_only_option,
        };
        self.persistence = self.persistence.max(asked);
    }

    fn add_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.length.is_some() {
            return Err(Reject::LengthRepeated);
        }
        self.length = Some(bytes::decimal(value).ok_or(Reject::BadLength)?);
        Ok(())
    }

    /// Accepts the one token `chunked`, folded as ASCII only. Codings before it are told apart
    /// (501) from lists whose last coding is not chunked, or that are no lists (400).
    #[cold]
    fn add_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.encoding != Encoding::None {
            return Err(Reject::BadEncoding);
        }
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        if is_chunked(value) {
            self.encoding = Encoding::Chunked;
            return Ok(());
        }
        let comma = value.iter().rposition(|b| *b == b',').ok_or(Reject::BadEncoding)?;
        let is_foreign = |coding: &[u8]| is_token(coding) && !is_chunked(coding);
        if !is_chunked(bytes::trim(&value[comma + 1..]))
            || !bytes::list(&value[..comma]).all(is_foreign)
        {
            return Err(Reject::BadEncoding);
        }
        self.encoding = Encoding::UnknownThenChunked;
        Ok(())
    }

    /// Takes in a Host line whose value has been found sound, the first line of a head.
    #[inline]
    pub(crate) fn begin_with_host(&mut self) {
        self.count = 1;
        self.has_host = true;
    }

    /// What all lines together mean. Malformed comes before unserved, see the module.
    #[inline]
    pub(crate) fn finish(
        &self,
        version: Version,
        limits: &RequestLimits,
    ) -> Result<Meaning, Reject> {
        if version == Version::Http11 && !self.has_host {
            return Err(Reject::HostMissing);
        }
        let framing = self.framing(version)?;
        let expectation = match version {
            Version::Http11 => self.expectation,
            Version::Http10 => Expectation::None, // RFC 9110 §10.1.1 has it ignored
        };
        if expectation == Expectation::Unknown {
            return Err(Reject::UnknownExpectation);
        }
        // A length that has saturated is over every limit, also over `u64::MAX`.
        if self.length.is_some_and(|n| n > limits.body_bytes_max || n == u64::MAX) {
            return Err(Reject::ContentTooLarge);
        }
        Ok(Meaning {
            framing,
            keep_alive: match version {
                Version::Http11 => self.persistence != Persistence::Close,
                Version::Http10 => self.persistence == Persistence::KeepAlive,
            },
            expect_continue: expectation == Expectation::Continue && framing.has_content(),
        })
    }

    /// RFC 9112 §6.3, with every choice of it refused.
    #[inline]
    fn framing(&self, version: Version) -> Result<Framing, Reject> {
        match (self.encoding, self.length) {
            (Encoding::None, None) => Ok(Framing::None),
            (Encoding::None, Some(n)) => Ok(Framing::Length(n)),
            (_, Some(_)) => Err(Reject::LengthAndEncoding),
            _ if version == Version::Http10 => Err(Reject::EncodingInHttp10),
            (Encoding::Chunked, None) => Ok(Framing::Chunked),
            (Encoding::UnknownThenChunked, None) => Err(Reject::UnknownEncoding),
        }
    }
}

/// A token, perhaps with parameters, of which nothing is looked at: enough to know that a coding is
/// meant, before it is refused.
fn is_token(coding: &[u8]) -> bool {
    let end = bytes::skip::<{ bytes::TOKEN }>(coding, 0);
    end > 0 && matches!(bytes::trim(&coding[end..]), [] | [b';', ..])
}

/// The field lines of a head that has been accepted: names as they came, values trimmed.
///
/// Splits the lines again as it goes; nothing is stored for it. The server has no use for it: the
/// tests and the fuzzers hold what it yields against what other parsers read.
#[derive(Clone, Debug)]
pub struct FieldLines<'b> {
    rest: &'b [u8],
}

impl<'b> FieldLines<'b> {
    /// `lines` begins with the first field line and ends with the blank line.
    pub(crate) fn new(lines: &'b [u8]) -> FieldLines<'b> {
        FieldLines { rest: lines }
    }
}

impl<'b> Iterator for FieldLines<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line_end = self.rest.iter().position(|b| *b == b'\n')?;
        let (line, rest) = self.rest.split_at(line_end + 1);
        let colon = line.iter().position(|b| *b == b':')?; // the blank line has none
        self.rest = rest;
        Some((&line[..colon], bytes::trim(line[colon + 1..].strip_suffix(b"\r\n")?)))
    }
}
