use super::*;
use crate::results::Verdict;
use crate::results::bench::sample;
use crate::scratch::Scratch;
use std::collections::BTreeMap;

/// A plan of targets `a`, `b`, ... at 1000/s and so on upwards; no file of it is ever opened.
fn plan(targets: usize, rates: usize, repeats: u32) -> Plan {
    let target = |name: String| Target {
        name,
        launch: Launch::Serve(Vec::new()),
        cpus: None,
        ready_path: "/healthz".into(),
        varied: Vec::new(),
    };
    let rate = |nth: usize| format!("{}", 1_000 * (nth + 1)).parse().unwrap();
    Plan {
        name: "sample".into(),
        duration: crate::units::Nanos::from_secs(1),
        warmup: crate::units::Nanos::ZERO,
        repeats,
        rates: (0..rates).map(rate).collect(),
        arrivals: Arrivals::Constant,
        pacer: Default::default(),
        knee: None,
        mix: "mix.toml".into(),
        connections: 1,
        max_connections: None,
        spread: false,
        pacer_cpus: CpuList::one(1),
        seed: 1,
        timeout: None,
        targets: ('a'..).take(targets).map(|c| target(c.to_string())).collect(),
        duet: false,
        claims: Vec::new(),
        aa: false,
    }
}

fn names(plan: &Plan, jobs: &[Job]) -> String {
    let name = |job: &Job| format!("{}{}", plan.targets[job.target].name, job.repeat);
    jobs.iter().map(name).collect::<Vec<String>>().join(" ")
}

fn measured(plan: &Plan, job: &Job) -> BenchRun {
    let run = sample::bench_run(&plan.targets[job.target].name, job.repeat, sample::run(10));
    BenchRun { rate: plan.rates[job.rate].text.clone(), ..run }
}

#[test]
fn repeats_are_interleaved_and_targets_take_turns_in_going_first() {
    let plan = plan(3, 1, 3);
    assert_eq!(names(&plan, &order(&plan)), "a1 b1 c1 b2 c2 a2 c3 a3 b3");
}

#[test]
fn every_run_of_a_ladder_is_made_once_in_an_order_that_the_seed_decides() {
    let ladder = plan(2, 4, 3);
    let jobs = order(&ladder);
    let mut seen: BTreeMap<(usize, usize, u32), usize> = BTreeMap::new();
    for job in &jobs {
        *seen.entry((job.target, job.rate, job.repeat)).or_default() += 1;
    }
    assert_eq!(seen.len(), 24);
    assert!(seen.values().all(|times| *times == 1));
    assert_eq!(order(&ladder), jobs);
    let rates_of = |jobs: &[Job]| jobs.iter().map(|job| job.rate).collect::<Vec<usize>>();
    let orders: std::collections::BTreeSet<Vec<usize>> =
        (0..8).map(|seed| rates_of(&order(&Plan { seed, ..ladder.clone() }))).collect();
    assert!(orders.len() > 1, "eight seeds gave one order");
    // All targets meet a rate before the next rate begins.
    assert!(jobs.chunks(2).all(|pair| pair[0].rate == pair[1].rate));
}

#[test]
fn a_target_that_cannot_be_set_up_is_left_out_with_a_sentence() {
    let mut plan = plan(3, 1, 1);
    let no_npm = |target: &Target| match target.name.as_str() {
        "b" => Err(Mishap::Failed("npm is needed".into())),
        _ => Ok(()),
    };
    let left_out = set_up_all(&mut plan, no_npm).unwrap();
    assert_eq!(left_out, ["`b` is left out: npm is needed"]);
    assert_eq!(names(&plan, &order(&plan)), "a1 c1");
    assert_eq!(plan.record().targets.len(), 2);
}

#[test]
fn a_server_against_itself_of_which_nothing_is_said_is_no_success() {
    let mut bench = sample::bench(&["a-a", "a-b"], Vec::new());
    assert!(is_as_claimed(&bench));
    bench.plan.aa = true;
    bench.verdicts.clear();
    assert!(!is_as_claimed(&bench));
}

#[test]
fn a_duet_counts_its_restarts() {
    let plan = Plan { duet: true, ..plan(2, 1, 3) };
    let both = |repeat| ["a", "b"].map(|name| sample::bench_run(name, repeat, sample::run(10)));
    let mut bench = sample::bench(&["a", "b"], [both(1), both(2)].concat());
    bench.plan = plan.record();
    assert_eq!((runs_made(&bench), runs_max(&plan)), (2, 3));
}

