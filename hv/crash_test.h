/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot option crash=HOW: breaks the hypervisor on purpose, to see what it reports. */
/* Without the option nothing here runs; no command and no guest leads here. */
#ifndef HV_CRASH_TEST_H
#define HV_CRASH_TEST_H

/* Looks for "crash=HOW" among the boot options and starts a thread that does it; logs a HOW it does
 * not know. After thread_init_cpu, with all CPUs up. */
void crash_test_start(const char *options);

#endif
