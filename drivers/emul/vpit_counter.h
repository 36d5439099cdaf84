/* SPDX-License-Identifier: BSD-2-Clause */
/* One counter of an 8254: programming, counting and output as functions of time. */
/* Owns no timer and no port: vpit asks it for its next rising edge. */
#ifndef DRIVERS_EMUL_VPIT_COUNTER_H
#define DRIVERS_EMUL_VPIT_COUNTER_H

#include "hv/lib/types.h"

#define VPIT_NEVER INT64_MAX

/* Times are periods of the counter's clock, CLK. */
struct vpit_counter {
	int64_t start;	 /* when counting began with `count`: elapsed is now - start */
	int64_t held;	 /* elapsed when the gate stopped it */
	int64_t next_at; /* when `next` takes over (modes 2 and 3) */
	uint32_t count;	 /* 1 … 65536, or 10000 in BCD */
	uint32_t next;	 /* written while counting; 0: none */
	uint16_t latch;
	uint8_t mode;	/* 0-5 */
	uint8_t access; /* 1 LSB, 2 MSB, 3 both */
	uint8_t status_latch;
	uint8_t low_byte; /* first of two bytes written */
	bool bcd;
	bool gate;
	bool loaded;  /* a count was written since the control word */
	bool running; /* modes 1, 5: was triggered; else: counts unless the gate holds it */
	bool count_latched;
	bool status_latched;
	bool read_high;	 /* next read gives the high byte */
	bool write_high; /* next write is the high byte */
};

/* Control word: read/write mode (1-3), mode (0-7) and BCD. */
void vpit_counter_control(struct vpit_counter *c, uint8_t access, uint8_t mode, bool bcd);
void vpit_counter_write(struct vpit_counter *c, int64_t now, uint8_t val);
uint8_t vpit_counter_read(struct vpit_counter *c, int64_t now);
/* Counter latch command; read-back command. Each holds the first until it was read. */
void vpit_counter_latch(struct vpit_counter *c, int64_t now);
void vpit_counter_latch_status(struct vpit_counter *c, int64_t now);
void vpit_counter_set_gate(struct vpit_counter *c, int64_t now, bool gate);
bool vpit_counter_output(struct vpit_counter *c, int64_t now);
/* When OUT rises next, strictly after now; VPIT_NEVER if it will not by itself. */
int64_t vpit_counter_next_rise(struct vpit_counter *c, int64_t now);
/* Moves all its times by `by`: after a pause of the whole machine. */
void vpit_counter_shift(struct vpit_counter *c, int64_t by);
/* Is it a time that sums of a few such cannot overflow? */
bool vpit_counter_is_time(int64_t t);
/* Are all fields in range? */
bool vpit_counter_is_valid(const struct vpit_counter *c);

#endif
