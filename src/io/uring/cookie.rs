//! What every SQE is marked with, and its completion bears: encoded and decoded here and nowhere else.

use crate::io::ConnId;
use crate::slab::{GENERATION_BITS, Key};

/// CQE cookie: bits 63..56 operation, 55..32 generation, 31..0 slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    pub(super) op: Op,
    pub(super) id: ConnId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    Accept = 1,
    Connect = 2,
    Receive = 3,
    Send = 4,
    Cancel = 5,
    /// The read of the eventfd.
    Wake = 6,
    /// A message to another ring; the slot says which. It completes only if it failed.
    Tell = 7,
    /// A message from another ring.
    Told = 8,
}

const _: () = assert!(GENERATION_BITS + 32 + 8 == 64, "a cookie is 64 bits");

/// The id in cookies of operations that belong to no connection.
pub(super) const NO_CONN: ConnId = Key { slot: 0, generation: 0 };

pub(super) fn encode(op: Op, id: ConnId) -> u64 {
    (op as u64) << 56 | u64::from(id.generation) << 32 | u64::from(id.slot)
}

pub(super) fn decode(cookie: u64) -> Option<Cookie> {
    let op = match (cookie >> 56) as u8 {
        1 => Op::Accept,
        2 => Op::Connect,
        3 => Op::Receive,
        4 => Op::Send,
        5 => Op::Cancel,
        6 => Op::Wake,
        7 => Op::Tell,
        8 => Op::Told,
        _ => return None,
    };
    let generation = (cookie >> 32) as u32 & ((1 << GENERATION_BITS) - 1);
    Some(Cookie { op, id: Key { slot: cookie as u32, generation } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_as_it_was_written() {
        let id = Key { slot: u32::MAX, generation: (1 << GENERATION_BITS) - 1 };
        let ours = [Op::Accept, Op::Connect, Op::Receive, Op::Send, Op::Cancel, Op::Wake];
        for op in ours.into_iter().chain([Op::Tell, Op::Told]) {
            for id in [id, NO_CONN, Key { slot: 1, generation: 2 }] {
                assert_eq!(decode(encode(op, id)), Some(Cookie { op, id }));
            }
        }
        assert_eq!(decode(0), None);
        assert_eq!(decode(u64::MAX), None);
    }
}
