/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259A interrupt controllers with the edge/level registers of the PIIX3. */
/* Where INTR goes is hv/virq's. */
#include "drivers/emul/isa.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define PIC_CASCADE 2u /* input of the master that takes the slave's output */
#define PIC_NONE    8u /* no level */

/* 8259A data sheet, "Initialization Command Words" and "Operation Command Words". */
#define ICW1_SELECT 0x10u
#define ICW1_IC4    0x01u
#define ICW1_SINGLE 0x02u
#define ICW4_AEOI   0x02u
#define ICW4_SFNM   0x10u
#define OCW3_SELECT 0x08u
#define OCW3_ESMM   0x40u
#define OCW3_SMM    0x20u
#define OCW3_POLL   0x04u
#define OCW3_RR	    0x02u
#define OCW3_RIS    0x01u

enum pic_init { PIC_READY, PIC_ICW2, PIC_ICW3, PIC_ICW4, PIC_INITS };

struct pic_chip {
	uint8_t line; /* inputs as the devices drive them */
	uint8_t edge; /* edges latched and not yet acknowledged */
	uint8_t elcr; /* inputs that are level-triggered */
	uint8_t imr;
	uint8_t isr;
	uint8_t icw1;
	uint8_t base; /* ICW2: vector of input 0 */
	uint8_t icw3;
	uint8_t icw4;
	uint8_t lowest; /* the input with the lowest priority: rotation */
	uint8_t init;	/* enum pic_init: the word expected next */
	bool smm;
	bool rotate_aeoi;
	bool read_isr;
	bool poll;
};

struct vpic_state {
	struct pic_chip chip[2]; /* master, slave */
	bool output;		 /* INTR of the master */
};

struct vpic {
	struct vm *vm;
	struct vpic_state s;
};

/* ---- priorities ---- */

static unsigned int rank_of(const struct pic_chip *c, unsigned int level)
{
	return (level - c->lowest - 1u) & 7u;
}

/* The level among `bits` that has the highest priority, PIC_NONE if there is none. */
static unsigned int highest(const struct pic_chip *c, uint8_t bits)
{
	for (unsigned int i = 1; i <= 8; i++) {
		unsigned int level = (c->lowest + i) & 7u;

		if (bits & (1u << level)) {
			return level;
		}
	}
	return PIC_NONE;
}

/* In special mask mode a masked level in service holds nothing back: "Special Mask Mode". */
static uint8_t in_service(const struct pic_chip *c)
{
	return c->smm ? (uint8_t)(c->isr & ~c->imr) : c->isr;
}

static uint8_t requests(const struct pic_chip *c)
{
	return (uint8_t)((c->edge & ~c->elcr) | (c->line & c->elcr));
}

/* The level that the chip asks the CPU to serve, given its requests; PIC_NONE if none. */
static unsigned int winner(const struct pic_chip *c, uint8_t irr, bool master)
{
	unsigned int request = highest(c, (uint8_t)(irr & ~c->imr));
	unsigned int service = highest(c, in_service(c));

	if (request == PIC_NONE || service == PIC_NONE) {
		return request;
	}
	/* "The Special Fully Nest Mode": the slave may interrupt its own service routine. */
	if (master && (c->icw4 & ICW4_SFNM) && request == PIC_CASCADE && service == PIC_CASCADE) {
		return request;
	}
	return rank_of(c, request) < rank_of(c, service) ? request : PIC_NONE;
}

static unsigned int slave_winner(const struct vpic *p)
{
	return winner(&p->s.chip[1], requests(&p->s.chip[1]), false);
}

/* The cascade input is the slave's output itself: never latched. */
static uint8_t master_requests(const struct vpic *p)
{
	uint8_t irr = (uint8_t)(requests(&p->s.chip[0]) & ~(1u << PIC_CASCADE));

	return slave_winner(p) == PIC_NONE ? irr : (uint8_t)(irr | 1u << PIC_CASCADE);
}

static unsigned int master_winner(const struct vpic *p)
{
	return winner(&p->s.chip[0], master_requests(p), true);
}

static void update_output(struct vpic *p)
{
	bool output = master_winner(p) != PIC_NONE;

	if (output != p->s.output) {
		p->s.output = output;
		virq_set_pic_output(p->vm, output);
	}
}

/* ---- acknowledge ---- */

