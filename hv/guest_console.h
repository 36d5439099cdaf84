/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's serial port seen from our side: recent output kept in a ring, input queued. */
/* Neither the UART (drivers/emul) nor the shell (hv/mgmt): what lies between them. */
#ifndef HV_GUEST_CONSOLE_H
#define HV_GUEST_CONSOLE_H

#include "hv/base/lock.h"
#include "hv/lib/types.h"

#define GUEST_CONSOLE_OUT 16384u
#define GUEST_CONSOLE_IN  1024u

struct thread;

struct guest_console {
	struct spinlock lock; /* guards all below */
	uint64_t out_head;    /* bytes ever put; position in ring = head % size */
	uint32_t in_head;
	uint32_t in_tail;
	struct thread *reader; /* woken when output comes after it read all; NULL: nobody looks */
	bool reader_asleep;
	bool typist_waits; /* the reader is also woken when half the input is taken */
	uint32_t size;	   /* of the terminal: columns, and rows << 16; 0: not known. Atomic */
	/* Set by the device: input waits, or size changed. Called without c->lock, see type. */
	void (*input_ready)(void *arg);
	void *arg;
	char out[GUEST_CONSOLE_OUT];
	char in[GUEST_CONSOLE_IN];
};

void guest_console_init(struct guest_console *c);

/* The UART's side: one byte out; wakes a reader that has read everything, else costs a store. */
void guest_console_put(struct guest_console *c, char ch);
/* As many in one go; of more than the ring holds, the end. */
void guest_console_write(struct guest_console *c, const char *buf, size_t len);
/* Does input wait? A hint: takes no lock. */
bool guest_console_has_input(const struct guest_console *c);
/* The next input byte, or -1. */
int guest_console_get(struct guest_console *c);
void guest_console_set_input(struct guest_console *c, void (*ready)(void *), void *arg);
/* What size holds. */
uint32_t guest_console_size(const struct guest_console *c);

/*
 * The shell's side. Copies output from *cursor (0: oldest kept) on and advances it; returns bytes
 * copied. With 0 the reader is remembered as asleep: it will be unparked at the next put.
 */
size_t guest_console_read(struct guest_console *c, uint64_t *cursor, char *buf, size_t size);
/*
 * Types bytes into the guest; returns how many fitted. If not all did the reader will be unparked
 * when the guest has taken half of what waits for it. Like resize this calls the device, which
 * neither comes nor goes meanwhile: the VM is up, the list of VMs locked by the caller.
 */
size_t guest_console_type(struct guest_console *c, const char *buf, size_t len);
/* The terminal has that size from now on; it is kept while nobody looks. Any state of the VM. */
void guest_console_set_size(struct guest_console *c, uint16_t columns, uint16_t rows);
/* The same, and the device is told; conditions as for type. */
void guest_console_resize(struct guest_console *c, uint16_t columns, uint16_t rows);
/* reader = NULL detaches. */
void guest_console_attach(struct guest_console *c, struct thread *reader);

#endif
