/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0 of a VM: functions with configuration space, BARs that move, and INTx pins. */
/* Message-signalled interrupts and capabilities are the devices' own. */
#ifndef DRIVERS_EMUL_VPCI_H
#define DRIVERS_EMUL_VPCI_H

#include "hv/iobus.h"

struct vm;
struct vpci_function;
struct vpci_msi;
struct vpci_msix;

#define VPCI_BARS	     6u
#define VPCI_CONFIG	     256u
#define VPCI_DEVFN(slot, fn) ((slot) << 3 | (fn))

/* PCI Local Bus Specification 3.0, "Configuration Space Organization" */
#define VPCI_COMMAND	     0x04u
#define VPCI_COMMAND_IO	     0x01u
#define VPCI_COMMAND_MEMORY  0x02u
#define VPCI_COMMAND_MASTER  0x04u
#define VPCI_COMMAND_NO_INTX 0x400u
#define VPCI_STATUS	     0x06u
#define VPCI_STATUS_INTX     0x08u
#define VPCI_STATUS_CAPS     0x10u
#define VPCI_HEADER	     0x0eu
#define VPCI_BAR0	     0x10u
#define VPCI_SUBSYSTEM	     0x2cu
#define VPCI_CAPABILITIES    0x34u
#define VPCI_INT_PIN	     0x3du

struct vpci_bar {
	uint64_t size; /* a power of two, at least 4 (ports) or 16; 0: there is none */
	bool io;
	bool is64; /* takes the next BAR's place as well */
	bool prefetch;
	io_fn_t *fn; /* a->addr is the offset into the BAR; the devices' lock is held */
	void *dev;
	/* vpci's own: */
	uint64_t base; /* where it is claimed */
	bool mapped;
	struct vpci_function *f;
};

struct vpci_function {
	uint8_t *config;	       /* 256 bytes in the device's saved state */
	uint8_t writable[VPCI_CONFIG]; /* bits that a guest's write changes */
	uint8_t clear[VPCI_CONFIG];    /* bits that writing 1 clears */
	uint8_t own[VPCI_CONFIG];      /* bits that change by themselves */
	struct vpci_bar bar[VPCI_BARS];
	/* Both may be NULL. Before config[off, off + size) is read; after it was written. */
	void (*config_read)(struct vpci_function *f, unsigned int off, unsigned int size);
	void (*config_written)(struct vpci_function *f, unsigned int off, unsigned int size);
	/* NULL or: a BAR was mapped at bar[i].base, or unmapped. */
	void (*bar_moved)(struct vpci_function *f, unsigned int i);
	void *dev;
	const char *name;	/* for `vm info`; NULL: its numbers only */
	struct vpci_msi *msi;	/* NULL: none */
	struct vpci_msix *msix; /* NULL: none */
	/* vpci's own: */
	struct vm *vm;
	uint8_t devfn;
	uint8_t caps_end; /* where the next capability goes; 0: at the start */
	bool intx;	  /* pin as the device drives it */
	bool driving;	  /* … and as it reaches the router */
	uint8_t power_on[VPCI_CONFIG];
};

/* Fills in vendor, device, class (24 bits), revision, pin (0: none, 1: INTA …) and command's mask. */
void vpci_identify(struct vpci_function *f, uint16_t vendor, uint16_t device, uint32_t class_code,
		   uint8_t revision, uint8_t pin);
/*
 * Before vpci_add: appends a capability (its ID in body[0], the link in body[1] is filled in). Its
 * offset in config, or -ENOSPC.
 */
int vpci_add_capability(struct vpci_function *f, const uint8_t *body, unsigned int size);
/*
 * Puts f on the bus: config holds its power-on contents, bar[] what it decodes (BAR bits of config
 * and writable are filled in here). From create() of a VDEV_CHIP. -EINVAL (devfn, BARs), -EBUSY.
 */
int vpci_add(struct vm *vm, unsigned int devfn, struct vpci_function *f);
/* The first slot from `from` on without any function: a devfn, or -ENOSPC. */
int vpci_free_slot(struct vm *vm, unsigned int from);
/* The first function from devfn on, or NULL. Devices' lock held. */
const struct vpci_function *vpci_next(const struct vm *vm, unsigned int devfn);
/* Power-on contents, BARs unmapped, pin released: from the device's reset(). */
void vpci_reset_function(struct vpci_function *f);
/* After the device's state was loaded: checks config and maps the BARs. -EINVAL */
int vpci_load_function(struct vpci_function *f);

/* Drives f's interrupt pin. Devices' lock held. */
void vpci_set_intx(struct vpci_function *f, bool level);
/* May f read and write memory by itself? */
bool vpci_is_master(const struct vpci_function *f);

#endif
