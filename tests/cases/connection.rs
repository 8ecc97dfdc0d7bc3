//! Rows of the connection: HEAD, order, persistence, HTTP/1.0, upgrades, half-close, deadlines.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [
        heads(),
        content_nobody_wants(),
        closing(),
        answered_and_closed(),
        http_1_0(),
        pipelining(),
        pipelined_errors(),
        upgrades(),
        half_closes(),
        deadlines(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn heads() -> Vec<Case> {
    let withheld = |status: &[u16], bytes| Answer::of(status, Body::Withheld { bytes });
    let of = |target: &str, answer: Answer| {
        let sent = request("HEAD", target, "", "");
        row(format!("HEAD {target}"), "head.no-content", sent, [answer], End::StaysOpen)
    };
    let refused_head = |name: &str, sent: &str, status: &[u16]| {
        row(name, "head.no-content", sent, [withheld(status, None)], End::Closes)
    };
    let bad_chunk = "HEAD / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    let too_large = "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n";
    let unfinished = "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    let metrics = Answer { content_type: Some("text/plain"), ..withheld(&[200], None) };
    let echo =
        Answer { content_type: Some("application/octet-stream"), ..withheld(&[200], Some(2)) };
    vec![
        of("/devices/status", withheld(&[200], Some(120))),
        of("/healthz", withheld(&[200], Some(15))),
        of("/metrics", metrics),
        of("/", echo),
        of("/nowhere", withheld(&[404], None)),
        of("/devices/light/command", withheld(&[405], None).allowing(&["POST"])),
        of("/events/live", withheld(&[200], Some(60))),
        row(
            "HEAD between GETs",
            "pipeline.order",
            [get("/healthz"), request("HEAD", "/devices/status", "", ""), get("/healthz")].concat(),
            [healthy(), withheld(&[200], Some(120)), healthy()],
            End::StaysOpen,
        ),
        refused_head("HEAD without Host", "HEAD /devices/status HTTP/1.1\r\n\r\n", &[400]),
        refused_head("HEAD behind a CRLF, without Host", "\r\nHEAD / HTTP/1.1\r\n\r\n", &[400]),
        // Found by fuzzing: what stands behind a blank is no method.
        refused("HEAD behind a space", "start.grammar", " HEAD / HTTP/1.1\r\n\r\n", &[400]),
        refused_head("HEAD with a bad chunk", bad_chunk, &[400]),
        refused_head("HEAD with too much content", too_large, &[413]),
        refused_head("HEAD that does not end", "HEAD / HTTP/1.1\r\nHo", &[408])
            .on(Target::Impatient),
        refused_head("HEAD whose content does not end", unfinished, &[408]).on(Target::Impatient),
    ]
}

/// Each carries a whole request as its content: were it run, the answers would be one too many.
fn content_nobody_wants() -> Vec<Case> {
    let hidden = command("light", "{\"action\":\"off\"}");
    let length = format!("Content-Length: {}\r\n", hidden.len());
    let coded = [format!("{:x}\r\n", hidden.len()).as_bytes(), &hidden, b"\r\n0\r\n\r\n"].concat();
    let rule = "content.unwanted";
    // A method that nobody knows may frame its content in a way that nobody knows.
    let end_of = |method: &str| if method == "BREW" { End::Closes } else { End::StaysOpen };
    let sized = |method: &str, target: &str, answer: Answer| {
        let sent = request(method, target, &length, &hidden);
        row(format!("{method} {target} with content"), rule, sent, [answer], end_of(method))
    };
    let in_chunks = |method: &str, target: &str, answer: Answer| {
        let sent = request(method, target, "Transfer-Encoding: chunked\r\n", &coded);
        row(format!("{method} {target} with chunks"), rule, sent, [answer], end_of(method))
    };
    let withheld = |bytes| Answer::of(&[200], Body::Withheld { bytes: Some(bytes) });
    let options = || Answer::of(&[204], Body::Absent).allowing(&["GET"]);
    vec![
        sized("GET", "/devices/status", status()),
        in_chunks("GET", "/devices/status", status()),
        sized("GET", "/events/live?since=0", no_event()),
        in_chunks("GET", "/events/live?since=0", no_event()),
        sized("HEAD", "/devices/status", withheld(120)),
        in_chunks("HEAD", "/devices/status", withheld(120)),
        sized("OPTIONS", "/devices/status", options()),
        in_chunks("OPTIONS", "/devices/status", options()),
        sized("DELETE", "/devices/status", error(&[405]).allowing(&["GET"])),
        in_chunks("DELETE", "/devices/status", error(&[405]).allowing(&["GET"])),
        sized("POST", "/nowhere", error(&[404])),
        in_chunks("POST", "/nowhere", error(&[404])),
        sized("POST", "/devices/light/command", error(&[400])),
        in_chunks("POST", "/devices/light/command", error(&[400])),
        sized("BREW", "/devices/status", error(&[501])),
        in_chunks("BREW", "/devices/status", error(&[501])),
        sized("TRACE", "/devices/status", error(&[405]).allowing(&["GET"])),
    ]
}

fn closing() -> Vec<Case> {
    let closes = |lines: &str| {
        let sent = get_with(lines);
        row(
            format!("closes on {}", named(lines)),
            "connection.close",
            sent,
            [status()],
            End::Closes,
        )
    };
    let stays = |lines: &str| {
        serves(format!("stays on {}", named(lines)), "connection.stays", get_with(lines))
    };
    vec![
        closes("Connection: close\r\n"),
        closes("Connection: Close\r\n"),
        closes("connection: CLOSE\r\n"),
        closes("Connection: keep-alive, close\r\n"),
        closes("Connection: close, keep-alive\r\n"),
        closes("Connection: x,close\t, y\r\n"),
        closes("Connection: keep-alive\r\nConnection: close\r\n"),
        closes("Connection: close\r\nConnection: keep-alive\r\n"),
        stays("Connection: keep-alive\r\n"),
        stays("Connection: closed\r\n"),
        stays("Connection: not-close\r\n"),
        stays("Connection:\r\n"),
        stays("Connection: , ,\r\n"),
        stays("Connection: TE\r\nTE: trailers\r\n"),
        stays("Proxy-Connection: close\r\n"),
    ]
}

fn answered_and_closed() -> Vec<Case> {
    let closing = get_with("Connection: close\r\n");
    let order = "{\"action\":\"set\",\"value\":12}";
    let lines = format!(
        "Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n",
        order.len()
    );
    vec![
        row(
            "nothing behind a close is run",
            "connection.close",
            [closing.clone(), get("/healthz"), command("light", "{\"action\":\"off\"}")].concat(),
            [status()],
            End::Closes,
        ),
        row(
            "a flood behind a close does not eat the answer",
            "connection.close",
            [closing, vec![b'x'; 300_000]].concat(),
            [status()],
            End::Closes,
        ),
        row(
            "a command with a close is carried out and confirmed",
            "connection.close",
            request("POST", "/devices/light/command", lines, order),
            [applied("light", "12")],
            End::Closes,
        )
        .on(Target::Busy),
        row(
            "a poll with a close",
            "connection.close",
            request("GET", "/events/live", "Connection: close\r\n", ""),
            [no_event()],
            End::Closes,
        ),
        row(
            "404 with a close",
            "connection.close",
            request("GET", "/nowhere", "Connection: close\r\n", ""),
            [error(&[404])],
            End::Closes,
        ),
        row(
            "echo with a close",
            "connection.close",
            echo("Connection: close\r\nContent-Length: 2\r\n", "ok"),
            [echoed("ok")],
            End::Closes,
        ),
    ]
}

fn http_1_0() -> Vec<Case> {
    let sent = |lines: &str| format!("GET /devices/status HTTP/1.0\r\n{lines}\r\n");
    let closes = |name: &str, lines: &str| {
        row(format!("HTTP/1.0 {name}"), "version.http10", sent(lines), [status()], End::Closes)
    };
    vec![
        closes("without Host", ""),
        closes("with Host", "Host: h\r\n"),
        closes("with close and keep-alive", "Connection: keep-alive, close\r\n"),
        closes("with an upgrade", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        row(
            "HTTP/1.0 keep-alive",
            "version.http10",
            sent("Connection: keep-alive\r\n"),
            [status()],
            End::AsAnnounced,
        )
        .asks_keep_alive(),
        row(
            "HTTP/1.0 Keep-Alive",
            "version.http10",
            sent("Connection: Keep-Alive\r\n"),
            [status()],
            End::AsAnnounced,
        )
        .asks_keep_alive(),
        refused("HTTP/1.0 with two Hosts", "host.repeated", sent("Host: a\r\nHost: b\r\n"), &[400]),
        refused("HTTP/1.0 with a bad Host", "host.bad", sent("Host: a b\r\n"), &[400]),
        row(
            "HTTP/1.0 keep-alive goes on",
            "version.http10",
            sent("Connection: keep-alive\r\n").repeat(2),
            [status(), status()],
            End::AsAnnounced,
        )
        .asks_keep_alive(),
        row(
            "HTTP/1.0 runs one request only",
            "version.http10",
            [sent(""), sent("")].concat(),
            [status()],
            End::Closes,
        ),
        row(
            "HTTP/1.0 POST",
            "version.http10",
            "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok",
            [echoed("ok")],
            End::Closes,
        ),
        row(
            "HTTP/1.0 404",
            "answer.http10",
            "GET /nowhere HTTP/1.0\r\n\r\n",
            [error(&[404])],
            End::Closes,
        ),
    ]
}

fn light(value: u8) -> Vec<u8> {
    command("light", format!("{{\"action\":\"set\",\"value\":{value}}}"))
}

fn poll() -> Vec<u8> {
    get("/events/live")
}

fn pipelining() -> Vec<Case> {
    let rule = "pipeline.order";
    let many = |count: usize| get("/devices/status").repeat(count);
    vec![
        row("two GETs", rule, many(2), [status(), status()], End::StaysOpen),
        row("a hundred GETs", rule, many(100), vec![status(); 100], End::StaysOpen),
        row(
            "a poll between fast ones",
            rule,
            [get("/healthz"), poll(), get("/devices/status"), get("/healthz")].concat(),
            [healthy(), no_event(), status(), healthy()],
            End::StaysOpen,
        ),
        row("three polls", rule, poll().repeat(3), vec![no_event(); 3], End::StaysOpen),
        row(
            "a command between fast ones",
            rule,
            [get("/healthz"), light(21), get("/healthz")].concat(),
            [healthy(), applied("light", "21"), healthy()],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "commands, polls and fast ones",
            rule,
            [light(31), get("/events/live?since=0"), get("/healthz"), light(32), poll(), light(33)]
                .concat(),
            [
                applied("light", "31"),
                Answer::of(&[200], Body::Polled),
                healthy(),
                applied("light", "32"),
                Answer::of(&[200], Body::Polled),
                applied("light", "33"),
            ],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "fifty commands",
            rule,
            (0..50).flat_map(light).collect::<Vec<u8>>(),
            (0..50).map(|value| applied("light", &value.to_string())),
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "content and chunks take turns",
            rule,
            [
                echo("Content-Length: 2\r\n", "ab"),
                chunked("2\r\ncd\r\n0\r\n\r\n"),
                echo("Content-Length: 2\r\n", "ef"),
                get("/healthz"),
            ]
            .concat(),
            [echoed("ab"), echoed("cd"), echoed("ef"), healthy()],
            End::StaysOpen,
        ),
        row(
            "more behind a poll than a connection may buffer",
            rule,
            [poll(), echo("Content-Length: 60000\r\n", "x".repeat(60_000)).repeat(3)].concat(),
            [vec![no_event()], vec![echoed("x".repeat(60_000)); 3]].concat(),
            End::StaysOpen,
        ),
    ]
}

fn pipelined_errors() -> Vec<Case> {
    let rule = "pipeline.error-last";
    vec![
        row(
            "a valid request before a malformed one is answered first",
            rule,
            [get("/devices/status"), b"G@T / HTTP/1.1\r\n\r\n".to_vec()].concat(),
            [status(), error(&[400])],
            End::Closes,
        ),
        row(
            "a poll before a malformed request is answered first",
            rule,
            [poll(), b"GET / HTTP/1.1\r\nHost : h\r\n\r\n".to_vec()].concat(),
            [no_event(), error(&[400])],
            End::Closes,
        ),
        row(
            "a command before a malformed request is answered first",
            rule,
            [light(41), b"\0".to_vec()].concat(),
            [applied("light", "41"), error(&[400])],
            End::Closes,
        )
        .on(Target::Busy),
        row(
            "errors that keep step",
            "pipeline.order",
            [
                get("/nowhere"),
                request("PUT", "/healthz", "", ""),
                echo("Content-Length: 2\r\n", "ok"),
                command("light", "{"),
                get("/devices/status"),
            ]
            .concat(),
            [
                error(&[404]),
                error(&[405]).allowing(&["GET"]),
                echoed("ok"),
                error(&[400]),
                status(),
            ],
            End::StaysOpen,
        ),
    ]
}

fn upgrades() -> Vec<Case> {
    let ignored = |name: &str, lines: &str| serves(name, "connection.upgrade", get_with(lines));
    vec![
        ignored(
            "an upgrade to h2c",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        ),
        ignored(
            "an upgrade to websocket",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
        ignored(
            "an upgrade to something unknown",
            "Connection: upgrade\r\nUpgrade: carrier-pigeon/1\r\n",
        ),
        ignored("an upgrade that Connection does not name", "Upgrade: h2c\r\n"),
    ]
}

fn half_closes() -> Vec<Case> {
    let rule = "connection.half-close";
    vec![
        half_closed("a FIN behind a request", rule, get("/devices/status"), [status()]),
        half_closed("a FIN behind three", rule, get("/healthz").repeat(3), vec![healthy(); 3]),
        half_closed(
            "a FIN behind more than the server may have unsent",
            rule,
            get("/devices/status").repeat(3_000),
            vec![status(); 3_000],
        ),
        half_closed("a FIN behind a poll", rule, get("/events/live"), [no_event()]),
        half_closed(
            "a FIN behind a poll and more",
            rule,
            [get("/events/live"), get("/healthz")].concat(),
            [no_event(), healthy()],
        ),
        half_closed(
            "a FIN behind a command",
            rule,
            command("camera", "{\"action\":\"set\",\"value\":1}"),
            [applied("camera", "1")],
        )
        .on(Target::Busy),
        half_closed(
            "a FIN behind an echo",
            rule,
            echo("Content-Length: 2\r\n", "ok"),
            [echoed("ok")],
        ),
        half_closed("a FIN behind nothing", rule, "", []),
        half_closed("a FIN behind a CRLF", rule, "\r\n", []),
        half_closed(
            "a FIN behind a malformed request",
            rule,
            "G@T / HTTP/1.1\r\n\r\n",
            [error(&[400])],
        ),
    ]
}

fn deadlines() -> Vec<Case> {
    let timed_out = || error(&[408]);
    let rows = [
        row(
            "a head that does not end",
            "connection.timeout",
            "GET / HTTP/1.1\r\nHo",
            [timed_out()],
            End::Closes,
        ),
        row(
            "content that does not end",
            "connection.timeout",
            echo("Content-Length: 9\r\n", "x"),
            [timed_out()],
            End::Closes,
        ),
        row(
            "chunks that do not end",
            "connection.timeout",
            chunked("2\r\nok\r\n"),
            [timed_out()],
            End::Closes,
        ),
        row("an idle connection is closed silently", "connection.idle", "", [], End::Closes),
        row(
            "idle behind an answer",
            "connection.idle",
            get("/devices/status"),
            [status()],
            End::ClosesLater,
        ),
        row(
            "the second head does not end",
            "connection.timeout",
            [get("/devices/status"), b"GET".to_vec()].concat(),
            [status(), timed_out()],
            End::Closes,
        ),
        row(
            "leave to send, and nothing sent",
            "connection.timeout",
            echo("Expect: 100-continue\r\nContent-Length: 9\r\n", ""),
            [continues(), timed_out()],
            End::Closes,
        ),
    ];
    rows.into_iter().map(|case| case.on(Target::Impatient)).collect()
}
