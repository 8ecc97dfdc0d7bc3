//! The real clocks. Nothing outside `io` reads a clock; everybody else is handed a point in time or
//! a [`crate::clock::Clock`].

use crate::clock::{Clock, WallOffset};
use crate::units::{Mono, Nanos, Wall};

/// CLOCK_MONOTONIC, read through the vDSO: no system call, some 25 ns.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> Mono {
        Mono(nanos(read(libc::CLOCK_MONOTONIC)))
    }
}

/// Whole seconds since 1970 by the wall clock; for the Date header and file names only, since it
/// may step.
pub fn wall_secs() -> u64 {
    read(libc::CLOCK_REALTIME_COARSE).tv_sec as u64
}

/// CLOCK_REALTIME, as exact as [`MonotonicClock`]; only to find how far the two are apart, since it
/// may step.
fn wall_now() -> Wall {
    Wall(nanos(read(libc::CLOCK_REALTIME)))
}

/// Chosen: one of them is not interrupted.
const SAMPLES: usize = 8;

/// How far the wall clock is ahead now: read between two readings of the other, the closest of
/// several. Takes a microsecond.
pub fn wall_offset() -> WallOffset {
    let sample = |_| {
        let before = MonotonicClock.now();
        let wall = wall_now();
        let width = MonotonicClock.now().saturating_since(before);
        let middle = before.0 + width.0 / 2;
        WallOffset { ns: wall.0.saturating_sub(middle), error: Nanos(width.0 / 2 + 1) }
    };
    let samples = (0..SAMPLES).map(sample);
    samples.min_by_key(|offset| offset.error).expect("there are several")
}

/// So many nanoseconds, as the kernel takes them.
pub(super) fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    }
}

fn nanos(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes `time` during the call and keeps no reference to it.
    let outcome = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(outcome, 0, "every Linux has the monotonic and the coarse real-time clock");
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_backwards() {
        let times: Vec<Mono> = (0..1_000).map(|_| MonotonicClock.now()).collect();
        assert!(times.is_sorted());
    }

    #[test]
    fn the_clocks_distance_is_known_to_the_microsecond() {
        let offset = wall_offset();
        let wall = wall_now();
        let mono = MonotonicClock.now();
        let apart = offset.to_mono(wall).0.abs_diff(mono.0);
        assert!(offset.error < Nanos::from_micros(100), "{offset:?}");
        assert!(apart < 1_000_000_000, "{apart} ns apart");
    }
}
