//! A point in time as a descriptor that becomes readable: timerfd_create(2), Linux 2.6.25.
//!
//! For event loops that are not ours and whose own timers are coarse. It fires within the kernel's
//! high-resolution timers: no slack, no rounding. Not here: awaiting it.

use super::clock::timespec;
use crate::units::Mono;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Readable from the point in time on that it was set to, until it is set again.
#[derive(Debug)]
pub struct Alarm {
    fd: OwnedFd,
    at: Option<Mono>,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    /// Descriptors or memory ran out.
    pub fn new() -> io::Result<Alarm> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: takes no pointers; the descriptor it returns is new and ours.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and nobody else owns it.
        Ok(Alarm { fd: unsafe { OwnedFd::from_raw_fd(fd) }, at: None })
    }

    /// The point it is set to; it may have passed.
    pub fn at(&self) -> Option<Mono> {
        self.at
    }

    /// Sets it to `at`, or to never; either way it is not readable before then.
    pub fn set(&mut self, at: Option<Mono>) {
        self.at = at;
        // Kernel: a value of zero disarms, so the origin of time itself becomes the 1st nanosecond.
        let nanos = at.map_or(0, |at| at.0.max(1));
        let value = timespec(nanos);
        let once = timespec(0);
        let setting = libc::itimerspec { it_interval: once, it_value: value };
        // SAFETY: the kernel reads `setting` during the call; the old setting is not asked for.
        let outcome = unsafe {
            libc::timerfd_settime(
                self.fd.as_raw_fd(),
                libc::TFD_TIMER_ABSTIME,
                &raw const setting,
                std::ptr::null_mut(),
            )
        };
        assert_eq!(outcome, 0, "a valid point in time can be set on a timerfd");
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::io::clock::MonotonicClock;

    fn readable_within(alarm: &Alarm, millis: i32) -> bool {
        let mut poll = libc::pollfd { fd: alarm.fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the kernel reads and writes `poll` during the call.
        unsafe { libc::poll(&raw mut poll, 1, millis) == 1 }
    }

    #[test]
    fn it_rings_at_its_time_and_until_it_is_set_again() {
        let mut alarm = Alarm::new().unwrap();
        let due = Mono(MonotonicClock.now().0 + 1_000_000);
        alarm.set(Some(due));
        assert!(readable_within(&alarm, 10_000) && MonotonicClock.now() >= due);
        assert!(readable_within(&alarm, 0), "it stays readable");
        alarm.set(None);
        assert!(!readable_within(&alarm, 0), "setting it ends that");
        alarm.set(Some(Mono(0)));
        assert!(readable_within(&alarm, 10_000), "the past is due at once");
    }
}
