//! Rows of the content: its length, its transfer coding, and what waits for leave to be sent.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [
        lengths(),
        length_limits(),
        codings(),
        chunk_sizes(),
        chunk_ends(),
        extensions(),
        trailers(),
        expectations(),
        cut_content(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn lengths() -> Vec<Case> {
    let bad = |value: &[u8]| {
        let line = [b"Content-Length: ", value, b"\r\n"].concat();
        let name = format!("Content-Length {}", named(value));
        [
            refused(format!("{name} on POST"), "12§6.3", echo(&line, "12345"), &[400]),
            refused(format!("{name} on GET"), "12§6.3", get_with(&line), &[400]),
        ]
    };
    let values: [&[u8]; 21] = [
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
        b"five",
        b"5\xa0",
        b"5\x0b",
        "٥".as_bytes(),
        b"5\0",
    ];
    let mut rows: Vec<Case> = values.into_iter().flat_map(bad).collect();
    let lines = |lines: &str| echo(lines, "12345");
    let two = "Content-Length: 5\r\nContent-Length: 6\r\n";
    let zero_first = "Content-Length: 0\r\nContent-Length: 5\r\n";
    let equal = "Content-Length: 5\r\nContent-Length: 5\r\n";
    let in_step =
        |name, rule, sent, body| row(name, rule, sent, [echoed_or(400, body)], End::AsAnnounced);
    rows.extend([
        refused("two lengths in two lines", "12§6.3", lines(two), &[400]),
        refused("a length of zero, then another", "12§6.3", lines(zero_first), &[400]),
        refused("two equal lengths in two lines", "10§8.6", lines(equal), &[400]),
        refused("two equal lengths in a list", "10§8.6", lines("Content-Length: 5, 5\r\n"), &[400]),
        in_step("leading zeros", "10§8.6", lines("Content-Length: 0005\r\n"), "12345"),
        in_step(
            "010 is ten and never eight",
            "10§8.6",
            echo("Content-Length: 010\r\n", "1234567890"),
            "1234567890",
        ),
        row(
            "a length in OWS",
            "12§5.1",
            echo("Content-Length: \t 2 \t\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row("no length is no content", "12§6.3", echo("", ""), [echoed("")], End::StaysOpen),
        row(
            "a length of zero",
            "12§6.3",
            echo("Content-Length: 0\r\n", ""),
            [echoed("")],
            End::StaysOpen,
        ),
        row(
            "Content_Length is another field",
            "10§5.1",
            echo("Content_Length: 9\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row(
            "Connection cannot unframe by naming Content-Length",
            "10§7.6.1",
            echo("Connection: Content-Length\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row(
            "Connection cannot unframe by naming Transfer-Encoding",
            "10§7.6.1",
            echo(
                "Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\n\r\n",
            ),
            [echoed("ok")],
            End::StaysOpen,
        ),
    ]);
    rows
}

fn length_limits() -> Vec<Case> {
    let announced = |length: &str| {
        let sent = echo(format!("Content-Length: {length}\r\n"), "");
        refused(format!("a length of {length}"), "10§8.6", sent, &[400, 413])
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
            "10§15.5.14",
            whole(65_536, &full),
            [echoed(&full)],
            End::StaysOpen,
        ),
        refused("one octet more is refused at once", "10§15.5.14", whole(65_537, ""), &[413]),
        refused("content in flight does not eat the 413", "12§9.6", whole(300_000, &long), &[413]),
        refused("a chunk over the limit", "10§15.5.14", chunked(coded), &[413]),
        refused("a chunk over the limit, at once", "10§15.5.14", chunked("fffff\r\n"), &[413]),
        refused(
            "chunks that never end",
            "10§15.5.14",
            chunked(format!("1000\r\n{}\r\n", "x".repeat(4_096)).repeat(20)),
            &[413],
        ),
        refused(
            "too much content for a path that does not exist",
            "12§9.3",
            request("POST", "/nowhere", "Content-Length: 300000\r\n", &long),
            &[404, 413],
        ),
    ]
}

fn codings() -> Vec<Case> {
    const CODED: &str = "2\r\nok\r\n0\r\n\r\n";
    let with = |value: &[u8]| {
        let line = [b"Transfer-Encoding: ", value, b"\r\n"].concat();
        echo(line, CODED)
    };
    let bad = |value: &[u8], status: &[u16]| {
        let name = format!("Transfer-Encoding {}", named(value));
        refused(name, "12§6.3", with(value), status)
    };
    let good = |value: &[u8]| {
        let name = format!("Transfer-Encoding {}", named(value));
        row(name, "12§7", with(value), [echoed("ok")], End::StaysOpen)
    };
    let lines = |name: &str, rule, lines: &str| refused(name, rule, echo(lines, CODED), &[400]);
    let mut rows = vec![
        good(b"chunked"),
        good(b"Chunked"),
        good(b"CHUNKED"),
        good(b"\t chunked \t"),
        bad(b"gzip", &[400, 501]),
        bad(b"identity", &[400, 501]),
        bad(b"gzip, chunked", &[400, 501]),
        bad(b"chunked, gzip", &[400]),
        bad(b"chunked, identity", &[400]),
        bad(b"chunked, chunked", &[400]),
        bad(b"chunked;q=1", &[400]),
        bad(b"\"chunked\"", &[400, 501]),
        bad(b"xchunked", &[400, 501]),
        bad(b"chunkedx", &[400, 501]),
        bad(b"chunk", &[400, 501]),
        bad(b"", &[400]),
        bad(b",", &[400]),
        bad(b"\x0bchunked", &[400]),
        bad(b"chunked\x0c", &[400]),
        bad(b"chunked\0", &[400]),
        bad(b"chunked\xa0", &[400, 501]),
        bad("chun\u{212a}ed".as_bytes(), &[400, 501]),
        bad("chunKed\u{2028}".as_bytes(), &[400, 501]),
        lines(
            "two Transfer-Encoding lines",
            "12§7",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "two Transfer-Encoding lines, the last of them not chunked",
            "12§7",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        ),
        lines(
            "length, then coding",
            "12§6.1",
            "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
        ),
        lines(
            "coding, then length",
            "12§6.1",
            "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n",
        ),
        lines(
            "length of zero and coding",
            "12§6.1",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ),
        refused(
            "length and coding on GET",
            "12§6.1",
            get_with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
            &[400],
        ),
        refused(
            "coding in HTTP/1.0",
            "12§6.1",
            format!("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{CODED}"),
            &[400],
        ),
    ];
    rows.push(row(
        "Transfer_Encoding is another field",
        "10§5.1",
        echo("Transfer_Encoding: chunked\r\nContent-Length: 2\r\n", "ok"),
        [echoed("ok")],
        End::StaysOpen,
    ));
    rows
}

fn chunk_sizes() -> Vec<Case> {
    let bad = |size: &str, status: &[u16]| {
        let sent = chunked(format!("{size}\r\nok\r\n0\r\n\r\n"));
        refused(format!("chunk size {size:?}"), "12§7.1", sent, status)
    };
    let good = |size: &str, data: &str| {
        let sent = chunked(format!("{size}\r\n{data}\r\n0\r\n\r\n"));
        row(format!("chunk size {size:?}"), "12§7.1", sent, [echoed(data)], End::StaysOpen)
    };
    let mut rows = vec![
        good("2", "ok"),
        good("0002", "ok"),
        good("a", "0123456789"),
        good("A", "0123456789"),
        good("1f", &"x".repeat(31)),
        bad("ffffffffffffffff", &[400, 413]),
        bad("7fffffffffffffff", &[400, 413]),
        bad("10000000000000002", &[400, 413]),
        bad("100000002", &[400, 413]),
        bad("FFFFFFFFFFFFFFFF0", &[400, 413]),
        bad(&format!("{}2", "0".repeat(40_000)), &[400, 413]),
    ];
    for size in
        ["+2", "-2", "0x2", "2_0", "0_2", " 2", "\t2", "2 ", "2\t", "", "g", "2g", "2.", "2,", "２"]
    {
        rows.push(bad(size, &[400]));
    }
    rows
}

fn chunk_ends() -> Vec<Case> {
    let bad = |name: &str, coded: &str| refused(name, "12§7.1", chunked(coded), &[400]);
    vec![
        bad("data longer than its chunk", "2\r\nokX\r\n0\r\n\r\n"),
        bad("data shorter than its chunk", "3\r\nok\r\n0\r\n\r\n"),
        bad("LF only behind data", "2\r\nok\n0\r\n\r\n"),
        bad("CR only behind data", "2\r\nok\r0\r\n\r\n"),
        bad("two octets that are no CRLF behind data", "2\r\nokXX0\r\n\r\n"),
        bad("LF CR behind data", "2\r\nok\n\r0\r\n\r\n"),
        bad("nothing behind data", "2\r\nok0\r\n\r\n"),
        bad("an extra CRLF behind data", "2\r\nok\r\n\r\n0\r\n\r\n"),
        bad("LF only behind a size", "2\nok\r\n0\r\n\r\n"),
        bad("CR only behind a size", "2\rok\r\n0\r\n\r\n"),
        bad("CR CR LF behind a size", "2\r\r\nok\r\n0\r\n\r\n"),
        bad("LF only behind the last size", "2\r\nok\r\n0\n\r\n"),
        bad("LF only as the end", "2\r\nok\r\n0\r\n\n"),
        bad("CR and something as the end", "2\r\nok\r\n0\r\n\rX"),
        bad(
            "no end but the next request",
            "2\r\nok\r\n0\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        ),
        row(
            "many chunks are one content",
            "12§7.1",
            chunked("1\r\no\r\n1\r\nk\r\n3\r\n a\n\r\n0\r\n\r\n"),
            [echoed("ok a\n")],
            End::StaysOpen,
        ),
        row("no chunk but the last", "12§7.1", chunked("0\r\n\r\n"), [echoed("")], End::StaysOpen),
        row(
            "a last chunk of many zeros",
            "12§7.1",
            chunked("000\r\n\r\n"),
            [echoed("")],
            End::StaysOpen,
        ),
    ]
}

fn extensions() -> Vec<Case> {
    let coded = |ext: &str| chunked(format!("2{ext}\r\nok\r\n0\r\n\r\n"));
    let good = |ext: &str| {
        row(
            format!("chunk extension {ext:?}"),
            "12§7.1.1",
            coded(ext),
            [echoed("ok")],
            End::StaysOpen,
        )
    };
    let bad =
        |ext: &str| refused(format!("chunk extension {ext:?}"), "12§7.1.1", coded(ext), &[400]);
    // BWS: the grammar has it, a sender must not, and the project may refuse it.
    let either = |ext: &str| {
        let name = format!("chunk extension {ext:?}");
        row(name, "10§5.6.3", coded(ext), [echoed_or(400, "ok")], End::AsAnnounced)
    };
    let flood_in_many = format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(100);
    vec![
        good(";a"),
        good(";a=b"),
        good(";a=\"b c\""),
        good(";a=\"\\\"\\\\;\""),
        good(";a=b;c;d=\"\""),
        row(
            "an extension on the last chunk",
            "12§7.1.1",
            chunked("2\r\nok\r\n0;a=b\r\n\r\n"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        either(" ;a"),
        either("; a"),
        either(";a = b"),
        bad(";"),
        bad(";;a"),
        bad(";="),
        bad(";=b"),
        bad(";a="),
        bad(";a=\"b"),
        bad(";a=\"b\"c"),
        bad(";a\0"),
        bad(";a=\x01"),
        bad(";a=\x7f"),
        bad(";a b"),
        bad("a=b"),
        // CVE-2025-55315: what one end takes for the end of the line, the other for an extension.
        bad(";\n"),
        bad(";a\nxx\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        bad(";a\r"),
        bad(";a\rb"),
        bad(";a=\"\n\""),
        bad(";a=\"\r\n\""),
        // CVE-2024-22019 and CVE-2023-39326: extensions that no content limit counts.
        refused(
            "an extension that never ends",
            "12§7.1.1",
            chunked(format!("2;{}", "a".repeat(100_000))),
            &[400, 413, 431],
        ),
        refused("extensions by the hundred", "12§7.1.1", chunked(flood_in_many), &[400, 413, 431]),
    ]
}

fn trailers() -> Vec<Case> {
    let with = |lines: &str| chunked(format!("2\r\nok\r\n0\r\n{lines}\r\n"));
    let discarded = |name: &str, lines: &str| {
        row(name, "12§7.1.2", with(lines), [echoed("ok")], End::StaysOpen)
    };
    let bad =
        |lines: &str| refused(format!("trailer {}", named(lines)), "12§7.1.2", with(lines), &[400]);
    let many: String = (0..2_000).map(|i| format!("X{i}: yyyyyyyyyy\r\n")).collect();
    let late_type = format!(
        "{}\r\n{}\r\n0\r\nContent-Type: application/json\r\n\r\n",
        "f", "{\"action\":\"on\"}"
    );
    vec![
        discarded("a trailer is discarded", "X: y\r\n"),
        discarded("two trailers are discarded", "X: y\r\nZ:\r\n"),
        discarded("a trailer named Connection does not close", "Connection: close\r\n"),
        row(
            "a trailer named Content-Length is not merged",
            "10§6.5.1",
            with("Content-Length: 9\r\n"),
            [echoed_or(400, "ok")],
            End::AsAnnounced,
        ),
        row(
            "a trailer named Content-Type is not merged",
            "10§6.5.1",
            request(
                "POST",
                "/devices/light/command",
                "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
                late_type,
            ),
            [error(&[415, 400])],
            End::AsAnnounced,
        ),
        bad("X : y\r\n"),
        bad(" X: y\r\n"),
        bad("no colon\r\n"),
        bad(": y\r\n"),
        bad("X: a\0b\r\n"),
        bad("X: a\n"),
        bad("X: a\rb\r\n"),
        bad("X: a\r\n b\r\n"),
        refused("trailers that never end", "12§7.1.2", with(&many), &[400, 413, 431]),
    ]
}

fn expectations() -> Vec<Case> {
    let head = |expect: &str| echo(format!("Expect: {expect}\r\nContent-Length: 2\r\n"), "");
    let asked = |name: &str, expect: &str| {
        let steps = [
            Step::Send(head(expect)),
            Step::Await(continues()),
            Step::Send(b"ok".to_vec()),
            Step::Await(echoed("ok")),
        ];
        conversation(name, "10§10.1.1", steps, End::StaysOpen)
    };
    let final_instead = |name: &str, sent: Vec<u8>, status: &[u16]| {
        refused(name, "10§10.1.1", sent, status).owns_what_follows()
    };
    let to = |method: &str, target: &str, lines: &str| {
        request(method, target, format!("Expect: 100-continue\r\n{lines}"), "")
    };
    vec![
        asked("100 comes before the content", "100-continue"),
        asked("the expectation has no case", "100-Continue"),
        conversation(
            "100 comes before chunked content",
            "10§10.1.1",
            [
                Step::Send(to("POST", "/", "Transfer-Encoding: chunked\r\n")),
                Step::Await(continues()),
                Step::Send(b"2\r\nok\r\n0\r\n\r\n".to_vec()),
                Step::Await(echoed("ok")),
            ],
            End::StaysOpen,
        ),
        conversation(
            "a 100 waits its turn behind slow answers",
            "12§9.3.2",
            [
                Step::Send([get("/events/live"), head("100-continue")].concat()),
                Step::Await(no_event()),
                Step::Await(continues()),
                Step::Send(b"ok".to_vec()),
                Step::Await(echoed("ok")),
            ],
            End::StaysOpen,
        ),
        row(
            "content that came along needs no 100",
            "10§10.1.1",
            [head("100-continue"), b"ok".to_vec()].concat(),
            [echoed("ok")],
            End::StaysOpen,
        )
        .may_continue(),
        row(
            "nothing to wait for, no 100 needed",
            "10§10.1.1",
            get_with("Expect: 100-continue\r\n"),
            [status()],
            End::StaysOpen,
        )
        .may_continue(),
        row(
            "HTTP/1.0 gets no 100",
            "10§15.2",
            "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
            [echoed("ok")],
            End::Closes,
        ),
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
        refused("another expectation", "10§10.1.1", head("later"), &[417]),
        refused("100-continue and another", "10§10.1.1", head("100-continue, later"), &[417]),
        refused("an expectation of a code that is not 100", "10§10.1.1", head("200-ok"), &[417]),
    ]
}

fn cut_content() -> Vec<Case> {
    // Never carried out; whether the client is told so is the server's choice.
    let cut = |name: &str, sent: Vec<u8>| {
        let mut case = half_closed(name, "12§8", sent, []);
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
