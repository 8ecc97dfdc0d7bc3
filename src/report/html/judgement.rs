//! What may be believed and said: verdicts with their reasons, claims, differences.
//!
//! Start at [`verdicts`].

use super::each_rate;
use super::markup::{escaped, list, note, shown, table, words};
use super::overview::{chip, class_of};
use super::page::{Page, Section};
use crate::report::differences::{FINDINGS_NOTE, figures, finding, in_a_word, of_repeats, pair};
use crate::report::figure::{failures, losses, verdict_word};
use crate::report::table::outcome;
use crate::results::Verdict;
use crate::results::bench::{BenchRun, ClaimOutcome, Difference, Finding, Summary};

/// Each run that is not VALID, with its reasons.
pub(super) fn verdicts(page: &Page<'_>) -> Option<Section> {
    let bench = page.bench;
    let items: String = bench.runs.iter().filter_map(judged).collect();
    let mut body = match items.is_empty() {
        true if bench.runs.iter().any(|run| run.failure.is_none()) => {
            let valid = chip("good", "VALID");
            let all = bench.runs.iter().all(|run| run.failure.is_none());
            let which = if all { "every run" } else { "every run that has figures" };
            format!(
                "<p>{valid} {which}: the pacer's own error is small against what it reports.</p>\n"
            )
        }
        true => String::new(),
        false => format!("<ul class=\"reasons\">\n{items}</ul>\n"),
    };
    let lines: Vec<String> =
        failures(bench).chain(bench.summaries.iter().filter_map(losing)).collect();
    if !lines.is_empty() {
        body += &format!("<h3>Failures</h3>\n{}", list(&lines));
    }
    Section::new("verdicts", "Verdicts and their reasons", body)
}

fn judged(entry: &BenchRun) -> Option<String> {
    let run = entry.run.as_ref().filter(|run| run.verdict != Verdict::Valid)?;
    let chip = chip(class_of(run.verdict), verdict_word(run.verdict));
    let (target, rate) = (escaped(&entry.target), escaped(&entry.rate));
    let reasons = list(&run.reasons);
    Some(format!("<li>{chip} {target} at {rate}/s, repeat {}\n{reasons}</li>\n", entry.repeat))
}

fn losing(summary: &Summary) -> Option<String> {
    let (target, rate) = (&summary.target, &summary.rate);
    (summary.total.lost() > 0)
        .then(|| format!("{target} at {rate}/s: lost: {}", losses(&summary.total)))
}

pub(super) fn claims(page: &Page<'_>) -> Option<Section> {
    let claims = &page.bench.claims;
    if claims.is_empty() {
        return None;
    }
    let body = claims.iter().enumerate().map(|(nth, claim)| {
        let class = match claim.outcome {
            ClaimOutcome::Holds => "good",
            ClaimOutcome::Unknown | ClaimOutcome::Skipped => "doubtful",
            ClaimOutcome::Fails => "bad",
        };
        let at = |key: &str| format!("/claims/{nth}/{key}");
        let expr = shown(&at("expr"), "word", &claim.expr);
        let cells = vec![
            words(&chip(class, outcome(claim.outcome))),
            words(&format!("<code>{expr}</code>")),
            words(&shown(&at("figures"), "joined", &claim.figures.join("; "))),
        ];
        (format!("<span class=\"claim\">{}</span>", escaped(&claim.text)), cells)
    });
    let heads = ["claim", "outcome", "expression", "figures"];
    let text =
        table("Judged by left less right of each repeat; shown are the medians", &heads, body);
    Section::new("claims", "Claims", text)
}

/// A table for each pair of targets.
pub(super) fn differences(page: &Page<'_>) -> Option<Section> {
    let mut body = each_rate(page, |rate, _| match tables(page, rate) {
        tables if tables.is_empty() => tables,
        tables => in_words(page, rate) + &tables,
    });
    if !body.is_empty() {
        body += &note(FINDINGS_NOTE);
    }
    Section::new("differences", "Differences", body)
}

/// What all figures of a pair together say, a line per pair.
fn in_words(page: &Page<'_>, rate: &str) -> String {
    let of_rate = page.bench.verdicts.iter().filter(|verdict| verdict.rate == rate);
    list(&of_rate.map(in_a_word).collect::<Vec<String>>())
}

fn tables(page: &Page<'_>, rate: &str) -> String {
    let mut pairs: Vec<(String, Vec<(usize, &Difference)>)> = Vec::new();
    let all = of_repeats(page.bench).iter().enumerate();
    for (nth, difference) in all.filter(|(_, of)| of.rate == rate) {
        let title = pair(page.bench, difference);
        match pairs.last_mut() {
            Some((last, of_pair)) if *last == title => of_pair.push((nth, difference)),
            _ => pairs.push((title, vec![(nth, difference)])),
        }
    }
    let heads =
        ["request", "figure", "base", "target", "difference", "interval", "what may be said"];
    let drawn = pairs.iter().map(|(title, of_pair)| {
        let mut last = "";
        let body = of_pair.iter().map(|(nth, of)| {
            let head = if of.request == last { String::new() } else { escaped(&of.request) };
            last = &of.request;
            (head, cells(*nth, of))
        });
        table(title, &heads, body)
    });
    drawn.collect()
}

/// Faint if nothing may be said.
fn cells(nth: usize, difference: &Difference) -> Vec<String> {
    let told_apart = matches!(difference.finding, Finding::Higher | Finding::Lower);
    let class = if told_apart { "" } else { "dim" };
    let said = if told_apart { "told" } else { "dim" };
    let [base, target, shift, interval] = figures(difference);
    let cells = [
        ("figure", "word", difference.figure.clone(), class),
        ("", "difference-base", base, class),
        ("", "difference-target", target, class),
        ("", "difference-shift", shift, class),
        ("", "interval", interval, class),
        ("", "finding", finding(difference), said),
    ];
    let markup = cells.map(|(key, how, text, class)| {
        let slash = if key.is_empty() { "" } else { "/" };
        let figure = shown(&format!("/differences/{nth}{slash}{key}"), how, &text);
        let figure = if class.is_empty() {
            figure
        } else {
            format!("<span class=\"{class}\">{figure}</span>")
        };
        if how == "finding" { words(&figure) } else { figure }
    });
    markup.into()
}
