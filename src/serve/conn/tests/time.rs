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
