// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Makes cgroups that live for milliseconds and burn CPU time in them, in all the ways in which processes come and go,
 * and says what wait4(2) said of each: the truth that the probes are compared with.
 *
 *   burner PARENT COUNT MIN_MS MAX_MS [PARALLEL [PAUSE_US [SECOND_PARENT LIMIT_BYTES EAT_BYTES]]]
 *   burner swarm FOLDER FOLDER THREADS US
 *
 * The second makes one process whose threads burn so much each in the first cgroup, moves it, and has them burn as much
 * again in the second. It prints the CPU time before the move, after it, and that of the move itself.
 *
 * PARENT is a cgroup folder. One line a cgroup: name, CPU time in ns, processes that ended in it, wait status of the
 * first process, and ns of that CPU time that may belong to the cgroup before: a process cannot tell at which moment of
 * its write it moved. A parent is told of a child's end before the child has left its CPU, and what it uses until then no
 * wait4(2) tells: nothing on a real machine, milliseconds on an emulated one whose CPU had to wait. With BURNER_QUIET_MS
 * set, each cgroup stays until its own cpu.stat has not changed for so long, and what that has beyond wait4(2) is in doubt
 * as well. With a second parent (of the version 1 memory controller) each cgroup is made there too, with a
 * limit, and its process eats memory until it is killed; on version 2 the second parent is the first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long u64;

enum kind { ONE, FORKS, THREADS, NESTED, EXECS, ORPHAN, MOVES, SIGNALLED, KINDS };

/* What children tell the parent. */
struct notes {
	u64 before; /* CPU time of the first process before it joined */
	u64 inner; /* CPU time that belongs to the second cgroup */
	u64 inner_processes;
	u64 doubt, inner_doubt; /* CPU time of the moves themselves */
	u64 processes; /* that ended in the first cgroup, the first process included */
};

static const char *self;

