// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The TCP connections of every cgroup, by whom they lead to: attempts, failures by reason, ends by outcome, bytes,
 * retransmissions, times. Linux 5.11 with BTF.
 *
 * Nothing runs per packet or per system call. The kernel keeps bytes, retransmissions and round-trip times in the socket
 * itself; every connection passes through inet_sock_set_state when it begins, when it is there, and, with its figures
 * final, when its state becomes CLOSE: that comes before the socket is destroyed or used again, and the reason of a
 * failure is in sk_err by then. No hook on retransmission is needed.
 *
 * The kernel leaves a program out where it has interrupted that very program on the same CPU: a timer or a packet that
 * ends one connection while the program is at work on another would not be seen. So the program is there twice. The
 * second finds its work done, but where the first was interrupted; it cannot have been interrupted at the same time.
 *
 * And a kernel may shield a task from programs like these: what timers and packets do on its back goes unseen. So what is
 * on record is compared with the socket's state at each change that is seen and in each pass over all sockets, and what
 * was missed is made good. A connection that ended unseen ends at inet_sk_error_report, which follows, or else when the
 * socket is destroyed. Its error may have been given to the program by then, and the socket cleared; why a connect failed
 * is inferred then from what is left: an ICMP message came, or a timer's time had passed, or neither.
 *
 * What connections carry while they last is counted when user space asks, by an iterator over all sockets that have a
 * record of ours, of all network namespaces. The record says how much was counted already; only what came since is
 * added, so sums only rise.
 */
#include <bpf/bpf_endian.h>

#include "socket.h"
#include "streaming.h"
#include "tcp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Rows that a cgroup may have, for each direction. */
const volatile __u32 peers_most = 64;

/* The prefix of an address that tells peers apart, as masks. */
const volatile __u32 mask_v4 = 0xffffffff;
const volatile __u32 mask_v6_0 = 0xffffffff;
const volatile __u32 mask_v6_1 = 0xffffffff;
const volatile __u32 mask_v6_2 = 0xffffffff;
const volatile __u32 mask_v6_3 = 0xffffffff;

/* Before this much time no timer ends a connect: the first waits a second. */
#define FIRST_TIMER_NS 900000000ULL

/* How often the round-trip time of a connection that lasts is taken. */
#define SAMPLE_EVERY_NS 60000000000ULL

#define ECONNREFUSED 111
#define ETIMEDOUT 110
#define ECONNRESET 104
#define ECONNABORTED 103
#define ENETDOWN 100
#define ENETUNREACH 101
#define EHOSTDOWN 112
#define EHOSTUNREACH 113
#define EPIPE 32
#define EACCES 13
#define ENOPROTOOPT 92

enum {
	NOTHING,
	CONNECTING,
	ARRIVING,
	OPEN,
	LISTENING,
};

/* What we know of a socket. */
struct conn {
	struct peer_key key;
	__u64 started_ns; /* 0: before we came */
	__u64 opened_ns;
	__u64 sampled_ns; /* when its round-trip time was last taken */
	/* Counted so far: */
	__u64 sent;
	__u64 received;
	__u64 retransmits;
	__u64 retransmitted_bytes;
	__u64 turned_away;
	__u32 kind;
	__u32 process;
	__u16 own_port;
	__u8 told; /* whether a router or the other side complained while we were connecting */
	__u8 padding[5];
	char command[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	/* What a listener has is given to the sockets that come of it: its owner and its process. */
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

/* The number of the pass over all sockets, where that takes a run in each network namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} pass SEC(".maps");

/* Sizes are set by user space from the machine's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct peer_key);
	__type(value, struct peer);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct meter);
} meters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct released);
} released SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static const struct peer no_peer;
static const struct meter no_meter;
static const struct listener no_listener;

/* Upper ends of the slots of struct times, in ns. */
/* clang-format off */
static const __u64 native_edges[NATIVE_SLOTS - 1] = {
	953, 1134, 1348, 1603, 1907, 2268, 2697, 3207,
	3814, 4536, 5394, 6415, 7629, 9072, 10789, 12831,
	15258, 18145, 21579, 25662, 30517, 36291, 43158, 51324,
	61035, 72583, 86316, 102648, 122070, 145166, 172633, 205296,
	244140, 290333, 345266, 410593, 488281, 580667, 690533, 821187,
	976562, 1161335, 1381067, 1642375, 1953125, 2322670, 2762135, 3284751,
	3906250, 4645340, 5524271, 6569503, 7812500, 9290680, 11048543, 13139006,
	15625000, 18581361, 22097086, 26278012, 31250000, 37162722, 44194173, 52556025,
	62500000, 74325444, 88388347, 105112051, 125000000, 148650889, 176776695, 210224103,
	250000000, 297301778, 353553390, 420448207, 500000000, 594603557, 707106781, 840896415,
	1000000000, 1189207115, 1414213562, 1681792830, 2000000000, 2378414230, 2828427124, 3363585661,
	4000000000, 4756828460, 5656854249, 6727171322, 8000000000, 9513656920, 11313708498, 13454342644,
	16000000000, 19027313840, 22627416997, 26908685288, 32000000000, 38054627680, 45254833995, 53817370576,
	64000000000, 76109255360, 90509667991, 107634741152, 128000000000,
};
static const __u64 classic_edges[CLASSIC_SLOTS - 1] = {
	100000, 250000, 500000, 1000000, 2500000, 5000000,
	10000000, 25000000, 50000000, 100000000, 250000000, 500000000,
	1000000000, 2500000000, 5000000000, 10000000000, 30000000000,
};
/* clang-format on */

static __always_inline void lose(__u32 what)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &what);

