//! The head of a request: request line and field lines, as far as a server must understand them.
//!
//! [`HeadParser::parse`] is given the octets from the start of the head, all there are, as often as
//! more arrive. It looks at each octet once: its progress is a position and a phase, so the work
//! is linear however the octets trickle in. It copies and allocates nothing, and keeps the few fields
//! that matter as positions. What it answers depends on the octets alone, not on how they were
//! split, and a [`Reject`] comes with the first octet that proves it: no garbage is waited for.
//!
//! Lines that are whole and plain, as nearly all are, go the short way through `plain`; any other is
//! gone through here, phase by phase.
//!
//! It does not read content (see `body`), decode or normalise paths, or know any resource.
//! Start at [`HeadParser::parse`], then `lines`.

use super::body::Framing;
use super::bytes::{self, ABSOLUTE, PATH, QUERY, TOKEN, VALUE};
use super::fields::{FieldName, Fields, Span};
use super::plain;
use super::reject::Reject;
use super::target::{self, Target, TargetSpan};

pub use super::fields::FieldLines;

/// Octets of line ends that are skipped before a request line. Chosen: two empty lines, one more
/// than RFC 9112 §2.2 asks for.
const LEADING_BYTES_MAX: usize = 4;

/// Longest token that is still taken for a method. Chosen: twice the longest registered one.
const METHOD_BYTES_MAX: usize = 32;

/// Octets of a version and the line end behind it. Spec: RFC 9112 §2.3, one digit each side of the dot.
const VERSION_BYTES: usize = b"HTTP/1.1\r\n".len();

/// How much of a request is taken before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Octets of the request line, or of one field line, its CRLF included. Beyond: 414, 431.
    pub line_bytes_max: usize,
    /// Octets of the whole head, its blank line included. Beyond: 431 (414 in the request line).
    pub head_bytes_max: usize,
    /// Field lines. Beyond: 431.
    pub fields_max: usize,
    /// Octets of content that a Content-Length may announce. Beyond: 413.
    pub body_bytes_max: u64,
}

impl RequestLimits {
    /// How far a line may reach that begins at `line_begin`.
    #[inline]
    fn line_bound(&self, line_begin: usize) -> usize {
        self.head_bytes_max.min(line_begin + self.line_bytes_max)
    }
}

impl Default for RequestLimits {
    /// Chosen: what nginx, hyper and HAProxy allow, within a factor of two. Spec floor of the line:
    /// 8000 octets (RFC 9112 §3).
    fn default() -> RequestLimits {
        RequestLimits {
            line_bytes_max: 16 * 1024,
            head_bytes_max: 32 * 1024,
            fields_max: 100,
            body_bytes_max: 64 * 1024,
        }
    }
}

/// The methods that are known; whether a resource allows one is its own affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // RFC 9110 §9.3 and RFC 5789
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Patch,
}

impl Method {
    /// The method that `token` names, by case (RFC 9110 §9.1).
    fn of(token: &[u8]) -> Option<Method> {
        match token {
            b"GET" => Some(Method::Get),
            b"HEAD" => Some(Method::Head),
            b"POST" => Some(Method::Post),
            b"PUT" => Some(Method::Put),
            b"DELETE" => Some(Method::Delete),
            b"OPTIONS" => Some(Method::Options),
            b"TRACE" => Some(Method::Trace),
            b"PATCH" => Some(Method::Patch),
            _ => None,
        }
    }

    /// The method as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
        }
    }
}

/// The version that governs a message. A minor version over 1 is read as 1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1` to `HTTP/1.9`
    #[default]
    Http11,
}

/// A head that obeys every rule. Borrows the octets it was parsed from.
#[derive(Clone, Debug)]
pub struct RequestHead<'b> {
    /// What is to be done.
    pub method: Method,
    /// To what.
    pub target: Target<'b>,
    /// The version that governs the message.
    pub version: Version,
    /// Where the content ends.
    pub framing: Framing,
    /// Whether another request may follow on this connection (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends content; never in HTTP/1.0, nor
    /// without content (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// The first Content-Type, trimmed.
    pub content_type: Option<&'b [u8]>,
    /// The first Authorization, trimmed.
    pub authorization: Option<&'b [u8]>,
    /// Octets of the head, from the first that was given (skipped line ends too) to its blank line.
    pub len: usize,
    field_lines: &'b [u8],
}

