/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire struct of udp. mod.rs mirrors it. */
#pragma once

#include "kernel.h"

/* Of one cgroup on one CPU. */
struct datagrams {
	__u64 sent;
	__u64 sent_bytes; /* of programs, without headers */
	__u64 received;
	__u64 received_bytes;
	__u64 dropped; /* arrived, but the socket had no room */
};
_Static_assert(sizeof(struct datagrams) == 40, "datagrams is a wire struct");
