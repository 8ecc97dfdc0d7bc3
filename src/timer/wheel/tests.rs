//! The wheel against a `BTreeMap`, and what it promises about order, wake-ups and memory.

use super::*;
use crate::rng::Rng;
use std::collections::BTreeMap;

const TICK: u64 = 1 << TICK_BITS;

/// Arms `deadlines` on a wheel at `start`, advances to each of `stops`, and expects the indices of
/// the deadlines that fire there.
#[track_caller]
fn check(start: u64, deadlines: &[u64], stops: &[(u64, &[usize])]) {
    let mut wheel = Wheel::new(Mono(start));
    for (index, deadline) in deadlines.iter().enumerate() {
        wheel.arm(Mono(*deadline), index);
    }
    for (now, expected) in stops {
        assert_eq!(fired_by(&mut wheel, *now), *expected, "at {now}");
    }
}

fn fired_by<T: Copy>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
    let mut fired = Vec::new();
    wheel.advance(Mono(now), |value| fired.push(value));
    fired
}

#[test]
fn a_timer_fires_at_its_nanosecond_and_not_one_before() {
    check(0, &[2_000_000], &[(1_999_999, &[]), (2_000_000, &[0]), (3_000_000, &[])]);
    check(5, &[5 * TICK + 7, 5 * TICK + 3], &[(5 * TICK + 3, &[1]), (5 * TICK + 7, &[0])]);
}

#[test]
fn a_deadline_in_the_past_fires_at_the_next_advance_even_if_time_stands_still() {
    check(1_000_000, &[0, 999_999, 1_000_000, 1_000_001], &[(1_000_000, &[0, 1, 2])]);
}

#[test]
fn time_that_goes_backwards_counts_as_standing_still() {
    check(1_000_000, &[999_000, 2_000_000], &[(3, &[0]), (2_000_000, &[1])]);
}

#[test]
fn a_tick_fires_in_the_order_of_arming_whatever_level_its_entries_came_from() {
    let mut wheel = Wheel::new(Mono(0));
    let deadline = 70_000 * TICK;
    wheel.arm(Mono(deadline + 9), "from level 2");
    fired_by(&mut wheel, deadline - 300 * TICK);
    wheel.arm(Mono(deadline + 5), "from level 1");
    fired_by(&mut wheel, deadline - 200 * TICK);
    wheel.arm(Mono(deadline + 1), "from level 0");
    wheel.arm(Mono(deadline - TICK), "the tick before");
    let fired = fired_by(&mut wheel, deadline + TICK);
    assert_eq!(fired, ["the tick before", "from level 2", "from level 1", "from level 0"]);
}

#[test]
fn the_farthest_deadline_there_is_can_be_armed_and_reached() {
    check(0, &[u64::MAX, u64::MAX - 1], &[(u64::MAX - 1, &[1]), (u64::MAX, &[0])]);
    check(u64::MAX, &[u64::MAX, 0], &[(u64::MAX, &[0, 1])]);
}

#[test]
fn cancelling_a_fired_a_cancelled_or_a_reused_timer_does_nothing() {
    let mut wheel = Wheel::new(Mono(0));
    let fired = wheel.arm(Mono(1), 'a');
    let cancelled = wheel.arm(Mono(1), 'b');
    assert_eq!(wheel.cancel(cancelled), Some('b'));
    assert_eq!(fired_by(&mut wheel, 1), ['a']);
    let reused = [wheel.arm(Mono(9), 'c'), wheel.arm(Mono(9), 'd')];
    assert!(reused.iter().any(|key| key.node == fired.node));
    assert_eq!(wheel.cancel(fired), None);
    assert_eq!(wheel.cancel(cancelled), None);
    assert_eq!(wheel.len(), 2);
    assert_eq!(wheel.cancel(reused[0]), Some('c'));
    assert_eq!(fired_by(&mut wheel, 9), ['d']);
    assert!(wheel.is_empty());
}

