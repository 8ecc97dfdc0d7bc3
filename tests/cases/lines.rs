//! Rows of the request head: line ends, request line, target, version, Host, field lines.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [line_ends(), request_lines(), methods(), targets(), versions(), hosts(), fields(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

fn line_ends() -> Vec<Case> {
    let rule = "12§2.2";
    let bad = |name: &str, sent: &[u8]| refused(name, rule, sent, &[400]);
    let skipped = |name: &str, before: &str| {
        serves(name, rule, [before.as_bytes(), &get("/devices/status")].concat())
    };
    vec![
        bad("bare LF after the request line", b"GET /healthz HTTP/1.1\nHost: h\r\n\r\n"),
        bad("bare LF after a field line", b"GET /healthz HTTP/1.1\r\nHost: h\n\r\n"),
        bad("bare LF as the blank line", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\n"),
        bad("bare LF everywhere", b"GET /healthz HTTP/1.1\nHost: h\n\n"),
        bad("bare CR for every line end", b"GET /healthz HTTP/1.1\rHost: h\r\r"),
        bad("bare CR in the target", b"GET /heal\rthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        bad("bare CR in a value", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
        bad("bare CR before a hidden field", b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rHost: b\r\n\r\n"),
        bad("bare CR in a name", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX\rY: a\r\n\r\n"),
        bad("two CR before the LF", b"GET /healthz HTTP/1.1\r\r\nHost: h\r\n\r\n"),
        bad("CR behind the last field", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\rX"),
        bad("bare CR before the request line", b"\rGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        skipped("one CRLF before the request line", "\r\n"),
        skipped("two CRLF before the request line", "\r\n\r\n"),
        bad("twenty CRLF before the request line", "\r\n".repeat(20).as_bytes()),
        row(
            "CRLF behind content, before the next request line",
            rule,
            [echo("Content-Length: 2\r\n", "ok\r\n"), get("/devices/status")].concat(),
            [echoed("ok"), status()],
            End::StaysOpen,
        ),
        bad("SP before the first field", b"GET /healthz HTTP/1.1\r\n Host: h\r\n\r\n"),
        bad("HTAB before the first field", b"GET /healthz HTTP/1.1\r\n\tHost: h\r\n\r\n"),
        refused("obs-fold by SP", "12§5.2", get_with("X: a\r\n b\r\n"), &[400]),
        refused("obs-fold by HTAB", "12§5.2", get_with("X: a\r\n\tb\r\n"), &[400]),
        refused("obs-fold in Host", "12§5.2", "GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n", &[400]),
        refused(
            "obs-fold in Transfer-Encoding",
            "12§5.2",
            echo("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
            &[400],
        ),
        refused("a line of SP only", "12§5.2", get_with("X: a\r\n \r\n"), &[400]),
    ]
}

fn request_lines() -> Vec<Case> {
    let bad = |line: &[u8]| {
        let sent = [line, b"\r\nHost: h\r\n\r\n"].concat();
        refused(format!("request line {}", named(line)), "12§3", sent, &[400])
    };
    let lines: [&[u8]; 13] = [
        b"GET  /healthz HTTP/1.1",
        b"GET /healthz  HTTP/1.1",
        b"GET\t/healthz HTTP/1.1",
        b"GET /healthz\tHTTP/1.1",
        b"GET /healthz HTTP/1.1 ",
        b" GET /healthz HTTP/1.1",
        b"GET /healthz HTTP/1.1 x",
        b"GET /heal thz HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET /healthz",
        b"GET",
        b"/healthz HTTP/1.1",
        b"GET \x0b/healthz HTTP/1.1",
    ];
    let mut rows: Vec<Case> = lines.into_iter().map(bad).collect();
    rows.extend([
        refused("HTTP/0.9 is refused at once", "12§3", "GET /\r\n", &[400]),
        refused("the HTTP/2 preface", "12§3", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 505]),
        refused(
            "a TLS hello is refused before it ends",
            "12§3",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &[400, 505],
        ),
        refused("an SSH banner", "12§3", "SSH-2.0-OpenSSH_9.2\r\n", &[400]),
        refused("garbage without a line end", "12§3", b"\x00\xff\x7f\x80", &[400]),
    ]);
    rows
}

fn methods() -> Vec<Case> {
    let unknown = |method: &str| {
        let answers = [error(&[501])];
        let sent = request(method, "/devices/status", "", "");
        row(format!("method {method}"), "10§9.1", sent, answers, End::AsAnnounced)
    };
    let no_token = |method: &[u8]| {
        let sent = [method, b" /devices/status HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        refused(format!("method {}", named(method)), "10§9.1", sent, &[400])
    };
    let wrong = |method: &str, target: &str, allows| {
        let answers = [error(&[405]).allowing(allows)];
        let sent = request(method, target, "Content-Length: 0\r\n", "");
        row(format!("{method} {target}"), "10§15.5.6", sent, answers, End::StaysOpen)
    };
    let long = [&"M".repeat(4_000), " /devices/status HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    vec![
        unknown("BREW"),
        unknown("get"),
        unknown("Get"),
        unknown("GETT"),
        unknown("GE"),
        unknown("!#$%&'*+-.^_`|~"),
        no_token(b"G@T"),
        no_token(b"GE(T"),
        no_token(b"G\0T"),
        no_token(b"G\xc3\x89T"),
        no_token(b"\"GET\""),
        refused("a method of 4,000 octets", "12§3", long, &[400, 501]),
        refused("a method that never ends", "12§3", "M".repeat(4_000), &[400, 501]),
        wrong("POST", "/devices/status", &["GET"]),
        wrong("PUT", "/devices/status", &["GET"]),
        wrong("DELETE", "/devices/status", &["GET"]),
        wrong("PATCH", "/events/live", &["GET"]),
        wrong("POST", "/healthz", &["GET"]),
        wrong("POST", "/metrics", &["GET"]),
        wrong("GET", "/devices/light/command", &["POST"]),
        wrong("PUT", "/devices/light/command", &["POST"]),
        row(
            "TRACE reflects nothing",
            "10§9.3.8",
            request("TRACE", "/devices/status", "Cookie: secret\r\n", ""),
            [error(&[405, 501])],
            End::AsAnnounced,
        ),
        refused("CONNECT", "12§3.2.3", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", &[405, 501]),
        row(
            "OPTIONS *",
            "12§3.2.4",
            request("OPTIONS", "*", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["GET", "POST"])],
            End::StaysOpen,
        ),
        row(
            "OPTIONS on a path",
            "10§9.3.7",
            request("OPTIONS", "/devices/light/command", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["POST"])],
            End::StaysOpen,
        ),
    ]
}

fn targets() -> Vec<Case> {
    let bad =
        |target: &[u8]| refused(format!("target {}", named(target)), "12§3.2", get(target), &[400]);
    let absolute = |target: &str| serves(format!("target {target}"), "12§3.2.2", get(target));
    let gives = |target: &str, rule, answer: Answer| {
        row(format!("target {target}"), rule, get(target), [answer], End::AsAnnounced)
    };
    // All that RFC 3986 keeps out of a target, but what ends a line or a word.
    let illegal = b"\x00\x01\x08\x0c\x1f\x7f\x80\xa0\xc3\xff\"<>\\^`{|}#";
    let mut rows: Vec<Case> =
        illegal.iter().map(|&byte| bad(&[b"/devices/", &[byte][..], b"status"].concat())).collect();
    rows.extend([
        bad(b"devices/status"),
        bad(b"*"),
        bad(b"h:80"),
        bad(b"?x"),
        absolute("http://h/devices/status"),
        absolute("HTTP://h/devices/status"),
        absolute("http://h:8080/devices/status?x"),
        gives("http://h", "12§3.2.2", echoed("OK")),
        bad(b"http://u@h/devices/status"),
        bad(b"http://u:p@h/devices/status"),
        bad(b"http:///devices/status"),
        bad(b"http:/devices/status"),
        bad(b"http://h:8x/devices/status"),
        refused(
            "absolute-form without Host",
            "12§3.2",
            "GET http://h/devices/status HTTP/1.1\r\n\r\n",
            &[400],
        ),
        refused(
            "absolute-form with a bad Host",
            "12§3.2",
            "GET http://h/devices/status HTTP/1.1\r\nHost: a b\r\n\r\n",
            &[400],
        ),
        gives(
            "http://elsewhere/devices/status",
            "12§3.2.2",
            Answer::of(&[200, 421], Body::OkOrError(Box::new(Body::Exact(STATUS.into())))),
        ),
        gives("ftp://h/devices/status", "12§3.2.2", error(&[400, 404, 421])),
        gives("/devices/light%2Fcommand", "RFC 3986 §2.2", error(&[404])),
        gives("/devices%2Fstatus", "RFC 3986 §2.2", error(&[404])),
        gives("/%2e%2e/healthz", "RFC 3986 §6.2.2.3", error(&[400, 404])),
        gives("/devices/../healthz", "RFC 3986 §6.2.2.3", error(&[400, 404])),
        gives("//healthz", "12§3.2.1", error(&[400, 404])),
        serves("a query is no part of the path", "12§3.2.1", get("/devices/status?a=b&c")),
    ]);
    for id in ["%zz", "%4", "%", "%00", "%0a", "%7f", "li%g0ht"] {
        let path = format!("/devices/{id}/command");
        let json = "{\"action\":\"on\"}";
        let lines = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        let sent = request("POST", &path, lines, json);
        let name = format!("id {id}");
        rows.push(row(name, "RFC 3986 §2.1", sent, [error(&[400])], End::AsAnnounced));
    }
    rows.extend([
        row(
            "an id is decoded once",
            "RFC 3986 §2.1",
            command("%6cight", "{\"action\":\"set\",\"value\":11}"),
            [applied("light", "11")],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "an id is not decoded twice",
            "RFC 3986 §2.4",
            command("%256cight", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
        row(
            "a %2F in an id is no separator",
            "RFC 3986 §2.2",
            command("light%2fcommand", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
    ]);
    rows
}

fn versions() -> Vec<Case> {
    let with = |version: &str| format!("GET /devices/status {version}\r\nHost: h\r\n\r\n");
    let other = |version: &str, status: &[u16]| {
        refused(format!("version {version:?}"), "12§2.3", with(version), status)
    };
    let mut rows = vec![
        serves("HTTP/1.2 is taken as 1.1", "10§2.5", with("HTTP/1.2")),
        serves("HTTP/1.9 is taken as 1.1", "10§2.5", with("HTTP/1.9")),
        other("HTTP/2.0", &[505]),
        other("HTTP/3.0", &[505]),
        other("HTTP/0.9", &[505]),
        other("HTTP/9.1", &[505]),
    ];
    for version in [
        "http/1.1",
        "Http/1.1",
        "HTTP/1.10",
        "HTTP/11.1",
        "HTTP/01.1",
        "HTTP/1.01",
        "HTTP/1.",
        "HTTP/1",
        "HTTP/",
        "HTTP",
        "HTTP/.1",
        "HTTP/1,1",
        "HTTP/+1.1",
        "HTTP/1.x",
        "HTTP/ 1.1",
        "HTTP /1.1",
        "XTTP/1.1",
        "HTTP\\1.1",
        "HTTP/1.1\x0c",
        "ICY/1.1",
    ] {
        rows.push(other(version, &[400]));
    }
    rows
}

fn hosts() -> Vec<Case> {
    let with = |lines: &[u8]| [b"GET /devices/status HTTP/1.1\r\n", lines, b"\r\n"].concat();
    let of = |host: &[u8]| with(&[b"Host: ", host, b"\r\n"].concat());
    let bad = |host: &[u8]| refused(format!("Host {}", named(host)), "12§3.2", of(host), &[400]);
    let good = |host: &str| serves(format!("Host {host}"), "12§3.2", of(host.as_bytes()));
    let hosts: [&[u8]; 20] = [
        b"",
        b"a b",
        b"a/b",
        b"u@h",
        b"a,b",
        b"h\xc3\xa9",
        b"h\x01",
        b"h\0",
        b"h\x7f",
        b"h:8x",
        b"h:99999999",
        b"h:-1",
        b"h:80:80",
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[]",
        b"http://h",
        b"h?x",
        b"h#x",
    ];
    let mut rows: Vec<Case> = hosts.into_iter().map(bad).collect();
    rows.extend([
        refused("no Host", "12§3.2", with(b""), &[400]),
        refused("two Host lines", "12§3.2", with(b"Host: a\r\nHost: b\r\n"), &[400]),
        refused("two equal Host lines", "12§3.2", with(b"Host: h\r\nHost: h\r\n"), &[400]),
        refused("two Host lines in two cases", "12§3.2", with(b"Host: h\r\nhOST: h\r\n"), &[400]),
        refused("a Host only by Host-like name", "12§3.2", with(b"Hosts: h\r\n"), &[400]),
        good("h"),
        good("h:8080"),
        good("127.0.0.1:80"),
        good("[::1]"),
        good("[2001:db8::1]:443"),
        good("sub-domain.example_1.test."),
        serves("Host without a space", "12§5.1", with(b"Host:h\r\n")),
        serves("Host in OWS", "12§5.1", with(b"Host: \t h \t\r\n")),
        serves("hOsT", "10§5.1", with(b"hOsT: h\r\n")),
    ]);
    rows
}

fn fields() -> Vec<Case> {
    let bad = |rule, line: &[u8]| {
        let sent = get_with([line, b"\r\n"].concat());
        refused(format!("field {}", named(line)), rule, sent, &[400])
    };
    let good = |rule, line: &[u8]| {
        serves(format!("field {}", named(line)), rule, get_with([line, b"\r\n"].concat()))
    };
    vec![
        bad("12§5.1", b"X : y"),
        bad("12§5.1", b"X\t: y"),
        bad("12§5.1", b"Content-Length : 0"),
        bad("12§5.1", b"Transfer-Encoding : chunked"),
        bad("12§5.1", b"Transfer-Encoding\x0b: chunked"),
        bad("12§2.2", b"no colon"),
        bad("12§2.2", b"NoColon"),
        bad("12§2.2", b": empty name"),
        bad("12§2.2", b":"),
        bad("10§5.1", b"X(Y: 1"),
        bad("10§5.1", b"X Y: 1"),
        bad("10§5.1", b"X@Y: 1"),
        bad("10§5.1", b"X/Y: 1"),
        bad("10§5.1", b"\"X\": 1"),
        bad("10§5.1", b"X\x01: 1"),
        bad("10§5.1", b"X\0: 1"),
        bad("10§5.1", b"X\x7f: 1"),
        bad("10§5.1", b"X\xff: 1"),
        bad("10§5.1", "Ключ: 1".as_bytes()),
        bad("10§5.5", b"X: a\0b"),
        bad("10§5.5", b"X: \0"),
        bad("10§5.5", b"X: a\x01b"),
        bad("10§5.5", b"X: a\x08b"),
        bad("10§5.5", b"X: a\x1bb"),
        bad("10§5.5", b"X: a\x7fb"),
        good("10§5.1", b"!#$%&'*+-.^_`|~09aZ: x"),
        good("10§5.5", b"X: caf\xc3\xa9 \x80\xff"),
        good("10§5.5", b"X:"),
        good("10§5.5", b"X: \t \t"),
        good("10§5.5", b"X: a\tb : c"),
        good("10§5.1", b"Content_Length: 5"),
        good("10§5.1", b"Transfer_Encoding: chunked"),
        good("10§7.6.1", b"Connection: Host"),
    ]
}

fn limits() -> Vec<Case> {
    let many = |count: usize| (0..count).map(|i| format!("X{i}: y\r\n")).collect::<String>();
    let long_target = |bytes: usize| get(format!("/devices/status?{}", "x".repeat(bytes)));
    let long_field = |bytes: usize| get_with(format!("X: {}\r\n", "y".repeat(bytes)));
    vec![
        serves("a target of 8,000 octets works", "12§3", long_target(8_000)),
        refused("a target of 20,000 octets", "12§3", long_target(20_000), &[414]),
        refused("a target that never ends", "12§3", format!("GET /{}", "x".repeat(40_000)), &[414]),
        serves("a field of 8,000 octets works", "10§5.4", long_field(8_000)),
        refused("a field of 40,000 octets", "10§5.4", long_field(40_000), &[431]),
        refused(
            "a field that never ends",
            "10§5.4",
            format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "y".repeat(100_000)),
            &[431],
        ),
        serves("a hundred fields work", "10§5.4", get_with(many(99))),
        refused("a hundred and one fields", "10§5.4", get_with(many(100)), &[431]),
        refused(
            "fields that never end",
            "10§5.4",
            format!("GET / HTTP/1.1\r\nHost: h\r\n{}", many(1_000)),
            &[431],
        ),
    ]
}
