//! Pressure (PSI): time that tasks of each container, and of the host, waited for CPU, memory and I/O.
//!
//! Source: `cpu.pressure`, `memory.pressure` and `io.pressure` of the unified hierarchy, which a machine with its
//! controllers on version 1 may have too (a kubelet does not look there), and `/proc/pressure/*`.
//!
//! On version 2 a cgroup for which pressure is switched off (`cgroup.pressure`) has the series of a kubelet with 0, as
//! there; our own view, and a machine on version 1, leave it out.

mod metrics;
mod parse;

use std::sync::Arc;

use kernfs::{Host, ReadError, Reader};
use metric::{Batch, Family, Of, Seconds};

use self::{
    metrics::{cadvisor, own},
    parse::Pressure,
};
use crate::{
    identity::{AsCadvisor, AsContainer, Controller, CountedPressure, Group, Layout, Mode},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_pressure",
    about: "How long tasks of each container, and of the machine, waited for CPU, memory and disks.",
    default_on: true,
    needs: &[Need::Kernel(4, 20), Need::File("proc/pressure/cpu"), Need::File("cgroup/…/cpu.pressure")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

/// A resource that can run short, by the files and families it has.
struct Resource {
    name: &'static str,
    file: &'static str,
    counted: fn(&CountedPressure) -> [u64; 2],
    waiting: &'static Family<Seconds, 0, AsCadvisor>,
    stalled: &'static Family<Seconds, 0, AsCadvisor>,
}

static RESOURCES: [Resource; 3] = [
    Resource {
        name: "cpu",
        file: "cpu.pressure",
        counted: |all| all.cpu,
        waiting: &cadvisor::CPU_WAITING,
        stalled: &cadvisor::CPU_STALLED,
    },
    Resource {
        name: "memory",
        file: "memory.pressure",
        counted: |all| all.memory,
        waiting: &cadvisor::MEMORY_WAITING,
        stalled: &cadvisor::MEMORY_STALLED,
    },
    Resource {
        name: "io",
        file: "io.pressure",
        counted: |all| all.io,
        waiting: &cadvisor::IO_WAITING,
        stalled: &cadvisor::IO_STALLED,
    },
];

#[derive(Debug)]
struct ContainerPressure;

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    // Some kernels have the file and refuse to read it while pressure is off.
    match Reader::default().read(&context.host.proc, "pressure/cpu") {
        Ok(Some(file)) if !file.is_empty() => Ok(Box::new(ContainerPressure)),
        Err(problem) => Err(Unavailable(format!("{problem}: {}", problem.source))),
        Ok(_) => Err(Unavailable(format!(
            "no pressure in {}: it needs Linux 4.20 or later, built with CONFIG_PSI=y, and the boot option psi=1 where \
             the kernel was built with CONFIG_PSI_DEFAULT_DISABLED=y",
            context.host.proc.join("pressure").display()
        ))),
    }
}

impl Collector for ContainerPressure {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let as_kubelet = (layout.mode() == Mode::V2).then(Pressure::default);
        let Scrape { tree, host, reader, out, problems, view, .. } = scrape;
        for group in tree.groups() {
            if group.cadvisor.is_none() && group.own.is_none() {
                continue;
            }
            if let Err(problem) = container(group, &layout, reader, as_kubelet, out) {
                problems.push(problem);
            }
        }
        if *view == View::Own {
            node(host, reader, out)?;
        }
        Ok(())
    }
}

/// `absent` is what the kubelet's series show where there is no file.
fn container(
    group: &mut Group,
    layout: &Layout,
    reader: &mut Reader,
    absent: Option<Pressure>,
    out: &mut Batch,
) -> Result<(), ReadError> {
    let counted = group.counted.pressure;
    for resource in &RESOURCES {
        let pressure = match counted {
            Some(totals) => Some((resource.counted)(&totals).into()),
            None => group.read(layout, Controller::Unified, resource.file, reader)?.map(parse::pressure),
        };
        if let (Some(of), Some(pressure)) = (group.cadvisor, pressure.or(absent)) {
            out.put_of(resource.waiting, of, [], pressure.some.unwrap_or_default());
            out.put_of(resource.stalled, of, [], pressure.full.unwrap_or_default());
        }
        if let (Some(of), Some(pressure)) = (group.own, pressure) {
            emit_own(of, resource.name, pressure, out);
        }
    }
    Ok(())
}

fn emit_own(of: Of<AsContainer>, resource: &str, pressure: Pressure, out: &mut Batch) {
    if let Some(some) = pressure.some {
        out.put_of(&own::WAITING, of, [resource], some);
    }
    if let Some(full) = pressure.full {
        out.put_of(&own::STALLED, of, [resource], full);
    }
}

fn node(host: &Host, reader: &mut Reader, out: &mut Batch) -> Result<(), ReadError> {
    for (resource, file) in
        [("cpu", "pressure/cpu"), ("memory", "pressure/memory"), ("io", "pressure/io"), ("irq", "pressure/irq")]
    {
        let Some(pressure) = reader.read(&host.proc, file)?.map(parse::pressure) else { continue };
        if let Some(some) = pressure.some {
            out.put(&own::NODE_WAITING, [resource], some);
        }
        if let Some(full) = pressure.full {
            out.put(&own::NODE_STALLED, [resource], full);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{collectors::golden::check, config::Config};

    #[test]
    fn pressure_is_read_from_the_unified_hierarchy_of_either_version() {
        for tree in ["container_pressure/testdata/cgroup-v1-6-18", "container_pressure/testdata/debian-12-6-12"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }

    #[test]
    fn without_pressure_the_reason_names_what_would_bring_it() {
        let root = tempfile::tempdir().unwrap();
        for sub in ["proc", "sys", "cgroup", "rootfs"] {
            std::fs::create_dir(root.path().join(sub)).unwrap();
        }
        let host = Arc::new(Host::below(root.path()).unwrap());
        let reason = build(&Context::alone(host, Config::default())).err().unwrap().0;
        for part in ["/proc/pressure", "CONFIG_PSI=y", "psi=1"] {
            assert!(reason.contains(part), "{part} is not in: {reason}");
        }
    }
}
