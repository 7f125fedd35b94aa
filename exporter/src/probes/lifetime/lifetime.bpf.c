// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the tasks of every cgroup use, to the nanosecond, however short the cgroup lives. Linux 5.8 with BTF.
 *
 * The kernel keeps a task's CPU time in the task. We remember how much of it was counted already and add the difference
 * to the task's cgroup: when the task dies, when it moves to another cgroup, and for living tasks whenever user space
 * runs the iterator. So the sums only rise, nothing is counted twice, and nothing is lost between two readings.
 *
 * When a task dies: not at sched_process_exit, where the time since the last tick is not in the task yet, which is up to
 * a tick a thread and most of what a container that lives for milliseconds uses. At sched_process_free the value is
 * final, but that hook runs in whatever context the kernel happens to clean up in, and there are kernels that run no
 * programs in some of them: 0.3 % of all deaths went unseen on one. A task's last switch (sched_switch, state TASK_DEAD)
 * has the final value too and runs in the task's own context; on all other switches the program ends at its first test.
 * Free is left to forget the task, and to count what was not seen before.
 */
#include "memory.h"
#include "owner.h"
#include "streaming.h"
#include "lifetime.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Threads of a process that moves which are seen to move; those beyond are counted where they are next seen, as lost. */
#define MOVED_THREADS 512

/* Of a task that ends or has ended (include/linux/sched.h). */
#define PF_EXITING 0x4

/* Longest path that the kernel gives to its hook. */
#define PATH_MAX_LEN 1024
#define RECORD_MASK 0x7ff

/* Sizes are set by user space from the machine's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct usage);
} usage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct counted);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

/* Since when we count: tasks that started earlier have used before what we do not count. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} since SEC(".maps");

struct record {
	struct event event;
	/* As long as the mask in tell() makes the verifier think that it could be. */
	char path[RECORD_MASK + 1 - sizeof(struct event)];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} scratch SEC(".maps");

/* Of what empties: that happens with interrupts off, in the middle of what has the other one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} emptied SEC(".maps");

static const struct usage no_usage;

static __always_inline void lose(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &what);

	if (count)
		ADD(*count, 1);
}

/* The usage of a cgroup, made if it is not there; that of cgroup 0 when there is no room. */
static __always_inline struct usage *usage_of(struct cgroup *cgrp, __u64 id)
{
	struct usage *found = bpf_map_lookup_elem(&usage, &id);

	if (found)
		return found;
	bpf_map_update_elem(&usage, &id, &no_usage, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&usage, &id);
	if (found) {
		if (cgrp)
			found->parent = parent_id(cgrp);
		return found;
	}
	lose(LOST_USAGE);
	id = 0;
	return bpf_map_lookup_elem(&usage, &id);
}

static __always_inline void read_task(struct task_struct *task, struct counted *now)
{
	now->cpu_ns = task->se.sum_exec_runtime;
	if (bpf_core_field_exists(task->sched_info.run_delay))
		now->wait_ns = task->sched_info.run_delay;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		now->read_bytes = task->ioac.read_bytes;
		now->written_bytes = task->ioac.write_bytes;
	}
}

/* Adds what a task used since `before`. */
static __always_inline void add(struct usage *to, const struct counted *now, const struct counted *before)
{
	if (now->cpu_ns > before->cpu_ns)
		ADD(to->cpu_ns, now->cpu_ns - before->cpu_ns);
	if (now->wait_ns > before->wait_ns)
		ADD(to->wait_ns, now->wait_ns - before->wait_ns);
	if (now->read_bytes > before->read_bytes)
		ADD(to->read_bytes, now->read_bytes - before->read_bytes);
	if (now->written_bytes > before->written_bytes)
		ADD(to->written_bytes, now->written_bytes - before->written_bytes);
}

static __always_inline int started_before_us(struct task_struct *task)
{
	__u32 zero = 0;
	__u64 *start = bpf_map_lookup_elem(&since, &zero);

	return start && task->start_time < *start;
}

SEC("tp_btf/sched_process_fork")
int on_fork(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];
	struct cgroup *cgrp = owner_cgroup(task);
	struct counted fresh = { .cgroup = cgroup_id(cgrp) };
	__u64 key = ctx[1];
	struct usage *to;

	REFUSAL_POINT();
	if (bpf_map_update_elem(&tasks, &key, &fresh, BPF_ANY))
		lose(LOST_TASK);
	to = usage_of(cgrp, fresh.cgroup);
	if (!to)
		return 0;
	ADD(to->tasks_started, 1);
	if (task->pid == task->tgid)
		ADD(to->processes_started, 1);
	if (to->emptied_ns)
		to->emptied_ns = 0;
	return 0;
}

