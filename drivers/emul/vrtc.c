/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818 real-time clock and 128 bytes of CMOS memory, at ports 70h and 71h. */
/* Time is computed when read; a timer runs only for an interrupt that is enabled and not yet up. */
#include "arch/clock.h"
#include "drivers/emul/isa.h"
#include "drivers/emul/rtc_date.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* MC146818 data sheet, "Address Map" */
enum {
	RTC_SECONDS = 0,
	RTC_SECONDS_ALARM = 1,
	RTC_MINUTES = 2,
	RTC_MINUTES_ALARM = 3,
	RTC_HOURS = 4,
	RTC_HOURS_ALARM = 5,
	RTC_WEEKDAY = 6,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_A = 10,
	RTC_B = 11,
	RTC_C = 12,
	RTC_D = 13,
};

#define A_UIP	    0x80u
#define A_DIVIDER   0x70u
#define A_DV_RESET  0x60u /* the divider stands still with both upper bits set */
#define A_DV_NORMAL 0x20u
#define A_RATE	    0x0fu

#define B_SET	 0x80u
#define B_PIE	 0x40u
#define B_AIE	 0x20u
#define B_UIE	 0x10u
#define B_BINARY 0x04u
#define B_24H	 0x02u

#define C_IRQF 0x80u
#define C_PF   0x40u /* the same bits as their enables in B */
#define C_AF   0x20u
#define C_UF   0x10u

#define D_VALID 0x80u

#define HOUR_PM	  0x80u
#define ALARM_ANY 0xc0u
#define CRYSTAL	  32768u
/* "Update Cycle": UIP rises 244 us before the 1984 us of the update: 73 periods of the crystal. */
#define UIP_PERIODS 73u
#define TIME_MAX    (1ull << 60)

struct vrtc_state {
	uint64_t zero; /* crystal count at which `seconds` began */
	uint64_t saved_at;
	uint64_t periods;    /* periodic interrupts accounted since zero */
	int64_t seconds;     /* date at `zero` */
	int64_t accounted;   /* second up to which UF and AF are accounted */
	uint8_t index;	     /* port 70h with the NMI mask */
	uint8_t weekday_adj; /* what the guest added to the calendar's weekday */
	uint8_t cmos[128];   /* time bytes are valid only while the clock is stopped */
};

struct vrtc {
	struct vm *vm;
	struct timer timer;
	bool line;
	struct vrtc_state s;
};

/* ---- time ---- */

static uint64_t crystal_now(void)
{
	return isa_ticks_to_units(clock_now(), CRYSTAL);
}

static bool divider_runs(const struct vrtc *r)
{
	return (r->s.cmos[RTC_A] & A_DV_RESET) != A_DV_RESET;
}

static bool is_stopped(const struct vrtc *r)
{
	return (r->s.cmos[RTC_B] & B_SET) || !divider_runs(r);
}

static int64_t second_at(const struct vrtc *r, uint64_t crystal)
{
	return r->s.seconds + (int64_t)((crystal - r->s.zero) / CRYSTAL);
}

static uint8_t encode(const struct vrtc *r, int val)
{
	return (uint8_t)(r->s.cmos[RTC_B] & B_BINARY ? val : val / 10 << 4 | val % 10);
}

/* Guests write anything: nibbles above 9 count as what they weigh. */
static int decode(const struct vrtc *r, uint8_t val)
{
	return r->s.cmos[RTC_B] & B_BINARY ? val : (val >> 4) * 10 + (val & 15);
}

static uint8_t encode_hour(const struct vrtc *r, int hour)
{
	if (r->s.cmos[RTC_B] & B_24H) {
		return encode(r, hour);
	}
	return (uint8_t)(encode(r, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0));
}

static int decode_hour(const struct vrtc *r, uint8_t val)
{
	if (r->s.cmos[RTC_B] & B_24H) {
		return decode(r, val);
	}
	return decode(r, val & 0x7f) % 12 + (val & HOUR_PM ? 12 : 0);
}

/* Puts the date of `seconds` into the time bytes. */
static void show(struct vrtc *r, int64_t seconds)
{
	uint8_t *c = r->s.cmos;
	struct rtc_date d;

	rtc_date_from_seconds(seconds, &d);
	c[RTC_SECONDS] = encode(r, d.second);
	c[RTC_MINUTES] = encode(r, d.minute);
	c[RTC_HOURS] = encode_hour(r, d.hour);
	c[RTC_WEEKDAY] = encode(r, (d.weekday + r->s.weekday_adj) % 7 + 1);
	c[RTC_DAY] = encode(r, d.day);
	c[RTC_MONTH] = encode(r, d.month);
	c[RTC_YEAR] = encode(r, d.year % 100);
	c[PC_RTC_CENTURY] = encode(r, d.year / 100 % 100);
}