	if (count)
		ADD(*count, 1);
}

/* How many edges are below: global, so that the verifier looks at it once. */
__attribute__((noinline)) __u32 native_slot(__u64 ns)
{
	__u32 at = 0, step;

#pragma unroll
	for (step = 64; step; step >>= 1) {
		__u32 next = at + step;

		if (next < NATIVE_SLOTS && ns > native_edges[next - 1])
			at = next;
	}
	return at;
}

__attribute__((noinline)) __u32 classic_slot(__u64 ns)
{
	__u32 at = 0, step;

#pragma unroll
	for (step = 16; step; step >>= 1) {
		__u32 next = at + step;

		if (next < CLASSIC_SLOTS && ns > classic_edges[next - 1])
			at = next;
	}
	return at;
}

static __always_inline void observe(struct times *times, __u64 ns)
{
	__u32 native = native_slot(ns), classic = classic_slot(ns);

	ADD(times->sum_ns, ns);
	ADD(times->count, 1);
	if (native < NATIVE_SLOTS)
		ADD(times->native[native], 1);
	if (classic < CLASSIC_SLOTS)
		ADD(times->classic[classic], 1);
}

static __always_inline struct meter *meter_of(__u64 cgroup)
{
	struct meter *found = bpf_map_lookup_elem(&meters, &cgroup);

	if (found)
		return found;
	bpf_map_update_elem(&meters, &cgroup, &no_meter, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&meters, &cgroup);
	if (found)
		return found;
	lose(LOST_METER);
	cgroup = 0;
	return bpf_map_lookup_elem(&meters, &cgroup);
}

/* Whether the cgroup may have one more row. */
static __always_inline int has_room(struct meter *meter, const struct peer_key *key)
{
	__u64 cgroup = key->cgroup, made = meter->peers[key->direction & 1];
	struct released *gone;

	if (made < peers_most)
		return 1;
	gone = bpf_map_lookup_elem(&released, &cgroup);
	return gone && made - gone->peers[key->direction & 1] < peers_most;
}

/* The row of a connection. Makes it if it is not there; if there is no room, the key becomes that of another row. */
static __always_inline struct peer *peer_of(struct peer_key *key)
{
	struct peer *found = bpf_map_lookup_elem(&peers, key);
	struct meter *meter;

	if (found)
		return found;
	meter = meter_of(key->cgroup);
	if (meter && key->port) {
		if (!has_room(meter, key)) {
			lose(OVER_CAP);
		} else if (!bpf_map_update_elem(&peers, key, &no_peer, BPF_NOEXIST)) {
			ADD(meter->peers[key->direction & 1], 1);
			return bpf_map_lookup_elem(&peers, key);
		} else {
			found = bpf_map_lookup_elem(&peers, key);
			if (found)
				return found;
			lose(LOST_PEER);
		}
	}
	__builtin_memset(key->address, 0, sizeof(key->address));
	key->port = 0;
	found = bpf_map_lookup_elem(&peers, key);
	if (found)
		return found;
	bpf_map_update_elem(&peers, key, &no_peer, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&peers, key);
	if (found)
		return found;
	lose(LOST_PEER);
	key->cgroup = 0;
	return bpf_map_lookup_elem(&peers, key);
}

