//! The timer wheel against a sorted map: whatever is armed, cancelled and advanced, exactly what is due
//! fires, none early, none late, none twice; and following `next_wake` comes to an end.

use super::Script;
use ringpace::timer::wheel::{TimerKey, Wheel};
use ringpace::units::Mono;
use std::collections::BTreeMap;

/// More would only make inputs slow.
const OPERATIONS_MAX: usize = 2_000;
/// A slot's entries are moved down at most once a level; see `Wheel::next_wake`.
const MOVES_MAX: usize = 16;

pub(crate) fn run(input: &[u8]) {
    let mut script = Script(input);
    let Some(start) = script.number() else { return };
    let mut model = Model::new(start);
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = script.octet() else { break };
        let Some(number) = script.number() else { break };
        match operation % 4 {
            0 | 1 => model.arm(number),
            2 => model.cancel(number),
            _ => model.advance(number),
        }
        model.check();
    }
    model.drain();
}

struct Model {
    wheel: Wheel<u64>,
    now: u64,
    /// Deadlines by the order in which they were armed.
    armed: BTreeMap<u64, u64>,
    /// Of all that was ever armed.
    keys: Vec<TimerKey>,
}

impl Model {
    fn new(now: u64) -> Model {
        Model { wheel: Wheel::new(Mono(now)), now, armed: BTreeMap::new(), keys: Vec::new() }
    }

    fn arm(&mut self, span: u64) {
        let deadline = self.now.saturating_add(span);
        let order = self.keys.len() as u64;
        self.keys.push(self.wheel.arm(Mono(deadline), order));
        self.armed.insert(order, deadline);
    }

    /// A key may be one that has fired or was cancelled: then nothing may happen.
    fn cancel(&mut self, chosen: u64) {
        let Some(order) = chosen.checked_rem(self.keys.len() as u64) else { return };
        let expected = self.armed.remove(&order).map(|_| order);
        assert_eq!(self.wheel.cancel(self.keys[order as usize]), expected);
    }

    fn advance(&mut self, span: u64) {
        self.now = self.now.saturating_add(span);
        let mut fired = Vec::new();
        self.wheel.advance(Mono(self.now), |order| fired.push(order));
        fired.sort_unstable();
        let (due, left) = std::mem::take(&mut self.armed)
            .into_iter()
            .partition::<BTreeMap<u64, u64>, _>(|(_, deadline)| *deadline <= self.now);
        self.armed = left;
        assert_eq!(fired, due.into_keys().collect::<Vec<_>>());
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.armed.len());
        let earliest = self.armed.values().min().copied();
        let wake = self.wheel.next_wake().map(|wake| wake.0);
        assert_eq!(wake.is_some(), earliest.is_some());
        assert!(wake <= earliest, "woken after the earliest deadline");
    }

    fn drain(&mut self) {
        let mut steps = (self.armed.len() + 1) * MOVES_MAX;
        while let Some(wake) = self.wheel.next_wake() {
            assert!(steps > 0, "next_wake does not get on");
            steps -= 1;
            self.advance(wake.0.saturating_sub(self.now));
        }
        assert!(self.armed.is_empty());
    }
}