#[test]
fn a_two_millisecond_timer_wakes_once_and_exactly() {
    let mut rng = Rng::new(3);
    for _ in 0..1_000 {
        let start = rng.below(1 << 40);
        let mut wheel = Wheel::new(Mono(start));
        wheel.arm(Mono(start + 2_000_000), ());
        wheel.arm(Mono(start + 500_000_000), ());
        assert_eq!(wheel.next_wake(), Some(Mono(start + 2_000_000)));
        assert_eq!(fired_by(&mut wheel, start + 2_000_000).len(), 1);
        assert_eq!(wheel.next_wake(), Some(Mono(start + 500_000_000)));
    }
}

#[test]
fn a_crowded_tick_wakes_at_its_start_and_then_exactly() {
    let mut wheel = Wheel::new(Mono(0));
    let tick = 100 * TICK;
    for offset in 0..100 {
        wheel.arm(Mono(tick + 1_000 + offset), offset);
    }
    assert_eq!(wheel.next_wake(), Some(Mono(tick)));
    assert!(fired_by(&mut wheel, tick).is_empty());
    assert_eq!(wheel.next_wake(), Some(Mono(tick + 1_000)));
    assert_eq!(fired_by(&mut wheel, tick + 1_000), [0]);
    assert_eq!(wheel.next_wake(), Some(Mono(tick + 1_001)));
}

#[test]
fn a_million_timers_fire_in_the_order_of_their_ticks() {
    let mut wheel = Wheel::new(Mono(0));
    let mut rng = Rng::new(11);
    let mut sum = 0u64;
    for _ in 0..1_000_000 {
        let deadline = rng.below(100_000_000_000);
        sum += deadline;
        wheel.arm(Mono(deadline), deadline);
    }
    let mut last_tick = 0;
    let mut fired = 0;
    wheel.advance(Mono(100_000_000_000), |deadline| {
        assert!(deadline / TICK >= last_tick);
        last_tick = deadline / TICK;
        sum -= deadline;
        fired += 1;
    });
    assert_eq!((fired, sum, wheel.len(), wheel.next_wake()), (1_000_000, 0, 0, None));
}

#[test]
fn a_warm_wheel_allocates_nothing() {
    let mut wheel = Wheel::new(Mono(0));
    let mut rng = Rng::new(5);
    let mut warm = None;
    for round in 1..100u64 {
        let keys: Vec<TimerKey> =
            (0..1_000).map(|_| wheel.arm(Mono(rng.below(round << 33)), round)).collect();
        for key in keys.iter().step_by(3) {
            wheel.cancel(*key);
        }
        fired_by(&mut wheel, round << 33);
        assert!(wheel.is_empty());
        let capacities = (wheel.links.capacity(), wheel.entries.capacity());
        assert_eq!(*warm.get_or_insert(capacities), capacities);
    }
}