#[test]
fn a_duet_of_which_one_cannot_be_set_up_is_refused() {
    let mut plan = Plan { duet: true, ..plan(2, 1, 1) };
    plan.targets[1].launch = Launch::Command(crate::bench::plan::CommandLine {
        argv: vec!["true".into()],
        env: BTreeMap::new(),
        cwd: "no-such-directory".into(),
        setup: vec!["true".into()],
    });
    let dir = Scratch::new("half-a-duet");
    let (store, _) = Store::open(Some(&dir), &plan, "h", 0).unwrap();
    let (all_cpus, stop) = (CpuList::one(0), AtomicBool::new(false));
    let surroundings = Surroundings { exe: Path::new("none"), all_cpus: &all_cpus, stop: &stop };
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    let prepared = prepare(&mut plan, &mut bench, surroundings, &store, &Progress::Lines);
    let error = prepared.unwrap_err().to_string();
    assert!(error.starts_with("--duet takes two targets") && error.ends_with("only: a"), "{error}");
}

#[test]
fn a_bench_that_is_stopped_while_it_sets_up_measures_nothing() {
    let mut plan = plan(2, 1, 1);
    assert_eq!(set_up_all(&mut plan, |_| Err(Mishap::Stopped)), None);
    assert_eq!(plan.targets.len(), 2);
}

#[test]
fn every_result_is_saved_as_soon_as_it_exists() {
    let plan = plan(2, 1, 2);
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.complete = false;
    let mut saved = Vec::new();
    let measure = |job: &Job| Some(measured(&plan, job));
    conduct(&plan, &mut bench, measure, |bench| {
        saved.push((bench.runs.len(), bench.summaries.len()));
        Ok(())
    })
    .unwrap();
    assert_eq!(saved, [(1, 1), (2, 2), (3, 2), (4, 2)]);
    assert!(bench.complete);
}

#[test]
fn an_interrupted_bench_goes_on_where_it_stopped() {
    let plan = plan(2, 1, 2);
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    bench.complete = false;
    let mut left = 3;
    let interrupted = |job: &Job| {
        left -= 1;
        (left > 0).then(|| measured(&plan, job))
    };
    conduct(&plan, &mut bench, interrupted, |_| Ok(())).unwrap();
    assert_eq!((bench.runs.len(), bench.complete), (2, false));
    assert_eq!(ending(&bench), Ending::Interrupted);

    let mut made = Vec::new();
    let resumed = |job: &Job| {
        made.push(*job);
        Some(measured(&plan, job))
    };
    conduct(&plan, &mut bench, resumed, |_| Ok(())).unwrap();
    assert_eq!(names(&plan, &made), "b2 a2");
    assert_eq!((bench.runs.len(), ending(&bench)), (4, Ending::Done));
}

#[test]
fn a_failed_run_does_not_end_the_bench_and_is_made_again_next_time() {
    let plan = plan(2, 1, 1);
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    let first_fails = |job: &Job| match job.target {
        0 => Some(sample::failed_run("a", 1)),
        _ => Some(measured(&plan, job)),
    };
    conduct(&plan, &mut bench, first_fails, |_| Ok(())).unwrap();
    assert_eq!((bench.runs.len(), ending(&bench)), (2, Ending::Failed));
    let mut made = Vec::new();
    let again = |job: &Job| {
        made.push(*job);
        Some(measured(&plan, job))
    };
    conduct(&plan, &mut bench, again, |_| Ok(())).unwrap();
    assert_eq!(names(&plan, &made), "a1");
    assert_eq!(ending(&bench), Ending::Done);
}

#[test]
fn a_directory_that_cannot_be_written_ends_the_bench() {
    let plan = plan(1, 1, 2);
    let mut bench = sample::bench(&["a"], Vec::new());
    let full = |_: &Bench| Err(BenchError::Machine("disk full".into()));
    let error = conduct(&plan, &mut bench, |job| Some(measured(&plan, job)), full).unwrap_err();
    assert_eq!((error.to_string().as_str(), bench.runs.len()), ("disk full", 1));
}

#[test]
fn the_ending_says_what_may_be_believed() {
    let with = |verdicts: [Verdict; 3], outcome: ClaimOutcome| {
        let mut bench = sample::bench(&["a"], Vec::new());
        bench.summaries = vec![sample::summary("a", [1, 2, 3])];
        bench.summaries[0].verdicts = verdicts.to_vec();
        bench.claims = vec![crate::results::bench::ClaimResult {
            text: String::new(),
            expr: String::new(),
            outcome,
            figures: Vec::new(),
        }];
        ending(&bench)
    };
    use Verdict::{Invalid, Suspect, Valid};
    assert_eq!(with([Valid, Valid, Valid], ClaimOutcome::Holds), Ending::Done);
    assert_eq!(with([Valid, Valid, Valid], ClaimOutcome::Skipped), Ending::Done);
    assert_eq!(with([Valid, Valid, Valid], ClaimOutcome::Fails), Ending::Failed);
    assert_eq!(with([Valid, Valid, Valid], ClaimOutcome::Unknown), Ending::Failed);
    assert_eq!(with([Invalid, Suspect, Invalid], ClaimOutcome::Holds), Ending::Done);
    assert_eq!(with([Invalid, Invalid, Invalid], ClaimOutcome::Fails), Ending::Invalid);
    assert_eq!(Ending::Invalid.exit_code(), 3);
}

