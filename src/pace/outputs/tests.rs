use super::*;
use crate::pace::plan::Plan;
use crate::pace::recorder::Recorder;
use crate::pace::stalls::StallMeter;
use crate::units::{Mono, Nanos, Rate};

/// A directory of its own, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let directory = format!("ringpace-outputs-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(directory);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn outcome() -> Outcome {
    let url = "http://h/".parse().unwrap();
    let plan = Plan::new(url, Rate::per_second(1).unwrap(), Nanos::from_secs(1));
    let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
    Outcome::new(&plan, recorder, Mono(0), Nanos::from_secs(1))
}

/// Every output there is, into `scratch`.
fn all(scratch: &Scratch) -> Outputs {
    Outputs {
        json: Some(scratch.path("run.json")),
        hgrm: Some(scratch.path("hgrm")),
        hlog: Some(scratch.path("run.hlog")),
        csv: Some(scratch.path("run.csv")),
        prom: Some(scratch.path("run.prom")),
        live: None,
    }
}

#[test]
fn outputs_that_are_opened_and_not_written_leave_no_trace() {
    let scratch = Scratch::new("trace");
    drop(Opened::open(&all(&scratch)).unwrap());
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn one_that_cannot_be_opened_is_named_and_takes_the_others_with_it() {
    let scratch = Scratch::new("unwritable");
    fs::create_dir(scratch.path("taken")).unwrap();
    let taken = Some(scratch.path("taken"));
    let gone = Some(scratch.path("none/x"));
    for (outputs, flag) in [
        (Outputs { json: taken.clone(), ..all(&scratch) }, "--json"),
        (Outputs { json: gone.clone(), ..all(&scratch) }, "--json"),
        (Outputs { hlog: gone.clone(), ..all(&scratch) }, "--hlog"),
        (Outputs { csv: taken.clone(), ..all(&scratch) }, "--csv"),
        (Outputs { prom: taken, ..all(&scratch) }, "--prom"),
        (Outputs { prom: gone, ..all(&scratch) }, "--prom"),
    ] {
        let Err(error) = Opened::open(&outputs) else { panic!("{flag} can be opened") };
        assert!(error.starts_with(&format!("{flag} ")), "{error}");
        assert_eq!(scratch.names(), ["taken"], "{flag}");
    }
    fs::write(scratch.path("file"), "").unwrap();
    let outputs = Outputs { hgrm: Some(scratch.path("file/in")), ..all(&scratch) };
    let Err(error) = Opened::open(&outputs) else { panic!("a file is no directory") };
    assert!(error.starts_with("--hgrm "), "{error}");
    assert_eq!(scratch.names(), ["file", "taken"]);
}

#[test]
fn what_was_there_stays_until_there_is_something_to_write() {
    let scratch = Scratch::new("there");
    let path = scratch.path("run.json");
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
    let scratch = Scratch::new("others");
    let (opened, sinks) = Opened::open(&all(&scratch)).unwrap();
    drop(sinks);
    // What was a directory of distributions is none any more.
    fs::remove_dir_all(scratch.path("hgrm")).unwrap();
    fs::create_dir(scratch.path("run.prom")).unwrap();
    let unwritten = opened.write(&outcome());
    assert_eq!(unwritten.len(), 2, "{unwritten:?}");
    assert!(unwritten[0].starts_with("--prom "), "{unwritten:?}");
    assert!(unwritten[1].starts_with("--hgrm "), "{unwritten:?}");
    let json = fs::read_to_string(scratch.path("run.json")).unwrap();
    assert!(json.starts_with("{\"schema\":\"ringpace.run/1\"") && json.ends_with("}\n"), "{json}");
}

#[test]
fn every_distribution_has_a_file() {
    let scratch = Scratch::new("hgrm");
    let (opened, sinks) = Opened::open(&all(&scratch)).unwrap();
    drop(sinks);
    assert_eq!(opened.write(&outcome()), [""; 0]);
    assert_eq!(scratch.names(), ["hgrm", "run.json", "run.prom"]);
    let names = Scratch(scratch.path("hgrm")).names();
    let of =
        |kind: &str| ["lateness", "response", "service", "ttfb"].map(|it| format!("{kind}{it}"));
    let mut expected: Vec<String> =
        [of(""), of("get.")].concat().iter().map(|name| format!("{name}.hgrm")).collect();
    expected.sort();
    assert_eq!(names, expected);
}
