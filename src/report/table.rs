//! The terminal table: plain text, aligned, at most 110 columns for names of usual length.

use super::differences::{FINDINGS_NOTE, against_itself, differences, of_repeats, setting};
use super::figure::{
    FEW_NOTE, failures, headline, is_thin, level, losses, median, megabytes, offered, range, scope,
    verdicts,
};
use crate::results::Figure;
use crate::results::bench::{Bench, ClaimOutcome, ClaimResult, KindSummary, Spreads, Summary};

/// The whole bench as text; ends with a newline.
pub fn render_table(bench: &Bench) -> String {
    let mut text = wrapped(&format!("{}: {}", bench.plan.name, scope(&bench.plan)));
    for note in &bench.notes {
        text += &wrapped(&format!("note: {note}"));
    }
    text += &varied(bench);
    for rate in &bench.plan.rates {
        let summaries: Vec<&Summary> =
            bench.summaries.iter().filter(|summary| summary.rate == *rate).collect();
        if !summaries.is_empty() {
            let offered = offered(&bench.plan, rate, "/s");
            text += &format!("\nResponse time at {offered}\n");
            text += &latencies(&summaries);
            text += &format!("\nPacer and servers at {offered}\n");
            text += &machines(&summaries);
            text += &differences(bench, rate);
        }
    }
    text += &bench.duet.as_ref().map(super::duet_table).unwrap_or_default();
    text += &super::knee::knees(bench);
    text += &footnotes(bench);
    text += &troubles(bench);
    text += &super::steadiness::steadiness(bench);
    text += &claims(bench);
    text += &against_itself(bench);
    text
}

/// The targets that axes made, and the flags by which they differ.
fn varied(bench: &Bench) -> String {
    let made = bench.plan.targets.iter().filter(|target| !target.varied.is_empty());
    let rows: Vec<Vec<String>> = made
        .map(|target| {
            let flags = target.varied.iter().map(setting);
            std::iter::once(format!("  {}", target.name)).chain(flags).collect()
        })
        .collect();
    match rows.as_slice() {
        [] => String::new(),
        rows => format!("\nVaried\n{}", aligned(rows, usize::MAX)),
    }
}

/// Per target and request kind: medians, and below them the range of the repeats.
fn latencies(summaries: &[&Summary]) -> String {
    let mut rows = vec![["target", "request", "count"].map(String::from).to_vec()];
    rows[0].extend(headline().map(|quantile| quantile.label.to_owned()));
    for summary in summaries.iter().filter(|summary| summary.used > 0) {
        let kinds = std::iter::once(&summary.total).chain(&summary.requests);
        for (position, kind) in kinds.enumerate() {
            let target = if position == 0 { summary.target.as_str() } else { "" };
            rows.push(medians(target, kind));
            rows.extend(ranges(kind));
        }
    }
    aligned(&rows, 2)
}

fn medians(target: &str, kind: &KindSummary) -> Vec<String> {
    let head = [target.to_owned(), kind.name.clone(), kind.planned.to_string()];
    head.into_iter().chain(headline().map(|q| median(q, &kind.response_ns))).collect()
}

/// `None` if the repeats read the same.
fn ranges(kind: &KindSummary) -> Option<Vec<String>> {
    let ranges: Vec<String> = headline().map(|q| range(q, &kind.response_ns)).collect();
    let any = ranges.iter().any(|range| !range.is_empty());
    any.then(|| std::iter::repeat_n(String::new(), 3).chain(ranges).collect())
}

/// Per target: the pacer's own error, what the server used, and the verdicts.
fn machines(summaries: &[&Summary]) -> String {
    let heads = [
        "target", "late p50", "late p99", "calm p50", "calm p99", "stalls", "CPU %", "us/req",
        "RSS", "switch/s", "lost", "verdicts",
    ];
    let mut rows = vec![heads.map(String::from).to_vec()];
    for summary in summaries {
        // Verdicts that differ stand below one another: side by side they would not fit.
        let mut verdicts = verdicts(summary).into_iter();
        let mut row = machine(summary);
        row.extend(verdicts.next());
        let blanks = || vec![String::new(); heads.len() - 1];
        rows.push(row);
        rows.extend(verdicts.map(|verdict| [blanks(), vec![verdict]].concat()));
    }
    aligned(&rows, 1)
}

