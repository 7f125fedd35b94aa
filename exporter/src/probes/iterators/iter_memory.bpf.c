// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Memory of each cgroup: what `memory.*` shows, but for `memory.stat`. */
#include "iterators.h"
#include "memory.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

READINGS(struct memory_reading)

SEC("iter/cgroup")
int on_cgroup_memory(struct bpf_iter__cgroup *ctx)
{
	struct memory_reading *to = room(ctx);
	struct cgroup *cgrp = ctx->cgroup;
	struct mem_cgroup *memory;

	REFUSAL_POINT();
	if (!to || !cgrp)
		return 0;
	if (!read_memory(cgrp, &to->usage_pages, &to->peak_pages, to->events)) {
		to->id = 0;
		return 0;
	}
	memory = CONTROLLED(cgrp, memory_cgrp_id, struct mem_cgroup);
	READ_EVENT(&to->events[5], memory, MEMCG_OOM_GROUP_KILL);
	bpf_probe_read_kernel(&to->own_oom_kills, 8,
			      &memory->memory_events_local[0] +
				      bpf_core_enum_value(enum memcg_memory_event, MEMCG_OOM_KILL));
	to->failcnt = BPF_CORE_READ(memory, memory.failcnt);
	to->swap_pages = BPF_CORE_READ(memory, swap.usage.counter);
	if (bpf_core_field_exists(memory->memsw))
		to->failcnt_with_swap = BPF_CORE_READ(memory, memsw.failcnt);
	if (bpf_core_field_exists(memory->kmem))
		to->kernel_pages = BPF_CORE_READ(memory, kmem.usage.counter);
	return 0;
}
