// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packets between sockets of cgroups and port 53 of servers, as they are: user space reads what they say. Linux 5.8 with
 * BTF and cgroup version 2.
 *
 * Hooks: cgroup_skb on the root of the hierarchy, beside whatever others have attached there. All packets of sockets
 * pass: those of TCP with other ports are let go by their first bytes, other datagrams after their header was read.
 */
#include <bpf/bpf_endian.h>

#include "packet.h"
#include "socket.h"
#include "dns.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define DNS_PORT 53

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} packets SEC(".maps");

/* 0: packets that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

struct v4_header {
	__u8 length;
	__u8 service;
	__be16 total;
	__u32 fragment;
	__u8 hops;
	__u8 protocol;
	__u16 sum;
	__be32 from;
	__be32 to;
};

struct v6_header {
	__u32 flow;
	__be16 payload;
	__u8 next;
	__u8 hops;
	__u32 from[4];
	__u32 to[4];
};

/* What comes first in both. */
struct ports {
	__be16 from;
	__be16 to;
	__be32 sequence; /* TCP only */
};

static __always_inline int look(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;
	__u32 at, end, length, zero = 0, server[4];
	struct dns_packet *packet;
	struct ports ports;
	__u8 protocol, words;
	__u64 *lost;

	if (is_other_tcp(skb, bpf_htons(DNS_PORT)) || !sk)
		return ALLOW;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return ALLOW;
	if (sk->protocol == IPPROTO_TCP) {
		if (sk->dst_port != bpf_htons(DNS_PORT))
			return ALLOW;
	} else if (sk->protocol != IPPROTO_UDP) {
		return ALLOW;
	}
	protocol = sk->protocol;
	if (skb->protocol == bpf_htons(0x0800)) {
		struct v4_header ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return ALLOW;
		at = (ip.length & 0xf) * 4;
		end = bpf_ntohs(ip.total);
		mapped(server, direction == DNS_SENT ? ip.to : ip.from);
	} else {
		struct v6_header ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.next != protocol)
			return ALLOW;
		at = sizeof(ip);
		end = at + bpf_ntohs(ip.payload);
		__builtin_memcpy(server, direction == DNS_SENT ? ip.to : ip.from, sizeof(server));
	}
	if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))
		return ALLOW;
	if ((direction == DNS_SENT ? ports.to : ports.from) != bpf_htons(DNS_PORT))
		return ALLOW;
	if (protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at + 12, &words, sizeof(words)))
			return ALLOW;
		at += (words >> 4) * 4;
	} else {
		at += 8;
	}
	/* Packets that will be cut up have no length in their header, or not theirs. */
	if (end < skb->len || end > skb->len)
		end = skb->len;
	if (at >= end)
		return ALLOW;
	length = end - at;
	packet = bpf_ringbuf_reserve(&packets, sizeof(*packet), 0);
	if (!packet) {
		lost = bpf_map_lookup_elem(&losses, &zero);
		if (lost)
			ADD(*lost, 1);
		return ALLOW;
	}
	packet->cgroup = bpf_skb_cgroup_id(skb);
	packet->at_ns = bpf_ktime_get_ns();
	__builtin_memcpy(packet->server, server, sizeof(server));
	packet->sequence = bpf_ntohl(ports.sequence);
	packet->own_port = bpf_ntohs(direction == DNS_SENT ? ports.from : ports.to);
	packet->length = length > 0xffff ? 0xffff : length;
	packet->direction = direction;
	packet->tcp = protocol == IPPROTO_TCP;
	if (length > KEPT)
		length = KEPT;
	packet->kept = length;
	/*
	 * It is from 1 to KEPT, a power of two. Verifiers of Linux 6.1 and before see that in a mask only: both comparisons
	 * become one, of a difference.
	 */
	asm volatile("" : "+r"(length));
	length = ((length - 1) & (KEPT - 1)) + 1;
	if (bpf_skb_load_bytes(skb, at, packet->payload, length)) {
		bpf_ringbuf_discard(packet, 0);
		return ALLOW;
	}
	bpf_ringbuf_submit(packet, 0);
	return ALLOW;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	return look(skb, DNS_SENT);
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	if (refuse_me)
		return *(volatile int *)(long)8;
	return look(skb, DNS_RECEIVED);
}
