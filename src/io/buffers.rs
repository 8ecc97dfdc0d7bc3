//! A provided buffer ring: receive buffers that the kernel picks from by itself (Linux 5.19).
//!
//! A buffer's life: (1) we own all of them and publish each into the ring; (2) the kernel takes one,
//! fills it and names it in a completion; (3) the driver lends its bytes to a handler during one
//! call; (4) the driver publishes it again. Between 1 and 2 nobody may touch it.
//!
//! Plain buffers only: neither incremental consumption nor bundles.

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The ring of entries, which the kernel reads, and the memory of the buffers behind it.
#[derive(Debug)]
pub(super) struct BufferRing {
    memory: Mapping,
    count: u16,
    buffer_bytes: u32,
    tail: u16,
}

/// Buffer group of the receive buffers; one per ring, so any number will do.
pub(super) const RECEIVE_GROUP: u16 = 0;

/// Kernel: io_uring/kbuf.c, at most 2^15 entries, a power of two.
pub(super) const BUFFERS_MAX: u16 = 1 << 15;

impl BufferRing {
    /// Maps `count` buffers (a power of two) of `buffer_bytes` each, registers them with `ring` and
    /// publishes them all.
    pub(super) fn register(
        ring: &IoUring,
        count: u16,
        buffer_bytes: u32,
    ) -> io::Result<BufferRing> {
        assert!(count.is_power_of_two() && count <= BUFFERS_MAX, "the flags were checked");
        let entries_bytes = usize::from(count) * size_of::<BufRingEntry>();
        // The kernel goes through all buffers in turn, so that each is touched soon, and none would
        // be faulted in while a request waits: a server's first thousand receives are spared 512 faults.
        let memory = Mapping::new(entries_bytes + usize::from(count) * buffer_bytes as usize)?;
        let address = memory.start.as_ptr() as u64;
        // SAFETY: the mapping is page-aligned. The kernel reads the entries and writes the buffers only
        // to serve a receive of this ring. None is armed before the driver exists, so that until then
        // the mapping may be freed, registered as it is (the kernel keeps its own hold on the pages);
        // and the driver's `drop` frees it once every receive was reaped, or leaks it.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, count, RECEIVE_GROUP, 0)? };
        let mut buffers = BufferRing { memory, count, buffer_bytes, tail: 0 };
        for id in 0..count {
            buffers.place(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first `len` bytes of buffer `id`, which the kernel has just filled.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(len <= self.buffer_bytes as usize, "the kernel fills no more than a buffer");
        // SAFETY: `len` bytes lie within the buffer. The completion gave it back to us, and it is lent
        // until `give_back`, which needs `&mut self` and so cannot happen while this slice lives.
        unsafe { std::slice::from_raw_parts(self.address_of(id), len) }
    }

    /// Gives buffer `id` to the kernel again.
    pub(super) fn give_back(&mut self, id: u16) {
        self.place(id);
        self.publish();
    }

    /// Never frees the memory, because the kernel may still write to it.
    pub(super) fn leak(&mut self) {
        self.memory.len = 0;
    }

    fn place(&mut self, id: u16) {
        let index = usize::from(self.tail & (self.count - 1));
        let address = self.address_of(id) as u64;
        // SAFETY: the entry lies within the mapping and beyond the published tail, where the kernel
        // does not look yet. The tail field shares memory with entry 0's reserved field, which
        // `set_*` leaves alone.
        let entry = unsafe { &mut *self.memory.start.cast::<BufRingEntry>().as_ptr().add(index) };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        let base = self.memory.start.cast::<BufRingEntry>().as_ptr();
        // SAFETY: `base` is the ring's first entry, mapped and zeroed or written by `place`.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: the tail is only ever written here, by this thread, and read by the kernel; it is
        // aligned and lives as long as the mapping. Release: the entries are seen before it.
        unsafe { AtomicU16::from_ptr(tail.cast_mut()) }.store(self.tail, Ordering::Release);
    }

    /// Where buffer `id` begins. The ids come from the kernel, in completions.
    fn address_of(&self, id: u16) -> *mut u8 {
        assert!(id < self.count, "the kernel names our buffers");
        let entries_bytes = usize::from(self.count) * size_of::<BufRingEntry>();
        let offset = entries_bytes + usize::from(id) * self.buffer_bytes as usize;
        // SAFETY: `id < count`, and the mapping has room for the entries and `count` buffers.
        unsafe { self.memory.start.as_ptr().add(offset) }
    }
}

/// Anonymous, zeroed, page-aligned memory, all of it there from the start as far as there is room.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Mapping> {
        // SAFETY: a new private mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mmap gave null"))?;
        Ok(Mapping { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len == 0 {
            return; // leaked on purpose
        }
        // SAFETY: `start` and `len` are what mmap gave, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ring::Ring;
    use crate::io::ring::settings::Settings;

    #[test]
    #[should_panic(expected = "the kernel names our buffers")]
    fn a_buffer_that_is_none_of_ours_is_not_given_back() {
        let ring = Ring::new(&Settings::default()).unwrap();
        let mut buffers = BufferRing::register(ring.raw(), 4, 64).unwrap();
        buffers.give_back(3);
        buffers.give_back(4);
    }
}
