//! What servers do wrong, and what the pacer is to make of it.

use super::rogue::Behaviour::{
    self, BacklogFull, Does, NeverAccepts, Says, SaysAndCloses, VanishesAfter,
};
use super::rogue::{GOOD, Peer};
use std::io;
use std::time::Duration;

/// One way to misbehave.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) behaviour: Behaviour,
    pub(super) outcome: Outcome,
}

/// What the run comes to. On a machine that is busy with other things any request may time out;
/// every other kind of failure has to be listed.
pub(super) enum Outcome {
    /// At least half of the requests are answered as expected, and none fails.
    Good,
    /// No request is answered as expected; the first kind of failure does occur.
    Bad(&'static [&'static str]),
    /// Some are, and the first kind of failure does occur.
    Mixed(&'static [&'static str]),
    /// Some are answered; failures may occur.
    Fair(&'static [&'static str]),
    /// Anything but a panic and a lost request.
    Any(&'static [&'static str]),
    /// The connections never stand, so that there is no run; or too short for it, and then all is
    /// as in `Bad`, but for the first kind.
    NoStart(&'static [&'static str]),
}

use Outcome::{Any, Bad, Fair, Good, Mixed, NoStart};

const fn case(name: &'static str, behaviour: Behaviour, outcome: Outcome) -> Case {
    Case { name, behaviour, outcome }
}

/// The pacer's timeout in these tests is 300 ms.
const LATE: Duration = Duration::from_millis(450);
const SHORT: Duration = Duration::from_millis(5);

