/* SPDX-License-Identifier: BSD-2-Clause */
/* The paravirtual benchmark's /sbin/init in Linux with two CPUs: timer ticks, IPIs, context switches. */
/* Counts them as Linux does; the exits that they cost are counted outside, between two marks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICKS_MS = 500, IPIS = 3000, MESSAGES = 1000 };

static void must(bool good, const char *what)
{
	if (!good) {
		printf("PHASES FAILED: %s\n", what);
		fflush(stdout);
		reboot(RB_POWER_OFF);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

/* ---- what Linux counts ---- */

/* The sum of the numbers in the line of a file in /proc that begins with name. */
static unsigned long count(const char *path, const char *name)
{
	static char text[16384];
	unsigned long sum = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n = 0, got;
	char *p;

	must(fd >= 0, path);
	while ((got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0) {
		n += got;
	}
	close(fd);
	text[n] = '\0';
	p = strstr(text, name);
	must(p != NULL, name);
	for (p += strlen(name); *p != '\n' && *p != '\0';) {
		char *end;
		unsigned long val = strtoul(p, &end, 10);

		if (end == p) {
			break;
		}
		sum += val;
		p = end;
	}
	return sum;
}

static unsigned long ticks(void)
{
	return count("/proc/interrupts", "LOC:");
}

static unsigned long ipis(void)
{
	return count("/proc/interrupts", "RES:") + count("/proc/interrupts", "CAL:");
}

static unsigned long switches(void)
{
	return count("/proc/stat", "ctxt ");
}

/* ---- phases ---- */

static void do_nothing(void)
{
}

static volatile bool over;

static void on_alarm(int signal)
{
	(void)signal;
	over = true;
}

/* One CPU is busy, the other sleeps. Does not read the clock itself, which may cost exits. */
static void be_busy(void)
{
	const struct itimerval once = { .it_value.tv_usec = TICKS_MS * 1000 };

	signal(SIGALRM, on_alarm);
	must(setitimer(ITIMER_REAL, &once, NULL) == 0, "setitimer");
	while (!over) {
	}
}

static volatile bool spins, ends;

static void *spin(void *arg)
{
	(void)arg;
	pin(1);
	spins = true;
	while (!ends) {
		__builtin_ia32_pause();
	}
	return NULL;
}

/* Each membarrier interrupts the CPU that the other thread is busy on. */
static void send_ipis(void)
{
	pthread_t other;

	must(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
	     "membarrier");
	must(pthread_create(&other, NULL, spin, NULL) == 0, "pthread_create");
	while (!spins) {
		sched_yield();
	}
	for (int i = 0; i < IPIS; i++) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	}
	ends = true;
	pthread_join(other, NULL);
}

/* Two processes, the second on that CPU, wake each other by turns. */
static void play_ball(int cpu)
{
	int there[2], back[2];
	char ball = 0;
	pid_t child;

	must(pipe(there) == 0 && pipe(back) == 0, "pipe");
	child = fork();
	must(child >= 0, "fork");
	if (child == 0) {
		pin(cpu);
		for (int i = 0; i < MESSAGES; i++) {
			must(read(there[0], &ball, 1) == 1 && write(back[1], &ball, 1) == 1,
			     "child");
		}
		_exit(0);
	}
	for (int i = 0; i < MESSAGES; i++) {
		must(write(there[1], &ball, 1) == 1 && read(back[0], &ball, 1) == 1, "parent");
	}
	waitpid(child, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static void play_across(void)
{
	play_ball(1);
}

static void play_at_home(void)
{
	play_ball(0);
}

static const struct {
	const char *name;
	void (*run)(void);
	unsigned long (*count)(void);
} phases[] = {
	{ "nothing", do_nothing, ticks },
	{ "tick", be_busy, ticks },
	{ "ipi", send_ipis, ipis },
	{ "switch", play_across, switches },
	{ "switch_local", play_at_home, switches },
};

/* Whoever counts the exits looks now; a line from him, and it goes on. */
static void mark(unsigned int number, const char *name, unsigned long events)
{
	char line[16];

	printf("MARK %u %-12s %10lu end\n", number, name, events);
	fflush(stdout);
	must(read(STDIN_FILENO, line, sizeof(line)) > 0, "read");
}

int main(void)
{
	unsigned int count = sizeof(phases) / sizeof(phases[0]);

	mount("proc", "/proc", "proc", 0, NULL);
	pin(0);
	mark(0, "start", 0);
	for (unsigned int i = 0; i < count; i++) {
		unsigned long before = phases[i].count();

		phases[i].run();
		mark(i + 1, phases[i].name, phases[i].count() - before);
	}
	reboot(RB_POWER_OFF);
}
