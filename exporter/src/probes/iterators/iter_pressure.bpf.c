// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Pressure of each cgroup: the totals of `*.pressure`.
 *
 * The kernel brings totals up to date every two seconds while there is pressure, and when a file is read. What a CPU
 * counted since is told as pending: only then need a file be read.
 */
#include "iterators.h"
#include "percpu.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

READINGS(struct pressure_reading)

/* States of pressure come before the one that says whether there was anything to do. */
#define STATES_OF_PRESSURE 7

static __always_inline __u32 is_pending(struct psi_group *group)
{
	__u32 idle = bpf_core_enum_value(enum psi_states, PSI_NONIDLE);
	struct psi_group_cpu *counted = BPF_CORE_READ(group, pcpu);

	for (__u32 cpu = 0; cpu < cpus && cpu < MOST_CPUS; cpu++) {
		struct psi_group_cpu *at = (void *)for_cpu(counted, cpu);
		__u32 now[STATES_OF_PRESSURE] = {}, taken[STATES_OF_PRESSURE] = {}, mask = 0;

		bpf_probe_read_kernel(&mask, sizeof(mask), &at->state_mask);
		bpf_probe_read_kernel(now, sizeof(now), &at->times);
		bpf_probe_read_kernel(taken, sizeof(taken), &at->times_prev);
		for (__u32 state = 0; state < STATES_OF_PRESSURE; state++) {
			if (state < idle && (now[state] != taken[state] || mask & 1U << state))
				return 1;
		}
	}
	return 0;
}

SEC("iter/cgroup")
int on_cgroup_pressure(struct bpf_iter__cgroup *ctx)
{
	struct pressure_reading *to = room(ctx);
	struct cgroup *cgrp = ctx->cgroup;
	struct psi_group *group;

	REFUSAL_POINT();
	if (ctx->meta->seq_num == 0)
		find_offsets();
	if (!to || !cgrp)
		return 0;
	group = cgrp->psi;
	if (!group) {
		to->id = 0;
		return 0;
	}
	/* Before the totals: what is taken over in between shows as pending. */
	to->pending = is_pending(group);
	to->enabled = BPF_CORE_READ(group, enabled);
	bpf_probe_read_kernel(to->total_ns, sizeof(to->total_ns), &group->total);
	return 0;
}
