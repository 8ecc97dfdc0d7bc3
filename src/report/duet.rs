//! A duet: what is said of two servers that were paced together, as sentences and as a table, in the
//! terminal and on the page.
//!
//! Pure. Not here: how it is found; see `bench::duet::estimate`. Start at [`duet_table`].

use super::differences::{CANNOT_TELL, interval, span};
use super::figure::without_shared_unit;
use super::html::markup::{escaped, list, note, text_table};
use super::html::page::{Page, Section};
use super::table::{aligned, wrapped};
use crate::results::bench::{Finding, Interval};
use crate::results::duet::{Duet, DuetFinding};
use crate::stats::compare::percent;
use crate::units::signed;

/// What the columns hold.
const NOTE: &str = "\
Difference: A's time less B's in one pair, the mean of both orders' medians and of the restarts; its interval \
is of a bootstrap over restarts and blocks of time, and holds for all requests together. Order: by how much \
the first of a pair is slower, whoever it is; it is not in the difference. Failed: only A, only B, both.";

const HEADS: [&str; 8] =
    ["request", "time", "pairs", "difference", "interval", "order", "interval", "failed"];

/// What the duet tells, for the terminal; ends with a newline.
pub fn duet_table(duet: &Duet) -> String {
    let mut text = format!("\nDuet of {} (A) and {} (B)\n", duet.a, duet.b);
    for sentence in sentences(duet) {
        text += &wrapped(&format!("  {sentence}"));
    }
    for (rate, findings) in by_rate(duet) {
        let mut rows = vec![HEADS.map(String::from).to_vec()];
        rows.extend(findings.iter().map(|finding| cells(finding)));
        rows.iter_mut().for_each(|row| row[0].insert_str(0, "  "));
        text += &format!("\nPairs at {rate}/s\n{}", aligned(&rows, 2));
    }
    text + "\n" + &wrapped(NOTE)
}

/// The same for the page; `None` unless two targets were paced together.
pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    Section::new("duet", "Pair by pair", markup(page.bench.duet.as_ref()?))
}

fn markup(duet: &Duet) -> String {
    let title = format!("Duet of {} (A) and {} (B)", duet.a, duet.b);
    let mut text = format!("<h3>{}</h3>\n{}", escaped(&title), list(&sentences(duet)));
    for (rate, findings) in by_rate(duet) {
        let rows = findings.iter().map(|finding| cells(finding));
        text += &text_table(&format!("Pairs at {rate}/s"), &HEADS, rows);
    }
    text + &note(NOTE)
}

fn by_rate(duet: &Duet) -> Vec<(&str, Vec<&DuetFinding>)> {
    let mut rates: Vec<(&str, Vec<&DuetFinding>)> = Vec::new();
    for finding in &duet.findings {
        match rates.last_mut() {
            Some((rate, findings)) if *rate == finding.rate => findings.push(finding),
            _ => rates.push((&finding.rate, vec![finding])),
        }
    }
    rates
}

/// One for the response time of each request kind, and one more where failures tell them apart.
fn sentences(duet: &Duet) -> Vec<String> {
    let Duet { a, b, .. } = duet;
    let mut sentences = Vec::new();
    for finding in duet.findings.iter().filter(|finding| finding.time == "response") {
        let whom = format!("{} at {}/s", finding.request, finding.rate);
        sentences.push(format!("{whom}: {}", verdict(a, b, finding)));
        let [only_a, only_b] = [finding.only_a_failed, finding.only_b_failed];
        let more = match finding.failures {
            Finding::Higher => "more",
            Finding::Lower => "less",
            _ => continue,
        };
        sentences.push(format!(
            "{whom}: {a} fails {more} often than {b}: alone in {only_a} pairs, {b} in {only_b}"
        ));
    }
    if duet.findings.iter().any(|finding| finding.restarts == 1) {
        sentences.push(String::from(
            "of one restart, whatever that happened to favour; more of them tell the servers from it",
        ));
    }
    sentences
}

