/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire struct of iterators. mod.rs mirrors it. */
#pragma once

#include "kernel.h"

/* One cgroup, with everything inside it, as the kernel last summed it up. */
struct reading {
	__u64 id;
	__u64 cpu_ns;
	__u64 user_ns;
	__u64 system_ns;
	__u64 memory_pages;
	__u64 peak_pages;
	__u64 memory_events[5]; /* low, high, max, oom, oom_kill */
	__u32 has_memory;
	__u32 padding;
};
_Static_assert(sizeof(struct reading) == 96, "reading is a wire struct");
