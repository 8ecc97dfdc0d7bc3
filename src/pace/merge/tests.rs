use super::*;
use crate::clock::WallOffset;
use crate::pace::hlog::Log;
use crate::pace::interval::Interval;
use crate::pace::outcome::Outcome;
use crate::pace::outstanding::{Due, Request};
use crate::pace::plan::Plan;
use crate::pace::recorder::{Ending, Failure, Recorder};
use crate::pace::stalls::StallMeter;
use crate::rng::Rng;
use crate::units::{Mono, Nanos, Rate, Wall};
use std::sync::{Arc, Mutex};

/// What is seen of a run and of its samples.
struct Ran {
    json: String,
    log: Vec<u8>,
    /// Response times; where there is none, for how long it was waited.
    samples: Vec<Result<u64, u64>>,
    deliveries: Deliveries,
}

/// A run of random response times, one in twenty failed.
fn ran(seed: u64) -> Ran {
    let mut rng = Rng::new(seed);
    let wall = WallOffset { ns: 1_000_000_000, error: Nanos(20 + seed) };
    let mut recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)))
        .with_deliveries([true].into_iter(), wall);
    let mut deliveries = Deliveries::new(wall.error);
    recorder.cut(Box::new(Interval::new(1)));
    let mut samples = Vec::new();
    for k in 0..2_000 {
        let due_at = Mono(k * 1_000);
        let due =
            Due { k, kind: 0, offset: Nanos(due_at.0), intended_at: due_at, is_measured: true };
        let mut request = Request { sent_at: Some(due_at + Nanos(k % 7)), ..Request::due(&due) };
        let bits = 10 + rng.below(20);
        let latency = 10_000 + rng.below(1 << bits);
        let (ending, sample) = match rng.chance(0.05) {
            true => (Ending::Failed(Failure::Reset), Err(latency)),
            false => (Ending::Ok, Ok(latency)),
        };
        let ended_at = due_at + Nanos(latency);
        request.first_byte_at = sample.ok().map(|latency| due_at + Nanos(latency - 9_000));
        // One answer in three says no time, some say one after they came.
        let read = sample.ok().map(|_| wall.to_wall(ended_at));
        request.published_at =
            read.filter(|_| k % 3 > 0).map(|at| Wall(at.0 + 900 - rng.below(30_000)));
        if let Some(read) = read {
            deliveries.record(read, request.published_at);
        }
        samples.push(sample);
        recorder.note_planned(&due, 1);
        recorder.note_sent(&request, due_at + Nanos(k % 7));
        recorder.note_ended(&request, ending, ended_at);
    }
    let interval = recorder.take_interval().unwrap();
    let url = "http://h/".parse().unwrap();
    let plan = Plan::new(url, Rate::per_second(1_000).unwrap(), Nanos::from_secs(2));
    let outcome = Outcome::new(&plan, recorder, Mono(0), Nanos::from_secs(2));
    let json = serde_json::to_string(&outcome.run).unwrap();
    Ran { json, log: log_of(&interval), samples, deliveries }
}

fn log_of(interval: &Interval) -> Vec<u8> {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let shared = Shared::default();
    let mut out: Box<dyn std::io::Write + Send> = Box::new(shared.clone());
    let mut serializer = hdrhistogram::serialization::V2DeflateSerializer::new();
    let names = [String::from("get")];
    let mut log =
        Log::begin(&mut out, &mut serializer, &names, std::time::SystemTime::UNIX_EPOCH).unwrap();
    log.write(interval).unwrap();
    drop(log);
    shared.0.lock().unwrap().clone()
}

/// The histogram of all samples, recorded one by one.
fn recorded(runs: &[&Ran]) -> Histogram {
    let mut histogram = Histogram::new();
    for sample in runs.iter().flat_map(|run| &run.samples) {
        match sample {
            Ok(sample) => histogram.record(Nanos(*sample)),
            Err(waited) => histogram.record_infinite_after(Nanos(*waited)),
        }
    }
    histogram
}

