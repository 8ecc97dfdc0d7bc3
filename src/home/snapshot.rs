//! The state of the whole house in one 64-bit word.
//!
//! ```text
//! bit 63                        18 17     11 10          2   1      0
//!     | seq                  (46) | light 7 | thermostat 9 | lock | camera |
//! ```
//! One word, so that one load sees all devices as they stood after the same event, and one
//! compare-exchange claims the next seq and makes the change at once. The sensor never changes and
//! takes no bits.

use super::device::{Change, Device, Value};
use super::log::{Event, SEQ_MAX, Seq};

/// All devices as they stood right after event `seq`. Equal snapshots render to equal answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot(pub(super) u64);

impl Snapshot {
    /// The house before the first event.
    pub(super) const fn initial() -> Snapshot {
        Snapshot(0)
            .with(Device::Light, Value(100))
            .with(Device::Thermostat, Value(215))
            .with(Device::Lock, Value(1))
            .with(Device::Camera, Value(0))
    }

    /// The newest event that is in it; 0 before the first.
    pub fn seq(self) -> Seq {
        Seq(self.0 >> STATE_BITS)
    }

    /// What `device` shows.
    pub fn value(self, device: Device) -> Value {
        match field_of(device) {
            Some(field) => Value((self.0 >> field.shift & field.mask()) as u16),
            None => SENSOR,
        }
    }

    /// The house after `change`, and the event that tells of it. Panics after 2^46 events.
    pub(super) fn after(self, change: Change) -> (Snapshot, Event) {
        let device = change.device();
        let value = change.outcome(self.value(device));
        let seq = Seq(self.seq().0 + 1);
        assert!(seq.0 <= SEQ_MAX, "2^46 events are two years at a million a second");
        let after = Snapshot(self.with(device, value).0 + (1 << STATE_BITS));
        (after, Event { seq, device, value })
    }

    const fn with(self, device: Device, value: Value) -> Snapshot {
        match field_of(device) {
            Some(field) => {
                let others = self.0 & !(field.mask() << field.shift);
                Snapshot(others | (value.0 as u64) << field.shift)
            }
            None => self,
        }
    }
}

/// What the sensor shows, always. Spec: the status line of the API.
const SENSOR: Value = Value(47);

/// Bits of a device's value in the word.
#[derive(Clone, Copy)]
struct Field {
    shift: u32,
    bits: u32,
}

impl Field {
    const fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }
}

const fn field_of(device: Device) -> Option<Field> {
    match device {
        Device::Camera => Some(Field { shift: 0, bits: 1 }),
        Device::Lock => Some(Field { shift: 1, bits: 1 }),
        Device::Thermostat => Some(Field { shift: 2, bits: 9 }),
        Device::Light => Some(Field { shift: 11, bits: 7 }),
        Device::Sensor => None,
    }
}

const STATE_BITS: u32 = 18;
const _: () = assert!(SEQ_MAX << STATE_BITS >> STATE_BITS == SEQ_MAX);
