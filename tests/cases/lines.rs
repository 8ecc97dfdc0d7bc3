//! Rows of the request head: line ends, request line, target, version, Host, field lines.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [
        line_ends(),
        request_lines(),
        methods(),
        targets(),
        resolved_targets(),
        ids(),
        versions(),
        hosts(),
        fields(),
        limits(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn line_ends() -> Vec<Case> {
    let bad_lf = |name: &str, sent: &[u8]| refused(name, "line.bare-lf", sent, &[400]);
    let bad_cr = |name: &str, sent: &[u8]| refused(name, "line.bare-cr", sent, &[400]);
    let blank = |name: &str, sent: &[u8]| refused(name, "line.leading-blank", sent, &[400]);
    let behind = |before: &str| [before.as_bytes(), &get("/devices/status")].concat();
    let skipped = |name: &str, before: &str| serves(name, "line.leading-crlf", behind(before));
    let flood =
        |name: &str, before: &str| refused(name, "line.leading-flood", behind(before), &[400]);
    vec![
        bad_lf("bare LF after the request line", b"GET /healthz HTTP/1.1\nHost: h\r\n\r\n"),
        bad_lf("bare LF after a field line", b"GET /healthz HTTP/1.1\r\nHost: h\n\r\n"),
        bad_lf("bare LF as the blank line", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\n"),
        bad_lf("bare LF everywhere", b"GET /healthz HTTP/1.1\nHost: h\n\n"),
        bad_cr("bare CR for every line end", b"GET /healthz HTTP/1.1\rHost: h\r\r"),
        bad_cr("bare CR in the target", b"GET /heal\rthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        bad_cr("bare CR in a value", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"),
        bad_cr(
            "bare CR before a hidden field",
            b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rHost: b\r\n\r\n",
        ),
        bad_cr("bare CR in a name", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX\rY: a\r\n\r\n"),
        bad_cr("two CR before the LF", b"GET /healthz HTTP/1.1\r\r\nHost: h\r\n\r\n"),
        bad_cr("CR behind the last field", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\rX"),
        bad_cr("bare CR before the request line", b"\rGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        skipped("one CRLF before the request line", "\r\n"),
        skipped("two CRLF before the request line", "\r\n\r\n"),
        flood("three CRLF before the request line", &"\r\n".repeat(3)),
        flood("twenty CRLF before the request line", &"\r\n".repeat(20)),
        bad_lf("bare LF before the request line", b"\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"),
        bad_lf("CRLF and LF before the request line", b"\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        bad_lf("LF CR for CR LF", b"GET /healthz HTTP/1.1\n\rHost: h\n\r\n\r"),
        bad_cr("bare CR in a version", b"GET /healthz HTTP/1.\r1\r\nHost: h\r\n\r\n"),
        bad_cr("CR before a space in a value", b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r b\r\n\r\n"),
        row(
            "CRLF behind content, before the next request line",
            "line.leading-crlf",
            [echo("Content-Length: 2\r\n", "ok\r\n"), get("/devices/status")].concat(),
            [echoed("ok"), status()],
            End::StaysOpen,
        ),
        blank("SP before the first field", b"GET /healthz HTTP/1.1\r\n Host: h\r\n\r\n"),
        blank("HTAB before the first field", b"GET /healthz HTTP/1.1\r\n\tHost: h\r\n\r\n"),
        refused("obs-fold by SP", "line.fold", get_with("X: a\r\n b\r\n"), &[400]),
        refused("obs-fold by HTAB", "line.fold", get_with("X: a\r\n\tb\r\n"), &[400]),
        refused("obs-fold in Host", "line.fold", "GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n", &[400]),
        refused(
            "obs-fold in Transfer-Encoding",
            "line.fold",
            echo("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
            &[400],
        ),
        refused(
            "obs-fold in Content-Length",
            "line.fold",
            echo("Content-Length:\r\n 2\r\n", "ok"),
            &[400],
        ),
        refused(
            "obs-fold by more than one blank",
            "line.fold",
            get_with("X: a\r\n \t b\r\n"),
            &[400],
        ),
        refused("a line of SP only", "line.fold", get_with("X: a\r\n \r\n"), &[400]),
    ]
}

fn request_lines() -> Vec<Case> {
    let bad = |line: &[u8]| {
        let sent = [line, b"\r\nHost: h\r\n\r\n"].concat();
        let no_version = matches!(line, b"GET /healthz");
        let rule = if no_version { "start.http09" } else { "start.grammar" };
        refused(format!("request line {}", named(line)), rule, sent, &[400])
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
        refused("HTTP/0.9 is refused at once", "start.http09", "GET /\r\n", &[400]),
        refused(
            "the HTTP/2 preface",
            "start.h2-preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &[505],
        ),
        refused(
            "a TLS hello is refused before it ends",
            "start.other-protocol",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &[400],
        ),
        refused("an SSH banner", "start.other-protocol", "SSH-2.0-OpenSSH_9.2\r\n", &[400]),
        refused("garbage without a line end", "start.other-protocol", b"\x00\xff\x7f\x80", &[400]),
    ]);
    rows
}

fn methods() -> Vec<Case> {
    let unknown = |method: &str| {
        let sent = request(method, "/devices/status", "", "");
        refused(format!("method {method}"), "method.unknown", sent, &[501])
    };
    let no_token = |method: &[u8]| {
        let sent = [method, b" /devices/status HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        refused(format!("method {}", named(method)), "method.token", sent, &[400])
    };
    let wrong = |method: &str, target: &str, allows| {
        let answers = [error(&[405]).allowing(allows)];
        let sent = request(method, target, "Content-Length: 0\r\n", "");
        row(format!("{method} {target}"), "method.not-allowed", sent, answers, End::StaysOpen)
    };
    let long = |octets: usize| request(&"M".repeat(octets), "/devices/status", "", "");
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
        refused("a method of 32 octets", "method.unknown", long(32), &[501]),
        refused("a method of 33 octets", "method.too-long", long(33), &[400]),
        refused("a method of 4,000 octets", "method.too-long", long(4_000), &[400]),
        refused("a method that never ends", "method.too-long", "M".repeat(4_000), &[400]),
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
            "method.trace",
            request("TRACE", "/devices/status", "Cookie: secret\r\n", ""),
            [error(&[405])],
            End::StaysOpen,
        ),
        refused("CONNECT", "method.connect", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", &[501]),
        refused("CONNECT to a path", "method.connect", request("CONNECT", "/", "", ""), &[501]),
        row(
            "OPTIONS *",
            "target.asterisk",
            request("OPTIONS", "*", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["GET", "POST"])],
            End::StaysOpen,
        ),
        row(
            "OPTIONS on a server in absolute form",
            "target.asterisk",
            request("OPTIONS", "http://h", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["GET", "POST"])],
            End::StaysOpen,
        )
        .on(Target::Bare), // where there is nothing at the root
        row(
            "OPTIONS on a root in absolute form",
            "method.options",
            request("OPTIONS", "http://h/", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["GET", "POST"])],
            End::StaysOpen,
        ),
        row(
            "OPTIONS on a path",
            "method.options",
            request("OPTIONS", "/devices/light/command", "", ""),
            [Answer::of(&[204], Body::Absent).allowing(&["POST"])],
            End::StaysOpen,
        ),
        row(
            "OPTIONS on a device that is not there",
            "method.options",
            request("OPTIONS", "/devices/toaster/command", "", ""),
            [error(&[404])],
            End::StaysOpen,
        ),
        row(
            "OPTIONS on no device",
            "method.options",
            request("OPTIONS", "/devices//command", "", ""),
            [error(&[404])],
            End::StaysOpen,
        ),
    ]
}

fn targets() -> Vec<Case> {
    let bad = |target: &[u8]| {
        refused(format!("target {}", named(target)), "target.octets", get(target), &[400])
    };
    let bad_absolute = |target: &[u8]| {
        refused(format!("target {}", named(target)), "target.absolute-bad", get(target), &[400])
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
        bad_absolute(b"http://u@h/devices/status"),
        bad_absolute(b"http://u:p@h/devices/status"),
        bad_absolute(b"http:///devices/status"),
        bad_absolute(b"http:/devices/status"),
        bad_absolute(b"http://h:8x/devices/status"),
        bad_absolute(b"http://h:65536/devices/status"),
        bad_absolute(b"http://[::1/devices/status"),
        bad_absolute(b"http://h,i/devices/status"),
        bad_absolute(b"http://"),
        bad_absolute(b"https://h/devices/status"),
        bad_absolute(b"ftp://h/devices/status"),
        bad_absolute(b"urn:x"),
        bad_absolute(b"http://h/%zz"),
        bad(b"*/devices/status"),
        bad(b"/devices/[status"),
        refused(
            "absolute-form without Host",
            "host.missing",
            "GET http://h/devices/status HTTP/1.1\r\n\r\n",
            &[400],
        ),
        refused(
            "absolute-form with a bad Host",
            "host.bad",
            "GET http://h/devices/status HTTP/1.1\r\nHost: a b\r\n\r\n",
            &[400],
        ),
    ]);
    rows
}

fn resolved_targets() -> Vec<Case> {
    let absolute =
        |target: &str| serves(format!("target {target}"), "target.absolute", get(target));
    let gives = |target: &str, rule, answer: Answer| {
        row(format!("target {target}"), rule, get(target), [answer], End::StaysOpen)
    };
    let nowhere = |target: &str| gives(target, "target.no-separator", error(&[404]));
    vec![
        absolute("http://h/devices/status"),
        absolute("HTTP://h/devices/status"),
        absolute("http://h:8080/devices/status?x"),
        gives("http://h", "target.absolute", echoed("OK")),
        gives("http://h?x", "target.absolute", echoed("OK")),
        absolute("http://[::1]:80/devices/status"),
        absolute("http://elsewhere/devices/status"),
        nowhere("/devices/light%2Fcommand"),
        nowhere("/devices%2Fstatus"),
        nowhere("/%2e%2e/healthz"),
        nowhere("/devices/../healthz"),
        nowhere("/./healthz"),
        nowhere("//healthz"),
        nowhere("/healthz/..;/metrics"),
        serves("a query is no part of the path", "target.query", get("/devices/status?a=b&c")),
        serves("a query holds slashes and marks", "target.query", get("/devices/status?/?a=/x?")),
        serves("an empty query", "target.query", get("/devices/status?")),
    ]
}

fn ids() -> Vec<Case> {
    let mut rows = Vec::new();
    for id in ["%zz", "%4", "%", "%00", "%0a", "%7f", "li%g0ht"] {
        let path = format!("/devices/{id}/command");
        let json = "{\"action\":\"on\"}";
        let lines = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        let sent = request("POST", &path, lines, json);
        rows.push(refused(format!("id {id}"), "target.percent", sent, &[400]));
    }
    for (name, sent) in [("path", "GET /a%\n"), ("query", "GET /a?b=1%\n")] {
        // Found by fuzzing: nothing more is waited for.
        rows.push(refused(format!("% and no digit in a {name}"), "target.percent", sent, &[400]));
    }
    for query in ["%zz", "%4", "%00", "a=%0", "a=%0d%0aX:y", "a=%1b", "%7f"] {
        let sent = get(format!("/devices/status?{query}"));
        rows.push(refused(format!("query {query}"), "target.percent", sent, &[400]));
    }
    rows.extend([
        row(
            "an id is decoded once",
            "target.decoded-once",
            command("%6cight", "{\"action\":\"set\",\"value\":11}"),
            [applied("light", "11")],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "an id is not decoded twice",
            "target.no-separator",
            command("%256cight", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
        row(
            "a %2F in an id is no separator",
            "target.no-separator",
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
        let rule = if status == [505] { "version.major" } else { "version.grammar" };
        refused(format!("version {version:?}"), rule, with(version), status)
    };
    let mut rows = vec![
        serves("HTTP/1.2 is taken as 1.1", "version.minor", with("HTTP/1.2")),
        serves("HTTP/1.9 is taken as 1.1", "version.minor", with("HTTP/1.9")),
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
    let bad = |host: &[u8]| refused(format!("Host {}", named(host)), "host.bad", of(host), &[400]);
    let good = |host: &str| serves(format!("Host {host}"), "host.good", of(host.as_bytes()));
    let hosts: [&[u8]; 27] = [
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
        b":80",
        b"h:65536",
        b"[v1.x]",
        b"[::1]:x",
        b"[::g]",
        b"h%zz",
        b"h\\x",
    ];
    let mut rows: Vec<Case> = hosts.into_iter().map(bad).collect();
    rows.extend([
        refused("no Host", "host.missing", with(b""), &[400]),
        refused("two Host lines", "host.repeated", with(b"Host: a\r\nHost: b\r\n"), &[400]),
        refused("two equal Host lines", "host.repeated", with(b"Host: h\r\nHost: h\r\n"), &[400]),
        refused(
            "two Host lines in two cases",
            "host.repeated",
            with(b"Host: h\r\nhOST: h\r\n"),
            &[400],
        ),
        refused("a Host only by Host-like name", "host.missing", with(b"Hosts: h\r\n"), &[400]),
        good("h"),
        good("h:8080"),
        good("h:"),
        good("h:65535"),
        good("h%41"),
        good("127.0.0.1:80"),
        good("[::1]"),
        good("[2001:db8::1]:443"),
        good("sub-domain.example_1.test."),
        serves("Host without a space", "field.ows", with(b"Host:h\r\n")),
        serves("Host in OWS", "field.ows", with(b"Host: \t h \t\r\n")),
        serves("hOsT", "field.any-name", with(b"hOsT: h\r\n")),
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
        bad("field.blank-before-colon", b"X : y"),
        bad("field.blank-before-colon", b"X\t: y"),
        bad("field.blank-before-colon", b"Content-Length : 0"),
        bad("field.blank-before-colon", b"Transfer-Encoding : chunked"),
        bad("field.blank-before-colon", b"Transfer-Encoding\x0b: chunked"),
        bad("field.name", b"no colon"),
        bad("field.name", b"NoColon"),
        bad("field.name", b": empty name"),
        bad("field.name", b":"),
        bad("field.name", b"X(Y: 1"),
        bad("field.name", b"X Y: 1"),
        bad("field.name", b"Transfer Encoding: chunked"),
        bad("field.name", b"Content-Length\0: 5"),
        bad("field.name", b"\xefHost: h"),
        bad("field.name", b"X@Y: 1"),
        bad("field.name", b"X/Y: 1"),
        bad("field.name", b"\"X\": 1"),
        bad("field.name", b"X\x01: 1"),
        bad("field.name", b"X\0: 1"),
        bad("field.name", b"X\x7f: 1"),
        bad("field.name", b"X\xff: 1"),
        bad("field.name", "Ключ: 1".as_bytes()),
        bad("field.control", b"X: a\0b"),
        bad("field.control", b"X: \0"),
        bad("field.control", b"X: a\x01b"),
        bad("field.control", b"X: a\x08b"),
        bad("field.control", b"X: a\x1bb"),
        bad("field.control", b"X: a\x7fb"),
        good("field.any-name", b"!#$%&'*+-.^_`|~09aZ: x"),
        good("field.any-value", b"X: caf\xc3\xa9 \x80\xff"),
        good("field.any-value", b"X:"),
        good("field.any-value", b"X: \t \t"),
        good("field.any-value", b"X: a\tb : c"),
        good("field.look-alike", b"Content_Length: 5"),
        good("field.look-alike", b"Transfer_Encoding: chunked"),
        good("field.look-alike", b"transfer%2Dencoding: chunked"),
        good("field.look-alike", b"Content-Lengt: 5"),
        good("field.nominated", b"Connection: Host"),
    ]
}

/// The defaults of `--line-bytes-max` and `--head-bytes-max`.
const LINE_BYTES_MAX: usize = 16 * 1024;
const HEAD_BYTES_MAX: usize = 32 * 1024;

fn limits() -> Vec<Case> {
    let many = |count: usize| (0..count).map(|i| format!("X{i}: y\r\n")).collect::<String>();
    let long_target = |bytes: usize| get(format!("/devices/status?{}", "x".repeat(bytes)));
    let long_field = |bytes: usize| get_with(format!("X: {}\r\n", "y".repeat(bytes)));
    // Three lines that make up a head of so many octets.
    let long_head = |bytes: usize| {
        let rest = bytes - get_with("").len() - 2 * 12_000;
        [12_000, 12_000, rest].map(|len| format!("X: {}\r\n", "y".repeat(len - 5))).concat()
    };
    vec![
        serves("a target of 8,000 octets works", "target.long", long_target(8_000)),
        serves("a request line of the limit", "target.long", long_target(LINE_BYTES_MAX - 31)),
        refused(
            "a request line of one octet more",
            "target.too-long",
            long_target(LINE_BYTES_MAX - 30),
            &[414],
        ),
        refused("a target of 20,000 octets", "target.too-long", long_target(20_000), &[414]),
        refused(
            "a target that never ends",
            "target.too-long",
            format!("GET /{}", "x".repeat(40_000)),
            &[414],
        ),
        serves("a field of 8,000 octets works", "field.many", long_field(8_000)),
        serves("a field line of the limit", "field.many", long_field(LINE_BYTES_MAX - 5)),
        refused(
            "a field line of one octet more",
            "field.too-large",
            long_field(LINE_BYTES_MAX - 4),
            &[431],
        ),
        serves("a head of the limit", "field.many", get_with(long_head(HEAD_BYTES_MAX))),
        refused(
            "a head of one octet more",
            "field.too-large",
            get_with(long_head(HEAD_BYTES_MAX + 1)),
            &[431],
        ),
        refused("a field of 40,000 octets", "field.too-large", long_field(40_000), &[431]),
        refused(
            "a field that never ends",
            "field.too-large",
            format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "y".repeat(100_000)),
            &[431],
        ),
        serves("a hundred fields work", "field.many", get_with(many(99))),
        refused("a hundred and one fields", "field.too-large", get_with(many(100)), &[431]),
        refused(
            "fields that never end",
            "field.too-large",
            format!("GET / HTTP/1.1\r\nHost: h\r\n{}", many(1_000)),
            &[431],
        ),
    ]
}
