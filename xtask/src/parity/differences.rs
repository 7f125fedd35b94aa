//! What may differ between cAdvisor and us, and why: the whole list.
//!
//! A [`Near`] is a value that moves while two programs look at it one after the other. A [`Difference`] is one that is
//! there on purpose. Whatever is in neither table and not between two reads fails the comparison.

use crate::exposition::Series;

/// Labels whose values tell which program printed the page: (family, labels).
pub(super) const OF_THE_PROGRAM: &[(&str, &[&str])] =
    &[("cadvisor_version_info", &["cadvisorRevision", "cadvisorVersion", "dockerVersion"])];

/// How far a moving gauge may be from what the reference saw.
#[derive(Debug, PartialEq)]
pub(crate) struct Near {
    /// Exact name, or a prefix that ends in `*`.
    pub(crate) family: &'static str,
    /// Part of the reference's value.
    ratio: f64,
    /// In the unit of the family.
    absolute: f64,
    /// One line for a person.
    pub(crate) why: &'static str,
}

const MIB: f64 = 1024.0 * 1024.0;

/// Gauges that move.
pub(crate) const NEAR: &[Near] = &[
    Near { family: "container_last_seen", ratio: 0.0, absolute: 60.0, why: "the time of the look itself" },
    Near {
        family: "container_memory_*",
        ratio: 0.1,
        absolute: 2.0 * MIB,
        why: "memory moves between two looks (10 % and 2 MiB allowed)",
    },
    Near {
        family: "container_processes",
        ratio: 0.1,
        absolute: 3.0,
        why: "short processes come and go (10 % and 3 allowed)",
    },
    Near {
        family: "container_threads",
        ratio: 0.1,
        absolute: 3.0,
        why: "short processes come and go (10 % and 3 allowed)",
    },
    Near {
        family: "container_file_descriptors",
        ratio: 0.2,
        absolute: 8.0,
        why: "files are opened and closed (20 % and 8 allowed)",
    },
    Near {
        family: "container_sockets",
        ratio: 0.2,
        absolute: 8.0,
        why: "sockets are opened and closed (20 % and 8 allowed)",
    },
    Near {
        family: "container_fs_usage_bytes",
        ratio: 0.1,
        absolute: 4.0 * MIB,
        why: "the kubelet looks at file systems once a minute (10 % and 4 MiB allowed)",
    },
    Near {
        family: "container_fs_inodes_free",
        ratio: 0.05,
        absolute: 64.0,
        why: "the kubelet looks at file systems once a minute (5 % and 64 allowed)",
    },
];

impl Near {
    pub(super) fn covers(&self, series: &Series, (low, high): (f64, f64), ours: f64) -> bool {
        let room = |value: f64| value.abs() * self.ratio + self.absolute;
        names(self.family, &series.name) && low - room(low) <= ours && ours <= high + room(high)
    }
}

/// A value that is not the reference's, on purpose.
pub(crate) struct Difference {
    /// Exact name, or a prefix that ends in `*`.
    pub(crate) family: &'static str,
    /// Whether it is this difference: the series, the reference's lowest and highest value, ours.
    is: fn(&Series, (f64, f64), f64) -> bool,
    /// One line for a person.
    pub(crate) why: &'static str,
}

impl std::fmt::Debug for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.family)
    }
}

impl PartialEq for Difference {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// Where ours is real and cAdvisor's is not.
pub(crate) const EXPLAINED: &[Difference] = &[
    Difference {
        family: "container_tasks_state",
        is: |_, theirs, ours| theirs == (0.0, 0.0) && ours > 0.0,
        why: "a kubelet never starts the reader that fills it, so it prints 0; ours counts the tasks",
    },
    Difference {
        family: "container_cpu_load_*",
        is: |_, theirs, ours| theirs == (0.0, 0.0) && ours > 0.0,
        why: "a kubelet never starts the reader that fills it, so it prints 0; ours counts the tasks",
    },
    Difference {
        family: "container_oom_events_total",
        is: |_, (_, high), ours| ours > high,
        why: "cAdvisor reads the kernel's log and misses what happens before it knows the container; ours is the \
              cgroup's own count",
    },
    Difference {
        family: "container_threads",
        is: |series, (_, high), ours| series.label("id") == "/" && ours > high,
        why: "the root has no pids.current, so cAdvisor prints 0, or counts the processes that are in no cgroup below; \
              ours counts the machine's threads",
    },
    Difference {
        family: "container_start_time_seconds",
        is: |series, (low, _), ours| series.label("id") == "/" && ours < low,
        why: "cAdvisor shows when a folder of the hierarchies was last changed, some seconds after the boot or later; ours \
              is the boot",
    },
    Difference {
        family: "container_memory_kernel_usage",
        is: |_, theirs, ours| theirs == (0.0, 0.0) && ours > 0.0,
        why: "cAdvisor reads it from cgroup v1 alone and prints 0 on v2; ours is the cgroup's own count",
    },
];

impl Difference {
    pub(super) fn covers(&self, series: &Series, theirs: (f64, f64), ours: f64) -> bool {
        names(self.family, &series.name) && (self.is)(series, theirs, ours)
    }
}

fn names(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str) -> Series {
        Series { name: name.to_owned(), labels: Vec::new() }
    }

    #[test]
    fn room_is_a_part_and_a_fixed_amount() {
        let near = Near { family: "a_*", ratio: 0.1, absolute: 5.0, why: "" };
        assert!(near.covers(&series("a_b"), (100.0, 100.0), 115.0));
        assert!(!near.covers(&series("a_b"), (100.0, 100.0), 116.0));
        assert!(!near.covers(&series("b"), (100.0, 100.0), 100.0));
    }

    #[test]
    fn a_difference_holds_only_in_its_own_case() {
        let tasks = &EXPLAINED[0];
        assert!(tasks.covers(&series("container_tasks_state"), (0.0, 0.0), 3.0));
        assert!(!tasks.covers(&series("container_tasks_state"), (2.0, 2.0), 3.0));
    }
}
