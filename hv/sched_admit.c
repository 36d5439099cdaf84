/* SPDX-License-Identifier: BSD-2-Clause */
/* Hall's condition for reservations: each set of CPUs has time for those confined to it. */
/* Pure: see sched_admit.h. */
#include "hv/sched_admit.h"

static uint32_t wanted(const struct sched_claim *claims, unsigned int count, uint64_t cpus)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < count; i++) {
		sum += (claims[i].cpus & ~cpus) == 0 ? claims[i].percent : 0;
	}
	return sum;
}

static bool among(const uint64_t *sets, unsigned int count, uint64_t set)
{
	for (unsigned int i = 0; i < count; i++) {
		if (sets[i] == set) {
			return true;
		}
	}
	return false;
}

/* The new one's CPUs, and every union of these with others' CPUs. */
static unsigned int unions(const struct sched_claim *claims, unsigned int count, uint64_t *sets)
{
	unsigned int n = 1;

	sets[0] = claims[0].cpus;
	for (unsigned int i = 1; i < count; i++) {
		for (unsigned int s = n; s-- > 0 && n < SCHED_ADMIT_SETS;) {
			uint64_t set = sets[s] | claims[i].cpus;

			if (!among(sets, n, set)) {
				sets[n++] = set;
			}
		}
	}
	return n;
}

bool sched_admit(const struct sched_claim *claims, unsigned int count, struct sched_shortage *out)
{
	static uint64_t sets[SCHED_ADMIT_SETS]; /* VMs start one at a time */
	unsigned int n = unions(claims, count, sets);

	for (unsigned int s = 0; s < n; s++) {
		uint32_t sum = wanted(claims, count, sets[s]);

		if (sum > 100 * u64_bits(sets[s])) {
			*out = (struct sched_shortage){ .cpus = sets[s], .percent = sum };
			return false;
		}
	}
	return true;
}