impl plain::RequestLine {
    /// The head that has no field but a sound Host.
    #[inline]
    fn with_host_only(self, head: &[u8]) -> RequestHead<'_> {
        RequestHead {
            method: self.method,
            target: self.target.of(head, self.method),
            version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            expect_continue: false,
            content_type: None,
            authorization: None,
            len: head.len(),
            field_lines: &head[self.next..],
        }
    }
}

impl<'b> RequestHead<'b> {
    /// All field lines in order, split again on the way. The server has no use for them: the tests and
    /// the fuzzers hold them against what other parsers read.
    pub fn fields(&self) -> FieldLines<'b> {
        FieldLines::new(self.field_lines)
    }
}

/// What the octets amount to so far: a whole head or not yet one.
#[derive(Clone, Debug)]
pub enum Parsed<'b> {
    /// A whole head; content and further requests follow after its `len` octets.
    Complete(RequestHead<'b>),
    /// All octets are looked at; more are needed.
    Partial,
}

/// Where in a head the next octet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Before the request line.
    #[default]
    Leading,
    Method,
    /// At the first octet of the target.
    Target,
    Path,
    Query,
    /// A target that does not begin with `/`; it is taken apart when it is whole.
    OtherForm,
    Version,
    /// At the first octet of a field line, or of the blank line.
    Line,
    FieldName,
    FieldValue,
}

/// What a phase came to.
enum Step {
    /// The phase is over and the next one has been set.
    Next,
    /// A line is over, and the next phase set.
    LineEnd,
    /// The blank line is over.
    HeadEnd,
    /// The octets are not enough to go on.
    Short,
}

/// Progress within one head: positions and small marks, no octets. Default: before the first one.
#[derive(Debug, Default)]
pub struct HeadParser {
    phase: Phase,
    version: Version,
    method: Option<Method>,
    field_name: FieldName,
    /// Every octet before it is done with.
    at: usize,
    line_begin: usize,
    target: TargetSpan,
    /// Where the field lines begin.
    fields_begin: usize,
    /// Where the value of the current field line begins, after the colon.
    value_begin: usize,
    fields: Fields,
}

