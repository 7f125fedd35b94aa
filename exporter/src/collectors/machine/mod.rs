//! The host: processors, memory, and its three ids.
//!
//! Source: `/proc/{cpuinfo,meminfo}`, `/sys/devices/system/{cpu,node,edac}`, `/etc/machine-id`,
//! `/sys/class/dmi/id/product_uuid` and `/proc/sys/kernel/random/boot_id`; all but memory once a minute, since CPUs may
//! be added while the machine runs. `product_uuid` takes root, and not every virtual machine has one: the system's
//! identity is then the machine's, as in a kubelet.
//!
//! Persistent memory is told through a library of Intel's that a kubelet is not built with either: its families are
//! there with 0, as in a kubelet.

mod metrics;
mod parse;
pub mod topology;

use std::collections::BTreeMap;

use kernfs::{Dir, Host, ReadError, Reader, text};
use metric::{Batch, Bytes, Of, Watts};

use self::metrics::AsMachine;
use crate::spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "machine",
    about: "What the machine is: processors, memory, and its identities.",
    default_on: true,
    needs: &[Need::File("proc/cpuinfo"), Need::File("proc/meminfo"), Need::File("sys/devices/system/cpu")],
    shows: &[(View::Cadvisor, metrics::ALL)],
    build,
};

/// Seconds between two looks at what seldom changes.
const EVERY: f64 = 60.0;

/// What tells this machine, and this start of it, from all others.
#[derive(Clone, Debug, Default)]
struct Identity {
    machine: String,
    system: String,
    boot: String,
}

impl Identity {
    fn read(host: &Host, reader: &mut Reader) -> Self {
        let mut first = |dir: &Dir, names: &[&str]| {
            names.iter().find_map(|name| line(dir, name, reader)).filter(|text| !text.is_empty()).unwrap_or_default()
        };
        let machine = first(&host.rootfs, &["etc/machine-id", "var/lib/dbus/machine-id"]);
        let system = first(&host.sys, &["class/dmi/id/product_uuid", "firmware/devicetree/base/vm,uuid"]);
        Self {
            system: if system.is_empty() { machine.clone() } else { system },
            machine,
            boot: first(&host.proc, &["sys/kernel/random/boot_id"]),
        }
    }

    fn subject(&self, out: &mut Batch) -> Of<AsMachine> {
        out.subject::<AsMachine, 3>([&self.machine, &self.system, &self.boot])
    }
}

