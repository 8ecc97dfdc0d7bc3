//! The bodies against the API's table, and that every value there is fits its line.

use super::super::device::Change;
use super::super::log::SEQ_MAX;
use super::*;

#[track_caller]
fn check<const N: usize>(body: [u8; N], expected: &str) {
    assert_eq!(std::str::from_utf8(&body).unwrap(), expected);
}

fn event_of(seq: u64, device: Device, value: u16) -> Event {
    Event { seq: Seq(seq), device, value: Value(value) }
}

#[test]
fn the_bodies_are_those_of_the_api_to_the_byte() {
    check(
        status(Snapshot::initial()),
        concat!(
            r#"[{"id":"light","v":100},{"id":"thermostat","v":21.5},{"id":"lock","v":1},"#,
            r#"{"id":"camera","v":0},{"id":"sensor","v":47}  ]"#
        ),
    );
    check(
        command(event_of(1, Device::Light, 75)),
        r#"{"device":"light","status":"applied","value":75,"seq":1                        }"#,
    );
    check(
        event(event_of(1, Device::Light, 75)),
        r#"{"seq":1,"device":"light","value":75                       }"#,
    );
    check(timeout(Seq(1)), r#"{"seq":1,"event":"timeout"                                 }"#);
}

#[test]
fn a_thermostat_always_shows_its_tenth() {
    check(
        event(event_of(10, Device::Thermostat, 210)),
        r#"{"seq":10,"device":"thermostat","value":21.0               }"#,
    );
}

/// Parses `body` and expects `members` in it, by serde_json as the oracle.
#[track_caller]
fn check_members(body: &[u8], members: &[(&str, serde_json::Value)]) {
    let parsed: serde_json::Value = serde_json::from_slice(body).expect("valid JSON");
    for (name, expected) in members {
        assert_eq!(parsed[name], *expected, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(parsed.as_object().unwrap().len(), members.len());
}

fn json_of(device: Device, value: u16) -> serde_json::Value {
    match device {
        Device::Thermostat => format!("{}.{}", value / 10, value % 10).parse().unwrap(),
        _ => value.into(),
    }
}

#[test]
fn every_value_of_every_device_fits_beside_the_longest_seq() {
    for device in [Device::Light, Device::Thermostat, Device::Lock, Device::Camera] {
        let (least, greatest) = device.range().unwrap();
        for value in least.0..=greatest.0 {
            for seq in [1, 9, 10, SEQ_MAX] {
                let happened = event_of(seq, device, value);
                let (id, shown) =
                    (("device", device.id().into()), ("value", json_of(device, value)));
                let seq = ("seq", seq.into());
                check_members(&event(happened), &[seq.clone(), id.clone(), shown.clone()]);
                let status = ("status", "applied".into());
                check_members(&command(happened), &[id, status, shown, seq]);
            }
        }
    }
    let timed_out = ("event", "timeout".into());
    check_members(&timeout(Seq(SEQ_MAX)), &[("seq", SEQ_MAX.into()), timed_out.clone()]);
    check_members(&timeout(Seq(0)), &[("seq", 0.into()), timed_out]);
}

#[test]
fn every_state_of_the_house_fits_the_status_line() {
    for light in [0, 9, 10, 99, 100] {
        for tenths in [100, 101, 215, 350] {
            for bit in [0, 1] {
                let mut house = Snapshot::initial();
                for (device, value) in [
                    (Device::Light, light),
                    (Device::Thermostat, tenths),
                    (Device::Lock, bit),
                    (Device::Camera, 1 - bit),
                ] {
                    let number = json_of(device, value).as_f64();
                    house = house.after(Change::parse(device, "set", number).unwrap()).0;
                }
                let parsed: serde_json::Value = serde_json::from_slice(&status(house)).unwrap();
                let shown = [light, tenths, bit, 1 - bit, 47];
                for (place, device) in Device::ALL.into_iter().enumerate() {
                    assert_eq!(parsed[place]["id"], device.id());
                    assert_eq!(parsed[place]["v"], json_of(device, shown[place]));
                }
            }
        }
    }
}
