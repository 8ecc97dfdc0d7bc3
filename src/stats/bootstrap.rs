//! How sure a quantile of one run is, when requests that follow one another are alike.
//!
//! A stall, a garbage collection or a noisy neighbour makes many requests slow together, so a thousand
//! requests are worth fewer that know nothing of each other: their *effective sample size*. It is
//! worked out of the run cut into intervals. For each interval one figure is known: how many of its
//! requests lie below the quantile, beyond the share that should. Of independent requests the variance
//! of the sum of these is n q (1 - q); what it is in truth tells the block bootstrap:
//!
//! - Blocks of intervals that follow one another are drawn instead of single ones, so that what is
//!   alike stays together (Kunsch, Annals of Statistics 17, 1989), from a series bent to a ring, so
//!   that its ends count as much as its middle (Politis and Romano, "A circular block-resampling
//!   procedure", 1992). The variance over all such draws has a closed form. It is used instead of
//!   draws: what thousands of them approach, without a seed, and the same on every machine.
//! - A block has to be longer than what is alike. Its length comes from the autocorrelations, by
//!   Politis and White, Econometric Reviews 23, 2004, as corrected by Patton, Politis and White,
//!   Econometric Reviews 28, 2009. What is alike for less than one interval needs no block: it lies
//!   within one interval and shows in its figure. So the length of the intervals matters little, as
//!   long as there are many: 256 a run.
//! - The interval of the quantile lies between the order statistics that a binomial of so many requests
//!   allows (Woodruff, JASA 47, 1952; with the effective size, Korn and Graubard, Survey Methodology
//!   24, 1998): it is lopsided as the tail is, ends at values that were measured, and has no upper end
//!   where the sample cannot have one. The variance is itself estimated, of few blocks badly, which the
//!   t distribution pays for.
//!
//! How often it holds the truth, by simulation (see the tests): of independent requests 96 %; of such
//! as are alike for three intervals 89 to 94 %; for ten, which is 1/25 of the run, 80 to 86 %. A run
//! should be far longer than what disturbs it.
//!
//! What is alike within one bucket of the timeline, which is 3 % wide, cannot be seen: the quantile then
//! lies among requests that are told apart no further, and `effective` may be too large.
//!
//! Pure. Not here: what repeats of a run say (`compare`), where intervals come from (`timeline`). Start
//! at [`ranks`].

use super::beta::{at_least, rising, student};

/// How often an interval of confidence is to hold the truth.
pub const CONFIDENCE: f64 = 0.95;
/// Fewer intervals tell nothing of what is alike. Chosen: the rule for the length of a block looks
/// five intervals ahead.
pub const INTERVALS_LEAST: usize = 10;
/// What a normal distribution stays within, in its standard deviations, as often as [`CONFIDENCE`].
pub const NORMAL: f64 = 1.959_964;

/// Where a quantile lies in the sorted sample, as shares of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranks {
    /// The lower end of the interval, in 0..1; of zero, the least that was measured.
    pub low: f64,
    /// The upper end, in 0..=1; `None` where the sample does not reach that far.
    pub high: Option<f64>,
    /// So many independent requests would be worth as much: in `1..=n`.
    pub effective: f64,
    /// Intervals in a block.
    pub block: usize,
}

/// The interval of the `q`-quantile (in 0..1) of `n` requests. `excess` has for each interval of the
/// run, in their order, how many of its requests lie below the quantile, less `q` of all of them;
/// the sum is near zero. Blocks are of `block_least` intervals or more: what few requests show of a tail
/// is too little to see how long they are alike, which the median's [`block_length`] tells. `None` if
/// there are fewer than [`INTERVALS_LEAST`].
pub fn ranks(excess: &[f64], n: u64, q: f64, block_least: usize) -> Option<Ranks> {
    if excess.len() < INTERVALS_LEAST || n == 0 {
        return None;
    }
    let n = n as f64;
    let block = block_length(excess).max(block_least).min(excess.len() / 2);
    let Variance { variance, freedom } = variance_of_sum(excess, block);
    let independent = n * q * (1.0 - q);
    // Requests that are less alike than by chance, as on a grid, are not held to be worth more.
    let effective = (n * independent / variance.max(f64::MIN_POSITIVE)).clamp(1.0, n);
    let worth = if effective < n {
        (effective * (NORMAL / student(CONFIDENCE, freedom)).powi(2)).max(1.0)
    } else {
        n
    };
    let (low, high) = order_statistics(worth, q);
    Some(Ranks { low, high, effective, block })
}

/// Above so much variance the binomial is as good as normal. Chosen: they differ by under 0.1 % of
/// its width there.
const NORMAL_FROM: f64 = 10_000.0;

