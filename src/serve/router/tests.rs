use super::*;
use crate::http::{HeadParser, Parsed, RequestLimits};
use crate::serve::reply::Content;

fn route_of(request_line: &str, fields: &str, echo: bool) -> Call {
    let text = format!("{request_line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    match HeadParser::default().parse(text.as_bytes(), &RequestLimits::default()) {
        Ok(Parsed::Complete(head)) => route(&head, &Settings { echo, ..Settings::default() }),
        other => panic!("{text:?} is a whole head: {other:?}"),
    }
}

#[track_caller]
fn check(request_line: &str, expected: Call) {
    assert_eq!(route_of(request_line, "", false), expected, "{request_line}");
}

/// `allow` as in the answer, or none.
#[track_caller]
fn check_refused(request_line: &str, fields: &str, status: u16, allow: Option<&str>) {
    match route_of(request_line, fields, false) {
        Call::Answered(reply) => {
            assert_eq!(
                (reply.status, reply.field),
                (status, allow.map(|allow| ("Allow", allow))),
                "{request_line}"
            );
            assert_eq!(status == 204, reply.content == Content::None);
        }
        other => panic!("{request_line} is {other:?}"),
    }
}

const READING: Option<&str> = Some("GET, HEAD, OPTIONS");
const COMMANDING: Option<&str> = Some("POST, OPTIONS");

#[test]
fn every_resource_answers_to_its_methods() {
    check("GET /devices/status", Call::Status);
    check("HEAD /devices/status", Call::Status);
    check("GET /devices/status?fresh=1", Call::Status);
    check("GET http://anywhere/devices/status", Call::Status);
    check("GET /healthz", Call::Health);
    check("GET /metrics", Call::Metrics);
    check("GET /events/live", Call::Events { since: None });
    for device in Device::ALL {
        check(&format!("POST /devices/{}/command", device.id()), Call::Command(device));
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    for path in ["/devices/status", "/events/live", "/healthz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
            check_refused(&format!("{method} {path}"), "", 405, READING);
        }
        check_refused(&format!("OPTIONS {path}"), "", 204, READING);
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"] {
        check_refused(&format!("{method} /devices/light/command"), "", 405, COMMANDING);
    }
    check_refused("OPTIONS /devices/light/command", "", 204, COMMANDING);
    check_refused("OPTIONS *", "", 204, Some("GET, HEAD, POST, OPTIONS"));
}

#[test]
fn an_unknown_path_or_device_is_404_whatever_the_method() {
    for path in [
        "/",
        "/devices",
        "/devices/",
        "/devices/status/",
        "/Devices/status",
        "/devices//status",
        "/devices/%73tatus",
        "/devices/command",
        "/devices//command",
        "/devices/light",
        "/devices/light/command/",
        "/devices/light/x/command",
        "/devices/oven/command",
        "/devices/Light/command",
        "/devices/%2e%2e/command",
        "/devices/light%2Fcommand",
        "/devices/light%20/command",
        "/events",
        "/events/live/1",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            check_refused(&format!("{method} {path}"), "", 404, None);
        }
    }
    let long = format!("POST /devices/{}/command", "l".repeat(1_000));
    check_refused(&long, "", 404, None);
}

#[test]
fn a_device_may_be_percent_encoded_once() {
    check("POST /devices/%6Cight/command", Call::Command(Device::Light));
    check("POST /devices/%6c%69%67%68%74/command", Call::Command(Device::Light));
    check_refused("POST /devices/%256Cight/command", "", 404, None);
    check_refused("POST /devices/light%2F/command", "", 404, None);
}

#[test]
fn since_is_decimal_digits_and_the_last_one_counts() {
    for (query, since) in [
        ("since=0", Some(0)),
        ("since=007", Some(7)),
        ("since=18446744073709551615", Some(u64::MAX)),
        ("a=b&since=3", Some(3)),
        ("since=x&since=4", Some(4)),
        ("", None),
        ("Since=5", None),
        ("since", None),
        ("unsince=5", None),
    ] {
        check(&format!("GET /events/live?{query}"), Call::Events { since });
    }
    for query in [
        "since=",
        "since=-1",
        "since=+1",
        "since=1.0",
        "since=1e3",
        "since=0x1",
        "since=%31",
        "since=18446744073709551616",
        "since=4&since=",
    ] {
        check_refused(&format!("GET /events/live?{query}"), "", 422, None);
    }
}

#[test]
fn a_command_is_json_by_its_content_type_or_has_none() {
    let command = "POST /devices/light/command";
    for content_type in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=utf-8",
        "application/json ; charset=utf-8",
        "application/problem+json",
    ] {
        let fields = format!("Content-Type: {content_type}\r\n");
        assert_eq!(route_of(command, &fields, false), Call::Command(Device::Light), "{fields}");
    }
    for content_type in [
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/+json",
        "application/",
        "application",
        "json",
        ";application/json",
        "application/xml, application/json",
        "",
    ] {
        check_refused(command, &format!("Content-Type: {content_type}\r\n"), 415, None);
    }
    // What there is not cannot have the wrong type.
    check_refused("POST /devices/oven/command", "Content-Type: text/plain\r\n", 404, None);
    check_refused("POST /nowhere", "Content-Type: text/plain\r\n", 404, None);
}

#[test]
fn the_root_is_there_with_echo_only() {
    assert_eq!(route_of("GET /", "", true), Call::EchoOk);
    assert_eq!(route_of("POST /", "", true), Call::Echo);
    assert!(matches!(route_of("DELETE /", "", true),
        Call::Answered(reply) if reply.status == 405 && reply.field == Some(("Allow", "GET, HEAD, POST, OPTIONS"))));
    check_refused("GET /", "", 404, None);
}
