//! Puts the repeats of each target at each rate together, and sets the targets side by side.
//!
//! The figure is the median of the repeats; every repeat is kept beside it. INVALID repeats take no
//! part, since their figures are the pacer's or the machine's, unless there is nothing else.
//! Quantiles are never averaged over requests; for an even number of repeats the median is the
//! mean of the two in the middle. Pure. Not here: intervals; see `difference`.

use super::difference::{differences, verdicts};
use crate::results::bench::{
    Bench, BenchRun, Comparison, KindSummary, Level, Spread, Spreads, Summary, Usage,
};
use crate::results::{
    Figure, QuantileErrors, QuantileIntervals, Quantiles, RequestKind, Run, Steadiness, usable,
};
use crate::stats::middle;

/// Works `summaries`, `comparisons`, `differences` and `verdicts` out anew from the runs.
pub(super) fn summarise(bench: &mut Bench) {
    let mut summaries = Vec::new();
    for rate in &bench.plan.rates {
        for target in &bench.plan.targets {
            let of = |run: &&BenchRun| run.target == target.name && run.rate == *rate;
            let mut runs: Vec<&BenchRun> = bench.runs.iter().filter(of).collect();
            runs.sort_by_key(|run| run.repeat);
            if !runs.is_empty() {
                summaries.push(summary(&target.name, rate, &runs));
            }
        }
    }
    bench.comparisons = comparisons(&summaries);
    bench.differences = differences(&bench.plan, &summaries);
    bench.verdicts = verdicts(&bench.plan, &summaries);
    bench.summaries = summaries;
}

/// A repeat that has figures.
#[derive(Clone, Copy)]
struct Measured<'a> {
    repeat: u32,
    run: &'a Run,
    usage: Option<&'a Usage>,
}

/// The repeats of `target` at `rate` put together.
pub(super) fn summary(target: &str, rate: &str, runs: &[&BenchRun]) -> Summary {
    let measured: Vec<Measured<'_>> = runs
        .iter()
        .filter_map(|entry| {
            let usage = entry.target_usage.as_ref();
            Some(Measured { repeat: entry.repeat, run: entry.run.as_ref()?, usage })
        })
        .collect();
    let used = usable(&measured, |measured| measured.run.verdict);
    let spreads_of = |pick: fn(&Run) -> &Quantiles| {
        spreads(used.iter().map(|m| Distribution::alone(m.repeat, pick(m.run))))
    };
    let level = |pick: fn(&Measured<'_>) -> Option<f64>| {
        level(used.iter().map(|measured| (measured.repeat, pick(measured))))
    };
    Summary {
        target: target.to_owned(),
        rate: rate.to_owned(),
        verdicts: measured.iter().map(|measured| measured.run.verdict).collect(),
        reasons: measured.iter().flat_map(reasons).collect(),
        failed: (runs.len() - measured.len()) as u32,
        used: used.len() as u32,
        total: total(&used),
        requests: kinds(&used),
        lateness_ns: spreads_of(|run| &run.lateness_ns),
        lateness_without_stalls_ns: spreads_of(|run| &run.without_stalls.lateness_ns),
        response_without_stalls_ns: spreads_of(|run| &run.without_stalls.response_ns),
        stalls: measured.iter().map(|measured| measured.run.stalls.count).sum(),
        achieved_rps: level(|m| Some(m.run.achieved_rps)),
        cpu_percent: level(|m| m.usage.map(|usage| usage.cpu_percent)),
        cpu_us_per_request: level(cpu_us_per_request),
        rss_bytes: level(|m| m.usage.map(|usage| usage.rss_mean_bytes as f64)),
        switches_per_s: level(|m| m.usage.map(switches_per_s)),
        instructions_per_request: level(|m| counted_per_request(m, "instructions")),
        cycles_per_request: level(|m| counted_per_request(m, "cycles")),
        instructions_per_cycle: level(|m| {
            Some(counted(m, "instructions")? / counted(m, "cycles")?)
        }),
        steady_after_s: level(|m| m.run.steadiness.as_ref()?.after_s),
        unsteady: used.iter().filter_map(unsteady).collect(),
    }
}

