//! The real `ringpace pace` as a process, against servers that misbehave and against bad input.
//!
//! Whatever a server does, the pacer ends in time, accounts for every planned request in the right
//! class, claims no success that the server has not sent, and does not panic. Whatever is typed
//! wrong, it says so in a sentence that names it, with the exit code of the contract. The child is
//! awaited with a deadline and killed at it; no test sleeps. Start at
//! [`a_server_that_misbehaves_ends_in_the_right_counts`].

#[path = "pace_process/cases.rs"]
mod cases;
#[path = "pace_process/ends.rs"]
mod ends;
#[path = "pace_process/instrument.rs"]
mod instrument;
#[path = "pace_process/rogue.rs"]
mod rogue;
#[path = "support/mod.rs"]
mod support;
#[path = "pace_process/typed.rs"]
mod typed;

use cases::{CASES, Case, Outcome};
use ringpace::clock::Clock;
use ringpace::io::clock::MonotonicClock;
use rogue::{Behaviour, GOOD, Rogue};
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use support::in_parallel;

/// Planned: 300 ms, and as much for the timeout, and one second.
const PROMISED: Duration = Duration::from_millis(1_600);

/// When a run has failed for good. Chosen: the machine may be compiling beside.
const PATIENCE: Duration = Duration::from_secs(15);

/// Processes at once. Chosen: they sleep most of the time.
const AT_ONCE: usize = 6;

/// How a process ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    took: Duration,
}

#[track_caller]
fn pace(arguments: &[&str]) -> Ended {
    run_command("pace", arguments)
}

#[track_caller]
fn run_command(subcommand: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    command.arg(subcommand).args(arguments).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    await_end(child.expect("the binary is built"), &arguments.join(" "))
}

/// Collects what the child says until it closes both streams, which it does by ending.
#[track_caller]
fn await_end(mut child: Child, shown: &str) -> Ended {
    let begun = MonotonicClock.now();
    let (sender, ended) = channel();
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let read = |mut stream: Box<dyn Read + Send>, sender: std::sync::mpsc::Sender<()>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            drop(sender);
            String::from_utf8(bytes).expect("it writes UTF-8")
        })
    };
    let stdout = read(Box::new(stdout), sender.clone());
    let stderr = read(Box::new(stderr), sender);
    let is_late = ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    if is_late {
        child.kill().expect("it is our child");
    }
    let status = child.wait().expect("it is our child");
    let stderr = stderr.join().expect("it only reads");
    assert!(!is_late, "`{shown}` has not ended after {PATIENCE:?}; it said: {stderr}");
    let stdout = stdout.join().expect("it only reads");
    Ended { code: status.code(), stdout, stderr, took: (MonotonicClock.now() - begun).to_std() }
}

/// A mix of two kinds, both answered by [`GOOD`].
fn mix_file(method: &str) -> PathBuf {
    let body = if method == "POST" { "body = \"0123456789\"\n" } else { "" };
    let kind = |name: &str, weight: u32| {
        format!(
            "[[request]]\nname = \"{name}\"\nweight = {weight}\nmethod = \"{method}\"\n\
             path = \"/{name}\"\nexpect_status = 200\nexpect_bytes = 2\n{body}\n"
        )
    };
    file(&format!("{method}.toml"), &(kind("often", 2) + &kind("seldom", 1)))
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the directory for tests is writable");
    path
}

fn pace_against(rogue: &Rogue, mix: &str) -> Ended {
    let url = format!("http://{}/", rogue.address());
    let load = ["-R", "200", "-d", "300ms", "--timeout", "300ms", "-c", "4"];
    let bounds = ["--max-connections", "32", "--wait", "hybrid", "--mix", mix, "--json", "-"];
    // Whatever fails is to be counted here; what too much of it comes to has its own tests.
    let budget = ["--error-budget", "100%"];
    pace(&[&[url.as_str()], &load[..], &bounds[..], &budget[..]].concat())
}

