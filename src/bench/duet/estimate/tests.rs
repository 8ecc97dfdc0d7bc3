//! Simulated servers that differ by a known time, on a machine whose noise hits both.

use super::*;
use crate::results::duet::Block;
use crate::rng::unit_f64;
use std::collections::BTreeMap;

const BLOCKS: usize = 32;

/// Two servers and the machine below them; times in nanoseconds.
#[derive(Clone, Copy)]
struct World {
    /// By how much A is slower.
    shift: f64,
    /// By how much whoever goes first is slower.
    order: f64,
    /// How far a restart moves a server as a whole.
    restart: f64,
    /// How far the machine moves neighbouring requests together.
    shared: f64,
    /// How far each answer strays by itself.
    own: f64,
    restarts: usize,
    pairs: usize,
    /// Of a pair's half, that it fails: A's, B's.
    failing: [f64; 2],
}

const QUIET: World = World {
    shift: 0.0,
    order: 2_000.0,
    restart: 300.0,
    shared: 50_000.0,
    own: 15_000.0,
    restarts: 6,
    pairs: 400,
    failing: [0.0, 0.0],
};

/// About normal: the sum of twelve draws from 0..1, less their mean.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| unit_f64(rng.next_u64())).sum::<f64>() - 6.0
}

/// Skewed, as latencies are; its mean is 1.
fn exponential(rng: &mut Rng) -> f64 {
    -(1.0 - unit_f64(rng.next_u64())).ln()
}

impl World {
    fn pairs(&self, seed: u64) -> Vec<Pairs> {
        let mut rng = Rng::new(seed);
        (0..self.restarts).map(|_| self.restart(&mut rng)).collect()
    }

    fn restart(&self, rng: &mut Rng) -> Pairs {
        let layouts = [0, 1].map(|_| self.restart * normal(rng));
        let mut blocks = vec![[(); 2].map(|()| Books::default()); BLOCKS];
        let mut machine = 0.0;
        for pair in 0..self.pairs {
            machine = 0.95 * machine + 0.3 * self.shared * normal(rng);
            let a_first = rng.chance(0.5);
            let [a, b] = [0, 1].map(|side| {
                let is_first = a_first == (side == 0);
                let first = if is_first { self.order } else { 0.0 };
                // The machine has moved on a little by the second.
                let machine = machine + 2_000.0 * normal(rng);
                machine + layouts[side] + first + self.own * exponential(rng)
            });
            let failed = self.failing.map(|share| rng.chance(share));
            let books = &mut blocks[pair * BLOCKS / self.pairs][usize::from(!a_first)];
            books.record(a + self.shift - b, failed);
        }
        let blocks = blocks.into_iter().map(|[a_first, b_first]| Block {
            a_first: a_first.finish(),
            b_first: b_first.finish(),
        });
        let kind = KindPairs { name: String::from("status"), blocks: blocks.collect() };
        Pairs { block_s: 0.1, unpaired: 0, requests: vec![kind] }
    }

    /// What is found of the response time.
    fn finding(&self, seed: u64) -> DuetFinding {
        let [response, service] =
            findings("1000", &self.pairs(seed), 3, seed).try_into().expect("one kind, two times");
        assert_eq!((&*response.time, &*service.time), ("response", "service"));
        response
    }

    /// In how many of twenty worlds `expected` is found, and how often the interval holds the truth.
    fn told(&self, expected: Finding) -> (u32, u32) {
        let findings = (0..20).map(|seed| self.finding(seed));
        findings.fold((0, 0), |(told, held), found| {
            let Interval { low_ns, high_ns, .. } = found.interval.expect("there are pairs");
            let holds = low_ns <= Some(self.shift) && Some(self.shift) <= high_ns;
            (told + u32::from(found.finding == expected), held + u32::from(holds))
        })
    }
}

#[derive(Clone, Default)]
struct Books {
    counts: BTreeMap<i64, u64>,
    cell: Cell,
}

impl Books {
    fn record(&mut self, difference: f64, failed: [bool; 2]) {
        match failed {
            // As coarse as the pacer's own.
            [false, false] => *self.counts.entry(difference as i64 / 64 * 64).or_default() += 1,
            [true, false] => self.cell.only_a_failed += 1,
            [false, true] => self.cell.only_b_failed += 1,
            [true, true] => self.cell.both_failed += 1,
        }
    }

    fn finish(self) -> Cell {
        Cell { response_ns: self.counts.into_iter().collect(), ..self.cell }
    }
}

