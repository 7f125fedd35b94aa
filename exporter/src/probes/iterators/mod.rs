//! CPU time and memory of every cgroup of a hierarchy in one pass of the kernel, instead of a file read each.
//!
//! `iterators.bpf.c` copies what the kernel last summed up. The kernel sums up lazily; reading `cpu.stat` of the
//! cgroups at the top, whose files are kept open, has it sum up everything below them first. So the figures equal those
//! of the files. Whoever reads both ways falls back to files where [`Iterators::start`] gives a reason.

use std::{path::Path, sync::Arc};

use kernfs::{Budget, Dir, Host, Kept, Reader};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    health::{self, Feature, Vitals},
    object::{Entries, Hook, Iterator, Object, Plan, Table},
};
use crate::spec::Unavailable;

static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iterators.bpf.o"));
static HOOKS: &[(&str, Hook)] = &[("on_cgroup", Hook::Cgroups)];

/// One cgroup, with everything inside it (`struct reading`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reading {
    /// Its id, which is the inode of its folder.
    pub id: u64,
    /// CPU time.
    pub cpu_ns: u64,
    /// CPU time in user mode, as far as ticks tell; the kernel scales it to `cpu_ns` when it is read from the file.
    pub user_ns: u64,
    /// CPU time in the kernel, likewise.
    pub system_ns: u64,
    /// Memory in use.
    pub memory_pages: u64,
    /// Most memory in use so far.
    pub peak_pages: u64,
    /// Events: low, high, max, oom, `oom_kill`.
    pub memory_events: [u64; 5],
    has_memory: u32,
    padding: u32,
}

const _: () = assert!(size_of::<Reading>() == 96);

impl Reading {
    /// Whether the memory controller is in this hierarchy, and so the figures of memory mean something.
    pub fn has_memory(&self) -> bool {
        self.has_memory != 0
    }
}

/// The feature at work.
#[derive(Debug)]
pub struct Iterators {
    shared: Arc<Shared>,
    root: Dir,
    tops: Vec<(String, Kept)>,
    pass: Iterator,
    readings: Table,
    found: Entries<u32, Reading>,
    budget: Arc<Budget>,
}

#[derive(Debug)]
struct Shared {
    object: Object,
    counts: Table,
}

impl Feature for Shared {
    fn vitals(&self) -> Vitals {
        let over = self.counts.get::<u32, u64>(&1).ok().flatten().unwrap_or(0);
        Vitals { feature: "iterators", costs: self.object.costs(), lost: vec![("reading", over)], resyncs: 0 }
    }
}

impl Iterators {
    /// Loads the program for the hierarchy that is mounted at `root`. `refuse` has the verifier refuse it, for tests.
    pub fn start(host: &Host, root: &Path, refuse: bool) -> Result<Self, Unavailable> {
        let plan = Plan {
            name: "iterators",
            image: IMAGE,
            hooks: HOOKS,
            constants: Vec::new(),
            sizes: Vec::new(),
            cgroup: Some(root),
            pin: None,
            refuse,
        };
        let mut object = Object::load(&plan, host)?;
        object.attach(&plan)?;
        let (pass, readings) = (object.iterator("on_cgroup")?, object.table("readings")?);
        let counts = object.table("counts")?;
        let root = Dir::open(root).map_err(|error| Unavailable(format!("cannot open the hierarchy: {error}")))?;
        let shared = Arc::new(Shared { object, counts });
        health::watch(&shared);
        Ok(Self { shared, root, tops: Vec::new(), pass, readings, found: Entries::default(), budget: Budget::new(256) })
    }

    /// All cgroups, parents before their children, as they are now.
    pub fn read(&mut self, reader: &mut Reader) -> std::io::Result<impl ExactSizeIterator<Item = &Reading>> {
        self.sum_up(reader);
        self.pass.run()?;
        let count = self.shared.counts.get::<u32, u64>(&0)?.unwrap_or(0);
        self.readings.read_all(usize::try_from(count).unwrap_or(usize::MAX), &mut self.found)?;
        Ok(self.found.iter().map(|(_, reading)| reading))
    }

    /// Has the kernel sum up: a read of a cgroup's `cpu.stat` covers all below it.
    fn sum_up(&mut self, reader: &mut Reader) {
        let mut names = Vec::with_capacity(self.tops.len());
        let listed = reader.list(&self.root, "", |name, is_dir| {
            if is_dir {
                names.push(name.to_owned());
            }
        });
        if let Err(error) = listed {
            tracing::debug!(%error, "cannot list cgroups");
        }
        self.tops.retain(|(name, _)| names.contains(name));
        for name in names {
            if self.tops.iter().all(|(known, _)| *known != name) {
                let kept = Kept::new(self.root.join(&name), Arc::clone(&self.budget));
                self.tops.push((name, kept));
            }
        }
        for (name, top) in &mut self.tops {
            if let Err(error) = top.read("cpu.stat", reader) {
                tracing::debug!(name, %error, "cannot read cpu.stat");
            }
        }
    }
}
