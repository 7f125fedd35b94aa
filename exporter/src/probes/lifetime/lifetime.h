/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire structs of lifetime. wire.rs mirrors them and asserts the same numbers. */
#pragma once

#include "kernel.h"

/* What the tasks of one cgroup have used, its own and not those of cgroups inside it. Only rises. */
struct usage {
	__u64 parent; /* id of the parent cgroup; 0: it has none */
	__u64 opened_ns; /* when it was made, CLOCK_MONOTONIC; 0: before we came */
	__u64 closed_ns; /* when it was removed; 0: it is there */
	__u64 emptied_ns; /* when its last process ended; 0: it has processes, or never had any */
	__u64 cpu_ns;
	__u64 wait_ns; /* runnable, but another task had the CPU */
	__u64 read_bytes; /* fetched from storage */
	__u64 written_bytes; /* caused to be written to storage */
	__u64 tasks_started;
	__u64 processes_started;
	__u64 tasks_ended;
	__u64 ended_ok; /* processes that ended with status 0 */
	__u64 ended_error; /* with another status */
	__u64 ended_signal; /* by a signal */
	__u64 last_end_ns; /* when the process ended whose status follows */
	__u32 last_status; /* of the process that went last, as wait(2) gives it */
	__u32 padding;
	/* Memory, at removal, where the memory controller is in the owning hierarchy. */
	__u64 peak_pages;
	__u64 memory_events[5]; /* low, high, max, oom, oom_kill */
};
_Static_assert(sizeof(struct usage) == 176, "usage is a wire struct");
_Static_assert(__builtin_offsetof(struct usage, cpu_ns) == 32, "usage is a wire struct");
_Static_assert(__builtin_offsetof(struct usage, last_status) == 120, "usage is a wire struct");
_Static_assert(__builtin_offsetof(struct usage, peak_pages) == 128, "usage is a wire struct");

/* What has been counted of a task so far, and where. */
struct counted {
	__u64 cgroup;
	__u64 cpu_ns;
	__u64 wait_ns;
	__u64 read_bytes;
	__u64 written_bytes;
	__u32 dead; /* whether its end was counted */
	__u32 padding;
};
_Static_assert(sizeof(struct counted) == 48, "counted is a wire struct");

enum {
	EVENT_MADE = 1,
	EVENT_REMOVED = 2,
	EVENT_EMPTIED = 3,
};

/* A cgroup came, emptied or went. Its path follows, path_len bytes without a terminator. */
struct event {
	__u32 kind;
	__u32 hierarchy;
	__u64 id;
	__u64 time_ns;
	__u64 peak_pages;
	__u64 memory_events[5];
	__u32 has_memory; /* whether the two above were read */
	__u32 path_len;
};
_Static_assert(sizeof(struct event) == 80, "event is a wire struct");
_Static_assert(__builtin_offsetof(struct event, memory_events) == 32, "event is a wire struct");
_Static_assert(__builtin_offsetof(struct event, path_len) == 76, "event is a wire struct");

/* Indices of the array of losses. */
enum {
	LOST_MADE, /* ring full: a cgroup was made */
	LOST_REMOVED, /* ring full: a cgroup was removed, or had emptied */
	LOST_USAGE, /* no room for a cgroup's usage: counted under cgroup 0 */
	LOST_TASK, /* no room for a task: its moves between cgroups are not seen */
	LOST_MOVE, /* a task is in another cgroup than it was seen to move to: what it used since then counts there */
	LOSSES,
};
