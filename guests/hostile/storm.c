/* SPDX-License-Identifier: BSD-2-Clause */
/* Storms of messages between local APICs: every kind to everybody, nobody and itself, in every mode, while the */
/* APICs are switched over. The step's number decides all; alone on a CPU most of it is for itself. */
#include "guests/hostile/hostile.h"
#include "guests/hostile/race.h"
#include "guests/lib/idt.h"
#include "guests/lib/kvm_call.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/msr.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"

#define X2APIC_FIRST 0x800u
#define X2APIC_ICR   0x830u
#define APIC_EXTD    0x400u
#define APIC_EN	     0x800u
#define MODE(icr)    ((icr) >> 8 & 7)
#define MODE_NMI     4u
#define MODE_INIT    5u
#define MODE_STARTUP 6u
#define GOOD_VECTOR  0x10u /* and 7Fh more: race.c's pages */
#define BURST	     8u
#define NMIS_MAX     2000u /* that the handler sends by itself */
#define IOAPIC	     0xfec00000u
#define CALL_IPI     10
#define CALL_YIELD   11
#define STEAL_TIME   0x4b564d03u
#define PV_EOI	     0x4b564d04u

static uint8_t area[4096] __attribute__((aligned(4096)));
static volatile uint32_t nmis;
/*
 * By seed: without NMIs, or without INIT and SIPI, it goes on for long; with both it does until an NMI meets
 * a CPU on its way up, which no table of interrupts saves.
 */
static bool with_nmis, with_starts;

/*
 * Bits of an ICR. INIT to the first CPU, and a start where no code is, end the machine: seldom. r decides.
 */
static uint32_t command(uint64_t r)
{
	uint32_t icr = (uint32_t)r & 0xccfffu;

	if ((MODE(icr) == MODE_NMI && !with_nmis) || (MODE(icr) >= MODE_INIT && !with_starts)) {
		return icr & ~0x700u;
	}
	if ((r >> 20) % 4096 == 0) {
		return icr;
	}
	if (MODE(icr) == MODE_STARTUP) {
		icr = (icr & ~0x80u) | GOOD_VECTOR;
	}
	return MODE(icr) == MODE_INIT ? (icr & ~0xc0800u) | 0xc000u : icr;
}

static uint32_t destination(uint64_t r, uint32_t icr)
{
	static const uint32_t dests[] = { 0, 1, 2, 3, 0xff, 0x0f, 0xfe, UINT32_MAX };
	uint32_t d = dests[r >> 40 & 7];

	if (MODE(icr) == MODE_INIT) {
		return 1 + (uint32_t)(r >> 40) % 3;
	}
	return r >> 44 & 1 ? d : (uint32_t)(r >> 32);
}

static void by_mmio(uint64_t r)
{
	uint32_t icr = command(r);

	lapic_write(LAPIC_ICR_HIGH, destination(r, icr) << 24);
	lapic_write(LAPIC_ICR_LOW, icr);
}

static void by_msr(uint64_t r)
{
	uint32_t icr = command(r);

	(void)msr_write(X2APIC_ICR, (uint64_t)destination(r, icr) << 32 | icr);
}

/* In whichever mode it is just now. */
static void send(uint64_t r)
{
	uint64_t base;

	if (msr_read(MSR_APIC_BASE, &base) && (base & APIC_EXTD)) {
		by_msr(r);
	} else {
		by_mmio(r);
	}
}

static void burst(uint64_t r)
{
	for (unsigned int i = 0; i < BURST; i++) {
		send(race_mix(r + i));
	}
}

/* INIT, SIPI, SIPI to one, without waiting; its own part comes back by smp_on_enter. */
static void start_over(uint64_t r)
{
	uint32_t to = 1 + (uint32_t)r % 3;

	if (!with_starts) {
		burst(r);
		return;
	}
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_INIT, to);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | GOOD_VECTOR | (uint32_t)(r >> 8 & 0x7f), to);
	smp_icr(SMP_ICR_ASSERT | SMP_ICR_STARTUP | GOOD_VECTOR, to);
}

static void startup_all(uint64_t r)
{
	lapic_write(LAPIC_ICR_LOW, SMP_ICR_ALL | SMP_ICR_ASSERT | SMP_ICR_STARTUP | GOOD_VECTOR |
					   (uint32_t)(r & 0x7f));
}

static void nmi(uint64_t r)
{
	static const uint32_t to[] = { SMP_ICR_SELF, SMP_ICR_ALL, SMP_ICR_OTHERS, 0 };

	for (unsigned int i = 0; with_nmis && i < BURST; i++) {
		smp_icr(SMP_ICR_ASSERT | SMP_ICR_NMI | to[r % 4], (uint32_t)(r >> 8 & 3));
	}
}

