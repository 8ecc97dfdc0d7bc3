mod delivery;
mod duet;
mod establish;
mod field;
mod interrupted;
mod policies;
#[path = "sim.rs"]
mod sim;

use super::*;
use crate::pace::arrivals::ArrivalsTyped;
use crate::pace::outcome::Outcome;
use crate::pace::plan::Plan;
use crate::results::{Run, Verdict};
use crate::rng::Rng;
use crate::units::Rate;
use sim::{Act, Acts, Log, SendMode, SimClock, SimDriver, Told, World, answer, steady};
use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;

mod error;

const SECOND: Nanos = Nanos::from_secs(1);
const MS: Nanos = Nanos::from_millis(1);

/// The start of a simulation's time; the load starts soon after.
const DAWN: Mono = Mono(1_000_000_000);

/// How far the wall clock is ahead.
const WALL: WallOffset = WallOffset { ns: 1_764_000_000_123_456_789, error: Nanos(40) };

/// When the load starts, so that tests can place events in it: connecting takes less.
const START: Mono = Mono(1_100_000_000);

/// One simulated run.
struct Sim {
    plan: Plan,
    world: Rc<World>,
    mode: SendMode,
    /// How far the wall clock is ahead at the end.
    wall_then: WallOffset,
}

/// What came of it.
struct Ran {
    run: Run,
    outcome: Outcome,
    ended_at: Mono,
    log: Rc<RefCell<Log>>,
}

impl Sim {
    fn new(rate: &str, duration: Nanos) -> Sim {
        let rate: Rate = rate.parse().unwrap();
        let mut plan = Plan::new("http://127.0.0.1:80/".parse().unwrap(), rate, duration);
        plan.wait = PaceWait::Hybrid;
        Sim { plan, world: World::at(DAWN), mode: SendMode::Direct, wall_then: WALL }
    }

    /// Lets requests be due as typed.
    fn arrive(&mut self, typed: &str) {
        let Ok(ArrivalsTyped::Whole(arrivals)) = typed.parse() else { panic!("{typed}") };
        let rate = if arrivals.rate().is_some() { None } else { Some(self.plan.load.rate) };
        self.plan.load = Load::new(arrivals, rate, self.plan.load.seed).unwrap();
    }

    fn task(&self) -> Task {
        Task {
            to: SocketAddr::from(([127, 0, 0, 1], 80)).into(),
            load: self.plan.load.clone(),
            lane: Lane::WHOLE,
            horizon: self.plan.horizon(),
            drain: self.plan.drain(),
            connections: self.plan.connections,
            limits: Limits {
                connections_max: self.plan.connections_max,
                timeout: self.plan.timeout,
            },
            wait: self.plan.wait,
            catch_up: self.plan.catch_up,
            wall: WALL,
        }
    }

