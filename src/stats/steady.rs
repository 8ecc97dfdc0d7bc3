//! Whether the response times of a run had become steady, and how long that took.
//!
//! A server that was just started is slow at first: caches, allocators, compilers. What is measured
//! then is not what a longer run would measure. Two questions, warm-up included in both:
//!
//! - *Where does the transient end?* MSER-5 (White, Simulation 69, 1997): of means over five intervals
//!   each, so many are left out at the start that the standard error of the rest is least. It asks for
//!   no parameter, and did best of its kind (White, Cobb and Spratt, WSC 2000). It always has an
//!   answer, also where there is no transient, so one is believed only if what was left out differs
//!   from the rest.
//! - *Is there a drift over what is measured?* The first third against the last (Geweke, Bayesian
//!   Statistics 4, 1992), which would see also what MSER, looking for a start, does not.
//!
//! Both compare with the variance of the block bootstrap, since neighbours are alike, and both believe
//! a difference only if it is beyond chance *and* of [`CHANGE_LEAST`] of the p50: with enough requests
//! everything is beyond chance. They do not look at times but at ridits, the share of the run's
//! requests of the same kind that are faster. A stall of milliseconds then weighs as much as its
//! requests are many, however slow, and a mix of fast and slow requests is no noise.
//!
//! Pure. Not here: tails that settle later than the bulk; intervals (`timeline`). Start at [`judge`].

use super::beta::student;
use super::bootstrap::{INTERVALS_LEAST, block_length, variance_of_sum};
use super::timeline::{Grid, Rows};
use crate::units::Nanos;

/// A change of the p50 by less is no transient and no drift. Chosen: below what repeats of a run
/// differ by on any machine but a quiet one; claims are about more.
pub const CHANGE_LEAST: f64 = 0.05;
/// How sure a difference is to be. Chosen: each run is asked twice, and a bench has dozens.
const CONFIDENCE: f64 = 0.999;
/// Intervals in a batch. Source: White, the 5 of MSER-5.
const BATCH: usize = 5;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Steady before measuring began, and as long as it lasted.
    Steady,
    /// It became steady, or may have, only after measuring began: the warm-up is too short.
    Late,
    /// It changed over the measured time.
    Drifts,
}

/// Whether a run had become steady.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steadiness {
    /// Whether, and if not, how.
    pub finding: Finding,
    /// From the start of the load until it was; `None` if that cannot be said.
    pub after: Option<Nanos>,
    /// By what share the p50 is higher: before than after, or at the end than at the beginning. Of
    /// requests of several kinds, the mean of theirs.
    pub change: f64,
}

/// Judges a run by the intervals of each of its kinds, from the start of the load. `None` if too few
/// of its measured intervals have requests.
pub fn judge(kinds: &[Rows], grid: Grid) -> Option<Steadiness> {
    let course = Course::new(kinds, grid.warmups);
    let last = course.counts.len();
    let measured = course.counts.get(grid.warmups..)?;
    if measured.iter().filter(|count| **count > 0.0).count() < INTERVALS_LEAST {
        return None;
    }
    let transient = course.transient();
    let change = course.change((0, transient), (transient, last));
    let is_real = transient > 0 && course.differ((0, transient), (transient, last), change);
    let until = if is_real { transient } else { 0 };
    if until > grid.warmups {
        // What is left out may be half at most, and so may be too little.
        let is_over = 2 * (until + BATCH) <= last;
        let after = is_over.then(|| grid.begin(until));
        return Some(Steadiness { finding: Finding::Late, after, change });
    }
    let third = measured.len() / 3;
    let (first, end) = ((grid.warmups, grid.warmups + third), (last - third, last));
    let drift = course.change(end, first);
    if course.differ(first, end, drift) {
        return Some(Steadiness { finding: Finding::Drifts, after: None, change: drift });
    }
    let change = if is_real { change } else { 0.0 };
    Some(Steadiness { finding: Finding::Steady, after: Some(grid.begin(until)), change })
}

/// Intervals from the start of the load: the first, and the one after the last.
type Part = (usize, usize);

/// A run in its intervals.
struct Course<'r> {
    kinds: &'r [Rows],
    /// The sum of the ridits of each interval, of all kinds.
    ridits: Vec<f64>,
    /// Its requests.
    counts: Vec<f64>,
}

