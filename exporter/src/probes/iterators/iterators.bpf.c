// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * CPU time and memory of every cgroup of a hierarchy in one pass, without opening or parsing a file. Linux 6.1 with BTF.
 *
 * Results go into an array and not into the iterator's own output, which ends for good at 32 KiB.
 */
#include "maps.h"
#include "memory.h"
#include "iterators.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct reading);
} readings SEC(".maps");

/* 0: readings of the last pass; 1: cgroups that found no room in it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("iter/cgroup")
int on_cgroup(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgrp = ctx->cgroup;
	__u32 zero = 0, one = 1, index;
	__u64 *done = bpf_map_lookup_elem(&counts, &zero), *over = bpf_map_lookup_elem(&counts, &one);
	struct reading *to;

	REFUSAL_POINT();
	if (!cgrp || !done || !over)
		return 0;
	if (ctx->meta->seq_num == 0) {
		*done = 0;
		*over = 0;
	}
	index = *done;
	to = bpf_map_lookup_elem(&readings, &index);
	if (!to) {
		(*over)++;
		return 0;
	}
	(*done)++;
	to->id = cgrp->kn->id;
	to->cpu_ns = cgrp->bstat.cputime.sum_exec_runtime;
	to->user_ns = cgrp->bstat.cputime.utime;
	to->system_ns = cgrp->bstat.cputime.stime;
	to->has_memory = read_memory(cgrp, &to->memory_pages, &to->peak_pages, to->memory_events);
	return 0;
}
