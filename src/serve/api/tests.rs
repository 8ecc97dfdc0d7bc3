use super::*;
use crate::home::json;
use serde_json::Value as Json;

fn metrics() -> String {
    "metrics".to_string()
}

/// The content of `reply`.
fn bytes_of(reply: &Reply) -> Vec<u8> {
    reply.content.render(<[u8]>::to_vec)
}

fn change(device: Device, action: &str, value: Option<f64>) -> Change {
    Change::parse(device, action, value).expect("a sound command")
}

/// What `content` sent to `device` leads to: the value that the device shows then, or a status.
#[track_caller]
fn check(device: Device, content: &str, expected: Result<&str, u16>) {
    let home = Home::new(16);
    match (answer(Call::Command(device), content.as_bytes(), &home, Seq(0), metrics), expected) {
        (Answer::Command(change), Ok(value)) => {
            let reply = finish_command(change, &home);
            let bytes = bytes_of(&reply);
            let json: Json = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(json["value"].to_string(), value, "{content}");
            assert_eq!(json["seq"], 1);
            assert_eq!(bytes.len(), json::COMMAND_BYTES);
        }
        (Answer::Now(reply), Err(status)) => {
            assert_eq!(reply.status, status, "{content}");
            let json: Json = serde_json::from_slice(&bytes_of(&reply)).unwrap();
            assert!(json["error"].is_string(), "{content}");
            assert_eq!(home.newest(), Seq(0), "a refused command changes nothing");
        }
        (answer, expected) => panic!("{content}: {answer:?}, not {expected:?}"),
    }
}

