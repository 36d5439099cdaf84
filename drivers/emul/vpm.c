/* SPDX-License-Identifier: BSD-2-Clause */
/* Power management of the PIIX4, function 3 of the ISA bridge: ACPI fixed registers, PM timer, */
/* power button, power-off, and the APM ports that switch ACPI on. There is no SMM. */
#include "drivers/emul/vpm.h"
#include "arch/clock.h"
#include "drivers/emul/isa.h"
#include "drivers/emul/vpci.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* 82371AB data sheet, "Power Management PCI Configuration Registers" */
#define CFG_PMBA      0x40u
#define CFG_PMBA_MASK 0xffc0u
#define CFG_PMREGMISC 0x80u /* bit 0: the block is decoded */
#define CFG_DEVACTB   0x58u
#define PM_SIZE	      0x40u

/* "Power Management I/O Space Registers" */
enum {
	PM_STATUS = 0x00,
	PM_ENABLE = 0x02,
	PM_CONTROL = 0x04,
	PM_TMR = 0x08,
	PM_TMR_END = 0x0c,
	PM_GP_STATUS = 0x0c,
	PM_GP_ENABLE = 0x0e,
	PM_GLOBAL_STATUS = 0x18,
	PM_DEVICE_STATUS = 0x1c,
};

#define TMR_BIT	    0x0001u /* of PM_STATUS and PM_ENABLE */
#define PWRBTN_BIT  0x0100u
#define STATUS_ALL  0x8d31u /* TMR, BM, GBL, PWRBTN, RTC, reserved 11, WAK */
#define ENABLE_ALL  0x0521u /* TMR, GBL, PWRBTN, RTC */
#define CONTROL_ALL 0x1c03u /* SCI_EN, BRLD_EN, SUS_TYP; SUS_EN and GBL_RLS read 0 */
#define SCI_EN	    0x0001u
#define SUS_EN	    0x2000u
#define SUS_TYP(c)  ((c) >> 10 & 7u)

#define TMR_MASK (BIT(PC_PM_TIMER_BITS) - 1)
#define TMR_HALF (PC_PM_TIMER_BITS - 1) /* the bit whose change sets TMR_STS */

#define TIME_MAX (1ull << 60)

struct vpm_state {
	uint64_t base; /* PM timer's zero, in its own units since power-on */
	uint64_t saved_at;
	uint64_t half; /* half periods of the timer that were accounted */
	uint16_t status;
	uint16_t enable;
	uint16_t control;
	uint8_t regs[PM_SIZE]; /* what else is in the block: storage */
	uint8_t apm[2];
	uint8_t config[VPCI_CONFIG];
};

struct vpm {
	struct vm *vm;
	struct timer timer;
	struct vpci_function pci;
	uint64_t claimed; /* port the block is claimed at, 0 if it is not */
	bool sci;
	struct vpm_state s;
};

/* ---- timer and SCI ---- */

static uint64_t tmr_now(const struct vpm *p)
{
	return isa_ticks_to_units(clock_now(), PC_PM_TIMER_HZ) - p->s.base;
}

/* "PM1 Status": TMR_STS is set whenever the top bit of the timer changes. */
static void account_timer(struct vpm *p)
{
	uint64_t half = tmr_now(p) >> TMR_HALF;

	if (half != p->s.half) {
		p->s.half = half;
		p->s.status |= TMR_BIT;
	}
}

/* The alarm is needed only while the change would interrupt. */
static void arm(struct vpm *p)
{
	uint64_t next = ((p->s.half + 1) << TMR_HALF) + p->s.base;

	if ((p->s.enable & TMR_BIT) && !(p->s.status & TMR_BIT) && (p->s.control & SCI_EN)) {
		timer_set(&p->timer, isa_units_to_ticks(next, PC_PM_TIMER_HZ));
	} else {
		timer_cancel(&p->timer);
	}
}

static void update_sci(struct vpm *p)
{
	bool sci = (p->s.control & SCI_EN) && (p->s.status & p->s.enable);

	if (sci != p->sci) {
		p->sci = sci;
		virq_set_line(p->vm, PC_SCI_IRQ, sci);
	}
}

static void update(struct vpm *p)
{
	account_timer(p);
	arm(p);
	update_sci(p);
}

static void vpm_fire(struct timer *t)
{
	struct vpm *p = container_of(t, struct vpm, timer);

	spin_lock(&p->vm->dev_lock);
	update(p);
	spin_unlock(&p->vm->dev_lock);
}

