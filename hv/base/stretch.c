/* SPDX-License-Identifier: BSD-2-Clause */
/* What is rare about the longest masked stretches: a new one, and the reset after boot. */
/* Reads no clock but for the reset. */
#include "hv/base/stretch.h"

#include "arch/clock.h"

struct stretch stretches[CPU_MAX];

void stretch_reset(void)
{
	stretches[cpu_id()] = (struct stretch){ .since = clock_now() };
}

/* Along the chain of frame pointers, which is whole: we run in C. */
static void note_callers(struct stretch *s, const uint64_t *frame)
{
	for (unsigned int i = 0; i < STRETCH_CALLERS; i++) {
		s->ended[i] = frame != NULL ? frame[1] : 0;
		frame = frame != NULL ? (const uint64_t *)frame[0] : NULL;
	}
}

void stretch_record(struct stretch *s, uint64_t now)
{
	s->longest = now - s->since;
	note_callers(s, __builtin_frame_address(0));
}
