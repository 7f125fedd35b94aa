//! Texts that are kept once and counted by their users: a block's label texts.

use std::sync::Arc;

use hashbrown::HashTable;

use crate::hash::hash_of;

/// A text's number in its table. The default is no text, which reads as the empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(u16);

/// The table. Texts lie back to back, each behind its length; what is no longer used is squeezed out when it is a
/// quarter. What was there when memory was last given back is shared with copies of the table, so that a copy costs what
/// changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    settled: Arc<Vec<u8>>,
    recent: Vec<u8>,
    /// Where each text begins: in what is settled, or behind that in what is recent.
    starts: Vec<u32>,
    users: Vec<u16>,
    free: Vec<Text>,
    index: HashTable<Text>,
    unused: usize,
}

/// Unused bytes that are not worth the work.
const LEAST_UNUSED: usize = 4096;

impl Texts {
    /// The most texts that a table may be given at a time.
    pub(super) const MOST: usize = u16::MAX as usize - 1;

    /// A text by its number.
    pub(super) fn text(&self, text: Text) -> &[u8] {
        text.index().and_then(|index| self.starts.get(index)).map_or(&[], |start| self.text_at(*start))
    }

    fn text_at(&self, start: u32) -> &[u8] {
        let start = start as usize;
        let bytes = match start.checked_sub(self.settled.len()) {
            Some(start) => self.recent.get(start..),
            None => self.settled.get(start..),
        };
        framed(bytes.unwrap_or(&[]))
    }

    /// The number of a text, which gets one more user.
    pub(super) fn acquire(&mut self, text: &[u8]) -> Text {
        let hash = hash_of(text);
        let found = self.index.find(hash, |number| self.text(*number) == text).copied();
        if let Some(number) = found {
            if let Some(users) = number.index().and_then(|index| self.users.get_mut(index)) {
                // One that has so many stays: they are no longer counted.
                *users = users.saturating_add(1);
            }
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            grow(&mut self.starts, 1);
            grow(&mut self.users, 1);
            self.starts.push(0);
            self.users.push(0);
            Text(u16::try_from(self.starts.len()).unwrap_or(u16::MAX))
        });
        let start = u32::try_from(self.settled.len() + self.recent.len()).unwrap_or(u32::MAX);
        push_framed(&mut self.recent, text);
        if let Some(index) = number.index()
            && let (Some(place), Some(users)) = (self.starts.get_mut(index), self.users.get_mut(index))
        {
            (*place, *users) = (start, 1);
        }
        let mut index = std::mem::take(&mut self.index);
        index.insert_unique(hash, number, |number| hash_of(self.text(*number)));
        self.index = index;
        number
    }

    /// Takes a user from a text, which goes with its last.
    pub(super) fn release(&mut self, number: Text) {
        let Some(users) = number.index().and_then(|index| self.users.get_mut(index)) else { return };
        if *users == u16::MAX {
            return;
        }
        *users = users.saturating_sub(1);
        if *users > 0 {
            return;
        }
        let text = self.text(number);
        let (hash, length) = (hash_of(text), framed_length(text));
        self.unused += length;
        if let Ok(found) = self.index.find_entry(hash, |candidate| *candidate == number) {
            found.remove();
            self.free.push(number);
        }
        if self.unused > LEAST_UNUSED && self.unused > (self.settled.len() + self.recent.len()) / 4 {
            self.settle();
        }
    }

    /// Lays the texts that are used back to back.
    fn settle(&mut self) {
        let live = self.settled.len() + self.recent.len() - self.unused;
        let mut bytes = Vec::with_capacity(live);
        let mut starts = std::mem::take(&mut self.starts);
        for (start, _) in starts.iter_mut().zip(&self.users).filter(|(_, users)| **users > 0) {
            let new = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            push_framed(&mut bytes, self.text_at(*start));
            *start = new;
        }
        self.starts = starts;
        (self.settled, self.recent, self.unused) = (Arc::new(bytes), Vec::new(), 0);
    }

    /// Gives back memory that was kept for growth.
    pub(super) fn shrink(&mut self) {
        self.settle();
        self.starts.shrink_to_fit();
        self.users.shrink_to_fit();
        self.free.shrink_to_fit();
        let mut index = std::mem::take(&mut self.index);
        index.shrink_to_fit(|number| hash_of(self.text(*number)));
        self.index = index;
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.settled.capacity()
            + self.recent.capacity()
            + self.starts.capacity() * size_of::<u32>()
            + (self.users.capacity() + self.free.capacity()) * size_of::<u16>()
            + self.index.allocation_size()
    }
}

impl Text {
    fn index(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

/// Appends a text behind its length, of which each byte has seven bits, the lowest first.
fn push_framed(bytes: &mut Vec<u8>, text: &[u8]) {
    grow(bytes, framed_length(text));
    let mut length = text.len();
    while length > 0x7f {
        bytes.push(low_bits(length) | 0x80);
        length >>= 7;
    }
    bytes.push(low_bits(length));
    bytes.extend_from_slice(text);
}

/// The text that the bytes begin with.
fn framed(bytes: &[u8]) -> &[u8] {
    let (mut length, mut rest) = (0, bytes);
    for place in 0..5 {
        let Some((byte, after)) = rest.split_first() else { return &[] };
        length |= usize::from(byte & 0x7f) << (7 * place);
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..length).unwrap_or(&[])
}

fn framed_length(text: &[u8]) -> usize {
    let bits = (usize::BITS - text.len().leading_zeros()).max(1) as usize;
    text.len() + bits.div_ceil(7)
}

fn low_bits(length: usize) -> u8 {
    u8::try_from(length & 0x7f).unwrap_or(0)
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
        fn texts_stay_while_they_are_used(steps in prop::collection::vec((0_u8..9, 0_usize..40), 0..400)) {
            let mut texts = Texts::default();
            let mut users: BTreeMap<usize, Vec<Text>> = BTreeMap::new();
            let name = |which: usize| format!("text {which} {}", "x".repeat(which * 20)).into_bytes();
            for (step, which) in steps {
                if step == 0 {
                    texts.shrink();
                } else if step < 5 {
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

        #[test]
        fn texts_of_all_lengths_come_back(lengths in prop::collection::vec(0_usize..40_000, 1..6)) {
            let mut bytes = Vec::new();
            for length in lengths.into_iter().chain([0, 127, 128, 16_383, 16_384, 2_097_152]) {
                let (start, text) = (bytes.len(), vec![b'x'; length]);
                push_framed(&mut bytes, &text);
                prop_assert_eq!(bytes.len() - start, framed_length(&text));
                prop_assert_eq!(framed(&bytes[start..]).len(), length);
            }
        }
    }

    #[test]
    fn a_copy_shares_what_was_settled() {
        let mut texts = Texts::default();
        let old = texts.acquire(&b"x".repeat(20_000));
        texts.shrink();
        let mut copy = texts.clone();
        let new = copy.acquire(b"new");
        assert!(Arc::ptr_eq(&texts.settled, &copy.settled));
        copy.release(old);
        assert_eq!((texts.text(old).len(), copy.text(new), copy.heap() < 4096), (20_000, &b"new"[..], true));
    }

    #[test]
    fn a_text_with_too_many_users_to_count_stays() {
        let mut texts = Texts::default();
        let number = texts.acquire(b"common");
        (0..70_000).for_each(|_| assert_eq!(texts.acquire(b"common"), number));
        (0..80_000).for_each(|_| texts.release(number));
        assert_eq!(texts.text(number), b"common");
    }
}
