// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Who was killed because memory ran out: kills and the memory that the victims had, by the victim's cgroup. Linux 6.8 with BTF;
 * before that mark_victim gives a number instead of the task and the object is refused.
 *
 * Hook: mark_victim, which runs once for each victim, in any hierarchy, also when the machine as a whole is out of memory
 * and no cgroup counts it.
 */
#include "owner.h"
#include "oom.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct oom);
} kills SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline __u64 resident_pages(struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__s64 file = 0, anon = 0, shmem = 0;

	/* Since Linux 6.2 an array of counters, whose parts by CPU are left out: it is off by some pages a CPU. */
	if (!bpf_core_field_exists(struct mm_struct, rss_stat[0].count))
		return 0;
	bpf_core_read(&file, sizeof(file), &mm->rss_stat[0].count);
	bpf_core_read(&anon, sizeof(anon), &mm->rss_stat[1].count);
	bpf_core_read(&shmem, sizeof(shmem), &mm->rss_stat[3].count);
	file += anon + shmem;
	return file > 0 ? file : 0;
}

SEC("tp_btf/mark_victim")
int on_victim(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u64 id = owner_of(task);
	struct oom fresh = {}, *to;
	__u32 zero = 0;
	__u64 *lost;

	REFUSAL_POINT();
	bpf_map_update_elem(&kills, &id, &fresh, BPF_NOEXIST);
	to = bpf_map_lookup_elem(&kills, &id);
	if (!to) {
		lost = bpf_map_lookup_elem(&losses, &zero);
		if (lost)
			ADD(*lost, 1);
		id = 0;
		to = bpf_map_lookup_elem(&kills, &id);
		if (!to)
			return 0;
	}
	ADD(to->count, 1);
	ADD(to->victim_pages, resident_pages(task));
	return 0;
}
