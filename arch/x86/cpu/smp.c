/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings up the application processors, one after the other, and kicks them later. */
/* What they then do is the caller's entry(). */
#include "arch/x86/cpu/smp.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/cpu/barrier.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/mce.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/trampoline.h"
#include "arch/x86/cpu/tsc_sync.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/irq/clock_x86.h"
#include "arch/x86/irq/lapic.h"
#include "arch/x86/irq/vectors.h"
#include "arch/x86/mm/mm.h"
#include "boot/boot_info.h"
#include "hv/base/log.h"
#include "hv/lib/string.h"

#define LOW_END	   0x9f000ul /* the EBDA may begin here */
#define LOW_START  0x1000ul  /* not the page of the interrupt vectors and the BIOS data area */
#define MS	   1000000ul /* ns */
#define INIT_NS	   (10 * MS) /* SDM Vol. 3A, "Typical BSP Initialization Sequence" */
#define SIPI_NS	   (MS / 5)
#define TIMEOUT_NS (1000 * MS)
#define CODE32	   0x00cf9b000000fffful
#define CODE64	   0x00af9b000000fffful
#define DATA32	   0x00cf93000000fffful

static unsigned int online = 1; /* contiguous: CPUs 0 to online - 1 run */
static void (*ap_entry)(void);
static uint64_t low_page; /* 0: none */

unsigned int cpu_count(void)
{
	return __atomic_load_n(&online, __ATOMIC_ACQUIRE);
}

static void on_kick(uint8_t vector UNUSED, void *arg UNUSED)
{
	lapic_eoi(); /* having arrived is all */
}

void cpu_kick(unsigned int cpu)
{
	if (cpu != cpu_id()) {
		lapic_send_fixed(percpus[cpu].apic_id, VECTOR_KICK);
	}
}

static void delay(uint64_t ns)
{
	uint64_t end = clock_now() + clock_ns_to_ticks(ns);

	while (clock_now() < end) {
		cpu_relax();
	}
}

/* On the new CPU, on its own stack, on the trampoline's page tables. */
static void ap_main(uint64_t cpu)
{
	struct percpu *p = &percpus[cpu];

	percpu_init((unsigned int)cpu, p->apic_id);
	x86_write_cr3(paging_kernel_root().v);
	lapic_init_cpu();
	clock_init_cpu();
	mce_init_cpu();
	barrier_init_cpu();
	__atomic_store_n(&p->online, true, __ATOMIC_RELEASE);
	tsc_sync_follow();
	while (cpu_count() <= cpu) { /* until the boot CPU has counted us */
		cpu_relax();
	}
	ap_entry();
	cpu_halt();
}

static bool overlaps_module(const struct boot_info *info, uint64_t page)
{
	for (unsigned int i = 0; i < info->module_count; i++) {
		const struct boot_module *m = &info->modules[i];

		if (page < m->base.v + m->size && m->base.v < page + PAGE_SIZE) {
			return true;
		}
	}
	return false;
}

/* The highest free page of RAM below 640 KiB; 0 if there is none. */
static uint64_t find_low_page(const struct boot_info *info)
{
	uint64_t best = 0;

	for (unsigned int i = 0; i < info->mem_count; i++) {
		const struct boot_mem *m = &info->mem[i];
		uint64_t start = u64_max(m->base.v, LOW_START);
		uint64_t end = m->type == BOOT_MEM_RAM ? u64_min(m->base.v + m->size, LOW_END) : 0;

		for (uint64_t page = ALIGN_DOWN(end, PAGE_SIZE); page >= start + PAGE_SIZE;) {
			page -= PAGE_SIZE;
			if (page > best && !overlaps_module(info, page)) {
				best = page;
			}
		}
	}
	return best;
}