/* A task's last account. Twice for one task does no harm. */
static __always_inline void close_account(struct task_struct *task, __u64 key)
{
	struct cgroup *cgrp = owner_cgroup(task);
	__u64 id = cgroup_id(cgrp);
	struct counted *before = bpf_map_lookup_elem(&tasks, &key);
	struct counted now = { .cgroup = id, .dead = 1 }, none = {};
	struct usage *to = usage_of(cgrp, id);
	__u32 status = task->exit_code, was_dead = 0;

	if (!to)
		return;
	read_task(task, &now);
	if (before) {
		was_dead = before->dead;
		none = *before;
		if (none.cgroup != id)
			lose(LOST_MOVE);
		*before = now;
		add(to, &now, &none);
	} else {
		if (bpf_map_update_elem(&tasks, &key, &now, BPF_NOEXIST))
			lose(LOST_TASK);
		if (!started_before_us(task))
			add(to, &now, &none);
	}
	if (was_dead)
		return;
	ADD(to->tasks_ended, 1);
	if (task->pid != task->tgid)
		return;
	/* As wait(2) sees it: what ended the whole process counts for more than how its first thread ended. */
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		status = task->signal->group_exit_code;
	if (status & 0x7f)
		ADD(to->ended_signal, 1);
	else if (status)
		ADD(to->ended_error, 1);
	else
		ADD(to->ended_ok, 1);
	to->last_status = status;
	to->last_end_ns = bpf_ktime_get_ns();
}

static __always_inline __u32 state_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___before_5_14 *)task)->state;
}

SEC("tp_btf/sched_switch")
int on_switch(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	if (state_of(task) == TASK_DEAD)
		close_account(task, ctx[1]);
	return 0;
}

SEC("tp_btf/sched_process_free")
int on_free(__u64 *ctx)
{
	__u64 key = ctx[0];

	close_account((void *)ctx[0], key);
	bpf_map_delete_elem(&tasks, &key);
	return 0;
}

/*
 * A task is in another cgroup now: what it used until here belongs to the one that it left. Not inlined and not static:
 * the verifier looks at such a function once, and not again for every turn of the loop that calls it.
 */