/* INTA, or a poll, takes `level` into service. */
static void take(struct pic_chip *c, unsigned int level)
{
	c->edge &= (uint8_t) ~(1u << level);
	if (!(c->icw4 & ICW4_AEOI)) {
		c->isr |= (uint8_t)(1u << level);
	} else if (c->rotate_aeoi) {
		c->lowest = (uint8_t)level;
	}
}

/* No request any more: the chip answers with level 7 and takes nothing, "Edge and Level …". */
static uint8_t acknowledge_chip(struct pic_chip *c, unsigned int level)
{
	if (level == PIC_NONE) {
		return (uint8_t)(c->base | 7u);
	}
	take(c, level);
	return (uint8_t)(c->base | level);
}

static uint8_t vpic_acknowledge(void *chip)
{
	struct vpic *p = chip;
	unsigned int slave = slave_winner(p);
	unsigned int master = master_winner(p);
	uint8_t vector = acknowledge_chip(&p->s.chip[0], master);

	if (master == PIC_CASCADE) {
		vector = acknowledge_chip(&p->s.chip[1], slave);
	}
	/* INTR falls with the acknowledge and rises again if more is waiting. */
	p->s.output = master_winner(p) != PIC_NONE;
	virq_set_pic_output(p->vm, p->s.output);
	return vector;
}

static void vpic_set_line(void *chip, unsigned int pin, bool level)
{
	struct vpic *p = chip;
	struct pic_chip *c = &p->s.chip[pin >> 3 & 1];
	uint8_t bit = (uint8_t)(1u << (pin & 7));

	if (pin >= 16) {
		return;
	}
	if (!level) {
		c->line &= (uint8_t)~bit;
	} else {
		if (!(c->line & bit)) {
			c->edge |= bit;
		}
		c->line |= bit;
	}
	update_output(p);
}

static bool vpic_waits(void *chip, unsigned int pin)
{
	struct vpic *p = chip;
	const struct pic_chip *c = &p->s.chip[pin >> 3 & 1];

	return (c->edge & ~c->elcr & ~c->imr) >> (pin & 7) & 1;
}

static const struct virq_chip_ops vpic_ops = {
	.waits = vpic_waits,
	.set_line = vpic_set_line,
	.acknowledge = vpic_acknowledge,
};

/* ---- registers ---- */

static void write_icw1(struct pic_chip *c, uint8_t val)
{
	*c = (struct pic_chip){
		.line = c->line,
		.elcr = c->elcr,
		.base = c->base,
		.icw3 = c->icw3,
		.icw1 = val,
		.lowest = 7,
		.init = PIC_ICW2,
	};
}

static void end_of_interrupt(struct pic_chip *c, unsigned int level, bool rotate)
{
	if (level == PIC_NONE) {
		return;
	}
	c->isr &= (uint8_t) ~(1u << level);
	if (rotate) {
		c->lowest = (uint8_t)level;
	}
}

/* "Operation Control Word 2": R, SL and EOI in bits 7-5. */
static void write_ocw2(struct pic_chip *c, uint8_t val)
{
	switch (val >> 5) {
	case 0: /* rotate in automatic EOI mode: clear */
	case 4: /* … set */
		c->rotate_aeoi = val >> 7;
		break;
	case 1: /* non-specific EOI */
	case 5: /* rotate on non-specific EOI */
		end_of_interrupt(c, highest(c, in_service(c)), val >> 7);
		break;
	case 3: /* specific EOI */
	case 7: /* rotate on specific EOI */
		end_of_interrupt(c, val & 7u, val >> 7);
		break;
	case 6: /* set priority */
		c->lowest = val & 7u;
		break;
	default: /* no operation */
		break;
	}
}

static void write_ocw3(struct pic_chip *c, uint8_t val)
{
	if (val & OCW3_ESMM) {
		c->smm = val & OCW3_SMM;
	}
	c->poll = val & OCW3_POLL;
	if (val & OCW3_RR) {
		c->read_isr = val & OCW3_RIS;
	}
}

static void write_command(struct pic_chip *c, uint8_t val)
{
	if (val & ICW1_SELECT) {
		write_icw1(c, val);
	} else if (val & OCW3_SELECT) {
		write_ocw3(c, val);
	} else {
		write_ocw2(c, val);
	}
}

static uint8_t after_icw3(const struct pic_chip *c)
{
	return c->icw1 & ICW1_IC4 ? PIC_ICW4 : PIC_READY;
}