#[test]
fn a_server_that_misbehaves_ends_in_the_right_counts() {
    let mixes = ["GET", "POST"].map(|method| (method, mix_file(method)));
    let runs: Vec<_> = CASES.iter().flat_map(|case| mixes.iter().map(move |m| (case, m))).collect();
    let found = in_parallel(AT_ONCE, &runs, |(case, (method, mix))| {
        let found = breaches_of(case, mix.to_str().expect("it is ASCII"));
        found.into_iter().map(|it| format!("{} {method}: {it}", case.name)).collect::<Vec<_>>()
    });
    let breaches = found.concat();
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Runs a case; what it breaks, in sentences. On a machine where the server gets no CPU for all of
/// a run everything times out, which says nothing of the case: then it has two more tries.
fn breaches_of(case: &Case, mix: &str) -> Vec<String> {
    let mut unexpected = None;
    for _ in 0..3 {
        let rogue = Rogue::start(case.behaviour);
        let ended = pace_against(&rogue, mix);
        let run = match object_of(case, &rogue, &ended) {
            Ok(Some(run)) => run,
            Ok(None) => return Vec::new(),
            Err(breach) => return vec![breach],
        };
        let mut breaches = broken_promises(&run, &rogue, &ended);
        unexpected = unexpected_counts(&case.outcome, &run);
        if unexpected.is_none() || !breaches.is_empty() || count(&run["errors"], "timeout") == 0 {
            let shown = |what| format!("{what}: ok {}, {}", run["ok"], run["errors"]);
            breaches.extend(unexpected.map(shown));
            return breaches;
        }
    }
    unexpected.map(|what| format!("{what}, three times")).into_iter().collect()
}

/// The run's object; none if the connections never stood and that was to be expected.
fn object_of(case: &Case, rogue: &Rogue, ended: &Ended) -> Result<Option<Value>, String> {
    if ended.stderr.contains("panicked") {
        return Err(format!("it panicked: {}", ended.stderr));
    }
    if ended.code == Some(1) {
        let is_told = ended.stderr.contains(&rogue.address().to_string());
        let may_be = matches!(case.outcome, Outcome::NoStart(_) | Outcome::Any(_));
        return match may_be && is_told && ended.stdout.is_empty() {
            true => Ok(None),
            false => Err(format!("it did not start: {}", ended.stderr)),
        };
    }
    serde_json::from_str(&ended.stdout)
        .map(Some)
        .map_err(|_| format!("no object, but {:?}: {}", ended.stdout, ended.stderr))
}

/// What holds of every run, whatever the server does.
fn broken_promises(run: &Value, rogue: &Rogue, ended: &Ended) -> Vec<String> {
    let mut breaches = missing_keys(run);
    breaches.extend(lost_requests(run));
    // A machine that is busy may stretch it, never so far.
    if ended.took > 3 * PROMISED {
        breaches.push(format!("it took {:?}", ended.took));
    }
    let (ok, answered) = (count(run, "ok"), rogue.answered());
    if ok > answered {
        breaches.push(format!("{ok} ok, but {answered} answers"));
    }
    let expected_code = if run["verdict"] == "INVALID" { 3 } else { 0 };
    if ended.code != Some(expected_code) {
        breaches.push(format!("exit code {:?} at {}", ended.code, run["verdict"]));
    }
    breaches
}

fn count(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("`{key}` is no count in {object}"))
}

const ERRORS: [&str; 5] = ["status", "malformed", "reset", "timeout", "connect"];

fn unexpected_counts(outcome: &Outcome, run: &Value) -> Option<&'static str> {
    let (ok, planned) = (count(run, "ok"), count(run, "planned"));
    let of = |error: &str| count(&run["errors"], error);
    let (allowed, is_as_expected): (&[&str], bool) = match outcome {
        Outcome::Good => (&[], ok * 2 >= planned),
        Outcome::Bad(errors) => (errors, ok == 0 && of(errors[0]) > 0),
        Outcome::Mixed(errors) => (errors, ok > 0 && of(errors[0]) > 0),
        Outcome::Fair(errors) => (errors, ok > 0),
        Outcome::NoStart(errors) => (errors, ok == 0),
        Outcome::Any(errors) => (errors, true),
    };
    if !is_as_expected {
        return Some("not what was to come of it");
    }
    let is_wrong =
        |error: &&str| of(error) > 0 && !allowed.contains(error) && **error != *"timeout";
    ERRORS.iter().find(|error| is_wrong(error)).copied()
}

/// The keys of the contract that a run's object lacks.
fn missing_keys(run: &Value) -> Vec<String> {
    const RUN: &str = "schema verdict reasons offered_rps achieved_rps duration_s planned ok errors \
        unfinished connections schedule response_ns service_ns lateness_ns stalls requests host version";
    const QUANTILES: &str = "min mean p50 p90 p95 p99 p99_9 p99_99 max count";
    let mut objects = vec![
        ("run", run, RUN),
        ("errors", &run["errors"], "status malformed reset timeout connect"),
        ("connections", &run["connections"], "opened peak_in_flight"),
        ("schedule", &run["schedule"], "arrivals seed hash"),
        ("response_ns", &run["response_ns"], QUANTILES),
        ("service_ns", &run["service_ns"], QUANTILES),
        ("lateness_ns", &run["lateness_ns"], QUANTILES),
        ("stalls", &run["stalls"], "count total_ns max_ns"),
    ];
    for kind in run["requests"].as_array().into_iter().flatten() {
        objects.push(("request", kind, "name planned ok errors response_ns service_ns"));
        objects.push(("request.response_ns", &kind["response_ns"], QUANTILES));
    }
    let mut missing = Vec::new();
    for (name, object, keys) in objects {
        let lacks = keys.split_whitespace().filter(|key| object.get(key).is_none());
        missing.extend(lacks.map(|key| format!("{name} lacks `{key}`")));
    }
    missing
}

