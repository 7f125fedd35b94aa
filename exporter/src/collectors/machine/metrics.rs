//! Families of `machine` and `machine_topology`.

use metric::{Bytes, Count, Desc, Family, Kind, Label, Subject, Unit, Watts};

const MACHINE: &str = "one machine";

/// The labels of cAdvisor's machine families.
#[derive(Debug)]
pub(super) struct AsMachine;

impl Subject for AsMachine {
    const LABELS: &'static [Label] =
        &[Label::open("machine_id", MACHINE), Label::open("system_uuid", MACHINE), Label::open("boot_id", MACHINE)];
}

const fn gauge<U: Unit, const N: usize>(
    name: &'static str,
    help: &'static str,
    labels: &'static [Label; N],
) -> Family<U, N, AsMachine> {
    Family::as_named_by("cadvisor", Kind::Gauge, name, help, labels)
}

const MEMORY_TYPE: &[Label; 1] = &[Label::open("type", "types of memory modules in the machine")];
const NODE: Label = Label::open("node_id", "memory nodes of the machine");
const CORE: Label = Label::open("core_id", "cores of the machine");

pub(super) static PHYSICAL_CORES: Family<Count, 0, AsMachine> =
    gauge("machine_cpu_physical_cores", "Cores of one processor, not counting threads twice.", &[]);
pub(super) static CORES: Family<Count, 0, AsMachine> =
    gauge("machine_cpu_cores", "CPUs of the machine, as the kernel counts them.", &[]);
pub(super) static SOCKETS: Family<Count, 0, AsMachine> =
    gauge("machine_cpu_sockets", "Processor packages of the machine.", &[]);
pub(super) static BOOKS: Family<Count, 0, AsMachine> =
    gauge("machine_cpu_books", "Books of processors of an IBM Z machine; 0 elsewhere.", &[]);
pub(super) static DRAWERS: Family<Count, 0, AsMachine> =
    gauge("machine_cpu_drawers", "Drawers of processors of an IBM Z machine; 0 elsewhere.", &[]);
pub(super) static MEMORY: Family<Bytes, 0, AsMachine> =
    gauge("machine_memory_bytes", "Memory that the kernel has.", &[]);
pub(super) static SWAP: Family<Bytes, 0, AsMachine> = gauge("machine_swap_bytes", "Swap space of the machine.", &[]);
pub(super) static DIMMS: Family<Count, 1, AsMachine> =
    gauge("machine_dimm_count", "Memory modules in the machine, by type.", MEMORY_TYPE);
pub(super) static DIMM_CAPACITY: Family<Bytes, 1, AsMachine> =
    gauge("machine_dimm_capacity_bytes", "Memory in modules of each type.", MEMORY_TYPE);
pub(super) static NVM_CAPACITY: Family<Bytes, 1, AsMachine> = gauge(
    "machine_nvm_capacity",
    "Bytes of persistent memory, by how it is used: as memory, or by applications directly.",
    &[Label::closed("mode", &["memory_mode", "app_direct_mode"])],
);
pub(super) static NVM_POWER: Family<Watts, 0, AsMachine> =
    gauge("machine_nvm_avg_power_budget_watts", "Power that persistent memory may draw on average.", &[]);
pub(super) static ALL: &[&Desc] = &[
    PHYSICAL_CORES.desc(),
    CORES.desc(),
    SOCKETS.desc(),
    BOOKS.desc(),
    DRAWERS.desc(),
    MEMORY.desc(),
    SWAP.desc(),
    DIMMS.desc(),
    DIMM_CAPACITY.desc(),
    NVM_CAPACITY.desc(),
    NVM_POWER.desc(),
];

/// Those that a kubelet does not ask for.
pub(super) mod topology {
    use super::{AsMachine, Bytes, CORE, Count, Desc, Family, Label, NODE, gauge};

    pub(in super::super) static CACHE: Family<Bytes, 4, AsMachine> = gauge(
        "machine_cpu_cache_capacity_bytes",
        "Size of a processor cache; without a core it serves the whole memory node.",
        &[
            NODE,
            CORE,
            Label::open("type", "kinds of caches: Data, Instruction, Unified"),
            Label::open("level", "levels of caches"),
        ],
    );
    pub(in super::super) static SIBLINGS: Family<Count, 3, AsMachine> = gauge(
        "machine_thread_siblings_count",
        "CPUs on the same core as this one, itself too.",
        &[NODE, CORE, Label::open("thread_id", "CPUs of the machine")],
    );
    pub(in super::super) static NODE_MEMORY: Family<Bytes, 1, AsMachine> =
        gauge("machine_node_memory_capacity_bytes", "Memory of a memory node.", &[NODE]);
    pub(in super::super) static HUGE_PAGES: Family<Count, 2, AsMachine> = gauge(
        "machine_node_hugepages_count",
        "Huge pages of a memory node, by their size in kibibytes.",
        &[NODE, Label::open("page_size", "sizes of huge pages that the processor knows")],
    );
    pub(in super::super) static DISTANCE: Family<Count, 2, AsMachine> = gauge(
        "machine_node_distance",
        "How far another memory node is; 10 is the node itself.",
        &[NODE, Label::open("target_node_id", "memory nodes of the machine")],
    );
    pub(in super::super) static ALL: &[&Desc] =
        &[CACHE.desc(), SIBLINGS.desc(), NODE_MEMORY.desc(), HUGE_PAGES.desc(), DISTANCE.desc()];
}
