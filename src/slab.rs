//! A slab whose keys carry a generation, so that a late reference to a reused slot finds nothing.
//!
//! Insert, remove and lookup are O(1); slots are reused last-in first-out, which keeps the hot ones
//! in cache. A slot's generation grows at each removal and wraps at [`GENERATION_BITS`] bits: a stale
//! key is mistaken for a live one only after that many reuses of one slot while it was held.

/// Bits of a generation. Chosen: what is left of a 64-bit completion cookie beside an operation
/// byte and a 32-bit slot (see `io::uring`).
pub const GENERATION_BITS: u32 = 24;

/// Names one life of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Index of the slot, dense from 0.
    pub slot: u32,
    /// Which life of the slot; below `1 << GENERATION_BITS`.
    pub generation: u32,
}

/// Values addressed by [`Key`].
#[derive(Debug)]
pub struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// An empty slab; allocates nothing.
    pub fn new() -> Slab<T> {
        Slab::default()
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether no value is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores `value` and names it.
    pub fn insert(&mut self, value: T) -> Key {
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.entries[slot as usize];
            entry.value = Some(value);
            return Key { slot, generation: entry.generation };
        }
        let slot = u32::try_from(self.entries.len()).expect("fewer than 2^32 slots fit in memory");
        self.entries.push(Entry { generation: 0, value: Some(value) });
        Key { slot, generation: 0 }
    }

    /// Takes the value out; the key, and every copy of it, is stale from now on.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = (entry.generation + 1) & ((1 << GENERATION_BITS) - 1);
        self.free.push(key.slot);
        Some(value)
    }

    /// The value of a live key.
    pub fn get(&self, key: Key) -> Option<&T> {
        let entry = self.entries.get(key.slot as usize)?;
        if entry.generation == key.generation { entry.value.as_ref() } else { None }
    }

    /// The value of a live key, to change.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation == key.generation { entry.value.as_mut() } else { None }
    }

    /// The keys of all values held, in slot order.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.value.is_some())
            .map(|(slot, entry)| Key { slot: slot as u32, generation: entry.generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing_after_its_slot_is_reused() {
        let mut slab = Slab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(new.slot, old.slot);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&"new"));
    }

    #[test]
    fn generations_wrap_within_their_bits() {
        let mut slab = Slab::new();
        let key = slab.insert(0);
        slab.entries[0].generation = (1 << GENERATION_BITS) - 1;
        let last = Key { generation: (1 << GENERATION_BITS) - 1, ..key };
        assert_eq!(slab.remove(last), Some(0));
        assert_eq!(slab.insert(1).generation, 0);
    }
}
