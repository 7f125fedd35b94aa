//! eBPF objects: load, attach, read. The only module that speaks to bpf(2), and the only one with `unsafe`.
//!
//! aya parses and relocates an object and loads its programs; once they are in the kernel we keep file descriptors only.
//! Made here are the calls that aya does not have ([`call`]): links of iterators that need to be told what to walk,
//! reading a map in one call ([`table`]), and pinning everything so that a restarted agent finds its programs still at
//! work ([`pins`]).

mod call;
mod code;
mod copies;
mod iterator;
mod pins;
mod plan;
mod ring;
mod room;
mod table;
mod types;

use std::{
    collections::HashMap,
    fs,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{BtfTracePoint, FEntry, Iter, Program, ProgramFd},
};
use kernfs::Host;
use zerocopy::IntoBytes;

use self::{call::Over, plan::Parts};
pub use self::{
    call::{count_runs, ioctl, is_loaded, keep_one_heap},
    copies::Copies,
    iterator::Iterator,
    pins::is_bpffs,
    plan::{Hook, Plan},
    ring::Ring,
    table::{Entries, Table},
    types::Loading,
};
use super::reason;
use crate::spec::Unavailable;

/// A loaded object. Dropping it detaches and frees everything that is not pinned.
#[derive(Debug)]
pub struct Object {
    name: &'static str,
    parts: Parts,
    pins: Option<PathBuf>,
    reused: bool,
}

impl Object {
    /// Loads the object, or finds the pinned one. Its programs run after [`Object::attach`].
    pub fn load(plan: &Plan<'_>, host: &Host) -> Result<Self, Unavailable> {
        reason::preconditions(host)?;
        let pins = plan.pin.map(|root| root.join(format!("{}-{:016x}", plan.name, pins::fingerprint(plan))));
        if let Some(pins) = &pins
            && let Some(parts) = pins::found(plan, pins)
        {
            return Ok(Self { name: plan.name, parts, pins: Some(pins.clone()), reused: true });
        }
        if let Some(root) = plan.pin {
            pins::forget(root, plan.name);
        }
        let mut object = Self::fresh(plan, host)?;
        object.pins = pins;
        Ok(object)
    }

