//! Differences: of a bench's targets, and of two benches.
//!
//! A line per figure: both sides, the difference with its interval, and what may be said of it. Pure.
//! Not here: how a difference is judged; see `bench::difference`.

use super::figure::without_shared_unit;
use super::table::{aligned, listed, wrapped};
use crate::results::bench::{
    Bench, Difference, Finding, FlagValue, Interval, PairOutcome, PairVerdict, Varied,
};
use crate::stats::compare::percent;
use crate::units::{Nanos, signed};

/// What is said of whatever is not sure.
pub(super) const CANNOT_TELL: &str = "cannot tell apart";

/// What a difference of a bench is, and when it is one.
pub(super) const FINDINGS_NOTE: &str = "\
Difference: of repeats that were made one after the other, in pairs, with its interval; \"cannot tell apart\"
if that holds zero, if the pacer's own error is larger, or if there is too little to see. One of 20 such
intervals misses: a pair of targets is said to differ only where one of its p50 and p99 does, with intervals
that hold for all of them together.";

/// The same of two benches.
const UNPAIRED_NOTE: &str = "\
Difference: median over every repeat of the one against every of the other, with its exact rank-sum interval;
\"cannot tell apart\" if that holds zero, if the pacer's own error is larger, or if there is too little to see.
\"in these runs\": fewer than three a side, whose own intervals are apart by more than the pacer's error.";

/// Those that are of repeats made one after the other; none of a duet, which is judged by its pairs.
pub(super) fn of_repeats(bench: &Bench) -> &[Difference] {
    if bench.plan.duet { &[] } else { &bench.differences }
}

/// What a bench says of the differences at `rate`: of all requests, and p50 and p99 of each kind.
pub(super) fn differences(bench: &Bench, rate: &str) -> String {
    let shown: Vec<&Difference> = of_repeats(bench)
        .iter()
        .filter(|difference| difference.rate == rate && is_headline(difference))
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let lines = sections(&shown, |of| pair(bench, of));
    let words = bench.verdicts.iter().filter(|verdict| verdict.rate == rate);
    let words: String = words.map(|verdict| wrapped(&in_a_word(verdict))).collect();
    format!("\nDifferences at {rate}/s\n{lines}{words}")
}

/// `b against a: slower in 2 of 6 figures: status.p50 +20.1 us, status.p99 +31.0 us`.
pub(super) fn in_a_word(verdict: &PairVerdict) -> String {
    let PairVerdict { base, target, figures, .. } = verdict;
    let differ = verdict.differ.join(", ");
    let count = verdict.differ.len();
    let said = match verdict.outcome {
        _ if *figures == 0 => {
            format!("{CANNOT_TELL}: a side is INVALID, or there is too little to see")
        }
        PairOutcome::CannotTell => format!("{CANNOT_TELL} in any of {figures} figures"),
        PairOutcome::Slower => format!("slower in {count} of {figures} figures: {differ}"),
        PairOutcome::Faster => format!("faster in {count} of {figures} figures: {differ}"),
        PairOutcome::Mixed => format!("different in {count} of {figures} figures: {differ}"),
    };
    format!("{target} against {base}: {said}")
}

