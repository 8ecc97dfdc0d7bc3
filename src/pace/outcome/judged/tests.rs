use super::*;
use crate::pace::outstanding::{Due, Request};
use crate::pace::recorder::Ending;
use crate::pace::schedule::Horizon;
use crate::pace::stalls::StallMeter;
use crate::units::Mono;

const SECOND: Nanos = Nanos::from_secs(1);

/// A second of warm-up and four that are measured, of a request each millisecond.
fn run_of(response_at: impl Fn(Nanos) -> Nanos) -> Recorder {
    let horizon = Horizon { warmup: SECOND, duration: Nanos::from_secs(4) };
    let start = Mono(77);
    let mut recorder = Recorder::new(1, StallMeter::new(start, start))
        .with_timeline(Timeline::new(horizon.grid(), 1));
    recorder.begin(start, StallMeter::new(start, start));
    for k in 0..5_000 {
        let offset = Nanos::from_millis(k);
        let intended_at = start + offset;
        let due = Due { k, kind: 0, offset, intended_at, is_measured: offset >= SECOND };
        recorder.note_planned(&due, 1);
        let request = Request { sent_at: Some(intended_at), ..Request::due(&due) };
        recorder.note_ended(&request, Ending::Ok, intended_at + response_at(offset));
    }
    recorder
}

#[test]
fn an_interval_holds_its_figure_and_says_what_it_is_worth() {
    // Times that go round in 97 steps, the same in every tenth of a second.
    let recorder = run_of(|offset| Nanos(100_000 + offset.0 / 1_000_000 * 37 % 97 * 1_000));
    let response = &recorder.kinds()[0].response;
    for found in [intervals(&recorder, None, response), intervals(&recorder, Some(0), response)] {
        let p50 = found.p50.unwrap();
        assert!(p50.low < p50.high && p50.low >= Some(140_000), "{p50:?}");
        assert!(p50.high <= Some(156_000) && p50.effective > 1_000.0, "{p50:?}");
        assert!(p50.block_s >= 4.0 / 256.0 && found.confidence == 0.95, "{found:?}");
        // 4,000 requests do not carry a p99.9.
        assert!(found.p99.is_some() && found.p99_9.is_none(), "{found:?}");
    }
}

#[test]
fn without_a_timeline_nothing_is_claimed() {
    let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
    assert_eq!(intervals(&recorder, None, &Histogram::new()), QuantileIntervals::default());
    assert_eq!(steadiness(&recorder, SECOND), None);
}

#[test]
fn steadiness_is_said_in_words() {
    let slow_until = |until: Nanos| {
        let recorder = run_of(|offset| Nanos(if offset < until { 300_000 } else { 100_000 }));
        steadiness(&recorder, Nanos::from_secs(4)).unwrap()
    };
    let found = slow_until(Nanos::ZERO);
    assert_eq!((found.steady, found.after_s, found.warmup_s), (true, Some(0.0), 1.0));
    assert!(found.says.starts_with("steady after 0 ns"), "{}", found.says);
    let found = slow_until(Nanos::from_millis(500));
    assert!(found.steady && found.after_s.unwrap() > 0.4, "{found:?}");
    let found = slow_until(Nanos::from_millis(1_800));
    assert!(!found.steady && found.says.contains("% higher than after"), "{found:?}");
    assert!(found.says.contains("the warm-up of 1.00 s is too short"), "{found:?}");
}

#[test]
fn a_run_that_was_stopped_is_judged_by_what_there_is() {
    let recorder =
        run_of(|offset| Nanos(if offset < Nanos::from_secs(3) { 100_000 } else { 300_000 }));
    assert!(steadiness(&recorder, SECOND).unwrap().steady);
    assert!(!steadiness(&recorder, Nanos::from_secs(4)).unwrap().steady);
    assert!(steadiness(&recorder, Nanos::ZERO).is_none());
}
