//! Reads responses as the pacer must: strictly, and without keeping them.
//!
//! Heads go through `httparse`, a reader of another make than the server's, so that the two do not
//! share a misreading; it is more lenient than a measuring client may be, so line ends, NUL, status
//! and framing are judged here (RFC 9112 §6.3). The end of a head is looked for octet by octet as
//! it comes in, and only a whole head is parsed: the work is linear however it trickles. A head that
//! is the one before but for its date is not parsed again (see `known`). Content is counted, and kept
//! only up to a small cap.
//!
//! Not here: matching a response to its request, times, what to do with octets beyond a message
//! (they are left to the caller, who knows that nothing was asked for). Start at
//! [`ResponseReader::start`], then [`ResponseReader::read`] until it says done.

mod known;

use super::body::{BodyDecoder, Framing};
use super::bytes;
use super::encode::may_have_content;
use super::reject::Reject;
use super::server_timing::ServerTiming;
use known::KnownHead;
use std::fmt;
use std::mem::MaybeUninit;

/// Interim responses that are skipped before the final one. Chosen: no server sends more than two.
const INTERIM_MAX: u8 = 8;

/// Field lines of a response. Chosen: as many as the server side takes.
const FIELDS_MAX: usize = 100;

/// How much of a response is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Octets of one head, its blank line included.
    pub head_bytes_max: usize,
    /// Octets of content.
    pub body_bytes_max: u64,
    /// Octets of content that are kept for [`ResponseReader::captured`].
    pub capture_bytes_max: usize,
}

impl Default for ResponseLimits {
    /// Chosen: far beyond what an API answers; enough to capture the contract's bodies whole.
    fn default() -> ResponseLimits {
        ResponseLimits {
            head_bytes_max: 64 * 1024,
            body_bytes_max: 16 * 1024 * 1024,
            capture_bytes_max: 256,
        }
    }
}

/// What one piece of input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Octets that belonged to the response; all of the input unless `done` is there.
    pub consumed: usize,
    /// The response, once it is over.
    pub done: Option<ResponseDone>,
}

/// A whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseDone {
    /// 200 to 599.
    pub status: u16,
    /// Octets of content, without its framing.
    pub content_bytes: u64,
    /// Whether the server lets another request follow on this connection.
    pub keep_alive: bool,
}

/// Why a response is no response; the connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Octets came with no response outstanding.
    Unasked,
    /// A CR without LF, or an LF without CR, in the head (RFC 9112 §2.2).
    BareLineEnd,
    /// A NUL in the head (RFC 9110 §5.5).
    Nul,
    /// The head is over its limit.
    HeadTooLarge,
    /// More than 100 field lines.
    TooManyFields,
    /// `httparse` does not take the head for one.
    BadHead,
    /// A status that is not three digits from 100 to 599 (RFC 9110 §15), or a malformed reason phrase.
    BadStatus,
    /// 101 without having been asked to switch protocols (RFC 9110 §15.2.2).
    UnaskedSwitch,
    /// More than eight interim responses.
    TooManyInterim,
    /// A Content-Length that is not `1*DIGIT` (RFC 9112 §6.3).
    BadLength,
    /// More than one Content-Length line (RFC 9112 §6.3).
    LengthRepeated,
    /// Content-Length beside Transfer-Encoding (RFC 9112 §6.3).
    LengthAndEncoding,
    /// A Transfer-Encoding that is not the one token `chunked`, which is all that was offered, or
    /// one in HTTP/1.0 (RFC 9112 §6.1).
    BadEncoding,
    /// More content than the limit.
    ContentTooLarge,
    /// The chunked framing is broken (RFC 9112 §7.1), in this way.
    BadChunk(Reject),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Unasked => "the server sent bytes that nothing had asked for",
            Malformed::BareLineEnd => "a line of the head does not end in CR LF",
            Malformed::Nul => "the head holds a NUL",
            Malformed::HeadTooLarge => "the head is too large",
            Malformed::TooManyFields => "the head has too many fields",
            Malformed::BadHead => "the head is malformed",
            Malformed::BadStatus => {
                "the status is not within 100 to 599, or its reason phrase is malformed"
            }
            Malformed::UnaskedSwitch => "the server switched protocols unasked",
            Malformed::TooManyInterim => "there are too many interim responses",
            Malformed::BadLength => "Content-Length is not a number",
            Malformed::LengthRepeated => "there is more than one Content-Length",
            Malformed::LengthAndEncoding => "both Content-Length and Transfer-Encoding are given",
            Malformed::BadEncoding => "Transfer-Encoding is not just chunked",
            Malformed::ContentTooLarge => "the content is too large",
            Malformed::BadChunk(reject) => reject.reason(),
        })
    }
}

impl std::error::Error for Malformed {}

