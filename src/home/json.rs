//! The bodies of the API to the byte: every kind of answer has one length, whatever its values.
//!
//! JSON allows spaces before a closing bracket, and that is where the padding goes. Written into a
//! fixed array without allocation. That every value fits is proved by the tests.

use super::device::{Device, Value};
use super::log::{Event, Seq};
use super::snapshot::Snapshot;

/// Length of [`status`]. Spec: the API's table in the documentation, as all of these.
pub const STATUS_BYTES: usize = 120;
/// Length of [`command`].
pub const COMMAND_BYTES: usize = 80;
/// Length of [`event`].
pub const EVENT_BYTES: usize = 60;
/// Length of [`timeout`]; that of an event.
pub const TIMEOUT_BYTES: usize = EVENT_BYTES;

/// `[{"id":"light","v":100}, ... {"id":"sensor","v":47}  ]`
pub fn status(snapshot: Snapshot) -> [u8; STATUS_BYTES] {
    let mut line = Line::new();
    let mut separator = "[";
    for device in Device::ALL {
        line.text(separator).text("{\"id\":\"").text(device.id()).text("\",\"v\":");
        line.value(device, snapshot.value(device)).text("}");
        separator = ",";
    }
    line.close(b']')
}

/// `{"device":"light","status":"applied","value":75,"seq":1 ... }`
pub fn command(applied: Event) -> [u8; COMMAND_BYTES] {
    let mut line = Line::new();
    line.text("{\"device\":\"").text(applied.device.id());
    line.text("\",\"status\":\"applied\",\"value\":").value(applied.device, applied.value);
    line.text(",\"seq\":").number(applied.seq.0);
    line.close(b'}')
}

/// `{"seq":1,"device":"light","value":75 ... }`
pub fn event(event: Event) -> [u8; EVENT_BYTES] {
    let mut line = Line::new();
    line.text("{\"seq\":").number(event.seq.0);
    line.text(",\"device\":\"").text(event.device.id());
    line.text("\",\"value\":").value(event.device, event.value);
    line.close(b'}')
}

/// `{"seq":1,"event":"timeout" ... }`, where the seq is the newest there is.
pub fn timeout(newest: Seq) -> [u8; TIMEOUT_BYTES] {
    let mut line = Line::new();
    line.text("{\"seq\":").number(newest.0).text(",\"event\":\"timeout\"");
    line.close(b'}')
}

/// A body in the making: what is written so far, and spaces.
struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Line<N> {
    fn new() -> Line<N> {
        Line { bytes: [b' '; N], len: 0 }
    }

    fn text(&mut self, text: &str) -> &mut Line<N> {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
        self
    }

    fn value(&mut self, device: Device, value: Value) -> &mut Line<N> {
        let value = u64::from(value.0);
        match device {
            Device::Thermostat => self.number(value / 10).text(".").number(value % 10),
            _ => self.number(value),
        }
    }

    fn number(&mut self, number: u64) -> &mut Line<N> {
        let end = self.len + number.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut left = number;
        for digit in self.bytes[self.len..end].iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        self.len = end;
        self
    }

    fn close(mut self, bracket: u8) -> [u8; N] {
        assert!(self.len < N, "the tests show that the bracket has its place");
        self.bytes[N - 1] = bracket;
        self.bytes
    }
}

#[cfg(test)]
mod tests;