/// The plan of two targets that also searches a knee.
fn with_knee() -> Plan {
    let knee = KneePlan {
        objective: "p99 < 5ms".parse().unwrap(),
        from: 1_000,
        to: 8_000,
        within: "50%".parse().unwrap(),
        repeats: 1,
        duration: Nanos::from_secs(7),
        warmup: Nanos::from_secs(2),
    };
    Plan { knee: Some(knee), ..plan(2, 1, 1) }
}

/// A run of the search that keeps the objective up to 3,000/s.
fn probed(plan: &Plan, job: &KneeJob) -> BenchRun {
    let mut run = sample::run(10);
    let kept = job.rate.parse::<u64>().unwrap() <= 3_000;
    run.response_ns.p99 = Some(if kept { 1 } else { 9_000_000 });
    let run = sample::bench_run(&plan.targets[job.target].name, job.repeat, run);
    BenchRun { rate: job.rate.clone(), ..run }
}

#[test]
fn a_knee_is_searched_last_and_an_interrupted_search_goes_on() {
    let plan = with_knee();
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    let unasked = |_: &KneeJob, _: &KneePlan, _| panic!("the other runs come first");
    search_knee(&plan, &mut bench, unasked, |_| Ok(())).unwrap();
    conduct(&plan, &mut bench, |job| Some(measured(&plan, job)), |_| Ok(())).unwrap();
    assert!(!bench.complete, "the knee is missing");
    assert_eq!(runs_made(&bench), 2);

    let mut saved = Vec::new();
    let interrupted =
        |job: &KneeJob, _: &KneePlan, before| (before < 5).then(|| probed(&plan, job));
    let save = |bench: &Bench| {
        saved.push(bench.knee.as_ref().unwrap().runs.len());
        Ok(())
    };
    search_knee(&plan, &mut bench, interrupted, save).unwrap();
    assert_eq!((saved, bench.complete), (vec![1, 2, 3], false));
    assert_eq!(ending(&bench), Ending::Interrupted);

    // A search with what was written is the same search.
    let text = serde_json::to_string(&bench).unwrap();
    let mut bench: Bench = serde_json::from_str(&text).unwrap();
    conduct(&plan, &mut bench, |_| panic!("they are there"), |_| Ok(())).unwrap();
    let go_on = |job: &KneeJob, _: &KneePlan, _| Some(probed(&plan, job));
    search_knee(&plan, &mut bench, go_on, |_| Ok(())).unwrap();
    assert_eq!(ending(&bench), Ending::Done);
    let knee = bench.knee.unwrap();
    let edges: Vec<_> =
        knee.targets.iter().map(|t| (t.passed.as_deref(), t.failed.as_deref())).collect();
    assert_eq!(edges, [(Some("2830"), Some("4000")); 2]);
    assert!(knee.runs.len() <= runs_max(&plan) - 2);
}

#[test]
fn a_run_of_the_search_that_failed_fails_the_bench_and_is_made_again() {
    let plan = with_knee();
    let mut bench = sample::bench(&["a", "b"], Vec::new());
    conduct(&plan, &mut bench, |job| Some(measured(&plan, job)), |_| Ok(())).unwrap();
    let dies = |job: &KneeJob, _: &KneePlan, _| match job.rate.as_str() {
        "4000" => Some(BenchRun { rate: job.rate.clone(), ..sample::failed_run("a", 1) }),
        _ => Some(probed(&plan, job)),
    };

    let plan_of_a = Plan { targets: plan.targets[..1].to_vec(), ..plan.clone() };
    search_knee(&plan_of_a, &mut bench, dies, |_| Ok(())).unwrap();
    assert_eq!((bench.complete, ending(&bench)), (true, Ending::Failed));
    let go_on = |job: &KneeJob, _: &KneePlan, _| Some(probed(&plan, job));
    search_knee(&plan_of_a, &mut bench, go_on, |_| Ok(())).unwrap();
    assert_eq!(ending(&bench), Ending::Done);
}

#[test]
fn a_run_is_told_the_times_of_what_it_is_for() {
    let plan = with_knee();
    let of_plan = order(&plan)[0].assignment(&plan).duration;
    let knee = plan.knee.as_ref().unwrap();
    let job = KneeJob { target: 1, rate: "4000".into(), repeat: 2 };
    let probe = probe_of(&plan, knee, &job);
    assert_eq!((of_plan, probe.duration), (Nanos::from_secs(1), Nanos::from_secs(7)));
    assert_eq!((probe.stem.as_str(), probe.rate), ("b-4000-knee2", "4000"));
}