    /// Loads and attaches by the first of several plans that the kernel takes. `ready` is called between the two, with the
    /// number of the plan; if it fails, so does the plan. If all fail, the reason is that of the last.
    pub fn first_of<T>(
        plans: &[Plan<'_>],
        host: &Host,
        mut ready: impl FnMut(&Self, usize) -> Result<T, Unavailable>,
    ) -> Result<(Self, T), Unavailable> {
        let mut why = Unavailable("there is no plan".into());
        for (number, plan) in plans.iter().enumerate() {
            let started = Self::load(plan, host).and_then(|mut object| {
                let more = ready(&object, number)?;
                object.attach(plan)?;
                Ok((object, more))
            });
            match started {
                Ok(started) => {
                    if number > 0 {
                        tracing::info!(feature = plan.name, hooks = %plan.hook_names(), reason = %why, "using fallback hooks");
                    }
                    return Ok(started);
                }
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    fn fresh(plan: &Plan<'_>, host: &Host) -> Result<Self, Unavailable> {
        room::is_left(plan.hooks.len())?;
        raise_memlock();
        let types = types::of(host)?;
        let mut loader = EbpfLoader::new();
        loader.btf(Some(types.as_ref()));
        loader.allow_unsupported_maps();
        for (name, value) in &plan.constants {
            loader.override_global(name, value, true);
        }
        if plan.refuse {
            loader.override_global("refuse_me", &1_u32, true);
        }
        for (name, entries) in &plan.sizes {
            loader.map_max_entries(name, *entries);
        }
        // The image may lie anywhere in the binary; the parser wants it aligned.
        let mut aligned = vec![0_u64; plan.image.len().div_ceil(8)];
        let room = aligned.as_mut_slice().as_mut_bytes();
        if let Some(room) = room.get_mut(..plan.image.len()) {
            room.copy_from_slice(plan.image);
        }
        let bytes = aligned.as_slice().as_bytes().get(..plan.image.len()).unwrap_or_default();
        let mut ebpf = loader.load(bytes).map_err(|error| reason::of_object(&error))?;
        let mut programs = Vec::with_capacity(plan.hooks.len());
        for (name, hook) in plan.hooks {
            let fd = load_program(&mut ebpf, name, *hook, &types)?;
            programs.push((*name, *hook, fd));
        }
        let mut maps = HashMap::new();
        for (name, map) in ebpf.maps() {
            if let Some(data) = map_data(map) {
                let fd = data.fd().as_fd().try_clone_to_owned();
                maps.insert(name.to_owned(), fd.map_err(|error| Unavailable(error.to_string()))?);
            }
        }
        let parts = Parts { maps, programs, links: HashMap::new() };
        Ok(Self { name: plan.name, parts, pins: None, reused: false })
    }

    /// Starts the programs, in the order of the plan. If one cannot be attached, none stays.
    pub fn attach(&mut self, plan: &Plan<'_>) -> Result<(), Unavailable> {
        if self.reused {
            return Ok(());
        }
        for (name, hook, program) in &self.parts.programs {
            let link = match hook {
                Hook::Tracepoint(_) | Hook::Function(_) => call::attach_tracepoint(program.as_fd()),
                Hook::Iterator(_) => call::attach_iterator(program.as_fd(), Over::Everything),
                Hook::Cgroups => {
                    let path = plan.cgroup.unwrap_or(Path::new("/sys/fs/cgroup"));
                    let folder = fs::File::open(path);
                    folder.and_then(|folder| call::attach_iterator(program.as_fd(), Over::Cgroups(folder.as_fd())))
                }
                Hook::Egress | Hook::Ingress => {
                    let path = plan.cgroup.unwrap_or(Path::new("/sys/fs/cgroup"));
                    let folder = fs::File::open(path);
                    let leaves = *hook == Hook::Egress;
                    folder.and_then(|folder| call::attach_packets(program.as_fd(), folder.as_fd(), leaves))
                }
                Hook::Sockets(map) => {
                    let map = self.parts.maps.get(*map).ok_or_else(|| std::io::ErrorKind::NotFound.into());
                    map.and_then(|map| call::attach_iterator(program.as_fd(), Over::Map(map.as_fd())))
                }
            };
            match link {
                Ok(link) => self.parts.links.insert(name, link),
                Err(error) => {
                    self.parts.links.clear();
                    let hook = hook.name();
                    return Err(Unavailable(format!("program {name} cannot be attached to {hook}: {error}")));
                }
            };
        }
        Ok(())
    }

    /// Leaves everything in place for the next start of the agent. Does nothing without a folder for it.
    pub fn pin(&mut self) -> Result<(), Unavailable> {
        match self.pins.as_deref().filter(|_| !self.reused) {
            Some(folder) => pins::pin(&self.parts, folder),
            None => Ok(()),
        }
    }

    /// The feature's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether these are programs that an agent before us left at work.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// One of its maps.
    pub fn table(&self, name: &str) -> Result<Table, Unavailable> {
        let fd = self.parts.maps.get(name).and_then(|fd| fd.try_clone().ok());
        let fd = fd.ok_or_else(|| Unavailable(format!("object {} has no map {name}", self.name)))?;
        let info = fd_info(&fd);
        let size = |key| info.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        let (key_size, value_size, max_entries) = (size("key_size"), size("value_size"), size("max_entries"));
        // Kinds 5, 6 and 10 have a value for each CPU that there could be.
        let copies = if matches!(size("map_type"), 5 | 6 | 10) { aya::util::nr_cpus().unwrap_or(1) } else { 1 };
        Ok(Table::of(fd, [key_size, value_size, max_entries], copies))
    }

    /// One of its ring buffers. A ring has one reader.
    pub fn ring(&self, name: &str) -> Result<Ring, Unavailable> {
        Ring::of(self.table(name)?.into_fd()).map_err(|error| Unavailable(format!("ring {name}: {error}")))
    }

    /// One of its arrays of buffers, one a CPU. It has one reader.
    pub fn copies(&self, name: &str) -> Result<Copies, Unavailable> {
        Copies::of(self.table(name)?.into_fd())
    }

    /// One of its iterators.
    pub fn iterator(&self, program: &str) -> Result<Iterator, Unavailable> {
        let link = self.parts.links.get(program).and_then(|link| link.try_clone().ok());
        let link = link.ok_or_else(|| Unavailable(format!("object {} has no iterator {program}", self.name)))?;
        Ok(Iterator::of(link))
    }

    /// Cost of the object's maps and programs.
    pub fn costs(&self) -> Costs {
        let number =
            |info: &HashMap<String, String>, key| info.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        let maps = self.parts.maps.iter().map(|(name, fd)| {
            let info = fd_info(fd);
            (name.clone(), number(&info, "memlock"), number(&info, "max_entries"))
        });
        let programs = self.parts.programs.iter().map(|(name, _, fd)| {
            let info = fd_info(fd);
            Run {
                program: name,
                runs: number(&info, "run_cnt"),
                ns: number(&info, "run_time_ns"),
                missed: number(&info, "recursion_misses"),
                memory: number(&info, "memlock"),
            }
        });
        Costs { maps: maps.collect(), programs: programs.collect() }
    }
}

/// Cost of an object.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Each map: name, bytes of kernel memory, most entries.
    pub maps: Vec<(String, u64, u64)>,
    /// Each program. Runs are counted only while somebody asks the kernel to, see [`count_runs`].
    pub programs: Vec<Run>,
}

impl Costs {
    /// Bytes of kernel memory.
    pub fn memory(&self) -> u64 {
        let maps: u64 = self.maps.iter().map(|(_, bytes, _)| bytes).sum();
        maps + self.programs.iter().map(|run| run.memory).sum::<u64>()
    }
}

/// How often a program ran.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The program.
    pub program: &'static str,
    /// Runs.
    pub runs: u64,
    /// Time they took, the two clock readings around each included.
    pub ns: u64,
    /// Runs that the kernel left out, because the program was at work on the same CPU already.
    pub missed: u64,
    /// Bytes of kernel memory.
    pub memory: u64,
}

fn load_program(ebpf: &mut Ebpf, name: &str, hook: Hook, types: &Btf) -> Result<OwnedFd, Unavailable> {
    let missing = || Unavailable(format!("the object has no program {name}"));
    let program = ebpf.program_mut(name).ok_or_else(missing)?;
    let loaded = match (program, hook) {
        (Program::BtfTracePoint(program), Hook::Tracepoint(tracepoint)) => {
            BtfTracePoint::load(program, tracepoint, types).and_then(|()| program.fd().and_then(own))
        }
        (Program::FEntry(program), Hook::Function(function)) => {
            FEntry::load(program, function, types).and_then(|()| program.fd().and_then(own))
        }
        (Program::Iter(program), Hook::Iterator(_) | Hook::Cgroups | Hook::Sockets(_)) => {
            Iter::load(program, hook.name(), types).and_then(|()| program.fd().and_then(own))
        }
        (Program::CgroupSkb(program), Hook::Egress | Hook::Ingress) => {
            program.load().and_then(|()| program.fd().and_then(own))
        }
        _ => return Err(Unavailable(format!("program {name} is not made for the hook {}", hook.name()))),
    };
    loaded.map_err(|error| reason::of_program(name, hook.name(), &error))
}

fn own(fd: &ProgramFd) -> Result<OwnedFd, aya::programs::ProgramError> {
    Ok(fd.as_fd().try_clone_to_owned()?)
}

/// Kinds of maps that our objects have.
fn map_data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::PerfEventArray(data)
        | Map::RingBuf(data)
        | Map::SkStorage(data)
        | Map::Unsupported(data) => Some(data),
        _ => None,
    }
}

/// Kernels before 5.11 count maps against this limit.
fn raise_memlock() {
    let none = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, none);
}

/// What the kernel says of one of its objects behind a descriptor: `key:\tvalue` lines.
fn fd_info(fd: &OwnedFd) -> HashMap<String, String> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}
