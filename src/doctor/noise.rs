//! The machine's own noise: how often, and for how long, a thread that only spins is kept from running.
//!
//! One thread spins on each chosen CPU, all at once, as server and pacer will; the gaps between its
//! readings of the clock are the noise floor. No latency below it can be measured there.
//! Start at [`listen`].

use super::finding::{Finding, Severity};
use crate::clock::Clock;
use crate::io::topology;
use crate::stats::histogram::Histogram;
use crate::units::Nanos;
use serde::{Deserialize, Serialize};

/// The gaps of one CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The CPU.
    pub cpu: usize,
    /// How long it spun.
    pub spun_ns: u64,
    /// Quantiles of the time between two readings of the clock. Half of them are undisturbed, so this
    /// is what a reading and its record cost.
    pub p50_ns: u64,
    /// As above.
    pub p99_ns: u64,
    /// As above.
    pub p99_9_ns: u64,
    /// The longest gap.
    pub max_ns: u64,
    /// Gaps longer than 10 us, a second.
    pub over_10us_per_s: f64,
    /// Gaps longer than 100 us, a second.
    pub over_100us_per_s: f64,
    /// Gaps longer than 1 ms, a second.
    pub over_1ms_per_s: f64,
    /// The share of the time that gaps longer than 10 us took, in 0..=1.
    pub lost_share: f64,
}

/// What counts as a gap, and the classes that it is counted in. Chosen: below 10 us are cache misses,
/// ticks and system management, which no figure of this project can tell from the server's own work.
const CLASSES: [Nanos; 3] =
    [Nanos::from_micros(10), Nanos::from_micros(100), Nanos::from_millis(1)];

/// Spins on all of `cpus` at once for `span`. A CPU that cannot be pinned to is left out.
pub(super) fn listen(clock: &(impl Clock + Sync), cpus: &[usize], span: Nanos) -> Vec<Noise> {
    let spin_on = |cpu: usize| {
        topology::pin_current_thread(cpu).ok()?;
        Some(spin(clock, cpu, span))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = cpus.iter().map(|cpu| scope.spawn(move || spin_on(*cpu))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    })
}

fn spin(clock: &impl Clock, cpu: usize, span: Nanos) -> Noise {
    let mut gaps = Histogram::new();
    let (mut counts, mut lost) = ([0_u64; CLASSES.len()], Nanos::ZERO);
    let begin = clock.now();
    let (until, mut last) = (begin + span, begin);
    while last < until {
        let now = clock.now();
        let gap = now.saturating_since(last);
        last = now;
        gaps.record(gap);
        if gap > CLASSES[0] {
            lost += gap;
            for (count, class) in counts.iter_mut().zip(CLASSES) {
                *count += u64::from(gap > class);
            }
        }
    }
    summarise(cpu, &gaps, counts, lost, last.saturating_since(begin))
}

fn summarise(
    cpu: usize,
    gaps: &Histogram,
    counts: [u64; CLASSES.len()],
    lost: Nanos,
    spun: Nanos,
) -> Noise {
    let at = |q: f64| gaps.quantile(q).finite().unwrap_or(Nanos::ZERO).0;
    let seconds = spun.as_secs_f64().max(f64::MIN_POSITIVE);
    let [over_10us_per_s, over_100us_per_s, over_1ms_per_s] =
        counts.map(|count| count as f64 / seconds);
    Noise {
        cpu,
        spun_ns: spun.0,
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p99_9_ns: at(0.999),
        max_ns: at(1.0),
        over_10us_per_s,
        over_100us_per_s,
        over_1ms_per_s,
        lost_share: lost.as_secs_f64() / seconds,
    }
}

/// Chosen: a request arrives within a gap with the probability that is the lost share; so one in a
/// hundred is in p99, one in a thousand in p99.9.
const BAD_SHARE: f64 = 0.01;
const WARN_SHARE: f64 = 0.001;

pub(super) fn findings(noise: &[Noise]) -> Vec<Finding> {
    let worst = noise.iter().max_by(|a, b| a.lost_share.total_cmp(&b.lost_share));
    let Some(worst) = worst else { return Vec::new() };
    let severity = match worst.lost_share {
        share if share >= BAD_SHARE => Severity::Bad,
        share if share >= WARN_SHARE => Severity::Warn,
        _ => Severity::Good,
    };
    let seen = format!(
        "A spinning thread lost {:.3} % of its time on CPU {}, its longest gap {}.",
        100.0 * worst.lost_share,
        worst.cpu,
        Nanos(worst.max_ns)
    );
    let why = "A request that arrives in a gap is late by the rest of it. Above 0.1 % lost, p99.9 shows \
               the machine and not the server; above 1 %, p99 does. Mend what stands here, then look \
               again.";
    vec![Finding::new(severity, "noise-floor", seen, why)]
}

#[cfg(test)]
mod tests;
