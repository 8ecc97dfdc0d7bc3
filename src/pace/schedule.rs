//! When each request is due, decided before the run and independent of how it goes.
//!
//! One global sequence: arrival `k` has an offset from the start that depends on the [`Load`] and
//! the run's [`Horizon`] alone, never on a completion, a thread or a connection. It does not drift,
//! and (the file of a replay apart) it costs O(1) memory however long the run. Thread `j` of `N`
//! walks its [`Lane`], the arrivals with `k = j mod N`; the lanes together are the whole sequence.
//! Only integers: equal seeds give equal arrivals on every machine. Not here: clocks, how arrivals
//! are typed (see `arrivals`), what a request looks like (see `mix`). Start at [`Schedule`].

use super::arrivals::Arrivals;
use super::course::{Course, Stretch};
use super::replay::Replay;
use crate::rng::{Rng, mix64};
use crate::stats::timeline::Grid;
use crate::units::{Nanos, Rate};
use std::fmt;

/// What is offered to the server. Equal loads give equal arrivals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests per second: the mean, or the highest of a rate that changes.
    pub rate: Rate,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// Seed of random arrivals; the mix draws from the same seed, independently.
    pub seed: u64,
}

impl Load {
    /// The load of `arrivals` at the rate that is given, or at their own. The error is a sentence
    /// that names the flag.
    pub fn new(arrivals: Arrivals, rate: Option<Rate>, seed: u64) -> Result<Load, String> {
        let rate = match (arrivals.rate(), rate) {
            (Some(own), None) => own,
            (None, Some(given)) => given,
            (None, None) => return Err(String::from("-R is missing: how many requests a second?")),
            (Some(_), Some(_)) => {
                return Err(format!(
                    "-R: --arrivals {arrivals} says the rate itself; leave -R out"
                ));
            }
        };
        Ok(Load { rate, arrivals, seed })
    }

    /// The rate that is asked for; `None` of one that changes, or that a file makes.
    pub fn nominal(&self) -> Option<Rate> {
        match self.arrivals {
            Arrivals::Constant | Arrivals::Poisson | Arrivals::Burst { .. } => Some(self.rate),
            Arrivals::Ramp { .. } | Arrivals::Steps { .. } | Arrivals::Replay(_) => None,
        }
    }

    /// A sentence that names the flag, if the arrivals cannot be worked out over `horizon`.
    pub fn check(&self, horizon: Horizon) -> Result<(), String> {
        match self.course(horizon) {
            Some(None) => Err(format!(
                "--arrivals {}: the rates are too fine for so long a run; round them or shorten it",
                self.arrivals
            )),
            _ => Ok(()),
        }
    }

    /// The course of a rate that changes; the inner `None` if it is too fine to be worked out.
    fn course(&self, Horizon { warmup, duration }: Horizon) -> Option<Option<Course>> {
        let level = |rate: Rate, length: Nanos| Stretch { from: rate, to: rate, length };
        match &self.arrivals {
            Arrivals::Ramp { from, to } => {
                let ramp = Stretch { from: *from, to: *to, length: duration };
                Some(Course::new([level(*from, warmup), ramp]))
            }
            Arrivals::Steps { rates, hold } => {
                let (last, others) = rates.split_last().expect("there is at least one step");
                let first = rates.first().copied().unwrap_or(*last);
                let held = Nanos(hold.0.saturating_mul(others.len() as u64));
                let steps = others.iter().map(|rate| level(*rate, *hold));
                let rest = level(*last, duration.saturating_sub(held));
                Some(Course::new([level(first, warmup)].into_iter().chain(steps).chain([rest])))
            }
            _ => None,
        }
    }
}

/// How long a run sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Before anything counts.
    pub warmup: Nanos,
    /// While it counts.
    pub duration: Nanos,
}

impl Horizon {
    /// The end of both.
    pub fn end(self) -> Nanos {
        self.warmup + self.duration
    }

    /// The intervals that the run is judged by.
    pub fn grid(self) -> Grid {
        Grid::new(self.warmup, self.duration)
    }
}

/// One thread's share of a sequence: the arrivals with `k = index mod of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Which thread, from 0; below `of`.
    pub index: u64,
    /// How many threads; at least 1.
    pub of: u64,
}

impl Lane {
    /// The whole sequence, for a single thread.
    pub const WHOLE: Lane = Lane { index: 0, of: 1 };
}

/// One planned request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the global sequence, from 0.
    pub k: u64,
    /// When it is due, from the start of the warm-up.
    pub offset: Nanos,
    /// Its kind in the mix, where the arrivals say that too.
    pub kind: Option<u32>,
}

/// A cursor over the arrivals of one lane before the end of the horizon, in order.
///
/// The next arrival is always worked out already: [`Schedule::peek`] is free, and the arithmetic of
/// `next` belongs after the send it names. The iterator is fused.
#[derive(Clone, Debug)]
pub struct Schedule {
    source: Source,
    until: Nanos,
    stride: u64,
    upcoming: Arrival,
}

/// Where offsets come from.
#[derive(Clone, Debug)]
enum Source {
    Even(Rate),
    Burst {
        rate: Rate,
        size: u64,
    },
    Poisson {
        rate: Rate,
        draws: Rng,
        /// The sum of the gaps drawn so far, in units of the mean gap, with [`FRACTION_BITS`]
        /// binary places.
        position: u128,
    },
    Course(Course),
    Replay(Replay),
}

