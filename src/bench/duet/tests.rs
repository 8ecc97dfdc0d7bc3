//! Which targets may be a duet, and which restarts are made.

use super::*;
use crate::bench::plan::Overrides;
use crate::results::bench::BENCH_SCHEMA;
use std::path::Path;

const FILE: &str = r#"
name = "d"
duration = "1s"
repeats = 3
rates = ["1000", "2000"]
mix = "mixes/article.toml"
pacer_cpus = "1"

[[target]]
name = "a"
serve = ["--cpus", "0"]

[[target]]
name = "elsewhere"
serve = ["--cpus", "1"]

[[target]]
name = "spins"
serve = ["--cpus", "0", "--wait", "spin"]

[[target]]
name = "spins-too"
serve = ["--cpus", "0", "--wait", "spin", "--backend", "epoll"]

[[target]]
name = "b"
serve = ["--cpus", "0", "--backend", "epoll"]
"#;

fn plan(names: &[&str]) -> Result<Plan, BenchError> {
    let plan = Plan::parse(FILE, Path::new("bench-configs/duet.toml"))?;
    let duet = names.iter().map(|name| name.to_string()).collect();
    plan.overridden(&Overrides { duet, ..Overrides::default() })
}

#[track_caller]
fn refused(names: &[&str], says: &str) {
    let error = plan(names).and_then(|plan| check(&plan)).unwrap_err();
    assert!(matches!(error, BenchError::File(_)), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("--duet") && error.contains(says), "{error}");
}

#[test]
fn what_cannot_be_a_duet_is_refused_and_the_flag_named() {
    refused(&["a"], "name two targets");
    refused(&["a", "b", "spins"], "name two targets");
    refused(&["a", "a"], "against itself");
    refused(&["a", "c"], "--duet c: there is no such target; there are a, elsewhere,");
    refused(&["a", "elsewhere"], "the one runs on CPUs 0, the other on 1");
    refused(&["spins", "spins-too"], "let them block");
    let plan = Plan::parse(FILE, Path::new("bench-configs/duet.toml")).unwrap();
    let both = Overrides {
        duet: vec!["a".into(), "b".into()],
        only: vec!["a".into()],
        ..Overrides::default()
    };
    let refusal = |overrides| plan.clone().overridden(overrides).unwrap_err().to_string();
    assert!(refusal(&both).contains("leave --only out"));
    let twice = Overrides { only: Vec::new(), aa: true, ..both.clone() };
    assert!(refusal(&twice).contains("--aa measures one target at a time"));
}

#[test]
fn what_the_pacer_cannot_do_for_two_servers_is_refused_and_the_key_named() {
    let plan = |key: &str, line: &str| {
        let text = match FILE.lines().find(|old| old.starts_with(&format!("{key} ="))) {
            Some(old) => FILE.replace(old, line),
            None => FILE.replace(
                "\n\n[[target]]\nname = \"a\"",
                &format!("\n{line}\n\n[[target]]\nname = \"a\""),
            ),
        };
        assert!(text.contains(line));
        Plan::parse(&text, Path::new("bench-configs/duet.toml")).unwrap()
    };
    for (key, line) in [
        ("pacer_cpus", "pacer_cpus = \"1-2\""),
        ("pacer_wait", "pacer_wait = \"hybrid\""),
        ("timestamps", "timestamps = \"kernel\""),
        ("catch_up", "catch_up = \"skip:1ms\""),
        ("max_connections", "max_connections = 2017"),
    ] {
        let error = check_pacer(&plan(key, line), 4_096).unwrap_err();
        assert!(matches!(error, BenchError::File(_)), "{error}");
        let error = error.to_string();
        assert!(error.starts_with("--duet") && error.contains(key), "{error}");
    }
    let plain = Plan::parse(FILE, Path::new("bench-configs/duet.toml")).unwrap();
    check_pacer(&plain, 4_096).unwrap();
    assert!(check_pacer(&plain, 2_048).is_err(), "the pacer opens 1,024 if it is not told");
    check_pacer(&plan("max_connections", "max_connections = 2016"), 4_096).unwrap();
}

#[test]
fn the_targets_stand_as_typed_and_one_that_spins_is_noted() {
    for (names, noted) in [(["b", "a"], false), (["a", "b"], false), (["a", "spins"], true)] {
        let plan = plan(&names).unwrap();
        check(&plan).unwrap();
        assert!(plan.targets.iter().map(|target| target.name.as_str()).eq(names));
        assert!(plan.record().duet);
        assert_eq!(note(&plan).is_some_and(|note| note.contains("`spins` spins")), noted);
    }
}

fn bench(plan: &Plan) -> Bench {
    let mut bench = crate::results::bench::sample::bench(&["a", "b"], Vec::new());
    bench.schema = BENCH_SCHEMA.into();
    bench.plan = plan.record();
    bench.complete = false;
    bench
}

fn restarted(plan: &Plan, job: &Job, failure: Option<&str>) -> Restarted {
    let rate = plan.rates[job.rate].text.clone();
    let runs = [0, 1].map(|target: usize| BenchRun {
        target: plan.targets[target].name.clone(),
        rate: rate.clone(),
        repeat: job.repeat,
        failure: failure.map(String::from),
        ..BenchRun::default()
    });
    let file = format!("{rate}-{}", job.repeat);
    let restart = failure.is_none().then_some(Restart { rate, repeat: job.repeat, file });
    Restarted { runs, restart }
}

#[test]
fn an_interrupted_duet_goes_on_where_it_stopped_and_makes_what_failed_or_is_lost_again() {
    let plan = plan(&["a", "b"]).unwrap();
    let mut bench = bench(&plan);
    let mut made = 0;
    let ok = |job: &Job, failure| Some(restarted(&plan, job, failure));
    let first = |job: &Job| {
        made += 1;
        match made {
            2 => ok(job, Some("it fell")),
            1..=4 => ok(job, None),
            _ => None,
        }
    };
    conduct(&plan, &mut bench, |_| true, first, |_| Ok(())).unwrap();
    assert!(!bench.complete);
    let duet = bench.duet.clone().unwrap();
    assert_eq!((duet.restarts.len(), bench.runs.len()), (3, 8));

    // Of the three the pairs of one are lost; with the failed one and two more, four are to be made.
    let lost = duet.restarts[0].file.clone();
    let mut saved = Vec::new();
    let mut again = 0;
    let second = |job: &Job| {
        again += 1;
        ok(job, None)
    };
    let save = |bench: &Bench| {
        saved.push(bench.runs.len());
        Ok(())
    };
    conduct(&plan, &mut bench, |restart| restart.file != lost, second, save).unwrap();
    assert!(bench.complete);
    assert_eq!((again, saved), (4, vec![6, 8, 10, 12]));
    let duet = bench.duet.unwrap();
    assert_eq!((&*duet.a, &*duet.b, duet.restarts.len()), ("a", "b", 6));
}
