/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire structs of runqueue. mod.rs mirrors them. */
#pragma once

#include "kernel.h"

/* Slot i counts delays below 2^i µs, and not below 2^(i-1) µs; slot 0 those below 1 µs; the last, all longer ones. */
#define SLOTS 25

/* Delays of one cgroup on one CPU. */
struct delays {
	__u64 sum_ns;
	__u64 count;
	__u64 slots[SLOTS];
};
_Static_assert(sizeof(struct delays) == 216, "delays is a wire struct");
