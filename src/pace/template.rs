//! Requests whose bytes differ from one to the next.
//!
//! A [`Text`] is literal but for its placeholders:
//!
//! | placeholder | what stands there |
//! |---|---|
//! | `{counter}` | the request's number in the schedule: no two requests of a run have the same |
//! | `{choice:a\|b\|c}` | one of the given, drawn for the request |
//! | `{range:0-100}` | a whole number from the first to the last, drawn for the request |
//! | `{name=0}` | what was captured last under that name, before that the given |
//!
//! `{{` is a brace, and so is a `{` that no lower-case letter follows, as in JSON. Draws depend on the
//! seed and the request's number alone, so any number of threads sends the same bytes and so do two
//! runs; captured values are what the server answered, and may differ. Rendering allocates nothing
//! once the buffers have grown. Start at [`Template::render`].

use super::capture::Captures;
use crate::rng::mix64;
use std::io::Write as _;

/// A text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Counter,
    Choice(Vec<String>),
    Range { first: u64, last: u64 },
    Captured { slot: usize, default: String },
}

impl Text {
    /// A text without placeholders, whatever is in it.
    pub fn literal(text: impl Into<Vec<u8>>) -> Text {
        let text = text.into();
        Text { pieces: if text.is_empty() { Vec::new() } else { vec![Piece::Literal(text)] } }
    }

    /// Reads a text; `names` are those that the mix captures. The error is a sentence.
    pub fn parse(text: &str, names: &[String]) -> Result<Text, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            let inside = &rest[at + 1..];
            if let Some(after) = inside.strip_prefix('{') {
                literal.push('{');
                rest = after;
            } else if !inside.starts_with(|c: char| c.is_ascii_lowercase()) {
                literal.push('{');
                rest = inside;
            } else {
                let (placeholder, after) = inside
                    .split_once('}')
                    .ok_or_else(|| format!("`{{{inside}` has no closing brace"))?;
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into_bytes()));
                pieces.push(Piece::parse(placeholder, names)?);
                rest = after;
            }
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal.into_bytes()));
        pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
        Ok(Text { pieces })
    }

    /// Whether there is no placeholder in it.
    pub fn is_constant(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }

    /// Whether it is always empty.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Every text that may come to stand somewhere in it, captured values apart.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Literal(text) => vec![text.as_slice()],
            Piece::Choice(texts) => texts.iter().map(String::as_bytes).collect(),
            Piece::Captured { default, .. } => vec![default.as_bytes()],
            Piece::Counter | Piece::Range { .. } => Vec::new(),
        })
    }

    /// Whether it always begins so.
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        matches!(self.pieces.first(), Some(Piece::Literal(text)) if text.starts_with(prefix))
    }

    /// Folds what it is into `hash`; texts that render alike for every request fold alike.
    fn fold(&self, hash: u64) -> u64 {
        let fold_text =
            |hash, text: &[u8]| text.iter().fold(hash, |hash, byte| mix64(hash, u64::from(*byte)));
        self.pieces.iter().fold(hash, |hash, piece| match piece {
            Piece::Literal(text) => fold_text(hash, text),
            Piece::Counter => mix64(hash, TAG),
            Piece::Choice(texts) => texts.iter().fold(mix64(hash, TAG + 1), |hash, text| {
                mix64(fold_text(hash, text.as_bytes()), TAG)
            }),
            Piece::Range { first, last } => mix64(mix64(mix64(hash, TAG + 2), *first), *last),
            Piece::Captured { slot, default } => {
                fold_text(mix64(mix64(hash, TAG + 3), *slot as u64), default.as_bytes())
            }
        })
    }

    fn push(&mut self, text: &[u8]) {
        match self.pieces.last_mut() {
            Some(Piece::Literal(last)) => last.extend_from_slice(text),
            _ => self.pieces.push(Piece::Literal(text.to_vec())),
        }
    }

    fn append(&mut self, other: &Text) {
        for piece in &other.pieces {
            match piece {
                Piece::Literal(text) => self.push(text),
                piece => self.pieces.push(piece.clone()),
            }
        }
    }

    fn render(&self, draws: &mut Draws, captured: &Captures, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Counter => push_number(out, draws.k),
                Piece::Choice(texts) => {
                    let drawn = draws.up_to(texts.len() as u64 - 1);
                    out.extend_from_slice(texts[drawn as usize].as_bytes());
                }
                Piece::Range { first, last } => {
                    push_number(out, first + draws.up_to(last - first));
                }
                Piece::Captured { slot, default } => {
                    out.extend_from_slice(captured.get(*slot).unwrap_or(default).as_bytes());
                }
            }
        }
    }
}

