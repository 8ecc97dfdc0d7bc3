use super::*;
use crate::results::QuantileInterval;
use crate::results::bench::{Finding, sample};
use crate::scratch::Scratch;

/// A side of one target whose repeats have these p50s.
fn side(path: &str, target: &str, p50s: &[u64]) -> Side {
    let run =
        |(nth, p50): (usize, &u64)| sample::bench_run(target, nth as u32 + 1, sample::run(*p50));
    let runs = p50s.iter().enumerate().map(run).collect();
    let group = Group { target: target.into(), rate: "1000".into(), runs };
    Side { path: path.into(), groups: vec![group] }
}

fn measured(side: &mut Side) -> &mut Run {
    side.groups[0].runs[0].run.as_mut().unwrap()
}

#[track_caller]
fn p50(compared: &Compared) -> &Difference {
    compared.differences.iter().find(|d| d.request == "total" && d.figure == "p50").unwrap()
}

#[test]
fn the_only_targets_are_compared_whatever_their_names() {
    let sides = [side("old", "a", &[50_000, 51_000, 52_000]), side("new", "b", &[60_000; 3])];
    let compared = compare_sides(&sides, false).unwrap();
    assert_eq!(p50(&compared).finding, Finding::Higher);
    assert_eq!(compared.sides[1], "new: b at 1000/s, 3 repeats");
    assert_eq!(compared.warnings, Vec::<String>::new());
}

#[test]
fn of_many_those_of_the_same_name_and_rate_are_compared() {
    let mut sides = [side("old", "a", &[50_000; 3]), side("new", "b", &[60_000; 3])];
    sides[0].groups.extend(side("old", "b", &[70_000; 3]).groups);
    sides[0].groups[1].rate = "1k".into();
    let compared = compare_sides(&sides, false).unwrap();
    assert_eq!(p50(&compared).finding, Finding::Lower);
    assert_eq!(compared.warnings, ["a at 1000/s is only in old, and left out"]);
    sides[0].groups[1].target = "c".into();
    let error = compare_sides(&sides, false).unwrap_err();
    assert!(error.starts_with("nothing to compare: old has a at 1000/s, 3 repeats; c"), "{error}");
}

#[test]
fn of_one_target_a_side_the_rate_decides() {
    let mut sides = [side("old", "a", &[50_000; 3]), side("new", "b", &[60_000; 3])];
    for own in &mut sides {
        let mut faster = side("", &own.groups[0].target, &[90_000; 3]).groups;
        faster[0].rate = "2000".into();
        own.groups.extend(faster);
    }
    let compared = compare_sides(&sides, false).unwrap();
    let p50s: Vec<Finding> = compared
        .differences
        .iter()
        .filter(|d| d.request == "total" && d.figure == "p50")
        .map(|d| d.finding)
        .collect();
    assert_eq!(p50s, [Finding::Higher, Finding::HoldsZero]);
    let more = side("", "c", &[1; 3]).groups;
    sides[0].groups.extend(more);
    sides[0].groups.extend(side("", "d", &[1; 3]).groups);
    assert_eq!(sides[0].names(), "a, c, d at 1000, 2000 requests/s");
}

#[test]
fn other_arrivals_are_refused_unless_told_otherwise() {
    let mut sides = [side("old", "a", &[50_000; 3]), side("new", "a", &[60_000; 3])];
    measured(&mut sides[1]).schedule.hash = "1".repeat(16);
    let error = compare_sides(&sides, false).unwrap_err();
    assert!(error.starts_with("a at 1000/s: the sides did not get the same requests"), "{error}");
    assert!(error.ends_with("--anyway compares them nonetheless"), "{error}");
    let compared = compare_sides(&sides, true).unwrap();
    assert_eq!((compared.warnings.len(), p50(&compared).finding), (1, Finding::Higher));
}

#[test]
fn another_machine_or_pacer_is_said() {
    let mut sides = [side("old", "a", &[50_000; 3]), side("new", "a", &[60_000; 3])];
    measured(&mut sides[0]).host.insert("kernel".into(), "6.12".into());
    measured(&mut sides[1]).host.insert("kernel".into(), "6.18".into());
    let pacer = serde_json::json!({"cpus": [1], "url": "http://a/"});
    measured(&mut sides[1]).host.insert("pacer".into(), pacer);
    assert_eq!(
        compare_sides(&sides, false).unwrap().warnings,
        [
            "the machine differs: kernel is 6.12 against 6.18",
            "the pacer differs: cpus is unknown against [1]",
        ]
    );
}

