/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the admission of a VM by what it is promised of the CPUs, and its group of the scheduler. */
/* Reservations are added up in hv/sched_admit. */
#include "hv/vm_share.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/sched_admit.h"
#include "hv/thread.h"
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

static int admit_reserve(struct vm *vm, const char **why)
{
	static struct sched_claim claims[VMS_MAX]; /* [L] */
	struct sched_shortage shortage;

	if (vm->cfg.reserve != 0 && !sched_admit(claims, collect(vm, claims), &shortage)) {
		return too_much(vm, &shortage, why);
	}
	return 0;
}

/* ---- windows ---- */

static uint32_t frame; /* ms; 0: VMs share by weight */

void vm_share_use_windows(uint32_t frame_ms)
{
	frame = frame_ms;
	thread_set_policy(&sched_window_ops);
}

static uint64_t ms_to_ticks(uint32_t ms)
{
	return clock_ns_to_ticks(ms * 1000000ul);
}

/* A VM that is not off has a CPU in common with vm and its window begins before end, ends after start. */
static const struct vm *in_the_way(const struct vm *vm, uint64_t start, uint64_t end)
{
	for (const struct vm *o = vm_next(NULL); o != NULL; o = vm_next(o)) {
		const struct sched_window *w = &o->share.window;

		if (o != vm && !vm_is_off(o) && (cpus_of(o) & cpus_of(vm)) != 0 && w->start < end &&
		    start < w->start + w->length) {
			return o;
		}
	}
	return NULL;
}

/* The first gap of the frame that is long enough; a twentieth at its end stays the hypervisor's. */
static int find_window(struct vm *vm, const char **why)
{
	struct sched_window w = { .frame = ms_to_ticks(frame),
				  .length = ms_to_ticks(vm->cfg.window) };
	const struct vm *o;

	while ((o = in_the_way(vm, w.start, w.start + w.length)) != NULL) {
		w.start = o->share.window.start + o->share.window.length;
	}
	if (w.start + w.length > w.frame - w.frame / 20) {
		fmt_snprintf(
			vm->why, sizeof(vm->why),
			"its window of %u ms finds no gap: in the frame of %u ms others' windows "
			"go up to %lu us, and 5 %% are kept for the host",
			vm->cfg.window, frame, clock_ticks_to_ns(w.start) / 1000);
		*why = vm->why;
		return -EBUSY;
	}
	vm->share.window = w;
	return 0;
}

static int admit_window(struct vm *vm, const char **why)
{
	if (vm->cfg.cap != 0 || vm->cfg.reserve != 0) {
		*why = "its cap or reserve needs [host] scheduler = \"share\", this is \"window\"";
		return -EINVAL;
	}
	if (vm->cfg.window == 0) {
		*why = "[host] scheduler = \"window\" needs a window for each VM, it has none";
		return -EINVAL;
	}
	return find_window(vm, why);
}

int vm_share_admit(struct vm *vm, const char **why)
{
	if (cpus_of(vm) == 0) {
		*why = "this machine has none of the CPUs that it is pinned to";
		return -ENODEV;
	}
	if (frame == 0 && vm->cfg.window != 0) {
		*why = "its window needs [host] scheduler = \"window\", this is \"share\"";
		return -EINVAL;
	}
	return frame != 0 ? admit_window(vm, why) : admit_reserve(vm, why);
}

void vm_share_begin(struct vm *vm)
{
	vm->share = (struct sched_group){
		.weight = vm->cfg.weight,
		.cap.percent = frame != 0 ? 0 : vm->cfg.cap,
		.reserve.percent = frame != 0 ? 0 : vm->cfg.reserve,
		.window = vm->share.window,
	};
}