impl HeadParser {
    /// Whether no octet of a request has come; empty lines before one do not count. Tells a silent
    /// close (idle) from a 408 (RFC 9110 §15.5.9).
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Leading
    }

    /// Goes on with a head. `bytes` begins where the head begins and holds all octets given before,
    /// and any number behind the head's end.
    ///
    /// After `Partial`, call again with more. After `Complete`, the parser is ready for the next
    /// head. After a `Reject`, which [`Reject::status`] explains, the connection is to be closed;
    /// calling again gives the same.
    pub fn parse<'b>(
        &mut self,
        bytes: &'b [u8],
        limits: &RequestLimits,
    ) -> Result<Parsed<'b>, Reject> {
        if let Some((line, end)) = self.plain_head(bytes, limits) {
            return Ok(Parsed::Complete(line.with_host_only(&bytes[..end])));
        }
        match self.lines(bytes, limits)? {
            Some(end) => self.complete(&bytes[..end], limits),
            None => Ok(Parsed::Partial),
        }
    }

    /// Takes a plain request line and a plain Host from the beginning of a head. If that is all of
    /// it, here is the line, and where the head ends; else [`HeadParser::lines`] goes on from there.
    #[inline]
    fn plain_head(
        &mut self,
        bytes: &[u8],
        limits: &RequestLimits,
    ) -> Option<(plain::RequestLine, usize)> {
        if self.phase != Phase::Leading || self.at > 0 {
            return None;
        }
        let window = up_to(bytes, limits.line_bound(0));
        let line = plain::request_line(window)?;
        let mut next = line.next;
        if self.fields.check_room(limits).is_ok()
            && let Some(after_host) = plain::host(window, next)
        {
            if let Some(end) = plain::head_end(window, after_host) {
                return Some((line, end));
            }
            self.fields.begin_with_host();
            next = after_host;
        }
        self.method = Some(line.method);
        self.target = line.target;
        self.fields_begin = line.next;
        self.begin_line(next);
        None
    }

    /// Runs through the lines of the head, as far as they are there; where it ends, if it does.
    #[inline(never)]
    fn lines(&mut self, bytes: &[u8], limits: &RequestLimits) -> Result<Option<usize>, Reject> {
        loop {
            if self.phase == Phase::Line
                && let Some(end) = self.plain_fields(bytes, limits)?
            {
                return Ok(Some(end));
            }
            let bound = limits.line_bound(self.line_begin);
            let window = up_to(bytes, bound);
            let step = match self.phase {
                Phase::Line | Phase::FieldName | Phase::FieldValue => {
                    self.field_line(window, limits)?
                }
                _ => self.request_line(window)?,
            };
            match step {
                Step::Next | Step::LineEnd => {}
                Step::HeadEnd => return Ok(Some(self.at + 2)),
                Step::Short if bytes.len() < bound => return Ok(None),
                Step::Short => return Err(self.too_long(limits)),
            }
        }
    }

    /// Takes field lines as long as they are whole and plain; where the head ends, if it does there.
    #[inline]
    fn plain_fields(
        &mut self,
        bytes: &[u8],
        limits: &RequestLimits,
    ) -> Result<Option<usize>, Reject> {
        let bytes = up_to(bytes, limits.head_bytes_max);
        let mut at = self.at;
        while self.fields.check_room(limits).is_ok()
            && let Some((name, value)) = plain::field(up_to(bytes, at + limits.line_bytes_max), at)
        {
            if let Err(reject) = self.fields.add(name, bytes, value) {
                self.begin_line(at);
                return Err(reject);
            }
            at = value.end + 2;
        }
        self.begin_line(at);
        Ok(plain::head_end(up_to(bytes, at + limits.line_bytes_max), at))
    }

    /// Goes to where a field line or the blank line begins.
    fn begin_line(&mut self, at: usize) {
        self.phase = Phase::Line;
        self.at = at;
        self.line_begin = at;
    }

    /// Runs through any request line, as far as it is there.
    #[cold]
    fn request_line(&mut self, window: &[u8]) -> Result<Step, Reject> {
        loop {
            let step = match self.phase {
                Phase::Leading => self.leading(window),
                Phase::Method => self.method(window),
                Phase::Target => self.target_begin(window),
                Phase::Path => self.path(window),
                Phase::Query => self.query(window),
                Phase::OtherForm => self.other_form(window),
                Phase::Version => self.version(window),
                Phase::Line | Phase::FieldName | Phase::FieldValue => return Ok(Step::LineEnd),
            }?;
            if !matches!(step, Step::Next) {
                return Ok(step);
            }
        }
    }

    /// Skips what a client may have sent after its last content (RFC 9112 §2.2).
    fn leading(&mut self, window: &[u8]) -> Result<Step, Reject> {
        loop {
            match window[self.at..] {
                [b'\r', ..] if self.at == LEADING_BYTES_MAX => return Err(Reject::LeadingBytes),
                [b'\r', b'\n', ..] => self.at += 2,
                [] | [b'\r'] => return Ok(Step::Short),
                [b'\r' | b'\n', ..] => return Err(Reject::BareLineEnd),
                _ => break,
            }
        }
        self.line_begin = self.at;
        self.phase = Phase::Method;
        Ok(Step::LineEnd) // the window begins with the request line, and has to be taken anew
    }

    fn method(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = bytes::skip::<TOKEN>(window, self.at);
        let token = &window[self.line_begin..self.at];
        if token.len() > METHOD_BYTES_MAX {
            return Err(Reject::MethodTooLong);
        }
        match window.get(self.at) {
            None => return Ok(Step::Short),
            Some(b' ') if token == b"CONNECT" => return Err(Reject::ConnectRefused),
            Some(b' ') if !token.is_empty() => self.method = Method::of(token),
            Some(_) => return Err(Reject::BadMethod),
        }
        self.next(Phase::Target, self.at + 1)
    }

    fn target_begin(&mut self, window: &[u8]) -> Result<Step, Reject> {
        let Some(&first) = window.get(self.at) else { return Ok(Step::Short) };
        self.target.begin = self.at;
        match first {
            b'/' => self.next(Phase::Path, self.at + 1),
            b'*' => self.next(Phase::OtherForm, self.at + 1),
            _ if first.is_ascii_alphabetic() => self.next(Phase::OtherForm, self.at + 1),
            _ => Err(Reject::BadTarget),
        }
    }

    fn path(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = self.skip_encoded::<PATH>(window)?;
        match window.get(self.at) {
            Some(b'?') => {
                self.target.mark = self.at;
                self.next(Phase::Query, self.at + 1)
            }
            Some(b' ') => {
                self.target.mark = self.at;
                self.target_end()
            }
            other => target_cut(other),
        }
    }

    fn query(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = self.skip_encoded::<QUERY>(window)?;
        match window.get(self.at) {
            Some(b' ') => self.target_end(),
            other => target_cut(other),
        }
    }

    /// As [`target::skip_encoded`], of a head of which more may come.
    fn skip_encoded<const CLASS: u8>(&self, window: &[u8]) -> Result<usize, Reject> {
        let at = target::skip_encoded::<CLASS>(window, self.at)?;
        // The first digit alone may prove it wrong: the second is not waited for.
        if let [b'%', high] = window[at..]
            && bytes::hex_value(high).is_none()
        {
            return Err(Reject::BadPercent);
        }
        Ok(at)
    }

    fn other_form(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = bytes::skip::<ABSOLUTE>(window, self.at);
        match window.get(self.at) {
            Some(b' ') => {
                let target = &window[self.target.begin..self.at];
                self.target.mark = self.at;
                if target != b"*" {
                    self.absolute_form(target)?;
                }
                self.target_end()
            }
            other => target_cut(other),
        }
    }

    /// Reduces an absolute target, which ends at `at`, to where its path is.
    fn absolute_form(&mut self, target: &[u8]) -> Result<(), Reject> {
        if let Target::Origin { path, query } = target::absolute(target)? {
            self.target.mark = self.at - query.map_or(0, |query| query.len() + 1);
            // Without a path, which then reads as `/`, the last octet of the authority stands there.
            let path_begin = self.target.mark - path.len();
            let has_path = target[path_begin - self.target.begin] == b'/';
            self.target.begin = if has_path { path_begin } else { self.target.mark };
        }
        Ok(())
    }

    fn target_end(&mut self) -> Result<Step, Reject> {
        self.target.end = self.at;
        self.next(Phase::Version, self.at + 1)
    }

    fn version(&mut self, window: &[u8]) -> Result<Step, Reject> {
        let rest = &window[self.at..];
        if rest.starts_with(b"HTTP/1.1\r\n") {
            return self.request_line_end(window);
        }
        // Any prefix is judged afresh: there are at most ten octets, and it is the rare case.
        for (octet, expected) in rest.iter().zip(b"HTTP/d.d") {
            let fits = match expected {
                b'd' => octet.is_ascii_digit(),
                _ => octet == expected,
            };
            if !fits {
                return Err(Reject::BadVersion);
            }
        }
        match *rest {
            [_, _, _, _, _, major, _, _, ..] if major != b'1' => Err(Reject::UnsupportedVersion),
            [_, _, _, _, _, _, _, minor, b'\r', b'\n', ..] => {
                self.version = if minor == b'0' { Version::Http10 } else { Version::Http11 };
                self.request_line_end(window)
            }
            [_, _, _, _, _, _, _, _, b'\r', _, ..] => Err(Reject::BareLineEnd),
            [_, _, _, _, _, _, _, _, b'\r'] => Ok(Step::Short),
            [_, _, _, _, _, _, _, _, _, ..] => Err(Reject::BadVersion),
            _ => Ok(Step::Short),
        }
    }

    /// Judges what a whole request line says. Only now, so that what is no request line at all is
    /// told so first, and an HTTP/2 preface is told its version.
    fn request_line_end(&mut self, window: &[u8]) -> Result<Step, Reject> {
        let method = self.method.ok_or(Reject::UnknownMethod)?;
        if window[self.target.begin] == b'*' && method != Method::Options {
            return Err(Reject::BadTarget);
        }
        self.fields_begin = self.at + VERSION_BYTES;
        self.begin_line(self.fields_begin);
        Ok(Step::LineEnd)
    }

    /// Runs through one field line, as far as it is there.
    #[cold]
    fn field_line(&mut self, window: &[u8], limits: &RequestLimits) -> Result<Step, Reject> {
        loop {
            let step = match self.phase {
                Phase::FieldName => self.field_name(window),
                Phase::FieldValue => self.field_value(window),
                _ => self.line_begin(window, limits),
            }?;
            if !matches!(step, Step::Next) {
                return Ok(step);
            }
        }
    }

    fn line_begin(&mut self, window: &[u8], limits: &RequestLimits) -> Result<Step, Reject> {
        match window[self.at..] {
            [] | [b'\r'] => Ok(Step::Short),
            [b'\r', b'\n', ..] => Ok(Step::HeadEnd),
            [b'\r' | b'\n', ..] => Err(Reject::BareLineEnd),
            [b' ' | b'\t', ..] if self.at == self.fields_begin => Err(Reject::LeadingWhitespace),
            [b' ' | b'\t', ..] => Err(Reject::Folded),
            _ => {
                self.fields.check_room(limits)?;
                self.next(Phase::FieldName, self.at)
            }
        }
    }

    fn field_name(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = bytes::skip::<TOKEN>(window, self.at);
        match window.get(self.at) {
            None => Ok(Step::Short),
            Some(b':') if self.at > self.line_begin => {
                self.field_name = FieldName::of(&window[self.line_begin..self.at]);
                self.value_begin = self.at + 1;
                self.next(Phase::FieldValue, self.at + 1)
            }
            Some(b' ' | b'\t') => Err(Reject::SpaceBeforeColon),
            Some(_) => Err(Reject::BadFieldName),
        }
    }

    fn field_value(&mut self, window: &[u8]) -> Result<Step, Reject> {
        self.at = bytes::skip::<VALUE>(window, self.at);
        match window[self.at..] {
            [] | [b'\r'] => return Ok(Step::Short),
            [b'\r', b'\n', ..] => {}
            [b'\r' | b'\n', ..] => return Err(Reject::BareLineEnd),
            _ => return Err(Reject::BadFieldValue),
        }
        let raw = Span { begin: self.value_begin, end: self.at };
        self.fields.add(self.field_name, window, raw)?;
        self.begin_line(self.at + 2);
        Ok(Step::LineEnd)
    }

    fn next(&mut self, phase: Phase, at: usize) -> Result<Step, Reject> {
        self.phase = phase;
        self.at = at;
        Ok(Step::Next)
    }

    /// Which limit a line has met that is not over where the window is.
    fn too_long(&self, limits: &RequestLimits) -> Reject {
        match self.phase {
            Phase::Line | Phase::FieldName | Phase::FieldValue => {
                if self.line_begin + limits.line_bytes_max <= limits.head_bytes_max {
                    Reject::FieldTooLarge
                } else {
                    Reject::HeadTooLarge
                }
            }
            _ => Reject::TargetTooLong,
        }
    }

    /// Makes the head of what was found, and starts anew.
    #[inline]
    fn complete<'b>(
        &mut self,
        head: &'b [u8],
        limits: &RequestLimits,
    ) -> Result<Parsed<'b>, Reject> {
        let meaning = self.fields.finish(self.version, limits)?;
        let method = self.method.ok_or(Reject::UnknownMethod)?;
        let complete = RequestHead {
            method,
            target: self.target.of(head, method),
            version: self.version,
            framing: meaning.framing,
            keep_alive: meaning.keep_alive,
            expect_continue: meaning.expect_continue,
            content_type: self.fields.content_type.of(head),
            authorization: self.fields.authorization.of(head),
            len: head.len(),
            field_lines: &head[self.fields_begin..],
        };
        *self = HeadParser::default();
        Ok(Parsed::Complete(complete))
    }
}

/// The octets before `bound`. Nothing behind it is looked at, so where octets were split cannot
/// matter.
#[inline]
fn up_to(bytes: &[u8], bound: usize) -> &[u8] {
    &bytes[..bytes.len().min(bound)]
}

/// What a target comes to that is not followed by SP: it is not over yet, or it never will be.
fn target_cut(octet: Option<&u8>) -> Result<Step, Reject> {
    match octet {
        None | Some(b'%') => Ok(Step::Short),
        Some(b'\r' | b'\n') => Err(Reject::BadVersion), // HTTP/0.9, or no version
        Some(_) => Err(Reject::BadTarget),
    }
}

const _: () = assert!(size_of::<HeadParser>() <= 150, "one lives in every connection");

#[cfg(test)]
mod tests;