fn reasons<'a>(measured: &'a Measured<'_>) -> impl Iterator<Item = String> + 'a {
    measured.run.reasons.iter().map(|reason| format!("repeat {}: {reason}", measured.repeat))
}

fn unsteady(measured: &Measured<'_>) -> Option<String> {
    let Steadiness { steady, says, .. } = measured.run.steadiness.as_ref()?;
    (!steady).then(|| format!("repeat {}: {says}", measured.repeat))
}

fn cpu_us_per_request(measured: &Measured<'_>) -> Option<f64> {
    per_request(measured, measured.usage?.cpu_percent * 1e4)
}

/// What perf counted of the target; `None` if it did not, or found none.
fn counted(measured: &Measured<'_>, event: &str) -> Option<f64> {
    let count = *measured.usage?.perf.as_ref()?.counts.get(event)?;
    (count > 0).then_some(count as f64)
}

fn counted_per_request(measured: &Measured<'_>, event: &str) -> Option<f64> {
    per_request(measured, counted(measured, event)? / measured.usage?.covered_s)
}

/// What was used per second over requests per second, so that a window sampled in part does not matter.
fn per_request(measured: &Measured<'_>, used_per_s: f64) -> Option<f64> {
    let achieved_rps = measured.run.achieved_rps;
    (achieved_rps > 0.0).then(|| used_per_s / achieved_rps)
}

fn switches_per_s(usage: &Usage) -> f64 {
    (usage.voluntary_switches + usage.involuntary_switches) as f64 / usage.covered_s
}

fn total(used: &[Measured<'_>]) -> KindSummary {
    let runs = || used.iter().map(|measured| measured.run);
    KindSummary {
        name: String::from("total"),
        planned: runs().map(|run| run.planned).sum(),
        ok: runs().map(|run| run.ok).sum(),
        errors: runs().map(|run| run.errors).sum(),
        unfinished: runs().map(|run| run.unfinished).sum(),
        skipped: runs().map(|run| run.skipped).sum(),
        response_ns: spreads(used.iter().map(|m| Distribution {
            repeat: m.repeat,
            quantiles: &m.run.response_ns,
            intervals: m.run.interval_ns,
        })),
        error_ns: quantile_errors(runs().map(|run| &run.error_ns)),
    }
}

/// In the order of the first run, which is the order of the mix.
fn kinds(used: &[Measured<'_>]) -> Vec<KindSummary> {
    let Some(first) = used.first() else { return Vec::new() };
    first.run.requests.iter().map(|kind| one_kind(&kind.name, used)).collect()
}

fn one_kind<'a>(name: &str, used: &[Measured<'a>]) -> KindSummary {
    let of = |measured: &Measured<'a>| {
        let kind = measured.run.requests.iter().find(|kind| kind.name == name)?;
        Some((measured.repeat, kind))
    };
    let each: Vec<(u32, &RequestKind)> = used.iter().filter_map(of).collect();
    let kinds = || each.iter().map(|(_, kind)| *kind);
    KindSummary {
        name: name.to_owned(),
        planned: kinds().map(|kind| kind.planned).sum(),
        ok: kinds().map(|kind| kind.ok).sum(),
        errors: kinds().map(|kind| kind.errors).sum(),
        unfinished: kinds().map(|kind| kind.unfinished).sum(),
        skipped: kinds().map(|kind| kind.skipped).sum(),
        response_ns: spreads(each.iter().map(|(repeat, kind)| Distribution {
            repeat: *repeat,
            quantiles: &kind.response_ns,
            intervals: kind.interval_ns,
        })),
        error_ns: quantile_errors(kinds().map(|kind| &kind.error_ns)),
    }
}

/// What one repeat measured.
struct Distribution<'a> {
    repeat: u32,
    quantiles: &'a Quantiles,
    intervals: QuantileIntervals,
}

