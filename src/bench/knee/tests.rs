use super::*;
use crate::results::Run;
use crate::results::bench::sample;
use crate::rng::Rng;
use proptest::prelude::*;

/// Of 1,000 to 64,000 requests/s, to 5 %, three runs each.
fn plan() -> KneePlan {
    KneePlan {
        objective: "p99 < 5ms".parse().unwrap(),
        from: 1_000,
        to: 64_000,
        within: Within::default(),
        repeats: 3,
        duration: Nanos::from_secs(1),
        warmup: Nanos::ZERO,
    }
}

/// A run at this rate whose p99 is this long.
fn run_of(job: &KneeJob, target: &str, p99_ns: u64) -> BenchRun {
    let mut run: Run = sample::run(10);
    run.response_ns.p99 = Some(p99_ns);
    BenchRun { rate: job.rate.clone(), ..sample::bench_run(target, job.repeat, run) }
}

const KEPT: u64 = 1_000_000;
const MISSED: u64 = 9_000_000;

/// Searches one server, whose run at a rate is what `server` says.
fn search(plan: &KneePlan, mut server: impl FnMut(u64, &KneeJob) -> BenchRun) -> KneeTarget {
    let mut runs = Vec::new();
    while let Some(job) = next_job(plan, &["a"], &runs) {
        assert!(runs.len() < plan.runs_max(), "{} runs are not the most", plan.runs_max());
        runs.push(server(job.rate.parse().unwrap(), &job));
    }
    found(plan, &["a"], &runs).remove(0)
}

/// A server that keeps the objective up to `knee` and no further.
fn ideal(knee: u64) -> impl FnMut(u64, &KneeJob) -> BenchRun {
    move |rate, job| run_of(job, "a", if rate <= knee { KEPT } else { MISSED })
}

fn edge(found: &KneeTarget) -> (Option<&str>, Option<&str>) {
    (found.passed.as_deref(), found.failed.as_deref())
}

fn rates(found: &KneeTarget) -> Vec<&str> {
    found.probes.iter().map(|probe| probe.rate.as_str()).collect()
}

#[test]
fn a_search_doubles_until_two_rates_fail_and_then_halves_the_gap() {
    let found = search(&plan(), ideal(5_000));
    assert_eq!(found.ending, KneeEnding::Found);
    // 8,000 fails and 16,000 must say so too; then 5,660 of 4,000 and 8,000, and so on.
    let expected = ["1000", "2000", "4000", "4760", "4970", "5190", "5660", "8000", "16000"];
    assert_eq!(rates(&found), expected);
    assert_eq!(edge(&found), (Some("4970"), Some("5190")));
    assert!(found.contradictions.is_empty());
    // Two of three runs that agree are enough.
    assert!(found.probes.iter().all(|probe| probe.of == 2), "{found:?}");
}

#[test]
fn a_knee_outside_the_range_is_said_to_be_there() {
    let above = search(&plan(), ideal(1_000_000));
    assert_eq!((above.ending, edge(&above)), (KneeEnding::AboveRange, (Some("64000"), None)));
    assert_eq!(above.probes.len(), 7);
    let below = search(&plan(), ideal(999));
    assert_eq!((below.ending, edge(&below)), (KneeEnding::BelowRange, (None, Some("1000"))));
    assert_eq!(below.probes.len(), 2);
    let odd_top = search(&KneePlan { to: 50_000, ..plan() }, ideal(1_000_000));
    assert_eq!(rates(&odd_top).last(), Some(&"50000"));
}

#[test]
fn a_pass_above_a_fail_is_searched_beyond_and_reported() {
    // It misses at 4,000 only.
    let server = |rate, job: &KneeJob| {
        run_of(job, "a", if rate == 4_000 || rate > 20_000 { MISSED } else { KEPT })
    };
    let found = search(&plan(), server);
    let contradiction =
        |passed: &str| Contradiction { passed: passed.into(), failed: "4000".into() };
    assert_eq!(found.contradictions[0], contradiction("8000"));
    assert_eq!(found.contradictions[1], contradiction("16000"));
    let knee: u64 = found.passed.as_deref().unwrap().parse().unwrap();
    assert!((19_000..=20_000).contains(&knee), "{found:?}");
}

