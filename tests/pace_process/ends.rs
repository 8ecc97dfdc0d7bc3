//! How a run ends: its exit code, and its outputs where they cannot be had.

use super::cases::refuses_every_other;
use super::rogue::{Behaviour, GOOD, Rogue};
use super::support::json;
use super::support::scratch::Scratch;
use super::{Ended, count, pace, refused};
use serde_json::Value;
use std::fs;

fn paced(rogue: &Rogue, more: &[&str]) -> Ended {
    let url = format!("http://{}/", rogue.address());
    let load = ["-R", "100", "-d", "200ms", "-c", "2", "--wait", "hybrid"];
    pace(&[&[url.as_str()], &load[..], more].concat())
}

#[test]
fn an_error_budget_decides_the_exit_code_and_loses_no_result() {
    let rogue = Rogue::start(Behaviour::Does(refuses_every_other));
    let budgets: [(&[&str], _); 3] =
        [(&["--error-budget", "20%"], 1), (&["--error-budget=100%"], 0), (&[], 1)];
    for (budget, code) in budgets {
        let ended = paced(&rogue, &[&["--json", "-"][..], budget].concat());
        let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
        assert!(count(&run["errors"], "status") >= 5, "{run}");
        let typed = budget.last().map_or("10%", |last| last.trim_start_matches("--error-budget="));
        let share: f64 = typed.trim_end_matches('%').parse().expect("a number");
        assert_eq!(run["error_budget"], share / 100.0);
        // On a machine that is busy the run itself may be INVALID, which goes before.
        let is_said = ended.stderr.contains(&format!("--error-budget {typed}: "))
            && ended.stderr.contains(" of 20 requests (");
        assert!(ended.code == Some(3) || ended.code == Some(code), "{budget:?}: {}", ended.stderr);
        assert_eq!(is_said, ended.code == Some(1), "{budget:?}: {}", ended.stderr);
    }
    let url = format!("http://{}/", rogue.address());
    refused(
        2,
        &[&url, "-R1", "-d1s", "--error-budget", "5"],
        &["--error-budget", "`5` is no share"],
    );
    refused(2, &["--selftest", "--error-budget", "5%"], &["--selftest", "--error-budget"]);
}

#[test]
fn a_budget_of_nothing_lets_nothing_fail() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let ended = paced(&rogue, &["--error-budget", "0", "--json", "-"]);
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let expected = if count(&run, "ok") == count(&run, "planned") { 0 } else { 1 };
    assert!(matches!(ended.code, Some(code) if code == expected || code == 3), "{}", ended.stderr);
    assert_eq!(run["error_budget"], 0.0);
}

#[test]
fn what_cannot_be_written_is_told_before_the_run_and_leaves_no_trace() {
    let directory = Scratch::new("outputs-before");
    let path = |name: &str| directory.join(name).to_str().expect("it is ASCII").to_string();
    fs::write(path("kept.json"), "kept").expect("it is writable");
    let (json, taken) = (path("new.json"), path("taken"));
    fs::create_dir(&taken).expect("it is writable");
    // The port is closed: what is told first is not that.
    let load = ["http://127.0.0.1:9/", "-R1", "-d1s"];
    for flag in ["--json", "--hlog", "--csv", "--prom"] {
        let other = if flag == "--json" { "--csv" } else { "--json" };
        let flags = [other, json.as_str(), flag, taken.as_str()];
        refused(2, &[&load[..], &flags[..]].concat(), &[flag, taken.as_str()]);
    }
    let kept = path("kept.json");
    let (in_file, hgrm) = (format!("{kept}/hgrm"), path("hgrm"));
    let flags = ["--json", json.as_str(), "--hgrm", in_file.as_str()];
    refused(2, &[&load[..], &flags[..]].concat(), &["--hgrm", in_file.as_str()]);
    let flags = ["--json", kept.as_str(), "--hgrm", hgrm.as_str()];
    refused(1, &[&load[..], &flags[..]].concat(), &["cannot connect"]);
    for (one, other) in [("--csv", "--json"), ("--hlog", "--csv")] {
        let both = [&load[..], &[one, "-", other, "-"][..]].concat();
        refused(2, &both, &[one, other, "standard output"]);
    }
    let mut names: Vec<_> = fs::read_dir(&*directory)
        .expect("it is there")
        .flatten()
        .map(|it| it.file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["kept.json", "taken"]);
    assert_eq!(fs::read_to_string(kept).expect("it is there"), "kept");
}

#[test]
fn an_output_that_fails_in_the_end_loses_no_other() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let directory = Scratch::new("outputs-after");
    let path = directory.join("run.json");
    let name = path.to_str().expect("it is ASCII");
    // A device that is always full.
    let ended = paced(&rogue, &["--csv", "/dev/full", "--json", name]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("--csv /dev/full: cannot write it"), "{}", ended.stderr);
    assert!(ended.stdout.contains("verdict "), "the table is printed: {}", ended.stdout);
    assert_eq!(count(&json(&path), "planned"), 20);
    let ended = paced(&rogue, &["--json", "/dev/full"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("--json /dev/full: cannot write it"), "{}", ended.stderr);
    assert!(ended.stdout.contains("verdict "), "{}", ended.stdout);
}
