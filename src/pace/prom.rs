//! Writes a run in Prometheus' text format (version 0.0.4), for the textfile collector of
//! node_exporter: dashboards and alerts over nightly runs without a parser for JSON.
//!
//! Times are in seconds. A figure at +infinity is `+Inf`; a quantile of too few requests is left
//! out. Every value is a gauge, since the next run replaces it. Pure. Start at [`text`].

use crate::results::{Errors, FIGURES, Figure, Published, Quantiles, RequestKind, Run, Verdict};
use std::fmt::Write;

/// The run as text.
pub fn text(run: &Run) -> String {
    let mut text = String::new();
    head(&mut text, "requests", "Requests of the last run by kind and by how they ended.");
    for kind in &run.requests {
        let Errors { status, malformed, reset, timeout, connect } = kind.errors;
        for (outcome, count) in [
            ("ok", kind.ok),
            ("status", status),
            ("malformed", malformed),
            ("reset", reset),
            ("timeout", timeout),
            ("connect", connect),
            ("unfinished", kind.unfinished),
            ("skipped", kind.skipped),
        ] {
            let labels = format!("kind=\"{}\",outcome=\"{outcome}\"", escaped(&kind.name));
            line(&mut text, "requests", &labels, count as f64);
        }
    }
    head(&mut text, "response_seconds", "Response time, from when a request was due.");
    for kind in &run.requests {
        let labels = format!("kind=\"{}\",", escaped(&kind.name));
        quantiles(&mut text, "response_seconds", &labels, &kind.response_ns);
    }
    deliveries(&mut text, run);
    let error = run.error_ns;
    head(&mut text, "lateness_seconds", "Lateness of the pacer, sent - due.");
    quantiles(&mut text, "lateness_seconds", "", &run.lateness_ns);
    head(
        &mut text,
        "error_seconds",
        "What of a quantile of all response times may be the pacer's.",
    );
    for figure in ["p50", "p99", "p99_9"].into_iter().filter_map(Figure::of_key) {
        if let Some(ns) = (figure.error)(&error) {
            line(&mut text, "error_seconds", &format!("quantile=\"{}\"", figure.q), seconds(ns));
        }
    }
    for (name, help, value) in [
        ("offered_rps", "Requests per second that were asked for.", run.offered_rps),
        ("achieved_rps", "Requests answered as expected per second.", run.achieved_rps),
        ("duration_seconds", "Measured time.", run.duration_s),
        ("stalls", "Gaps in the pacer's own loop.", run.stalls.count as f64),
        ("stalls_seconds", "Their sum.", seconds(run.stalls.total_ns)),
    ] {
        head(&mut text, name, help);
        line(&mut text, name, "", value);
    }
    head(&mut text, "verdict", "1 for the verdict of the last run, 0 for the others.");
    for (verdict, word) in
        [(Verdict::Valid, "VALID"), (Verdict::Suspect, "SUSPECT"), (Verdict::Invalid, "INVALID")]
    {
        let is_it = f64::from(u8::from(run.verdict == verdict));
        line(&mut text, "verdict", &format!("verdict=\"{word}\""), is_it);
    }
    text
}

/// Only of runs in which answers were to say when what they bring was published.
fn deliveries(text: &mut String, run: &Run) {
    let kinds = || {
        let published =
            |kind: &'_ RequestKind| Some((escaped(&kind.name), kind.delivery_ns?, kind.published?));
        run.requests.iter().filter_map(published)
    };
    if kinds().next().is_none() {
        return;
    }
    head(text, "delivery_seconds", "From the publication of what an answer brings to its reading.");
    for (kind, delivery, _) in kinds() {
        quantiles(text, "delivery_seconds", &format!("kind=\"{kind}\","), &delivery);
    }
    head(text, "published", "Answers by whether they say when what they bring was published.");
    for (kind, _, published) in kinds() {
        let Published { with, without, from_the_future, .. } = published;
        for (says, count) in
            [("with", with), ("without", without), ("from_the_future", from_the_future)]
        {
            line(text, "published", &format!("kind=\"{kind}\",says=\"{says}\""), count as f64);
        }
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP ringpace_run_{name} {help}");
    let _ = writeln!(text, "# TYPE ringpace_run_{name} gauge");
}

fn quantiles(text: &mut String, name: &str, labels: &str, quantiles: &Quantiles) {
    for figure in FIGURES.iter().filter(|figure| !figure.is_thin(quantiles.count)) {
        if quantiles.count > 0 {
            let value = (figure.value)(quantiles).map_or(f64::INFINITY, seconds);
            line(text, name, &format!("{labels}quantile=\"{}\"", figure.q), value);
        }
    }
}

fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let value = if value.is_infinite() { String::from("+Inf") } else { value.to_string() };
    let _ = writeln!(text, "ringpace_run_{name}{labels} {value}");
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;

    #[test]
    fn every_line_is_a_sample_or_a_comment() {
        let mut run = sample::run(50_000);
        run.requests[0].name = String::from("a \"b\"\\\n");
        run.requests[1].response_ns = sample::quantiles(50_000, true);
        let text = text(&run);
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("ringpace_run_"), "{line}");
            assert!(value == "+Inf" || value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        }
        for part in [
            "ringpace_run_requests{kind=\"a \\\"b\\\"\\\\\\n\",outcome=\"ok\"} 6000\n",
            "ringpace_run_response_seconds{kind=\"command\",quantile=\"0.5\"} 0.00005\n",
            "ringpace_run_response_seconds{kind=\"command\",quantile=\"1\"} +Inf\n",
            "ringpace_run_verdict{verdict=\"VALID\"} 1\n",
            "# TYPE ringpace_run_achieved_rps gauge\nringpace_run_achieved_rps 1000\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        // 10,000 requests say nothing of a p99.99.
        assert!(!text.contains("0.9999"), "{text}");
    }

    #[test]
    fn deliveries_are_there_only_where_answers_say_when() {
        let mut run = sample::run(50_000);
        assert!(!text(&run).contains("delivery") && !text(&run).contains("published"));
        run.requests[1].delivery_ns = Some(sample::quantiles(250_000, false));
        let published =
            Published { with: 9_990, without: 8, from_the_future: 2, ..Default::default() };
        run.requests[1].published = Some(published);
        let text = text(&run);
        for part in [
            "ringpace_run_delivery_seconds{kind=\"command\",quantile=\"0.5\"} 0.00025\n",
            "ringpace_run_published{kind=\"command\",says=\"with\"} 9990\n",
            "ringpace_run_published{kind=\"command\",says=\"without\"} 8\n",
            "ringpace_run_published{kind=\"command\",says=\"from_the_future\"} 2\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
