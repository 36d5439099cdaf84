/* SPDX-License-Identifier: BSD-2-Clause */
/* The IO-APIC: 24 redirection entries that turn pins into messages to local APICs. */
/* Delivery is hv/virq's; polarity is not looked at: a line is active or it is not. */
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* 82093AA data sheet, "IOAPIC Registers"; the EOI register is that of version 20h. */
#define IOREGSEL 0x00u
#define IOWIN	 0x10u
#define IOEOI	 0x40u

#define IOAPIC_VERSION (0x20u | (PC_IOAPIC_PINS - 1u) << 16)
#define IOAPIC_ID_MASK 0x0f000000u

/* "I/O Redirection Table Registers" */
#define RTE_MODE(e)    ((uint8_t)((e) >> 8 & 7u))
#define RTE_LOGICAL    BIT(11)
#define RTE_REMOTE_IRR BIT(14)
#define RTE_LEVEL      BIT(15)
#define RTE_MASKED     BIT(16)
#define RTE_DEST(e)    ((uint32_t)((e) >> 56))
#define RTE_WRITABLE   0xff0000000001afffull
#define RTE_VECTOR_MIN 16u /* SDM Vol. 3A, "Valid Interrupt Vectors" */

struct vioapic_state {
	uint64_t rte[PC_IOAPIC_PINS];
	uint32_t lines; /* pins as the devices drive them */
	uint32_t id;	/* as in the register: bits 24-27 */
	uint8_t select;
};

struct vioapic {
	struct vm *vm;
	struct vioapic_state s;
};

static bool is_fixed(uint64_t rte)
{
	return RTE_MODE(rte) == VIRQ_FIXED || RTE_MODE(rte) == VIRQ_LOWEST;
}

static struct virq_msg message(uint64_t rte)
{
	return (struct virq_msg){
		.dest = RTE_DEST(rte),
		.vector = (uint8_t)rte,
		.mode = RTE_MODE(rte),
		.logical = rte & RTE_LOGICAL,
		.level = is_fixed(rte) && (rte & RTE_LEVEL),
	};
}

static void deliver(struct vioapic *io, unsigned int pin)
{
	uint64_t *rte = &io->s.rte[pin];
	struct virq_msg msg = message(*rte);

	if (is_fixed(*rte) && msg.vector < RTE_VECTOR_MIN) {
		return;
	}
	if (msg.level) {
		*rte |= RTE_REMOTE_IRR;
	}
	virq_send(io->vm, &msg);
}

/* A level-triggered pin sends while it is active and the last one was ended. */
static void service_level(struct vioapic *io, unsigned int pin)
{
	uint64_t rte = io->s.rte[pin];

	if ((rte & RTE_LEVEL) && !(rte & (RTE_MASKED | RTE_REMOTE_IRR)) &&
	    (io->s.lines & (1u << pin))) {
		deliver(io, pin);
	}
}

/* "Interrupt Mask": an edge on a masked pin is neither delivered nor held pending. */
static void vioapic_set_line(void *chip, unsigned int pin, bool level)
{
	struct vioapic *io = chip;
	bool was;

	if (pin >= PC_IOAPIC_PINS) {
		return;
	}
	was = io->s.lines & (1u << pin);
	if (level == was) {
		return;
	}
	io->s.lines ^= 1u << pin;
	if (!level) {
		return;
	}
	if (io->s.rte[pin] & RTE_LEVEL) {
		service_level(io, pin);
	} else if (!(io->s.rte[pin] & RTE_MASKED)) {
		deliver(io, pin);
	}
}

static void vioapic_eoi(void *chip, uint8_t vector)
{
	struct vioapic *io = chip;

	for (unsigned int pin = 0; pin < PC_IOAPIC_PINS; pin++) {
		uint64_t rte = io->s.rte[pin];

		if ((rte & RTE_REMOTE_IRR) && (uint8_t)rte == vector) {
			io->s.rte[pin] &= ~RTE_REMOTE_IRR;
			service_level(io, pin);
		}
	}
}

static bool vioapic_waits(void *chip, unsigned int pin)
{
	struct vioapic *io = chip;
	uint64_t rte = pin < PC_IOAPIC_PINS ? io->s.rte[pin] : RTE_MASKED;
	struct virq_msg msg = message(rte);

	return is_fixed(rte) && !(rte & RTE_MASKED) && virq_msg_waits(io->vm, &msg);
}

static const struct virq_chip_ops vioapic_ops = {
	.waits = vioapic_waits,
	.set_line = vioapic_set_line,
	.eoi = vioapic_eoi,
};

/* ---- registers ---- */

