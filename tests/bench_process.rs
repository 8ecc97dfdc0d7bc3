//! `ringpace bench` as a process: interrupted and called again, and what its files may ask for.
//!
//! Promises that an interrupted bench leaves no process behind, neither its own servers nor what a
//! command started in turn, keeps the runs that were finished, and goes on from them. How fast anything
//! is, no test here says: a run may well be INVALID. Start at
//! [`interrupted_and_called_again_a_bench_is_whole_and_leaves_nothing_behind`].

mod support;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{await_that, json};

/// One kind of request, which any of our servers answers at once.
const MIX: &str = "[[request]]\nname = \"status\"\nweight = 1\npath = \"/devices/status\"\n";

/// What every plan here has: a light load from a pacer that does not spin.
const HEAD: &str = "mix = \"mix.toml\"\nconnections = 2\npacer_cpus = \"0\"\npacer_wait = \"hybrid\"\n\
                    timeout = \"1s\"\n";

/// Two targets, of which one is a shell with our server as its child.
fn two_targets() -> String {
    let binary = env!("CARGO_BIN_EXE_ringpace");
    format!(
        "[[target]]\nname = \"own\"\nserve = []\n[[target]]\nname = \"shell\"\n\
         command = [\"sh\", \"-c\", \"'{binary}' serve --listen 127.0.0.1:{{port}} & wait\"]\n"
    )
}

/// A directory with a plan in it.
struct Bench {
    dir: PathBuf,
}

impl Bench {
    fn new(name: &str, plan: &str) -> Bench {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the directory for tests is writable");
        let bench = Bench { dir };
        bench.file("mix.toml", MIX);
        bench.file("plan.toml", &format!("name = \"{name}\"\n{HEAD}{plan}"));
        bench
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).expect("the directory for tests is writable");
    }

    fn start(&self) -> Child {
        self.start_with(&[])
    }

    fn start_with(&self, flags: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
        command.arg("bench").arg(self.dir.join("plan.toml"));
        command.arg("--out").arg(self.dir.join("out")).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary is built")
    }

    /// Runs it to its end; what it said. INVALID, which is the machine's, is as good as done.
    #[track_caller]
    fn run(&self) -> (String, Value) {
        self.run_with(&[])
    }

    #[track_caller]
    fn run_with(&self, flags: &[&str]) -> (String, Value) {
        let output = self.start_with(flags).wait_with_output().expect("it is our child");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{:?}: {stderr}", output.status);
        (stderr, self.results())
    }

    fn results(&self) -> Value {
        json(&self.dir.join("out/bench.json"))
    }
}

/// Everything that `pid` has started and that is still there, itself apart.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut pending = vec![pid];
    while let Some(pid) = pending.pop() {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children =
                children.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
            pending.extend(children.clone());
            found.extend(children);
        }
    }
    found
}

/// Whether the process runs; one that only waits to be reaped by init does not.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// Interrupts a bench by `signal` once it has said a line that begins `at` and has as many `processes`;
/// what it then leaves is its results.
fn interrupted(
    bench: &Bench,
    flags: &[&str],
    signal: &str,
    (at, processes): (&str, usize),
) -> Value {
    let mut child = bench.start_with(flags);
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.starts_with(at) {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("it is text") > 0, "it ended early");
    }
    let mut family = Vec::new();
    await_that("its servers and the pacer run", || {
        family = descendants(child.id());
        family.len() >= processes
    });
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
    let mut said = String::new();
    stderr.read_to_string(&mut said).expect("it is text");
    let status = child.wait().expect("it is our child");
    assert_eq!(status.code(), Some(1), "{said}");
    for pid in family {
        await_that(&format!("process {pid} is gone"), || !is_running(pid));
    }
    bench.results()
}

fn interrupted_and_called_again(signal: &str) {
    let plan = format!("duration = \"1s\"\nrepeats = 2\nrate = 100\n{}", two_targets());
    let bench = Bench::new(&format!("interrupted{signal}"), &plan);
    // own, shell, shell, own: the third run begins when two are finished and kept. Shell, server, pacer.
    let half = interrupted(&bench, &[], signal, ("[3/4] shell", 3));
    let finished = half["runs"].as_array().expect("runs").clone();
    assert!((2..4).contains(&finished.len()), "{} runs", finished.len());
    assert_eq!(half["complete"], false);

    let (said, whole) = bench.run();
    let there = format!("{} runs are there already", finished.len());
    assert!(said.contains(&there), "{said}");
    let runs = whole["runs"].as_array().expect("runs");
    assert_eq!((runs.len(), &whole["complete"]), (4, &Value::Bool(true)));
    assert_eq!(runs[..finished.len()], finished, "what was finished is as it was");
    assert_eq!(half["plan_hash"], whole["plan_hash"]);
}