static __always_inline void mask_address(__u32 *address)
{
	if (!address[0] && !address[1] && address[2] == bpf_htonl(0xffff)) {
		address[3] &= mask_v4;
		return;
	}
	address[0] &= mask_v6_0;
	address[1] &= mask_v6_1;
	address[2] &= mask_v6_2;
	address[3] &= mask_v6_3;
}

static __always_inline void read_key(struct sock *sk, struct conn *conn, __u8 direction, __u16 port)
{
	conn->key.direction = direction;
	conn->key.port = port;
	read_peer_address(sk, conn->key.address);
	mask_address(conn->key.address);
}

static __always_inline struct listener *listener_of(const struct conn *conn)
{
	struct listener_key key = { .cgroup = conn->key.cgroup, .port = conn->own_port };
	struct listener *found = bpf_map_lookup_elem(&listeners, &key);

	if (found)
		return found;
	bpf_map_update_elem(&listeners, &key, &no_listener, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&listeners, &key);
	if (!found)
		lose(LOST_LISTENER);
	return found;
}

/* Adds what came to a sum since it was last counted. Another CPU may be at the same: one of the two adds. */
#define CATCH_UP(counted, now, sum)                                                                                    \
	do {                                                                                                           \
		__u64 before_ = *(volatile __u64 *)&(counted), now_ = (now);                                           \
		if (now_ > before_ && __sync_val_compare_and_swap(&(counted), before_, now_) == before_)               \
			ADD(sum, now_ - before_);                                                                      \
	} while (0)

static __always_inline void read_figures(struct sock *sk, struct tcp_sock *tp, __u64 *sent, __u64 *received)
{
	*sent = tp->bytes_sent - tp->bytes_retrans;
	*received = tp->bytes_received;
	/* The kernel counts the other side's FIN as a byte. */
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE) && *received)
		(*received)--;
}

static __always_inline void count(struct sock *sk, struct tcp_sock *tp, struct conn *conn, struct peer *row)
{
	__u64 sent, received;

	read_figures(sk, tp, &sent, &received);
	CATCH_UP(conn->sent, sent, row->sent_bytes);
	CATCH_UP(conn->received, received, row->received_bytes);
	CATCH_UP(conn->retransmits, (__u64)tp->total_retrans, row->retransmits);
	CATCH_UP(conn->retransmitted_bytes, tp->bytes_retrans, row->retransmitted_bytes);
}

static __always_inline void sample_rtt(struct tcp_sock *tp, const struct conn *conn, struct peer *row)
{
	/* The kernel keeps eight times its smoothed value, in µs. */
	__u64 ns = (__u64)tp->srtt_us * 1000 / 8;
	struct meter *meter;

	if (!ns)
		return;
	ADD(row->rtt_ns, ns);
	ADD(row->rtt_samples, 1);
	meter = meter_of(conn->key.cgroup);
	if (meter)
		observe(&meter->rtt, ns);
}

static __always_inline void set_base(struct sock *sk, struct tcp_sock *tp, struct conn *conn)
{
	read_figures(sk, tp, &conn->sent, &conn->received);
	conn->retransmits = tp->total_retrans;
	conn->retransmitted_bytes = tp->bytes_retrans;
}

static __always_inline void note_process(struct conn *conn)
{
	conn->process = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(conn->command, sizeof(conn->command));
}

static __always_inline struct conn *make_conn(struct sock *sk)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!conn)
		lose(LOST_SOCKET);
	return conn;
}

static __always_inline void connecting(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct conn *conn = make_conn(sk);
	struct peer *row;

	if (!conn || !tp)
		return;
	conn->key.cgroup = cgroup_of_socket_in_use(sk);
	read_key(sk, conn, OUTBOUND, bpf_ntohs(sk->__sk_common.skc_dport));
	set_base(sk, tp, conn);
	note_process(conn);
	conn->started_ns = bpf_ktime_get_ns();
	conn->opened_ns = 0;
	conn->told = 0;
	conn->kind = CONNECTING;
	row = peer_of(&conn->key);
	if (row)
		ADD(row->attempts, 1);
}

/* A socket that came of a listener; its handshake is all but over. */
static __always_inline void arriving(struct sock *sk)
{
	struct conn *conn = make_conn(sk);

	if (!conn)
		return;
	if (owner_kind == OWNER_DEFAULT)
		conn->key.cgroup = cgroup_of_socket(sk);
	conn->own_port = sk->__sk_common.skc_num;
	read_key(sk, conn, INBOUND, conn->own_port);
	conn->started_ns = bpf_ktime_get_ns();
	conn->opened_ns = 0;
	conn->sent = 0;
	conn->received = 0;
	conn->retransmits = 0;
	conn->retransmitted_bytes = 0;
	conn->kind = ARRIVING;
}

