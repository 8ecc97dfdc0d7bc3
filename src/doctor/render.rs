//! A report as a person reads it: at most [`COLUMNS`] columns, the worst first, one line at the end that
//! says it all.

use super::finding::{Finding, Severity};
use super::noise::Noise;
use super::{Report, machine};
use crate::units::Nanos;
use std::fmt::Write;

/// Chosen: what a terminal and a bug report both show unbroken.
const COLUMNS: usize = 100;

/// Before every line of a finding but its first.
const INDENT: &str = "      ";

/// The whole report. What is as it should be takes one line, anything else says why and what to do.
pub fn render(report: &Report) -> String {
    let mut page = String::new();
    let heading = format!("CPUs {} of {}, Linux {}", report.cpus, report.cpu_model, report.kernel);
    push_wrapped(&mut page, "", &heading, "");
    for group in report.findings.chunk_by(|a, b| a.severity == b.severity) {
        page.push('\n');
        group.iter().for_each(|finding| push_finding(&mut page, finding));
    }
    if !report.noise.is_empty() {
        page.push('\n');
        push_noise(&mut page, &report.noise);
    }
    page.push('\n');
    page.push_str(&summary(report));
    page
}

/// One line: how many findings of each severity, and which are the worst.
fn summary(report: &Report) -> String {
    let bad = report.count(Severity::Bad);
    let (warnings, notes) = (report.count(Severity::Warn), report.count(Severity::Note));
    let advice = match (bad, warnings) {
        (0, 0) => "nothing here spoils a measurement.",
        (0, _) => "the tail and the spread are wider than they need be.",
        _ => "do not publish figures from this machine as it is.",
    };
    let good = report.count(Severity::Good);
    format!("{bad} bad, {warnings} to warn of, {notes} to note, {good} good: {advice}\n")
}

fn push_finding(page: &mut String, finding: &Finding) {
    let label = match finding.severity {
        Severity::Bad => "BAD   ",
        Severity::Warn => "WARN  ",
        Severity::Note => "note  ",
        Severity::Good => "good  ",
    };
    push_wrapped(page, label, &finding.seen, "");
    if finding.severity == Severity::Good {
        return;
    }
    push_wrapped(page, INDENT, &finding.why, "");
    if let Some(mend) = &finding.mend {
        push_wrapped(page, "    $ ", mend, " \\");
    }
}

/// Breaks `text` at blanks; `first` stands before the first line, [`INDENT`] before the others if there
/// is a `first`, and `broken` after each line that goes on. A word longer than a line stands alone.
fn push_wrapped(page: &mut String, first: &str, text: &str, broken: &str) {
    let indent = if first.is_empty() { "" } else { INDENT };
    let width = COLUMNS - broken.len();
    let mut line = first.to_string();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(page, "{line}{broken}"); // writing to a String cannot fail
            line = indent.to_string();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(page, "{line}");
}

fn push_noise(page: &mut String, noise: &[Noise]) {
    let spun = noise.iter().map(|noise| noise.spun_ns).max().unwrap_or(0);
    let cpus: Vec<usize> = noise.iter().map(|noise| noise.cpu).collect();
    let who = machine::name(&cpus);
    let _ = writeln!(page, "Noise floor: gaps of a spinning thread, {} on {who}", Nanos(spun));
    let columns = ["CPU", "p50", "p99", "p99.9", "max", ">10us/s", ">100us/s", ">1ms/s", "lost"];
    push_row(page, columns.map(str::to_string));
    for noise in noise {
        let span = |ns: u64| Nanos(ns).to_string();
        let rate = |per_s: f64| format!("{per_s:.1}");
        push_row(
            page,
            [
                noise.cpu.to_string(),
                span(noise.p50_ns),
                span(noise.p99_ns),
                span(noise.p99_9_ns),
                span(noise.max_ns),
                rate(noise.over_10us_per_s),
                rate(noise.over_100us_per_s),
                rate(noise.over_1ms_per_s),
                format!("{:.3} %", 100.0 * noise.lost_share),
            ],
        );
    }
}

fn push_row(page: &mut String, cells: [String; 9]) {
    let [cpu, rest @ ..] = cells;
    let _ = write!(page, "{cpu:>6}");
    for cell in rest {
        let _ = write!(page, "{cell:>10}");
    }
    page.push('\n');
}

#[cfg(test)]
mod tests;
