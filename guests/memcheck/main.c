/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills its memory with a pattern of its own and looks for ever whether somebody changed it. */
/* The neighbour in tests of isolation: it does nothing that a hypervisor could object to. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"

#define LOW_START 0x10000u /* below lie the tables of firmware */
#define LOW_END	  0x80000u

extern char guest_end[];

static uint64_t seed;

/* Every 8 bytes differ from every other of every seed. */
static uint64_t pattern(uint64_t addr)
{
	uint64_t val = (addr ^ seed << 40) * 0x9e3779b97f4a7c15;

	return val ^ val >> 29;
}

static void fill(uint64_t from, uint64_t to)
{
	for (; from < to; from += 8) {
		*(volatile uint64_t *)from = pattern(from);
	}
}

/* Reports the first difference in a range and mends it, so that each is told once. */
static bool verify(uint64_t from, uint64_t to)
{
	for (; from < to; from += 8) {
		uint64_t got = *(volatile uint64_t *)from;

		if (got != pattern(from)) {
			print("memcheck FAILED at %lx: %016lx, not %016lx\n", from, got,
			      pattern(from));
			fill(from, to);
			return false;
		}
	}
	return true;
}

static void on_timer(struct idt_frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static uint32_t ticks_per_ms(void)
{
	uint64_t tsc;

	lapic_init();
	idt_handle(LAPIC_TIMER_VECTOR, on_timer);
	return lapic_calibrate(PIT_HZ / 1000, &tsc);
}

static void rest(uint32_t ticks)
{
	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR);
	lapic_write(LAPIC_TIMER_ICR, ticks);
	cpu_wait();
}

void guest_main(void)
{
	uint64_t start = ((uintptr_t)guest_end + 4095) & ~4095ul, end = mboot_ram_end();
	uint32_t ms = ticks_per_ms(), pause = (uint32_t)mboot_number("rest", 10);
	uint64_t rounds = mboot_number("rounds", UINT64_MAX), round;

	seed = mboot_number("seed", 1);
	fill(LOW_START, LOW_END);
	fill(start, end);
	print("memcheck seed %lu, %lu KiB\n", seed, (end - start + LOW_END - LOW_START) / 1024);
	for (round = 1; round <= rounds; round++) {
		if (verify(LOW_START, LOW_END) && verify(start, end)) {
			print("memcheck ok %lu\n", round);
		}
		rest(pause * ms);
	}
}
