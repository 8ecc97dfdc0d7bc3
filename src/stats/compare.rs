//! Whether two sets of repeats differ, by how much, and how sure that is.
//!
//! A repeat is one figure of one run, such as its p99. Two repeats of the same server differ by more
//! than the requests inside a run can tell (Treadmill, ISCA 2016), so the repeats are the sample, and
//! there are few.
//!
//! **Paired**, where repeat k of the one was made within minutes of repeat k of the other: what the
//! machine did over the hour is in both, and falls out of their difference. If the two are the same
//! server, it is as likely to fall on either side of zero, whatever its distribution. Enough pairs take
//! the median of their means (Hodges and Lehmann, 1963) with the exact interval of the signed-rank test
//! (Wilcoxon, 1945), which supposes no more than that; 6 pairs give 95 %. Fewer cannot: all signs of 3
//! are alike in one of four cases. They take the mean with Student's interval: exact for a normal
//! distribution, and wider than it need be for one that is symmetric with heavier tails (Benjamini,
//! JASA 78, 1983). Three pairs that agree by accident do not count for more than the runs themselves
//! can say: the error is at least that which the block bootstrap found within them (Hartung and Knapp,
//! Statistics in Medicine 20, 2001; the bound, Roever, Knapp and Friede, BMC Medical Research
//! Methodology 15, 2015).
//!
//! **Unpaired**, as two benches are: the median of the differences of every pair, with the interval
//! that belongs to the rank-sum test (Mann and Whitney, 1947). It is exact for any distribution, and
//! one strange repeat of seven does not spoil it. A bootstrap of the repeats would be neither: of three
//! against three, its "95 %" interval ends at the extremes too, and misses in one case of ten. So few
//! cannot give more than this confidence: 3 against 3 90 %, 4 against 4 97 %.
//!
//! What is reached is said with the interval. Of many intervals of 95 % one in twenty misses: a
//! difference that stands alone among many figures may be chance; [`family`] is for what is said of all
//! together. Of runs too few for either, only what they themselves say can be told: see [`apart`].
//!
//! Pure. Not here: intervals within one run. Start at [`paired`] and [`compare`].

use super::beta::student;
use super::bootstrap::NORMAL;

/// With more repeats an interval gets narrower, not surer.
pub use super::bootstrap::CONFIDENCE;

/// Chosen: what three repeats against three reach; an interval that misses more often is not shown.
const CONFIDENCE_LEAST: f64 = 0.9;
/// Up to so many repeats a side the ranks are counted, beyond it their normal limit is used. Chosen:
/// counts stay below 2^57, and the limit is within a thousandth there.
const COUNTED_MAX: usize = 30;
/// Degrees of freedom from which on Student's t is normal to all digits that matter. Chosen.
const NORMAL_FROM: f64 = 1e6;

/// What [`compare`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// New minus base, in their unit; infinite if new has no finite repeat and base has.
    pub shift: f64,
    /// Where the shift lies; `None` with too few repeats, or some that are infinite. An end may be
    /// infinite.
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
    /// Some differences of few are infinite, and so have neither mean nor interval.
    Infinite,
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
    let interval = interval(&differences, base.len(), new.len()).ok_or(Doubt::FewRepeats);
    Difference { shift, interval: interval.ok(), finding: finding(shift, interval, error) }
}

/// Compares repeats that were made in pairs, by the difference of each, new less base: it may be
/// infinite, never NaN. `within` is the variance of each that its two runs themselves state, shorter if
/// some do not. A difference up to `error` is not believed. An interval holds the truth as often as
/// `confidence` says, in 0..1.
pub fn paired(differences: &[f64], within: &[f64], error: f64, confidence: f64) -> Difference {
    let (shift, interval) = paired_interval(differences, within, confidence);
    Difference { shift, interval: interval.ok(), finding: finding(shift, interval, error) }
}

/// A confidence in whole per cent, as it is shown: rounded down, for it is at least that.
pub fn percent(confidence: f64) -> f64 {
    (100.0 * confidence + 1e-9).floor()
}

/// Where the new less base lies if base lies in one interval and new in the other, each of
/// [`CONFIDENCE`]; `None` if it may be nothing, or not more than `error`. However the two go together,
/// both hold in as many cases as is said (Bonferroni, 1936).
pub fn apart(base: (f64, f64), new: (f64, f64), error: f64) -> Option<Interval> {
    let interval = Interval {
        low: minus(new.0, base.1),
        high: minus(new.1, base.0),
        confidence: 2.0 * CONFIDENCE - 1.0,
    };
    (interval.low > error || interval.high < -error).then_some(interval)
}

/// The confidence that each of so many intervals needs, for all of them to hold the truth in
/// [`CONFIDENCE`] of all cases (Bonferroni, 1936).
pub fn family(intervals: usize) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / intervals.max(1) as f64
}