/* `seen`: it opened just now. */
static __always_inline void opened(struct sock *sk, int seen)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
	struct meter *meter;
	struct peer *row;
	__u64 now, took;

	if (!conn || (conn->kind != CONNECTING && conn->kind != ARRIVING))
		return;
	now = bpf_ktime_get_ns();
	row = peer_of(&conn->key);
	if (!row)
		return;
	ADD(row->opened, 1);
	ADD(row->open, 1);
	if (conn->kind == CONNECTING) {
		conn->own_port = sk->__sk_common.skc_num;
		if (conn->started_ns && seen) {
			took = now - conn->started_ns;
			ADD(row->connect_ns, took);
			meter = meter_of(conn->key.cgroup);
			if (meter)
				observe(&meter->connect, took);
		}
	}
	conn->kind = OPEN;
	conn->opened_ns = now;
	conn->sampled_ns = now;
}

static __always_inline __u32 failure_of(struct sock *sk, struct tcp_sock *tp)
{
	switch (sk->sk_err) {
	case 0:
		return tp->segs_out ? FAILED_ABANDONED : FAILED_LOCAL;
	case ECONNABORTED:
		return FAILED_ABANDONED;
	case ECONNREFUSED:
	case ECONNRESET:
		return FAILED_REFUSED;
	case ETIMEDOUT:
		return FAILED_TIMEOUT;
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case EACCES:
	case ENOPROTOOPT:
		return FAILED_UNREACHABLE;
	}
	return FAILED_OTHER;
}

/* The same when the error is not there any more. A program that gives up is always seen, so it was none. */
static __always_inline __u32 failure_unseen(const struct conn *conn)
{
	if (!conn->started_ns)
		return FAILED_OTHER;
	if (conn->told)
		return FAILED_UNREACHABLE;
	return bpf_ktime_get_ns() - conn->started_ns < FIRST_TIMER_NS ? FAILED_REFUSED : FAILED_TIMEOUT;
}

static __always_inline __u32 outcome_of(struct sock *sk, int from)
{
	switch (sk->sk_err) {
	case 0:
		/* A program that goes before it has read everything, or wants it so, resets the connection. */
		return from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT ? ENDED_RESET : ENDED_CLOSED;
	case ECONNABORTED:
		return ENDED_RESET;
	case ECONNRESET:
	case EPIPE:
		return ENDED_RESET_BY_PEER;
	case ETIMEDOUT:
		return ENDED_TIMEOUT;
	}
	return ENDED_OTHER;
}

static __always_inline void tell(struct sock *sk, struct tcp_sock *tp, const struct conn *conn, __u32 failed, __u32 how)
{
	struct flow *flow;

	if (!is_sent())
		return;
	flow = bpf_ringbuf_reserve(&flows, sizeof(*flow), 0);
	if (!flow) {
		lose(LOST_FLOW);
		return;
	}
	__builtin_memset(flow, 0, sizeof(*flow));
	flow->cgroup = conn->key.cgroup;
	flow->started_ns = conn->started_ns;
	flow->opened_ns = conn->opened_ns;
	flow->ended_ns = bpf_ktime_get_ns();
	flow->sent_bytes = conn->sent;
	flow->received_bytes = conn->received;
	flow->retransmits = conn->retransmits;
	read_own_address(sk, flow->own_address);
	read_peer_address(sk, flow->peer_address);
	flow->own_port = conn->own_port;
	flow->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	flow->direction = conn->key.direction;
	flow->outcome = how;
	flow->failed = failed;
	flow->process = conn->process;
	flow->rtt_us = tp->srtt_us / 8;
	__builtin_memcpy(flow->command, conn->command, sizeof(flow->command));
	bpf_ringbuf_submit(flow, 0);
}

