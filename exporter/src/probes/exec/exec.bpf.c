// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Programs that are started, by cgroup: counted always, and sent as records while somebody follows. Linux 5.8 with BTF.
 *
 * Hook: sched_process_exec, which runs when a program has replaced the one before, so failed attempts are not counted.
 */
#include "owner.h"
#include "streaming.h"
#include "exec.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct exec);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} starts SEC(".maps");

/* 0: rows, 1: records. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline void lose(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &what);

	if (count)
		ADD(*count, 1);
}

static __always_inline void tell(struct task_struct *task, struct linux_binprm *program, __u64 id)
{
	struct started *record = bpf_ringbuf_reserve(&starts, sizeof(*record), 0);
	long length;

	if (!record) {
		lose(1);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->cgroup = id;
	record->time_ns = bpf_ktime_get_ns();
	record->pid = task->tgid;
	record->parent = BPF_CORE_READ(task, real_parent, tgid);
	record->uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(record->command, sizeof(record->command));
	length = bpf_probe_read_kernel_str(record->file, sizeof(record->file), BPF_CORE_READ(program, filename));
	record->file_len = length > 0 ? length - 1 : 0;
	bpf_ringbuf_submit(record, 0);
}

SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u64 id = owner_of(task);
	struct exec *to = bpf_map_lookup_elem(&execs, &id), fresh = {};

	REFUSAL_POINT();
	if (!to) {
		bpf_map_update_elem(&execs, &id, &fresh, BPF_NOEXIST);
		to = bpf_map_lookup_elem(&execs, &id);
	}
	if (!to) {
		__u64 other = 0;

		lose(0);
		to = bpf_map_lookup_elem(&execs, &other);
	}
	if (to) {
		ADD(to->count, 1);
		to->last_ns = bpf_ktime_get_ns();
	}
	if (is_sent())
		tell(task, (void *)ctx[2], id);
	return 0;
}