fn paired_interval(
    differences: &[f64],
    within: &[f64],
    confidence: f64,
) -> (f64, Result<Interval, Doubt>) {
    let n = differences.len();
    let certain = |low: f64, high: f64, confidence: f64| Ok(Interval { low, high, confidence });
    let reach = 1.0 - 2.0 / 2f64.powi(n as i32);
    if n >= 2 && reach >= confidence {
        let means = walsh(differences);
        let (outside, reached) = signed_rank(n, confidence);
        let ends = (means[outside], means[means.len() - 1 - outside]);
        return (median(&means), certain(ends.0, ends.1, reached));
    }
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    if n < 2 {
        return (median(&sorted), Err(Doubt::FewRepeats));
    }
    if sorted.iter().any(|difference| difference.is_infinite()) {
        // All repeats of the one came, and none of the other; or else there is no mean.
        let shift = median(&sorted);
        let interval = match sorted[0] == sorted[n - 1] {
            true if n >= PAIRS_OF_INFINITE => certain(shift, shift, confidence),
            true => Err(Doubt::FewRepeats),
            false => Err(Doubt::Infinite),
        };
        return (shift, interval);
    }
    let count = n as f64;
    let mean = sorted.iter().sum::<f64>() / count;
    let square = |difference: &f64| (difference - mean) * (difference - mean);
    let between = sorted.iter().map(square).sum::<f64>() / (count - 1.0) / count;
    let within =
        within.iter().filter(|variance| variance.is_finite()).sum::<f64>() / (count * count);
    let width = student(confidence, count - 1.0) * between.max(within).sqrt();
    (mean, certain(mean - width, mean + width, confidence))
}

/// So many pairs of which one side never came are no chance. Chosen: a bench's default of repeats.
const PAIRS_OF_INFINITE: usize = 3;

/// The means of every two differences, each with itself too, sorted.
fn walsh(differences: &[f64]) -> Vec<f64> {
    let mut means = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (at, one) in differences.iter().enumerate() {
        for other in &differences[at..] {
            let mean = one / 2.0 + other / 2.0;
            // Of two opposite infinities nothing is known.
            means.push(if mean.is_nan() { 0.0 } else { mean });
        }
    }
    means.sort_by(f64::total_cmp);
    means
}

/// How many of these means are left out at either end, and the confidence of what is between.
fn signed_rank(n: usize, confidence: f64) -> (usize, f64) {
    let sums = n * (n + 1) / 2;
    if n > COUNTED_MAX {
        let n = n as f64;
        let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        let width = student(confidence, NORMAL_FROM) * spread;
        return ((sums as f64 / 2.0 - width).max(0.0) as usize, confidence);
    }
    // In how many of all signs the positive ranks sum up to exactly so much.
    let mut counts = vec![0.0; sums + 1];
    counts[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=sums).rev() {
            counts[sum] += counts[sum - rank];
        }
    }
    outside(&counts, confidence)
}

/// What may be said of a shift.
fn finding(shift: f64, interval: Result<Interval, Doubt>, error: f64) -> Finding {
    match interval {
        Err(doubt) => Finding::CannotTell(doubt),
        Ok(Interval { low, high, .. }) if low <= 0.0 && high >= 0.0 => {
            Finding::CannotTell(Doubt::HoldsZero)
        }
        Ok(_) if shift.abs() <= error => Finding::CannotTell(Doubt::Error),
        Ok(_) if shift > 0.0 => Finding::Higher,
        Ok(_) => Finding::Lower,
    }
}

/// `new` less `base`; two repeats without end are equal as far as anybody knows.
pub fn minus(new: f64, base: f64) -> f64 {
    if new == base { 0.0 } else { new - base }
}

/// Of an even number, the middle of the two in the middle; zero of none.
fn median(sorted: &[f64]) -> f64 {
    match super::middle(sorted) {
        None => 0.0,
        Some((low, high)) if low == high => low,
        // Between the two infinities lies nothing known.
        Some((low, high)) if low.is_infinite() && high.is_infinite() => 0.0,
        // Halved one by one: half of an infinite distance would be taken from an infinity.
        Some((low, high)) => low / 2.0 + high / 2.0,
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
        return ((m * n / 2.0 - NORMAL * spread).max(0.0) as usize, CONFIDENCE);
    }
    outside(&rank_sum_counts(m, n), CONFIDENCE)
}

/// The most that may be left out at either end for `confidence` to be kept, or nothing, and what is
/// kept then. `counts` says in how many cases the statistic of the test is exactly so much.
fn outside(counts: &[f64], confidence: f64) -> (usize, f64) {
    let all: f64 = counts.iter().sum();
    let mut tail = counts[0];
    let mut outside = 0;
    while 1.0 - 2.0 * (tail + counts[outside + 1]) / all >= confidence {
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
