//! Which cores sleep with parked polls, so that a producer wakes exactly those, and each once.
//!
//! A core that is about to sleep sets its bit, and only then looks at the log for the last time. A
//! producer publishes, and only then looks at the bits. A fence stands between the two steps on
//! both sides, so at least one of them sees the other: either the core finds the event, or the
//! producer finds the bit. Taking the bits is a swap, so of several producers one wakes the core.

use super::sync::{AtomicU64, Ordering, fence};

/// Cores that can take part. Chosen: above any machine that one process serves from; a producer
/// looks at 16 words, two cache lines. One word under loom, which tries every order of every load.
pub const CORES_MAX: usize = if cfg!(loom) { WORD_BITS } else { 1024 };

const WORD_BITS: usize = u64::BITS as usize;

pub(super) struct Sleepers {
    words: [AtomicU64; CORES_MAX / WORD_BITS],
}

impl Sleepers {
    pub(super) fn new() -> Sleepers {
        Sleepers { words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    pub(super) fn announce(&self, core: usize) {
        self.words[core / WORD_BITS].fetch_or(1 << (core % WORD_BITS), Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn retract(&self, core: usize) {
        let word = &self.words[core / WORD_BITS];
        let bit = 1 << (core % WORD_BITS);
        // Most often a producer has taken the bit, or it was never set: no write then.
        if word.load(Ordering::Relaxed) & bit != 0 {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    pub(super) fn take(&self) -> CoresToWake<'_> {
        fence(Ordering::SeqCst);
        CoresToWake { words: self.words.iter(), first_core: 0, bits: 0, next_first: 0 }
    }
}

/// The cores that the caller, and nobody else, has to wake. Drop it half-way and the rest stays
/// asleep; run it to its end.
#[must_use = "each core it yields is asleep until the caller wakes it"]
pub struct CoresToWake<'a> {
    words: std::slice::Iter<'a, AtomicU64>,
    /// The cores of the word at hand that have not been yielded, and the core of its bit 0.
    bits: u64,
    first_core: usize,
    next_first: usize,
}

impl Iterator for CoresToWake<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            let word = self.words.next()?;
            self.first_core = self.next_first;
            self.next_first += WORD_BITS;
            // A look costs a shared cache line, a swap an exclusive one; most often nobody sleeps.
            if word.load(Ordering::Relaxed) != 0 {
                self.bits = word.swap(0, Ordering::Relaxed);
            }
        }
        let bit = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(self.first_core + bit)
    }
}
