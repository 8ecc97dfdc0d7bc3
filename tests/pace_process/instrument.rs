//! The instrument's word about itself: the self-test, and what a run says of its own error.

use super::rogue::{Behaviour, GOOD, Peer, Rogue};
use super::support::scratch::Scratch;
use super::support::{BACKENDS, Server, await_that, descriptor_slots, json};
use super::{count, file, pace, refused, run_command};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn the_self_test_finds_a_floor_and_searches_for_the_highest_rate() {
    if ringpace::io::topology::usable_cpus().len() < 2 {
        return refused(2, &["--selftest"], &["--selftest", "second CPU"]);
    }
    let ended = pace(&["--selftest", "-d", "50ms", "--json", "-"]);
    let test: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let floor = &test["floor"];
    assert_eq!((count(floor, "planned"), count(&floor["response_ns"], "count")), (50, 50));
    // A machine that is busy may keep the server from its CPU; never so for all of them.
    assert!(count(floor, "ok") > 0, "{floor}");
    assert_eq!((count(&test, "request_bytes"), count(&test, "answer_bytes")), (55, 229));
    let steps = test["steps"].as_array().expect("it searches");
    let held = steps.iter().filter(|step| step["is_held"] == true);
    let highest = held.filter_map(|step| step["offered_rps"].as_f64()).fold(0.0, f64::max);
    let maximum = test["maximum_rps"].as_u64().unwrap_or(0);
    // The offered rate is a count over 50 ms.
    assert!((maximum as f64 - highest).abs() <= 20.0, "{maximum} and {highest}: {test}");
    assert!(steps.len() >= 7, "{} steps", steps.len());
    let code = if floor["verdict"] == "INVALID" { 3 } else { 0 };
    assert_eq!(ended.code, Some(code));
}

#[test]
fn the_self_test_takes_no_server() {
    refused(2, &["--selftest", "http://h/"], &["--selftest", "a URL"]);
    refused(2, &["--selftest", "--mix", "x.toml"], &["--selftest", "--mix"]);
    refused(2, &["--selftest", "--cpus", "0-1"], &["--selftest", "--cpus"]);
    refused(2, &["--selftest", "--json", "/none/x.json"], &["--json", "/none"]);
}

/// 200 requests in 200 ms; the object, and the table of a second run.
#[track_caller]
fn paced(url: &str, more: &[&str]) -> Value {
    let load = ["-R", "1000", "-d", "200ms", "-c", "4", "--wait", "hybrid", "--json", "-"];
    let ended = pace(&[&[url], &load[..], more].concat());
    serde_json::from_str(&ended.stdout).expect(&ended.stderr)
}

fn figure(quantiles: &Value, key: &str) -> u64 {
    quantiles[key].as_u64().unwrap_or_else(|| panic!("no {key} in {quantiles}"))
}

/// Sends an interim response and half of the answer, and the rest once the pause is over.
fn answer_in_two(peer: &mut Peer) -> std::io::Result<()> {
    peer.for_each(|peer| {
        peer.send(b"HTTP/1.1 103 Early Hints\r\nServer-Timing: hint;dur=1\r\n\r\n")?;
        peer.pause(Duration::from_millis(20));
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: db;dur=1.5, ")?;
        peer.pause(Duration::from_millis(30));
        peer.answer(b"app;desc=\"a, b\";dur=2\r\n\r\nok")
    })
}

#[test]
fn the_first_byte_is_that_of_the_final_answer_and_spans_are_split_by_name() {
    let rogue = Rogue::start(Behaviour::Does(answer_in_two));
    let run = paced(&format!("http://{}/", rogue.address()), &[]);
    let (ok, ttfb, service) = (count(&run, "ok"), &run["ttfb_ns"], &run["service_ns"]);
    assert!(ok > 0, "{run}");
    // Pauses never end early: 20 ms until the status line, 30 ms more until the end.
    assert!(figure(ttfb, "min") >= 20_000_000, "{ttfb}");
    assert!(figure(service, "min") >= 50_000_000, "{service}");
    let spans = &run["server_timing_ns"];
    assert_eq!(figure(&spans["db"], "max"), 1_500_000, "{spans}");
    assert_eq!(figure(&spans["app"], "max"), 2_000_000, "{spans}");
    assert_eq!((count(&spans["app"], "count"), &spans["hint"]), (ok, &Value::Null), "{spans}");
}

