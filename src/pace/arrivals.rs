//! How arrivals are spread over time, as it is typed and as it stands in the results.
//!
//! [`Arrivals`] prints as it is typed, to the last digit. Some kinds carry their own rate
//! ([`Arrivals::rate`]) and some their own length ([`Arrivals::length`]); then `-R` and `-d` may be
//! left out. Not here: when each request is due (see `schedule`), reading the file of a replay (see
//! `replay`). Start at [`Arrivals`].

use super::replay::Replay;
use crate::units::{Nanos, Rate};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// How arrivals are spread over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly: `k` is due at `floor(k / rate)`.
    Constant,
    /// As from very many independent users: exponential gaps, `1 / rate` in the mean.
    Poisson,
    /// So many at once, and that again every `period`, or every `size / rate` if none is given.
    Burst {
        /// How many.
        size: NonZeroU32,
        /// How often; this is then the rate.
        period: Option<Nanos>,
    },
    /// From one rate to another, linearly over the measured time; the warm-up keeps the first.
    Ramp {
        /// At the start.
        from: Rate,
        /// At the end.
        to: Rate,
    },
    /// One rate after the other; the warm-up keeps the first, and the last goes on to the end.
    Steps {
        /// At least one.
        rates: Vec<Rate>,
        /// How long each lasts.
        hold: Nanos,
    },
    /// When a file says. Its times count from the start of the warm-up.
    Replay(Replay),
}

impl Arrivals {
    /// The rate that the arrivals carry, so that none may be given beside them: the mean of bursts
    /// and of a replay, the highest of a ramp or a ladder.
    pub fn rate(&self) -> Option<Rate> {
        match self {
            Arrivals::Constant | Arrivals::Poisson | Arrivals::Burst { period: None, .. } => None,
            Arrivals::Burst { size, period: Some(period) } => {
                Rate::ratio(u64::from(size.get()) * 1_000_000_000, period.0)
            }
            Arrivals::Ramp { from, to } => Some(higher(*from, *to)),
            Arrivals::Steps { rates, .. } => rates.iter().copied().reduce(higher),
            Arrivals::Replay(replay) => Some(replay.mean_rate()),
        }
    }

    /// How long the arrivals last by themselves, the warm-up left out; `None` if they never end.
    pub fn length(&self, warmup: Nanos) -> Option<Nanos> {
        match self {
            Arrivals::Steps { rates, hold } => {
                Some(Nanos(hold.0.saturating_mul(rates.len() as u64)))
            }
            Arrivals::Replay(replay) => Some(replay.length().saturating_sub(warmup)),
            _ => None,
        }
    }
}

fn higher(one: Rate, other: Rate) -> Rate {
    if one.exceeds(other) { one } else { other }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Arrivals::Constant => String::from("constant"),
            Arrivals::Poisson => String::from("poisson"),
            Arrivals::Burst { size, period: None } => format!("burst:{size}"),
            Arrivals::Burst { size, period: Some(period) } => {
                format!("burst:{size}/{}", period.as_typed())
            }
            Arrivals::Ramp { from, to } => format!("ramp:{}..{}", from.as_typed(), to.as_typed()),
            Arrivals::Steps { rates, hold } => {
                let rates: Vec<String> = rates.iter().map(|rate| rate.as_typed()).collect();
                format!("steps:{}@{}", rates.join(","), hold.as_typed())
            }
            Arrivals::Replay(replay) => format!("replay:{}", replay.file()),
        };
        f.pad(&text)
    }
}

/// What `--arrivals` takes, for messages.
const KINDS: &str = "`constant`, `poisson`, `burst:50`, `burst:50/10ms`, `ramp:1000..5000`, \
                     `steps:1000,2000@10s` or `replay:FILE`";

/// Arrivals as typed: a replay is still a file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArrivalsTyped {
    /// Nothing is missing.
    Whole(Arrivals),
    /// The file named so holds them.
    File(String),
}

impl FromStr for ArrivalsTyped {
    type Err = String;

