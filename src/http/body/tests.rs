use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// What some octets came to: the content and the length of the message, or that more must come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Done { content: Vec<u8>, len: usize },
    Partial { content: Vec<u8> },
    Rejected(Reject),
}

/// Decodes `bytes` in pieces that end at `cuts` and at the end.
fn verdict(framing: Framing, limit: u64, bytes: &[u8], cuts: &[usize]) -> Verdict {
    let mut decoder = BodyDecoder::new(framing, limit);
    let mut content = Vec::new();
    let mut begin = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let decoded = match decoder.decode(&bytes[begin..end], &mut content) {
            Ok(decoded) => decoded,
            Err(reject) => {
                assert_eq!(decoder.decode(b"0", &mut content), Err(reject), "a reject is final");
                return Verdict::Rejected(reject);
            }
        };
        assert_eq!(decoded.done, decoder.is_done());
        assert!(content.len() as u64 <= limit);
        begin += decoded.consumed;
        if decoded.done {
            return Verdict::Done { content, len: begin };
        }
        assert_eq!(begin, end, "all is consumed unless done");
    }
    Verdict::Partial { content }
}

/// The verdict over `bytes`, after seeing that no split changes it. A reject drops the content, so
/// how much of it had been handed out before does not count.
#[track_caller]
fn verdict_of_every_split(framing: Framing, limit: u64, bytes: &[u8]) -> Verdict {
    let whole = verdict(framing, limit, bytes, &[]);
    let every: Vec<_> = (0..=bytes.len()).collect();
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(verdict(framing, limit, bytes, &every), whole, "octet by octet: {shown:?}");
    for at in every {
        assert_eq!(verdict(framing, limit, bytes, &[at]), whole, "split at {at}: {shown:?}");
    }
    whole
}

#[track_caller]
fn check(chunks: &str, content: &str) {
    let followed = format!("{chunks}GET /");
    let verdict = verdict_of_every_split(Framing::Chunked, 100, followed.as_bytes());
    let expected = Verdict::Done { content: content.into(), len: chunks.len() };
    assert_eq!(verdict, expected, "{chunks:?}");
}

#[track_caller]
fn check_reject(chunks: impl AsRef<[u8]>, expected: Reject) {
    let chunks = chunks.as_ref();
    let verdict = verdict_of_every_split(Framing::Chunked, 100, chunks);
    assert_eq!(verdict, Verdict::Rejected(expected), "{:?}", String::from_utf8_lossy(chunks));
}

#[test]
fn chunks_are_put_together() {
    check("0\r\n\r\n", "");
    check("5\r\nhello\r\n0\r\n\r\n", "hello");
    check("1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", "abc");
    check("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789");
    check("0000000000000003\r\na\r\n\r\n0\r\n\r\n", "a\r\n");
}

#[test]
fn a_chunk_size_is_1_to_16_hexadecimal_digits_and_nothing_else() {
    for size in [
        "",
        " 5",
        "5 ",
        "\t5",
        "5\t",
        "+5",
        "-5",
        "0x5",
        "5_0",
        "g",
        "5.",
        "\"5\"",
        "5,",
        "\u{665}",
        "00000000000000005",
        "10000000000000005",
        "5\0",
        "5 ;a=b",
        ";a",
        "\r\n5",
    ] {
        check_reject(format!("{size}\r\nhello\r\n0\r\n\r\n"), Reject::BadChunkSize);
    }
    check_reject("1\r\na\r\n\r\n0\r\n\r\n", Reject::BadChunkSize);
}

#[test]
fn a_chunk_over_the_limit_is_refused_before_its_data() {
    for size in
        ["65", "7fffffffffffffff", "8000000000000000", "fffffffffffffffe", "ffffffffffffffff"]
    {
        check_reject(format!("{size}\r\n"), Reject::ContentTooLarge);
        check_reject(format!("1\r\na\r\n{size}\r\n"), Reject::ContentTooLarge);
    }
    let hundred = "x".repeat(100);
    check(&format!("64\r\n{hundred}\r\n0\r\n\r\n"), &hundred);
    check_reject(format!("64\r\n{hundred}\r\n1\r\n"), Reject::ContentTooLarge);
}

