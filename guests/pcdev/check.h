/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of one behaviour of one chip, as a row; main.c runs the tables of rows. */
/* A row says true when the chip did what its data sheet says. */
#ifndef GUESTS_PCDEV_CHECK_H
#define GUESTS_PCDEV_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct check {
	const char *name;
	bool (*run)(void);
};

struct check_table {
	unsigned int count;
	const struct check *rows;
};

extern const struct check_table check_irq, check_isa, check_pci, check_tables, check_x2apic;

/* NULL without the test device. */
const struct check_table *check_msi(void);

/* PCI configuration mechanism #1: function is what CONFIG_ADDRESS takes, without the register. */
uint32_t check_config_read(uint32_t function, uint32_t reg);
void check_config_write(uint32_t function, uint32_t reg, uint32_t val);

/* Prints why, and is false. */
#define CHECK_FAIL(...) (print(__VA_ARGS__), print("\n"), false)

/* Counts interrupts at a vector from now on; each is acknowledged at the local APIC (and PIC). */
void check_count(unsigned int vector);
unsigned int check_counted(void);

/* Halts until an interrupt was counted; false if a tenth of a second of PIT time brought none. */
bool check_wait(unsigned int number);

#endif
