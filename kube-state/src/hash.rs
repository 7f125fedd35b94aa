//! The hash for looking up texts and uids.

use std::hash::{BuildHasher, Hasher};

/// The hash of a text. Its seed is fixed: names come from objects, but whoever can name objects at will can do worse.
pub(crate) fn hash_of(text: &[u8]) -> u64 {
    let mut hasher = foldhash::fast::FixedState::with_seed(0x7961_6775_7261).build_hasher();
    hasher.write(text);
    hasher.finish()
}
