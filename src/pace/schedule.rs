//! When each request is due, decided before the run and independent of how it goes.
//!
//! One global sequence: arrival `k` has an offset from the start that depends on the [`Load`]
//! alone, never on a completion, a thread or a connection. It does not drift, and it costs O(1)
//! memory however long the run. Thread `j` of `N` walks its [`Lane`], the arrivals with `k = j mod
//! N`; the lanes together are the whole sequence. Only integers: equal seeds give equal arrivals
//! on every machine. Not here: clocks, what a request looks like (see `mix`). Start at
//! [`Schedule`].

use crate::rng::{Rng, mix64};
use crate::units::{Nanos, Rate};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// How arrivals are spread over time. Prints as it is typed: `constant`, `poisson`, `burst:50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly: `k` is due at `floor(k / rate)`.
    Constant,
    /// As from very many independent users: exponential gaps, `1 / rate` in the mean.
    Poisson,
    /// So many at once, and that again every `burst / rate`.
    Burst(NonZeroU32),
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arrivals::Constant => f.pad("constant"),
            Arrivals::Poisson => f.pad("poisson"),
            Arrivals::Burst(size) => f.pad(&format!("burst:{size}")),
        }
    }
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Arrivals, String> {
        match text.split_once(':') {
            None if text == "constant" => Ok(Arrivals::Constant),
            None if text == "poisson" => Ok(Arrivals::Poisson),
            Some(("burst", size)) => size
                .parse()
                .map(Arrivals::Burst)
                .map_err(|_| format!("`{size}` is no burst size; write a whole number from 1")),
            _ => Err(format!(
                "`{text}` is no kind of arrivals; use `constant`, `poisson` or `burst:50`"
            )),
        }
    }
}

/// What is offered to the server. Equal loads give equal arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests per second, in the mean.
    pub rate: Rate,
    /// How they are spread.
    pub arrivals: Arrivals,
    /// Seed of random arrivals; the mix draws from the same seed, independently.
    pub seed: u64,
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
}

/// A cursor over the arrivals of one lane with an offset below `until`, in order.
///
/// The next arrival is always worked out already: [`Schedule::peek`] is free, and the arithmetic of
/// `next` belongs after the send it names. The iterator is fused.
#[derive(Clone, Debug)]
pub struct Schedule {
    load: Load,
    until: Nanos,
    stride: u64,
    upcoming: Arrival,
    draws: Rng,
    /// Poisson: the sum of the gaps drawn so far, in units of the mean gap, with
    /// [`FRACTION_BITS`] binary places.
    position: u128,
}

/// Binary places of a gap. Chosen: at one request per second a step is 0.23 ns, below a clock's.
const FRACTION_BITS: u32 = 32;

/// Keeps the draws of arrivals apart from those of the mix, which has the same seed.
const ARRIVAL_STREAM: u64 = 0xA221;

impl Schedule {
    /// The arrivals of `load` in `lane` whose offset is below `until`.
    pub fn new(load: Load, lane: Lane, until: Nanos) -> Schedule {
        assert!(lane.index < lane.of, "lane {} of {} does not exist", lane.index, lane.of);
        let mut schedule = Schedule {
            load,
            until,
            stride: lane.of,
            upcoming: Arrival { k: lane.index, offset: Nanos::ZERO },
            draws: Rng::new(mix64(load.seed, ARRIVAL_STREAM)),
            position: 0,
        };
        // Arrival k stands after k + 1 gaps.
        schedule.draw_gaps(lane.index + 1);
        schedule.upcoming.offset = schedule.offset_of(lane.index);
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

    fn draw_gaps(&mut self, count: u64) {
        if self.load.arrivals == Arrivals::Poisson {
            for _ in 0..count {
                self.position += u128::from(exponential(&mut self.draws));
            }
        }
    }

    fn offset_of(&self, k: u64) -> Nanos {
        match self.load.arrivals {
            Arrivals::Constant => self.load.rate.span_of(k),
            Arrivals::Burst(size) => self.load.rate.span_of(k - k % u64::from(size.get())),
            Arrivals::Poisson => self.stretched(),
        }
    }

    /// `position` on the grid of constant arrivals: between two of them in proportion. The whole
    /// part is exact, so what rounding there is never adds up.
    fn stretched(&self) -> Nanos {
        let whole = u64::try_from(self.position >> FRACTION_BITS).unwrap_or(u64::MAX - 1);
        let fraction = self.position & ((1 << FRACTION_BITS) - 1);
        let below = self.load.rate.span_of(whole);
        let gap = self.load.rate.span_of(whole + 1).saturating_sub(below);
        let part = (u128::from(gap.0) * fraction) >> FRACTION_BITS;
        Nanos(below.0.saturating_add(part as u64))
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let due = self.peek()?;
        self.draw_gaps(self.stride);
        let k = due.k + self.stride;
        self.upcoming = Arrival { k, offset: self.offset_of(k) };
        Some(due)
    }
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
    /// Adds the request due at `offset`; `signature` is its kind's, see `mix`.
    pub fn add(&mut self, offset: Nanos, signature: u64) {
        self.0 = self.0.wrapping_add(mix64(signature, offset.0));
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
