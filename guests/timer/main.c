/* SPDX-License-Identifier: BSD-2-Clause */
/* Every timer interrupt of the PC: how many came, and how late against the TSC. */
/* Judges counts and that none came early; how late is late is the test's decision. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/msr.h"
#include "guests/lib/pic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"

#define CPUID1_ECX_DEADLINE (1u << 24)
#define PIT_10MS	    (PIT_HZ / 100)
#define PIT_1MS		    (PIT_HZ / 1000)

static volatile unsigned int fired;
static volatile uint64_t fired_at;
static uint64_t tsc_ms;	  /* TSC ticks a millisecond */
static uint32_t lapic_ms; /* timer ticks a millisecond */
static bool failed;

struct lateness {
	unsigned int count;
	int64_t min, max, sum;
};

static void on_pit(struct idt_frame *frame)
{
	(void)frame;
	fired_at = cpu_tsc();
	fired++;
	pic_eoi(0);
}

static void on_lapic(struct idt_frame *frame)
{
	(void)frame;
	fired_at = cpu_tsc();
	fired++;
	lapic_eoi();
}

static void lateness_add(struct lateness *l, uint64_t due)
{
	int64_t late = (int64_t)(fired_at - due);

	l->min = l->count == 0 || late < l->min ? late : l->min;
	l->max = l->count == 0 || late > l->max ? late : l->max;
	l->sum += late;
	l->count++;
}

/* Early by more than a 32nd of the period is wrong: calibration is better than that. */
static void report(const char *name, const struct lateness *l, unsigned int want, uint64_t period)
{
	bool good = l->count == want && l->min >= -(int64_t)(period / 32);

	print("timer.%s count=%u late min=%ld mean=%ld max=%ld %s\n", name, l->count, l->min,
	      l->count ? l->sum / (int64_t)l->count : 0, l->max, good ? "ok" : "FAILED");
	failed = failed || !good;
}

/* Waits for an interrupt; false after 100 periods of nothing. A second one in its place counts too. */
static bool wait_for(unsigned int number, uint64_t due, uint64_t period, bool halt)
{
	while (fired < number) {
		if (cpu_tsc() > due + 100 * period) {
			return false;
		}
		if (halt) {
			cpu_wait();
		} else {
			__asm__ volatile("sti; nop; pause; cli" ::: "memory");
		}
	}
	return true;
}

/* The last interrupt of a periodic timer may still be there. */
static void forget_pending(void)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	fired = 0;
}

/* ---- one interrupt for each arming ---- */

static void arm_pit(uint64_t now)
{
	(void)now;
	pit_once(PIT_1MS);
}

static void arm_lapic(uint64_t now)
{
	(void)now;
	lapic_write(LAPIC_TIMER_ICR, lapic_ms);
}

static void arm_deadline(uint64_t now)
{
	(void)msr_write(MSR_TSC_DEADLINE, now + tsc_ms);
}

static void run_once(const char *name, void (*arm)(uint64_t now), bool halt, unsigned int want)
{
	struct lateness l = { 0, 0, 0, 0 };
	unsigned int i;

	forget_pending();
	for (i = 0; i < want; i++) {
		uint64_t now = cpu_tsc();

		arm(now);
		if (!wait_for(i + 1, now + tsc_ms, tsc_ms, halt)) {
			break;
		}
		lateness_add(&l, now + tsc_ms);
	}
	l.count = fired;
	report(name, &l, want, tsc_ms);
}

/* ---- periodic: the n-th is due n periods after arming ---- */

static void run_periodic(const char *name, void (*arm)(uint64_t now), unsigned int want)
{
	struct lateness l = { 0, 0, 0, 0 };
	uint64_t due = cpu_tsc();

	forget_pending();
	arm(due);
	while (l.count < want) {
		due += tsc_ms;
		if (!wait_for(l.count + 1, due, tsc_ms, true)) {
			break;
		}
		lateness_add(&l, due);
	}
	report(name, &l, want, 8 * tsc_ms); /* calibration's error adds up */
}

static void arm_pit_periodic(uint64_t now)
{
	(void)now;
	pit_periodic(PIT_1MS);
}

static void test_pit(unsigned int want)
{
	idt_handle(PIC_VECTOR, on_pit);
	pic_unmask(0);
	run_once("pit_once", arm_pit, true, want);
	run_once("pit_once_spin", arm_pit, false, want);
	run_periodic("pit_periodic", arm_pit_periodic, want);
	pit_stop();
	pic_mask(0);
}

static void test_lapic(unsigned int want)
{
	idt_handle(LAPIC_TIMER_VECTOR, on_lapic);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR);
	run_once("lapic_once", arm_lapic, true, want);
	run_once("lapic_once_spin", arm_lapic, false, want);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR | LAPIC_LVT_PERIODIC);
	run_periodic("lapic_periodic", arm_lapic, want);
	lapic_write(LAPIC_TIMER_ICR, 0);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
}

static void test_deadline(unsigned int want)
{
	if (!(cpu_cpuid(1, 0).ecx & CPUID1_ECX_DEADLINE)) {
		print("timer.tsc_deadline absent\n");
		return;
	}
	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR | LAPIC_LVT_DEADLINE);
	__asm__ volatile("mfence" ::: "memory");
	run_once("tsc_deadline", arm_deadline, true, want);
	run_once("tsc_deadline_spin", arm_deadline, false, want);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
}

/* A masked timer counts but does not interrupt. */
static void test_masked(void)
{
	fired = 0;
	lapic_write(LAPIC_TIMER_ICR, lapic_ms / 10);
	cpu_sti();
	(void)pit_spin(PIT_1MS);
	cpu_cli();
	print("timer.masked count=%u %s\n", fired, fired ? "FAILED" : "ok");
	failed = failed || fired;
}

/* The shortest of several: a run that something else delayed is longer. */
static void calibrate(void)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		uint64_t tsc;
		uint32_t ticks = lapic_calibrate(PIT_10MS, &tsc);

		if (i == 0 || tsc < tsc_ms) {
			tsc_ms = tsc;
			lapic_ms = ticks;
		}
	}
	tsc_ms /= 10;
	lapic_ms /= 10;
}

void guest_main(void)
{
	unsigned int want = (unsigned int)mboot_number("count", 20);

	lapic_init();
	calibrate();
	print("timer: a millisecond is %lu TSC ticks, %u APIC timer ticks\n", tsc_ms, lapic_ms);
	test_pit(want);
	test_lapic(want);
	test_deadline(want);
	test_masked();
	print("timer %s\n", failed ? "FAILED" : "ok");
}
