/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the defaults of a VM's configuration. */
/* Does not parse: that is hv/mgmt/config. */
#include "hv/vm_config.h"
#include "hv/lib/string.h"
#include "hv/sched.h"

void vm_config_defaults(struct vm_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->memory = 256 * MIB;
	cfg->cpus = 1;
	cfg->weight = SCHED_WEIGHT_DEFAULT;
	cfg->boot = VM_BOOT_LINUX;
	cfg->on_crash = VM_ON_CRASH_STOP;
	cfg->stop_timeout = 60000;
	cfg->hvc = true;
	cfg->rng = true;
	cfg->balloon = true;
	cfg->paravirt = true;
}
