use super::*;
use crate::report::logs::Logs;
use crate::results::bench::{Bench, Summary, sample};

fn bench(rates: &[&str]) -> Bench {
    let mut bench = sample::bench(&["a"], Vec::new());
    bench.plan.rates = rates.iter().map(|rate| String::from(*rate)).collect();
    let at =
        |rate: &&str| Summary { rate: String::from(*rate), ..sample::summary("a", [1_000; 3]) };
    bench.summaries = rates.iter().map(at).collect();
    bench
}

fn drawn(bench: &Bench) -> String {
    against_rate(&Page { bench, logs: &Logs::default() })
}

#[test]
fn one_rate_makes_no_ladder() {
    assert_eq!(drawn(&bench(&["1000"])), "");
    assert_eq!(drawn(&bench(&["1000", "1k"])), "");
}

#[test]
fn rungs_stand_in_the_order_of_their_rates() {
    let svg = drawn(&bench(&["20k", "1000", "5k"]));
    let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
    assert!(at("a at 1000/s, p50: 1.00 us") < at("a at 5k/s, p50: 1.00 us"));
    assert!(at("a at 5k/s, p50") < at("a at 20k/s, p50"));
    assert!(svg.contains(">a p99</text>"), "{svg}");
    assert!(svg.contains("data-at=\"/summaries/0/total/response_ns/p99/median\""), "{svg}");
}

#[test]
fn a_line_ends_where_its_percentile_is_lost() {
    let mut bench = bench(&["1000", "5k", "20k"]);
    bench.summaries[1].total.response_ns.p99.median = None;
    let svg = drawn(&bench);
    assert!(svg.contains("a at 20k/s, p50") && !svg.contains("a at 20k/s, p99"), "{svg}");
}

#[test]
fn a_knee_that_was_searched_is_marked_and_its_probes_are_rungs() {
    use crate::results::bench::Spread;
    use crate::results::knee::{Knee, KneeEnding, KneeProbe, KneeTarget, ProbeOutcome};
    let probe = |rate: &str| KneeProbe {
        rate: rate.into(),
        outcome: ProbeOutcome::Passed,
        kept: 1,
        of: 1,
        figure_ns: Spread::default(),
        summary: Summary { rate: rate.into(), ..sample::summary("a", [1_000; 3]) },
    };
    let mut bench = bench(&["1000"]);
    let target = KneeTarget {
        target: "a".into(),
        ending: KneeEnding::Found,
        passed: Some("4000".into()),
        failed: None,
        contradictions: Vec::new(),
        probes: vec![probe("2000"), probe("4000")],
    };
    bench.knee = Some(Knee { targets: vec![target], runs: Vec::new() });
    let svg = drawn(&bench);
    assert!(svg.contains("<title>knee of a: 4000/s</title>"), "{svg}");
    let pointer = "/knee/targets/0/probes/1/summary/total/response_ns/p99/median";
    assert!(svg.contains(&format!("data-at=\"{pointer}\"")), "{svg}");
}
