//! `cpu.stat`, `cpuacct.usage`, `cpuacct.stat`.
//!
//! Version 2 (admin-guide/cgroup-v2.rst, "cpu.stat"), microseconds:
//! ```text
//! usage_usec 8537362
//! user_usec 6000000
//! system_usec 2537362
//! nr_periods 10
//! nr_throttled 2
//! throttled_usec 150000
//! nr_bursts 1
//! burst_usec 300
//! ```
//! Version 1 keeps bandwidth in `cpu.stat` (scheduler/sched-bwc.rst; `throttled_time` and `burst_time` in nanoseconds)
//! and time in `cpuacct.usage` (nanoseconds) and `cpuacct.stat` (clock ticks).

use kernfs::text;
use metric::{Micros, Nanos, Seconds, Ticks};

/// CPU time of a cgroup and all below it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Time {
    pub(super) usage: Option<Seconds>,
    pub(super) user: Option<Seconds>,
    pub(super) system: Option<Seconds>,
}

/// What the CPU quota did. Counts since the cgroup was made, or since its bandwidth was last set up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bandwidth {
    pub(super) periods: u64,
    pub(super) throttled_periods: u64,
    pub(super) throttled: Seconds,
    /// (periods, time); `None` before Linux 5.15.
    pub(super) burst: Option<(u64, Seconds)>,
}

/// `cpu.stat` of version 2.
pub(super) fn cpu_stat_v2(file: &[u8]) -> (Time, Bandwidth) {
    let (mut time, mut bandwidth) = (Time::default(), Bandwidth::default());
    for (key, value) in text::pairs(file) {
        let micros = Seconds::from(Micros(value));
        match key {
            b"usage_usec" => time.usage = Some(micros),
            b"user_usec" => time.user = Some(micros),
            b"system_usec" => time.system = Some(micros),
            b"throttled_usec" => bandwidth.throttled = micros,
            b"burst_usec" => bandwidth.burst.get_or_insert_default().1 = micros,
            _ => bandwidth.count(key, value),
        }
    }
    (time, bandwidth)
}

/// `cpu.stat` of version 1.
pub(super) fn cpu_stat_v1(file: &[u8]) -> Bandwidth {
    let mut bandwidth = Bandwidth::default();
    for (key, value) in text::pairs(file) {
        match key {
            b"throttled_time" => bandwidth.throttled = Nanos(value).into(),
            b"burst_time" => bandwidth.burst.get_or_insert_default().1 = Nanos(value).into(),
            _ => bandwidth.count(key, value),
        }
    }
    bandwidth
}

impl Bandwidth {
    fn count(&mut self, key: &[u8], value: u64) {
        match key {
            b"nr_periods" => self.periods = value,
            b"nr_throttled" => self.throttled_periods = value,
            b"nr_bursts" => self.burst.get_or_insert_default().0 = value,
            _ => {}
        }
    }
}

/// `cpuacct.usage`.
pub(super) fn cpuacct_usage(file: &[u8]) -> Option<Seconds> {
    text::only_number(file).map(|nanos| Nanos(nanos).into())
}

/// `cpuacct.stat`: user and system.
pub(super) fn cpuacct_stat(file: &[u8]) -> (Option<Seconds>, Option<Seconds>) {
    let (mut user, mut system) = (None, None);
    for (key, value) in text::pairs(file) {
        match key {
            b"user" => user = Some(Ticks(value).into()),
            b"system" => system = Some(Ticks(value).into()),
            _ => {}
        }
    }
    (user, system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn version_2_tells_time_and_bandwidth_in_one_file() {
        let (time, bandwidth) = cpu_stat_v2(
            b"usage_usec 8537362\nuser_usec 6000000\nsystem_usec 2537362\ncore_sched.force_idle_usec 0\n\
              nr_periods 10\nnr_throttled 2\nthrottled_usec 150000\nnr_bursts 1\nburst_usec 300\n",
        );
        assert_eq!(time.usage, Some(Seconds(8.537_362)));
        assert_eq!(bandwidth.throttled, Seconds(0.15));
        assert_eq!(bandwidth.burst, Some((1, Seconds(0.0003))));
    }

    #[test]
    fn version_1_counts_nanoseconds() {
        let bandwidth = cpu_stat_v1(b"nr_periods 3\nnr_throttled 1\nthrottled_time 2500000000\n");
        assert_eq!((bandwidth.throttled, bandwidth.burst), (Seconds(2.5), None));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (cpu_stat_v2(&bytes), cpu_stat_v1(&bytes), cpuacct_usage(&bytes), cpuacct_stat(&bytes));
        }
    }
}