static u64 clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static u64 cpu(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static u64 used(const struct rusage *r)
{
	return ((u64)r->ru_utime.tv_sec + (u64)r->ru_stime.tv_sec) * 1000000000ull +
	       ((u64)r->ru_utime.tv_usec + (u64)r->ru_stime.tv_usec) * 1000ull;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void burn(clockid_t clock, u64 ns)
{
	u64 end = clock_ns(clock) + ns;
	while (clock_ns(clock) < end)
		;
}

static void *burn_thread(void *ns)
{
	burn(CLOCK_THREAD_CPUTIME_ID, *(u64 *)ns);
	return NULL;
}

/* Moves the process into a cgroup. Returns the CPU time that it had used before, and how much it took. */
static u64 join(const char *folder, u64 *doubt)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	int fd = open(path, O_WRONLY);
	u64 before = cpu();
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(99);
	*doubt = cpu() - before;
	close(fd);
	return before;
}

/* CPU time of a cgroup and all inside it as the cgroup itself counts, once that has come to rest. */
static u64 settled(const char *folder, unsigned quiet_ms)
{
	char path[4096], line[256];
	u64 now = 0, before;
	do {
		before = now;
		snprintf(path, sizeof(path), "%s/cpu.stat", folder);
		FILE *file = fopen(path, "r");
		if (!file)
			die(path);
		while (fgets(line, sizeof(line), file))
			if (sscanf(line, "usage_usec %llu", &now) == 1)
				break;
		fclose(file);
		if (now != before)
			usleep(quiet_ms * 1000);
	} while (now != before);
	return now * 1000;
}

static u64 difference(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

/* What a cgroup counts beside what wait4(2) said is in doubt. */
static void doubt_what_differs(const char *folder, const char *second, enum kind kind, u64 own, struct notes *notes)
{
	const char *quiet = getenv("BURNER_QUIET_MS");
	if (!quiet)
		return;
	u64 inner = *second ? settled(second, (unsigned)atoi(quiet)) : 0;
	u64 outer = settled(folder, (unsigned)atoi(quiet)) - (kind == NESTED ? inner : 0);
	notes->doubt += difference(outer, own);
	if (*second)
		notes->inner_doubt += difference(inner, notes->inner);
}

static u64 reap(pid_t pid, int *status)
{
	struct rusage usage;
	int ignored;
	while (wait4(pid, status ? status : &ignored, 0, &usage) < 0)
		if (errno != EINTR)
			die("wait4");
	return used(&usage);
}

static void first_process(enum kind kind, const char *folder, const char *second, u64 ns, struct notes *notes)
{
	u64 quarter = ns / 4;
	int i, n = 1 + (int)(ns / 1000) % 4;

	notes->before = join(folder, &notes->doubt);
	notes->processes = 1;
	switch (kind) {
	case FORKS:
		for (i = 0; i < n; i++)
			if (!fork()) {
				burn(CLOCK_PROCESS_CPUTIME_ID, quarter);
				_exit(i % 2);
			}
		while (wait(NULL) > 0)
			notes->processes++;
		break;
	case THREADS: {
		pthread_t threads[4];
		for (i = 0; i < n; i++)
			pthread_create(&threads[i], NULL, burn_thread, &quarter);
		for (i = 0; i < n; i++)
			pthread_join(threads[i], NULL);
		break;
	}
	case NESTED: {
		u64 *before = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pid_t pid = fork();
		if (!pid) {
			*before = join(second, &notes->inner_doubt);
			burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
			_exit(0);
		}
		notes->inner = reap(pid, NULL) - *before;
		notes->inner_processes = 1;
		/* The move counts on both sides: until the kernel has moved the child, it runs in the first cgroup. */
		notes->doubt += notes->inner_doubt;
		burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
		break;
	}
	case EXECS: {
		char text[32];
		snprintf(text, sizeof(text), "%llu", ns / 2);
		pid_t pid = vfork();
		if (!pid) {
			execl(self, self, "burn", text, (char *)NULL);
			_exit(98);
		}
		reap(pid, NULL);
		notes->processes++;
		execl(self, self, "burn", text, (char *)NULL);
		_exit(98);
	}
	case ORPHAN:
		if (!fork()) {
			if (!fork()) {
				burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
				_exit(0);
			}
			_exit(0);
		}
		wait(NULL);
		notes->processes += 2;
		burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
		break;
	case MOVES: {
		u64 start;
		burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
		start = join(second, &notes->inner_doubt);
		notes->doubt += notes->inner_doubt;
		burn(CLOCK_PROCESS_CPUTIME_ID, ns / 2);
		notes->processes = 0;
		notes->inner_processes = 1;
		/* What follows until the exit belongs to the second cgroup too: the parent adds it. */
		notes->inner = start;
		_exit(0);
	}
	default:
		burn(CLOCK_PROCESS_CPUTIME_ID, ns);
	}
	if (kind == SIGNALLED)
		kill(getpid(), SIGKILL);
	_exit(n == 2 ? 3 : 0);
}

static void eat(const char *folder, const char *second, u64 bytes, struct notes *notes)
{
	u64 ignored;
	notes->before = join(folder, &notes->doubt);
	if (strcmp(folder, second))
		join(second, &ignored);
	notes->processes = 1;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (u64 at = 0; at < bytes; at += 4096)
		memory[at] = 1;
	_exit(0);
}

static pthread_barrier_t together;
static u64 share;

static void *burn_twice(void *unused)
{
	burn(CLOCK_THREAD_CPUTIME_ID, share);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	burn(CLOCK_THREAD_CPUTIME_ID, 2 * share);
	return unused;
}

static int swarm(char **words)
{
	unsigned count = (unsigned)atoi(words[2]);
	pthread_t *threads = calloc(count, sizeof(*threads));
	u64 ignored, doubt, before = join(words[0], &ignored), middle;
	share = strtoull(words[3], NULL, 10) * 1000;
	pthread_barrier_init(&together, NULL, count + 1);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, burn_twice, NULL))
			die("pthread_create");
	pthread_barrier_wait(&together);
	/* The last of them may not sleep yet. */
	usleep(20000);
	middle = join(words[1], &doubt);
	pthread_barrier_wait(&together);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%llu %llu %llu\n", middle - before, cpu() - middle, doubt + ignored);
	return 0;
}