static uint32_t read_window(const struct vioapic *io)
{
	unsigned int pin = (io->s.select - 0x10u) / 2;

	switch (io->s.select) {
	case 0: /* IOAPICID */
	case 2: /* IOAPICARB: loaded with the ID */
		return io->s.id;
	case 1:
		return IOAPIC_VERSION;
	default:
		if (io->s.select < 0x10 || pin >= PC_IOAPIC_PINS) {
			return 0;
		}
		return (uint32_t)(io->s.rte[pin] >> (io->s.select & 1 ? 32 : 0));
	}
}

static void write_rte(struct vioapic *io, unsigned int pin, bool high, uint32_t val)
{
	uint64_t mask = high ? RTE_WRITABLE & ~0xffffffffull : RTE_WRITABLE & 0xffffffffull;
	uint64_t *rte = &io->s.rte[pin];

	*rte = (*rte & ~mask) | ((high ? (uint64_t)val << 32 : val) & mask);
	if (!(*rte & RTE_LEVEL)) {
		*rte &= ~RTE_REMOTE_IRR; /* it means something for levels only */
	}
	service_level(io, pin);
}

static void write_window(struct vioapic *io, uint32_t val)
{
	unsigned int pin = (io->s.select - 0x10u) / 2;

	if (io->s.select == 0) {
		io->s.id = val & IOAPIC_ID_MASK;
	} else if (io->s.select >= 0x10 && pin < PC_IOAPIC_PINS) {
		write_rte(io, pin, io->s.select & 1, val);
	}
}

static uint32_t vioapic_read(const struct vioapic *io, uint32_t reg)
{
	switch (reg) {
	case IOREGSEL:
		return io->s.select;
	case IOWIN:
		return read_window(io);
	default:
		return 0;
	}
}

static void vioapic_write(struct vioapic *io, uint32_t reg, uint32_t val)
{
	switch (reg) {
	case IOREGSEL:
		io->s.select = (uint8_t)val;
		break;
	case IOWIN:
		write_window(io, val);
		break;
	case IOEOI:
		vioapic_eoi(io, (uint8_t)val);
		break;
	default:
		break;
	}
}

/* Registers are 32 bits wide on 16-byte places; narrower reads see their part of it. */
static enum io_result vioapic_mmio(void *dev, struct io_access *a)
{
	struct vioapic *io = dev;
	uint32_t reg = (uint32_t)(a->addr - PC_IOAPIC_BASE) & 0xffu;
	unsigned int shift = 8 * (reg & 3u);

	if (!a->write) {
		a->val = vioapic_read(io, reg & ~3u) >> shift;
		a->val &= a->size >= 4 ? 0xffffffffu : (1u << 8 * a->size) - 1;
	} else if (shift == 0) {
		vioapic_write(io, reg, (uint32_t)a->val);
	}
	return IO_DONE;
}

/* ---- life ---- */

static int vioapic_create(struct vm *vm, void *dev)
{
	struct vioapic *io = dev;

	io->vm = vm;
	vm->virq.ioapic = io;
	vm->virq.ioapic_ops = &vioapic_ops;
	return iobus_claim(&vm->mmio, PC_IOAPIC_BASE, PC_IOAPIC_SIZE, vioapic_mmio, io);
}

static void vioapic_reset(void *dev)
{
	struct vioapic *io = dev;

	memset(&io->s, 0, sizeof(io->s));
	io->s.id = PC_IOAPIC_ID << 24;
	for (unsigned int pin = 0; pin < PC_IOAPIC_PINS; pin++) {
		io->s.rte[pin] = RTE_MASKED;
	}
}

static int vioapic_after_load(void *dev)
{
	struct vioapic *io = dev;

	for (unsigned int pin = 0; pin < PC_IOAPIC_PINS; pin++) {
		uint64_t rte = io->s.rte[pin];

		if ((rte & ~(RTE_WRITABLE | RTE_REMOTE_IRR)) ||
		    ((rte & RTE_REMOTE_IRR) && !(rte & RTE_LEVEL))) {
			return -EINVAL;
		}
	}
	return (io->s.id & ~IOAPIC_ID_MASK) || (io->s.lines >> PC_IOAPIC_PINS) ? -EINVAL : 0;
}

static const struct vdev_class vioapic_class = {
	.name = "ioapic",
	.stage = VDEV_CONTROLLER,
	.size = sizeof(struct vioapic),
	.create = vioapic_create,
	.reset = vioapic_reset,
	.state_offset = offsetof(struct vioapic, s),
	.state_size = sizeof(struct vioapic_state),
	.state_version = 1,
	.after_load = vioapic_after_load,
};
VDEV_REGISTER(vioapic_class);
