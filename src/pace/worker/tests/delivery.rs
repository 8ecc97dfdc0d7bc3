//! Answers that say when what they bring was published, against exact arithmetic.

use super::*;
use crate::units::Wall;

/// One kind of long poll; the server knows by its path when each was due.
fn feed(unit: &str) -> Sim {
    simulated(&format!("kind = 'long_poll'\npublished = {{ key = 'at', unit = '{unit}' }}"))
}

/// The same with other `lines` in its mix.
fn simulated(lines: &str) -> Sim {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.wait = PaceWait::Spin;
    let head = "[[request]]\nname = 'events'\nweight = 1\npath = '/events/{counter}'\n";
    sim.plan.mix = Mix::parse("feed", &(String::from(head) + lines)).unwrap();
    sim
}

/// Answers request `k`, which was due at the second argument, 400 us after it came.
fn answering(content: impl Fn(u64, Mono) -> String) -> impl FnMut(Mono, Told<'_>) -> Acts {
    move |_, told| {
        let Told::Request(bytes) = told else {
            return vec![(Nanos::from_micros(30), Act::Connected)];
        };
        let text = String::from_utf8_lossy(bytes);
        let k: u64 = text.split(['/', ' ']).nth(3).unwrap().parse().unwrap();
        let body = content(k, START + Nanos::from_millis(k));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        vec![(Nanos::from_micros(400), Act::Bytes((head + &body).into_bytes()))]
    }
}

/// What the wall clock shows 250 us after `due_at`.
fn published(due_at: Mono) -> Wall {
    WALL.to_wall(due_at + Nanos::from_micros(250))
}

#[test]
fn delivery_is_from_the_publication_to_the_reading_to_the_nanosecond() {
    let server = answering(|_, due_at| format!("{{\"at\":{}}}", published(due_at).0));
    let run = feed("ns").run(server).run;
    let (response, delivery) = (run.requests[0].response_ns, run.requests[0].delivery_ns.unwrap());
    // done - published is (done - due) - (published - due).
    let later = |ns: Option<u64>| ns.map(|ns| ns - 250_000);
    assert_eq!((delivery.count, delivery.infinite), (1_000, 0));
    assert_eq!(delivery.min, later(response.min));
    assert_eq!(delivery.mean, later(response.mean));
    assert_eq!(delivery.max, later(response.max));
    assert_near("p50", delivery.p50, Nanos(response.p50.unwrap() - 250_000));
    let counts = run.requests[0].published.unwrap();
    assert_eq!((counts.with, counts.without, counts.from_the_future), (1_000, 0, 0));
    assert_eq!(counts.clock_error_ns, WALL.error.0);
    assert_eq!(run.verdict, Verdict::Valid, "{:?}", run.reasons);
}

#[test]
fn a_coarser_unit_makes_the_delivery_longer_by_what_it_cuts_off() {
    let server = answering(|_, due_at| format!("{{\"at\":\"{}\"}}", published(due_at).0 / 1_000));
    let run = feed("us").run(server).run;
    let (response, delivery) = (run.requests[0].response_ns, run.requests[0].delivery_ns.unwrap());
    // Requests are due at whole microseconds of a clock whose distance ends in 789 ns.
    assert_eq!(delivery.mean, response.mean.map(|ns| ns - 250_000 + 789));
}

#[test]
fn every_answer_is_in_one_count_and_what_is_from_the_future_is_a_reason() {
    let ahead = Nanos::from_millis(7);
    let server = answering(move |k, due_at| match k % 5 {
        0 => String::from("{\"seq\":1,\"event\":\"timeout\"}"),
        1 => format!("{{\"at\":{}}}", (published(due_at + ahead)).0),
        _ => format!("{{\"at\":{}}}", published(due_at).0),
    });
    let run = feed("ns").run(server).run;
    let kind = &run.requests[0];
    let counts = kind.published.unwrap();
    assert_eq!((counts.with, counts.without, counts.from_the_future), (600, 200, 200));
    assert_eq!((kind.ok, kind.delivery_ns.unwrap().count), (1_000, 600));
    let soonest = kind.response_ns.min.unwrap() - 250_000;
    assert!(counts.ahead_max_ns <= ahead.0 - soonest, "{counts:?}");
    assert!(counts.ahead_max_ns > ahead.0 - 1_000_000, "{counts:?}");
    assert_eq!(run.verdict, Verdict::Suspect);
    let reasons = run.reasons.join(" ");
    assert!(reasons.contains("200 answers say") && reasons.contains("not ours"), "{reasons}");
}

#[test]
fn what_is_read_is_in_the_hash_and_nothing_of_it_where_there_is_none() {
    let seen = |sim: Sim| {
        let run = sim.run(steady(|_| Nanos::from_micros(50))).run;
        (run.schedule.hash, run.requests[0].published.map(|counts| counts.without))
    };
    let whole = seen(feed("ns"));
    assert_eq!(whole.1, Some(1_000), "its answers are no JSON");
    assert_eq!(whole, seen(feed("ns")));
    assert_ne!(whole.0, seen(feed("us")).0);
    let bare = seen(simulated("kind = 'long_poll'"));
    assert!(bare.0 != whole.0 && bare.1.is_none());
}

#[test]
fn a_request_that_fails_is_in_no_count_of_deliveries() {
    let sim = simulated("expect_bytes = 3\npublished = { key = 'at', unit = 'ns' }");
    let run = sim.run(answering(|_, due_at| format!("{{\"at\":{}}}", published(due_at).0))).run;
    let counts = run.requests[0].published.unwrap();
    assert_eq!((run.ok, run.errors.status), (0, 1_000));
    assert_eq!((counts.with, counts.without, counts.from_the_future), (0, 0, 0));
}

// 10.
#[test]
fn a_step_of_the_wall_clock_moves_nothing_but_deliveries_which_it_makes_suspect() {
    const STEP: u64 = 40_000_000;
    // Set forward or back in the middle of the run, or not.
    for step in [STEP as i64, -(STEP as i64), 0] {
        let at_half = START + Nanos::from_millis(500);
        let server = move || {
            answering(move |_, due_at| {
                let set = if due_at >= at_half { step } else { 0 };
                format!("{{\"at\":{}}}", published(due_at).0.saturating_add_signed(set))
            })
        };
        let run = |mut sim: Sim| {
            sim.wall_then.ns = WALL.ns.saturating_add_signed(step);
            sim.run(server()).run
        };
        let still =
            |sim: Sim| sim.run(answering(|_, at| format!("{{\"at\":{}}}", published(at).0)));
        for lines in ["", "published = { key = 'at', unit = 'ns' }"] {
            let (found, expected) = (run(simulated(lines)), still(simulated(lines)).run);
            assert_eq!(found.response_ns, expected.response_ns, "{step} {lines}");
            assert_eq!(found.service_ns, expected.service_ns, "{step} {lines}");
            assert_eq!(found.lateness_ns, expected.lateness_ns, "{step} {lines}");
            let is_said = found.reasons.join(" ").contains("The wall clock was set by 40.0 ms");
            assert_eq!(is_said, step != 0 && !lines.is_empty(), "{:?}", found.reasons);
            let verdict = if is_said { Verdict::Suspect } else { Verdict::Valid };
            assert_eq!(found.verdict, verdict, "{step} {lines}: {:?}", found.reasons);
        }
    }
}
