/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0: configuration mechanism #1, the i440FX host bridge, the PIIX3 ISA bridge with its */
/* interrupt router, and the reset register between them. Devices are others'. */
#include "drivers/emul/vpci.h"
#include "drivers/emul/vpci_function.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define CONFIG_ADDRESS	0xcf8u
#define CONFIG_DATA	0xcfcu
#define CONFIG_ENABLE	0x80000000u
#define CONFIG_BITS	0x80fffffcu
#define DEVFNS		256u
#define VPCI_CAPS_FIRST 0x40u /* behind the header */

/* 82371SB data sheet, "RC - Reset Control Register" */
#define RC_CPU	    0x04u /* its rising edge resets */
#define RC_WRITABLE 0x06u

#define PIRQRC	    0x60u /* four bytes: "PIRQRC[A:D]" */
#define PIRQRC_OFF  0x80u
#define PIRQRC_MASK 0x8fu
#define PIRQ_PINS   0xdef8u /* PIC inputs that a PIRQ can be routed to */

struct vpci_state {
	uint32_t address;
	uint8_t reset_control;
	uint8_t host[VPCI_CONFIG];
	uint8_t isa[VPCI_CONFIG];
};

struct vpci {
	struct vm *vm;
	struct vpci_function *functions[DEVFNS];
	struct vpci_function host;
	struct vpci_function isa;
	unsigned int pirq_users[4]; /* functions that drive each PIRQ */
	uint16_t pic_pins;	    /* PIC inputs that we drive */
	struct vpci_state s;
};

/* ---- interrupts ---- */

static uint16_t routed_pins(const struct vpci *p)
{
	unsigned int pins = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint8_t rc = p->s.isa[PIRQRC + i];

		if (p->pirq_users[i] && !(rc & PIRQRC_OFF)) {
			pins |= 1u << (rc & 15u);
		}
	}
	return (uint16_t)(pins & PIRQ_PINS);
}

/* The router's outputs go to the PIC alone: at the IO-APIC each PIRQ has a pin of its own. */
static void update_pic(struct vpci *p)
{
	const struct virq *virq = &p->vm->virq;
	unsigned int pins = routed_pins(p);
	unsigned int changed = pins ^ p->pic_pins;

	p->pic_pins = (uint16_t)pins;
	for (unsigned int i = 0; i < 16 && virq->pic_ops; i++) {
		if (changed & (1u << i)) {
			virq->pic_ops->set_line(virq->pic, i, pins >> i & 1);
		}
	}
}

static void drive_pirq(struct vpci *p, unsigned int pirq, bool level)
{
	unsigned int before = p->pirq_users[pirq];

	p->pirq_users[pirq] = level ? before + 1 : before - 1;
	if (!before != !p->pirq_users[pirq]) {
		virq_set_line(p->vm, PC_PIRQ_GSI + pirq, level);
		update_pic(p);
	}
}

/* "Interrupt Disable" keeps the pin released; "Interrupt Status" shows the device's side of it. */
static void update_intx(struct vpci_function *f)
{
	unsigned int command = bytes_get_le16(&f->config[VPCI_COMMAND]);
	bool drive = f->intx && !(command & VPCI_COMMAND_NO_INTX);
	unsigned int pin = f->config[VPCI_INT_PIN];

	f->config[VPCI_STATUS] &= (uint8_t)~VPCI_STATUS_INTX;
	f->config[VPCI_STATUS] |= f->intx ? VPCI_STATUS_INTX : 0;
	if (drive != f->driving && pin >= 1 && pin <= 4) {
		f->driving = drive;
		drive_pirq(f->vm->pci, pc_pirq(f->devfn >> 3, pin - 1), drive);
	}
}

void vpci_set_intx(struct vpci_function *f, bool level)
{
	if (level != f->intx) {
		f->intx = level;
		update_intx(f);
	}
}

/* ---- functions ---- */

bool vpci_is_master(const struct vpci_function *f)
{
	return f->config[VPCI_COMMAND] & VPCI_COMMAND_MASTER;
}

void vpci_identify(struct vpci_function *f, uint16_t vendor, uint16_t device, uint32_t class_code,
		   uint8_t revision, uint8_t pin)
{
	bytes_put_le16(&f->config[0x00], vendor);
	bytes_put_le16(&f->config[0x02], device);
	bytes_put_le32(&f->config[0x08], class_code << 8 | revision);
	f->config[VPCI_INT_PIN] = pin;
	f->writable[VPCI_COMMAND] = VPCI_COMMAND_IO | VPCI_COMMAND_MEMORY | VPCI_COMMAND_MASTER;
	f->writable[VPCI_COMMAND + 1] = VPCI_COMMAND_NO_INTX >> 8;
	f->own[VPCI_STATUS] = VPCI_STATUS_INTX;
	f->writable[0x0c] = 0xff; /* cache line size */
	f->writable[0x0d] = 0xff; /* latency timer */
	f->writable[0x3c] = 0xff; /* interrupt line: firmware's notepad */
}

