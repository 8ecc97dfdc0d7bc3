//! The self-test of the pacer on a terminal: the floor, the highest rate, and what they mean.
//!
//! Plain text, at most 110 columns. Pure: a [`SelfTest`] in, a `String` out.

use super::figure::{latency, verdict_word};
use crate::results::selftest::SelfTest;
use crate::results::{Figure, Quantiles};
use crate::units::Nanos;
use std::fmt::Write;

/// What `ringpace pace --selftest` prints.
pub fn selftest(test: &SelfTest) -> String {
    let mut text = String::new();
    floor(&mut text, test);
    if quantiles_shown().any(|figure| figure.is_thin(test.floor.response_ns.count)) {
        text.push_str("* of too few requests to be shown; p99 takes 1,000, p99.9 10,000\n");
    }
    steps(&mut text, test);
    let floor = &test.floor;
    let _ = writeln!(
        text,
        "\nThe floor is loopback TCP and the pacer: no server on this machine can be measured to \
         answer\nsooner, and what two servers differ by counts only beyond its spread. Above the \
         maximum rate the\npacer is measured, not the server: take more --cpus."
    );
    let _ = writeln!(text, "verdict of the floor {}", verdict_word(floor.verdict));
    for reason in &floor.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    text
}

fn floor(text: &mut String, test: &SelfTest) {
    let run = &test.floor;
    let _ = writeln!(
        text,
        "a server that spins on CPU {} and answers {} bytes to {} at once",
        test.server_cpu, test.answer_bytes, test.request_bytes
    );
    let title = format!("floor at {:.0}/s for {:.1} s", run.offered_rps, run.duration_s);
    let _ = write!(text, "\n{title:<26}");
    for heading in std::iter::once("min").chain(quantiles_shown().map(|figure| figure.label)) {
        let _ = write!(text, "{heading:>11}");
    }
    text.push('\n');
    row(text, "response (done-intended)", &run.response_ns);
    let _ = write!(text, "{:<26}", "  of it the pacer's, up to");
    let error = |figure: &Figure| latency((figure.error)(&run.error_ns), None);
    cells(text, latency(run.error_ns.min, None), run.response_ns.count, error);
    row(text, "service (done-sent)", &run.service_ns);
    row(text, "lateness (sent-intended)", &run.lateness_ns);
}

fn row(text: &mut String, name: &str, quantiles: &Quantiles) {
    let _ = write!(text, "{name:<26}");
    let shown = |ns| latency(ns, quantiles.longest_observed);
    let value = |figure: &Figure| shown((figure.value)(quantiles));
    cells(text, shown(quantiles.min), quantiles.count, value);
}

/// The least, and a figure under each other heading; `*` where it is of too few requests.
fn cells(text: &mut String, least: String, count: u64, of: impl Fn(&Figure) -> String) {
    let _ = write!(text, "{least:>11}");
    for figure in quantiles_shown() {
        let shown = if figure.is_thin(count) { String::from("*") } else { of(figure) };
        let _ = write!(text, "{shown:>11}");
    }
    text.push('\n');
}

fn quantiles_shown() -> impl Iterator<Item = &'static Figure> {
    ["p50", "p99", "p99_9", "max"].into_iter().filter_map(Figure::of_key)
}

fn steps(text: &mut String, test: &SelfTest) {
    let bound = Nanos(test.p50_max_ns);
    let _ = match test.maximum_rps {
        Some(rate) => writeln!(text, "\nmaximum rate {rate}/s with a p50 within {bound}"),
        None => writeln!(text, "\nmaximum rate: none of these had a p50 within {bound}"),
    };
    let _ = writeln!(
        text,
        "{:>12}{:>12}{:>12}{:>12}{:>14}",
        "offered", "achieved", "p50", "p99", "lateness p99"
    );
    for step in &test.steps {
        let of = |figure, quantiles: &Quantiles| latency(figure, quantiles.longest_observed);
        let _ = writeln!(
            text,
            "{:>12.0}{:>12.0}{:>12}{:>12}{:>14}  {}",
            step.offered_rps,
            step.achieved_rps,
            of(step.response_ns.p50, &step.response_ns),
            of(step.response_ns.p99, &step.response_ns),
            of(step.lateness_ns.p99, &step.lateness_ns),
            if step.is_held { "held" } else { "" }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;
    use crate::results::selftest::{SELFTEST_SCHEMA, Step};

    fn test_of(maximum_rps: Option<u64>) -> SelfTest {
        let mut floor = sample::run(15_000);
        floor.error_ns.p50 = Some(900);
        let step = |offered_rps: f64, is_held: bool| Step {
            offered_rps,
            achieved_rps: offered_rps,
            response_ns: sample::quantiles(20_000, !is_held),
            lateness_ns: sample::quantiles(500, false),
            verdict: floor.verdict,
            is_held,
        };
        SelfTest {
            schema: SELFTEST_SCHEMA.into(),
            maximum_rps,
            p50_max_ns: 100_000,
            steps: vec![step(10_000.0, true), step(20_000.0, false)],
            request_bytes: 55,
            answer_bytes: 229,
            server_cpu: 0,
            floor,
        }
    }

    #[test]
    fn the_floor_and_the_highest_rate_are_shown_with_what_they_mean() {
        let text = selftest(&test_of(Some(10_000)));
        let row = text.lines().find(|line| line.starts_with("response (done")).unwrap();
        assert!(row.ends_with("7.50 us    15.0 us    60.0 us    75.0 us     105 us"), "{row}");
        assert!(text.contains("of it the pacer's, up to") && text.contains("900 ns"), "{text}");
        assert!(!text.contains('*'), "10,000 requests carry a p99.9: {text}");
        let mut short = test_of(None);
        short.floor.response_ns.count = 9_999;
        assert!(selftest(&short).contains("p99.9 10,000"), "{text}");
        assert!(text.contains("maximum rate 10000/s with a p50 within 100 us"), "{text}");
        assert_eq!(text.lines().filter(|line| line.ends_with("  held")).count(), 1);
        assert!(text.contains("no server on this machine"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn a_machine_that_holds_no_rate_is_told_so() {
        assert!(selftest(&test_of(None)).contains("maximum rate: none of these"));
    }
}
