/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeps in HLT and counts ticks of the local APIC's timer, then of the PIT through the PIC. */
/* Tests that none is lost between STI and HLT, and that periods come out right. */
#include "guests/lib/apic.h"
#include "guests/lib/console.h"
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/start.h"

#define APIC_VECTOR  0x40u
#define PIC_BASE     0x50u
#define TICKS	     50u
#define PIT_CHANNEL0 0x40u
#define PIT_MODE     0x43u
#define PIT_RATE     0x34u  /* channel 0, both bytes, mode 2 */
#define PIT_DIVISOR  11932u /* 100 Hz */
#define LVT_PERIODIC 0x20000u

static volatile unsigned int ticks;

static void on_apic(struct idt_frame *f)
{
	(void)f;
	ticks++;
	apic_eoi();
}

static void on_pit(struct idt_frame *f)
{
	(void)f;
	ticks++;
	apic_pic_eoi(0);
}

/* Sleeps until `count` more ticks were seen; TSC ticks it took. */
static uint64_t sleep_ticks(unsigned int count)
{
	uint64_t begin = cpu_rdtsc();
	unsigned int until = ticks + count;

	while (ticks < until) {
		cpu_wait();
	}
	return cpu_rdtsc() - begin;
}

/* TSC ticks in 10 ms, by the PIT. */
static uint64_t pit_test(void)
{
	uint64_t took;

	apic_use_pic(PIC_BASE, 1);
	idt_set_handler(PIC_BASE, on_pit);
	cpu_out8(PIT_MODE, PIT_RATE);
	cpu_out8(PIT_CHANNEL0, PIT_DIVISOR & 0xff);
	cpu_out8(PIT_CHANNEL0, PIT_DIVISOR >> 8);
	(void)sleep_ticks(1);
	took = sleep_ticks(TICKS) / TICKS;
	console_printf("pit: %u ticks of 10 ms, %lu TSC ticks each\n", TICKS, took);
	return took;
}

/* The local APIC's timer counts in a unit we do not know: measured against the TSC, then used. */
static void apic_test(uint64_t tsc_10ms)
{
	uint32_t count;
	uint64_t took, error;

	apic_init();
	idt_set_handler(APIC_VECTOR, on_apic);
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, 0x10000);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	for (uint64_t begin = cpu_rdtsc(); cpu_rdtsc() - begin < tsc_10ms;) {
	}
	count = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | APIC_VECTOR);
	apic_write(APIC_TIMER_INITIAL, count);
	(void)sleep_ticks(1);
	took = sleep_ticks(TICKS) / TICKS;
	error = took > tsc_10ms ? took - tsc_10ms : tsc_10ms - took;
	apic_write(APIC_TIMER_INITIAL, 0);
	console_printf("apic: %u ticks of %u counts, %lu TSC ticks each\n", TICKS, count, took);
	console_printf("timer %s\n",
		       error < tsc_10ms / 10 ? "ok" : "failed: periods differ by 10 %");
}

void guest_main(const char *cmdline)
{
	(void)cmdline;
	apic_test(pit_test());
}
