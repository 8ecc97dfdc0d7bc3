//! Where the content of a message ends, and what is in it.
//!
//! [`BodyDecoder`] takes the octets after a head as they come and hands the content on in pieces;
//! any split of them gives the same content or the same [`Reject`]. Framing octets are looked at one
//! by one, content is moved in blocks. Chunked is read to the letter of RFC 9112 §7.1: CRLF and
//! nothing else ends a line, no whitespace is passed over (not even the BWS of extensions, which
//! nobody sends), extensions and trailers are validated, bounded and dropped. Trailers are never
//! merged into the head (RFC 9110 §6.5.1).
//!
//! Not here: content that ends with the connection, which only responses have (see `response`).
//! Start at [`BodyDecoder::decode`]; use [`whole`] first, to copy nothing in the usual case.

use super::bytes::{self, QUOTED, TOKEN, VALUE};
use super::reject::Reject;

/// Octets that all chunk extensions of one message may take together. Chosen: hyper's limit;
/// without one, a flood of extensions costs work and yields no content (CVE-2023-39326).
const EXTENSION_BYTES_MAX: usize = 16 * 1024;

/// Octets of a trailer section. Chosen: half a head.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Digits of a chunk size, leading zeros included. Sixteen are what a `u64` holds, so that the size
/// cannot wrap.
const SIZE_DIGITS_MAX: u8 = 16;

/// How the end of a request's content is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// So many octets; zero if the peer said so.
    Length(u64),
    /// In chunks (RFC 9112 §7.1).
    Chunked,
}

impl Framing {
    /// Whether any octet belonging to the content follows the head.
    pub const fn has_content(self) -> bool {
        !matches!(self, Framing::None | Framing::Length(0))
    }
}

/// The content, if it needs no decoding and `input`, which follows the head, holds all of it. The
/// caller has checked the length against its limit when it took the head.
pub fn whole(framing: Framing, input: &[u8]) -> Option<&[u8]> {
    match framing {
        Framing::None => Some(&[]),
        Framing::Length(n) => input.get(..usize::try_from(n).ok()?),
        Framing::Chunked => None,
    }
}

/// What one piece of input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Octets of the input that belonged to this message; all of them unless `done`.
    pub consumed: usize,
    /// Whether the message is over.
    pub done: bool,
}

/// Reads the content of one message, piece by piece.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    /// Octets of content that may still come before the limit is met.
    room: u64,
    /// Octets of all extensions, then of the trailers, that may still come.
    overhead_room: usize,
}

/// What the next octet has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Content of a known length.
    Length {
        left: u64,
    },
    /// A digit of a chunk size or, if there is one already, what ends it.
    Size {
        size: u64,
        digits: u8,
    },
    /// Somewhere in a chunk extension.
    Extension {
        size: u64,
        at: Extension,
    },
    /// The LF of a chunk-size line.
    SizeLf {
        size: u64,
    },
    /// Data of a chunk.
    Chunk {
        left: u64,
    },
    /// The CR, then the LF, after the data.
    ChunkCr,
    ChunkLf,
    /// The first octet of a trailer line or of the blank line.
    TrailerBegin,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// The LF of the blank line.
    LastLf,
    /// The message is over.
    Done,
    Rejected(Reject),
}

/// Where in `;name[=value]` (RFC 9112 §7.1.1). A name or value is `begun` once it has an octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    Name { begun: bool },
    Value { begun: bool },
    Quoted,
    QuotedPair,
    QuoteClosed,
}

