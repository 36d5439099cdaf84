/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_checkpoint for host tests of long work that has no scheduler around it. */
/* Nobody else wants to run. */
#include "hv/thread.h"

void thread_checkpoint(void)
{
}