int vpci_add_capability(struct vpci_function *f, const uint8_t *body, unsigned int size)
{
	unsigned int at = f->caps_end ? f->caps_end : VPCI_CAPS_FIRST;
	unsigned int link = VPCI_CAPABILITIES;

	if (size < 2 || at + size > VPCI_CONFIG) {
		return -ENOSPC;
	}
	while (f->config[link]) {
		link = f->config[link] + 1u;
	}
	memcpy(&f->config[at], body, size);
	f->config[at + 1] = 0;
	f->config[link] = (uint8_t)at;
	f->config[VPCI_STATUS] |= VPCI_STATUS_CAPS;
	f->caps_end = (uint8_t)u64_min(ALIGN_UP(at + size, 4u), 0xffu);
	return (int)at;
}

const struct vpci_function *vpci_next(const struct vm *vm, unsigned int devfn)
{
	const struct vpci *p = vm->pci;

	for (; p && devfn < DEVFNS; devfn++) {
		if (p->functions[devfn]) {
			return p->functions[devfn];
		}
	}
	return NULL;
}

int vpci_add(struct vm *vm, unsigned int devfn, struct vpci_function *f)
{
	struct vpci *p = vm->pci;
	int err;

	if (devfn >= DEVFNS) {
		return -EINVAL;
	}
	if (p->functions[devfn]) {
		return -EBUSY;
	}
	f->vm = vm;
	f->devfn = (uint8_t)devfn;
	err = vpci_function_init(f);
	if (!err) {
		p->functions[devfn] = f;
	}
	return err;
}

static bool slot_is_free(const struct vpci *p, unsigned int slot)
{
	for (unsigned int fn = 0; fn < 8; fn++) {
		if (p->functions[VPCI_DEVFN(slot, fn)]) {
			return false;
		}
	}
	return true;
}

int vpci_free_slot(struct vm *vm, unsigned int from)
{
	for (unsigned int slot = from; slot < 32; slot++) {
		if (slot_is_free(vm->pci, slot)) {
			return (int)VPCI_DEVFN(slot, 0u);
		}
	}
	return -ENOSPC;
}

void vpci_reset_function(struct vpci_function *f)
{
	vpci_function_unmap(f);
	memcpy(f->config, f->power_on, VPCI_CONFIG);
	f->intx = false;
	update_intx(f);
}

int vpci_load_function(struct vpci_function *f)
{
	if (!vpci_function_is_valid(f)) {
		return -EINVAL;
	}
	vpci_function_unmap(f);
	vpci_function_map(f);
	update_intx(f);
	return 0;
}

/* ---- configuration mechanism #1 ---- */

static struct vpci_function *addressed(const struct vpci *p)
{
	uint32_t a = p->s.address;

	/* "Configuration Mechanism #1": bit 31, bus 23-16, device 15-11, function 10-8. */
	return (a & CONFIG_ENABLE) && !(a >> 16 & 0xff) ? p->functions[a >> 8 & 0xff] : NULL;
}

static enum io_result data_io(struct vpci *p, struct io_access *a)
{
	struct vpci_function *f = addressed(p);
	unsigned int off = (p->s.address & 0xfcu) + (a->addr & 3u);

	if (!f || off + a->size > VPCI_CONFIG) {
		return IO_UNCLAIMED;
	}
	if (!a->write) {
		a->val = vpci_function_read(f, off, a->size);
		return IO_DONE;
	}
	vpci_function_write(f, off, a->size, (uint32_t)a->val);
	if (off < VPCI_STATUS && off + a->size > VPCI_COMMAND) {
		update_intx(f);
	}
	return IO_DONE;
}

static enum io_result reset_io(struct vpci *p, struct io_access *a)
{
	uint8_t old = p->s.reset_control;

	if (!a->write) {
		a->val = old;
		return IO_DONE;
	}
	p->s.reset_control = a->val & RC_WRITABLE;
	if (p->s.reset_control & ~old & RC_CPU) {
		vm_request_reset(p->vm);
	}
	return IO_DONE;
}

/* CONFIG_ADDRESS is seen by dword accesses only; CF9h by byte accesses only. */
static enum io_result vpci_io(void *dev, struct io_access *a)
{
	struct vpci *p = dev;

	if (a->addr >= CONFIG_DATA) {
		return data_io(p, a);
	}
	if (a->addr == PC_RESET_PORT && a->size == 1) {
		return reset_io(p, a);
	}
	if (a->addr != CONFIG_ADDRESS || a->size != 4) {
		return IO_UNCLAIMED;
	}
	if (a->write) {
		p->s.address = (uint32_t)a->val & CONFIG_BITS;
	} else {
		a->val = p->s.address;
	}
	return IO_DONE;
}

