//! Hierarchical timer wheel, for very many deadlines of which few ever fire.
//!
//! Arm and cancel are O(1) and, once the wheel has held as many entries before, allocate nothing;
//! `advance` pays per occupied slot, not per tick, so a jump of hours is cheap. Entries keep their
//! deadline to the nanosecond and never fire early. Pure: `now` comes in, values go out.
//!
//! ```text
//! level 0   256 slots of 1 tick      (8.2 us)    a window of 2.1 ms from now on
//! level 1   256 slots of 256 ticks   (2.1 ms)                537 ms
//! level 2   256 slots of 65,536      (537 ms)                137 s
//! ...                                            level 6 ends beyond any u64 of nanoseconds
//! ```
//! An entry lies on the lowest level whose window, 256 slots from the present one, reaches its
//! deadline. The windows slide, so slot `unit % 256` belongs to exactly one unit of that level.
//! When the cursor comes to a slot of a higher level, its entries cascade to lower ones.
//!
//! Order within one `advance`: by tick, and within a tick in the order of arming; not by deadline
//! within a tick. A deadline that had passed when it was armed counts to the tick of its arming.
//! Not here: reading a clock, sleeping. Start at [`Wheel::advance`].

use crate::units::Mono;

/// log2 of a tick in nanoseconds. Chosen: 8,192 ns, so that a device latency of 2 ms lies on level
/// 0 and never cascades, while a tick at 100,000 requests/s holds about one entry.
const TICK_BITS: u32 = 13;

/// log2 of the slots of a level.
const SLOT_BITS: u32 = 8;
const SLOTS: usize = 1 << SLOT_BITS;

/// Levels. Enough for any deadline, so that there is no overflow list.
const LEVELS: usize = 7;
const _: () = assert!(TICK_BITS + LEVELS as u32 * SLOT_BITS >= u64::BITS);
const _: () = assert!(LEVELS <= u8::BITS as usize);

/// How many entries of a slot [`Wheel::next_wake`] looks at before it settles for the slot's start.
/// Chosen: bounds a call to about a hundred entries, and few workloads put more into one tick.
const SCAN_MAX: usize = 16;

/// Names one armed timer. Stale, and harmless, once the timer has fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    node: u32,
    generation: u32,
}

/// A timer wheel over values of type `T`.
pub struct Wheel<T> {
    /// The latest point in time that was handed in.
    now: Mono,
    /// The tick up to which everything has been fired or cascaded; that of `now` between calls.
    cursor: u64,
    /// No entry of the cursor's own slot has a deadline before this.
    due: Mono,
    /// No occupied slot starts before this tick; most calls of `advance` end here.
    frontier: u64,
    occupied: [Bitmap; LEVELS],
    /// Bit `n` is set where level `n` has an occupied slot.
    occupied_levels: u8,
    /// Doubly linked rings. The first `HEADS` are the slots' own and hold no entry; the link of
    /// `entries[i]` is `links[HEADS + i]`.
    links: Vec<Link>,
    entries: Vec<Entry<T>>,
    /// First of the unused nodes, which are chained by `next`; [`NONE`] if there is none.
    free: u32,
    len: usize,
}

/// Links that are the heads of slots: level by level, slot by slot.
const HEADS: u32 = (LEVELS * SLOTS) as u32;

/// The end of the chain of unused nodes.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    prev: u32,
    next: u32,
}

struct Entry<T> {
    deadline: Mono,
    generation: u32,
    value: T,
}

