//! Which targets are compared with which, and by what figures.
//!
//! A target that axes made is compared with those that differ from it in one flag only; any other
//! with the first of the plan. Repeat k of the one was made within minutes of repeat k of the other, so
//! they are compared in pairs. Pure. Not here: the statistics; see `stats::compare`.

use crate::results::bench::{
    Difference, Finding, Interval, KindSummary, Level, PairOutcome, PairVerdict, PlanRecord,
    Spread, Spreads, Summary, TargetRecord,
};
use crate::results::{Figure, QuantileInterval};
use crate::stats::bootstrap::NORMAL;
use crate::stats::compare::{self, CONFIDENCE, Doubt, apart, compare, family, minus, paired};
use crate::units::signed;

/// The quantiles that are compared. Not the maximum: it is one request, and grows with their number.
fn compared() -> impl Iterator<Item = &'static Figure> {
    ["p50", "p95", "p99", "p99_9"].into_iter().filter_map(Figure::of_key)
}

/// The histogram's own rounding: three significant digits.
const STEP: f64 = 0.001;

/// Whether repeats of the same number belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// They were made one after the other.
    ByRepeat,
    /// They have nothing in common but their number.
    None,
}

/// Every difference of a bench, rate by rate.
pub(super) fn differences(plan: &PlanRecord, summaries: &[Summary]) -> Vec<Difference> {
    let pairs = pairs(plan, summaries).into_iter();
    pairs.flat_map(|(base, target, flag)| between(base, target, flag, Pairing::ByRepeat)).collect()
}

/// What may be said of each pair of targets in a word.
pub(super) fn verdicts(plan: &PlanRecord, summaries: &[Summary]) -> Vec<PairVerdict> {
    let pairs = pairs(plan, summaries).into_iter();
    pairs.map(|(base, target, flag)| verdict(base, target, flag)).collect()
}

/// The targets that are compared, base first, and the one flag by which they differ.
fn pairs<'a>(
    plan: &'a PlanRecord,
    summaries: &'a [Summary],
) -> Vec<(&'a Summary, &'a Summary, Option<&'a str>)> {
    let at = |rate: &str, name: &str| {
        summaries.iter().find(|summary| summary.rate == rate && summary.target == name)
    };
    let mut pairs = Vec::new();
    for rate in &plan.rates {
        for target in &plan.targets {
            for (base, flag) in bases(plan, target) {
                if let (Some(base), Some(target)) = (at(rate, base), at(rate, &target.name)) {
                    pairs.push((base, target, flag));
                }
            }
        }
    }
    pairs
}

/// The p50 and the p99, in total and of each kind, with intervals so wide that all of them hold the
/// truth as often as one does elsewhere: of many figures that are looked at, one differs by chance.
fn verdict(base: &Summary, target: &Summary, flag: Option<&str>) -> PairVerdict {
    let mut judged: Vec<(String, Repeats, f64)> = Vec::new();
    for (of_base, of_target) in kinds(base, target) {
        for quantile in compared().filter(|q| matches!(q.key, "p50" | "p99")) {
            let sides = [&of_base.response_ns, &of_target.response_ns];
            let repeats = Repeats::of(sides, quantile.spread, Pairing::ByRepeat);
            if !is_thin(quantile, sides) && repeats.pairs() >= 2 {
                let error = error_between(quantile, [(of_base, base), (of_target, target)]);
                judged.push((format!("{}.{}", of_target.name, quantile.label), repeats, error));
            }
        }
    }
    if base.is_invalid() || target.is_invalid() {
        judged.clear();
    }
    let confidence = family(judged.len());
    let (mut differ, mut higher, mut lower) = (Vec::new(), 0, 0);
    for (name, repeats, error) in &judged {
        let found = repeats.compared(*error, confidence);
        match found.finding {
            compare::Finding::Higher => higher += 1,
            compare::Finding::Lower => lower += 1,
            compare::Finding::CannotTell(_) => continue,
        }
        differ.push(format!("{name} {}", signed(found.shift)));
    }
    PairVerdict {
        rate: target.rate.clone(),
        base: base.target.clone(),
        target: target.target.clone(),
        flag: flag.map(str::to_owned),
        outcome: match (higher, lower) {
            (0, 0) => PairOutcome::CannotTell,
            (_, 0) => PairOutcome::Slower,
            (0, _) => PairOutcome::Faster,
            _ => PairOutcome::Mixed,
        },
        figures: judged.len() as u32,
        confidence: CONFIDENCE,
        differ,
    }
}

