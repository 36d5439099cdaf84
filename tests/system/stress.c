/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs in a Linux guest, "stress SECONDS": processes on every CPU that fork, wake each other, sleep, */
/* fault and check memory, and say at the first thing that is wrong what it is. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A wake-up that is later than this was lost: nothing here keeps a CPU for longer than a time slice. */
enum { LOST_MS = 20000, AREA = 1 << 20, PAGE = 4096 };

static uint64_t end; /* CLOCK_MONOTONIC, ns */
static long cpus;

static __attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("STRESS WRONG: %s\n", text);
	fflush(stdout);
	_exit(1);
}

static void must(bool good, const char *what)
{
	if (!good) {
		wrong("%s: %m", what);
	}
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void move_to(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)(cpu % cpus), &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

/* ---- what the processes do: each returns how often it did it ---- */

static uint64_t forks(long cpu)
{
	uint64_t n = 0;

	for (; now() < end; n++) {
		int code = (int)(n & 127), status;
		pid_t child = fork();

		must(child >= 0, "fork");
		if (child == 0) {
			move_to(cpu + (long)n);
			_exit(code);
		}
		must(waitpid(child, &status, 0) == child, "waitpid");
		if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
			wrong("a child ended with %x, not %x", status, code << 8);
		}
	}
	return n;
}

static uint64_t receive(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t value = 0;

	if (poll(&p, 1, LOST_MS) != 1) {
		wrong("nobody woke the reader of a pipe for %d ms", LOST_MS);
	}
	must(read(fd, &value, sizeof(value)) == (ssize_t)sizeof(value), "read");
	return value;
}

static void echo(int from, int to)
{
	uint64_t value;

	do {
		value = receive(from);
		must(write(to, &value, sizeof(value)) == (ssize_t)sizeof(value), "write");
	} while (value != 0);
	_exit(0);
}

/* A number goes to a process on another CPU and back. */
static uint64_t pipes(long cpu)
{
	uint64_t n = 0, value;
	int there[2], back[2], status;
	pid_t child;

	must(pipe(there) == 0 && pipe(back) == 0, "pipe");
	child = fork();
	must(child >= 0, "fork");
	if (child == 0) {
		move_to(cpu + 1);
		echo(there[0], back[1]);
	}
	do {
		value = now() < end ? ++n : 0;
		must(write(there[1], &value, sizeof(value)) == (ssize_t)sizeof(value), "write");
		if (receive(back[0]) != value) {
			wrong("a pipe changed %lu", (unsigned long)value);
		}
	} while (value != 0);
	must(waitpid(child, &status, 0) == child && status == 0, "the echo's end");
	return n;
}

static uint64_t timers(long cpu)
{
	uint64_t n = 0;

	(void)cpu;
	for (; now() < end; n++) {
		uint64_t ns = 100000 + n % 20 * 250000, begin = now(), slept;
		struct timespec t = { .tv_nsec = (long)ns };

		must(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == 0, "clock_nanosleep");
		slept = now() - begin;
		if (slept < ns || slept > ns + LOST_MS * 1000000ul) {
			wrong("slept %lu ns instead of %lu", (unsigned long)slept,
			      (unsigned long)ns);
		}
	}
	return n;
}

struct shared {
	volatile uint64_t *area;
	volatile bool stop;
	long cpu;
};

/* Uses the same translations on another CPU, so that taking them away interrupts that one. */
static void *look(void *arg)
{
	struct shared *s = arg;
	uint64_t sum = 0;

	move_to(s->cpu + 1);
	while (!s->stop) {
		sum += s->area[0];
	}
	return (void *)sum;
}

static void fault_once(uint64_t n)
{
	uint64_t *p = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < AREA / sizeof(*p); i += PAGE / sizeof(*p)) {
		if (p[i] != 0) {
			wrong("a fresh page holds %lx", (unsigned long)p[i]);
		}
		p[i] = n ^ i;
	}
	must(mprotect(p, AREA, PROT_READ) == 0, "mprotect");
	for (size_t i = 0; i < AREA / sizeof(*p); i += PAGE / sizeof(*p)) {
		if (p[i] != (n ^ i)) {
			wrong("a page holds %lx, not %lx", (unsigned long)p[i],
			      (unsigned long)(n ^ i));
		}
	}
	must(munmap(p, AREA) == 0, "munmap");
}

static uint64_t faults(long cpu)
{
	uint64_t word = 0, n = 0;
	struct shared s = { .area = &word, .cpu = cpu };
	pthread_t other;

	must(pthread_create(&other, NULL, look, &s) == 0, "pthread_create");
	for (; now() < end; n++) {
		fault_once(n);
	}
	s.stop = true;
	must(pthread_join(other, NULL) == 0, "pthread_join");
	return n;
}

static uint64_t mix(uint64_t x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

/* Written on one CPU, read on the next. */
static uint64_t checks(long cpu)
{
	uint64_t *p = malloc(AREA), n = 0;

	must(p != NULL, "malloc");
	for (; now() < end; n++) {
		uint64_t x = n * 2 + 1;

		for (size_t i = 0; i < AREA / sizeof(*p); i++) {
			p[i] = x = mix(x);
		}
		move_to(cpu + (long)n);
		x = n * 2 + 1;
		for (size_t i = 0; i < AREA / sizeof(*p); i++) {
			x = mix(x);
			if (p[i] != x) {
				wrong("memory holds %lx, not %lx", (unsigned long)p[i],
				      (unsigned long)x);
			}
		}
	}
	return n;
}

static const struct kind {
	const char *name;
	uint64_t (*run)(long cpu);
} kinds[] = {
	{ "forks", forks },   { "pipes", pipes },   { "sleeps", timers },
	{ "faults", faults }, { "checks", checks },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

int main(int argc, char **argv)
{
	uint64_t *count =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	must(argc == 2 && count != MAP_FAILED, "usage: stress SECONDS");
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	end = now() + strtoul(argv[1], NULL, 10) * 1000000000ul;
	for (long w = 0; w < cpus * KINDS; w++) {
		pid_t child = fork();

		must(child >= 0, "fork");
		if (child == 0) {
			move_to(w / KINDS);
			__atomic_fetch_add(&count[w % KINDS], kinds[w % KINDS].run(w / KINDS),
					   __ATOMIC_RELAXED);
			_exit(0);
		}
	}
	for (long w = 0; w < cpus * KINDS; w++) {
		must(wait(&status) > 0, "wait");
		if (status != 0) {
			wrong("a process ended with %x", status);
		}
	}
	for (unsigned int k = 0; k < KINDS; k++) {
		printf("%lu %s, ", (unsigned long)count[k], kinds[k].name);
	}
	printf("stress on %ld CPUs is right\n", cpus);
	return 0;
}
