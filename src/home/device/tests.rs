//! Every command of the API's table, and every way to get one wrong.

use super::*;

/// What `action` makes of a device that shows `before`; thermostat values in tenths.
#[track_caller]
fn check(device: Device, before: u16, action: &str, number: Option<f64>, after: u16) {
    let change = Change::parse(device, action, number).expect("a valid command");
    assert_eq!(change.device(), device);
    assert_eq!(change.outcome(Value(before)), Value(after), "{device:?} {action} {number:?}");
}

#[track_caller]
fn check_refused(device: Device, action: &str, number: Option<f64>, expected: Refused) {
    assert_eq!(Change::parse(device, action, number), Err(expected), "{action} {number:?}");
}

#[test]
fn every_action_does_what_its_name_says() {
    check(Device::Light, 3, "set", Some(75.0), 75);
    check(Device::Light, 3, "on", None, 100);
    check(Device::Light, 3, "off", None, 0);
    check(Device::Light, 0, "toggle", None, 100);
    check(Device::Light, 3, "toggle", None, 0);
    check(Device::Thermostat, 215, "set", Some(21.0), 210);
    check(Device::Lock, 0, "set", Some(1.0), 1);
    check(Device::Lock, 0, "lock", None, 1);
    check(Device::Lock, 1, "unlock", None, 0);
    check(Device::Lock, 1, "toggle", None, 0);
    check(Device::Lock, 0, "toggle", None, 1);
    check(Device::Camera, 1, "set", Some(0.0), 0);
    check(Device::Camera, 0, "on", None, 1);
    check(Device::Camera, 1, "off", None, 0);
    check(Device::Camera, 0, "toggle", None, 1);
    check(Device::Camera, 1, "toggle", None, 0);
}

#[test]
fn a_number_that_the_action_does_not_need_is_ignored() {
    check(Device::Light, 3, "on", Some(f64::NAN), 100);
}

#[test]
fn the_ends_of_the_ranges_belong_to_them() {
    check(Device::Light, 1, "set", Some(0.0), 0);
    check(Device::Light, 1, "set", Some(-0.0), 0);
    check(Device::Light, 1, "set", Some(100.0), 100);
    check(Device::Thermostat, 215, "set", Some(10.0), 100);
    check(Device::Thermostat, 215, "set", Some(35.0), 350);
    for number in [-1.0, 101.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        check_refused(Device::Light, "set", Some(number), Refused::OutOfRange(Device::Light));
    }
    for number in [9.9, 35.1, -21.5, 215.0, f64::NAN] {
        let expected = Refused::OutOfRange(Device::Thermostat);
        check_refused(Device::Thermostat, "set", Some(number), expected);
    }
    for device in [Device::Lock, Device::Camera] {
        for number in [-1.0, 2.0] {
            check_refused(device, "set", Some(number), Refused::OutOfRange(device));
        }
    }
}

#[test]
fn every_tenth_of_a_degree_is_accepted_as_written_and_nothing_finer() {
    for tenths in 100..=350u16 {
        let written: f64 = format!("{}.{}", tenths / 10, tenths % 10).parse().unwrap();
        check(Device::Thermostat, 215, "set", Some(written), tenths);
    }
    for number in [21.55, 21.51, 21.499, 21.0001] {
        let expected = Refused::BetweenSteps(Device::Thermostat);
        check_refused(Device::Thermostat, "set", Some(number), expected);
    }
    for device in [Device::Light, Device::Lock, Device::Camera] {
        check_refused(device, "set", Some(0.5), Refused::BetweenSteps(device));
    }
}

#[test]
fn a_number_that_only_rounds_into_the_range_is_out_of_it() {
    for number in [100.4, 100.000_000_1, -0.4, -0.000_000_1] {
        check_refused(Device::Light, "set", Some(number), Refused::OutOfRange(Device::Light));
    }
    for number in [9.999_999_99, 35.000_000_01] {
        let expected = Refused::OutOfRange(Device::Thermostat);
        check_refused(Device::Thermostat, "set", Some(number), expected);
    }
}

#[test]
fn unknown_actions_and_missing_values_are_refused() {
    for device in [Device::Light, Device::Thermostat, Device::Lock, Device::Camera] {
        for action in ["", "SET", "set ", "explode"] {
            check_refused(device, action, Some(1.0), Refused::UnknownAction(device));
        }
        check_refused(device, "set", None, Refused::ValueMissing);
    }
    for action in ["on", "off", "toggle", "lock"] {
        let expected = Refused::UnknownAction(Device::Thermostat);
        check_refused(Device::Thermostat, action, None, expected);
    }
    check_refused(Device::Lock, "on", None, Refused::UnknownAction(Device::Lock));
    check_refused(Device::Light, "lock", None, Refused::UnknownAction(Device::Light));
}

#[test]
fn the_sensor_refuses_everything() {
    for action in ["set", "on", "toggle", "explode"] {
        check_refused(Device::Sensor, action, Some(47.0), Refused::ReadOnly);
    }
}

#[test]
fn reasons_need_no_escaping_in_json() {
    let mut reasons = vec![Refused::ReadOnly, Refused::ValueMissing];
    for device in Device::ALL {
        reasons.push(Refused::UnknownAction(device));
        reasons.push(Refused::OutOfRange(device));
        reasons.push(Refused::BetweenSteps(device));
    }
    for reason in reasons {
        let text = reason.to_string();
        assert!(!text.contains(['"', '\\']) && text.is_ascii() && !text.is_empty(), "{text}");
    }
}

#[test]
fn ids_read_back_and_nothing_else_does() {
    for device in Device::ALL {
        assert_eq!(Device::from_id(device.id().as_bytes()), Some(device));
    }
    for wrong in ["", "Light", "light ", "lights", "ligh"] {
        assert_eq!(Device::from_id(wrong.as_bytes()), None);
    }
}
