/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Wire structs of tcp. wire.rs mirrors them and asserts the same numbers. */
#pragma once

#include "kernel.h"

enum {
	OUTBOUND, /* our side asked for the connection */
	INBOUND, /* the other side did */
};

/* Whom a cgroup's connections lead to. Address and port 0: all for whom there was no room. */
struct peer_key {
	__u64 cgroup;
	__u32 address[4]; /* big endian; IPv4 as ::ffff:a.b.c.d; masked to the configured prefix */
	__u16 port; /* of the side that was asked */
	__u8 direction;
	__u8 padding[5];
};
_Static_assert(sizeof(struct peer_key) == 32, "peer_key is a wire struct");
_Static_assert(__builtin_offsetof(struct peer_key, port) == 24, "peer_key is a wire struct");

/* Why a connection did not come about. */
enum {
	FAILED_REFUSED,
	FAILED_TIMEOUT,
	FAILED_UNREACHABLE,
	FAILED_ABANDONED, /* the program gave up */
	FAILED_LOCAL, /* no packet was sent: no free port, for example */
	FAILED_OTHER,
	FAILURES,
};

/* How a connection ended. */
enum {
	ENDED_CLOSED,
	ENDED_RESET_BY_PEER,
	ENDED_RESET, /* by our side */
	ENDED_TIMEOUT,
	ENDED_OTHER,
	OUTCOMES,
};

/* What came of them. Only rises, but for open. */
struct peer {
	__u64 attempts; /* outbound: connects that sent, or should have sent, a packet */
	__u64 opened;
	__u64 open; /* those that are there now, and those from before we came too */
	__u64 failed[FAILURES];
	__u64 ended[OUTCOMES];
	__u64 sent_bytes; /* each byte once */
	__u64 received_bytes;
	__u64 retransmits; /* packets */
	__u64 retransmitted_bytes;
	__u64 connect_ns; /* sum over opened outbound connections */
	__u64 rtt_ns; /* sum of so many samples: */
	__u64 rtt_samples;
};
_Static_assert(sizeof(struct peer) == 168, "peer is a wire struct");
_Static_assert(__builtin_offsetof(struct peer, ended) == 72, "peer is a wire struct");
_Static_assert(__builtin_offsetof(struct peer, sent_bytes) == 112, "peer is a wire struct");

/*
 * A distribution of times. Native: slot i ends at 2^((i - 80) / 4) s; the first takes all that is shorter and the last
 * all that is longer. Classic: as the table in tcp.bpf.c says, the last takes all that is longer.
 */
#define NATIVE_SLOTS 110
#define CLASSIC_SLOTS 18
struct times {
	__u64 sum_ns;
	__u64 count;
	__u32 native[NATIVE_SLOTS];
	__u32 classic[CLASSIC_SLOTS];
};
_Static_assert(sizeof(struct times) == 528, "times is a wire struct");
_Static_assert(__builtin_offsetof(struct times, classic) == 456, "times is a wire struct");

/* What a cgroup has beside its peers. */
struct meter {
	__u64 peers[2]; /* rows made for it, by direction */
	__u64 resets_sent;
	__u64 resets_received;
	struct times connect;
	struct times rtt;
};
_Static_assert(sizeof(struct meter) == 1088, "meter is a wire struct");
_Static_assert(__builtin_offsetof(struct meter, rtt) == 560, "meter is a wire struct");

/* Rows that user space removed again, by direction; written by nobody else. */
struct released {
	__u64 peers[2];
};

struct listener_key {
	__u64 cgroup;
	__u16 port;
	__u16 padding[3];
};
_Static_assert(sizeof(struct listener_key) == 16, "listener_key is a wire struct");

/* All sockets of a cgroup that listen at a port. */
struct listener {
	__u64 turned_away; /* only rises */
	__u64 pass; /* of this pass over all sockets are: */
	__u32 sockets;
	__u32 waiting; /* connections that the program has not accepted yet */
	__u32 fullest; /* the most that wait at one of them */
	__u32 limit; /* of that one */
};
_Static_assert(sizeof(struct listener) == 32, "listener is a wire struct");

/* One connection that ended or did not come about; for those who follow the stream. */
struct flow {
	__u64 cgroup;
	__u64 started_ns; /* CLOCK_MONOTONIC: the connect, or the other side's */
	__u64 opened_ns; /* 0: it did not come about, or before we came */
	__u64 ended_ns;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 retransmits;
	__u32 own_address[4];
	__u32 peer_address[4];
	__u16 own_port;
	__u16 peer_port;
	__u8 direction;
	__u8 outcome; /* why it failed or how it ended */
	__u16 failed; /* whether it did not come about */
	__u32 process; /* that connected or listens */
	__u32 rtt_us; /* 0: not known */
	char command[16];
};
_Static_assert(sizeof(struct flow) == 120, "flow is a wire struct");
_Static_assert(__builtin_offsetof(struct flow, own_port) == 88, "flow is a wire struct");
_Static_assert(__builtin_offsetof(struct flow, command) == 104, "flow is a wire struct");

/* Indices of the array of losses. */
enum {
	LOST_PEER, /* the map is full: counted under the cgroup's or everybody's other */
	LOST_METER, /* no room for a cgroup's times */
	LOST_LISTENER,
	LOST_SOCKET, /* no memory for a socket's own record: what it carries is not counted */
	LOST_FLOW, /* ring full */
	OVER_CAP, /* connections that went to other, because their cgroup has as many peers as it may */
	LOSSES,
};
