use super::*;
use crate::results::bench::sample;

fn difference(finding: Finding) -> Difference {
    Difference {
        rate: "1000".into(),
        base: "a".into(),
        target: "b".into(),
        flag: None,
        request: "total".into(),
        figure: "p50".into(),
        base_ns: Some(50_000.0),
        target_ns: Some(52_000.0),
        difference_ns: Some(2_000.0),
        interval: Some(Interval {
            low_ns: Some(-200.0),
            high_ns: Some(4_100.0),
            confidence: 1.0 - 0.1,
        }),
        error_ns: Some(300.0),
        finding,
        pairs: 0,
    }
}

#[track_caller]
fn check(difference: &Difference, expected: [&str; 5]) {
    let [base, new, shift, interval] = figures(difference);
    assert_eq!([base, new, shift, interval, finding(difference)], expected);
}

#[test]
fn a_difference_reads_as_a_sentence() {
    let shown = |finding| ["50.0 us", "52.0 us", "+2.00 us", "-200 ns to +4.10 us, 90 %", finding];
    check(&difference(Finding::Higher), shown("4.0 % higher"));
    check(&difference(Finding::HoldsZero), shown("cannot tell apart"));
    check(&difference(Finding::WithinError), shown("cannot tell apart (error 300 ns)"));
    check(&difference(Finding::TooFewRepeats), shown("cannot tell apart (few repeats)"));
    check(&difference(Finding::Infinite), shown("cannot tell apart (some repeats infinite)"));
    check(&difference(Finding::TooFewRequests), shown("cannot tell apart (few requests)"));
    check(&difference(Finding::RunsHigher), shown("4.0 % higher in these runs"));
    check(&difference(Finding::RunsLower), shown("4.0 % lower in these runs"));
}

#[test]
fn units_stand_once_and_what_is_not_finite_is_said() {
    let mut lower = difference(Finding::Lower);
    lower.difference_ns = Some(-25_000.0);
    lower.interval =
        Some(Interval { low_ns: Some(-26_000.0), high_ns: Some(-24_000.0), confidence: 0.968 });
    let expected = ["50.0 us", "52.0 us", "-25.0 us", "-26.0 to -24.0 us, 96 %", "50 % lower"];
    check(&lower, expected);
    let mut lost = difference(Finding::Higher);
    (lost.target_ns, lost.difference_ns) = (None, None);
    lost.interval = Some(Interval { low_ns: None, high_ns: None, confidence: 0.9 });
    let expected = ["50.0 us", "infinite", "infinite", "-infinite to +infinite, 90 %", "higher"];
    check(&lost, expected);
    lost.interval = None;
    assert_eq!(figures(&lost)[3], "-");
    lost.base_ns = None;
    lost.finding = Finding::HoldsZero;
    check(&lost, ["infinite", "infinite", "-", "-", "cannot tell apart"]);
}

#[test]
fn each_pair_stands_under_its_title_with_the_flag_that_differs() {
    let mut bench = sample::bench(&["a", "b", "c"], Vec::new());
    bench.plan.targets[1].varied = vec![Varied {
        flag: "--echo".into(),
        value: FlagValue::Switch(true),
        against: Some("a".into()),
    }];
    let mut second = difference(Finding::HoldsZero);
    second.flag = Some("--echo".into());
    let first = Difference { figure: "cpu".into(), ..second.clone() };
    let other = Difference { target: "c".into(), ..difference(Finding::Higher) };
    let hidden = Difference { request: "status".into(), figure: "p95".into(), ..other.clone() };
    bench.differences = vec![first, second, other, hidden];
    assert_eq!(
        differences(&bench, "1000"),
        "
Differences at 1000/s
  request  figure     base      new  difference                   interval
b against a (--echo)
  total    cpu     50.0 us  52.0 us    +2.00 us  -200 ns to +4.10 us, 90 %  cannot tell apart
  total    p50     50.0 us  52.0 us    +2.00 us  -200 ns to +4.10 us, 90 %  cannot tell apart
c against a
  total    p50     50.0 us  52.0 us    +2.00 us  -200 ns to +4.10 us, 90 %  4.0 % higher
"
    );
    assert_eq!(differences(&bench, "2000"), "");
}

