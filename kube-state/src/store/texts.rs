//! Texts that are kept once and counted by their users: a block's label texts.

use hashbrown::HashTable;

use crate::hash::hash_of;

/// A text's number in its table.
pub(super) type Text = u32;

/// The table. Texts lie back to back; what is no longer used is squeezed out when it is a quarter.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    free: Vec<Text>,
    index: HashTable<Text>,
    unused: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    length: u32,
    users: u32,
}

impl Texts {
    /// A text by its number.
    pub(super) fn text(&self, text: Text) -> &[u8] {
        self.entries.get(text as usize).map_or(&[], |entry| slice(&self.bytes, *entry))
    }

    /// The number of a text, which gets one more user.
    pub(super) fn acquire(&mut self, text: &[u8]) -> Text {
        let hash = hash_of(text);
        let (bytes, entries) = (&self.bytes, &self.entries);
        let is_it = |number: &Text| entries.get(*number as usize).is_some_and(|entry| slice(bytes, *entry) == text);
        if let Some(number) = self.index.find(hash, is_it).copied() {
            if let Some(entry) = self.entries.get_mut(number as usize) {
                entry.users += 1;
            }
            return number;
        }
        let entry = Entry { start: size(self.bytes.len()), length: size(text.len()), users: 1 };
        grow(&mut self.bytes, text.len());
        self.bytes.extend_from_slice(text);
        let number = self.free.pop().unwrap_or(size(self.entries.len()));
        if let Some(free) = self.entries.get_mut(number as usize) {
            *free = entry;
        } else {
            grow(&mut self.entries, 1);
            self.entries.push(entry);
        }
        let (bytes, entries) = (&self.bytes, &self.entries);
        let hash_of_number =
            |number: &Text| hash_of(entries.get(*number as usize).map_or(&[], |entry| slice(bytes, *entry)));
        self.index.insert_unique(hash, number, hash_of_number);
        number
    }

    /// Takes a user from a text, which goes with its last.
    pub(super) fn release(&mut self, number: Text) {
        let hash = hash_of(self.text(number));
        let Some(entry) = self.entries.get_mut(number as usize) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users > 0 {
            return;
        }
        self.unused += entry.length as usize;
        if let Ok(found) = self.index.find_entry(hash, |candidate| *candidate == number) {
            found.remove();
            self.free.push(number);
        }
        if self.unused > 4096 && self.unused > self.bytes.len() / 4 {
            self.squeeze();
        }
    }

    fn squeeze(&mut self) {
        let live = self.bytes.len() - self.unused;
        let old = std::mem::replace(&mut self.bytes, Vec::with_capacity(live + live / 8));
        for entry in self.entries.iter_mut().filter(|entry| entry.users > 0) {
            let start = size(self.bytes.len());
            self.bytes.extend_from_slice(slice(&old, *entry));
            entry.start = start;
        }
        self.unused = 0;
    }

    /// Gives back memory that was kept for growth.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.entries.shrink_to_fit();
        self.free.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.bytes.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.free.capacity() * size_of::<Text>()
            + self.index.allocation_size()
    }
}

fn slice(bytes: &[u8], entry: Entry) -> &[u8] {
    bytes.get(entry.start as usize..(entry.start + entry.length) as usize).unwrap_or(&[])
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Makes room for more, and an eighth to spare: doubling would waste a quarter of all memory on average.
pub(super) fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        vec.reserve_exact(more + vec.len() / 8 + 4);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_stay_while_they_are_used(steps in prop::collection::vec((any::<bool>(), 0_usize..40), 0..400)) {
            let mut texts = Texts::default();
            let mut users: BTreeMap<usize, Vec<Text>> = BTreeMap::new();
            let name = |which: usize| format!("text {which} {}", "x".repeat(which * 20)).into_bytes();
            for (acquire, which) in steps {
                if acquire {
                    users.entry(which).or_default().push(texts.acquire(&name(which)));
                } else if let Some(number) = users.get_mut(&which).and_then(Vec::pop) {
                    texts.release(number);
                }
                for (which, numbers) in &users {
                    for number in numbers {
                        prop_assert_eq!(texts.text(*number), name(*which));
                    }
                }
            }
            let used = users.values().filter(|numbers| !numbers.is_empty()).count();
            prop_assert_eq!(texts.index.len(), used);
        }
    }
}
