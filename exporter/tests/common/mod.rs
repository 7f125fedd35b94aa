//! What the probe tests and the proofs share: a folder of cgroups, the burner, and its truth.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code that is not in a test function")]

pub(crate) mod calls;
pub(crate) mod drops;
pub(crate) mod network;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use kernfs::Host;
use yagura_exporter::{ids::CgroupId, spec::Unavailable};

/// This machine.
pub(crate) fn host() -> Arc<Host> {
    let host = Host::open(Path::new("/proc"), Path::new("/sys"), Path::new("/sys/fs/cgroup"), Path::new("/"));
    Arc::new(host.unwrap())
}

/// Why live probe tests cannot run here.
pub(crate) fn unable() -> Option<String> {
    if !testkit::is_root() {
        return Some("needs root".into());
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("the kernel has no BTF".into());
    }
    owner_root().is_none().then(|| "no cgroup version 2 tree is mounted".into())
}

/// Whether tests shall go on for as long as a proof takes.
pub(crate) fn is_proof() -> bool {
    testkit::given("YAGURA_PROOF").is_some()
}

/// Says so when the kernel is older than this: major, minor.
pub(crate) fn older_than(least: (u32, u32)) -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|digits| digits.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    (version < least).then(|| format!("Linux {} is older than {}.{}", release.trim(), least.0, least.1))
}

/// Folder of the version 2 tree.
pub(crate) fn owner_root() -> Option<PathBuf> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.join("cgroup.controllers").exists())
}

/// Why a place is closed to programs on this kernel, if it is. One that is open and whose programs the kernel finds
/// fault with is no reason to skip.
pub(crate) fn closed<T>(started: Result<T, Unavailable>) -> Option<String> {
    let reason = started.err()?.0;
    assert!(!reason.contains("refused by the verifier"), "{reason}");
    Some(reason)
}

/// The reason, when a feature is off on this machine although the test could run.
pub(crate) fn on<T>(started: Result<T, Unavailable>) -> T {
    started.unwrap_or_else(|reason| panic!("off: {reason}"))
}