/// Planned requests that are not in exactly one count, in total and per kind.
fn lost_requests(run: &Value) -> Vec<String> {
    let kinds = run["requests"].as_array().expect("a run has kinds");
    let mut breaches = Vec::new();
    for object in kinds.iter().chain([run]) {
        let errors: u64 = ERRORS.iter().map(|error| count(&object["errors"], error)).sum();
        let ended = count(object, "ok") + errors + count(object, "unfinished");
        let planned = count(object, "planned");
        let sampled = count(&object["response_ns"], "count");
        if (ended, sampled) != (planned, planned) {
            breaches.push(format!("{planned} planned, {ended} ended, {sampled} in percentiles"));
        }
    }
    for key in ["planned", "ok"] {
        let sum: u64 = kinds.iter().map(|kind| count(kind, key)).sum();
        if sum != count(run, key) {
            breaches.push(format!("the kinds' `{key}` add up to {sum}, not {}", run[key]));
        }
    }
    if count(run, "planned") != 60 {
        breaches.push(format!("{} planned, not 60", run["planned"]));
    }
    breaches
}

/// Ends with `code` before anything is sent, and with one sentence that says each of `says`.
#[track_caller]
fn refused(code: i32, arguments: &[&str], says: &[&str]) {
    let ended = pace(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    for part in says {
        assert!(ended.stderr.contains(part), "{arguments:?}: no {part:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

const URL: &str = "http://127.0.0.1:9/";

#[test]
fn bad_input_is_refused_in_a_sentence_that_names_it() {
    refused(2, &[URL, "-R", "0", "-d", "1s"], &["-R", "zero"]);
    refused(2, &[URL, "-R", "5", "-d", "0"], &["-d", "zero"]);
    refused(2, &[URL, "-R", "5", "-d", "1s", "--timeout", "0"], &["--timeout"]);
    refused(2, &["https://h/", "-R", "5", "-d", "1s"], &["https", "TLS"]);
    refused(2, &["ftp://h/", "-R", "5", "-d", "1s"], &["ftp"]);
    refused(2, &[URL, "-R", "5", "-d", "1s", "--cpus", "8000"], &["--cpus", "8000"]);
    refused(2, &[URL, "-R", "5", "-d", "1s", "--max-connections", "2"], &["--max-connections"]);
    refused(2, &[URL, "-R", "5", "-d", "1s", "--mix", "/none.toml"], &["--mix", "/none.toml"]);
    refused(
        2,
        &[URL, "-R", "1e9", "-d", "5s"],
        &["-R/--rate 1000000000", "10000000/s", "1 pacing"],
    );
}

#[test]
fn a_mix_with_an_unknown_key_is_refused_by_file_and_line() {
    let text = "[[request]]\nname = \"a\"\nweight = 1\npath = \"/\"\nwieght = 2\n";
    let mix = file("unknown_key.toml", text);
    let mix = mix.to_str().expect("it is ASCII");
    refused(2, &[URL, "-R", "5", "-d", "1s", "--mix", mix], &["unknown_key.toml:5", "wieght"]);
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_the_run() {
    let url = format!("http://{}/", Rogue::start_nowhere());
    refused(1, &[&url, "-R", "5", "-d", "1s"], &["cannot connect", &url, "running?"]);
    let unknown = "http://no-such-host.invalid/";
    refused(1, &[unknown, "-R", "5", "-d", "1s"], &["no-such-host.invalid", "no address"]);
}

#[test]
fn connections_cannot_be_spread_over_a_server_that_does_not_name_its_cores() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let words = ["--spread", "does not say", "200"];
    refused(2, &[&url, "-R", "5", "-d", "1s", "-c", "2", "--spread"], &words);
}

#[test]
fn a_run_that_cannot_be_believed_has_an_exit_code_of_its_own() {
    let rogue = Rogue::start(Behaviour::Says(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"));
    let url = format!("http://{}/", rogue.address());
    let ended = pace(&[&url, "-R", "100", "-d", "100ms", "--wait", "hybrid", "-c", "2"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("verdict INVALID"), "{}", ended.stdout);
}

#[test]
fn a_name_with_several_addresses_is_tried_at_each() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://localhost:{}/", rogue.address().port());
    let load = ["-R", "100", "-d", "100ms", "--wait", "hybrid", "-c", "2", "--json", "-"];
    let ended = pace(&[&[url.as_str()], &load[..]].concat());
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    assert_eq!((count(&run, "planned"), count(&run, "ok")), (10, 10));
}

#[test]
fn a_threshold_decides_the_exit_code() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let run = |threshold: &str| {
        let load = ["-R100", "-d200ms", "-c2", "--wait", "hybrid", "--threshold", threshold];
        pace(&[&[url.as_str()], &load[..]].concat())
    };
    // On a machine that is busy the run itself may be INVALID, which goes before.
    let ended = run("p50<1h");
    assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
    let ended = run("get.max<1ns");
    let is_said = ended.stderr.contains("`get.max<1ns` is not met: it is");
    assert!(ended.code == Some(3) || (ended.code == Some(1) && is_said), "{}", ended.stderr);
    refused(2, &[&url, "-R1", "-d1s", "--threshold", "post.p99<1s"], &["--threshold", "post"]);
    refused(2, &[&url, "-R1", "-d1s", "--threshold", "p97<1s"], &["--threshold", "p97"]);
}

#[test]
fn a_request_typed_on_the_command_line_arrives_as_typed() {
    let rogue = Rogue::start(Behaviour::Does(|peer| {
        peer.for_each_text(|peer, text| {
            let is_right = text.starts_with("PUT /x?y HTTP/1.1\r\n")
                && text.contains("\r\nAccept: a/b\r\n")
                && text.contains("\r\nX-Two: 2\r\n")
                && text.ends_with("\r\n\r\n{\"a\":1}");
            peer.answer(if is_right {
                GOOD
            } else {
                b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"
            })
        })
    }));
    let url = format!("http://{}/x?y", rogue.address());
    let body = file("body.json", "{\"a\":1}");
    let body = body.to_str().expect("it is ASCII");
    let load = ["-R", "100", "-d", "100ms", "-c", "2", "--wait", "hybrid", "--json=-"];
    let request = ["-H", "Accept: a/b", "--header", "X-Two:2", "--method", "PUT"];
    for content in [["--body", "{\"a\":1}"], ["--body-file", body]] {
        let ended = pace(&[&[url.as_str()], &load[..], &request[..], &content[..]].concat());
        let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
        assert_eq!((count(&run, "ok"), run["requests"][0]["name"].as_str()), (10, Some("put")));
    }
    let mix = mix_file("GET");
    let mix = mix.to_str().expect("it is ASCII");
    refused(2, &[&url, "-R1", "-d1s", "-H", "A: b\r\nC: d"], &["-H", "control character"]);
    refused(2, &[&url, "-R1", "-d1s", "-H", "A: b", "--mix", mix], &["-H", "--mix"]);
    refused(2, &[&url, "-R1", "-d1s", "--body-file", "/none"], &["--body-file", "/none"]);
}

#[test]
fn intervals_add_up_to_the_run() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let csv = file("intervals.csv", "");
    let mix = mix_file("GET");
    let [csv_name, mix] = [&csv, &mix].map(|path| path.to_str().expect("it is ASCII"));
    let load = ["-R", "200", "-d", "1200ms", "-c", "2", "--wait", "hybrid", "--mix", mix];
    let outputs = ["--csv", csv_name, "--live", "plain", "--json", "-"];
    let ended = pace(&[&[url.as_str()], &load[..], &outputs[..]].concat());
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let text = std::fs::read_to_string(&csv).expect("it was written");
    let mut rows = text.lines();
    assert_eq!(rows.next(), Some("second,kind,count,p50_ns,p99_ns,max_ns,errors"));
    let counts = rows.map(|row| row.split(',').nth(2).and_then(|cell| cell.parse::<u64>().ok()));
    assert_eq!(counts.sum::<Option<u64>>(), Some(count(&run, "planned")), "{text}");
    assert!(ended.stderr.contains("late p99"), "{}", ended.stderr);
    let unwritable = ["-R1", "-d1s", "--csv", "/none/x.csv"];
    refused(2, &[&[url.as_str()], &unwritable[..]].concat(), &["--csv", "/none/x.csv"]);
}

#[test]
fn the_latency_option_prints_the_distribution_of_wrk2() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let ended = pace(&["-c2", "-d100ms", "-R100", "--latency", "--wait", "hybrid", &url]);
    for part in ["Latency Distribution (HdrHistogram", "99.990%", "#[Mean    =", "verdict "] {
        assert!(ended.stdout.contains(part), "{}", ended.stdout);
    }
    assert_eq!(ended.stderr, "", "a run that is piped shows no lines");
}