    fn from_str(text: &str) -> Result<ArrivalsTyped, String> {
        let whole = match text.split_once(':') {
            None if text == "constant" => Arrivals::Constant,
            None if text == "poisson" => Arrivals::Poisson,
            Some(("burst", rest)) => burst(rest)?,
            Some(("ramp", rest)) => ramp(rest)?,
            Some(("steps", rest)) => steps(rest)?,
            Some(("replay", file)) if !file.is_empty() => {
                return Ok(ArrivalsTyped::File(String::from(file)));
            }
            _ => return Err(format!("`{text}` is no kind of arrivals; use {KINDS}")),
        };
        Ok(ArrivalsTyped::Whole(whole))
    }
}

fn burst(text: &str) -> Result<Arrivals, String> {
    let (size, period) = match text.split_once('/') {
        Some((size, period)) => (size, Some(period.parse::<Nanos>()?)),
        None => (text, None),
    };
    let size = size
        .parse()
        .map_err(|_| format!("`{size}` is no burst size; write a whole number from 1"))?;
    if period == Some(Nanos::ZERO) {
        return Err(String::from("a burst every `0` would never end; write `burst:50/10ms`"));
    }
    Ok(Arrivals::Burst { size, period })
}

fn ramp(text: &str) -> Result<Arrivals, String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("`{text}` is no ramp; write two rates, as `ramp:1000..5000`"))?;
    Ok(Arrivals::Ramp { from: from.parse()?, to: to.parse()? })
}

fn steps(text: &str) -> Result<Arrivals, String> {
    let (rates, hold) = text.split_once('@').ok_or_else(|| {
        format!("`{text}` does not say how long a step lasts; write `steps:1000,2000@10s`")
    })?;
    let hold: Nanos = hold.parse()?;
    if hold == Nanos::ZERO {
        return Err(String::from("steps of `0` send nothing; write `steps:1000,2000@10s`"));
    }
    let rates = rates.split(',').map(str::parse).collect::<Result<Vec<Rate>, String>>()?;
    Ok(Arrivals::Steps { rates, hold })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn whole(text: &str) -> Arrivals {
        match text.parse() {
            Ok(ArrivalsTyped::Whole(arrivals)) => arrivals,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn arrivals_print_as_typed() {
        for text in [
            "constant",
            "poisson",
            "burst:50",
            "burst:50/10ms",
            "burst:3/1500us",
            "ramp:1000..5000",
            "ramp:1000000/7..1/2",
            "steps:1000,2000,4000@10s",
            "steps:7@1ns",
        ] {
            assert_eq!(whole(text).to_string(), text);
        }
        assert_eq!(whole("ramp:1k..1e6/7").to_string(), "ramp:1000..1000000/7");
        let file = ArrivalsTyped::File(String::from("a:b"));
        assert_eq!("replay:a:b".parse(), Ok(file));
    }

    #[test]
    fn what_is_no_kind_of_arrivals_is_said() {
        for (wrong, says) in [
            ("", "use `constant`"),
            ("Constant", "use `constant`"),
            ("poisson:3", "use `constant`"),
            ("replay:", "use `constant`"),
            ("burst", "use `constant`"),
            ("burst:0", "burst size"),
            ("burst:-1", "burst size"),
            ("burst:5/0", "never end"),
            ("burst:5/10", "no unit"),
            ("ramp:1000", "two rates"),
            ("ramp:0..5", "zero"),
            ("ramp:1..x", "no rate"),
            ("steps:1000,2000", "how long"),
            ("steps:1000@0", "nothing"),
            ("steps:,1@1s", "no rate"),
            ("steps:@1s", "no rate"),
        ] {
            let error = wrong.parse::<ArrivalsTyped>().unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn some_arrivals_carry_their_rate_and_their_length() {
        let rate = |text| whole(text).rate().map(|rate| rate.as_typed());
        assert_eq!(rate("poisson"), None);
        assert_eq!(rate("burst:50"), None);
        assert_eq!(rate("burst:50/10ms").as_deref(), Some("5000"));
        assert_eq!(rate("burst:1/3s").as_deref(), Some("1/3"));
        assert_eq!(rate("ramp:100..7").as_deref(), Some("100"));
        assert_eq!(rate("steps:1,1e6/7,3@1s").as_deref(), Some("1000000/7"));
        assert_eq!(whole("steps:1,2@10s").length(Nanos::from_secs(5)), Some(Nanos(20_000_000_000)));
        assert_eq!(whole("ramp:1..2").length(Nanos::ZERO), None);
    }
}
