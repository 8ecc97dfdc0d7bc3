use super::*;
use crate::doctor::{SCHEMA, Topology};

fn report(findings: Vec<Finding>) -> Report {
    Report {
        schema: SCHEMA.to_string(),
        version: "0.1.0".to_string(),
        kernel: "6.8.0".to_string(),
        cpu_model: "AMD Ryzen 7 7700X 8-Core Processor".to_string(),
        cpus: "0-3".to_string(),
        findings,
        topology: Topology::default(),
        noise: Vec::new(),
    }
}

fn finding(severity: Severity, mend: Option<&str>) -> Finding {
    Finding::new(severity, "id", "It was seen.", "It matters.").mended_by(mend.map(str::to_string))
}

#[track_caller]
fn check(finding: Finding, expected: &str) {
    let mut page = String::new();
    push_finding(&mut page, &finding);
    assert_eq!(page, expected);
}

#[test]
fn what_is_well_takes_one_line_and_the_rest_says_why() {
    check(finding(Severity::Good, Some("never shown")), "good  It was seen.\n");
    let expected = "WARN  It was seen.\n      It matters.\n    $ echo 0\n";
    check(finding(Severity::Warn, Some("echo 0")), expected);
    check(finding(Severity::Bad, None), "BAD   It was seen.\n      It matters.\n");
}

#[test]
fn long_text_breaks_at_blanks_within_the_columns() {
    let long = vec!["eleven-char"; 40].join(" ");
    let finding = finding(Severity::Warn, Some(&long));
    let page = render(&report(vec![Finding { why: long.clone(), seen: long.clone(), ..finding }]));
    assert!(page.lines().all(|line| line.chars().count() <= COLUMNS), "{page}");
    assert_eq!(page.matches("eleven-char").count(), 120);
}

#[test]
fn a_command_that_is_broken_still_reads_as_one() {
    let typed = (0..60).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let mut page = String::new();
    push_finding(&mut page, &finding(Severity::Warn, Some(&typed)));
    let command = page.split_once("$ ").unwrap().1;
    assert!(command.contains(" \\\n"), "{command}");
    let joined = command.replace("\\\n", " ");
    assert_eq!(joined.split_whitespace().collect::<Vec<_>>().join(" "), typed);
}

#[test]
fn the_last_line_counts_and_advises() {
    let last = |findings| render(&report(findings)).lines().last().unwrap().to_string();
    let good = finding(Severity::Good, None);
    let expected = "0 bad, 0 to warn of, 0 to note, 1 good: nothing here spoils a measurement.";
    assert_eq!(last(vec![good.clone()]), expected);
    let bad = last(vec![finding(Severity::Bad, None), finding(Severity::Warn, None), good]);
    assert!(bad.starts_with("1 bad, 1 to warn of, 0 to note, 1 good: do not publish"), "{bad}");
}

#[test]
fn the_noise_table_has_a_row_for_each_cpu() {
    let noise = Noise {
        cpu: 12,
        spun_ns: 2_000_000_000,
        p50_ns: 31,
        p99_ns: 42,
        p99_9_ns: 1_200,
        max_ns: 7_370_000,
        over_10us_per_s: 490.5,
        over_100us_per_s: 46.5,
        over_1ms_per_s: 13.0,
        lost_share: 0.065,
    };
    let mut page = String::new();
    push_noise(&mut page, &[noise]);
    let expected =
        "    12     31 ns     42 ns   1.20 us   7.37 ms     490.5      46.5      13.0   6.500 %";
    assert_eq!(page.lines().last(), Some(expected));
    assert!(page.starts_with("Noise floor: gaps of a spinning thread, 2.00 s on CPU 12\n"));
}
