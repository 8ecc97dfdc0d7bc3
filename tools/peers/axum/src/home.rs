//! The house: what the devices show, the log of what happened to them, and who waits for more.
//!
//! One lock, held for nanoseconds and never across an await. Knows nothing of HTTP. Start at [`Home`].

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::refusal::Refusal;

const STATUS_BYTES: usize = 120;
const COMMAND_BYTES: usize = 80;
const EVENT_BYTES: usize = 60;

/// Events that are kept; who falls further behind is told so.
const LOG_CAPACITY: usize = 65_536;

/// How far from a whole step a number may lie: far above the rounding of a decimal such as 21.3,
/// far below any digit that a person would write.
const STEP_TOLERANCE: f64 = 1e-6;

/// A device of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Light,
    Thermostat,
    Lock,
    Camera,
    Sensor,
}

impl Device {
    const ALL: [Device; 5] =
        [Device::Light, Device::Thermostat, Device::Lock, Device::Camera, Device::Sensor];

    pub(crate) fn from_id(id: &str) -> Option<Device> {
        Device::ALL.into_iter().find(|device| device.id() == id)
    }

    fn id(self) -> &'static str {
        match self {
            Device::Light => "light",
            Device::Thermostat => "thermostat",
            Device::Lock => "lock",
            Device::Camera => "camera",
            Device::Sensor => "sensor",
        }
    }

    /// `value`, which is in tenths for the thermostat, as the API shows it.
    fn show(self, value: u16) -> String {
        match self {
            Device::Thermostat => format!("{}.{}", value / 10, value % 10),
            _ => value.to_string(),
        }
    }

    fn unknown_action(self) -> &'static str {
        match self {
            Device::Light => "the light knows the actions set, on, off and toggle",
            Device::Thermostat => "the thermostat knows the action set",
            Device::Lock => "the lock knows the actions set, lock, unlock and toggle",
            Device::Camera => "the camera knows the actions set, on, off and toggle",
            Device::Sensor => READ_ONLY,
        }
    }

    /// The least and the greatest value it can be set to, and the sentence that says so.
    fn range(self) -> Option<(u16, u16, &'static str)> {
        match self {
            Device::Light => Some((0, 100, "the light takes values from 0 to 100")),
            Device::Thermostat => Some((100, 350, "the thermostat takes values from 10.0 to 35.0")),
            Device::Lock | Device::Camera => Some((0, 1, "the value must be 0 or 1")),
            Device::Sensor => None,
        }
    }
}

const READ_ONLY: &str = "the sensor is read-only";

/// A command that its device accepts: it can be applied without a second look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    device: Device,
    effect: Effect,
}

#[derive(Clone, Copy, Debug)]
enum Effect {
    Set(u16),
    /// To zero, or from zero to this.
    Toggle(u16),
}

impl Change {
    /// Reads a command, which is JSON of any shape, for `device`.
    pub(crate) fn read(device: Device, command: &Json) -> Result<Change, Refusal> {
        let command = command.as_object().ok_or(NOT_AN_OBJECT)?;
        let action = command.get("action").and_then(Json::as_str).ok_or(NO_ACTION)?;
        let value = match command.get("value") {
            None | Some(Json::Null) => None,
            Some(value) => Some(value.as_f64().ok_or(NO_NUMBER)?),
        };
        let (least, greatest, out_of_range) = device.range().ok_or(unprocessable(READ_ONLY))?;
        let effect = match (device, action) {
            (_, "set") => {
                let steps = value.ok_or(VALUE_MISSING)? * steps_per_unit(device);
                Effect::Set(whole_step(device, steps, least..=greatest, out_of_range)?)
            }
            (Device::Light | Device::Camera, "on") | (Device::Lock, "lock") => {
                Effect::Set(greatest)
            }
            (Device::Light | Device::Camera, "off") | (Device::Lock, "unlock") => Effect::Set(0),
            (Device::Light | Device::Camera | Device::Lock, "toggle") => Effect::Toggle(greatest),
            _ => return Err(unprocessable(device.unknown_action())),
        };
        Ok(Change { device, effect })
    }

    fn outcome(self, before: u16) -> u16 {
        match self.effect {
            Effect::Set(value) => value,
            Effect::Toggle(full) if before == 0 => full,
            Effect::Toggle(_) => 0,
        }
    }
}

const fn unprocessable(sentence: &'static str) -> Refusal {
    Refusal::of(StatusCode::UNPROCESSABLE_ENTITY, sentence)
}

