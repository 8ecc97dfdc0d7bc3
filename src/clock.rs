//! The one way code below `io` may learn the time: somebody hands it in, or hands in a [`Clock`].
//!
//! The real clock is `io::clock`; tests use [`FakeClock`], which stands still until told.

use crate::units::{Mono, Nanos};
use std::cell::Cell;

/// A source of monotonic time.
pub trait Clock {
    /// The present point in time. Never goes backwards.
    fn now(&self) -> Mono;
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
