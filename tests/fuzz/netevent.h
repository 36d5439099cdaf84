/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a network besides frames: time, cables, limits, lack of memory, what administrators do. */
/* Of natfake.h's network. */
#ifndef TESTS_FUZZ_NETEVENT_H
#define TESTS_FUZZ_NETEVENT_H

#include "hv/lib/types.h"

/* Else the fuzz target fails. */
void netevent_insist(bool right);
/* One event, as the next bytes of the input say. */
void netevent_any(void);
/* Memory is there again, nothing is captured any more. */
void netevent_end(void);

#endif
