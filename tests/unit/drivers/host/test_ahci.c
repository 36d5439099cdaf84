/* SPDX-License-Identifier: BSD-2-Clause */
/* One AHCI port with a disk made of registers: commands, disks that do not answer, give too little, or */
/* cannot be reset; a controller that says it has more ports than registers. */
/* TEST_SOURCES: drivers/host/ahci.c drivers/host/ahci_port.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_sleep.c */
/* TEST_SOURCES: tests/unit/drivers/host/ata_cases.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "ata_cases.h"
#include "drivers/host/ahci.h"
#include "drivers/host/host_pci.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "Port Registers", in words */
enum { IS = 4, CMD = 6, TFD = 8, SIG = 9, SSTS = 10, SCTL = 11, CI = 14 };

extern const struct host_pci_driver *const host_pci_drivers_start[], *const host_pci_drivers_end[];

static uint32_t hba[4096 / 4];
static uint32_t *regs; /* the port's */
static struct ahci_port port;
static uint64_t bar_size;
static void *irq_arg;

static bool stuck; /* the disk's engines never stop */

/* ---- the disk and its controller ---- */

static void follow(uint32_t asked, uint32_t runs)
{
	if ((regs[CMD] & asked) != 0) {
		regs[CMD] |= runs;
	} else if (!stuck) {
		regs[CMD] &= ~runs;
		regs[CI] = asked == 1 ? 0 : regs[CI];
	}
}

/* What happens while the driver waits. */
static void controller(void)
{
	hba[1] &= ~1u; /* the whole controller's reset ends */
	follow(0x01, 0x8000);
	follow(0x10, 0x4000);
	if ((regs[SCTL] & 1) != 0) {
		ata_fake_reset();
	}
	regs[SSTS] = (regs[SCTL] & 1) != 0 ? 0 : 3;
}

static void end_command(void)
{
	bool bad = ata_fake.habit == ATA_HAS_BAD_SECTOR;

	bytes_put_le32(port.lists + 4, ata_fake_end(port.buffer));
	regs[TFD] = bad ? 0x4051 : 0x50;
	regs[IS] = bad ? 0x40000000 : 1;
	regs[CI] = bad ? 1 : 0;
	ahci_port_irq(&port);
	regs[IS] = 0;
}

/* ---- the machine ---- */

static bool wake(void)
{
	bool ends;

	controller();
	ends = (regs[CI] & 1) != 0 && (regs[CMD] & 1) != 0 && !ata_fake_is_silent();
	if (ends) {
		end_command();
	}
	return ends;
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	(void)i;
	return size <= bar_size ? hba : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	(void)d;
	(void)fn;
	irq_arg = arg;
	return 0;
}

int ata_disk_add(struct ata_disk *d, const uint8_t *raw, const char *kind)
{
	(void)d;
	(void)raw;
	(void)kind;
	return -ENOTSUP;
}

static int setup(void **state)
{
	(void)state;
	memset(hba, 0, sizeof(hba));
	memset(&ata_fake, 0, sizeof(ata_fake));
	memset(&port, 0, sizeof(port));
	regs = hba + 0x100 / 4;
	regs[SIG] = 0x101;
	regs[SSTS] = 3;
	regs[TFD] = 0x50;
	port.regs = regs;
	port.wide = true;
	fake_sleep_meanwhile = controller;
	fake_sleep_wakes = wake;
	return ahci_port_start(&port);
}

static int teardown(void **state)
{
	(void)state;
	stuck = false;
	ahci_port_free(&port);
	return fake_page_live != 0;
}

int ata_cases_read(const char **why)
{
	const struct ata_command cmd = { .code = ATA_READ_DMA_EXT,
					 .count = ATA_CASES_BYTES / 512,
					 .wide = true };

	return ahci_port_run(&port, &cmd, ATA_FROM_DISK, ATA_CASES_BYTES, why);
}

const uint8_t *ata_cases_buffer(void)
{
	return port.buffer;
}

bool ata_cases_is_idle(void)
{
	return regs[CI] == 0;
}

/* ---- the cases ---- */

/* Nothing is asked of a port that does not stop: each request fails in seconds, until it does. */
static void test_stuck(void **state)
{
	const char *why;
	uint64_t begun;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	stuck = true;
	assert_int_equal(ata_cases_read(&why), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_string_equal(why, "the disk is not ready");
	assert_true(fake_sleep_now - begun < 10000000000ul);
	stuck = false;
	ata_fake.habit = ATA_ANSWERS;
	assert_int_equal(ata_cases_read(&why), 0);
}

/* Pages that it may write yet are nobody else's. */
static void test_stuck_is_not_freed(void **state)
{
	unsigned long live = fake_page_live;

	(void)state;
	controller(); /* the engines run */
	stuck = true;
	ahci_port_free(&port);
	assert_int_equal(fake_page_live, live);
}

/* Whatever PI says: behind what is mapped there is nothing, or something else. */
static void test_ports(void **state)
{
	struct host_pci_dev pci = { .class = 0x010601 };

	(void)state;
	bar_size = 0x400;
	regs[SIG] = 0xeb140101; /* a CD drive: no disk is looked for */
	hba[3] = ~0u;
	memset(hba + 0x400 / 4, 0x03, 0xc00);
	assert_int_equal(host_pci_drivers_end - host_pci_drivers_start, 1);
	assert_true(host_pci_drivers_start[0]->match(&pci));
	assert_int_equal(host_pci_drivers_start[0]->probe(&pci), 0);
	for (unsigned int i = 0x400 / 4; i < ARRAY_SIZE(hba); i++) {
		assert_int_equal(hba[i], 0x03030303);
	}
	heap_free(irq_arg);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATA_CASES(TEST),
		TEST(test_stuck),
		TEST(test_stuck_is_not_freed),
		TEST(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
