// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Tasks of each cgroup: what `pids.current` and `pids.peak` show, and whether `pids.events` changed. */
#include "iterators.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

READINGS(struct tasks_reading)

SEC("iter/cgroup")
int on_cgroup_tasks(struct bpf_iter__cgroup *ctx)
{
	struct tasks_reading *to = room(ctx);
	struct cgroup *cgrp = ctx->cgroup;
	struct pids_cgroup *pids;

	REFUSAL_POINT();
	if (!to || !cgrp)
		return 0;
	pids = CONTROLLED(cgrp, pids_cgrp_id, struct pids_cgroup);
	if (!pids) {
		to->id = 0;
		return 0;
	}
	to->current = BPF_CORE_READ(pids, counter.counter);
	to->has_peak = bpf_core_field_exists(pids->watermark);
	if (bpf_core_field_exists(pids->watermark))
		to->peak = BPF_CORE_READ(pids, watermark);
	if (bpf_core_field_exists(pids->events))
		to->refusals = BPF_CORE_READ(pids, events[0].counter) + BPF_CORE_READ(pids, events_local[0].counter);
	else
		to->refusals = BPF_CORE_READ((struct pids_cgroup___before_6_11 *)pids, events_limit.counter);
	return 0;
}