/// A slot: its level, its head's link, and the first tick of its present unit.
#[derive(Clone, Copy)]
struct Place {
    level: usize,
    head: u32,
    start: u64,
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel that stands at `now`. Allocates its slots, about 14 KiB.
    pub fn new(now: Mono) -> Self {
        Wheel {
            now,
            cursor: tick_of(now),
            due: Mono(u64::MAX),
            frontier: u64::MAX,
            occupied: [Bitmap::default(); LEVELS],
            occupied_levels: 0,
            links: (0..HEADS).map(|head| Link { prev: head, next: head }).collect(),
            entries: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// How many timers are armed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands `value` out again at the first [`Wheel::advance`] that reaches `deadline`; if that has
    /// passed already, at the next one. Panics at 2^32 timers.
    pub fn arm(&mut self, deadline: Mono, value: T) -> TimerKey {
        let node = self.take_node(deadline, value);
        let place = self.place_of(deadline);
        self.push_back(place, node);
        self.frontier = self.frontier.min(place.start);
        if tick_of(deadline) <= self.cursor {
            self.due = self.due.min(deadline);
        }
        self.len += 1;
        TimerKey { node, generation: self.entry(node).generation }
    }

    /// Takes a timer back. `None` when it has fired or was cancelled.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let entry = self.entries.get((key.node - HEADS) as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        Some(self.release(key.node))
    }

    /// Moves to `now` and hands `fire` the value of every timer with `deadline <= now`, and of none
    /// later. A `now` before the latest one counts as the latest one.
    ///
    /// Costs one comparison while the tick is the same and nothing in it is due; else about the
    /// number of occupied slots passed plus the number of entries in them.
    pub fn advance(&mut self, now: Mono, mut fire: impl FnMut(T)) {
        self.now = self.now.max(now);
        let target = tick_of(self.now);
        if target == self.cursor && self.now < self.due {
            return;
        }
        let mut earliest_left = Mono(u64::MAX);
        let mut frontier = self.frontier;
        // Should `fire` panic, the next call looks again.
        (self.due, self.frontier) = (Mono(0), 0);
        while frontier <= target {
            let first = self.first_occupied();
            frontier = first.map_or(u64::MAX, |place| place.start);
            let Some(place) = first.filter(|place| place.start <= target) else { break };
            self.cursor = place.start;
            if place.level > 0 {
                self.cascade(place);
                continue;
            }
            earliest_left = self.fire_due(place.head, &mut fire);
            if place.start == target {
                break;
            }
        }
        self.cursor = target;
        (self.due, self.frontier) = (earliest_left, frontier);
    }

    /// When to call [`Wheel::advance`] next; `None` if nothing is armed.
    ///
    /// Never later than the earliest deadline, and exactly it if the slots in question hold few
    /// entries. Otherwise it may be the start of a crowded slot, or of a crowded tick the deadline
    /// of a timer that was cancelled: advancing to there moves the slot's entries to lower levels,
    /// or finds out the tick's earliest deadline, so that a loop over `advance(next_wake)` always
    /// gets on. Looks at a bounded number of entries.
    pub fn next_wake(&self) -> Option<Mono> {
        (0..LEVELS).filter_map(|level| self.wake_of(level)).min()
    }

    /// A lower bound of the deadlines on `level`: exact unless its first slot is crowded.
    fn wake_of(&self, level: usize) -> Option<Mono> {
        let place = self.first_on(level)?;
        let mut earliest = Mono(u64::MAX);
        let mut node = self.link(place.head).next;
        for _ in 0..=SCAN_MAX {
            if node == place.head {
                return Some(earliest);
            }
            earliest = earliest.min(self.entry(node).deadline);
            node = self.link(node).next;
        }
        let inside = place.start == self.cursor;
        Some(if inside { self.due } else { Mono(place.start << TICK_BITS) })
    }

    /// The occupied slot that the cursor comes to first. Where slots of several levels start at the
    /// same tick the highest, so that everything has cascaded before a tick fires.
    fn first_occupied(&self) -> Option<Place> {
        let mut first: Option<Place> = None;
        // Only the levels that hold something: going through all seven doubles what a timer costs.
        let mut levels = self.occupied_levels;
        while levels != 0 {
            let level = levels.ilog2() as usize;
            levels &= !(1 << level);
            let place = self.first_on(level);
            if place.is_some_and(|place| first.is_none_or(|first| place.start < first.start)) {
                first = place;
            }
        }
        first
    }

    fn first_on(&self, level: usize) -> Option<Place> {
        let shift = SLOT_BITS * level as u32;
        let unit = self.cursor >> shift;
        let distance = self.occupied[level].distance_from(unit as usize % SLOTS)?;
        let found = unit + distance as u64;
        Some(Place { level, head: head_of(level, found), start: found << shift })
    }

    /// Moves a slot's entries to where they belong as seen from the cursor. In front and last
    /// first: whatever lies in a lower slot was armed later than anything that comes down to it.
    fn cascade(&mut self, from: Place) {
        loop {
            let node = self.link(from.head).prev;
            if node == from.head {
                return;
            }
            self.unlink(node);
            let lower = self.place_of(self.entry(node).deadline);
            self.push_front(lower, node);
        }
    }

    /// Fires what is due in a slot of level 0; the earliest deadline of what stays.
    fn fire_due(&mut self, head: u32, fire: &mut impl FnMut(T)) -> Mono {
        let mut earliest_left = Mono(u64::MAX);
        let mut node = self.link(head).next;
        while node != head {
            let next = self.link(node).next;
            let deadline = self.entry(node).deadline;
            if deadline <= self.now {
                fire(self.release(node));
            } else {
                earliest_left = earliest_left.min(deadline);
            }
            node = next;
        }
        earliest_left
    }

    /// The slot where `deadline` belongs as seen from the cursor.
    fn place_of(&self, deadline: Mono) -> Place {
        let tick = tick_of(deadline).max(self.cursor);
        let mut level = 0;
        loop {
            let shift = SLOT_BITS * level as u32;
            let unit = tick >> shift;
            // The top level's window holds every u64, so this ends there at the latest.
            if unit - (self.cursor >> shift) < SLOTS as u64 {
                return Place { level, head: head_of(level, unit), start: unit << shift };
            }
            level += 1;
        }
    }

    fn push_back(&mut self, place: Place, node: u32) {
        self.link_between(self.link(place.head).prev, node, place.head);
        self.occupy(place);
    }

    fn push_front(&mut self, place: Place, node: u32) {
        self.link_between(place.head, node, self.link(place.head).next);
        self.occupy(place);
    }

    fn occupy(&mut self, place: Place) {
        self.occupied[place.level].set(place.head as usize % SLOTS);
        self.occupied_levels |= 1 << place.level;
    }

    /// Notes that the slot of `head` holds nothing any more.
    fn vacate(&mut self, head: u32) {
        let level = head as usize / SLOTS;
        self.occupied[level].clear(head as usize % SLOTS);
        if self.occupied[level].is_empty() {
            self.occupied_levels &= !(1 << level);
        }
    }

    fn link_between(&mut self, prev: u32, node: u32, next: u32) {
        self.links[node as usize] = Link { prev, next };
        self.links[prev as usize].next = node;
        self.links[next as usize].prev = node;
    }

    fn unlink(&mut self, node: u32) {
        let Link { prev, next } = self.link(node);
        self.links[prev as usize].next = next;
        self.links[next as usize].prev = prev;
        if prev == next {
            // Only the head is left in the ring.
            self.vacate(prev);
        }
    }

    /// A node that holds an entry and is in no ring yet.
    fn take_node(&mut self, deadline: Mono, value: T) -> u32 {
        if self.free == NONE {
            let node = u32::try_from(self.links.len()).expect("2^32 timers do not fit in memory");
            self.links.push(Link { prev: node, next: node });
            self.entries.push(Entry { deadline, generation: 0, value });
            return node;
        }
        let node = self.free;
        self.free = self.link(node).next;
        let entry = self.entry_mut(node);
        entry.deadline = deadline;
        entry.value = value;
        node
    }

    /// Takes a node out of its ring; every key of it is stale from now on.
    fn release(&mut self, node: u32) -> T {
        self.unlink(node);
        self.links[node as usize].next = self.free;
        self.free = node;
        self.len -= 1;
        let entry = self.entry_mut(node);
        entry.generation = entry.generation.wrapping_add(1);
        entry.value
    }

    fn link(&self, node: u32) -> Link {
        self.links[node as usize]
    }

    fn entry(&self, node: u32) -> &Entry<T> {
        &self.entries[(node - HEADS) as usize]
    }

    fn entry_mut(&mut self, node: u32) -> &mut Entry<T> {
        &mut self.entries[(node - HEADS) as usize]
    }
}

fn tick_of(point: Mono) -> u64 {
    point.0 >> TICK_BITS
}

fn head_of(level: usize, unit: u64) -> u32 {
    (level * SLOTS + unit as usize % SLOTS) as u32
}

/// Which slots of a level hold entries.
#[derive(Clone, Copy, Default)]
struct Bitmap([u64; SLOTS / WORD_BITS]);

const WORD_BITS: usize = u64::BITS as usize;

impl Bitmap {
    fn set(&mut self, slot: usize) {
        self.0[slot / WORD_BITS] |= 1 << (slot % WORD_BITS);
    }

    fn clear(&mut self, slot: usize) {
        self.0[slot / WORD_BITS] &= !(1 << (slot % WORD_BITS));
    }

    fn is_empty(&self) -> bool {
        self.0 == [0; SLOTS / WORD_BITS]
    }

    /// How many slots after `from`, going round, the first occupied one lies; 0 is `from` itself.
    fn distance_from(&self, from: usize) -> Option<usize> {
        let first_word = from / WORD_BITS;
        let below_from = (1 << (from % WORD_BITS)) - 1;
        // The first word is looked at twice: from `from` on, and after going round up to it.
        for round in 0..=self.0.len() {
            let word = (first_word + round) % self.0.len();
            let mask = match round {
                0 => !below_from,
                _ if round == self.0.len() => below_from,
                _ => u64::MAX,
            };
            let bits = self.0[word] & mask;
            if bits != 0 {
                let slot = word * WORD_BITS + bits.trailing_zeros() as usize;
                return Some((slot + SLOTS - from) % SLOTS);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
