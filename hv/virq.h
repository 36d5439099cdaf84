/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual interrupts between devices, interrupt controllers and local APICs of one VM. */
/* A switchboard only: the chips (PIC, IO-APIC, local APIC) plug in their functions. */
#ifndef HV_VIRQ_H
#define HV_VIRQ_H

#include "hv/lib/types.h"

struct vm;
struct vcpu;

#define VIRQ_GSIS 24u

enum virq_mode { /* SDM Vol. 3A, "Interrupt Command Register (ICR)", delivery mode */
		 VIRQ_FIXED = 0,
		 VIRQ_LOWEST = 1,
		 VIRQ_SMI = 2,
		 VIRQ_NMI = 4,
		 VIRQ_INIT = 5,
		 VIRQ_STARTUP = 6,
		 VIRQ_EXTINT = 7,
};

struct virq_msg {
	uint32_t dest; /* APIC ID, or logical destination; all ones (8 bits, or 32) broadcasts */
	uint8_t vector;
	uint8_t mode; /* enum virq_mode */
	bool wide;    /* dest has 32 bits: an x2APIC's */
	bool logical;
	bool level; /* level-triggered: the local APIC reports its EOI */
};

struct virq_chip_ops {
	/* Input pin changes; called with the devices' lock held. */
	void (*set_line)(void *chip, unsigned int pin, bool level);
	/* PIC: the CPU acknowledges: returns the vector. IO-APIC: unused. Devices' lock held. */
	uint8_t (*acknowledge)(void *chip);
	/* IO-APIC: a level-triggered vector was EOIed. PIC: unused. Devices' lock held. */
	void (*eoi)(void *chip, uint8_t vector);
	/* An edge on this pin was sent on and no CPU has taken it yet. Devices' lock held. */
	bool (*waits)(void *chip, unsigned int pin);
};

struct virq {
	const struct virq_chip_ops *pic_ops;
	void *pic;
	const struct virq_chip_ops *ioapic_ops;
	void *ioapic;
	bool pic_output; /* INTR pin of the master PIC */
};

/* The local APICs, arch/x86/hvm/vlapic: the same functions for every VM. */
struct virq_lapic_ops {
	void (*send)(struct vm *vm, const struct virq_msg *msg);
	/* The PIC's INTR pin, wired to LINT0. Devices' lock held. */
	void (*pic_output)(struct vm *vm, bool level);
	/* A fixed message's vector is still requested, not in service, at a local APIC it is for. */
	bool (*waits)(struct vm *vm, const struct virq_msg *msg);
};
void virq_set_lapic_ops(const struct virq_lapic_ops *ops);

/*
 * A device drives its interrupt line: an ISA irq number or PCI GSI. ISA irq 0 reaches the IO-APIC
 * as pin 2, as the MADT we give says. Devices' lock held.
 */
void virq_set_line(struct vm *vm, unsigned int gsi, bool level);
/* For edges: up and down. */
void virq_pulse_line(struct vm *vm, unsigned int gsi);
/* The last edge still waits to be taken: another one now would be lost. Devices' lock held. */
bool virq_line_waits(struct vm *vm, unsigned int gsi);
/* As virq_line_waits, for what virq_send sent. */
bool virq_msg_waits(struct vm *vm, const struct virq_msg *msg);
/* The PIC's INTR output changes: kicks the vCPU whose LINT0 takes it. */
void virq_set_pic_output(struct vm *vm, bool level);
/* Sends a message (from the IO-APIC, an MSI or an IPI) to the local APICs. Any lock below LOCK_VIRQ. */
void virq_send(struct vm *vm, const struct virq_msg *msg);
/* An MSI write: decodes address and data as in SDM Vol. 3A, "Message Signalled Interrupts". */
void virq_send_msi(struct vm *vm, uint64_t address, uint32_t data);
/* The guest ended a level-triggered interrupt. Takes the devices' lock: call without it. */
void virq_eoi(struct vm *vm, uint8_t vector);
/* The vCPU takes the PIC's interrupt: its vector. Takes the devices' lock. */
uint8_t virq_acknowledge_pic(struct vm *vm);

#endif