    fn run(&self, server: impl FnMut(Mono, Told<'_>) -> Acts + 'static) -> Ran {
        let driver = SimDriver::new(&self.world, self.mode, server);
        let log = Rc::clone(&driver.log);
        let clock = SimClock(Rc::clone(&self.world));
        let mut worker = Worker::new(self.task(), &self.plan.mix, "h:80", driver, clock);
        worker.establish(&self.world.stop).unwrap();
        assert!(worker.clock.now() < START, "establishing took too long for the test");
        let measured = worker.pace(START, &self.world.stop).unwrap();
        let ended_at = worker.clock.now();
        let mut recorder = worker.into_recorder();
        recorder.wall_step = WALL.step_until(self.wall_then);
        let outcome = Outcome::new(&self.plan, recorder, START + self.plan.warmup, measured);
        let run = outcome.run.clone();
        assert_no_hang(&self.plan, ended_at);
        Ran { run, outcome, ended_at, log }
    }

    fn establish(&self, server: impl FnMut(Mono, Told<'_>) -> Acts + 'static) -> EstablishError {
        let driver = SimDriver::new(&self.world, self.mode, server);
        let clock = SimClock(Rc::clone(&self.world));
        let mut worker = Worker::new(self.task(), &self.plan.mix, "h:80", driver, clock);
        let error = worker.establish(&self.world.stop).unwrap_err();
        let took = worker.clock.now() - DAWN;
        assert!(took <= self.plan.timeout.max(PATIENCE_MIN) + NAP_MAX, "took {took}");
        error
    }
}

fn assert_no_hang(plan: &Plan, ended_at: Mono) {
    let deadline = START + plan.horizon().end() + plan.drain() + SECOND;
    assert!(ended_at <= deadline, "still running at {ended_at:?}");
}

#[track_caller]
fn assert_near(what: &str, actual: Option<u64>, expected: Nanos) {
    let actual = actual.unwrap_or(u64::MAX);
    let difference = actual.abs_diff(expected.0);
    assert!(difference <= expected.0 / 100, "{what} is {}, not {expected}", Nanos(actual));
}

#[test]
fn a_spinning_pacer_is_late_by_less_than_a_call() {
    let mut sim = Sim::new("10k", Nanos::from_millis(200));
    sim.plan.wait = PaceWait::Spin;
    let run = sim.run(steady(|_| Nanos::from_micros(50))).run;
    assert_eq!(run.ok, 2_000);
    // Now and then an answer is being handled when a request falls due.
    assert!(run.lateness_ns.p50 < Some(500), "{:?}", run.lateness_ns);
    assert!(run.lateness_ns.max < Some(7_000), "{:?}", run.lateness_ns);
    // Sending, reaping and handling cost a call each in the simulation.
    assert!((50_000..58_000).contains(&run.response_ns.p50.unwrap()), "{:?}", run.response_ns);
    assert_eq!((run.verdict, run.reasons.as_slice()), (Verdict::Valid, [].as_slice()));
}

#[test]
fn a_driver_that_batches_loses_no_send() {
    let mut sim = Sim::new("10k", Nanos::from_millis(200));
    sim.plan.wait = PaceWait::Spin;
    sim.mode = SendMode::Batched;
    let run = sim.run(steady(|_| Nanos::from_micros(50))).run;
    assert_eq!(run.ok, 2_000);
    assert!(run.response_ns.max < Some(70_000), "{:?}", run.response_ns);
}

#[test]
fn the_warm_up_is_sent_but_not_counted() {
    let warm_at = START + SECOND;
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.warmup = SECOND;
    let ran = sim.run(steady(move |now| if now < warm_at { Nanos(9 * MS.0) } else { MS }));
    assert_eq!((ran.run.planned, ran.run.ok), (1_000, 1_000));
    assert_eq!(ran.log.borrow().arrivals.len(), 2_000);
    assert_near("max", ran.run.response_ns.max, MS);
}

#[test]
fn the_warm_up_is_in_no_count_of_connections() {
    let warm_until = START + SECOND;
    for (idle_end, more) in [(Act::Fin, false), (Act::Bytes(b"more".to_vec()), true)] {
        let mut sim = Sim::new("100", SECOND);
        sim.plan.warmup = SECOND;
        // In the warm-up ten requests are in flight at once, and connections end once they are idle.
        let ran = sim.run(move |now, told| match told {
            Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
            Told::Request(_) if now < warm_until => {
                let answered = (Nanos::from_millis(95), Act::Bytes(answer(2)));
                vec![answered, (Nanos::from_millis(96), idle_end.clone())]
            }
            Told::Request(_) => vec![(MS, Act::Bytes(answer(2)))],
        });
        let counts = ran.outcome.recorder.connections;
        // Those that were in flight when the warm-up ended are answered, and end, within 100 ms.
        assert!((9..=11).contains(&counts.peak_in_flight), "{counts:?}");
        let ended = if more { counts.unasked } else { counts.closed_idle };
        assert!((9..=11).contains(&ended), "{counts:?}");
        assert!(counts.opened > 64 + 30, "of the whole run: {counts:?}");
    }
}

#[test]
fn no_request_waits_for_a_busy_connection_while_more_are_allowed() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.connections = 1;
    let ran = sim.run(steady(|_| Nanos::from_millis(200)));
    assert_eq!((ran.run.ok, ran.run.connections.starved), (1_000, 0));
    // What a late request waited for is a connect of some 50 us.
    assert!(ran.run.lateness_ns.max < Some(1_000_000), "{:?}", ran.run.lateness_ns);
    assert!((200..=203).contains(&ran.run.connections.opened), "{:?}", ran.run.connections);
    assert_eq!(ran.run.connections.opened as usize, ran.log.borrow().open_max);
}

#[test]
fn starved_requests_queue_with_their_intended_time_kept() {
    let mut sim = Sim::new("1000", Nanos::from_millis(100));
    (sim.plan.connections, sim.plan.connections_max) = (4, 4);
    let ran = sim.run(steady(|_| Nanos::from_millis(8)));
    // Four connections serve 500/s: the last of 100 requests is due at 99 ms and sent at 192 ms.
    assert_eq!(ran.run.ok, 100);
    assert_near("max", ran.run.response_ns.max, Nanos::from_millis(104));
    assert_near("service max", ran.run.service_ns.max, Nanos::from_millis(8));
    assert!(ran.run.connections.starved > 80, "{:?}", ran.run.connections);
    assert_eq!((ran.run.verdict, ran.log.borrow().open_max), (Verdict::Invalid, 4));
}

#[test]
fn requests_that_starve_until_their_deadline_time_out() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.timeout = Nanos::from_millis(100);
    (sim.plan.connections, sim.plan.connections_max) = (1, 1);
    let ran = sim.run(steady(|_| Nanos::from_millis(10)));
    assert_eq!(ran.run.planned, 1_000);
    assert_eq!(ran.run.errors.timeout, 1_000 - ran.run.ok, "{:?}", ran.run.errors);
}

