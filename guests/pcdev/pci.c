/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of PCI configuration space and of the PIIX4's power management behind it. */
/* Knows the functions of an i440FX board; there may be more. */
#include "guests/lib/cpu.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/pcdev/check.h"

#define ADDRESS	    0xcf8
#define DATA	    0xcfc
#define HOST_BRIDGE 0x80000000u
#define ISA_BRIDGE  0x80000800u
#define POWER	    0x80000b00u
#define PM_HZ	    3579545u
#define MS	    (PIT_HZ / 1000)

uint32_t check_config_read(uint32_t function, uint32_t reg)
{
	pio_out32(ADDRESS, function | reg);
	return pio_in32(DATA);
}

void check_config_write(uint32_t function, uint32_t reg, uint32_t val)
{
	pio_out32(ADDRESS, function | reg);
	pio_out32(DATA, val);
}

static bool pci_address(void)
{
	pio_out32(ADDRESS, 0x80001234);
	return pio_in32(ADDRESS) == 0x80001234;
}

static bool pci_identities(void)
{
	return check_config_read(HOST_BRIDGE, 0) == 0x12378086 &&
	       check_config_read(ISA_BRIDGE, 0) == 0x70008086 &&
	       check_config_read(POWER, 0) == 0x71138086;
}

static bool pci_absent(void)
{
	return check_config_read(0x8000f800, 0) == 0xffffffff &&
	       check_config_read(0x80ff0000, 0) == 0xffffffff;
}

static bool pci_sizes(void)
{
	(void)check_config_read(HOST_BRIDGE, 0);
	return pio_in16(DATA) == 0x8086 && pio_in16(DATA + 2) == 0x1237 && pio_in8(DATA) == 0x86 &&
	       pio_in8(DATA + 3) == 0x12;
}

static bool pci_read_only(void)
{
	pio_out32(ADDRESS, HOST_BRIDGE);
	pio_out32(DATA, 0);
	return check_config_read(HOST_BRIDGE, 0) == 0x12378086 &&
	       (check_config_read(HOST_BRIDGE, 8) >> 16) == 0x0600;
}

/* Without the enable bit the data port is no configuration space. */
static bool pci_disabled(void)
{
	pio_out32(ADDRESS, HOST_BRIDGE & 0x7fffffff);
	return pio_in32(DATA) != 0x12378086;
}

static uint16_t pm_base(void)
{
	return (uint16_t)(check_config_read(POWER, 0x40) & 0xffc0);
}

/* 24 or 32 bits at 3.579545 MHz, against the PIT. The spin may take longer, not shorter. */
static bool pm_timer(void)
{
	uint32_t first = pio_in32((uint16_t)(pm_base() + 8)), ticks;

	(void)pit_spin(10 * MS);
	ticks = (pio_in32((uint16_t)(pm_base() + 8)) - first) & 0xffffff;
	return ticks >= PM_HZ / 103 && ticks < PM_HZ / 10 ? true : CHECK_FAIL("%u", ticks);
}

static bool pm_control(void)
{
	return !(pio_in16((uint16_t)(pm_base() + 4)) & 0x2000); /* SLP_EN is write-only */
}

static const struct check rows[] = {
	{ "pci_address", pci_address },	    { "pci_identities", pci_identities },
	{ "pci_absent", pci_absent },	    { "pci_sizes", pci_sizes },
	{ "pci_read_only", pci_read_only }, { "pci_disabled", pci_disabled },
	{ "pm_timer", pm_timer },	    { "pm_control", pm_control },
};

const struct check_table check_pci = { ARRAY_SIZE(rows), rows };
