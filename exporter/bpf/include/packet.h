/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Packets as programs on cgroups see them (of <linux/bpf.h>, whose layout never changes: no relocation).
 */
#pragma once

#include "socket.h"

#define IPPROTO_UDP 17
#define ALLOW 1

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__be16 dst_port;
	__u16 : 16;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
};
_Static_assert(__builtin_offsetof(struct bpf_sock, dst_port) == 48, "as in <linux/bpf.h>");
_Static_assert(__builtin_offsetof(struct bpf_sock, dst_ip6) == 56, "as in <linux/bpf.h>");

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol; /* big endian */
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	struct bpf_sock *sk;
};
_Static_assert(__builtin_offsetof(struct __sk_buff, gso_segs) == 164, "as in <linux/bpf.h>");
_Static_assert(__builtin_offsetof(struct __sk_buff, sk) == 168, "as in <linux/bpf.h>");

/* Extension headers of IPv6 that are looked through. */
#define MOST_EXTENSIONS 4

/*
 * Where a packet of IPv6 with this first header has that of a protocol: behind all extension headers; 0 where that cannot
 * be told, as behind the first fragment.
 */
static __always_inline __u32 behind_extensions(struct __sk_buff *skb, __u8 next, __u8 protocol)
{
	__u32 at = 40;
	__u8 head[4];
	int i;

	for (i = 0; i <= MOST_EXTENSIONS; i++) {
		if (next == protocol)
			return at;
		/* Hop by hop, routing, fragment, authentication, destination, mobility. */
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60 && next != 135)
			return 0;
		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return 0;
		if (next == 44) {
			if (head[2] || head[3] & 0xf8)
				return 0;
			at += 8;
		} else if (next == 51) {
			at += (head[1] + 2) * 4;
		} else {
			at += (head[1] + 1) * 8;
		}
		next = head[0];
	}
	return 0;
}

#define FIRST_BYTES 40

/*
 * Whether a packet is of TCP and neither of its ports is the given one (big endian; 0 is no port). Most packets of most
 * machines are: they are told by their first bytes, without a call of the kernel. 0 also where these do not tell.
 */
static __always_inline int is_other_tcp(struct __sk_buff *skb, __be16 port)
{
	__u8 *bytes = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__be16 *ports;

	if (bytes + FIRST_BYTES > end)
		return 0;
	if (bytes[0] == 0x45 && bytes[9] == IPPROTO_TCP) {
		ports = (void *)(bytes + 20);
	} else if (bytes[0] >> 4 == 6 && bytes[6] == IPPROTO_TCP) {
		if (bytes + FIRST_BYTES + 4 > end)
			return 0;
		ports = (void *)(bytes + 40);
	} else {
		return 0;
	}
	return ports[0] != port && ports[1] != port;
}
