/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's serial port, a 16550: the way to the administrator, polled at first, then by interrupt. */
/* Does not know what the bytes mean: lines, editing and the log are others'. */
#ifndef DRIVERS_HOST_UART_H
#define DRIVERS_HOST_UART_H

#include "hv/lib/types.h"

struct thread;

#define UART_COM1_PORT 0x3f8u
#define UART_COM1_IRQ  4u
#define UART_BAUD      115200u
#define UART_ROOM_MAX  8192u /* bytes */

/*
 * Looks for a 16550 at port and sets it to baud (bits per second, 1 to 115200), 8N1, no interrupts.
 * Returns false if there is none or baud does not divide 115200: then all else here does nothing.
 */
bool uart_early_init(uint16_t port, uint32_t baud);

/*
 * Sends len bytes and waits until the last is in the transmitter's FIFO, taking no lock and passing
 * by what is queued. Any context.
 */
void uart_early_write(const char *text, size_t len);

/*
 * From now on by the ISA interrupt irq, taken on the executing CPU. Returns 0 or irq_connect_isa's
 * error: then output stays polled and input has to be asked for with uart_poll.
 */
int uart_start(unsigned int irq);

/*
 * Queues as much of len bytes as there is room for and returns how much; never waits (it polls after
 * uart_flush_polled). Before uart_start only what the FIFO takes at once is sent: a panic flushes the
 * rest. Any context but NMI; takes a lock of LOCK_UART.
 */
size_t uart_write(const char *text, size_t len);
/*
 * Is there room for len bytes (at most UART_ROOM_MAX)? If not, the thread of uart_set_reader is
 * unparked when there is; without an interrupt uart_poll makes some.
 */
bool uart_has_room(size_t len);

/* The thread to unpark when bytes have arrived, or room was waited for; NULL for none. */
void uart_set_reader(struct thread *reader);
/* Takes up to size received bytes; returns how many, 0 if there are none. Never sleeps. */
size_t uart_read(char *buf, size_t size);
/*
 * Moves received bytes to the queue of uart_read, and queued ones out, as the interrupt would; to be
 * called every few seconds even with one, because an edge that got lost would silence it for ever.
 */
void uart_poll(void);

/*
 * Sends what is queued, byte by byte, and waits until the last bit is on the line; output is polled
 * from then on. For panic and power-off: goes on without the lock if its holder does not give it up.
 */
void uart_flush_polled(void);

/* Bytes lost on the line since boot (overrun, framing and parity errors), for `host info`. */
uint64_t uart_errors(void);

#endif