/* The date that the time bytes say, as seconds. */
static int64_t shown(const struct vrtc *r)
{
	const uint8_t *c = r->s.cmos;
	struct rtc_date d = {
		.year = decode(r, c[PC_RTC_CENTURY]) * 100 + decode(r, c[RTC_YEAR]),
		.month = decode(r, c[RTC_MONTH]),
		.day = decode(r, c[RTC_DAY]),
		.hour = decode_hour(r, c[RTC_HOURS]),
		.minute = decode(r, c[RTC_MINUTES]),
		.second = decode(r, c[RTC_SECONDS]),
	};

	d.month = d.month ? d.month : 1;
	d.day = d.day ? d.day : 1;
	return rtc_date_to_seconds(&d);
}

static void set_seconds(struct vrtc *r, int64_t seconds, uint64_t zero)
{
	struct rtc_date d;

	rtc_date_from_seconds(seconds, &d);
	r->s.weekday_adj = (uint8_t)((decode(r, r->s.cmos[RTC_WEEKDAY]) + 6 + 7 - d.weekday) % 7);
	r->s.seconds = seconds;
	r->s.zero = zero;
	r->s.accounted = seconds;
}

/* ---- flags and irq 8 ---- */

/* "Register A", rate selection: crystal periods between two periodic interrupts; 0: none. */
static uint32_t period(const struct vrtc *r)
{
	unsigned int rate = r->s.cmos[RTC_A] & A_RATE;

	if (rate == 0 || !divider_runs(r)) {
		return 0;
	}
	return rate < 3 ? 1u << (rate + 6) : 1u << (rate - 1);
}

static int alarm_field(const struct vrtc *r, unsigned int at)
{
	uint8_t val = r->s.cmos[at];

	if ((val & ALARM_ANY) == ALARM_ANY) {
		return -1;
	}
	return at == RTC_HOURS_ALARM ? decode_hour(r, val) : decode(r, val);
}

/* The first second after `after` at which the alarm rings; INT64_MAX if it never does. */
static int64_t next_alarm(const struct vrtc *r, int64_t after)
{
	int hour = alarm_field(r, RTC_HOURS_ALARM);
	int minute = alarm_field(r, RTC_MINUTES_ALARM);
	int second = alarm_field(r, RTC_SECONDS_ALARM);
	int64_t of_day = (after % RTC_DATE_DAY + RTC_DATE_DAY) % RTC_DATE_DAY;
	int64_t midnight = after - of_day;
	int at = -1;

	if (of_day + 1 < RTC_DATE_DAY) {
		at = rtc_date_alarm((int)of_day + 1, hour, minute, second);
	}
	if (at < 0) {
		midnight += RTC_DATE_DAY;
		at = rtc_date_alarm(0, hour, minute, second);
	}
	return at < 0 ? INT64_MAX : midnight + at;
}

static void account_seconds(struct vrtc *r, uint64_t now)
{
	int64_t second = second_at(r, now);

	if (is_stopped(r) || second <= r->s.accounted) {
		return;
	}
	r->s.cmos[RTC_C] |= C_UF;
	if (next_alarm(r, r->s.accounted) <= second) {
		r->s.cmos[RTC_C] |= C_AF;
	}
	r->s.accounted = second;
}

static void account_periods(struct vrtc *r, uint64_t now)
{
	uint64_t count;

	if (period(r) == 0) {
		return;
	}
	count = (now - r->s.zero) / period(r);
	if (count != r->s.periods) {
		r->s.periods = count;
		r->s.cmos[RTC_C] |= C_PF;
	}
}

/* Crystal count of the next event that would raise the line; CLOCK_NEVER if none can. */
static uint64_t next_event(const struct vrtc *r)
{
	unsigned int wanted = r->s.cmos[RTC_B] & ~r->s.cmos[RTC_C];
	uint64_t at = CLOCK_NEVER;
	int64_t second = INT64_MAX;

	if ((wanted & B_PIE) && period(r)) {
		at = r->s.zero + (r->s.periods + 1) * period(r);
	}
	if (is_stopped(r)) {
		return at;
	}
	if (wanted & B_AIE) {
		second = next_alarm(r, r->s.accounted);
	}
	if (wanted & B_UIE) {
		second = r->s.accounted + 1;
	}
	if (second != INT64_MAX) {
		at = u64_min(at, r->s.zero + (uint64_t)(second - r->s.seconds) * CRYSTAL);
	}
	return at;
}

static void arm(struct vrtc *r)
{
	uint64_t at = next_event(r);

	if (at == CLOCK_NEVER) {
		timer_cancel(&r->timer);
	} else {
		timer_set(&r->timer, isa_units_to_ticks(at, CRYSTAL));
	}
}

