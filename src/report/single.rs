//! One run of the pacer on a terminal: distributions, counts, the pacer's own error, the verdict.
//!
//! Plain text, at most 110 columns. Pure: a [`Run`] in, a `String` out.

use crate::results::{Errors, Quantiles, RequestKind, Run, Verdict};
use crate::stats::compare::is_thin;
use crate::units::Nanos;
use std::fmt::Write;

/// The table that `ringpace pace` ends in.
pub fn run_table(run: &Run) -> String {
    let mut text = String::new();
    headline(&mut text, run);
    distributions(&mut text, run);
    if run.requests.len() > 1 {
        kinds(&mut text, &run.requests);
    }
    footnotes(&mut text, run);
    counts(&mut text, run);
    verdict(&mut text, run);
    text
}

fn headline(text: &mut String, run: &Run) {
    line(
        text,
        format_args!(
            "offered {:.1}/s, achieved {:.1}/s for {:.1} s; {} arrivals, seed {}, schedule {}",
            run.offered_rps,
            run.achieved_rps,
            run.duration_s,
            run.schedule.arrivals,
            run.schedule.seed,
            run.schedule.hash
        ),
    );
}

const HEADINGS: [&str; 8] = ["count", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];

fn headings(text: &mut String, first: &str) {
    let _ = write!(text, "\n{first:<26}");
    for heading in HEADINGS {
        let _ = write!(text, "{heading:>10}");
    }
    text.push('\n');
}

fn distributions(text: &mut String, run: &Run) {
    headings(text, "all requests");
    row(text, "response (done-intended)", &run.response_ns);
    row(text, "  overlapping no stall", &run.without_stalls.response_ns);
    row(text, "service (done-sent)", &run.service_ns);
    row(text, "lateness (sent-intended)", &run.lateness_ns);
    row(text, "  overlapping no stall", &run.without_stalls.lateness_ns);
}

fn kinds(text: &mut String, requests: &[RequestKind]) {
    headings(text, "response by kind");
    for kind in requests {
        row(text, &kind.name, &kind.response_ns);
    }
}

fn row(text: &mut String, name: &str, quantiles: &Quantiles) {
    let _ = write!(text, "{name:<26}{:>10}", quantiles.count);
    let figures = [
        (quantiles.p50, 50_000),
        (quantiles.p90, 10_000),
        (quantiles.p95, 5_000),
        (quantiles.p99, 1_000),
        (quantiles.p99_9, 100),
        (quantiles.p99_99, 10),
    ];
    for (figure, beyond_per_100k) in figures {
        let thin = if is_thin(quantiles.count, beyond_per_100k) { "*" } else { "" };
        let _ = write!(text, "{:>10}", format!("{}{thin}", show(figure, quantiles)));
    }
    let _ = writeln!(text, "{:>10}", show(quantiles.max, quantiles));
}

/// A figure; `>` the longest time observed where it is +infinity; `-` where there is none.
fn show(figure: Option<u64>, quantiles: &Quantiles) -> String {
    match (figure, quantiles.count, quantiles.longest_observed) {
        (Some(ns), _, _) => Nanos(ns).to_string(),
        (None, 0, _) => "-".to_string(),
        (None, _, Some(longest)) => format!(">{}", Nanos(longest)),
        (None, _, None) => "never".to_string(),
    }
}

fn footnotes(text: &mut String, run: &Run) {
    if is_thin(run.response_ns.count, 10) {
        line(text, format_args!("* fewer than 10 samples beyond it; run longer to know it"));
    }
    if run.response_ns.infinite > 0 {
        line(
            text,
            format_args!("> some requests never came back; they count as longer than any that did"),
        );
    }
}

fn counts(text: &mut String, run: &Run) {
    let Errors { status, malformed, reset, timeout, connect } = run.errors;
    line(
        text,
        format_args!(
            "\nplanned {} = ok {} + status {status} + malformed {malformed} + reset {reset} + timeout {timeout} \
         + connect {connect} + unfinished {}",
            run.planned, run.ok, run.unfinished
        ),
    );
    line(
        text,
        format_args!(
            "connections {} opened, {} in flight at most, {} requests waited for one",
            run.connections.opened, run.connections.peak_in_flight, run.connections.starved
        ),
    );
    line(
        text,
        format_args!(
            "stalls of the pacer: {} over {}, {} in all, the longest {}; {} requests overlap one",
            run.stalls.count,
            Nanos(run.stalls.threshold_ns),
            Nanos(run.stalls.total_ns),
            Nanos(run.stalls.max_ns),
            run.stalls.requests_overlapping
        ),
    );
}

fn verdict(text: &mut String, run: &Run) {
    let word = match run.verdict {
        Verdict::Valid => "VALID",
        Verdict::Suspect => "SUSPECT",
        Verdict::Invalid => "INVALID",
    };
    line(text, format_args!("verdict {word}"));
    for reason in &run.reasons {
        line(text, format_args!("  {reason}"));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}");
}
