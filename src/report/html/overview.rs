//! The head of the page: what was measured, and what came of it in a few lines.
//!
//! Start at [`overview`].

use super::markup::{escaped, list, shown};
use super::page::Page;
use crate::doctor::{self, Severity};
use crate::report::differences::{finding, of_repeats, pair};
use crate::report::figure::{named, scope, verdict_word};
use crate::results::Verdict;
use crate::results::bench::{ClaimOutcome, Difference, Finding};

/// Chosen: more lines than this are no longer short; the section has them all.
const DIFFERENCES_MAX: usize = 8;

pub(super) fn overview(page: &Page<'_>) -> String {
    let bench = page.bench;
    let mut text = format!(
        "<header>\n<p class=\"kicker\">ringpace {} bench</p>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}. Started {}.</p>\n",
        escaped(&bench.version),
        escaped(&bench.plan.name),
        escaped(&scope(&bench.plan)),
        escaped(&bench.started),
    );
    if !bench.complete {
        text += "<p class=\"bad\">Interrupted: not every run was made.</p>\n";
    }
    let mut rows = vec![("Runs", runs(page))];
    rows.extend(claims(page).map(|claims| ("Claims", claims)));
    rows.extend(differences(page).map(|lines| ("Differences", lines)));
    rows.extend(machine(page).map(|line| ("Machine", line)));
    text += "<dl class=\"short\">\n";
    for (name, markup) in rows {
        text += &format!("<dt>{name}</dt><dd>{markup}</dd>\n");
    }
    text += "</dl>\n";
    if !bench.notes.is_empty() {
        text += &format!("<h2>Notes</h2>\n{}", list(&bench.notes));
    }
    text + "</header>\n"
}

/// A word on a coloured ground; the word says it all by itself.
pub(super) fn chip(class: &str, word: &str) -> String {
    format!("<span class=\"chip {class}\">{}</span>", escaped(word))
}

/// The class of a verdict.
pub(super) fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "good",
        Verdict::Suspect => "doubtful",
        Verdict::Invalid => "bad",
    }
}

fn runs(page: &Page<'_>) -> String {
    let runs = &page.bench.runs;
    if runs.is_empty() {
        return match page.bench.knee.as_ref().map_or(0, |knee| knee.runs.len()) {
            0 => String::from("none"),
            probes => format!("{probes} to find the knees. <a href=\"#knees\">Which</a>"),
        };
    }
    let verdicts: Vec<Verdict> =
        runs.iter().filter_map(|run| run.run.as_ref()).map(|run| run.verdict).collect();
    let failed = runs.len() - verdicts.len();
    let mut chips: Vec<String> = [Verdict::Valid, Verdict::Suspect, Verdict::Invalid]
        .into_iter()
        .filter_map(|verdict| {
            let count = verdicts.iter().filter(|other| **other == verdict).count();
            let words = format!("{count} {}", verdict_word(verdict));
            (count > 0).then(|| chip(class_of(verdict), &words))
        })
        .collect();
    if failed > 0 {
        chips.push(chip("bad", &format!("{failed} failed")));
    }
    let worst = verdicts.iter().max();
    let meaning = match worst {
        Some(Verdict::Valid) if failed == 0 => {
            "the pacer's own error is small against what it reports"
        }
        Some(Verdict::Invalid) => {
            "some figures are the pacer's or the machine's and not the server's"
        }
        _ => "something disturbed the measurement",
    };
    format!("{}: {meaning}. <a href=\"#verdicts\">Reasons</a>", chips.join(" "))
}

fn claims(page: &Page<'_>) -> Option<String> {
    let claims = &page.bench.claims;
    let count = |outcome| claims.iter().filter(|claim| claim.outcome == outcome).count();
    let counts = [
        (count(ClaimOutcome::Holds), "hold"),
        (count(ClaimOutcome::Fails), "fail"),
        (count(ClaimOutcome::Unknown), "unknown"),
        (count(ClaimOutcome::Skipped), "skipped"),
    ];
    let counted = named(&counts).join(", ");
    (!claims.is_empty()).then(|| format!("{counted}. <a href=\"#claims\">Which</a>"))
}

fn differences(page: &Page<'_>) -> Option<String> {
    let bench = page.bench;
    let shown_ones: Vec<(usize, &Difference)> = of_repeats(bench)
        .iter()
        .enumerate()
        .filter(|(_, of)| of.request == "total" && matches!(&*of.figure, "p50" | "p99" | "cpu"))
        .collect();
    if shown_ones.is_empty() {
        return None;
    }
    let lines = shown_ones.iter().take(DIFFERENCES_MAX).map(|(nth, of)| {
        let at = match bench.plan.rates.len() {
            1 => String::new(),
            _ => format!(" at {}/s", escaped(&of.rate)),
        };
        let told = matches!(of.finding, Finding::Higher | Finding::Lower);
        let class = if told { "told" } else { "dim" };
        let says = shown(&format!("/differences/{nth}"), "finding", &finding(of));
        let (pair, figure) = (escaped(&pair(bench, of)), escaped(&of.figure));
        format!("<li>{pair}{at}, {figure}: <span class=\"{class}\">{says}</span></li>\n")
    });
    let list: String = lines.collect();
    let rest = shown_ones.len().saturating_sub(DIFFERENCES_MAX);
    let rest = if rest == 0 { String::new() } else { format!("And {rest} more. ") };
    Some(format!("<ul>\n{list}</ul>\n{rest}<a href=\"#differences\">All of them</a>"))
}

fn machine(page: &Page<'_>) -> Option<String> {
    let report: doctor::Report =
        serde_json::from_value(page.bench.host.get("doctor")?.clone()).ok()?;
    let (bad, doubtful) = (report.count(Severity::Bad), report.count(Severity::Warn));
    let found = match (bad, doubtful) {
        (0, 0) => String::from("the doctor found nothing that spoils a measurement"),
        _ => {
            let counts = named(&[(bad, "that spoil figures"), (doubtful, "that widen the tail")]);
            format!("the doctor's findings: {}", counts.join(", "))
        }
    };
    let cpu = escaped(&report.cpu_model);
    let kernel = escaped(&report.kernel);
    Some(format!("{cpu}, Linux {kernel}; {found}. <a href=\"#machine\">What to mend</a>"))
}
