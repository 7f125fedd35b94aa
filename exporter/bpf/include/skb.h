/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets as functions of the kernel have them.
 */
#pragma once

#include "socket.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
	struct sock *sk;
	unsigned int len;
	unsigned int data_len;
	__u16 transport_header;
	__u16 network_header;
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
};

struct skb_shared_info {
	unsigned short gso_segs;
};

#pragma clang attribute pop

/* Datagrams that it is cut up into, or was put together from. */
static __always_inline __u32 segments(struct sk_buff *skb)
{
	struct skb_shared_info *shared = (void *)(skb->head + skb->end);
	__u16 count = BPF_CORE_READ(shared, gso_segs);

	return count ? count : 1;
}

/* From the first of its bytes to those of the program, if it is a datagram. */
static __always_inline __u32 to_payload(struct sk_buff *skb)
{
	__u64 distance = skb->head + skb->transport_header + 8 - skb->data;

	/* Else the compiler works with halves of pointers, which Linux 7 refuses. */
	asm volatile("" : "+r"(distance));
	return distance;
}
