/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory of a cgroup, where the memory controller is in its hierarchy.
 */
#pragma once

#include "maps.h"

#define READ_EVENT(into, memory, event)                                                                                \
	bpf_probe_read_kernel((into), 8,                                                                               \
			      &(memory)->memory_events[0] + bpf_core_enum_value(enum memcg_memory_event, event))

/* Whether there was anything to read. Events: low, high, max, oom, oom_kill. */
static __always_inline __u32 read_memory(struct cgroup *cgrp, __u64 *usage, __u64 *peak, __u64 *events)
{
	struct cgroup_subsys_state *css = NULL;
	struct mem_cgroup *memory;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	bpf_probe_read_kernel(&css, sizeof(css),
			      cgrp->subsys + bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	if (!css)
		return 0;
	memory = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
	if (usage)
		*usage = BPF_CORE_READ(memory, memory.usage.counter);
	*peak = BPF_CORE_READ(memory, memory.watermark);
	READ_EVENT(&events[0], memory, MEMCG_LOW);
	READ_EVENT(&events[1], memory, MEMCG_HIGH);
	READ_EVENT(&events[2], memory, MEMCG_MAX);
	READ_EVENT(&events[3], memory, MEMCG_OOM);
	READ_EVENT(&events[4], memory, MEMCG_OOM_KILL);
	return 1;
}
