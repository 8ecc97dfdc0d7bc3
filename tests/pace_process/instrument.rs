//! The instrument's word about itself: the self-test, and what a run says of its own error.

use super::{count, pace, refused};
use serde_json::Value;

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
}
