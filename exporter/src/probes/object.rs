//! eBPF objects: load, attach, read. The only module that speaks to bpf(2), and the only one with `unsafe`.
//!
//! aya parses and relocates an object and loads its programs; once they are in the kernel we keep file descriptors only.
//! Made here are the calls that aya does not have: links of iterators that need to be told what to walk, reading a map
//! in one call, and pinning everything so that a restarted agent finds its programs still at work.

#![expect(unsafe_code, reason = "bpf(2) takes pointers inside its argument; nothing else in this program needs that")]

use std::{
    collections::HashMap,
    ffi::CString,
    fs,
    io::{self, Read as _},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    maps::{Map, MapData, RingBuf},
    programs::{BtfTracePoint, Iter, Program, ProgramFd},
};
use kernfs::Host;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::reason;
use crate::spec::Unavailable;

/// Where a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A tracepoint, with typed arguments.
    Tracepoint(&'static str),
    /// An iterator over all things of a kind: `task`.
    Iterator(&'static str),
    /// The iterator over cgroups, from the given folder's down, parents first.
    Cgroups,
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Self::Tracepoint(name) | Self::Iterator(name) => name,
            Self::Cgroups => "cgroup",
        }
    }
}

/// What to load and how.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The feature's name.
    pub name: &'static str,
    /// The compiled object.
    pub image: &'static [u8],
    /// Its programs and where they go, in the order in which they are attached.
    pub hooks: &'static [(&'static str, Hook)],
    /// Values of its constants.
    pub constants: Vec<(&'static str, u32)>,
    /// Sizes of its maps.
    pub sizes: Vec<(&'static str, u32)>,
    /// The folder that [`Hook::Cgroups`] starts from.
    pub cgroup: Option<&'a Path>,
    /// A folder on a BPF file system: programs, maps and links stay there when the agent ends.
    pub pin: Option<&'a Path>,
    /// Has the verifier refuse the object; for tests.
    pub refuse: bool,
}

/// A loaded object. Dropping it detaches and frees everything that is not pinned.
#[derive(Debug)]
pub struct Object {
    name: &'static str,
    maps: HashMap<String, OwnedFd>,
    programs: Vec<(&'static str, Hook, OwnedFd)>,
    links: HashMap<&'static str, OwnedFd>,
    pins: Option<PathBuf>,
    reused: bool,
}

impl Object {
    /// Loads the object, or finds the pinned one. Its programs run after [`Object::attach`].
    pub fn load(plan: &Plan<'_>, host: &Host) -> Result<Self, Unavailable> {
        reason::preconditions(host)?;
        let pins = plan.pin.map(|root| root.join(format!("{}-{:016x}", plan.name, fingerprint(plan))));
        if let Some(pins) = &pins
            && let Some(found) = Self::pinned(plan, pins)
        {
            return Ok(found);
        }
        if let Some(root) = plan.pin {
            forget_pins(root, plan.name);
        }
        let mut object = Self::fresh(plan, host)?;
        object.pins = pins;
        Ok(object)
    }

    fn fresh(plan: &Plan<'_>, host: &Host) -> Result<Self, Unavailable> {
        raise_memlock();
        let types = Btf::parse_file(host.sys.join("kernel/btf/vmlinux"), Endianness::default())
            .map_err(|error| Unavailable(format!("cannot read the kernel's types: {error}")))?;
        let mut loader = EbpfLoader::new();
        loader.btf(Some(&types));
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
        Ok(Self { name: plan.name, maps, programs, links: HashMap::new(), pins: None, reused: false })
    }

    /// Starts the programs, in the order of the plan. If one cannot be attached, none stays.
    pub fn attach(&mut self, plan: &Plan<'_>) -> Result<(), Unavailable> {
        if self.reused {
            return Ok(());
        }
        for (name, hook, program) in &self.programs {
            let link = match hook {
                Hook::Tracepoint(_) => attach_tracepoint(program.as_fd()),
                Hook::Iterator(_) => attach_iterator(program.as_fd(), None),
                Hook::Cgroups => {
                    let path = plan.cgroup.unwrap_or(Path::new("/sys/fs/cgroup"));
                    fs::File::open(path).and_then(|folder| attach_iterator(program.as_fd(), Some(folder.as_fd())))
                }
            };
            match link {
                Ok(link) => self.links.insert(name, link),
                Err(error) => {
                    self.links.clear();
                    let hook = hook.name();
                    return Err(Unavailable(format!("program {name} cannot be attached to {hook}: {error}")));
                }
            };
        }
        Ok(())
    }

    /// Leaves everything in place for the next start of the agent. Does nothing without a folder for it.
    pub fn pin(&mut self) -> Result<(), Unavailable> {
        let Some(folder) = self.pins.as_deref().filter(|_| !self.reused) else { return Ok(()) };
        let pinned = fs::create_dir_all(folder).and_then(|()| {
            let maps = self.maps.iter().filter(|(name, _)| !name.starts_with('.'));
            for (name, fd) in maps {
                obj_pin(fd.as_fd(), &folder.join(format!("map_{name}")))?;
            }
            for (name, _, fd) in &self.programs {
                obj_pin(fd.as_fd(), &folder.join(format!("program_{name}")))?;
            }
            // Links come last: when they are all there, so is everything else.
            for (name, _, _) in &self.programs {
                if let Some(fd) = self.links.get(name) {
                    obj_pin(fd.as_fd(), &folder.join(format!("link_{name}")))?;
                }
            }
            Ok(())
        });
        pinned.map_err(|error| {
            let _ = fs::remove_dir_all(folder);
            Unavailable(format!("cannot pin to {}: {error}", folder.display()))
        })
    }

    fn pinned(plan: &Plan<'_>, folder: &Path) -> Option<Self> {
        let mut object = Self {
            name: plan.name,
            maps: HashMap::new(),
            programs: Vec::new(),
            links: HashMap::new(),
            pins: Some(folder.to_owned()),
            reused: true,
        };
        for (name, hook) in plan.hooks {
            object.links.insert(name, obj_get(&folder.join(format!("link_{name}"))).ok()?);
            object.programs.push((name, *hook, obj_get(&folder.join(format!("program_{name}"))).ok()?));
        }
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let file = entry.file_name();
            if let Some(name) = file.to_str().and_then(|file| file.strip_prefix("map_")) {
                object.maps.insert(name.to_owned(), obj_get(&entry.path()).ok()?);
            }
        }
        Some(object)
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
        let fd = self.maps.get(name).and_then(|fd| fd.try_clone().ok());
        let fd = fd.ok_or_else(|| Unavailable(format!("object {} has no map {name}", self.name)))?;
        let info = fd_info(&fd);
        let size = |key| info.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        let (key_size, value_size, max_entries) = (size("key_size"), size("value_size"), size("max_entries"));
        // Kinds 5, 6 and 10 have a value for each CPU that there could be.
        let copies = if matches!(size("map_type"), 5 | 6 | 10) { aya::util::nr_cpus().unwrap_or(1) } else { 1 };
        Ok(Table { fd, key_size, value_size, max_entries, copies })
    }

    /// One of its ring buffers. A ring has one reader.
    pub fn ring(&self, name: &str) -> Result<Ring, Unavailable> {
        let table = self.table(name)?;
        let map = MapData::from_fd(table.fd).and_then(Map::from_map_data);
        let ring = map.and_then(RingBuf::try_from);
        ring.map(|inner| Ring { inner }).map_err(|error| Unavailable(format!("ring {name}: {error}")))
    }

    /// One of its iterators.
    pub fn iterator(&self, program: &str) -> Result<Iterator, Unavailable> {
        let link = self.links.get(program).and_then(|link| link.try_clone().ok());
        let link = link.ok_or_else(|| Unavailable(format!("object {} has no iterator {program}", self.name)))?;
        Ok(Iterator { link })
    }

    /// What its maps and programs cost.
    pub fn costs(&self) -> Costs {
        let number =
            |info: &HashMap<String, String>, key| info.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        let maps = self.maps.iter().map(|(name, fd)| {
            let info = fd_info(fd);
            (name.clone(), number(&info, "memlock"), number(&info, "max_entries"))
        });
        let programs = self.programs.iter().map(|(name, _, fd)| {
            let info = fd_info(fd);
            Run {
                program: name,
                runs: number(&info, "run_cnt"),
                ns: number(&info, "run_time_ns"),
                missed: number(&info, "recursion_misses"),
            }
        });
        Costs { maps: maps.collect(), programs: programs.collect() }
    }
}

/// What an object costs.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Each map: name, bytes of kernel memory, most entries.
    pub maps: Vec<(String, u64, u64)>,
    /// Each program. Runs are counted only while somebody asks the kernel to, see [`count_runs`].
    pub programs: Vec<Run>,
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
}

