//! Reads an interval log back: ours, with what failed counted again, or another tool's of the same
//! buckets.
//!
//! Whatever the file holds is read or refused in a sentence. Each line is handed on as it is read, so
//! memory does not grow with the log. Start at [`read`].

use super::LONG_POLLS;
use crate::pace::encoded::decode_v2;
use crate::stats::Histogram;
use crate::units::Nanos;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use std::time::Duration;

/// The part of the measured time that a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// From the begin of the log.
    pub begin: Nanos,
    /// How long it lasts.
    pub span: Nanos,
}

/// Calls `each` with the tag, the interval and the response times of every line, `all` where there is
/// no tag. What failed in an interval comes in a call of its own, at +infinity.
///
/// # Errors
/// A sentence, if `bytes` is no interval log or holds what is no histogram of ours.
pub fn read(bytes: &[u8], mut each: impl FnMut(&str, Within, &Histogram)) -> Result<(), String> {
    for entry in IntervalLogIterator::new(bytes) {
        let entry = entry.map_err(|error| format!("it is no interval log: {error:?}"))?;
        let LogEntry::Interval(interval) = entry else { continue };
        let tag = interval.tag().map_or("all", |tag| tag.as_str());
        let responses = decode_v2(interval.encoded_histogram())
            .and_then(|counts| Histogram::from_parts(counts, None))
            .map_err(|why| format!("`{tag}`: {why}"))?;
        let within =
            Within { begin: nanos(interval.start_timestamp()), span: nanos(interval.duration()) };
        each(tag, within, &responses);
    }
    for (tag, count, second) in String::from_utf8_lossy(bytes).lines().filter_map(lacking) {
        let mut failed = Histogram::new();
        failed.record_infinite_many(count);
        let within = Within { begin: Nanos::from_secs(second), span: Nanos::from_secs(1) };
        each(tag, within, &failed);
    }
    Ok(())
}

/// The tags of long polls, which [`super::Log::begin`] names: their times are in no figure of all
/// requests.
pub fn long_polls(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lists = text.lines().filter_map(|line| {
        line.strip_prefix('#')?.strip_prefix(LONG_POLLS)?.trim_end().strip_suffix(']')
    });
    lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().to_owned()).collect()
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// The tag, the count and the second of `#TAG lacks N requests that failed in second S`, which
/// [`super::Log::write`] writes.
fn lacking(line: &str) -> Option<(&str, u64, u64)> {
    let (tag, rest) = line.strip_prefix('#')?.split_once(" lacks ")?;
    let (count, second) = rest.split_once(" requests that failed in second ")?;
    let within = |text: &str| {
        let number = text.trim().parse::<u64>().ok()?;
        (number <= u64::from(u32::MAX)).then_some(number)
    };
    Some((tag.trim(), within(count)?, within(second)?))
}
