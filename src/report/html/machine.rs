//! The end of the page: the machine and what the doctor found on it, and how the servers were run.
//!
//! Start at [`machine`].

use super::markup::{escaped, list, other_table, words};
use super::overview::chip;
use super::page::{Page, Section};
use crate::doctor::{self, Finding, Severity};
use crate::report::differences::setting;
use crate::results::bench::{Bench, TargetRecord};
use std::collections::BTreeSet;

/// Under this key of the host stands the doctor's report.
const DOCTOR: &str = "doctor";

pub(super) fn machine(page: &Page<'_>) -> Option<Section> {
    let bench = page.bench;
    let mut rows = String::new();
    for (key, value) in bench.host.iter().filter(|(key, _)| *key != DOCTOR) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = key.replace('_', " ");
        rows += &format!("<dt>{}</dt><dd>{}</dd>\n", escaped(&name), escaped(&value));
    }
    let facts = if rows.is_empty() { rows } else { format!("<dl class=\"facts\">\n{rows}</dl>\n") };
    let body = facts + &findings(bench).unwrap_or_default();
    Section::new("machine", "Machine and findings", body)
}

/// What may spoil the measurement, the worst first; `None` if nobody looked.
fn findings(bench: &Bench) -> Option<String> {
    let report: doctor::Report = serde_json::from_value(bench.host.get(DOCTOR)?.clone()).ok()?;
    let harmful = |finding: &&Finding| finding.severity <= Severity::Warn;
    let body = report.findings.iter().filter(harmful).map(|finding| {
        let (class, word) = match finding.severity {
            Severity::Bad => ("bad", "bad"),
            _ => ("doubtful", "warning"),
        };
        let seen = format!("{}<small>{}</small>", escaped(&finding.seen), escaped(&finding.why));
        let mend = match &finding.mend {
            Some(mend) => format!("<code>{}</code>", escaped(mend)),
            None => String::from("nothing on this machine can"),
        };
        (escaped(&finding.id), vec![words(&chip(class, word)), words(&seen), words(&mend)])
    });
    let caption = "What the doctor found before the bench, the worst first";
    Some(other_table(caption, &["finding", "", "seen, and why it matters", "what mends it"], body))
}

pub(super) fn targets(page: &Page<'_>) -> Option<Section> {
    let bench = page.bench;
    let body: String = bench.plan.targets.iter().map(|target| of_target(bench, target)).collect();
    Section::new("targets", "How the servers were run", body)
}

fn of_target(bench: &Bench, target: &TargetRecord) -> String {
    let mut text = format!(
        "<h3>{}</h3>\n<pre><code>{}</code></pre>\n",
        escaped(&target.name),
        escaped(&target.command.join(" "))
    );
    let mut facts: Vec<String> = target.cpus.iter().map(|cpus| format!("CPUs {cpus}")).collect();
    facts.extend(target.varied.iter().map(|varied| format!("varied: {}", setting(varied))));
    facts.extend(target.env.iter().map(|(name, value)| format!("{name}={value}")));
    let runs = || bench.runs.iter().filter(|run| run.target == target.name);
    let settings: BTreeSet<&str> =
        runs().filter_map(|run| run.target_settings.as_deref()).collect();
    facts.extend(settings.iter().map(|settings| format!("in force: {settings}")));
    let notes: BTreeSet<&str> =
        runs().flat_map(|run| &run.target_notes).map(String::as_str).collect();
    facts.extend(notes.iter().map(|note| String::from(*note)));
    text += &list(&facts);
    text
}
