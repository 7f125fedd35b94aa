//! Topology of CPUs, caches and memory: cAdvisor's families that a kubelet leaves out. Off by default: a row for each
//! CPU and cache, and nothing of it changes.

use std::collections::{BTreeMap, BTreeSet};

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Bytes, Of};

use super::{
    Identity, line,
    metrics::{AsMachine, topology as families},
    parse,
};
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "machine_topology",
    about: "Where the machine's CPUs, caches and memory are.",
    default_on: false,
    needs: &[Need::File("sys/devices/system/cpu"), Need::File("sys/devices/system/node")],
    shows: &[(View::Cadvisor, families::ALL)],
    build,
};

/// Seconds between two looks.
const EVERY: f64 = 60.0;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cache {
    kind: String,
    level: String,
    bytes: u64,
}

/// A memory node; on a machine without, a processor package.
#[derive(Clone, Debug, Default)]
struct Node {
    id: u64,
    /// By core: its CPUs.
    cores: BTreeMap<u64, Vec<u64>>,
    /// By core, those that only its CPUs share; others are the node's, with no core.
    caches: BTreeSet<(Option<u64>, Cache)>,
    memory: Option<Bytes>,
    /// By size in kibibytes.
    huge_pages: BTreeMap<u64, u64>,
    distances: Vec<u64>,
}

fn nodes(host: &Host, reader: &mut Reader) -> Result<Vec<Node>, ReadError> {
    let mut ids = Vec::new();
    reader.list(&host.sys, "devices/system/node", |name, _| ids.extend(parse::numbered(name, "node", "")))?;
    ids.sort_unstable();
    let mut nodes = Vec::new();
    for id in ids {
        let folder = format!("devices/system/node/node{id}");
        let mut cpus = Vec::new();
        reader.list(&host.sys, &folder, |name, _| cpus.extend(parse::numbered(name, "cpu", "")))?;
        let mut node = Node { id, ..Node::default() };
        node.add_cpus(cpus, host, reader)?;
        if let Some(file) = reader.read(&host.sys, &format!("{folder}/meminfo"))? {
            node.memory = parse::meminfo(file, b"MemTotal:");
        }
        if let Some(file) = reader.read(&host.sys, &format!("{folder}/distance"))? {
            node.distances = text::words(file).map_while(text::number).collect();
        }
        let mut sizes = Vec::new();
        let pages = format!("{folder}/hugepages");
        reader.list(&host.sys, &pages, |name, _| sizes.extend(parse::numbered(name, "hugepages-", "kB")))?;
        for size in sizes {
            let file = reader.read(&host.sys, &format!("{pages}/hugepages-{size}kB/nr_hugepages"))?;
            node.huge_pages.extend(file.and_then(text::only_number).map(|count| (size, count)));
        }
        nodes.push(node);
    }
    if nodes.is_empty() { packages(host, reader) } else { Ok(nodes) }
}

/// On a machine without memory nodes its processor packages stand for them.
fn packages(host: &Host, reader: &mut Reader) -> Result<Vec<Node>, ReadError> {
    let mut packages: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for cpu in super::cpus(host, reader)? {
        let file = format!("devices/system/cpu/cpu{cpu}/topology/physical_package_id");
        if let Some(package) = reader.read(&host.sys, &file)?.and_then(text::only_number) {
            packages.entry(package).or_default().push(cpu);
        }
    }
    let mut nodes = Vec::new();
    for (id, cpus) in packages {
        let mut node = Node { id, ..Node::default() };
        node.add_cpus(cpus, host, reader)?;
        nodes.push(node);
    }
    Ok(nodes)
}

impl Node {
    fn add_cpus(&mut self, mut cpus: Vec<u64>, host: &Host, reader: &mut Reader) -> Result<(), ReadError> {
        cpus.sort_unstable();
        let mut cores = Vec::new();
        for cpu in cpus {
            let folder = format!("devices/system/cpu/cpu{cpu}");
            // A CPU that is switched off has no topology.
            let core = reader.read(&host.sys, &format!("{folder}/topology/core_id"))?.and_then(text::only_number);
            let Some(core) = core else { continue };
            self.cores.entry(core).or_default().push(cpu);
            cores.push((core, folder));
        }
        for (core, folder) in cores {
            let threads = self.cores.get(&core).map_or(0, Vec::len) as u64;
            let mut indexes = Vec::new();
            let caches = format!("{folder}/cache");
            reader.list(&host.sys, &caches, |name, _| indexes.extend(parse::numbered(name, "index", "")))?;
            for index in indexes {
                let folder = format!("{caches}/index{index}");
                let shared_by =
                    reader.read(&host.sys, &format!("{folder}/shared_cpu_list"))?.map_or(0, parse::cpu_count);
                let bytes = reader.read(&host.sys, &format!("{folder}/size"))?.and_then(parse::size);
                let kind = line(&host.sys, &format!("{folder}/type"), reader);
                let level = line(&host.sys, &format!("{folder}/level"), reader);
                let (Some(Bytes(bytes)), Some(kind), Some(level)) = (bytes, kind, level) else { continue };
                let of = (shared_by <= threads).then_some(core);
                self.caches.insert((of, Cache { kind, level, bytes }));
            }
        }
        Ok(())
    }

    fn emit(&self, of: Of<AsMachine>, out: &mut Batch) {
        let node = self.id.to_string();
        for (core, cache) in &self.caches {
            let core = core.map_or_else(String::new, |core| core.to_string());
            out.put_of(&families::CACHE, of, [&node, &core, &cache.kind, &cache.level], Bytes(cache.bytes));
        }
        for (core, threads) in &self.cores {
            let core = core.to_string();
            for thread in threads {
                out.put_of(&families::SIBLINGS, of, [&node, &core, &thread.to_string()], threads.len());
            }
        }
        if let Some(memory) = self.memory {
            out.put_of(&families::NODE_MEMORY, of, [&node], memory);
        }
        for (size, count) in &self.huge_pages {
            out.put_of(&families::HUGE_PAGES, of, [&node, &size.to_string()], *count);
        }
        for (target, distance) in self.distances.iter().enumerate() {
            out.put_of(&families::DISTANCE, of, [&node, &target.to_string()], *distance);
        }
    }
}

#[derive(Debug, Default)]
struct Topology {
    known: Option<(Identity, Vec<Node>, f64)>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<Topology>::default())
}

impl Collector for Topology {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, now, .. } = scrape;
        if self.known.as_ref().is_none_or(|(_, _, at)| *now - at >= EVERY) {
            self.known = Some((Identity::read(host, reader), nodes(host, reader)?, *now));
        }
        let Some((identity, nodes, _)) = &self.known else { return Ok(()) };
        let of = identity.subject(out);
        for node in nodes {
            node.emit(of, out);
        }
        Ok(())
    }
}
