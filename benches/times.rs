//! What the small hot functions cost in time, with the spread of it, by criterion: what instructions,
//! which `parser` and `paths` count, do not tell, such as what threads lose that share a cache line.
//!
//! `cargo bench --bench times`, with a part of a name behind `--` for a part of them. Prints; asserts
//! nothing. The times of several threads are by event: of `n` that do not disturb each other, on `n`
//! CPUs, an event takes one `n`th.
#![allow(missing_docs)] // what `criterion_group!` makes

#[allow(dead_code)] // what the other benches are fed
mod inputs;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use inputs::{burst, change, event, finished_run, ramp, recorder, schedule};
use ringpace::clock::Clock;
use ringpace::home::{Home, Seq, json};
use ringpace::http::{HeadParser, RequestLimits};
use ringpace::io::clock::MonotonicClock;
use ringpace::pace::arrivals::Arrivals;
use ringpace::pace::recorder::Ending;
use ringpace::units::{Mono, Nanos};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::sync::Barrier;
use std::time::Duration;

/// Twice as many as the machine that this is tuned on has CPUs, and twice again.
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// A server's log.
const LOG_EVENTS: usize = 1 << 16;

/// The time of `iterations` calls of `work` by `threads` together, which begin when all are there. Each
/// is told how many it has made before.
fn side_by_side(threads: usize, iterations: u64, work: impl Fn(u64) + Sync) -> Duration {
    let barrier = Barrier::new(threads);
    let share = iterations.div_ceil(threads as u64);
    let run = || {
        barrier.wait();
        let begin = MonotonicClock.now();
        (0..share).for_each(&work);
        (begin, MonotonicClock.now())
    };
    let spans: Vec<(Mono, Mono)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers.into_iter().map(|worker| worker.join().expect("nothing panics")).collect()
    });
    let begin = spans.iter().map(|(begin, _)| *begin).min().expect("there are threads");
    let end = spans.iter().map(|(_, end)| *end).max().expect("there are threads");
    (end - begin).to_std()
}

fn log(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    for threads in THREADS {
        group.bench_function(BenchmarkId::new("publish", threads), |bencher| {
            let home = Home::new(LOG_EVENTS);
            bencher.iter_custom(|iterations| {
                side_by_side(threads, iterations, |_| {
                    black_box(home.apply(change()));
                })
            });
        });
        group.bench_function(BenchmarkId::new("read", threads), |bencher| {
            let home = Home::new(LOG_EVENTS);
            (0..LOG_EVENTS).for_each(|_| {
                home.apply(change());
            });
            bencher.iter_custom(|iterations| {
                side_by_side(threads, iterations, |k| {
                    black_box(home.first_after(Seq(k % LOG_EVENTS as u64)));
                })
            });
        });
    }
}

fn pace(criterion: &mut Criterion) {
    criterion.bench_function("recorder/one result", |bencher| {
        let (mut recorder, request) = recorder();
        bencher.iter(|| {
            recorder.note_sent(&request, request.intended_at + Nanos(900));
            recorder.note_ended(&request, Ending::Ok, request.intended_at + Nanos::from_micros(15));
        });
    });
    let mut group = criterion.benchmark_group("schedule");
    for (kind, arrivals) in [
        ("constant", Arrivals::Constant),
        ("poisson", Arrivals::Poisson),
        ("burst", burst()),
        ("ramp", ramp()),
    ] {
        group.bench_function(kind, |bencher| {
            let mut arriving = schedule(arrivals.clone());
            bencher.iter(|| match arriving.next() {
                Some(due) => {
                    black_box(due);
                }
                None => arriving = schedule(arrivals.clone()), // one in tens of thousands
            });
        });
    }
}

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    let (home, event, run) = (Home::new(16), event(), finished_run());
    group.bench_function("status", |bencher| bencher.iter(|| json::status(home.snapshot())));
    group.bench_function("command", |bencher| bencher.iter(|| json::command(black_box(event))));
    group.bench_function("event", |bencher| bencher.iter(|| json::event(black_box(event))));
    group.bench_function("timeout", |bencher| bencher.iter(|| json::timeout(black_box(event.seq))));
    group.bench_function("run", |bencher| {
        bencher.iter(|| serde_json::to_string(black_box(&run)).expect("a run is plain values"));
    });
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    let twenty = inputs::twenty();
    for (client, head) in [
        ("pacer", inputs::PACER),
        ("curl", inputs::CURL),
        ("command", inputs::COMMAND),
        ("browser", inputs::BROWSER),
        ("chrome", inputs::CHROME),
        ("twenty", &twenty),
    ] {
        group.bench_function(BenchmarkId::new("ringpace", client), |bencher| {
            let (mut parser, limits) = (HeadParser::default(), RequestLimits::default());
            bencher.iter(|| {
                let parsed = parser.parse(black_box(head.as_bytes()), &limits);
                black_box(&parsed).is_ok()
            });
        });
        group.bench_function(BenchmarkId::new("httparse", client), |bencher| {
            bencher.iter(|| {
                let mut fields = [MaybeUninit::uninit(); 64];
                let mut request = httparse::Request::new(&mut []);
                let head = black_box(head.as_bytes());
                let parsed = request.parse_with_uninit_headers(head, &mut fields);
                black_box(&request);
                parsed.is_ok()
            });
        });
    }
}

/// Chosen: all of them within two minutes; the spread is printed and tells whether that was enough.
fn settings() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
}

criterion_group!(name = times; config = settings(); targets = log, pace, render, parse);
criterion_main!(times);