/// Where a response was cut off by the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// Before its first octet: the server had closed an idle connection, or will not answer.
    BeforeResponse,
    /// In its head, or after an interim response.
    InHead,
    /// In its content (RFC 9112 §8).
    InContent,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Truncated::BeforeResponse => "the connection ended before the response began",
            Truncated::InHead => "the connection ended within the head",
            Truncated::InContent => "the connection ended within the content",
        })
    }
}

impl std::error::Error for Truncated {}

/// Reads one response at a time from one connection.
#[derive(Debug)]
pub struct ResponseReader {
    limits: ResponseLimits,
    phase: Phase,
    head_request: bool,
    interim: u8,
    /// A head that came in more than one piece; empty otherwise.
    head: Vec<u8>,
    /// The last head that came in one piece and says how long its content is.
    known: Option<KnownHead>,
    captured: Vec<u8>,
    timing: ServerTiming,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is outstanding.
    Idle,
    Head(HeadEnd),
    Content {
        head: FinalHead,
        decoder: BodyDecoder,
        content_bytes: u64,
    },
    /// Content that the end of the connection ends (RFC 9112 §6.3, rule 8).
    ContentUntilEof {
        head: FinalHead,
        content_bytes: u64,
    },
    Failed(Malformed),
}

/// What stays of a head once it is read.
#[derive(Clone, Copy, Debug)]
struct FinalHead {
    status: u16,
    keep_alive: bool,
}

impl FinalHead {
    fn done(self, content_bytes: u64) -> ResponseDone {
        ResponseDone { status: self.status, content_bytes, keep_alive: self.keep_alive }
    }
}

impl ResponseReader {
    /// A reader with nothing outstanding.
    pub fn new(limits: ResponseLimits) -> ResponseReader {
        ResponseReader {
            limits,
            phase: Phase::Idle,
            head_request: false,
            interim: 0,
            head: Vec::new(),
            known: None,
            captured: Vec::new(),
            timing: ServerTiming::default(),
        }
    }

    /// Expects one response from here on. Whether its request was HEAD decides where it ends
    /// (RFC 9112 §6.3, rule 1). Forgets what was captured, and any response not read to its end.
    pub fn start(&mut self, head_request: bool) {
        self.phase = Phase::Head(HeadEnd::default());
        self.head_request = head_request;
        self.interim = 0;
        self.head.clear();
        self.captured.clear();
        self.timing.clear();
    }

