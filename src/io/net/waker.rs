//! What ends a driver's sleep from another thread: an eventfd, or a message to its ring.
//!
//! Not here: sending that message; see `uring`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Ends the sleep of one driver, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker {
    event: Arc<OwnedFd>,
    /// The driver's ring, if it has one that takes messages (MSG_RING). A descriptor of its own: it
    /// names that ring, and no other, however long the waker lives.
    ring: Option<Arc<OwnedFd>>,
}

impl Waker {
    /// A waker behind an eventfd (Linux 2.6.22).
    pub(crate) fn new() -> io::Result<Waker> {
        // SAFETY: takes no pointers; the descriptor it returns is new and ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just made and nobody else owns it.
        let event = Arc::new(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(Waker { event, ring: None })
    }

    /// The same, which can also be reached by messages to `ring`.
    pub(in crate::io) fn with_ring(self, ring: BorrowedFd<'_>) -> io::Result<Waker> {
        Ok(Waker { ring: Some(Arc::new(ring.try_clone_to_owned()?)), ..self })
    }

    /// The ring to send a message to.
    pub(in crate::io) fn ring(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().map(|ring| ring.as_fd())
    }

    /// Whether both wake the same driver.
    pub(in crate::io) fn is(&self, other: &Waker) -> bool {
        Arc::ptr_eq(&self.event, &other.event)
    }

    /// Makes the driver's present or next turn end with [`crate::io::Event::Woken`]. Several calls may
    /// become one event.
    pub fn wake(&self) {
        let one = 1u64;
        // SAFETY: the kernel reads the 8 bytes of `one` during the call.
        let written = unsafe { libc::write(self.event.as_raw_fd(), (&raw const one).cast(), 8) };
        // A full counter (EAGAIN) means that 2^64 - 2 wakes are owed: the driver will wake up.
        debug_assert!(
            written == 8 || io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
        );
    }

    /// Takes the wakes that are owed; whether there were any.
    pub(crate) fn drain(&self) -> bool {
        let mut count = 0u64;
        // SAFETY: the kernel writes at most the 8 bytes of `count` during the call.
        unsafe { libc::read(self.event.as_raw_fd(), (&raw mut count).cast(), 8) == 8 }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
