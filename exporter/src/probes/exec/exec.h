/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire structs of exec. */
#pragma once

#include "kernel.h"

/* By cgroup. */
struct exec {
	__u64 count;
	__u64 last_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct exec) == 16, "exec is a wire struct");

/* One start of a program; for those who follow the stream. */
struct started {
	__u64 cgroup;
	__u64 time_ns;
	__u32 pid;
	__u32 parent;
	__u32 uid;
	__u32 file_len; /* without a terminator */
	char command[16];
	char file[208];
};
_Static_assert(sizeof(struct started) == 256, "started is a wire struct");
_Static_assert(__builtin_offsetof(struct started, file) == 48, "started is a wire struct");