static void write_data(struct pic_chip *c, uint8_t val)
{
	switch (c->init) {
	case PIC_ICW2:
		c->base = val & 0xf8u;
		c->init = c->icw1 & ICW1_SINGLE ? after_icw3(c) : PIC_ICW3;
		break;
	case PIC_ICW3:
		c->icw3 = val; /* the cascade is wired: kept, not used */
		c->init = after_icw3(c);
		break;
	case PIC_ICW4:
		c->icw4 = val & 0x1fu;
		c->init = PIC_READY;
		break;
	default:
		c->imr = val;
		break;
	}
}

/* "Poll Command": the read is the acknowledge. */
static uint8_t poll(struct vpic *p, unsigned int n)
{
	struct pic_chip *c = &p->s.chip[n];
	unsigned int level = n ? slave_winner(p) : master_winner(p);

	c->poll = false;
	if (level == PIC_NONE) {
		return 0;
	}
	take(c, level);
	update_output(p);
	return (uint8_t)(0x80u | level);
}

static uint8_t vpic_read(void *dev, uint16_t port)
{
	struct vpic *p = dev;
	unsigned int n = port >> 7 & 1;
	struct pic_chip *c = &p->s.chip[n];

	if (c->poll) {
		return poll(p, n);
	}
	if (port & 1) {
		return c->imr;
	}
	return c->read_isr ? c->isr : n ? requests(c) : master_requests(p);
}

static void vpic_write(void *dev, uint16_t port, uint8_t val)
{
	struct vpic *p = dev;
	struct pic_chip *c = &p->s.chip[port >> 7 & 1];

	if (port & 1) {
		write_data(c, val);
	} else {
		write_command(c, val);
	}
	update_output(p);
}

static enum io_result vpic_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vpic_read, .write = vpic_write };

	return isa_access(dev, a, &ops);
}

static uint8_t vpic_read_elcr(void *dev, uint16_t port)
{
	return ((struct vpic *)dev)->s.chip[port & 1].elcr;
}

/* 82371SB data sheet, "ELCR1", "ELCR2": timer, keyboard, cascade, RTC and FPU stay edges. */
static void vpic_write_elcr(void *dev, uint16_t port, uint8_t val)
{
	static const uint8_t allowed[2] = { 0xf8, 0xde };
	struct vpic *p = dev;

	p->s.chip[port & 1].elcr = val & allowed[port & 1];
	update_output(p);
}

static enum io_result vpic_elcr_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vpic_read_elcr, .write = vpic_write_elcr };

	return isa_access(dev, a, &ops);
}

/* ---- life ---- */

static int vpic_create(struct vm *vm, void *dev)
{
	struct vpic *p = dev;
	int err;

	p->vm = vm;
	vm->virq.pic = p;
	vm->virq.pic_ops = &vpic_ops;
	err = iobus_claim(&vm->pio, 0x20, 2, vpic_io, p);
	err = err ? err : iobus_claim(&vm->pio, 0xa0, 2, vpic_io, p);
	return err ? err : iobus_claim(&vm->pio, 0x4d0, 2, vpic_elcr_io, p);
}

static void vpic_reset(void *dev)
{
	struct vpic *p = dev;

	memset(&p->s, 0, sizeof(p->s));
	p->s.chip[0].lowest = 7;
	p->s.chip[1].lowest = 7;
	virq_set_pic_output(p->vm, false);
}

static bool chip_is_valid(const struct pic_chip *c)
{
	return c->lowest < 8 && c->init < PIC_INITS && !(c->base & 7) && isa_is_bool(&c->smm) &&
	       isa_is_bool(&c->rotate_aeoi) && isa_is_bool(&c->read_isr) && isa_is_bool(&c->poll);
}

static int vpic_after_load(void *dev)
{
	struct vpic *p = dev;

	if (!chip_is_valid(&p->s.chip[0]) || !chip_is_valid(&p->s.chip[1])) {
		return -EINVAL;
	}
	p->s.output = master_winner(p) != PIC_NONE;
	virq_set_pic_output(p->vm, p->s.output);
	return 0;
}

static const struct vdev_class vpic_class = {
	.name = "pic",
	.stage = VDEV_CONTROLLER,
	.size = sizeof(struct vpic),
	.create = vpic_create,
	.reset = vpic_reset,
	.state_offset = offsetof(struct vpic, s),
	.state_size = sizeof(struct vpic_state),
	.state_version = 1,
	.after_load = vpic_after_load,
};
VDEV_REGISTER(vpic_class);