#[test]
fn a_malformed_server_timing_fails_no_run_but_is_counted() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: db;dur=x\r\n\r\nok";
    let rogue = Rogue::start(Behaviour::Says(answer));
    let run = paced(&format!("http://{}/", rogue.address()), &[]);
    assert_eq!((count(&run, "ok"), count(&run, "server_timing_malformed")), (200, 200));
    assert_eq!(run["server_timing_ns"], Value::Null);
}

#[test]
fn our_server_tells_queue_work_and_device_by_flag_only() {
    let body = "{\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}";
    let command = ["--body", body, "-H", "Content-Type: application/json"];
    for backend in BACKENDS {
        let server = Server::start(&["--backend", backend, "--server-timing"]);
        let url = format!("http://{}/devices/light/command", server.addr);
        let run = paced(&url, &command);
        let (ok, spans) = (count(&run, "ok"), &run["server_timing_ns"]);
        assert!(ok > 0, "{backend}: {run}");
        assert_eq!(count(&spans["queue"], "count"), ok, "{backend}: {spans}");
        assert_eq!(count(&spans["work"], "count"), ok, "{backend}: {spans}");
        // The device takes 2 ms, of which a part may pass in the queue; means are rounded down.
        let mean = |name: &str| figure(&spans[name], "mean");
        let sum = mean("queue") + mean("work") + mean("device");
        assert!(sum + 3 >= 2_000_000 && mean("device") > 0, "{backend}: {spans}");
    }
    let server = Server::start(&[]);
    let run = paced(&format!("http://{}/devices/status", server.addr), &[]);
    assert_eq!((count(&run, "ok"), &run["server_timing_ns"]), (200, &Value::Null), "{run}");
}

#[test]
fn every_percentile_carries_the_pacers_error() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let load = ["-R", "1000", "-d", "200ms", "-c", "4"];
    let ended = pace(&[&[url.as_str()], &load[..], &["--json", "-"]].concat());
    let run: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let kind = &run["requests"][0];
    for (error, response) in
        [(&run["error_ns"], &run["response_ns"]), (&kind["error_ns"], &kind["response_ns"])]
    {
        for key in ["min", "mean", "p50", "p90", "p95", "p99", "p99_9", "p99_99", "max"] {
            let (error, response) = (figure(error, key), figure(response, key));
            assert!(0 < error && error <= response, "{key}: {error} of {response}");
        }
    }
    // Not even a p99 rests on 200 requests.
    assert_eq!(run["too_few"], serde_json::json!(["p99", "p99_9", "p99_99"]));
    let table = pace(&[&[url.as_str()], &load[..]].concat()).stdout;
    let line = |name: &str| table.lines().find(|line| line.contains(name)).unwrap_or_default();
    assert_eq!(line("response (done").matches('*').count(), 3, "{table}");
    assert!(table.contains("fewer than 10 requests lie beyond it"), "{table}");
    assert_eq!(line("of it the pacer's").matches('*').count(), 3, "{table}");
}

#[test]
fn what_the_system_did_to_the_pacer_stands_with_the_host() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let cpu = ringpace::io::topology::usable_cpus().last().expect("we run on one").to_string();
    let run = paced(&url, &["--cpus", &cpu]);
    let found = &run["host"]["disturbance"];
    assert!(found["interrupts"].as_u64() > Some(0), "its timer alone interrupts it: {found}");
    assert!(found["involuntary_switches"].is_u64() && found["steal_ns"].is_u64(), "{found}");
    let run = paced(&url, &[]);
    assert_eq!(run["host"]["disturbance"]["interrupts"], Value::Null, "it has no CPU of its own");
}

