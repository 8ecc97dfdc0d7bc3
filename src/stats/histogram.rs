//! Latencies in nanoseconds as a histogram in which a request that never came counts as +infinity.
//!
//! A thin type over HdrHistogram: 1 ns to 1 h to three significant digits. What HdrHistogram
//! rounds though it need not, this type keeps exactly beside it: the least, the greatest, the mean.
//! A server cannot look fast by dropping its slow answers: [`Histogram::record_infinite`] counts
//! them above every finite rank. Histograms are merged, exactly; quantiles are never averaged.
//!
//! Not here: confidence intervals and comparisons. Start at [`Histogram::quantile`].

use crate::units::Nanos;

/// The longest latency that quantiles tell apart. Chosen: a run's timeout is seconds; with three
/// digits the counts up to here take 264 KiB.
pub const LONGEST: Nanos = Nanos::from_secs(3_600);

/// Significant digits of a quantile. Chosen: an error of at most 0.1 %, below any noise floor.
const DIGITS: u8 = 3;

/// A distribution of latencies.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: hdrhistogram::Histogram<u64>,
    /// Exact, and meaningless while `counts` is empty.
    least: u64,
    greatest: u64,
    /// Of all finite samples. 128 bits hold 2^64 of the longest.
    sum: u128,
    infinite: u64,
    /// For how long those at +infinity were waited for, at most.
    waited: u64,
    saturated: u64,
}

/// What a [`Histogram`] keeps beside HdrHistogram's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The least and the greatest finite sample, if there is one.
    pub range: Option<(Nanos, Nanos)>,
    /// The sum of the finite samples in nanoseconds.
    pub sum: u128,
    /// Samples at +infinity.
    pub infinite: u64,
    /// For how long one of them was waited for, at most; zero if that is not known.
    pub waited: Nanos,
    /// Samples above [`LONGEST`].
    pub saturated: u64,
}

/// The value at a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// It was measured.
    Finite(Nanos),
    /// It belongs to a request that failed or never finished: longer than the longest observed.
    Infinite,
    /// There are no samples.
    Empty,
}