#[test]
fn a_server_that_dies_is_outlived() {
    let dies_at = START + SECOND;
    let mut sim = Sim::new("1000", Nanos::from_secs(3));
    sim.plan.timeout = Nanos::from_millis(500);
    let ran = sim.run(move |now, told| match told {
        Told::Connect if now >= dies_at => vec![(Nanos::from_micros(20), Act::Refuse)],
        Told::Connect => {
            let life = dies_at.saturating_since(now);
            vec![(Nanos::from_micros(30), Act::Connected), (life, Act::Reset)]
        }
        Told::Request(_) => vec![(MS, Act::Bytes(answer(2)))],
    });
    let run = ran.run;
    assert!((998..=1_001).contains(&run.ok), "{}", run.ok);
    assert!(run.errors.connect > 1_900, "{:?}", run.errors);
    // Refused attempts back off: the schedule is not starved by a storm of them.
    let refused = ran.outcome.recorder.connections.refused;
    assert!((5..200).contains(&refused), "{refused}");
}

#[test]
fn a_drip_dies_at_the_deadline_of_the_whole_request() {
    let mut sim = Sim::new("100", SECOND);
    sim.plan.timeout = Nanos::from_millis(50);
    let ran = sim.run(move |_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => {
            let drip = |(i, byte)| (Nanos(5 * MS.0 * i as u64), Act::Bytes(vec![byte]));
            answer(100).into_iter().enumerate().map(drip).collect()
        }
    });
    assert_eq!((ran.run.ok, ran.run.errors.timeout), (0, 100));
    assert_eq!(ran.run.verdict, Verdict::Invalid);
    // Each timed-out connection is dropped; those that are left are the idle ones.
    assert!(ran.run.connections.peak_in_flight <= 6, "{:?}", ran.run.connections);
}

#[test]
fn bytes_beyond_an_answer_are_malformed_and_matched_to_nothing() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.connections = 4;
    let ran = sim.run(move |_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => vec![(MS, Act::Bytes([answer(2), answer(2)].concat()))],
    });
    assert_eq!((ran.run.ok, ran.run.errors.malformed), (0, 1_000));
    // The same, but the second answer comes a moment later: its connection is dropped.
    let ran = sim.run_again().run(move |_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => {
            let half = Nanos(MS.0 / 2);
            vec![(half, Act::Bytes(answer(2))), (half + Nanos(50_000), Act::Bytes(answer(2)))]
        }
    });
    // The run ends with the last answers, before what comes behind them.
    assert_eq!(ran.run.ok, 1_000);
    assert!(ran.outcome.recorder.connections.unasked > 990);
    // Whether the waits for new connections make it worse than suspect is not the point here.
    assert_ne!(ran.run.verdict, Verdict::Valid);
}

impl Sim {
    /// The same plan in a new world.
    fn run_again(&self) -> Sim {
        Sim { plan: self.plan.clone(), world: World::at(DAWN), ..*self }
    }
}

#[test]
fn connection_close_counts_and_is_replaced() {
    let closing = || b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    let ran = Sim::new("1000", SECOND).run(move |_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => vec![(MS, Act::Bytes(closing())), (MS, Act::Fin)],
    });
    assert_eq!(ran.run.ok, 1_000);
    assert!(ran.run.connections.opened >= 1_000, "{:?}", ran.run.connections);
}

#[test]
fn a_server_that_loses_every_other_request_shows_its_resets() {
    for method in ["GET", "POST"] {
        let mut sim = Sim::new("100", SECOND);
        sim.plan.mix = one_request(method);
        // All stand before the start and are idle when a request is due, but not for long.
        (sim.plan.connections, sim.plan.connections_max) = (20, 300);
        let mut requests = 0;
        let ran = sim.run(ending_some(move |_, _| {
            requests += 1;
            requests % 2 == 1
        }));
        assert_eq!((ran.run.ok, ran.run.errors.reset), (50, 50), "{method}");
        assert_eq!(ran.outcome.recorder.connections.retried, 0, "{method}");
        // Nothing is sent twice, so what is sent is on the grid.
        assert_eq!(ran.log.borrow().arrivals.len(), 100, "{method}");
    }
}