/* Legal and illegal ways between off, xAPIC and x2APIC. */
static void switch_mode(uint64_t r)
{
	uint64_t base;

	(void)msr_read(MSR_APIC_BASE, &base);
	for (unsigned int i = 0; i < 3; i++, r >>= 2) {
		(void)msr_write(MSR_APIC_BASE,
				(base & ~(uint64_t)(APIC_EXTD | APIC_EN)) | (r & 3) << 10);
	}
	(void)msr_write(MSR_APIC_BASE, base & ~(uint64_t)(APIC_EXTD | APIC_EN));
	(void)msr_write(MSR_APIC_BASE, (base & ~(uint64_t)APIC_EXTD) | APIC_EN);
	lapic_write(LAPIC_SVR, 0x100u | LAPIC_SPURIOUS_VECTOR);
}

static void registers(uint64_t r)
{
	static const uint16_t regs[] = { 0x20,	0x80,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x2f0,
					 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380 };
	uint32_t reg = regs[r & 15];

	lapic_write(reg, (uint32_t)(r >> 32));
	if (reg != 0x310) {
		(void)msr_write(X2APIC_FIRST + reg / 16, r >> 32);
	}
	lapic_write(LAPIC_SVR, 0x100u | LAPIC_SPURIOUS_VECTOR);
	lapic_write(LAPIC_TPR, 0);
}

/* Interrupts that come meanwhile are taken, and each sends more. */
static void listen(uint64_t r)
{
	cpu_sti();
	for (unsigned int i = 0; i < (r & 0x3ff); i++) {
		__asm__ volatile("pause");
	}
	cpu_cli();
}

/* Also through a halt, which the next message or the watchdog ends. */
static void doze(uint64_t r)
{
	burst(r);
	cpu_wait();
}

/* Pins that nobody drives but by their polarity, and one that the PIT does. */
static void ioapic(uint64_t r)
{
	uint32_t pin = (uint32_t)(r >> 56) % 24;

	mmio_write32(IOAPIC, 0x11 + 2 * pin);
	mmio_write32(IOAPIC + 0x10, (uint32_t)(r >> 24) & 0x3000000);
	mmio_write32(IOAPIC, 0x10 + 2 * pin);
	mmio_write32(IOAPIC + 0x10, command(r) & ~0xc0000u);
}

static void kvm(uint64_t r)
{
	static const uint64_t icrs[] = { 0x400, 0x55, 0x5ff, 0x600, 0xf0, 0xc00ff, 0x10, 0x4455 };

	(void)kvm_call(CALL_IPI, r, race_mix(r), r >> 56 & 1 ? r >> 32 : 0, icrs[r >> 8 & 7]);
	(void)kvm_call(CALL_YIELD, r & 7, 0, 0, 0);
}

/* Areas of all CPUs in one place, at the border of two, switched while the others send. */
static void kvm_areas(uint64_t r)
{
	(void)msr_write(PV_EOI, ((uintptr_t)area + (r & 0xffc)) | (r >> 16 & 1));
	(void)msr_write(STEAL_TIME, ((uintptr_t)area + (r >> 20 & 0xfc0)) | (r >> 17 & 1));
}

static void (*const kinds[])(uint64_t r) = {
	burst,	start_over, nmi,    burst, start_over, startup_all, switch_mode, registers,
	listen, doze,	    ioapic, kvm,   kvm_areas,  listen,	    by_msr,	 by_mmio,
};

static void step(unsigned int n)
{
	kinds[n % ARRAY_SIZE(kinds)](race_mix(n));
}

static void describe(unsigned int n)
{
	print("kind %u", n % (unsigned int)ARRAY_SIZE(kinds));
}

static void on_interrupt(struct idt_frame *frame)
{
	uint64_t r = race_mix(frame->rip ^ cpu_tsc());

	if (r % 4 == 0) {
		send(r);
	}
	smp_lapic_write(LAPIC_EOI, 0);
}

/* More of them from within one: to itself, which has to wait, and to all. */
static void more_nmis(void)
{
	if (with_nmis && __atomic_fetch_add(&nmis, 1, __ATOMIC_RELAXED) < NMIS_MAX) {
		smp_icr(SMP_ICR_ASSERT | SMP_ICR_NMI | (nmis % 8 ? SMP_ICR_SELF : SMP_ICR_ALL), 0);
	}
}

static void prepare(void)
{
	with_nmis = (mboot_number("seed", 3) & 1) != 0;
	with_starts = (mboot_number("seed", 3) & 2) != 0;
	for (unsigned int i = 32; i < 256; i++) {
		idt_handle(i, on_interrupt);
	}
}

const struct hostile_group hostile_storm = {
	.name = "storm",
	.count = 0x100000,
	.every = 0x1000,
	.step = step,
	.describe = describe,
	.prepare = prepare,
	.on_nmi = more_nmis,
	.guarded = true,
};