#[test]
fn extensions_that_are_sound_are_passed_over() {
    for extension in [
        ";a",
        ";a=b",
        ";a;b;c",
        ";a=b;c=d",
        ";a=\"\"",
        ";a=\"b c\"",
        ";a=\"\\\"\\\\\";b",
        ";a=\"\t;=\"",
        ";a=\"\u{e9}\"",
        ";!#$%&'*+-.^_`|~=1",
    ] {
        check(&format!("1{extension}\r\nx\r\n0{extension}\r\n\r\n"), "x");
    }
}

#[test]
fn extensions_that_are_not_sound_are_refused() {
    for extension in [
        ";",
        ";;a",
        ";a;",
        ";=b",
        ";a=",
        ";a==b",
        ";a=b=c",
        "; a",
        ";a =b",
        ";a= b",
        ";a ",
        ";a\t",
        ";a=\"",
        ";a=\"b\"c",
        ";a=\"b\" ",
        ";a=b\"c\"",
        ";a\0",
        ";a=\"\0\"",
        ";a=\"\\\0\"",
        ";a=\u{e9}",
        ";\u{e9}",
        ";a=\"\x7f\"",
        ";a,b",
        ";a=\"\\",
    ] {
        check_reject(format!("1{extension}\r\nx\r\n0\r\n\r\n"), Reject::BadChunkExtension);
    }
}

#[test]
fn a_line_of_the_framing_ends_in_cr_lf_and_nothing_else() {
    // CVE-2025-55315 and its kin: an LF or a CR that one reader takes for the end of the line.
    for text in [
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a=\"\n\"\r\n",
        "5;\nxx\r\n4c\r\n0\r\n",
        "5\rhello",
        "5;a\rhello",
        "5;a=b\r\r\n",
        "0\r\n\n",
        "0\r\n\r\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rC: d\r\n\r\n",
        "0\n\r\n",
        "5;a=\"b\\\n\"",
    ] {
        check_reject(text, Reject::BareLineEnd);
    }
    for text in ["5;\rhello", "5;a=\r\n", "5;a=\"\r\n\"\r\n"] {
        check_reject(text, Reject::BadChunkExtension);
    }
}

#[test]
fn chunk_data_ends_in_cr_lf() {
    for end in ["\n", "\r0", "0\r\n", "XX", " \r\n", "\r\r\n", "\0"] {
        check_reject(format!("5\r\nhello{end}0\r\n\r\n"), Reject::BadChunkEnd);
    }
}

#[test]
fn trailers_are_validated_and_dropped() {
    check("0\r\nA: b\r\n\r\n", "");
    check("1\r\nx\r\n0\r\nA:\r\nContent-Length: 5\r\nB:\t\u{e9} \r\n\r\n", "x");
    for trailer in [
        ":",
        ": b",
        "A",
        "A : b",
        " A: b",
        "\tA: b",
        "A: b\r\n c",
        "A: \0",
        "A: \x7f",
        "\u{e9}: b",
        "A b: c",
        "(: b",
    ] {
        check_reject(format!("0\r\n{trailer}\r\n\r\n"), Reject::BadTrailer);
    }
}

#[test]
fn extensions_of_all_chunks_together_are_bounded() {
    let within = EXTENSION_BYTES_MAX / 64;
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(63)); // the CR is an octet of it, the `;` is not
    let limit = within as u64 + 1;
    let decode = |chunks: usize| {
        verdict(Framing::Chunked, limit, (chunk.repeat(chunks) + "0\r\n\r\n").as_bytes(), &[])
    };
    assert!(matches!(decode(within), Verdict::Done { .. }));
    assert_eq!(decode(within + 1), Verdict::Rejected(Reject::ChunkExtensionsTooLarge));
    let endless = format!("1;{}", "e".repeat(EXTENSION_BYTES_MAX + 1));
    let verdict = verdict(Framing::Chunked, limit, endless.as_bytes(), &[]);
    assert_eq!(verdict, Verdict::Rejected(Reject::ChunkExtensionsTooLarge));
}