static void update_line(struct vrtc *r)
{
	uint8_t *c = r->s.cmos;
	bool line = c[RTC_B] & c[RTC_C] & (C_PF | C_AF | C_UF);

	c[RTC_C] = (uint8_t)((c[RTC_C] & ~C_IRQF) | (line ? C_IRQF : 0));
	if (line != r->line) {
		r->line = line;
		virq_set_line(r->vm, PC_RTC_IRQ, line);
	}
}

static void account(struct vrtc *r, uint64_t now)
{
	account_seconds(r, now);
	account_periods(r, now);
}

static void settle(struct vrtc *r)
{
	update_line(r);
	arm(r);
}

static void vrtc_fire(struct timer *t)
{
	struct vrtc *r = container_of(t, struct vrtc, timer);

	spin_lock(&r->vm->dev_lock);
	account(r, crystal_now());
	settle(r);
	spin_unlock(&r->vm->dev_lock);
}

/* ---- registers ---- */

static bool is_time_byte(unsigned int at)
{
	return at == RTC_SECONDS || at == RTC_MINUTES || at == RTC_HOURS ||
	       (at >= RTC_WEEKDAY && at <= RTC_YEAR) || at == PC_RTC_CENTURY;
}

/* Between the two calls the time bytes may change; afterwards the clock goes on from them. */
static void hold(struct vrtc *r, uint64_t now)
{
	if (!is_stopped(r)) {
		show(r, second_at(r, now));
	}
}

static void go_on(struct vrtc *r, uint64_t now, bool was_stopped, bool divider_ran)
{
	uint64_t phase = (now - r->s.zero) % CRYSTAL;

	if (is_stopped(r) || !was_stopped) {
		return;
	}
	/* "Divider Control": from reset the first update comes half a second later. */
	set_seconds(r, shown(r), now - (divider_ran ? phase : CRYSTAL / 2));
	r->s.periods = period(r) ? (now - r->s.zero) / period(r) : 0;
}

static void write_a(struct vrtc *r, uint64_t now, uint8_t val)
{
	bool stopped = is_stopped(r);
	bool ran = divider_runs(r);

	hold(r, now);
	r->s.cmos[RTC_A] = val & 0x7fu;
	go_on(r, now, stopped, ran);
	r->s.periods = period(r) ? (now - r->s.zero) / period(r) : 0;
}

/* The formats of bits DM and 24/12 hold for bytes written from now on; the clock keeps its time. */
static void write_b(struct vrtc *r, uint64_t now, uint8_t val)
{
	bool stopped = is_stopped(r);

	hold(r, now);
	if (val & ~r->s.cmos[RTC_B] & B_SET) {
		val &= (uint8_t)~B_UIE; /* "Register B": SET clears UIE */
	}
	r->s.cmos[RTC_B] = val;
	go_on(r, now, stopped, divider_runs(r));
}

static void write_time(struct vrtc *r, uint64_t now, unsigned int at, uint8_t val)
{
	hold(r, now);
	r->s.cmos[at] = val;
	if (!is_stopped(r)) {
		uint64_t phase = (now - r->s.zero) % CRYSTAL;

		set_seconds(r, shown(r), now - phase);
		r->s.periods = period(r) ? phase / period(r) : 0;
	}
}

static void write_register(struct vrtc *r, unsigned int at, uint8_t val)
{
	uint64_t now = crystal_now();

	account(r, now);
	if (at == RTC_A) {
		write_a(r, now, val);
	} else if (at == RTC_B) {
		write_b(r, now, val);
	} else if (is_time_byte(at)) {
		write_time(r, now, at, val);
	} else if (at != RTC_C && at != RTC_D) {
		r->s.cmos[at] = val;
	}
	settle(r);
}

static uint8_t read_a(const struct vrtc *r, uint64_t now)
{
	bool updating = (now - r->s.zero) % CRYSTAL >= CRYSTAL - UIP_PERIODS;

	return (uint8_t)(r->s.cmos[RTC_A] | (updating && !is_stopped(r) ? A_UIP : 0));
}

/* "Register C": the read clears it and releases the line. */
static uint8_t read_c(struct vrtc *r, uint64_t now)
{
	uint8_t val;

	account(r, now);
	update_line(r);
	val = r->s.cmos[RTC_C];
	r->s.cmos[RTC_C] = 0;
	settle(r);
	return val;
}

static uint8_t read_register(struct vrtc *r, unsigned int at)
{
	uint64_t now = crystal_now();

	if (at == RTC_A) {
		return read_a(r, now);
	}
	if (at == RTC_C) {
		return read_c(r, now);
	}
	if (is_time_byte(at)) {
		hold(r, now);
	}
	return r->s.cmos[at];
}

static uint8_t vrtc_read(void *dev, uint16_t port)
{
	struct vrtc *r = dev;

	/* The index port is write-only. */
	return port & 1 ? read_register(r, r->s.index & 0x7fu) : 0xff;
}

