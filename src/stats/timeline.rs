//! Response times over the course of a run: a coarse distribution for each of many short intervals.
//!
//! It is what autocorrelation and steadiness are judged by, warm-up included; no figure that is
//! printed comes from it. A request belongs to the interval in which it was due. The intervals are as
//! long as it takes to have 256 of the measured time, so memory does not grow with the run: a page of
//! 4 KiB for each interval and kind. One boundary is where measuring begins. Everything is allocated
//! and written to before the run, so that recording is an increment. Timelines of the threads of a
//! run merge exactly.
//!
//! Two times of one bucket, which is 3 % wide, are the same time here: that requests within it are alike
//! shows in nothing that follows.
//!
//! Not here: what follows from it; see `bootstrap` and `steady`. Start at [`Timeline::record`].

use super::log_linear::{index_of, least_of};
use crate::units::{Mono, Nanos};
use std::ops::Range;

/// Intervals of the measured time, and the most of the warm-up. Chosen: enough for blocks of dozens of
/// intervals that are still many; 2 MiB a kind at most.
pub const INTERVALS: u64 = 256;

/// A time is told apart to a 32nd of its octave: to 3 %.
const STEP_BITS: u32 = 5;
/// Chosen: a page. Reaches to 69 s, which is longer than any timeout is set to.
const BUCKETS: usize = 1_024;
/// What never came, and so is longer than any that did.
const INFINITE: usize = BUCKETS - 1;

/// Nothing is in it.
const NO_SPAN: Range<Mono> = Mono(0)..Mono(0);

/// When the intervals of a run begin and end. Offsets count from the start of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// What is not measured.
    pub warmup: Nanos,
    /// The length of all intervals but the first, where that is of the warm-up, and the last.
    pub step: Nanos,
    /// Intervals of the warm-up.
    pub warmups: usize,
    /// Intervals of the measured time; at least 1.
    pub measured: usize,
}

impl Grid {
    /// The grid of a run.
    pub fn new(warmup: Nanos, duration: Nanos) -> Grid {
        let step = warmup.max(duration).0.div_ceil(INTERVALS).max(1);
        Grid {
            warmup,
            step: Nanos(step),
            warmups: warmup.0.div_ceil(step) as usize,
            measured: duration.0.div_ceil(step).max(1) as usize,
        }
    }

    /// All intervals.
    pub fn intervals(&self) -> usize {
        self.warmups + self.measured
    }

    /// The interval that `offset` is in; the last of those after the end.
    fn interval_at(&self, offset: Nanos) -> usize {
        let step = self.step.0;
        match offset.0.checked_sub(self.warmup.0) {
            None => self.warmups - (self.warmup.0 - offset.0).div_ceil(step) as usize,
            Some(into) => self.warmups + ((into / step) as usize).min(self.measured - 1),
        }
    }

    /// When interval `index` begins; for the number of intervals, when the last would end if it were
    /// as long as the others.
    pub fn begin(&self, index: usize) -> Nanos {
        let step = self.step.0;
        match index.checked_sub(self.warmups) {
            None => self.warmup.saturating_sub(Nanos(step * (self.warmups - index) as u64)),
            Some(into) => Nanos(self.warmup.0 + step * into as u64),
        }
    }
}

/// The intervals of a run, for each kind of request.
#[derive(Clone, Debug)]
pub struct Timeline {
    grid: Grid,
    start: Mono,
    /// The interval of the request before, and from when to when it is. Requests come nearly in order,
    /// so most are in it too, and need no division.
    latest: usize,
    latest_span: Range<Mono>,
    /// A page of buckets for each interval, for each kind.
    counts: Vec<u32>,
}

impl Timeline {
    /// A timeline without requests, of a run that starts at zero.
    pub fn new(grid: Grid, kinds: usize) -> Timeline {
        let mut counts = vec![0; kinds * grid.intervals() * BUCKETS];
        // Each page is written to: what is only promised the kernel would provide during the run.
        counts.iter_mut().step_by(BUCKETS).for_each(|count| *std::hint::black_box(count) = 0);
        Timeline { grid, start: Mono(0), latest: 0, latest_span: NO_SPAN, counts }
    }

    /// The load starts now.
    pub fn begin(&mut self, start: Mono) {
        self.start = start;
        self.latest_span = NO_SPAN;
    }

    /// Counts a request of `kind`, which was due at `intended_at`; `None` if it never came.
    pub fn record(&mut self, kind: usize, intended_at: Mono, response: Option<Nanos>) {
        if !self.latest_span.contains(&intended_at) {
            self.look_up(intended_at);
        }
        let interval = self.latest;
        let bucket = response.map_or(INFINITE, bucket_of);
        let at = (kind * self.grid.intervals() + interval) * BUCKETS + bucket;
        self.counts[at] = self.counts[at].saturating_add(1);
    }

    #[cold]
    fn look_up(&mut self, intended_at: Mono) {
        self.latest = self.grid.interval_at(intended_at.saturating_since(self.start));
        let [begin, end] =
            [self.latest, self.latest + 1].map(|at| self.start + self.grid.begin(at));
        self.latest_span = begin..end;
    }

