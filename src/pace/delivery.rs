//! How long events take from their publication to their reader, where answers say when that was.
//!
//! A [`Publication`] names the key of an answer's JSON object under which its Unix time of publication
//! stands. It is of another clock than the pacer's, and comparable only on one host: the reading of
//! the answer is brought onto CLOCK_REALTIME by an offset that was taken once. An answer that says a
//! time after its own arrival shows that the clocks differ; it is counted, and in no distribution,
//! where it would have to be cut to zero. Pure, and no allocation per answer. Start at
//! [`Publication::read`] and [`Deliveries::record`].

use super::capture::find;
use crate::rng::mix64;
use crate::stats::Histogram;
use crate::units::{Nanos, Wall};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::marker::PhantomData;

/// Where an answer says when what it brings was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The key of the JSON object that the content is.
    pub key: String,
    /// What the time under it is counted in.
    pub unit: Unit,
}

/// What a Unix time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl Unit {
    /// How many digits it is above a nanosecond.
    fn digits(self) -> i64 {
        match self {
            Unit::S => 9,
            Unit::Ms => 6,
            Unit::Us => 3,
            Unit::Ns => 0,
        }
    }
}

impl Publication {
    /// The time that `content` says, cut to whole nanoseconds. None if it is no JSON object with such
    /// a key, or the value is neither a number nor a string of digits, of 1970 to 2554.
    pub fn read(&self, content: &[u8]) -> Option<Wall> {
        let raw: &RawValue = find(content, &self.key, PhantomData)?;
        let text = raw.get();
        let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let nanos = match digits {
            Some(digits) => scaled(digits, "", self.unit.digits())?,
            None => decimal(text, self.unit.digits())?,
        };
        Some(Wall(nanos))
    }

    /// Stands for it in the hash of the schedule.
    pub(super) fn signature(&self) -> u64 {
        let unit = self.unit.digits() as u64;
        self.key.bytes().fold(unit, |hash, byte| mix64(hash, u64::from(byte)))
    }
}

/// A JSON number times ten to the `shift`, exactly, cut to a whole number. Doubles will not do: at
/// today's time they are a quarter of a microsecond apart.
fn decimal(number: &str, shift: i64) -> Option<u64> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    scaled(whole, fraction, shift + i64::from(exponent))
}

