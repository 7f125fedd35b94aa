/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's types, as far as our programs touch them. Each access is relocated against the running kernel's own type
 * information (CO-RE), so neither the order nor the offset of a field matters here: only its name, and its type's name.
 * Where a kernel renamed a field, a second type with a ___suffix has the other name.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;

#define NULL ((void *)0)

/* Of <linux/bpf.h>, whose numbers never change. */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};
enum {
	BPF_F_NO_PREALLOC = 1U << 0,
};
enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1U << 0,
};
enum {
	BPF_F_CURRENT_CPU = 0xffffffffULL,
};
enum {
	BPF_RB_NO_WAKEUP = 1U << 0,
	BPF_RB_FORCE_WAKEUP = 1U << 1,
};
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef atomic64_t atomic_long_t;

struct kernfs_node {
	__u64 id;
	const char *name;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct task_cputime {
	__u64 stime;
	__u64 utime;
	unsigned long long sum_exec_runtime;
};

struct cgroup_base_stat {
	struct task_cputime cputime;
};

struct psi_group;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	struct cgroup_subsys_state *subsys[16];
	struct cgroup_base_stat bstat;
	struct psi_group *psi;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[16];
};

struct page_counter {
	atomic_long_t usage;
	unsigned long failcnt;
	unsigned long watermark;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
	struct page_counter swap;
	struct page_counter memsw;
	struct page_counter kmem;
	atomic_long_t memory_events[16];
	atomic_long_t memory_events_local[16];
};

struct pids_cgroup {
	struct cgroup_subsys_state css;
	atomic64_t counter;
	__s64 watermark;
	atomic64_t events[2];
	atomic64_t events_local[2];
};

/* 3f26a885a06e of Linux 6.11 renamed it. */
struct pids_cgroup___before_6_11 {
	atomic64_t events_limit;
};

/* Tables of two dimensions, by who asks and by state, as the kernel's type information has them: flat. */
struct psi_group_cpu {
	__u32 state_mask;
	__u32 times[8];
	__u32 times_prev[16];
};

/* `pcpu` is per CPU. */
struct psi_group {
	_Bool enabled;
	struct psi_group_cpu *pcpu;
	__u64 total[16];
};

/* What a map is inside the kernel. */
struct bpf_array {
	void *pptrs[1];
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct sched_info {
	unsigned long long run_delay;
};

struct task_io_accounting {
	__u64 read_bytes;
	__u64 write_bytes;
};

struct percpu_counter {
	__s64 count;
};

struct mm_struct {
	struct percpu_counter rss_stat[4];
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	struct list_head thread_head;
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	int exit_state;
	unsigned int flags;
	unsigned int __state;
	__u64 start_time;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
	struct signal_struct *signal;
	struct list_head thread_node;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	char comm[16];
};

/* 2f064a59a11f renamed it. */
struct task_struct___before_5_14 {
	volatile long state;
};

struct linux_binprm {
	const char *filename;
};

struct seq_file {
	void *private;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__cgroup {
	struct bpf_iter_meta *meta;
	struct cgroup *cgroup;
};

/* Positions in tables of the kernel's, which differ from build to build: only the names are taken from here. */
enum cgroup_subsys_id {
	cpuacct_cgrp_id,
	memory_cgrp_id,
	pids_cgrp_id,
};

enum psi_states {
	PSI_NONIDLE = 6,
};

enum memcg_memory_event {
	MEMCG_LOW,
	MEMCG_HIGH,
	MEMCG_MAX,
	MEMCG_OOM,
	MEMCG_OOM_KILL,
	MEMCG_OOM_GROUP_KILL,
};

#pragma clang attribute pop

#define EXIT_DEAD 0x0010
#define TASK_DEAD 0x0080
#define SIGNAL_GROUP_EXIT 0x00000004
