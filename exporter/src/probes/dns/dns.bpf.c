// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packets between sockets of cgroups and port 53 of servers, as they are: user space reads what they say. Linux 5.8 with
 * BTF and cgroup version 2.
 *
 * Hooks, one set of two:
 * - the kernel's own functions for datagrams, which nothing else passes; for TCP those that give a segment to the network
 *   and a tracepoint for what comes, where the socket's port tells at once. They may not read all of a packet: what is
 *   not in its first part they have the kernel copy, see `copies`.
 * - where the kernel lets nobody in there, cgroup_skb on the root of the hierarchy, beside whatever others have attached.
 *   All packets of sockets pass that: those of TCP with other ports are let go by their first bytes, other datagrams
 *   after their header was read.
 */
#include <bpf/bpf_endian.h>

#include "packet.h"
#include "skb.h"
#include "dns.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define DNS_PORT 53

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} packets SEC(".maps");

/*
 * A buffer a CPU of `struct dns_copy`, each with the beginning of its packet. The order of packets is that of the ring: a
 * copy is there before the packet that it belongs to.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} copies SEC(".maps");

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

static __always_inline void lose(void)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&losses, &zero);

	if (lost)
		ADD(*lost, 1);
}

/* Room for a packet, with all but its cgroup, its server and its payload, which is not empty; NULL if there is none. */
static __always_inline struct dns_packet *packet_of(const struct ports *ports, __u8 direction, __u8 protocol,
						    __u32 length)
{
	struct dns_packet *packet = bpf_ringbuf_reserve(&packets, sizeof(*packet), 0);

	if (!packet) {
		lose();
		return NULL;
	}
	packet->at_ns = bpf_ktime_get_ns();
	packet->sequence = bpf_ntohl(ports->sequence);
	packet->own_port = bpf_ntohs(direction == DNS_SENT ? ports->from : ports->to);
	packet->length = length > 0xffff ? 0xffff : length;
	packet->kept = length > KEPT ? KEPT : length;
	packet->direction = direction;
	packet->tcp = protocol == IPPROTO_TCP;
	packet->copied = 0;
	return packet;
}

/*
 * A length from 1 to KEPT, a power of two, is what it is. Verifiers of Linux 6.1 and before see that in a mask only: both
 * comparisons become one, of a difference.
 */
static __always_inline __u32 checked(__u32 length)
{
	asm volatile("" : "+r"(length));
	return ((length - 1) & (KEPT - 1)) + 1;
}

static __always_inline int look(struct __sk_buff *skb, __u8 direction)
{
	struct bpf_sock *sk = skb->sk;
	__u32 at, end, length, server[4], peer[5];
	struct dns_packet *packet;
	struct ports ports;
	__be16 peer_port;
	__u8 protocol, words;

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
	/* Read one by one, at offsets that are known: verifiers let nobody count from the socket's address. */
	peer[0] = *(volatile __u32 *)&sk->dst_ip6[0];
	peer[1] = *(volatile __u32 *)&sk->dst_ip6[1];
	peer[2] = *(volatile __u32 *)&sk->dst_ip6[2];
	peer[3] = *(volatile __u32 *)&sk->dst_ip6[3];
	peer[4] = *(volatile __u32 *)&sk->dst_ip4;
	peer_port = sk->dst_port;
	if (skb->protocol == bpf_htons(0x0800)) {
		struct v4_header ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return ALLOW;
		at = (ip.length & 0xf) * 4;
		end = bpf_ntohs(ip.total);
		mapped(server, direction == DNS_SENT ? ip.to : ip.from);
	} else {
		struct v6_header ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return ALLOW;
		at = behind_extensions(skb, ip.next, protocol);
		if (!at)
			return ALLOW;
		end = sizeof(ip) + bpf_ntohs(ip.payload);
		__builtin_memcpy(server, direction == DNS_SENT ? ip.to : ip.from, sizeof(server));
	}
	if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))
		return ALLOW;
	/*
	 * The firewall may have sent the packet elsewhere by now, as it does for the name server of Docker's networks. Where the
	 * program believes it to go, a socket that is connected knows.
	 */
	if (direction == DNS_SENT && protocol == IPPROTO_UDP && peer_port) {
		ports.to = peer_port;
		if (skb->protocol == bpf_htons(0x0800)) {
			mapped(server, peer[4]);
		} else {
			__builtin_memcpy(server, peer, sizeof(server));
		}
	}
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
	packet = packet_of(&ports, direction, protocol, length);
	if (!packet)
		return ALLOW;
	packet->cgroup = bpf_skb_cgroup_id(skb);
	__builtin_memcpy(packet->server, server, sizeof(server));
	length = checked(packet->kept);
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