#[test]
fn the_trailer_section_is_bounded() {
    let line = "A: bcdefghijk\r\n"; // 15 octets
    let within = TRAILER_BYTES_MAX / line.len();
    let decode = |lines: usize| {
        verdict(Framing::Chunked, 1, format!("0\r\n{}\r\n", line.repeat(lines)).as_bytes(), &[])
    };
    assert!(matches!(decode(within), Verdict::Done { .. }));
    assert_eq!(decode(within + 1), Verdict::Rejected(Reject::TrailersTooLarge));
}

#[test]
fn content_cut_short_is_never_whole() {
    let text = b"5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for len in 0..text.len() {
        let verdict = verdict(Framing::Chunked, 100, &text[..len], &[]);
        assert!(matches!(verdict, Verdict::Partial { .. }), "{len}");
    }
}

#[test]
fn content_of_a_known_length_ends_there() {
    for (framing, content) in
        [(Framing::None, ""), (Framing::Length(0), ""), (Framing::Length(5), "hello")]
    {
        let verdict = verdict_of_every_split(framing, 5, b"helloGET /");
        let expected = Verdict::Done { content: content.into(), len: content.len() };
        assert_eq!(verdict, expected, "{framing:?}");
        assert_eq!(whole(framing, b"helloGET /"), Some(content.as_bytes()));
    }
    let partial = Verdict::Partial { content: b"hello".to_vec() };
    assert_eq!(verdict_of_every_split(Framing::Length(6), 6, b"hello"), partial);
    assert_eq!(whole(Framing::Length(6), b"hello"), None);
    assert_eq!(whole(Framing::Length(u64::MAX), b"hello"), None);
    assert_eq!(whole(Framing::Chunked, b"0\r\n\r\n"), None);
    let rejected = Verdict::Rejected(Reject::ContentTooLarge);
    assert_eq!(verdict_of_every_split(Framing::Length(6), 5, b"hello!"), rejected);
    assert_eq!(verdict_of_every_split(Framing::Length(u64::MAX), 5, b"hello!"), rejected);
}

#[test]
fn a_message_without_content_is_done_before_any_octet() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut decoder = BodyDecoder::new(framing, 0);
        assert!(decoder.is_done() && !framing.has_content());
        let decoded = decoder.decode(b"GET", &mut Vec::new());
        assert_eq!(decoded, Ok(Decoded { consumed: 0, done: true }));
    }
}

/// `content` in chunks of the given lengths, each with the given text after its size.
fn chunked(content: &[u8], lengths: &[usize], extension: &str, trailers: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = content;
    for len in lengths.iter().copied().chain([content.len()]) {
        let (chunk, after) = rest.split_at(len.min(rest.len()));
        rest = after;
        if !chunk.is_empty() {
            text.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
            text.extend(chunk);
            text.extend(b"\r\n");
        }
    }
    text.extend(format!("0{extension}\r\n{trailers}\r\n").bytes());
    text
}

fn sample() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let extension = "(;[a-z]{1,3}(=([a-z]{1,3}|\"[a-z ;=]{0,4}\"))?){0,2}";
    let trailers = "([A-Z]{1,3}:[ a-z]{0,4}\r\n){0,2}";
    (vec(any::<u8>(), 0..40), vec(1..20usize, 0..5), extension, trailers).prop_map(
        |(content, lengths, extension, trailers)| {
            let text = chunked(&content, &lengths, &extension, &trailers);
            (content, text)
        },
    )
}

proptest! {
    #[test]
    fn any_content_in_any_chunks_comes_out_whole((content, text) in sample()) {
        let verdict = verdict_of_every_split(Framing::Chunked, 40, &text);
        assert_eq!(verdict, Verdict::Done { content, len: text.len() });
    }

    #[test]
    fn no_split_of_any_octets_changes_the_verdict(
        (_, mut text) in sample(),
        edits in vec((any::<Index>(), any::<u8>()), 0..4),
        framing in prop_oneof![Just(Framing::Chunked), (0..60u64).prop_map(Framing::Length)],
        limit in 0..50u64,
    ) {
        for (at, octet) in edits {
            let at = at.index(text.len());
            text[at] = if octet < 128 { octet } else { b"\r\n;=\"\\ :0af"[usize::from(octet) % 11] };
        }
        verdict_of_every_split(framing, limit, &text);
    }
}
