//! Maps, read and written by entries or in one call.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::call::{Attr, command};

/// A map with plain bytes for keys and values.
#[derive(Debug)]
pub struct Table {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
    max_entries: usize,
    /// Values a key.
    copies: usize,
}

impl Table {
    /// `sizes` are those of a key and of a value in bytes, and how many entries it can hold.
    pub(super) fn of(fd: OwnedFd, [key_size, value_size, max_entries]: [usize; 3], copies: usize) -> Self {
        Self { fd, key_size, value_size, max_entries, copies }
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Maximum of entries.
    pub fn max_entries(&self) -> usize {
        self.max_entries
    }

    fn checks<K, V>(&self) -> io::Result<()> {
        if size_of::<K>() == self.key_size && size_of::<V>() == self.value_size {
            return Ok(());
        }
        let text = format!(
            "map has keys of {} and values of {} bytes, not {} and {}",
            self.key_size,
            self.value_size,
            size_of::<K>(),
            size_of::<V>()
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// The value of a key; `None` when it is not there.
    pub fn get<K: IntoBytes + Immutable, V: FromBytes + IntoBytes>(&self, key: &K) -> io::Result<Option<V>> {
        self.checks::<K, V>()?;
        if self.copies != 1 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the map has a value for each CPU"));
        }
        let mut value = V::new_zeroed();
        let mut attr = self.element(key.as_bytes(), value.as_mut_bytes().as_mut_ptr().cast_const());
        match attr.call(command::MAP_LOOKUP_ELEM) {
            Ok(_) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the value of a key.
    pub fn set<K: IntoBytes + Immutable, V: IntoBytes + Immutable>(&self, key: &K, value: &V) -> io::Result<()> {
        self.checks::<K, V>()?;
        if self.copies != 1 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the map has a value for each CPU"));
        }
        self.element(key.as_bytes(), value.as_bytes().as_ptr()).call(command::MAP_UPDATE_ELEM).map(drop)
    }

    /// Removes a key. One that is not there is no error.
    pub fn remove<K: IntoBytes + Immutable>(&self, key: &K) -> io::Result<()> {
        if size_of::<K>() != self.key_size {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match self.element(key.as_bytes(), std::ptr::null()).call(command::MAP_DELETE_ELEM) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a key and gives the value that it had at that moment.
    pub fn take<K: IntoBytes + Immutable, V: FromBytes + IntoBytes>(&self, key: &K) -> io::Result<Option<V>> {
        /// The kernel's own `ENOTSUPP`, which libc does not know.
        const NOT_SUPPORTED: i32 = 524;
        self.checks::<K, V>()?;
        if self.copies != 1 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the map has a value for each CPU"));
        }
        let mut value = V::new_zeroed();
        let mut attr = self.element(key.as_bytes(), value.as_mut_bytes().as_mut_ptr().cast_const());
        match attr.call(command::MAP_LOOKUP_AND_DELETE_ELEM) {
            Ok(_) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            // Hash maps have it since Linux 5.14.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL | NOT_SUPPORTED)) => {
                let value = self.get(key)?;
                self.remove(key)?;
                Ok(value)
            }
            Err(error) => Err(error),
        }
    }

    fn element(&self, key: &[u8], value: *const u8) -> Attr {
        let mut attr = Attr::default();
        attr.fd(0, self.fd.as_fd());
        attr.pointer(8, key.as_ptr());
        attr.pointer(16, value);
        attr
    }

    /// All entries, at most `most`, read in as few calls as the kernel allows (one for 512 entries; one an entry
    /// before Linux 5.6). `into` is cleared first and keeps its memory.
    pub fn read_all<K, V>(&self, most: usize, into: &mut Entries<K, V>) -> io::Result<()>
    where
        K: FromZeros + FromBytes + IntoBytes + Clone,
        V: FromZeros + FromBytes + IntoBytes + Clone,
    {
        self.checks::<K, V>()?;
        let copies = self.copies;
        into.copies = copies;
        into.keys.clear();
        into.values.clear();
        let mut cursor = [0_u8; 8];
        let mut first = true;
        let mut step = 512.min(most.max(1));
        while into.keys.len() < most {
            let have = into.keys.len();
            let want = step.min(most - have);
            into.keys.resize(have + want, K::new_zeroed());
            into.values.resize((have + want) * copies, V::new_zeroed());
            let mut next = [0_u8; 8];
            let mut attr = Attr::default();
            attr.pointer(0, if first { std::ptr::null() } else { cursor.as_ptr() });
            attr.pointer(8, next.as_mut_ptr());
            attr.pointer(16, into.keys.as_mut_slice().get_mut(have..).unwrap_or_default().as_mut_ptr().cast());
            attr.pointer(
                24,
                into.values.as_mut_slice().get_mut(have * copies..).unwrap_or_default().as_mut_ptr().cast(),
            );
            attr.u32(32, u32::try_from(want).unwrap_or(u32::MAX));
            attr.fd(36, self.fd.as_fd());
            let result = attr.call(command::MAP_LOOKUP_BATCH);
            let got = attr.read_u32(32) as usize;
            let ended = match result {
                Ok(_) => false,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
                // A bucket holds more than there is room for: ask for more at once.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) && step < most => {
                    into.keys.truncate(have);
                    into.values.truncate(have * copies);
                    step = (step * 2).min(most);
                    continue;
                }
                Err(error) => {
                    into.keys.truncate(have);
                    into.values.truncate(have * copies);
                    return Err(error);
                }
            };
            into.keys.truncate(have + got.min(want));
            into.values.truncate((have + got.min(want)) * copies);
            cursor = next;
            first = false;
            if ended {
                break;
            }
        }
        Ok(())
    }
}

/// Entries of a map.
#[derive(Debug)]
pub struct Entries<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
    copies: usize,
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new(), copies: 1 }
    }
}

impl<K, V> Entries<K, V> {
    /// Key and value of each, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + Clone {
        self.keys.iter().zip(&self.values)
    }

    /// The value of the entry at a place in the order of [`Entries::iter`].
    pub fn value(&self, at: usize) -> Option<&V> {
        self.values.get(at)
    }

    /// Key and values of each, for maps with a value a CPU.
    pub fn iter_copies(&self) -> impl ExactSizeIterator<Item = (&K, &[V])> {
        self.keys.iter().zip(self.values.chunks(self.copies.max(1)))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
