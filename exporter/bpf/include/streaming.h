/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The switch for a feature's records of single events. It is set from outside at any time: programs cannot be loaded again
 * when somebody begins to follow.
 */
#pragma once

#include "maps.h"

/* Of how many events one is sent; 0: none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} streaming SEC(".maps");

/* Whether a record of this event is sent. */
static __always_inline int is_sent(void)
{
	__u32 first = 0, *one_of = bpf_map_lookup_elem(&streaming, &first);

	return one_of && *one_of && (*one_of == 1 || bpf_get_prandom_u32() % *one_of == 0);
}
