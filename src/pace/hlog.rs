//! Writes the response times of a run as an HdrHistogram interval log (`.hlog`): V2 histograms,
//! compressed, in base 64, readable by HdrHistogram's own tools.
//!
//! One line per interval and request kind, tagged with the kind's name. Values are in nanoseconds,
//! the maximum on each line in milliseconds. The lines of a tag add up to that kind's distribution
//! of the whole run. What the format has no place for is a comment, which other readers pass over: how
//! many requests a line lacks, since there is no +infinity, and which tags are long polls,
//! `#[LongPolls: events]`, that are in no figure of all requests.
//! Start at [`Log::begin`]; [`read`] and [`long_polls`] read it back.

mod read;

pub use read::{Within, long_polls, read};

use super::interval::Interval;
use super::mix::Kind;
use crate::units::Nanos;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};
use std::io::{self, Write};
use std::time::SystemTime;

/// Nanoseconds of the log in one unit of the maximum on each line.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// A log that is being written.
pub struct Log<'w> {
    writer: IntervalLogWriter<'w, 'w, Box<dyn Write + Send>, V2DeflateSerializer>,
    tags: Vec<String>,
}

impl<'w> Log<'w> {
    /// Writes the head of the log of these `kinds`; `started` is the wall clock's time of the first
    /// interval.
    pub fn begin(
        out: &'w mut Box<dyn Write + Send>,
        serializer: &'w mut V2DeflateSerializer,
        kinds: &[Kind],
        started: SystemTime,
    ) -> io::Result<Log<'w>> {
        let tags = tags(kinds.iter().map(|kind| kind.name.as_str()));
        let mut head = IntervalLogWriterBuilder::new();
        head.add_comment("ringpace; response times in ns");
        let of_polls = kinds.iter().zip(&tags).filter(|(kind, _)| kind.long_poll);
        let polls: Vec<&str> = of_polls.map(|(_, tag)| tag.as_str()).collect();
        // Where there is nothing else they are what all figures are of.
        if !polls.is_empty() && polls.len() < tags.len() {
            head.add_comment(&format!("{LONG_POLLS}{}]", polls.join(",")));
        }
        let writer = head
            .with_start_time(started)
            .with_base_time(started)
            .with_max_value_divisor(MAX_VALUE_DIVISOR)
            .begin_log_with(out, serializer)?;
        Ok(Log { writer, tags })
    }

    /// Writes the lines of one interval; none for a kind of which nothing ended.
    pub fn write(&mut self, interval: &Interval) -> io::Result<()> {
        let begins = Nanos::from_secs(interval.second).to_std();
        let lasts = Nanos::from_secs(interval.seconds()).to_std();
        for (tag, response) in self.tags.iter().zip(&interval.responses) {
            if response.infinite() > 0 {
                let (second, infinite) = (interval.second, response.infinite());
                self.writer.write_comment(&format!(
                    "{tag} lacks {infinite} requests that failed in second {second}"
                ))?;
            }
            if response.hdr().is_empty() {
                continue;
            }
            let tag =
                Tag::new(tag).expect("`tag_safe` leaves no character that a tag may not have");
            self.writer
                .write_histogram(response.hdr(), begins, lasts, Some(tag))
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(())
    }
}

/// Begins the comment that names the tags of long polls; commas part them, and a bracket ends it.
const LONG_POLLS: &str = "[LongPolls: ";

/// A tag for each of `names`, no two alike: the name itself if it may be one, else the name with `_` for
/// what a tag may not hold, and with a number if that is taken.
pub fn tags<'n>(names: impl Iterator<Item = &'n str> + Clone) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for name in names.clone() {
        let safe = tag_safe(name);
        let is_free = |tag: &str| {
            let is_others = tag != name && names.clone().any(|other| other == tag);
            !is_others && !tags.iter().any(|taken| taken == tag)
        };
        let (mut tag, mut number) = (safe.clone(), 1);
        while !is_free(&tag) {
            number += 1;
            tag = format!("{safe}-{number}");
        }
        tags.push(tag);
    }
    tags
}

