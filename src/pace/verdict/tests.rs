use super::*;

/// All requests took `response_us` and were `lateness_us` late.
fn quantiles(p50_us: u64, p99_us: u64) -> Quantiles {
    Quantiles {
        p50: Some(p50_us * 1_000),
        p99: Some(p99_us * 1_000),
        count: 30_000,
        ..Quantiles::default()
    }
}

/// A quiet run of 30 s at 1,000/s against a server that answers in 50 us.
fn quiet() -> Evidence {
    Evidence {
        duration: Nanos::from_secs(30),
        planned_duration: Nanos::from_secs(30),
        interrupted: None,
        sending: Some(Nanos::from_millis(29_999)),
        planned: 30_000,
        ok: 30_000,
        errors: Errors::default(),
        unfinished: 0,
        starved: 0,
        overrun: 0,
        skipped: 0,
        unasked: 0,
        from_the_future: Vec::new(),
        wall_step: None,
        response: quantiles(50, 90),
        undelayed: quantiles(50, 90),
        lateness: quantiles(1, 4),
        lateness_without_stalls: quantiles(1, 3),
        stalls: Stalls {
            count: 3,
            total_ns: 6_000_000,
            max_ns: 4_000_000,
            observed_ns: 30_000_000_000,
            ..Stalls::default()
        },
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Evidence), expected: Verdict, says: &str) {
    let mut evidence = quiet();
    change(&mut evidence);
    let judgement = judge(&evidence);
    assert_eq!(judgement.verdict, expected, "{:?}", judgement.reasons);
    let reasons = judgement.reasons.join(" ");
    assert!(reasons.contains(says), "`{reasons}` does not say `{says}`");
    assert!(!reasons.contains("NaN") && !reasons.contains("inf"), "{reasons}");
    assert_eq!(judgement.reasons.is_empty(), expected == Verdict::Valid);
}

#[test]
fn a_quiet_run_with_a_few_short_stalls_is_valid() {
    check(|_| (), Verdict::Valid, "");
}

#[test]
fn an_answer_from_the_future_and_a_clock_that_was_set_are_suspect_where_answers_say_when() {
    let one = |evidence: &mut Evidence| {
        evidence.from_the_future = vec![(0, Nanos(0)), (3, Nanos::from_millis(7))];
    };
    check(one, Verdict::Suspect, "3 answers say that what they bring was published up to 7.00 ms");
    let set = |evidence: &mut Evidence| evidence.wall_step = Some(Nanos::from_millis(40));
    check(set, Verdict::Valid, "");
    let matters = |evidence: &mut Evidence| {
        set(evidence);
        evidence.from_the_future = vec![(0, Nanos(0))];
    };
    check(matters, Verdict::Suspect, "The wall clock was set by 40.0 ms during the run");
}

#[test]
fn an_interrupted_run_says_when() {
    let schedule = |evidence: &mut Evidence| {
        evidence.interrupted = Some(Interruption::Schedule);
        evidence.duration = Nanos::from_secs(5);
        evidence.sending = Some(Nanos::from_secs(5));
    };
    check(schedule, Verdict::Suspect, "interrupted after 5.00 s of 30.0 s");
    let drain = |evidence: &mut Evidence| evidence.interrupted = Some(Interruption::Drain);
    check(drain, Verdict::Suspect, "interrupted while the last answers were awaited");
    // One that had not begun to be measured says that, too.
    let warm = |evidence: &mut Evidence| {
        *evidence = Evidence { planned: 0, ok: 0, duration: Nanos::ZERO, ..quiet() };
        evidence.interrupted = Some(Interruption::Schedule);
    };
    check(warm, Verdict::Invalid, "interrupted after 0 ns of 30.0 s. No request was due");
}

/// A machine whose hypervisor takes 8 % of the time in pieces of 5 ms or less.
fn noisy(evidence: &mut Evidence) {
    evidence.lateness = quantiles(2, 900);
    evidence.stalls.total_ns = 2_400_000_000;
    evidence.stalls.max_ns = 5_000_000;
    evidence.stalls.requests_overlapping = 3_000;
}

#[test]
fn stalls_that_move_no_headline_figure_leave_a_run_valid() {
    check(noisy, Verdict::Valid, "");
    let short_of = |evidence: &mut Evidence| {
        noisy(evidence);
        evidence.response = quantiles(1_000, 5_000);
        evidence.undelayed = quantiles(900, 4_500);
    };
    check(short_of, Verdict::Valid, "");
    // Below the floor of 10 us a share says nothing.
    check(|evidence| evidence.undelayed = quantiles(40, 80), Verdict::Valid, "");
}

#[test]
fn a_headline_figure_that_may_be_the_pacers_is_suspect() {
    let moved = |response, least| {
        move |evidence: &mut Evidence| {
            noisy(evidence);
            (evidence.response, evidence.undelayed) = (response, least);
        }
    };
    let p99 = moved(quantiles(50, 101), quantiles(50, 90));
    check(p99, Verdict::Suspect, "Of the p99 of 101 us, up to 11.0 us may be");
    let p50 = moved(quantiles(61, 200), quantiles(50, 190));
    check(p50, Verdict::Suspect, "Of the p50 of 61.0 us, up to 11.0 us may be");
    let mut evidence = quiet();
    p99(&mut evidence);
    assert_eq!(judge(&evidence).reasons.len(), 1);
    // What has failed has not been moved.
    let infinite = Quantiles { p99: None, ..quantiles(50, 0) };
    check(moved(infinite, infinite), Verdict::Valid, "");
    // A p99 of fewer than 1,000 requests is no headline.
    let few = |quantiles| Quantiles { count: 999, ..quantiles };
    check(moved(few(quantiles(50, 500)), few(quantiles(50, 90))), Verdict::Valid, "");
}