__noinline int moved(__u64 key, __u64 id)
{
	struct task_struct *task = (void *)key;
	struct counted *before = bpf_map_lookup_elem(&tasks, &key);
	struct counted now = { .cgroup = id };
	struct usage *from;

	/* The hook also runs for what has ended, and that stays where it was: its account may be closed already. */
	if (BPF_CORE_READ(task, flags) & PF_EXITING)
		return 0;
	now.cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (bpf_core_field_exists(task->sched_info.run_delay))
		now.wait_ns = BPF_CORE_READ(task, sched_info.run_delay);
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		now.read_bytes = BPF_CORE_READ(task, ioac.read_bytes);
		now.written_bytes = BPF_CORE_READ(task, ioac.write_bytes);
	}
	if (before) {
		__u64 left = before->cgroup;

		from = bpf_map_lookup_elem(&usage, &left);
		if (!from) {
			left = 0;
			from = bpf_map_lookup_elem(&usage, &left);
		}
		if (from)
			add(from, &now, before);
		*before = now;
	} else if (bpf_map_update_elem(&tasks, &key, &now, BPF_ANY)) {
		lose(LOST_TASK);
	}
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int on_attach(__u64 *ctx)
{
	struct cgroup *cgrp = (void *)ctx[0];
	struct task_struct *leader = (void *)ctx[2];
	__u64 id = cgrp->kn->id;
	struct list_head *head, *node;
	__u64 offset, key = 0;
	int i;

	if ((__u32)cgrp->root->hierarchy_id != owner_hierarchy)
		return 0;
	usage_of(cgrp, id);
	/* The leader as a number, which is what the function takes. */
	bpf_probe_read_kernel(&key, sizeof(key), &ctx[2]);
	moved(key, id);
	if (!(ctx[3] & 1))
		return 0;
	offset = bpf_core_field_offset(struct task_struct, thread_node);
	head = (void *)leader->signal + bpf_core_field_offset(struct signal_struct, thread_head);
	node = BPF_CORE_READ(head, next);
	for (i = 0; i < MOVED_THREADS; i++) {
		__u64 thread = (__u64)node - offset;

		if (!node || node == head)
			break;
		if (thread != key)
			moved(thread, id);
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

/* Counts what living tasks used since they were last counted. Runs when user space reads. */
SEC("iter/task")
int count_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct counted *before, now = {}, copy;
	struct cgroup *cgrp;
	struct usage *to;
	__u64 key;

	/* A dead task may be freed, and counted, at any moment from now on; one that is not dead cannot be freed while
	 * we run, for we are in a read-side section of RCU. */
	if (!task || task->exit_state & EXIT_DEAD)
		return 0;
	key = (__u64)task;
	cgrp = owner_cgroup(task);
	now.cgroup = cgroup_id(cgrp);
	before = bpf_map_lookup_elem(&tasks, &key);
	read_task(task, &now);
	to = usage_of(cgrp, now.cgroup);
	if (!to)
		return 0;
	if (before) {
		if (before->dead)
			return 0;
		copy = *before;
		*before = now;
		if (copy.cgroup != now.cgroup)
			lose(LOST_MOVE);
		add(to, &now, &copy);
		return 0;
	}
	if (bpf_map_update_elem(&tasks, &key, &now, BPF_NOEXIST)) {
		lose(LOST_TASK);
		return 0;
	}
	if (!started_before_us(task)) {
		copy = (struct counted){};
		add(to, &now, &copy);
	}
	return 0;
}

static __always_inline void tell(struct record *record, const char *path, __u32 lost, __u64 flags)
{
	long length = bpf_probe_read_kernel_str(record->path, PATH_MAX_LEN, path);

	if (length < 1 || length > PATH_MAX_LEN)
		length = 1;
	record->event.path_len = length - 1;
	if (bpf_ringbuf_output(&events, record, (sizeof(record->event) + length) & RECORD_MASK, flags))
		lose(lost);
}

SEC("tp_btf/cgroup_mkdir")
int on_mkdir(__u64 *ctx)
{
	struct cgroup *cgrp = (void *)ctx[0];
	__u32 zero = 0;
	struct record *record;
	struct usage *to;
	__u64 id;

	if ((__u32)cgrp->root->hierarchy_id != owner_hierarchy)
		return 0;
	id = cgrp->kn->id;
	to = usage_of(cgrp, id);
	if (to)
		to->opened_ns = bpf_ktime_get_ns();
	record = bpf_map_lookup_elem(&scratch, &zero);
	if (!record)
		return 0;
	__builtin_memset(&record->event, 0, sizeof(record->event));
	record->event.kind = EVENT_MADE;
	record->event.hierarchy = owner_hierarchy;
	record->event.id = id;
	record->event.time_ns = bpf_ktime_get_ns();
	/* Wakes the reader: it looks for the container's name before the container can be gone. Forced, because the
	 * kernel wakes by itself only readers that have caught up, and records of removals wait without waking. */
	tell(record, (const char *)ctx[1], LOST_MADE, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int on_rmdir(__u64 *ctx)
{
	struct cgroup *cgrp = (void *)ctx[0];
	__u32 zero = 0, hierarchy = cgrp->root->hierarchy_id;
	struct record *record = bpf_map_lookup_elem(&scratch, &zero);
	struct usage *to;

	if (!record)
		return 0;
	__builtin_memset(&record->event, 0, sizeof(record->event));
	record->event.has_memory = read_memory(cgrp, NULL, &record->event.peak_pages, record->event.memory_events);
	/* Beside the owning hierarchy only that of the memory controller is of interest. */
	if (hierarchy != owner_hierarchy && !record->event.has_memory)
		return 0;
	record->event.kind = EVENT_REMOVED;
	record->event.hierarchy = hierarchy;
	record->event.id = cgrp->kn->id;
	record->event.time_ns = bpf_ktime_get_ns();
	if (hierarchy == owner_hierarchy) {
		to = usage_of(cgrp, record->event.id);
		if (to) {
			to->closed_ns = record->event.time_ns;
			if (record->event.has_memory) {
				to->peak_pages = record->event.peak_pages;
				__builtin_memcpy(to->memory_events, record->event.memory_events,
						 sizeof(to->memory_events));
			}
		}
	}
	tell(record, (const char *)ctx[1], LOST_REMOVED, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/cgroup_notify_populated")
int on_populated(__u64 *ctx)
{
	struct cgroup *cgrp = (void *)ctx[0];
	__u32 zero = 0, is_populated = ctx[2];
	struct record *record;
	struct usage *to;
	__u64 id;

	if ((__u32)cgrp->root->hierarchy_id != owner_hierarchy)
		return 0;
	id = cgrp->kn->id;
	to = bpf_map_lookup_elem(&usage, &id);
	if (to)
		to->emptied_ns = is_populated ? 0 : bpf_ktime_get_ns();
	if (is_populated || !is_sent())
		return 0;
	record = bpf_map_lookup_elem(&emptied, &zero);
	if (!record)
		return 0;
	__builtin_memset(&record->event, 0, sizeof(record->event));
	record->event.kind = EVENT_EMPTIED;
	record->event.hierarchy = owner_hierarchy;
	record->event.id = id;
	record->event.time_ns = bpf_ktime_get_ns();
	/* Wakes the reader: what the cgroup's files say is read before it can be removed. */
	tell(record, (const char *)ctx[1], LOST_REMOVED, BPF_RB_FORCE_WAKEUP);
	return 0;
}
