//! Options of the collectors of the node view, with `node_exporter`'s names and defaults: the key
//! `collector.filesystem.mount_points_exclude` is the flag `--collector.filesystem.mount-points-exclude`.

use std::{borrow::Cow, fmt, str::FromStr};

use daemon::Period;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Disks that `collector.diskstats` leaves out: RAM disks, loop devices, floppies, and partitions.
pub const DISKSTATS_DEVICE_EXCLUDE: &str = r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$";
/// Mount points that `collector.filesystem` leaves out.
pub const FILESYSTEM_MOUNT_POINTS_EXCLUDE: &str =
    r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
/// File systems that `collector.filesystem` leaves out: those that keep no data of users.
pub const FILESYSTEM_FS_TYPES_EXCLUDE: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|\
    fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|\
    sysfs|tracefs)$";
/// Fields that `collector.netstat` shows.
pub const NETSTAT_FIELDS: &str = "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|\
    Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|\
    Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|\
    Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$";
/// Fields that `collector.vmstat` shows.
pub const VMSTAT_FIELDS: &str = "^(oom_kill|pgpg|pswp|pg.*fault).*";
/// Units that `collector.systemd` shows.
pub const SYSTEMD_UNIT_INCLUDE: &str = ".+";
/// Of those, units that `collector.systemd` leaves out: those that come and go with what they stand for.
pub const SYSTEMD_UNIT_EXCLUDE: &str = r".+\.(automount|device|mount|scope|slice)";
/// Devices that `collector.netclass` leaves out: none.
pub const NETCLASS_IGNORED_DEVICES: &str = "^$";
/// Supplies that `collector.powersupplyclass` leaves out: none.
pub const POWERSUPPLY_IGNORED: &str = "^$";
/// Drives that `collector.tapestats` leaves out: none.
pub const TAPESTATS_IGNORED: &str = "^$";

/// A regular expression, in the syntax of the `regex` crate, which is that of RE2 but for rare corners. It matches
/// anywhere unless anchored. Empty means: not set.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    regex: Option<Regex>,
}

impl Pattern {
    /// Whether it is not set.
    pub const fn is_empty(&self) -> bool {
        self.regex.is_none()
    }

    /// Whether it matches. One that is not set matches all.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_ref().map_or("", Regex::as_str)
    }

    /// One that is known to be right.
    fn of(text: &str) -> Self {
        text.parse().unwrap_or_default()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        match Regex::new(text) {
            Ok(regex) => Ok(Self { regex: Some(regex) }),
            Err(error) => {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or("").trim_start_matches("error: ");
                Err(format!("`{text}` is no regular expression: {reason}"))
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "regex" })
    }
}

/// ARP tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Arp {
    /// Network devices to show. Cannot be combined with `device_exclude`.
    pub device_include: Pattern,
    /// Network devices to omit.
    pub device_exclude: Pattern,
    /// Accepted for compatibility with `node_exporter` and ignored: the series are the same.
    pub netlink: bool,
}

impl Default for Arp {
    fn default() -> Self {
        Self { device_include: Pattern::default(), device_exclude: Pattern::default(), netlink: true }
    }
}

/// bcache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bcache {
    /// Show the use of caching devices. The kernel scans every bucket of the device for it.
    #[schemars(extend("x-flag" = "collector.bcache.priorityStats"))]
    pub priority_stats: bool,
}

/// CPU time and CPU properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cpu {
    /// Show the time that CPUs spent in guests.
    pub guest: bool,
    /// Show `node_cpu_info`: vendor, model and the like of each CPU.
    pub info: bool,
    /// Pattern of flags of the first CPU to show as `node_cpu_flag_info`. Implies `info`.
    #[schemars(extend("x-flag" = "collector.cpu.info.flags-include"))]
    pub info_flags_include: Pattern,
    /// Pattern of bugs of the first CPU to show as `node_cpu_bug_info`. Implies `info`.
    #[schemars(extend("x-flag" = "collector.cpu.info.bugs-include"))]
    pub info_bugs_include: Pattern,
}

impl Default for Cpu {
    fn default() -> Self {
        Self { guest: true, info: false, info_flags_include: Pattern::default(), info_bugs_include: Pattern::default() }
    }
}

/// I/O of block devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Diskstats {
    /// Block devices to omit.
    pub device_exclude: Pattern,
    /// Block devices to show. Replaces the default of `device_exclude`; cannot be combined with another.
    pub device_include: Pattern,
}

