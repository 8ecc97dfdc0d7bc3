//! Content in chunks: no split matters, and what is read is what a plain reading of RFC 9112 §7.1
//! gives, line by line over the whole input.

use super::{pieces, split_choice};
use ringpace::http::{BodyDecoder, Framing, Reject};

pub(crate) fn run(input: &[u8]) {
    let Some(([limit, seed], text)) = split_choice(input) else { return };
    let limit = if limit.is_multiple_of(2) { 1 << 20 } else { 40 };
    let whole = decode([text].into_iter(), limit);
    assert_eq!(decode(pieces(text, seed).into_iter(), limit), whole, "a split matters");
    let plain = read_plainly(text).filter(|(content, _)| content.len() as u64 <= limit);
    match (&whole, plain) {
        (Outcome::Done { content, consumed }, Some((expected, len))) => {
            assert_eq!((content, *consumed), (&expected, len));
        }
        (Outcome::Done { .. }, None) => panic!("taken, and it is not sound"),
        // Beyond these bounds sound content is refused too.
        (Outcome::Rejected(reject), Some(_)) => {
            assert!(matches!(reject, Reject::ChunkExtensionsTooLarge | Reject::TrailersTooLarge))
        }
        (Outcome::More, Some(_)) => panic!("it is whole, and more is waited for"),
        (Outcome::Rejected(_) | Outcome::More, None) => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done { content: Vec<u8>, consumed: usize },
    More,
    Rejected(Reject),
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: u64) -> Outcome {
    let mut decoder = BodyDecoder::new(Framing::Chunked, limit);
    let (mut content, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        match decoder.decode(piece, &mut content) {
            Ok(decoded) => {
                consumed += decoded.consumed;
                assert!(content.len() as u64 <= limit, "more than the limit");
                if decoded.done {
                    return Outcome::Done { content, consumed };
                }
                assert_eq!(decoded.consumed, piece.len(), "not done, and octets are left");
            }
            Err(reject) => {
                assert_eq!(decoder.decode(b"0\r\n\r\n", &mut content), Err(reject), "not final");
                return Outcome::Rejected(reject);
            }
        }
    }
    Outcome::More
}

/// The content and how long it was on the wire, if all of `text` up to there is sound.
fn read_plainly(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut content, mut at) = (Vec::new(), 0);
    loop {
        let line = line_at(text, at)?;
        at += line.len() + 2;
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if !(1..=16).contains(&digits) || !are_extensions(&line[digits..]) {
            return None;
        }
        let size = u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        content.extend_from_slice(text.get(at..end)?);
        if text.get(end..end + 2)? != b"\r\n" {
            return None;
        }
        at = end + 2;
    }
    loop {
        let line = line_at(text, at)?;
        at += line.len() + 2;
        if line.is_empty() {
            return Some((content, at));
        }
        let colon = line.iter().position(|b| *b == b':')?;
        if !is_token(&line[..colon]) || !line[colon..].iter().all(|b| is_value(*b)) {
            return None;
        }
    }
}

/// What stands before the next CRLF, if neither CR nor LF does.
fn line_at(text: &[u8], at: usize) -> Option<&[u8]> {
    let rest = text.get(at..)?;
    let line = &rest[..rest.iter().position(|b| matches!(b, b'\r' | b'\n'))?];
    rest[line.len()..].starts_with(b"\r\n").then_some(line)
}

/// `*( ";" token [ "=" ( token / quoted-string ) ] )`
fn are_extensions(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = text.strip_prefix(b";") else { return false };
        let name = token_len(rest);
        text = &rest[name..];
        if name == 0 {
            return false;
        }
        if let Some(value) = text.strip_prefix(b"=") {
            let len = if value.starts_with(b"\"") { quoted_len(value) } else { token_len(value) };
            if len == 0 {
                return false;
            }
            text = &value[len..];
        }
    }
    true
}

/// The length of a quoted-string with its quotes; 0 if it is none.
fn quoted_len(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(octet) = text.get(at) {
        match octet {
            b'"' => return at + 1,
            b'\\' if text.get(at + 1).is_some_and(|b| is_value(*b)) => at += 2,
            b'\\' => return 0,
            _ if is_value(*octet) => at += 1,
            _ => return 0,
        }
    }
    0
}

fn token_len(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_tchar(**b)).count()
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && token_len(text) == text.len()
}

fn is_tchar(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn is_value(octet: u8) -> bool {
    octet == b'\t' || octet >= b' ' && octet != 0x7f
}