    /// Whether a response is outstanding. The pacer knows without: it is what tests and fuzzers ask.
    pub fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Head(_) | Phase::Content { .. } | Phase::ContentUntilEof { .. })
    }

    /// The first octets of the content of the last response, or of the current one so far.
    pub fn captured(&self) -> &[u8] {
        &self.captured
    }

    /// How many heads of the response have begun, those of interim responses included: when it
    /// rises, the first octet of a status line has just come in.
    pub fn heads_begun(&self) -> u8 {
        match self.phase {
            Phase::Head(end) => self.interim + u8::from(end != HeadEnd::default()),
            _ => self.interim + 1,
        }
    }

    /// What the last response, or the current one once its head is read, says in Server-Timing.
    pub fn server_timing(&self) -> &ServerTiming {
        &self.timing
    }

    /// Takes what came in next. Octets beyond the end of the response are not consumed. What is
    /// `Malformed` stays so until the next `start`.
    pub fn read(&mut self, input: &[u8]) -> Result<Read, Malformed> {
        if let Some(read) = self.read_known(input) {
            return Ok(read);
        }
        let result = self.read_on(input);
        if let Err(malformed) = result {
            self.phase = Phase::Failed(malformed);
        }
        result
    }

    /// The connection has ended: the response is over if that is how it ends, else it is cut off.
    pub fn handle_eof(&mut self) -> Result<ResponseDone, Truncated> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::ContentUntilEof { head, content_bytes } => Ok(head.done(content_bytes)),
            Phase::Content { .. } => Err(Truncated::InContent),
            Phase::Head(end) if end != HeadEnd::default() || self.interim > 0 => {
                Err(Truncated::InHead)
            }
            Phase::Head(_) | Phase::Idle | Phase::Failed(_) => Err(Truncated::BeforeResponse),
        }
    }

    /// The usual case: a whole response at once, whose head is the one before but for its date. After an
    /// interim response it is read in full: what that said has to be forgotten.
    fn read_known(&mut self, input: &[u8]) -> Option<Read> {
        let is_first = matches!(self.phase, Phase::Head(HeadEnd::Fresh)) && self.interim == 0;
        if !is_first || self.head_request {
            return None;
        }
        let known = self.known.as_ref()?;
        let (content, consumed) = known.content_of(input)?;
        self.captured
            .extend_from_slice(&content[..content.len().min(self.limits.capture_bytes_max)]);
        self.phase = Phase::Idle;
        Some(Read { consumed, done: Some(known.head().done(content.len() as u64)) })
    }

    fn read_on(&mut self, input: &[u8]) -> Result<Read, Malformed> {
        let mut at = 0;
        while at < input.len() {
            match &mut self.phase {
                Phase::Idle => return Err(Malformed::Unasked),
                Phase::Failed(malformed) => return Err(*malformed),
                Phase::Head(_) => at += self.read_head(&input[at..])?,
                Phase::Content { .. } | Phase::ContentUntilEof { .. } => {
                    at += self.read_content(&input[at..])?;
                }
            }
            if let Some(done) = self.finished() {
                self.phase = Phase::Idle;
                return Ok(Read { consumed: at, done: Some(done) });
            }
        }
        Ok(Read { consumed: at, done: None })
    }

    /// The response, if no octet of it is left to come.
    fn finished(&self) -> Option<ResponseDone> {
        match &self.phase {
            Phase::Content { head, decoder, content_bytes } if decoder.is_done() => {
                Some(head.done(*content_bytes))
            }
            _ => None,
        }
    }

    /// Takes octets up to the end of a head, if it is there; says how many.
    fn read_head(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let Phase::Head(end) = &mut self.phase else { unreachable!("called in a head only") };
        let room = self.limits.head_bytes_max - self.head.len();
        let window = &input[..input.len().min(room)];
        let Some(len) = end.find(window)? else {
            if window.len() == room {
                return Err(Malformed::HeadTooLarge);
            }
            self.head.extend_from_slice(window);
            return Ok(window.len());
        };
        // Of several heads the last is the final one.
        self.timing.clear();
        let parsed = if self.head.is_empty() {
            let parsed = parse_head(&window[..len], &mut self.timing)?;
            // What a server spent its time on is another figure each time.
            if self.timing.is_empty() {
                let bytes_max = self.limits.body_bytes_max;
                KnownHead::learn(&mut self.known, &window[..len], &parsed, bytes_max);
            }
            parsed
        } else {
            self.head.extend_from_slice(&window[..len]);
            parse_head(&self.head, &mut self.timing)?
        };
        self.head.clear();
        self.phase = self.phase_after(parsed)?;
        Ok(len)
    }

    /// Where a whole head leads to: the next head if it was interim, else its content.
    fn phase_after(&mut self, parsed: ParsedHead) -> Result<Phase, Malformed> {
        match parsed.status {
            100 | 102..=199 if self.interim == INTERIM_MAX => Err(Malformed::TooManyInterim),
            100 | 102..=199 => {
                self.interim += 1;
                Ok(Phase::Head(HeadEnd::default()))
            }
            101 => Err(Malformed::UnaskedSwitch),
            _ => Ok(self.content_phase(parsed)),
        }
    }

    fn content_phase(&self, parsed: ParsedHead) -> Phase {
        let head = FinalHead { status: parsed.status, keep_alive: parsed.keep_alive };
        let framing = if self.head_request || !may_have_content(parsed.status) {
            Some(Framing::None)
        } else {
            parsed.framing
        };
        match framing {
            Some(framing) => Phase::Content {
                head,
                decoder: BodyDecoder::new(framing, self.limits.body_bytes_max),
                content_bytes: 0,
            },
            None => Phase::ContentUntilEof {
                head: FinalHead { keep_alive: false, ..head },
                content_bytes: 0,
            },
        }
    }

    fn read_content(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let captured = &mut self.captured;
        let capture_bytes_max = self.limits.capture_bytes_max;
        let mut capture = |piece: &[u8]| {
            let room = capture_bytes_max - captured.len();
            captured.extend_from_slice(&piece[..piece.len().min(room)]);
        };
        match &mut self.phase {
            Phase::Content { decoder, content_bytes, .. } => {
                let decoded = decoder.decode_with(input, |piece| {
                    *content_bytes += piece.len() as u64;
                    capture(piece);
                });
                decoded.map(|decoded| decoded.consumed).map_err(|reject| match reject {
                    Reject::ContentTooLarge => Malformed::ContentTooLarge,
                    _ => Malformed::BadChunk(reject),
                })
            }
            Phase::ContentUntilEof { content_bytes, .. } => {
                *content_bytes += input.len() as u64;
                if *content_bytes > self.limits.body_bytes_max {
                    return Err(Malformed::ContentTooLarge);
                }
                capture(input);
                Ok(input.len())
            }
            _ => unreachable!("called in content only"),
        }
    }
}

/// Looks for the blank line that ends a head, and at the line ends on the way. What it has seen of
/// the octets before:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum HeadEnd {
    /// None at all.
    #[default]
    Fresh,
    /// The middle of a line.
    InLine,
    /// A CR at the end of a line that holds something.
    Cr,
    /// CRLF: the beginning of a line.
    LineBegin,
    /// A CR at the beginning of a line.
    LastCr,
}