    /// Adds what another thread of the same run recorded.
    pub fn merge(&mut self, other: &Timeline) {
        assert_eq!(self.grid, other.grid, "threads of one run share its horizon");
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*other);
        }
    }

    /// When its intervals are.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The intervals of several kinds together, from the start of the load.
    pub fn rows(&self, kinds: impl Iterator<Item = usize>) -> Rows {
        let length = self.grid.intervals() * BUCKETS;
        let kinds: Vec<&[u32]> =
            kinds.map(|kind| &self.counts[kind * length..(kind + 1) * length]).collect();
        let mut occupied = vec![false; BUCKETS];
        for row in kinds.iter().flat_map(|counts| counts.chunks_exact(BUCKETS)) {
            occupied.iter_mut().zip(row).for_each(|(any, count)| *any |= *count > 0);
        }
        occupied[INFINITE] = true;
        let buckets: Vec<usize> = (0..BUCKETS).filter(|bucket| occupied[*bucket]).collect();
        let sum = |at: usize| kinds.iter().map(|counts| u64::from(counts[at])).sum();
        let counts = (0..length)
            .step_by(BUCKETS)
            .flat_map(|row| buckets.iter().map(move |bucket| row + bucket))
            .map(sum)
            .collect();
        Rows { buckets, counts }
    }
}

/// Intervals, one after the other.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The buckets that any of them has a request in, and the last.
    buckets: Vec<usize>,
    /// Of each interval, a count for each of these.
    counts: Vec<u64>,
}

impl Rows {
    /// Those from interval `first` on.
    pub fn from(&self, first: usize) -> Rows {
        let first = (first * self.buckets.len()).min(self.counts.len());
        Rows { buckets: self.buckets.clone(), counts: self.counts[first..].to_vec() }
    }

    /// The first `count` of them.
    pub fn until(&self, count: usize) -> Rows {
        let last = (count * self.buckets.len()).min(self.counts.len());
        Rows { buckets: self.buckets.clone(), counts: self.counts[..last].to_vec() }
    }

    fn each(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks(self.buckets.len())
    }

    /// Requests in each interval.
    pub fn requests(&self) -> Vec<u64> {
        self.each().map(|row| row.iter().sum()).collect()
    }

    /// All intervals together.
    fn sum(&self) -> Vec<u64> {
        let mut sum = vec![0; self.buckets.len()];
        for row in self.each() {
            sum.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        sum
    }

    /// How many requests of each interval lie below the `q`-quantile of all of them, less `q` of the
    /// interval's: what [`super::bootstrap::ranks`] takes.
    pub fn excess(&self, q: f64) -> Vec<f64> {
        let (at, share) = place(&self.sum(), q);
        let of_row = |row: &[u64]| {
            let below: u64 = row[..at].iter().sum();
            let all: u64 = row.iter().sum();
            below as f64 + share * row[at] as f64 - q * all as f64
        };
        self.each().map(of_row).collect()
    }

    /// The `q`-quantile in nanoseconds, to 3 %; infinite if it never came. `None` of no requests.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let sum = self.sum();
        if sum.iter().all(|count| *count == 0) {
            return None;
        }
        let (at, share) = place(&sum, q);
        Some(match self.buckets[at] {
            INFINITE => f64::INFINITY,
            bucket => {
                let (low, high) = (lowest_of(bucket), lowest_of(bucket + 1));
                low + share * (high - low)
            }
        })
    }

    /// For each interval, the sum over its requests of the share of `reference` that is faster, which
    /// is one half where they are alike: the ridit of Bross (Biometrics 14, 1958). No request, however
    /// slow, weighs more than one.
    pub fn ridits(&self, reference: &Rows) -> Vec<f64> {
        let sum = reference.sum();
        let all = sum.iter().sum::<u64>().max(1) as f64;
        let mut faster = vec![0.0; BUCKETS];
        let (mut below, mut counts) = (0, reference.buckets.iter().zip(&sum).peekable());
        for (bucket, share) in faster.iter_mut().enumerate() {
            let count = counts.next_if(|(of, _)| **of == bucket).map_or(0, |(_, count)| *count);
            *share = (below as f64 + count as f64 / 2.0) / all;
            below += count;
        }
        let of_row = |row: &[u64]| {
            let shares = self.buckets.iter().map(|bucket| faster[*bucket]);
            row.iter().zip(shares).map(|(count, share)| *count as f64 * share).sum()
        };
        self.each().map(of_row).collect()
    }
}

/// Which of the counts holds rank `q` of all, and the share of its samples that are below it.
fn place(sum: &[u64], q: f64) -> (usize, f64) {
    let rank = q * sum.iter().sum::<u64>() as f64;
    let mut below = 0.0;
    for (at, count) in sum.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            return (at, (rank - below) / count);
        }
        below += count;
    }
    (sum.len() - 1, 1.0)
}

fn bucket_of(span: Nanos) -> usize {
    index_of::<STEP_BITS>(span.0).min(INFINITE - 1)
}

/// The shortest time of a bucket, in nanoseconds.
fn lowest_of(bucket: usize) -> f64 {
    least_of::<STEP_BITS>(bucket) as f64
}

#[cfg(test)]
mod tests;
