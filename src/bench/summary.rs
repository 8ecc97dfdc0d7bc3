//! Puts the repeats of each target at each rate together, and sets the targets side by side.
//!
//! The figure is the median of the repeats; every repeat is kept beside it. INVALID repeats take no
//! part, since their figures are the pacer's or the machine's, unless there is nothing else.
//! Quantiles are never averaged over requests; for an even number of repeats the median is the
//! mean of the two in the middle. Pure. Not here: intervals; see `difference`.

use super::difference::differences;
use crate::results::bench::{
    Bench, BenchRun, Comparison, KindSummary, Level, Spread, Spreads, Summary, Usage,
};
use crate::results::{Errors, QuantileErrors, Quantiles, RequestKind, Run, Verdict};

/// Works `summaries`, `comparisons` and `differences` out anew from the runs.
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
    let used = usable(&measured);
    let runs_used: Vec<&Run> = used.iter().map(|measured| measured.run).collect();
    let spreads_of = |pick: fn(&Run) -> &Quantiles| spreads(runs_used.iter().map(|run| pick(run)));
    Summary {
        target: target.to_owned(),
        rate: rate.to_owned(),
        verdicts: measured.iter().map(|measured| measured.run.verdict).collect(),
        reasons: measured.iter().flat_map(reasons).collect(),
        failed: (runs.len() - measured.len()) as u32,
        used: used.len() as u32,
        total: total(&runs_used),
        requests: kinds(&runs_used),
        lateness_ns: spreads_of(|run| &run.lateness_ns),
        lateness_without_stalls_ns: spreads_of(|run| &run.without_stalls.lateness_ns),
        response_without_stalls_ns: spreads_of(|run| &run.without_stalls.response_ns),
        stalls: measured.iter().map(|measured| measured.run.stalls.count).sum(),
        achieved_rps: level(runs_used.iter().map(|run| Some(run.achieved_rps))),
        cpu_percent: level(used.iter().map(|m| m.usage.map(|usage| usage.cpu_percent))),
        cpu_us_per_request: level(used.iter().map(cpu_us_per_request)),
        rss_bytes: level(used.iter().map(|m| m.usage.map(|usage| usage.rss_mean_bytes as f64))),
        switches_per_s: level(used.iter().map(|m| m.usage.map(switches_per_s))),
    }
}

/// All that are not INVALID, or all if that leaves none.
fn usable<'a>(measured: &[Measured<'a>]) -> Vec<Measured<'a>> {
    let believable = |measured: &&Measured<'_>| measured.run.verdict != Verdict::Invalid;
    let valid: Vec<Measured<'a>> = measured.iter().filter(believable).copied().collect();
    if valid.is_empty() { measured.to_vec() } else { valid }
}

fn reasons<'a>(measured: &'a Measured<'_>) -> impl Iterator<Item = String> + 'a {
    measured.run.reasons.iter().map(|reason| format!("repeat {}: {reason}", measured.repeat))
}

/// CPU time per second over requests per second, so that a window sampled in part does not matter.
fn cpu_us_per_request(measured: &Measured<'_>) -> Option<f64> {
    let cpu_us_per_s = measured.usage?.cpu_percent * 1e4;
    let achieved_rps = measured.run.achieved_rps;
    (achieved_rps > 0.0).then(|| cpu_us_per_s / achieved_rps)
}

fn switches_per_s(usage: &Usage) -> f64 {
    (usage.voluntary_switches + usage.involuntary_switches) as f64 / usage.covered_s
}

fn total(runs: &[&Run]) -> KindSummary {
    KindSummary {
        name: String::from("total"),
        planned: runs.iter().map(|run| run.planned).sum(),
        ok: runs.iter().map(|run| run.ok).sum(),
        errors: errors(runs.iter().map(|run| run.errors)),
        unfinished: runs.iter().map(|run| run.unfinished).sum(),
        skipped: runs.iter().map(|run| run.skipped).sum(),
        response_ns: spreads(runs.iter().map(|run| &run.response_ns)),
        error_ns: quantile_errors(runs.iter().map(|run| &run.error_ns)),
    }
}

