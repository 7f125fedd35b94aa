//! The structs that `lifetime.bpf.c` shares with us (`lifetime.h`), with the same sizes and offsets.

use std::mem::offset_of;

use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    books::usage::{Memory, Row, Totals},
    ids::CgroupId,
};

/// Usage of one cgroup's own tasks, without those of cgroups inside it. Only rises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Usage {
    /// Id of the parent cgroup; 0: it has none.
    pub parent: CgroupId,
    /// When it was made, in ns of the monotonic clock; 0: before we came.
    pub opened_ns: u64,
    /// When it was removed; 0: it is there.
    pub closed_ns: u64,
    /// When its last process ended; 0: it has processes, or never had any.
    pub emptied_ns: u64,
    /// What its tasks used.
    pub totals: Totals,
    /// When the process ended whose status follows.
    pub last_end_ns: u64,
    /// Status of the process that went last, as wait(2) gives it.
    pub last_status: u32,
    padding: u32,
    /// Its memory, where the memory controller is in the owning hierarchy; known when removed.
    pub memory: Memory,
}

const _: () = {
    assert!(size_of::<Usage>() == 176);
    assert!(offset_of!(Usage, totals) == 32);
    assert!(offset_of!(Totals, tasks_started) == 32 && offset_of!(Totals, ended_signal) == 72);
    assert!(offset_of!(Usage, last_status) == 120);
    assert!(offset_of!(Usage, memory) == 128 && offset_of!(Memory, events) == 8);
};

impl From<&Usage> for Row {
    fn from(usage: &Usage) -> Self {
        Self {
            parent: usage.parent,
            opened_ns: usage.opened_ns,
            closed_ns: usage.closed_ns,
            emptied_ns: usage.emptied_ns,
            totals: usage.totals,
            last_end_ns: usage.last_end_ns,
            last_status: usage.last_status,
            memory: usage.memory,
        }
    }
}

/// Fixed part of a record; the path follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Event {
    kind: u32,
    hierarchy: u32,
    id: CgroupId,
    time_ns: u64,
    memory: Memory,
    has_memory: u32,
    path_len: u32,
}

const _: () = {
    assert!(size_of::<Event>() == 80);
    assert!(offset_of!(Event, memory) == 24);
    assert!(offset_of!(Event, path_len) == 76);
};

/// A record of the ring buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A cgroup was made in the owning hierarchy.
    Made {
        /// Its id.
        id: CgroupId,
        /// Its path.
        path: String,
    },
    /// A cgroup was removed, in the owning hierarchy or in that of the memory controller.
    Removed {
        /// Which hierarchy.
        hierarchy: u32,
        /// Its id in that hierarchy.
        id: CgroupId,
        /// Its path.
        path: String,
        /// Its memory, if the memory controller is in that hierarchy.
        memory: Option<Memory>,
    },
    /// The last process of a cgroup in the owning hierarchy ended. Sent only while somebody follows.
    Emptied {
        /// Its id.
        id: CgroupId,
        /// Its path.
        path: String,
    },
}

/// Reads a record; `None` when it is none of ours.
pub fn decode(bytes: &[u8]) -> Option<Record> {
    let (event, rest) = Event::read_from_prefix(bytes).ok()?;
    let path = rest.get(..event.path_len as usize)?;
    let path = kernfs::text::text(path).into_owned();
    match event.kind {
        1 => Some(Record::Made { id: event.id, path }),
        2 => {
            let memory = (event.has_memory != 0).then_some(event.memory);
            Some(Record::Removed { hierarchy: event.hierarchy, id: event.id, path, memory })
        }
        3 => Some(Record::Emptied { id: event.id, path }),
        _ => None,
    }
}

/// Kinds of loss that the programs count, by index.
pub const LOSSES: [&str; 5] = ["made_event", "removed_event", "cgroup", "task", "move"];
/// How many of [`LOSSES`] are of events.
pub const EVENT_LOSSES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_read_with_its_path() {
        let memory = Memory { peak_pages: 7, events: [0; 5] };
        let event =
            Event { kind: 2, hierarchy: 4, id: CgroupId(9), memory, has_memory: 1, path_len: 4, ..Event::default() };
        let mut bytes = event.as_bytes().to_vec();
        bytes.extend(b"/a/b\0\0\0\0");
        let memory = Some(memory);
        assert_eq!(
            decode(&bytes),
            Some(Record::Removed { hierarchy: 4, id: CgroupId(9), path: "/a/b".into(), memory })
        );
        bytes.truncate(82);
        assert_eq!(decode(&bytes), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }
}
