//! Checks of a configuration beyond the types of its options. Each error names its key.

use daemon::Invalid;
use kernfs::{Host, Reader};

use crate::{
    config::Config,
    identity::{Layout, peers, pods},
    probes::object,
    slices,
    spec::View,
    workloads,
};

/// What must hold of a configuration beyond the types.
pub fn check(config: &Config) -> Result<(), Invalid> {
    config.web.check()?;
    config.log.check()?;
    let taken = [View::Cadvisor.path(), View::Node.path(), workloads::PATH];
    if taken.contains(&config.web.telemetry_path.as_str()) {
        return Err(Invalid::new("web.telemetry_path", "this path is another view's"));
    }
    for (key, names) in
        [("collector.enable", &config.collector.enable), ("collector.disable", &config.collector.disable)]
    {
        for name in names {
            if !slices::is_known(name) {
                return Err(Invalid::new(key, format!("no collector is called `{name}`{}", nearest(name))));
            }
        }
    }
    for (section, checked) in [
        ("arp", config.collector.arp.check()),
        ("diskstats", config.collector.diskstats.check()),
        ("filesystem", config.collector.filesystem.check()),
        ("hwmon", config.collector.hwmon.check()),
        ("infiniband", config.collector.infiniband.check()),
        ("interrupts", config.collector.interrupts.check()),
        ("netdev", config.collector.netdev.check()),
        ("qdisc", config.collector.qdisc.check()),
    ] {
        if let Err((key, what)) = checked {
            return Err(Invalid::new(&format!("collector.{section}.{key}"), what));
        }
    }
    if config.probe.is_pinned() && !object::is_bpffs(&config.probe.pin) {
        return Err(Invalid::new("probe.pin", "not on a BPF file system: mount one (`mount -t bpf bpf /sys/fs/bpf`)"));
    }
    if config.probe.is_pinned() && !config.probe.books.is_absolute() {
        let what =
            format!("`{}` is no absolute path; with probe.pin the books need a folder", config.probe.books.display());
        return Err(Invalid::new("probe.books", what));
    }
    if let Err((key, what)) = pods::check(&config.kubernetes) {
        return Err(Invalid::new(&format!("kubernetes.{key}"), what));
    }
    if let Err((key, what)) = peers::check(&config.peers) {
        return Err(Invalid::new(&format!("peers.{key}"), what));
    }
    for (key, path) in [
        ("path.procfs", &config.path.procfs),
        ("path.sysfs", &config.path.sysfs),
        ("path.cgroupfs", &config.path.cgroupfs),
        ("path.rootfs", &config.path.rootfs),
    ] {
        if let Err(error) = kernfs::Dir::open(path) {
            return Err(Invalid::new(key, format!("cannot open {}: {error}", path.display())));
        }
    }
    // A container's own tree, or a folder above the right one, would give empty pages.
    let procfs = ["stat", "meminfo", "mounts", "self", "1"].map(|name| config.path.procfs.join(name));
    if !procfs.iter().any(|path| path.exists()) {
        let what = format!("{} is no procfs: it has neither stat nor meminfo", config.path.procfs.display());
        return Err(Invalid::new("path.procfs", what));
    }
    let host = Host::open(&config.path.procfs, &config.path.sysfs, &config.path.cgroupfs, &config.path.rootfs);
    let host = host.map_err(|error| Invalid::new("path", error.to_string()))?;
    Layout::find(&host, &mut Reader::default()).map_err(|error| Invalid::new("path.cgroupfs", error.to_string()))?;
    Ok(())
}

/// "; did you mean `x`?" for the name that is most like the wrong one.
pub(crate) fn nearest(wrong: &str) -> String {
    let likeness = |name: &&str| strsim::jaro_winkler(name, wrong);
    let best = slices::all().map(|spec| spec.name).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|name| likeness(name) > 0.8).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_cgroups_is_refused_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.path.cgroupfs = folder.path().to_owned();
        let invalid = check(&config).unwrap_err();
        assert_eq!(invalid.key, "path.cgroupfs");
        assert!(invalid.what.starts_with("no cgroup hierarchy at "), "{}", invalid.what);
    }
}
