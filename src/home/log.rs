//! The event log: a ring of atomic words, many producers, any number of readers, no lock.
//!
//! ```text
//! bit 63                        18 17  15 14          0
//!     | seq                  (46) | device |     value |      slot = seq % capacity
//! ```
//! A slot only ever grows: publishing is a `fetch_max`, and the seq stands in the high bits. So a
//! producer that stalls between claiming a seq and publishing it, and wakes up a lap later, cannot
//! overwrite the newer event. A reader that looks for a seq and finds a smaller one in its slot
//! knows that the event is not published yet; a larger one, that it is gone.
//!
//! Not here: who claims seqs; see [`super::Home::apply`].

use super::device::{Device, Value};
use super::sync::{AtomicU64, Ordering};

/// The number of an event. The first has 1 and there are no holes; 0 stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// The greatest seq. What 64 bits leave beside the state of the devices.
pub const SEQ_MAX: u64 = (1 << 46) - 1;

/// A device was changed: by event `seq` it came to show `value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of all events.
    pub seq: Seq,
    /// The device.
    pub device: Device,
    /// What it has shown since.
    pub value: Value,
}

/// What a reader that has seen all events up to some seq finds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAfter {
    /// The next event.
    Event(Event),
    /// Nothing yet.
    NotYet,
    /// The next event has left the log.
    Gone {
        /// The oldest one that the log still holds.
        oldest: Seq,
    },
}

pub(super) struct Log {
    slots: Box<[AtomicU64]>,
}

/// What is in the slot where an event belongs.
pub(super) enum Found {
    Published(Event),
    NotYet,
    Gone,
}

impl Log {
    pub(super) fn new(capacity: usize) -> Log {
        assert!(capacity.is_power_of_two(), "the log's capacity is a power of two");
        Log { slots: (0..capacity).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Lets readers see `event`, unless a newer one already took its slot.
    pub(super) fn publish(&self, event: Event) {
        self.slot(event.seq).fetch_max(pack(event), Ordering::AcqRel);
    }

    pub(super) fn find(&self, wanted: Seq) -> Found {
        let word = self.slot(wanted).load(Ordering::Acquire);
        match (word >> PAYLOAD_BITS).cmp(&wanted.0) {
            std::cmp::Ordering::Less => Found::NotYet,
            std::cmp::Ordering::Equal => Found::Published(unpack(word)),
            std::cmp::Ordering::Greater => Found::Gone,
        }
    }

    fn slot(&self, seq: Seq) -> &AtomicU64 {
        &self.slots[seq.0 as usize & (self.slots.len() - 1)]
    }
}

const VALUE_BITS: u32 = 15;
const PAYLOAD_BITS: u32 = 18;
const _: () = assert!(SEQ_MAX << PAYLOAD_BITS >> PAYLOAD_BITS == SEQ_MAX);
const _: () = assert!(Device::ALL.len() <= 1 << (PAYLOAD_BITS - VALUE_BITS));

fn pack(event: Event) -> u64 {
    event.seq.0 << PAYLOAD_BITS | (event.device as u64) << VALUE_BITS | u64::from(event.value.0)
}

fn unpack(word: u64) -> Event {
    let device = word >> VALUE_BITS & ((1 << (PAYLOAD_BITS - VALUE_BITS)) - 1);
    Event {
        seq: Seq(word >> PAYLOAD_BITS),
        device: Device::ALL[device as usize],
        value: Value((word & ((1 << VALUE_BITS) - 1)) as u16),
    }
}
