use super::*;
use proptest::prelude::*;

const LIMITS: ResponseLimits =
    ResponseLimits { head_bytes_max: 200, body_bytes_max: 20, capture_bytes_max: 4 };

/// What some octets came to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Done {
        done: ResponseDone,
        len: usize,
        captured: Vec<u8>,
    },
    /// Not over; what the end of the connection makes of it.
    Ended(Result<ResponseDone, Truncated>),
    Malformed(Malformed),
}

/// Reads `bytes` in pieces that end at `cuts` and at the end, then ends the connection.
fn verdict(head_request: bool, limits: ResponseLimits, bytes: &[u8], cuts: &[usize]) -> Verdict {
    let mut reader = ResponseReader::new(limits);
    reader.start(head_request);
    let mut begin = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let read = match reader.read(&bytes[begin..end]) {
            Ok(read) => read,
            Err(malformed) => {
                assert_eq!(reader.read(b"H"), Err(malformed), "it stays malformed");
                return Verdict::Malformed(malformed);
            }
        };
        begin += read.consumed;
        assert_eq!(read.done.is_none(), reader.is_reading());
        if let Some(done) = read.done {
            return Verdict::Done { done, len: begin, captured: reader.captured().to_vec() };
        }
        assert_eq!(begin, end, "all is consumed unless done");
    }
    Verdict::Ended(reader.handle_eof())
}

#[track_caller]
fn verdict_of_every_split(head_request: bool, limits: ResponseLimits, bytes: &[u8]) -> Verdict {
    let whole = verdict(head_request, limits, bytes, &[]);
    let every: Vec<_> = (0..=bytes.len()).collect();
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(verdict(head_request, limits, bytes, &every), whole, "by octets: {shown:?}");
    for at in every {
        assert_eq!(verdict(head_request, limits, bytes, &[at]), whole, "at {at}: {shown:?}");
    }
    whole
}

/// Checks that `text` is one whole response, and that what follows is left alone.
#[track_caller]
fn check_for(head_request: bool, text: &str, status: u16, content: &str, keep_alive: bool) {
    let followed = format!("{text}HTTP/1.1 ");
    let content_bytes = content.len() as u64;
    let expected = Verdict::Done {
        done: ResponseDone { status, content_bytes, keep_alive },
        len: text.len(),
        captured: content.as_bytes()[..content.len().min(4)].to_vec(),
    };
    let verdict = verdict_of_every_split(head_request, LIMITS, followed.as_bytes());
    assert_eq!(verdict, expected, "{text:?}");
}

#[track_caller]
fn check(text: &str, status: u16, content: &str, keep_alive: bool) {
    check_for(false, text, status, content, keep_alive);
}

#[track_caller]
fn check_malformed(text: impl AsRef<[u8]>, expected: Malformed) {
    let text = text.as_ref();
    let verdict = verdict_of_every_split(false, LIMITS, text);
    assert_eq!(verdict, Verdict::Malformed(expected), "{:?}", String::from_utf8_lossy(text));
}

#[track_caller]
fn check_ended(text: &str, expected: Result<ResponseDone, Truncated>) {
    let verdict = verdict_of_every_split(false, LIMITS, text.as_bytes());
    assert_eq!(verdict, Verdict::Ended(expected), "{text:?}");
}

#[test]
fn content_of_a_known_length_is_counted_and_its_beginning_kept() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", 200, "abcdef", true);
    check("HTTP/1.1 404 \r\ncontent-length:\t2 \r\n\r\nab", 404, "ab", true);
    check("HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", 503, "", true);
    check("HTTP/1.1 599 \u{e9}\r\nX: \u{e9}\r\nContent-Length: 0\r\n\r\n", 599, "", true);
}

#[test]
fn chunked_content_is_counted_without_its_framing() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
    check(&format!("{head}3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"), 200, "abcde", true);
    check(&format!("{head}0\r\n\r\n"), 200, "", true);
}

#[test]
fn broken_chunks_are_told_by_their_rule() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (chunks, reject) in [
        ("x\r\n", Reject::BadChunkSize),
        ("11111111111111111\r\n", Reject::BadChunkSize),
        ("1;\r\n", Reject::BadChunkExtension),
        ("1\nx", Reject::BareLineEnd),
        ("1\r\nxy", Reject::BadChunkEnd),
        ("0\r\nX\r\n", Reject::BadTrailer),
    ] {
        check_malformed(format!("{head}{chunks}"), Malformed::BadChunk(reject));
    }
    check_malformed(format!("{head}ffffffffffffffff\r\n"), Malformed::ContentTooLarge);
    check_malformed(format!("{head}15\r\n"), Malformed::ContentTooLarge);
}

