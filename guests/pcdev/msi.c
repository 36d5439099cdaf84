/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of plain MSI at the test device's PCI function, driven as its driver would. */
/* Run only where that is: testdev = true. */
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/pcdev/check.h"

#define FUNCTION 0x8000f000u /* 00:1e.0 */
#define ID	 0x7e571234u
#define PORT	 0xc000
#define COMMAND	 0x04
#define ON	 0x05u /* command: ports, bus master */
#define NO_MSTR	 0x01u
#define PIN	 0x00080000u /* "Interrupt Status", beside the command */
#define CAPS	 0x34
#define MSI	 0x05u
#define ENABLE	 0x00010000u /* message control, in the upper half */
#define FOUR	 0x00200000u /* messages are allocated */
#define ADDRESS	 4	     /* offsets in the capability */
#define DATA	 12
#define MASK	 16
#define PENDING	 20
#define VECTOR	 0x60u /* to 0x63 */
#define QUIET	 (PIT_HZ / 200)

static uint32_t cap;

static uint32_t get(uint32_t reg)
{
	return check_config_read(FUNCTION, reg);
}

static void set(uint32_t reg, uint32_t val)
{
	check_config_write(FUNCTION, reg, val);
}

static void raise(unsigned int vector)
{
	pio_out32(PORT, vector);
}

/* Messages to this CPU, with the vectors that `control` allocates; nothing masked or waiting. */
static void start(uint32_t control)
{
	set(cap, 0);
	set(cap + ADDRESS, 0xfee00000);
	set(cap + ADDRESS + 4, 0);
	set(cap + DATA, VECTOR);
	set(cap + MASK, 0);
	set(cap, control);
}

/* Does nothing come? */
static bool quiet(void)
{
	cpu_sti();
	(void)pit_spin(QUIET);
	cpu_cli();
	return check_counted() == 0;
}

static bool comes(unsigned int vector, unsigned int at)
{
	check_count(at);
	raise(vector);
	return check_wait(1) || CHECK_FAIL("vector %u not at 0x%x", vector, at);
}

static bool msi_found(void)
{
	cap = get(CAPS) & 0xfc;
	set(0x10, PORT);
	set(COMMAND, ON);
	return (get(cap) & 0xff) == MSI &&
	       get(cap) >> 16 == 0x0184; /* 64 bits, masks, 4 messages */
}

/* Switched off, it is the pin's turn. */
static bool msi_off(void)
{
	bool up, causes;

	start(0);
	raise(2);
	up = get(COMMAND) & PIN;
	causes = pio_in32(PORT) == 4;
	return up && causes && !(get(COMMAND) & PIN);
}

/* With one message allocated all vectors come as that one, and no pin rises. */
static bool msi_one(void)
{
	start(ENABLE);
	return comes(0, VECTOR) && comes(3, VECTOR) && !(get(COMMAND) & PIN);
}

static bool msi_four(void)
{
	unsigned int i;

	start(ENABLE | FOUR);
	for (i = 0; i < 4; i++) {
		if (!comes(i, VECTOR + i)) {
			return false;
		}
	}
	return true;
}

/* A masked vector is pending until it is unmasked, then comes once; the others are free. */
static bool msi_masked(void)
{
	start(ENABLE | FOUR);
	set(cap + MASK, 2);
	check_count(VECTOR + 1);
	raise(1);
	raise(1);
	if (!quiet() || get(cap + PENDING) != 2 || !comes(0, VECTOR)) {
		return false;
	}
	check_count(VECTOR + 1);
	set(cap + MASK, 0);
	return check_wait(1) && check_counted() == 1 && get(cap + PENDING) == 0;
}

/* A function that is no bus master cannot send; what it wanted to comes later. */
static bool msi_master(void)
{
	start(ENABLE | FOUR);
	set(COMMAND, NO_MSTR);
	check_count(VECTOR + 2);
	raise(2);
	if (!quiet() || get(cap + PENDING) != 4) {
		return false;
	}
	set(COMMAND, ON);
	return check_wait(1) && get(cap + PENDING) == 0;
}

/* What is not there reads 0, whatever is written. */
static bool msi_read_only(void)
{
	start(0);
	set(cap + ADDRESS, 0xffffffff);
	set(cap + MASK, 0xffffffff);
	set(cap + PENDING, 0xffffffff);
	return get(cap + ADDRESS) == 0xfffffffc && get(cap + MASK) == 0xf &&
	       get(cap + PENDING) == 0;
}

static const struct check rows[] = {
	{ "msi_found", msi_found },
	{ "msi_off", msi_off },
	{ "msi_one", msi_one },
	{ "msi_four", msi_four },
	{ "msi_masked", msi_masked },
	{ "msi_master", msi_master },
	{ "msi_read_only", msi_read_only },
};

static const struct check_table table = { ARRAY_SIZE(rows), rows };

const struct check_table *check_msi(void)
{
	return get(0) == ID ? &table : 0;
}