#[test]
fn a_close_after_long_idleness_is_retried_once_for_a_get_and_not_for_a_post() {
    for (method, ok, reset, retried) in [("GET", 100, 0, 50), ("POST", 50, 50, 0)] {
        let mut sim = Sim::new("1", Nanos::from_secs(3));
        sim.arrive("burst:50/1500ms");
        sim.plan.mix = one_request(method);
        (sim.plan.connections, sim.plan.connections_max) = (100, 200);
        let mut seen = HashSet::new();
        let ran = sim.run(ending_some(move |now, request| {
            // The second burst finds connections that have just been closed.
            seen.insert(request.to_vec()) && now > START + SECOND
        }));
        assert_eq!((ran.run.ok, ran.run.errors.reset), (ok, reset), "{method}");
        assert_eq!(ran.run.connections.retried, retried, "{method}");
    }
}

fn one_request(method: &str) -> Mix {
    let text = format!("[[request]]\nname='a'\nweight=1\npath='/{{counter}}'\nmethod='{method}'");
    Mix::parse("m", &text).unwrap()
}

/// A request that `is_ended` is answered by a FIN alone: as if its connection had just been closed.
fn ending_some(
    mut is_ended: impl FnMut(Mono, &[u8]) -> bool,
) -> impl FnMut(Mono, Told<'_>) -> Acts {
    move |now, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(bytes) if is_ended(now, bytes) => vec![(Nanos::from_micros(20), Act::Fin)],
        Told::Request(_) => vec![(MS, Act::Bytes(answer(2)))],
    }
}

#[test]
fn every_planned_request_ends_in_one_count_whatever_the_server_does() {
    for seed in 0..200 {
        let mut sim = Sim::new("500", Nanos::from_millis(400));
        sim.plan.load.seed = seed;
        sim.arrive(["constant", "poisson", "burst:20"][(seed % 3) as usize]);
        sim.plan.catch_up = ["all", "cap:2", "skip"][(seed / 3 % 3) as usize].parse().unwrap();
        sim.plan.mix = Mix::parse("article", ARTICLE).unwrap();
        sim.plan.timeout = Nanos::from_millis(100);
        (sim.plan.connections, sim.plan.connections_max) = (4, 4 + (seed % 40) as usize);
        sim.mode = if seed % 2 == 0 { SendMode::Direct } else { SendMode::Batched };
        let good = Rc::new(RefCell::new(0));
        let ran = sim.run(faulty(seed, Rc::clone(&good)));
        let run = ran.run;
        let ended = run.ok + run.errors.total() + run.unfinished + run.skipped;
        assert_eq!(run.planned, ended, "seed {seed}");
        assert!(run.ok <= *good.borrow(), "seed {seed}: more answers than the server gave");
        assert!(run.ok > 0 && run.errors.total() > 0, "seed {seed}: {:?}", run.errors);
        assert_eq!(run.response_ns.infinite, run.planned - run.ok, "seed {seed}");
        // Nobody was waited for longer than the timeout, which is noticed a little later.
        assert!(run.response_ns.longest_observed <= Some(115_000_000), "seed {seed}");
        let log = ran.log.borrow();
        // A connection that is broken no longer counts, but stays open until there is slack to
        // close it.
        assert!(log.open_max <= sim.plan.connections_max + CONNECTIONS_CLOSING, "seed {seed}");
    }
}

const CONNECTIONS_CLOSING: usize = 44;

const ARTICLE: &str = include_str!("../../../bench-configs/mixes/article.toml");

