/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire struct of drops. wire.rs mirrors it. */
#pragma once

#include "kernel.h"

#define DEVICE_NAME 16

/* Where packets were dropped, and why. */
struct drop_key {
	__u64 cgroup; /* of the socket that sent them or should have got them; 0: not known, so the rest says where */
	char device[DEVICE_NAME];
	__u32 host; /* whether the device is the machine's own, and in no container */
	__u32 reason; /* enum skb_drop_reason, which differs from kernel to kernel */
};
_Static_assert(sizeof(struct drop_key) == 32, "drop_key is a wire struct");
_Static_assert(__builtin_offsetof(struct drop_key, host) == 24, "drop_key is a wire struct");
