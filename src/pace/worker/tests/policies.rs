//! What the pacer does when it was held up, whatever the arrivals; and what becomes of what is left.

use super::*;

/// A run of 3 s at 1,000/s that is stopped from 1.0 s to 1.2 s.
fn held_up(catch_up: &str) -> Ran {
    let mut sim = Sim::new("1000", Nanos::from_secs(3));
    sim.plan.wait = PaceWait::Spin;
    sim.plan.catch_up = catch_up.parse().unwrap();
    sim.world.freeze(START + SECOND, Nanos::from_millis(200));
    sim.run(steady(|_| Nanos::from_micros(50)))
}

/// Requests that arrived at the server within `from..until` milliseconds of the start.
fn arrived(ran: &Ran, from: u64, until: u64) -> usize {
    let (from, until) = (START + Nanos::from_millis(from), START + Nanos::from_millis(until));
    ran.log.borrow().arrivals.iter().filter(|at| (from..until).contains(at)).count()
}

#[test]
fn all_sends_at_once_what_is_owed() {
    let ran = held_up("all");
    assert_eq!((ran.run.ok, ran.run.skipped), (3_000, 0));
    assert!(arrived(&ran, 1_200, 1_205) >= 200, "{}", arrived(&ran, 1_200, 1_205));
}

#[test]
fn a_cap_sends_at_most_so_many_times_the_rate_until_it_is_on_time() {
    for (policy, per_100_ms, until) in [("cap:2", 200, 1_400), ("cap:1.5", 150, 1_600)] {
        let ran = held_up(policy);
        assert_eq!((ran.run.planned, ran.run.ok), (3_000, 3_000), "{policy}");
        for from in (1_200..until).step_by(100) {
            let count = arrived(&ran, from, from + 100);
            assert!(count.abs_diff(per_100_ms) <= 1, "{policy}: {count} from {from} ms on");
        }
        let after = arrived(&ran, until, until + 100);
        assert!(after.abs_diff(100) <= 1, "{policy}: {after} once it has caught up");
        assert_ne!(ran.run.verdict, Verdict::Valid, "{policy}");
    }
}

#[test]
fn skip_counts_what_is_overdue_and_sends_the_rest_on_time() {
    let ran = held_up("skip:50ms");
    // Due at 1,000 to 1,149 ms, and overdue by more than 50 ms at 1,200 ms.
    assert!(ran.run.skipped.abs_diff(150) <= 1, "{}", ran.run.skipped);
    assert_eq!(ran.run.ok + ran.run.skipped, 3_000);
    assert_eq!(ran.log.borrow().arrivals.len() as u64, ran.run.ok);
    assert_eq!(ran.run.requests[0].skipped, ran.run.skipped);
    // Nobody knows what they would have taken.
    assert_eq!((ran.run.response_ns.infinite, ran.run.response_ns.count), (ran.run.skipped, 3_000));
    assert_eq!(ran.run.response_ns.p99, None);
    assert_eq!(ran.run.verdict, Verdict::Invalid);
    assert!(ran.run.reasons.join(" ").contains("skipped them"), "{:?}", ran.run.reasons);
}

#[test]
fn a_policy_does_nothing_while_nothing_is_overdue() {
    let mut hashes = Vec::new();
    for policy in ["all", "cap:2", "skip:500us"] {
        for arrivals in ["constant", "poisson", "burst:20/20ms"] {
            let mut sim = Sim::new("1000", SECOND);
            sim.arrive(arrivals);
            sim.plan.catch_up = policy.parse().unwrap();
            let ran = sim.run(steady(|_| Nanos::from_micros(50)));
            assert_eq!((ran.run.ok, ran.run.skipped), (ran.run.planned, 0), "{policy} {arrivals}");
            hashes.push((arrivals, ran.run.schedule.hash));
        }
    }
    assert!(hashes.iter().all(|one| hashes[..3].contains(one)), "{hashes:?}");
}

#[test]
fn bursts_ramps_and_steps_reach_the_server_as_planned() {
    for (arrivals, first_half, second_half) in [
        ("burst:50/100ms", 250, 250),
        ("ramp:1000..3000", 750, 1_250),
        ("steps:1000,4000@500ms", 500, 2_000),
    ] {
        let mut sim = Sim::new("1", SECOND);
        sim.arrive(arrivals);
        let ran = sim.run(steady(|_| Nanos::from_micros(50)));
        assert_eq!(ran.run.planned, first_half + second_half, "{arrivals}");
        assert_eq!(ran.run.schedule.arrivals, arrivals);
        let seen = [arrived(&ran, 0, 500), arrived(&ran, 500, 1_001)];
        for (seen, expected) in seen.into_iter().zip([first_half, second_half]) {
            assert!((seen as u64).abs_diff(expected) <= 1, "{arrivals}: {seen}, not {expected}");
        }
    }
}