#[test]
fn a_comparison_fits_110_columns() {
    let long = difference(Finding::TooFewRequests);
    let warnings = ["the machine differs in a way that takes many words to say ".repeat(4)];
    let text = compared_table("old: a at 1000/s", "new: b", &warnings, &[long]);
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 110, "{widest} columns:\n{text}");
    assert!(text.starts_with("base  old: a at 1000/s\nnew   new: b\n\nWarnings\n"), "{text}");
}

fn verdict(outcome: PairOutcome, differ: &[&str]) -> PairVerdict {
    PairVerdict {
        rate: "1000".into(),
        base: "a".into(),
        target: "b".into(),
        flag: None,
        outcome,
        figures: 6,
        confidence: 0.95,
        differ: differ.iter().map(|figure| String::from(*figure)).collect(),
    }
}

#[test]
fn a_pair_of_targets_is_told_in_a_word() {
    let differ = ["status.p50 +20.0 us", "total.p50 +15.0 us"];
    for (outcome, says) in [
        (PairOutcome::Slower, "slower in 2 of 6 figures: status.p50 +20.0 us, total.p50 +15.0 us"),
        (PairOutcome::Faster, "faster in 2 of"),
        (PairOutcome::Mixed, "different in 2 of"),
    ] {
        assert!(in_a_word(&verdict(outcome, &differ)).starts_with(&format!("b against a: {says}")));
    }
    let mut same = verdict(PairOutcome::CannotTell, &[]);
    assert_eq!(in_a_word(&same), "b against a: cannot tell apart in any of 6 figures");
    same.figures = 0;
    assert_eq!(
        in_a_word(&same),
        "b against a: cannot tell apart: a side is INVALID, or there is too little to see"
    );
}

#[test]
fn a_server_against_itself_ends_in_a_sentence_about_the_instrument() {
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.verdicts = vec![verdict(PairOutcome::CannotTell, &[])];
    assert_eq!(against_itself(&bench), "");
    bench.plan.aa = true;
    let says = "\nA/A: cannot tell apart a and b at 1000/s, which are the same server: none of 6";
    assert!(against_itself(&bench).starts_with(says), "{}", against_itself(&bench));
    bench.verdicts = vec![verdict(PairOutcome::Slower, &["status.p50 +3.00 us"])];
    let text = against_itself(&bench);
    assert!(text.contains("A/A: told apart a and b") && text.contains("+3.00 us."), "{text}");
    bench.verdicts[0].figures = 0;
    assert!(against_itself(&bench).contains("too few repeats"));
}

#[test]
fn a_regression_is_what_is_higher_over_all_requests_beyond_the_noise() {
    let of_kind = Difference { request: "status".into(), ..difference(Finding::Higher) };
    let cpu = Difference { figure: "cpu".into(), ..difference(Finding::Higher) };
    let all = [difference(Finding::Lower), difference(Finding::HoldsZero), of_kind, cpu];
    let found: Vec<&str> = regressions(&all).map(|of| of.figure.as_str()).collect();
    assert_eq!(found, ["cpu"]);
    let text = compared_table("a", "b", &[], &all);
    assert!(text.ends_with("\nRegression: b at 1000/s: cpu 4.0 % higher.\n"), "{text}");
    let invalid = [difference(Finding::Invalid)];
    assert!(is_untold(&invalid) && !is_untold(&all));
    assert!(compared_table("a", "b", &[], &invalid).ends_with("regression: a side is INVALID.\n"));
    let text = compared_table("a", "b", &[], &all[..3]);
    assert!(
        text.ends_with("\nNo regression: over all requests nothing is higher beyond the noise.\n")
    );
}

#[test]
fn of_too_few_runs_it_is_said_what_they_show_and_how_many_it_takes() {
    let said = |findings: &[Finding]| {
        let all: Vec<Difference> = findings.iter().map(|finding| difference(*finding)).collect();
        assert_eq!(regressions(&all).count(), 0);
        compared_table("a", "b", &[], &all).replace('\n', " ")
    };
    let few = "It takes three a side: a directory of three `pace --json`";
    let apart = said(&[Finding::RunsHigher, Finding::TooFewRepeats]);
    assert!(apart.contains("b at 1000/s: p50 4.0 % higher in these runs: so each run"), "{apart}");
    assert!(apart.replace("   ", " ").contains(few), "{apart}");
    let none = said(&[Finding::TooFewRepeats]);
    assert!(none.contains("Nothing can be told apart. There are too few runs"), "{none}");
    assert!(!said(&[Finding::HoldsZero]).contains("too few runs"));
}