/* ---- the block at PMBASE ---- */

static void write_control(struct vpm *p, uint16_t val)
{
	p->s.control = val & CONTROL_ALL;
	if (!(val & SUS_EN)) {
		return;
	}
	if (SUS_TYP(val) == PC_PM_S5_TYPE) {
		vm_poweroff(p->vm);
	} else {
		vm_log(p->vm, "sleep type %u is not offered: the guest stays awake", SUS_TYP(val));
	}
}

static uint16_t *word_at(struct vpm *p, unsigned int off)
{
	switch (off & ~1u) {
	case PM_STATUS:
		return &p->s.status;
	case PM_ENABLE:
		return &p->s.enable;
	case PM_CONTROL:
		return &p->s.control;
	default:
		return NULL;
	}
}

static uint8_t vpm_read(void *dev, uint16_t port)
{
	struct vpm *p = dev;
	unsigned int off = port & (PM_SIZE - 1);
	const uint16_t *word = word_at(p, off);

	return word ? (uint8_t)(*word >> 8 * (off & 1)) : p->s.regs[off];
}

/* Registers of status bits that nothing here ever sets. */
static bool is_idle_status(unsigned int off)
{
	return off == PM_GP_STATUS || off == PM_GP_STATUS + 1 ||
	       (off >= PM_GLOBAL_STATUS && off < PM_DEVICE_STATUS + 4);
}

static void vpm_write(void *dev, uint16_t port, uint8_t val)
{
	struct vpm *p = dev;
	unsigned int off = port & (PM_SIZE - 1);
	unsigned int shift = 8 * (off & 1);
	unsigned int bits = (unsigned int)val << shift;

	switch (off & ~1u) {
	case PM_STATUS:
		p->s.status &= (uint16_t)~bits;
		break;
	case PM_ENABLE:
		p->s.enable = (uint16_t)((p->s.enable & ~(0xffu << shift)) | bits) & ENABLE_ALL;
		break;
	case PM_CONTROL:
		write_control(p, (uint16_t)((p->s.control & ~(0xffu << shift)) | bits));
		break;
	default:
		if (!is_idle_status(off) && (off < PM_TMR || off >= PM_TMR_END)) {
			p->s.regs[off] = val;
		}
		break;
	}
}

static enum io_result vpm_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vpm_read, .write = vpm_write };
	struct vpm *p = dev;

	account_timer(p);
	if (a->write) {
		isa_access(p, a, &ops);
		update(p);
		return IO_DONE;
	}
	bytes_put_le32(&p->s.regs[PM_TMR], (uint32_t)(tmr_now(p) & TMR_MASK));
	return isa_access(p, a, &ops);
}

static void unclaim(struct vpm *p)
{
	if (p->claimed) {
		iobus_release(&p->vm->pio, p->claimed, p);
		p->claimed = 0;
	}
}

/* Claims the block where the configuration says. */
static void relocate(struct vpm *p)
{
	uint64_t base = bytes_get_le16(&p->s.config[CFG_PMBA]) & CFG_PMBA_MASK;

	if (!(p->s.config[CFG_PMREGMISC] & 1)) {
		base = 0;
	}
	if (base == p->claimed) {
		return;
	}
	unclaim(p);
	if (base && iobus_claim(&p->vm->pio, base, PM_SIZE, vpm_io, p) == 0) {
		p->claimed = base;
	} else if (base) {
		vm_log(p->vm, "ports 0x%lx are taken: power management is off", base);
	}
}

static void vpm_config_written(struct vpci_function *f, unsigned int off UNUSED,
			       unsigned int size UNUSED)
{
	relocate(f->dev);
}

/* ---- APM ports ---- */

static uint8_t vpm_read_apm(void *dev, uint16_t port)
{
	return ((struct vpm *)dev)->s.apm[port & 1];
}

/* What a BIOS does in SMM when the OS writes ACPI_ENABLE or ACPI_DISABLE to SMI_CMD. */
static void vpm_write_apm(void *dev, uint16_t port, uint8_t val)
{
	struct vpm *p = dev;

	p->s.apm[port & 1] = val;
	if (port != PC_SMI_CMD) {
		return;
	}
	if (val == PC_SMI_ACPI_ENABLE) {
		p->s.control |= SCI_EN;
	} else if (val == PC_SMI_ACPI_DISABLE) {
		p->s.control &= (uint16_t)~SCI_EN;
	}
	update(p);
}

static enum io_result vpm_apm_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vpm_read_apm, .write = vpm_write_apm };

	return isa_access(dev, a, &ops);
}