/// The order statistics of `n` independent requests that the `q`-quantile lies between, as shares.
fn order_statistics(n: f64, q: f64) -> (f64, Option<f64>) {
    let outside = (1.0 - CONFIDENCE) / 2.0;
    let variance = n * q * (1.0 - q);
    if variance > NORMAL_FROM {
        let width = NORMAL * variance.sqrt() / n;
        return (q - width, Some(q + width));
    }
    // The sample of rank r is above the quantile if fewer than r are below it.
    let fewer = |rank: f64| 1.0 - at_least(rank, n, q);
    let low = rising(0.0, n + 1.0, outside, fewer) / n;
    let high = rising(0.0, n + 1.0, 1.0 - outside, fewer);
    (low.min(q), (high <= n).then_some((high / n).max(q)))
}

/// The variance of a sum, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variance {
    /// In the square of the unit of the series.
    pub variance: f64,
    /// The degrees of freedom of its estimate; at least 1.
    pub freedom: f64,
}

/// The variance that the sum of `series` has over all draws of blocks of `block` from the ring, which
/// are as many as it takes to be as long as the series. Of a series about zero.
pub fn variance_of_sum(series: &[f64], block: usize) -> Variance {
    let n = series.len();
    if n == 0 {
        return Variance { variance: 0.0, freedom: 1.0 };
    }
    let block = block.clamp(1, n);
    let mean = series.iter().sum::<f64>() / n as f64;
    let at = |index: usize| series[index % n] - mean;
    let mut sum: f64 = (0..block).map(at).sum();
    let (mut squares, mut fourths) = (0.0, 0.0);
    for begin in 0..n {
        squares += sum * sum;
        fourths += sum.powi(4);
        sum += at(begin + block) - at(begin);
    }
    let square = squares / n as f64;
    let spread = fourths / n as f64 - square * square;
    // Blocks that overlap are worth 3 n / 2 b (Bartlett's window), if their sums are normal. Few blocks
    // that hold all there is of a tail are worth fewer: by moments, as Satterthwaite (1946).
    let worth = 1.5 * n as f64 / block as f64;
    let normality = if spread > 0.0 { 2.0 * square * square / spread } else { 1.0 };
    // A mean that was estimated takes the part of a block with it.
    let share = (1.0 - block as f64 / n as f64).max(1.0 / n as f64);
    Variance {
        variance: squares / block as f64 / share,
        freedom: (worth * normality.min(1.0)).max(1.0),
    }
}

/// How long blocks of `series` should be, at least 1, by the rule of Politis and White for draws from
/// a ring.
pub fn block_length(series: &[f64]) -> usize {
    let n = series.len();
    if n < INTERVALS_LEAST {
        return 1;
    }
    let covariances = covariances(series);
    if covariances[0] <= 0.0 {
        return 1;
    }
    let bandwidth = bandwidth(&covariances, n);
    let (mut spectrum, mut slope) = (covariances[0], 0.0);
    for (lag, covariance) in covariances.iter().enumerate().skip(1).take(bandwidth) {
        let weighted = 2.0 * flat_top(lag as f64 / bandwidth as f64) * covariance;
        spectrum += weighted;
        slope += lag as f64 * weighted;
    }
    // Their D for the circular bootstrap is 4/3 of the squared spectrum at zero.
    let ratio = 1.5 * slope * slope / (spectrum * spectrum).max(f64::MIN_POSITIVE);
    let length = (ratio * n as f64).cbrt();
    // Their bound.
    let most = (3.0 * (n as f64).sqrt()).min(n as f64 / 3.0).ceil();
    length.min(most).round().max(1.0) as usize
}

/// The autocovariances of as many lags as the rule may look at.
fn covariances(series: &[f64]) -> Vec<f64> {
    let n = series.len();
    let mean = series.iter().sum::<f64>() / n as f64;
    let lags = (2 * ((n as f64).sqrt().ceil() as usize + LOOK_AHEAD)).min(n - 1);
    let at_lag = |lag: usize| {
        let products = series.iter().zip(&series[lag..]).map(|(x, y)| (x - mean) * (y - mean));
        products.sum::<f64>() / n as f64
    };
    (0..=lags).map(at_lag).collect()
}

/// So many lags in a row must be insignificant. Source: Politis and White, their K_N, which is 5 up to
/// any number of intervals that a run has.
const LOOK_AHEAD: usize = 5;

/// Twice the lag from which on autocorrelations are insignificant. Source: Politis (2003), "Adaptive
/// bandwidth choice", with the constant 2.
fn bandwidth(covariances: &[f64], n: usize) -> usize {
    let bound = 2.0 * ((n as f64).log10() / n as f64).sqrt();
    let is_insignificant = |lag: usize| {
        covariances.get(lag).is_none_or(|covariance| covariance.abs() < bound * covariances[0])
    };
    let most = (n as f64).sqrt().ceil() as usize + LOOK_AHEAD;
    let last = (0..=most)
        .find(|last| (1..=LOOK_AHEAD).all(|ahead| is_insignificant(last + ahead)))
        .unwrap_or(most);
    (2 * last.max(1)).min(covariances.len() - 1)
}

/// The trapezoid that the rule weighs lags with; `share` in 0..=1.
fn flat_top(share: f64) -> f64 {
    (2.0 * (1.0 - share)).min(1.0)
}

#[cfg(test)]
mod tests;
