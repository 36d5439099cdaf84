/* SPDX-License-Identifier: BSD-2-Clause */
/* An 82540EM behind arch/mmio.h, made from the manual: both rings by DMA, checksums, cutting, interrupts. */
/* Shares no code with the driver but the offsets. Time stands still: it acts when its registers are used. */
#ifndef TESTS_UNIT_DRIVERS_HOST_E1000_MODEL_H
#define TESTS_UNIT_DRIVERS_HOST_E1000_MODEL_H

#include "drivers/host/e1000_regs.h"

#define MODEL_SENT 512u

struct e1000_model {
	uint32_t regs[E1000_BAR_SIZE / 4];
	uint32_t icr, ims;
	unsigned int reset_reads; /* how often CTRL.RST reads as set after a reset */
	bool no_address;	  /* a reset does not load the address */
	bool no_eeprom;		  /* its reads never end */
	bool held;		  /* transmits nothing until model_release() */
	struct {
		uint8_t *data;
		uint32_t len;
	} sent[MODEL_SENT]; /* on the wire, FCS not counted; malloc'ed */
	unsigned int sent_count;
	unsigned int resets;
};
extern struct e1000_model model;

/* As after power-on, with the MAC address 52:54:00:12:34:56; forgets what was sent. */
void model_power_on(void);
void model_forget_sent(void);
/* The wire is free again. */
void model_release(void);
/* A frame arrives; with those bits in the descriptor's status and errors. False: there was no room. */
bool model_receive(const uint8_t *frame, uint32_t len, uint8_t status, uint8_t errors);
void model_set_link(bool up);
/* Is the interrupt line active? */
bool model_interrupts(void);

#endif
