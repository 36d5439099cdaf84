/* SPDX-License-Identifier: BSD-2-Clause */
/* AHCI controllers: finds the ports with a disk and lists the disks. */
/* Registers of a port are ahci_port.c's; CD drives and port multipliers stay alone. */
#include "drivers/host/ahci.h"

#include "drivers/host/host_pci.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define CLASS_AHCI  0x010601u
#define BAR_HBA	    5u
#define PORTS	    32u
#define PORTS_USUAL 6u

/* "Serial ATA AHCI" 1.3.1, "Generic Host Control" */
#define HBA_CAP	      (0x00u / 4)
#define HBA_GHC	      (0x04u / 4)
#define HBA_IS	      (0x08u / 4)
#define HBA_PI	      (0x0cu / 4)
#define HBA_SIZE      0x100u
#define CAP_WIDE      0x80000000u
#define CAP_QUEUES    0x40000000u /* "Supports Native Command Queuing" */
#define CAP_SLOTS(c)  (((c) >> 8 & 0x1f) + 1)
#define GHC_RESET     0x00000001u
#define GHC_INTERRUPT 0x00000002u
#define GHC_AHCI      0x80000000u

#define RESET_NS 1000000000ul /* a second, says "HBA Reset" */
#define POLL_NS	 1000000ul

#define UNQUEUED_MAX 3u

struct ahci {
	volatile uint32_t *regs;
	unsigned int count;		/* of ports whose registers are mapped */
	struct ahci_port *ports[PORTS]; /* NULL: no disk */
};

/* First the ports' causes, then the controller's: "Interrupts", the order in which they are cleared. */
static void on_irq(void *arg)
{
	struct ahci *a = arg;
	uint32_t asked = a->regs[HBA_IS];

	for (unsigned int i = 0; asked >> i != 0; i++) {
		if ((asked >> i & 1) != 0 && a->ports[i] != NULL) {
			ahci_port_irq(a->ports[i]);
		}
		if (i == PORTS - 1) {
			break;
		}
	}
	a->regs[HBA_IS] = asked;
}

static int reset(struct ahci *a)
{
	a->regs[HBA_GHC] = GHC_AHCI;
	a->regs[HBA_GHC] = GHC_AHCI | GHC_RESET;
	for (uint64_t waited = 0; (a->regs[HBA_GHC] & GHC_RESET) != 0; waited += POLL_NS) {
		if (waited > RESET_NS) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
	a->regs[HBA_GHC] = GHC_AHCI;
	return 0;
}

/* Reads and writes are queued where controller and disk take enough, and the disk has not failed to. */
static bool queues(const struct ata_disk *d, const struct ahci_port *p)
{
	return p->queues && d->id.queue >= DISK_SLOTS &&
	       __atomic_load_n(&p->unqueued, __ATOMIC_RELAXED) < UNQUEUED_MAX;
}

static int run_on_port(struct ata_disk *d, const struct disk_job *j, const char **why)
{
	struct ahci_port *p = d->port;
	bool queued = queues(d, p);
	int err = ahci_port_run(p, j, queued, why);

	if (queued && !queues(d, p) && !__atomic_exchange_n(&p->told, true, __ATOMIC_RELAXED)) {
		log_printf(LOG_HOST, "%s: does not answer what is queued: nothing is any more",
			   d->disk.name);
	}
	return err;
}

static void add_disk(struct host_pci_dev *pci, struct ahci_port *p)
{
	const struct ata_command identify = { .code = ATA_IDENTIFY_DEVICE };
	uint8_t raw[ATA_IDENTIFY_SIZE];
	const struct block_vec v = { raw, sizeof(raw) };
	const struct disk_job j = {
		.command = &identify, .v = &v, .n = 1, .bytes = sizeof(raw), .reads = true
	};
	struct ata_disk *d = heap_alloc(sizeof(*d));
	const char *why;

	if (d == NULL) {
		return;
	}
	d->run = run_on_port;
	d->port = p;
	d->disk.pci = pci;
	if (ahci_port_run(p, &j, false, &why) != 0 || ata_disk_add(d, raw, "ahci") != 0) {
		heap_free(d);
	}
}

/* A port without a disk gives its memory back. */
static void probe_port(struct ahci *a, struct host_pci_dev *pci, unsigned int i)
{
	struct ahci_port *p = heap_alloc(sizeof(*p));

	if (p == NULL) {
		return;
	}
	p->wide = (a->regs[HBA_CAP] & CAP_WIDE) != 0;
	p->queues =
		(a->regs[HBA_CAP] & CAP_QUEUES) != 0 && CAP_SLOTS(a->regs[HBA_CAP]) >= DISK_SLOTS;
	p->regs = a->regs + (HBA_SIZE + i * AHCI_PORT_SIZE) / sizeof(*p->regs);
	if (ahci_port_start(p) != 0) {
		ahci_port_free(p);
		heap_free(p);
		return;
	}
	a->ports[i] = p;
	add_disk(pci, p);
}

/* For all ports, or for as many as there usually are; what the controller says of more is not believed. */
static int map(struct ahci *a, struct host_pci_dev *pci)
{
	a->count = PORTS;
	a->regs = host_pci_bar_map(pci, BAR_HBA, HBA_SIZE + PORTS * AHCI_PORT_SIZE);
	if (a->regs == NULL) {
		a->count = PORTS_USUAL;
		a->regs = host_pci_bar_map(pci, BAR_HBA, HBA_SIZE + PORTS_USUAL * AHCI_PORT_SIZE);
	}
	return a->regs != NULL ? 0 : -ENODEV;
}

static int ahci_probe(struct host_pci_dev *pci)
{
	struct ahci *a = heap_alloc(sizeof(*a));
	int err;

	if (a == NULL) {
		return -ENOMEM;
	}
	err = map(a, pci);
	if (err != 0) {
		heap_free(a);
		return err;
	}
	host_pci_enable(pci);
	err = reset(a);
	if (err == 0) {
		err = host_pci_irq_request(pci, on_irq, a);
	}
	if (err != 0) {
		return err; /* the interrupt's handler may keep a */
	}
	a->regs[HBA_GHC] = GHC_AHCI | GHC_INTERRUPT;
	for (unsigned int i = 0; i < a->count; i++) {
		if ((a->regs[HBA_PI] >> i & 1) != 0) {
			probe_port(a, pci, i);
		}
	}
	return 0;
}

static bool ahci_match(const struct host_pci_dev *pci)
{
	return pci->class == CLASS_AHCI;
}

static const struct host_pci_driver ahci_driver = {
	.name = "ahci",
	.match = ahci_match,
	.probe = ahci_probe,
};
HOST_PCI_REGISTER(ahci_driver);
