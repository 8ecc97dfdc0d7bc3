//! What a status is made to cost, by a clock that moves on as it is read.

use super::*;
use crate::serve::settings::StatusWork;
use std::cell::Cell;

thread_local! {
    /// How often the clock was read; each reading takes a microsecond.
    static READINGS: Cell<u64> = const { Cell::new(0) };
}

fn clock() -> Mono {
    READINGS.set(READINGS.get() + 1);
    Mono(READINGS.get() * 1_000)
}

/// `requests` are answered by `statuses`, and read the clock so often.
#[track_caller]
fn check(work: Nanos, requests: &[&[u8]], statuses: &[u16], readings: u64) {
    READINGS.set(0);
    let work = StatusWork::new(work, clock).expect("it is not too much");
    let mut talk = Talk::with(|settings| settings.status_work = work);
    requests.iter().for_each(|request| talk.receive(request));
    talk.pass(millis(2));
    talk.check(statuses);
    assert_eq!(READINGS.get(), readings);
}

#[test]
fn each_status_is_answered_when_its_work_is_done_and_nothing_else_works() {
    let twenty = Nanos::from_micros(20);
    let twice = [STATUS, STATUS].concat();
    check(twenty, &[STATUS], &[200], 21); // the first reading begins it
    check(twenty, &[STATUS, STATUS], &[200, 200], 42);
    check(twenty, &[&twice], &[200, 200], 42);
    check(twenty, &[COMMAND, CLOSING], &[200, 200], 0);
    check(Nanos::ZERO, &[STATUS], &[200], 0);
}

#[test]
fn more_work_than_anybody_would_wait_for_is_refused() {
    assert!(StatusWork::new(StatusWork::SPAN_MAX, clock).is_ok());
    let refused = StatusWork::new(StatusWork::SPAN_MAX + Nanos(1), clock).unwrap_err();
    assert_eq!(refused, "--status-work 100000001ns is more than 100ms");
}
