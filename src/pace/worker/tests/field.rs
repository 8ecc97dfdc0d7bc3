//! The tests that the bugs of other load generators suggest, each against its known answer: a
//! simulated kernel and server, hence exact arithmetic. Others are with the pool, the recorder and the
//! deliveries, and on the real binary in `tests/field.rs`.

use super::*;

// 1 and 2.
#[test]
fn latency_neither_falls_as_the_rate_rises_nor_depends_on_the_connections() {
    for rate in ["10", "1000", "20k"] {
        for connections in [1, 8, 64, 512] {
            let mut sim = Sim::new(rate, Nanos::from_millis(300));
            sim.plan.connections = connections;
            let run = sim.run(steady(|_| Nanos::from_millis(5))).run;
            assert_eq!(run.ok, run.planned, "{rate}/s over {connections}");
            assert_near("p50", run.response_ns.p50, Nanos::from_millis(5));
        }
    }
}

// 3. Of 60,000 requests those due in the frozen second wait, evenly, up to 1,010 ms: one in a hundred
// of all longer than 410 ms, one in a thousand longer than 950 ms.
#[test]
fn a_server_that_freezes_shows_the_percentiles_of_arithmetic() {
    let freeze = (START + Nanos::from_secs(20), START + Nanos::from_secs(21));
    let server = steady(move |now| {
        let wait = if now >= freeze.0 { freeze.1.saturating_since(now) } else { Nanos::ZERO };
        wait + Nanos::from_millis(10)
    });
    let mut sim = Sim::new("1000", Nanos::from_secs(60));
    sim.plan.connections_max = 2_000;
    let run = sim.run(server).run;
    assert_eq!((run.planned, run.ok, run.connections.starved), (60_000, 60_000, 0));
    assert_near("p50", run.response_ns.p50, Nanos::from_millis(10));
    assert_near("p99", run.response_ns.p99, Nanos::from_millis(410));
    assert_near("p99.9", run.response_ns.p99_9, Nanos::from_millis(950));
    assert_near("service p50", run.service_ns.p50, Nanos::from_millis(10));
}

// 3, with a tenth of every span: the same quantiles of a tenth of the times.
#[test]
fn a_freeze_has_the_same_percentiles_in_a_shortened_form() {
    let freeze = (START + Nanos::from_secs(2), START + Nanos::from_millis(2_100));
    let server = steady(move |now| {
        let wait = if now >= freeze.0 { freeze.1.saturating_since(now) } else { Nanos::ZERO };
        wait + MS
    });
    let mut sim = Sim::new("1000", Nanos::from_secs(6));
    sim.plan.connections_max = 2_000;
    let run = sim.run(server).run;
    assert_eq!((run.planned, run.ok, run.connections.starved), (6_000, 6_000, 0));
    assert_near("p50", run.response_ns.p50, MS);
    assert_near("p99", run.response_ns.p99, Nanos::from_millis(41));
    assert_near("p99.9", run.response_ns.p99_9, Nanos::from_millis(95));
}

// 4 and 11.
#[test]
fn a_stopped_pacer_says_so_and_then_sends_all_it_owes() {
    let sim = Sim::new("1000", Nanos::from_secs(5));
    let thaw = START + SECOND + Nanos::from_millis(100);
    sim.world.freeze(START + SECOND, Nanos::from_millis(100));
    let ran = sim.run(steady(|_| MS));
    let Ran { run, outcome, log, .. } = &ran;
    assert_eq!(run.ok, 5_000);
    assert_ne!(run.verdict, Verdict::Valid);
    assert!(run.lateness_ns.max > Some(95_000_000), "{:?}", run.lateness_ns);
    assert!(run.stalls.max_ns > 95_000_000, "{:?}", run.stalls);
    // 100 were due while it stood still, the one before was in flight; what follows waits for them
    // to be sent, a few milliseconds in all.
    assert!((95..=110).contains(&run.stalls.requests_overlapping), "{:?}", run.stalls);
    assert!(run.without_stalls.lateness_ns.max < Some(3_000_000), "{:?}", run.without_stalls);
    assert!(
        outcome.recorder.stalls.longest().iter().any(|stall| stall.length > Nanos::from_millis(95))
    );
    let owed = log.borrow().arrivals.iter().filter(|at| **at >= thaw && **at < thaw + MS).count();
    assert!(owed >= 64, "{owed} sent in the millisecond after the stall");
}

