//! All slices of the agent: what reads files, then what the kernel counts for us.

use crate::{
    collectors,
    config::{Config, is_called},
    probes,
    spec::Spec,
};

/// Every slice, in the order in which they run and families are shown. First the one that spares others their reads.
pub fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    [&probes::iterators::SPEC].into_iter().chain(collectors::ALL.iter().chain(probes::ALL).copied())
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
}
