//! What the hot paths of server and pacer cost in user space, in instructions, kernel aside.
//!
//! `cargo bench --bench paths`; see `benches/parser.rs` for what that needs. Each group has a
//! section below. A bench that takes something apart has done the same once before it is counted,
//! so that buffers are there, as they are in a server that has run for a while.
#![allow(missing_docs, clippy::exit)] // the exit is in `main!`

#[allow(dead_code)] // what the other benches are fed
mod inputs;

use gungraun::{library_benchmark, library_benchmark_group, main};
use inputs::{NOW, burst, change, event, finished_run, ramp, recorder, schedule};
use ringpace::clock::FakeClock;
use ringpace::home::{Change, Event, Home, Seq, json};
use ringpace::http::response::{ResponseLimits, ResponseReader};
use ringpace::http::{HttpDate, ResponseHead};
use ringpace::pace::arrivals::Arrivals;
use ringpace::pace::outstanding::Request;
use ringpace::pace::recorder::{Ending, Recorder};
use ringpace::pace::schedule::Schedule;
use ringpace::results;
use ringpace::serve::floor::{Floor, Shared};
use ringpace::serve::metrics::Metrics;
use ringpace::serve::settings::Settings;
use ringpace::slab::Key;
use ringpace::timer::wheel::{TimerKey, Wheel};
use ringpace::units::{Mono, Nanos};
use std::hint::black_box;
use std::sync::Arc;

const STATUS: &[u8] = inputs::PACER.as_bytes();
const PIPELINED: usize = 16;
const COMMAND: &[u8] = b"POST /devices/light/command HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\r\n\
    {\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}";

// serve: one request through a core, from the driver's event to the driver's send.

struct Core {
    floor: Floor,
    id: Key,
    now: Mono,
    request: Vec<u8>,
    /// What the driver has for the floor in exchange for a buffer that it sends.
    buffer: Vec<u8>,
}

/// A core that has answered two requests on its one connection already.
fn core(request: &[u8]) -> Box<Core> {
    let shared = Shared {
        home: Arc::new(Home::new(1 << 10)),
        settings: Arc::new(Settings { device_latency: Nanos::ZERO, ..Settings::default() }),
        metrics: Metrics::new(["0".to_string()]),
        admitted: Arc::default(),
    };
    let mut floor = Floor::new(Box::new(FakeClock::at(NOW)), 1_700_000_000, 0, shared);
    let id = Key { slot: 0, generation: 1 };
    floor.accept(NOW, id);
    let mut core =
        Box::new(Core { floor, id, now: NOW, request: request.to_vec(), buffer: Vec::new() });
    for _ in 0..2 {
        core.first_pass();
        core.second_pass();
    }
    core
}

impl Core {
    #[inline(always)]
    fn first_pass(&mut self) {
        self.floor.receive(self.now, self.id, &self.request);
    }

    /// As the worker's, with a driver that sends at once.
    #[inline(always)]
    fn second_pass(&mut self) {
        while let Some(id) = self.floor.next_dirty() {
            while let Some(mut bytes) = self.floor.take_output(self.now, id) {
                black_box(&bytes);
                bytes.clear();
                self.floor.give_buffer(std::mem::replace(&mut self.buffer, bytes));
                self.floor.sent(self.now, id);
            }
            black_box(self.floor.close_wish(id));
            black_box(self.floor.pause_change(id));
            self.floor.finish(id);
        }
    }
}

// Until the answer is in the outbox.
#[library_benchmark(setup = core)]
#[bench::status(STATUS)]
#[bench::statuses_16(&STATUS.repeat(PIPELINED))]
#[bench::command_without_latency(COMMAND)]
fn answer(mut core: Box<Core>) -> Box<Core> {
    core.first_pass();
    core
}

// Until the connection waits for the next one.
#[library_benchmark(setup = core)]
#[bench::status(STATUS)]
#[bench::command_without_latency(COMMAND)]
fn answer_and_send(mut core: Box<Core>) -> Box<Core> {
    core.first_pass();
    core.second_pass();
    core
}

library_benchmark_group!(name = serve; benchmarks = answer, answer_and_send);

// http and home: what answers are made of.

fn response() -> (HttpDate, Vec<u8>) {
    (HttpDate::from_unix_secs(1_700_000_000), Vec::with_capacity(1_024))
}

#[library_benchmark]
#[bench::status(response())]
fn encode_response((date, mut out): (HttpDate, Vec<u8>)) -> Vec<u8> {
    ResponseHead::json(200, &date).encode(black_box(&[b' '; 120]), true, &mut out);
    out
}

