//! `ringpace merge` as a process: what becomes of files of several runs, and what it ends with.
//!
//! What times the runs have depends on the machine and is not looked at, but that JSON and logs tell the
//! same of them. Start at [`json_and_logs_of_the_same_runs_add_up_to_the_same`].

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::scratch::Scratch;
use support::{Server, json};

/// Two kinds that would share a tag, and long polls.
const MIX: &str = r#"
[[request]]
name = "a b"
weight = 2
path = "/devices/status"

[[request]]
name = "a_b"
weight = 1
path = "/healthz"

[[request]]
name = "events"
weight = 1
path = "/events/live"
kind = "long_poll"
"#;

/// A directory with the JSON and the log of two runs, gone with the test.
struct Runs(Scratch);

impl Runs {
    fn new(test: &str) -> Runs {
        let runs = Runs(Scratch::new(test));
        let server = Server::start(&["--backend", "epoll", "--poll-timeout", "50ms"]);
        fs::write(runs.0.join("mix.toml"), MIX).expect("there is room");
        for name in ["one", "two"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
            command.arg("pace").arg(format!("http://{}", server.addr));
            command.args(["-R", "400", "-d", "400ms", "-c", "8", "--wait", "hybrid"]);
            command.arg("--mix").arg(runs.0.join("mix.toml"));
            command.arg("--json").arg(runs.0.join(format!("{name}.json")));
            command.arg("--hlog").arg(runs.0.join(format!("{name}.hlog")));
            let paced = command.output().expect("the binary starts");
            assert!(matches!(paced.status.code(), Some(0 | 3)), "{paced:?}");
        }
        runs
    }

    fn merge(&self, files: [&str; 2], flags: &[&str], stdout: Stdio) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
        command.arg("merge").args(files).args(flags).current_dir(&*self.0);
        let merge = command.stdout(stdout).stderr(Stdio::piped()).spawn();
        merge.expect("the binary starts").wait_with_output().expect("it is our child")
    }

    /// What two files add up to.
    #[track_caller]
    fn sum(&self, files: [&str; 2], flags: &[&str]) -> Value {
        let merged = self.merge(files, &[flags, &["--json", "-"]].concat(), Stdio::piped());
        assert!(matches!(merged.status.code(), Some(0 | 3)), "{merged:?}");
        serde_json::from_slice(&merged.stdout).expect("it is JSON")
    }

    /// Changes the first run's verdict.
    fn judge(&self, verdict: &str) {
        let mut run = json(&self.0.join("one.json"));
        run["verdict"] = verdict.into();
        fs::write(self.0.join("one.json"), run.to_string()).expect("there is room");
    }
}

/// The names in a directory.
fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).expect("it was made");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into()).collect()
}

#[test]
fn json_and_logs_of_the_same_runs_add_up_to_the_same() {
    let runs = Runs::new("merge");
    let of_json = runs.sum(["one.json", "two.json"], &["--hgrm", "json"]);
    let of_logs = runs.sum(["one.hlog", "two.hlog"], &["--hgrm", "logs"]);
    assert_eq!((&of_json["planned"], &of_logs["planned"]), (&320.into(), &320.into()));
    // Long polls are in neither total.
    assert!(of_json["response_ns"]["count"].as_u64() < Some(320), "{of_json}");
    assert_eq!(of_json["response_ns"]["count"], of_logs["response_ns"]["count"]);
    let polls = |sum: &Value| -> Vec<Value> {
        let kinds = sum["requests"].as_array().expect("kinds").iter();
        kinds.filter(|kind| kind["long_poll"] == true).map(|kind| kind["name"].clone()).collect()
    };
    assert_eq!((polls(&of_json), polls(&of_logs)), (vec!["events".into()], vec!["events".into()]));
    let counts = |sum: &Value| -> BTreeSet<u64> {
        let kinds = sum["requests"].as_array().expect("kinds").iter();
        kinds.map(|kind| kind["planned"].as_u64().expect("a count")).collect()
    };
    assert_eq!(counts(&of_json), counts(&of_logs), "no two kinds share a tag");

    let times = ["response", "service", "ttfb", "lateness"];
    let mut whole: BTreeSet<String> = times.map(|time| format!("{time}.hgrm")).into();
    let mut responses: BTreeSet<String> = ["response.hgrm".into()].into();
    for tag in ["a_b-2", "a_b", "events"] {
        whole.extend(times.map(|time| format!("{tag}.{time}.hgrm")));
        responses.insert(format!("{tag}.response.hgrm"));
    }
    assert_eq!(names(&runs.0.join("json")), whole);
    assert_eq!(names(&runs.0.join("logs")), responses);
}

#[test]
fn a_sum_with_an_invalid_run_and_one_that_cannot_be_written_are_no_success() {
    let runs = Runs::new("merge-fails");
    let files = ["one.json", "two.json"];
    let ended = |flags: &[&str]| runs.merge(files, flags, Stdio::piped()).status.code();
    runs.judge("INVALID");
    for flags in [&[][..], &["--json", "-"], &["--json", "sum.json"]] {
        assert_eq!(ended(flags), Some(3), "{flags:?}");
    }
    assert_eq!(json(&runs.0.join("sum.json"))["verdict"], "INVALID");
    let full = File::options().write(true).open("/dev/full").expect("every Linux has it");
    let refused = runs.merge(files, &["--json", "-"], full.into());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("--json -: ") && said.contains("space"), "{said}");
    assert_eq!(ended(&["--json", "nowhere/sum.json"]), Some(1));
}
