/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which cgroup owns a task. The default (version 2) hierarchy, where there is one, even if no controller is on it; on a
 * machine with version 1 only, the hierarchy of the cpuacct or of the memory controller. User space chooses.
 */
#pragma once

#include "maps.h"

enum {
	OWNER_DEFAULT = 0,
	OWNER_CPUACCT = 1,
	OWNER_MEMORY = 2,
};

const volatile __u32 owner_kind = OWNER_DEFAULT;

/* Number of the owning hierarchy; that of the default hierarchy is 0. */
const volatile __u32 owner_hierarchy = 0;

static __always_inline struct cgroup *cgroup_by_controller(struct task_struct *task, __u32 controller)
{
	struct cgroup_subsys_state *const *slots = task->cgroups->subsys;
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), slots + controller);
	return BPF_CORE_READ(css, cgroup);
}

static __always_inline struct cgroup *owner_cgroup(struct task_struct *task)
{
	if (owner_kind == OWNER_CPUACCT)
		return cgroup_by_controller(task, bpf_core_enum_value(enum cgroup_subsys_id, cpuacct_cgrp_id));
	if (owner_kind == OWNER_MEMORY)
		return cgroup_by_controller(task, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	return task->cgroups->dfl_cgrp;
}

static __always_inline __u64 cgroup_id(struct cgroup *cgrp)
{
	return BPF_CORE_READ(cgrp, kn, id);
}

/* 0 for the root of a hierarchy. */
static __always_inline __u64 parent_id(struct cgroup *cgrp)
{
	return BPF_CORE_READ(cgrp, self.parent, cgroup, kn, id);
}

static __always_inline __u32 hierarchy_of(struct cgroup *cgrp)
{
	return BPF_CORE_READ(cgrp, root, hierarchy_id);
}

static __always_inline __u64 owner_of(struct task_struct *task)
{
	return cgroup_id(owner_cgroup(task));
}