#[test]
fn interrupted_and_called_again_a_bench_is_whole_and_leaves_nothing_behind() {
    interrupted_and_called_again("-INT");
}

#[test]
fn a_bench_that_is_terminated_goes_on_as_well() {
    interrupted_and_called_again("-TERM");
}

#[test]
fn an_interrupted_duet_leaves_nothing_behind_and_goes_on() {
    let bench = Bench::new("duet", "");
    // It spins, as a duet's pacer must.
    let head = HEAD.replace("pacer_wait = \"hybrid\"\n", "");
    let plan = format!("duration = \"1s\"\nrepeats = 3\nrate = 100\n{}", two_targets());
    bench.file("plan.toml", &format!("name = \"duet\"\n{head}{plan}"));
    let duet = ["--duet", "own,shell"];
    // Both servers, the shell about one of them, and the pacer.
    let half = interrupted(&bench, &duet, "-INT", ("[2/3] own with shell", 4));
    let restarts =
        |results: &Value| results["duet"]["restarts"].as_array().expect("a list").clone();
    let finished = restarts(&half);
    assert!((1..3).contains(&finished.len()), "{} restarts", finished.len());
    assert_eq!(half["runs"].as_array().map(Vec::len), Some(2 * finished.len()));
    assert_eq!((&half["complete"], &half["finished"]), (&false.into(), &Value::Null));

    let (said, whole) = bench.run_with(&duet);
    assert!(said.contains(&format!("{} runs are there already", finished.len())), "{said}");
    assert_eq!((restarts(&whole).len(), &whole["complete"]), (3, &true.into()));
    assert_eq!(restarts(&whole)[..finished.len()], finished, "what was finished is as it was");
    assert_eq!(whole["runs"].as_array().map(Vec::len), Some(6));
}

const OWN: &str = "[[target]]\nname = \"own\"\nserve = []\n";

#[test]
fn a_bench_that_is_whole_says_twice_that_nothing_was_measured() {
    let plan = format!("duration = \"300ms\"\nrepeats = 1\nrate = 100\n{OWN}");
    let bench = Bench::new("whole", &plan);
    let (said, first) = bench.run();
    assert!(!said.contains("nothing was measured"), "{said}");
    let output = bench.start().wait_with_output().expect("it is our child");
    let again = bench.results();
    let finished = first["finished"].as_str().expect("a time");
    let out = bench.dir.join("out");
    let sentence = format!(
        "{} held this bench, finished at {finished}: nothing was measured now. Give another --out to \
         measure again, or remove it.",
        out.display()
    );
    for stream in [&output.stderr, &output.stdout] {
        let said = String::from_utf8_lossy(stream);
        assert!(said.contains(&sentence), "{said}");
    }
    assert_eq!((&again["runs"], &again["finished"]), (&first["runs"], &first["finished"]));
}

