//! One run of an iterator over the cgroups of a hierarchy.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use kernfs::Host;

use super::wire::Reading;
use crate::{
    ids::CgroupId,
    probes::{
        health::{self, Feature, Vitals},
        object::{Entries, Hook, Iterator, Object, Plan, Table},
    },
    spec::Unavailable,
};

/// Cgroups that a pass has room for. Those over it are counted as lost, and read from files.
const READINGS_MOST: u32 = 8192;

/// The program of a pass.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) feature: &'static str,
    pub(super) image: &'static [u8],
    pub(super) hooks: &'static [(&'static str, Hook)],
    pub(super) constants: Vec<(&'static str, u32)>,
}

/// A pass that can be made again and again.
#[derive(Debug)]
pub(super) struct Pass<R> {
    shared: Arc<Shared>,
    iterator: Iterator,
    readings: Table,
    found: Entries<u32, R>,
    /// Where the reading of a cgroup stands.
    at: HashMap<CgroupId, usize, RandomState>,
}

#[derive(Debug)]
struct Shared {
    feature: &'static str,
    object: Object,
    counts: Table,
}

impl Shared {
    /// Readings of the last pass, and cgroups dropped because it was full.
    fn counts(&self) -> std::io::Result<[u64; 2]> {
        Ok(self.counts.get::<u32, [u64; 2]>(&0)?.unwrap_or_default())
    }
}

impl Feature for Shared {
    fn vitals(&self) -> Vitals {
        let [_, over] = self.counts().unwrap_or_default();
        Vitals { feature: self.feature, costs: self.object.costs(), lost: vec![("reading", over)], resyncs: 0 }
    }
}

impl<R: Reading> Pass<R> {
    /// Loads the program for the hierarchy that is mounted at `root`. `refuse` has the verifier refuse it, for tests.
    pub(super) fn start(program: &Program, host: &Host, root: &Path, refuse: bool) -> Result<Self, Unavailable> {
        let plan = Plan {
            name: program.feature,
            image: program.image,
            hooks: program.hooks,
            constants: program.constants.clone(),
            sizes: vec![("readings", READINGS_MOST)],
            cgroup: Some(root),
            pin: None,
            refuse,
        };
        let mut object = Object::load(&plan, host)?;
        object.attach(&plan)?;
        let name = program.hooks.first().map_or("", |(name, _)| name);
        let (iterator, readings, counts) = (object.iterator(name)?, object.table("readings")?, object.table("passes")?);
        let shared = Arc::new(Shared { feature: program.feature, object, counts });
        health::watch(&shared);
        let mut pass = Self { shared, iterator, readings, found: Entries::default(), at: HashMap::default() };
        let failed = |error| Unavailable(format!("no pass over {}: {error}", PathBuf::from(root).display()));
        pass.run().map_err(failed)?;
        Ok(pass)
    }

    /// Has the kernel look at all cgroups now.
    pub(super) fn run(&mut self) -> std::io::Result<()> {
        self.at.clear();
        self.iterator.run()?;
        let [count, _] = self.shared.counts()?;
        self.readings.read_all(usize::try_from(count).unwrap_or(usize::MAX), &mut self.found)?;
        self.at.extend(self.found.iter().enumerate().map(|(at, (_, reading))| (reading.id(), at)));
        Ok(())
    }

    /// Reading of a cgroup in the last pass.
    pub(super) fn of(&self, id: CgroupId) -> Option<&R> {
        self.found.value(*self.at.get(&id)?)
    }

    /// What it found, parents first.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &R> {
        self.found.iter().map(|(_, reading)| reading)
    }
}