/// What a server against itself says of the instrument; empty of any other bench.
pub(super) fn against_itself(bench: &Bench) -> String {
    let sentences = bench.verdicts.iter().filter(|_| bench.plan.aa).map(|verdict| {
        let PairVerdict { rate, base, target, figures, differ, .. } = verdict;
        let same = format!("{base} and {target} at {rate}/s, which are the same server");
        let percent = 100.0 * verdict.confidence;
        match verdict.outcome {
            _ if *figures == 0 => format!(
                "A/A: nothing can be said of {same}: too few repeats or requests, or INVALID."
            ),
            PairOutcome::CannotTell => format!(
                "A/A: {CANNOT_TELL} {same}: none of {figures} figures differs ({percent:.0} % for all \
                 together)."
            ),
            _ => format!(
                "A/A: told apart {same}: {}. Differences of this size mean nothing here.",
                differ.join(", ")
            ),
        }
    });
    let text: String = sentences.map(|sentence| wrapped(&sentence)).collect();
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// What `ringpace compare` prints; `sides` are described in a line each, base first.
pub fn compared_table(
    base: &str,
    new: &str,
    warnings: &[String],
    differences: &[Difference],
) -> String {
    let mut text = wrapped(&format!("base  {base}"));
    text += &wrapped(&format!("new   {new}"));
    text += &listed("Warnings", warnings);
    let all: Vec<&Difference> = differences.iter().collect();
    text += &format!("\n{}", sections(&all, |of| format!("{} at {}/s", of.target, of.rate)));
    format!("{text}\n{UNPAIRED_NOTE}\n{}", conclusion(differences))
}

/// The differences that are regressions: more time or CPU over all requests, beyond the noise. Those of
/// single request kinds are shown and not counted: of so many figures one is always off by chance.
pub fn regressions(differences: &[Difference]) -> impl Iterator<Item = &Difference> {
    differences.iter().filter(|of| of.request == "total" && of.finding == Finding::Higher)
}

/// Whether a side is INVALID: of it neither a regression can be said nor that there is none.
pub fn is_untold(differences: &[Difference]) -> bool {
    differences.iter().any(|of| of.request == "total" && of.finding == Finding::Invalid)
}

fn conclusion(differences: &[Difference]) -> String {
    let worse: Vec<String> = regressions(differences).map(named).collect();
    let sentence = if !worse.is_empty() {
        format!("Regression: {}.", worse.join("; "))
    } else if is_untold(differences) {
        String::from("Nothing can be said of a regression: a side is INVALID.")
    } else if let Some(few) = of_few_runs(differences) {
        few
    } else {
        String::from("No regression: over all requests nothing is higher beyond the noise.")
    };
    format!("\n{}", wrapped(&sentence))
}

/// `b at 1000/s: p99 4.0 % higher`.
fn named(of: &Difference) -> String {
    format!("{} at {}/s: {} {}", of.target, of.rate, of.figure, finding(of))
}

/// What too few runs say, and how many are enough; `None` if there are enough of all.
fn of_few_runs(differences: &[Difference]) -> Option<String> {
    let all = differences.iter().filter(|of| of.request == "total");
    let few: Vec<&Difference> = all
        .filter(|of| {
            matches!(of.finding, Finding::RunsHigher | Finding::RunsLower | Finding::TooFewRepeats)
        })
        .collect();
    let apart: Vec<String> =
        few.iter().filter(|of| of.finding != Finding::TooFewRepeats).map(|of| named(of)).collect();
    let seen = match apart.as_slice() {
        [] if few.is_empty() => return None,
        [] => String::from("Nothing can be told apart"),
        _ => format!(
            "{}: so each run says of itself, by its own interval and with the pacer's error",
            apart.join("; ")
        ),
    };
    Some(format!(
        "{seen}. There are too few runs to speak of the servers: two starts of one and the same may differ \
         by as much. It takes three a side: a directory of three `pace --json` files, or a bench with \
         repeats = 3."
    ))
}

fn is_headline(difference: &Difference) -> bool {
    difference.request == "total" || matches!(difference.figure.as_str(), "p50" | "p99")
}

/// `spin against block (--wait spin)`.
pub(super) fn pair(bench: &Bench, difference: &Difference) -> String {
    let target = bench.plan.targets.iter().find(|target| target.name == difference.target);
    let varied = target.and_then(|target| {
        target.varied.iter().find(|varied| difference.flag.as_ref() == Some(&varied.flag))
    });
    let how = varied.map(|varied| format!(" ({})", setting(varied))).unwrap_or_default();
    format!("{} against {}{how}", difference.target, difference.base)
}

/// As on the command line: `--wait spin`, `--echo`, `no --echo`.
pub(super) fn setting(varied: &Varied) -> String {
    let flag = &varied.flag;
    match &varied.value {
        FlagValue::Switch(true) => flag.clone(),
        FlagValue::Switch(false) => format!("no {flag}"),
        FlagValue::Word(word) => format!("{flag} {word}"),
    }
}

/// The lines, under a title wherever that changes.
fn sections(differences: &[&Difference], title: impl Fn(&Difference) -> String) -> String {
    let heads = ["  request", "figure", "base", "new", "difference", "interval"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    rows.extend(differences.iter().map(|difference| row(difference)));
    let lines = aligned(&rows, 2);
    let mut lines = lines.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    let mut last = String::new();
    for (difference, line) in differences.iter().zip(lines) {
        let title = title(difference);
        if title != last {
            text += &format!("{title}\n");
            last = title;
        }
        text += &format!("{line}  {}\n", finding(difference));
    }
    text
}

fn row(difference: &Difference) -> Vec<String> {
    let head = [format!("  {}", difference.request), difference.figure.clone()];
    head.into_iter().chain(figures(difference)).collect()
}

/// Base, new, their difference and its interval.
pub(super) fn figures(difference: &Difference) -> [String; 4] {
    let side = |ns: Option<f64>| ns.map_or_else(|| String::from("infinite"), span);
    let (base, target) = (side(difference.base_ns), side(difference.target_ns));
    if difference.base_ns.is_none() && difference.target_ns.is_none() {
        return [base, target, String::from("-"), String::from("-")];
    }
    [
        base,
        target,
        difference.difference_ns.map_or_else(|| String::from("infinite"), signed),
        difference.interval.as_ref().map_or_else(|| String::from("-"), interval),
    ]
}

/// `5.2 % higher`, or why that cannot be said.
pub(super) fn finding(difference: &Difference) -> String {
    let error = difference.error_ns.map_or_else(|| String::from("infinite"), span);
    match difference.finding {
        Finding::Higher => format!("{}higher", share(difference)),
        Finding::Lower => format!("{}lower", share(difference)),
        Finding::RunsHigher => format!("{}higher in these runs", share(difference)),
        Finding::RunsLower => format!("{}lower in these runs", share(difference)),
        Finding::HoldsZero => CANNOT_TELL.to_owned(),
        Finding::WithinError => format!("{CANNOT_TELL} (error {error})"),
        Finding::TooFewRepeats => format!("{CANNOT_TELL} (few repeats)"),
        Finding::Infinite => format!("{CANNOT_TELL} (some repeats infinite)"),
        Finding::TooFewRequests => format!("{CANNOT_TELL} (few requests)"),
        Finding::Invalid => format!("{CANNOT_TELL} (INVALID)"),
    }
}

/// `5.2 % `; empty where there is no such number.
fn share(difference: &Difference) -> String {
    match (difference.base_ns, difference.difference_ns) {
        (Some(base), Some(shift)) if base > 0.0 => {
            let percent = 100.0 * shift.abs() / base;
            let decimals = if percent < 10.0 { 1 } else { 0 };
            format!("{percent:.decimals$} % ")
        }
        _ => String::new(),
    }
}

/// `+1.20 to +3.00 us, 90 %`.
pub(super) fn interval(interval: &Interval) -> String {
    let low = signed(interval.low_ns.unwrap_or(f64::NEG_INFINITY));
    let high = signed(interval.high_ns.unwrap_or(f64::INFINITY));
    let low = without_shared_unit(&low, &high);
    format!("{low} to {high}, {:.0} %", percent(interval.confidence))
}

pub(super) fn span(ns: f64) -> String {
    Nanos(ns.max(0.0).round() as u64).to_string()
}

#[cfg(test)]
mod tests;