#[test]
fn more_than_half_of_the_runs_decide() {
    use Vote::{Kept, Missed, Void};
    let check = |votes: &[Vote], repeats: u32, expected: ProbeOutcome| {
        assert_eq!(outcome(votes, repeats), expected, "{votes:?} of {repeats}");
    };
    check(&[], 1, ProbeOutcome::Undecided);
    check(&[Kept], 1, ProbeOutcome::Passed);
    check(&[Kept], 3, ProbeOutcome::Undecided);
    check(&[Kept, Missed], 3, ProbeOutcome::Undecided);
    check(&[Kept, Missed, Kept], 3, ProbeOutcome::Passed);
    check(&[Missed, Missed], 3, ProbeOutcome::Failed);
    check(&[Kept, Missed], 2, ProbeOutcome::Failed);
    check(&[Kept, Kept, Missed, Missed], 4, ProbeOutcome::Failed);
    check(&[Void, Missed], 3, ProbeOutcome::Failed);
    check(&[Void, Void], 3, ProbeOutcome::Invalid);
    check(&[Void, Kept, Kept], 3, ProbeOutcome::Passed);
}

#[test]
fn runs_that_are_invalid_or_failed_keep_nothing() {
    let beyond_the_pacer = |rate, job: &KneeJob| {
        let mut run = run_of(job, "a", KEPT);
        if rate > 3_000 {
            run.run.as_mut().unwrap().verdict = Verdict::Invalid;
        }
        run
    };
    let found = search(&plan(), beyond_the_pacer);
    let at = |rate: &str| found.probes.iter().find(|probe| probe.rate == rate).unwrap();
    assert_eq!((at("2000").outcome, at("2000").kept), (ProbeOutcome::Passed, 2));
    assert_eq!((at("4000").outcome, at("4000").kept), (ProbeOutcome::Invalid, 0));
    assert_eq!(at("4000").figure_ns.each, [Some(KEPT), Some(KEPT)]);
    let dies = |_, job: &KneeJob| BenchRun { rate: job.rate.clone(), ..sample::failed_run("a", 1) };
    let found = search(&plan(), dies);
    assert_eq!(found.ending, KneeEnding::BelowRange);
    assert_eq!((found.probes[0].summary.failed, found.probes[0].figure_ns.median), (2, None));
}

#[test]
fn a_run_takes_the_number_that_a_dropped_one_left_free() {
    let job = |repeat| KneeJob { target: 0, rate: String::from("1000"), repeat };
    let next = |kept: &[u32]| {
        let runs: Vec<BenchRun> = kept.iter().map(|nth| run_of(&job(*nth), "a", KEPT)).collect();
        next_job(&KneePlan { repeats: 9, ..plan() }, &["a"], &runs)
    };
    assert_eq!(next(&[]), Some(job(1)));
    assert_eq!(next(&[1, 2]), Some(job(3)));
    // The first of two failed, and was dropped.
    assert_eq!(next(&[2]), Some(job(1)));
    assert_eq!(next(&[2, 3, 1]), Some(job(4)));
}

#[test]
fn targets_take_turns_run_by_run_until_each_is_found() {
    let (plan, names) = (plan(), ["a", "b", "c"]);
    let mut runs: Vec<BenchRun> = Vec::new();
    let mut order = String::new();
    while let Some(job) = next_job(&plan, &names, &runs) {
        let name = names[job.target];
        order += name;
        let knee = if name == "b" { 500 } else { 2_000_000 };
        let kept = job.rate.parse::<u64>().unwrap() <= knee;
        runs.push(run_of(&job, name, if kept { KEPT } else { MISSED }));
    }
    // `b` is over after two runs of two rates.
    assert!(order.starts_with("abcbcacababcca"), "{order}");
    assert_eq!(order.matches('b').count(), 4, "{order}");
    assert_eq!(order.len(), 4 + 2 * 14);
}

#[test]
fn a_share_is_typed_in_per_cent() {
    let read = |text: &str| text.parse::<Within>().map(|within| within.0);
    assert_eq!(read("5%"), Ok(0.05));
    assert_eq!(read("2.5 %"), Ok(0.025));
    for wrong in ["5", "0%", "0.5%", "101%", "-5%", "x%", "", "NaN%"] {
        let error = read(wrong).unwrap_err();
        assert!(error.contains("from `1%` to `100%`"), "{wrong}: {error}");
    }
}

#[test]
fn rates_between_are_rounded_unless_that_leaves_the_gap() {
    let range = Range { from: 1, to: 1_000_000, within: Within(0.01) };
    assert_eq!(range.between(1_000, 2_000), Some(1_410));
    assert_eq!(range.between(141_421, 144_000), Some(143_000));
    assert_eq!(range.between(7, 9), Some(8));
    assert_eq!(range.between(1, 2), None);
    assert_eq!(range.between(1_000, 1_010), None);
}

