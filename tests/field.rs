//! The tests that the bugs of other load generators suggest, as far as they need the real binary:
//! signals, other processes, a kernel.
//!
//! Each has a known answer that a busy machine cannot change: a count, a hash, a verdict that is
//! not VALID, a bound that noise makes easier to meet. The others are simulations with exact
//! arithmetic; see `src/pace/worker/tests/field.rs`. Nothing sleeps: where time has to pass, a
//! channel is awaited that nobody sends to.

#[path = "support/mod.rs"]
mod support;

use ringpace::io::topology::{pin_current_thread, usable_cpus};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use support::{PATIENCE, Server};

/// The pacer of these tests does not spin unless that is the point: they run beside each other. What
/// fails is counted, however much it is.
const GENTLE: [&str; 8] = ["--wait", "hybrid", "-c", "4", "--error-budget", "100%", "--json", "-"];

/// How a pacer ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `ringpace pace` to its end.
#[track_caller]
fn paced(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    let child = command.arg("pace").args(arguments).stdin(Stdio::null());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is built");
    let id = child.id();
    let (sender, ended) = channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = sender.send(());
        output
    });
    if ended.recv_timeout(2 * PATIENCE).is_err() {
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        panic!("`{}` has not ended", arguments.join(" "));
    }
    let output = waiter.join().expect("it only waits").expect("the child is ours");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn url(server: &Server, target: &str) -> String {
    format!("http://{}{target}", server.addr)
}

/// Paces to the end; the run's object, whatever the verdict.
#[track_caller]
fn pace(url: &str, flags: &[&str]) -> Value {
    let ended = paced(&[&[url], &GENTLE[..], flags].concat());
    assert!(matches!(ended.code, Some(0 | 3)), "{flags:?}: {}", ended.stderr);
    assert!(!ended.stdout.contains("NaN"), "{}", ended.stdout);
    serde_json::from_str(&ended.stdout).expect("it is one JSON object")
}

fn count(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("`{key}` is no count in {object}"))
}

/// Every planned request is in exactly one count, and in the percentiles of its kind.
#[track_caller]
fn assert_conservation(run: &Value) {
    let kinds = run["requests"].as_array().expect("a run has kinds");
    for object in kinds.iter().chain([run]) {
        let errors = object["errors"].as_object().expect("errors are an object");
        let errors: u64 = errors.values().filter_map(Value::as_u64).sum();
        let others: u64 =
            ["ok", "unfinished", "skipped"].map(|key| count(object, key)).iter().sum();
        assert_eq!(errors + others, count(object, "planned"), "{object}");
    }
    for kind in kinds {
        assert_eq!(count(&kind["response_ns"], "count"), count(kind, "planned"), "{kind}");
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the directory for tests is writable");
    path
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("it is ASCII")
}

fn is_valid(run: &Value) -> bool {
    run["verdict"] == "VALID"
}

/// Lets time pass.
fn let_pass(span: Duration) {
    let (_silent, nothing) = channel::<()>();
    assert_eq!(nothing.recv_timeout(span), Err(RecvTimeoutError::Timeout));
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(name).arg(child.id().to_string()).status();
    assert!(status.expect("kill runs").success(), "the child was gone before {name}");
}

#[test]
fn a_pacer_that_is_stopped_for_100_ms_says_so_and_is_not_valid() {
    let server = Server::start(&[]);
    let url = url(&server, "/devices/status");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    // A live line tells when the run has begun.
    command.args(["pace", &url, "-R", "1000", "-d", "4s", "--live", "plain"]).args(GENTLE);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("built");
    let (sender, begun) = channel();
    let stderr = child.stderr.take().expect("it is piped");
    let reader = thread::spawn(move || {
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let _ = sender.send(lines.next());
        lines.last()
    });
    let first = begun.recv_timeout(PATIENCE).expect("the first second passes");
    assert!(first.is_some(), "the run ended before its first line");
    signal(&child, "-STOP");
    let_pass(Duration::from_millis(100));
    signal(&child, "-CONT");
    let mut stdout = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut stdout).expect("it is UTF-8");
    child.wait().expect("it is our child");
    reader.join().expect("it only reads");
    let run: Value = serde_json::from_str(&stdout).expect("it is one JSON object");
    assert!(!is_valid(&run), "{run}");
    assert!(count(&run["stalls"], "max_ns") >= 95_000_000, "{}", run["stalls"]);
    assert!(run["lateness_ns"]["max"].as_u64() >= Some(90_000_000), "{}", run["lateness_ns"]);
    assert!(run["reasons"].to_string().contains("stood still"), "{}", run["reasons"]);
    assert_eq!(count(&run, "planned"), 4_000);
    assert_conservation(&run);
}

