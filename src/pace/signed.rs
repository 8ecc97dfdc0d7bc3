//! A histogram of differences, which HdrHistogram, having no negatives, does not hold.
//!
//! Log-linear on both sides of zero: exact below 64 ns, within 0.8 % of the difference beyond.
//! Memory grows with the logarithm of the largest difference and not with the number of them. Start
//! at [`Signed::record`].

use crate::stats::log_linear::{index_of, least_of};
use crate::units::Nanos;

/// 64 steps per power of two. Chosen: 64 ns at 5 us, which is finer than any difference is known.
const STEP_BITS: u32 = 6;

/// Counts of differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// By the [bucket](index_of) of the size: of differences from zero on.
    above: Vec<u32>,
    /// The same of those below zero.
    below: Vec<u32>,
}

impl Signed {
    /// Counts `minuend - subtrahend`.
    pub fn record(&mut self, minuend: Nanos, subtrahend: Nanos) {
        let (side, size) = match minuend >= subtrahend {
            true => (&mut self.above, minuend.0 - subtrahend.0),
            false => (&mut self.below, subtrahend.0 - minuend.0),
        };
        let index = index_of::<STEP_BITS>(size);
        if side.len() <= index {
            side.resize(index + 1, 0);
        }
        side[index] = side[index].saturating_add(1);
    }

    /// Each difference in nanoseconds and how often it came, ascending.
    pub fn counts(&self) -> Vec<(i64, u64)> {
        let there = |(index, count): (usize, &u32)| {
            (*count > 0).then(|| (size_of(index), u64::from(*count)))
        };
        let below = self.below.iter().enumerate().rev().filter_map(there);
        let above = self.above.iter().enumerate().filter_map(there);
        below.map(|(size, count)| (-size, count)).chain(above).collect()
    }
}

/// The middle of a bucket.
fn size_of(index: usize) -> i64 {
    let [least, next] = [index, index + 1].map(least_of::<STEP_BITS>);
    (least + (next - least) / 2) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn every_size_stands_in_a_bucket_whose_middle_is_near_it() {
        let mut rng = Rng::new(1);
        let drawn = (0..10_000).map(|_| rng.next_u64() >> (2 + rng.below(62)));
        for size in (0..300).chain(drawn) {
            let middle = size_of(index_of::<STEP_BITS>(size)) as u64;
            assert!(middle.abs_diff(size) <= size / 127, "{size} is told as {middle}");
            assert!(index_of::<STEP_BITS>(size) <= index_of::<STEP_BITS>(size + 1), "{size}");
        }
    }

    #[test]
    fn counts_come_back_ascending_and_keep_their_sign() {
        let mut signed = Signed::default();
        for (minuend, subtrahend) in [(5, 5), (3, 10), (10, 3), (0, 50), (10, 3), (1, 0)] {
            signed.record(Nanos(minuend), Nanos(subtrahend));
        }
        assert_eq!(signed.counts(), [(-50, 1), (-7, 1), (0, 1), (1, 1), (7, 2)]);
    }

    #[test]
    fn memory_does_not_grow_with_the_count() {
        let mut signed = Signed::default();
        (0..100_000).for_each(|ns| signed.record(Nanos(ns), Nanos(50_000)));
        assert!(signed.above.len() + signed.below.len() < 2 * 64 * 12);
    }
}
