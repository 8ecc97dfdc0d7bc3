//! The knee search in the terminal and on the page: per target the highest rate that keeps the
//! objective.
//!
//! Pure. Not here: how it is found; see `bench::knee`. Start at [`knees`].

use super::figure::latency;
use super::html::markup::{escaped, list, shown, table};
use super::html::page::{Page, Section};
use super::table::{aligned, listed};
use crate::results::bench::Bench;
use crate::results::knee::{KneeEnding, KneePlanRecord, KneeProbe, KneeTarget, ProbeOutcome};

const HEADS: [&str; 7] =
    ["target", "knee", "its figure", "fails at", "its figure", "rates", "runs"];

/// A table and what is remarkable about it; empty if no knee was searched.
pub(super) fn knees(bench: &Bench) -> String {
    let (Some(plan), Some(knee)) = (&bench.plan.knee, &bench.knee) else { return String::new() };
    let mut rows = vec![HEADS.map(String::from).to_vec()];
    rows.extend(knee.targets.iter().map(|target| row(plan, target)));
    let notes: Vec<String> = knee.targets.iter().flat_map(remarks).collect();
    format!("\n{}\n{}{}", title(plan), aligned(&rows, 1), listed("About these", &notes))
}

/// The same for the page; `None` if no knee was searched.
pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let (plan, knee) = (page.bench.plan.knee.as_ref()?, page.bench.knee.as_ref()?);
    let rows = knee.targets.iter().enumerate().map(|(nth, target)| marked_up(plan, nth, target));
    let notes: Vec<String> = knee.targets.iter().flat_map(remarks).collect();
    let body = table(&title(plan), &HEADS, rows) + &list(&notes);
    Section::new("knees", "Knees", body)
}

fn title(plan: &KneePlanRecord) -> String {
    format!("Highest rate that keeps {}, within {} %", plan.objective, percent(plan.within))
}

/// `knee of a: 4000/s`, and how far that may be believed; `None` if no rate passed.
pub(super) fn in_a_word(target: &KneeTarget) -> Option<String> {
    let rate = target.passed.as_ref()?;
    let ending = match target.ending {
        KneeEnding::AboveRange => " or above",
        KneeEnding::Unfinished => " so far",
        KneeEnding::Found | KneeEnding::BelowRange => "",
    };
    let whose = invalid(target).map_or("", |_| ", which may be the pacer's");
    Some(format!("knee of {}: {rate}/s{ending}{whose}", target.target))
}

/// The rate above the knee, if its runs are INVALID or have no figures.
fn invalid(target: &KneeTarget) -> Option<&KneeProbe> {
    let failed = target.failed.as_ref().and_then(|rate| probe(target, rate));
    failed.filter(|probe| probe.outcome == ProbeOutcome::Invalid)
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

/// The same with where each of it stands in the file; the target is the nth there.
fn marked_up(plan: &KneePlanRecord, nth: usize, target: &KneeTarget) -> (String, Vec<String>) {
    let at = format!("/knee/targets/{nth}");
    let of_probe = |rate: &Option<String>| {
        let nth = target.probes.iter().position(|probe| Some(&probe.rate) == rate.as_ref());
        nth.map_or_else(|| at.clone(), |nth| format!("{at}/probes/{nth}"))
    };
    let (passed, failed) = (of_probe(&target.passed), of_probe(&target.failed));
    let places = [
        (&at, "knee"),
        (&passed, "probe-figure"),
        (&failed, "probe-rate"),
        (&failed, "probe-figure"),
        (&at, "probes"),
        (&at, "probe-runs"),
    ];
    let mut row = row(plan, target).into_iter();
    let head = escaped(&row.next().unwrap_or_default());
    let cells = row.zip(places).map(|(text, (at, how))| match text.as_str() {
        "-" => text,
        _ => shown(at, how, &text),
    });
    (head, cells.collect())
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
    if let Some(probe) = invalid(target) {
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
    use crate::report::logs::Logs;
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
        let bench = bench([vec![found], ends.to_vec()].concat());
        let text = knees(&bench);
        let expected = "
Highest rate that keeps p99 < 5ms, within 5 %
target        knee  its figure  fails at  its figure  rates  runs
a           4000/s     4.20 ms    4190/s   > 21.0 us      2     6
b         < 1000/s           -         -           -      0     0
c       >= 64000/s           -         -           -      0     0
";
        assert_eq!(text, expected);
        let page = section(&Page { bench: &bench, logs: &Logs::default() }).unwrap().body;
        for (at, how, says) in [
            ("0", "knee", "4000/s"),
            ("0/probes/0", "probe-figure", "4.20 ms"),
            ("0/probes/1", "probe-rate", "4190/s"),
            ("0/probes/1", "probe-figure", "&gt; 21.0 us"),
            ("0", "probe-runs", "6"),
            ("1", "knee", "&lt; 1000/s"),
        ] {
            let figure = format!("data-at=\"/knee/targets/{at}\" data-as=\"{how}\">{says}<");
            assert!(page.contains(&figure), "no {figure} in {page}");
        }
    }

    #[test]
    fn what_makes_a_knee_doubtful_is_said() {
        let mut found = target("a", KneeEnding::Unfinished);
        found.failed = Some("8000".into());
        found.probes = vec![probe("8000", ProbeOutcome::Invalid, None)];
        found.probes[0].summary.reasons = vec!["repeat 1: the pacer was late".into()];
        found.contradictions = vec![Contradiction { passed: "4000".into(), failed: "2000".into() }];
        let bench = bench(vec![found]);
        let text = knees(&bench);
        let page = section(&Page { bench: &bench, logs: &Logs::default() }).unwrap().body;
        for says in [
            "a: 4000/s passed although 2000/s had failed",
            "a: at 8000/s the runs are INVALID or failed",
            "repeat 1: the pacer was late",
            "a: the search was interrupted",
        ] {
            assert!(text.contains(says), "{text}");
            assert!(page.contains(says), "{page}");
        }
        assert_eq!(knees(&sample::bench(&["a"], Vec::new())), "");
    }

    #[track_caller]
    fn check(ending: KneeEnding, above: ProbeOutcome, expected: &str) {
        let mut of = target("a", ending);
        (of.passed, of.failed) = (Some("4000".into()), Some("4190".into()));
        of.probes = vec![probe("4190", above, None)];
        assert_eq!(in_a_word(&of).as_deref(), Some(expected));
    }

    #[test]
    fn a_knee_is_said_no_surer_than_it_is() {
        check(KneeEnding::Found, ProbeOutcome::Failed, "knee of a: 4000/s");
        check(KneeEnding::AboveRange, ProbeOutcome::Passed, "knee of a: 4000/s or above");
        check(KneeEnding::Unfinished, ProbeOutcome::Failed, "knee of a: 4000/s so far");
        let pacers = "knee of a: 4000/s, which may be the pacer's";
        check(KneeEnding::Found, ProbeOutcome::Invalid, pacers);
        assert_eq!(in_a_word(&target("a", KneeEnding::BelowRange)), None);
    }
}
