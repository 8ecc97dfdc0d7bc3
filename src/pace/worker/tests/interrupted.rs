//! Runs that somebody stops: what is kept of them, and what they say of it.

use super::*;

#[test]
fn a_stop_ends_the_schedule_and_keeps_what_was_measured() {
    let sim = Sim::new("1000", Nanos::from_secs(60));
    sim.world.stop_at.set(Some(START + Nanos::from_secs(2)));
    let ran = sim.run(steady(|_| MS));
    assert!((2_000..=2_001).contains(&ran.run.planned), "{}", ran.run.planned);
    assert_eq!(ran.run.ok, ran.run.planned);
    assert!(ran.run.interrupted && ran.run.planned_duration_s == 60.0, "{:?}", ran.run);
    let reasons = ran.run.reasons.join(" ");
    assert_eq!(ran.run.verdict, Verdict::Suspect, "{reasons}");
    assert!(reasons.contains("interrupted after 2.00 s of 60.0 s"), "{reasons}");
    assert!(ran.ended_at < START + Nanos::from_secs(3));
    assert!((ran.run.duration_s - 2.0).abs() < 0.02, "{}", ran.run.duration_s);
    assert!((ran.run.offered_rps - 1_000.0).abs() < 10.0, "{}", ran.run.offered_rps);
}

#[test]
fn what_a_stop_cuts_off_is_unfinished() {
    let sim = Sim::new("1000", Nanos::from_secs(60));
    sim.world.stop_at.set(Some(START + SECOND));
    let ran = sim.run(|_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => Vec::new(),
    });
    assert_eq!((ran.run.ok, ran.run.unfinished), (0, ran.run.planned));
    assert!(ran.ended_at < START + Nanos::from_secs(2));
}

#[test]
fn a_stop_in_the_drain_ends_it() {
    let mut sim = Sim::new("1000", SECOND);
    sim.plan.drain = Some(Nanos::from_secs(60));
    sim.plan.timeout = Nanos::from_secs(60);
    let stop_at = START + SECOND + Nanos::from_millis(300);
    sim.world.stop_at.set(Some(stop_at));
    // Every other request is never answered.
    let mut requests = 0;
    let ran = sim.run(move |_, told| match told {
        Told::Connect => vec![(Nanos::from_micros(30), Act::Connected)],
        Told::Request(_) => {
            requests += 1;
            if requests % 2 == 0 { vec![(MS, Act::Bytes(answer(2)))] } else { Vec::new() }
        }
    });
    assert_eq!((ran.run.planned, ran.run.ok, ran.run.unfinished), (1_000, 500, 500));
    assert!(ran.ended_at < stop_at + NAP_MAX + NAP_MAX, "{:?}", ran.ended_at);
    assert!(ran.run.interrupted && ran.run.duration_s == 1.0, "{:?}", ran.run);
    let reasons = ran.run.reasons.join(" ");
    assert!(reasons.contains("while the last answers were awaited"), "{reasons}");
    // The first was waited for until the end.
    let waited = Nanos(ran.run.response_ns.longest_observed.unwrap());
    assert!(waited >= Nanos::from_millis(1_299), "{waited}");
}

#[test]
fn a_run_that_nobody_stops_is_not_interrupted() {
    let run = Sim::new("1000", SECOND).run(steady(|_| MS)).run;
    assert!(!run.interrupted && run.planned_duration_s == run.duration_s, "{run:?}");
}

#[test]
fn a_stop_while_what_was_never_sent_is_accounted_for_ends_the_schedule_there() {
    let sim = Sim::new("1M", Nanos::from_secs(10));
    let driver = SimDriver::new(&sim.world, sim.mode, steady(|_| MS));
    let clock = SimClock(Rc::clone(&sim.world));
    let mut worker = Worker::new(sim.task(), &sim.plan.mix, "h:80", driver, clock);
    let mut stint = worker.begin(START);
    // It has sent nothing of it, and is stopped only now.
    for _ in 0..OVERRUNS_PER_LOOK / 2 {
        let due = stint.agenda.peek().unwrap();
        worker.pool.handle_overrun(START, &due);
        stint.agenda.advance();
    }
    sim.world.stop.store(true, Ordering::Relaxed);
    let measured = worker.end(stint, &sim.world.stop);
    let recorder = worker.into_recorder();
    assert_eq!(measured, Nanos(OVERRUNS_PER_LOOK / 2 * 1_000));
    assert_eq!(recorder.interrupted, Some(Interruption::Schedule));
    assert_eq!(recorder.total().unfinished, OVERRUNS_PER_LOOK / 2);
}
