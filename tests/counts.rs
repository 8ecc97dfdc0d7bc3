//! `tools/counts` must fail where the hot paths take more instructions than its table says.
//!
//! Not here: the counting itself, which `.ci/run` does.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const RUSTC: &str = "# measured with rustc 1.95.0, x86_64\n";

/// Compares `after` with `before`: whether that passes, and what is said.
fn compare(before: &str, after: &str) -> (bool, String) {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let tables = [("before", before), ("after", after)].map(|(name, text)| {
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let file = format!("{}/counts-{name}-{number}", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&file, text).unwrap();
        file
    });
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/counts"))
        .args(["--compare", &tables[1], &tables[0]])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn check(before: &str, after: &str, passes: bool, sentence: &str) {
    let tables = [before, after].map(|counts| format!("{RUSTC}{counts}"));
    let (passed, said) = compare(&tables[0], &tables[1]);
    assert_eq!(passed, passes, "{said}");
    assert!(said.contains(sentence), "`{sentence}` is missing in\n{said}");
}

#[test]
fn a_count_that_has_grown_fails_with_its_name_before_and_after() {
    let sentence = "parse.pacer has grown: 1000 before, 1031 now (+3.1 %)";
    check(
        "parse.pacer 1000\nwheel.arm 200\n",
        "parse.pacer 1031\nwheel.arm 200\n",
        false,
        sentence,
    );
}

#[test]
fn what_the_tolerance_covers_passes() {
    check("parse.pacer 1000\n", "parse.pacer 1030\n", true, "1 compared, 0 bad");
    check("wheel.arm 100\n", "wheel.arm 116\n", true, "1 compared, 0 bad");
    check("wheel.arm 100\n", "wheel.arm 117\n", false, "wheel.arm has grown");
}

#[test]
fn a_count_that_has_shrunk_passes_and_asks_for_a_new_table() {
    check("parse.pacer 1000\n", "parse.pacer 800\n", true, "has shrunk: 1000 before, 800 now");
}

#[test]
fn a_bench_that_only_one_of_them_has_fails() {
    check("a 1\nb 1\n", "a 1\n", false, "b is in the table and was not measured");
    check("a 1\n", "a 1\nb 1\n", false, "b is not in the table: tools/counts --update");
}

#[test]
fn no_count_at_all_is_no_pass() {
    check("", "", false, "0 compared");
}

#[test]
fn another_rustc_is_shown_and_not_judged() {
    let (passed, said) = compare(
        "# measured with rustc 1.95.0, x86_64\na 100\n",
        "# measured with rustc 1.96.0, x86_64\na 200\n",
    );
    assert!(passed, "{said}");
    assert!(said.contains("shown, not judged"), "{said}");
    assert!(said.contains("a has grown: 100 before, 200 now"), "{said}");
}
