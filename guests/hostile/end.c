/* SPDX-License-Identifier: BSD-2-Clause */
/* Acts that end or reset the machine when all is well: one per start of the guest. */
/* A step that returns is the surprise here. */
#include "guests/hostile/hostile.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"

static const struct {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) no_table = { 0, 0 };

static void triple_fault(void)
{
	__asm__ volatile("lidt %0; int3" ::"m"(no_table));
}

static void halt(void)
{
	hostile_watchdog_cancel();
	__asm__ volatile("cli; hlt");
}

static void reset_cf9(void)
{
	power_reset();
}

static void reset_keyboard(void)
{
	pio_out8(0x64, 0xfe);
}

static void reset_port92(void)
{
	pio_out8(0x92, 0x01);
}

static void off(void)
{
	power_off();
}

/* The page fault cannot be delivered, nor the double fault. */
static void page_fault(void)
{
	__asm__ volatile("lidt %0; movq %1, %%rsp; pushq %1" ::"m"(no_table), "r"(0x100000000000)
			 : "memory");
}

/* Processor reset as the INIT that a CPU sends to itself. */
static void init_self(void)
{
	mmio_write32(0xfee00310, mmio_read32(0xfee00020));
	mmio_write32(0xfee00300, 0x4500);
}

static const struct {
	const char *name;
	void (*act)(void);
} acts[] = {
	{ "triple-fault", triple_fault },
	{ "triple-fault-page", page_fault },
	{ "halt-if0", halt },
	{ "reset-cf9", reset_cf9 },
	{ "reset-keyboard", reset_keyboard },
	{ "reset-port92", reset_port92 },
	{ "power-off", off },
	{ "init-self", init_self },
};

static void step(unsigned int n)
{
	acts[n].act();
}

static void describe(unsigned int n)
{
	print("%s", acts[n].name);
}

static bool last(unsigned int n)
{
	(void)n;
	return true;
}

const struct hostile_group hostile_end = {
	.name = "end",
	.count = ARRAY_SIZE(acts),
	.every = 1,
	.step = step,
	.describe = describe,
	.last = last,
	.guarded = true,
};