/* ---- the two bridges ---- */

static void make_writable(struct vpci_function *f, unsigned int first, unsigned int last)
{
	memset(&f->writable[first], 0xff, last - first + 1);
}

/* 82441FX data sheet, "PCI Configuration Space Mapped Registers". */
static int add_host_bridge(struct vpci *p)
{
	struct vpci_function *f = &p->host;

	f->config = p->s.host;
	f->name = "host bridge";
	vpci_identify(f, 0x8086, 0x1237, 0x060000, 2, 0);
	f->writable[VPCI_COMMAND] = VPCI_COMMAND_MEMORY; /* it is always master */
	f->config[VPCI_COMMAND] = VPCI_COMMAND_MEMORY | VPCI_COMMAND_MASTER;
	bytes_put_le16(&f->config[VPCI_STATUS], 0x0280);
	make_writable(f, 0x50, 0x58);
	f->config[0x58] = 0x01;	      /* DRAM type */
	f->writable[0x59] = 0xf0;     /* PAM0: its low half is reserved */
	make_writable(f, 0x5a, 0x68); /* PAM1-6, row boundaries, hole */
	make_writable(f, 0x70, 0x71);
	f->config[0x72] = 0x02; /* SMRAM */
	f->writable[0x72] = 0x7f;
	make_writable(f, 0x90, 0x92);
	return vpci_add(p->vm, VPCI_DEVFN(0u, 0u), f);
}

static void isa_written(struct vpci_function *f, unsigned int off, unsigned int size)
{
	if (off < PIRQRC + 4 && off + size > PIRQRC) {
		update_pic(f->vm->pci);
	}
}

/* 82371SB data sheet, "PCI to ISA Bridge Configuration Space Registers". */
static int add_isa_bridge(struct vpci *p)
{
	struct vpci_function *f = &p->isa;

	f->config = p->s.isa;
	f->name = "ISA bridge";
	f->config_written = isa_written;
	vpci_identify(f, 0x8086, 0x7000, 0x060100, 0, 0);
	f->config[VPCI_HEADER] = 0x80; /* more functions in this slot */
	f->writable[VPCI_COMMAND] = 0x08;
	f->config[VPCI_COMMAND] = 0x07;
	bytes_put_le16(&f->config[VPCI_STATUS], 0x0200);
	f->config[0x4c] = 0x4d;
	f->config[0x4e] = 0x03;
	make_writable(f, 0x4c, 0x4f);
	memset(&f->config[PIRQRC], PIRQRC_OFF, 4);
	memset(&f->writable[PIRQRC], PIRQRC_MASK, 4);
	f->config[0x69] = 0x02;
	make_writable(f, 0x69, 0x69);
	f->config[0x70] = 0x80;
	f->config[0x76] = 0x0c;
	f->config[0x77] = 0x0c;
	make_writable(f, 0x70, 0x71);
	make_writable(f, 0x76, 0x79);
	make_writable(f, 0x80, 0x82);
	f->config[0xa0] = 0x08;
	f->config[0xa8] = 0x0f;
	make_writable(f, 0xa0, 0xae);
	return vpci_add(p->vm, VPCI_DEVFN(1u, 0u), f);
}

/* ---- life ---- */

static int vpci_create(struct vm *vm, void *dev)
{
	struct vpci *p = dev;
	int err;

	p->vm = vm;
	vm->pci = p;
	err = add_host_bridge(p);
	err = err ? err : add_isa_bridge(p);
	return err ? err : iobus_claim(&vm->pio, CONFIG_ADDRESS, 8, vpci_io, p);
}

static void vpci_reset(void *dev)
{
	struct vpci *p = dev;

	p->s.address = 0;
	p->s.reset_control = 0;
	for (unsigned int i = 0; i < DEVFNS; i++) {
		if (p->functions[i]) {
			vpci_reset_function(p->functions[i]);
		}
	}
	update_pic(p);
}

static void vpci_destroy(void *dev)
{
	((struct vpci *)dev)->vm->pci = NULL;
}

static int vpci_after_load(void *dev)
{
	struct vpci *p = dev;
	int err;

	if ((p->s.address & ~CONFIG_BITS) || (p->s.reset_control & ~RC_WRITABLE)) {
		return -EINVAL;
	}
	err = vpci_load_function(&p->host);
	err = err ? err : vpci_load_function(&p->isa);
	update_pic(p);
	return err;
}

static const struct vdev_class vpci_class = {
	.name = "pci",
	.stage = VDEV_CONTROLLER,
	.size = sizeof(struct vpci),
	.create = vpci_create,
	.reset = vpci_reset,
	.destroy = vpci_destroy,
	.state_offset = offsetof(struct vpci, s),
	.state_size = sizeof(struct vpci_state),
	.state_version = 1,
	.after_load = vpci_after_load,
};
VDEV_REGISTER(vpci_class);