#[test]
fn a_bench_whose_server_was_changed_does_not_go_on() {
    let target = "[[target]]\nname = \"script\"\ncommand = [\"./server.sh\", \"{port}\"]\n";
    let plan = format!("duration = \"300ms\"\nrepeats = 1\nrate = 100\n{target}");
    let bench = Bench::new("changed", &plan);
    let binary = env!("CARGO_BIN_EXE_ringpace");
    let script = format!("#!/bin/sh\nexec '{binary}' serve --listen 127.0.0.1:$1\n");
    bench.file("server.sh", &script);
    let path = bench.dir.join("server.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let (_, first) = bench.run();
    assert_eq!(first["plan"]["targets"][0]["ready_path"], "/healthz");
    assert_eq!(first["programs"]["script"].as_array().map(Vec::len), Some(1));

    bench.file("server.sh", &format!("{script}# faster now\n"));
    let refused = bench.start().wait_with_output().expect("it is our child");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for part in ["target `script`", "server.sh` has changed", "another --out", "or remove"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(bench.results()["runs"], first["runs"]);
}

#[test]
fn what_the_file_decides_about_a_target_makes_another_plan() {
    let with = |more: &str| {
        format!(
            "duration = \"300ms\"\nrepeats = 1\nrate = 100\n[[target]]\nname = \"a\"\n\
             command = [\"./none\", \"{{port}}\"]\n{more}\n"
        )
    };
    let bench = Bench::new("decides", &with(""));
    let ended = || {
        let output = bench.start().wait_with_output().expect("it is our child");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // There is no such program: the run fails, and its directory is another plan's for all that.
    assert_eq!(ended().0, Some(1));
    fs::create_dir(bench.dir.join("elsewhere")).expect("the directory for tests is writable");
    for more in ["ready_path = \"/\"", "cwd = \"elsewhere\"", "setup = [\"true\"]"] {
        let head = format!("name = \"decides\"\n{HEAD}");
        bench.file("plan.toml", &format!("{head}{}", with(more)));
        let (code, said) = ended();
        assert!(code == Some(2) && said.contains("results of another plan"), "{more}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_paced_is_refused_before_anything_is_started() {
    for (lines, says) in [
        ("max_connections = 1\nrate = 100", "max_connections 1 is below connections 2"),
        ("rate = 100\nwarmup = \"1001h\"", "warmup is longer than 1000h"),
        ("rate = 100\n[[claim]]\nexpr = \"own.p50 < 1s\"\nrate = 200", "no run is made at 200/s"),
        ("rate = 100\n[[claim]]\nexpr = \"own.stat.p50 < 1s\"", "the claim names `stat`"),
    ] {
        let bench = Bench::new("unpaced", &format!("duration = \"300ms\"\n{lines}\n{OWN}"));
        let refused = bench.start().wait_with_output().expect("it is our child");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("plan.toml:") && said.contains(says), "{said}");
        assert!(!bench.dir.join("out").exists(), "nothing was started");
    }
}

#[test]
fn every_kind_of_arrivals_is_paced_by_a_bench() {
    for (name, lines, planned) in [
        ("ramp", "duration = \"500ms\"\narrivals = \"ramp:50..150\"", 50),
        ("steps", "arrivals = \"steps:50,100@300ms\"", 45),
        ("burst", "duration = \"500ms\"\narrivals = \"burst:5/50ms\"", 50),
        ("crowd", "duration = \"500ms\"\narrivals = \"burst:5\"\nrate = 100", 50),
        ("replay", "arrivals = \"replay:times.txt\"\ncatch_up = \"skip:1s\"\ndrain = \"900ms\"", 3),
    ] {
        let bench = Bench::new(name, &format!("repeats = 1\n{lines}\n{OWN}"));
        bench.file("times.txt", "0\n100ms status\n200ms\n");
        let (said, results) = bench.run();
        let run = &results["runs"][0]["run"];
        assert_eq!(run["planned"], planned, "{name}: {said}");
        let arrivals = run["schedule"]["arrivals"].as_str().expect("it is text");
        assert_eq!(results["plan"]["arrivals"], arrivals, "{name}");
        assert!(lines.contains(arrivals.split(':').next().expect("a kind")), "{arrivals}");
        if name == "replay" {
            assert_eq!(results["plan"]["pacer"]["catch_up"], "skip:1s");
            assert_eq!(run["host"]["pacer"]["catch_up"], "skip:1s", "{}", run["host"]);
        }
    }
}

#[test]
fn a_knee_is_searched_and_stands_in_the_results() {
    let plan = "[knee]\nobjective = \"p99 < 5s\"\nfrom = 50\nto = 100\nrepeats = 1\n\
                duration = \"300ms\"\n";
    let bench = Bench::new("knee", &format!("duration = \"1s\"\n{plan}{OWN}"));
    let (said, results) = bench.run();
    assert!(said.contains("knee of own at 50/s, repeat 1"), "{said}");
    assert_eq!(results["complete"], true);
    let knee = &results["knee"]["targets"][0];
    // On a machine that gives the pacer no CPU every run is INVALID, and so below the range.
    let ending = knee["ending"].as_str().expect("it is text");
    assert!(["above_range", "below_range", "found"].contains(&ending), "{knee}");
    // And where some are, the search goes on between.
    let runs = results["knee"]["runs"].as_array().expect("runs").len() as u64;
    let probes = knee["probes"].as_array().expect("probes");
    let of_probes: u64 = probes.iter().map(|probe| probe["of"].as_u64().expect("a count")).sum();
    assert!(runs >= 2 && runs == of_probes, "{runs} runs: {knee}");
    assert_eq!(probes[0]["rate"], "50");
    assert_eq!(results["plan"]["knee"]["objective"], "p99 < 5s");
}
