//! Writes the distributions of a run as an HdrHistogram interval log (`.hlog`, V2, compressed).
//!
//! One interval, the measured time, with a tag per distribution: `KIND.response` and `KIND.service`
//! per request kind, and `lateness`. Values are in nanoseconds. The format has no +infinity: a
//! comment says how many requests a tag lacks. Start at [`write`].

use crate::pace::outcome::Outcome;
use crate::stats::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// Nanoseconds of the log in one unit of the maximum on each line, which is shown in milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Writes the log of a run that ended at `ended`, which readers take for the time of the intervals.
pub fn write(out: &mut impl Write, outcome: &Outcome, ended: SystemTime) -> io::Result<()> {
    let duration = outcome.duration.to_std();
    let started = ended.checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("ringpace; values in ns")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(out, &mut serializer)?;
    for (tag, histogram) in tagged(outcome) {
        if histogram.infinite() > 0 {
            let infinite = histogram.infinite();
            log.write_comment(&format!("{tag} lacks {infinite} requests that failed"))?;
        }
        let tag = Tag::new(&tag).expect("`tagged` leaves no character that a tag may not have");
        log.write_histogram(histogram.hdr(), Duration::ZERO, duration, Some(tag))
            .map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(())
}

/// Every distribution with the name it has in files: letters, digits, `-`, `_` and `.` only.
pub fn tagged(outcome: &Outcome) -> Vec<(String, &Histogram)> {
    let mut tagged = Vec::new();
    for (kind, record) in outcome.run.requests.iter().zip(outcome.recorder.kinds()) {
        let name = file_safe(&kind.name);
        tagged.push((format!("{name}.response"), &record.response));
        tagged.push((format!("{name}.service"), &record.service));
    }
    tagged.push((String::from("lateness"), outcome.recorder.lateness()));
    tagged
}

fn file_safe(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    name.chars().map(safe).collect()
}
