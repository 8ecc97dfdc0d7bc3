//! What is fuzzed, and what must hold for any input: one function `run` per target.
//!
//! The targets of `tools/fuzz/fuzz_targets` hand libFuzzer's inputs to them; on stable Rust
//! `tests/corpora.rs` hands them every row of the conformance suite and every input that is kept in
//! `tools/fuzz/corpus`. A body panics when its property is broken and does nothing else. The first
//! two octets of an input choose its settings and where it is cut, the rest is what is read.
//!
//! Start at [`TARGETS`].

#![allow(dead_code, reason = "each target uses its own part of this module")]

pub(crate) mod answer;
pub(crate) mod chunked;
pub(crate) mod connection;
pub(crate) mod events;
pub(crate) mod head;
pub(crate) mod wheel;

use ringpace::rng::Rng;

/// A property that must hold for any input; panics if it does not.
pub(crate) type Body = fn(&[u8]);

/// Every target by its name.
pub(crate) const TARGETS: [(&str, Body); 6] = [
    ("head", head::run),
    ("chunked", chunked::run),
    ("connection", connection::run),
    ("answer", answer::run),
    ("wheel", wheel::run),
    ("events", events::run),
];

/// The two octets that choose, and what is to be read.
fn split_choice(input: &[u8]) -> Option<([u8; 2], &[u8])> {
    input.split_first_chunk().map(|(choice, rest)| (*choice, rest))
}

/// `bytes` in pieces: all single octets for the seed 0, else of random lengths around 1 to 64.
fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut rng = Rng::new(u64::from(seed));
    let longest = 1 + rng.below(64);
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let len = if seed == 0 { 1 } else { 1 + rng.below(longest) as usize };
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Numbers taken off the front of an input, for targets that are told what to do.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of any magnitude: six bits of mantissa from one octet, its exponent from another.
    fn number(&mut self) -> Option<u64> {
        let (mantissa, exponent) = (self.octet()?, self.octet()?);
        Some(u64::from(mantissa).checked_shl(u32::from(exponent) % 57).unwrap_or(0))
    }
}
