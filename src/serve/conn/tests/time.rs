//! From when a time counts, and to when.

use super::*;

#[test]
fn a_device_and_a_poll_have_their_time_from_when_they_begin_not_from_when_their_batch_was_read() {
    for (request, span) in [(COMMAND, millis(2)), (POLL, millis(500))] {
        let mut talk = Talk::new();
        talk.clock.by = millis(50); // what came before it in the batch has taken so long
        talk.receive(request);
        talk.pass(Nanos((millis(50) + span).0 - 1));
        talk.check(&[]);
        talk.pass(Nanos(1));
        talk.check(&[200]);
    }
}

/// What polls were told, in order, beside the confirmations of commands.
#[track_caller]
fn check_polls(talk: &Talk, expected: &[&str]) {
    let answers = talk.answers();
    let told: Vec<&str> =
        answers.iter().map(|answer| answer.1.as_str()).filter(|text| text.len() == 60).collect();
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told:?} instead of {expected:?}");
    }
}

#[test]
fn a_poll_without_since_gets_what_came_after_its_arrival_whatever_it_waited_behind() {
    for device_latency in [Nanos::ZERO, millis(2)] {
        let mut talk = Talk::with(|settings| settings.device_latency = device_latency);
        talk.apply();
        talk.receive(&[COMMAND, POLL].concat());
        talk.pass(millis(2));
        check_polls(&talk, &["{\"seq\":2,\"device\":\"light\""]);
    }
}

#[test]
fn of_requests_that_wait_the_first_says_since_when_and_later_ones_miss_nothing() {
    let mut talk = Talk::new();
    talk.receive(&[COMMAND, COMMAND, POLL].concat());
    talk.pass(millis(3)); // the first command is done, and the second begun
    talk.receive(&POLL_SINCE_1[..20]);
    talk.pass(millis(1));
    talk.receive(&POLL_SINCE_1[20..]);
    check_polls(&talk, &["{\"seq\":1,\"device\"", "{\"seq\":2,\"device\""]);
}

#[test]
fn a_poll_without_since_gets_nothing_that_came_before_it() {
    let mut talk = Talk::new();
    talk.receive(&[COMMAND, COMMAND].concat());
    talk.pass(millis(4));
    talk.receive(&POLL[..9]);
    talk.apply();
    talk.receive(&POLL[9..]);
    check_polls(&talk, &[]);
    talk.pass(millis(500));
    check_polls(&talk, &["{\"seq\":3,\"event\":\"timeout\""]);
}

#[test]
fn an_idle_connection_ends_without_a_word_by_a_fin_and_then_a_close() {
    for bytes in [b"".as_slice(), b"\r\n"] {
        let mut talk = Talk::new();
        talk.receive(bytes);
        talk.pass(Nanos(talk.settings.idle_timeout.0 - 1));
        assert!(!talk.shut);
        talk.pass(Nanos(1));
        assert!(talk.shut && !talk.closed);
        // One request too late: it is dropped, and its sender is told so by the FIN.
        talk.receive(STATUS);
        talk.pass(Nanos(talk.settings.drain_grace.0 - 1));
        assert!(!talk.closed);
        talk.pass(Nanos(1));
        assert!(talk.closed);
        assert_eq!(talk.out, b"");
    }
}

#[test]
fn an_idle_connection_whose_peer_closes_too_is_held_no_longer() {
    let mut talk = Talk::new();
    talk.pass(talk.settings.idle_timeout);
    assert!(talk.shut && !talk.closed);
    talk.end();
    assert!(talk.closed);
}
