//! A file system whose every write takes its time: a FUSE server that keeps files in memory.
//!
//! It answers one request after another, as a disk with one queue does, so whatever comes during a write waits too. The
//! protocol is that of `linux/fuse.h`, version 7.31, as much of it as one program with two files needs.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::CString,
    fs::File,
    io::{Read as _, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

const ROOT: u64 = 1;
const IS_FOLDER: u32 = 0o040_755;
const IS_FILE: u32 = 0o100_644;
const HEADER: usize = 40;
/// Largest write; a request has its headers besides.
const MOST_WRITTEN: u32 = 128 << 10;

const NO_ENTRY: i32 = -2;
const NO_SUCH_CALL: i32 = -38;

/// The file system, mounted until this goes.
pub(crate) struct SlowDisk {
    /// Where it is.
    pub(crate) at: PathBuf,
    writes: Arc<AtomicU64>,
    server: Option<JoinHandle<()>>,
}

impl SlowDisk {
    /// Mounts one whose writes take so long. Why it cannot be, if it cannot.
    pub(crate) fn mount(at: &Path, write_takes: Duration) -> Result<Self, String> {
        let open = File::options().read(true).write(true).open("/dev/fuse");
        let mut fuse = open.map_err(|error| format!("this kernel has no FUSE: {error}"))?;
        std::fs::create_dir(at).unwrap();
        let options = CString::new(format!("fd={},rootmode=40000,user_id=0,group_id=0", fuse.as_raw_fd())).unwrap();
        mount("slow", at, "fuse", MountFlags::empty(), Some(options.as_c_str()))
            .map_err(|error| format!("no FUSE file system can be mounted: {error}"))?;
        let writes = Arc::new(AtomicU64::new(0));
        let mut files = Files::new(write_takes, Arc::clone(&writes));
        let server = std::thread::spawn(move || {
            let mut request = vec![0; MOST_WRITTEN as usize + (16 << 10)];
            // It ends when the file system is unmounted.
            while let Ok(length) = fuse.read(&mut request) {
                if let Some(reply) = files.answer(&request[..length]) {
                    // Who asked may be gone.
                    let _ = fuse.write(&reply);
                }
            }
        });
        Ok(Self { at: at.to_owned(), writes, server: Some(server) })
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        let unmounted = unmount(&self.at, UnmountFlags::DETACH);
        if let (Ok(()), Some(server)) = (unmounted, self.server.take()) {
            let _ = server.join();
        }
    }
}

#[derive(Default)]
struct Node {
    is_folder: bool,
    bytes: Vec<u8>,
}

struct Files {
    write_takes: Duration,
    writes: Arc<AtomicU64>,
    nodes: HashMap<u64, Node>,
    names: BTreeMap<(u64, Vec<u8>), u64>,
    next: u64,
}

/// The arguments of a request.
struct Arguments<'r>(&'r [u8]);

impl<'r> Arguments<'r> {
    fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    /// Names from there on, each of which ends with a zero.
    fn names(&self, at: usize) -> impl Iterator<Item = Vec<u8>> + 'r {
        self.0[at..].split(|byte| *byte == 0).map(<[u8]>::to_vec)
    }

    fn name(&self, at: usize) -> Vec<u8> {
        self.names(at).next().unwrap()
    }
}

