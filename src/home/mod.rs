//! The house: what the devices show, and what happened to them. The one module that cores share.
//!
//! The whole house is one atomic word, a [`Snapshot`]: the seq of the newest event and the state of
//! every device. [`Home::apply`] is one compare-exchange loop on it, which claims the next seq and
//! makes the change in the same instant. From that follow, without a lock: seqs start at 1 and have
//! no holes; the order of seqs is the order of changes, also of toggles; a snapshot is never torn;
//! and once a command is confirmed every later snapshot, on any core, shows it.
//!
//! Events then go to a ring (`log`), where every core finds the first one after the last it has
//! seen. Between claim and publication an event is "not yet", never skipped: a reader gets events
//! in order, each once, or is told that it fell behind by more than the ring.
//!
//! # Sleeping
//!
//! A core with parked polls calls [`Home::announce_sleep`], looks once more with
//! [`Home::first_after`], and sleeps if there is still nothing. Whoever applied changes then goes
//! through [`Home::cores_to_wake`] and wakes those. The interleavings are checked with loom:
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib home`.
//!
//! Not here: how a core is woken, the device latency, HTTP. Start at [`Home::apply`].

mod device;
pub mod json;
mod log;
mod sleepers;
mod snapshot;

pub use device::{Change, Device, Refused, Value};
pub use log::{Event, FirstAfter, SEQ_MAX, Seq};
pub use sleepers::{CORES_MAX, CoresToWake};
pub use snapshot::Snapshot;

use log::{Found, Log};
use sleepers::Sleepers;
use sync::{AtomicU64, Ordering};

/// The house. Shared by all cores by reference.
pub struct Home {
    state: OwnLine<AtomicU64>,
    sleepers: OwnLine<Sleepers>,
    log: Log,
}

/// Keeps what every command writes off the cache lines of everything else. Two lines of 64 bytes,
/// since Intel's prefetcher fetches them in pairs.
#[repr(align(128))]
struct OwnLine<T>(T);

impl Home {
    /// A house in its initial state, whose log keeps the newest `log_capacity` events. Panics if
    /// that is no power of two.
    pub fn new(log_capacity: usize) -> Home {
        Home {
            state: OwnLine(AtomicU64::new(Snapshot::initial().0)),
            sleepers: OwnLine(Sleepers::new()),
            log: Log::new(log_capacity),
        }
    }

    /// Makes a change and publishes its event, which is returned. Lock-free: it tries again only
    /// because another core has made a change meanwhile.
    ///
    /// Cores that sleep learn of it by [`Home::cores_to_wake`], which is the caller's to call: once
    /// after any number of changes.
    pub fn apply(&self, change: Change) -> Event {
        let mut before = self.state.0.load(Ordering::Relaxed);
        loop {
            let (after, event) = Snapshot(before).after(change);
            let swapped = self.state.0.compare_exchange_weak(
                before,
                after.0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => {
                    self.log.publish(event);
                    return event;
                }
                Err(now) => before = now,
            }
        }
    }

    /// All devices as they stand after one and the same event.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.state.0.load(Ordering::Acquire))
    }

    /// The newest event there is; it may be about to be published.
    pub fn newest(&self) -> Seq {
        self.snapshot().seq()
    }

    /// The first event after `since`, which need not exist yet.
    pub fn first_after(&self, since: Seq) -> FirstAfter {
        if since.0 >= SEQ_MAX {
            return FirstAfter::NotYet;
        }
        match self.log.find(Seq(since.0 + 1)) {
            Found::Published(event) => FirstAfter::Event(event),
            Found::NotYet => FirstAfter::NotYet,
            Found::Gone => FirstAfter::Gone { oldest: self.oldest_kept() },
        }
    }

    /// The oldest event in the log once that has been filled.
    fn oldest_kept(&self) -> Seq {
        Seq((self.newest().0 + 1).saturating_sub(self.log.capacity()).max(1))
    }

    /// Says that `core` is about to sleep with parked polls. It must look with
    /// [`Home::first_after`] once more before it does. Panics if `core` is not below [`CORES_MAX`].
    pub fn announce_sleep(&self, core: usize) {
        self.sleepers.0.announce(core);
    }

    /// Says that `core` is awake, so that nobody need wake it. Cheap when that is known already.
    pub fn retract_sleep(&self, core: usize) {
        self.sleepers.0.retract(core);
    }

    /// The cores that sleep and have not been told of what was applied before this call. Each is
    /// yielded to one caller once per sleep, and that caller must wake it.
    pub fn cores_to_wake(&self) -> CoresToWake<'_> {
        self.sleepers.0.take()
    }
}

/// std's atomics, or loom's when the interleavings are to be tried out.
mod sync {
    #[cfg(loom)]
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    #[cfg(not(loom))]
    pub(super) use std::sync::atomic::{AtomicU64, Ordering, fence};
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
