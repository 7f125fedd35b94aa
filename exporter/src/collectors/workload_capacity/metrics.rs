//! Families of `workload_capacity`.

use metric::{Count, Desc, Family, Label, Seconds};

use crate::identity::{AsWorkload, KINDS};

const WORKLOADS: &str = "workloads with pods on the node";
const PODS: &str = "pods of the node";
const PHASES: [&str; 5] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

pub(super) static POD: Family<Count, 5> = Family::gauge(
    "pod_workload_info",
    "A pod of the node and the workload that it belongs to, with the labels that kubernetes.pod_labels names; always 1.",
    &[
        Label::open("namespace", PODS),
        Label::open("pod", PODS),
        Label::open("workload", WORKLOADS),
        Label::open("workload_kind", KINDS),
        Label::closed("phase", &PHASES),
    ],
);
pub(super) static OWNER: Family<Count, 0, AsWorkload> = Family::gauge(
    "workload_owner_info",
    "Whom a workload with pods on the node belongs to, in the labels that kubernetes.owner_labels names; always 1.",
    &[],
);
pub(super) static PODS_THERE: Family<Count, 1, AsWorkload> = Family::gauge(
    "workload_pods",
    "Pods of the workload on the node, by phase; only phases that there are pods in.",
    &[Label::closed("phase", &PHASES)],
);
pub(super) static EVICTED: Family<Count, 0, AsWorkload> =
    Family::gauge("workload_pods_evicted", "Pods of the workload that the node evicted and that are still there.", &[]);
pub(super) static OVER_CPU_REQUEST: Family<Count, 0, AsWorkload> = Family::gauge(
    "workload_pods_over_cpu_request",
    "Pods of the workload that use more CPU time than they ask for, over 10 seconds at least, whoever scrapes.",
    &[],
);
pub(super) static OVER_MEMORY_REQUEST: Family<Count, 0, AsWorkload> = Family::gauge(
    "workload_pods_over_memory_request",
    "Pods of the workload that use more memory than they ask for.",
    &[],
);
pub(super) static NEAR_MEMORY_LIMIT: Family<Count, 0, AsWorkload> = Family::gauge(
    "workload_pods_near_memory_limit",
    "Pods of the workload with a container that uses 90 % or more of the memory that it may have.",
    &[],
);
pub(super) static THROTTLED: Family<Count, 0, AsWorkload> = Family::gauge(
    "workload_pods_throttled",
    "Pods of the workload with a container that was throttled in the last minute or since the scrape before.",
    &[],
);
pub(super) static CPU_REQUESTED: Family<Seconds, 0, AsWorkload> = Family::counter(
    "workload_cpu_requested_seconds_total",
    "CPU time that the workload's running pods asked for: CPUs times seconds.",
    &[],
);
pub(super) static CPU_USED: Family<Seconds, 0, AsWorkload> = Family::counter(
    "workload_cpu_used_seconds_total",
    "CPU time that containers used while a scrape saw them; workload_cpu_usage_seconds_total has those too that no scrape \
     saw.",
    &[],
);
pub(super) static MEMORY_REQUESTED: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_memory_requested_byte_seconds_total",
    "Memory that the workload's running pods asked for: bytes times seconds.",
    &[],
);
pub(super) static MEMORY_USED: Family<Count, 0, AsWorkload> = Family::counter(
    "workload_memory_used_byte_seconds_total",
    "Memory that the workload's containers used: bytes times seconds, as of the scrapes.",
    &[],
);
pub(super) static COST: Family<Count, 2, AsWorkload> = Family::counter(
    "workload_cost_total",
    "Cost of the workload's running pods in the configured currency: the greater of request and usage, times the price, over time.",
    &[Label::closed("resource", &["cpu", "memory"]), Label::open("currency", "1")],
);

/// All of them.
pub(super) static FAMILIES: &[&Desc] = &[
    POD.desc(),
    OWNER.desc(),
    PODS_THERE.desc(),
    EVICTED.desc(),
    OVER_CPU_REQUEST.desc(),
    OVER_MEMORY_REQUEST.desc(),
    NEAR_MEMORY_LIMIT.desc(),
    THROTTLED.desc(),
    CPU_REQUESTED.desc(),
    CPU_USED.desc(),
    MEMORY_REQUESTED.desc(),
    MEMORY_USED.desc(),
    COST.desc(),
];