impl Files {
    fn new(write_takes: Duration, writes: Arc<AtomicU64>) -> Self {
        let root = Node { is_folder: true, ..Node::default() };
        let nodes = HashMap::from([(ROOT, root)]);
        Self { write_takes, writes, nodes, names: BTreeMap::new(), next: ROOT + 1 }
    }

    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let header = Arguments(&request[..HEADER]);
        let (call, unique, node) = (header.u32(4), header.u64(8), header.u64(16));
        let result = self.call(call, node, &Arguments(&request[HEADER..]))?;
        let (error, body) = match result {
            Ok(body) => (0, body),
            Err(error) => (error, Vec::new()),
        };
        let mut reply = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        reply.extend(error.to_ne_bytes());
        reply.extend(unique.to_ne_bytes());
        reply.extend(body);
        Some(reply)
    }

    /// The body of the reply, or an error; `None` where none is expected.
    fn call(&mut self, call: u32, node: u64, with: &Arguments<'_>) -> Option<Result<Vec<u8>, i32>> {
        Some(match call {
            // FORGET, INTERRUPT, BATCH_FORGET.
            2 | 36 | 42 => return None,
            // INIT.
            26 => Ok(Self::greeting(with)),
            // LOOKUP.
            1 => self.names.get(&(node, with.name(0))).map(|found| self.entry(*found)).ok_or(NO_ENTRY),
            // GETATTR.
            3 => Ok(self.attributes_for_a_while(node)),
            // SETATTR, of which only the size counts.
            4 => {
                if with.u32(0) & 8 != 0 {
                    let size = usize::try_from(with.u64(16)).unwrap();
                    self.nodes.get_mut(&node).unwrap().bytes.resize(size, 0);
                }
                Ok(self.attributes_for_a_while(node))
            }
            // MKDIR, CREATE.
            9 => {
                let made = self.make(node, with.name(8), true);
                Ok(self.entry(made))
            }
            35 => {
                let made = self.make(node, with.name(16), false);
                Ok([self.entry(made), Self::opened()].concat())
            }
            // UNLINK.
            10 => self.names.remove(&(node, with.name(0))).map(|_| Vec::new()).ok_or(NO_ENTRY),
            // RENAME, RENAME2.
            12 | 45 => {
                let mut names = with.names(if call == 12 { 8 } else { 16 });
                let (from, to) = (names.next().unwrap(), names.next().unwrap());
                let moved = self.names.remove(&(node, from));
                moved.map(|moved| self.names.insert((with.u64(0), to), moved)).map(|_| Vec::new()).ok_or(NO_ENTRY)
            }
            // OPEN, OPENDIR.
            14 | 27 => Ok(Self::opened()),
            // READ.
            15 => {
                let (offset, size) = (usize::try_from(with.u64(8)).unwrap(), with.u32(16) as usize);
                Ok(self.nodes[&node].bytes.iter().skip(offset).take(size).copied().collect())
            }
            // WRITE.
            16 => Ok(self.write(node, with)),
            // FSYNC, RELEASE, FLUSH, READDIR (of which nobody here asks), RELEASEDIR, ACCESS.
            18 | 20 | 25 | 28 | 29 | 34 => Ok(Vec::new()),
            _ => Err(NO_SUCH_CALL),
        })
    }

    fn greeting(with: &Arguments<'_>) -> Vec<u8> {
        let mut body = Vec::new();
        // Version 7.31, the kernel's own reading ahead, no flags.
        for word in [7, 31, with.u32(8), 0] {
            body.extend(word.to_ne_bytes());
        }
        body.extend([0; 4]);
        body.extend(MOST_WRITTEN.to_ne_bytes());
        body.resize(64, 0);
        body
    }

    fn make(&mut self, parent: u64, name: Vec<u8>, is_folder: bool) -> u64 {
        let made = self.next;
        self.next += 1;
        self.nodes.insert(made, Node { is_folder, bytes: Vec::new() });
        self.names.insert((parent, name), made);
        made
    }

    fn write(&mut self, node: u64, with: &Arguments<'_>) -> Vec<u8> {
        std::thread::sleep(self.write_takes);
        self.writes.fetch_add(1, Relaxed);
        let (offset, size) = (usize::try_from(with.u64(8)).unwrap(), with.u32(16));
        let data = &with.0[40..40 + size as usize];
        let bytes = &mut self.nodes.get_mut(&node).unwrap().bytes;
        bytes.resize(bytes.len().max(offset + data.len()), 0);
        bytes[offset..offset + data.len()].copy_from_slice(data);
        [size.to_ne_bytes(), [0; 4]].concat()
    }

    /// A handle of zero, without the kernel's page cache: each write is a request.
    fn opened() -> Vec<u8> {
        let mut body = vec![0; 16];
        body[8] = 1;
        body
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let Node { is_folder, bytes } = &self.nodes[&node];
        let mut body = Vec::new();
        for number in [node, bytes.len() as u64, 0, 0, 0, 0] {
            body.extend(number.to_ne_bytes());
        }
        for word in [0, 0, 0, if *is_folder { IS_FOLDER } else { IS_FILE }, 1, 0, 0, 0, 4096, 0] {
            body.extend(word.to_ne_bytes());
        }
        body
    }

    fn attributes_for_a_while(&self, node: u64) -> Vec<u8> {
        [vec![0; 16], self.attributes(node)].concat()
    }

    fn entry(&self, node: u64) -> Vec<u8> {
        let mut body = node.to_ne_bytes().to_vec();
        body.resize(40, 0);
        body.extend(self.attributes(node));
        body
    }
}
