//! Time of each CPU by mode, thermal throttling, and what the CPUs are.
//!
//! The kernel's idle and iowait times step back now and then, and a counter must not: the highest value seen is shown.
//! When idle falls by three seconds or more the CPU was taken out and put back, and starts anew.
//!
//! Not included: `node_cpu_frequency_hertz` from `/proc/cpuinfo`: `node_cpufreq` has it.

mod metrics;
mod parse;

use std::collections::BTreeMap;

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Seconds, Ticks};

use self::{
    metrics::{
        ALL, BUG, CORE_THROTTLES, FLAG, GUEST, GUEST_MODES, INFO, ISOLATED, MODES, ONLINE, PACKAGE_THROTTLES, TIME,
    },
    parse::Times,
};
use super::node::{attribute, attribute_number, numbered};
use crate::{
    config::node,
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "node_cpu",
    about: "Time of each CPU by mode, thermal throttling, and what the CPUs are.",
    default_on: true,
    needs: &[Need::File("proc/stat"), Need::File("sys/devices/system/cpu")],
    shows: &[(View::Node, ALL)],
    build,
};

/// A fall of the idle time by three seconds is no jitter.
const HOTPLUG_TICKS: u64 = 300;
const IDLE: usize = 3;
const FOLDER: &str = "devices/system/cpu";

#[derive(Debug)]
struct NodeCpu {
    options: node::Cpu,
    known: BTreeMap<Box<str>, Known>,
    /// What sysfs says of CPUs; it is looked at again when their number changes.
    layout: Option<(usize, Layout)>,
}

#[derive(Debug, Default)]
struct Known {
    times: Times,
    scrape: u64,
}

#[derive(Debug, Default)]
struct Layout {
    /// Names of folders: `cpu0`.
    folders: Vec<String>,
    isolated: Vec<String>,
    /// (package, core, file) and (package, file), for each core and package once.
    core_throttles: Vec<(String, String, String)>,
    package_throttles: Vec<(String, String)>,
    /// Whether CPUs can be switched off and on.
    can_be_offline: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of `Spec::build`")]
fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    Ok(Box::new(NodeCpu { options: context.config.collector.cpu.clone(), known: BTreeMap::new(), layout: None }))
}

impl Collector for NodeCpu {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let Scrape { host, reader, out, .. } = scrape;
        let Some(file) = reader.read(&host.proc, "stat")? else {
            scrape.nothing_there();
            return Ok(());
        };
        let cpus = self.emit_times(file, out);
        if self.layout.as_ref().is_none_or(|(known, _)| *known != cpus) {
            self.layout = Some((cpus, Layout::read(host, reader)?));
        }
        if let Some((_, layout)) = &self.layout {
            layout.emit(host, reader, out);
        }
        let options = &self.options;
        if options.info || !options.info_flags_include.is_empty() || !options.info_bugs_include.is_empty() {
            emit_info(options, host, reader, out)?;
        }
        Ok(())
    }
}

impl NodeCpu {
    /// How many CPUs there are.
    fn emit_times(&mut self, file: &[u8], out: &mut Batch) -> usize {
        let scrape = self.known.values().map(|known| known.scrape).max().unwrap_or(0) + 1;
        let mut cpus = 0;
        for (cpu, times) in parse::cpus(file) {
            cpus += 1;
            if !self.known.contains_key(cpu) {
                self.known.insert(cpu.into(), Known::default());
            }
            let Some(known) = self.known.get_mut(cpu) else { continue };
            known.scrape = scrape;
            known.rise(&times);
            let (modes, guest) = known.times.split_at(MODES.len());
            for (mode, ticks) in MODES.iter().zip(modes) {
                out.put(&TIME, [cpu, mode], Ticks(*ticks));
            }
            if self.options.guest {
                for (mode, ticks) in GUEST_MODES.iter().zip(guest) {
                    out.put(&GUEST, [cpu, mode], Seconds::from(Ticks(*ticks)));
                }
            }
        }
        self.known.retain(|_, known| known.scrape == scrape);
        cpus
    }
}

impl Known {
    fn rise(&mut self, times: &Times) {
        if self.times[IDLE].saturating_sub(times[IDLE]) >= HOTPLUG_TICKS {
            self.times = Times::default();
        }
        for (highest, now) in self.times.iter_mut().zip(times) {
            *highest = (*highest).max(*now);
        }
    }
}

