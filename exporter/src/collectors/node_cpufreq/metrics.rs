//! Families of `node_cpufreq`.

use metric::{Count, Desc, Family, Hertz, Label};

use crate::collectors::node::gauge;

const CPU: Label = Label::open("cpu", "CPUs of the machine");

/// A file of the folder `cpufreq` with a frequency in kilohertz, and its family.
pub(super) type Frequency = (&'static str, &'static Family<Hertz, 1>);

static NOW: Family<Hertz, 1> =
    gauge("node_cpu_frequency_hertz", "Frequency that the hardware runs the CPU at.", &[CPU]);
static AVERAGE: Family<Hertz, 1> =
    gauge("node_cpu_frequency_avg_hertz", "Frequency of the CPU on average over the last tick.", &[CPU]);
static MINIMUM: Family<Hertz, 1> = gauge("node_cpu_frequency_min_hertz", "Lowest frequency of the CPU.", &[CPU]);
static MAXIMUM: Family<Hertz, 1> = gauge("node_cpu_frequency_max_hertz", "Highest frequency of the CPU.", &[CPU]);
static SCALED: Family<Hertz, 1> =
    gauge("node_cpu_scaling_frequency_hertz", "Frequency that the governor last asked for.", &[CPU]);
static SCALED_MINIMUM: Family<Hertz, 1> =
    gauge("node_cpu_scaling_frequency_min_hertz", "Lowest frequency that the governor may ask for.", &[CPU]);
static SCALED_MAXIMUM: Family<Hertz, 1> =
    gauge("node_cpu_scaling_frequency_max_hertz", "Highest frequency that the governor may ask for.", &[CPU]);
pub(super) static GOVERNOR: Family<Count, 2> = gauge(
    "node_cpu_scaling_governor",
    "Whether this is the governor in charge.",
    &[CPU, Label::open("governor", "governors of the kernel")],
);

pub(super) static FREQUENCIES: [Frequency; 7] = [
    ("cpuinfo_cur_freq", &NOW),
    ("cpuinfo_avg_freq", &AVERAGE),
    ("cpuinfo_min_freq", &MINIMUM),
    ("cpuinfo_max_freq", &MAXIMUM),
    ("scaling_cur_freq", &SCALED),
    ("scaling_min_freq", &SCALED_MINIMUM),
    ("scaling_max_freq", &SCALED_MAXIMUM),
];

pub(super) static ALL: &[&Desc] = &[
    NOW.desc(),
    AVERAGE.desc(),
    MINIMUM.desc(),
    MAXIMUM.desc(),
    SCALED.desc(),
    SCALED_MINIMUM.desc(),
    SCALED_MAXIMUM.desc(),
    GOVERNOR.desc(),
];
