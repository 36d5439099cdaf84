/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers of the local APICs. */
/* Knows no CPU numbers, only APIC ids; who handles a vector is the callers' business. */
#include "arch/x86/irq/lapic.h"

#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/irq/vectors.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

/* SDM Vol. 3A, "Local APIC Register Address Map"; the x2APIC's MSR is 800h + offset / 16. */
enum lapic_reg {
	LAPIC_ID = 0x020,
	LAPIC_TPR = 0x080,
	LAPIC_EOI = 0x0b0,
	LAPIC_SVR = 0x0f0,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300,
	LAPIC_ICR_HIGH = 0x310, /* xAPIC only */
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_BASE_EXTD	 BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDR	 0x000ffffffffff000ul

#define SVR_ENABLE	  0x100u
#define LVT_MASKED	  (1u << 16)
#define LVT_NMI		  (4u << 8)
#define LVT_LOW		  (1u << 13)
#define TIMER_TSCDEADLINE (2u << 17)
#define DIVIDE_BY_1	  0xbu

#define ICR_FIXED   (0u << 8)
#define ICR_NMI	    (4u << 8)
#define ICR_INIT    (5u << 8)
#define ICR_STARTUP (6u << 8)
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT  (1u << 14)

#define CPUID1_ECX_X2APIC      BIT(21)
#define CPUID1_ECX_TSCDEADLINE BIT(24)

#define SEND_SPINS 100000u

static bool x2apic;		 /* constant after lapic_init, as is: */
static volatile uint32_t *xapic; /* NULL in x2APIC mode */

static inline uint32_t reg_read(enum lapic_reg reg)
{
	if (x2apic) {
		return (uint32_t)x86_rdmsr(MSR_X2APIC_FIRST + reg / 16u);
	}
	return xapic[reg / 4u];
}

static inline void reg_write(enum lapic_reg reg, uint32_t val)
{
	if (x2apic) {
		x86_wrmsr(MSR_X2APIC_FIRST + reg / 16u, val);
	} else {
		xapic[reg / 4u] = val;
	}
}

static void on_error(uint8_t vector UNUSED, void *arg UNUSED)
{
	reg_write(LAPIC_ESR, 0); /* latches what has come up since */
	log_printf(LOG_HOST, "lapic: CPU %u: error status %x", cpu_id(), reg_read(LAPIC_ESR));
	lapic_eoi();
}

/* SDM Vol. 3A, "Spurious Interrupt": it must not be answered with an EOI. */
static void on_spurious(uint8_t vector UNUSED, void *arg UNUSED)
{
}

int lapic_init(void)
{
	hpa_t base = { x86_rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR };

	x2apic = (x86_cpuid(1, 0).ecx & CPUID1_ECX_X2APIC) != 0;
	if (!x2apic) {
		xapic = paging_map_device(base, PAGE_SIZE);
		if (xapic == NULL) {
			return -ENOMEM;
		}
	}
	idt_set_handler(VECTOR_ERROR, on_error, NULL);
	idt_set_handler(VECTOR_SPURIOUS, on_spurious, NULL);
	return 0;
}

bool lapic_is_x2apic(void)
{
	return x2apic;
}

/* SDM Vol. 3A, "x2APIC State Transitions": from disabled to x2APIC only by way of xAPIC. */
static void enable_mode(void)
{
	uint64_t base = x86_rdmsr(MSR_APIC_BASE);

	if ((base & APIC_BASE_ENABLE) == 0) {
		x86_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	}
	if (x2apic) {
		x86_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_EXTD);
	}
}

static uint32_t uid_of(uint32_t apic_id)
{
	const struct acpi_info *a = acpi();

	for (unsigned int i = 0; i < a->cpu_count; i++) {
		if (a->cpus[i].apic_id == apic_id) {
			return a->cpus[i].uid;
		}
	}
	return ACPI_ALL_CPUS;
}

static void enable_nmi_pins(void)
{
	const struct acpi_info *a = acpi();
	uint32_t uid = uid_of(lapic_id());

	for (unsigned int i = 0; i < a->nmi_count; i++) {
		const struct acpi_lapic_nmi *n = &a->nmis[i];
		/* SDM: NMI delivery through a LINT pin is always edge-triggered; level is ignored. */
		uint32_t lvt = LVT_NMI | (n->active_low ? LVT_LOW : 0);

		if (n->uid == ACPI_ALL_CPUS || n->uid == uid) {
			reg_write(n->lint == 0 ? LAPIC_LVT_LINT0 : LAPIC_LVT_LINT1, lvt);
		}
	}
}

void lapic_init_cpu(void)
{
	static const enum lapic_reg lvts[] = { LAPIC_LVT_TIMER, LAPIC_LVT_LINT0, LAPIC_LVT_LINT1 };

	enable_mode();
	reg_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	for (unsigned int i = 0; i < ARRAY_SIZE(lvts); i++) {
		reg_write(lvts[i], LVT_MASKED | VECTOR_SPURIOUS);
	}
	reg_write(LAPIC_TPR, 0);
	reg_write(LAPIC_ESR, 0);
	reg_write(LAPIC_LVT_ERROR, VECTOR_ERROR);
	enable_nmi_pins();
	lapic_eoi(); /* whatever the firmware left in service */
}

uint32_t lapic_id(void)
{
	uint32_t id = reg_read(LAPIC_ID);

	return x2apic ? id : id >> 24;
}

void lapic_eoi(void)
{
	reg_write(LAPIC_EOI, 0);
}

static void wait_sent(void)
{
	for (unsigned int i = 0; i < SEND_SPINS; i++) {
		if ((reg_read(LAPIC_ICR) & ICR_PENDING) == 0) {
			return;
		}
		cpu_relax();
	}
}

static void send(uint32_t apic_id, uint32_t command)
{
	if (x2apic) {
		/* SDM, "MSR Access in x2APIC Mode": its WRMSR does not wait for earlier stores. */
		__asm__ volatile("mfence; lfence" ::: "memory");
		x86_wrmsr(MSR_X2APIC_FIRST + LAPIC_ICR / 16u, (uint64_t)apic_id << 32 | command);
		return;
	}
	wait_sent(); /* an NMI may have interrupted a send */
	reg_write(LAPIC_ICR_HIGH, apic_id << 24);
	reg_write(LAPIC_ICR, command);
	wait_sent();
}

void lapic_send_fixed(uint32_t apic_id, uint8_t vector)
{
	send(apic_id, ICR_FIXED | ICR_ASSERT | vector);
}

void lapic_send_nmi(uint32_t apic_id)
{
	send(apic_id, ICR_NMI | ICR_ASSERT);
}

void lapic_send_init(uint32_t apic_id)
{
	send(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(uint32_t apic_id, uint8_t page)
{
	send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
}

bool lapic_has_tsc_deadline(void)
{
	return (x86_cpuid(1, 0).ecx & CPUID1_ECX_TSCDEADLINE) != 0;
}

void lapic_timer_init_cpu(uint8_t vector, bool tsc_deadline)
{
	reg_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	reg_write(LAPIC_TIMER_INITIAL, 0);
	reg_write(LAPIC_LVT_TIMER, (tsc_deadline ? TIMER_TSCDEADLINE : 0) | vector);
	/* SDM, "TSC-Deadline Mode": orders this store before the first write of the MSR. */
	__asm__ volatile("mfence" ::: "memory");
}

void lapic_timer_set(uint32_t count)
{
	reg_write(LAPIC_TIMER_INITIAL, count);
}

uint32_t lapic_timer_count(void)
{
	return reg_read(LAPIC_TIMER_CURRENT);
}
