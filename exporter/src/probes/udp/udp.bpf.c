// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Datagrams and their bytes, by the cgroup of the socket that sends or gets them. Linux 5.8 with BTF and cgroup version 2.
 *
 * Hooks, one set of two; either runs where a packet leaves or reaches a socket, so each is counted once, however many
 * interfaces it passes, and large sends that are cut up later count as the datagrams that they become:
 * - the kernel's own functions for datagrams, which nothing else passes;
 * - where the kernel lets nobody in there, cgroup_skb on the root of the hierarchy, beside whatever others have attached.
 *   All packets of TCP pass that too: they are let go by their first bytes.
 * What found no room in a socket is counted at udp_fail_queue_rcv_skb.
 */
#include <bpf/bpf_endian.h>

#include "packet.h"
#include "skb.h"
#include "udp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct datagrams);
} counts SEC(".maps");

/* 0: packets of cgroups that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static const struct datagrams none;

static __always_inline struct datagrams *counts_of(__u64 cgroup)
{
	struct datagrams *found = bpf_map_lookup_elem(&counts, &cgroup);
	__u32 zero = 0;
	__u64 *lost;

	if (found)
		return found;
	bpf_map_update_elem(&counts, &cgroup, &none, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&counts, &cgroup);
	if (found)
		return found;
	lost = bpf_map_lookup_elem(&losses, &zero);
	if (lost)
		ADD(*lost, 1);
	return NULL;
}

static __always_inline int is_udp(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->protocol == IPPROTO_UDP;
}

/* Bytes of the program: all but the headers. */
static __always_inline __u32 payload(struct __sk_buff *skb)
{
	__u32 headers;
	__u8 first = 0;

	if (skb->protocol == bpf_htons(0x0800)) {
		if (bpf_skb_load_bytes(skb, 0, &first, 1))
			return 0;
		headers = (first & 0xf) * 4 + 8;
	} else {
		if (bpf_skb_load_bytes(skb, 6, &first, 1))
			return 0;
		headers = behind_extensions(skb, first, IPPROTO_UDP);
		if (!headers)
			return 0;
		headers += 8;
	}
	return skb->len > headers ? skb->len - headers : 0;
}

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	struct datagrams *to;

	if (is_other_tcp(skb, 0) || !is_udp(skb))
		return ALLOW;
	to = counts_of(bpf_skb_cgroup_id(skb));
	if (to) {
		to->sent += skb->gso_segs ? skb->gso_segs : 1;
		to->sent_bytes += payload(skb);
	}
	return ALLOW;
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	struct datagrams *to;

	if (is_other_tcp(skb, 0) || !is_udp(skb))
		return ALLOW;
	to = counts_of(bpf_skb_cgroup_id(skb));
	if (to) {
		to->received += skb->gso_segs ? skb->gso_segs : 1;
		to->received_bytes += payload(skb);
	}
	return ALLOW;
}

static __always_inline int sent(struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	struct datagrams *to;

	/* The same functions send packets of ping. */
	if (!sk || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	to = counts_of(cgroup_of_typed_socket(sk));
	if (to) {
		to->sent += segments(skb);
		to->sent_bytes += skb->len - to_payload(skb);
	}
	return 0;
}

SEC("fentry/ip_send_skb")
int on_send(__u64 *ctx)
{
	REFUSAL_POINT();
	return sent((void *)ctx[1]);
}

SEC("fentry/ip6_send_skb")
int on_send_v6(__u64 *ctx)
{
	return sent((void *)ctx[0]);
}

SEC("fentry/__udp_enqueue_schedule_skb")
int on_arrival(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff *skb = (void *)ctx[1];
	struct datagrams *to;

	if (sk->sk_protocol != IPPROTO_UDP)
		return 0;
	to = counts_of(cgroup_of_typed_socket(sk));
	if (to) {
		to->received += segments(skb);
		to->received_bytes += skb->len - to_payload(skb);
	}
	return 0;
}

SEC("tp_btf/udp_fail_queue_rcv_skb")
int on_no_room(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[1];
	struct datagrams *to;

	REFUSAL_POINT();
	to = counts_of(cgroup_of_socket(sk));
	if (to)
		to->dropped++;
	return 0;
}
