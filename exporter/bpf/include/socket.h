/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel's types of sockets, as far as our programs touch them, and which cgroup owns a socket.
 */
#pragma once

#include "owner.h"

enum {
	BPF_MAP_TYPE_SK_STORAGE = 24,
};
enum {
	BPF_F_CLONE = 1U << 9,
};

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

enum {
	IPPROTO_TCP = 6,
};

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LISTEN = 10,
	TCP_NEW_SYN_RECV = 12,
};

/* Bit of skc_flags: the other side has said that it sends no more. */
#define SOCK_DONE 1

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	__u8 in6_u[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* Until Linux 5.15 a pointer with flags in its low bits, or, with bit 0 set, no pointer. */
struct sock_cgroup_data___before_5_15 {
	__u64 val;
};

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	int sk_err;
	__u16 sk_protocol;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct sock_cgroup_data sk_cgrp_data;
};

struct tcp_sock {
	__u32 segs_out;
	__u32 srtt_us;
	__u32 total_retrans;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
};

struct bpf_map;

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

/*
 * The cgroup that a socket was made in, wherever it is used. Accepted sockets have that of their listener. 0 where only
 * version 1 of cgroups has containers: sockets know none of its cgroups.
 */
static __always_inline __u64 cgroup_of_socket(const struct sock *sk)
{
	struct cgroup *cgrp = NULL;

	if (owner_kind != OWNER_DEFAULT)
		return 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgrp = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		const struct sock_cgroup_data___before_5_15 *old = (const void *)&sk->sk_cgrp_data;
		__u64 value = BPF_CORE_READ(old, val);

		if (!(value & 1))
			cgrp = (struct cgroup *)(value & ~3ULL);
	}
	return cgrp ? cgroup_id(cgrp) : 0;
}

/* The same for a socket whose type the verifier knows: without a call. */
static __always_inline __u64 cgroup_of_typed_socket(const struct sock *sk)
{
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return sk->sk_cgrp_data.cgroup->kn->id;
	return cgroup_of_socket(sk);
}

/* The same for a socket that the current task is at work on: where sockets do not know their cgroup, the task's. */
static __always_inline __u64 cgroup_of_socket_in_use(const struct sock *sk)
{
	if (owner_kind == OWNER_DEFAULT)
		return cgroup_of_socket(sk);
	return owner_of((struct task_struct *)bpf_get_current_task_btf());
}

/* IPv4 addresses are written as ::ffff:a.b.c.d, as sockets of IPv6 that speak it have them anyway. */
static __always_inline void mapped(__u32 *to, __be32 address)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = bpf_htonl(0xffff);
	to[3] = address;
}

static __always_inline void read_peer_address(const struct sock *sk, __u32 *to)
{
	if (sk->__sk_common.skc_family == AF_INET)
		mapped(to, sk->__sk_common.skc_daddr);
	else
		BPF_CORE_READ_INTO((struct in6_addr *)to, sk, __sk_common.skc_v6_daddr);
}

static __always_inline void read_own_address(const struct sock *sk, __u32 *to)
{
	if (sk->__sk_common.skc_family == AF_INET)
		mapped(to, sk->__sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO((struct in6_addr *)to, sk, __sk_common.skc_v6_rcv_saddr);
}
