/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 timer at ports 40h-43h and port 61h: gate and output of counter 2, refresh bit. */
/* Counters are functions of time: only counter 0 has a timer, for its next edge on irq 0. */
#include "arch/clock.h"
#include "drivers/emul/isa.h"
#include "drivers/emul/vpit_counter.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define PIT_HZ	    1193182u
#define PIT_CONTROL 0x43u
#define PIT_REFRESH 18 /* clocks between two toggles: what counter 1 of the PC/AT made */
/* No more than 50,000 interrupts a second, whatever the count: edges closer than that are one. */
#define PIT_MIN_NS 20000u
/*
 * Edges that came while the last one still waited to be taken are not lost: systems count time and
 * calibrate by them, and this VM may not have had the CPU. They follow this close on each other.
 */
#define PIT_MISSED_NS  100000u
#define PIT_MISSED_MAX 100u

/* 82371SB data sheet, "NMI Status and Control Register" */
#define NMISC_GATE2    0x01u
#define NMISC_WRITABLE 0x0fu
#define NMISC_REFRESH  0x10u
#define NMISC_OUT2     0x20u

struct vpit_state {
	struct vpit_counter counter[3];
	int64_t rise;	  /* the edge that the timer waits for, VPIT_NEVER if none */
	int64_t saved_at; /* clock at the save: loaded times move on by what passed since */
	uint32_t missed;  /* edges of a periodic counter 0 that are still owed */
	uint8_t nmisc;	  /* writable bits of port 61h */
};

struct vpit {
	struct vm *vm;
	struct timer timer;
	struct vpit_state s;
};

static int64_t pit_now(void)
{
	return (int64_t)isa_ticks_to_units(clock_now(), PIT_HZ);
}

/* ---- irq 0 ---- */

static void arm(struct vpit *p, int64_t now)
{
	uint64_t soonest = clock_now() + clock_ns_to_ticks(PIT_MIN_NS);
	uint64_t owed = clock_now() + clock_ns_to_ticks(PIT_MISSED_NS), at;

	p->s.rise = vpit_counter_next_rise(&p->s.counter[0], now);
	if (p->s.rise == VPIT_NEVER) {
		p->s.missed = 0;
		timer_cancel(&p->timer);
		return;
	}
	at = u64_max(isa_units_to_ticks((uint64_t)p->s.rise, PIT_HZ), soonest);
	/* Who has not taken one for so long is not asked more often than it gets new ones. */
	if (p->s.missed > 0 && p->s.missed < PIT_MISSED_MAX) {
		at = u64_min(at, owed);
	}
	timer_set(&p->timer, at);
}

/* Edges from the one awaited up to now; those of a count too fast to deliver do not add up. */
static uint32_t edges_due(const struct vpit *p, int64_t now)
{
	const struct vpit_counter *c = &p->s.counter[0];

	if (p->s.rise > now) {
		return 0;
	}
	if ((c->mode != 2 && c->mode != 3) || c->count < PIT_HZ / (1000000000u / PIT_MISSED_NS)) {
		return 1;
	}
	return 1 + (uint32_t)u64_min((uint64_t)(now - p->s.rise) / c->count, PIT_MISSED_MAX);
}

/* Delivers an edge that is due, whether its alarm has come or is on its way, or one still owed. */
static void catch_up(struct vpit *p, int64_t now)
{
	uint32_t due = edges_due(p, now);

	p->s.missed = (uint32_t)u64_min(p->s.missed + due, PIT_MISSED_MAX);
	if (p->s.missed == 0) {
		return;
	}
	if (!virq_line_waits(p->vm, 0)) {
		virq_pulse_line(p->vm, 0);
		p->s.missed--;
	} else if (due > 0) {
		virq_pulse_line(p->vm, 0); /* no harm; and it may reach a controller that is free */
	}
	arm(p, now);
}

static void vpit_fire(struct timer *t)
{
	struct vpit *p = container_of(t, struct vpit, timer);

	spin_lock(&p->vm->dev_lock);
	catch_up(p, pit_now());
	spin_unlock(&p->vm->dev_lock);
}

/* ---- registers ---- */

/* "Read-Back Command": bits clear mean latch. */
static void read_back(struct vpit *p, int64_t now, uint8_t val)
{
	for (unsigned int i = 0; i < 3; i++) {
		if (!(val & (2u << i))) {
			continue;
		}
		if (!(val & 0x20)) {
			vpit_counter_latch(&p->s.counter[i], now);
		}
		if (!(val & 0x10)) {
			vpit_counter_latch_status(&p->s.counter[i], now);
		}
	}
}

