//! Parses `cpu.stat`: of version 2 time and throttling, of version 1 throttling.

use kernfs::text;

/// Time used, in seconds, and how often a period ended throttled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuStat {
    pub(super) usage: f64,
    pub(super) throttled: u64,
}

/// ```text
/// usage_usec 123
/// nr_throttled 4
/// ```
pub(super) fn cpu_stat(file: &[u8]) -> CpuStat {
    let mut stat = CpuStat::default();
    for (key, value) in text::pairs(file) {
        match key {
            b"usage_usec" => stat.usage = value as f64 / 1e6,
            b"nr_throttled" => stat.throttled = value,
            _ => {}
        }
    }
    stat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_throttling_are_read() {
        let v2 = b"usage_usec 2500000\nuser_usec 1\nsystem_usec 2\nnr_periods 9\nnr_throttled 4\nthrottled_usec 7\n";
        assert_eq!(cpu_stat(v2), CpuStat { usage: 2.5, throttled: 4 });
        assert_eq!(cpu_stat(b"nr_periods 0\nnr_throttled 3\nthrottled_time 0\n"), CpuStat { usage: 0.0, throttled: 3 });
        assert_eq!(cpu_stat(b"odd"), CpuStat::default());
    }
}
