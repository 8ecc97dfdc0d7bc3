//! The experiments that come with ringpace: each is a plan, and fits machines large and small.

use super::placement::tests::machine;
use super::*;
use std::collections::BTreeSet;

fn configs() -> Vec<(String, Plan)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-configs");
    let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let files =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut configs: Vec<(String, Plan)> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, Plan::load(&path).unwrap_or_else(|error| panic!("{error}")))
        })
        .collect();
    configs.sort_by(|a, b| a.0.cmp(&b.0));
    configs
}

fn config(name: &str) -> Plan {
    configs().into_iter().find(|(other, _)| other == name).unwrap().1
}

/// The CPUs that the server is told to use.
fn cpus_of(target: &Target) -> Option<CpuList> {
    let Launch::Serve(flags) = &target.launch else { return target.cpus.clone() };
    let value = flags.iter().skip_while(|flag| *flag != "--cpus").nth(1)?;
    Some(value.parse().unwrap_or_else(|error| panic!("{}: {error}", target.name)))
}

#[test]
fn every_config_is_called_as_its_file() {
    let configs = configs();
    assert!(configs.len() >= 6, "{configs:?}");
    for (name, plan) in &configs {
        assert_eq!(*name, plan.name);
        let made: BTreeSet<&str> = plan.targets.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(made.len(), plan.targets.len(), "{name}");
    }
}

#[test]
fn every_config_fits_every_machine() {
    for (cores, threads, per_l3) in [(1, 1, 1), (2, 1, 2), (1, 2, 1), (8, 2, 8), (16, 2, 4)] {
        let (usable, topology) = machine(cores, threads, per_l3);
        for (name, mut plan) in configs() {
            let notes = plan.fit_to(&usable, &topology);
            let whom = format!("{name} on {cores} cores of {threads}: {notes:?}");
            assert!(!plan.targets.is_empty(), "{whom}");
            let mut asked = plan.pacer_cpus.cpus().to_vec();
            for target in &plan.targets {
                let cpus = cpus_of(target).unwrap_or_else(|| panic!("{whom}: {}", target.name));
                let shares = cpus.cpus().iter().any(|cpu| plan.pacer_cpus.cpus().contains(cpu));
                let may_share = usable.len() == 1 || target.name == "same-cpu";
                assert!(may_share || !shares, "{whom}: {} is on the pacer's CPU", target.name);
                asked.extend_from_slice(cpus.cpus());
            }
            assert!(asked.iter().all(|cpu| usable.contains(cpu)), "{whom}");
        }
    }
}

#[test]
fn the_backends_are_compared_with_the_first() {
    let names: Vec<String> = config("backends").targets.into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["uring", "epoll", "monoio-uring", "monoio-epoll"]);
}

#[test]
fn the_ring_is_taken_apart_one_flag_at_a_time() {
    let plan = config("ring-flags");
    assert_eq!(plan.targets[0].name, "base");
    let against = |target: &Target| target.varied[0].against.clone();
    assert!(plan.targets[1..].iter().all(|target| against(target).as_deref() == Some("base")));
}

#[test]
fn pinning_leaves_out_what_a_machine_does_not_have() {
    let names_on = |cores: usize, threads: usize, per_l3: usize| {
        let (usable, topology) = machine(cores, threads, per_l3);
        let mut plan = config("pinning");
        plan.fit_to(&usable, &topology);
        let placed = |target: &Target| format!("{} {}", target.name, cpus_of(target).unwrap());
        plan.targets.iter().map(placed).collect::<Vec<String>>()
    };
    assert_eq!(names_on(2, 1, 2), ["other-core 0", "same-cpu 1"]);
    assert_eq!(names_on(8, 2, 4), ["other-core 0", "smt-sibling 9", "other-l3 4", "same-cpu 1"]);
}

#[test]
fn the_short_article_has_every_target_and_claim_and_takes_under_four_minutes() {
    let (long, short) = (config("article"), config("article-short"));
    let names = |plan: &Plan| plan.targets.iter().map(|t| t.name.clone()).collect::<Vec<String>>();
    let claims = |plan: &Plan| plan.claims.iter().map(|c| c.expr.clone()).collect::<Vec<String>>();
    assert_eq!((names(&long), claims(&long)), (names(&short), claims(&short)));
    assert!(short.repeats >= 3 && short.claims.len() > 20);
    let runs = short.targets.len() as u64 * u64::from(short.repeats);
    // Beside its load a run takes up to two seconds to start, drain and stop.
    let seconds = runs * (short.duration.0 + short.warmup.0 + 2_000_000_000) / 1_000_000_000;
    assert!(seconds < 240, "{seconds} s");
}

#[test]
fn the_ladder_has_many_rates_and_a_knee() {
    let plan = config("rate-ladder");
    assert!(plan.rates.len() >= 8 && plan.targets.len() >= 4);
    let knee = plan.knee.expect("it searches one");
    assert_eq!(knee.objective.to_string(), "status.p99 < 1ms");
    assert_eq!(config("burst").record().arrivals, "burst:50");
}