/// All but the verdicts.
fn machine(summary: &Summary) -> Vec<String> {
    let at = |key: &str, spreads: &Spreads| {
        Figure::of_key(key).map_or_else(String::new, |figure| median(figure, spreads))
    };
    vec![
        summary.target.clone(),
        at("p50", &summary.lateness_ns),
        at("p99", &summary.lateness_ns),
        at("p50", &summary.lateness_without_stalls_ns),
        at("p99", &summary.lateness_without_stalls_ns),
        summary.stalls.to_string(),
        level(&summary.cpu_percent, 1),
        level(&summary.cpu_us_per_request, 1),
        megabytes(&summary.rss_bytes),
        level(&summary.switches_per_s, 0),
        summary.total.lost().to_string(),
    ]
}

fn footnotes(bench: &Bench) -> String {
    if bench.summaries.is_empty() {
        return String::new();
    }
    let thin = |kind: &KindSummary| headline().any(|quantile| is_thin(quantile, &kind.response_ns));
    let any_thin = bench.summaries.iter().any(|summary| {
        std::iter::once(&summary.total).chain(&summary.requests).any(thin)
            || Figure::of_key("p99").is_some_and(|p99| {
                is_thin(p99, &summary.lateness_ns)
                    || is_thin(p99, &summary.lateness_without_stalls_ns)
            })
    });
    let mut text = String::from(
        "\nMedian of the repeats; below it their least and most. Response time runs from when a request\n\
         was due. late: sent - intended; calm: the same over requests that no stall of the pacer overlaps.\n",
    );
    if !of_repeats(bench).is_empty() {
        text += FINDINGS_NOTE;
        text += "\n";
    }
    if any_thin {
        text += FEW_NOTE;
        text += "\n";
    }
    text
}

/// Failed runs, lost requests, and why a verdict is not VALID.
fn troubles(bench: &Bench) -> String {
    let mut lines: Vec<String> = failures(bench).collect();
    for summary in &bench.summaries {
        let whom = format!("{} at {}/s", summary.target, summary.rate);
        if summary.total.lost() > 0 {
            let planned = summary.total.planned;
            lines.push(format!("{whom}: lost of {planned}: {}", losses(&summary.total)));
        }
        lines.extend(summary.reasons.iter().map(|reason| format!("{whom}, {reason}")));
        let left_out = summary.verdicts.len().saturating_sub(summary.used as usize);
        if left_out > 0 {
            lines.push(format!("{whom}: {left_out} INVALID left out of the figures"));
        }
    }
    listed("Troubles", &lines)
}

fn claims(bench: &Bench) -> String {
    let outcomes = bench.claims.iter().map(|claim| outcome(claim.outcome));
    let width = outcomes.map(str::len).max().unwrap_or(0).max(7);
    let line = |claim: &ClaimResult| {
        let (said, figures) = (outcome(claim.outcome), claim.figures.join("; "));
        format!("{said:<width$} {}  ({figures})", claim.text)
    };
    let lines: Vec<String> = bench.claims.iter().map(line).collect();
    listed("Claims", &lines)
}

/// As written in a report.
pub(super) fn outcome(outcome: ClaimOutcome) -> &'static str {
    match outcome {
        ClaimOutcome::Skipped => "skipped",
        ClaimOutcome::Holds => "holds",
        ClaimOutcome::Unknown => "cannot be told",
        ClaimOutcome::Fails => "FAILS",
    }
}

pub(super) fn listed(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    // A failure may bring lines of a log along; each is wrapped by itself.
    let body = lines.iter().flat_map(|line| line.lines()).map(|line| wrapped(&format!("  {line}")));
    format!("\n{title}\n{}", body.collect::<String>())
}

/// Chosen: fits half of a wide screen, and a mail.
const COLUMNS: usize = 110;

/// `line` broken between words, the rest of it indented further; ends with a newline. A word that is
/// longer than a line stays whole, so that a path can be copied.
pub(super) fn wrapped(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut text = " ".repeat(indent);
    let mut column = indent;
    for (nth, word) in line.trim_start().split(' ').enumerate() {
        let width = word.chars().count();
        if nth > 0 && column + 1 + width > COLUMNS {
            text += &format!("\n{}", " ".repeat(indent + 2));
            column = indent + 2;
        } else if nth > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += width;
    }
    text + "\n"
}

/// Columns as wide as their widest cell; the first `left` are flush left, the others right.
pub(super) fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        text += line.trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests;
