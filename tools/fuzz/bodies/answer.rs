//! The pacer's side: an answer is read alike however it is cut, nothing of a malformed one counts, and
//! every request ends exactly once, whatever the server sends.

use super::{pieces, split_choice};
use ringpace::http::response::{ResponseDone, ResponseLimits, ResponseReader};
use ringpace::pace::conn::{Conn, Standing, Step};
use ringpace::pace::outstanding::{Due, Outstanding, Request};
use ringpace::units::{Mono, Nanos};

pub(crate) fn run(input: &[u8]) {
    let Some(([choice, seed], stream)) = split_choice(input) else { return };
    let (tight, to_head) = (choice % 2 == 1, choice & 2 != 0);
    let limits = match tight {
        true => ResponseLimits { head_bytes_max: 120, body_bytes_max: 50, capture_bytes_max: 10 },
        false => ResponseLimits::default(),
    };
    let whole = read([stream].into_iter(), limits, to_head);
    let cut = read(pieces(stream, seed).into_iter(), limits, to_head);
    assert_eq!(cut, whole, "a split matters");
    hold(pieces(stream, seed), limits, to_head);
}

/// How a response ended, how much it took, and what was kept of it.
type Outcome = (Result<ResponseDone, String>, usize, Vec<u8>);

fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    limits: ResponseLimits,
    to_head: bool,
) -> Outcome {
    let mut reader = ResponseReader::new(limits);
    reader.start(to_head);
    let mut taken = 0;
    for piece in pieces {
        match reader.read(piece) {
            Ok(read) => {
                taken += read.consumed;
                if let Some(done) = read.done {
                    assert!(!reader.is_reading());
                    return (Ok(done), taken, reader.captured().to_vec());
                }
                assert_eq!(read.consumed, piece.len(), "not done, and octets are left");
            }
            Err(malformed) => {
                assert_eq!(reader.read(b"HTTP/1.1 200 OK\r\n\r\n"), Err(malformed), "not final");
                return (Err(format!("{malformed:?}")), 0, Vec::new());
            }
        }
    }
    let end = reader.handle_eof().map_err(|truncated| format!("{truncated:?}"));
    (end, taken, reader.captured().to_vec())
}

/// Asks again and again on one connection, as long as it is of use.
fn hold(pieces: Vec<&[u8]>, limits: ResponseLimits, to_head: bool) {
    let mut outstanding = Outstanding::default();
    let mut conn = Conn::connecting(ResponseReader::new(limits));
    conn.handle_connected(Mono(1));
    let (mut asked, mut ended) = (0, 0);
    for piece in pieces {
        if conn.standing() == Standing::Idle {
            let due = Due {
                k: asked,
                kind: 0,
                offset: Nanos(asked),
                intended_at: Mono(asked),
                is_measured: true,
            };
            let ticket = outstanding.push(Request::due(&due));
            conn.begin(ticket, Mono(asked), to_head);
            asked += 1;
        }
        let step = conn.handle_bytes(Mono(asked), piece);
        ended += ends(&mut outstanding, step, conn.standing());
    }
    let step = conn.handle_end();
    ended += ends(&mut outstanding, step, conn.standing());
    assert_eq!(conn.standing(), Standing::Broken, "the server has gone");
    assert!(outstanding.is_empty() && ended == asked, "{asked} asked, {ended} ended");
}

/// How many requests the step has ended: none or one, and that for the first time.
fn ends(outstanding: &mut Outstanding, step: Step, standing: Standing) -> u64 {
    match step {
        Step::Answered { ticket, status, .. } => {
            assert!((200..600).contains(&status), "{status} is no final answer");
            assert!(outstanding.remove(ticket).is_some(), "answered twice");
            1
        }
        Step::Lost(ticket, _) => {
            assert_eq!(standing, Standing::Broken, "lost, and the connection goes on");
            assert!(outstanding.remove(ticket).is_some(), "lost twice");
            1
        }
        Step::Continue | Step::ConnectFailed | Step::ClosedIdle | Step::Unasked => 0,
    }
}
