//! What perf counts of a process over a window: counts that only rise, noted with the time, as the other
//! counters of the sampler are. Start at [`PerfSeries::usage`].

use super::between;
use crate::io::perf::PerfCounters;
use crate::results::bench::PerfUsage;
use crate::units::Mono;
use std::collections::BTreeMap;

type Counts = BTreeMap<&'static str, u64>;

/// The counts of a process at every sample.
#[derive(Debug, Default)]
pub(super) struct PerfSeries {
    counters: PerfCounters,
    samples: Vec<(Mono, Counts)>,
}

impl PerfSeries {
    /// Counts these threads, and what they start.
    pub(super) fn attach(threads: &[u32]) -> PerfSeries {
        PerfSeries { counters: PerfCounters::attach(threads), samples: Vec::new() }
    }

    pub(super) fn sample(&mut self, now: Mono) {
        let counts = self.counters.read();
        self.samples.push((now, counts));
    }

    /// What was counted from `begin` until `until`, which lie between the first and the last sample.
    pub(super) fn usage(&self, begin: Mono, until: Mono) -> PerfUsage {
        let (from, to) = (self.at(begin), self.at(until));
        let count = |(name, to): (&'static str, u64)| {
            let from = from.get(name).copied().unwrap_or(0);
            (name.to_owned(), to.saturating_sub(from))
        };
        PerfUsage {
            counts: to.into_iter().map(count).collect(),
            notes: self.counters.notes().to_vec(),
        }
    }

    /// The counts at `when`, between two samples by their share of the time.
    fn at(&self, when: Mono) -> Counts {
        let Some(after) = self.samples.iter().position(|(at, _)| *at >= when) else {
            return self.samples.last().map(|(_, counts)| counts.clone()).unwrap_or_default();
        };
        let (right_at, right) = &self.samples[after];
        let Some((left_at, left)) = after.checked_sub(1).map(|left| &self.samples[left]) else {
            return right.clone();
        };
        let share = (when - *left_at).as_secs_f64() / (*right_at - *left_at).as_secs_f64();
        let mix = |(name, right): (&&'static str, &u64)| {
            (*name, between(left.get(name).copied().unwrap_or(0), *right, share))
        };
        right.iter().map(mix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_gets_what_was_counted_in_it() {
        let samples = [(1, 100), (2, 200), (4, 600)].map(|(second, count)| {
            (Mono(second * 1_000_000_000), Counts::from([("page_faults", count)]))
        });
        let series = PerfSeries { counters: PerfCounters::default(), samples: samples.to_vec() };
        let usage = |begin: u64, until: u64| {
            let half = 500_000_000;
            series.usage(Mono(begin * half), Mono(until * half)).counts["page_faults"]
        };
        assert_eq!(usage(2, 4), 100);
        assert_eq!(usage(3, 6), 250);
        assert_eq!(usage(2, 8), 500);
        assert!(PerfSeries::default().usage(Mono(1), Mono(2)).counts.is_empty());
    }
}
