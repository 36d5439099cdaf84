/* SPDX-License-Identifier: BSD-2-Clause */
/* A bar in the terminal's row for work that takes long, and Ctrl-C to stop it. */
/* Knows no work. */
#ifndef HV_MGMT_PROGRESS_H
#define HV_MGMT_PROGRESS_H

#include "hv/mgmt/shell.h"

struct progress { /* zero-initialised but for c */
	struct shell_call *c;
	uint64_t begun;	    /* ticks */
	unsigned int shown; /* percent of the last bar, and 1; 0: there is none */
	bool stopped;	    /* by Ctrl-C */
};

/*
 * done of total (0: not known). The bar comes once the work has taken a while. True: it shall stop, as
 * from then on always. Cheap enough to be called every few thousand instructions; may sleep.
 */
bool progress_step(struct progress *p, uint64_t done, uint64_t total);
/* The work is over: takes the bar away. */
void progress_end(struct progress *p);

#endif
