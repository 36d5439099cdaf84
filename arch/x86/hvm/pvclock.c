/* SPDX-License-Identifier: BSD-2-Clause */
/* kvmclock: the time since the VM's start as a guest computes it from its TSC, and the date of that */
/* start. Does not change while the guest's TSC is not moved: our own clock is the host's TSC as well. */
#include "arch/x86/hvm/pvclock.h"

#include "arch/clock.h"
#include "arch/x86/cpu/tsc_sync.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/irq/clock_scale.h"
#include "hv/guest_mem.h"
#include "hv/vm.h"

#define NS_PER_SECOND 1000000000ul
#define SYSTEM_ENABLE BIT(0)
#define ALIGNMENT     4u
#define FLAG_STABLE   BIT(0) /* one TSC for all vCPUs: nobody needs to compare their times */
#define SHIFT_MIN     (-31)
#define SHIFT_MAX     31

/* Linux, arch/x86/include/asm/pvclock-abi.h: an interface with the guest. */
struct vcpu_time {
	uint32_t version;
	uint32_t reserved;
	uint64_t tsc;	      /* the guest's, when system_time was it */
	uint64_t system_time; /* ns */
	uint32_t mult;
	int8_t shift;
	uint8_t flags;
	uint8_t reserved2[2];
};
_Static_assert(sizeof(struct vcpu_time) == 32, "pvclock_vcpu_time_info");
_Static_assert(offsetof(struct vcpu_time, mult) == 24, "pvclock_vcpu_time_info");

struct wall_clock {
	uint32_t version;
	uint32_t seconds; /* since 1970, when the system time was 0 */
	uint32_t ns;
};
_Static_assert(sizeof(struct wall_clock) == 12, "pvclock_wall_clock");

struct pvclock_scale pvclock_scale_make(uint64_t hz)
{
	struct pvclock_scale s = { .shift = SHIFT_MIN };
	uint64_t mult = clock_scale_muldiv(NS_PER_SECOND, 1ul << (32 - SHIFT_MIN), hz);

	/* The smallest shift whose multiplier fits has the most digits. */
	while (mult > UINT32_MAX && s.shift < SHIFT_MAX) {
		s.shift++;
		mult = clock_scale_muldiv(NS_PER_SECOND, 1ul << (32 - s.shift), hz);
	}
	s.mult = (uint32_t)u64_min(mult, UINT32_MAX);
	return s;
}

static bool is_ram(struct vcpu *v, gpa_t gpa, uint64_t len)
{
	return gpa.v % ALIGNMENT == 0 && guest_mem_slice(v->vm, gpa, len) != NULL;
}

/* All vCPUs read the same TSC. */
static bool is_stable(const struct vcpu *v)
{
	return kvm_leaf_has(v, KVM_CLOCKSOURCE_STABLE) &&
	       !__atomic_load_n(&v->vm->tsc_differs, __ATOMIC_SEQ_CST);
}

/*
 * System time 0 is when the VM's TSC was 0. From there on the guest's TSC is all it needs: the
 * multiplier's 32 digits are wrong by 40 us in a day at most, which nobody else's clock here corrects.
 */
static struct vcpu_time time_of(const struct vcpu *v)
{
	struct pvclock_scale s = pvclock_scale_make(v->vm->tsc_hz);

	return (struct vcpu_time){
		.tsc = v->tsc_offset - v->vm->tsc_offset,
		.mult = s.mult,
		.shift = s.shift,
		.flags = is_stable(v) ? FLAG_STABLE : 0,
	};
}

/*
 * version is the first member of both structures: odd, all of it, even. The guest may read it on
 * another CPU meanwhile. What is no RAM is not written.
 */
static void publish(struct vcpu *v, gpa_t gpa, void *structure, size_t size)
{
	uint32_t *version = structure;

	*version = v->x86->clock.version + 1;
	guest_mem_write(v->vm, gpa, version, sizeof(*version));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	guest_mem_write(v->vm, gpa, structure, size);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*version += 1;
	guest_mem_write(v->vm, gpa, version, sizeof(*version));
	v->x86->clock.version = *version;
}

bool pvclock_used(const struct vcpu *v)
{
	return (__atomic_load_n(&v->x86->clock.system_time, __ATOMIC_RELAXED) & SYSTEM_ENABLE) != 0;
}

void pvclock_refresh(struct vcpu *v)
{
	gpa_t gpa = { v->x86->clock.system_time & ~SYSTEM_ENABLE };
	struct vcpu_time time;

	if (pvclock_used(v)) {
		time = time_of(v);
		publish(v, gpa, &time, sizeof(time));
	}
}

/* The others' structures say that all TSCs are one: each vCPU writes its own, before it is entered. */
static void tell_others(struct vcpu *v)
{
	for (unsigned int i = 0; i < VM_CPUS_MAX; i++) {
		struct vcpu *other = v->vm->vcpus[i];

		if (other != NULL && other != v) {
			vcpu_request(other, VCPU_REQ_CLOCK);
		}
	}
}

void pvclock_tsc_moved(struct vcpu *v)
{
	if (v->tsc_offset != v->vm->tsc_offset &&
	    !__atomic_exchange_n(&v->vm->tsc_differs, true, __ATOMIC_SEQ_CST)) {
		tell_others(v);
	}
	pvclock_refresh(v);
}

bool pvclock_read_system(struct vcpu *v, uint64_t *val)
{
	*val = v->x86->clock.system_time;
	return true;
}

bool pvclock_read_wall(struct vcpu *v, uint64_t *val)
{
	*val = v->x86->clock.wall_clock;
	return true;
}

bool pvclock_write_system(struct vcpu *v, uint64_t val)
{
	gpa_t gpa = { val & ~SYSTEM_ENABLE };

	if ((val & SYSTEM_ENABLE) != 0 && !is_ram(v, gpa, sizeof(struct vcpu_time))) {
		return false;
	}
	__atomic_store_n(&v->x86->clock.system_time, val, __ATOMIC_RELAXED);
	pvclock_refresh(v);
	return true;
}

/* The date when the VM's TSC was 0. */
static uint64_t wall_at_start(const struct vm *vm)
{
	return clock_wall_ns() - clock_ticks_to_ns(clock_now() + vm->tsc_offset);
}

bool pvclock_write_wall(struct vcpu *v, uint64_t val)
{
	uint64_t ns = wall_at_start(v->vm);
	struct wall_clock wall = {
		.seconds = (uint32_t)(ns / NS_PER_SECOND),
		.ns = (uint32_t)(ns % NS_PER_SECOND),
	};
	gpa_t gpa = { val };

	if (!is_ram(v, gpa, sizeof(wall))) {
		return false;
	}
	v->x86->clock.wall_clock = val;
	publish(v, gpa, &wall, sizeof(wall));
	return true;
}
