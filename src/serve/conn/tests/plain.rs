//! The short way of a plain status, held against the way of all others.

use super::*;

/// What is seen of a connection on which `request` came `times` times in one write, twice.
fn seen_of(request: &[u8], times: usize) -> (Vec<u8>, Mono, String) {
    let mut talk = Talk::new();
    for _ in 0..2 {
        talk.apply();
        talk.receive(&request.repeat(times));
        talk.pass(millis(700));
    }
    let counts = talk.metrics.render(talk.metrics.tally(0));
    (talk.out, talk.conn.timeout(), counts)
}

#[test]
fn the_short_way_of_a_status_comes_to_what_the_long_one_does() {
    for times in [1, 2, 200] {
        // It says what changes nothing, but is not plain.
        let long =
            seen_of(b"GET /devices/status HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", times);
        assert_eq!(seen_of(STATUS, times), long);
        assert!(
            long.2.contains(&format!(r#"path="/devices/status",status="200"}} {}"#, 2 * times))
        );
    }
}