/// An offset that no run reaches: there is no such arrival.
const NEVER: Nanos = Nanos(u64::MAX);

/// Binary places of a gap. Chosen: at one request per second a step is 0.23 ns, below a clock's.
const FRACTION_BITS: u32 = 32;

/// Keeps the draws of arrivals apart from those of the mix, which has the same seed.
const ARRIVAL_STREAM: u64 = 0xA221;

impl Schedule {
    /// The arrivals of `load` in `lane` over `horizon`, which [`Load::check`] has found right.
    pub fn new(load: &Load, lane: Lane, horizon: Horizon) -> Schedule {
        assert!(lane.index < lane.of, "lane {} of {} does not exist", lane.index, lane.of);
        let mut schedule = Schedule {
            source: Source::new(load, horizon),
            until: horizon.end(),
            stride: lane.of,
            upcoming: Arrival { k: lane.index, offset: Nanos::ZERO, kind: None },
        };
        // Arrival k stands after k + 1 gaps.
        schedule.upcoming = schedule.source.arrival(lane.index, lane.index + 1);
        schedule
    }

    /// The next arrival, if there is one before the end.
    pub fn peek(&self) -> Option<Arrival> {
        Some(self.upcoming).filter(|arrival| arrival.offset < self.until)
    }

    /// Ends the sequence early: arrivals from `until` on are no longer in it.
    pub fn stop_at(&mut self, until: Nanos) {
        self.until = self.until.min(until);
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let due = self.peek()?;
        self.upcoming = self.source.arrival(due.k + self.stride, self.stride);
        Some(due)
    }
}

impl Source {
    fn new(load: &Load, horizon: Horizon) -> Source {
        let rate = load.rate;
        match &load.arrivals {
            Arrivals::Constant => Source::Even(rate),
            // With a period, the rate is what the size and the period make it.
            Arrivals::Burst { size, .. } => Source::Burst { rate, size: u64::from(size.get()) },
            Arrivals::Poisson => Source::Poisson {
                rate,
                draws: Rng::new(mix64(load.seed, ARRIVAL_STREAM)),
                position: 0,
            },
            Arrivals::Ramp { .. } | Arrivals::Steps { .. } => {
                let course = load.course(horizon).expect("a ramp and steps have a course");
                Source::Course(course.expect("`Load::check` was asked first"))
            }
            Arrivals::Replay(replay) => Source::Replay(replay.clone()),
        }
    }

    /// Arrival `k`, which is `ahead` of the one before.
    fn arrival(&mut self, k: u64, ahead: u64) -> Arrival {
        let mut kind = None;
        let offset = match self {
            Source::Even(rate) => rate.span_of(k),
            Source::Burst { rate, size } => rate.span_of(k - k % *size),
            Source::Poisson { rate, draws, position } => {
                *position += (0..ahead).map(|_| u128::from(exponential(draws))).sum::<u128>();
                stretched(*rate, *position)
            }
            Source::Course(course) => course.offset_of(k).unwrap_or(NEVER),
            Source::Replay(replay) => {
                let line = usize::try_from(k).ok().and_then(|at| replay.lines().get(at));
                kind = line.and_then(|line| line.kind);
                line.map_or(NEVER, |line| line.offset)
            }
        };
        Arrival { k, offset, kind }
    }
}

/// `position` on the grid of constant arrivals: between two of them in proportion. The whole
/// part is exact, so what rounding there is never adds up.
fn stretched(rate: Rate, position: u128) -> Nanos {
    let whole = u64::try_from(position >> FRACTION_BITS).unwrap_or(u64::MAX - 1);
    let fraction = position & ((1 << FRACTION_BITS) - 1);
    let below = rate.span_of(whole);
    let gap = rate.span_of(whole + 1).saturating_sub(below);
    let part = (u128::from(gap.0) * fraction) >> FRACTION_BITS;
    Nanos(below.0.saturating_add(part as u64))
}

/// A draw from the exponential distribution of mean 1, with [`FRACTION_BITS`] binary places.
///
/// Nothing but comparisons of random integers, hence no rounding of a logarithm that could differ
/// between machines. Source: von Neumann, "Various techniques used in connection with random
/// digits", 1951: a run of falling numbers that begins with x has odd length with probability
/// exp(-x), and a whole unit is added for each run that has not.
fn exponential(draws: &mut Rng) -> u64 {
    let mut whole = 0;
    loop {
        let first = draws.next_u64();
        let mut last = first;
        let mut odd = true;
        loop {
            let next = draws.next_u64();
            if next >= last {
                break;
            }
            last = next;
            odd = !odd;
        }
        if odd {
            return (whole << FRACTION_BITS) | (first >> (64 - FRACTION_BITS));
        }
        whole += 1;
    }
}

/// A hash over planned requests. Their order does not matter, so the hashes of the lanes add up to
/// that of the whole. Prints as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScheduleHash(u64);

impl ScheduleHash {
    /// Adds the request of number `k`, due at `offset`; `signature` is its kind's, see `mix`.
    pub fn add(&mut self, k: u64, offset: Nanos, signature: u64) {
        self.0 = self.0.wrapping_add(mix64(mix64(signature, offset.0), k));
    }

    /// Adds all of another lane.
    pub fn merge(&mut self, other: ScheduleHash) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for ScheduleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests;
