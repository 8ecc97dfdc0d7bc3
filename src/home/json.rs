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
#[inline]
pub fn status(snapshot: Snapshot) -> [u8; STATUS_BYTES] {
    let mut line = Line::new();
    let mut show = |label, device| {
        line.text(label).value(device, snapshot.value(device));
    };
    // Spelled out: rendered for most requests, and pieces of known lengths are copied in place.
    show("[{\"id\":\"light\",\"v\":", Device::Light);
    show("},{\"id\":\"thermostat\",\"v\":", Device::Thermostat);
    show("},{\"id\":\"lock\",\"v\":", Device::Lock);
    show("},{\"id\":\"camera\",\"v\":", Device::Camera);
    show("},{\"id\":\"sensor\",\"v\":", Device::Sensor);
    line.text("}");
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

    #[inline]
    fn text(&mut self, text: &str) -> &mut Line<N> {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
        self
    }

    #[inline]
    fn value(&mut self, device: Device, value: Value) -> &mut Line<N> {
        match device {
            Device::Thermostat => self.small(value.0 / 10).text(".").small(value.0 % 10),
            _ => self.small(value.0),
        }
    }

    /// As `number`, for what nearly always has three digits at most.
    #[inline]
    fn small(&mut self, number: u16) -> &mut Line<N> {
        let digit = |n: u16| b'0' + (n % 10) as u8;
        match number {
            0..10 => self.digits([digit(number)]),
            10..100 => self.digits([digit(number / 10), digit(number)]),
            100..1000 => self.digits([digit(number / 100), digit(number / 10), digit(number)]),
            _ => self.number(number.into()),
        }
    }

    #[inline]
    fn digits<const D: usize>(&mut self, digits: [u8; D]) -> &mut Line<N> {
        self.bytes[self.len..self.len + D].copy_from_slice(&digits);
        self.len += D;
        self
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

    #[inline]
    fn close(mut self, bracket: u8) -> [u8; N] {
        assert!(self.len < N, "the tests show that the bracket has its place");
        self.bytes[N - 1] = bracket;
        self.bytes
    }
}

#[cfg(test)]
mod tests;
