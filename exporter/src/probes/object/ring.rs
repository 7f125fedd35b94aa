//! Ring buffers.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use aya::maps::{Map, MapData, MapError, RingBuf};

/// Records that programs send, in order.
pub struct Ring {
    inner: RingBuf<MapData>,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("fd", &self.inner.as_raw_fd()).finish()
    }
}

impl Ring {
    pub(super) fn of(map: OwnedFd) -> Result<Self, MapError> {
        let map = MapData::from_fd(map).and_then(Map::from_map_data);
        map.and_then(RingBuf::try_from).map(|inner| Self { inner })
    }

    /// Gives all records that are there to `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        while let Some(record) = self.inner.next() {
            each(&record);
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