impl Layout {
    fn read(host: &Host, reader: &mut Reader) -> Result<Self, ReadError> {
        let mut layout = Self { folders: numbered(reader, &host.sys, FOLDER, "cpu")?, ..Self::default() };
        if let Some(list) = attribute(reader, &host.sys, "devices/system/cpu/isolated") {
            layout.isolated = parse::ranges(list).map(|cpu| cpu.to_string()).collect();
        }
        // Where the first CPU cannot be switched off, the others usually can; node_exporter takes it for all.
        let first = layout.folders.first();
        layout.can_be_offline = first.is_some_and(|cpu| reader.exists(&host.sys, &format!("{FOLDER}/{cpu}/online")));
        for cpu in &layout.folders {
            let topology = |reader: &mut Reader, name| {
                attribute_number(reader, &host.sys, &format!("{FOLDER}/{cpu}/topology/{name}")).map(|n| n.to_string())
            };
            let Some(package) = topology(reader, "physical_package_id") else { continue };
            let Some(core) = topology(reader, "core_id") else { continue };
            let file = format!("{FOLDER}/{cpu}/thermal_throttle/core_throttle_count");
            let known = layout.core_throttles.iter().any(|(p, c, _)| *p == package && *c == core);
            if !known && reader.exists(&host.sys, &file) {
                layout.core_throttles.push((package.clone(), core, file));
            }
            let file = format!("{FOLDER}/{cpu}/thermal_throttle/package_throttle_count");
            let known = layout.package_throttles.iter().any(|(p, _)| *p == package);
            if !known && reader.exists(&host.sys, &file) {
                layout.package_throttles.push((package, file));
            }
        }
        Ok(layout)
    }

    fn emit(&self, host: &Host, reader: &mut Reader, out: &mut Batch) {
        for (package, core, file) in &self.core_throttles {
            if let Some(count) = attribute_number(reader, &host.sys, file) {
                out.put(&CORE_THROTTLES, [package, core], count);
            }
        }
        for (package, file) in &self.package_throttles {
            if let Some(count) = attribute_number(reader, &host.sys, file) {
                out.put(&PACKAGE_THROTTLES, [package], count);
            }
        }
        for cpu in &self.isolated {
            out.put(&ISOLATED, [cpu], true);
        }
        if self.can_be_offline {
            for cpu in &self.folders {
                let online = attribute_number(reader, &host.sys, &format!("{FOLDER}/{cpu}/online")) == Some(1);
                out.put(&ONLINE, [cpu.trim_start_matches("cpu")], online);
            }
        }
    }
}

fn emit_info(options: &node::Cpu, host: &Host, reader: &mut Reader, out: &mut Batch) -> Result<(), ReadError> {
    let Some(file) = reader.read(&host.proc, "cpuinfo")? else { return Ok(()) };
    let cpus = parse::cpuinfo(file);
    for cpu in &cpus {
        let field = |name: &str| cpu.get(name).map_or("", |value| value);
        let names = [
            "physical id",
            "core id",
            "processor",
            "vendor_id",
            "cpu family",
            "model",
            "model name",
            "microcode",
            "stepping",
            "cache size",
        ];
        out.put(&INFO, names.map(field), true);
    }
    let Some(first) = cpus.first() else { return Ok(()) };
    let words = |name: &str| first.get(name).map_or("", |value| value);
    for (pattern, words, family) in
        [(&options.info_flags_include, words("flags"), &FLAG), (&options.info_bugs_include, words("bugs"), &BUG)]
    {
        for word in words.split_ascii_whitespace().filter(|word| !pattern.is_empty() && pattern.matches(word)) {
            out.put(family, [word], true);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collectors::golden::{check, check_with},
        config::Config,
    };

    #[test]
    fn cpus_of_a_virtual_machine_and_of_a_server_that_gets_hot() {
        check(&SPEC, "node_cpu/testdata/vm-6-18", View::Node);
        let mut config = Config::default();
        config.collector.cpu.info_flags_include = "^(aes|avx.?)$".parse().unwrap();
        config.collector.cpu.info_bugs_include = "^spectre".parse().unwrap();
        check_with(&SPEC, "node_cpu/testdata/kernel-docs", View::Node, config);
    }

    #[test]
    fn times_do_not_fall_unless_the_cpu_was_away() {
        let mut known = Known::default();
        known.rise(&[10, 0, 0, 1000, 50, 0, 0, 0, 0, 0]);
        known.rise(&[11, 0, 0, 999, 40, 0, 0, 0, 0, 0]);
        assert_eq!(known.times, [11, 0, 0, 1000, 50, 0, 0, 0, 0, 0]);
        known.rise(&[1, 0, 0, 700, 4, 0, 0, 0, 0, 0]);
        assert_eq!(known.times, [1, 0, 0, 700, 4, 0, 0, 0, 0, 0]);
    }
}
