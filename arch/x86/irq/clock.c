/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: the TSC, calibrated once, and each CPU's alarm from its local APIC. */
/* Who wants to be woken, and when, is hv/timer's. */
#include "arch/clock.h"

#include "arch/cpu.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/irq/clock_calibrate.h"
#include "arch/x86/irq/clock_ref.h"
#include "arch/x86/irq/clock_scale.h"
#include "arch/x86/irq/clock_x86.h"
#include "arch/x86/irq/lapic.h"
#include "arch/x86/irq/rtc.h"
#include "arch/x86/irq/vectors.h"
#include "hv/base/log.h"

#define NS_PER_SECOND 1000000000ul
#define FALLBACK_HZ   NS_PER_SECOND
#define AGREE_PPM     500u /* CPUID's rate is believed if the measurement comes that near */

static struct {
	uint64_t hz;
	const char *reference;
	struct clock_scale ns_to_ticks;
	struct clock_scale ticks_to_ns;
	struct clock_scale ticks_to_timer; /* one-shot mode only */
	bool tsc_deadline;
	uint64_t wall_at_boot; /* seconds since 1970 */
	uint64_t tsc_at_boot;
	void (*alarm)(void);
} clock; /* constant after clock_init */

uint64_t clock_now(void)
{
	return x86_rdtsc();
}

uint64_t clock_hz(void)
{
	return clock.hz;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
	return clock_scale_apply(clock.ns_to_ticks, ns);
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	return clock_scale_apply(clock.ticks_to_ns, ticks);
}

const char *clock_reference(void)
{
	return clock.reference;
}

uint64_t clock_wall_ns(void)
{
	return clock.wall_at_boot * NS_PER_SECOND +
	       clock_ticks_to_ns(clock_now() - clock.tsc_at_boot);
}

uint64_t clock_wall_seconds(void)
{
	return clock_wall_ns() / NS_PER_SECOND;
}

/*
 * SDM Vol. 3B, "Determining the Processor Base Frequency": crystal times ratio. Some firmware and
 * some emulators name a false one, so it only sharpens a measurement that it agrees with.
 */
static uint64_t cpuid_hz(void)
{
	struct x86_cpuid leaf = { 0 };

	if (x86_cpuid(0, 0).eax >= 0x15) {
		leaf = x86_cpuid(0x15, 0);
	}
	if (leaf.eax == 0 || leaf.ebx == 0 || leaf.ecx == 0) {
		return 0;
	}
	return clock_scale_muldiv(leaf.ecx, leaf.ebx, leaf.eax);
}

static bool near(uint64_t a, uint64_t b)
{
	uint64_t diff = u64_max(a, b) - u64_min(a, b);

	return diff <= clock_scale_muldiv(b, AGREE_PPM, 1000000);
}

static void measure(void)
{
	struct clock_counter refs[CLOCK_REFS_MAX];
	unsigned int count = clock_ref_list(refs);
	struct clock_rate rate;

	for (unsigned int i = 0; i < count; i++) {
		if (!clock_calibrate_tsc(&refs[i], x86_rdtsc, &rate)) {
			log_printf(LOG_HOST, "clock: no use of the %s for calibration",
				   refs[i].name);
			continue;
		}
		uint64_t exact = cpuid_hz();

		clock.hz = near(exact, rate.hz) ? exact : rate.hz;
		clock.reference = refs[i].name;
		log_printf(LOG_DEBUG, "clock: TSC %lu Hz by %s, within %lu ppm%s", rate.hz,
			   refs[i].name, rate.error_ppm,
			   clock.hz == exact ? ", as CPUID says" : "");
		return;
	}
	clock.hz = cpuid_hz() != 0 ? cpuid_hz() : FALLBACK_HZ;
	clock.reference = cpuid_hz() != 0 ? "CPUID" : "nothing";
	log_printf(LOG_HOST, "clock: nothing to calibrate by: the TSC is taken for %lu Hz",
		   clock.hz);
}

/* The rate of the local APIC's timer, which nothing states. */
static void measure_timer(void)
{
	static const struct clock_counter timer = {
		.name = "local APIC timer",
		.mask = UINT32_MAX,
		.down = true,
		.read = lapic_timer_count,
	};

	lapic_timer_set(UINT32_MAX);
	uint64_t hz = clock_calibrate_counter(&timer, x86_rdtsc, clock.hz);

	lapic_timer_set(0);
	if (hz == 0) {
		log_printf(LOG_HOST, "clock: the local APIC's timer stands still: no alarms");
		hz = clock.hz;
	}
	clock.ticks_to_timer = clock_scale_make(clock.hz, hz);
}

static void on_alarm(uint8_t vector UNUSED, void *arg UNUSED)
{
	lapic_eoi();
	if (clock.alarm != NULL) {
		clock.alarm();
	}
}

void clock_init(void)
{
	measure();
	clock.ns_to_ticks = clock_scale_make(NS_PER_SECOND, clock.hz);
	clock.ticks_to_ns = clock_scale_make(clock.hz, NS_PER_SECOND);
	clock.tsc_deadline = lapic_has_tsc_deadline();
	idt_set_handler(VECTOR_CLOCK, on_alarm, NULL);
	clock_init_cpu();
	if (!clock.tsc_deadline) {
		measure_timer();
	}
	clock.wall_at_boot = rtc_host_seconds();
	clock.tsc_at_boot = clock_now();
}

void clock_init_cpu(void)
{
	lapic_timer_init_cpu(VECTOR_CLOCK, clock.tsc_deadline);
}

void clock_set_alarm(void (*fn)(void))
{
	clock.alarm = fn;
}

static void arm_one_shot(uint64_t deadline)
{
	uint64_t now = clock_now();
	uint64_t ticks = deadline > now ? deadline - now : 0;

	if (deadline == CLOCK_NEVER) {
		lapic_timer_set(0);
		return;
	}
	/* One count more, so that it is not early; a far deadline fires early, and is set again. */
	uint64_t count = clock_scale_apply(clock.ticks_to_timer, ticks);

	lapic_timer_set((uint32_t)u64_min(count, UINT32_MAX - 1) + 1);
}

void clock_arm(uint64_t deadline)
{
	if (!clock.tsc_deadline) {
		arm_one_shot(deadline);
	} else if (deadline == CLOCK_NEVER) {
		x86_wrmsr(MSR_TSC_DEADLINE, 0);
	} else {
		x86_wrmsr(MSR_TSC_DEADLINE, u64_max(deadline, 1)); /* 0 would disarm */
	}
}
