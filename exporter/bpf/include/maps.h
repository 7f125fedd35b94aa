/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Maps, counters of what was lost, and the switch that makes the verifier refuse an object.
 */
#pragma once

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* Adds to what other CPUs may add to. The result is not used, so that kernels before 5.12 know the instruction. */
#define ADD(counter, by) ((void)__sync_fetch_and_add(&(counter), (by)))

/*
 * Set by tests: the object is refused then, as a kernel with a stricter verifier might refuse it. When it is 0 the
 * verifier sees a frozen constant and drops the branch.
 */
const volatile __u32 refuse_me = 0;

#define REFUSAL_POINT()                                                                                                \
	do {                                                                                                           \
		if (refuse_me)                                                                                         \
			return *(volatile int *)(long)8;                                                               \
	} while (0)