static void vrtc_write(void *dev, uint16_t port, uint8_t val)
{
	struct vrtc *r = dev;

	if (port & 1) {
		write_register(r, r->s.index & 0x7fu, val);
	} else {
		r->s.index = val;
	}
}

static enum io_result vrtc_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vrtc_read, .write = vrtc_write };

	return isa_access(dev, a, &ops);
}

/* ---- CMOS memory ---- */

/* IBM PC/AT Technical Reference, "CMOS RAM Address Map", and what PC firmware has added to it. */
static void fill_memory_sizes(struct vrtc *r)
{
	uint64_t low = r->vm->mem.low_size;
	uint64_t high = r->vm->mem.size - low;
	uint64_t above_1m = low > MIB ? u64_min((low - MIB) / KIB, 0xffff) : 0;
	uint64_t above_16m = low > 16 * MIB ? u64_min((low - 16 * MIB) / (64 * KIB), 0xffff) : 0;
	uint8_t *c = r->s.cmos;

	bytes_put_le16(&c[0x15], 640);
	bytes_put_le16(&c[0x17], (uint16_t)above_1m);
	bytes_put_le16(&c[0x30], (uint16_t)above_1m);
	bytes_put_le16(&c[0x34], (uint16_t)above_16m);
	bytes_put_le(&c[0x5b], 3, high / (64 * KIB));
}

static void fill_checksum(struct vrtc *r)
{
	unsigned int sum = 0;

	for (unsigned int i = 0x10; i <= 0x2d; i++) {
		sum += r->s.cmos[i];
	}
	r->s.cmos[0x2e] = (uint8_t)(sum >> 8);
	r->s.cmos[0x2f] = (uint8_t)sum;
}

/* ---- life ---- */

/* The battery: what survives a reset is set here. */
static int vrtc_create(struct vm *vm, void *dev)
{
	struct vrtc *r = dev;

	r->vm = vm;
	timer_init(&r->timer, vrtc_fire);
	r->s.cmos[RTC_A] = A_DV_NORMAL | 6; /* 1024 Hz */
	r->s.cmos[RTC_B] = B_24H;
	r->s.cmos[RTC_D] = D_VALID;
	r->s.cmos[0x14] = 0x06; /* equipment: FPU, no floppy */
	fill_memory_sizes(r);
	fill_checksum(r);
	show(r, (int64_t)clock_wall_seconds());
	set_seconds(r, (int64_t)clock_wall_seconds(), crystal_now());
	return iobus_claim(&vm->pio, 0x70, 2, vrtc_io, r);
}

/* "RESET" clears the interrupt enables and flags; the clock goes on. */
static void vrtc_reset(void *dev)
{
	struct vrtc *r = dev;

	timer_cancel(&r->timer);
	r->s.index = 0;
	account(r, crystal_now());
	r->s.cmos[RTC_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | 0x08u);
	r->s.cmos[RTC_C] = 0;
	r->line = false;
	virq_set_line(r->vm, PC_RTC_IRQ, false);
}

static void vrtc_destroy(void *dev)
{
	timer_destroy(&((struct vrtc *)dev)->timer);
}

static void vrtc_before_save(void *dev)
{
	struct vrtc *r = dev;

	r->s.saved_at = crystal_now();
	account(r, r->s.saved_at);
}

static bool state_is_valid(const struct vrtc_state *s)
{
	int64_t passed;

	/* zero may lie before the start of a host that the VM was brought to: only the span counts. */
	if (s->saved_at > TIME_MAX || s->saved_at - s->zero > TIME_MAX || s->weekday_adj > 6 ||
	    s->seconds < -(1ll << 40) || s->seconds > 1ll << 40) {
		return false;
	}
	passed = (int64_t)((s->saved_at - s->zero) / CRYSTAL);
	return s->accounted >= s->seconds && s->accounted <= s->seconds + passed &&
	       s->periods <= s->saved_at - s->zero;
}

/* The guest's clock stood still while it was saved; the world's did not, and the guest can ask it. */
static int vrtc_after_load(void *dev)
{
	struct vrtc *r = dev;

	if (!state_is_valid(&r->s)) {
		return -EINVAL;
	}
	r->s.zero += crystal_now() - r->s.saved_at;
	r->line = false;
	virq_set_line(r->vm, PC_RTC_IRQ, false);
	settle(r);
	return 0;
}

static const struct vdev_class vrtc_class = {
	.name = "rtc",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vrtc),
	.create = vrtc_create,
	.reset = vrtc_reset,
	.destroy = vrtc_destroy,
	.state_offset = offsetof(struct vrtc, s),
	.state_size = sizeof(struct vrtc_state),
	.state_version = 1,
	.before_save = vrtc_before_save,
	.after_load = vrtc_after_load,
};
VDEV_REGISTER(vrtc_class);