const NOT_AN_OBJECT: Refusal = unprocessable("this is no command: it is not an object");
const NO_ACTION: Refusal = unprocessable("this is no command: its action is not a string");
const NO_NUMBER: Refusal = unprocessable("this is no command: its value is not a number");
const VALUE_MISSING: Refusal = unprocessable("the action set needs a number as its value");

fn steps_per_unit(device: Device) -> f64 {
    if device == Device::Thermostat { 10.0 } else { 1.0 }
}

fn whole_step(
    device: Device,
    steps: f64,
    range: std::ops::RangeInclusive<u16>,
    out_of_range: &'static str,
) -> Result<u16, Refusal> {
    let nearest = steps.round();
    if !(f64::from(*range.start())..=f64::from(*range.end())).contains(&nearest) {
        return Err(unprocessable(out_of_range));
    }
    if (steps - nearest).abs() > STEP_TOLERANCE {
        return Err(unprocessable(match device {
            Device::Thermostat => "the thermostat takes tenths of a degree",
            _ => "the value must be a whole number",
        }));
    }
    Ok(nearest as u16)
}

/// By event `seq` the device came to show `value`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    seq: u64,
    device: Device,
    value: u16,
}

impl Event {
    pub(crate) fn command_body(self) -> String {
        let (device, value) = (self.device.id(), self.device.show(self.value));
        let seq = self.seq;
        let text =
            format!(r#"{{"device":"{device}","status":"applied","value":{value},"seq":{seq}"#);
        padded(text, '}', COMMAND_BYTES)
    }

    pub(crate) fn event_body(self) -> String {
        let (device, value) = (self.device.id(), self.device.show(self.value));
        let text = format!(r#"{{"seq":{},"device":"{device}","value":{value}"#, self.seq);
        padded(text, '}', EVENT_BYTES)
    }
}

/// The body of a poll that found no event up to `seq`.
pub(crate) fn timeout_body(seq: u64) -> String {
    padded(format!(r#"{{"seq":{seq},"event":"timeout""#), '}', EVENT_BYTES)
}

/// Bodies have a fixed length whatever their values: JSON allows spaces before a closing bracket.
fn padded(text: String, bracket: char, bytes: usize) -> String {
    format!("{text:<width$}{bracket}", width = bytes - 1)
}

/// All devices, the newest of their events, and those who wait for the next.
pub(crate) struct Home {
    state: Mutex<State>,
    /// The seq of the newest event; 0 before the first.
    newest: watch::Sender<u64>,
}

struct State {
    values: [u16; Device::ALL.len()],
    log: VecDeque<Event>,
}

impl Home {
    pub(crate) fn new() -> Home {
        let log = VecDeque::with_capacity(LOG_CAPACITY);
        let state = Mutex::new(State { values: [100, 215, 1, 0, 47], log });
        Home { state, newest: watch::Sender::new(0) }
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    pub(crate) fn status_body(&self) -> String {
        let values = self.state().values;
        let devices = Device::ALL.map(|device| {
            let value = device.show(values[device as usize]);
            format!(r#"{{"id":"{}","v":{value}}}"#, device.id())
        });
        padded(format!("[{}", devices.join(",")), ']', STATUS_BYTES)
    }

    /// Makes a change, and tells everybody who waits for it.
    pub(crate) fn apply(&self, change: Change) -> Event {
        let mut state = self.state();
        let value = change.outcome(state.values[change.device as usize]);
        state.values[change.device as usize] = value;
        let seq = self.newest() + 1;
        let event = Event { seq, device: change.device, value };
        if state.log.len() == LOG_CAPACITY {
            state.log.pop_front();
        }
        state.log.push_back(event);
        // Under the lock: seqs are told in their order.
        self.newest.send_replace(seq);
        event
    }

    /// The first event after `since`, as soon as there is one; `None` after `at_most`.
    pub(crate) async fn next(
        &self,
        since: u64,
        at_most: Duration,
    ) -> Result<Option<Event>, Refusal> {
        let mut newest = self.newest.subscribe();
        match timeout(at_most, newest.wait_for(|newest| *newest > since)).await {
            // Elapsed, or the house is gone with its server.
            Err(_) | Ok(Err(_)) => Ok(None),
            Ok(Ok(_)) => self.kept(since + 1).map(Some),
        }
    }

    /// The event `seq`, which there has been.
    fn kept(&self, seq: u64) -> Result<Event, Refusal> {
        let state = self.state();
        let oldest = state.log.front().map_or(1, |event| event.seq);
        let index = seq.checked_sub(oldest).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| state.log.get(index)).copied().ok_or_else(|| {
            let since = seq - 1;
            Refusal::new(
                StatusCode::GONE,
                format!("events after {since} have left the log; the oldest kept is {oldest}"),
            )
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
