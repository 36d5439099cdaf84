/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device's PCI function (testdev = true): interrupts when its driver asks for them, by plain */
/* MSI or by pin. The only function here with plain MSI: virtio knows INTx and MSI-X. */
#include "drivers/emul/vpci_msi.h"
#include "hv/lib/errno.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define VENDOR	0x1234u /* the PCI-SIG's list has nobody there */
#define DEVICE	0x7e57u
#define CLASS	0xff0000u /* "Device does not fit in any defined classes" */
#define SLOT	30u
#define VECTORS 4u

/* Ports: a write of a vector's number raises that; a read takes the causes by pin, and the pin back. */
#define PORTS_SIZE 4u

struct vtest_pci_state {
	uint8_t config[VPCI_CONFIG];
	uint8_t causes; /* of the pin, by bit */
	uint8_t reserved[7];
};

struct vtest_pci {
	struct vpci_function f;
	struct vpci_msi msi;
	struct vtest_pci_state s;
};

static void update_pin(struct vtest_pci *t)
{
	vpci_set_intx(&t->f, t->s.causes && !vpci_msi_is_enabled(&t->msi));
}

static enum io_result ports(void *dev, struct io_access *a)
{
	struct vtest_pci *t = dev;

	if (a->addr != 0 || a->size != 4) {
		return IO_UNCLAIMED;
	}
	if (!a->write) {
		a->val = t->s.causes;
		t->s.causes = 0;
	} else if (vpci_msi_is_enabled(&t->msi)) {
		vpci_msi_raise(&t->msi, (unsigned int)u64_min(a->val, VECTORS));
	} else if (a->val < VECTORS) {
		t->s.causes |= (uint8_t)(1u << a->val);
	}
	update_pin(t);
	return IO_DONE;
}

static void config_written(struct vpci_function *f, unsigned int off UNUSED,
			   unsigned int size UNUSED)
{
	struct vtest_pci *t = f->dev;

	vpci_msi_config_written(&t->msi);
	update_pin(t);
}

static bool wanted(const struct vm_config *cfg)
{
	return cfg->testdev;
}

static int create(struct vm *vm, void *dev)
{
	struct vtest_pci *t = dev;
	int err;

	t->f.config = t->s.config;
	t->f.dev = t;
	t->f.name = "test device";
	t->f.config_written = config_written;
	vpci_identify(&t->f, VENDOR, DEVICE, CLASS, 0, 1);
	t->f.bar[0] = (struct vpci_bar){ .size = PORTS_SIZE, .io = true, .fn = ports, .dev = t };
	err = vpci_msi_init(&t->msi, &t->f, VECTORS);
	return err ? err : vpci_add(vm, VPCI_DEVFN(SLOT, 0u), &t->f);
}

static void reset(void *dev)
{
	struct vtest_pci *t = dev;

	t->s.causes = 0;
	vpci_reset_function(&t->f);
}

static int after_load(void *dev)
{
	struct vtest_pci *t = dev;
	int err = t->s.causes >> VECTORS ? -EINVAL : vpci_load_function(&t->f);

	if (!err) {
		update_pin(t);
	}
	return err;
}

static const struct vdev_class vtest_pci_class = {
	.name = "test-pci",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vtest_pci),
	.wanted = wanted,
	.create = create,
	.reset = reset,
	.state_offset = offsetof(struct vtest_pci, s),
	.state_size = sizeof(struct vtest_pci_state),
	.state_version = 1,
	.after_load = after_load,
};
VDEV_REGISTER(vtest_pci_class);
