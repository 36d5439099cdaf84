/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns vector 2 and the watch over CPUs that no longer open an interrupt window. */
/* Takes no lock: it may have interrupted any holder. */
#include "arch/x86/irq/nmi.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/pio.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/mce.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/irq/lapic.h"
#include "arch/x86/irq/vectors.h"
#include "arch/x86/irq/window.h"
#include "hv/base/lock.h"
#include "hv/base/panic.h"

/* "ICH9 Family Datasheet", "NMI_SC: NMI Status and Control Register" */
#define NMI_SC	      0x61u
#define NMI_SC_IOCHK  0x40u
#define NMI_SC_PARITY 0x80u
#define NMI_SC_NONE   0xffu

#define HANG_NS 10000000000ul

uint32_t window_counts[CPU_MAX];

static struct {
	uint32_t count; /* windows[] at the last look */
	uint64_t since; /* ticks; when that count was first seen */
	bool accused;	/* the next NMI there is ours: it hangs */
} watched[CPU_MAX];

static bool stopping;		  /* a panic: stand still */
static bool ready;		  /* nmi_init was called */
static uint64_t strange[CPU_MAX]; /* NMIs of unknown origin */

static void report_hang(void)
{
	const struct idt_frame *f = idt_frame();

	spin_bypass_all();
	if (f != NULL) {
		panic_backtrace(f->rip, f->rbp);
	}
	panic_stop("CPU %u has taken no interrupt for 10 s", cpu_id());
}

void nmi_handle(void)
{
	unsigned int cpu = cpu_id();

	if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		cpu_halt();
	}
	if (__atomic_exchange_n(&watched[cpu].accused, false, __ATOMIC_ACQ_REL) &&
	    __atomic_load_n(&window_counts[cpu], __ATOMIC_RELAXED) == watched[cpu].count) {
		report_hang();
	}
	uint8_t status = pio_in8(NMI_SC);

	if (status != NMI_SC_NONE && (status & (NMI_SC_IOCHK | NMI_SC_PARITY)) != 0) {
		panic_stop("NMI: the hardware reports %s", status & NMI_SC_PARITY
								   ? "a memory or PCI system error"
								   : "an I/O channel check");
	}
	strange[cpu]++;
}

static void on_nmi(uint8_t vector UNUSED, void *arg UNUSED)
{
	nmi_handle();
}

void nmi_init(void)
{
	idt_set_handler(VECTOR_NMI, on_nmi, NULL);
	ready = true;
}

void cpu_stop_others(void)
{
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	for (unsigned int cpu = 0; ready && cpu < cpu_count(); cpu++) {
		if (cpu != cpu_id()) {
			lapic_send_nmi(percpus[cpu].apic_id);
		}
	}
}

/* One that idles or runs a guest opens a window when kicked; one that hangs does not. */
static void watch(unsigned int cpu, uint64_t now)
{
	uint32_t count = __atomic_load_n(&window_counts[cpu], __ATOMIC_RELAXED);

	if (count != watched[cpu].count || watched[cpu].since == 0) {
		watched[cpu].count = count;
		watched[cpu].since = now;
	} else if (now - watched[cpu].since < clock_ns_to_ticks(HANG_NS)) {
		cpu_kick(cpu);
	} else {
		__atomic_store_n(&watched[cpu].accused, true, __ATOMIC_RELEASE);
		lapic_send_nmi(percpus[cpu].apic_id);
	}
}

void cpu_watch(void)
{
	unsigned int next = (cpu_id() + 1) % cpu_count();

	mce_poll();
	if (next != cpu_id()) {
		watch(next, clock_now());
	}
}
