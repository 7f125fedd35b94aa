/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire struct of oom: two numbers, see `Tally`. */
#pragma once

#include "kernel.h"

struct oom {
	__u64 count;
	__u64 victim_pages; /* that the victims had */
};
_Static_assert(sizeof(struct oom) == 16, "oom is a wire struct");