impl Piece {
    fn parse(text: &str, names: &[String]) -> Result<Piece, String> {
        if text == "counter" {
            return Ok(Piece::Counter);
        }
        if let Some(choices) = text.strip_prefix("choice:") {
            return Ok(Piece::Choice(choices.split('|').map(String::from).collect()));
        }
        if let Some(range) = text.strip_prefix("range:") {
            let wrong = || format!("`{{{text}}}` is no range; write one like `{{range:0-100}}`");
            let (first, last) = range.split_once('-').ok_or_else(wrong)?;
            let (first, last) = first
                .parse()
                .ok()
                .zip(last.parse().ok())
                .filter(|(a, b)| a <= b)
                .ok_or_else(wrong)?;
            return Ok(Piece::Range { first, last });
        }
        let (name, default) = match text.split_once('=') {
            Some((name, default)) => (name, Some(default)),
            None => (text, None),
        };
        let Some(slot) = names.iter().position(|known| known == name) else {
            return Err(format!(
                "`{{{text}}}` is no placeholder: use counter, choice:, range: or a name that some \
                 request captures, or write `{{{{` for a brace"
            ));
        };
        let default = default.map(String::from).ok_or_else(|| {
            format!("`{{{name}}}` needs a value until one is captured; write `{{{name}=0}}`")
        })?;
        Ok(Piece::Captured { slot, default })
    }
}

/// Tells placeholders from the bytes of a text in its hash.
const TAG: u64 = 1 << 32;

/// Keeps the draws of templates apart from those of arrivals and of the mix.
const TEMPLATE_STREAM: u64 = 0x7E3F;

/// The draws of request `k`, one after the other.
#[derive(Clone, Debug)]
pub struct Draws {
    seed: u64,
    k: u64,
    drawn: u64,
}

impl Draws {
    /// What `seed` draws for request `k`.
    pub fn of(seed: u64, k: u64) -> Draws {
        Draws { seed: mix64(mix64(seed, TEMPLATE_STREAM), k), k, drawn: 0 }
    }

    /// In `0..=last`; the bias is below `last / 2^64`.
    fn up_to(&mut self, last: u64) -> u64 {
        let bits = mix64(self.seed, self.drawn);
        self.drawn += 1;
        ((u128::from(bits) * (u128::from(last) + 1)) >> 64) as u64
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    write!(out, "{number}").expect("a vector takes everything");
}

/// A request of which everything but the Content-Length is known.
#[derive(Clone, Debug)]
pub struct Template {
    /// Up to the digits of Content-Length, or to the end where there is none.
    head: Text,
    content: Option<Text>,
    /// The whole, if it is always the same.
    constant: Option<Vec<u8>>,
}

impl Template {
    /// `head` is a request line and field lines, each ended by CRLF; a Content-Length follows from
    /// `content`, where there may be any.
    pub fn new(mut head: Text, content: Option<Text>) -> Template {
        head.push(if content.is_some() { b"Content-Length: " } else { b"\r\n" });
        let is_constant = head.is_constant() && content.as_ref().is_none_or(Text::is_constant);
        let mut template = Template { head, content, constant: None };
        if is_constant {
            let mut bytes = Vec::new();
            template.render(0, 0, &Captures::default(), &mut Vec::new(), &mut bytes);
            template.constant = Some(bytes);
        }
        template
    }

    /// The bytes of every request, if all are the same.
    pub fn constant(&self) -> Option<&[u8]> {
        self.constant.as_deref()
    }

    /// Stands for the request in the hash of a schedule; the seed counts where something is drawn.
    pub fn signature(&self, seed: u64) -> u64 {
        match (&self.constant, &self.content) {
            (Some(bytes), _) => bytes.iter().fold(0, |hash, byte| mix64(hash, u64::from(*byte))),
            (None, content) => {
                let hash = self.head.fold(mix64(seed, TEMPLATE_STREAM));
                content.as_ref().map_or(hash, |content| content.fold(hash))
            }
        }
    }

    /// Appends the bytes of request `k` to `out`; `scratch` is overwritten.
    pub fn render(
        &self,
        seed: u64,
        k: u64,
        captured: &Captures,
        scratch: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        let mut draws = Draws::of(seed, k);
        self.head.render(&mut draws, captured, out);
        if let Some(content) = &self.content {
            scratch.clear();
            content.render(&mut draws, captured, scratch);
            push_number(out, scratch.len() as u64);
            out.extend_from_slice(b"\r\n\r\n");
            out.extend_from_slice(scratch);
        }
    }
}

/// Builds the head of a request.
#[derive(Debug, Default)]
pub struct Head(Text);

impl Head {
    /// `METHOD target HTTP/1.1`.
    pub fn request_line(method: &str, target: &Text) -> Head {
        let mut text = Text::literal(format!("{method} "));
        text.append(target);
        text.push(b" HTTP/1.1\r\n");
        Head(text)
    }

    /// `name: value`.
    pub fn field(&mut self, name: &str, value: &Text) {
        self.0.push(name.as_bytes());
        self.0.push(b": ");
        self.0.append(value);
        self.0.push(b"\r\n");
    }

    /// All of it, without the blank line.
    pub fn into_text(self) -> Text {
        self.0
    }
}

#[cfg(test)]
mod tests;
