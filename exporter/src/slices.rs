//! All slices of the agent: collectors that read files, then eBPF probes.

use std::collections::HashSet;

use caps::{Capability, CapsHashSet};

use crate::{
    collectors,
    config::{Config, is_called},
    privilege::Needed,
    probes,
    spec::{Spec, View},
};

/// Every slice, in the order in which they run and families are shown. First the one that spares others their reads.
pub fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    [&probes::iterators::SPEC].into_iter().chain(collectors::ALL.iter().chain(probes::ALL).copied())
}

/// Names of all families that slices declare for a view.
pub fn declared(view: View) -> HashSet<&'static str> {
    let shown = all().flat_map(|spec| spec.shows).filter(|(shown, _)| *shown == view);
    shown.flat_map(|(_, families)| families.iter().map(|desc| desc.name)).collect()
}

/// Whether a slice is made of eBPF programs.
pub fn is_probe(spec: &Spec) -> bool {
    spec.name == probes::iterators::SPEC.name || probes::ALL.iter().any(|probe| probe.name == spec.name)
}

/// Whether a slice goes by this name.
pub fn is_known(name: &str) -> bool {
    all().any(|spec| is_called(spec.name, name))
}

/// Whether a slice is to run.
pub fn wants(config: &Config, spec: &Spec) -> bool {
    let asks_for = |spec: &Spec| config.collector.asks_for(spec.name, spec.default_on);
    let stands_in = spec.name == collectors::node_netdev::SPEC.name && config.collector.links_with_stats();
    let wanted = asks_for(spec) || (stands_in && asks_for(&collectors::node_netclass::SPEC));
    wanted && !(config.probe.disable && is_probe(spec))
}

/// The capabilities that the slices which are wanted declare, and what the agent itself takes.
pub fn needed(config: &Config) -> Needed {
    let wanted = all().filter(|spec| wants(config, spec));
    let mut declared: CapsHashSet = wanted.flat_map(Spec::capabilities).collect();
    // Files that say how containers are called, keys and configuration may be for root alone.
    declared.insert(Capability::CAP_DAC_READ_SEARCH);
    if declared.contains(&Capability::CAP_BPF) {
        // Locked memory, before Linux 5.11.
        declared.insert(Capability::CAP_SYS_RESOURCE);
    }
    if config.web.listen_address.iter().any(|address| is_privileged(address)) {
        declared.insert(Capability::CAP_NET_BIND_SERVICE);
    }
    Needed::of(declared)
}

/// Whether only the privileged may listen there.
fn is_privileged(address: &str) -> bool {
    let port = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    port.is_some_and(|port| (1..1024).contains(&port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netdev_runs_in_the_place_of_a_netclass_that_shows_counters() {
        let netdev = &collectors::node_netdev::SPEC;
        let mut config = Config::default();
        config.collector.disable = vec!["netdev".into()];
        config.collector.netclass_rtnl.with_stats = true;
        assert!(!wants(&config, netdev));
        config.collector.netclass.netlink = true;
        assert!(wants(&config, netdev));
    }

    fn set(names: &[Capability]) -> CapsHashSet {
        names.iter().copied().collect()
    }

    #[test]
    fn what_is_needed_follows_what_is_wanted() {
        use Capability as C;
        let mut config = Config::default();
        let all = needed(&config);
        assert_eq!(all.kept, set(&[C::CAP_BPF, C::CAP_DAC_READ_SEARCH, C::CAP_SYS_PTRACE]));
        assert!(all.start.is_superset(&all.kept) && all.start.contains(&C::CAP_PERFMON), "{:?}", all.start);
        config.probe.disable = true;
        assert_eq!(needed(&config).start, set(&[C::CAP_DAC_READ_SEARCH, C::CAP_SYS_PTRACE]));
        config.collector.disable_defaults = true;
        config.web.listen_address = vec!["[::1]:443".into()];
        assert_eq!(needed(&config).kept, set(&[C::CAP_DAC_READ_SEARCH, C::CAP_NET_BIND_SERVICE]));
    }

    #[test]
    fn every_capability_that_is_declared_is_one() {
        for spec in all() {
            let text =
                serde_json::to_string(&spec.needs.iter().map(metric::NeedEntry::from).collect::<Vec<_>>()).unwrap();
            assert_eq!(spec.capabilities().count(), text.matches("\"capability\"").count(), "{}", spec.name);
        }
    }

    #[test]
    fn what_a_slice_needs_is_names_without_prose() {
        fn names(need: &metric::NeedEntry) -> Vec<&str> {
            match need {
                metric::NeedEntry::Capability(name) | metric::NeedEntry::Hook(name) | metric::NeedEntry::File(name) => {
                    vec![name]
                }
                metric::NeedEntry::OneOf(sets) => sets.iter().flatten().flat_map(names).collect(),
                _ => Vec::new(),
            }
        }
        for spec in all() {
            for need in spec.needs.iter().map(metric::NeedEntry::from) {
                assert!(names(&need).iter().all(|name| !name.contains([' ', ','])), "{}: {need}", spec.name);
            }
        }
    }
}
