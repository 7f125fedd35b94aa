// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Containers that open a few TCP connections and are gone, and the servers that they call: the truth that the probes are
 * compared with.
 *
 *   caller serve FOLDER SPACE PORT PROCESSES
 *     Joins the cgroup and the network namespace (a file; "-" for the one it is in), listens, and answers: the first four
 *     bytes of a connection say how many bytes are wanted, and all come when the other side has sent its last.
 *     Says "ready" when it listens.
 *
 *   caller call PARENT SPACES COUNT PARALLEL PAUSE_US SERVER4 SERVER6 FAR4 FAR6 DEAD4 DEAD6 LOST4 LOST6
 *     Makes COUNT cgroups below PARENT, so many at a time; in each a process enters the namespace SPACES<number> and
 *     calls the server at port 7001, port 1 of it, where nobody listens, the far server at port 7002, an address that
 *     never answers, and one without a route. The cgroup is removed PAUSE_US after its process ended. One line each:
 *     name, address family, then for the two exchanges bytes sent and received, and for the three failures errno.
 *
 *   caller load PARENT CGROUPS PER_SECOND SECONDS PROCESSES
 *     Connects to 127.0.1.1 … 127.0.1.32 at port 7001 from within the cgroups in turn, as often as told, and says how
 *     many connections it made, and how many bytes they sent and received.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void join(const char *folder)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	close(fd);
}

static void enter(const char *space)
{
	if (!strcmp(space, "-"))
		return;
	int fd = open(space, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(space);
	close(fd);
}

static int write_all(int fd, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer), MSG_NOSIGNAL);
		if (n < 0)
			return -1;
		bytes -= (size_t)n;
	}
	return 0;
}

static void answer(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		uint32_t wanted = 0;
		if (recv(fd, &wanted, sizeof(wanted), MSG_WAITALL) == sizeof(wanted)) {
			while (read(fd, buffer, sizeof(buffer)) > 0)
				;
			write_all(fd, ntohl(wanted));
		}
		close(fd);
	}
}

static void serve(char **v)
{
	int one = 1, zero = 0, processes = atoi(v[3]);
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(v[2])) };

	join(v[0]);
	enter(v[1]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 4096))
		die("listen");
	printf("ready\n");
	fflush(stdout);
	for (int i = 1; i < processes; i++)
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			answer(fd);
		}
	answer(fd);
}

enum { V4, V6, MAPPED };

static int dial(int family, const char *v4, const char *v6, int port, int retries)
{
	struct sockaddr_in six4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	char mapped[64];
	int fd = socket(family == V4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	if (retries)
		setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries));
	if (family == V4) {
		inet_pton(AF_INET, v4, &six4.sin_addr);
		error = connect(fd, (void *)&six4, sizeof(six4));
	} else {
		snprintf(mapped, sizeof(mapped), "::ffff:%s", v4);
		inet_pton(AF_INET6, family == V6 ? v6 : mapped, &six.sin6_addr);
		error = connect(fd, (void *)&six, sizeof(six));
	}
	if (!error)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* Sends and receives so many bytes; the four that say how many are among those sent. */
static void exchange(int fd, long send_bytes, long want, long *sent, long *received)
{
	uint32_t wanted = htonl((uint32_t)want);
	ssize_t n;

	*sent = *received = -1;
	if (fd < 0 || send(fd, &wanted, sizeof(wanted), MSG_NOSIGNAL) != sizeof(wanted) ||
	    write_all(fd, (size_t)send_bytes - sizeof(wanted)))
		return;
	*sent = send_bytes;
	shutdown(fd, SHUT_WR);
	*received = 0;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		*received += n;
	close(fd);
}

struct results {
	long sent[2], received[2];
	int failed[3];
};