/* ---- life ---- */

static void init_config(struct vpm *p)
{
	struct vpci_function *f = &p->pci;

	f->config = p->s.config;
	f->name = "PIIX4 PM";
	f->dev = p;
	f->config_written = vpm_config_written;
	vpci_identify(f, 0x8086, 0x7113, 0x068000, 3, 1);
	f->writable[VPCI_COMMAND] = VPCI_COMMAND_IO;
	f->config[VPCI_COMMAND] = VPCI_COMMAND_IO;
	bytes_put_le16(&f->config[VPCI_STATUS], 0x0280);
	f->config[0x3c] = PC_SCI_IRQ;
	bytes_put_le32(&f->config[CFG_PMBA], PC_PM_BASE | 1u);
	bytes_put_le16(&f->writable[CFG_PMBA], CFG_PMBA_MASK);
	memset(&f->writable[0x44], 0xff, 0x80 - 0x44); /* activity counters, monitors, decodes */
	f->config[CFG_PMREGMISC] = 1;
	f->writable[CFG_PMREGMISC] = 1;
	/* APMC_EN already set tells SeaBIOS that SMM was set up: there is none. */
	bytes_put_le32(&f->config[CFG_DEVACTB], 1u << 25);
}

static int vpm_create(struct vm *vm, void *dev)
{
	struct vpm *p = dev;
	int err;

	p->vm = vm;
	timer_init(&p->timer, vpm_fire);
	init_config(p);
	err = vpci_add(vm, VPCI_DEVFN(1u, 3u), &p->pci);
	return err ? err : iobus_claim(&vm->pio, PC_SMI_CMD, 2, vpm_apm_io, p);
}

static void vpm_reset(void *dev)
{
	struct vpm *p = dev;

	timer_cancel(&p->timer);
	vpci_reset_function(&p->pci); /* the configuration is part of the state: restored here */
	p->s.base = isa_ticks_to_units(clock_now(), PC_PM_TIMER_HZ);
	p->s.half = 0;
	p->s.status = 0;
	p->s.enable = 0;
	p->s.control = 0;
	memset(p->s.regs, 0, sizeof(p->s.regs));
	memset(p->s.apm, 0, sizeof(p->s.apm));
	p->sci = false;
	virq_set_line(p->vm, PC_SCI_IRQ, false);
	relocate(p);
}

static void vpm_destroy(void *dev)
{
	timer_destroy(&((struct vpm *)dev)->timer);
}

static void vpm_before_save(void *dev)
{
	struct vpm *p = dev;

	account_timer(p);
	p->s.saved_at = isa_ticks_to_units(clock_now(), PC_PM_TIMER_HZ);
}

static int vpm_after_load(void *dev)
{
	struct vpm *p = dev;
	struct vpm_state *s = &p->s;

	/* base may lie before the start of a host that the VM was brought to: only the span counts. */
	if (s->saved_at - s->base > TIME_MAX || s->saved_at > TIME_MAX ||
	    (s->status & ~STATUS_ALL) || (s->enable & ~ENABLE_ALL) || (s->control & ~CONTROL_ALL) ||
	    s->half > (s->saved_at - s->base) >> TMR_HALF || vpci_load_function(&p->pci)) {
		return -EINVAL;
	}
	s->base += isa_ticks_to_units(clock_now(), PC_PM_TIMER_HZ) - s->saved_at;
	p->sci = false;
	virq_set_line(p->vm, PC_SCI_IRQ, false);
	relocate(p);
	update(p);
	return 0;
}

static const struct vdev_class vpm_class = {
	.name = "pm",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vpm),
	.create = vpm_create,
	.reset = vpm_reset,
	.destroy = vpm_destroy,
	.state_offset = offsetof(struct vpm, s),
	.state_size = sizeof(struct vpm_state),
	.state_version = 1,
	.before_save = vpm_before_save,
	.after_load = vpm_after_load,
};
VDEV_REGISTER(vpm_class);

/* ---- the button ---- */

void vm_press_power_button(struct vm *vm)
{
	struct list_node *it;

	spin_lock(&vm->dev_lock);
	list_for_each (it, &vm->devices) {
		const struct vdev *d = container_of(it, struct vdev, node);

		if (d->cls == &vpm_class) {
			struct vpm *p = d->dev;

			p->s.status |= PWRBTN_BIT;
			update_sci(p);
		}
	}
	spin_unlock(&vm->dev_lock);
}