#[test]
fn responses_without_content_end_with_their_head() {
    for status in [204, 304] {
        check(&format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n"), status, "", true);
        check(&format!("HTTP/1.1 {status} X\r\n\r\n"), status, "", true);
    }
    for fields in ["", "Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"] {
        check_for(true, &format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), 200, "", true);
    }
}

#[test]
fn interim_responses_are_skipped_up_to_eight() {
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    check(&format!("{interim}HTTP/1.1 103 Early\r\nLink: x\r\n\r\n{last}"), 200, "a", true);
    check(&format!("{}{last}", interim.repeat(8)), 200, "a", true);
    check_malformed(interim.repeat(9), Malformed::TooManyInterim);
    check_malformed("HTTP/1.1 101 Switching\r\n\r\n", Malformed::UnaskedSwitch);
}

#[test]
fn a_head_that_is_none_is_malformed() {
    for text in [
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "\r\n\r\n",
        "\r",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
    ] {
        check_malformed(text, Malformed::BadHead);
    }
    for status in ["20", "2000", "20x", "099", "600", "999", "-20", "+20", "", " 200", "200 \x01"] {
        check_malformed(format!("HTTP/1.1 {status} X\r\n\r\n"), Malformed::BadStatus);
    }
}

#[test]
fn line_ends_of_a_head_are_cr_lf_and_it_holds_no_nul() {
    for text in [
        "\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\rX",
        "HTTP/1.1 200 OK\r\nX: y\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\r\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 200 OK\r\n\rX",
    ] {
        check_malformed(text, Malformed::BareLineEnd);
    }
    for text in ["\0", "HTTP/1.1 200 OK\0", "HTTP/1.1 200 OK\r\nX: \0", "HTTP/1.1 200 OK\r\n\0"] {
        check_malformed(text, Malformed::Nul);
    }
}

#[test]
fn framing_that_could_be_read_in_two_ways_is_malformed() {
    for (fields, malformed) in [
        ("Content-Length: 1\r\nContent-Length: 1", Malformed::LengthRepeated),
        ("Content-Length: 1\r\ncontent-length: 2", Malformed::LengthRepeated),
        ("Content-Length: 1, 1", Malformed::BadLength),
        ("Content-Length: +1", Malformed::BadLength),
        ("Content-Length:", Malformed::BadLength),
        ("Content-Length: 0x1", Malformed::BadLength),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", Malformed::LengthAndEncoding),
        ("Transfer-Encoding: gzip, chunked", Malformed::BadEncoding),
        ("Transfer-Encoding: identity", Malformed::BadEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Malformed::BadEncoding),
    ] {
        check_malformed(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), malformed);
        let head_answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let verdict = verdict_of_every_split(true, LIMITS, head_answer.as_bytes());
        assert_eq!(verdict, Verdict::Malformed(malformed), "{fields:?}");
    }
    let in_1_0 = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_malformed(in_1_0, Malformed::BadEncoding);
}

#[test]
fn heads_and_content_are_bounded() {
    let fill = |len: usize| format!("HTTP/1.1 204 \r\nX: {}\r\n\r\n", "y".repeat(len - 22));
    assert_eq!(fill(200).len(), 200);
    check(&fill(200), 204, "", true);
    check_malformed(fill(201), Malformed::HeadTooLarge);
    check_malformed("H".repeat(200), Malformed::HeadTooLarge);
    for length in ["21", "18446744073709551615", "99999999999999999999999"] {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nx");
        check_malformed(text, Malformed::ContentTooLarge);
    }
    let until_eof = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(21));
    check_malformed(until_eof, Malformed::ContentTooLarge);
    let text = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X:\r\n".repeat(101));
    let verdict = verdict(false, ResponseLimits::default(), text.as_bytes(), &[]);
    assert_eq!(verdict, Verdict::Malformed(Malformed::TooManyFields));
}