impl Default for Diskstats {
    fn default() -> Self {
        Self { device_exclude: Pattern::of(DISKSTATS_DEVICE_EXCLUDE), device_include: Pattern::default() }
    }
}

/// Space on mounted file systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filesystem {
    /// Mount points to omit.
    pub mount_points_exclude: Pattern,
    /// Mount points to show. Replaces the default of `mount_points_exclude`; cannot be combined with another.
    pub mount_points_include: Pattern,
    /// Types of file systems to omit.
    pub fs_types_exclude: Pattern,
    /// Types of file systems to show. Replaces the default of `fs_types_exclude`; cannot be combined with another.
    pub fs_types_include: Pattern,
    /// Timeout of statfs per mount. A mount over it gets `device_error` and is not queried again until it has answered;
    /// other mounts are shown.
    #[schemars(extend("x-minimum" = "1ms", "x-maximum" = "1h"))]
    pub mount_timeout: Period,
}

impl Default for Filesystem {
    fn default() -> Self {
        Self {
            mount_points_exclude: Pattern::of(FILESYSTEM_MOUNT_POINTS_EXCLUDE),
            mount_points_include: Pattern::default(),
            fs_types_exclude: Pattern::of(FILESYSTEM_FS_TYPES_EXCLUDE),
            fs_types_include: Pattern::default(),
            mount_timeout: Period::seconds(5),
        }
    }
}

/// Sensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hwmon {
    /// Chips to show. Cannot be combined with `chip_exclude`.
    pub chip_include: Pattern,
    /// Chips to omit.
    pub chip_exclude: Pattern,
    /// Sensors to show, as `chip;sensor`. Cannot be combined with `sensor_exclude`.
    pub sensor_include: Pattern,
    /// Sensors to omit, as `chip;sensor`.
    pub sensor_exclude: Pattern,
}

/// InfiniBand and `RoCE` ports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Infiniband {
    /// Devices to show. Cannot be combined with `device_exclude`.
    pub device_include: Pattern,
    /// Devices to omit.
    pub device_exclude: Pattern,
}

/// Interrupts by CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Interrupts {
    /// Interrupts to show, as `type;info;devices`. Cannot be combined with `name_exclude`.
    pub name_include: Pattern,
    /// Interrupts to omit, as `type;info;devices`.
    pub name_exclude: Pattern,
    /// Also show interrupts that a CPU never served.
    pub include_zeros: bool,
}

impl Default for Interrupts {
    fn default() -> Self {
        Self { name_include: Pattern::default(), name_exclude: Pattern::default(), include_zeros: true }
    }
}

/// The kernel's load balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ipvs {
    /// Labels that tell backends apart, of `local_address`, `local_port`, `remote_address`, `remote_port`, `proto` and
    /// `local_mark`, with commas between. Backends that have the same are added up.
    pub backend_labels: BackendLabels,
}

/// Labels of the families of `collector.ipvs` that are about backends.
const BACKEND_LABELS: [&str; 6] =
    ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"];

/// Labels that tell backends of the kernel's load balancer apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendLabels([bool; 6]);

impl BackendLabels {
    /// The values, those of labels that are not chosen empty.
    pub fn of(&self, mut values: [String; 6]) -> [String; 6] {
        for (value, _) in values.iter_mut().zip(self.0).filter(|(_, is_chosen)| !is_chosen) {
            value.clear();
        }
        values
    }
}

impl Default for BackendLabels {
    fn default() -> Self {
        Self([true; 6])
    }
}

impl FromStr for BackendLabels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut chosen = [false; 6];
        for name in text.split(',').filter(|name| !name.is_empty()) {
            let known = BACKEND_LABELS.iter().zip(&mut chosen).find(|(label, _)| **label == name);
            *known.ok_or_else(|| format!("`{name}` is none of {}", BACKEND_LABELS.join(", ")))?.1 = true;
        }
        Ok(Self(chosen))
    }
}

impl fmt::Display for BackendLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = BACKEND_LABELS.iter().zip(self.0).filter(|(_, is_chosen)| *is_chosen).map(|(label, _)| *label);
        f.write_str(&chosen.collect::<Vec<_>>().join(","))
    }
}

