//! Families of `node_cpu`.

use metric::{Count, Desc, Family, Label, Seconds};

use crate::collectors::node::{counter, gauge};

const CPU: Label = Label::open("cpu", "CPUs of the machine");
const PACKAGE: Label = Label::open("package", "CPU packages of the machine");
const CORE: Label = Label::open("core", "cores of a CPU package");

/// The first eight columns of a line of `/proc/stat`, in order.
pub(super) const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// The two columns that follow.
pub(super) const GUEST_MODES: [&str; 2] = ["user", "nice"];

pub(super) static TIME: Family<Seconds, 2> =
    counter("node_cpu_seconds_total", "Time that the CPU spent in each mode.", &[CPU, Label::closed("mode", &MODES)]);
pub(super) static GUEST: Family<Seconds, 2> = counter(
    "node_cpu_guest_seconds_total",
    "Time that the CPU spent in guests; it is part of the user and nice time too.",
    &[CPU, Label::closed("mode", &GUEST_MODES)],
);
pub(super) static INFO: Family<Count, 10> = gauge(
    "node_cpu_info",
    "What the CPU is, from /proc/cpuinfo.",
    &[
        PACKAGE,
        CORE,
        CPU,
        Label::open("vendor", "one a machine"),
        Label::open("family", "one a machine"),
        Label::open("model", "one a machine"),
        Label::open("model_name", "one a machine"),
        Label::open("microcode", "one a machine"),
        Label::open("stepping", "one a machine"),
        Label::open("cachesize", "one a machine"),
    ],
);
pub(super) static FLAG: Family<Count, 1> = gauge(
    "node_cpu_flag_info",
    "A feature of the first CPU.",
    &[Label::open("flag", "features of a CPU that the pattern chooses")],
);
pub(super) static BUG: Family<Count, 1> = gauge(
    "node_cpu_bug_info",
    "A known bug of the first CPU.",
    &[Label::open("bug", "bugs of a CPU that the pattern chooses")],
);
pub(super) static CORE_THROTTLES: Family<Count, 2> =
    counter("node_cpu_core_throttles_total", "How often heat slowed the core down.", &[PACKAGE, CORE]);
pub(super) static PACKAGE_THROTTLES: Family<Count, 1> =
    counter("node_cpu_package_throttles_total", "How often heat slowed the whole package down.", &[PACKAGE]);
pub(super) static ISOLATED: Family<Count, 1> =
    gauge("node_cpu_isolated", "The CPU is kept free of ordinary tasks; always 1.", &[CPU]);
pub(super) static ONLINE: Family<Count, 1> = gauge("node_cpu_online", "Whether the CPU is in use.", &[CPU]);

pub(super) static ALL: &[&Desc] = &[
    TIME.desc(),
    GUEST.desc(),
    INFO.desc(),
    FLAG.desc(),
    BUG.desc(),
    CORE_THROTTLES.desc(),
    PACKAGE_THROTTLES.desc(),
    ISOLATED.desc(),
    ONLINE.desc(),
];