/* `from` is TCP_CLOSE when the change of state itself was not seen. */
static __always_inline void ended(struct sock *sk, int from)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct listener *listener;
	struct peer *row;
	__u32 kind, how;

	if (!conn || !tp)
		return;
	kind = conn->kind;
	conn->kind = NOTHING;
	if (kind == LISTENING) {
		listener = listener_of(conn);
		if (listener)
			CATCH_UP(conn->turned_away, (__u64)(__u32)sk->sk_drops.counter, listener->turned_away);
		return;
	}
	if (kind != CONNECTING && kind != OPEN)
		return;
	row = peer_of(&conn->key);
	if (!row)
		return;
	count(sk, tp, conn, row);
	if (kind == CONNECTING) {
		how = from == TCP_CLOSE && !sk->sk_err ? failure_unseen(conn) : failure_of(sk, tp);
		if (how < FAILURES)
			ADD(row->failed[how], 1);
	} else {
		sample_rtt(tp, conn, row);
		how = outcome_of(sk, from);
		if (how < OUTCOMES)
			ADD(row->ended[how], 1);
		ADD(row->open, -1);
	}
	tell(sk, tp, conn, kind == CONNECTING, how);
}

static __always_inline void listening(struct sock *sk)
{
	struct conn *conn = make_conn(sk);

	if (!conn)
		return;
	conn->key.cgroup = cgroup_of_socket_in_use(sk);
	conn->own_port = sk->__sk_common.skc_num;
	conn->turned_away = (__u32)sk->sk_drops.counter;
	note_process(conn);
	conn->kind = LISTENING;
	listener_of(conn);
}

/* Whether a socket in this state has, or had, a connection. */
static __always_inline int is_connected(int state)
{
	return state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_SYN_SENT && state != TCP_SYN_RECV &&
	       state != TCP_NEW_SYN_RECV;
}

/* Makes good what was not seen of a socket that is or was in this state: that it came of a listener, that it opened. */
static __always_inline void catch_up(struct sock *sk, struct conn *conn, int state)
{
	if (!is_connected(state))
		return;
	/* What it has of its listener. */
	if (conn->kind == LISTENING)
		arriving(sk);
	if (conn->kind == CONNECTING || conn->kind == ARRIVING)
		opened(sk, 0);
}

/* What a socket that came into this state is on record as; for ends and openings the record itself tells. */
static __always_inline int is_taken_in(struct sock *sk, int from, int to)
{
	struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, 0);

	if (!conn)
		return 0;
	if (to == TCP_SYN_SENT)
		return conn->kind == CONNECTING;
	if (to == TCP_LISTEN)
		return conn->kind == LISTENING;
	return to == TCP_SYN_RECV && from == TCP_LISTEN && conn->kind == ARRIVING;
}

static __always_inline int take_in(__u64 *ctx, int again)
{
	struct sock *sk = (void *)ctx[0];
	int from = ctx[1], to = ctx[2];

	if (from == to || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (again && is_taken_in(sk, from, to))
		return 0;
	if (is_connected(from)) {
		struct conn *conn = bpf_sk_storage_get(&conns, sk, NULL, 0);

		if (conn)
			catch_up(sk, conn, from);
	}
	if (to == TCP_SYN_SENT)
		connecting(sk);
	else if (to == TCP_LISTEN)
		listening(sk);
	else if (to == TCP_CLOSE)
		ended(sk, from);
	else if (to == TCP_SYN_RECV && from == TCP_LISTEN)
		arriving(sk);
	else if (to != TCP_SYN_RECV && (from == TCP_SYN_SENT || from == TCP_SYN_RECV))
		opened(sk, 1);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int on_state(__u64 *ctx)
{
	REFUSAL_POINT();
	return take_in(ctx, 0);
}

SEC("tp_btf/inet_sock_set_state")
int on_state_again(__u64 *ctx)
{
	return take_in(ctx, 1);
}

static __always_inline int is_on_record(struct sock *sk)
{
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state != TCP_CLOSE)
		return 0;
	conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
	return conn && (conn->kind == CONNECTING || conn->kind == OPEN);
}

/* An error that ended a connection, told to its program right after the state became CLOSE; or one that may pass. */
SEC("tp_btf/inet_sk_error_report")
int on_error(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct conn *conn;

	if (sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_state == TCP_SYN_SENT) {
		conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
		if (conn)
			conn->told = 1;
	} else if (is_on_record(sk)) {
		ended(sk, TCP_CLOSE);
	}
	return 0;
}

/* The last that is seen of a socket. */
SEC("tp_btf/tcp_destroy_sock")
int on_destroy(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];

	if (is_on_record(sk))
		ended(sk, TCP_CLOSE);
	return 0;
}

static __always_inline struct meter *meter_of_socket(const struct sock *sk)
{
	return meter_of(cgroup_of_socket(sk));
}