impl BodyDecoder {
    /// Begins after a head. Content over `limit` octets is refused, a known length that is over it
    /// with the first call of `decode`.
    pub fn new(framing: Framing, limit: u64) -> BodyDecoder {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(left) => State::Length { left },
            Framing::Chunked => State::Size { size: 0, digits: 0 },
        };
        BodyDecoder { state, room: limit, overhead_room: EXTENSION_BYTES_MAX }
    }

    /// Whether the message is over.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes `input`, which follows what was taken before, and appends its content to `content`.
    ///
    /// A [`Reject`] is final: the same comes again, whatever the input.
    pub fn decode(&mut self, input: &[u8], content: &mut Vec<u8>) -> Result<Decoded, Reject> {
        self.decode_with(input, |piece| content.extend_from_slice(piece))
    }

    /// As [`BodyDecoder::decode`], but hands each piece of content to `sink`.
    pub fn decode_with(
        &mut self,
        input: &[u8],
        sink: impl FnMut(&[u8]),
    ) -> Result<Decoded, Reject> {
        let decoded = self.run(input, sink);
        if let Err(reject) = decoded {
            self.state = State::Rejected(reject);
        }
        decoded
    }

    fn run(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Result<Decoded, Reject> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            at += match self.state {
                State::Length { left } | State::Chunk { left } => {
                    self.take(left, &input[at..], &mut sink)?
                }
                _ => {
                    self.state = self.step(input[at])?;
                    1
                }
            };
        }
        Ok(Decoded { consumed: at, done: self.state == State::Done })
    }

    /// Moves a block of content on; says how long it was.
    fn take(
        &mut self,
        left: u64,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<usize, Reject> {
        if left > self.room {
            return Err(Reject::ContentTooLarge);
        }
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        sink(&input[..len]);
        self.room -= len as u64;
        let left = left - len as u64;
        self.state = match self.state {
            State::Length { .. } if left > 0 => State::Length { left },
            State::Length { .. } => State::Done,
            _ if left > 0 => State::Chunk { left },
            _ => State::ChunkCr,
        };
        Ok(len)
    }

    /// The state after one octet of framing.
    fn step(&mut self, octet: u8) -> Result<State, Reject> {
        match (self.state, octet) {
            (State::Size { size, digits }, _) => size_step(size, digits, octet),
            (State::Extension { size, at }, _) => {
                self.spend_overhead(Reject::ChunkExtensionsTooLarge)?;
                extension_step(size, at, octet)
            }
            (State::SizeLf { size }, b'\n') => self.size_end(size),
            (State::SizeLf { .. }, _) => Err(Reject::BareLineEnd),
            (State::ChunkCr, b'\r') => Ok(State::ChunkLf),
            (State::ChunkLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::ChunkCr | State::ChunkLf, _) => Err(Reject::BadChunkEnd),
            (State::LastLf, b'\n') => Ok(State::Done),
            (State::LastLf, _) => Err(Reject::BareLineEnd),
            (State::TrailerBegin, b'\r') => Ok(State::LastLf),
            (
                State::TrailerBegin | State::TrailerName | State::TrailerValue | State::TrailerLf,
                _,
            ) => {
                self.spend_overhead(Reject::TrailersTooLarge)?;
                self.trailer_step(octet)
            }
            (State::Rejected(reject), _) => Err(reject),
            (State::Length { .. } | State::Chunk { .. } | State::Done, _) => {
                unreachable!("content is taken in blocks, and nothing follows the end")
            }
        }
    }

    /// Counts one octet that is neither content nor its size.
    fn spend_overhead(&mut self, over: Reject) -> Result<(), Reject> {
        self.overhead_room = self.overhead_room.checked_sub(1).ok_or(over)?;
        Ok(())
    }

    /// A whole chunk-size line has been read.
    fn size_end(&mut self, size: u64) -> Result<State, Reject> {
        if size > self.room {
            return Err(Reject::ContentTooLarge);
        }
        if size > 0 {
            return Ok(State::Chunk { left: size });
        }
        self.overhead_room = TRAILER_BYTES_MAX;
        Ok(State::TrailerBegin)
    }

    /// One octet of a trailer field line, which has the grammar of any other (RFC 9112 §5).
    fn trailer_step(&self, octet: u8) -> Result<State, Reject> {
        match (self.state, octet) {
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerBegin | State::TrailerName, _) if bytes::is(TOKEN, octet) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, _) if bytes::is(VALUE, octet) => Ok(State::TrailerValue),
            (State::TrailerLf, b'\n') => Ok(State::TrailerBegin),
            (State::TrailerLf, _) | (_, b'\n') => Err(Reject::BareLineEnd),
            _ => Err(Reject::BadTrailer),
        }
    }
}

/// One octet of a chunk size, or what ends it.
fn size_step(size: u64, digits: u8, octet: u8) -> Result<State, Reject> {
    if let Some(digit) = bytes::hex_value(octet) {
        if digits == SIZE_DIGITS_MAX {
            return Err(Reject::BadChunkSize);
        }
        return Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 });
    }
    match octet {
        _ if digits == 0 => Err(Reject::BadChunkSize),
        b'\r' => Ok(State::SizeLf { size }),
        b';' => Ok(State::Extension { size, at: Extension::Name { begun: false } }),
        b'\n' => Err(Reject::BareLineEnd),
        _ => Err(Reject::BadChunkSize),
    }
}

/// One octet of a chunk extension. An LF or a CR that does not end the line is refused wherever it
/// stands, in quotes too: it is where readers disagree (CVE-2025-55315, CVE-2024-22019).
fn extension_step(size: u64, at: Extension, octet: u8) -> Result<State, Reject> {
    use Extension::{Name, QuoteClosed, Quoted, QuotedPair, Value};
    let next = match (at, octet) {
        (Name { .. }, _) if bytes::is(TOKEN, octet) => Name { begun: true },
        (Name { begun: true }, b'=') => Value { begun: false },
        (Value { begun: false }, b'"') => Quoted,
        (Value { .. }, _) if bytes::is(TOKEN, octet) => Value { begun: true },
        (Quoted, b'"') => QuoteClosed,
        (Quoted, b'\\') => QuotedPair,
        (Quoted, _) if bytes::is(QUOTED, octet) => Quoted,
        (QuotedPair, _) if bytes::is(VALUE, octet) => Quoted,
        (Name { begun: true } | Value { begun: true } | QuoteClosed, b';') => Name { begun: false },
        (Name { begun: true } | Value { begun: true } | QuoteClosed, b'\r') => {
            return Ok(State::SizeLf { size });
        }
        (_, b'\n') => return Err(Reject::BareLineEnd),
        _ => return Err(Reject::BadChunkExtension),
    };
    Ok(State::Extension { size, at: next })
}

#[cfg(test)]
mod tests;
