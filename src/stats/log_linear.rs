//! Buckets for counts: equal steps within each power of two, so that a bucket is as wide as a fixed
//! share of what it holds.
//!
//! With `BITS`, an octave has 2^BITS steps: whole numbers below twice as many have a bucket each, and
//! all others lie within a 2^BITS-th of their octave. HdrHistogram's scheme, for counts that it does not
//! hold: of differences, or of many intervals in few bytes. Pure arithmetic. Start at [`index_of`].

/// The bucket of `value`.
#[inline]
pub fn index_of<const BITS: u32>(value: u64) -> usize {
    let octaves = (u64::BITS - value.leading_zeros()).saturating_sub(BITS + 1);
    ((u64::from(octaves) << BITS) + (value >> octaves)) as usize
}

/// The least value of bucket `index`, which a value has.
pub fn least_of<const BITS: u32>(index: usize) -> u64 {
    let index = index as u64;
    let octaves = (index >> BITS).saturating_sub(1);
    (index - (octaves << BITS)) << octaves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<const BITS: u32>(value: u64) {
        let index = index_of::<BITS>(value);
        let (least, next) = (least_of::<BITS>(index), least_of::<BITS>(index + 1));
        assert!((least..next).contains(&value), "{value} in {least}..{next}");
        assert!(next - least <= 1 + (least >> BITS), "{least}..{next} is wide");
    }

    #[test]
    fn a_bucket_holds_its_value_and_is_a_fixed_share_of_it_wide() {
        for value in (0..1_000).chain((0..60).flat_map(|bit| [1 << bit, (1 << bit) - 1, 5 << bit]))
        {
            check::<5>(value);
            check::<6>(value);
        }
    }
}
