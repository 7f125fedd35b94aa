/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the passes over cgroups have in common: a table with one reading a cgroup, in the order of the walk, parents
 * first. wire.rs mirrors the readings.
 *
 * Results go into a table and not into the iterator's own output, which ends for good at 32 KiB.
 * The root of a hierarchy is left out: it is the machine, whose figures the kernel keeps elsewhere.
 */
#pragma once

#include "maps.h"

/* Readings of the last pass, and cgroups that found no room in it. */
struct pass {
	__u64 done;
	__u64 over;
};

#define READINGS(reading)                                                                                              \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                      \
		__uint(max_entries, 1024);                                                                             \
		__type(key, __u32);                                                                                    \
		__type(value, reading);                                                                                \
	} readings SEC(".maps");                                                                                       \
                                                                                                                       \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                      \
		__uint(max_entries, 1);                                                                                \
		__type(key, __u32);                                                                                    \
		__type(value, struct pass);                                                                            \
	} passes SEC(".maps");                                                                                         \
                                                                                                                       \
	/* Room for the cgroup that the pass is at; none for a root. */                                                \
	static __always_inline reading *room(struct bpf_iter__cgroup *ctx)                                             \
	{                                                                                                              \
		struct cgroup *cgrp = ctx->cgroup;                                                                     \
		__u32 zero = 0, index;                                                                                 \
		struct pass *pass = bpf_map_lookup_elem(&passes, &zero);                                               \
		reading *to;                                                                                           \
                                                                                                                       \
		if (!cgrp || !pass)                                                                                    \
			return NULL;                                                                                   \
		if (ctx->meta->seq_num == 0) {                                                                         \
			pass->done = 0;                                                                                \
			pass->over = 0;                                                                                \
		}                                                                                                      \
		if (!cgrp->self.parent)                                                                                \
			return NULL;                                                                                   \
		index = pass->done;                                                                                    \
		to = bpf_map_lookup_elem(&readings, &index);                                                           \
		if (!to) {                                                                                             \
			pass->over++;                                                                                  \
			return NULL;                                                                                   \
		}                                                                                                      \
		pass->done++;                                                                                          \
		to->id = cgrp->kn->id;                                                                                 \
		return to;                                                                                             \
	}

/* What a controller keeps of a cgroup; its number and the place of `css` in its struct differ from build to build. */
#define CONTROLLED(cgrp, controller, kept)                                                                             \
	({                                                                                                             \
		struct cgroup_subsys_state *css = NULL;                                                                \
                                                                                                                       \
		bpf_probe_read_kernel(&css, sizeof(css),                                                               \
				      (cgrp)->subsys + bpf_core_enum_value(enum cgroup_subsys_id, controller));        \
		css ? (kept *)((void *)css - bpf_core_field_offset(kept, css)) : NULL;                                 \
	})

/* Memory. */
struct memory_reading {
	__u64 id;
	__u64 usage_pages;
	__u64 peak_pages;
	__u64 kernel_pages;
	__u64 swap_pages;
	__u64 failcnt;
	__u64 failcnt_with_swap;
	__u64 events[6]; /* low, high, max, oom, oom_kill, oom_group_kill */
	__u64 own_oom_kills;
};
_Static_assert(sizeof(struct memory_reading) == 112, "memory_reading is a wire struct");

/* Tasks. */
struct tasks_reading {
	__u64 id;
	__u64 current;
	__u64 peak;
	/* Rises when `pids.events` does. */
	__u64 refusals;
	__u32 has_peak;
	__u32 padding;
};
_Static_assert(sizeof(struct tasks_reading) == 40, "tasks_reading is a wire struct");

/* Pressure. */
struct pressure_reading {
	__u64 id;
	__u64 total_ns[6]; /* io, memory, cpu: some, full */
	/* Whether a CPU knows of time that is not in the totals yet. */
	__u32 pending;
	__u32 enabled;
};
_Static_assert(sizeof(struct pressure_reading) == 64, "pressure_reading is a wire struct");
