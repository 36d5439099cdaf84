/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A serial port COM1, between the guest's registers and its console ring. */
/* Sends at once and receives on demand: no baud rate, no timer. */
#include "drivers/emul/isa.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* PC16550D data sheet, "Registers". */
enum { REG_DATA, REG_IER, REG_IIR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RDA	 0x01u /* received data available, and its timeout */
#define IER_THRE 0x02u
#define IER_RLS	 0x04u
#define IER_MS	 0x08u

/* "Interrupt Identification Register": the sources in falling priority. */
#define IIR_NONE    0x01u
#define IIR_RLS	    0x06u
#define IIR_RDA	    0x04u
#define IIR_TIMEOUT 0x0cu
#define IIR_THRE    0x02u
#define IIR_MS	    0x00u
#define IIR_FIFOS   0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u

#define LCR_DLAB 0x80u

#define MCR_DTR	 0x01u
#define MCR_RTS	 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u /* on a PC it lets the interrupt out */
#define MCR_LOOP 0x10u

#define LSR_DR	  0x01u
#define LSR_OE	  0x02u
#define LSR_ERROR 0x1eu
#define LSR_EMPTY 0x60u /* THRE and TEMT */

#define MSR_DELTA 0x0fu
#define MSR_TERI  0x04u
#define MSR_CTS	  0x10u
#define MSR_DSR	  0x20u
#define MSR_RI	  0x40u
#define MSR_DCD	  0x80u

#define UART_FIFO 16u

struct vuart_state {
	uint8_t ier;
	uint8_t fcr; /* enable and trigger level */
	uint8_t lcr;
	uint8_t mcr;
	uint8_t lsr; /* error bits */
	uint8_t msr;
	uint8_t scr;
	uint8_t divisor[2];
	uint8_t rx[UART_FIFO];
	uint8_t rx_first;
	uint8_t rx_count;
	bool thre_pending; /* THRE became set and nobody has looked yet */
};

struct vuart {
	struct vm *vm;
	bool line; /* as we drive irq 4 */
	struct vuart_state s;
};

/* ---- interrupts ---- */

static unsigned int trigger_level(const struct vuart *u)
{
	static const uint8_t levels[4] = { 1, 4, 8, 14 };

	return u->s.fcr & FCR_ENABLE ? levels[u->s.fcr >> 6] : 1;
}

/*
 * Below the trigger level the data sheet waits four characters' time for more; on a line without
 * time they have passed at once.
 */
static uint8_t identify(const struct vuart *u)
{
	const struct vuart_state *s = &u->s;

	if ((s->ier & IER_RLS) && s->lsr) {
		return IIR_RLS;
	}
	if ((s->ier & IER_RDA) && s->rx_count > 0) {
		return s->rx_count >= trigger_level(u) ? IIR_RDA : IIR_TIMEOUT;
	}
	if ((s->ier & IER_THRE) && s->thre_pending) {
		return IIR_THRE;
	}
	if ((s->ier & IER_MS) && (s->msr & MSR_DELTA)) {
		return IIR_MS;
	}
	return IIR_NONE;
}

static void update_line(struct vuart *u)
{
	/* "Loopback": OUT2 is then disconnected, and with it the PC's interrupt line. */
	bool gate = (u->s.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
	bool line = gate && identify(u) != IIR_NONE;

	if (line != u->line) {
		u->line = line;
		virq_set_line(u->vm, PC_UART_IRQ, line);
	}
}

/* ---- receiver ---- */

static unsigned int rx_size(const struct vuart *u)
{
	return u->s.fcr & FCR_ENABLE ? UART_FIFO : 1;
}

static void rx_put(struct vuart *u, uint8_t ch)
{
	u->s.rx[(u->s.rx_first + u->s.rx_count++) % UART_FIFO] = ch;
}

static uint8_t rx_take(struct vuart *u)
{
	uint8_t ch = u->s.rx[u->s.rx_first];

	if (u->s.rx_count > 0) {
		u->s.rx_first = (uint8_t)((u->s.rx_first + 1) % UART_FIFO);
		u->s.rx_count--;
	}
	return ch;
}

/* What is typed waits in the console until there is room: nothing is overrun. */
static void rx_fill(struct vuart *u)
{
	while (u->s.rx_count < rx_size(u) && !(u->s.mcr & MCR_LOOP)) {
		int ch = guest_console_get(&u->vm->console);

		if (ch < 0) {
			return;
		}
		rx_put(u, (uint8_t)ch);
	}
}

static void vuart_input_ready(void *arg)
{
	struct vuart *u = arg;

	spin_lock(&u->vm->dev_lock);
	rx_fill(u);
	update_line(u);
	spin_unlock(&u->vm->dev_lock);
}

/* ---- registers ---- */

/* "Modem Control Register", bit 4: in loopback its outputs are the modem's inputs. */
static uint8_t modem_inputs(const struct vuart *u)
{
	unsigned int mcr = u->s.mcr;

	if (!(mcr & MCR_LOOP)) {
		return MSR_CTS | MSR_DSR | MSR_DCD;
	}
	return (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
			 (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* "Modem Status Register": deltas report each change, RI only its trailing edge. */
static void update_msr(struct vuart *u)
{
	unsigned int now = modem_inputs(u);
	unsigned int changed = (u->s.msr ^ now) & 0xf0u;
	unsigned int delta = changed >> 4;

	if (now & MSR_RI) {
		delta &= ~MSR_TERI;
	}
	u->s.msr = (uint8_t)(now | (u->s.msr & MSR_DELTA) | delta);
}

static void write_data(struct vuart *u, uint8_t val)
{
	if (!(u->s.mcr & MCR_LOOP)) {
		guest_console_put(&u->vm->console, (char)val);
	} else if (u->s.rx_count < rx_size(u)) {
		rx_put(u, val);
	} else {
		u->s.lsr |= LSR_OE;
		/* Without FIFO the newcomer replaces what was not read. */
		if (!(u->s.fcr & FCR_ENABLE)) {
			u->s.rx[u->s.rx_first] = val;
		}
	}
	u->s.thre_pending = true; /* sent already: empty again */
}

static void write_ier(struct vuart *u, uint8_t val)
{
	/* "Interrupt Enable Register": enabling while THRE is set asks at once. */
	if ((val & IER_THRE) && !(u->s.ier & IER_THRE)) {
		u->s.thre_pending = true;
	}
	u->s.ier = val & 0x0fu;
}

/* "FIFO Control Register": switching the FIFOs on or off empties them. */
static void write_fcr(struct vuart *u, uint8_t val)
{
	if (((val ^ u->s.fcr) & FCR_ENABLE) || (val & FCR_CLEAR_RX)) {
		u->s.rx_count = 0;
		u->s.lsr &= (uint8_t)~LSR_OE;
	}
	u->s.fcr = val & FCR_ENABLE ? val & 0xc9u : 0;
}

static void write_mcr(struct vuart *u, uint8_t val)
{
	u->s.mcr = val & 0x1fu;
	update_msr(u);
}

static uint8_t read_iir(struct vuart *u)
{
	uint8_t iir = identify(u);

	if (iir == IIR_THRE) {
		u->s.thre_pending = false; /* reading it is its acknowledge */
	}
	return (uint8_t)(iir | (u->s.fcr & FCR_ENABLE ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct vuart *u)
{
	uint8_t lsr = (uint8_t)(u->s.lsr | LSR_EMPTY | (u->s.rx_count ? LSR_DR : 0));

	u->s.lsr = 0;
	return lsr;
}

static uint8_t read_msr(struct vuart *u)
{
	uint8_t msr = u->s.msr;

	u->s.msr &= (uint8_t)~MSR_DELTA;
	return msr;
}

static uint8_t read_register(struct vuart *u, unsigned int reg)
{
	switch (reg) {
	case REG_DATA:
		return rx_take(u);
	case REG_IER:
		return u->s.ier;
	case REG_IIR:
		return read_iir(u);
	case REG_LCR:
		return u->s.lcr;
	case REG_MCR:
		return u->s.mcr;
	case REG_LSR:
		return read_lsr(u);
	case REG_MSR:
		return read_msr(u);
	default:
		return u->s.scr;
	}
}

static void write_register(struct vuart *u, unsigned int reg, uint8_t val)
{
	switch (reg) {
	case REG_DATA:
		write_data(u, val);
		break;
	case REG_IER:
		write_ier(u, val);
		break;
	case REG_IIR:
		write_fcr(u, val);
		break;
	case REG_LCR:
		u->s.lcr = val;
		break;
	case REG_MCR:
		write_mcr(u, val);
		break;
	case REG_SCR:
		u->s.scr = val;
		break;
	default: /* LSR and MSR: factory test only */
		break;
	}
}

static bool is_divisor(const struct vuart *u, unsigned int reg)
{
	return reg < 2 && (u->s.lcr & LCR_DLAB);
}

static uint8_t vuart_read(void *dev, uint16_t port)
{
	struct vuart *u = dev;
	unsigned int reg = port - PC_UART_PORT;
	uint8_t val;

	rx_fill(u);
	val = is_divisor(u, reg) ? u->s.divisor[reg] : read_register(u, reg);
	rx_fill(u); /* room may have come */
	update_line(u);
	return val;
}

static void vuart_write(void *dev, uint16_t port, uint8_t val)
{
	struct vuart *u = dev;
	unsigned int reg = port - PC_UART_PORT;

	if (is_divisor(u, reg)) {
		u->s.divisor[reg] = val;
	} else {
		write_register(u, reg, val);
	}
	update_line(u);
}

static enum io_result vuart_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vuart_read, .write = vuart_write };

	return isa_access(dev, a, &ops);
}

/* ---- life ---- */

static int vuart_create(struct vm *vm, void *dev)
{
	struct vuart *u = dev;
	int err;

	u->vm = vm;
	err = iobus_claim(&vm->pio, PC_UART_PORT, 8, vuart_io, u);
	if (err == 0) {
		guest_console_set_input(&vm->console, vuart_input_ready, u);
	}
	return err;
}

static void vuart_reset(void *dev)
{
	struct vuart *u = dev;

	memset(&u->s, 0, sizeof(u->s));
	u->s.divisor[0] = 12; /* 9600 baud, as a BIOS leaves it */
	u->s.msr = modem_inputs(u);
	u->line = false;
	virq_set_line(u->vm, PC_UART_IRQ, false);
}

static void vuart_destroy(void *dev)
{
	struct vuart *u = dev;

	guest_console_set_input(&u->vm->console, NULL, NULL);
}

static int vuart_after_load(void *dev)
{
	struct vuart *u = dev;

	if (u->s.rx_first >= UART_FIFO || u->s.rx_count > rx_size(u) || u->s.ier > 0x0f ||
	    u->s.mcr > 0x1f || (u->s.lsr & ~LSR_ERROR) || !isa_is_bool(&u->s.thre_pending)) {
		return -EINVAL;
	}
	u->line = false;
	virq_set_line(u->vm, PC_UART_IRQ, false);
	update_line(u);
	return 0;
}

static const struct vdev_class vuart_class = {
	.name = "uart",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vuart),
	.create = vuart_create,
	.reset = vuart_reset,
	.destroy = vuart_destroy,
	.state_offset = offsetof(struct vuart, s),
	.state_size = sizeof(struct vuart_state),
	.state_version = 1,
	.after_load = vuart_after_load,
};
VDEV_REGISTER(vuart_class);
