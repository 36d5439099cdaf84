/* SPDX-License-Identifier: BSD-2-Clause */
/* How a vCPU starts and starts over: INIT, the wait for a start-up message (SIPI), the start. */
/* One atomic word per vCPU. What a reset does to registers is arch/x86/hvm's; parking is hv/vcpu's. */
#ifndef HV_MP_INIT_H
#define HV_MP_INIT_H

#include "hv/lib/types.h"

/*
 * SDM Vol. 3A, "MP Initialization Protocol". Anybody may send; the vCPU's own thread alone takes, so
 * its registers are changed by nobody else. The messages that come before it looks become what a
 * processor would have made of them: INIT forgets a SIPI before it, a second SIPI is ignored.
 */
struct mp_init {
	uint32_t word; /* atomic */
};

enum mp_init_step {
	MP_INIT_NONE,  /* it runs, and nothing came */
	MP_INIT_RESET, /* an INIT came: reset the registers, then take again */
	MP_INIT_WAIT,  /* it waits for a SIPI, and none came */
	MP_INIT_START, /* it waited, and a SIPI came: start at *vector */
};

/* The boot processor runs; the others wait for a SIPI. */
void mp_init_reset(struct mp_init *m, bool boots);
void mp_init_send_init(struct mp_init *m);
/* False if it is ignored: the vCPU does not wait for one. */
bool mp_init_send_startup(struct mp_init *m, uint8_t vector);
/* Its own thread only. After INIT the boot processor runs on, the others wait. */
enum mp_init_step mp_init_take(struct mp_init *m, bool boots, uint8_t *vector);
/* Would mp_init_take return something else than MP_INIT_WAIT? */
bool mp_init_has_news(const struct mp_init *m);
/* Is it a word that the functions here could have left? */
bool mp_init_is_word(uint32_t word);
/* It waits for a SIPI, or is about to. For information. */
bool mp_init_waits(const struct mp_init *m);

#endif