#[test]
fn the_drain_window_ends_when_it_is_said_to() {
    for (drain, ok) in [(50, 0), (150, 100)] {
        let mut sim = Sim::new("1000", Nanos::from_millis(100));
        sim.plan.drain = Some(Nanos::from_millis(drain));
        // All answers come at 240 ms.
        let answer_at = START + Nanos::from_millis(240);
        let run = sim.run(steady(move |now| answer_at.saturating_since(now))).run;
        assert_eq!((run.ok, run.unfinished), (ok, 100 - ok), "a drain of {drain} ms");
        assert_eq!(run.host["pacer"]["drain_s"], drain as f64 / 1e3);
    }
}

const FEED: &str = r#"
[[request]]
name = "command"
weight = 1
method = "POST"
path = "/command/{counter}"
body = '{"value":{range:0-100}}'
capture = { since = "json:seq" }

[[request]]
name = "events"
weight = 1
path = "/events?since={since=0}"
kind = "long_poll"
"#;

/// Answers a command with the next seq in 50 us, and a poll after 400 ms, keeping every request.
fn feed(seen: Rc<RefCell<Vec<String>>>) -> impl FnMut(Mono, Told<'_>) -> Acts {
    let mut seq = 0;
    move |_, told| {
        let Told::Request(bytes) = told else {
            return vec![(Nanos::from_micros(30), Act::Connected)];
        };
        seen.borrow_mut().push(String::from_utf8(bytes.to_vec()).unwrap());
        if bytes.starts_with(b"GET") {
            return vec![(Nanos::from_millis(400), Act::Bytes(answer(2)))];
        }
        seq += 1;
        let body = format!("{{\"seq\":{seq}}}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        vec![(Nanos::from_micros(50), Act::Bytes((head + &body).into_bytes()))]
    }
}

#[test]
fn a_captured_value_is_in_the_next_request() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.mix = Mix::parse("feed", FEED).unwrap();
    let seen = Rc::default();
    let run = sim.run(feed(Rc::clone(&seen))).run;
    assert_eq!(run.ok, 1_000);
    let mut commands = 0;
    for (k, text) in seen.borrow().iter().enumerate() {
        if text.starts_with("POST") {
            commands += 1;
            assert!(text.starts_with(&format!("POST /command/{k} HTTP/1.1\r\n")), "{text}");
        } else {
            // Every command before it was confirmed 950 us ago.
            assert!(text.starts_with(&format!("GET /events?since={commands} ")), "{text}");
        }
    }
    assert!((400..600).contains(&commands), "{commands}");
}

#[test]
fn long_polls_are_kept_out_of_the_overall_latency_and_shown_on_their_own() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.mix = Mix::parse("feed", FEED).unwrap();
    sim.plan.wait = PaceWait::Spin;
    let run = sim.run(feed(Rc::default())).run;
    let [command, events] = run.requests.as_slice() else { panic!("{:?}", run.requests) };
    assert_eq!((command.long_poll, events.long_poll), (false, true));
    assert_eq!(run.response_ns, command.response_ns);
    assert_eq!(run.service_ns, command.service_ns);
    assert!(run.response_ns.max < Some(1_000_000), "{:?}", run.response_ns);
    assert_near("the polls' p50", events.response_ns.p50, Nanos::from_millis(400));
    assert_eq!(run.planned, command.planned + events.planned);
}

#[test]
fn an_answer_without_what_it_should_hold_is_not_as_expected() {
    let mut sim = Sim::new("1000", Nanos::from_millis(100));
    sim.plan.mix = Mix::parse("feed", &FEED.replace("json:seq", "json:id")).unwrap();
    let run = sim.run(feed(Rc::default())).run;
    assert_eq!(run.errors.status, run.requests[0].planned);
    assert_eq!(run.requests[0].errors.status, run.requests[0].planned);
}

#[test]
fn threads_render_the_same_requests_between_them() {
    let mut all = Vec::new();
    for threads in [1, 3] {
        let mut sim = Sim::new("1000", Nanos::from_millis(200));
        let without_capture = FEED.replace("{since=0}", "0");
        sim.plan.mix = Mix::parse("feed", &without_capture).unwrap();
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        for index in 0..threads {
            let world = World::at(DAWN);
            let driver = SimDriver::new(&world, SendMode::Direct, feed(Rc::clone(&seen)));
            let task = Task { lane: Lane { index, of: threads }, ..sim.task() };
            let clock = SimClock(Rc::clone(&world));
            let mut worker = Worker::new(task, &sim.plan.mix, "h", driver, clock);
            worker.establish(&world.stop).unwrap();
            worker.pace(START, &world.stop).unwrap();
        }
        let mut seen = seen.take();
        seen.sort();
        all.push(seen);
    }
    assert_eq!(all[0].len(), 200);
    assert_eq!(all[0], all[1]);
}