/// Letters, digits, `-`, `_` and `.` only: a tag may hold no comma and no white space.
fn tag_safe(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::mix::Mix;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// A file in memory that can be read once the log is done with it.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Of two kinds, the other of which are long polls.
    const MIX: &str = "\
[[request]]
name = \"get\"
weight = 1
path = \"/\"
[[request]]
name = \"long poll\"
weight = 1
path = \"/events\"
kind = \"long_poll\"
";

    fn written(intervals: &[Interval]) -> Vec<u8> {
        let shared = Shared::default();
        let mut out: Box<dyn Write + Send> = Box::new(shared.clone());
        let mut serializer = V2DeflateSerializer::new();
        let mix = Mix::parse("mix", MIX).unwrap();
        let started = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let mut log = Log::begin(&mut out, &mut serializer, mix.kinds(), started).unwrap();
        intervals.iter().for_each(|interval| log.write(interval).unwrap());
        shared.0.lock().unwrap().clone()
    }

    #[test]
    fn each_second_of_each_kind_is_a_line_with_its_tag() {
        let mut first = Interval::new(2);
        first.responses[0].record(Nanos::from_millis(1));
        first.responses[1].record(Nanos::from_millis(500));
        let mut second = Interval { second: 1, until: 3, ..Interval::new(2) };
        second.responses[0].record(Nanos::from_millis(2));
        second.responses[1].record_infinite();
        // Its memory goes round.
        let mut third = first.clone();
        third.clear();
        (third.second, third.until) = (3, 4);
        third.responses[1].record(Nanos::from_millis(40));
        let out = written(&[first, second, third]);
        let lines: Vec<(String, u64, u64, f64)> = IntervalLogIterator::new(&out)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => Some((
                    interval.tag().unwrap().as_str().to_string(),
                    interval.start_timestamp().as_secs(),
                    interval.duration().as_secs(),
                    interval.max().round(),
                )),
                _ => None,
            })
            .collect();
        let expected = [
            ("get", 0, 1, 1.0),
            ("long_poll", 0, 1, 500.0),
            ("get", 1, 2, 2.0),
            ("long_poll", 3, 1, 40.0),
        ];
        assert_eq!(lines, expected.map(|(tag, at, for_s, max)| (tag.to_string(), at, for_s, max)));
        assert_eq!(long_polls(&out), ["long_poll"]);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("long_poll lacks 1 requests that failed in second 1"), "{text}");
        assert!(text.contains("\n#[LongPolls: long_poll]\n"), "{text}");
    }

    #[track_caller]
    fn check_tags(names: &[&str], expected: &[&str]) {
        assert_eq!(tags(names.iter().copied()), expected);
    }

    #[test]
    fn no_two_kinds_share_a_tag() {
        check_tags(&["status", "GET /a?b", "x.y-z"], &["status", "GET__a_b", "x.y-z"]);
        check_tags(&["a b", "a_b"], &["a_b-2", "a_b"]);
        check_tags(&["a_b", "a b", "a,b"], &["a_b", "a_b-2", "a_b-3"]);
        check_tags(&["a b", "a_b", "a_b-2"], &["a_b-3", "a_b", "a_b-2"]);
    }

    #[test]
    fn long_polls_are_named_only_beside_others() {
        assert_eq!(long_polls(b"#[LongPolls: a,b]\r\n#[LongPolls: c]\n"), ["a", "b", "c"]);
        assert!(long_polls(b"#LongPolls: a]\n#[LongPolls: a\nx\xff").is_empty());
        let polls = MIX.split("[[request]]").last().unwrap();
        let mix = Mix::parse("mix", &format!("[[request]]{polls}")).unwrap();
        let shared = Shared::default();
        let mut bytes: Box<dyn Write + Send> = Box::new(shared.clone());
        let mut serializer = V2DeflateSerializer::new();
        drop(Log::begin(&mut bytes, &mut serializer, mix.kinds(), SystemTime::UNIX_EPOCH).unwrap());
        assert!(long_polls(&shared.0.lock().unwrap()).is_empty());
    }

    #[test]
    fn what_was_written_is_read_back_with_what_failed() {
        let mut first = Interval::new(2);
        first.responses[0].record(Nanos::from_millis(1));
        let mut second = Interval { second: 1, until: 3, ..Interval::new(2) };
        second.responses[0].record(Nanos::from_millis(2));
        second.responses[0].record_infinite();
        second.responses[1].record_infinite();
        let mut found = Vec::new();
        read(&written(&[first, second]), |tag, within, responses| {
            found.push((
                tag.to_string(),
                within.begin.0 / 1_000_000,
                responses.count(),
                responses.infinite(),
            ));
        })
        .unwrap();
        let expected = [("get", 0, 1, 0), ("get", 1_000, 1, 1), ("long_poll", 1_000, 1, 1)];
        let mut found: Vec<_> =
            found.iter().map(|(tag, a, b, c)| (tag.as_str(), *a, *b, *c)).collect();
        found.sort();
        // The failures of `get` come by themselves: a comment stands before the line.
        assert_eq!(found, [expected[0], ("get", 1_000, 1, 0), expected[1], expected[2]]);
    }
}
