use super::*;
use crate::pace::plan::Plan;
use crate::pace::recorder::Recorder;
use crate::pace::stalls::StallMeter;
use crate::scratch::Scratch;
use crate::units::{Mono, Nanos, Rate};

fn scratch(name: &str) -> Scratch {
    Scratch::new(&format!("outputs-{name}"))
}

/// What is in a directory, by name.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn outcome() -> Outcome {
    let url = "http://h/".parse().unwrap();
    let plan = Plan::new(url, Rate::per_second(1).unwrap(), Nanos::from_secs(1));
    let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
    Outcome::new(&plan, recorder, Mono(0), Nanos::from_secs(1))
}

/// Every output there is, into `dir`.
fn all(dir: &Path) -> Outputs {
    Outputs {
        json: Some(dir.join("run.json")),
        hgrm: Some(dir.join("hgrm")),
        hlog: Some(dir.join("run.hlog")),
        csv: Some(dir.join("run.csv")),
        prom: Some(dir.join("run.prom")),
        live: None,
    }
}

#[test]
fn outputs_that_are_opened_and_not_written_leave_no_trace() {
    let dir = scratch("trace");
    drop(Opened::open(&all(&dir)).unwrap());
    assert_eq!(names(&dir), [""; 0]);
    fs::create_dir(dir.join("old")).unwrap();
    let deep = Some(dir.join("old/new/and/deep"));
    drop(Opened::open(&Outputs { hgrm: deep, ..all(&dir) }).unwrap());
    assert_eq!(names(&dir), ["old"]);
    assert_eq!(names(&dir.join("old")), [""; 0]);
}

#[test]
fn one_that_cannot_be_opened_is_named_and_takes_the_others_with_it() {
    let dir = scratch("unwritable");
    fs::create_dir(dir.join("taken")).unwrap();
    let taken = Some(dir.join("taken"));
    let gone = Some(dir.join("none/x"));
    for (outputs, flag) in [
        (Outputs { json: taken.clone(), ..all(&dir) }, "--json"),
        (Outputs { json: gone.clone(), ..all(&dir) }, "--json"),
        (Outputs { hlog: gone.clone(), ..all(&dir) }, "--hlog"),
        (Outputs { csv: taken.clone(), ..all(&dir) }, "--csv"),
        (Outputs { prom: taken, ..all(&dir) }, "--prom"),
        (Outputs { prom: gone, ..all(&dir) }, "--prom"),
    ] {
        let Err(error) = Opened::open(&outputs) else { panic!("{flag} can be opened") };
        assert!(error.starts_with(&format!("{flag} ")), "{error}");
        assert_eq!(names(&dir), ["taken"], "{flag}");
    }
    fs::write(dir.join("file"), "").unwrap();
    let outputs = Outputs { hgrm: Some(dir.join("file/in")), ..all(&dir) };
    let Err(error) = Opened::open(&outputs) else { panic!("a file is no directory") };
    assert!(error.starts_with("--hgrm "), "{error}");
    assert_eq!(names(&dir), ["file", "taken"]);
}

#[test]
fn what_was_there_stays_until_there_is_something_to_write() {
    let dir = scratch("there");
    let path = dir.join("run.json");
    fs::write(&path, "what was there, and is longer than what comes\n").unwrap();
    drop(Output::open("--json", &path).unwrap());
    let mut output = Output::open("--json", &path).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("what was there"));
    output.write_all(b"[1,").unwrap();
    output.write_all(b"2]\n").unwrap();
    drop(output);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[1,2]\n");
}

#[test]
fn one_that_fails_in_the_end_loses_no_other() {
    let dir = scratch("others");
    let (opened, sinks) = Opened::open(&all(&dir)).unwrap();
    drop(sinks);
    // What was a directory of distributions is none any more.
    fs::remove_dir_all(dir.join("hgrm")).unwrap();
    fs::create_dir(dir.join("run.prom")).unwrap();
    let unwritten = opened.write(&outcome());
    assert_eq!(unwritten.len(), 2, "{unwritten:?}");
    assert!(unwritten[0].starts_with("--prom "), "{unwritten:?}");
    assert!(unwritten[1].starts_with("--hgrm "), "{unwritten:?}");
    let json = fs::read_to_string(dir.join("run.json")).unwrap();
    assert!(json.starts_with("{\"schema\":\"ringpace.run/1\"") && json.ends_with("}\n"), "{json}");
}

#[test]
fn every_distribution_has_a_file() {
    let dir = scratch("hgrm");
    let (opened, sinks) = Opened::open(&all(&dir)).unwrap();
    drop(sinks);
    assert_eq!(opened.write(&outcome()), [""; 0]);
    assert_eq!(names(&dir), ["hgrm", "run.json", "run.prom"]);
    let names = names(&dir.join("hgrm"));
    let of =
        |kind: &str| ["lateness", "response", "service", "ttfb"].map(|it| format!("{kind}{it}"));
    let mut expected: Vec<String> =
        [of(""), of("get.")].concat().iter().map(|name| format!("{name}.hgrm")).collect();
    expected.sort();
    assert_eq!(names, expected);
}
