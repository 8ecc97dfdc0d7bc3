//! One run of the pacer on a terminal: distributions, counts, the pacer's own error, the verdict.
//!
//! Plain text, at most 110 columns. Pure: a [`Run`] in, a `String` out.

use super::figure::verdict_word;
use crate::results::{
    Connections, Disturbance, Errors, FIGURES, Published, QuantileErrors, QuantileInterval,
    QuantileIntervals, Quantiles, RequestKind, Run,
};
use crate::units::Nanos;
use std::fmt::Write;

/// The table that `ringpace pace` ends in.
pub fn run_table(run: &Run) -> String {
    let mut text = String::new();
    headline(&mut text, run);
    distributions(&mut text, run);
    kinds(&mut text, &run.requests);
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

pub(super) fn headings(text: &mut String, first: &str) {
    let _ = write!(text, "\n{first:<26}{:>10}", "count");
    for figure in &FIGURES {
        let _ = write!(text, "{:>10}", figure.label);
    }
    text.push('\n');
}

fn distributions(text: &mut String, run: &Run) {
    headings(text, "all requests");
    row(text, "response (done-intended)", &run.response_ns);
    error_row(text, &run.error_ns, run.response_ns.count);
    interval_rows(text, &run.interval_ns);
    row(text, "  overlapping no stall", &run.without_stalls.response_ns);
    row(text, "service (done-sent)", &run.service_ns);
    row(text, "first byte (-sent)", &run.ttfb_ns);
    row(text, "lateness (sent-intended)", &run.lateness_ns);
    row(text, "  overlapping no stall", &run.without_stalls.lateness_ns);
    if !run.server_timing_ns.is_empty() {
        headings(text, "as the server says");
        run.server_timing_ns.iter().for_each(|(name, span)| row(text, name, span));
    }
    if let Some(stamps) = &run.kernel_stamps {
        headings(text, "by the kernel's stamps");
        row(text, "pacer late", &run.lateness_ns);
        row(text, "send path", &stamps.send_path_ns);
        row(text, "server and network", &stamps.server_ns);
        row(text, "read lag", &stamps.read_lag_ns);
    }
}

/// Below response times: what of each may be the pacer's doing.
pub(super) fn error_row(text: &mut String, error: &QuantileErrors, count: u64) {
    let _ = write!(text, "{:<26}{:>10}", "  of it the pacer's, up to", "");
    for figure in &FIGURES {
        let shown = match (figure.error)(error) {
            Some(_) if figure.is_thin(count) => String::from("*"),
            Some(ns) => Nanos(ns).to_string(),
            None => String::from("-"),
        };
        let _ = write!(text, "{shown:>10}");
    }
    text.push('\n');
}

/// Below response times: how sure each is, if anything is known of it.
fn interval_rows(text: &mut String, intervals: &QuantileIntervals) {
    if intervals.confidence == 0.0 {
        return;
    }
    let mut row = |name: &str, shown: &dyn Fn(&QuantileInterval) -> String| {
        let _ = write!(text, "  {name:<24}{:>10}", "");
        for figure in FIGURES.iter().filter(|figure| figure.beyond_per_100k > 0) {
            let interval = (figure.interval)(intervals);
            let shown = interval.as_ref().map_or_else(|| String::from("-"), shown);
            let _ = write!(text, "{shown:>10}");
        }
        text.push('\n');
    };
    let end = |ns: Option<u64>| ns.map_or_else(|| String::from("?"), |ns| Nanos(ns).to_string());
    row("95 % sure, at least", &|interval| end(interval.low));
    row("95 % sure, at most", &|interval| end(interval.high));
    row("effective sample size", &|interval| format!("{:.0}", interval.effective));
}

/// Of one kind there is more to say only if it has deliveries.
pub(super) fn kinds(text: &mut String, requests: &[RequestKind]) {
    if requests.len() < 2 && requests.iter().all(|kind| kind.delivery_ns.is_none()) {
        return;
    }
    headings(text, "response by kind");
    for kind in requests {
        let apart = if kind.long_poll { " (long poll)" } else { "" };
        row(text, &format!("{}{apart}", kind.name), &kind.response_ns);
        if let Some(delivery) = &kind.delivery_ns {
            row(text, "  delivery (-published)", delivery);
        }
    }
    let published = requests.iter().filter_map(|kind| Some((&kind.name, kind.published?)));
    published.for_each(|(name, published)| delivery_note(text, name, &published));
}

/// What the delivery times of a kind rest on.
fn delivery_note(text: &mut String, name: &str, published: &Published) {
    let Published { with, without, from_the_future, clock_error_ns, .. } = *published;
    line(
        text,
        format_args!(
            "{name}: {with} answers say when they were published, {without} do not, \
             {from_the_future} say later than they came;\n  by this host's wall clock, whose distance \
             from the pacer's is known to {}",
            Nanos(clock_error_ns)
        ),
    );
}

pub(super) fn row(text: &mut String, name: &str, quantiles: &Quantiles) {
    let _ = write!(text, "{name:<26}{:>10}", quantiles.count);
    for figure in &FIGURES {
        let is_thin = quantiles.count > 0 && figure.is_thin(quantiles.count);
        let value = || show((figure.value)(quantiles), quantiles);
        let shown = if is_thin { String::from("*") } else { value() };
        let _ = write!(text, "{shown:>10}");
    }
    text.push('\n');
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
    thin_note(text, &run.response_ns);
    if run.requests.iter().any(|kind| kind.long_poll) {
        line(text, format_args!("long polls are in no figure of all requests but the lateness"));
    }
    if run.response_ns.infinite > 0 {
        line(
            text,
            format_args!("> some requests never came back; they count as longer than any that did"),
        );
    }
}

/// Why a quantile is not shown, if one is not.
pub(super) fn thin_note(text: &mut String, response: &Quantiles) {
    if response.count > 0 && !response.too_few().is_empty() {
        line(
            text,
            format_args!(
                "* fewer than 10 requests lie beyond it, so it is not shown: p99 takes 1,000, p99.9 \
                 10,000, p99.99 100,000"
            ),
        );
    }
}

fn counts(text: &mut String, run: &Run) {
    let Errors { status, malformed, reset, timeout, connect } = run.errors;
    let skipped =
        if run.skipped > 0 { format!(" + skipped {}", run.skipped) } else { String::new() };
    line(
        text,
        format_args!(
            "\nplanned {} = ok {} + status {status} + malformed {malformed} + reset {reset} + timeout {timeout} \
         + connect {connect} + unfinished {}{skipped}",
            run.planned, run.ok, run.unfinished
        ),
    );
    let Connections { opened, peak_in_flight, starved, retried } = run.connections;
    let again = if retried > 0 { format!(", {retried} sent again") } else { String::new() };
    line(
        text,
        format_args!(
            "connections {opened} opened, {peak_in_flight} in flight at most, {starved} requests waited \
             for one{again}"
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
    if let Some(stamps) = &run.kernel_stamps {
        line(
            text,
            format_args!(
                "the kernel's stamps are within {} of the pacer's clock; {} exchanges lack one, {} \
                 contradict",
                Nanos(stamps.clock_error_ns),
                stamps.incomplete,
                stamps.disordered
            ),
        );
    }
    if let Some(steadiness) = &run.steadiness {
        line(text, format_args!("{}", steadiness.says));
    }
    disturbance(text, run);
    if run.server_timing_malformed > 0 {
        let count = run.server_timing_malformed;
        line(
            text,
            format_args!("{count} fields of Server-Timing were malformed or one name too many"),
        );
    }
}

/// What the system did to the pacer; only what is not zero.
fn disturbance(text: &mut String, run: &Run) {
    let Some(found) = run.host.get("disturbance") else { return };
    let Ok(found) = serde_json::from_value::<Disturbance>(found.clone()) else { return };
    let counted = |count: Option<u64>, what: &str| {
        count.filter(|count| *count > 0).map(|count| format!("{count} {what}"))
    };
    let steal = found.steal_ns.filter(|ns| *ns > 0).map(|ns| format!("{} stolen", Nanos(ns)));
    let parts: Vec<String> = [
        steal,
        counted(found.involuntary_switches, "involuntary switches"),
        counted(found.migrations, "migrations"),
        counted(found.interrupts, "interrupts"),
        counted(found.softirqs, "soft interrupts"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !parts.is_empty() {
        line(text, format_args!("meanwhile on the pacer's CPUs: {}", parts.join(", ")));
    }
}

fn verdict(text: &mut String, run: &Run) {
    line(text, format_args!("verdict {}", verdict_word(run.verdict)));
    for reason in &run.reasons {
        line(text, format_args!("  {reason}"));
    }
}

pub(super) fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;

    #[test]
    fn a_quantile_of_too_few_requests_is_not_printed_but_explained() {
        let mut run = sample::run(50_000);
        run.error_ns.p99 = Some(1_234);
        let text = run_table(&run);
        // 10,000 requests carry a p99.9, and no p99.99.
        let row = text.lines().find(|line| line.starts_with("response (done")).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[11..], ["250", "us", "*", "350", "us"], "{row}");
        assert!(text.contains("p99.99 100,000"), "{text}");
        let error = text.lines().find(|line| line.contains("of it the pacer's")).unwrap();
        assert!(error.contains("1.23 us"), "{error}");
        run.response_ns.count = 100_000;
        assert!(run_table(&run).contains("300 us"), "a p99.99 of 100,000 is shown");
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn long_polls_and_skipped_requests_are_named_where_there_are_any() {
        let mut run = sample::run(50_000);
        let text = run_table(&run);
        assert!(!text.contains("long poll") && !text.contains("skipped"), "{text}");
        assert!(!text.contains("again"), "{text}");
        (run.requests[1].long_poll, run.skipped, run.connections.retried) = (true, 12, 3);
        let text = run_table(&run);
        assert!(text.contains(" waited for one, 3 sent again"), "{text}");
        assert!(text.contains("command (long poll)") && text.contains("+ skipped 12"), "{text}");
    }

    #[test]
    fn deliveries_are_a_row_below_their_kind_where_there_are_any() {
        let mut run = sample::run(50_000);
        assert!(!run_table(&run).contains("publish"), "{}", run_table(&run));
        run.requests.truncate(1);
        assert!(!run_table(&run).contains("by kind"), "{}", run_table(&run));
        run.requests[0].delivery_ns = Some(sample::quantiles(250_000, false));
        let published =
            Published { with: 5_990, without: 8, from_the_future: 2, ..Published::default() };
        run.requests[0].published = Some(Published { clock_error_ns: 35, ..published });
        let text = run_table(&run);
        let mut lines = text.lines().skip_while(|line| !line.starts_with("status"));
        assert!(lines.next().is_some(), "{text}");
        let row = lines.next().unwrap();
        assert!(row.starts_with("  delivery (-published)") && row.contains("250 us"), "{text}");
        for part in ["5990 answers say when", "8 do not", "2 say later", "known to 35 ns"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn what_disturbed_the_pacer_is_a_line_only_where_it_is_not_zero() {
        let mut run = sample::run(50_000);
        assert!(!run_table(&run).contains("meanwhile"), "nothing is known");
        let quiet = Disturbance { migrations: Some(0), ..Disturbance::default() };
        let some = Disturbance { steal_ns: Some(10_000_000), interrupts: Some(7), ..quiet };
        for (found, says) in [(quiet, None), (some, Some("10.0 ms stolen, 7 interrupts"))] {
            run.host.insert("disturbance".into(), serde_json::to_value(found).unwrap());
            let text = run_table(&run);
            let line = text.lines().find(|line| line.contains("meanwhile"));
            assert_eq!(line.map(|line| line.split(": ").nth(1).unwrap()), says);
        }
    }
}
