/* SPDX-License-Identifier: BSD-2-Clause */
/* Does to its machine what no guest should, one step after the other, as the command line says. */
/* Knows how to survive its own steps, where that is possible; judges nothing. */
#include "guests/hostile/hostile.h"
#include "guests/hostile/race.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/mem.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"

#define WATCHDOG_MS 20

static const struct hostile_group *const groups[] = {
	&hostile_end,	 &hostile_msr,	&hostile_port,	&hostile_mmio,	 &hostile_insn,
	&hostile_cr,	 &hostile_virt, &hostile_jump,	&hostile_tables, &hostile_descr,
	&hostile_string, &hostile_pci,	&hostile_storm,
};

static unsigned int faults, hangs;

uint64_t hostile_ram_end(void)
{
	return mboot_ram_end();
}

struct step {
	const struct hostile_group *group;
	unsigned int number;
};

static void call_step(void *arg)
{
	const struct step *s = arg;

	s->group->step(s->number);
}

/* Puts back what a step may have left behind; IDTR and TR are loaded anew. */
static void recover(uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
	cpu_write_cr4(cr4);
	cpu_write_cr3(cr3);
	cpu_write_cr0(cr0);
	idt_load();
}

static void run(const struct hostile_group *g, unsigned int n)
{
	uint64_t cr0 = cpu_read_cr0(), cr3 = cpu_read_cr3(), cr4 = cpu_read_cr4();
	struct step s = { g, n };
	struct idt_fault fault;

	if (g->guarded) {
		hostile_watchdog(WATCHDOG_MS);
	}
	if (idt_try(call_step, &s, &fault)) {
		faults += fault.vector != VEC_NMI;
		hangs += fault.vector == VEC_NMI;
	}
	if (g->guarded) {
		hostile_watchdog_cancel();
	}
	recover(cr0, cr3, cr4);
}

static void announce(const struct hostile_group *g, unsigned int n)
{
	print_init(); /* a step may have changed COM1 */
	print("step %u", n);
	if (g->describe) {
		print(" ");
		g->describe(n);
	}
	print("\n");
	print_drain();
}

static void run_group(const struct hostile_group *g)
{
	unsigned int count = g->count_fn ? g->count_fn() : g->count;
	unsigned int from = (unsigned int)mboot_number("from", 0);
	unsigned int to = (unsigned int)mboot_number("to", count);
	unsigned int every = (unsigned int)mboot_number("every", g->every);
	unsigned int stride = (unsigned int)mboot_number("stride", 1), n;

	print("hostile %s: %u steps, every %u, run=%lu\n", g->name, count, every,
	      mboot_number("run", 0));
	if (g->prepare) {
		g->prepare();
	}
	for (n = from; n < to && n < count; n += stride) {
		if (n % every == 0 || n == from) {
			announce(g, n);
		}
		run(g, n);
	}
	print_init();
	print("hostile %s done, %u faults, %u hangs\n", g->name, faults, hangs);
}

static bool same_text(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++) {
	}
	return *a == *b;
}

static const struct hostile_group *find(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		if (same_text(name, groups[i]->name)) {
			return groups[i];
		}
	}
	return NULL;
}

void guest_main(void)
{
	const struct hostile_group *g = find(mboot_word(0));
	unsigned int cpus = (unsigned int)mboot_number("cpus", 1);

	if (g == NULL && !mboot_has("random")) {
		print("hostile: no group %s\n", mboot_word(0));
	} else if (cpus > 1 && cpus <= SMP_CPUS) {
		race(g, cpus);
	} else if (g == NULL) {
		hostile_random();
	} else {
		run_group(g);
	}
}
