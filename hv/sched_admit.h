/* SPDX-License-Identifier: BSD-2-Clause */
/* Do the reservations of several fit on the CPUs that each may use? */
/* Pure: who they are and whether they run is the caller's. */
#ifndef HV_SCHED_ADMIT_H
#define HV_SCHED_ADMIT_H

#include "hv/lib/types.h"

struct sched_claim {
	uint64_t cpus;	  /* mask of the CPUs it may use */
	uint32_t percent; /* of one CPU */
};

/* Where they do not fit: `cpus` have less than what those want that may use no others. */
struct sched_shortage {
	uint64_t cpus;
	uint32_t percent; /* wanted, all together */
};

/*
 * claims[0] is new, the others fit without it. True if all fit: no set of CPUs has less time than
 * those want that may use no other CPU. Looks at the first SCHED_ADMIT_SETS unions of masks.
 */
#define SCHED_ADMIT_SETS 256u
bool sched_admit(const struct sched_claim *claims, unsigned int count, struct sched_shortage *out);

#endif
