//! Writes the distributions of a run as an HdrHistogram interval log (`.hlog`, V2, compressed).
//!
//! One interval, the measured time, with a tag per distribution: `KIND.response` and `KIND.service`
//! per request kind, and `lateness`. Values are in nanoseconds. The format has no +infinity: a
//! comment says how many requests a tag lacks. Start at [`write()`].

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Plan;
    use crate::pace::outstanding::{Place, Request};
    use crate::pace::recorder::{Ending, Failure, Recorder};
    use crate::pace::stalls::StallMeter;
    use crate::units::{Mono, Nanos, Rate};
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    /// One answer in 1 ms, and one request that timed out.
    fn outcome() -> Outcome {
        let url = "http://h/".parse().unwrap();
        let plan = Plan::new(url, Rate::per_second(2).unwrap(), Nanos::from_secs(1));
        let mut recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        let request = Request {
            kind: 0,
            is_measured: true,
            intended_at: Mono(0),
            sent_at: Some(Mono(0)),
            is_retry: false,
            place: Place::Waiting,
        };
        for ending in [Ending::Ok(Mono(1_000_000)), Ending::Failed(Failure::Timeout)] {
            recorder.planned(&request, Nanos::ZERO, 0);
            recorder.sent(&request, Mono(0));
            recorder.ended(&request, ending);
        }
        Outcome::new(&plan, recorder, Mono(0), Nanos::from_secs(1))
    }

    #[test]
    fn the_log_reads_back_with_a_tag_for_each_distribution() {
        let mut out = Vec::new();
        write(&mut out, &outcome(), SystemTime::UNIX_EPOCH + Duration::from_secs(100)).unwrap();
        let intervals: Vec<(String, f64)> = IntervalLogIterator::new(&out)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(interval) => {
                    Some((interval.tag().unwrap().as_str().to_string(), interval.max()))
                }
                _ => None,
            })
            .collect();
        let tags: Vec<&str> = intervals.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(tags, ["get.response", "get.service", "lateness"]);
        assert!((intervals[0].1 - 1.0).abs() < 0.01, "the maximum is in ms: {intervals:?}");
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("get.response lacks 1 requests that failed"), "{text}");
    }
}
