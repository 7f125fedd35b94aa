//! Families of `container_cpuset`.

use metric::{Count, Desc, Family, Kind};

use crate::identity::{AsCadvisor, AsContainer};

/// cAdvisor's names, kept.
pub(super) mod cadvisor {
    use super::{AsCadvisor, Count, Desc, Family, Kind};

    pub(in super::super) static MIGRATE: Family<Count, 0, AsCadvisor> = Family::as_named_by(
        "cadvisor",
        Kind::Gauge,
        "container_memory_migrate",
        "Whether memory moves along when the memory nodes of the container change.",
        &[],
    );
    pub(in super::super) static ALL: &[&Desc] = &[MIGRATE.desc()];
}

/// Our own.
pub(super) mod own {
    use super::{AsContainer, Count, Desc, Family};

    pub(in super::super) static CPUS: Family<Count, 0, AsContainer> =
        Family::gauge("container_cpuset_cpus", "CPUs that the container may run on.", &[]);
    pub(in super::super) static MEMORY_NODES: Family<Count, 0, AsContainer> =
        Family::gauge("container_cpuset_memory_nodes", "Memory nodes that the container may take memory from.", &[]);
    pub(in super::super) static ALL: &[&Desc] = &[CPUS.desc(), MEMORY_NODES.desc()];
}