#[test]
fn content_without_framing_ends_with_the_connection() {
    let done = |content_bytes| ResponseDone { status: 200, content_bytes, keep_alive: false };
    check_ended("HTTP/1.1 200 OK\r\n\r\n", Ok(done(0)));
    check_ended("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nabcde", Ok(done(5)));
    check_ended("HTTP/1.0 200 OK\r\n\r\nab\r\n\0", Ok(done(5)));
}

#[test]
fn a_response_that_is_cut_off_is_told_where() {
    check_ended("", Err(Truncated::BeforeResponse));
    check_ended("H", Err(Truncated::InHead));
    check_ended("HTTP/1.1 200 OK\r\n\r", Err(Truncated::InHead));
    check_ended("HTTP/1.1 100 Continue\r\n\r\n", Err(Truncated::InHead));
    check_ended("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Err(Truncated::InContent));
    check_ended("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Err(Truncated::InContent));
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
    check_ended(chunks, Err(Truncated::InContent));
}

#[test]
fn connections_persist_as_the_version_and_the_options_say() {
    for (version, option, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: y, close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let text = format!("HTTP/{version} 200 OK\r\n{option}Content-Length: 0\r\n\r\n");
        check(&text, 200, "", keep_alive);
    }
}

#[test]
fn octets_that_nothing_had_asked_for_are_malformed() {
    let mut reader = ResponseReader::new(LIMITS);
    assert_eq!(reader.read(b""), Ok(Read { consumed: 0, done: None }));
    assert_eq!(reader.read(b"H"), Err(Malformed::Unasked));
    reader.start(false);
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naH";
    let read = reader.read(text).unwrap();
    assert_eq!(read.consumed, text.len() - 1);
    assert_eq!(reader.read(&text[read.consumed..]), Err(Malformed::Unasked));
}

#[test]
fn a_reader_reads_one_response_after_another() {
    let mut reader = ResponseReader::new(LIMITS);
    for (text, captured) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "ab"),
        ("HTTP/1.1 100 X\r\n\r\nHTTP/1.1 204 X\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc", "c"),
    ] {
        reader.start(false);
        let (first, second) = text.as_bytes().split_at(7);
        assert_eq!(reader.read(first), Ok(Read { consumed: 7, done: None }));
        let read = reader.read(second).unwrap();
        assert_eq!(read.consumed, second.len());
        assert!(read.done.is_some());
        assert_eq!(reader.captured(), captured.as_bytes());
    }
}

#[test]
fn the_end_of_a_connection_ends_what_was_outstanding() {
    let mut reader = ResponseReader::new(LIMITS);
    assert_eq!(reader.handle_eof(), Err(Truncated::BeforeResponse));
    reader.start(false);
    assert!(reader.is_reading());
    assert_eq!(reader.handle_eof(), Err(Truncated::BeforeResponse));
    assert!(!reader.is_reading());
}

#[test]
fn what_the_server_writes_the_pacer_reads() {
    use crate::http::{HttpDate, ResponseHead};
    let date = HttpDate::from_unix_secs(0);
    for status in [200, 204, 304, 400, 503] {
        for (include_content, head_request) in [(true, false), (false, true)] {
            let mut text = Vec::new();
            ResponseHead::json(status, &date).encode(b"[1]", include_content, &mut text);
            let has_content = include_content && may_have_content(status);
            let content_bytes = if has_content { 3 } else { 0 };
            let Verdict::Done { done, len, .. } =
                verdict_of_every_split(head_request, LIMITS, &text)
            else {
                panic!("{status}");
            };
            assert_eq!(done, ResponseDone { status, content_bytes, keep_alive: true });
            assert_eq!(len, text.len());
        }
    }
}

proptest! {
    #[test]
    fn no_split_of_any_octets_changes_the_verdict(
        seed in prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        ]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        head_request in any::<bool>(),
    ) {
        let mut text = seed.as_bytes().to_vec();
        for (at, octet) in edits {
            let at = at.index(text.len());
            text[at] = if octet < 128 { octet } else { b"\r\n :01/"[usize::from(octet) % 7] };
        }
        verdict_of_every_split(head_request, LIMITS, &text);
    }
}

const DATED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\
                     Date: Tue, 24 Nov 2026 08:00:00 GMT\r\nX: y\r\n\r\n{ab}";

