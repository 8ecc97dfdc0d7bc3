//! What ended, and what was sent, within one interval of a run: what interval logs and live lines
//! are made of.
//!
//! A request belongs to the interval in which it ended, so the responses of all intervals merge to
//! exactly the run's. Intervals are whole seconds of the measured time; one that could not be handed
//! over in time goes on for longer, and says so. Buffers go round between the worker that fills them
//! and the observer that empties them: memory does not grow with the run. Not here: when one is
//! over, and where it goes (see `worker`).

use crate::stats::Histogram;

/// One interval.
#[derive(Clone, Debug)]
pub struct Interval {
    /// The second of the measured time that it begins with, from 0.
    pub second: u64,
    /// The second before which it ends; at least `second + 1`.
    pub until: u64,
    /// done - intended of each kind, in the order of the mix. What failed is at +infinity.
    pub responses: Vec<Histogram>,
    /// sent - intended of what was sent.
    pub lateness: Histogram,
}

impl Interval {
    /// An interval of so many kinds in which nothing has happened.
    pub fn new(kinds: usize) -> Interval {
        Interval {
            second: 0,
            until: 1,
            responses: vec![Histogram::new(); kinds],
            lateness: Histogram::new(),
        }
    }

    /// Adds what another thread recorded from the same second on.
    pub fn merge(&mut self, other: &Interval) {
        self.until = self.until.max(other.until);
        for (response, other) in self.responses.iter_mut().zip(&other.responses) {
            response.merge(other);
        }
        self.lateness.merge(&other.lateness);
    }

    /// Forgets everything but the number of kinds.
    pub fn clear(&mut self) {
        self.responses.iter_mut().for_each(Histogram::clear);
        self.lateness.clear();
    }

    /// How many seconds it covers.
    pub fn seconds(&self) -> u64 {
        self.until.saturating_sub(self.second).max(1)
    }

    /// The responses of all kinds.
    pub fn total(&self) -> Histogram {
        let mut total = Histogram::new();
        self.responses.iter().for_each(|response| total.merge(response));
        total
    }
}
