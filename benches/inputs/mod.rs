//! What the benches of time and those of instructions are fed alike: heads as real clients send them,
//! and the pieces of server and pacer that have done their work once already.

use ringpace::home::{Change, Device, Event, Seq, Value};
use ringpace::pace::Plan;
use ringpace::pace::arrivals::Arrivals;
use ringpace::pace::outcome::Outcome;
use ringpace::pace::outstanding::{Due, Place, Request};
use ringpace::pace::recorder::{Ending, Recorder};
use ringpace::pace::schedule::{Horizon, Lane, Load, Schedule};
use ringpace::pace::stalls::StallMeter;
use ringpace::results;
use ringpace::stats::timeline::Timeline;
use ringpace::units::{Mono, Nanos, Rate};
use std::num::NonZeroU32;

/// Some point, long after the clock's zero, as on a real host.
pub(crate) const NOW: Mono = Mono(86_400_000_000_000);

/// The pacer, which sends what HTTP/1.1 asks for and no more.
pub(crate) const PACER: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// The same where the kernel chose the port, which then nearly always has five digits.
pub(crate) const FIVE_DIGITS: &str =
    "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:43210\r\n\r\n";

/// curl 8.5.
pub(crate) const CURL: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

/// A command with six fields.
pub(crate) const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\
    User-Agent: curl/8.5.0 (x86_64)\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n";

/// Firefox 128.
pub(crate) const BROWSER: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
    image/png,image/svg+xml,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\n\
    Priority: u=0, i\r\n\r\n";

/// Chrome 126 on Linux, following a link of the same site.
pub(crate) const CHROME: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Not/A)Brand\";v=\"8\", \"Chromium\";v=\"126\", \"Google Chrome\";v=\"126\"\r\n\
    sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
    image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n\
    Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\nReferer: http://127.0.0.1:8080/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n";

/// Twenty fields, nineteen of which mean nothing here, with values of usual lengths.
pub(crate) fn twenty() -> String {
    let mut head = String::from("GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n");
    for k in 1..20 {
        head += &format!("X-Request-Tag-{k}: {}\r\n", "a value, ".repeat(k % 5 + 1));
    }
    head + "\r\n"
}

/// A command.
pub(crate) fn change() -> Change {
    Change::parse(Device::Light, "set", Some(75.0)).expect("75 is a brightness")
}

/// What it may come to.
pub(crate) fn event() -> Event {
    Event { seq: Seq(1_234), device: Device::Light, value: Value(75) }
}

/// A recorder that has recorded one request, and that request.
pub(crate) fn recorder() -> (Box<Recorder>, Request) {
    let horizon = Horizon { warmup: Nanos::ZERO, duration: Nanos::from_secs(60) };
    let recorder =
        Recorder::new(1, StallMeter::new(NOW, NOW)).with_timeline(Timeline::new(horizon.grid(), 1));
    let mut recorder = Box::new(recorder);
    recorder.begin(NOW, StallMeter::new(NOW, NOW));
    let request = Request {
        k: 0,
        kind: 0,
        is_measured: true,
        intended_at: NOW + Nanos::from_millis(1),
        first_byte_at: None,
        published_at: None,
        sent_at: Some(NOW + Nanos::from_millis(1)),
        is_retry: false,
        place: Place::Waiting,
    };
    let Request { k, kind, intended_at, is_measured, .. } = request;
    let offset = Nanos::from_millis(1);
    recorder.note_planned(&Due { k, kind, offset, intended_at, is_measured }, 7);
    recorder.note_ended(&request, Ending::Ok, NOW + Nanos::from_millis(2));
    (recorder, request)
}

/// A schedule of a minute whose first arrival has been taken.
pub(crate) fn schedule(arrivals: Arrivals) -> Schedule {
    let rate = Rate::per_second(1_000).expect("not zero");
    let load = Load { rate, arrivals, seed: 1 };
    let horizon = Horizon { warmup: Nanos::ZERO, duration: Nanos::from_secs(60) };
    let mut schedule = Schedule::new(&load, Lane::WHOLE, horizon);
    schedule.next();
    schedule
}

/// Fifty at once.
pub(crate) fn burst() -> Arrivals {
    Arrivals::Burst { size: NonZeroU32::MIN.saturating_add(49), period: None }
}

/// From the schedule's rate to five times as much.
pub(crate) fn ramp() -> Arrivals {
    let rate = |per_second| Rate::per_second(per_second).expect("not zero");
    Arrivals::Ramp { from: rate(1_000), to: rate(5_000) }
}

/// What a run of one kind of request comes to.
pub(crate) fn finished_run() -> results::Run {
    let url = "http://127.0.0.1:8080/devices/status".parse().expect("a URL");
    let plan = Plan::new(url, Rate::per_second(1_000).expect("not zero"), Nanos(1));
    let (recorder, _) = recorder();
    Outcome::new(&plan, *recorder, NOW, Nanos::from_secs(1)).run
}
