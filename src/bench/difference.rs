//! Which targets are compared with which, and by what figures.
//!
//! A target that axes made is compared with those that differ from it in one flag only; any other
//! with the first of the plan. Pure. Not here: the statistics; see `stats::compare`.

use crate::results::bench::{
    Difference, Finding, Interval, KindSummary, Level, PlanRecord, Spread, Spreads, Summary,
    TargetRecord,
};
use crate::results::{QuantileErrors, is_thin};
use crate::stats::compare::{self, Doubt, compare};

/// A quantile that is compared. Not the maximum: it is one request, and grows with their number.
struct Quantile {
    name: &'static str,
    /// Of 100,000 requests, how many lie beyond it.
    beyond_per_100k: u64,
    of: fn(&Spreads) -> &Spread,
    error: fn(&QuantileErrors) -> Option<u64>,
}

const QUANTILES: [Quantile; 4] = [
    Quantile { name: "p50", beyond_per_100k: 50_000, of: |s| &s.p50, error: |e| e.p50 },
    Quantile { name: "p95", beyond_per_100k: 5_000, of: |s| &s.p95, error: |e| e.p95 },
    Quantile { name: "p99", beyond_per_100k: 1_000, of: |s| &s.p99, error: |e| e.p99 },
    Quantile { name: "p99.9", beyond_per_100k: 100, of: |s| &s.p99_9, error: |e| e.p99_9 },
];

/// The histogram's own rounding: three significant digits.
const STEP: f64 = 0.001;

/// Every difference of a bench, rate by rate.
pub(super) fn differences(plan: &PlanRecord, summaries: &[Summary]) -> Vec<Difference> {
    let at = |rate: &str, name: &str| {
        summaries.iter().find(|summary| summary.rate == rate && summary.target == name)
    };
    let mut differences = Vec::new();
    for rate in &plan.rates {
        for target in &plan.targets {
            for (base, flag) in bases(plan, target) {
                if let (Some(base), Some(target)) = (at(rate, base), at(rate, &target.name)) {
                    differences.extend(between(base, target, flag));
                }
            }
        }
    }
    differences
}

/// What `target` is compared with, and the one flag by which they differ.
fn bases<'a>(plan: &'a PlanRecord, target: &'a TargetRecord) -> Vec<(&'a str, Option<&'a str>)> {
    let by_axes = target
        .varied
        .iter()
        .filter_map(|varied| Some((varied.against.as_deref()?, Some(varied.flag.as_str()))));
    let by_axes: Vec<_> = by_axes.collect();
    match plan.targets.first() {
        Some(first) if by_axes.is_empty() && first.name != target.name => {
            vec![(&first.name, None)]
        }
        _ => by_axes,
    }
}

/// Every figure of `target` against that of `base`, at the rate of `target`.
pub(super) fn between(base: &Summary, target: &Summary, flag: Option<&str>) -> Vec<Difference> {
    let blank = Difference {
        rate: target.rate.clone(),
        base: base.target.clone(),
        target: target.target.clone(),
        flag: flag.map(str::to_owned),
        request: String::from("total"),
        figure: String::from("cpu"),
        base_ns: None,
        target_ns: None,
        difference_ns: None,
        interval: None,
        error_ns: Some(0.0),
        finding: Finding::TooFewRepeats,
    };
    let is_invalid = base.is_invalid() || target.is_invalid();
    let lateness = [&base.lateness_ns, &target.lateness_ns];
    let mut differences = latencies(&blank, lateness, &base.total, &target.total);
    for kind in &target.requests {
        if let Some(of_base) = base.requests.iter().find(|other| other.name == kind.name) {
            differences.extend(latencies(&blank, lateness, of_base, kind));
        }
    }
    let cpu_ns = |level: &Level| level.each.iter().map(|cpu_us| cpu_us * 1e3).collect::<Vec<f64>>();
    let (base, target) = (&base.cpu_us_per_request, &target.cpu_us_per_request);
    if let (Some(base_us), Some(target_us)) = (base.median, target.median) {
        let medians = [Some(base_us * 1e3), Some(target_us * 1e3)];
        differences.push(judged(&blank, medians, [&cpu_ns(base), &cpu_ns(target)], 0.0));
    }
    if is_invalid {
        differences.iter_mut().for_each(|difference| difference.finding = Finding::Invalid);
    }
    differences
}

fn latencies(
    blank: &Difference,
    lateness: [&Spreads; 2],
    base: &KindSummary,
    target: &KindSummary,
) -> Vec<Difference> {
    let sides = [&base.response_ns, &target.response_ns];
    if sides.iter().any(|spreads| spreads.count_least == 0) {
        return Vec::new();
    }
    let compared = QUANTILES.iter().map(|quantile| {
        let medians = sides.map(|spreads| (quantile.of)(spreads).median.map(|ns| ns as f64));
        let [base_ns, target_ns] = sides.map(|spreads| each(&(quantile.of)(spreads).each));
        let named = Difference {
            request: target.name.clone(),
            figure: quantile.name.to_owned(),
            ..blank.clone()
        };
        let errors = [(base, lateness[0]), (target, lateness[1])]
            .map(|(kind, lateness)| quantile.error_of(kind, lateness));
        let error = errors.into_iter().fold(0.0, f64::max);
        let mut difference = judged(&named, medians, [&base_ns, &target_ns], error);
        let thin = |spreads: &&Spreads| is_thin(spreads.count_least, quantile.beyond_per_100k);
        if sides.iter().any(thin) {
            difference.finding = Finding::TooFewRequests;
        }
        difference
    });
    compared.collect()
}

impl Quantile {
    /// What of the figure may be the instrument's doing, in ns.
    fn error_of(&self, kind: &KindSummary, lateness: &Spreads) -> f64 {
        // A pacer that does not say it had at least its lateness; if that is infinite, it sent nothing.
        let of_pacer = (self.error)(&kind.error_ns).or((self.of)(lateness).median);
        let of_pacer = of_pacer.map_or(f64::INFINITY, |ns| ns as f64);
        let figure = (self.of)(&kind.response_ns).median;
        f64::max(of_pacer, figure.map_or(0.0, |ns| STEP * ns as f64))
    }
}

/// The repeats; one that is +infinity took longer than any.
fn each(repeats: &[Option<u64>]) -> Vec<f64> {
    repeats.iter().map(|ns| ns.map_or(f64::INFINITY, |ns| ns as f64)).collect()
}

fn judged(
    blank: &Difference,
    [base_ns, target_ns]: [Option<f64>; 2],
    [base, target]: [&[f64]; 2],
    error: f64,
) -> Difference {
    let compare::Difference { shift, interval, finding } = compare(base, target, error);
    let finite = |ns: f64| ns.is_finite().then_some(ns);
    Difference {
        base_ns,
        target_ns,
        difference_ns: finite(shift),
        interval: interval.map(|interval| Interval {
            low_ns: finite(interval.low),
            high_ns: finite(interval.high),
            confidence: interval.confidence,
        }),
        error_ns: finite(error),
        finding: match finding {
            compare::Finding::Higher => Finding::Higher,
            compare::Finding::Lower => Finding::Lower,
            compare::Finding::CannotTell(Doubt::FewRepeats) => Finding::TooFewRepeats,
            compare::Finding::CannotTell(Doubt::HoldsZero) => Finding::HoldsZero,
            compare::Finding::CannotTell(Doubt::Error) => Finding::WithinError,
        },
        ..blank.clone()
    }
}

#[cfg(test)]
mod tests;