SEC("tp_btf/tcp_receive_reset")
int on_receive_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct meter *meter = meter_of_socket(sk);

	if (meter)
		ADD(meter->resets_received, 1);
	return 0;
}

/* For packets that belong to no socket there is none. */
SEC("tp_btf/tcp_send_reset")
int on_send_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp;
	struct meter *meter;

	if (!sk)
		return 0;
	/* Not so for connections that are no more than half there or in TIME_WAIT: they have no owner. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	meter = meter_of_socket((struct sock *)tp);
	if (meter)
		ADD(meter->resets_sent, 1);
	return 0;
}

/* Takes in sockets that were there before us, of the network namespace of the one who asks. */
SEC("iter/tcp")
int adopt(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct listener_key at = {};
	struct tcp_sock *tp;
	struct conn *conn;
	struct sock *sk;
	struct peer *row;
	__u8 state;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	sk = (struct sock *)tp;
	state = sk->__sk_common.skc_state;
	if (state == TCP_CLOSE || state == TCP_SYN_RECV || bpf_sk_storage_get(&conns, sk, NULL, 0))
		return 0;
	conn = make_conn(sk);
	if (!conn)
		return 0;
	conn->key.cgroup = cgroup_of_socket(sk);
	conn->own_port = sk->__sk_common.skc_num;
	if (state == TCP_LISTEN) {
		conn->turned_away = (__u32)sk->sk_drops.counter;
		conn->kind = LISTENING;
		listener_of(conn);
		return 0;
	}
	/* Listeners come first. Who has one at this port was asked. */
	at.cgroup = conn->key.cgroup;
	at.port = conn->own_port;
	if (bpf_map_lookup_elem(&listeners, &at))
		read_key(sk, conn, INBOUND, conn->own_port);
	else
		read_key(sk, conn, OUTBOUND, bpf_ntohs(sk->__sk_common.skc_dport));
	set_base(sk, tp, conn);
	row = peer_of(&conn->key);
	if (!row)
		return 0;
	if (state == TCP_SYN_SENT) {
		ADD(row->attempts, 1);
		conn->kind = CONNECTING;
	} else {
		ADD(row->open, 1);
		conn->kind = OPEN;
	}
	return 0;
}

static __always_inline void look_at_listener(struct sock *sk, struct conn *conn, __u64 number)
{
	struct listener *to = listener_of(conn);
	__u32 waiting;

	if (!to)
		return;
	if (to->pass != number) {
		to->pass = number;
		to->sockets = 0;
		to->waiting = 0;
		to->fullest = 0;
		to->limit = 0;
	}
	waiting = sk->sk_ack_backlog;
	to->sockets++;
	to->waiting += waiting;
	if (waiting >= to->fullest) {
		to->fullest = waiting;
		to->limit = sk->sk_max_ack_backlog;
	}
	CATCH_UP(conn->turned_away, (__u64)(__u32)sk->sk_drops.counter, to->turned_away);
}

static __always_inline void look_at_living(struct sock *sk, struct tcp_sock *tp, __u64 number)
{
	struct conn *conn;
	struct peer *row;
	__u64 now;

	conn = bpf_sk_storage_get(&conns, sk, NULL, 0);
	if (!conn)
		return;
	if (conn->kind == LISTENING && sk->__sk_common.skc_state == TCP_LISTEN)
		look_at_listener(sk, conn, number);
	else
		catch_up(sk, conn, sk->__sk_common.skc_state);
	if (conn->kind != OPEN)
		return;
	row = peer_of(&conn->key);
	if (!row)
		return;
	count(sk, tp, conn, row);
	now = bpf_ktime_get_ns();
	if (now - conn->sampled_ns >= SAMPLE_EVERY_NS) {
		conn->sampled_ns = now;
		sample_rtt(tp, conn, row);
	}
}

/* Counts what living connections carried since they were last counted. Runs when user space reads. */
SEC("iter/bpf_sk_storage_map")
int count_living(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;

	if (!sk)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		look_at_living(sk, tp, ctx->meta->session_id);
	return 0;
}

/* The same for the sockets of the caller's network namespace, where a kernel refuses iterators over maps. */
SEC("iter/tcp")
int count_living_here(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp;
	__u32 zero = 0;
	__u64 *number;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	number = bpf_map_lookup_elem(&pass, &zero);
	if (tp && number)
		look_at_living((struct sock *)tp, tp, *number);
	return 0;
}