static void write_control(struct vpit *p, int64_t now, uint8_t val)
{
	unsigned int i = val >> 6;
	uint8_t access = val >> 4 & 3;

	if (i == 3) {
		read_back(p, now, val);
	} else if (access == 0) {
		vpit_counter_latch(&p->s.counter[i], now);
	} else {
		vpit_counter_control(&p->s.counter[i], access, val >> 1 & 7, val & 1);
	}
}

/* A control word, not a latch or read-back command. */
static bool programs_counter_0(uint8_t val)
{
	return val >> 6 == 0 && (val & 0x30);
}

static uint8_t vpit_read(void *dev, uint16_t port)
{
	struct vpit *p = dev;

	return port == PIT_CONTROL ? 0xff : vpit_counter_read(&p->s.counter[port & 3], pit_now());
}

static void vpit_write(void *dev, uint16_t port, uint8_t val)
{
	struct vpit *p = dev;
	int64_t now = pit_now();

	catch_up(p, now);
	if (port == PIT_CONTROL) {
		write_control(p, now, val);
	} else {
		vpit_counter_write(&p->s.counter[port & 3], now, val);
	}
	if (port == 0x40 || (port == PIT_CONTROL && programs_counter_0(val))) {
		p->s.missed = 0;
		arm(p, now);
	}
}

static enum io_result vpit_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vpit_read, .write = vpit_write };

	return isa_access(dev, a, &ops);
}

static uint8_t read_nmisc(void *dev, uint16_t port UNUSED)
{
	struct vpit *p = dev;
	int64_t now = pit_now();
	unsigned int val = p->s.nmisc;

	val |= now / PIT_REFRESH & 1 ? NMISC_REFRESH : 0;
	val |= vpit_counter_output(&p->s.counter[2], now) ? NMISC_OUT2 : 0;
	return (uint8_t)val;
}

static void write_nmisc(void *dev, uint16_t port UNUSED, uint8_t val)
{
	struct vpit *p = dev;

	p->s.nmisc = val & NMISC_WRITABLE;
	vpit_counter_set_gate(&p->s.counter[2], pit_now(), val & NMISC_GATE2);
}

static enum io_result vpit_nmisc_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = read_nmisc, .write = write_nmisc };

	return isa_access(dev, a, &ops);
}

/* ---- life ---- */

static int vpit_create(struct vm *vm, void *dev)
{
	struct vpit *p = dev;
	int err;

	p->vm = vm;
	timer_init(&p->timer, vpit_fire);
	err = iobus_claim(&vm->pio, 0x40, 4, vpit_io, p);
	return err ? err : iobus_claim(&vm->pio, 0x61, 1, vpit_nmisc_io, p);
}

static void vpit_reset(void *dev)
{
	struct vpit *p = dev;

	timer_cancel(&p->timer);
	memset(&p->s, 0, sizeof(p->s));
	p->s.rise = VPIT_NEVER;
	for (unsigned int i = 0; i < 3; i++) {
		p->s.counter[i].gate = i < 2;
		vpit_counter_control(&p->s.counter[i], 3, 0, false);
	}
}

static void vpit_destroy(void *dev)
{
	timer_destroy(&((struct vpit *)dev)->timer);
}

static void vpit_before_save(void *dev)
{
	((struct vpit *)dev)->s.saved_at = pit_now();
}

static int vpit_after_load(void *dev)
{
	struct vpit *p = dev;
	int64_t now = pit_now();

	if (!vpit_counter_is_time(p->s.saved_at) || (p->s.nmisc & ~NMISC_WRITABLE) ||
	    p->s.missed > PIT_MISSED_MAX) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < 3; i++) {
		if (!vpit_counter_is_valid(&p->s.counter[i])) {
			return -EINVAL;
		}
		vpit_counter_shift(&p->s.counter[i], now - p->s.saved_at);
	}
	arm(p, now);
	return 0;
}

static const struct vdev_class vpit_class = {
	.name = "pit",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vpit),
	.create = vpit_create,
	.reset = vpit_reset,
	.destroy = vpit_destroy,
	.state_offset = offsetof(struct vpit, s),
	.state_size = sizeof(struct vpit_state),
	.state_version = 1,
	.before_save = vpit_before_save,
	.after_load = vpit_after_load,
};
VDEV_REGISTER(vpit_class);