#[test]
fn runs_are_merged_exactly_from_json_and_from_logs() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let names = ["one.json", "two.json", "one.hlog", "two.hlog"].map(|name| file(name, ""));
    let [one, two, log_one, log_two] =
        names.each_ref().map(|path| path.to_str().expect("it is ASCII"));
    for (json, log) in [(one, log_one), (two, log_two)] {
        let load = ["-R", "1000", "-d", "200ms", "-c", "4", "--wait", "hybrid"];
        let ended = pace(&[&[url.as_str()], &load[..], &["--json", json, "--hlog", log]].concat());
        assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
    }
    let merge = |inputs: &[&str]| {
        let ended = run_command("merge", &[inputs, &["--json", "-"]].concat());
        serde_json::from_str::<Value>(&ended.stdout).expect(&ended.stderr)
    };
    let (sum, logs) = (merge(&[one, two]), merge(&[log_one, log_two]));
    assert_eq!((count(&sum, "runs"), count(&sum, "planned")), (2, 400));
    assert_eq!(count(&sum["response_ns"], "count"), 400);
    let max = |path: &str| figure(&json(Path::new(path))["response_ns"], "max");
    assert_eq!(figure(&sum["response_ns"], "max"), max(one).max(max(two)));
    for key in ["p50", "p99"] {
        assert_eq!(sum["response_ns"][key], logs["response_ns"][key], "{key}");
    }
    let table = run_command("merge", &[one, two]).stdout;
    assert!(table.contains("2 runs as one") && table.contains("planned 400 = ok "), "{table}");
    let mixed = run_command("merge", &[one, log_two]);
    assert_eq!(mixed.code, Some(2));
    assert!(mixed.stderr.contains("two.hlog: results and interval logs"), "{}", mixed.stderr);
    let none = run_command("merge", &["/none.json"]);
    assert!(none.code == Some(2) && none.stderr.contains("/none.json"), "{}", none.stderr);
}

#[test]
fn a_file_for_prometheus_is_put_in_place_whole() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let directory = Scratch::new("prom");
    let path = directory.join("run.prom");
    let name = path.to_str().expect("it is ASCII");
    let run = paced(&url, &["--prom", name]);
    let text = std::fs::read_to_string(&path).expect("it was written");
    let ok = format!("ringpace_run_requests{{kind=\"get\",outcome=\"ok\"}} {}\n", run["ok"]);
    assert!(text.contains(&ok), "{text}");
    let others = std::fs::read_dir(&*directory).expect("it is there").count();
    assert_eq!(others, 1, "nothing unready is left behind");
    refused(2, &[&url, "-R1", "-d1s", "--prom", "/none/x.prom"], &["--prom", "/none"]);
    refused(2, &[&url, "-R1", "-d1s", "--prom", "-"], &["--prom -", "a file"]);
}

#[test]
fn the_kernels_stamps_split_the_path_of_every_request() {
    let rogue = Rogue::start(Behaviour::Says(GOOD));
    let url = format!("http://{}/", rogue.address());
    let run = paced(&url, &["--timestamps", "kernel"]);
    let (ok, stamps) = (count(&run, "ok"), &run["kernel_stamps"]);
    assert_eq!(run["host"]["pacer"]["timestamps"], "kernel");
    let (incomplete, disordered) = (count(stamps, "incomplete"), count(stamps, "disordered"));
    let parts = ["send_path_ns", "server_ns", "read_lag_ns"].map(|part| &stamps[part]);
    for part in parts {
        assert_eq!(count(part, "count") + incomplete + disordered, ok, "{stamps}");
    }
    assert!(disordered * 10 <= ok, "{stamps}");
    // The parts are of the same exchanges as the service time, which the pacer sees from outside.
    let mean: u64 = parts.iter().map(|part| figure(part, "mean")).sum();
    let slack = 2 * count(stamps, "clock_error_ns") + 3;
    let is_whole = disordered + incomplete == 0;
    assert!(!is_whole || mean <= figure(&run["service_ns"], "mean") + slack, "{run}");
    assert!(figure(&stamps["server_ns"], "min") > 0, "{stamps}");
    let plain = paced(&url, &[]);
    assert_eq!((&plain["kernel_stamps"], count(&plain, "ok")), (&Value::Null, 200));
    let load = ["-R1", "-d1s", "--timestamps"];
    let refused = |more: &[&str], says| refused(2, &[&load[..], more].concat(), says);
    refused(&["kernel", &url, "--backend", "uring"], &["--timestamps", "--backend uring"]);
    refused(&["kernel", "unix:/a.sock:/"], &["--timestamps", "Unix socket"]);
    refused(&["nic", &url], &["timestamps", "nic"]);
}

