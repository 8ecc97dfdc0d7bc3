//! Duets: which of two servers an arrival is for, and what the answers of a pair differ by.
//!
//! Arrivals 2p and 2p + 1 are pair p: one and the same request, once for server A and once for B. Who
//! goes first is drawn from the seed for every pair, so what the first suffers, or has to warm up,
//! hits both alike. A pair ends when both have; what failed is counted beside the differences and
//! never left out. Memory does not depend on the length of the run: time is cut into [`BLOCKS`].
//! Source: Bulej, Horky, Tuma, Farquet, Prokopec, "Duet Benchmarking: Improving Measurement Accuracy
//! in the Cloud", ICPE 2020. Pure. Not here: what differences come to (see `bench::duet`). Start at
//! [`side_of`] and [`PairBook::handle_settled`].

use super::signed::Signed;
use crate::results::duet::{Block, Cell, KindPairs, Pairs};
use crate::rng::mix64;
use crate::units::{Mono, Nanos};
use std::collections::BTreeMap;

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first that was named.
    A,
    /// The second.
    B,
}

impl Side {
    /// Both, A first.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// In names of files.
    pub fn name(self) -> &'static str {
        match self {
            Side::A => "a",
            Side::B => "b",
        }
    }
}

/// Keeps the order in pairs apart from the draws of arrivals and mix, which have the same seed.
const ORDER_STREAM: u64 = 0xD0E7;

/// How many blocks the measured time is cut into. Chosen: enough of them to draw from, and each long
/// against what makes one answer like the next (some ten requests).
pub const BLOCKS: usize = 32;

/// The server that arrival `k` is for.
pub fn side_of(seed: u64, k: u64) -> Side {
    match a_goes_first(seed, k / 2) == k.is_multiple_of(2) {
        true => Side::A,
        false => Side::B,
    }
}

fn a_goes_first(seed: u64, pair: u64) -> bool {
    mix64(mix64(seed, ORDER_STREAM), pair) & 1 == 0
}

/// One request of a pair that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The number of the pair.
    pub pair: u64,
    /// Index of its kind in the mix.
    pub kind: usize,
    /// When it was due.
    pub intended_at: Mono,
    /// Response and service time; `None` if it was not answered as expected.
    pub answered: Option<(Nanos, Nanos)>,
}

/// Brings the halves of pairs together.
#[derive(Debug)]
pub struct PairBook {
    seed: u64,
    measured_from: Mono,
    block: Nanos,
    /// By kind; of each its blocks.
    kinds: Vec<Vec<BlockBook>>,
    /// Pairs of which one half has ended, by number; as many as are in flight.
    open: BTreeMap<u64, (Side, Settled)>,
}

/// A block of time, by who went first.
#[derive(Clone, Debug, Default)]
struct BlockBook {
    a_first: CellBook,
    b_first: CellBook,
}

#[derive(Clone, Debug, Default)]
struct CellBook {
    response: Signed,
    service: Signed,
    only_a_failed: u64,
    only_b_failed: u64,
    both_failed: u64,
}

impl PairBook {
    /// No pairs of so many `kinds` yet; `duration` is what will be measured from `measured_from` on.
    pub fn new(kinds: usize, seed: u64, measured_from: Mono, duration: Nanos) -> PairBook {
        PairBook {
            seed,
            measured_from,
            block: Nanos((duration.0 / BLOCKS as u64).max(1)),
            kinds: vec![vec![BlockBook::default(); BLOCKS]; kinds],
            open: BTreeMap::new(),
        }
    }

    /// A measured request for `side` has ended.
    pub fn handle_settled(&mut self, side: Side, settled: Settled) {
        let Some((other_side, other)) = self.open.remove(&settled.pair) else {
            self.open.insert(settled.pair, (side, settled));
            return;
        };
        debug_assert!(other_side != side && other.kind == settled.kind, "each half ends once");
        let begun = settled.intended_at.min(other.intended_at);
        let block = begun.saturating_since(self.measured_from).0 / self.block.0;
        let block = &mut self.kinds[settled.kind][(block as usize).min(BLOCKS - 1)];
        let cell = match a_goes_first(self.seed, settled.pair) {
            true => &mut block.a_first,
            false => &mut block.b_first,
        };
        match side {
            Side::A => cell.record(settled.answered, other.answered),
            Side::B => cell.record(other.answered, settled.answered),
        }
    }

    /// All pairs, once both servers' requests have ended; `names` are those of the kinds.
    pub fn finish<'n>(self, names: impl Iterator<Item = &'n str>) -> Pairs {
        let of_kind = |(name, blocks): (&str, Vec<BlockBook>)| KindPairs {
            name: String::from(name),
            blocks: blocks.into_iter().map(BlockBook::finish).collect(),
        };
        Pairs {
            block_s: self.block.as_secs_f64(),
            unpaired: self.open.len() as u64,
            requests: names.zip(self.kinds).map(of_kind).collect(),
        }
    }
}

