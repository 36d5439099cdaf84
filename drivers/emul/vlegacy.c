/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports that old software touches and nothing depends on: POST code, delay, DMA controllers, FPU */
/* error, fast A20 and reset. No DMA is ever done. */
#include "drivers/emul/isa.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define PORT92_RESET 0x01u
#define PORT92_A20   0x02u

/* 8237A data sheet, "Register Description": low four bits of the port, in units of a register. */
#define DMA_COMMAND	0x8u /* read: status */
#define DMA_CLEAR_FLIP	0xcu
#define DMA_MASTER	0xdu /* read: temporary register */
#define DMA_CLEAR_MASK	0xeu
#define DMA_WRITE_MASK	0xfu
#define DMA_SINGLE_MASK 0xau

struct dma_chip {
	uint8_t reg[8][2]; /* base address and count of four channels, low and high byte */
	uint8_t mask;
	bool high; /* the flip-flop */
};

struct vlegacy_state {
	struct dma_chip dma[2];
	uint8_t page[16]; /* 80h-8Fh: DMA pages; 80h is where POST codes go */
	uint8_t port92;
};

struct vlegacy {
	struct vm *vm;
	struct vlegacy_state s;
};

/* ---- 8237A ---- */

/* Nothing is transferred, so status and the temporary register read 0. */
static uint8_t dma_read(struct dma_chip *d, unsigned int reg)
{
	if (reg < 8) {
		d->high = !d->high;
		return d->reg[reg][!d->high];
	}
	return reg == DMA_WRITE_MASK ? (uint8_t)(d->mask | 0xf0u) : 0;
}

static void dma_write(struct dma_chip *d, unsigned int reg, uint8_t val)
{
	unsigned int bit = 1u << (val & 3);

	switch (reg) {
	case DMA_SINGLE_MASK:
		d->mask = (uint8_t)(val & 4 ? d->mask | bit : d->mask & ~bit);
		break;
	case DMA_CLEAR_FLIP:
		d->high = false;
		break;
	case DMA_MASTER:
		d->mask = 0x0f;
		d->high = false;
		break;
	case DMA_CLEAR_MASK:
		d->mask = 0;
		break;
	case DMA_WRITE_MASK:
		d->mask = val & 0x0fu;
		break;
	default:
		if (reg < 8) {
			d->reg[reg][d->high] = val;
			d->high = !d->high;
		}
		break;
	}
}

/* The second controller's registers are two ports apart. */
static unsigned int dma_register(uint16_t port)
{
	return port < 0xc0 ? port & 15u : (port - 0xc0u) >> 1;
}

static uint8_t vlegacy_read_dma(void *dev, uint16_t port)
{
	struct vlegacy *l = dev;

	return dma_read(&l->s.dma[port >= 0xc0], dma_register(port));
}

static void vlegacy_write_dma(void *dev, uint16_t port, uint8_t val)
{
	struct vlegacy *l = dev;

	dma_write(&l->s.dma[port >= 0xc0], dma_register(port), val);
}

static enum io_result vlegacy_dma_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vlegacy_read_dma,
						 .write = vlegacy_write_dma };

	return isa_access(dev, a, &ops);
}

/* ---- pages, POST code ---- */

static uint8_t vlegacy_read_page(void *dev, uint16_t port)
{
	return ((struct vlegacy *)dev)->s.page[port & 15];
}

static void vlegacy_write_page(void *dev, uint16_t port, uint8_t val)
{
	((struct vlegacy *)dev)->s.page[port & 15] = val;
}

static enum io_result vlegacy_page_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vlegacy_read_page,
						 .write = vlegacy_write_page };

	return isa_access(dev, a, &ops);
}

/* ---- port 92h ---- */

static uint8_t vlegacy_read_92(void *dev, uint16_t port UNUSED)
{
	return ((struct vlegacy *)dev)->s.port92;
}

/* A20 is always open; the bit only remembers. A rising bit 0 is the fast reset. */
static void vlegacy_write_92(void *dev, uint16_t port UNUSED, uint8_t val)
{
	struct vlegacy *l = dev;
	bool rises = (val & ~l->s.port92 & PORT92_RESET) != 0;

	l->s.port92 = val & (PORT92_RESET | PORT92_A20);
	if (rises) {
		vm_request_reset(l->vm);
	}
}

static enum io_result vlegacy_92_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vlegacy_read_92,
						 .write = vlegacy_write_92 };

	return isa_access(dev, a, &ops);
}

/* ---- ports that only swallow ---- */

static enum io_result vlegacy_swallow(void *dev UNUSED, struct io_access *a)
{
	return a->write ? IO_DONE : IO_UNCLAIMED;
}

static const struct {
	uint16_t first, size;
	io_fn_t *fn;
} ranges[] = {
	{ 0x00, 16, vlegacy_dma_io },	{ 0x80, 16, vlegacy_page_io }, { 0x92, 1, vlegacy_92_io },
	{ 0xc0, 32, vlegacy_dma_io },	{ 0xed, 1, vlegacy_swallow }, /* delay */
	{ 0xf0, 2, vlegacy_swallow },	/* clears IRQ 13, which we never raise */
	{ 0xf4, 4, vlegacy_swallow },	/* debug exit of another emulator */
	{ 0x8900, 1, vlegacy_swallow }, /* shutdown port of another emulator */
};

/* ---- life ---- */

static int vlegacy_create(struct vm *vm, void *dev)
{
	struct vlegacy *l = dev;

	l->vm = vm;
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		int err = iobus_claim(&vm->pio, ranges[i].first, ranges[i].size, ranges[i].fn, l);

		if (err) {
			return err;
		}
	}
	return 0;
}

static void vlegacy_reset(void *dev)
{
	struct vlegacy *l = dev;

	memset(&l->s, 0, sizeof(l->s));
	l->s.dma[0].mask = 0x0f;
	l->s.dma[1].mask = 0x0f;
	l->s.port92 = PORT92_A20;
}

static int vlegacy_after_load(void *dev)
{
	struct vlegacy *l = dev;

	if (!isa_is_bool(&l->s.dma[0].high) || !isa_is_bool(&l->s.dma[1].high)) {
		return -EINVAL;
	}
	return l->s.dma[0].mask > 15 || l->s.dma[1].mask > 15 || l->s.port92 > 3 ? -EINVAL : 0;
}

static const struct vdev_class vlegacy_class = {
	.name = "legacy",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vlegacy),
	.create = vlegacy_create,
	.reset = vlegacy_reset,
	.state_offset = offsetof(struct vlegacy, s),
	.state_size = sizeof(struct vlegacy_state),
	.state_version = 1,
	.after_load = vlegacy_after_load,
};
VDEV_REGISTER(vlegacy_class);
