//! The five devices: their names, what values they take, and what a command may do to them.
//!
//! A [`Change`] exists only if it is valid for its device, so whoever holds one can apply it
//! without a second look. Not here: JSON and HTTP; a command's words come in as they were parsed.

use std::fmt;

/// A device of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Device {
    Light,
    Thermostat,
    Lock,
    Camera,
    Sensor,
}

impl Device {
    /// All devices, in the order in which the API lists them.
    pub const ALL: [Device; 5] =
        [Device::Light, Device::Thermostat, Device::Lock, Device::Camera, Device::Sensor];

    /// The device that a path names; exact and case-sensitive.
    pub fn from_id(id: &[u8]) -> Option<Device> {
        Device::ALL.into_iter().find(|device| device.id().as_bytes() == id)
    }

    /// Its name in paths and answers.
    pub const fn id(self) -> &'static str {
        match self {
            Device::Light => "light",
            Device::Thermostat => "thermostat",
            Device::Lock => "lock",
            Device::Camera => "camera",
            Device::Sensor => "sensor",
        }
    }

    /// The least and the greatest value it can be set to; `None` for the read-only sensor.
    pub(super) const fn range(self) -> Option<(Value, Value)> {
        match self {
            Device::Light => Some((Value(0), Value(100))),
            Device::Thermostat => Some((Value(100), Value(350))),
            Device::Lock | Device::Camera => Some((Value(0), Value(1))),
            Device::Sensor => None,
        }
    }
}

/// What a device shows: a whole number; of the thermostat, tenths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u16);

/// A command that its device accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    device: Device,
    effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Set(Value),
    /// To zero, or from zero to this.
    Toggle(Value),
}

impl Change {
    /// Reads a command: `action` as the client wrote it, and the number that came with it. A number
    /// that the action has no use for is ignored, in keeping with JSON's other unknown members.
    pub fn parse(device: Device, action: &str, value: Option<f64>) -> Result<Change, Refused> {
        let full = match device.range() {
            Some((_, greatest)) => greatest,
            None => return Err(Refused::ReadOnly),
        };
        let effect = match (device, action) {
            (_, "set") => Effect::Set(read_value(device, value.ok_or(Refused::ValueMissing)?)?),
            (Device::Light | Device::Camera, "on") | (Device::Lock, "lock") => Effect::Set(full),
            (Device::Light | Device::Camera, "off") | (Device::Lock, "unlock") => {
                Effect::Set(Value(0))
            }
            (Device::Light | Device::Camera | Device::Lock, "toggle") => Effect::Toggle(full),
            _ => return Err(Refused::UnknownAction(device)),
        };
        Ok(Change { device, effect })
    }

    /// The device it is for; never the sensor.
    pub fn device(self) -> Device {
        self.device
    }

    /// What the device shows afterwards if it showed `before`.
    pub(super) fn outcome(self, before: Value) -> Value {
        match self.effect {
            Effect::Set(value) => value,
            Effect::Toggle(full) if before == Value(0) => full,
            Effect::Toggle(_) => Value(0),
        }
    }
}

/// `number` in the device's steps, if it lies in its range.
fn read_value(device: Device, number: f64) -> Result<Value, Refused> {
    let (least, greatest) = device.range().ok_or(Refused::ReadOnly)?;
    let steps = match device {
        Device::Thermostat => number * 10.0,
        _ => number,
    };
    // The number itself and not its rounding. Written so that NaN is refused.
    if !(steps >= f64::from(least.0) && steps <= f64::from(greatest.0)) {
        return Err(Refused::OutOfRange(device));
    }
    let nearest = steps.round();
    if (steps - nearest).abs() > STEP_TOLERANCE {
        return Err(Refused::BetweenSteps(device));
    }
    Ok(Value(nearest as u16))
}

/// How far from a whole step a number may lie. Chosen: far above the rounding of a decimal such as
/// 21.3 to a double, far below any digit that a person would write.
const STEP_TOLERANCE: f64 = 1e-6;

/// Why a command cannot be applied; the HTTP status is 422 for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The sensor takes no command at all.
    ReadOnly,
    /// The device does not know the action.
    UnknownAction(Device),
    /// `set` came without a number.
    ValueMissing,
    /// The number is outside what the device can show, or is no number.
    OutOfRange(Device),
    /// The number is finer than the device's steps.
    BetweenSteps(Device),
}

impl Refused {
    /// The reason as a sentence, which holds nothing that JSON would need to escape.
    pub const fn reason(self) -> &'static str {
        match self {
            Refused::ReadOnly | Refused::UnknownAction(Device::Sensor) => "the sensor is read-only",
            Refused::UnknownAction(Device::Light) => {
                "the light knows the actions set, on, off and toggle"
            }
            Refused::UnknownAction(Device::Thermostat) => "the thermostat knows the action set",
            Refused::UnknownAction(Device::Lock) => {
                "the lock knows the actions set, lock, unlock and toggle"
            }
            Refused::UnknownAction(Device::Camera) => {
                "the camera knows the actions set, on, off and toggle"
            }
            Refused::ValueMissing => "the action set needs a number as its value",
            Refused::OutOfRange(Device::Light) => "the light takes values from 0 to 100",
            Refused::OutOfRange(Device::Thermostat) => {
                "the thermostat takes values from 10.0 to 35.0"
            }
            Refused::OutOfRange(_) => "the value must be 0 or 1",
            Refused::BetweenSteps(Device::Thermostat) => "the thermostat takes tenths of a degree",
            Refused::BetweenSteps(_) => "the value must be a whole number",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

#[cfg(test)]
mod tests;