pub(super) const CASES: &[Case] = &[
    // Nothing comes, or too late.
    case("never answers", Does(Peer::hold), Bad(&["timeout"])),
    case("never reads", Does(never_reads), Bad(&["timeout"])),
    case("never accepts", NeverAccepts, Bad(&["timeout"])),
    case("has a full backlog", BacklogFull, NoStart(&["connect"])),
    case("answers late", Does(answers_late), Bad(&["timeout"])),
    case("drips", Does(drips), Bad(&["timeout"])),
    case("drips interim answers", Does(drips_interim), Bad(&["timeout"])),
    case("falls silent", Does(falls_silent), Mixed(&["timeout"])),
    case("is silent on one connection", Does(silent_on_one), Mixed(&["timeout"])),
    case("stalls once", Does(stalls_once), Good),
    // There is no end to it.
    case("endless head", Does(endless_head), Bad(&["malformed"])),
    case("endless line", Does(endless_line), Bad(&["malformed"])),
    case("endless interim answers", Does(endless_interim), Bad(&["malformed"])),
    case("endless content", Does(endless_content), Bad(&["timeout", "malformed"])),
    case("endless chunks", Does(endless_chunks), Bad(&["timeout", "malformed"])),
    case(
        "more content than anybody takes",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    // The connection ends too early.
    case(
        "cut content",
        SaysAndCloses(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"),
        Bad(&["reset"]),
    ),
    case("cut head", SaysAndCloses(b"HTTP/1.1 200 OK\r\nContent-Le"), Bad(&["reset"])),
    case(
        "cut chunk",
        SaysAndCloses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"),
        Bad(&["reset"]),
    ),
    case(
        "no last chunk",
        SaysAndCloses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
        Bad(&["reset"]),
    ),
    case("closes instead of an answer", SaysAndCloses(b""), Bad(&["reset", "connect"])),
    case("resets instead of an answer", Does(resets_after_request), Bad(&["reset", "connect"])),
    case("resets in the content", Does(resets_in_content), Bad(&["reset", "connect"])),
    case("resets at accept", Does(Peer::reset), NoStart(&["reset", "connect"])),
    case("closes at accept", Does(|_| Ok(())), NoStart(&["reset", "connect"])),
    case("says FIN first", Does(ends_first), NoStart(&["reset", "connect"])),
    case("answers the head and resets", Does(answers_head), Fair(&["reset"])),
    case("answers every other", Does(answers_every_other), Mixed(&["reset"])),
    // There is more than was asked for.
    case(
        "bytes behind the answer",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!"),
        Bad(&["malformed"]),
    ),
    case(
        "two answers",
        Says(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
              HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        Bad(&["malformed"]),
    ),
    case("bytes a while after the answer", Does(says_more_later), Fair(&["malformed"])),
    // Whether the answer was there before the request, a client cannot always know.
    case("answers unasked", Does(answers_unasked), Any(&["malformed", "reset", "connect"])),
    // The framing is false.
    case(
        "two lengths",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    case(
        "one length twice",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    case(
        "a signed length",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    case(
        "length and encoding",
        Says(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n\
              2\r\nok\r\n0\r\n\r\n",
        ),
        Bad(&["malformed"]),
    ),
    case(
        "a bad chunk size",
        Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n"),
        Bad(&["malformed"]),
    ),
    case(
        "a chunk that is too long",
        Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n"),
        Bad(&["malformed"]),
    ),
    case(
        "an encoding unknown",
        Says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        Bad(&["malformed"]),
    ),
    // The head is no head.
    case("garbage", Says(b"\x16\x03\x01 this is no HTTP\r\n\r\n"), Bad(&["malformed"])),
    case("HTTP/2", Says(b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), Bad(&["malformed"])),
    case(
        "a NUL",
        Says(b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    case("bare LF", Says(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"), Bad(&["malformed"])),
    case(
        "status 999",
        Says(b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok"),
        Bad(&["malformed"]),
    ),
    case(
        "switches protocols",
        Says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        Bad(&["malformed"]),
    ),
    // It is HTTP, and not what was expected.
    case("503", Says(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok"), Bad(&["status"])),
    case(
        "503 and a close",
        SaysAndCloses(b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        Bad(&["status"]),
    ),
    case("201", Says(b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok"), Bad(&["status"])),
    case("204", Says(b"HTTP/1.1 204 Nothing\r\n\r\n"), Bad(&["status"])),
    case(
        "another size",
        Says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok!"),
        Bad(&["status"]),
    ),
    case("503 for every other", Does(refuses_every_other), Mixed(&["status"])),
    // It looks odd, and is sound.
    case("until the close", SaysAndCloses(b"HTTP/1.1 200 OK\r\n\r\nok"), Good),
    case(
        "closes and says so",
        SaysAndCloses(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        Good,
    ),
    case(
        "says it closes and does not",
        Says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        Good,
    ),
    case("closes without a word", SaysAndCloses(GOOD), Fair(&["reset", "connect"])),
    case("HTTP/1.0", SaysAndCloses(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), Good),
    case(
        "HTTP/1.0 kept alive",
        Says(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
        Good,
    ),
    case(
        "chunks, extensions and trailers",
        Says(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              1;a=b\r\no\r\n1\r\nk\r\n0\r\nX: y\r\n\r\n",
        ),
        Good,
    ),
    case(
        "two interim answers",
        Says(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
              HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        Good,
    ),
    case("byte by byte", Does(byte_by_byte), Good),
    // It goes away.
    case("vanishes", VanishesAfter(20, None), Mixed(&["connect", "reset"])),
    case(
        "vanishes and comes back",
        VanishesAfter(20, Some(Duration::from_millis(60))),
        Fair(&["reset", "connect"]),
    ),
];

fn never_reads(peer: &mut Peer) -> io::Result<()> {
    peer.hold_unread(Duration::from_secs(5));
    Ok(())
}

fn answers_late(peer: &mut Peer) -> io::Result<()> {
    peer.for_each(|peer| {
        peer.pause(LATE);
        peer.answer(GOOD)
    })
}

fn drips(peer: &mut Peer) -> io::Result<()> {
    peer.for_each(|peer| peer.drip(GOOD, Duration::from_millis(20)))
}

fn drips_interim(peer: &mut Peer) -> io::Result<()> {
    peer.for_each(|peer| {
        loop {
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")?;
            peer.pause(Duration::from_millis(100));
        }
    })
}

fn falls_silent(peer: &mut Peer) -> io::Result<()> {
    for _ in 0..5 {
        if !peer.request()? {
            return Ok(());
        }
        peer.answer(GOOD)?;
    }
    peer.hold()
}

fn silent_on_one(peer: &mut Peer) -> io::Result<()> {
    if peer.number == 0 { peer.hold() } else { peer.for_each(|peer| peer.answer(GOOD)) }
}

fn stalls_once(peer: &mut Peer) -> io::Result<()> {
    let mut is_first = peer.number == 0;
    peer.for_each(|peer| {
        if std::mem::take(&mut is_first) {
            peer.pause(Duration::from_millis(100));
        }
        peer.answer(GOOD)
    })
}

fn endless_head(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.send(b"HTTP/1.1 200 OK\r\n")?;
    peer.flood(&b"X-Filling: aaaaaaaaaaaaaaaaaaaa\r\n".repeat(100))
}

fn endless_line(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")?;
    peer.flood(&[b'a'; 4096])
}

fn endless_interim(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.flood(b"HTTP/1.1 103 Early Hints\r\n\r\n")
}

fn endless_content(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")?;
    slow_flood(peer, &[b'a'; 4096])
}

fn endless_chunks(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    slow_flood(peer, &b"10\r\naaaaaaaaaaaaaaaa\r\n".repeat(50))
}

/// So slow that the limit of content is not reached before the timeout.
fn slow_flood(peer: &mut Peer, bytes: &[u8]) -> io::Result<()> {
    loop {
        peer.send(bytes)?;
        peer.pause(Duration::from_millis(2));
    }
}

fn resets_after_request(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.reset()
}

fn resets_in_content(peer: &mut Peer) -> io::Result<()> {
    peer.request()?;
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")?;
    peer.pause(SHORT);
    peer.reset()
}

fn ends_first(peer: &mut Peer) -> io::Result<()> {
    peer.end()?;
    peer.hold()
}

fn answers_head(peer: &mut Peer) -> io::Result<()> {
    if peer.request_head()? {
        peer.answer(GOOD)?;
        peer.pause(SHORT);
    }
    peer.reset()
}

fn answers_every_other(peer: &mut Peer) -> io::Result<()> {
    if peer.request()? {
        peer.answer(GOOD)?;
        peer.request()?;
    }
    Ok(())
}

fn says_more_later(peer: &mut Peer) -> io::Result<()> {
    peer.for_each(|peer| {
        peer.answer(GOOD)?;
        peer.pause(SHORT);
        peer.send(b"by the way")
    })
}

fn answers_unasked(peer: &mut Peer) -> io::Result<()> {
    peer.answer(GOOD)?;
    peer.hold()
}

pub(super) fn refuses_every_other(peer: &mut Peer) -> io::Result<()> {
    let mut is_good = false;
    peer.for_each(|peer| {
        is_good = !is_good;
        match is_good {
            true => peer.answer(GOOD),
            false => peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nok"),
        }
    })
}

fn byte_by_byte(peer: &mut Peer) -> io::Result<()> {
    peer.for_each(|peer| {
        peer.answer(b"")?;
        GOOD.iter().try_for_each(|byte| peer.send(std::slice::from_ref(byte)))
    })
}
