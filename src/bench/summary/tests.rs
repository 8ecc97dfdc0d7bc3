use super::*;
use crate::results::Verdict;
use crate::results::bench::{PerfUsage, sample};

fn summarised(runs: Vec<BenchRun>) -> Bench {
    let mut bench = sample::bench(&["a", "b"], runs);
    summarise(&mut bench);
    bench
}

fn repeats(target: &str, p50s: &[u64]) -> Vec<BenchRun> {
    (1..).zip(p50s).map(|(n, p50)| sample::bench_run(target, n, sample::run(*p50))).collect()
}

#[track_caller]
fn check_median(each: &[Option<u64>], expected: Option<u64>) {
    assert_eq!(spread(each.to_vec()).median, expected, "{each:?}");
}

#[test]
fn the_median_of_infinite_repeats_is_infinite() {
    check_median(&[Some(3), Some(1), Some(2)], Some(2));
    check_median(&[Some(1), Some(4)], Some(2));
    check_median(&[None, Some(1), Some(2)], Some(2));
    check_median(&[None, None, Some(2)], None);
    check_median(&[Some(1), None], None);
    check_median(&[], None);
}

#[test]
fn repeats_are_put_together_by_number_whatever_their_order() {
    let mut runs = repeats("a", &[30, 10, 20]);
    runs.swap(0, 2);
    let bench = summarised(runs);
    let [summary] = bench.summaries.as_slice() else { panic!("{:?}", bench.summaries) };
    assert_eq!(summary.total.response_ns.p50.each, [Some(30), Some(10), Some(20)]);
    assert_eq!(summary.total.response_ns.p50.median, Some(20));
    assert_eq!((summary.total.planned, summary.used, summary.failed), (30_000, 3, 0));
    let names: Vec<&str> = summary.requests.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["status", "command"]);
    assert_eq!(summary.cpu_us_per_request.median, Some(50.0));
    assert_eq!(summary.switches_per_s.median, Some(1_000.0));
}

#[test]
fn what_perf_counted_is_set_against_requests_and_cycles() {
    let mut runs = repeats("a", &[10, 10]);
    for run in &mut runs {
        let counts = [("instructions", 300_000_000), ("cycles", 150_000_000)];
        let counts = counts.map(|(event, count)| (String::from(event), count)).into();
        let perf = Some(PerfUsage { counts, notes: Vec::new() });
        run.target_usage.as_mut().unwrap().perf = perf;
    }
    // Ten seconds of 1,000 requests each.
    let summary = summarised(runs.clone()).summaries.remove(0);
    assert_eq!(summary.instructions_per_request.median, Some(30_000.0));
    assert_eq!(summary.cycles_per_request.median, Some(15_000.0));
    assert_eq!(summary.instructions_per_cycle.median, Some(2.0));
    for run in &mut runs {
        run.target_usage.as_mut().unwrap().perf.as_mut().unwrap().counts.remove("cycles");
    }
    let summary = summarised(runs).summaries.remove(0);
    assert_eq!(summary.instructions_per_request.each.len(), 2);
    assert_eq!(
        (summary.cycles_per_request.median, summary.instructions_per_cycle.median),
        (None, None)
    );
}

#[test]
fn the_pacers_error_is_the_median_of_the_repeats() {
    let mut runs = repeats("a", &[10, 10, 10]);
    for (run, p99) in runs.iter_mut().zip([Some(7), None, Some(9)]) {
        run.run.as_mut().unwrap().requests[1].error_ns.p99 = p99;
    }
    let summary = summarised(runs).summaries.remove(0);
    assert_eq!(summary.requests[1].error_ns.p99, Some(9));
    assert_eq!(summary.total.error_ns.p99, None);
}

#[test]
fn invalid_repeats_take_no_part_unless_there_is_nothing_else() {
    let mut runs = repeats("a", &[10, 20, 900]);
    let invalidate = |entry: &mut BenchRun| {
        let run = entry.run.as_mut().unwrap();
        run.verdict = Verdict::Invalid;
        run.reasons = vec!["late".into()];
    };
    invalidate(&mut runs[2]);
    let summary = summarised(runs.clone()).summaries.remove(0);
    assert_eq!((summary.used, summary.total.response_ns.max.median), (2, Some(105)));
    assert_eq!(summary.verdicts, [Verdict::Valid, Verdict::Valid, Verdict::Invalid]);
    assert_eq!(summary.reasons, ["repeat 3: late"]);
    runs[..2].iter_mut().for_each(invalidate);
    let summary = summarised(runs).summaries.remove(0);
    assert_eq!((summary.used, summary.total.response_ns.p50.median), (3, Some(20)));
}

#[test]
fn failed_repeats_are_counted_and_have_no_figures() {
    let mut runs = repeats("a", &[10, 20]);
    runs.push(sample::failed_run("a", 3));
    let summary = summarised(runs).summaries.remove(0);
    assert_eq!((summary.failed, summary.used, summary.verdicts.len()), (1, 2, 2));
    let nothing = summarised(vec![sample::failed_run("a", 1)]).summaries.remove(0);
    assert_eq!((nothing.used, nothing.total.response_ns.count_least), (0, 0));
    assert_eq!(nothing.achieved_rps.median, None);
}

#[test]
fn targets_are_compared_with_the_first() {
    let mut runs = repeats("a", &[10]);
    runs.extend(repeats("b", &[30]));
    let bench = summarised(runs);
    let figures: Vec<(&str, Option<f64>)> =
        bench.comparisons.iter().map(|c| (c.figure.as_str(), c.ratio)).collect();
    let three = Some(3.0);
    assert_eq!(
        figures,
        [
            ("p50", three),
            ("p99", three),
            ("status.p50", three),
            ("status.p99", three),
            ("command.p50", three),
            ("command.p99", three),
            ("cpu_us", Some(1.0)),
        ]
    );
    assert!(bench.comparisons.iter().all(|c| c.base == "a" && c.target == "b"));
}