impl HeadEnd {
    /// The length of `input` up to the end of the blank line, if that is in it.
    fn find(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        for (at, octet) in input.iter().enumerate() {
            *self = match (*self, octet) {
                (_, 0) => return Err(Malformed::Nul),
                (HeadEnd::LastCr, b'\n') => return Ok(Some(at + 1)),
                // Only servers skip empty lines; here they are octets beyond the last message.
                (HeadEnd::Fresh, b'\r') => return Err(Malformed::BadHead),
                (HeadEnd::Cr, b'\n') => HeadEnd::LineBegin,
                (HeadEnd::Cr | HeadEnd::LastCr, _) | (_, b'\n') => {
                    return Err(Malformed::BareLineEnd);
                }
                (HeadEnd::LineBegin, b'\r') => HeadEnd::LastCr,
                (HeadEnd::InLine, b'\r') => HeadEnd::Cr,
                (HeadEnd::Fresh | HeadEnd::InLine | HeadEnd::LineBegin, _) => HeadEnd::InLine,
            };
        }
        Ok(None)
    }
}

/// What a head says.
struct ParsedHead {
    status: u16,
    keep_alive: bool,
    /// `None`: until the connection ends.
    framing: Option<Framing>,
    /// Where the value of the Date field is, if there is one of the usual length.
    date_at: Option<usize>,
}

fn parse_head(head: &[u8], timing: &mut ServerTiming) -> Result<ParsedHead, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, head, &mut fields)
        .map_err(|e| match e {
            httparse::Error::TooManyHeaders => Malformed::TooManyFields,
            httparse::Error::Status => Malformed::BadStatus,
            _ => Malformed::BadHead,
        })?;
    let (Some(code), Some(minor)) = (response.code, response.version) else {
        return Err(Malformed::BadHead);
    };
    // It ends elsewhere than we found it to end, or not at all: the two readings differ.
    if status != httparse::Status::Complete(head.len()) {
        return Err(Malformed::BadHead);
    }
    if !(100..600).contains(&code) {
        return Err(Malformed::BadStatus);
    }
    let framing = framing_of(response.headers, minor)?;
    values(response.headers, "server-timing").for_each(|value| timing.read(value));
    let keep_alive = keeps_alive(response.headers, minor);
    Ok(ParsedHead { status: code, keep_alive, framing, date_at: date_at(response.headers, head) })
}

/// Where in `head` the value of its first Date field begins, if it has the length of an
/// IMF-fixdate (RFC 9110 §5.6.7).
fn date_at(fields: &[httparse::Header<'_>], head: &[u8]) -> Option<usize> {
    let date = values(fields, "date").next().filter(|date| date.len() == known::DATE_BYTES)?;
    // The value is a part of the head.
    (date.as_ptr() as usize).checked_sub(head.as_ptr() as usize)
}

/// The values of all lines of a field.
fn values<'h>(
    fields: &'h [httparse::Header<'h>],
    name: &'static str,
) -> impl Iterator<Item = &'h [u8]> {
    let is_named = move |f: &&httparse::Header<'_>| f.name.eq_ignore_ascii_case(name);
    fields.iter().filter(is_named).map(|f| bytes::trim(f.value))
}

/// RFC 9112 §6.3, every choice of it refused. `None`: until the connection ends.
fn framing_of(fields: &[httparse::Header<'_>], minor: u8) -> Result<Option<Framing>, Malformed> {
    let mut lengths = values(fields, "content-length");
    let mut encodings = values(fields, "transfer-encoding");
    let (length, encoding) = (lengths.next(), encodings.next());
    if lengths.next().is_some() {
        return Err(Malformed::LengthRepeated);
    }
    match (length, encoding) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Malformed::LengthAndEncoding),
        (Some(length), None) => {
            bytes::decimal(length).map(|n| Some(Framing::Length(n))).ok_or(Malformed::BadLength)
        }
        (None, Some(encoding)) => {
            let is_sound = encoding.eq_ignore_ascii_case(b"chunked")
                && encodings.next().is_none()
                && minor == 1;
            if is_sound { Ok(Some(Framing::Chunked)) } else { Err(Malformed::BadEncoding) }
        }
    }
}

/// RFC 9112 §9.3.
fn keeps_alive(fields: &[httparse::Header<'_>], minor: u8) -> bool {
    let says = |option: &[u8]| {
        values(fields, "connection").flat_map(bytes::list).any(|o| o.eq_ignore_ascii_case(option))
    };
    !says(b"close") && (minor == 1 || says(b"keep-alive"))
}

#[cfg(test)]
mod tests;
