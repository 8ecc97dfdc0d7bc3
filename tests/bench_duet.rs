//! A duet from outside: two of our servers, paced together by the real pacer, as a bench and by hand.
//!
//! What times are found depends on the machine and is not looked at; see `bench::duet::estimate` for
//! what may be said of them. Start at [`a_bench_holds_what_its_pairs_come_to_and_is_made_once`].

mod support;

use ringpace::pace::hlog;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::scratch::Scratch;
use support::{Server, json};

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("there is room");
    path
}

const MIX: &str = r#"
[[request]]
name = "status"
weight = 3
path = "/devices/status"

[[request]]
name = "command"
weight = 1
method = "POST"
path = "/devices/light/command"
headers = { Content-Type = "application/json" }
body = '{"action":"set","value":{range:0-100}}'
"#;

const BENCH: &str = r#"
name = "pair"
duration = "300ms"
warmup = "100ms"
repeats = 2
rate = "400"
mix = "mix.toml"
connections = 4
pacer_cpus = "1"

[[target]]
name = "a"
serve = ["--backend", "epoll", "--status-work", "1ms"]

[[target]]
name = "b"
serve = ["--backend", "epoll"]
"#;

fn ringpace(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringpace")).args(args).output().expect("the binary starts")
}

/// How many pairs each kind of a `ringpace.duet/1` has.
fn pairs(run: &Value) -> Vec<u64> {
    let kinds = run["pairs"]["requests"].as_array().expect("kinds");
    let of_cell = |cell: &Value| {
        let answered = cell["response_ns"].as_array().expect("counts").iter();
        let failed = ["only_a_failed", "only_b_failed", "both_failed"].map(|key| &cell[key]);
        let counts = answered.map(|count| &count[1]).chain(failed);
        counts.map(|count| count.as_u64().expect("a count")).sum::<u64>()
    };
    kinds
        .iter()
        .map(|kind| {
            let blocks = kind["blocks"].as_array().expect("blocks").iter();
            blocks.map(|block| of_cell(&block["a_first"]) + of_cell(&block["b_first"])).sum()
        })
        .collect()
}

#[test]
fn a_bench_holds_what_its_pairs_come_to_and_is_made_once() {
    let scratch = Scratch::new("duet");
    file(&scratch, "mix.toml", MIX);
    let plan = file(&scratch, "bench.toml", BENCH);
    let out = scratch.join("out");
    let [plan, dir] = [&plan, &out].map(|path| path.to_str().expect("a plain name"));
    let args = ["bench", plan, "--duet", "a,b", "--out", dir];
    let first = ringpace(&args);
    let said = String::from_utf8_lossy(&first.stdout);
    assert!(said.contains("Duet of a (A) and b (B)"), "{first:?}");

    let bench = json(&out.join("bench.json"));
    let duet = &bench["duet"];
    assert_eq!((&duet["a"], &duet["b"]), (&"a".into(), &"b".into()));
    let findings = duet["findings"].as_array().expect("findings");
    let named: Vec<String> =
        findings.iter().map(|f| format!("{} {}", f["request"], f["time"])).collect();
    let names = ["status", "command"]
        .map(|kind| ["response", "service"].map(|time| format!("\"{kind}\" \"{time}\"")));
    assert_eq!(named, names.concat());
    assert!(findings.iter().all(|found| found["restarts"] == 2));

    // Each server has half of the requests, and those are paired.
    for restart in duet["restarts"].as_array().expect("restarts") {
        let run = json(&out.join(restart["file"].as_str().expect("a file")));
        let planned = |side: &str| run[side]["planned"].as_u64().expect("a count");
        for side in ["a", "b"] {
            let name = restart["file"].as_str().expect("a file");
            let log = fs::read(out.join(name.replace(".json", &format!(".{side}.hlog"))));
            let mut logged = 0;
            hlog::read(&log.expect("a log of each"), |_, _, responses| logged += responses.count())
                .expect("it is an interval log");
            assert_eq!(logged, planned(side), "{side}");
        }
        assert_eq!(planned("a") + planned("b"), 120);
        let unpaired = run["pairs"]["unpaired"].as_u64().expect("a count");
        assert_eq!(2 * pairs(&run).iter().sum::<u64>() + unpaired, 120);
    }
    let runs = bench["runs"].as_array().expect("runs");
    let settings = |run: &Value| run["target_settings"].to_string().contains("--status-work 1ms");
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| settings(run) == (run["target"] == "a")), "{runs:?}");
    assert!(fs::read_to_string(out.join("report.html")).expect("a page").contains("Duet of a"));

    // Only what is lost is made again.
    let files = ["runs/a+b-400-r1.json", "runs/a+b-400-r2.json"].map(|name| out.join(name));
    let kept = fs::read(&files[0]).expect("the pairs of the first");
    fs::remove_file(&files[1]).expect("the pairs of the second");
    ringpace(&args);
    assert_eq!(fs::read(&files[0]).expect("still there"), kept);
    assert!(files[1].exists());
    let again = json(&out.join("bench.json"));
    assert_eq!(again["runs"].as_array().map(Vec::len), Some(4));
    assert_eq!(again["complete"], true);
}

#[test]
fn what_makes_no_duet_is_refused_before_anything_starts() {
    let scratch = Scratch::new("no-duet");
    file(&scratch, "mix.toml", MIX);
    let plan = file(&scratch, "bench.toml", BENCH);
    let out = scratch.join("out");
    let [plan, dir] = [&plan, &out].map(|path| path.to_str().expect("a plain name"));
    for (names, says) in
        [("a", "name two"), ("a,c", "--duet c:"), ("b,b", "two names"), ("", "--duet")]
    {
        let refused = ringpace(&["bench", plan, "--duet", names, "--out", dir]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{names}: {said}");
        assert!(said.contains("--duet") && said.contains(says), "{names}: {said}");
    }
    assert!(!out.exists());
}

#[test]
fn two_servers_are_paced_by_hand() {
    let scratch = Scratch::new("by-hand");
    let servers = [Server::start(&["--backend", "epoll"]), Server::start(&["--backend", "uring"])];
    let [a, b] = servers.each_ref().map(|server| format!("http://{}/devices/status", server.addr));
    let path = scratch.join("run.json");
    let json_path = path.to_str().expect("a plain name");
    let load = ["pace", &a, "--duet", &b, "-R", "500", "-d", "400ms", "--json", json_path];
    for backend in ["epoll", "uring"] {
        let paced = ringpace(&[&load[..], &["--backend", backend]].concat());
        let said = String::from_utf8_lossy(&paced.stdout);
        assert!(matches!(paced.status.code(), Some(0 | 3)), "{paced:?}");
        assert!(said.contains("Duet of") && said.contains("of one restart"), "{said}");
        let run = json(&path);
        assert_eq!(run["schema"], "ringpace.duet/1");
        assert_eq!((pairs(&run), &run["pairs"]["unpaired"]), (vec![100], &0.into()));
    }
    let elsewhere = format!("http://{}/healthz", servers[1].addr);
    let refused = ringpace(&["pace", &a, "--duet", &elsewhere, "-R", "500", "-d", "400ms"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leave the path out"), "{refused:?}");
    for (flags, says) in [
        (&["--wait", "hybrid"][..], "--wait hybrid"),
        (&["--csv", "x"], "leave out --csv"),
        (&["--hlog", "-"], "name a file"),
        (&["--catch-up", "skip"], "--catch-up"),
    ] {
        let refused = ringpace(&[&load[..], flags].concat());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains("--duet") && said.contains(says), "{said}");
    }
}