/// What `second` comes to on a connection that has read `first`, and on a fresh one: the same.
#[track_caller]
fn check_after(first: &[u8], second: &[u8]) -> Verdict {
    let read = |reader: &mut ResponseReader| {
        reader.start(false);
        match reader.read(second) {
            Ok(Read { done: Some(done), consumed }) => {
                Verdict::Done { done, len: consumed, captured: reader.captured().to_vec() }
            }
            Ok(_) => Verdict::Ended(reader.handle_eof()),
            Err(malformed) => Verdict::Malformed(malformed),
        }
    };
    let mut warm = ResponseReader::new(LIMITS);
    warm.start(false);
    let _ = warm.read(first);
    let (warm, fresh) = (read(&mut warm), read(&mut ResponseReader::new(LIMITS)));
    assert_eq!(warm, fresh, "{:?}", String::from_utf8_lossy(second));
    warm
}

#[test]
fn a_head_that_is_known_is_read_as_if_it_were_not() {
    let later = DATED.replace("08:00:00", "09:59:59").replace("{ab}", "[cd]");
    let done = check_after(DATED.as_bytes(), later.as_bytes());
    assert!(matches!(done, Verdict::Done { captured, .. } if captured == b"[cd]"));
    for other in [
        DATED.replace("Length: 4", "Length: 3"),
        DATED.replace("200", "503"),
        DATED.replace("X: y", "Connection: close"),
        DATED.replace("X: y", "Content-Length: 4"),
        DATED.replace("{ab}", "{a"),
        DATED.replace("{ab}", "{ab}HTTP/1.1 "),
        DATED.replace("Nov 2026", "Nov\r2026"),
        DATED.replace("Nov 2026", "Nov\n2026"),
        DATED.replace("Nov 2026", "Nov\t2026"),
        DATED.replace("Nov 2026", "Nov\u{0}2026"),
        DATED.replace("Tue, 24 Nov 2026 08:00:00 GMT", "x"),
        DATED.replace("Tue, 24 Nov 2026 08:00:00 GMT", "2026\r\nContent-Length: 9\r\nA: b"),
    ] {
        check_after(DATED.as_bytes(), other.as_bytes());
    }
}

#[test]
fn what_an_interim_response_says_is_not_said_by_a_known_head_behind_it() {
    const KNOWN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const EARLY: &[u8] = b"HTTP/1.1 103 Early Hints\r\nServer-Timing: db;dur=5\r\n\r\n";
    let second = [EARLY, KNOWN].concat();
    for at in 0..=second.len() {
        let mut reader = ResponseReader::new(LIMITS);
        reader.start(false);
        assert!(reader.read(KNOWN).unwrap().done.is_some());
        reader.start(false);
        let (one, other) = second.split_at(at);
        let done = [one, other].map(|piece| reader.read(piece).ok().and_then(|read| read.done));
        // The second piece of the last split is empty.
        let done = done.into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(done, [ResponseDone { status: 200, content_bytes: 2, keep_alive: true }]);
        assert!(reader.server_timing().is_empty(), "split at {at}");
    }
}

#[test]
fn a_known_head_says_nothing_of_an_answer_to_head() {
    let mut reader = ResponseReader::new(LIMITS);
    for (head_request, content_bytes) in [(false, 4), (true, 0), (false, 4)] {
        reader.start(head_request);
        let end = if head_request { DATED.len() - 4 } else { DATED.len() };
        let read = reader.read(&DATED.as_bytes()[..end]).unwrap();
        assert_eq!(read.done.map(|done| done.content_bytes), Some(content_bytes));
    }
}

#[test]
fn a_known_head_with_more_content_than_allowed_stays_refused() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n123456789012345678901";
    let refused = check_after(long.as_bytes(), long.as_bytes());
    assert_eq!(refused, Verdict::Malformed(Malformed::ContentTooLarge));
}

proptest! {
    /// Any octet changed, taken out or put in, anywhere.
    #[test]
    fn no_change_to_a_known_response_is_overlooked(
        at in 0..DATED.len(),
        octet in any::<u8>(),
        how in 0..3,
        dated in any::<bool>(),
    ) {
        let first = if dated { DATED.to_string() } else { DATED.replace("Date:", "Eate:") };
        let mut second = first.clone().into_bytes();
        match how {
            0 => second[at] = octet,
            1 => drop(second.remove(at)),
            _ => second.insert(at, octet),
        }
        check_after(first.as_bytes(), &second);
    }
}