#[test]
fn a_server_that_never_answers_the_end_is_in_the_percentiles() {
    let silent_from = START + Nanos::from_secs(8);
    let mut server = steady(|_| MS);
    let run = Sim::new("1000", Nanos::from_secs(10))
        .run(move |now, told| match told {
            Told::Request(_) if now >= silent_from => Vec::new(),
            told => server(now, told),
        })
        .run;
    assert_eq!((run.planned, run.ok), (10_000, 8_000));
    assert_eq!(run.errors.timeout + run.unfinished + run.errors.connect, 2_000);
    assert_eq!((run.response_ns.count, run.response_ns.infinite), (10_000, 2_000));
    assert_eq!(run.response_ns.p90, None);
    assert_near("p50", run.response_ns.p50, MS);
    assert_ne!(run.verdict, Verdict::Valid);
}

#[test]
fn a_run_without_a_request_says_so_without_a_nan() {
    let mut sim = Sim::new("0.1", SECOND);
    sim.plan.warmup = Nanos::from_secs(5);
    let run = sim.run(steady(|_| MS)).run;
    assert_eq!((run.planned, run.verdict), (0, Verdict::Invalid));
    assert!(run.reasons[0].contains("nothing to report"), "{:?}", run.reasons);
    let json = serde_json::to_string(&run).unwrap();
    assert!(!json.contains("NaN") && json.contains("\"p50\":null"), "{json}");
}

#[test]
fn a_run_too_short_for_a_quantile_says_so() {
    let run = Sim::new("100", SECOND).run(steady(|_| MS)).run;
    assert_eq!((run.planned, run.verdict), (100, Verdict::Suspect));
    assert!(run.reasons[0].contains("Only 100 requests"), "{:?}", run.reasons);
}

#[test]
fn awkward_rates_are_sent_to_the_request() {
    for (rate, connections, millis, expected) in [
        ("7", 64, 3_000, 21),
        ("333333", 64, 30, 10_000),
        ("1e6/7", 64, 70, 10_000),
        ("1000", 300, 1_000, 1_000),
    ] {
        let mut sim = Sim::new(rate, Nanos::from_millis(millis));
        sim.plan.connections = connections;
        let ran = sim.run(steady(|_| Nanos::from_micros(50)));
        assert_eq!((ran.run.planned, ran.run.ok), (expected, expected), "{rate}");
        assert_eq!(ran.log.borrow().arrivals.len() as u64, expected, "{rate}");
    }
}

#[test]
fn poisson_gaps_at_the_server_pass_a_kolmogorov_smirnov_test() {
    let mut sim = Sim::new("1000", Nanos::from_secs(20));
    sim.arrive("poisson");
    sim.plan.wait = PaceWait::Spin;
    let ran = sim.run(steady(|_| Nanos::from_micros(50)));
    let mut gaps = gaps(&ran.log.borrow().arrivals);
    gaps.sort_unstable();
    let n = gaps.len() as f64;
    let distance = gaps.iter().enumerate().fold(0.0f64, |worst, (i, gap)| {
        let expected = 1.0 - (-(*gap as f64) / 1e6).exp();
        worst.max((expected - i as f64 / n).abs()).max(((i + 1) as f64 / n - expected).abs())
    });
    // The critical value of the KS statistic at the 1 % level is 1.628 / sqrt(n).
    assert!(distance < 1.628 / n.sqrt(), "distance {distance} over {n} gaps");
}

#[test]
fn constant_gaps_at_the_server_are_as_even_as_the_lateness_says() {
    let mut sim = Sim::new("10k", SECOND);
    sim.plan.wait = PaceWait::Spin;
    let ran = sim.run(steady(|_| Nanos::from_micros(50)));
    let late = ran.run.lateness_ns.max.unwrap();
    for gap in gaps(&ran.log.borrow().arrivals) {
        assert!(gap.abs_diff(100_000) <= late, "a gap of {gap} ns, but lateness below {late} ns");
    }
    assert!(late < 10_000, "{late}");
}

fn gaps(arrivals: &[Mono]) -> Vec<u64> {
    arrivals.windows(2).map(|pair| (pair[1] - pair[0]).0).collect()
}