impl<'a> Distribution<'a> {
    /// One of whose figures nobody says how sure they are.
    fn alone(repeat: u32, quantiles: &'a Quantiles) -> Distribution<'a> {
        Distribution { repeat, quantiles, intervals: QuantileIntervals::default() }
    }
}

/// Repeats without any request of this kind have no quantiles and take no part.
fn spreads<'a>(each: impl Iterator<Item = Distribution<'a>>) -> Spreads {
    let each: Vec<Distribution<'_>> = each.filter(|of| of.quantiles.count > 0).collect();
    let known = each.iter().any(|of| of.intervals.confidence > 0.0);
    let of = |figure: &Figure| {
        let has_intervals = known && figure.beyond_per_100k > 0;
        let sure = each.iter().filter(|_| has_intervals).map(|of| (figure.interval)(&of.intervals));
        let spread = spread(each.iter().map(|of| (figure.value)(of.quantiles)).collect());
        Spread { intervals: sure.collect(), ..spread }
    };
    let quantiles = || each.iter().map(|of| of.quantiles);
    Spreads {
        count_least: quantiles().map(|q| q.count).min().unwrap_or(0),
        longest_observed: quantiles().filter_map(|q| q.longest_observed.or(q.max)).max(),
        repeats: each.iter().map(|of| of.repeat).collect(),
        ..Spreads::default()
    }
    .with(of)
}

/// The median of each.
fn quantile_errors<'a>(each: impl Iterator<Item = &'a QuantileErrors>) -> QuantileErrors {
    let each: Vec<&QuantileErrors> = each.collect();
    let median = |pick: &dyn Fn(&QuantileErrors) -> Option<u64>| {
        spread(each.iter().map(|errors| pick(errors)).collect()).median
    };
    let of = |figure: &Figure| median(&figure.error);
    QuantileErrors::each(median(&|errors| errors.min), median(&|errors| errors.mean), of)
}

/// Every repeat and their median; `None` is +infinity.
pub(super) fn spread(each: Vec<Option<u64>>) -> Spread {
    let mut sorted: Vec<u64> = each.iter().map(|value| value.unwrap_or(u64::MAX)).collect();
    sorted.sort_unstable();
    let (low, high) = middle(&sorted).unwrap_or((u64::MAX, u64::MAX));
    let median = (high != u64::MAX).then(|| low + (high - low) / 2);
    Spread { median, each, intervals: Vec::new() }
}

/// Repeats without a figure take no part.
fn level(each: impl Iterator<Item = (u32, Option<f64>)>) -> Level {
    let (repeats, each): (Vec<u32>, Vec<f64>) =
        each.filter_map(|(repeat, figure)| Some((repeat, figure?))).unzip();
    let mut sorted = each.clone();
    sorted.sort_by(f64::total_cmp);
    let median = middle(&sorted).map(|(low, high)| low + (high - low) / 2.0);
    Level { median, each, repeats }
}

/// p50 and p99, in total and per kind, and CPU per request, of each target over the first.
fn comparisons(summaries: &[Summary]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for summary in summaries {
        let Some(base) = summaries.iter().find(|base| base.rate == summary.rate) else { continue };
        if base.target == summary.target {
            continue;
        }
        let mut push = |figure: String, ratio: Option<f64>| {
            comparisons.push(Comparison {
                rate: summary.rate.clone(),
                figure,
                base: base.target.clone(),
                target: summary.target.clone(),
                ratio,
            });
        };
        push_latencies("", &base.total, &summary.total, &mut push);
        for kind in &summary.requests {
            if let Some(base) = base.requests.iter().find(|base| base.name == kind.name) {
                push_latencies(&format!("{}.", kind.name), base, kind, &mut push);
            }
        }
        let cpu = |summary: &Summary| summary.cpu_us_per_request.median;
        push(String::from("cpu_us"), ratio(cpu(base), cpu(summary)));
    }
    comparisons
}

fn push_latencies(
    prefix: &str,
    base: &KindSummary,
    of: &KindSummary,
    push: &mut impl FnMut(String, Option<f64>),
) {
    let ns = |spread: &Spread| spread.median.map(|ns| ns as f64);
    let (base, of) = (&base.response_ns, &of.response_ns);
    push(format!("{prefix}p50"), ratio(ns(&base.p50), ns(&of.p50)));
    push(format!("{prefix}p99"), ratio(ns(&base.p99), ns(&of.p99)));
}

fn ratio(base: Option<f64>, of: Option<f64>) -> Option<f64> {
    Some(of? / base.filter(|base| *base > 0.0)?)
}

#[cfg(test)]
mod tests;
