/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers and the two byte queues of the host's serial port. */
/* Sets no policy: the port and speed are parameters, the reader is a thread that others name. */
#include "drivers/host/uart.h"

#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/pio.h"
#include "hv/base/lock.h"
#include "hv/thread.h"

#define TX_SIZE 16384u /* bytes; powers of two */
#define RX_SIZE 4096u

_Static_assert(UART_ROOM_MAX < TX_SIZE, "what is waited for must come");

/* Registers, "PC16550D Universal Asynchronous Receiver/Transmitter", table "Summary of Registers". */
enum uart_reg {
	UART_DATA,	     /* RBR and THR; the divisor's low byte while LCR.DLAB is set */
	UART_IER,	     /* interrupt enable; the divisor's high byte while LCR.DLAB is set */
	UART_IIR,	     /* read: interrupt identification */
	UART_FCR = UART_IIR, /* write: FIFO control */
	UART_LCR,
	UART_MCR,
	UART_LSR,
	UART_MSR,
	UART_SCR,
};

#define IER_RX	      0x01u
#define IER_TX	      0x02u
#define IER_LINE      0x04u
#define IIR_NONE      0x01u
#define FCR_ON_CLEAR  0x07u /* enable and clear both FIFOs; receive trigger at one byte */
#define LCR_8N1	      0x03u
#define LCR_DLAB      0x80u
#define MCR_DTR	      0x01u
#define MCR_RTS	      0x02u
#define MCR_OUT2      0x08u /* gates the interrupt line on a PC */
#define MCR_LOOP      0x10u
#define LSR_DATA      0x01u
#define LSR_ERRORS    0x0eu /* overrun, parity, framing */
#define LSR_THRE      0x20u
#define LSR_TEMT      0x40u
#define LSR_NO_DEVICE 0xffu

#define TX_FIFO	   16u
#define SPIN_MAX   2000000u /* polls for one byte: a second or so, above a byte at 300 baud */
#define SPIN_STALL 1000u    /* once that has failed */
#define LOCK_TRIES 1000000u
#define IRQ_ROUNDS 16u /* FIFOs emptied or filled in one interrupt */

static struct {
	struct spinlock lock; /* (c) guards what follows */
	uint16_t port;	      /* (c) 0: no port */
	bool started;	      /* [L] by interrupt */
	bool polled;	      /* [L] for good: the end is near */
	bool stalled;	      /* the transmitter did not move when it was polled */
	bool wants_room;      /* [L] the reader waits for UART_ROOM_MAX bytes of room */
	uint8_t ier;	      /* [L] as last written */
	uint32_t tx_in;	      /* [L] counts of bytes ever put in and taken out */
	uint32_t tx_out;
	uint32_t rx_in;
	uint32_t rx_out;
	uint64_t errors;       /* [L] */
	struct thread *reader; /* [L] */
	char tx[TX_SIZE];
	char rx[RX_SIZE];
} uart = { .lock = SPINLOCK_INIT(LOCK_UART) };

static uint8_t reg_read(enum uart_reg reg)
{
	return pio_in8((uint16_t)(uart.port + reg));
}

static void reg_write(enum uart_reg reg, uint8_t val)
{
	pio_out8((uint16_t)(uart.port + reg), val);
}

/* A scratch register that keeps what is written, and in loopback the modem outputs as inputs. */
static bool present(void)
{
	static const uint8_t patterns[] = { 0x5a, 0xa5 };

	for (unsigned int i = 0; i < ARRAY_SIZE(patterns); i++) {
		reg_write(UART_SCR, patterns[i]);
		if (reg_read(UART_SCR) != patterns[i]) {
			return false;
		}
	}
	reg_write(UART_MCR, MCR_LOOP | MCR_OUT2 | MCR_RTS);
	/* Loopback wires RTS to CTS (bit 4) and OUT2 to DCD (bit 7). */
	bool looped = (reg_read(UART_MSR) & 0xf0u) == 0x90u;
	reg_write(UART_MCR, MCR_DTR | MCR_RTS);
	return looped;
}

