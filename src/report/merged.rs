//! Several runs as one on a terminal.
//!
//! Plain text, at most 110 columns. Pure: a [`Merged`] in, a `String` out.

use super::figure::verdict_word;
use super::single::{error_row, headings, kinds, line, row, thin_note};
use crate::results::Errors;
use crate::results::merged::Merged;

/// What `ringpace merge` prints.
pub fn merged(merged: &Merged) -> String {
    let mut text = String::new();
    line(&mut text, format_args!("{} runs as one", merged.runs));
    headings(&mut text, "all requests");
    row(&mut text, "response (done-intended)", &merged.response_ns);
    if let Some(error) = &merged.error_ns {
        error_row(&mut text, error, merged.response_ns.count);
    }
    for (name, quantiles) in [
        ("service (done-sent)", &merged.service_ns),
        ("first byte (-sent)", &merged.ttfb_ns),
        ("lateness (sent-intended)", &merged.lateness_ns),
    ] {
        if let Some(quantiles) = quantiles {
            row(&mut text, name, quantiles);
        }
    }
    kinds(&mut text, &merged.requests);
    thin_note(&mut text, &merged.response_ns);
    counts(&mut text, merged);
    text
}

fn counts(text: &mut String, merged: &Merged) {
    let Errors { status, malformed, reset, timeout, connect } = merged.errors;
    let (planned, ok, unfinished) = (merged.planned, merged.ok, merged.unfinished);
    let Some(verdict) = merged.verdict else {
        let missing = "failed or unfinished, which a log does not tell apart";
        return line(text, format_args!("\nplanned {planned} = ok {ok} + {unfinished} {missing}"));
    };
    line(
        text,
        format_args!(
            "\nplanned {planned} = ok {ok} + status {status} + malformed {malformed} + reset {reset} \
             + timeout {timeout} + connect {connect} + unfinished {unfinished} + skipped {}",
            merged.skipped
        ),
    );
    let schedules = match merged.schedules.as_slice() {
        [one] => format!("all of schedule {one}"),
        several => format!("of {} schedules", several.len()),
    };
    line(text, format_args!("{schedules}; the worst verdict is {}", verdict_word(verdict)));
    merged.reasons.iter().for_each(|reason| line(text, format_args!("  {reason}")));
}
