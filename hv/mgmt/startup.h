/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration to running VMs, once at boot. */
/* Does not parse: config. */
#ifndef HV_MGMT_STARTUP_H
#define HV_MGMT_STARTUP_H

#include "hv/mgmt/shell_out.h"

/*
 * Reads boot:insula.conf, prints all its errors, makes the VMs that have none and starts those that
 * want it, in their order. Says what it did, and without a file how to write one. Thread context.
 */
void startup_run(struct shell_out *out);

#endif