static void remove_folder(const char *folder)
{
	for (int i = 0; rmdir(folder); i++) {
		if (errno != EBUSY || i > 20000)
			die(folder);
		usleep(100);
	}
}

static void one(const char *parent, const char *memory, u64 limit, u64 bytes, unsigned long i, u64 ns)
{
	char folder[2048], second[2100] = "", text[32];
	struct notes *notes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	enum kind kind = memory ? ONE : (enum kind)(i % KINDS);
	int status, fd;
	u64 total;

	snprintf(folder, sizeof(folder), "%s/c%lu", parent, i);
	if (mkdir(folder, 0755))
		die(folder);
	if (kind == NESTED)
		snprintf(second, sizeof(second), "%s/inner", folder);
	else if (kind == MOVES)
		snprintf(second, sizeof(second), "%s/c%lu-to", parent, i);
	else if (memory)
		snprintf(second, sizeof(second), "%s/c%lu", memory, i);
	if (*second && strcmp(folder, second) && mkdir(second, 0755))
		die(second);
	if (memory) {
		char path[2200];
		snprintf(path, sizeof(path), "%s/memory.max", second);
		if (access(path, W_OK))
			snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", second);
		snprintf(text, sizeof(text), "%llu", limit);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, text, strlen(text)) < 0)
			die(path);
		close(fd);
	}
	pid_t pid = fork();
	if (!pid) {
		if (memory)
			eat(folder, second, bytes, notes);
		first_process(kind, folder, second, ns, notes);
	}
	total = reap(pid, &status) - notes->before;
	if (kind == ORPHAN)
		total += reap(-1, NULL);
	if (kind == MOVES)
		notes->inner = total - (notes->inner - notes->before);
	if (!memory)
		doubt_what_differs(folder, second, kind, total - notes->inner, notes);
	if (*second && strcmp(folder, second))
		remove_folder(second);
	remove_folder(folder);
	printf("c%lu %llu %llu %d %llu\n", i, total - notes->inner, notes->processes, status, notes->doubt);
	if (kind == NESTED)
		printf("c%lu/inner %llu %llu 0 %llu\n", i, notes->inner, notes->inner_processes, notes->inner_doubt);
	if (kind == MOVES)
		printf("c%lu-to %llu %llu 0 %llu\n", i, notes->inner, notes->inner_processes, notes->inner_doubt);
	munmap(notes, 4096);
}

int main(int argc, char **argv)
{
	self = "/proc/self/exe";
	/* Whole lines: the workers share the pipe. */
	setvbuf(stdout, NULL, _IOLBF, 4096);
	if (argc == 3 && !strcmp(argv[1], "burn")) {
		burn(CLOCK_PROCESS_CPUTIME_ID, strtoull(argv[2], NULL, 10));
		return 0;
	}
	if (argc == 6 && !strcmp(argv[1], "swarm"))
		return swarm(argv + 2);
	if (argc < 5)
		return 2;
	unsigned long count = strtoul(argv[2], NULL, 10);
	u64 least = strtoull(argv[3], NULL, 10) * 1000000, most = strtoull(argv[4], NULL, 10) * 1000000;
	unsigned long parallel = argc > 5 ? strtoul(argv[5], NULL, 10) : 1;
	unsigned pause = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
	const char *memory = argc > 9 ? argv[7] : NULL;
	u64 limit = memory ? strtoull(argv[8], NULL, 10) : 0, bytes = memory ? strtoull(argv[9], NULL, 10) : 0;
	for (unsigned long worker = 0; worker < parallel; worker++) {
		if (fork())
			continue;
		unsigned seed = (unsigned)worker + 1;
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		for (unsigned long i = worker; i < count; i += parallel) {
			u64 ns = least + (u64)rand_r(&seed) % (most - least + 1);
			one(argv[1], memory, limit, bytes, i, ns);
			if (pause)
				usleep(pause);
		}
		fflush(stdout);
		_exit(0);
	}
	int status, failed = 0;
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