/* The copy's parameters, with all that is the same for every CPU filled in; NULL out of memory. */
static volatile struct trampoline *place_trampoline(uint64_t page)
{
	uint32_t data = (uint32_t)(page + (uint64_t)(trampoline_data - trampoline_start));
	volatile char *copy = paging_map_device((hpa_t){ page }, PAGE_SIZE);

	if (copy == NULL) {
		return NULL;
	}
	for (long i = 0; i < trampoline_end - trampoline_start; i++) {
		copy[i] = trampoline_start[i];
	}
	volatile struct trampoline *t =
		(volatile struct trampoline *)(copy + (trampoline_data - trampoline_start));

	t->gdt[TRAMPOLINE_SEL_CODE32 / 8] = CODE32;
	t->gdt[TRAMPOLINE_SEL_DATA / 8] = DATA32;
	t->gdt[TRAMPOLINE_SEL_CODE64 / 8] = CODE64;
	t->gdt_limit = sizeof(t->gdt) - 1;
	t->gdt_base = data + TRAMPOLINE_GDT;
	t->far32.offset = (uint32_t)page + (uint32_t)(trampoline_32 - trampoline_start);
	t->far32.selector = TRAMPOLINE_SEL_CODE32;
	t->far64.offset = (uint32_t)page + (uint32_t)(trampoline_64 - trampoline_start);
	t->far64.selector = TRAMPOLINE_SEL_CODE64;
	t->cr3 = (uint32_t)paging_trampoline_root((hpa_t){ page }).v;
	t->entry = (uint64_t)ap_main;
	return t;
}

static bool wait_online(const struct percpu *p, uint64_t ns)
{
	uint64_t end = clock_now() + clock_ns_to_ticks(ns);

	while (!__atomic_load_n(&p->online, __ATOMIC_ACQUIRE)) {
		if (clock_now() > end) {
			return false;
		}
		cpu_relax();
	}
	return true;
}

/* The second SIPI only if the first went unheard: a CPU that runs ignores it. */
static bool start_one(volatile struct trampoline *t, uint8_t page, unsigned int cpu,
		      uint32_t apic_id)
{
	struct percpu *p = &percpus[cpu];
	void *stack = paging_stack_alloc();

	if (stack == NULL || percpu_init_stacks(cpu) != 0) {
		log_printf(LOG_HOST, "smp: out of memory for the CPU with APIC id %u", apic_id);
		return false;
	}
	p->apic_id = apic_id;
	t->stack = (uint64_t)stack;
	t->arg = cpu;
	t->ticket = 1; /* uncached and volatile: after all the rest */
	lapic_send_startup(apic_id, page);
	if (wait_online(p, SIPI_NS)) {
		return true;
	}
	lapic_send_startup(apic_id, page);
	if (wait_online(p, TIMEOUT_NS)) {
		return true;
	}
	lapic_send_init(apic_id); /* should it come after all: no further */
	t->ticket = 0;
	log_printf(LOG_HOST, "smp: the CPU with APIC id %u does not start", apic_id);
	return false;
}

/* All at once, since each has to wait afterwards. */
static void send_inits(void)
{
	const struct acpi_info *a = acpi();

	for (unsigned int i = 0; i < a->cpu_count; i++) {
		if (a->cpus[i].apic_id != lapic_id()) {
			lapic_send_init(a->cpus[i].apic_id);
		}
	}
	delay(INIT_NS);
}

static void start_all(volatile struct trampoline *t, uint8_t page)
{
	const struct acpi_info *a = acpi();

	for (unsigned int i = 0; i < a->cpu_count; i++) {
		uint32_t apic_id = a->cpus[i].apic_id;

		if (apic_id == lapic_id() || !start_one(t, page, online, apic_id)) {
			continue;
		}
		tsc_sync_lead(apic_id);
		__atomic_store_n(&online, online + 1, __ATOMIC_RELEASE);
	}
}

void smp_init(const struct boot_info *info)
{
	idt_set_handler(VECTOR_KICK, on_kick, NULL);
	low_page = find_low_page(info);
}

unsigned int cpu_start_others(void (*entry)(void))
{
	ap_entry = entry;
	if (acpi()->cpu_count <= 1) {
		return 0;
	}
	volatile struct trampoline *t = low_page != 0 ? place_trampoline(low_page) : NULL;

	if (t == NULL) {
		log_printf(LOG_HOST, "smp: no page below 640 KiB: the other CPUs stay off");
		return 0;
	}
	send_inits();
	start_all(t, (uint8_t)(low_page >> PAGE_SHIFT));
	return online - 1;
}
