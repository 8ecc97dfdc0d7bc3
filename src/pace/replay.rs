//! Arrivals read from a file: one offset a line, with its unit, and a request's name if wanted.
//!
//! ```text
//! # offset  request
//! 0
//! 1.5ms     status
//! 2ms       command
//! ```
//!
//! Offsets count from the start of the warm-up and must not go back; a line without a name is
//! picked from the mix like any other request. Empty lines and what follows a `#` are passed over.
//! What is wrong is one sentence with file and line. Not here: reading files. Start at
//! [`Replay::parse`].

use super::mix::Mix;
use crate::units::{Nanos, Rate};
use std::sync::Arc;

/// The arrivals of a file; at least one. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    file: Arc<str>,
    lines: Arc<[Line]>,
}

/// One arrival of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// From the start of the warm-up.
    pub offset: Nanos,
    /// Index of its kind in the mix, if it is named.
    pub kind: Option<u32>,
}

impl Replay {
    /// Reads the `text` of `file` for `mix`. Messages have the form `FILE:LINE: sentence`.
    pub fn parse(file: &str, text: &str, mix: &Mix) -> Result<Replay, String> {
        let mut lines: Vec<Line> = Vec::new();
        let mut last_number = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let said = |sentence: String| format!("{file}:{number}: {sentence}");
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let line = parse_line(line, mix).map_err(said)?;
            if let Some(last) = lines.last().filter(|last| last.offset > line.offset) {
                return Err(said(format!(
                    "{} is before the {} of line {last_number}; sort the times",
                    line.offset.as_typed(),
                    last.offset.as_typed()
                )));
            }
            last_number = number;
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(format!("{file}:1: there is no time in the file"));
        }
        Ok(Replay { file: file.into(), lines: lines.into() })
    }

    /// The name of the file, as typed.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The arrivals, in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Until just after the last arrival.
    pub fn length(&self) -> Nanos {
        self.lines.last().map_or(Nanos::ZERO, |last| last.offset + Nanos(1))
    }

    /// How many arrivals there are per second, over the whole.
    pub fn mean_rate(&self) -> Rate {
        let count = self.lines.len() as u64;
        Rate::ratio(count.saturating_mul(1_000_000_000), self.length().0)
            .expect("there is a line, so neither is zero")
    }
}

fn parse_line(line: &str, mix: &Mix) -> Result<Line, String> {
    let mut words = line.split_whitespace();
    let offset: Nanos = words.next().unwrap_or("").parse()?;
    if offset > OFFSET_MAX {
        return Err(format!("`{}` is later than any run, 3000h", offset.as_typed()));
    }
    let kind = words.next().map(|name| index_of(name, mix)).transpose()?;
    match words.next() {
        None => Ok(Line { offset, kind }),
        Some(word) => {
            Err(format!("`{word}` is one word too many; a line is a time and a request's name"))
        }
    }
}

/// Chosen: a run is at most 1000h, its warm-up and its timeout as much.
const OFFSET_MAX: Nanos = Nanos::from_secs(3 * 3_600_000);

fn index_of(name: &str, mix: &Mix) -> Result<u32, String> {
    let at = mix.kinds().iter().position(|kind| kind.name == name);
    let at = at.and_then(|at| u32::try_from(at).ok());
    at.ok_or_else(|| {
        let names: Vec<&str> = mix.kinds().iter().map(|kind| kind.name.as_str()).collect();
        format!("`{name}` is no request of the mix, which has {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix() -> Mix {
        let kind = |name| format!("[[request]]\nname='{name}'\nweight=1\npath='/'\n");
        Mix::parse("m", &["a", "b"].map(kind).concat()).unwrap()
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "# head\n0\n\n1.5ms b # note\n1500us\n2ms\ta\n";
        let replay = Replay::parse("t", text, &mix()).unwrap();
        let line = |us, kind| Line { offset: Nanos::from_micros(us), kind };
        let expected =
            [line(0, None), line(1_500, Some(1)), line(1_500, None), line(2_000, Some(0))];
        assert_eq!(replay.lines(), expected);
        assert_eq!(replay.length(), Nanos(2_000_001));
        assert_eq!(replay.mean_rate().as_typed(), "4000000000/2000001");
    }

    #[track_caller]
    fn check(text: &str, says: &str) {
        let error = Replay::parse("t.txt", text, &mix()).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line() {
        check("", "t.txt:1: there is no time");
        check("# only this", "t.txt:1: there is no time");
        check("0\n5", "t.txt:2: `5` has no unit");
        check("0\n\n5ms\n3ms", "t.txt:4: 3ms is before the 5ms of line 3");
        check("0 c", "t.txt:1: `c` is no request of the mix, which has a, b");
        check("0 a b", "t.txt:1: `b` is one word too many");
        check("-1ms", "t.txt:1: `-1ms` is no duration");
        check("99999h", "t.txt:1: `359996400s` is later than any run");
    }
}
