//! The house and its event log against a plain list: seqs have no holes, a reader is told each event
//! or that it is gone, and no command takes a device out of its range.

use super::Script;
use ringpace::home::{Change, Device, Event, FirstAfter, Home, Seq};

const ACTIONS: [&str; 8] = ["set", "on", "off", "toggle", "lock", "unlock", "", "SET"];
/// More would only make inputs slow.
const OPERATIONS_MAX: usize = 2_000;

pub(crate) fn run(input: &[u8]) {
    let mut script = Script(input);
    let Some(size) = script.octet() else { return };
    let capacity = 1_usize << (size % 7);
    let home = Home::new(capacity);
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = script.octet() else { break };
        let Some(number) = script.number() else { break };
        match operation % 2 {
            0 => apply(&home, &mut events, operation >> 1, number),
            _ => check_after(&home, &events, capacity, number),
        }
    }
    for since in 0..=events.len() as u64 {
        check_after(&home, &events, capacity, since);
    }
}

fn apply(home: &Home, events: &mut Vec<Event>, choice: u8, number: u64) {
    let device = Device::ALL[usize::from(choice) % Device::ALL.len()];
    let action = ACTIONS[usize::from(choice >> 3) % ACTIONS.len()];
    // A whole number, a tenth, one between the steps, and any bits at all.
    let value = match number % 5 {
        0 => None,
        1 => Some((number >> 3) as f64),
        2 => Some((number >> 3) as f64 / 10.0),
        3 => Some(f64::from_bits(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))),
        _ => Some(-((number >> 3) as f64)),
    };
    let before = home.snapshot();
    let Ok(change) = Change::parse(device, action, value) else { return };
    let event = home.apply(change);
    assert_eq!(event.seq, Seq(events.len() as u64 + 1), "a hole");
    assert_eq!((event.device, home.newest()), (device, event.seq));
    let range = match device {
        Device::Light => 0..=100,
        Device::Thermostat => 100..=350,
        Device::Lock | Device::Camera => 0..=1,
        Device::Sensor => panic!("the sensor takes no command"),
    };
    assert!(range.contains(&event.value.0), "{event:?}");
    for other in Device::ALL {
        let expected = if other == device { event.value } else { before.value(other) };
        assert_eq!(home.snapshot().value(other), expected, "{other:?} after {event:?}");
    }
    events.push(event);
}

fn check_after(home: &Home, events: &[Event], capacity: usize, since: u64) {
    let newest = events.len() as u64;
    let oldest = (newest + 1).saturating_sub(capacity as u64).max(1);
    let expected = match since {
        _ if since >= newest => FirstAfter::NotYet,
        _ if since + 1 < oldest => FirstAfter::Gone { oldest: Seq(oldest) },
        _ => FirstAfter::Event(events[since as usize]),
    };
    assert_eq!(home.first_after(Seq(since)), expected, "after {since} of {newest}");
}
