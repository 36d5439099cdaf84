/* SPDX-License-Identifier: BSD-2-Clause */
/* A few rounds of question and answer between two CPUs; the quickest round counts. */
/* Done once per CPU at its start: a TSC that drifts later is not found. */
#include "arch/x86/cpu/tsc_sync.h"

#include "arch/cpu.h"
#include "arch/x86/cpu/x86.h"
#include "hv/base/log.h"

#define ROUNDS 16u /* in each of two passes: one before a correction, one after */

static struct {
	uint32_t asked;	   /* round that the new CPU waits for */
	uint32_t answered; /* round whose answer stands in tsc */
	uint64_t tsc;	   /* of the boot CPU */
	int64_t offset;	   /* what the new CPU is behind */
	uint64_t width;	   /* of the quickest round, in ticks */
	int64_t found;	   /* what it was behind at first */
	bool differs;	   /* some CPU's TSC could not be made to agree */
} sync;

static void wait_for(const uint32_t *word, uint32_t val)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != val) {
		cpu_relax();
	}
}

void tsc_sync_lead(uint32_t apic_id)
{
	for (uint32_t round = 1; round <= 2 * ROUNDS; round++) {
		wait_for(&sync.asked, round);
		sync.tsc = x86_rdtsc();
		__atomic_store_n(&sync.answered, round, __ATOMIC_RELEASE);
	}
	wait_for(&sync.asked, 0); /* the new CPU is done */
	if (sync.found != 0) {
		log_printf(LOG_HOST, "smp: TSC of the CPU with APIC id %u was %ld ticks behind%s",
			   apic_id, sync.found, sync.offset != 0 ? ", and differs still" : "");
	}
}

static void ask(uint32_t round)
{
	uint64_t t0 = x86_rdtsc();

	__atomic_store_n(&sync.asked, round, __ATOMIC_RELEASE);
	wait_for(&sync.answered, round);
	uint64_t t1 = x86_rdtsc();

	if (t1 - t0 < sync.width) {
		sync.width = t1 - t0;
		sync.offset = (int64_t)(sync.tsc - (t0 + (t1 - t0) / 2));
	}
}

/* Sets sync.offset. One within the uncertainty of the quickest round is none. */
static void compare(uint32_t first)
{
	sync.width = UINT64_MAX;
	for (uint32_t round = first; round < first + ROUNDS; round++) {
		ask(round);
	}
	uint64_t size = (uint64_t)(sync.offset < 0 ? -sync.offset : sync.offset);

	if (size <= sync.width / 2) {
		sync.offset = 0;
	}
}

void tsc_sync_follow(void)
{
	compare(1);
	sync.found = sync.offset;
	if (sync.offset != 0) {
		x86_wrmsr(MSR_TSC, x86_rdtsc() + (uint64_t)sync.offset);
	}
	compare(1 + ROUNDS);
	sync.differs = sync.differs || sync.offset != 0;
	sync.answered = 0;
	__atomic_store_n(&sync.asked, 0, __ATOMIC_RELEASE);
}

bool tsc_sync_agrees(void)
{
	return !sync.differs;
}
