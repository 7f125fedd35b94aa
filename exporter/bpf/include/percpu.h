/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading what the kernel keeps once for each CPU.
 *
 * A per-CPU pointer is the same for all CPUs; an offset that differs from CPU to CPU leads to the thing. The kernel has
 * the offsets in a table that programs cannot name. But of a map of our own that is per CPU we know both: its pointer,
 * and where that leads to on each CPU. The difference is the offset.
 */
#pragma once

#include "maps.h"

#define MOST_CPUS 1024

/* How many CPUs there could be. */
const volatile __u32 cpus = 1;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} here SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MOST_CPUS);
	__type(key, __u32);
	__type(value, __u64);
} offsets SEC(".maps");

/* The number of an address that the verifier knows the type of. */
static __always_inline __u64 plain(void *volatile pointer)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), (void *)&pointer);
	return number;
}

/* To be called once before for_cpu(). */
static __always_inline void find_offsets(void)
{
	__u64 map = plain(&here), base = 0;
	__u32 zero = 0;

	bpf_probe_read_kernel(&base, sizeof(base), (void *)(map + bpf_core_field_offset(struct bpf_array, pptrs)));
	for (__u32 cpu = 0; cpu < cpus && cpu < MOST_CPUS; cpu++) {
		void *there = bpf_map_lookup_percpu_elem(&here, &zero, cpu);
		__u64 *offset = bpf_map_lookup_elem(&offsets, &cpu);

		if (there && offset)
			*offset = plain(there) - base;
	}
}

/* Where a per-CPU pointer leads to on a CPU. */
static __always_inline __u64 for_cpu(const void *pointer, __u32 cpu)
{
	__u64 *offset = bpf_map_lookup_elem(&offsets, &cpu);

	return offset ? (__u64)pointer + *offset : 0;
}