impl<'r> Course<'r> {
    /// Ridits are among the requests of the same kind in the measured time.
    fn new(kinds: &'r [Rows], warmups: usize) -> Course<'r> {
        let mut course = Course { kinds, ridits: Vec::new(), counts: Vec::new() };
        for rows in kinds {
            let (ridits, counts) = (rows.ridits(&rows.from(warmups)), rows.requests());
            course.ridits.resize(ridits.len(), 0.0);
            course.counts.resize(ridits.len(), 0.0);
            course.ridits.iter_mut().zip(ridits).for_each(|(sum, ridit)| *sum += ridit);
            course.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count as f64);
        }
        course
    }

    /// How many intervals MSER-5 leaves out, half of them at most.
    fn transient(&self) -> usize {
        let batches: Vec<f64> = self
            .ridits
            .chunks(BATCH)
            .zip(self.counts.chunks(BATCH))
            .map(|(ridits, counts)| mean(ridits, counts).unwrap_or(0.5))
            .collect();
        let (mut sum, mut squares, mut kept) = (0.0, 0.0, 0.0);
        let (mut best, mut least) = (0, f64::INFINITY);
        // From the end, so that every batch is added once.
        for (left_out, mean) in batches.iter().enumerate().rev() {
            sum += mean;
            squares += mean * mean;
            kept += 1.0;
            let error = (squares - sum * sum / kept).max(0.0) / (kept * kept);
            if 2 * left_out <= batches.len() && error <= least {
                (best, least) = (left_out, error);
            }
        }
        best * BATCH
    }

    /// By what share the p50 of `part` is above that of `other`: the mean over the kinds, by their
    /// requests.
    fn change(&self, part: Part, other: Part) -> f64 {
        let (mut sum, mut weight) = (0.0, 0.0);
        for rows in self.kinds {
            let cut = |(begin, end): Part| rows.until(end).from(begin);
            let (part, other) = (cut(part), cut(other));
            if let (Some(p50), Some(of_other)) = (part.quantile(0.5), other.quantile(0.5)) {
                let change = p50 / of_other.max(1.0) - 1.0;
                let count = part.requests().iter().sum::<u64>() as f64;
                sum += if change.is_finite() { count * change } else { 0.0 };
                weight += count;
            }
        }
        if weight > 0.0 { sum / weight } else { 0.0 }
    }

    /// Whether `part` differs from `other`, which is the longer one, by more than chance and by
    /// enough to matter.
    fn differ(&self, part: Part, other: Part, change: f64) -> bool {
        let cut = |(begin, end): Part| (&self.ridits[begin..end], &self.counts[begin..end]);
        let ((ridits, counts), (of_other, others)) = (cut(part), cut(other));
        let (Some(level), Some(other_level)) = (mean(ridits, counts), mean(of_other, others))
        else {
            return false;
        };
        let (n, m) = (counts.iter().sum::<f64>(), others.iter().sum::<f64>());
        let noise = noise((of_other, others), other_level);
        let own = noise_if_long((ridits, counts), level);
        // A change within one of the two is not noise, so the calmer one tells what noise is.
        let (variance, freedom) = own.filter(|own| own.0 < noise.0).unwrap_or(noise);
        let error = (variance * (1.0 / n + 1.0 / m)).sqrt();
        let is_beyond_chance = (level - other_level).abs() > error * student(CONFIDENCE, freedom);
        change.abs() >= CHANGE_LEAST && is_beyond_chance
    }
}

/// Ridits of intervals, and their requests.
type Cut<'r> = (&'r [f64], &'r [f64]);

/// The variance of a request about `level`, with what it shares with its neighbours, and its degrees
/// of freedom.
fn noise((ridits, counts): Cut<'_>, level: f64) -> (f64, f64) {
    let residuals: Vec<f64> =
        ridits.iter().zip(counts).map(|(sum, count)| sum - level * count).collect();
    let found = variance_of_sum(&residuals, block_length(&residuals));
    (found.variance / counts.iter().sum::<f64>(), found.freedom)
}

/// The same, if there are enough intervals to tell.
fn noise_if_long(cut: Cut<'_>, level: f64) -> Option<(f64, f64)> {
    (cut.0.len() >= 2 * INTERVALS_LEAST).then(|| noise(cut, level))
}

/// The mean ridit of some intervals; `None` without requests.
fn mean(ridits: &[f64], counts: &[f64]) -> Option<f64> {
    let count: f64 = counts.iter().sum();
    (count > 0.0).then(|| ridits.iter().sum::<f64>() / count)
}

#[cfg(test)]
mod tests;
