use super::*;
use crate::http::response::ResponseLimits;
use crate::pace::outstanding::{Outstanding, Place, Request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLOSING: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const UNTIL_END: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nok";
const HEAD_ONLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

/// When the connection was established, and when requests are sent: in use, and after it was idle.
const ESTABLISHED: Mono = Mono(100);
const SOON: Mono = Mono(ESTABLISHED.0 + IDLE_RACE.0 - 1);
const AFTER: Mono = Mono(ESTABLISHED.0 + IDLE_RACE.0);

fn ticket() -> Ticket {
    Outstanding::default().push(Request {
        k: 0,
        kind: 0,
        is_measured: true,
        intended_at: AFTER,
        sent_at: None,
        first_byte_at: None,
        published_at: None,
        is_retry: false,
        place: Place::Waiting,
    })
}

fn idle() -> Conn {
    let mut conn = Conn::connecting(ResponseReader::new(ResponseLimits::default()));
    assert_eq!(conn.standing(), Standing::Connecting);
    conn.handle_connected(ESTABLISHED);
    assert_eq!(conn.standing(), Standing::Idle);
    conn
}

fn busy(sent_at: Mono) -> Conn {
    let mut conn = idle();
    conn.begin(ticket(), sent_at, false);
    assert_eq!(conn.standing(), Standing::Busy);
    conn
}

/// What a busy connection is told, what it makes of the last of it, and how it stands then.
#[track_caller]
fn check(told: &[Told], expected: Step, standing: Standing) {
    let mut conn = busy(AFTER);
    let mut step = Step::Continue;
    for told in told {
        assert_eq!(step, Step::Continue, "ended before {told:?}");
        step = match told {
            Told::Bytes(bytes) => conn.handle_bytes(AFTER, bytes),
            Told::End => conn.handle_end(),
            Told::Failed => conn.handle_failed(),
        };
    }
    assert_eq!((step, conn.standing()), (expected, standing));
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Bytes(&'static [u8]),
    End,
    Failed,
}

fn answered() -> Step {
    Step::Answered { ticket: ticket(), status: 200, content_bytes: 2 }
}

fn lost(loss: Loss) -> Step {
    Step::Lost(ticket(), loss)
}

#[test]
fn a_request_is_answered_whole_or_lost() {
    use Told::{Bytes, End, Failed};
    check(&[Bytes(OK)], answered(), Standing::Idle);
    check(&[Bytes(&OK[..9]), Bytes(&OK[9..])], answered(), Standing::Idle);
    check(&[Bytes(CLOSING)], answered(), Standing::Broken);
    check(&[Bytes(UNTIL_END)], Step::Continue, Standing::Busy);
    check(&[Bytes(UNTIL_END), End], answered(), Standing::Broken);
    check(&[Bytes(UNTIL_END), Failed], lost(Loss::Reset), Standing::Broken);
    check(&[Bytes(HEAD_ONLY), End], lost(Loss::Reset), Standing::Broken);
    check(&[Bytes(&OK[..9]), Failed], lost(Loss::Reset), Standing::Broken);
    check(&[Bytes(b"\0")], lost(Loss::Malformed), Standing::Broken);
    check(&[End], lost(Loss::IdleClose), Standing::Broken);
    check(&[Failed], lost(Loss::IdleClose), Standing::Broken);
}

#[test]
fn bytes_beyond_the_answer_spoil_it_and_the_connection() {
    let mut conn = busy(AFTER);
    assert_eq!(conn.handle_bytes(AFTER, &[OK, b"x"].concat()), lost(Loss::Malformed));
    assert_eq!(conn.standing(), Standing::Broken);
}

#[test]
fn an_answer_to_head_has_no_content() {
    let mut conn = idle();
    conn.begin(ticket(), AFTER, true);
    let step = conn.handle_bytes(AFTER, HEAD_ONLY);
    assert_eq!(step, Step::Answered { ticket: ticket(), status: 200, content_bytes: 0 });
}

#[test]
fn a_request_lost_on_a_connection_in_use_is_a_reset() {
    for end in [Conn::handle_end, Conn::handle_failed] {
        assert_eq!(end(&mut busy(SOON)), lost(Loss::Reset));
        assert_eq!(end(&mut busy(AFTER)), lost(Loss::IdleClose));
    }
}

#[test]
fn every_answer_begins_the_idle_time_anew() {
    let mut conn = busy(SOON);
    assert_eq!(conn.handle_bytes(AFTER, OK), answered());
    let at = |idle: Nanos| Mono(AFTER.0 + idle.0);
    let sent_at = at(Nanos(IDLE_RACE.0 - 1));
    conn.begin(ticket(), sent_at, false);
    assert_eq!(conn.handle_end(), lost(Loss::Reset));
    let mut conn = busy(SOON);
    assert_eq!(conn.handle_bytes(AFTER, OK), answered());
    conn.begin(ticket(), at(IDLE_RACE), false);
    assert_eq!(conn.handle_end(), lost(Loss::IdleClose));
}

#[test]
fn what_happens_to_an_idle_connection_concerns_no_request() {
    assert_eq!(idle().handle_bytes(AFTER, OK), Step::Unasked);
    assert_eq!(idle().handle_end(), Step::ClosedIdle);
    assert_eq!(idle().handle_failed(), Step::ClosedIdle);
    let mut conn = Conn::connecting(ResponseReader::new(ResponseLimits::default()));
    assert_eq!(conn.handle_failed(), Step::ConnectFailed);
    assert_eq!(conn.handle_bytes(AFTER, OK), Step::Continue);
    assert_eq!(conn.standing(), Standing::Broken);
}

#[test]
fn an_answer_before_the_request_is_sent_keeps_the_connection_busy() {
    let mut conn = busy(AFTER);
    conn.handle_pending();
    assert_eq!(conn.handle_bytes(AFTER, OK), answered());
    assert_eq!(conn.standing(), Standing::Busy);
    conn.handle_sent();
    assert_eq!(conn.standing(), Standing::Idle);
}

#[test]
fn the_first_byte_is_that_of_the_final_status_line() {
    let pieces: [(u64, &[u8]); 6] = [
        (200, b"HTTP/1.1 100 Continue\r\n"),
        (210, b"\r\n"),
        (220, b"HTTP/1.1 103 Early Hints\r\n\r\nH"),
        (230, b"TTP/1.1 200 OK\r\n"),
        (240, b"Content-Length: 2\r\nServer-Timing: db;dur=1\r\n\r\no"),
        (250, b"k"),
    ];
    let mut conn = busy(AFTER);
    for (at, bytes) in pieces {
        conn.handle_bytes(Mono(at), bytes);
    }
    assert_eq!((conn.standing(), conn.first_byte_at()), (Standing::Idle, Some(Mono(220))));
    assert_eq!(conn.server_timing().unwrap().spans()[0].span.0, 1_000_000);
    conn.begin(ticket(), AFTER, false);
    assert_eq!((conn.first_byte_at(), conn.server_timing()), (None, None));
    conn.handle_bytes(Mono(300), OK);
    assert_eq!((conn.first_byte_at(), conn.server_timing()), (Some(Mono(300)), None));
}
