//! The end of the page: the machine, what the doctor found on it, and the command lines.

use super::{escaped, table, words};
use crate::doctor::{self, Finding, Severity};
use crate::results::bench::Bench;

/// Under this key of the host stands the doctor's report.
const DOCTOR: &str = "doctor";

pub(super) fn machine(bench: &Bench) -> String {
    let mut rows = String::new();
    for (key, value) in bench.host.iter().filter(|(key, _)| *key != DOCTOR) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows += &format!("<dt>{}</dt><dd>{}</dd>\n", escaped(key), escaped(&value));
    }
    for target in &bench.plan.targets {
        let command = escaped(&target.command.join(" "));
        rows += &format!("<dt>{}</dt><dd><code>{command}</code></dd>\n", escaped(&target.name));
    }
    let findings = findings(bench).unwrap_or_default();
    format!("<h2>Machine and targets</h2>\n{findings}<dl>\n{rows}</dl>\n")
}

/// What may spoil the measurement, the worst first; `None` if nobody looked.
fn findings(bench: &Bench) -> Option<String> {
    let report: doctor::Report = serde_json::from_value(bench.host.get(DOCTOR)?.clone()).ok()?;
    let harmful = |finding: &&Finding| finding.severity <= Severity::Warn;
    let body = report.findings.iter().filter(harmful).map(|finding| {
        let mend = finding.mend.as_deref().unwrap_or_default();
        let mend = format!("<code>{}</code>", escaped(mend));
        let seen = format!("{}<small>{}</small>", escaped(&finding.seen), escaped(&finding.why));
        (escaped(&finding.id), vec![words(&seen), words(&mend)])
    });
    let caption = "What the doctor found before the bench, the worst first";
    Some(table(caption, &["finding", "seen, and why it matters", "what mends it"], body))
}
