//! Conversations that meet a limit, or lack the token.

use super::*;
use crate::serve::token::Token;

#[test]
fn answers_that_nobody_takes_are_bounded_by_their_number_too() {
    let mut talk = Talk::with(|settings| settings.quotas.pipeline_max = 3);
    talk.reads = false;
    talk.receive(&STATUS.repeat(10));
    assert!(!talk.wants_bytes());
    talk.check(&[200; 3]);
    talk.read();
    talk.check(&[200; 10]);
    assert!(talk.wants_bytes());
    // What the kernel holds counts until it says so, beside what came meanwhile.
    talk.reads = false;
    talk.receive(STATUS);
    talk.receive(&STATUS.repeat(4));
    assert_eq!((talk.conn.answers, talk.conn.unsent_answers), (2, 1));
}

#[test]
fn a_poll_for_which_there_is_no_room_is_answered_503_and_the_next_request_goes_on() {
    let mut talk = Talk::new();
    talk.may_park = false;
    talk.receive(&[POLL, STATUS].concat());
    talk.check(&[503, 200]);
    let (_, text, keep_alive) = talk.answers()[0].clone();
    assert!(text.starts_with("{\"error\":") && keep_alive, "{text}");
    // An event that is there already needs no room.
    talk.apply();
    talk.receive(b"GET /events/live?since=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.check(&[503, 200, 200]);
}

#[test]
fn without_the_token_nothing_is_done_and_the_connection_stays_in_step() {
    let token = Token::new(b"s3cret").unwrap();
    let mut talk = Talk::with(|settings| settings.token = Some(token));
    let command = b"POST /devices/light/command HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n\
        {\"action\":\"off\"}";
    let with = |value: &str| {
        format!("GET /devices/status HTTP/1.1\r\nHost: h\r\nAuthorization: {value}\r\n\r\n")
    };
    talk.receive(command);
    talk.receive(STATUS);
    talk.receive(b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.receive(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.receive(with("Bearer s3cre").as_bytes());
    talk.receive(with("Basic czNjcmV0").as_bytes());
    talk.receive(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    talk.receive(with("bearer s3cret").as_bytes());
    talk.pass(Nanos::from_millis(10));
    talk.check(&[401, 401, 401, 401, 401, 401, 200, 200]);
    assert_eq!(talk.home.newest(), Seq(0));
    let text = String::from_utf8(talk.out.clone()).unwrap();
    let challenges =
        |challenge: &str| text.matches(&format!("WWW-Authenticate: {challenge}\r\n")).count();
    assert_eq!(challenges(r#"Bearer realm="ringpace""#), 5);
    assert_eq!(challenges(r#"Bearer realm="ringpace", error="invalid_token""#), 1);
    // Instead of leave to send, the answer; then the content may come or not: close.
    talk.receive(
        b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert_eq!(
        talk.answers().last().map(|(status, _, stays)| (*status, *stays)),
        Some((401, false))
    );
    assert!(talk.shut);
}