/// In the order of the first run, which is the order of the mix.
fn kinds(runs: &[&Run]) -> Vec<KindSummary> {
    let Some(first) = runs.first() else { return Vec::new() };
    first.requests.iter().map(|kind| one_kind(&kind.name, runs)).collect()
}

fn one_kind(name: &str, runs: &[&Run]) -> KindSummary {
    let each: Vec<&RequestKind> =
        runs.iter().filter_map(|run| run.requests.iter().find(|kind| kind.name == name)).collect();
    KindSummary {
        name: name.to_owned(),
        planned: each.iter().map(|kind| kind.planned).sum(),
        ok: each.iter().map(|kind| kind.ok).sum(),
        errors: errors(each.iter().map(|kind| kind.errors)),
        unfinished: each.iter().map(|kind| kind.unfinished).sum(),
        skipped: each.iter().map(|kind| kind.skipped).sum(),
        response_ns: spreads(each.iter().map(|kind| &kind.response_ns)),
        error_ns: quantile_errors(each.iter().map(|kind| &kind.error_ns)),
    }
}

fn errors(each: impl Iterator<Item = Errors>) -> Errors {
    each.fold(Errors::default(), |sum, more| Errors {
        status: sum.status + more.status,
        malformed: sum.malformed + more.malformed,
        reset: sum.reset + more.reset,
        timeout: sum.timeout + more.timeout,
        connect: sum.connect + more.connect,
    })
}

/// Repeats without any request of this kind have no quantiles and take no part.
fn spreads<'a>(each: impl Iterator<Item = &'a Quantiles>) -> Spreads {
    let each: Vec<&Quantiles> = each.filter(|quantiles| quantiles.count > 0).collect();
    let of = |pick: fn(&Quantiles) -> Option<u64>| spread(each.iter().map(|q| pick(q)).collect());
    Spreads {
        p50: of(|q| q.p50),
        p90: of(|q| q.p90),
        p95: of(|q| q.p95),
        p99: of(|q| q.p99),
        p99_9: of(|q| q.p99_9),
        p99_99: of(|q| q.p99_99),
        max: of(|q| q.max),
        count_least: each.iter().map(|q| q.count).min().unwrap_or(0),
        longest_observed: each.iter().filter_map(|q| q.longest_observed.or(q.max)).max(),
    }
}

/// The median of each.
fn quantile_errors<'a>(each: impl Iterator<Item = &'a QuantileErrors>) -> QuantileErrors {
    let each: Vec<&QuantileErrors> = each.collect();
    let of = |pick: fn(&QuantileErrors) -> Option<u64>| {
        spread(each.iter().map(|errors| pick(errors)).collect()).median
    };
    QuantileErrors {
        min: of(|e| e.min),
        mean: of(|e| e.mean),
        p50: of(|e| e.p50),
        p90: of(|e| e.p90),
        p95: of(|e| e.p95),
        p99: of(|e| e.p99),
        p99_9: of(|e| e.p99_9),
        p99_99: of(|e| e.p99_99),
        max: of(|e| e.max),
    }
}

/// Every repeat and their median; `None` is +infinity.
pub(super) fn spread(each: Vec<Option<u64>>) -> Spread {
    let mut sorted: Vec<u64> = each.iter().map(|value| value.unwrap_or(u64::MAX)).collect();
    sorted.sort_unstable();
    let (low, high) = middle(&sorted).unwrap_or((u64::MAX, u64::MAX));
    let median = (high != u64::MAX).then(|| low + (high - low) / 2);
    Spread { median, each }
}

fn level(each: impl Iterator<Item = Option<f64>>) -> Level {
    let each: Vec<f64> = each.flatten().collect();
    let mut sorted = each.clone();
    sorted.sort_by(f64::total_cmp);
    Level { median: middle(&sorted).map(|(low, high)| low + (high - low) / 2.0), each }
}

/// The two in the middle, which are one and the same if the number is odd.
fn middle<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
    let high = *sorted.get(sorted.len() / 2)?;
    let low = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some((low, high))
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
