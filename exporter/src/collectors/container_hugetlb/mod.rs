//! Huge pages of each container, by page size.
//!
//! Source: `hugetlb.<size>.current`, `.rsvd.current`, `.events` and `.max` of version 2, or `.usage_in_bytes`,
//! `.max_usage_in_bytes`, `.failcnt` and `.limit_in_bytes`, with and without `.rsvd`, of version 1. As in cAdvisor its
//! names show pages set aside where the kernel counts them (Linux 5.7), else pages in use; refusals are those of both.
//! Version 2 keeps no peak, so it has no series, where cAdvisor shows 0.
//!
//! A page size of which the machine has no page has no rows: nothing can be in use, and nobody reads many zeros.

mod metrics;
mod parse;

use std::{collections::BTreeSet, sync::Arc};

use kernfs::{Host, ReadError, Reader, text};
use metric::{Batch, Bytes};
use parking_lot::Mutex;

use self::metrics::{cadvisor, own};
use crate::{
    identity::{Controller, Group, Layout, Version},
    spec::{Collector, Context, Need, Scrape, Spec, Unavailable, View},
};

/// See the module.
pub static SPEC: Spec = Spec {
    name: "container_hugetlb",
    about: "Huge pages of each container, by page size.",
    default_on: true,
    needs: &[Need::File("sys/kernel/mm/hugepages"), Need::File("cgroup/…/hugetlb.2MB.max")],
    shows: &[(View::Cadvisor, cadvisor::ALL), (View::Own, own::ALL)],
    build,
};

#[derive(Debug)]
struct ContainerHugetlb {
    sizes: Vec<Size>,
}

