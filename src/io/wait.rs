//! How a worker waits for work: asleep in the kernel, spinning, or a measure of both.
//!
//! For an idle server this decides its latency: waking from the kernel costs tens of microseconds,
//! finding the work by looking costs one or two. Pure; the worker asks [`Waiting::choose`] each turn.

use super::Wait;
use crate::units::{Mono, Nanos};

/// The wait mode of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    /// Sleep until something happens or the next timer is due.
    Block,
    /// Spin for `budget` after work and for `guard` before a timer; sleep between.
    Hybrid {
        /// How long before a timer's deadline to be awake.
        guard: Nanos,
        /// How long after work to expect more.
        budget: Nanos,
    },
    /// Never sleep. Takes the whole CPU.
    Spin,
}

impl WaitMode {
    /// The measure of both that the command line calls `hybrid`. Chosen: a guard above the wake-up
    /// cost of a virtual machine (30-60 us), a budget of a round trip on loopback.
    pub const HYBRID: WaitMode =
        WaitMode::Hybrid { guard: Nanos::from_micros(60), budget: Nanos::from_micros(50) };
}

/// A wait mode and what it has to remember.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    mode: WaitMode,
    worked_at: Mono,
}

impl Waiting {
    /// Waiting by `mode`, as if there had been work at `now`.
    pub fn new(mode: WaitMode, now: Mono) -> Waiting {
        Waiting { mode, worked_at: now }
    }

    /// The turn that ended at `now` found work.
    pub fn note_work(&mut self, now: Mono) {
        self.worked_at = now;
    }

    /// How the next turn waits. `next` tells when the next timer is due, and is asked only if the turn
    /// may sleep at all.
    pub fn choose(&self, now: Mono, next: impl FnOnce() -> Option<Mono>) -> Wait {
        let guard = match self.mode {
            WaitMode::Spin => return Wait::Poll,
            WaitMode::Hybrid { budget, .. } if now < self.worked_at + budget => return Wait::Poll,
            WaitMode::Hybrid { guard, .. } => guard,
            WaitMode::Block => return next().map_or(Wait::Forever, Wait::Until),
        };
        let Some(deadline) = next() else { return Wait::Forever };
        let wake = Mono(deadline.0.saturating_sub(guard.0));
        if wake > now { Wait::Until(wake) } else { Wait::Poll }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: WaitMode = WaitMode::Hybrid { guard: Nanos(100), budget: Nanos(50) };

    #[track_caller]
    fn check(mode: WaitMode, now: u64, next: Option<u64>, expected: Wait) {
        let waiting = Waiting::new(mode, Mono(1_000));
        assert_eq!(waiting.choose(Mono(now), || next.map(Mono)), expected);
    }

    #[test]
    fn each_mode_sleeps_as_it_says() {
        check(WaitMode::Spin, 5_000, None, Wait::Poll);
        check(WaitMode::Block, 1_000, None, Wait::Forever);
        check(WaitMode::Block, 1_000, Some(1_001), Wait::Until(Mono(1_001)));
        check(HYBRID, 1_049, Some(9_000), Wait::Poll);
        check(HYBRID, 1_050, Some(9_000), Wait::Until(Mono(8_900)));
        check(HYBRID, 8_900, Some(9_000), Wait::Poll);
        check(HYBRID, 1_050, None, Wait::Forever);
        check(HYBRID, 1_050, Some(50), Wait::Poll);
    }
}
