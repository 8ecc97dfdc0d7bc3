//! The knee search in the terminal table: per target the highest rate that keeps the objective.

use super::figure::latency;
use super::table::{aligned, listed};
use crate::results::bench::Bench;
use crate::results::knee::{KneeEnding, KneePlanRecord, KneeProbe, KneeTarget, ProbeOutcome};

/// A table and what is remarkable about it; empty if no knee was searched.
pub(super) fn knees(bench: &Bench) -> String {
    let (Some(plan), Some(knee)) = (&bench.plan.knee, &bench.knee) else { return String::new() };
    let heads = ["target", "knee", "its figure", "fails at", "its figure", "rates", "runs"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    rows.extend(knee.targets.iter().map(|target| row(plan, target)));
    let title = format!(
        "\nHighest rate that keeps {}, within {} %\n",
        plan.objective,
        percent(plan.within)
    );
    let notes: Vec<String> = knee.targets.iter().flat_map(remarks).collect();
    title + &aligned(&rows, 1) + &listed("About these", &notes)
}

fn row(plan: &KneePlanRecord, target: &KneeTarget) -> Vec<String> {
    let passed = target.passed.as_ref().and_then(|rate| probe(target, rate));
    let failed = target.failed.as_ref().and_then(|rate| probe(target, rate));
    let knee = match (target.ending, &target.passed) {
        (KneeEnding::BelowRange, _) => format!("< {}/s", plan.from),
        (KneeEnding::AboveRange, _) => format!(">= {}/s", plan.to),
        (_, Some(rate)) => format!("{rate}/s"),
        (_, None) => String::from("-"),
    };
    let rate = |probe: &KneeProbe| format!("{}/s", probe.rate);
    let dash = || String::from("-");
    vec![
        target.target.clone(),
        knee,
        passed.map_or_else(dash, figure),
        failed.map_or_else(dash, rate),
        failed.map_or_else(dash, figure),
        target.probes.len().to_string(),
        target.probes.iter().map(|probe| probe.of).sum::<u32>().to_string(),
    ]
}

fn probe<'a>(target: &'a KneeTarget, rate: &str) -> Option<&'a KneeProbe> {
    target.probes.iter().find(|probe| probe.rate == rate)
}

fn figure(probe: &KneeProbe) -> String {
    match probe.figure_ns.each.is_empty() {
        true => String::from("-"),
        false => latency(probe.figure_ns.median, probe.summary.total.response_ns.longest_observed),
    }
}

/// What a reader of the knee must know, one sentence each.
fn remarks(target: &KneeTarget) -> Vec<String> {
    let whom = &target.target;
    let mut remarks: Vec<String> = target
        .contradictions
        .iter()
        .map(|it| {
            format!(
                "{whom}: {}/s passed although {}/s had failed; repeat more",
                it.passed, it.failed
            )
        })
        .collect();
    let failed = target.failed.as_ref().and_then(|rate| probe(target, rate));
    if let Some(probe) = failed.filter(|probe| probe.outcome == ProbeOutcome::Invalid) {
        let reason = probe.summary.reasons.first().map_or("", String::as_str);
        remarks.push(format!(
            "{whom}: at {}/s the runs are INVALID or failed, so the knee may be the pacer's: {reason}",
            probe.rate
        ));
    }
    if target.ending == KneeEnding::Unfinished {
        remarks.push(format!("{whom}: the search was interrupted"));
    }
    remarks
}

fn percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::{Spread, sample};
    use crate::results::knee::{Contradiction, Knee};

    fn probe(rate: &str, outcome: ProbeOutcome, p99: Option<u64>) -> KneeProbe {
        KneeProbe {
            rate: rate.into(),
            outcome,
            kept: 2,
            of: 3,
            figure_ns: Spread { median: p99, each: vec![p99; 3], intervals: Vec::new() },
            summary: sample::summary("a", [1_000, 2_000, 3_000]),
        }
    }

    fn target(name: &str, ending: KneeEnding) -> KneeTarget {
        KneeTarget {
            target: name.into(),
            ending,
            passed: None,
            failed: None,
            contradictions: Vec::new(),
            probes: Vec::new(),
        }
    }

    fn bench(targets: Vec<KneeTarget>) -> Bench {
        let mut bench = sample::bench(&["a"], Vec::new());
        bench.plan.knee = Some(KneePlanRecord {
            objective: "p99 < 5ms".into(),
            from: "1000".into(),
            to: "64000".into(),
            within: 0.05,
            repeats: 3,
            duration_s: 2.0,
            warmup_s: 0.0,
        });
        bench.knee = Some(Knee { targets, runs: Vec::new() });
        bench
    }

    #[test]
    fn a_knee_stands_with_what_is_on_either_side_of_it() {
        let mut found = target("a", KneeEnding::Found);
        (found.passed, found.failed) = (Some("4000".into()), Some("4190".into()));
        found.probes = vec![
            probe("4000", ProbeOutcome::Passed, Some(4_200_000)),
            probe("4190", ProbeOutcome::Failed, None),
        ];
        let ends = [target("b", KneeEnding::BelowRange), target("c", KneeEnding::AboveRange)];
        let text = knees(&bench([vec![found], ends.to_vec()].concat()));
        let expected = "
Highest rate that keeps p99 < 5ms, within 5 %
target        knee  its figure  fails at  its figure  rates  runs
a           4000/s     4.20 ms    4190/s   > 21.0 us      2     6
b         < 1000/s           -         -           -      0     0
c       >= 64000/s           -         -           -      0     0
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_makes_a_knee_doubtful_is_said() {
        let mut found = target("a", KneeEnding::Unfinished);
        found.failed = Some("8000".into());
        found.probes = vec![probe("8000", ProbeOutcome::Invalid, None)];
        found.probes[0].summary.reasons = vec!["repeat 1: the pacer was late".into()];
        found.contradictions = vec![Contradiction { passed: "4000".into(), failed: "2000".into() }];
        let text = knees(&bench(vec![found]));
        for says in [
            "a: 4000/s passed although 2000/s had failed",
            "a: at 8000/s the runs are INVALID or failed",
            "repeat 1: the pacer was late",
            "a: the search was interrupted",
        ] {
            assert!(text.contains(says), "{text}");
        }
        assert_eq!(knees(&sample::bench(&["a"], Vec::new())), "");
    }
}