/// `whole.fraction` times ten to the `shift`.
fn scaled(whole: &str, fraction: &str, shift: i64) -> Option<u64> {
    let mut digits = whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits.clone().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count = usize::try_from(whole.len() as i64 + shift).unwrap_or(0);
    let mut value: u64 = 0;
    for _ in 0..count {
        let digit = match digits.next() {
            Some(digit) => u64::from(digit - b'0'),
            // Zeros make nothing more of zero, however many an exponent asks for.
            None if value == 0 => break,
            None => 0,
        };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// What the answers of one request kind said; only those that were as expected.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    /// read - published, of the answers that say a time not after they were read.
    pub delivery: Histogram,
    /// Answers that say no time.
    pub without: u64,
    /// Answers that say a time after they were read.
    pub from_the_future: u64,
    /// The furthest after it.
    pub ahead_max: Nanos,
    /// How far the two clocks' distance may be off.
    pub clock_error: Nanos,
}

impl Deliveries {
    /// Of no answer yet, with the error of the clocks' distance.
    pub fn new(clock_error: Nanos) -> Deliveries {
        Deliveries { clock_error, ..Deliveries::default() }
    }

    /// Counts an answer that was read at `read`.
    pub fn record(&mut self, read: Wall, published: Option<Wall>) {
        match published {
            Some(published) if published > read => {
                self.from_the_future += 1;
                self.ahead_max = self.ahead_max.max(Nanos(published.0 - read.0));
            }
            Some(published) => self.delivery.record(Nanos(read.0 - published.0)),
            None => self.without += 1,
        }
    }

    /// Adds other answers of the same kind.
    pub fn merge(&mut self, other: &Deliveries) {
        self.delivery.merge(&other.delivery);
        self.without += other.without;
        self.from_the_future += other.from_the_future;
        self.ahead_max = self.ahead_max.max(other.ahead_max);
        self.clock_error = self.clock_error.max(other.clock_error);
    }

    /// All answers that were counted; none if they are more than can be.
    pub fn answers(&self) -> Option<u64> {
        self.delivery.count().checked_add(self.without)?.checked_add(self.from_the_future)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, unit: Unit, expected: Option<u64>) {
        let publication = Publication { key: String::from("at"), unit };
        assert_eq!(publication.read(content.as_bytes()), expected.map(Wall), "{content} {unit:?}");
    }

    #[test]
    fn a_time_is_read_to_the_nanosecond_in_every_unit() {
        const NS: u64 = 1_764_000_000_123_456_789;
        check(r#"{"at":1764000000}"#, Unit::S, Some(NS - 123_456_789));
        check(r#"{"seq":1,"at":1764000000.123456789 }"#, Unit::S, Some(NS));
        check(r#"{"at":1764000000123}"#, Unit::Ms, Some(NS - 456_789));
        check(r#"{"at":1764000000123.456789}"#, Unit::Ms, Some(NS));
        check(r#"{"at":1764000000123456}"#, Unit::Us, Some(NS - 789));
        check(r#"{"at":1764000000123456789}"#, Unit::Ns, Some(NS));
        check(r#"{"at":"1764000000123456789"}"#, Unit::Ns, Some(NS));
        check(r#"{"at":"1764000000123456"}"#, Unit::Us, Some(NS - 789));
        check(r#"{"at":1764000000.1234567891}"#, Unit::S, Some(NS));
        check(r#"{"at":1.764000000123456789e9}"#, Unit::S, Some(NS));
        check(r#"{"at":1764000000123456789E-9}"#, Unit::S, Some(NS));
        check(r#"{"at":1.764e+18}"#, Unit::Ns, Some(NS - 123_456_789));
        check(r#"{"at":18446744073709551615}"#, Unit::Ns, Some(u64::MAX));
        check(r#"{"a":{"at":1},"at":0.0,"at":7}"#, Unit::S, Some(0));
        check(r#"{"at":5e-30}"#, Unit::S, Some(0));
        check(r#"{"at":0e2000000000}"#, Unit::S, Some(0));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for content in [
            "",
            "{}",
            "17",
            r#"{"ta":1}"#,
            r#"{"at":null}"#,
            r#"{"at":true}"#,
            r#"{"at":[1]}"#,
            r#"{"at":{"s":1}}"#,
            r#"{"at":-1}"#,
            r#"{"at":""}"#,
            r#"{"at":"1.5"}"#,
            r#"{"at":"+1"}"#,
            r#"{"at":" 1"}"#,
            r#"{"at":"2025-11-24T12:00:00Z"}"#,
            r#"{"at":18446744073709551616}"#,
            r#"{"at":1e20}"#,
            r#"{"at":1e2000000000}"#,
            r#"{"at":1e99999999999}"#,
            r#"{"at":1"#,
            r#"{"at":1} x"#,
        ] {
            check(content, Unit::Ns, None);
        }
        check(r#"{"at":18446744073709}"#, Unit::Ms, Some(18_446_744_073_709_000_000));
        check(r#"{"at":18446744073710}"#, Unit::Ms, None);
    }

    #[test]
    fn an_answer_from_the_future_is_counted_and_never_cut_to_zero() {
        let mut one = Deliveries::new(Nanos(30));
        one.record(Wall(1_000), Some(Wall(400)));
        one.record(Wall(1_000), Some(Wall(1_000)));
        one.record(Wall(1_000), Some(Wall(1_001)));
        one.record(Wall(1_000), None);
        let mut all = Deliveries::new(Nanos(50));
        all.record(Wall(1_000), Some(Wall(5_000)));
        all.merge(&one);
        assert_eq!((all.delivery.count(), all.without, all.from_the_future), (2, 1, 2));
        assert_eq!(all.delivery.beside().range, Some((Nanos(0), Nanos(600))));
        assert_eq!((all.ahead_max, all.clock_error), (Nanos(4_000), Nanos(50)));
        assert_eq!(all.answers(), Some(5));
    }
}