#[test]
fn single_runs_cannot_be_told_apart() {
    let sides = [side("old.json", "old", &[50_000]), side("new.json", "new", &[60_000])];
    let compared = compare_sides(&sides, false).unwrap();
    let told_apart = |d: &&Difference| matches!(d.finding, Finding::Higher | Finding::Lower);
    assert_eq!(compared.differences.iter().find(told_apart), None);
    let p50 = p50(&compared);
    assert_eq!((p50.finding, p50.difference_ns), (Finding::TooFewRepeats, Some(10_000.0)));
}

/// The p50 of one run or more a side, each of which is sure of its own within `half`.
fn by_runs(base: &[u64], new: &[u64], half: u64) -> Difference {
    let mut sides = [side("old", "a", base), side("new", "a", new)];
    for entry in sides.iter_mut().flat_map(|side| &mut side.groups[0].runs) {
        let run = entry.run.as_mut().unwrap();
        let p50 = run.response_ns.p50.unwrap();
        let (low, high) = (Some(p50 - half), Some(p50 + half));
        run.interval_ns.confidence = 0.95;
        run.interval_ns.p50 = Some(QuantileInterval { low, high, effective: 9.0, block_s: 0.1 });
        run.error_ns.p50 = Some(1_000);
    }
    p50(&compare_sides(&sides, false).unwrap()).clone()
}

#[test]
fn single_runs_whose_own_intervals_are_apart_are_said_to_be() {
    let higher = by_runs(&[10_000], &[10_000_000], 500);
    assert_eq!(higher.finding, Finding::RunsHigher);
    let interval = higher.interval.unwrap();
    assert_eq!((interval.low_ns, interval.high_ns), (Some(9_989_000.0), Some(9_991_000.0)));
    assert!((interval.confidence - 0.9).abs() < 1e-9, "{interval:?}");
    assert_eq!(by_runs(&[10_000_000], &[10_000], 500).finding, Finding::RunsLower);
    // They touch; they are apart by less than the pacer's error, or by less than the histogram's step.
    assert_eq!(by_runs(&[10_000], &[11_000], 500).finding, Finding::TooFewRepeats);
    assert_eq!(by_runs(&[10_000], &[11_900], 500).finding, Finding::TooFewRepeats);
    assert_eq!(by_runs(&[10_000], &[12_100], 500).finding, Finding::RunsHigher);
    assert_eq!(by_runs(&[4_000_000], &[4_003_000], 10).finding, Finding::TooFewRepeats);
    // Of two runs a side, all of the one are beyond all of the other, or nothing is said.
    assert_eq!(by_runs(&[10_000, 12_000], &[50_000, 60_000], 500).finding, Finding::RunsHigher);
    assert_eq!(by_runs(&[10_000, 55_000], &[50_000, 60_000], 500).finding, Finding::TooFewRepeats);
}

#[test]
fn files_are_read_as_what_they_are() {
    let dir = Scratch::new("compare");
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let error = |path: &Path| Side::read(path).err().unwrap().to_string();
    assert!(error(&dir).ends_with("there is neither bench.json nor any run's .json in it"));
    let run = serde_json::to_string(&sample::run(50_000)).unwrap();
    (1..=3).for_each(|nth| write(&format!("{nth}.json"), &run));
    write("notes.txt", "not a run");
    let read = Side::read(&dir).unwrap();
    assert!(read.names().ends_with(" at 1000/s, 3 repeats"), "{}", read.names());
    assert_eq!(Side::read(&dir.join("2.json")).unwrap().names(), "2 at 1000/s, 1 repeat");
    assert!(error(&dir.join("4.json")).contains("4.json: No such file"));
    write("4.json", "{\n\"a\": 1\n}");
    assert!(error(&dir).contains("4.json:3: no run: missing field"), "{}", error(&dir));
    write("4.json", &run.replace("ringpace.run/1", "ringpace.run/9"));
    assert!(error(&dir).ends_with("its schema is ringpace.run/9, not ringpace.run/1"));
    let runs = vec![sample::bench_run("a", 1, sample::run(1))];
    let bench = serde_json::to_string(&sample::bench(&["a"], runs)).unwrap();
    write("bench.json", &bench);
    assert_eq!(Side::read(&dir).unwrap().names(), "a at 1000/s, 1 repeat");
}
