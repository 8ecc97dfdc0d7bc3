//! Rows of chunked content: sizes, ends, extensions, trailers.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [chunk_sizes(), chunk_ends(), extensions(), trailers()].into_iter().flatten().collect()
}

fn chunk_sizes() -> Vec<Case> {
    let refused_size = |size: &str, rule, status: &[u16]| {
        let sent = chunked(format!("{size}\r\nok\r\n0\r\n\r\n"));
        refused(format!("chunk size {size:?}"), rule, sent, status)
    };
    let bad = |size: &str| refused_size(size, "chunk.size", &[400]);
    let large = |size: &str| refused_size(size, "length.too-large", &[413]);
    let good = |size: &str, data: &str| {
        let sent = chunked(format!("{size}\r\n{data}\r\n0\r\n\r\n"));
        row(format!("chunk size {size:?}"), "chunk.good", sent, [echoed(data)], End::StaysOpen)
    };
    let mut rows = vec![
        good("2", "ok"),
        good("0002", "ok"),
        good("a", "0123456789"),
        good("A", "0123456789"),
        good("1f", &"x".repeat(31)),
        large("ffffffffffffffff"),
        large("7fffffffffffffff"),
        bad("10000000000000002"),
        large("100000002"),
        bad("FFFFFFFFFFFFFFFF0"),
        bad(&format!("{}2", "0".repeat(16))),
        bad(&format!("{}2", "0".repeat(40_000))),
        good(&format!("{}2", "0".repeat(15)), "ok"),
    ];
    for size in
        ["+2", "-2", "0x2", "2_0", "0_2", " 2", "\t2", "2 ", "2\t", "", "g", "2g", "2.", "2,", "２"]
    {
        rows.push(bad(size));
    }
    rows
}

fn chunk_ends() -> Vec<Case> {
    let bad = |name: &str, coded: &str| refused(name, "chunk.end", chunked(coded), &[400]);
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
            "chunk.good",
            chunked("1\r\no\r\n1\r\nk\r\n3\r\n a\n\r\n0\r\n\r\n"),
            [echoed("ok a\n")],
            End::StaysOpen,
        ),
        row(
            "no chunk but the last",
            "chunk.good",
            chunked("0\r\n\r\n"),
            [echoed("")],
            End::StaysOpen,
        ),
        row(
            "a last chunk of many zeros",
            "chunk.good",
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
            "chunk.extension",
            coded(ext),
            [echoed("ok")],
            End::StaysOpen,
        )
    };
    let bad = |ext: &str| {
        refused(format!("chunk extension {ext:?}"), "chunk.extension-bad", coded(ext), &[400])
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
            "chunk.extension",
            chunked("2\r\nok\r\n0;a=b\r\n\r\n"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        // BWS: the grammar has it, a sender must not, and the project refuses it.
        bad(" ;a"),
        bad("; a"),
        bad(";a = b"),
        bad(";a "),
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
            "chunk.extension-flood",
            chunked(format!("2;{}", "a".repeat(100_000))),
            &[413],
        ),
        refused(
            "extensions by the hundred",
            "chunk.extension-flood",
            chunked(flood_in_many),
            &[413],
        ),
    ]
}

fn trailers() -> Vec<Case> {
    let with = |lines: &str| chunked(format!("2\r\nok\r\n0\r\n{lines}\r\n"));
    let discarded = |name: &str, lines: &str| {
        row(name, "trailer.discarded", with(lines), [echoed("ok")], End::StaysOpen)
    };
    let bad = |lines: &str| {
        refused(format!("trailer {}", named(lines)), "trailer.bad", with(lines), &[400])
    };
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
            "trailer.not-merged",
            with("Content-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: other\r\n"),
            [echoed("ok")],
            End::StaysOpen,
        ),
        row(
            "a trailer named Content-Type is not merged",
            "trailer.not-merged",
            request(
                "POST",
                "/devices/light/command",
                "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
                late_type,
            ),
            [error(&[415])],
            End::StaysOpen,
        ),
        bad("X : y\r\n"),
        bad(" X: y\r\n"),
        bad("no colon\r\n"),
        bad(": y\r\n"),
        bad("X: a\0b\r\n"),
        bad("X: a\n"),
        bad("X: a\rb\r\n"),
        bad("X: a\r\n b\r\n"),
        refused("trailers that never end", "trailer.flood", with(&many), &[431]),
    ]
}