/// All requests, and the kinds that both have.
fn kinds<'a>(
    base: &'a Summary,
    target: &'a Summary,
) -> impl Iterator<Item = (&'a KindSummary, &'a KindSummary)> {
    let common = target.requests.iter().filter_map(|kind| {
        let of_base = base.requests.iter().find(|other| other.name == kind.name)?;
        Some((of_base, kind))
    });
    std::iter::once((&base.total, &target.total)).chain(common)
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
pub(super) fn between(
    base: &Summary,
    target: &Summary,
    flag: Option<&str>,
    pairing: Pairing,
) -> Vec<Difference> {
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
        pairs: 0,
    };
    let mut differences = Vec::new();
    for (of_base, of_target) in kinds(base, target) {
        differences.extend(latencies(&blank, [base, target], [of_base, of_target], pairing));
    }
    let (base_cpu, target_cpu) = (&base.cpu_us_per_request, &target.cpu_us_per_request);
    if let (Some(base_us), Some(target_us)) = (base_cpu.median, target_cpu.median) {
        let medians = [Some(base_us * 1e3), Some(target_us * 1e3)];
        let repeats = Repeats::of_cpu([base_cpu, target_cpu], pairing);
        differences.push(judged(&blank, medians, &repeats, 0.0));
    }
    if base.is_invalid() || target.is_invalid() {
        differences.iter_mut().for_each(|difference| difference.finding = Finding::Invalid);
    }
    differences
}

fn latencies(
    blank: &Difference,
    [base, target]: [&Summary; 2],
    [of_base, of_target]: [&KindSummary; 2],
    pairing: Pairing,
) -> Vec<Difference> {
    let sides = [&of_base.response_ns, &of_target.response_ns];
    if sides.iter().any(|spreads| spreads.count_least == 0) {
        return Vec::new();
    }
    let compared = compared().map(|quantile| {
        let medians = sides.map(|spreads| (quantile.spread)(spreads).median.map(|ns| ns as f64));
        let named = Difference {
            request: of_target.name.clone(),
            figure: quantile.label.to_owned(),
            ..blank.clone()
        };
        let error = error_between(quantile, [(of_base, base), (of_target, target)]);
        let repeats = Repeats::of(sides, quantile.spread, pairing);
        let mut difference = judged(&named, medians, &repeats, error);
        if pairing == Pairing::None && difference.finding == Finding::TooFewRepeats {
            by_runs(&mut difference, sides.map(quantile.spread), error);
        }
        if is_thin(quantile, sides) {
            difference.finding = Finding::TooFewRequests;
        }
        difference
    });
    compared.collect()
}

/// The larger error of the two.
fn error_between(figure: &Figure, sides: [(&KindSummary, &Summary); 2]) -> f64 {
    let [one, other] = sides.map(|(kind, summary)| error_of(figure, kind, &summary.lateness_ns));
    f64::max(one, other)
}

/// What of the figure may be the instrument's doing, in ns.
fn error_of(figure: &Figure, kind: &KindSummary, lateness: &Spreads) -> f64 {
    // A pacer that does not say it had at least its lateness; if that is infinite, it sent nothing.
    let of_pacer = or_infinite((figure.error)(&kind.error_ns).or((figure.spread)(lateness).median));
    let median = (figure.spread)(&kind.response_ns).median;
    f64::max(of_pacer, median.map_or(0.0, |ns| STEP * ns as f64))
}

fn is_thin(figure: &Figure, sides: [&Spreads; 2]) -> bool {
    sides.iter().any(|spreads| figure.is_thin(spreads.count_least))
}

/// A figure of the repeats of two targets.
enum Repeats {
    /// By pair: the difference, and where it is known its variance by the two runs alone.
    Paired(Vec<f64>, Vec<f64>),
    /// Those of base, and those of the target.
    Apart([Vec<f64>; 2]),
}

impl Repeats {
    /// Of a quantile.
    fn of(sides: [&Spreads; 2], pick: fn(&Spreads) -> &Spread, pairing: Pairing) -> Repeats {
        let [base, target] = sides.map(|spreads| each(&pick(spreads).each));
        let numbers = sides.map(|spreads| spreads.repeats.as_slice());
        let variances = sides.map(|spreads| pick(spreads).intervals.as_slice());
        let known = |side: usize, at: usize| variances[side].get(at)?.as_ref().and_then(variance);
        let within = |[base, target]: [usize; 2]| Some(known(0, base)? + known(1, target)?);
        Repeats::numbered([base, target], numbers, within, pairing)
    }

