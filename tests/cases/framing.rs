//! Rows of the content: its length, whether it is in chunks, and what waits for leave to be sent.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [
        bad_lengths(),
        lengths(),
        length_limits(),
        codings(),
        codings_and_lengths(),
        expectations(),
        failed_expectations(),
        cut_content(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn bad_lengths() -> Vec<Case> {
    let bad = |value: &[u8]| {
        let line = [b"Content-Length: ", value, b"\r\n"].concat();
        let name = format!("Content-Length {}", named(value));
        let is_list = value.contains(&b',');
        let rule = if is_list { "length.repeated" } else { "length.grammar" };
        [
            refused(format!("{name} on POST"), rule, echo(&line, "12345"), &[400]),
            refused(format!("{name} on GET"), rule, get_with(&line), &[400]),
        ]
    };
    let values: [&[u8]; 27] = [
        b"+5",
        b"-1",
        b"0x5",
        b"5_0",
        b"0_2",
        b"\"5\"",
        b"5;x",
        b"5.",
        b"5.0",
        b"",
        b" ",
        b"5 5",
        b"1e1",
        b"5,",
        b",5",
        b"5, 6",
        b"5, 5",
        b"5,5",
        b"5 ,5",
        b"5\t5",
        b"--5",
        b"5\x85",
        b"five",
        b"5\xa0",
        b"5\x0b",
        "٥".as_bytes(),
        b"5\0",
    ];
    values.into_iter().flat_map(bad).collect()
}

fn lengths() -> Vec<Case> {
    let lines = |lines: &str| echo(lines, "12345");
    let two = "Content-Length: 5\r\nContent-Length: 6\r\n";
    let zero_first = "Content-Length: 0\r\nContent-Length: 5\r\n";
    let equal = "Content-Length: 5\r\nContent-Length: 5\r\n";
    let repeated = |name, given: &str| refused(name, "length.repeated", lines(given), &[400]);
    let zeros =
        |name, sent, body| row(name, "length.leading-zeros", sent, [echoed(body)], End::StaysOpen);
    vec![
        repeated("two lengths in two lines", two),
        repeated("a length of zero, then another", zero_first),
        repeated("two equal lengths in two lines", equal),
        repeated("two equal lengths in two cases", "Content-Length: 5\r\ncontent-length: 5\r\n"),
        zeros("leading zeros", lines("Content-Length: 0005\r\n"), "12345"),
        zeros(
            "010 is ten and never eight",
            echo("Content-Length: 010\r\n", "1234567890"),
            "1234567890",
        ),
        row(
            "a length in OWS",
            "field.ows",
            echo("Content-Length: \t 2 \t\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row("no length is no content", "length.none", echo("", ""), [echoed("")], End::StaysOpen),
        row(
            "a length of zero",
            "length.none",
            echo("Content-Length: 0\r\n", ""),
            [echoed("")],
            End::StaysOpen,
        ),
        row(
            "Content_Length is another field",
            "field.look-alike",
            echo("Content_Length: 9\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row(
            "Connection cannot unframe by naming Content-Length",
            "field.nominated",
            echo("Connection: Content-Length\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row(
            "Connection cannot unframe by naming Transfer-Encoding",
            "field.nominated",
            echo(
                "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            [echoed("ok")],
            End::StaysOpen,
        ),
    ]
}

fn length_limits() -> Vec<Case> {
    let announced = |length: &str| {
        let sent = echo(format!("Content-Length: {length}\r\n"), "");
        refused(format!("a length of {length}"), "length.too-large", sent, &[413])
    };
    let full = "x".repeat(65_536);
    let long = "x".repeat(300_000);
    let whole = |length: usize, body: &str| echo(format!("Content-Length: {length}\r\n"), body);
    let coded = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    vec![
        announced("9223372036854775808"),
        announced("18446744073709551615"),
        announced("18446744073709551616"),
        announced("18446744073709551618"),
        announced("4294967298"),
        announced("9999999999999999999999999999999999999999"),
        row(
            "content of the limit is taken",
            "length.limit",
            whole(65_536, &full),
            [echoed(&full)],
            End::StaysOpen,
        ),
        refused("one octet more is refused at once", "length.too-large", whole(65_537, ""), &[413]),
        refused(
            "content in flight does not eat the 413",
            "connection.lingers",
            whole(300_000, &long),
            &[413],
        ),
        refused("a chunk over the limit", "length.too-large", chunked(coded), &[413]),
        refused(
            "a chunk over the limit, at once",
            "length.too-large",
            chunked("fffff\r\n"),
            &[413],
        ),
        refused(
            "chunks that never end",
            "length.too-large",
            chunked(format!("1000\r\n{}\r\n", "x".repeat(4_096)).repeat(20)),
            &[413],
        ),
        refused(
            "too much content for a path that does not exist",
            "connection.lingers",
            request("POST", "/nowhere", "Content-Length: 300000\r\n", &long),
            &[413],
        ),
    ]
}

/// `ok` in chunks.
const CODED: &str = "2\r\nok\r\n0\r\n\r\n";

fn codings() -> Vec<Case> {
    let with = |value: &[u8]| {
        let line = [b"Transfer-Encoding: ", value, b"\r\n"].concat();
        echo(line, CODED)
    };
    let bad = |value: &[u8]| {
        let name = format!("Transfer-Encoding {}", named(value));
        refused(name, "coding.not-chunked", with(value), &[400])
    };
    let unknown = |value: &[u8]| {
        let name = format!("Transfer-Encoding {}", named(value));
        refused(name, "coding.unknown", with(value), &[501])
    };
    let good = |value: &[u8]| {
        let name = format!("Transfer-Encoding {}", named(value));
        row(name, "coding.chunked", with(value), [echoed("ok")], End::StaysOpen)
    };
    vec![
        good(b"chunked"),
        good(b"Chunked"),
        good(b"CHUNKED"),
        good(b"\t chunked \t"),
        bad(b"gzip"),
        bad(b"identity"),
        unknown(b"gzip, chunked"),
        unknown(b"identity, chunked"),
        unknown(b"gzip;q=1, deflate,chunked"),
        bad(b"chunked, gzip"),
        bad(b"chunked, identity"),
        bad(b"chunked, chunked"),
        bad(b"chunked;q=1"),
        bad(b"\"chunked\""),
        bad(b"xchunked"),
        bad(b"chunkedx"),
        bad(b"chunk"),
        bad(b"'chunked'"),
        bad(b"chunked,"),
        bad(b",chunked"),
        bad(b"chunked chunked"),
        bad(b"chunked, gzip, chunked"),
        bad(b"identity, gzip"),
        bad(b""),
        bad(b","),
        bad(b"\x0bchunked"),
        bad(b"chunked\x0c"),
        bad(b"chunked\0"),
        bad(b"chunked\xa0"),
        bad("chun\u{212a}ed".as_bytes()),
        bad("chunKed\u{2028}".as_bytes()),
    ]
}

fn codings_and_lengths() -> Vec<Case> {
    let lines = |name: &str, rule, lines: &str| refused(name, rule, echo(lines, CODED), &[400]);
    vec![
        lines(
            "two Transfer-Encoding lines",
            "coding.not-chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "two Transfer-Encoding lines, the last of them not chunked",
            "coding.not-chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        ),
        lines(
            "two Transfer-Encoding lines in two cases",
            "coding.not-chunked",
            "Transfer-Encoding: chunked\r\ntransfer-encoding: x\r\n",
        ),
        lines(
            "two lines that would be one list",
            "coding.not-chunked",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "length and an unknown coding",
            "coding.with-length",
            "Content-Length: 12\r\nTransfer-Encoding: gzip, chunked\r\n",
        ),
        lines(
            "a coding behind a bare LF",
            "line.bare-lf",
            "Content-Length: 12\r\nX: y\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "a coding behind a bare CR",
            "line.bare-cr",
            "Content-Length: 12\r\nX: y\rTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "a coding on a folded line",
            "line.fold",
            "Content-Length: 12\r\nX: y\r\n Transfer-Encoding: chunked\r\n",
        ),
        lines(
            "a coding whose name is cut by a line",
            "field.name",
            "Content-Length: 12\r\nTransfer-Encoding\r\n : chunked\r\n",
        ),
        refused(
            "length and coding in HTTP/1.0",
            "coding.http10",
            format!(
                "POST / HTTP/1.0\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n{CODED}"
            ),
            &[400],
        ),
        lines(
            "length, then coding",
            "coding.with-length",
            "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "coding, then length",
            "coding.with-length",
            "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n",
        ),
        lines(
            "length of zero and coding",
            "coding.with-length",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ),
        refused(
            "length and coding on GET",
            "coding.with-length",
            get_with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
            &[400],
        ),
        refused(
            "coding in HTTP/1.0",
            "coding.http10",
            format!("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{CODED}"),
            &[400],
        ),
        row(
            "Transfer_Encoding is another field",
            "field.look-alike",
            echo("Transfer_Encoding: chunked\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
    ]
}

/// The head of an echo whose content has yet to come.
fn expecting(expect: &str) -> Vec<u8> {
    echo(format!("Expect: {expect}\r\nContent-Length: 2\r\n"), "")
}

fn expectations() -> Vec<Case> {
    let asked = |name: &str, expect: &str| {
        let steps = [
            Step::Send(expecting(expect)),
            Step::Await(continues()),
            Step::Send(b"ok".to_vec()),
            Step::Await(echoed("ok")),
        ];
        conversation(name, "expect.continue", steps, End::StaysOpen)
    };
    let coded = "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n";
    vec![
        asked("100 comes before the content", "100-continue"),
        asked("the expectation has no case", "100-Continue"),
        asked("an empty expectation behind", "100-continue,"),
        asked("empty expectations before", ", ,100-continue"),
        serves("an expectation of nothing", "expect.continue", get_with("Expect:\r\n")),
        conversation(
            "100 comes before chunked content",
            "expect.continue",
            [
                Step::Send(echo(coded, "")),
                Step::Await(continues()),
                Step::Send(b"2\r\nok\r\n0\r\n\r\n".to_vec()),
                Step::Await(echoed("ok")),
            ],
            End::StaysOpen,
        ),
        conversation(
            "a 100 waits its turn behind slow answers",
            "pipeline.order",
            [
                Step::Send([get("/events/live"), expecting("100-continue")].concat()),
                Step::Await(no_event()),
                Step::Await(continues()),
                Step::Send(b"ok".to_vec()),
                Step::Await(echoed("ok")),
            ],
            End::StaysOpen,
        ),
        row(
            "content that came along needs no 100",
            "expect.continue",
            [expecting("100-continue"), b"ok".to_vec()].concat(),
            [echoed("ok")],
            End::StaysOpen,
        )
        .may_continue(),
        row(
            "nothing to wait for, no 100 needed",
            "expect.continue",
            get_with("Expect: 100-continue\r\n"),
            [status()],
            End::StaysOpen,
        )
        .may_continue(),
        row(
            "HTTP/1.0 gets no 100",
            "expect.http10",
            "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
            [echoed("ok")],
            End::Closes,
        ),
        row(
            "HTTP/1.0 expects in vain",
            "expect.http10",
            "POST / HTTP/1.0\r\nHost: h\r\nExpect: later\r\nContent-Length: 2\r\n\r\nok",
            [echoed("ok")],
            End::Closes,
        ),
        row(
            "no content to wait for by its length, no 100 needed",
            "expect.continue",
            echo("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
            [echoed("")],
            End::StaysOpen,
        ),
        // Expect-based desync (Kettle 2025): the content of a GET is content, asked for or not.
        conversation(
            "100 comes before content that nobody wants",
            "expect.continue",
            [
                Step::Send(get_with("Expect: 100-continue\r\nContent-Length: 39\r\n")),
                Step::Await(continues()),
                Step::Send(b"GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n".to_vec()),
                Step::Await(status()),
            ],
            End::StaysOpen,
        ),
    ]
}

fn failed_expectations() -> Vec<Case> {
    let final_instead = |name: &str, sent: Vec<u8>, status: &[u16]| {
        refused(name, "expect.final", sent, status).owns_what_follows()
    };
    let to = |method: &str, target: &str, lines: &str| {
        request(method, target, format!("Expect: 100-continue\r\n{lines}"), "")
    };
    vec![
        final_instead("413 instead of 100", to("POST", "/", "Content-Length: 300000\r\n"), &[413]),
        final_instead(
            "404 instead of 100",
            to("POST", "/nowhere", "Content-Length: 9\r\n"),
            &[404],
        ),
        final_instead(
            "405 instead of 100",
            to("PUT", "/devices/status", "Content-Length: 9\r\n"),
            &[405],
        ),
        final_instead(
            "415 instead of 100",
            to(
                "POST",
                "/devices/light/command",
                "Content-Type: text/plain\r\nContent-Length: 9\r\n",
            ),
            &[415],
        ),
        final_instead(
            "400 instead of 100",
            to("POST", "/", "Content-Length: 2\r\nContent-Length: 3\r\n"),
            &[400],
        ),
        refused("another expectation", "expect.unknown", expecting("later"), &[417]),
        refused(
            "100-continue and another",
            "expect.unknown",
            expecting("100-continue, later"),
            &[417],
        ),
        refused("two words", "expect.unknown", expecting("y 100-continue"), &[417]),
        refused(
            "100-continue and another in two lines",
            "expect.unknown",
            echo("Expect: 100-continue\r\nExpect: later\r\nContent-Length: 2\r\n", ""),
            &[417],
        ),
        refused(
            "an expectation of a code that is not 100",
            "expect.unknown",
            expecting("200-ok"),
            &[417],
        ),
    ]
}

fn cut_content() -> Vec<Case> {
    // Never carried out; whether the client is told so is the server's choice.
    let cut = |name: &str, sent: Vec<u8>| {
        let mut case = half_closed(name, "content.cut", sent, []);
        let told = Answer::of(&[400, 408], Body::Error);
        case.steps.push(Step::MayAwait(told));
        case
    };
    let json = "{\"action\":\"off\"}";
    let typed = "Content-Type: application/json\r\n";
    let to_light = |lines: &str, content: &str| {
        request("POST", "/devices/light/command", format!("{typed}{lines}"), content)
    };
    vec![
        cut("content cut by a FIN", to_light("Content-Length: 17\r\n", json)),
        cut("content wholly missing", to_light("Content-Length: 16\r\n", "")),
        cut("chunk cut by a FIN", to_light("Transfer-Encoding: chunked\r\n", "20\r\n{\"action\"")),
        cut(
            "no last chunk",
            to_light("Transfer-Encoding: chunked\r\n", &format!("10\r\n{json}\r\n")),
        ),
        cut(
            "no end behind the last chunk",
            to_light("Transfer-Encoding: chunked\r\n", &format!("10\r\n{json}\r\n0\r\n")),
        ),
        cut("head cut in the request line", b"GET /healthz HT".to_vec()),
        cut("head cut before the blank line", b"GET /healthz HTTP/1.1\r\nHost: h\r\n".to_vec()),
        cut("head cut in the blank line", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r".to_vec()),
    ]
}