bool uart_early_init(uint16_t port, uint32_t baud)
{
	if (baud == 0 || baud > UART_BAUD || UART_BAUD % baud != 0) {
		return false;
	}
	uart.port = port;
	if (!present()) {
		uart.port = 0;
		return false;
	}
	uint32_t divisor = UART_BAUD / baud;

	uart.polled = false;
	reg_write(UART_IER, 0);
	reg_write(UART_LCR, LCR_DLAB | LCR_8N1);
	reg_write(UART_DATA, (uint8_t)divisor);
	reg_write(UART_IER, (uint8_t)(divisor >> 8));
	reg_write(UART_LCR, LCR_8N1);
	reg_write(UART_FCR, FCR_ON_CLEAR);
	reg_write(UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	return true;
}

/*
 * Waits until all of mask is set in the line status; false if it never is. A line that nobody takes
 * from costs the long wait once: better to lose output than to stand still.
 */
static bool wait_line(uint8_t mask)
{
	uint32_t spins = uart.stalled ? SPIN_STALL : SPIN_MAX;

	for (uint32_t i = 0; i < spins; i++) {
		if ((reg_read(UART_LSR) & mask) == mask) {
			uart.stalled = false;
			return true;
		}
		cpu_relax();
	}
	uart.stalled = true;
	return false;
}

void uart_early_write(const char *text, size_t len)
{
	if (uart.port == 0) {
		return;
	}
	for (size_t i = 0; i < len && wait_line(LSR_THRE); i++) {
		reg_write(UART_DATA, (uint8_t)text[i]);
	}
}

static void enable(uint8_t ier)
{
	if (uart.started && ier != uart.ier) {
		uart.ier = ier;
		reg_write(UART_IER, ier);
	}
}

/* Fills the transmitter's FIFO from the queue if it is empty; more by interrupt. */
static void transmit(void)
{
	if (uart.tx_out != uart.tx_in && (reg_read(UART_LSR) & LSR_THRE) != 0) {
		for (unsigned int i = 0; i < TX_FIFO && uart.tx_out != uart.tx_in; i++) {
			reg_write(UART_DATA, (uint8_t)uart.tx[uart.tx_out++ % TX_SIZE]);
		}
	}
	bool more = uart.tx_out != uart.tx_in;

	enable((uint8_t)(more ? uart.ier | IER_TX : uart.ier & ~IER_TX));
}

/*
 * Moves received bytes to the queue; true if there were any. A full queue leaves the rest in the
 * FIFO with the interrupt off and RTS down: the other end waits until uart_read has made room.
 */
static bool receive(uint8_t lsr)
{
	uint32_t before = uart.rx_in;

	while ((lsr & LSR_DATA) != 0 && lsr != LSR_NO_DEVICE) {
		if (uart.rx_in - uart.rx_out == RX_SIZE) {
			enable((uint8_t)(uart.ier & ~IER_RX));
			reg_write(UART_MCR, MCR_DTR | MCR_OUT2);
			break;
		}
		uart.errors += (lsr & LSR_ERRORS) != 0;
		uart.rx[uart.rx_in++ % RX_SIZE] = (char)reg_read(UART_DATA);
		lsr = reg_read(UART_LSR);
	}
	return uart.rx_in != before;
}

static bool fits(size_t len)
{
	return TX_SIZE - (uart.tx_in - uart.tx_out) >= len;
}

/* The reader is unparked without our lock: the scheduler's come before it. */
static void unlock_and_wake(bool received)
{
	bool room = uart.wants_room && fits(UART_ROOM_MAX);
	struct thread *reader = received || room ? uart.reader : NULL;

	uart.wants_room &= !room;
	spin_unlock(&uart.lock);
	if (reader != NULL) {
		thread_unpark(reader);
	}
}

/* The line is edge-triggered: if it is active still, it falls and rises. */
static void make_edge(void)
{
	reg_write(UART_IER, 0);
	reg_write(UART_IER, uart.ier);
}

static void on_interrupt(void *arg UNUSED)
{
	bool received = false;

	unsigned int rounds = 0;

	spin_lock(&uart.lock);
	while (rounds < IRQ_ROUNDS && (reg_read(UART_IIR) & IIR_NONE) == 0) {
		received |= receive(reg_read(UART_LSR));
		transmit();
		rounds++;
	}
	if (rounds == IRQ_ROUNDS) { /* unless it was quiet, the line needs a new edge */
		make_edge();
	}
	unlock_and_wake(received);
}

void uart_poll(void)
{
	if (uart.port == 0) {
		return;
	}
	spin_lock(&uart.lock);
	bool received = receive(reg_read(UART_LSR));
	transmit();
	if (uart.started) {
		make_edge();
	}
	unlock_and_wake(received);
}

int uart_start(unsigned int irq)
{
	if (uart.port == 0) {
		return 0;
	}
	int err = irq_connect_isa(irq, on_interrupt, NULL);
	if (err != 0) {
		return err;
	}
	spin_lock(&uart.lock);
	uart.started = true;
	enable(IER_RX | IER_LINE);
	transmit(); /* what was written so far */
	spin_unlock(&uart.lock);
	return 0;
}

static size_t enqueue(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && fits(1)) {
		uart.tx[uart.tx_in++ % TX_SIZE] = text[n++];
	}
	if ((uart.ier & IER_TX) == 0) { /* else its interrupt is on the way */
		transmit();
	}
	return n;
}

size_t uart_write(const char *text, size_t len)
{
	if (uart.port == 0) {
		return len;
	}
	spin_lock(&uart.lock);
	if (uart.polled) {
		uart_early_write(text, len);
	} else {
		len = enqueue(text, len);
	}
	spin_unlock(&uart.lock);
	return len;
}

bool uart_has_room(size_t len)
{
	bool room;

	spin_lock(&uart.lock);
	room = uart.port == 0 || uart.polled || fits(len);
	uart.wants_room |= !room;
	spin_unlock(&uart.lock);
	return room;
}

void uart_set_reader(struct thread *reader)
{
	spin_lock(&uart.lock);
	uart.reader = reader;
	spin_unlock(&uart.lock);
}

size_t uart_read(char *buf, size_t size)
{
	size_t n = 0;

	if (uart.port == 0) {
		return 0;
	}
	spin_lock(&uart.lock);
	while (n < size && uart.rx_out != uart.rx_in) {
		buf[n++] = uart.rx[uart.rx_out++ % RX_SIZE];
	}
	if (uart.started && n != 0 && (uart.ier & IER_RX) == 0) {
		reg_write(UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
		enable(uart.ier | IER_RX);
	}
	spin_unlock(&uart.lock);
	return n;
}

void uart_flush_polled(void)
{
	bool locked = false;

	if (uart.port == 0) {
		return;
	}
	for (uint32_t i = 0; i < LOCK_TRIES && !locked; i++) {
		locked = spin_trylock(&uart.lock);
		cpu_relax();
	}
	enable(0);
	uart.started = false;
	uart.polled = true;
	while (uart.tx_out != uart.tx_in && !uart.stalled) {
		uart_early_write(&uart.tx[uart.tx_out++ % TX_SIZE], 1);
	}
	wait_line(LSR_THRE | LSR_TEMT);
	if (locked) {
		spin_unlock(&uart.lock);
	}
}

uint64_t uart_errors(void)
{
	return uart.errors;
}
