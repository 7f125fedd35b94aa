// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * How long tasks that are ready to run wait for a CPU: a histogram by cgroup. Linux 5.11 with BTF and CONFIG_SCHED_INFO.
 * Off by default: it does work at every context switch. The program of lifetime runs there too, but returns early unless
 * the task is dead.
 *
 * Hook: sched_switch alone. The kernel keeps the sum of a task's delays in the task; the difference to what it was at
 * the task's switch before is one delay. No hook on wakeups is needed. The kernel updates its sum just after the hook,
 * so each delay is counted at the task's next switch.
 */
#include "owner.h"
#include "runqueue.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, struct delays);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static const struct delays no_delays;

static __always_inline __u32 slot_of(__u64 ns)
{
	__u64 us = ns / 1000;
	__u32 slot = 0, step;

#pragma unroll
	for (step = 16; step; step >>= 1)
		if (us >> step) {
			us >>= step;
			slot += step;
		}
	slot += us != 0;
	return slot < SLOTS ? slot : SLOTS - 1;
}

SEC("tp_btf/sched_switch")
int on_switch(__u64 *ctx)
{
	struct task_struct *next = (void *)ctx[2];
	struct delays *to;
	__u64 *before, now, delay, id;
	__u32 zero = 0, slot;

	REFUSAL_POINT();
	if (!next->pid)
		return 0;
	now = next->sched_info.run_delay;
	before = bpf_task_storage_get(&seen, next, &now, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!before)
		return 0;
	delay = now - *before;
	if (!delay)
		return 0;
	*before = now;
	id = owner_of(next);
	to = bpf_map_lookup_elem(&waits, &id);
	if (!to) {
		bpf_map_update_elem(&waits, &id, &no_delays, BPF_NOEXIST);
		to = bpf_map_lookup_elem(&waits, &id);
	}
	if (!to) {
		__u64 *lost = bpf_map_lookup_elem(&losses, &zero);

		if (lost)
			ADD(*lost, 1);
		return 0;
	}
	/* Each CPU has its own: no atomic additions are needed. */
	to->sum_ns += delay;
	to->count++;
	slot = slot_of(delay);
	if (slot < SLOTS)
		to->slots[slot]++;
	return 0;
}