#[test]
fn the_histogram_merged_of_two_runs_is_the_histogram_of_both_runs_samples() {
    for seed in 0..5 {
        let (one, two) = (ran(seed), ran(seed + 100));
        let mut runs = Runs::of_json("one", &one.json).unwrap();
        runs.add(Runs::of_json("two", &two.json).unwrap()).unwrap();
        let (merged, expected) = (runs.total().response, recorded(&[&one, &two]));
        assert_eq!(merged.hdr(), expected.hdr(), "seed {seed}");
        assert_eq!(merged.beside(), expected.beside(), "seed {seed}");
        let results = runs.results();
        assert_eq!(results.response_ns, quantiles(&expected), "seed {seed}");
        let lateness = &results.requests[0].lateness_ns;
        assert_eq!((lateness.count, lateness.max), (4_000, Some(6)), "seed {seed}");
        assert_eq!(results.lateness_ns.as_ref(), Some(lateness), "seed {seed}");
        assert_eq!((results.runs, results.planned), (2, 4_000), "seed {seed}");
        let failed = (results.errors.reset, expected.infinite());
        assert_eq!(failed.0, failed.1, "seed {seed}");
        let mut expected = one.deliveries.clone();
        expected.merge(&two.deliveries);
        let merged = runs.kinds[0].1.deliveries.as_ref().unwrap();
        assert_eq!(merged.delivery.hdr(), expected.delivery.hdr(), "seed {seed}");
        assert_eq!(merged.delivery.beside(), expected.delivery.beside(), "seed {seed}");
        assert!(expected.from_the_future > 0 && expected.without > 0, "seed {seed}");
        let counts = results.requests[0].published.unwrap();
        let shown = (counts.with, counts.without, counts.from_the_future, counts.ahead_max_ns);
        let Deliveries { without, from_the_future, ahead_max, .. } = expected;
        let with = expected.delivery.count();
        assert_eq!(shown, (with, without, from_the_future, ahead_max.0), "seed {seed}");
        assert_eq!(counts.clock_error_ns, 120 + seed);
        assert_eq!(results.requests[0].delivery_ns, Some(quantiles(&expected.delivery)));
    }
}

#[test]
fn logs_add_up_to_the_same_quantiles_with_what_they_lack() {
    let (one, two) = (ran(1), ran(2));
    let mut runs = Runs::of_log("one", &one.log).unwrap();
    runs.add(Runs::of_log("two", &two.log).unwrap()).unwrap();
    let (merged, expected) = (runs.total().response, recorded(&[&one, &two]));
    assert_eq!(merged.hdr(), expected.hdr());
    assert_eq!(merged.infinite(), expected.infinite());
    let results = runs.results();
    assert_eq!((results.response_ns.p50, results.service_ns), (quantiles(&expected).p50, None));
    assert_eq!(results.requests[0].name, "get");
    assert!(results.unfinished > 0);
}

#[test]
fn a_merge_can_be_merged_in_any_order() {
    let [a, b, c] = [1, 2, 3].map(|seed| Runs::of_json("x", &ran(seed).json).unwrap());
    let sum = |mut one: Runs, two: &Runs| {
        one.add(two.clone()).unwrap();
        Runs::of_json("sum", &serde_json::to_string(&one.results()).unwrap()).unwrap()
    };
    let one = sum(sum(a.clone(), &b), &c).results();
    let other = sum(sum(c, &a), &b).results();
    assert_eq!((one.runs, one.planned, one.response_ns), (3, 6_000, other.response_ns));
    assert_eq!((one.error_ns, one.lateness_ns), (other.error_ns, other.lateness_ns));
    assert_eq!(one.schedules, other.schedules);
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let error = Runs::of_json("bad.json", text).unwrap_err();
    assert!(error.starts_with("bad.json: ") && error.contains(says), "{error}");
}

#[test]
fn what_does_not_add_up_is_refused_by_file() {
    let run = ran(1);
    refused("{", "EOF");
    refused("{\"schema\":\"ringpace.bench/1\"}", "no schema of a run");
    let mut value: serde_json::Value = serde_json::from_str(&run.json).unwrap();
    let mut changed = value.clone();
    changed["requests"][0]["published"]["without"] = u64::MAX.into();
    refused(&changed.to_string(), "`get`: what it says of deliveries lacks answers");
    changed["requests"][0]["histograms"]["delivery"] = serde_json::Value::Null;
    refused(&changed.to_string(), "`get`: there is no histogram of deliveries");
    let mut changed = value.clone();
    changed["requests"][0]["histograms"]["lateness"] = serde_json::Value::Null;
    refused(&changed.to_string(), "no histograms");
    value["requests"][0]["planned"] = 7.into();
    refused(&value.to_string(), "lacks requests");
    value["requests"][0]["histograms"] = serde_json::Value::Null;
    refused(&value.to_string(), "no histograms");
    let error = Runs::of_log("bad.hlog", b"not,a,log\n").unwrap_err();
    assert!(error.starts_with("bad.hlog: "), "{error}");
    let error = Runs::of_log("bad.hlog", b"").unwrap_err();
    assert!(error.contains("no interval"), "{error}");
    let mut runs = Runs::of_json("x", &run.json).unwrap();
    let error = runs.add(Runs::of_log("y", &run.log).unwrap()).unwrap_err();
    assert!(error.contains("one sort of file"), "{error}");
    let mut untold: serde_json::Value = serde_json::from_str(&run.json).unwrap();
    untold["requests"][0]["published"] = serde_json::Value::Null;
    let untold = Runs::of_json("z", &untold.to_string()).unwrap();
    for (mut one, other) in [(runs.clone(), untold.clone()), (untold, runs)] {
        let error = one.add(other).unwrap_err();
        assert!(error.starts_with("`get`: ") && error.contains("runs of one mix"), "{error}");
        assert_eq!(one.results().runs, 1);
    }
}
