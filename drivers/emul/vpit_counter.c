/* SPDX-License-Identifier: BSD-2-Clause */
/* The six modes of an 8254 counter, computed from the time since it was loaded. */
/* 8254 data sheet, "Mode Definitions" and "Programming the 8254". Knows no port and no interrupt. */
#include "drivers/emul/vpit_counter.h"
#include "drivers/emul/isa.h"

#define TIME_MAX (1ll << 60) /* sums of a few of them do not overflow */

enum { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };

static bool is_periodic(const struct vpit_counter *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Modes 1 and 5 count from a rising gate on, and do not stop for it. */
static bool is_triggered(const struct vpit_counter *c)
{
	return c->mode == 1 || c->mode == 5;
}

static bool is_held(const struct vpit_counter *c)
{
	return !is_triggered(c) && !c->gate;
}

static int64_t elapsed(const struct vpit_counter *c, int64_t now)
{
	int64_t e = is_held(c) ? c->held : now - c->start;

	return e < 0 ? 0 : e;
}

/* Mode 3: clocks in the high half of the square wave; an odd count gives it one more. */
static uint32_t high_half(const struct vpit_counter *c)
{
	return (c->count + 1) / 2;
}

/* The count that waits takes over where the high half of a square wave ends, not the period. */
static bool next_at_half(const struct vpit_counter *c)
{
	return c->mode == 3 && (c->next_at - c->start) % c->count != 0;
}

/* A count written in mode 2 takes over where the period ends, in mode 3 where the half does. */
static void settle(struct vpit_counter *c, int64_t now)
{
	bool half;

	if (!c->next || is_held(c) || now < c->next_at) {
		return;
	}
	half = next_at_half(c);
	c->count = c->next;
	c->start = half ? c->next_at - high_half(c) : c->next_at;
	c->next = 0;
}

static uint32_t square_value(const struct vpit_counter *c, uint32_t phase)
{
	uint32_t high = high_half(c);

	return (c->count & ~1u) - 2 * (phase < high ? phase : phase - high);
}

/* The counting element as a binary number, before BCD. */
static uint32_t value(const struct vpit_counter *c, int64_t now)
{
	uint32_t wrap = c->bcd ? 10000 : 65536;
	int64_t e = elapsed(c, now);

	switch (c->mode) {
	case 2:
		return (c->count - (uint32_t)(e % c->count)) % wrap;
	case 3:
		return square_value(c, (uint32_t)(e % c->count)) % wrap;
	default:
		if (!c->running) {
			return c->count % wrap;
		}
		return (c->count % wrap + wrap - (uint32_t)(e % wrap)) % wrap;
	}
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static uint16_t shown_value(struct vpit_counter *c, int64_t now)
{
	settle(c, now);
	return c->bcd ? to_bcd(value(c, now)) : (uint16_t)value(c, now);
}

/* Digits above 9 count as what they weigh: no more than 16665, cut to what the element can hold. */
static uint32_t to_count(const struct vpit_counter *c, uint16_t raw)
{
	uint32_t v = raw;

	if (c->bcd) {
		v = (raw >> 12) * 1000u + (raw >> 8 & 15u) * 100u + (raw >> 4 & 15u) * 10u +
		    (raw & 15u);
		v %= 10000;
	}
	return v ? v : c->bcd ? 10000 : 65536;
}

void vpit_counter_control(struct vpit_counter *c, uint8_t access, uint8_t mode, bool bcd)
{
	bool gate = c->gate;

	*c = (struct vpit_counter){
		.access = access & 3,
		.mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
		.bcd = bcd,
		.gate = gate,
		.count = bcd ? 10000 : 65536,
	};
}

/* When the period that contains now ends; for mode 3 the half-period. */
static int64_t period_end(const struct vpit_counter *c, int64_t now)
{
	int64_t e = elapsed(c, now);
	int64_t begin = c->start + e - e % c->count;

	if (c->mode == 3 && e % c->count < high_half(c)) {
		return begin + high_half(c);
	}
	return begin + c->count;
}

/* The new count is in the counting element one clock after it was written. */
static void start_at(struct vpit_counter *c, int64_t at)
{
	c->start = at;
	c->held = 0;
	c->running = true;
	c->next = 0;
}

static void load(struct vpit_counter *c, int64_t now, uint16_t raw)
{
	uint32_t count = to_count(c, raw);
	bool first = !c->loaded;

	c->loaded = true;
	if (is_triggered(c)) {
		c->next = count; /* taken over by the next trigger */
		c->next_at = VPIT_NEVER;
		c->count = c->running ? c->count : count;
	} else if (first || !is_periodic(c)) {
		c->count = count;
		start_at(c, now + 1);
	} else {
		settle(c, now);
		c->next = count;
		c->next_at = period_end(c, now);
	}
}

void vpit_counter_write(struct vpit_counter *c, int64_t now, uint8_t val)
{
	switch (c->access) {
	case ACCESS_LOW:
		load(c, now, val);
		break;
	case ACCESS_HIGH:
		load(c, now, (uint16_t)(val << 8));
		break;
	default:
		if (c->write_high) {
			load(c, now, (uint16_t)(val << 8 | c->low_byte));
		} else {
			c->low_byte = val;
			/* "Mode 0": the first byte stops counting and takes OUT low. */
			c->loaded = c->mode == 0 ? false : c->loaded;
		}
		c->write_high = !c->write_high;
		break;
	}
}

static uint8_t byte_of(struct vpit_counter *c, uint16_t v)
{
	bool high = c->access == ACCESS_HIGH || (c->access == ACCESS_BOTH && c->read_high);

	if (c->access == ACCESS_BOTH) {
		c->read_high = !c->read_high;
	}
	return (uint8_t)(high ? v >> 8 : v);
}

uint8_t vpit_counter_read(struct vpit_counter *c, int64_t now)
{
	uint8_t val;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status_latch;
	}
	if (!c->count_latched) {
		return byte_of(c, shown_value(c, now));
	}
	val = byte_of(c, c->latch);
	c->count_latched = c->access == ACCESS_BOTH && c->read_high;
	return val;
}

void vpit_counter_latch(struct vpit_counter *c, int64_t now)
{
	if (!c->count_latched) {
		c->latch = shown_value(c, now);
		c->count_latched = true;
	}
}

/* "Read-Back Command": OUT, null count, and the control word as programmed. */
void vpit_counter_latch_status(struct vpit_counter *c, int64_t now)
{
	bool null_count;

	if (c->status_latched) {
		return;
	}
	settle(c, now);
	null_count = !c->loaded || c->next || now < c->start;
	c->status_latch = (uint8_t)(vpit_counter_output(c, now) << 7 | null_count << 6 |
				    c->access << 4 | c->mode << 1 | c->bcd);
	c->status_latched = true;
}

static void trigger(struct vpit_counter *c, int64_t now)
{
	if (!c->loaded) {
		return;
	}
	if (c->next) {
		c->count = c->next;
	}
	start_at(c, now + 1);
}

void vpit_counter_set_gate(struct vpit_counter *c, int64_t now, bool gate)
{
	bool rises = gate && !c->gate;

	settle(c, now);
	if (!gate && c->gate && !is_triggered(c)) {
		c->held = elapsed(c, now);
	}
	c->gate = gate;
	if (!rises) {
		return;
	}
	if (is_triggered(c) || is_periodic(c)) {
		trigger(c, now);
	} else {
		c->start = now - c->held; /* modes 0 and 4 go on where they stopped */
	}
}

bool vpit_counter_output(struct vpit_counter *c, int64_t now)
{
	int64_t e;

	settle(c, now);
	e = elapsed(c, now);
	if (!c->loaded || !c->running) {
		return c->mode != 0;
	}
	switch (c->mode) {
	case 0:
		return e >= c->count;
	case 1:
		return now < c->start || e >= c->count;
	case 2:
		return !c->gate || e % c->count != c->count - 1;
	case 3:
		return !c->gate || e % c->count < high_half(c);
	default:
		return now < c->start || e != c->count;
	}
}

int64_t vpit_counter_next_rise(struct vpit_counter *c, int64_t now)
{
	int64_t e;
	int64_t at;

	settle(c, now);
	if (!c->loaded || !c->running || is_held(c)) {
		return VPIT_NEVER;
	}
	e = elapsed(c, now);
	if (is_periodic(c)) {
		at = c->start + e - e % c->count + c->count;
		/* A count that takes over at the half brings its own low half. */
		return c->next && next_at_half(c) ? c->next_at + c->next / 2 : at;
	}
	/* Modes 0 and 1 rise with the count; modes 4 and 5 one clock later. */
	at = c->start + c->count + (c->mode >= 4);
	return at > now ? at : VPIT_NEVER;
}

void vpit_counter_shift(struct vpit_counter *c, int64_t by)
{
	c->start += by;
	c->next_at += c->next_at == VPIT_NEVER ? 0 : by;
}

bool vpit_counter_is_time(int64_t t)
{
	return t > -TIME_MAX && t < TIME_MAX;
}

static bool bools_are_valid(const struct vpit_counter *c)
{
	return isa_is_bool(&c->bcd) && isa_is_bool(&c->gate) && isa_is_bool(&c->loaded) &&
	       isa_is_bool(&c->running) && isa_is_bool(&c->count_latched) &&
	       isa_is_bool(&c->status_latched) && isa_is_bool(&c->read_high) &&
	       isa_is_bool(&c->write_high);
}

bool vpit_counter_is_valid(const struct vpit_counter *c)
{
	uint32_t most;

	if (!bools_are_valid(c)) {
		return false;
	}
	most = c->bcd ? 10000 : 65536;
	return c->mode <= 5 && c->access >= 1 && c->access <= 3 && c->count >= 1 &&
	       c->count <= most && c->next <= most && vpit_counter_is_time(c->start) &&
	       vpit_counter_is_time(c->held) &&
	       (vpit_counter_is_time(c->next_at) || c->next_at == VPIT_NEVER);
}