impl Quantile {
    /// The value, if there is a finite one.
    pub fn finite(self) -> Option<Nanos> {
        match self {
            Quantile::Finite(value) => Some(value),
            Quantile::Infinite | Quantile::Empty => None,
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

impl Histogram {
    /// A histogram without samples. Allocates all its counts now, so that recording never does.
    pub fn new() -> Histogram {
        let counts = hdrhistogram::Histogram::new_with_bounds(1, LONGEST.0, DIGITS)
            .expect("the bounds are constants that HdrHistogram allows");
        Histogram { counts, least: 0, greatest: 0, sum: 0, infinite: 0, waited: 0, saturated: 0 }
    }

    /// Counts one latency. One above [`LONGEST`] counts as that in quantiles, and in
    /// [`Histogram::saturated`].
    pub fn record(&mut self, latency: Nanos) {
        if self.counts.is_empty() || latency.0 < self.least {
            self.least = latency.0;
        }
        self.greatest = self.greatest.max(latency.0);
        self.sum += u128::from(latency.0);
        self.saturated += u64::from(latency > LONGEST);
        self.counts.saturating_record(latency.0.min(LONGEST.0));
    }

    /// Counts one request that failed or never finished.
    pub fn record_infinite(&mut self) {
        self.infinite += 1;
    }

    /// Counts one that had been waited for so long when it failed, or was given up.
    pub fn record_infinite_after(&mut self, waited: Nanos) {
        self.infinite += 1;
        self.waited = self.waited.max(waited.0);
    }

    /// Counts so many.
    pub fn record_infinite_many(&mut self, count: u64) {
        self.infinite += count;
    }

    /// Forgets all samples and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.reset(); // its `clear` would keep the greatest, which an interval log shows
        (self.least, self.greatest, self.sum) = (0, 0, 0);
        (self.infinite, self.waited, self.saturated) = (0, 0, 0);
    }

    /// Adds all samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Histogram) {
        if !other.counts.is_empty() {
            let least = other.least;
            self.least = if self.counts.is_empty() { least } else { self.least.min(least) };
            self.greatest = self.greatest.max(other.greatest);
        }
        self.sum += other.sum;
        self.infinite += other.infinite;
        self.waited = self.waited.max(other.waited);
        self.saturated += other.saturated;
        self.counts.add(&other.counts).expect("all histograms have the same bounds");
    }

    /// Everything that HdrHistogram does not keep.
    pub fn beside(&self) -> Beside {
        let range = (!self.counts.is_empty()).then_some((Nanos(self.least), Nanos(self.greatest)));
        Beside {
            range,
            sum: self.sum,
            infinite: self.infinite,
            waited: Nanos(self.waited),
            saturated: self.saturated,
        }
    }

    /// What [`Histogram::hdr`] and [`Histogram::beside`] give, put together again. Without `beside`
    /// the least, the greatest and the mean are HdrHistogram's, to three digits.
    ///
    /// # Errors
    /// A sentence, if `counts` has other buckets than ours, or the two do not belong together.
    pub fn from_parts(
        counts: hdrhistogram::Histogram<u64>,
        beside: Option<Beside>,
    ) -> Result<Histogram, String> {
        if (counts.sigfig(), counts.low()) != (DIGITS, 1) {
            return Err(format!(
                "its buckets are others: {} digits from {}, where ringpace has {DIGITS} from 1 to \
                 {} ns",
                counts.sigfig(),
                counts.low(),
                LONGEST.0
            ));
        }
        let mut own = Histogram::new();
        own.counts.add(&counts).map_err(|_| "its samples are longer than one hour".to_string())?;
        let (least, greatest) = (own.counts.min(), own.counts.max());
        let beside = beside.unwrap_or_else(|| Beside {
            range: (!own.counts.is_empty()).then_some((Nanos(least), Nanos(greatest))),
            sum: (own.counts.mean() * own.counts.len() as f64) as u128,
            infinite: 0,
            waited: Nanos::ZERO,
            saturated: 0,
        });
        let fits = match beside.range {
            None => own.counts.is_empty() && beside.sum == 0,
            Some((low, high)) => {
                !own.counts.is_empty()
                    && low <= high
                    && own.counts.equivalent(low.0.min(LONGEST.0), least)
                    && own.counts.equivalent(high.0.min(LONGEST.0), greatest)
            }
        };
        if !fits {
            return Err(String::from("its least and greatest sample are not of its buckets"));
        }
        let (low, high) = beside.range.unwrap_or_default();
        (own.least, own.greatest, own.sum) = (low.0, high.0, beside.sum);
        (own.infinite, own.waited) = (beside.infinite, beside.waited.0);
        own.saturated = beside.saturated;
        Ok(own)
    }

    /// Samples, those at +infinity included.
    pub fn count(&self) -> u64 {
        self.counts.len() + self.infinite
    }

    /// Samples at +infinity.
    pub fn infinite(&self) -> u64 {
        self.infinite
    }

    /// Samples above [`LONGEST`]; quantiles that fall on them are too low.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The sample of rank `ceil(q * count)`, at least 1, where those at +infinity rank last. `q` is
    /// in 0..=1, else the nearer end is meant.
    ///
    /// As HdrHistogram reports it: the highest value that it does not tell apart from the sample,
    /// which is at most 0.1 % above; but the first and the last finite rank are exact.
    pub fn quantile(&self, q: f64) -> Quantile {
        let (count, finite) = (self.count(), self.counts.len());
        if count == 0 {
            return Quantile::Empty;
        }
        // The double below q: 0.07 * 100 is a little over 7 in doubles, and rank 7 is meant.
        let rank = (q.clamp(0.0, 1.0).next_down() * count as f64).ceil().max(1.0) as u64;
        if rank > finite {
            return Quantile::Infinite;
        }
        let value = match rank {
            1 => self.least,
            _ if rank == finite => self.greatest,
            _ => {
                // Half a rank lower, so that no rounding can reach the next one.
                let q_of_finite = (rank as f64 - 0.5) / finite as f64;
                let value = self.counts.value_at_quantile(q_of_finite);
                value.clamp(self.least, self.greatest)
            }
        };
        Quantile::Finite(Nanos(value))
    }

    /// The least sample, exactly.
    pub fn min(&self) -> Quantile {
        self.quantile(0.0)
    }

    /// The greatest sample, exactly; infinite as soon as one is.
    pub fn max(&self) -> Quantile {
        self.quantile(1.0)
    }

    /// The mean, exactly but for the fraction of a nanosecond; infinite as soon as one sample is.
    pub fn mean(&self) -> Quantile {
        if self.infinite > 0 {
            return Quantile::Infinite;
        }
        match self.sum.checked_div(u128::from(self.counts.len())) {
            // A mean of 64-bit samples has 64 bits.
            Some(mean) => Quantile::Finite(Nanos(mean as u64)),
            None => Quantile::Empty,
        }
    }

    /// The longest time observed, exactly: the longest finite sample, or for how long one at +infinity
    /// was waited for. What an infinite quantile is longer than.
    pub fn longest_observed(&self) -> Option<Nanos> {
        match self.greatest.max(self.waited) {
            0 if self.counts.is_empty() => None,
            longest => Some(Nanos(longest)),
        }
    }

    /// The finite samples, for writers of HdrHistogram's own formats.
    pub fn hdr(&self) -> &hdrhistogram::Histogram<u64> {
        &self.counts
    }
}

#[cfg(test)]
mod tests;