#[test]
fn a_server_and_itself_are_not_told_apart_whatever_the_machine_does_to_both() {
    let (told, held) = QUIET.told(Finding::HoldsZero);
    assert!(told >= 19 && held == told, "{told} of 20");
    let wild = World { shared: 500_000.0, restart: 2_000.0, ..QUIET };
    let (told, _) = wild.told(Finding::HoldsZero);
    assert!(told >= 19, "{told} of 20");
}

#[test]
fn a_server_that_is_slower_by_5_us_is_found_to_be_and_by_how_much() {
    let (told, held) = World { shift: 5_000.0, ..QUIET }.told(Finding::Higher);
    assert!(told >= 19 && held >= 19, "{told} of 20, and {held} intervals hold 5 us");
    let (told, held) = World { shift: -5_000.0, ..QUIET }.told(Finding::Lower);
    assert!(told >= 19 && held >= 19, "{told} of 20, and {held} intervals hold -5 us");
}

#[test]
fn what_going_first_does_is_told_by_itself_and_is_not_in_the_difference() {
    let found = World { order: 20_000.0, ..QUIET }.finding(1);
    let interval = found.order_interval.expect("there are pairs");
    assert!(interval.low_ns <= Some(20_000.0) && interval.high_ns >= Some(20_000.0), "{found:?}");
    assert!(interval.low_ns > Some(15_000.0), "{found:?}");
    assert_eq!(found.finding, Finding::HoldsZero, "{found:?}");
}

#[test]
fn what_restarts_move_a_server_by_widens_the_interval() {
    let width = |world: World| {
        let interval = world.finding(3).interval.expect("there are pairs");
        interval.high_ns.unwrap() - interval.low_ns.unwrap()
    };
    assert!(width(World { restart: 20_000.0, ..QUIET }) > 3.0 * width(QUIET));
    assert!(width(World { restarts: 2, ..QUIET }) > 5.0 * width(QUIET), "two tell little");
}

#[test]
fn failures_are_compared_and_stand_in_the_difference_as_longer_than_any() {
    let found = World { failing: [0.1, 0.0], ..QUIET }.finding(1);
    assert!(found.only_a_failed > 150 && found.only_b_failed == 0, "{found:?}");
    assert_eq!(found.failures, Finding::Higher);
    assert!(found.difference_ns > QUIET.finding(1).difference_ns, "{found:?}");
    let both = World { failing: [0.05, 0.05], ..QUIET }.finding(1);
    assert_eq!(both.failures, Finding::HoldsZero, "{both:?}");
    assert_eq!(both.pairs + both.both_failed, 6 * 400);
    let always = World { failing: [1.0, 1.0], ..QUIET }.finding(1);
    assert_eq!((always.pairs, always.a_first, always.both_failed), (0, 0, 6 * 400));
    let most = World { failing: [0.0, 0.8], ..QUIET }.finding(1);
    assert_eq!((most.difference_ns, most.interval), (None, None), "{most:?}");
    assert_eq!((most.finding, most.failures), (Finding::TooFewRequests, Finding::Lower));
}

#[test]
fn failures_of_one_restart_tell_nothing_of_the_servers() {
    let restart = |(only_a_failed, only_b_failed)| {
        let a_first = Cell { only_a_failed, only_b_failed, ..Cell::default() };
        let blocks = vec![Block { a_first, b_first: Cell::default() }];
        KindPairs { name: String::from("status"), blocks }
    };
    let check = |alone: &[(u64, u64)], expected: Finding| {
        let kinds: Vec<KindPairs> = alone.iter().copied().map(restart).collect();
        let kinds: Vec<&KindPairs> = kinds.iter().collect();
        assert_eq!(judged_failures(&kinds, family(2)), expected, "{alone:?}");
    };
    let mut burst = [(0, 0); 10];
    burst[3] = (12, 1);
    check(&burst, Finding::HoldsZero);
    check(&[(500, 0)], Finding::TooFewRepeats);
    // By the toss of a coin.
    check(&[(1, 0); 3], Finding::HoldsZero);
    check(&[(400, 10), (390, 0), (410, 3)], Finding::Higher);
    check(&[(1, 9); 10], Finding::Lower);
    check(&[(0, 0); 3], Finding::HoldsZero);
}

#[test]
fn few_pairs_are_no_finding_and_the_same_seed_finds_the_same() {
    let few = World { restarts: 2, pairs: 10, shift: 1e9, ..QUIET }.finding(1);
    assert_eq!(few.finding, Finding::TooFewRequests);
    assert_eq!(findings("1000", &[], 1, 1), []);
    let none = findings("1000", &[Pairs::default()], 1, 1);
    assert_eq!(none, []);
    assert_eq!(QUIET.finding(5), QUIET.finding(5));
}