impl BlockBook {
    fn finish(self) -> Block {
        Block { a_first: self.a_first.finish(), b_first: self.b_first.finish() }
    }
}

impl CellBook {
    fn record(&mut self, a: Option<(Nanos, Nanos)>, b: Option<(Nanos, Nanos)>) {
        match (a, b) {
            (Some(a), Some(b)) => {
                self.response.record(a.0, b.0);
                self.service.record(a.1, b.1);
            }
            (None, Some(_)) => self.only_a_failed += 1,
            (Some(_), None) => self.only_b_failed += 1,
            (None, None) => self.both_failed += 1,
        }
    }

    fn finish(self) -> Cell {
        Cell {
            response_ns: self.response.counts(),
            service_ns: self.service.counts(),
            only_a_failed: self.only_a_failed,
            only_b_failed: self.only_b_failed,
            both_failed: self.both_failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_both_servers_and_each_goes_first_in_half_of_them() {
        const PAIRS: u64 = 10_000;
        let mut orders = Vec::new();
        for seed in 0..20 {
            let sides = (0..PAIRS).map(|pair| {
                let [first, second] = [2 * pair, 2 * pair + 1].map(|k| side_of(seed, k));
                assert_ne!(first, second, "seed {seed}, pair {pair}");
                first
            });
            let sides: Vec<Side> = sides.collect();
            let a_first = sides.iter().filter(|side| **side == Side::A).count() as u64;
            // Five standard deviations of a fair coin.
            assert!(a_first.abs_diff(PAIRS / 2) < 250, "seed {seed}: {a_first}");
            assert!(!orders.contains(&sides), "seed {seed} is not the first with this order");
            orders.push(sides);
        }
    }

    const DAWN: Mono = Mono(1_000);

    fn settled(pair: u64, at: u64, answered: Option<u64>) -> Settled {
        let answered = answered.map(|ns| (Nanos(ns), Nanos(ns / 2)));
        Settled { pair, kind: 0, intended_at: Mono(DAWN.0 + at), answered }
    }

    /// The pairs of a run of 320 ns: its blocks are 10 ns long.
    fn book(settled: &[(Side, Settled)]) -> Pairs {
        let mut book = PairBook::new(1, 7, DAWN, Nanos(320));
        settled.iter().for_each(|(side, settled)| book.handle_settled(*side, *settled));
        book.finish(["status"].into_iter())
    }

    #[test]
    fn a_difference_is_of_a_less_b_whoever_ends_first() {
        let halves = [(Side::A, settled(3, 15, Some(100))), (Side::B, settled(3, 16, Some(60)))];
        let [one, other] = halves;
        let pairs = book(&halves);
        assert_eq!(pairs, book(&[other, one]));
        let block = &pairs.requests[0].blocks[1];
        let (cell, empty) = match a_goes_first(7, 3) {
            true => (&block.a_first, &block.b_first),
            false => (&block.b_first, &block.a_first),
        };
        assert_eq!((&*cell.response_ns, &*cell.service_ns), (&[(40, 1)][..], &[(20, 1)][..]));
        assert_eq!(empty, &Cell::default());
        assert_eq!(pairs.requests[0].blocks.len(), BLOCKS);
    }

    #[test]
    fn failures_and_halves_without_a_partner_are_counted() {
        let pairs = book(&[
            (Side::A, settled(0, 0, None)),
            (Side::B, settled(0, 1, Some(5))),
            (Side::B, settled(1, 2, None)),
            (Side::A, settled(1, 3, None)),
            (Side::B, settled(2, 4, None)),
            (Side::A, settled(2, 5, Some(5))),
            (Side::B, settled(9, 319, Some(5))),
        ]);
        assert_eq!(pairs.unpaired, 1);
        let cells = pairs.requests[0].blocks.iter().flat_map(|b| [&b.a_first, &b.b_first]);
        let counts = cells.map(|c| [c.only_a_failed, c.only_b_failed, c.both_failed, c.pairs()]);
        let total = counts.fold([0; 4], |total, cell| [0, 1, 2, 3].map(|i| total[i] + cell[i]));
        assert_eq!(total, [1, 1, 1, 3]);
    }

    #[test]
    fn what_is_due_after_the_planned_end_is_of_the_last_block() {
        let halves = [(Side::A, settled(0, 5_000, Some(1))), (Side::B, settled(0, 5_001, Some(1)))];
        let last = book(&halves).requests[0].blocks[BLOCKS - 1].clone();
        assert_eq!(last.a_first.pairs() + last.b_first.pairs(), 1);
    }
}