static void call_all(char **at, int number, struct results *results)
{
	int family = number % 3, fd;

	exchange(dial(family, at[0], at[1], 7001, 0), 1000 + number * 37L, 500 + number * 211L, &results->sent[0],
		 &results->received[0]);
	fd = dial(family, at[0], at[1], 1, 0);
	results->failed[0] = fd < 0 ? -fd : 0;
	exchange(dial(family, at[2], at[3], 7002, 0), 70000 + number, 9 + number % 7, &results->sent[1],
		 &results->received[1]);
	fd = dial(family, at[4], at[5], 9, 1);
	results->failed[1] = fd < 0 ? -fd : 0;
	fd = dial(family, at[6], at[7], 9, 2);
	results->failed[2] = fd < 0 ? -fd : 0;
}

static void call(char **v)
{
	const char *parent = v[0], *spaces = v[1], *names[] = { "ipv4", "ipv6", "mapped" };
	int count = atoi(v[2]), parallel = atoi(v[3]), pause_us = atoi(v[4]), running = 0, started = 0, i;
	struct results *all =
		mmap(NULL, sizeof(*all) * (size_t)count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t *pids = calloc((size_t)count, sizeof(*pids));
	char folder[4096], space[4096];

	while (started < count || running) {
		if (started < count && running < parallel) {
			snprintf(folder, sizeof(folder), "%s/c%d", parent, started);
			snprintf(space, sizeof(space), "%s%d", spaces, started);
			if (mkdir(folder, 0755))
				die(folder);
			pids[started] = fork();
			if (!pids[started]) {
				join(folder);
				enter(space);
				call_all(v + 5, started, &all[started]);
				_exit(0);
			}
			started++;
			running++;
			continue;
		}
		pid_t done = wait(NULL);
		for (i = 0; i < started && pids[i] != done; i++)
			;
		usleep((useconds_t)pause_us);
		snprintf(folder, sizeof(folder), "%s/c%d", parent, i);
		while (rmdir(folder) && errno == EBUSY)
			usleep(100);
		running--;
	}
	for (i = 0; i < count; i++) {
		struct results *r = &all[i];
		printf("c%d %s %ld %ld %ld %ld %d %d %d\n", i, names[i % 3], r->sent[0], r->received[0], r->sent[1],
		       r->received[1], r->failed[0], r->failed[1], r->failed[2]);
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void load(char **v)
{
	const char *parent = v[0];
	int cgroups = atoi(v[1]), processes = atoi(v[4]), p;
	double rate = atof(v[2]), seconds = atof(v[3]);
	long(*made)[3] = mmap(NULL, sizeof(*made) * (size_t)processes, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long sum[3] = { 0 };
	char folder[4096];

	for (p = 0; p < cgroups; p++) {
		snprintf(folder, sizeof(folder), "%s/c%d", parent, p);
		if (mkdir(folder, 0755))
			die(folder);
	}
	double start = now();
	for (p = 0; p < processes; p++) {
		if (fork())
			continue;
		long done = 0, per_cgroup = (long)(rate * seconds / cgroups), here = 0;
		int at = p, joined = 0;
		char address[32];
		for (double t; (t = now() - start) < seconds && at < cgroups;) {
			if ((double)done > t * rate / processes) {
				usleep(200);
				continue;
			}
			if (!joined) {
				snprintf(folder, sizeof(folder), "%s/c%d", parent, at);
				join(folder);
				joined = 1;
			}
			snprintf(address, sizeof(address), "127.0.1.%ld", 1 + (done + p) % 32);
			long sent, received;
			exchange(dial(V4, address, NULL, 7001, 0), 100, 200, &sent, &received);
			done++;
			if (sent == 100 && received == 200) {
				made[p][0]++;
				made[p][1] += sent;
				made[p][2] += received;
			}
			if (++here == per_cgroup) {
				here = 0;
				joined = 0;
				at += processes;
			}
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	for (p = 0; p < processes; p++)
		for (int i = 0; i < 3; i++)
			sum[i] += made[p][i];
	printf("%ld %ld %ld %.3f\n", sum[0], sum[1], sum[2], now() - start);
}

int main(int c, char **v)
{
	if (c == 6 && !strcmp(v[1], "serve"))
		serve(v + 2);
	else if (c == 15 && !strcmp(v[1], "call"))
		call(v + 2);
	else if (c == 7 && !strcmp(v[1], "load"))
		load(v + 2);
	else
		return 2;
	return 0;
}