#[test]
fn a_run_that_is_interrupted_keeps_what_it_has_and_says_so() {
    let server = Server::start(&[]);
    let url = url(&server, "/devices/status");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    command.args(["pace", &url, "-R", "500", "-d", "10m", "--live", "plain"]).args(GENTLE);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("built");
    let mut live = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    assert!(live.next().is_some(), "the run ended before its first line");
    signal(&child, "-INT");
    let said: Vec<String> = live.map_while(Result::ok).collect();
    let mut stdout = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut stdout).expect("it is UTF-8");
    let status = child.wait().expect("it is our child");
    let run: Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{said:?}"));
    // On a machine that is busy it may be INVALID beside.
    assert!(matches!(status.code(), Some(0 | 3)), "{status}: {said:?}");
    assert!(!is_valid(&run), "{run}");
    assert_eq!((&run["interrupted"], &run["planned_duration_s"]), (&true.into(), &600.0.into()));
    assert!(run["duration_s"].as_f64() < Some(300.0), "{run}");
    assert!(run["reasons"].to_string().contains(" of 600 s"), "{}", run["reasons"]);
    assert_conservation(&run);
}

#[test]
fn a_pacer_that_shares_its_cpu_with_a_spinner_is_not_valid() {
    let server = Server::start(&[]);
    let cpu = *usable_cpus().last().expect("there is a CPU");
    let is_over = AtomicBool::new(false);
    let run = thread::scope(|scope| {
        scope.spawn(|| {
            pin_current_thread(cpu).expect("it is usable");
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let cpu = cpu.to_string();
        let load = ["-R", "1000", "-d", "1s", "--wait", "spin", "--cpus", &cpu, "--json", "-"];
        let url = url(&server, "/devices/status");
        let ended = paced(&[&[url.as_str()], &load[..]].concat());
        is_over.store(true, Ordering::Relaxed);
        ended
    });
    let run: Value = serde_json::from_str(&run.stdout).expect("it is one JSON object");
    assert!(!is_valid(&run), "{run}");
    let stalls = &run["stalls"];
    assert!(count(stalls, "total_ns") <= count(stalls, "observed_ns"), "{stalls}");
}

#[test]
fn connections_capped_below_need_are_invalid() {
    let server = Server::start(&["--poll-timeout", "200ms"]);
    let flags = ["-R", "100", "-d", "300ms", "--max-connections", "4"];
    let run = pace(&url(&server, "/events/live"), &flags);
    assert_eq!(run["verdict"], "INVALID", "{}", run["reasons"]);
    assert!(run["reasons"].to_string().contains("--max-connections"), "{}", run["reasons"]);
    assert!(count(&run["connections"], "starved") > 10, "{}", run["connections"]);
    assert_conservation(&run);
}

#[test]
fn a_run_without_a_request_is_said_in_words() {
    let server = Server::start(&[]);
    let flags = ["-R", "0.5", "-d", "100ms", "--warmup", "100ms"];
    let run = pace(&url(&server, "/devices/status"), &flags);
    assert_eq!((count(&run, "planned"), &run["verdict"]), (0, &Value::from("INVALID")));
    assert!(run["reasons"].to_string().contains("No request was due"), "{}", run["reasons"]);
}

#[test]
fn awkward_rates_are_planned_to_the_request() {
    let server = Server::start(&[]);
    let url = url(&server, "/devices/status");
    for (rate, duration, connections, planned) in [
        ("7", "1s", "4", 7),
        ("333333", "30ms", "64", 10_000),
        ("1e6/7", "70ms", "64", 10_000),
        ("1000", "300ms", "300", 300),
    ] {
        let flags = ["-R", rate, "-d", duration, "-c", connections, "--wait", "hybrid"];
        let ended = paced(&[&[url.as_str()], &flags[..], &["--json", "-"]].concat());
        let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
        assert_eq!(count(&run, "planned"), planned, "{rate} for {duration}");
        assert_conservation(&run);
    }
}

/// Every kind of arrivals there is, with what is planned in 200 ms; of a Poisson process, whatever
/// its seed makes it.
const ARRIVALS: [(&[&str], Option<u64>); 6] = [
    (&["-R", "500"], Some(100)),
    (&["-R", "500", "--arrivals", "poisson"], None),
    (&["-R", "500", "--arrivals", "burst:10"], Some(100)),
    (&["--arrivals", "burst:7/20ms"], Some(70)),
    (&["--arrivals", "ramp:100..1000"], Some(110)),
    (&["--arrivals", "steps:100,1000@100ms"], Some(110)),
];

#[test]
fn threads_and_backends_send_the_same_schedule() {
    let server = Server::start(&[]);
    let url = url(&server, "/");
    let mix = format!("{}/bench-configs/mixes/article.toml", env!("CARGO_MANIFEST_DIR"));
    let cpus: Vec<String> = usable_cpus().iter().take(2).map(usize::to_string).collect();
    let cpus = cpus.join(",");
    for (flags, planned) in ARRIVALS {
        let load = [flags, &["-d", "200ms", "--warmup", "30ms", "--mix", &mix]].concat();
        let one = pace(&url, &load);
        let several = pace(&url, &[&load[..], &["--backend", "uring", "--cpus", &cpus]].concat());
        for run in [&one, &several] {
            assert_conservation(run);
            let is_right = planned.is_none_or(|planned| count(run, "planned") == planned);
            assert!(is_right, "{flags:?}: {} planned", run["planned"]);
        }
        assert_eq!(one["schedule"], several["schedule"], "{flags:?}");
        assert_eq!(one["requests"][0]["planned"], several["requests"][0]["planned"], "{flags:?}");
    }
}

#[test]
fn a_replay_sends_what_the_file_says_when_it_says_it() {
    let server = Server::start(&[]);
    let url = url(&server, "/");
    let mix = format!("{}/bench-configs/mixes/article.toml", env!("CARGO_MANIFEST_DIR"));
    let times = file("times", "0 status\n10ms command # one\n\n10ms status\n150ms status\n");
    let flag = format!("replay:{}", shown(&times));
    // The warm-up is the first 5 ms of the file; the run lasts as long as the file.
    let run = pace(&url, &["--arrivals", &flag, "--warmup", "5ms", "--mix", &mix]);
    let planned: Vec<u64> =
        run["requests"].as_array().into_iter().flatten().map(|k| count(k, "planned")).collect();
    assert_eq!(planned, [2, 1, 0]);
    assert_eq!(run["duration_s"], 0.145_000_001);
    assert_eq!(run["schedule"]["arrivals"], flag.as_str());
    assert_conservation(&run);
}

#[test]
fn a_templated_mix_gets_its_answers() {
    let server = Server::start(&[]);
    let mix = file(
        "feed.toml",
        r#"
[[request]]
name = "command"
weight = 2
method = "POST"
path = "/devices/{choice:light|thermostat}/command"
headers = { Content-Type = "application/json", X-Number = "{counter}" }
body = '{"action":"set","value":{range:10-35},"ref":"{counter}"}'
expect_status = 200
expect_bytes = 80
capture = { since = "json:seq" }

[[request]]
name = "events"
weight = 1
path = "/events/live?since={since=0}"
expect_status = 200
expect_bytes = 60
kind = "long_poll"
"#,
    );
    let run = pace(&url(&server, "/"), &["-R", "300", "-d", "500ms", "--mix", shown(&mix)]);
    assert_eq!((count(&run, "planned"), count(&run["errors"], "status")), (150, 0), "{run}");
    assert_eq!(count(&run["errors"], "malformed"), 0, "{run}");
    assert_eq!(run["requests"][1]["long_poll"], true);
    let commands = count(&run["requests"][0], "planned");
    assert_eq!(count(&run["response_ns"], "count"), commands, "polls are kept out");
    assert_conservation(&run);
}

#[test]
fn catch_up_and_drain_stand_in_the_results() {
    let server = Server::start(&[]);
    let url = url(&server, "/devices/status");
    let flags = ["-R", "100", "-d", "100ms", "--catch-up", "cap:1.5", "--drain", "70ms"];
    let run = pace(&url, &flags);
    let pacer = &run["host"]["pacer"];
    assert_eq!((&pacer["catch_up"], &pacer["drain_s"]), (&"cap:3/2".into(), &0.07.into()));
}

/// Refused before anything is sent, in a sentence that says each of `says`.
#[track_caller]
fn refused(flags: &[&str], says: &[&str]) {
    let Ended { code, stdout, stderr } = paced(&[&["http://127.0.0.1:9/"], flags].concat());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{flags:?}: {stderr}");
    for part in says {
        assert!(stderr.contains(part), "{flags:?}: no {part:?} in {stderr}");
    }
}

#[test]
fn bad_arrivals_and_policies_are_refused_by_flag() {
    let steady = ["-R5", "-d1s"];
    let with = |flags: &[&'static str]| [&steady[..], flags].concat();
    refused(&["-d1s"], &["-R is missing"]);
    refused(&["-R5"], &["-d is missing"]);
    refused(&with(&["--arrivals", "burst:5/1s"]), &["-R", "burst:5/1s", "leave -R out"]);
    refused(&with(&["--arrivals", "ramp:5"]), &["arrivals", "`5` is no ramp"]);
    refused(&["-d1s", "--arrivals", "steps:1,2"], &["arrivals", "how long a step lasts"]);
    refused(&["--arrivals", "replay:/none"], &["--arrivals replay: /none:"]);
    let unsorted = file("unsorted", "5ms\n3ms\n");
    let flag = format!("replay:{}", shown(&unsorted));
    refused(&["--arrivals", &flag], &["unsorted:2: 3ms is before the 5ms of line 1"]);
    refused(&["-d", "1000h", "--arrivals", "ramp:0.000000001..1e18"], &["--arrivals ramp:"]);
    refused(&with(&["--catch-up", "cap:1"]), &["catch-up", "no factor above 1"]);
    refused(&with(&["--catch-up", "never"]), &["catch-up", "`never` is no way to catch up"]);
    refused(&with(&["--drain", "5"]), &["drain", "`5` has no unit"]);
    refused(&with(&["--drain", "9999h"]), &["--drain", "1000h"]);
}