/// Has the kernel count runs of all programs and their time until the result is dropped. Costs two clock readings a
/// run, some 50 ns.
pub fn count_runs() -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.u32(0, 0);
    attr.new_fd(command::ENABLE_STATS)
}

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
    /// How many entries it can hold.
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

    fn element(&self, key: &[u8], value: *const u8) -> Attr {
        let mut attr = Attr::default();
        attr.fd(0, self.fd.as_fd());
        attr.pointer(8, key.as_ptr());
        attr.pointer(16, value);
        attr
    }

    /// All entries, at most `most`, read in as few calls as the kernel allows (one, up to 4,096 entries; one an entry
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
        let mut step = 4096.min(most.max(1));
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
    /// Gives all records that are there to `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        while let Some(record) = self.inner.next() {
            each(&record);
        }
    }

    /// The next record.
    pub fn next<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.inner.next().map(|record| read(&record))
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// A program that the kernel runs for each thing there is of a kind, whenever it is asked to.
#[derive(Debug)]
pub struct Iterator {
    link: OwnedFd,
}

impl Iterator {
    /// One pass. What the program writes is dropped: ours put their results into maps.
    pub fn run(&self) -> io::Result<()> {
        let mut attr = Attr::default();
        attr.fd(0, self.link.as_fd());
        let mut pass = fs::File::from(attr.new_fd(command::ITER_CREATE)?);
        let mut sink = [0_u8; 4096];
        loop {
            match pass.read(&mut sink) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn load_program(ebpf: &mut Ebpf, name: &str, hook: Hook, types: &Btf) -> Result<OwnedFd, Unavailable> {
    let missing = || Unavailable(format!("the object has no program {name}"));
    let program = ebpf.program_mut(name).ok_or_else(missing)?;
    let loaded = match (program, hook) {
        (Program::BtfTracePoint(program), Hook::Tracepoint(tracepoint)) => {
            BtfTracePoint::load(program, tracepoint, types).and_then(|()| program.fd().and_then(own))
        }
        (Program::Iter(program), Hook::Iterator(_) | Hook::Cgroups) => {
            Iter::load(program, hook.name(), types).and_then(|()| program.fd().and_then(own))
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
        | Map::RingBuf(data)
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

/// Differs when the object or the way it is loaded does (FNV-1a).
fn fingerprint(plan: &Plan<'_>) -> u64 {
    let text = format!("{:?} {:?}", plan.constants, plan.sizes);
    let bytes = plan.image.iter().chain(text.as_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Ends what another version of the agent left at work, or what was left half pinned.
fn forget_pins(root: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|file| {
            file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).is_some_and(|hash| hash.len() == 16)
        });
        if is_ours {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn attach_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = Attr::default();
    attr.fd(8, program);
    attr.new_fd(command::RAW_TRACEPOINT_OPEN)
}

fn attach_iterator(program: BorrowedFd<'_>, cgroup: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    const TRACE_ITER: u32 = 28;
    const PARENTS_FIRST: u32 = 2;
    // `struct { u32 order; u32 cgroup_fd; u64 cgroup_id; }`, the cgroup part of `union bpf_iter_link_info`.
    let mut info = [0_u32; 4];
    let mut attr = Attr::default();
    attr.fd(0, program);
    attr.u32(8, TRACE_ITER);
    if let Some(cgroup) = cgroup {
        info = [PARENTS_FIRST, cgroup.as_raw_fd().unsigned_abs(), 0, 0];
        attr.pointer(16, info.as_ptr().cast());
        attr.u32(24, 16);
    }
    let link = attr.new_fd(command::LINK_CREATE);
    // `info` must live until here: the kernel reads it in the call above.
    let _ = info;
    link
}

fn obj_pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Attr::default();
    attr.pointer(0, path.as_ptr().cast());
    attr.fd(8, fd);
    attr.call(command::OBJ_PIN).map(drop)
}

fn obj_get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Attr::default();
    attr.pointer(0, path.as_ptr().cast());
    attr.new_fd(command::OBJ_GET)
}

/// Numbers of `enum bpf_cmd`.
mod command {
    pub(super) const MAP_LOOKUP_ELEM: u32 = 1;
    pub(super) const MAP_UPDATE_ELEM: u32 = 2;
    pub(super) const MAP_DELETE_ELEM: u32 = 3;
    pub(super) const OBJ_PIN: u32 = 6;
    pub(super) const OBJ_GET: u32 = 7;
    pub(super) const RAW_TRACEPOINT_OPEN: u32 = 17;
    pub(super) const MAP_LOOKUP_BATCH: u32 = 24;
    pub(super) const LINK_CREATE: u32 = 28;
    pub(super) const ENABLE_STATS: u32 = 32;
    pub(super) const ITER_CREATE: u32 = 33;
}

/// `union bpf_attr`, filled by offset. The parts that we use have not moved since they were added.
#[derive(Default)]
struct Attr([u64; 18]);

impl Attr {
    fn u32(&mut self, at: usize, value: u32) {
        if let Some(room) = self.0.as_mut_bytes().get_mut(at..at + 4) {
            room.copy_from_slice(&value.to_ne_bytes());
        }
    }

    fn fd(&mut self, at: usize, fd: BorrowedFd<'_>) {
        self.u32(at, fd.as_raw_fd().unsigned_abs());
    }

    fn pointer(&mut self, at: usize, pointer: *const u8) {
        if let Some(word) = self.0.get_mut(at / 8) {
            *word = pointer.expose_provenance() as u64;
        }
    }

    fn read_u32(&self, at: usize) -> u32 {
        let bytes = self.0.as_bytes().get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }

    fn call(&mut self, command: u32) -> io::Result<libc::c_long> {
        // SAFETY: the kernel reads and writes `size_of::<Self>()` bytes of `self`, which is ours and initialised. The
        // pointers in it come from the callers above, which keep what they point to alive and, where the kernel
        // writes, exclusively borrowed and as large as the map's key and value sizes demand (`Table::checks`).
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), size_of::<Self>()) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }

    fn new_fd(&mut self, command: u32) -> io::Result<OwnedFd> {
        let fd = i32::try_from(self.call(command)?).map_err(io::Error::other)?;
        // SAFETY: the commands that this is used with return a descriptor that is new and nobody else's.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}
