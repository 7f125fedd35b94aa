/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire struct of dns. wire.rs mirrors it. */
#pragma once

#include "kernel.h"

/* Bytes of a packet's payload that are looked at: all of a classic datagram. */
#define KEPT 512

enum {
	DNS_SENT,
	DNS_RECEIVED,
};

/* One packet between a socket and port 53 of a server. */
struct dns_packet {
	__u64 cgroup;
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u32 server[4]; /* big endian; IPv4 as ::ffff:a.b.c.d */
	__u32 sequence; /* of the first byte of the payload; TCP only */
	__u16 own_port;
	__u16 length; /* of the payload */
	__u16 kept; /* so much of it is here */
	__u8 direction;
	__u8 tcp;
	__u8 copied; /* the payload is not here but in a copy, of this CPU and time */
	__u8 padding;
	__u16 cpu;
	__u8 payload[KEPT];
};
_Static_assert(sizeof(struct dns_packet) == 560, "dns_packet is a wire struct");
_Static_assert(__builtin_offsetof(struct dns_packet, payload) == 48, "dns_packet is a wire struct");

/* What comes before a copy of a packet. */
struct dns_copy {
	__u64 at_ns;
	__u32 at; /* where the payload begins in it */
	__u32 kept;
};
_Static_assert(sizeof(struct dns_copy) == 16, "dns_copy is a wire struct");
