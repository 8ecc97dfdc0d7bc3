use super::*;
use crate::results::Verdict;
use crate::results::bench::{FlagValue, Varied, sample};

/// The difference at this figure; `target` is `b`, `base` is `a`.
#[track_caller]
fn of(differences: &[Difference], request: &str, figure: &str) -> Difference {
    let is_it = |d: &&Difference| d.request == request && d.figure == figure;
    differences.iter().find(is_it).unwrap_or_else(|| panic!("{request}.{figure}")).clone()
}

fn summaries(base: [u64; 3], target: [u64; 3]) -> (Summary, Summary) {
    (sample::summary("a", base), sample::summary("b", target))
}

/// What may be said of the p50 of all requests.
#[track_caller]
fn check(base: [u64; 3], target: [u64; 3], expected: Finding) {
    let (base, target) = summaries(base, target);
    let p50 = of(&between(&base, &target, None, Pairing::None), "total", "p50");
    assert_eq!(p50.finding, expected, "{p50:?}");
}

#[test]
fn a_difference_is_said_only_if_it_is_more_than_spread_and_error() {
    check([50_000, 51_000, 52_000], [60_000, 61_000, 62_000], Finding::Higher);
    check([60_000, 61_000, 62_000], [50_000, 51_000, 52_000], Finding::Lower);
    check([50_000, 51_000, 60_000], [55_000, 56_000, 57_000], Finding::HoldsZero);
    // The sample's error at p50 is 120 ns.
    check([50_000, 50_001, 50_002], [50_110, 50_111, 50_112], Finding::WithinError);
    check([50_000, 50_001, 50_002], [50_130, 50_131, 50_132], Finding::Higher);
    // The histogram's step at 2 ms is 2 us.
    check([2_000_000; 3], [2_001_500; 3], Finding::WithinError);
}

#[test]
fn the_figures_stand_with_the_difference() {
    let (base, target) = summaries([50_000, 51_000, 52_000], [60_000, 61_000, 62_000]);
    let p99 = of(&between(&base, &target, Some("--wait"), Pairing::None), "status", "p99");
    assert_eq!((p99.base_ns, p99.target_ns), (Some(204_000.0), Some(244_000.0)));
    assert_eq!(p99.difference_ns, Some(40_000.0));
    let interval = p99.interval.unwrap();
    assert_eq!((interval.low_ns, interval.high_ns), (Some(32_000.0), Some(48_000.0)));
    assert_eq!((p99.error_ns, p99.flag.as_deref()), (Some(480.0), Some("--wait")));
}

#[test]
fn a_pacer_that_states_no_error_had_its_lateness() {
    let (mut base, mut target) = summaries([50_000; 3], [90_000; 3]);
    base.status_error(None);
    target.status_error(None);
    let error = |base: &Summary, target: &Summary| {
        of(&between(base, target, None, Pairing::None), "status", "p99").error_ns
    };
    // The sample's lateness p99 is 400 ns, the histogram's step at 360 us 360 ns.
    assert_eq!(error(&base, &target), Some(400.0));
    target.status_error(Some(7_000));
    assert_eq!(error(&base, &target), Some(7_000.0));
}

impl Summary {
    fn status_error(&mut self, p99: Option<u64>) {
        self.requests[0].error_ns.p99 = p99;
    }
}

#[test]
fn quantiles_of_few_requests_are_not_told_apart() {
    let (mut base, target) = summaries([50_000; 3], [90_000; 3]);
    base.total.response_ns.count_least = 9_999;
    let differences = between(&base, &target, None, Pairing::None);
    assert_eq!(of(&differences, "total", "p99.9").finding, Finding::TooFewRequests);
    assert_eq!(of(&differences, "total", "p99").finding, Finding::Higher);
}

#[test]
fn a_server_that_answers_no_more_has_an_infinite_difference() {
    let (base, mut target) = summaries([50_000; 3], [50_000; 3]);
    target.total.response_ns = sample::spreads([50_000; 3], 10_000, true);
    let lost = of(&between(&base, &target, None, Pairing::None), "total", "p99.9");
    assert_eq!((lost.finding, lost.target_ns, lost.difference_ns), (Finding::Higher, None, None));
}

#[test]
fn what_no_valid_repeat_says_is_not_told_apart() {
    let (mut base, target) = summaries([50_000; 3], [90_000; 3]);
    base.verdicts = vec![Verdict::Invalid, Verdict::Invalid, Verdict::Suspect];
    assert_eq!(
        of(&between(&base, &target, None, Pairing::None), "total", "cpu").finding,
        Finding::HoldsZero
    );
    base.verdicts = vec![Verdict::Invalid; 3];
    let differences = between(&base, &target, None, Pairing::None);
    assert!(differences.iter().all(|difference| difference.finding == Finding::Invalid));
}

#[test]
fn cpu_is_compared_where_both_were_sampled() {
    let (base, mut target) = summaries([50_000; 3], [50_000; 3]);
    target.cpu_us_per_request =
        Level { median: Some(5.0), each: vec![4.0, 5.0, 6.0], repeats: Vec::new() };
    let cpu = of(&between(&base, &target, None, Pairing::None), "total", "cpu");
    assert_eq!((cpu.finding, cpu.target_ns), (Finding::Lower, Some(5_000.0)));
    target.cpu_us_per_request = Level::default();
    let differences = between(&base, &target, None, Pairing::None);
    assert!(differences.iter().all(|difference| difference.figure != "cpu"));
}