/// A page size, and the files that tell of it.
#[derive(Debug)]
struct Size {
    /// As in `2MB`.
    name: String,
    /// How many pages the machine has, below sysfs.
    pool: String,
    used: &'static str,
    reserved: &'static str,
    limit: &'static str,
    refused: &'static str,
    /// Version 1 only: most pages in use, most set aside, refusals to set aside.
    v1: Option<[&'static str; 3]>,
}

fn build(context: &Context) -> Result<Box<dyn Collector>, Unavailable> {
    let mut reader = Reader::default();
    let layout = Layout::find(&context.host, &mut reader).map_err(|error| Unavailable(error.to_string()))?;
    let version = version(&context.host, &layout, &mut reader).ok_or_else(|| {
        Unavailable("no hugetlb controller: it needs a kernel with CONFIG_CGROUP_HUGETLB=y, and to be mounted".into())
    })?;
    let mut sizes = Vec::new();
    let folder = "kernel/mm/hugepages";
    let listed = reader.list(&context.host.sys, folder, |name, _| {
        if let Some(size) = parse::size(name) {
            sizes.push(Size::new(size, format!("{folder}/{name}/nr_hugepages"), version));
        }
    });
    match listed {
        Ok(_) if !sizes.is_empty() => Ok(Box::new(ContainerHugetlb { sizes })),
        Ok(_) => Err(Unavailable(format!(
            "no page sizes in {}: the CPU or the kernel has no huge pages (CONFIG_HUGETLBFS)",
            context.host.sys.join(folder).display()
        ))),
        Err(problem) => Err(Unavailable(format!("{problem}: {}", problem.source))),
    }
}

/// Where the controller is; on version 2 a kernel may lack it.
fn version(host: &Host, layout: &Layout, reader: &mut Reader) -> Option<Version> {
    let version = layout.version(Controller::Hugetlb)?;
    if version == Version::V2 {
        let controllers = reader.read(&host.cgroup, "cgroup.controllers").ok()??;
        text::words(controllers).find(|word| *word == b"hugetlb")?;
    }
    Some(version)
}

impl Size {
    fn new(name: String, pool: String, version: Version) -> Self {
        let file = |what: &str| intern(format!("hugetlb.{name}.{what}"));
        let v2 = version == Version::V2;
        let pick = |new: &str, old: &str| file(if v2 { new } else { old });
        Self {
            pool,
            used: pick("current", "usage_in_bytes"),
            reserved: pick("rsvd.current", "rsvd.usage_in_bytes"),
            limit: pick("max", "limit_in_bytes"),
            refused: pick("events", "failcnt"),
            v1: (!v2).then(|| ["max_usage_in_bytes", "rsvd.max_usage_in_bytes", "rsvd.failcnt"].map(file)),
            name,
        }
    }
}

/// Names of kept files live as long as the program. There are few, however often collectors are built anew.
fn intern(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = name.leak();
    names.insert(name);
    name
}

impl Collector for ContainerHugetlb {
    fn collect(&mut self, scrape: &mut Scrape<'_>) -> Result<(), ReadError> {
        let layout = Arc::clone(scrape.tree.layout());
        let Scrape { tree, host, reader, out, problems, .. } = scrape;
        for size in &self.sizes {
            if reader.read(&host.sys, &size.pool)?.and_then(text::only_number).unwrap_or(0) == 0 {
                continue;
            }
            for group in tree.groups() {
                if group.cadvisor.is_none() && group.own.is_none() {
                    continue;
                }
                match read(group, &layout, reader, size) {
                    Ok(Some(pages)) => emit(group, &size.name, &pages, out),
                    Ok(None) => {}
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Ok(())
    }
}

/// Huge pages of one size, in bytes.
#[derive(Clone, Copy, Debug)]
struct Pages {
    used: u64,
    reserved: Option<u64>,
    limit: Option<u64>,
    peak: Option<u64>,
    refused: u64,
}

fn read(group: &mut Group, layout: &Layout, reader: &mut Reader, size: &Size) -> Result<Option<Pages>, ReadError> {
    let own = group.own.is_some();
    let mut number =
        |name, of: fn(&[u8]) -> Option<u64>| Ok(group.read(layout, Controller::Hugetlb, name, reader)?.and_then(of));
    let Some(used) = number(size.used, text::only_number)? else { return Ok(None) };
    let reserved = number(size.reserved, text::only_number)?;
    let limit = if own { number(size.limit, parse::limit)? } else { None };
    let Some([peak_used, peak_reserved, failcnt_reserved]) = size.v1 else {
        let refused = number(size.refused, parse::refused)?.unwrap_or(0);
        return Ok(Some(Pages { used, reserved, limit, peak: None, refused }));
    };
    let peak = number(if reserved.is_some() { peak_reserved } else { peak_used }, text::only_number)?;
    // Refused when they were set aside, or when they were to be used.
    let refused = number(size.refused, text::only_number)?.unwrap_or(0);
    let refused = refused.saturating_add(number(failcnt_reserved, text::only_number)?.unwrap_or(0));
    Ok(Some(Pages { used, reserved, limit, peak, refused }))
}

fn emit(group: &Group, size: &str, pages: &Pages, out: &mut Batch) {
    if let Some(of) = group.cadvisor {
        out.put_of(&cadvisor::USAGE, of, [size], Bytes(pages.reserved.unwrap_or(pages.used)));
        out.put_of(&cadvisor::FAILCNT, of, [size], pages.refused);
        if let Some(peak) = pages.peak {
            out.put_of(&cadvisor::MAX_USAGE, of, [size], Bytes(peak));
        }
    }
    if let Some(of) = group.own {
        out.put_of(&own::USED, of, [size], Bytes(pages.used));
        if let Some(reserved) = pages.reserved {
            out.put_of(&own::RESERVED, of, [size], Bytes(reserved));
        }
        if let Some(limit) = pages.limit {
            out.put_of(&own::LIMIT, of, [size], Bytes(limit));
        }
        out.put_of(&own::REFUSED, of, [size], pages.refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{collectors::golden::check, config::Config};

    #[test]
    fn pages_are_shown_by_size_on_both_versions() {
        for tree in ["container_hugetlb/testdata/cgroup-v1-6-12", "container_hugetlb/testdata/debian-12-6-12"] {
            check(&SPEC, tree, View::Cadvisor);
            check(&SPEC, tree, View::Own);
        }
    }

    #[test]
    fn without_the_controller_the_reason_names_what_would_bring_it() {
        let root = tempfile::tempdir().unwrap();
        for sub in ["proc", "sys", "cgroup", "rootfs"] {
            std::fs::create_dir(root.path().join(sub)).unwrap();
        }
        std::fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu memory\n").unwrap();
        let context = Context::alone(Arc::new(Host::below(root.path()).unwrap()), Config::default());
        let without = build(&context).err().unwrap().0;
        assert!(without.contains("CONFIG_CGROUP_HUGETLB=y"), "{without}");
        std::fs::write(root.path().join("cgroup/cgroup.controllers"), "cpu hugetlb\n").unwrap();
        let without = build(&context).err().unwrap().0;
        assert!(without.contains("/sys/kernel/mm/hugepages"), "{without}");
    }
}
