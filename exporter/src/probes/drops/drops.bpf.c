// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packets that the kernel dropped, by why, and by the cgroup of their socket where there is one, else by their device.
 * Linux 5.17 with BTF.
 *
 * Hook: kfree_skb, which runs for packets that are thrown away, never for those that reached their end: for them the
 * kernel has another, consume_skb. A machine that drops nothing pays nothing.
 */
#include <bpf/bpf_endian.h>

#include "socket.h"
#include "drops.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TCP_TIME_WAIT 6

/* Whether the hook says which socket a packet was for (Linux 6.11). */
const volatile __u32 knows_receiver = 0;
/* The machine's own network namespace. */
const volatile __u32 own_network = 0;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[DEVICE_NAME];
	possible_net_t nd_net;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	__be16 protocol;
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct drop_key);
	__type(value, __u64);
} drops SEC(".maps");

/* 0: packets for which there was no row. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

enum {
	NO_SOCKET,
	OF_NETWORK,
	OF_SOMETHING_ELSE,
};

/* What kind of socket it is; sets the cgroup if it has one. */
static __always_inline int look_at(const struct sock *sk, __u64 *cgroup)
{
	unsigned short family;
	unsigned char state;

	if (!sk)
		return NO_SOCKET;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return OF_SOMETHING_ELSE;
	/* These are no whole sockets: they have no owner. */
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return NO_SOCKET;
	*cgroup = cgroup_of_socket(sk);
	return OF_NETWORK;
}

static __always_inline void count(const struct drop_key *key)
{
	__u64 *found = bpf_map_lookup_elem(&drops, key), one = 1;
	__u32 zero = 0;

	if (!found && !bpf_map_update_elem(&drops, key, &one, BPF_NOEXIST))
		return;
	if (!found)
		found = bpf_map_lookup_elem(&drops, key);
	if (!found)
		found = bpf_map_lookup_elem(&losses, &zero);
	if (found)
		ADD(*found, 1);
}

SEC("tp_btf/kfree_skb")
int on_drop(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct drop_key key = { .reason = ctx[2] };
	struct net_device *device;
	int kind = NO_SOCKET;
	__be16 protocol;

	REFUSAL_POINT();
	if (knows_receiver)
		kind = look_at((const struct sock *)ctx[3], &key.cgroup);
	if (kind == NO_SOCKET)
		kind = look_at(BPF_CORE_READ(skb, sk), &key.cgroup);
	if (kind == OF_SOMETHING_ELSE)
		return 0;
	/* The root of the hierarchy is no container. */
	if (key.cgroup == 1)
		key.cgroup = 0;
	if (!key.cgroup) {
		device = BPF_CORE_READ(skb, dev);
		protocol = BPF_CORE_READ(skb, protocol);
		if (kind == NO_SOCKET && !device && protocol != bpf_htons(0x0800) && protocol != bpf_htons(0x86dd))
			return 0;
		if (device) {
			BPF_CORE_READ_INTO(&key.device, device, name);
			key.host = BPF_CORE_READ(device, nd_net.net, ns.inum) == own_network;
		}
	}
	count(&key);
	return 0;
}
