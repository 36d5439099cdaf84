/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives each chip of the PC once, as its driver would, and says which did not behave. */
/* Holds on a bare i440FX machine as well. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/pic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/pcdev/check.h"

static const struct check_table *const tables[] = {
	&check_irq, &check_isa, &check_pci, &check_tables, &check_x2apic,
};

static volatile unsigned int counted;

static void on_counted(struct idt_frame *frame)
{
	counted++;
	if (frame->vector >= PIC_VECTOR && frame->vector < PIC_VECTOR + 16) {
		pic_eoi((unsigned int)frame->vector - PIC_VECTOR);
	} else {
		lapic_eoi();
	}
}

void check_count(unsigned int vector)
{
	counted = 0;
	idt_handle(vector, on_counted);
}

unsigned int check_counted(void)
{
	return counted;
}

bool check_wait(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < 100 && counted < number; i++) {
		cpu_sti();
		(void)pit_spin(PIT_HZ / 1000);
		cpu_cli();
	}
	return counted >= number;
}

static unsigned int run(const struct check_table *t)
{
	unsigned int i, failed = 0;

	for (i = 0; i < t->count; i++) {
		bool good = t->rows[i].run();

		print("pcdev.%s %s\n", t->rows[i].name, good ? "ok" : "FAILED");
		failed += !good;
	}
	return failed;
}

void guest_main(void)
{
	const struct check_table *msi = check_msi();
	unsigned int i, failed = 0, count = 0;

	lapic_init();
	if (msi) { /* first: those of x2APIC leave the local APIC without its registers in memory */
		failed += run(msi);
		count += msi->count;
	}
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		failed += run(tables[i]);
		count += tables[i]->count;
	}
	print("pcdev %u checks, %u failed\n", count, failed);
}
