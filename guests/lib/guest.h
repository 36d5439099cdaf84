/* SPDX-License-Identifier: BSD-2-Clause */
/* What each guest defines, and what runs before and after it. */
/* Owns the order of start-up only. */
#ifndef GUESTS_LIB_GUEST_H
#define GUESTS_LIB_GUEST_H

/* The guest. In long mode, IF clear, PIC masked, IDT loaded. When it returns the machine is off. */
void guest_main(void);

/* Called by start.S. */
void guest_start(void);

#endif
