//! The one way code below `io` may learn the time: somebody hands it in, or hands in a [`Clock`].
//!
//! The real clock is `io::clock`; tests use [`FakeClock`], which stands still until told. What others
//! stamp by the wall clock is brought onto ours by a [`WallOffset`].

use crate::units::{Mono, Nanos, Wall};
use std::cell::Cell;

/// A source of monotonic time.
pub trait Clock {
    /// The present point in time. Never goes backwards.
    fn now(&self) -> Mono;
}

/// How far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. The kernel slews both together, so that it
/// changes only when somebody sets the former.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallOffset {
    /// In nanoseconds.
    pub ns: u64,
    /// By how much `ns` may be off, either way.
    pub error: Nanos,
}

/// A smaller step is none that anybody made. Chosen.
const STEP_MIN: Nanos = Nanos::from_micros(1);

impl WallOffset {
    /// What the wall clock showed at `at`.
    pub fn to_wall(self, at: Mono) -> Wall {
        Wall(at.0.saturating_add(self.ns))
    }

    /// When the wall clock showed `at`.
    pub fn to_mono(self, at: Wall) -> Mono {
        Mono(at.0.saturating_sub(self.ns))
    }

    /// By how much the wall clock was set, forward or back, between this sample and a `later` one; none
    /// if it was not.
    pub fn step_until(self, later: WallOffset) -> Option<Nanos> {
        let moved = self.ns.abs_diff(later.ns);
        (moved > self.error.0 + later.error.0 + STEP_MIN.0).then_some(Nanos(moved))
    }
}

/// A clock that moves only when told; for tests and simulations.
#[derive(Debug, Default)]
pub struct FakeClock(Cell<Mono>);

impl FakeClock {
    /// A clock that shows `start`.
    pub fn at(start: Mono) -> FakeClock {
        FakeClock(Cell::new(start))
    }

    /// Moves the clock on by `span`.
    pub fn advance(&self, span: Nanos) {
        self.0.set(self.0.get() + span);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Mono {
        self.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_on_one_clock_is_one_on_the_other_and_back() {
        let offset = WallOffset { ns: 1_700_000_000_000_000_000, error: Nanos(40) };
        let wall = offset.to_wall(Mono(12_345));
        assert_eq!((wall, offset.to_mono(wall)), (Wall(1_700_000_000_000_012_345), Mono(12_345)));
        assert_eq!(offset.to_mono(Wall(5)), Mono(0), "before this host's clock began");
    }

    #[test]
    fn a_step_is_more_than_the_error_of_both_samples() {
        let offset = |ns, error| WallOffset { ns, error: Nanos(error) };
        for (later, step) in [
            (offset(50_000, 30), None),
            (offset(51_070, 30), None),
            (offset(51_071, 30), Some(Nanos(1_071))),
            (offset(47_000, 30), Some(Nanos(3_000))),
            (offset(47_000, 3_000), None),
        ] {
            assert_eq!(offset(50_000, 40).step_until(later), step, "{later:?}");
        }
    }
}