impl Serialize for BackendLabels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackendLabels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for BackendLabels {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BackendLabels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Properties of network devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Netclass {
    /// Network devices to omit.
    pub ignored_devices: Pattern,
    /// Omit `node_network_speed_bytes` of devices without a known speed, instead of showing a negative value.
    pub ignore_invalid_speed: bool,
    /// Also show `node_network_altnames_info` (alternative device names), which only netlink has, for the agent's
    /// network namespace. Everything else is still read from sysfs. Unlike `node_exporter` with this flag,
    /// `node_network_info` keeps `adminstate`, and devices that are down have no carrier.
    pub netlink: bool,
}

/// Options of `netclass` as read by netlink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetclassRtnl {
    /// Show the counters of network devices instead of netdev, for all devices that netclass shows. Needs
    /// `netclass.netlink`. The counters are those of `netdev.enable_detailed_metrics`, also if netdev is off.
    /// `node_exporter` declares them as gauges, this agent as counters.
    #[schemars(extend("x-flag" = "collector.netclass_rtnl.with-stats"))]
    pub with_stats: bool,
}

impl Default for Netclass {
    fn default() -> Self {
        Self { ignored_devices: Pattern::of(NETCLASS_IGNORED_DEVICES), ignore_invalid_speed: false, netlink: false }
    }
}

/// Traffic of network devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of node_exporter's")]
pub struct Netdev {
    /// Network devices to show. Cannot be combined with `device_exclude`.
    pub device_include: Pattern,
    /// Network devices to omit.
    pub device_exclude: Pattern,
    /// Show each kernel counter separately, under its own name, instead of the sums of `/proc/net/dev`.
    pub enable_detailed_metrics: bool,
    /// Show `node_network_address_info`: addresses of devices, in the agent's network namespace.
    pub address_info: bool,
    /// Show `node_network_receive_nohandler_total`, which only netlink has. Other series are not affected.
    pub netlink: bool,
    /// Add the label ifalias (the device's alias) to each series.
    pub label_ifalias: bool,
}

impl Default for Netdev {
    fn default() -> Self {
        Self {
            device_include: Pattern::default(),
            device_exclude: Pattern::default(),
            enable_detailed_metrics: false,
            address_info: false,
            netlink: true,
            label_ifalias: false,
        }
    }
}

/// Counters of network protocols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Netstat {
    /// Fields to show, as `Protocol_Field`.
    pub fields: Pattern,
}

impl Default for Netstat {
    fn default() -> Self {
        Self { fields: Pattern::of(NETSTAT_FIELDS) }
    }
}

/// Batteries and power supplies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Powersupply {
    /// Supplies to omit.
    pub ignored_supplies: Pattern,
}

impl Default for Powersupply {
    fn default() -> Self {
        Self { ignored_supplies: Pattern::of(POWERSUPPLY_IGNORED) }
    }
}

/// Queues of network devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Qdisc {
    /// Network devices to show. Cannot be combined with `device_exclude`.
    pub device_include: Pattern,
    /// Network devices to omit.
    pub device_exclude: Pattern,
}

/// Energy that processors and memory have used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rapl {
    /// Show one family, `node_rapl_joules_total`, with the zone as a label, instead of a family for each zone.
    pub enable_zone_label: bool,
}

/// The agent itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scrape {
    /// Omit `process_*`, the usage of the agent's process.
    #[schemars(extend("x-flag" = "web.disable-exporter-metrics"))]
    pub disable_exporter_metrics: bool,
}

/// The kernel's caches of objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Slabinfo {
    /// Caches to show.
    pub slabs_include: Pattern,
    /// Caches to omit from those.
    pub slabs_exclude: Pattern,
}

/// Interrupts, context switches, forks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stat {
    /// Show `node_softirqs_total`: soft interrupts by type.
    pub softirq: bool,
}

/// Units of systemd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of node_exporter's")]
pub struct Systemd {
    /// Units to show; the pattern matches the whole name.
    pub unit_include: Pattern,
    /// Units to omit from those; the pattern matches the whole name.
    pub unit_exclude: Pattern,
    /// Connect to systemd directly at `/run/systemd/private` instead of over the bus. Needs root.
    pub private: bool,
    /// Show the number and the limit of tasks of each service.
    pub enable_task_metrics: bool,
    /// Show how often systemd restarted each service.
    pub enable_restarts_metrics: bool,
    /// Show when each unit became active.
    pub enable_start_time_metrics: bool,
}

impl Default for Systemd {
    fn default() -> Self {
        Self {
            unit_include: Pattern::of(SYSTEMD_UNIT_INCLUDE),
            unit_exclude: Pattern::of(SYSTEMD_UNIT_EXCLUDE),
            private: false,
            enable_task_metrics: false,
            enable_restarts_metrics: false,
            enable_start_time_metrics: false,
        }
    }
}