/// `target against base by flag` of every pair.
fn pairs_of(bench: &crate::results::bench::Bench) -> Vec<String> {
    let names = ["a", "b", "c", "d"].map(|name| sample::summary(name, [1, 2, 3]));
    let mut pairs: Vec<String> = differences(&bench.plan, &names)
        .iter()
        .map(|d| format!("{} {} {}", d.target, d.base, d.flag.as_deref().unwrap_or("-")))
        .collect();
    pairs.dedup();
    pairs
}

#[test]
fn targets_are_compared_with_the_first_or_as_their_axes_say() {
    let mut bench = sample::bench(&["a", "b", "c", "d"], Vec::new());
    assert_eq!(pairs_of(&bench), ["b a -", "c a -", "d a -"]);
    let varied = |flag: &str, against: Option<&str>| Varied {
        flag: flag.into(),
        value: FlagValue::Switch(true),
        against: against.map(str::to_owned),
    };
    bench.plan.targets[0].varied = vec![varied("--x", None), varied("--y", None)];
    bench.plan.targets[1].varied = vec![varied("--x", None), varied("--y", Some("a"))];
    bench.plan.targets[2].varied = vec![varied("--x", Some("a")), varied("--y", None)];
    bench.plan.targets[3].varied = vec![varied("--x", Some("b")), varied("--y", Some("c"))];
    assert_eq!(pairs_of(&bench), ["b a --y", "c a --x", "d b --x", "d c --y"]);
}

#[test]
fn what_was_left_out_is_not_compared() {
    let mut bench = sample::bench(&["b"], Vec::new());
    bench.plan.targets[0].varied = vec![Varied {
        flag: "--x".into(),
        value: FlagValue::Switch(true),
        against: Some("gone".into()),
    }];
    assert_eq!(pairs_of(&bench), Vec::<String>::new());
}

/// The p50 of all requests of numbered repeats, which are compared in pairs.
fn paired_p50(base: [u64; 3], target: [u64; 3]) -> Difference {
    let (base, target) = (sample::numbered("a", base), sample::numbered("b", target));
    of(&between(&base, &target, None, Pairing::ByRepeat), "total", "p50")
}

#[test]
fn what_the_machine_did_to_both_of_a_pair_falls_out() {
    let (base, target) = ([50_000, 60_000, 90_000], [55_000, 65_100, 94_900]);
    let found = paired_p50(base, target);
    assert_eq!((found.finding, found.pairs), (Finding::Higher, 3));
    assert!((found.difference_ns.unwrap() - 5_000.0).abs() < 1.0, "{found:?}");
    check(base, target, Finding::HoldsZero);
}

#[test]
fn a_repeat_without_its_counterpart_takes_no_part() {
    let base = sample::numbered("a", [50_000, 51_000, 52_000]);
    let mut target = sample::numbered("b", [60_000, 61_000, 62_000]);
    target.total.response_ns.repeats = vec![1, 2, 4];
    let found = of(&between(&base, &target, None, Pairing::ByRepeat), "total", "p50");
    assert_eq!((found.pairs, found.difference_ns), (2, Some(10_000.0)));
}

#[test]
fn what_the_runs_themselves_are_unsure_of_counts() {
    let base = sample::numbered("a", [50_000, 50_000, 50_000]);
    let mut target = sample::numbered("b", [51_000, 51_001, 51_002]);
    let p50 = |base: &Summary, target: &Summary| {
        of(&between(base, target, None, Pairing::ByRepeat), "total", "p50").finding
    };
    assert_eq!(p50(&base, &target), Finding::Higher);
    let unsure = |half: u64| {
        let (low, high) = (Some(50_000 - half), Some(50_000 + half));
        vec![Some(QuantileInterval { low, high, effective: 9.0, block_s: 0.1 }); 3]
    };
    let mut wide = base.clone();
    wide.total.response_ns.p50.intervals = unsure(5_000);
    target.total.response_ns.p50.intervals = unsure(5_000);
    assert_eq!(p50(&wide, &target), Finding::HoldsZero);
}

/// What is said of `b` beside `a`, and the figures that differ.
fn said(base: [u64; 3], target: [u64; 3]) -> (PairOutcome, Vec<String>) {
    let bench = sample::bench(&["a", "b"], Vec::new());
    let summaries = [sample::numbered("a", base), sample::numbered("b", target)];
    let [verdict] = &verdicts(&bench.plan, &summaries)[..] else { panic!("one pair") };
    assert_eq!((verdict.base.as_str(), verdict.target.as_str()), ("a", "b"));
    // p50 and p99 of the total, of `status` and of `events`, of which 1,000 carry a p99.
    assert_eq!((verdict.figures, verdict.confidence), (6, 0.95));
    (verdict.outcome, verdict.differ.clone())
}

#[test]
fn a_pair_of_targets_has_a_verdict_of_all_its_figures() {
    let (outcome, differ) = said([50_000, 51_000, 52_000], [70_000, 71_000, 72_100]);
    assert_eq!((outcome, differ[0].as_str()), (PairOutcome::Slower, "total.p50 +20.0 us"));
    assert_eq!(said([70_000, 71_000, 72_100], [50_000, 51_000, 52_000]).0, PairOutcome::Faster);
    let same = said([50_000, 51_000, 52_000], [50_500, 50_500, 52_500]);
    assert_eq!(same, (PairOutcome::CannotTell, Vec::new()));
    // One figure by itself differs with 95 %, but not as one of six.
    let (base, target) = ([50_000, 51_000, 52_000], [51_000, 52_500, 54_000]);
    assert_eq!(said(base, target).0, PairOutcome::CannotTell);
}