#[library_benchmark]
#[bench::initial(Home::new(16))]
fn render_status(home: Home) -> (Home, [u8; json::STATUS_BYTES]) {
    let rendered = json::status(home.snapshot());
    (home, rendered)
}

#[library_benchmark]
#[bench::light(event())]
fn render_command(event: Event) -> [u8; json::COMMAND_BYTES] {
    json::command(event)
}

#[library_benchmark]
#[bench::light(event())]
fn render_event(event: Event) -> [u8; json::EVENT_BYTES] {
    json::event(event)
}

fn home() -> (Box<Home>, Change) {
    let home = Box::new(Home::new(1 << 10));
    home.apply(change());
    (home, change())
}

#[library_benchmark]
#[bench::of_one_core(home())]
fn publish_and_read((home, change): (Box<Home>, Change)) -> Box<Home> {
    let event = home.apply(change);
    black_box(home.first_after(Seq(event.seq.0 - 1)));
    home
}

library_benchmark_group!(
    name = answers;
    benchmarks = encode_response, render_status, render_command, render_event, publish_and_read
);

// timer: one timer beside so many others.

/// A wheel in which so many timers are pending, spread over a minute, none due for a second.
fn wheel(pending: u64) -> Box<Wheel<u64>> {
    let mut wheel = Box::new(Wheel::new(NOW));
    let gap = Nanos::from_secs(59).0 / pending;
    for k in 0..pending {
        wheel.arm(NOW + Nanos(Nanos::from_secs(1).0 + k * gap), k);
    }
    let key = wheel.arm(NOW + Nanos::from_millis(1), 7);
    wheel.cancel(key);
    wheel.advance(NOW + Nanos::from_millis(1), |_| {});
    wheel
}

#[library_benchmark(setup = wheel)]
#[bench::beside_10(10)]
#[bench::beside_10k(10_000)]
#[bench::beside_100k(100_000)]
fn arm_and_cancel(mut wheel: Box<Wheel<u64>>) -> Box<Wheel<u64>> {
    let key: TimerKey = wheel.arm(NOW + Nanos::from_millis(500), 7);
    black_box(wheel.cancel(key));
    wheel
}

#[library_benchmark(setup = wheel)]
#[bench::beside_10(10)]
#[bench::beside_10k(10_000)]
#[bench::beside_100k(100_000)]
fn arm_and_expire(mut wheel: Box<Wheel<u64>>) -> Box<Wheel<u64>> {
    wheel.arm(NOW + Nanos::from_millis(3), 7);
    wheel.advance(NOW + Nanos::from_millis(3), |value| {
        black_box(value);
    });
    wheel
}

library_benchmark_group!(name = timer; benchmarks = arm_and_cancel, arm_and_expire);

// pace: what stands between the pacer and its next send.

/// A reader and the answer to a status request, which it has read once.
fn reader() -> (Box<ResponseReader>, Vec<u8>) {
    let date = HttpDate::from_unix_secs(1_700_000_000);
    let mut answer = Vec::new();
    ResponseHead::json(200, &date).encode(&[b' '; 120], true, &mut answer);
    let mut reader = Box::new(ResponseReader::new(ResponseLimits::default()));
    reader.start(false);
    assert!(reader.read(&answer).is_ok_and(|read| read.done.is_some()));
    (reader, answer)
}

#[library_benchmark]
#[bench::status(reader())]
fn read_response(
    (mut reader, answer): (Box<ResponseReader>, Vec<u8>),
) -> (Box<ResponseReader>, Vec<u8>) {
    reader.start(false);
    assert!(black_box(reader.read(&answer)).is_ok());
    (reader, answer)
}

#[library_benchmark]
#[bench::ok(recorder())]
fn record((mut recorder, request): (Box<Recorder>, Request)) -> Box<Recorder> {
    recorder.note_sent(&request, request.intended_at + Nanos(900));
    recorder.note_ended(&request, Ending::Ok, request.intended_at + Nanos::from_micros(15));
    recorder
}

#[library_benchmark(setup = schedule)]
#[bench::constant(Arrivals::Constant)]
#[bench::poisson(Arrivals::Poisson)]
#[bench::burst(burst())]
#[bench::ramp(ramp())]
fn schedule_next(mut schedule: Schedule) -> Schedule {
    black_box(schedule.next());
    schedule
}

#[library_benchmark]
#[bench::of_one_kind(finished_run())]
fn render_run(finished: results::Run) -> (results::Run, String) {
    let json = serde_json::to_string(&finished).expect("a run is plain values");
    (finished, json)
}

library_benchmark_group!(
    name = pace;
    benchmarks = read_response, record, schedule_next, render_run
);

main!(library_benchmark_groups = serve, answers, timer, pace);
