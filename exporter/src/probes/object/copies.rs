//! Buffers that the kernel copies packets to: those parts of them too that a program may not read. One a CPU, in no order
//! between CPUs.

use std::os::fd::OwnedFd;

use aya::{
    maps::{
        Map, MapData, PerfEventArray,
        perf::{PerfEvent, PerfEventArrayBuffer},
    },
    util::online_cpus,
};

use crate::spec::Unavailable;

/// Memory pages of each: with the smallest pages that are in use, 54 copies of 600 bytes.
const PAGES: usize = 8;

/// What programs had copied.
pub struct Copies {
    buffers: Vec<(u32, PerfEventArrayBuffer<MapData>)>,
}

impl std::fmt::Debug for Copies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copies").field("cpus", &self.buffers.len()).finish()
    }
}

impl Copies {
    pub(super) fn of(map: OwnedFd) -> Result<Self, Unavailable> {
        let map = MapData::from_fd(map).and_then(Map::from_map_data);
        let map = map.and_then(PerfEventArray::try_from);
        let mut map = map.map_err(|error| Unavailable(format!("buffers for copies: {error}")))?;
        let cpus = online_cpus().map_err(|(file, error)| Unavailable(format!("{file}: {error}")))?;
        let open = |cpu| {
            let buffer = map.open(cpu, Some(PAGES));
            let buffer = buffer.map_err(|error| Unavailable(format!("buffer for copies of CPU {cpu}: {error}")))?;
            Ok((cpu, buffer))
        };
        Ok(Self { buffers: cpus.into_iter().map(open).collect::<Result<_, Unavailable>>()? })
    }

    /// Gives all copies of a CPU that are there to `each`, which may see up to seven bytes more than there were.
    pub fn drain(&mut self, cpu: u32, mut each: impl FnMut(&[u8])) {
        let mut whole = Vec::new();
        for (_, buffer) in self.buffers.iter_mut().filter(|(of, _)| *of == cpu) {
            buffer.for_each(|event| match event {
                PerfEvent::Sample { head, tail: [] } => each(head),
                PerfEvent::Sample { head, tail } => {
                    whole.clear();
                    whole.extend_from_slice(head);
                    whole.extend_from_slice(tail);
                    each(&whole);
                }
                // The program that wanted it knows, and counts it.
                PerfEvent::Lost { .. } => {}
            });
        }
    }
}
