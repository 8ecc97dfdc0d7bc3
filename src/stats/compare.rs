//! Whether two sets of repeats differ, by how much, and how sure that is.
//!
//! A repeat is one figure of one run, such as its p99. Two repeats of the same server differ by more
//! than the requests inside a run can tell (Treadmill, ISCA 2016), so the repeats are the sample, and
//! there are few. What is estimated is the shift from the one set to the other: the median of the
//! differences of every pair (Hodges and Lehmann, 1963), with the interval that belongs to the rank-sum
//! test (Mann and Whitney, 1947). It is exact for any distribution, and one strange repeat of seven
//! does not spoil it. A bootstrap would be neither: of three repeats against three, its "95 %" interval
//! ends at the extremes too, and misses in one case of ten.
//!
//! So few repeats cannot give more than this confidence: 3 against 3 90 %, 4 against 4 97 %. What is
//! reached is said with the interval. Of many intervals of 90 % one in ten misses: a difference that
//! stands alone among many figures may be chance.
//!
//! Pure. Not here: intervals within one run. Start at [`compare`].

/// The confidence that is aimed at; with more repeats the interval gets narrower, not surer.
const CONFIDENCE: f64 = 0.95;
/// Chosen: what three repeats against three reach; an interval that misses more often is not shown.
const CONFIDENCE_LEAST: f64 = 0.9;
/// Up to so many repeats a side the ranks are counted, beyond it their normal limit is used. Chosen:
/// counts stay below 2^57, and the limit is within a thousandth there.
const COUNTED_MAX: usize = 30;
/// What [`compare`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// New minus base, in their unit; infinite if new has no finite repeat and base has.
    pub shift: f64,
    /// Where the shift lies; `None` with too few repeats. An end may be infinite.
    pub interval: Option<Interval>,
    /// What may be said.
    pub finding: Finding,
}

/// An interval of confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How often such an interval holds the truth, in 0..=1.
    pub confidence: f64,
}

/// What may be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// New is higher than base.
    Higher,
    /// New is lower than base.
    Lower,
    /// They cannot be told apart.
    CannotTell(Doubt),
}

/// Why two sets cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There are too few repeats for any interval worth its name.
    FewRepeats,
    /// The interval holds zero.
    HoldsZero,
    /// The difference is not larger than the error of the instrument.
    Error,
}

/// Compares the repeats of `new` with those of `base`. A repeat may be `f64::INFINITY`; none is NaN.
/// A difference up to `error`, the instrument's own and not negative, is not believed.
pub fn compare(base: &[f64], new: &[f64], error: f64) -> Difference {
    let mut differences: Vec<f64> =
        new.iter().flat_map(|new| base.iter().map(|base| minus(*new, *base))).collect();
    differences.sort_by(f64::total_cmp);
    let shift = median(&differences);
    let interval = interval(&differences, base.len(), new.len());
    let finding = match interval {
        None => Finding::CannotTell(Doubt::FewRepeats),
        Some(Interval { low, high, .. }) if low <= 0.0 && high >= 0.0 => {
            Finding::CannotTell(Doubt::HoldsZero)
        }
        Some(_) if shift.abs() <= error => Finding::CannotTell(Doubt::Error),
        Some(_) if shift > 0.0 => Finding::Higher,
        Some(_) => Finding::Lower,
    };
    Difference { shift, interval, finding }
}

/// Two repeats without end are equal as far as anybody knows.
fn minus(new: f64, base: f64) -> f64 {
    if new == base { 0.0 } else { new - base }
}

/// Of an even number, the middle of the two in the middle; zero of none.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted {
        [] => 0.0,
        _ if sorted.len() % 2 == 1 || sorted[middle] == sorted[middle - 1] => sorted[middle],
        // Between the two infinities lies nothing known.
        _ if sorted[middle - 1].is_infinite() && sorted[middle].is_infinite() => 0.0,
        _ => sorted[middle - 1] + (sorted[middle] - sorted[middle - 1]) / 2.0,
    }
}

/// The interval of the shift, of the sorted differences of all pairs of `m` and `n` repeats.
fn interval(differences: &[f64], m: usize, n: usize) -> Option<Interval> {
    if m == 0 || n == 0 {
        return None;
    }
    let (outside, confidence) = left_out(m, n);
    let (low, high) = (differences[outside], differences[differences.len() - 1 - outside]);
    (confidence >= CONFIDENCE_LEAST).then_some(Interval { low, high, confidence })
}

/// How many differences are left out at either end, and the confidence of what is between: the most
/// that keep [`CONFIDENCE`].
fn left_out(m: usize, n: usize) -> (usize, f64) {
    if m.max(n) > COUNTED_MAX {
        let (m, n) = (m as f64, n as f64);
        let spread = (m * n * (m + n + 1.0) / 12.0).sqrt();
        // The 0.975 quantile of the normal distribution.
        return ((m * n / 2.0 - 1.959_964 * spread).max(0.0) as usize, CONFIDENCE);
    }
    let counts = rank_sum_counts(m, n);
    let all: f64 = counts.iter().sum();
    let mut tail = counts[0];
    let mut outside = 0;
    while 1.0 - 2.0 * (tail + counts[outside + 1]) / all >= CONFIDENCE {
        outside += 1;
        tail += counts[outside];
    }
    (outside, 1.0 - 2.0 * tail / all)
}

/// In how many of the orders of `m` and `n` values exactly u pairs are inverted, for u in `0..=m * n`:
/// the coefficients of the Gaussian binomial, as the product of (1 - q^(n+i)) / (1 - q^i).
fn rank_sum_counts(m: usize, n: usize) -> Vec<f64> {
    let mut counts = vec![0.0; m * n + 1];
    counts[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..counts.len()).rev() {
            counts[u] -= counts[u - n - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
    }
    counts
}

#[cfg(test)]
mod tests;
