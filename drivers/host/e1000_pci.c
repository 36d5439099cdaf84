/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the network cards that e1000.c drives, gives them their registers and interrupt, offers them. */
/* Knows no register of theirs. */
#include "drivers/host/e1000.h"
#include "drivers/host/host_pci.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"

#define INTEL 0x8086u

/* "Device and Vendor IDs": those of the family with the same registers and no quirks of the copper side. */
static const uint16_t devices[] = {
	0x100e, /* 82540EM */
	0x100f, /* 82545EM */
	0x1004, /* 82543GC */
};

static bool match(const struct host_pci_dev *d)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
		if (d->vendor == INTEL && d->device == devices[i]) {
			return true;
		}
	}
	return false;
}

/* From here on it stays, whatever the interrupt: without one its thread looks after it. */
static void connect(struct host_pci_dev *d, struct e1000 *e)
{
	int err = host_pci_irq_request(d, e1000_interrupt, e);

	if (err == 0) {
		e1000_use_interrupt(e);
	} else {
		log_printf(LOG_HOST, "%s: no interrupt (%s): looked after every 2 ms", e->port.name,
			   errno_text(err));
	}
}

/* Its rings are the device's from now on: it is never freed, even if nobody gets it. */
static int offer(struct host_pci_dev *d, struct e1000 *e)
{
	int err = netport_offer(&e->port, &e1000_nic_ops);

	err = err != 0 ? err : e1000_run(e);
	if (err == 0) {
		connect(d, e);
		log_printf(LOG_INFO, "%s: e1000, %02x:%02x:%02x:%02x:%02x:%02x", e->port.name,
			   e->port.mac[0], e->port.mac[1], e->port.mac[2], e->port.mac[3],
			   e->port.mac[4], e->port.mac[5]);
	}
	return err;
}

static int probe(struct host_pci_dev *d)
{
	volatile void *regs = host_pci_bar_map(d, 0, E1000_BAR_SIZE);
	struct e1000 *e = regs != NULL ? heap_alloc(sizeof(*e)) : NULL;
	int err;

	if (e == NULL) {
		return regs != NULL ? -ENOMEM : -ENODEV;
	}
	host_pci_enable(d);
	err = e1000_init(e, regs);
	if (err != 0) {
		heap_free(e);
		return err;
	}
	return offer(d, e);
}

static const struct host_pci_driver e1000 = { .name = "e1000", .match = match, .probe = probe };
HOST_PCI_REGISTER(e1000);