/// Tape drives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tapestats {
    /// Drives to omit.
    pub ignored_devices: Pattern,
}

impl Default for Tapestats {
    fn default() -> Self {
        Self { ignored_devices: Pattern::of(TAPESTATS_IGNORED) }
    }
}

/// Metrics from text files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Textfile {
    /// Folder whose `*.prom` files are shown too; may hold `*` and `?`. May be given several times.
    pub directory: Vec<String>,
}

/// Counters of virtual memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Vmstat {
    /// Fields to show.
    pub fields: Pattern,
}

impl Default for Vmstat {
    fn default() -> Self {
        Self { fields: Pattern::of(VMSTAT_FIELDS) }
    }
}

/// Says when an include and an exclude pattern are both given. The default exclude pattern gives way.
fn conflict(include: &Pattern, exclude: &Pattern, default_exclude: &str) -> bool {
    !include.is_empty() && !exclude.is_empty() && exclude.as_str() != default_exclude
}

macro_rules! at_most_one {
    ($section:ident: $($include:ident, $exclude:ident, $default:expr;)+) => {
        impl $section {
            /// The key below this section, and what is wrong with it.
            pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
                $(if conflict(&self.$include, &self.$exclude, $default) {
                    return Err((stringify!($include), concat!("cannot be together with ", stringify!($exclude))));
                })+
                Ok(())
            }
        }
    };
}

at_most_one!(Arp: device_include, device_exclude, "";);
at_most_one!(Diskstats: device_include, device_exclude, DISKSTATS_DEVICE_EXCLUDE;);
at_most_one!(Filesystem:
    mount_points_include, mount_points_exclude, FILESYSTEM_MOUNT_POINTS_EXCLUDE;
    fs_types_include, fs_types_exclude, FILESYSTEM_FS_TYPES_EXCLUDE;);
at_most_one!(Hwmon: chip_include, chip_exclude, ""; sensor_include, sensor_exclude, "";);
at_most_one!(Infiniband: device_include, device_exclude, "";);
at_most_one!(Interrupts: name_include, name_exclude, "";);
at_most_one!(Qdisc: device_include, device_exclude, "";);
at_most_one!(Netdev: device_include, device_exclude, "";);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_pattern_is_a_regular_expression() {
        for text in [
            DISKSTATS_DEVICE_EXCLUDE,
            FILESYSTEM_MOUNT_POINTS_EXCLUDE,
            FILESYSTEM_FS_TYPES_EXCLUDE,
            NETSTAT_FIELDS,
            VMSTAT_FIELDS,
            NETCLASS_IGNORED_DEVICES,
            POWERSUPPLY_IGNORED,
            TAPESTATS_IGNORED,
            SYSTEMD_UNIT_INCLUDE,
            SYSTEMD_UNIT_EXCLUDE,
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap().as_str(), text);
            assert!(!text.contains(' '), "{text}");
        }
    }

    #[test]
    fn a_wrong_pattern_says_what_is_wrong() {
        let error = "eth(".parse::<Pattern>().unwrap_err();
        assert_eq!(error, "`eth(` is no regular expression: unclosed group");
    }

    #[test]
    fn partitions_and_kernel_file_systems_are_left_out() {
        let disks = Diskstats::default().device_exclude;
        for (name, left_out) in
            [("sda", false), ("sda1", true), ("nvme0n1", false), ("nvme0n1p2", true), ("dm-0", false)]
        {
            assert_eq!(disks.matches(name), left_out, "{name}");
        }
        let mounts = Filesystem::default();
        assert!(
            mounts.mount_points_exclude.matches("/sys/fs/cgroup") && !mounts.mount_points_exclude.matches("/system")
        );
        assert!(mounts.fs_types_exclude.matches("cgroup2") && !mounts.fs_types_exclude.matches("ext4"));
    }

    #[test]
    fn include_and_exclude_exclude_each_other_but_for_the_default() {
        let include = "^/data".parse::<Pattern>().unwrap();
        let mut options = Filesystem { mount_points_include: include, ..Filesystem::default() };
        assert_eq!(options.check(), Ok(()));
        options.mount_points_exclude = "^/tmp".parse().unwrap();
        assert_eq!(options.check().unwrap_err().0, "mount_points_include");
    }
}