    /// Of the CPU time per request, in ns.
    fn of_cpu(sides: [&Level; 2], pairing: Pairing) -> Repeats {
        let each = sides.map(|level| level.each.iter().map(|cpu_us| cpu_us * 1e3).collect());
        let numbers = sides.map(|level| level.repeats.as_slice());
        Repeats::numbered(each, numbers, |_| None, pairing)
    }

    /// `within` is asked with the places of a pair.
    fn numbered(
        [base, target]: [Vec<f64>; 2],
        [of_base, of_target]: [&[u32]; 2],
        within: impl Fn([usize; 2]) -> Option<f64>,
        pairing: Pairing,
    ) -> Repeats {
        let is_numbered = of_base.len() == base.len() && of_target.len() == target.len();
        if pairing == Pairing::None || !is_numbered {
            return Repeats::Apart([base, target]);
        }
        let (mut differences, mut variances) = (Vec::new(), Vec::new());
        for (at, number) in of_base.iter().enumerate() {
            if let Some(other) = of_target.iter().position(|other| other == number) {
                differences.push(minus(target[other], base[at]));
                variances.extend(within([at, other]));
            }
        }
        Repeats::Paired(differences, variances)
    }

    fn pairs(&self) -> usize {
        match self {
            Repeats::Paired(differences, _) => differences.len(),
            Repeats::Apart(_) => 0,
        }
    }

    fn compared(&self, error: f64, confidence: f64) -> compare::Difference {
        match self {
            Repeats::Paired(differences, within) => paired(differences, within, error, confidence),
            Repeats::Apart([base, target]) => compare(base, target, error),
        }
    }
}

/// The variance that an interval of one run stands for, as if it were normal; `None` without an end.
fn variance(interval: &QuantileInterval) -> Option<f64> {
    let (low, high) = (interval.low?, interval.high?);
    Some(((high - low) as f64 / (2.0 * NORMAL)).powi(2))
}

/// The repeats; one that is +infinity took longer than any.
pub(super) fn each(repeats: &[Option<u64>]) -> Vec<f64> {
    repeats.iter().copied().map(or_infinite).collect()
}

/// A quantile that is not there is a time longer than any.
pub(super) fn or_infinite(ns: Option<u64>) -> f64 {
    ns.map_or(f64::INFINITY, |ns| ns as f64)
}

fn judged(
    blank: &Difference,
    [base_ns, target_ns]: [Option<f64>; 2],
    repeats: &Repeats,
    error: f64,
) -> Difference {
    let compare::Difference { shift, interval, finding } = repeats.compared(error, CONFIDENCE);
    Difference {
        base_ns,
        target_ns,
        difference_ns: finite(shift),
        interval: interval.map(written),
        error_ns: finite(error),
        finding: worded(finding),
        pairs: repeats.pairs() as u32,
        ..blank.clone()
    }
}

/// What a few runs say of their difference by the interval that each of them has for itself.
fn by_runs(difference: &mut Difference, sides: [&Spread; 2], error: f64) {
    let [Some(base), Some(new)] = sides.map(of_all) else { return };
    if let Some(found) = apart(base, new, error) {
        difference.finding = if found.low > 0.0 { Finding::RunsHigher } else { Finding::RunsLower };
        difference.interval = Some(written(found));
    }
}

/// Where the figure lies by all runs together: from the lowest that one of them has to the highest.
fn of_all(spread: &Spread) -> Option<(f64, f64)> {
    let each: Option<Vec<QuantileInterval>> = spread.intervals.iter().copied().collect();
    let each = each.filter(|each| !each.is_empty())?;
    let low = each.iter().map(|interval| or_infinite(interval.low)).fold(f64::INFINITY, f64::min);
    let high = each.iter().map(|interval| or_infinite(interval.high)).fold(0.0, f64::max);
    Some((low, high))
}

/// An interval as the results have it.
fn written(interval: compare::Interval) -> Interval {
    Interval {
        low_ns: finite(interval.low),
        high_ns: finite(interval.high),
        confidence: interval.confidence,
    }
}

fn finite(ns: f64) -> Option<f64> {
    ns.is_finite().then_some(ns)
}

/// A finding as the results have it.
pub(super) fn worded(finding: compare::Finding) -> Finding {
    match finding {
        compare::Finding::Higher => Finding::Higher,
        compare::Finding::Lower => Finding::Lower,
        compare::Finding::CannotTell(Doubt::FewRepeats) => Finding::TooFewRepeats,
        compare::Finding::CannotTell(Doubt::Infinite) => Finding::Infinite,
        compare::Finding::CannotTell(Doubt::HoldsZero) => Finding::HoldsZero,
        compare::Finding::CannotTell(Doubt::Error) => Finding::WithinError,
    }
}

#[cfg(test)]
mod tests;
