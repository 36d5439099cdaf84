/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's /init: says when it was reached, in ticks of the guest's time-stamp counter, and */
/* becomes busybox init. Has no libc, so that nothing runs before the measurement. */
#include <stddef.h>

enum { SYS_WRITE = 1, SYS_EXECVE = 59, SYS_EXIT = 60, STDOUT = 1 };

static long syscall3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

/* stack is what the kernel left: argc, argv[], NULL, envp[], NULL. */
__attribute__((used)) void start(long *stack)
{
	static char line[] = "INIT-REACHED tsc=0000000000000000\n";
	static const char *const argv[] = { "init", NULL };
	char *digit = line + sizeof(line) - 3;
	unsigned long ticks = __builtin_ia32_rdtsc();

	for (; ticks != 0; ticks >>= 4) {
		*digit-- = "0123456789abcdef"[ticks & 15];
	}
	syscall3(SYS_WRITE, STDOUT, (long)line, sizeof(line) - 1);
	syscall3(SYS_EXECVE, (long)"/sbin/init", (long)argv, (long)(stack + stack[0] + 2));
	syscall3(SYS_EXIT, 1, 0, 0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call start\n");