/// A wheel and what it should do: entries by effective tick and the order of arming, which is the
/// order of firing.
struct Model {
    rng: Rng,
    now: u64,
    armed: u64,
    wheel: Wheel<u64>,
    /// (tick it counts to, order of arming) to its deadline.
    expected: BTreeMap<(u64, u64), u64>,
    keys: Vec<(TimerKey, (u64, u64))>,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut rng = Rng::new(seed);
        let now = rng.next_u64() >> (1 + rng.below(63));
        let wheel = Wheel::new(Mono(now));
        Model { rng, now, armed: 0, wheel, expected: BTreeMap::new(), keys: Vec::new() }
    }

    /// Spans of every order of magnitude, with edges of slots more often than chance has them.
    fn span(&mut self) -> u64 {
        match self.rng.below(8) {
            0 => 0,
            1 => 2_000_000,
            2 => 500_000_000,
            3 => (1 << self.rng.below(63)) - self.rng.below(2),
            _ => self.rng.next_u64() >> self.rng.below(64),
        }
    }

    fn arm(&mut self) {
        let span = self.span();
        let deadline = match self.rng.below(8) {
            0 => self.now.saturating_sub(span),
            1 => (self.now.saturating_add(span)) & !(TICK - 1),
            _ => self.now.saturating_add(span),
        };
        let place = (deadline.max(self.now) / TICK, self.armed);
        self.armed += 1;
        let key = self.wheel.arm(Mono(deadline), place.1);
        self.expected.insert(place, deadline);
        self.keys.push((key, place));
    }

    fn cancel(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let chosen = self.rng.below(self.keys.len() as u64) as usize;
        let (key, place) = self.keys[chosen];
        let expected = self.expected.remove(&place).map(|_| place.1);
        assert_eq!(self.wheel.cancel(key), expected);
        if self.rng.chance(0.8) {
            self.keys.swap_remove(chosen);
        }
    }

    fn advance(&mut self) {
        let wake = self.wheel.next_wake().map_or(self.now, |wake| wake.0.max(self.now));
        let to = match self.rng.below(6) {
            0 => self.now,
            1 => self.now.saturating_sub(self.span()),
            2 => self.now.saturating_add(self.span()),
            3 => self.now.saturating_add(self.rng.below(3 * TICK)),
            4 => wake,
            _ => wake.saturating_sub(1).max(self.now),
        };
        self.now = self.now.max(to);
        let due = |deadline: &u64| *deadline <= self.now;
        let expected: Vec<u64> =
            self.expected.iter().filter(|(_, d)| due(d)).map(|(place, _)| place.1).collect();
        self.expected.retain(|_, deadline| *deadline > self.now);
        assert_eq!(fired_by(&mut self.wheel, to), expected);
    }

    fn check_getters(&self) {
        assert_eq!(self.wheel.len(), self.expected.len());
        let earliest = self.expected.values().min();
        let wake = self.wheel.next_wake();
        assert_eq!(wake.is_some(), earliest.is_some());
        assert!(wake.map(|w| w.0) <= earliest.copied(), "woken after the earliest deadline");
        // With so few entries no slot is crowded.
        if self.expected.len() <= SCAN_MAX {
            assert_eq!(wake.map(|w| w.0), earliest.copied());
        }
    }

    /// Follows `next_wake` until nothing is left, in a number of steps that the entries bound.
    fn drain(&mut self) {
        let mut steps = self.expected.len() * (LEVELS + 2) + 1;
        while let Some(wake) = self.wheel.next_wake() {
            assert!(steps > 0, "next_wake does not get on");
            steps -= 1;
            self.now = self.now.max(wake.0);
            self.wheel.advance(wake, |order| {
                let place = self.expected.iter().find(|(place, _)| place.1 == order);
                let (place, deadline) = place.map(|(p, d)| (*p, *d)).expect("fired once");
                assert!(deadline <= self.now, "fired early");
                self.expected.remove(&place);
            });
            assert!(self.expected.values().all(|deadline| *deadline > self.now), "fired late");
        }
        assert!(self.expected.is_empty());
    }
}

#[test]
fn the_wheel_does_what_a_sorted_map_would() {
    for seed in 0..400 {
        println!("seed {seed}");
        let mut model = Model::new(seed);
        let (arms, cancels) = (1 + model.rng.below(12), 1 + model.rng.below(6));
        for _ in 0..400 {
            let choice = model.rng.below(arms + cancels + 4);
            if choice < arms {
                model.arm();
            } else if choice < arms + cancels {
                model.cancel();
            } else {
                model.advance();
            }
            model.check_getters();
        }
        model.drain();
    }
}

#[test]
fn a_crowd_in_few_slots_is_waited_for_without_spinning() {
    for seed in 0..50 {
        println!("seed {seed}");
        let mut model = Model::new(seed);
        let deadline = model.now.saturating_add(model.rng.next_u64() >> (20 + model.rng.below(30)));
        let mut crowd = Vec::new();
        for order in 0..200 {
            let deadline = deadline.saturating_add(model.rng.below(1 + (TICK << (order % 10))));
            crowd.push(model.wheel.arm(Mono(deadline), order));
            model.expected.insert((deadline / TICK, order), deadline);
        }
        // Cancelling leaves bounds that are too early; they may cost a wake-up, never a timer.
        for (order, key) in crowd.iter().enumerate().step_by(3) {
            model.wheel.cancel(*key);
            model.expected.retain(|place, _| place.1 != order as u64);
        }
        model.drain();
    }
}