#[test]
fn a_quarter_of_the_time_in_stalls_is_invalid_whatever_they_moved() {
    let share = |total_ns, observed_ns| {
        move |evidence: &mut Evidence| {
            evidence.stalls.total_ns = total_ns;
            evidence.stalls.observed_ns = observed_ns;
        }
    };
    check(share(251, 1_000), Verdict::Invalid, "25.10 % of the time");
    check(share(250, 1_000), Verdict::Valid, "");
    check(share(1_000, 1_000), Verdict::Invalid, "100.00 % of the time");
}

#[test]
fn skipped_requests_are_the_pacers_fault() {
    check(|evidence| evidence.skipped = 300, Verdict::Suspect, "300 of 30000 requests were not");
    check(|evidence| evidence.skipped = 301, Verdict::Invalid, "skipped them");
}

#[test]
fn requests_the_pacer_did_not_get_to_are_its_fault() {
    check(
        |evidence| evidence.overrun = 300,
        Verdict::Suspect,
        "300 of 30000 requests were not sent: the pacer did not get",
    );
    check(|evidence| evidence.overrun = 301, Verdict::Invalid, "did not get to");
}

#[test]
fn a_pacer_that_was_stopped_for_100_ms_is_not_valid() {
    check(
        |evidence| {
            evidence.stalls.total_ns = 100_000_000;
            evidence.stalls.max_ns = 100_000_000;
        },
        Verdict::Suspect,
        "stood still",
    );
    // In an hour it is no share of the time any more, yet it is somebody's doing.
    check(
        |evidence| {
            evidence.duration = Nanos::from_secs(3_600);
            evidence.stalls.total_ns = 100_000_000;
            evidence.stalls.max_ns = 100_000_000;
        },
        Verdict::Suspect,
        "100 ms",
    );
}

#[test]
fn a_pacer_that_shares_its_cpu_is_invalid() {
    check(
        |evidence| {
            evidence.response = quantiles(2_000, 9_000);
            evidence.lateness = quantiles(1_500, 4_000);
            evidence.stalls.total_ns = 15_000_000_000;
        },
        Verdict::Invalid,
        "the pacer was measured",
    );
}

#[test]
fn lateness_is_held_against_the_p50_but_not_below_a_floor() {
    let late = |evidence: &mut Evidence, p50, p99| {
        evidence.lateness = quantiles(p50, p99);
        evidence.lateness_without_stalls = quantiles(p50, p99);
    };
    check(|evidence| late(evidence, 11, 11), Verdict::Invalid, "11.0 us late");
    check(|evidence| late(evidence, 10, 10), Verdict::Valid, "");
    check(|evidence| late(evidence, 1, 11), Verdict::Suspect, "10.0 us would do");
    check(
        |evidence| {
            evidence.response = quantiles(10_000, 11_000);
            late(evidence, 90, 101);
        },
        Verdict::Suspect,
        "100 us would do",
    );
}

#[test]
fn a_rate_that_was_not_kept_is_invalid() {
    check(
        |evidence| evidence.sending = Some(Nanos::from_secs(31)),
        Verdict::Invalid,
        "It took 31.0 s",
    );
    // What a stall at the end did is judged as a stall.
    let begun_late = Nanos::from_millis(30_310);
    check(|evidence| evidence.sending = Some(begun_late), Verdict::Invalid, "It took 30.3 s");
    check(
        |evidence| {
            evidence.sending = Some(begun_late);
            evidence.stalls.max_ns = 19_000_000;
        },
        Verdict::Valid,
        "",
    );
}

#[test]
fn starved_requests_are_suspect_and_many_are_invalid() {
    check(|evidence| evidence.starved = 300, Verdict::Suspect, "--max-connections");
    check(|evidence| evidence.starved = 301, Verdict::Invalid, "--max-connections");
}

#[test]
fn failures_are_suspect_only_when_they_are_many() {
    let fail = |evidence: &mut Evidence, count| {
        evidence.ok -= count;
        evidence.errors.status = count;
    };
    check(|evidence| fail(evidence, 300), Verdict::Valid, "");
    check(|evidence| fail(evidence, 301), Verdict::Suspect, "301 of 30000 requests failed");
    check(|evidence| evidence.unasked = 1, Verdict::Suspect, "nobody had asked");
}

#[test]
fn nothing_to_report_is_said_in_words() {
    check(
        |evidence| *evidence = Evidence { planned: 0, ok: 0, sending: None, ..quiet() },
        Verdict::Invalid,
        "nothing to report",
    );
    check(
        |evidence| {
            evidence.ok = 0;
            evidence.errors.connect = evidence.planned;
            evidence.response = Quantiles::default();
            evidence.undelayed = Quantiles::default();
            evidence.lateness = Quantiles::default();
            evidence.lateness_without_stalls = Quantiles::default();
        },
        Verdict::Invalid,
        "no latency to report",
    );
    check(
        |evidence| (evidence.planned, evidence.ok) = (999, 999),
        Verdict::Suspect,
        "Only 999 requests",
    );
}