/* Sends a packet whose payload begins at `at`. The function that we are in has it as it is. */
static __always_inline void send(struct sk_buff *skb, __u32 at, struct dns_packet *packet)
{
	__u32 kept = checked(packet->kept), first = skb->len - skb->data_len;
	struct dns_copy copy = { .at_ns = packet->at_ns, .at = at, .kept = kept };
	__u64 bytes = at + kept;
	long failed;

	if (bytes <= first) {
		failed = bpf_probe_read_kernel(packet->payload, kept, skb->data + at);
	} else {
		packet->copied = 1;
		packet->cpu = bpf_get_smp_processor_id();
		failed = bpf_skb_output(skb, &copies, bytes << 32 | BPF_F_CURRENT_CPU, &copy, sizeof(copy));
	}
	if (failed) {
		lose();
		bpf_ringbuf_discard(packet, 0);
		return;
	}
	bpf_ringbuf_submit(packet, 0);
}

static __always_inline int datagram(struct sock *sk, struct sk_buff *skb, __u8 direction)
{
	struct dns_packet *packet;
	struct ports ports = {};
	unsigned char *network;
	__u8 version = 0;
	__u32 at;

	if (!sk || sk->sk_protocol != IPPROTO_UDP)
		return 0;
	bpf_probe_read_kernel(&ports, 4, skb->head + skb->transport_header);
	if ((direction == DNS_SENT ? ports.to : ports.from) != bpf_htons(DNS_PORT))
		return 0;
	at = to_payload(skb);
	if (at >= skb->len)
		return 0;
	packet = packet_of(&ports, direction, IPPROTO_UDP, skb->len - at);
	if (!packet)
		return 0;
	packet->cgroup = cgroup_of_typed_socket(sk);
	network = skb->head + skb->network_header;
	bpf_probe_read_kernel(&version, sizeof(version), network);
	if (version >> 4 == 4) {
		struct v4_header ip = {};

		bpf_probe_read_kernel(&ip, sizeof(ip), network);
		mapped(packet->server, direction == DNS_SENT ? ip.to : ip.from);
	} else {
		struct v6_header ip = {};

		bpf_probe_read_kernel(&ip, sizeof(ip), network);
		__builtin_memcpy(packet->server, direction == DNS_SENT ? ip.to : ip.from, sizeof(packet->server));
	}
	send(skb, at, packet);
	return 0;
}

SEC("fentry/ip_send_skb")
int on_send(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[1];

	REFUSAL_POINT();
	return datagram(skb->sk, skb, DNS_SENT);
}

SEC("fentry/ip6_send_skb")
int on_send_v6(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];

	return datagram(skb->sk, skb, DNS_SENT);
}

SEC("fentry/__udp_enqueue_schedule_skb")
int on_arrival(__u64 *ctx)
{
	return datagram((void *)ctx[0], (void *)ctx[1], DNS_RECEIVED);
}

/* At its first byte is the header of TCP. */
static __always_inline int segment(struct sock *sk, struct sk_buff *skb, __u8 direction)
{
	struct dns_packet *packet;
	struct ports ports = {};
	__u8 words = 0;
	__u32 at;

	if (sk->__sk_common.skc_dport != bpf_htons(DNS_PORT) || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	bpf_probe_read_kernel(&ports, sizeof(ports), skb->data);
	bpf_probe_read_kernel(&words, sizeof(words), skb->data + 12);
	at = (words >> 4) * 4;
	if (at >= skb->len)
		return 0;
	packet = packet_of(&ports, direction, IPPROTO_TCP, skb->len - at);
	if (!packet)
		return 0;
	packet->cgroup = cgroup_of_typed_socket(sk);
	read_peer_address(sk, packet->server);
	send(skb, at, packet);
	return 0;
}

SEC("fentry/ip_queue_xmit")
int on_segment(__u64 *ctx)
{
	return segment((void *)ctx[0], (void *)ctx[1], DNS_SENT);
}

SEC("fentry/inet6_csk_xmit")
int on_segment_v6(__u64 *ctx)
{
	return segment((void *)ctx[0], (void *)ctx[1], DNS_SENT);
}

/* What comes while both sides may send. */
SEC("tp_btf/tcp_probe")
int on_reply(__u64 *ctx)
{
	return segment((void *)ctx[0], (void *)ctx[1], DNS_RECEIVED);
}

/* What comes in all other states of a connection. */
SEC("fentry/tcp_rcv_state_process")
int on_late_reply(__u64 *ctx)
{
	return segment((void *)ctx[0], (void *)ctx[1], DNS_RECEIVED);
}
