/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls the guest's program and ends the guest behind it; the memory functions that gcc calls. */
/* start.S has entered 64-bit mode. */
#include "guests/lib/start.h"

#include "guests/lib/console.h"
#include "guests/lib/idt.h"
#include "guests/lib/power.h"

#include <stddef.h>
#include <stdint.h>

#define INFO_CMDLINE 4u

struct info { /* the part of multiboot's boot information that we read */
	uint32_t flags;
	uint32_t mem_lower, mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
};

void start_main(const struct info *info);
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int c, size_t n);

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

void start_main(const struct info *info)
{
	console_init();
	idt_init();
	guest_main(info->flags & INFO_CMDLINE ? (const char *)(uintptr_t)info->cmdline : "");
	power_off();
}