/// A server that misbehaves in every way there is; `good` counts the answers that are right.
fn faulty(seed: u64, good: Rc<RefCell<u64>>) -> impl FnMut(Mono, Told<'_>) -> Acts {
    let mut rng = Rng::new(seed ^ 0xFA17);
    let mut connects = 0;
    move |_, told| {
        let soon = Nanos(rng.below(3 * MS.0));
        let Told::Request(bytes) = told else {
            connects += 1;
            let fate = rng.below(10);
            return match fate {
                _ if connects <= 4 => vec![(Nanos(30_000), Act::Connected)],
                0 => vec![(soon, Act::Refuse)],
                1 => Vec::new(),
                2 => vec![(soon, Act::Connected), (soon, Act::Reset)],
                3 => vec![(soon, Act::Connected), (soon + soon, Act::Fin)],
                _ => vec![(soon, Act::Connected)],
            };
        };
        let content_bytes = match bytes {
            [b'P', ..] => 80,
            _ if bytes.starts_with(b"GET /devices") => 120,
            _ => 60,
        };
        let whole = answer(content_bytes);
        let half = whole[..whole.len() / 2].to_vec();
        match rng.below(30) {
            0 => Vec::new(),
            1 => vec![(soon, Act::Reset)],
            2 => vec![(soon, Act::Fin)],
            3 => vec![(soon, Act::Bytes(half)), (soon, Act::Fin)],
            4 => vec![(soon, Act::Bytes(half)), (soon, Act::Reset)],
            5 => vec![(soon, Act::Bytes(half))],
            6 => vec![(soon, Act::Bytes(b"\x16\x03\x01 what?\r\n\r\n".to_vec()))],
            7 => vec![(soon, Act::Bytes([whole.as_slice(), b"x"].concat()))],
            8 => vec![(soon, Act::Bytes(answer(content_bytes + 1)))],
            9 => vec![(soon, Act::Bytes(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec()))],
            10 => {
                let drip = |(i, byte)| (Nanos(3 * MS.0 * i as u64), Act::Bytes(vec![byte]));
                whole.into_iter().enumerate().map(drip).collect()
            }
            11 => vec![(Nanos::from_millis(150), Act::Bytes(whole))],
            choice => {
                *good.borrow_mut() += 1;
                let mut acts = vec![(soon, Act::Bytes(whole))];
                match choice {
                    12 => acts.push((soon, Act::Fin)),
                    13 => acts.push((soon + MS, Act::Reset)),
                    14 => acts.push((soon + MS, Act::Bytes(b"more".to_vec()))),
                    _ => {}
                }
                acts
            }
        }
    }
}

#[test]
fn threads_send_the_same_schedule_between_them() {
    let mut hashes = Vec::new();
    for threads in [1, 2, 3] {
        let mut sim = Sim::new("1e6/7", Nanos::from_millis(50));
        sim.plan.mix = Mix::parse("article", ARTICLE).unwrap();
        let mut merged: Option<Recorder> = None;
        for index in 0..threads {
            let world = World::at(DAWN);
            let driver = SimDriver::new(&world, SendMode::Direct, steady(|_| MS));
            let task = Task { lane: Lane { index, of: threads }, ..sim.task() };
            let clock = SimClock(Rc::clone(&world));
            let mut worker = Worker::new(task, &sim.plan.mix, "h", driver, clock);
            worker.establish(&world.stop).unwrap();
            worker.pace(START, &world.stop).unwrap();
            let recorder = worker.into_recorder();
            match &mut merged {
                None => merged = Some(recorder),
                Some(all) => all.merge(&recorder),
            }
        }
        let recorder = merged.unwrap();
        let outcome = Outcome::new(&sim.plan, recorder, START, sim.plan.duration);
        let planned: Vec<u64> = outcome.run.requests.iter().map(|kind| kind.planned).collect();
        hashes.push((outcome.run.schedule.hash, planned));
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_eq!(hashes[0], hashes[2]);
}

#[test]
fn a_request_that_waits_while_connections_come_and_go_times_out() {
    // Every connection dies over its first request, and there may be but one.
    let mut sim = Sim::new("1000", Nanos::from_millis(300));
    (sim.plan.connections, sim.plan.connections_max) = (1, 1);
    sim.plan.timeout = Nanos::from_millis(50);
    let server = |_: Mono, told: Told<'_>| match told {
        Told::Connect => vec![(Nanos::from_millis(3), Act::Connected)],
        Told::Request(_) => vec![(Nanos::from_millis(10), Act::Bytes(b"no HTTP\r\n\r\n".to_vec()))],
    };
    let run = sim.run(server).run;
    assert!(run.errors.malformed > 0 && run.errors.timeout > 0, "{:?}", run.errors);
    assert_eq!(run.errors.connect, 0, "{:?}", run.errors);
}

#[test]
fn what_a_stopped_pacer_never_got_to_is_planned_and_unfinished() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.timeout = Nanos::from_millis(100);
    sim.world.freeze(START + Nanos::from_millis(500), Nanos::from_millis(700));
    let run = sim.run(steady(|_| MS)).run;
    assert_eq!((run.planned, run.offered_rps), (1_000, 1_000.0));
    assert!(run.unfinished >= 400, "{run:?}");
    assert_eq!(run.verdict, Verdict::Invalid);
    assert!(run.reasons.join(" ").contains("did not get to"), "{:?}", run.reasons);
}
