use super::*;
use crate::pace::interval::Interval;
use crate::pace::mix::Mix;
use crate::results::bench::sample;
use crate::scratch::Scratch;
use hdrhistogram::serialization::V2DeflateSerializer;
use std::io::Write;
use std::time::SystemTime;

/// A bench's directory, for tests of that name.
fn scratch(name: &str) -> Scratch {
    let dir = Scratch::new(&format!("logs-{name}"));
    std::fs::create_dir(dir.join("runs")).unwrap();
    dir
}

/// Writes `intervals` as the pacer does, of the kinds `status` and `long poll`.
fn write(path: &Path, intervals: &[Interval]) {
    let mut out: Box<dyn Write + Send> = Box::new(std::fs::File::create(path).unwrap());
    let mut serializer = V2DeflateSerializer::new();
    let get = Mix::single("/").kinds()[0].clone();
    let kinds = ["status", "long poll"].map(|name| {
        let mut kind = get.clone();
        kind.name = name.into();
        kind
    });
    let mut log =
        hlog::Log::begin(&mut out, &mut serializer, &kinds, SystemTime::UNIX_EPOCH).unwrap();
    intervals.iter().for_each(|interval| log.write(interval).unwrap());
}

/// A hundred answers of 1 ms in the first second, one of 4 ms and a failure in the second; polls of
/// half a second throughout.
fn intervals() -> [Interval; 2] {
    let mut first = Interval::new(2);
    (0..100).for_each(|_| first.responses[0].record(Nanos::from_millis(1)));
    first.responses[1].record(Nanos::from_millis(500));
    let mut second = Interval { second: 1, until: 2, ..Interval::new(2) };
    second.responses[0].record(Nanos::from_millis(4));
    second.responses[0].record_infinite();
    second.responses[1].record(Nanos::from_millis(500));
    [first, second]
}

fn bench() -> Bench {
    let mut run = sample::run(1_000_000);
    run.requests[1].name = "long poll".into();
    run.requests[1].long_poll = true;
    sample::bench(&["a"], vec![sample::bench_run("a", 1, run), sample::failed_run("a", 2)])
}

#[test]
fn a_log_is_read_by_kind_and_over_time_with_long_polls_apart() {
    let dir = scratch("read");
    write(&dir.join("runs/a-1000-r1.hlog"), &intervals());
    let logs = Logs::read(&dir, &bench());
    assert!(logs.troubles.is_empty(), "{:?}", logs.troubles);
    let log = logs.of(0).unwrap();
    let kinds: Vec<&str> = log.kinds.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["long poll", "status"]);
    assert!(log.kinds["long poll"].points[0] > 499_000_000);
    // 102 requests have two nines, of which the last points are at +infinity.
    assert_eq!(nines_of(log.total.points.len() - 1).round(), 2.0);
    let [first, second] = log.columns.as_slice() else { panic!("{} columns", log.columns.len()) };
    assert_eq!((first.begin_s, first.count, first.infinite), (0.0, 100, 0));
    assert_eq!(first.bins, BTreeMap::from([(bin(1_000_000), 100)]));
    assert_eq!((second.begin_s, second.count, second.infinite), (1.0, 2, 1));
    assert_eq!((second.p99, second.longest.unwrap().div_ceil(10_000)), (None, 401));
    // A run that failed has no log to lack.
    assert!(logs.of(1).is_none());
}

#[track_caller]
fn check_trouble(change: impl FnOnce(&Path, &mut Bench), says: &str) {
    let dir = scratch(&says.replace(['/', ' '], "-"));
    let mut bench = bench();
    change(&dir, &mut bench);
    let logs = Logs::read(&dir, &bench);
    assert!(logs.of(0).is_none());
    let [trouble] = logs.troubles.as_slice() else { panic!("{:?}", logs.troubles) };
    assert!(trouble.contains(says), "{trouble}");
}

#[test]
fn a_log_that_cannot_be_read_is_a_sentence_with_its_name() {
    check_trouble(|_, _| {}, "runs/a-1000-r1.hlog: No such file");
    let broken = |dir: &Path, _: &mut Bench| {
        std::fs::write(dir.join("runs/a-1000-r1.hlog"), "not,a,log\n").unwrap();
    };
    check_trouble(broken, "r1.hlog: it is no interval log");
    check_trouble(|_, bench| bench.runs[0].files = "../elsewhere".into(), "no file of the bench's");
}

#[test]
fn a_curve_ends_where_infinity_begins_and_holds_no_more_nines_than_requests() {
    let mut histogram = Histogram::new();
    (0..1_000).for_each(|k| histogram.record(Nanos(1_000 + k)));
    let points = curve(&histogram).points.len();
    assert!((nines_of(points - 1) - 3.0).abs() < 1e-9);
    histogram.record_infinite_many(100);
    assert!(nines_of(curve(&histogram).points.len() - 1) < 1.05);
    assert!(curve(&Histogram::new()).points.is_empty());
}