/// The text of a small file; `None` when it is gone or may not be read.
fn line(dir: &Dir, name: &str, reader: &mut Reader) -> Option<String> {
    let file = reader.read(dir, name).ok()??;
    Some(text::text(file).trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
}

/// What seldom changes.
#[derive(Clone, Debug, Default)]
struct Hardware {
    identity: Identity,
    physical_cores: usize,
    cores: u64,
    sockets: usize,
    books: usize,
    drawers: usize,
    /// By type: modules, bytes.
    modules: BTreeMap<String, (u64, u64)>,
}

impl Hardware {
    fn read(host: &Host, reader: &mut Reader) -> Result<Self, ReadError> {
        let mut hardware = Self { identity: Identity::read(host, reader), ..Self::default() };
        if let Some(cpuinfo) = reader.read(&host.proc, "cpuinfo")? {
            hardware.physical_cores = parse::different(cpuinfo, b"core id");
            hardware.sockets = parse::different(cpuinfo, b"physical id");
        }
        let cpus = cpus(host, reader)?;
        let count = |file: &str, reader: &mut Reader| -> usize {
            let values: std::collections::BTreeSet<String> = cpus
                .iter()
                .filter_map(|cpu| line(&host.sys, &format!("devices/system/cpu/cpu{cpu}/topology/{file}"), reader))
                .collect();
            values.len()
        };
        if hardware.physical_cores == 0 {
            hardware.physical_cores = count("core_id", reader);
        }
        if hardware.sockets == 0 {
            hardware.sockets = count("physical_package_id", reader);
        }
        if cfg!(target_arch = "s390x") {
            hardware.books = count("book_id", reader);
            hardware.drawers = count("drawer_id", reader);
        }
        hardware.cores = match reader.read(&host.sys, "devices/system/cpu/online")? {
            Some(list) => parse::cpu_count(list),
            None => cpus.len() as u64,
        };
        hardware.modules = modules(host, reader)?;
        Ok(hardware)
    }
}

/// Numbers of all CPUs, sorted.
fn cpus(host: &Host, reader: &Reader) -> Result<Vec<u64>, ReadError> {
    let mut cpus = Vec::new();
    reader.list(&host.sys, "devices/system/cpu", |name, _| cpus.extend(parse::numbered(name, "cpu", "")))?;
    cpus.sort_unstable();
    Ok(cpus)
}

/// Memory modules by type, from the error detection drivers; none where there is no driver.
fn modules(host: &Host, reader: &mut Reader) -> Result<BTreeMap<String, (u64, u64)>, ReadError> {
    const CONTROLLERS: &str = "devices/system/edac/mc";
    let mut modules: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let (mut controllers, mut found) = (Vec::new(), Vec::new());
    reader.list(&host.sys, CONTROLLERS, |name, _| controllers.extend(parse::numbered(name, "mc", "")))?;
    for controller in controllers {
        let folder = format!("{CONTROLLERS}/mc{controller}");
        reader.list(&host.sys, &folder, |name, _| {
            if ["dimm", "rank"].iter().any(|prefix| parse::numbered(name, prefix, "").is_some()) {
                found.push(format!("{folder}/{name}"));
            }
        })?;
    }
    for module in found {
        let Some(kind) = line(&host.sys, &format!("{module}/dimm_mem_type"), reader) else { continue };
        let megabytes = reader.read(&host.sys, &format!("{module}/size"))?.and_then(text::only_number);
        let (count, bytes) = modules.entry(kind).or_default();
        *count += 1;
        *bytes += megabytes.unwrap_or(0) << 20;
    }
    Ok(modules)
}

#[derive(Debug, Default)]
struct Machine {
    hardware: Option<(Hardware, f64)>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(_: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::<Machine>::default())
}

impl Collector for Machine {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, now, .. } = scrape;
        let due = self.hardware.as_ref().is_none_or(|(_, at)| *now - at >= EVERY);
        if due {
            self.hardware = Some((Hardware::read(host, reader)?, *now));
        }
        let Some((hardware, _)) = &self.hardware else { return Ok(()) };
        let of = hardware.identity.subject(out);
        out.put_of(&metrics::PHYSICAL_CORES, of, [], hardware.physical_cores);
        out.put_of(&metrics::CORES, of, [], hardware.cores);
        out.put_of(&metrics::SOCKETS, of, [], hardware.sockets);
        out.put_of(&metrics::BOOKS, of, [], hardware.books);
        out.put_of(&metrics::DRAWERS, of, [], hardware.drawers);
        if let Some(meminfo) = reader.read(&host.proc, "meminfo")? {
            for (family, key) in [(&metrics::MEMORY, &b"MemTotal:"[..]), (&metrics::SWAP, b"SwapTotal:")] {
                if let Some(bytes) = parse::meminfo(meminfo, key) {
                    out.put_of(family, of, [], bytes);
                }
            }
        }
        for (kind, (count, bytes)) in &hardware.modules {
            out.put_of(&metrics::DIMMS, of, [kind], *count);
            out.put_of(&metrics::DIMM_CAPACITY, of, [kind], Bytes(*bytes));
        }
        for mode in ["memory_mode", "app_direct_mode"] {
            out.put_of(&metrics::NVM_CAPACITY, of, [mode], Bytes(0));
        }
        out.put_of(&metrics::NVM_POWER, of, [], Watts(0.0));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collectors::golden::check;

    #[test]
    fn a_machine_with_memory_nodes_and_one_without() {
        for tree in ["two-nodes", "no-nodes"] {
            check(&SPEC, &format!("machine/testdata/{tree}"), View::Cadvisor);
            check(&topology::SPEC, &format!("machine/testdata/{tree}-topology"), View::Cadvisor);
        }
    }
}
