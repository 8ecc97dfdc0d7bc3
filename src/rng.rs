//! Seeded, reproducible random numbers: SplitMix64 and nothing else.
//!
//! Two faces. [`mix64`] is stateless: the k-th draw of a seed, whoever asks and in whatever order,
//! which is what lets N pacer threads share one sequence. [`Rng`] is the usual stream.
//! Not for secrets.

/// SplitMix64's finaliser: a bijection of 64 bits whose output passes for random.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
pub const fn mix64(seed: u64, k: u64) -> u64 {
    let mut z = seed.wrapping_add(k.wrapping_add(1).wrapping_mul(GOLDEN));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The odd integer nearest 2^64 / golden ratio, SplitMix64's step.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A seeded stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    drawn: u64,
}

impl Rng {
    /// The stream of `seed`; equal seeds give equal streams on every machine.
    pub const fn new(seed: u64) -> Rng {
        Rng { seed, drawn: 0 }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let bits = mix64(self.seed, self.drawn);
        self.drawn = self.drawn.wrapping_add(1);
        bits
    }

    /// A number in `0..bound`. The bias of the multiply-shift is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing lies below zero");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with probability `p` (0..=1).
    pub fn chance(&mut self, p: f64) -> bool {
        unit_f64(self.next_u64()) < p
    }
}

/// 64 random bits as a number in `0.0..1.0`, with all 53 bits a double can hold.
pub fn unit_f64(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_splitmix64() {
        // The reference stream of seed 1234567, from the algorithm's public test vector.
        let mut rng = Rng::new(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            got,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rng = Rng::new(7);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[rng.below(10) as usize] = true;
        }
        assert!(seen.iter().all(|s| *s));
    }
}
