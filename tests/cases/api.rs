//! Rows of the API: paths, bodies to the byte, commands, polls, and what each refuses.

use super::*;

pub(crate) fn rows() -> Vec<Case> {
    [paths(), types(), malformed(), unprocessable(), commands(), polls()]
        .into_iter()
        .flatten()
        .collect()
}

fn paths() -> Vec<Case> {
    let lost = |target: &str| {
        row(format!("GET {target}"), API, get(target), [error(&[404])], End::StaysOpen)
    };
    let metrics = Answer { content_type: Some("text/plain"), ..Answer::of(&[200], Body::Any) };
    vec![
        serves("the status to the byte", API, get("/devices/status")),
        row("healthz to the byte", API, get("/healthz"), [healthy()], End::StaysOpen),
        row("metrics", API, get("/metrics"), [metrics], End::StaysOpen),
        row("GET / with --echo", API, get("/"), [echoed("OK")], End::StaysOpen),
        lost("/").on(Target::Bare),
        row(
            "POST / without --echo",
            API,
            echo("Content-Length: 2\r\n", "ok"),
            [error(&[404])],
            End::StaysOpen,
        )
        .on(Target::Bare),
        lost("/nowhere"),
        lost("/devices"),
        lost("/devices/"),
        lost("/devices/status/"),
        lost("/devices/status/x"),
        lost("/Devices/Status"),
        lost("/devices/statu"),
        lost("/devices/statuss"),
        lost("/devices/light"),
        lost("/devices//command"),
        lost("/devices/light/command/"),
        lost("/events"),
        lost("/events/live/"),
        lost("/healthz/"),
        lost("/healthzz"),
        lost("/devices/status;x"),
        row(
            "a command to a device that is not there",
            API,
            command("toaster", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
        row(
            "a command to a device by another case",
            API,
            command("Light", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
        row(
            "a command to no device",
            API,
            command("", "{\"action\":\"on\"}"),
            [error(&[404])],
            End::StaysOpen,
        ),
    ]
}

fn typed(content_type: &str) -> Vec<u8> {
    let json = "{\"action\":\"set\",\"value\":64}";
    let lines = format!("{content_type}Content-Length: {}\r\n", json.len());
    request("POST", "/devices/light/command", lines, json)
}

fn types() -> Vec<Case> {
    let bad = |line: &str, status: &[u16]| {
        row(
            format!("typed {}", named(line)),
            "content.media-type",
            typed(line),
            [error(status)],
            End::StaysOpen,
        )
    };
    // RFC 9110 §8.3 lets the recipient of content without a type guess at it.
    let rule = "content.json-type";
    let untyped = row("without a type", rule, typed(""), [applied("light", "64")], End::StaysOpen)
        .on(Target::Busy);
    // RFC 9110 §8.3 warns of guessing which of two counts, and leaves it to the recipient.
    let lines = "Content-Type: application/json\r\nContent-Type: text/plain\r\n";
    let twice = row("of two types", rule, typed(lines), [applied("light", "64")], End::StaysOpen)
        .on(Target::Busy);
    let good = |line: &str| {
        let answers = [applied("light", "64")];
        row(format!("typed {}", named(line)), rule, typed(line), answers, End::StaysOpen)
            .on(Target::Busy)
    };
    vec![
        good("Content-Type: application/json\r\n"),
        good("content-type:Application/JSON\r\n"),
        good("Content-Type: application/json; charset=utf-8\r\n"),
        good("Content-Type: application/json;charset=\"UTF-8\"\r\n"),
        good("Content-Type: application/json ; charset=utf-8\r\n"),
        untyped,
        bad("Content-Type:\r\n", &[415]),
        bad("Content-Type: text/plain\r\n", &[415]),
        bad("Content-Type: application/jsonx\r\n", &[415]),
        bad("Content-Type: application/jso\r\n", &[415]),
        bad("Content-Type: xapplication/json\r\n", &[415]),
        bad("Content-Type: application/xml; x=application/json\r\n", &[415]),
        bad("Content-Type: application/x-www-form-urlencoded\r\n", &[415]),
        twice,
    ]
}

/// Sent as a command to the light; nothing of it may be carried out.
fn light_refuses(json: impl AsRef<[u8]>, status: &[u16]) -> Case {
    let name = format!("JSON {}", named(&json));
    row(name, API, command("light", json), [error(status)], End::StaysOpen)
}

fn malformed() -> Vec<Case> {
    let deep = "[".repeat(30_000);
    let deep_value =
        format!("{{\"action\":\"on\",\"ref\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let bad: [&[u8]; 30] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"{}x",
        b"{}{}",
        b"on",
        b"nul",
        b"{\"action\"}",
        b"{\"action\":}",
        b"{\"action\":\"on\"",
        b"{\"action\":\"on}",
        b"{\"action\":\"on\",}",
        b"{,\"action\":\"on\"}",
        b"{\"action\" \"on\"}",
        b"{action:\"on\"}",
        b"{'action':'on'}",
        b"{\"action\":\"on\"}}",
        b"{\"action\":\"o\x01n\"}",
        b"{\"action\":\"o\nn\"}",
        b"{\"action\":\"\\x\"}",
        b"{\"action\":\"\\u12\"}",
        b"{\"action\":\"\xff\"}",
        b"\xef\xbb\xbf{\"action\":\"on\"}",
        b"{\"action\":\"set\",\"value\":01}",
        b"{\"action\":\"set\",\"value\":+1}",
        b"{\"action\":\"set\",\"value\":1.}",
        b"{\"action\":\"set\",\"value\":.5}",
        b"{\"action\":\"set\",\"value\":NaN}",
        b"{\"action\":\"on\"}\0",
    ];
    let mut rows: Vec<Case> = bad.into_iter().map(|json| light_refuses(json, &[400])).collect();
    rows.extend([
        light_refuses(deep, &[400, 422]),
        light_refuses("{\"action\":\"\\ud800\"}", &[400, 422]),
        light_refuses("{\"action\":\"set\",\"value\":1e}", &[400]),
        light_refuses("{\"action\":\"set\",\"value\":0x1}", &[400]),
        light_refuses("// c\n{\"action\":\"on\"}", &[400]),
        row(
            "a value nested beyond reason",
            API,
            command("light", deep_value),
            [Answer::of(&[200, 400, 422], Body::OkOrError(Box::new(Body::Any)))],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "a command without content",
            API,
            request("POST", "/devices/light/command", "Content-Type: application/json\r\n", ""),
            [error(&[400, 411, 422])],
            End::StaysOpen,
        ),
    ]);
    rows
}

fn unprocessable() -> Vec<Case> {
    let refuses = |device: &str, json: &str| {
        let name = format!("{device} {}", named(json));
        row(name, API, command(device, json), [error(&[422])], End::StaysOpen)
    };
    let set = |device: &str, value: &str| {
        refuses(device, &format!("{{\"action\":\"set\",\"value\":{value}}}"))
    };
    let act = |device: &str, action: &str| refuses(device, &format!("{{\"action\":\"{action}\"}}"));
    let mut rows: Vec<Case> = ["[]", "\"on\"", "1", "true", "null", "{}", "{\"value\":75}"]
        .into_iter()
        .chain([
            "{\"action\":1,\"value\":75}",
            "{\"action\":null}",
            "{\"action\":[\"on\"]}",
            "{\"action\":\"\"}",
        ])
        .chain([
            "{\"action\":\"set\"}",
            "{\"Action\":\"on\"}",
            "{\"action\":\"ON\"}",
            "{\"action\":\"on \"}",
        ])
        .map(|json| refuses("light", json))
        .collect();
    for value in [
        "101",
        "-1",
        "100.0000001",
        "-0.0000001",
        "50.5",
        "256",
        "65636",
        "1e3",
        "4294967297",
        "18446744073709551617",
    ] {
        rows.push(set("light", value));
    }
    for value in ["\"75\"", "true", "null", "[75]", "{}"] {
        rows.push(set("light", value));
    }
    for value in ["9.9", "35.1", "9.95", "21.55", "0", "-21.5", "215", "1e300"] {
        rows.push(set("thermostat", value));
    }
    for (device, value) in
        [("lock", "2"), ("lock", "-1"), ("lock", "0.5"), ("camera", "2"), ("camera", "true")]
    {
        rows.push(set(device, value));
    }
    for (device, action) in [
        ("light", "lock"),
        ("light", "dance"),
        ("thermostat", "on"),
        ("thermostat", "toggle"),
        ("lock", "on"),
        ("lock", "off"),
        ("camera", "lock"),
        ("camera", "unlock"),
        ("sensor", "on"),
        ("sensor", "toggle"),
        ("sensor", "read"),
    ] {
        rows.push(act(device, action));
    }
    rows.push(set("sensor", "47"));
    rows.push(light_refuses("{\"action\":\"set\",\"value\":1e999}", &[400, 422]));
    rows
}

fn commands() -> Vec<Case> {
    let done = |device: &'static str, json: &str, value: &str| {
        let name = format!("{device} {}", named(json));
        row(name, API, command(device, json), [applied(device, value)], End::StaysOpen)
            .on(Target::Busy)
    };
    let set = |device: &'static str, value: &str, shown: &str| {
        done(device, &format!("{{\"action\":\"set\",\"value\":{value}}}"), shown)
    };
    let padded = format!("{{\"action\":\"set\",{}\"value\":66}}", " ".repeat(60_000));
    vec![
        done("light", "{\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}", "75"),
        done("light", " {\t\"value\" : 76 ,\r\n \"action\" : \"set\" } ", "76"),
        done("light", "{\"ref\":{\"a\":[1,null,\"}\"]},\"action\":\"set\",\"value\":77}", "77"),
        done("light", "{\"\\u0061ction\":\"s\\u0065t\",\"value\":78}", "78"),
        done("light", "{\"ref\":\"\u{1f4a1} \\\"\",\"action\":\"set\",\"value\":79}", "79"),
        done("light", &padded, "66"),
        set("light", "0", "0"),
        set("light", "100", "100"),
        set("thermostat", "10.0", "10.0"),
        set("thermostat", "10", "10.0"),
        set("thermostat", "35.0", "35.0"),
        set("thermostat", "21.5", "21.5"),
        set("thermostat", "20.1", "20.1"),
        set("lock", "0", "0"),
        set("lock", "1", "1"),
        set("camera", "0", "0"),
        set("camera", "1", "1"),
        done("light", "{\"action\":\"on\"}", "100"),
        done("light", "{\"action\":\"off\"}", "0"),
        done("lock", "{\"action\":\"lock\"}", "1"),
        done("lock", "{\"action\":\"unlock\"}", "0"),
        done("camera", "{\"action\":\"on\"}", "1"),
        done("camera", "{\"action\":\"off\"}", "0"),
        row(
            "a command in chunks",
            "chunk.good",
            request(
                "POST",
                "/devices/light/command",
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
                "9\r\n{\"action\"\r\n11\r\n:\"set\",\"value\":7}\r\n0\r\n\r\n",
            ),
            [applied("light", "7")],
            End::StaysOpen,
        )
        .on(Target::Busy),
        row(
            "a command in absolute-form",
            "target.absolute",
            request(
                "POST",
                "http://h/devices/lock/command",
                "Content-Type: application/json\r\nContent-Length: 17\r\n",
                "{\"action\":\"lock\"}",
            ),
            [applied("lock", "1")],
            End::StaysOpen,
        )
        .on(Target::Busy),
    ]
}

fn polls() -> Vec<Case> {
    let poll = |query: &str, status: &[u16]| {
        let body = Body::OkOrError(Box::new(Body::Exact(NO_EVENT.into())));
        let target = format!("/events/live{query}");
        row(
            format!("GET {target}"),
            API,
            get(&target),
            [Answer::of(status, body)],
            End::AsAnnounced,
        )
    };
    let bad = [400, 422];
    vec![
        poll("", &[200]),
        poll("?", &[200]),
        poll("?since=0", &[200]),
        poll("?since=000", &[200, 400, 422]),
        poll("?x=1", &[200]),
        poll("?x=1&since=0", &[200]),
        poll("?since=0&x=1", &[200]),
        poll("?since=1000000", &[200, 400, 422]),
        poll("?since=18446744073709551615", &[200, 400, 422]),
        poll("?since=18446744073709551616", &bad),
        poll("?since=99999999999999999999999999999999", &bad),
        poll("?since=", &bad),
        poll("?since", &[200, 400, 422]),
        poll("?since=abc", &bad),
        poll("?since=-1", &bad),
        poll("?since=+1", &bad),
        poll("?since=1.0", &bad),
        poll("?since=0x1", &bad),
        poll("?since=1_0", &bad),
        poll("?since=%zz", &bad),
        poll("?since=%00", &bad),
        poll("?since=0;", &bad),
        poll("?since=0&since=1", &[200, 400, 422]),
        poll("?since=1&since=0", &[200, 400, 422]),
        poll("?xsince=abc", &[200]),
    ]
}
