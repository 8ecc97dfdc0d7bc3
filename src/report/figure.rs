//! How a figure is written, the same in the table and on the page.

use crate::results::bench::{Bench, KindSummary, Level, PlanRecord, Spreads, Summary};
// A figure of a page is a drawing.
pub(super) use crate::results::Figure as Quantile;
use crate::results::{FIGURES, Verdict};
use crate::units::Nanos;

/// Those of the headline.
pub(super) fn headline() -> impl Iterator<Item = &'static Quantile> {
    FIGURES.iter().filter(|figure| !matches!(figure.key, "p90" | "p99_99"))
}

/// What the mark of [`median`] means.
pub(super) const FEW_NOTE: &str = "* fewer than 10 requests lie beyond this quantile";

/// Whether too few requests lie beyond it to believe it. The maximum is one request by its nature.
pub(super) fn is_thin(figure: &Quantile, spreads: &Spreads) -> bool {
    spreads.count_least > 0 && figure.is_thin(spreads.count_least)
}

/// The median of the repeats, with a `*` if it is thin.
pub(super) fn median(figure: &Quantile, spreads: &Spreads) -> String {
    if spreads.count_least == 0 {
        return String::from("-");
    }
    let mark = if is_thin(figure, spreads) { "*" } else { "" };
    format!("{}{mark}", value(figure, spreads))
}

/// The median of the repeats without any mark.
pub(super) fn value(figure: &Quantile, spreads: &Spreads) -> String {
    latency((figure.spread)(spreads).median, spreads.longest_observed)
}

/// Least and most of the repeats, `49.1-53.0 us`; empty if they read the same.
pub(super) fn range(figure: &Quantile, spreads: &Spreads) -> String {
    let each = &(figure.spread)(spreads).each;
    let finite_first = |value: &&Option<u64>| value.unwrap_or(u64::MAX);
    let (Some(least), Some(most)) =
        (each.iter().min_by_key(finite_first), each.iter().max_by_key(finite_first))
    else {
        return String::new();
    };
    let shown = |value| latency(value, spreads.longest_observed);
    between(&shown(*least), &shown(*most))
}

/// A verdict as it is shown.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "VALID",
        Verdict::Suspect => "SUSPECT",
        Verdict::Invalid => "INVALID",
    }
}

/// The runs that failed, a sentence each.
pub(super) fn failures(bench: &Bench) -> impl Iterator<Item = String> + '_ {
    bench.runs.iter().filter_map(|run| {
        let failure = run.failure.as_ref()?;
        Some(format!("{} at {}/s, repeat {}: {failure}", run.target, run.rate, run.repeat))
    })
}

/// `null` is longer than the longest time that was seen.
pub(super) fn latency(ns: Option<u64>, longest: Option<u64>) -> String {
    match (ns, longest) {
        (Some(ns), _) => Nanos(ns).to_string(),
        (None, Some(longest)) => format!("> {}", Nanos(longest)),
        (None, None) => String::from("never"),
    }
}

/// Two figures with their unit written once where it is the same.
fn between(least: &str, most: &str) -> String {
    if least == most {
        return String::new();
    }
    format!("{}-{most}", without_shared_unit(least, most))
}

/// `low` without its unit if `high`, which stands behind it, has the same.
pub(super) fn without_shared_unit<'a>(low: &'a str, high: &str) -> &'a str {
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => number,
        _ => low,
    }
}

/// The median with `decimals`; a dash if there is none.
pub(super) fn level(level: &Level, decimals: usize) -> String {
    level.median.map_or_else(|| String::from("-"), |median| format!("{median:.decimals$}"))
}

/// In MB of 10^6 bytes.
pub(super) fn megabytes(bytes: &Level) -> String {
    bytes.median.map_or_else(|| String::from("-"), |median| format!("{:.1} MB", median / 1e6))
}

/// `3 VALID`; `2 VALID` and `1 failed`.
pub(super) fn verdicts(summary: &Summary) -> Vec<String> {
    let count = |verdict| summary.verdicts.iter().filter(|v| **v == verdict).count();
    let counts = [
        (count(Verdict::Valid), "VALID"),
        (count(Verdict::Suspect), "SUSPECT"),
        (count(Verdict::Invalid), "INVALID"),
        (summary.failed as usize, "failed"),
    ];
    named(&counts)
}

/// The counts that are not zero, with their names.
pub(super) fn named(counts: &[(usize, &str)]) -> Vec<String> {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, name)| format!("{count} {name}")).collect()
}

/// `3 timeout, 2 unfinished`; empty if nothing was lost.
pub(super) fn losses(kind: &KindSummary) -> String {
    let errors = &kind.errors;
    let counts = [
        (errors.status, "wrong status or size"),
        (errors.malformed, "malformed"),
        (errors.reset, "reset"),
        (errors.timeout, "timeout"),
        (errors.connect, "not connected"),
        (kind.unfinished, "unfinished"),
        (kind.skipped, "skipped by the pacer"),
    ];
    named(&counts.map(|(count, name)| (count as usize, name))).join(", ")
}

/// What was measured, in one line.
pub(super) fn scope(plan: &PlanRecord) -> String {
    let span = |secs: f64| Nanos((secs * 1e9).round() as u64).to_string();
    let arrivals = match plan.arrivals.as_str() {
        "constant" => String::new(),
        others => format!(" arriving as {others}"),
    };
    format!(
        "{}, {}{arrivals}, {}; {} measured, warm-up {}; mix {}",
        counted(plan.targets.len(), "target"),
        counted(plan.rates.len(), "rate"),
        counted(plan.repeats as usize, "repeat"),
        span(plan.duration_s),
        span(plan.warmup_s),
        plan.mix,
    )
}

/// `2000/s`; `2000/s, half to each` where two targets shared it.
pub(super) fn offered(plan: &PlanRecord, rate: &str, unit: &str) -> String {
    format!("{rate}{unit}{}", if plan.duet { ", half to each" } else { "" })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