#[test]
fn commands_that_a_device_knows_are_carried_out() {
    check(Device::Light, r#"{"action":"set","value":75,"ref":"run1"}"#, Ok("75"));
    check(Device::Light, r#"{"action":"set","value":75.0}"#, Ok("75"));
    check(Device::Light, " \r\n\t{ \"action\" : \"off\" } ", Ok("0"));
    check(Device::Light, r#"{"action":"toggle","value":3,"more":{"deep":[1]}}"#, Ok("0"));
    check(Device::Light, r#"{"\u0061ction":"s\u0065t","value":1}"#, Ok("1"));
    check(Device::Thermostat, r#"{"value":10,"action":"set"}"#, Ok("10.0"));
    check(Device::Thermostat, r#"{"action":"set","value":35.0}"#, Ok("35.0"));
    check(Device::Thermostat, r#"{"action":"set","value":21.3}"#, Ok("21.3"));
    check(Device::Lock, r#"{"action":"unlock"}"#, Ok("0"));
    check(Device::Camera, r#"{"action":"on"}"#, Ok("1"));
}

#[test]
fn what_is_not_json_is_400() {
    for content in [
        "",
        " ",
        "{",
        "{}}",
        r#"{"action":"set","value":75"#,
        r#"{"action":"set","value":75,}"#,
        r#"{"action":"set","value":075}"#,
        r#"{"action":"set","value":+75}"#,
        r#"{"action":"set","value":NaN}"#,
        r#"{'action':'set'}"#,
        r#"{action:"set"}"#,
        "{\"action\":\"s\net\"}",
        "\u{feff}{\"action\":\"on\"}",
        // The wrong type stands first; still it is not JSON.
        r#"{"action":1,"value":"#,
    ] {
        check(Device::Light, content, Err(400));
        check(Device::Sensor, content, Err(400));
    }
    let home = Home::new(16);
    let not_utf8 = b"{\"action\":\"set\",\"value\":1,\"ref\":\"\xff\"}";
    let reply = answer(Call::Command(Device::Light), not_utf8, &home, Seq(0), metrics);
    assert!(matches!(reply, Answer::Now(reply) if reply.status == 400));
}

#[test]
fn json_that_is_no_command_for_the_device_is_422() {
    for content in [
        "null",
        "75",
        r#""set""#,
        "[]",
        r#"["set",75]"#,
        r#" ["set",75]"#,
        "{}",
        r#"{"value":75}"#,
        r#"{"action":1,"value":75}"#,
        r#"{"action":null}"#,
        r#"{"action":"set"}"#,
        r#"{"action":"set","value":null}"#,
        r#"{"action":"set","value":"75"}"#,
        r#"{"action":"set","value":true}"#,
        r#"{"action":"set","value":[75]}"#,
        r#"{"action":"set","value":-1}"#,
        r#"{"action":"set","value":101}"#,
        r#"{"action":"set","value":100.0000001}"#,
        r#"{"action":"set","value":-0.0000001}"#,
        r#"{"action":"set","value":1e400}"#,
        r#"{"action":"set","value":18446744073709551616}"#,
        r#"{"action":"set","value":0.5}"#,
        r#"{"action":"SET","value":75}"#,
        r#"{"action":"lock"}"#,
        r#"{"action":"","value":75}"#,
        r#"{"action":"set","action":"set","value":75}"#,
    ] {
        check(Device::Light, content, Err(422));
    }
    check(Device::Thermostat, r#"{"action":"set","value":9.9}"#, Err(422));
    check(Device::Thermostat, r#"{"action":"set","value":35.1}"#, Err(422));
    check(Device::Thermostat, r#"{"action":"set","value":21.55}"#, Err(422));
    check(Device::Thermostat, r#"{"action":"on"}"#, Err(422));
    check(Device::Lock, r#"{"action":"set","value":2}"#, Err(422));
    check(Device::Sensor, r#"{"action":"set","value":1}"#, Err(422));
}

#[test]
fn an_error_repeats_what_the_client_sent_as_sound_json() {
    check(Device::Light, "{\"action\":{\"\\\"\\u0000\u{202e}\":1}}", Err(422));
    check(Device::Light, r#"{"action":"set","value":"\"}]\\"}"#, Err(422));
}

/// The seq and the kind of an answer to a poll.
fn told(reply: &Reply) -> (u16, u64, bool) {
    let json: Json = serde_json::from_slice(&bytes_of(reply)).unwrap();
    (reply.status, json["seq"].as_u64().unwrap_or(0), json["event"] == "timeout")
}

#[track_caller]
fn check_poll(home: &Home, since: Option<u64>, expected: Result<u64, u64>) {
    let got = match answer(Call::Events { since }, b"", home, home.newest(), metrics) {
        Answer::Now(reply) => Ok(told(&reply).1),
        Answer::Poll(since) => Err(since.0),
        Answer::Command(_) => panic!("a poll is no command"),
    };
    assert_eq!(got, expected, "since {since:?}");
}

#[test]
fn a_poll_gets_the_first_event_after_since_or_waits() {
    let home = Home::new(16);
    check_poll(&home, None, Err(0));
    check_poll(&home, Some(0), Err(0));
    for _ in 0..3 {
        home.apply(change(Device::Light, "toggle", None));
    }
    check_poll(&home, Some(0), Ok(1));
    check_poll(&home, Some(2), Ok(3));
    check_poll(&home, Some(3), Err(3));
    check_poll(&home, None, Err(3));
    check_poll(&home, Some(u64::MAX), Err(u64::MAX));
}

#[test]
fn a_poll_for_what_has_left_the_log_is_told_the_oldest() {
    let home = Home::new(16);
    for _ in 0..20 {
        home.apply(change(Device::Light, "toggle", None));
    }
    let reply = try_event(Seq(3), &home).unwrap();
    assert_eq!(reply.status, 410);
    let json: Json = serde_json::from_slice(&bytes_of(&reply)).unwrap();
    assert_eq!(json["error"], "events after 3 have left the log; the oldest kept is 5");
    check_poll(&home, Some(4), Ok(5));
}

#[test]
fn a_poll_whose_time_is_up_takes_an_event_of_the_last_moment() {
    let home = Home::new(16);
    assert_eq!(told(&end_poll(Seq(0), &home)), (200, 0, true));
    home.apply(change(Device::Lock, "toggle", None));
    assert_eq!(told(&end_poll(Seq(0), &home)), (200, 1, false));
    assert_eq!(told(&end_poll(Seq(1), &home)), (200, 1, true));
}

#[test]
fn a_time_out_never_names_a_seq_beyond_what_there_is() {
    let home = Home::new(16);
    home.apply(change(Device::Lock, "toggle", None));
    assert_eq!(told(&end_poll(Seq(1_000), &home)), (200, 1, true));
    assert_eq!(bytes_of(&end_poll(Seq(1_000), &home)).len(), json::TIMEOUT_BYTES);
}

#[test]
fn every_other_call_is_answered_at_once() {
    let home = Home::new(16);
    let content = |call| match answer(call, b"content", &home, Seq(0), metrics) {
        Answer::Now(reply) => (reply.status, bytes_of(&reply)),
        other => panic!("{other:?}"),
    };
    let (status, bytes) = content(Call::Status);
    assert_eq!((status, bytes.len()), (200, json::STATUS_BYTES));
    assert_eq!(content(Call::Health), (200, br#"{"status":"ok"}"#.to_vec()));
    assert_eq!(content(Call::Metrics), (200, b"metrics".to_vec()));
    assert_eq!(content(Call::EchoOk), (200, b"OK".to_vec()));
    assert_eq!(content(Call::Echo), (200, b"content".to_vec()));
    let refused = Reply::error(404, "a \"quoted\" sentence");
    let quoted = br#"{"error":"a \"quoted\" sentence"}"#.to_vec();
    assert_eq!(content(Call::Answered(Box::new(refused))), (404, quoted));
}
