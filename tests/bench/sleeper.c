/* SPDX-License-Identifier: BSD-2-Clause */
/* The benchmarks' /sbin/init: the mean lateness of a 1 ms sleep, in ticks of the TSC; then power-off. */
/* Has no libc. Where a tick is 1 ns, as in the emulators, lateness is in nanoseconds. */
#include <stddef.h>

enum { SYS_WRITE = 1, SYS_NANOSLEEP = 35, SYS_REBOOT = 169, STDOUT = 1 };
enum { ROUNDS = 1000, WARM_UP = 20, SLEEP_NS = 1000000 };

#define REBOOT_MAGIC1	 0xfee1deadl
#define REBOOT_MAGIC2	 672274793l
#define REBOOT_POWER_OFF 0x4321fedcl

struct timespec {
	long seconds;
	long nanoseconds;
};

static long syscall3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static long lateness(void)
{
	const struct timespec ms = { 0, SLEEP_NS };
	unsigned long begin = __builtin_ia32_rdtsc();

	syscall3(SYS_NANOSLEEP, (long)&ms, 0, 0);
	return (long)(__builtin_ia32_rdtsc() - begin) - SLEEP_NS;
}

static void report(long mean)
{
	char line[] = "SLEEPER mean=           \n";
	char *digit = line + sizeof(line) - 3;

	do {
		*digit-- = (char)('0' + mean % 10);
		mean /= 10;
	} while (mean != 0);
	syscall3(SYS_WRITE, STDOUT, (long)line, sizeof(line) - 1);
}

/* The kernel leaves no return address, so the stack is not aligned as in a called function. */
__attribute__((force_align_arg_pointer)) void _start(void)
{
	static const struct timespec drain = { 0, 100 * SLEEP_NS }; /* of the serial port */
	long sum = 0;

	for (int i = -WARM_UP; i < ROUNDS; i++) {
		long late = lateness();

		sum += i >= 0 ? late : 0;
	}
	report(sum / ROUNDS);
	syscall3(SYS_NANOSLEEP, (long)&drain, 0, 0);
	syscall3(SYS_REBOOT, (long)REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF);
	for (;;) {
	}
}
