/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the admission of a VM by what it is promised of the CPUs, and its group of the scheduler. */
/* Reservations are added up in hv/sched_admit. */
#include "hv/vm_share.h"

#include "arch/cpu.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/sched_admit.h"
#include "hv/vm.h"

#define VMS_MAX 256u /* that have a reservation and run at once */

static uint64_t cpus_of(const struct vm *vm)
{
	uint64_t all = UINT64_MAX >> (64 - cpu_count());

	return vm->cfg.pin != 0 ? vm->cfg.pin & all : all;
}

static unsigned int collect(struct vm *vm, struct sched_claim *claims)
{
	unsigned int count = 1;

	claims[0] = (struct sched_claim){ cpus_of(vm), vm->cfg.reserve };
	for (struct vm *o = vm_next(NULL); o != NULL && count < VMS_MAX; o = vm_next(o)) {
		if (o != vm && !vm_is_off(o) && o->cfg.reserve != 0) {
			claims[count++] = (struct sched_claim){ cpus_of(o), o->cfg.reserve };
		}
	}
	return count;
}

static int too_much(struct vm *vm, const struct sched_shortage *s, const char **why)
{
	unsigned int cpus = u64_bits(s->cpus);

	fmt_snprintf(vm->why, sizeof(vm->why),
		     "it reserves %u %%, others have %u %% of the same %u CPU%s: %u of %u %%",
		     vm->cfg.reserve, s->percent - vm->cfg.reserve, cpus, cpus == 1 ? "" : "s",
		     s->percent, 100 * cpus);
	*why = vm->why;
	return -EBUSY;
}

int vm_share_admit(struct vm *vm, const char **why)
{
	static struct sched_claim claims[VMS_MAX]; /* [L] */
	struct sched_shortage shortage;

	if (cpus_of(vm) == 0) {
		*why = "this machine has none of the CPUs that it is pinned to";
		return -ENODEV;
	}
	if (vm->cfg.reserve != 0 && !sched_admit(claims, collect(vm, claims), &shortage)) {
		return too_much(vm, &shortage, why);
	}
	return 0;
}

void vm_share_begin(struct vm *vm)
{
	vm->share = (struct sched_group){
		.weight = vm->cfg.weight,
		.cap.percent = vm->cfg.cap,
		.reserve.percent = vm->cfg.reserve,
	};
}
