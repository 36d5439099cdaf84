/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread of a network card's driver, run by a test from where it woke to where it sleeps. */
/* Its clock is netfake.h's, in nanoseconds. */
#ifndef TESTS_UNIT_DRIVERS_HOST_NIC_THREAD_H
#define TESTS_UNIT_DRIVERS_HOST_NIC_THREAD_H

#include "hv/lib/types.h"

extern bool nic_thread_woken; /* since it last ran */
extern bool nic_thread_waits; /* it sleeps until some time, not for good */

void nic_thread_run(void);

#endif