/// p99 as a queue has it, with a share of noise: 1 ms when idle, 5 ms at the `knee`.
fn queue(rate: f64, knee: f64, noise: f64, rng: &mut Rng) -> u64 {
    let capacity = knee / 0.8;
    let load = (rate / capacity).min(0.999);
    let factor = 1.0 + noise * (2.0 * rng.below(1_000_001) as f64 / 1e6 - 1.0);
    (1e6 / (1.0 - load) * factor) as u64
}

proptest! {
    // A case is a whole search, of up to a hundred runs.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_ideal_server_is_found_within_what_was_asked_for(
        from in 1u64..5_000,
        factor in 2u64..500,
        knee in 1u64..3_000_000,
        percent in 1u32..50,
        repeats in 1u32..6,
    ) {
        let within = Within(f64::from(percent) / 100.0);
        let plan = KneePlan { from, to: from * factor, within, repeats, ..plan() };
        let found = search(&plan, ideal(knee));
        let number = |rate: &Option<String>| rate.as_ref().map(|rate| rate.parse::<u64>().unwrap());
        let (passed, failed) = (number(&found.passed), number(&found.failed));
        prop_assert!(passed.is_none_or(|passed| passed <= knee));
        prop_assert!(failed.is_none_or(|failed| failed > knee));
        prop_assert!(found.contradictions.is_empty());
        match found.ending {
            KneeEnding::Found => {
                let (passed, failed) = (passed.unwrap(), failed.unwrap());
                let near = failed as f64 <= passed as f64 * (1.0 + within.0);
                prop_assert!(near || failed - passed == 1, "{passed} and {failed}");
            }
            KneeEnding::AboveRange => prop_assert!(knee >= plan.to),
            KneeEnding::BelowRange => prop_assert!(knee < from),
            KneeEnding::Unfinished => prop_assert!(false, "it ended"),
        }
    }

    #[test]
    fn noise_moves_the_knee_no_further_than_noise_moves_the_latency(
        knee in 3_000u64..40_000,
        noise in 0.0..0.2f64,
        seed: u64,
    ) {
        let mut rng = Rng::new(seed);
        let found = search(&plan(), |rate, job| {
            run_of(job, "a", queue(rate as f64, knee as f64, noise, &mut rng))
        });
        prop_assert_eq!(found.ending, KneeEnding::Found);
        let passed: f64 = found.passed.as_deref().unwrap().parse().unwrap();
        let failed: f64 = found.failed.as_deref().unwrap().parse().unwrap();
        // Where the queue alone is at 5 ms with all of the noise for it, or against it: no run passes
        // above the one, none fails below the other.
        let at = |factor: f64| knee as f64 / 0.8 * (1.0 - factor / 5.0);
        let (least, most) = (at(1.0 + noise), at(1.0 - noise));
        prop_assert!(passed <= most + 1.0, "{passed} is above {most}");
        prop_assert!(failed >= least - 1.0, "{failed} is below {least}");
    }

    #[test]
    fn a_search_that_is_interrupted_anywhere_ends_as_if_it_had_not_been(
        knees in proptest::collection::vec(500u64..100_000, 1..4),
        cut in 0usize..200,
        seed: u64,
    ) {
        let names: Vec<String> = (0..knees.len()).map(|nth| format!("t{nth}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let plan = plan();
        // The same run comes out the same whenever it is made.
        let go_on = |runs: &mut Vec<BenchRun>, until: usize| {
            while runs.len() < until && let Some(job) = next_job(&plan, &names, runs) {
                let rate: u64 = job.rate.parse().unwrap();
                let salt = rate * 31 + u64::from(job.repeat) * 7 + job.target as u64;
                let mut rng = Rng::new(seed ^ salt);
                let p99 = queue(rate as f64, knees[job.target] as f64, 0.3, &mut rng);
                runs.push(run_of(&job, names[job.target], p99));
            }
        };
        let (mut whole, mut resumed) = (Vec::new(), Vec::new());
        go_on(&mut whole, usize::MAX);
        go_on(&mut resumed, cut);
        let half = found(&plan, &names, &resumed);
        if resumed.len() < whole.len() {
            prop_assert!(half.iter().any(|target| target.ending == KneeEnding::Unfinished));
        }
        go_on(&mut resumed, usize::MAX);
        let text = |runs: &[BenchRun]| serde_json::to_string(&found(&plan, &names, runs)).unwrap();
        prop_assert_eq!(text(&whole), text(&resumed));
    }
}
