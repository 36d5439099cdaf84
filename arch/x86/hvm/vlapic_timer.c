/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer: one-shot, periodic and TSC-deadline. */
/* One tick before the divider is one tick of the TSC, see vlapic.h. */
#include "arch/clock.h"
#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/vcpu.h"

/* A guest may not keep the host's CPU busy with its timer alone. */
#define SHORTEST_PERIOD_NS 20000u

static unsigned int divisor_shift(const struct vlapic *l)
{
	uint32_t code = (l->s.divide & 3) | (l->s.divide & 8) >> 1;

	return (code + 1) & 7; /* 0: by 2 … 6: by 128, 7: by 1 */
}

static bool is_deadline_mode(const struct vlapic *l)
{
	return (l->s.lvt[VLAPIC_LVT_TIMER] & VLAPIC_LVT_DEADLINE) != 0;
}

static bool is_periodic(const struct vlapic *l)
{
	return (l->s.lvt[VLAPIC_LVT_TIMER] & VLAPIC_LVT_PERIODIC) != 0;
}

static void arm(struct vlapic *l, uint64_t deadline)
{
	l->s.deadline = deadline;
	timer_set(&l->timer, deadline);
}

static void disarm(struct vlapic *l)
{
	l->s.deadline = 0;
	(void)timer_cancel(&l->timer);
}

static uint64_t period(const struct vlapic *l)
{
	return (uint64_t)l->s.initial << divisor_shift(l);
}

/* The first multiple of the period after now; periods that nobody saw are left out. */
static void arm_next_period(struct vlapic *l, uint64_t now)
{
	uint64_t step = u64_max(period(l), clock_ns_to_ticks(SHORTEST_PERIOD_NS));
	uint64_t missed = (now - l->s.deadline) / step;

	arm(l, l->s.deadline + (missed + 1) * step);
}

/* The deadline is now or past: true if it was still wanted. */
static bool expire(struct vlapic *l)
{
	uint64_t now = clock_now();

	if (l->s.deadline == 0 || l->s.deadline > now) {
		return false; /* moved while the callback was on its way */
	}
	if (is_periodic(l) && !is_deadline_mode(l) && l->s.initial != 0) {
		arm_next_period(l, now);
	} else {
		l->s.deadline = 0;
		l->s.tsc_deadline = 0;
	}
	return true;
}

static void on_timer(struct timer *t)
{
	struct vlapic *l = container_of(t, struct vlapic, timer);
	bool fires;

	spin_lock(&l->timer_lock);
	fires = expire(l);
	spin_unlock(&l->timer_lock);
	if (fires) {
		vlapic_local(l, VLAPIC_LVT_TIMER);
	}
}

void vlapic_timer_init(struct vlapic *l)
{
	spin_init(&l->timer_lock, LOCK_VIRQ);
	timer_init(&l->timer, on_timer);
}

void vlapic_timer_stop(struct vlapic *l)
{
	spin_lock(&l->timer_lock);
	disarm(l);
	l->s.initial = 0;
	l->s.tsc_deadline = 0;
	spin_unlock(&l->timer_lock);
}

uint32_t vlapic_timer_count(struct vlapic *l)
{
	uint64_t now = clock_now();
	uint64_t left = 0;

	spin_lock(&l->timer_lock);
	if (!is_deadline_mode(l) && l->s.deadline > now) {
		left = l->s.deadline - now;
	}
	spin_unlock(&l->timer_lock);
	return (uint32_t)u64_min(left >> divisor_shift(l), l->s.initial);
}

void vlapic_timer_set_initial(struct vlapic *l, uint32_t count)
{
	if (is_deadline_mode(l)) {
		return;
	}
	spin_lock(&l->timer_lock);
	l->s.initial = count;
	if (count == 0) {
		disarm(l);
	} else {
		arm(l, clock_now() + period(l));
	}
	spin_unlock(&l->timer_lock);
}

void vlapic_timer_set_divide(struct vlapic *l, uint32_t val)
{
	uint32_t left = vlapic_timer_count(l);

	spin_lock(&l->timer_lock);
	l->s.divide = val;
	if (left != 0) {
		arm(l, clock_now() + ((uint64_t)left << divisor_shift(l)));
	}
	spin_unlock(&l->timer_lock);
}

void vlapic_timer_set_lvt(struct vlapic *l, uint32_t val)
{
	spin_lock(&l->timer_lock);
	/* SDM "TSC-Deadline Mode": a change to or from that mode disarms the timer. */
	if (((l->s.lvt[VLAPIC_LVT_TIMER] ^ val) & VLAPIC_LVT_DEADLINE) != 0) {
		disarm(l);
		l->s.initial = 0;
		l->s.tsc_deadline = 0;
	}
	l->s.lvt[VLAPIC_LVT_TIMER] = val;
	spin_unlock(&l->timer_lock);
}

void vlapic_timer_load(struct vlapic *l, uint64_t deadline)
{
	spin_lock(&l->timer_lock);
	if (deadline != 0) {
		arm(l, deadline);
	} else {
		disarm(l);
	}
	spin_unlock(&l->timer_lock);
}

uint64_t vlapic_get_tsc_deadline(struct vlapic *l)
{
	uint64_t val;

	spin_lock(&l->timer_lock);
	val = l->s.tsc_deadline;
	spin_unlock(&l->timer_lock);
	return val;
}

/* Arms for the guest's TSC value; true if it lies in the past: it fires now. */
static bool set_deadline(struct vlapic *l, uint64_t guest_tsc)
{
	uint64_t now = clock_now();
	uint64_t guest_now = now + l->v->tsc_offset;

	if (guest_tsc > guest_now) {
		l->s.tsc_deadline = guest_tsc;
		arm(l, now + u64_min(guest_tsc - guest_now, CLOCK_NEVER - 1 - now));
		return false;
	}
	l->s.tsc_deadline = 0;
	disarm(l);
	return guest_tsc != 0;
}

void vlapic_set_tsc_deadline(struct vlapic *l, uint64_t guest_tsc)
{
	bool fires;

	if (!is_deadline_mode(l)) {
		return;
	}
	spin_lock(&l->timer_lock);
	fires = set_deadline(l, guest_tsc);
	spin_unlock(&l->timer_lock);
	if (fires) {
		vlapic_local(l, VLAPIC_LVT_TIMER);
	}
}

void vlapic_tsc_changed(struct vlapic *l)
{
	uint64_t deadline = vlapic_get_tsc_deadline(l);

	if (deadline != 0) {
		vlapic_set_tsc_deadline(l, deadline);
	}
}
