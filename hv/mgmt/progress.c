/* SPDX-License-Identifier: BSD-2-Clause */
/* "[##########----------]  50 %", drawn again over itself when the number changes. */
/* Prints nothing for what is done soon, so that scripts see results only. */
#include "hv/mgmt/progress.h"

#include "arch/clock.h"
#include "hv/lib/string.h"

#define PATIENCE_NS 500000000ul
#define WIDTH	    40u

static void draw(struct progress *p, unsigned int percent)
{
	char bar[WIDTH + 1];
	unsigned int full = percent * WIDTH / 100;

	memset(bar, '#', full);
	memset(bar + full, '-', WIDTH - full);
	bar[WIDTH] = '\0';
	shell_out_printf(p->c->out, "\r[%s] %3u %%", bar, percent);
	p->shown = percent + 1;
}

bool progress_step(struct progress *p, uint64_t done, uint64_t total)
{
	uint64_t now = clock_now();
	uint64_t percent = total > 0 ? u64_min(done / (total / 100 + 1), 100) : 0;

	p->stopped = p->stopped || shell_interrupted(p->c);
	p->begun = p->begun ? p->begun : now;
	if (!p->stopped && percent + 1 != p->shown &&
	    clock_ticks_to_ns(now - p->begun) > PATIENCE_NS) {
		draw(p, (unsigned int)percent);
	}
	return p->stopped;
}

void progress_end(struct progress *p)
{
	if (p->shown != 0) {
		shell_out_puts(p->c->out, "\r\x1b[K");
		p->shown = 0;
	}
}
