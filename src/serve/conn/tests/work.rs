//! What a status is made to cost, by a clock that moves on as it is read.

use super::*;
use crate::serve::settings::StatusWork;

/// `requests` are answered by `statuses`, and read the clock so often; each reading takes a microsecond.
#[track_caller]
fn check(work: Nanos, requests: &[&[u8]], statuses: &[u16], readings: u64) {
    let work = StatusWork::new(work).expect("it is not too much");
    let mut talk = Talk::with(|settings| settings.status_work = work);
    talk.clock.per_reading = Nanos::from_micros(1);
    requests.iter().for_each(|request| talk.receive(request));
    talk.pass(millis(3));
    talk.check(statuses);
    assert_eq!(talk.clock.readings.get(), readings);
}

#[test]
fn each_status_is_answered_when_its_work_is_done_and_nothing_else_works() {
    let twenty = Nanos::from_micros(20);
    let twice = [STATUS, STATUS].concat();
    check(twenty, &[STATUS], &[200], 21); // the first reading begins it
    check(twenty, &[STATUS, STATUS], &[200, 200], 42);
    check(twenty, &[&twice], &[200, 200], 42);
    check(twenty, &[COMMAND, CLOSING], &[200, 200], 1); // when the device begins
    check(Nanos::ZERO, &[STATUS], &[200], 0);
}

#[test]
fn more_work_than_anybody_would_wait_for_is_refused() {
    assert!(StatusWork::new(StatusWork::SPAN_MAX).is_ok());
    let refused = StatusWork::new(StatusWork::SPAN_MAX + Nanos(1)).unwrap_err();
    assert_eq!(refused, "--status-work 100000001ns is more than 100ms");
}
