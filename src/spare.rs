//! Empty buffers kept for later, so that what comes and goes with every request allocates nothing once
//! the first ones are through.
//!
//! Bounded both ways: so many buffers, none larger than so much. Not here: who passes them round.

/// A stock of empty buffers.
#[derive(Debug)]
pub struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    count_max: usize,
    bytes_max: usize,
}

/// Capacity of a buffer when it is made. Chosen: several answers of the API; a pipelined batch grows it
/// once and keeps it.
const FIRST_BYTES: usize = 1024;

impl SpareBuffers {
    /// None yet; at most `count_max` buffers are kept, and none with a capacity above `bytes_max`.
    pub const fn new(count_max: usize, bytes_max: usize) -> SpareBuffers {
        SpareBuffers { buffers: Vec::new(), count_max, bytes_max }
    }

    /// An empty buffer with capacity, new if there is none to spare.
    pub fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_else(|| Vec::with_capacity(FIRST_BYTES))
    }

    /// How many are kept.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.buffers.len()
    }

    /// Keeps a buffer for later, unless there are enough or it has grown too large.
    pub fn put_back(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < self.count_max && buffer.capacity() <= self.bytes_max {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_is_the_same() {
        let mut spare = SpareBuffers::new(2, 4096);
        let mut buffer = spare.take();
        assert!(buffer.is_empty() && buffer.capacity() >= FIRST_BYTES);
        buffer.extend_from_slice(b"said");
        let address = buffer.as_ptr();
        spare.put_back(buffer);
        let again = spare.take();
        assert!(again.is_empty() && again.as_ptr() == address);
    }

    #[test]
    fn more_than_enough_and_larger_than_allowed_is_not_kept() {
        let mut spare = SpareBuffers::new(2, 4096);
        let mut large = Vec::with_capacity(4097);
        large.push(0);
        spare.put_back(large);
        assert_eq!(spare.count(), 0);
        (0..3).for_each(|_| spare.put_back(Vec::with_capacity(4096)));
        assert_eq!(spare.count(), 2);
    }
}