/// The wall clock, as a server in any language reads it.
fn unix_micros() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later than 1970").as_micros()
}

/// Answers what `content` makes of the present time to all but every third request.
fn answer_with_time(peer: &mut Peer, content: fn(u128) -> String) -> std::io::Result<()> {
    let mut count = 0;
    peer.for_each(|peer| {
        count += 1;
        let content = if count % 3 == 0 { String::from("{}") } else { content(unix_micros()) };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
        peer.answer((head + &content).as_bytes())
    })
}

#[test]
fn delivery_is_shown_of_a_server_that_says_when_and_distrusted_of_another_clock() {
    let mix = "[[request]]\nname = \"events\"\nweight = 1\npath = \"/\"\nkind = \"long_poll\"\n\
               published = { key = \"at\", unit = \"us\" }\n";
    let mix = file("delivery.toml", mix);
    let paced_by = |behave: fn(&mut Peer) -> std::io::Result<()>| {
        let rogue = Rogue::start(Behaviour::Does(behave));
        let url = format!("http://{}/", rogue.address());
        let mix = mix.to_str().expect("it is ASCII");
        let load = ["-R", "1000", "-d", "200ms", "-c", "1", "--max-connections", "1"];
        let more = [&url, "--wait", "hybrid", "--json", "-", "--mix", mix];
        let ended = pace(&[&load[..], &more].concat());
        serde_json::from_str::<Value>(&ended.stdout).expect(&ended.stderr)
    };
    let run = paced_by(|peer| answer_with_time(peer, |now| format!("{{\"at\":{now}}}")));
    let (kind, published) = (&run["requests"][0], &run["requests"][0]["published"]);
    let (with, without) = (count(published, "with"), count(published, "without"));
    assert_eq!((with + without, count(published, "from_the_future")), (count(&run, "ok"), 0));
    // Every third answer says nothing; one that came too late, and a new connection, shift that.
    let failed = count(&run, "planned") - count(&run, "ok");
    assert!(without.abs_diff(count(&run, "ok") / 3) <= 2 * failed, "{kind}");
    assert_eq!(count(&kind["delivery_ns"], "count"), with);
    // Published after the request was sent, in whole microseconds, and read after that.
    let slack = 1_000 + 2 * count(published, "clock_error_ns");
    let longest = figure(&kind["service_ns"], "longest_observed");
    assert!(figure(&kind["delivery_ns"], "max") <= longest + slack, "{kind}");

    let ahead = paced_by(|peer| {
        answer_with_time(peer, |now| format!("{{\"at\":\"{}\"}}", now + 3_600_000_000))
    });
    let published = &ahead["requests"][0]["published"];
    assert_eq!(count(published, "with"), 0, "{published}");
    assert!(count(published, "from_the_future") > 0, "{published}");
    assert!(count(published, "ahead_max_ns") <= 3_600_000_000_000, "{published}");
    assert_ne!(ahead["verdict"], "VALID");
    assert!(ahead["reasons"].to_string().contains("the server's clock is not ours"), "{ahead}");
}

/// Room for how many descriptors a pacer has that may have 400 connections to each server, and is about
/// to make its first; with a second server if it is for a duet.
fn slots_of_a_pacer(is_duet: bool) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.set_nonblocking(true).expect("it is ours");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    command.args(["pace", &url, "-R", "100", "-d", "1m", "--max-connections", "400"]);
    if is_duet {
        command.args(["--duet", &url]);
    }
    let mut child = command.stdout(Stdio::null()).spawn().expect("the binary is built");
    await_that("it connects", || listener.accept().is_ok());
    let slots = descriptor_slots(child.id());
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    slots
}

/// The kernel would make room on the way, and let the pacer sleep meanwhile.
#[test]
fn there_is_room_for_the_descriptors_of_all_connections_before_the_first_is_made() {
    assert!(slots_of_a_pacer(false) >= 400);
    assert!(slots_of_a_pacer(true) >= 800);
}