/// Has the socket cut what it sends up into datagrams of so many bytes (`UDP_SEGMENT`).
pub(crate) fn cut_sends_up(socket: &std::net::UdpSocket, size: libc::c_int) {
    let pointer = (&raw const size).cast();
    let length = u32::try_from(size_of_val(&size)).unwrap();
    // SAFETY: the value is there for the time of the call.
    let failed = unsafe {
        libc::setsockopt(std::os::fd::AsRawFd::as_raw_fd(socket), libc::SOL_UDP, libc::UDP_SEGMENT, pointer, length)
    };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

/// Has each datagram of a socket of IPv6 carry a header of eight bytes with options for its destination, of which there
/// are none.
pub(crate) fn extend(socket: &std::net::UdpSocket) {
    let header = [0_u8, 0, 1, 4, 0, 0, 0, 0];
    let length = u32::try_from(header.len()).unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(socket);
    // SAFETY: the value is there for the time of the call.
    let failed =
        unsafe { libc::setsockopt(descriptor, libc::IPPROTO_IPV6, libc::IPV6_DSTOPTS, header.as_ptr().cast(), length) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

/// A cgroup folder of the test's own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Makes it below the given root.
    pub(crate) fn make(root: &Path, name: &str) -> Self {
        let path = root.join(format!("yagura-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(path)
    }

    /// Its id.
    pub(crate) fn id(&self) -> CgroupId {
        CgroupId(std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&self.0).unwrap()))
    }

    /// Its path in the hierarchy.
    pub(crate) fn name(&self) -> String {
        format!("/{}", self.0.file_name().unwrap().to_str().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    std::fs::remove_dir(path)
}

/// What really happened in one cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    /// CPU time, in ns.
    pub(crate) cpu_ns: u64,
    /// Processes that ended in it.
    pub(crate) processes: u64,
    /// Wait status of its first process.
    pub(crate) status: u32,
    /// CPU time of the moves into it, in ns, which may belong to where the process was before.
    pub(crate) doubt_ns: u64,
}

/// CPU time of all, and how much of it may belong elsewhere.
pub(crate) fn total(truth: &BTreeMap<String, Truth>) -> (u64, u64) {
    (truth.values().map(|truth| truth.cpu_ns).sum(), truth.values().map(|truth| truth.doubt_ns).sum())
}

/// Compiles the burner, unless `BURNER` says where it is.
pub(crate) fn burner(into: &Path) -> PathBuf {
    if let Some(program) = testkit::given("BURNER") {
        return program.into();
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/burner/burner.c");
    let program = into.join("burner");
    let done = Command::new("cc").args(["-O2", "-Wall", "-pthread", "-o"]).arg(&program).arg(source).status();
    assert!(done.expect("cc runs").success(), "{source} does not compile");
    program
}

/// A burner at work.
pub(crate) struct Burning {
    process: Child,
    /// What it says, read while it runs: a pipe has room for some thousand cgroups, and then it would wait.
    said: JoinHandle<std::io::Result<String>>,
}

impl Burning {
    /// Starts it.
    pub(crate) fn start(burner: &Path, parent: &Path, args: &[String]) -> Self {
        let child = Command::new(burner).arg(parent).args(args).stdout(Stdio::piped()).spawn();
        let mut process = child.expect("burner starts");
        let output = process.stdout.take().unwrap();
        Self { process, said: std::thread::spawn(move || std::io::read_to_string(output)) }
    }

    /// Whether it has ended.
    pub(crate) fn is_done(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// What it did, by cgroup.
    pub(crate) fn truth(mut self) -> BTreeMap<String, Truth> {
        let text = self.said.join().unwrap().unwrap();
        assert!(self.process.wait().unwrap().success(), "burner failed");
        text.lines()
            .map(|line| {
                let mut words = line.split(' ');
                let mut word = || words.next().unwrap();
                let name = word().to_owned();
                let cpu_ns = word().parse().unwrap();
                let processes = word().parse().unwrap();
                let status = word().parse::<i32>().unwrap().cast_unsigned();
                (name, Truth { cpu_ns, processes, status, doubt_ns: word().parse().unwrap() })
            })
            .collect()
    }
}

/// Runs the burner to its end: so many cgroups, each burning so many milliseconds, so many at a time.
pub(crate) fn burn(
    burner: &Path,
    parent: &Path,
    count: usize,
    ms: [u64; 2],
    parallel: usize,
) -> BTreeMap<String, Truth> {
    let args = [count as u64, ms[0], ms[1], parallel as u64].map(|number| number.to_string());
    Burning::start(burner, parent, &args).truth()
}

/// A test that moves this process between cgroups: all others that do, or that make sockets, wait for it.
pub(crate) struct Alone(MutexGuard<'static, ()>);

/// Waits until no other test moves this process.
pub(crate) fn alone() -> Alone {
    static PROCESS: Mutex<()> = Mutex::new(());
    Alone(PROCESS.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Alone {
    /// Moves this process into a cgroup while something is done, so that the sockets made meanwhile are that cgroup's.
    #[allow(clippy::unused_self, reason = "who moves the process must be alone")]
    pub(crate) fn within<T>(&self, folder: &Folder, act: impl FnOnce() -> T) -> T {
        let (processes, root) = (folder.0.join("cgroup.procs"), owner_root().unwrap().join("cgroup.procs"));
        let line = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let before = line.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
        let back = if before.is_empty() { root } else { owner_root().unwrap().join(before).join("cgroup.procs") };
        std::fs::write(processes, "0").unwrap();
        let result = act();
        std::fs::write(back, "0").unwrap();
        result
    }
}

/// A mounted BPF file system, gone at the end with all that is pinned there.
pub(crate) struct BpfFs(pub(crate) PathBuf);

impl BpfFs {
    /// Mounts one in the folder.
    pub(crate) fn mount(folder: &Path) -> rustix::io::Result<Self> {
        let at = folder.join("bpf");
        std::fs::create_dir(&at).unwrap();
        rustix::mount::mount("bpf", &at, "bpf", rustix::mount::MountFlags::empty(), None)?;
        Ok(Self(at))
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