/// `A is slower than B by 5.10 us (4.60 to 5.70 us, 95 %)`, or that it cannot be told.
fn verdict(a: &str, b: &str, finding: &DuetFinding) -> String {
    let (Some(difference), Some(interval)) = (finding.difference_ns, &finding.interval) else {
        return format!("{CANNOT_TELL}: too few pairs were answered");
    };
    match finding.finding {
        Finding::Higher => format!(
            "{a} is slower than {b} by {} ({})",
            span(difference),
            sizes(interval.low_ns, interval.high_ns, interval)
        ),
        Finding::Lower => format!(
            "{a} is faster than {b} by {} ({})",
            span(-difference),
            sizes(interval.high_ns.map(|ns| -ns), interval.low_ns.map(|ns| -ns), interval)
        ),
        Finding::TooFewRequests => format!("{CANNOT_TELL} (few requests)"),
        _ => format!("{CANNOT_TELL} ({})", super::differences::interval(interval)),
    }
}

/// `4.60 to 5.70 us, 95 %`.
fn sizes(low: Option<f64>, high: Option<f64>, of: &Interval) -> String {
    let [low, high] = [low, high].map(|ns| ns.map_or_else(|| String::from("infinite"), span));
    let low = without_shared_unit(&low, &high);
    format!("{low} to {high}, {:.0} %", percent(of.confidence))
}

fn cells(finding: &DuetFinding) -> Vec<String> {
    let known = |ns: Option<f64>| ns.map_or_else(|| String::from("-"), signed);
    let where_it_lies =
        |known: &Option<Interval>| known.as_ref().map_or_else(|| String::from("-"), interval);
    vec![
        finding.request.clone(),
        finding.time.clone(),
        finding.pairs.to_string(),
        known(finding.difference_ns),
        where_it_lies(&finding.interval),
        known(finding.order_ns),
        where_it_lies(&finding.order_interval),
        format!("{}, {}, {}", finding.only_a_failed, finding.only_b_failed, finding.both_failed),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(difference: Option<f64>, low: f64, high: f64, finding: Finding) -> DuetFinding {
        let interval = |low_ns, high_ns| Interval {
            low_ns: Some(low_ns),
            high_ns: Some(high_ns),
            confidence: 0.95,
        };
        DuetFinding {
            rate: String::from("1000"),
            request: String::from("status"),
            time: String::from("response"),
            pairs: 4_500,
            a_first: 2_250,
            restarts: 10,
            difference_ns: difference,
            interval: difference.map(|_| interval(low, high)),
            each_ns: Vec::new(),
            order_ns: Some(-300.0),
            order_interval: Some(interval(-900.0, 300.0)),
            finding,
            only_a_failed: 12,
            only_b_failed: 1,
            both_failed: 2,
            failures: Finding::HoldsZero,
        }
    }

    fn duet(finding: DuetFinding) -> Duet {
        let [a, b] = ["new<", "old"].map(String::from);
        Duet { a, b, restarts: Vec::new(), findings: vec![finding] }
    }

    #[track_caller]
    fn check(finding: DuetFinding, says: &str) {
        let (text, page) = (duet_table(&duet(finding.clone())), markup(&duet(finding)));
        assert!(text.contains(&format!("status at 1000/s: {says}\n")), "{text}");
        assert!(page.contains(&format!("{}</li>", escaped(says))), "{page}");
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }

    #[test]
    fn a_finding_is_a_sentence_with_its_interval() {
        let slower = finding(Some(5_100.0), 4_600.0, 5_700.0, Finding::Higher);
        check(slower, "new< is slower than old by 5.10 us (4.60 to 5.70 us, 95 %)");
        let faster = finding(Some(-5_100.0), -5_700.0, -4_600.0, Finding::Lower);
        check(faster, "new< is faster than old by 5.10 us (4.60 to 5.70 us, 95 %)");
        let neither = finding(Some(100.0), -600.0, 800.0, Finding::HoldsZero);
        check(neither, "cannot tell apart (-600 to +800 ns, 95 %)");
        let none = finding(None, 0.0, 0.0, Finding::TooFewRequests);
        check(none, "cannot tell apart: too few pairs were answered");
    }

    #[test]
    fn failures_and_the_order_stand_beside_it() {
        let mut failing = finding(Some(0.0), -1.0, 1.0, Finding::HoldsZero);
        failing.failures = Finding::Higher;
        let text = duet_table(&duet(failing.clone()));
        assert!(text.contains("new< fails more often than old: alone in 12 pairs, old in 1"));
        assert!(text.contains("12, 1, 2") && text.contains("-300 ns"), "{text}");
        assert!(!text.contains("of one restart"));
        let once = duet_table(&duet(DuetFinding { restarts: 1, ..failing }));
        assert!(once.contains("of one restart"), "{once}");
    }
}
