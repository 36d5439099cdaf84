/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the machine-check banks. */
/* Decodes no model-specific error codes: it prints them. */
#include "arch/x86/cpu/mce.h"

#include "arch/cpu.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/irq/vectors.h"
#include "hv/base/log.h"
#include "hv/base/panic.h"

/* SDM Vol. 3B, "Machine-Check MSRs" */
#define MCG_CAP	       0x179u
#define MCG_STATUS     0x17au
#define MCG_CTL	       0x17bu
#define MC0_CTL	       0x400u /* CTL, STATUS, ADDR, MISC; four more per bank */
#define MCG_CAP_COUNT  0xffu
#define MCG_CAP_CTL_P  BIT(8)
#define MCG_RIPV       BIT(0)
#define MC_VALID       BIT(63)
#define MC_UNCORRECTED BIT(61)
#define MC_ADDRV       BIT(58)
#define MC_PCC	       BIT(57) /* processor context corrupt */

#define BANKS_MAX      32u
#define CPUID1_EDX_MCE BIT(7)
#define CPUID1_EDX_MCA BIT(14)

struct mce_report {
	unsigned int bank;
	uint64_t status;
	uint64_t addr; /* 0 if the bank gives none */
};

static bool present(void)
{
	uint32_t edx = x86_cpuid(1, 0).edx;

	return (edx & CPUID1_EDX_MCE) != 0 && (edx & CPUID1_EDX_MCA) != 0;
}

static unsigned int bank_count(void)
{
	uint64_t count = x86_rdmsr(MCG_CAP) & MCG_CAP_COUNT;

	return (unsigned int)u64_min(count, BANKS_MAX);
}

/* Takes the next report from bank `*next` on, and clears it there. */
static bool take(unsigned int *next, struct mce_report *out)
{
	for (; *next < bank_count(); (*next)++) {
		uint32_t ctl = MC0_CTL + 4 * *next;

		uint64_t status = x86_rdmsr(ctl + 1);

		if ((status & MC_VALID) != 0) {
			out->bank = *next;
			out->status = status;
			out->addr = status & MC_ADDRV ? x86_rdmsr(ctl + 2) : 0;
			x86_wrmsr(ctl + 1, 0);
			(*next)++;
			return true;
		}
	}
	return false;
}

static bool is_fatal(const struct mce_report *r)
{
	return (r->status & (MC_UNCORRECTED | MC_PCC)) != 0;
}

static void log_all(const char *when)
{
	struct mce_report r;

	for (unsigned int next = 0; take(&next, &r);) {
		log_printf(LOG_HOST, "machine check (%s%s): CPU %u bank %u status %016lx addr %lx",
			   when, is_fatal(&r) ? ", uncorrected" : "", cpu_id(), r.bank, r.status,
			   r.addr);
	}
}

/*
 * SDM Vol. 3B, "Machine-Check Exception Handler": without RIPV the interrupted code cannot go on.
 * No logging: we may have interrupted the log.
 */
static void on_machine_check(uint8_t vector UNUSED, void *arg UNUSED)
{
	struct mce_report r = { 0 };
	uint64_t global = x86_rdmsr(MCG_STATUS);
	bool fatal = false;

	for (unsigned int next = 0; !fatal && take(&next, &r);) {
		fatal = is_fatal(&r);
	}
	if (fatal || (global & MCG_RIPV) == 0) {
		panic_stop("machine check: bank %u status %016lx addr %lx, global status %lx",
			   r.bank, r.status, r.addr, global);
	}
	x86_wrmsr(MCG_STATUS, 0);
}

void mce_init(void)
{
	idt_set_handler(VECTOR_MCE, on_machine_check, NULL);
}

void mce_init_cpu(void)
{
	if (!present()) {
		return;
	}
	log_all("before boot");
	if ((x86_rdmsr(MCG_CAP) & MCG_CAP_CTL_P) != 0) {
		x86_wrmsr(MCG_CTL, UINT64_MAX);
	}
	for (unsigned int bank = 0; bank < bank_count(); bank++) {
		x86_wrmsr(MC0_CTL + 4 * bank, UINT64_MAX);
	}
	x86_write_cr4(x86_read_cr4() | CR4_MCE);
}

void mce_poll(void)
{
	if (present()) {
		log_all("polled");
	}
}
