//! Whole histograms as text, for results that can be added up later: HdrHistogram's V2 format in
//! base 64 (RFC 4648 section 4), and beside it what that format does not keep.
//!
//! Whatever a file holds is decoded or refused in a sentence. Start at [`encode`] and [`decode`].

use crate::results::Encoded;
use crate::stats::{Beside, Histogram};
use crate::units::Nanos;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

/// Counts above this are no counts of requests. Chosen: thousands of them add up within 64 bits.
const COUNT_MAX: u64 = 1 << 50;

/// `histogram`, whole.
pub fn encode(histogram: &Histogram) -> Encoded {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram.hdr(), &mut bytes)
        .expect("a histogram within its bounds can be written to memory");
    let Beside { range, sum, infinite, waited, saturated } = histogram.beside();
    Encoded {
        v2: to_base64(&bytes),
        range_ns: range.map(|(least, greatest)| (least.0, greatest.0)),
        sum_ns: sum.to_string(),
        infinite,
        waited_ns: waited.0,
        saturated,
    }
}

/// The histogram that was encoded; a sentence if there is none in it.
pub fn decode(encoded: &Encoded) -> Result<Histogram, String> {
    let counts = decode_v2(&encoded.v2)?;
    let sum = encoded.sum_ns.parse().map_err(|_| "`sum_ns` is no number".to_string())?;
    if encoded.infinite.max(encoded.saturated) > COUNT_MAX {
        return Err(String::from("it counts more requests than there can be"));
    }
    let beside = Beside {
        range: encoded.range_ns.map(|(least, greatest)| (Nanos(least), Nanos(greatest))),
        sum,
        infinite: encoded.infinite,
        waited: Nanos(encoded.waited_ns),
        saturated: encoded.saturated,
    };
    Histogram::from_parts(counts, Some(beside))
}

/// A histogram of an interval log; a sentence if there is none in it.
pub fn decode_v2(text: &str) -> Result<hdrhistogram::Histogram<u64>, String> {
    let bytes = from_base64(text).ok_or("it is not base 64")?;
    let counts: hdrhistogram::Histogram<u64> = Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("it is no histogram: {error}"))?;
    match counts.len() <= COUNT_MAX {
        true => Ok(counts),
        false => Err(String::from("it counts more requests than there can be")),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => text.push(char::from(ALPHABET[(bits >> (18 - 6 * digit)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut bits = 0u32;
        for digit in chunk {
            let value = ALPHABET.iter().position(|other| other == digit)?;
            bits = bits << 6 | value as u32;
        }
        bits <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn base_64_is_that_of_the_rfc() {
        // RFC 4648 section 10.
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let encoded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (plain, expected) in vectors.iter().zip(encoded) {
            assert_eq!(to_base64(plain.as_bytes()), expected);
            assert_eq!(from_base64(expected).as_deref(), Some(plain.as_bytes()));
        }
        for wrong in ["Z", "Zg", "Zg=", "Z===", "====", "Z\u{e9}=", "Zm9v\n"] {
            assert_eq!(from_base64(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_histogram_comes_back_whole() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut histogram = Histogram::new();
            for _ in 0..rng.below(200) {
                let bits = rng.below(45);
                histogram.record(Nanos(rng.below(1 << bits)));
            }
            for _ in 0..rng.below(3) {
                histogram.record_infinite_after(Nanos(rng.below(1 << 40)));
            }
            let back = decode(&encode(&histogram)).unwrap();
            assert_eq!(back.hdr(), histogram.hdr(), "seed {seed}");
            assert_eq!(back.beside(), histogram.beside(), "seed {seed}");
        }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Encoded), says: &str) {
        let mut histogram = Histogram::new();
        histogram.record(Nanos(1_000));
        histogram.record(Nanos(9_000));
        let mut encoded = encode(&histogram);
        change(&mut encoded);
        let error = decode(&encoded).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn what_is_no_histogram_of_ours_is_refused() {
        let coarse = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000_000, 2).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&coarse, &mut bytes).unwrap();
        refused(|encoded| encoded.v2 = to_base64(&bytes), "buckets are others: 2 digits");
        refused(|encoded| encoded.v2 = "AAAA".into(), "no histogram");
        refused(|encoded| encoded.v2.push('!'), "base 64");
        refused(|encoded| encoded.sum_ns = "-1".into(), "sum_ns");
        refused(|encoded| encoded.range_ns = None, "least and greatest");
        refused(|encoded| encoded.range_ns = Some((9_000, 1_000)), "least and greatest");
        refused(|encoded| encoded.infinite = u64::MAX, "more requests");
    }
}
