/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI bus 0: mechanism #1, sizing and moving of BARs, interrupt routing to both controllers, */
/* reset control. Uses functions of its own beside the two bridges. */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpic.c drivers/emul/vioapic.c hv/lib/errno.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/emul/vpci.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_pc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vpci_function nic, disk;
static uint8_t nic_config[256], disk_config[256];
static uint64_t last_off, last_val;
static unsigned int moves, writes;

static enum io_result registers(void *dev UNUSED, struct io_access *a)
{
	last_off = a->addr;
	if (a->write) {
		last_val = a->val;
	} else {
		a->val = 0xa500 + a->addr;
	}
	return IO_DONE;
}

static void moved(struct vpci_function *f UNUSED, unsigned int i UNUSED)
{
	moves++;
}

static void written(struct vpci_function *f UNUSED, unsigned int off UNUSED,
		    unsigned int size UNUSED)
{
	writes++;
}

static void make_nic(void)
{
	memset(&nic, 0, sizeof(nic));
	memset(nic_config, 0, sizeof(nic_config));
	nic.config = nic_config;
	vpci_identify(&nic, 0x1af4, 0x1041, 0x020000, 1, 1);
	nic.bar[0] = (struct vpci_bar){ .size = 32, .io = true, .fn = registers };
	nic.bar[1] = (struct vpci_bar){ .size = 0x4000, .fn = registers };
	nic.bar[4] = (struct vpci_bar){
		.size = 0x100000, .is64 = true, .prefetch = true, .fn = registers
	};
	nic.bar_moved = moved;
	nic.config_written = written;
	nic.clear[0x40] = 0x0f;
	nic.config[0x40] = 0x0f;
}

static int start(void **state)
{
	fake_pc_start(state);
	make_nic();
	memset(&disk, 0, sizeof(disk));
	memset(disk_config, 0, sizeof(disk_config));
	disk.config = disk_config;
	vpci_identify(&disk, 0x1af4, 0x1042, 0x010000, 1, 1);
	assert_int_equal(vpci_add(&fake_vm, VPCI_DEVFN(3u, 0u), &nic), 0);
	assert_int_equal(vpci_add(&fake_vm, VPCI_DEVFN(7u, 0u), &disk), 0);
	moves = writes = 0;
	return 0;
}

static void address(unsigned int devfn, unsigned int off)
{
	fake_out(0xcf8, 4, 0x80000000u | devfn << 8 | (off & ~3u));
}

static uint32_t get(unsigned int devfn, unsigned int off, uint8_t size)
{
	address(devfn, off);
	return fake_in((uint16_t)(0xcfc + (off & 3)), size);
}

static void set(unsigned int devfn, unsigned int off, uint8_t size, uint32_t val)
{
	address(devfn, off);
	fake_out((uint16_t)(0xcfc + (off & 3)), size, val);
}

#define NIC  VPCI_DEVFN(3u, 0u)
#define DISK VPCI_DEVFN(7u, 0u)
#define ISA  VPCI_DEVFN(1u, 0u)

static void test_mechanism(void **state)
{
	(void)state;
	fake_out(0xcfb, 1, 1); /* as Linux probes */
	fake_out(0xcf8, 4, 0x80000000);
	assert_int_equal(fake_in(0xcf8, 4), 0x80000000);
	assert_int_equal(fake_in(0xcfc, 4), 0x12378086);
	assert_int_equal(fake_in(0xcfe, 2), 0x1237);
	assert_int_equal(fake_in(0xcfd, 1), 0x80);
	fake_out(0xcf8, 4, 0xffffffff);
	assert_int_equal(fake_in(0xcf8, 4), 0x80fffffc);
	assert_int_equal(fake_in(0xcfc, 4), 0xffffffff); /* bus 255 */
	fake_out(0xcf8, 4, 0x00000000);
	assert_int_equal(fake_in(0xcfc, 4), 0xffffffff); /* not enabled */
	assert_int_equal(fake_in(0xcf8, 2), 0xffff);	 /* dwords only */
}

static void test_functions(void **state)
{
	(void)state;
	assert_int_equal(get(ISA, 0, 4), 0x70008086);
	assert_int_equal(get(ISA, 8, 4), 0x06010000);
	assert_int_equal(get(ISA, 0x0e, 1), 0x80);
	assert_int_equal(get(NIC, 8, 4), 0x02000001);
	assert_int_equal(get(VPCI_DEVFN(5u, 0u), 0, 4), 0xffffffff);
	assert_int_equal(get(VPCI_DEVFN(5u, 0u), 0, 2), 0xffff);
	set(NIC, 0, 4, 0x12345678); /* read-only */
	assert_int_equal(get(NIC, 0, 4), 0x10411af4);
}

static void test_pam_is_storage(void **state)
{
	(void)state;
	set(0, 0x59, 1, 0xff);
	set(0, 0x5a, 2, 0x1133);
	set(0, 0x5c, 4, 0x33333333);
	set(0, 0x72, 1, 0x0a);
	assert_int_equal(get(0, 0x59, 1), 0xf0);
	assert_int_equal(get(0, 0x58, 4), 0x1133f001);
	assert_int_equal(get(0, 0x5c, 2), 0x3333);
	assert_int_equal(get(0, 0x72, 1), 0x0a);
}

static void test_sizing(void **state)
{
	(void)state;
	set(NIC, 0x10, 4, 0xffffffff);
	assert_int_equal(get(NIC, 0x10, 4), 0x0000ffe1);
	set(NIC, 0x14, 4, 0xffffffff);
	assert_int_equal(get(NIC, 0x14, 4), 0xffffc000);
	set(NIC, 0x18, 4, 0xffffffff);
	assert_int_equal(get(NIC, 0x18, 4), 0); /* not there */
	set(NIC, 0x20, 4, 0xffffffff);
	set(NIC, 0x24, 4, 0xffffffff);
	assert_int_equal(get(NIC, 0x20, 4), 0xfff0000c);
	assert_int_equal(get(NIC, 0x24, 4), 0xffffffff);
	set(NIC, 4, 2, 7); /* all ones are no address, even when decoded */
	assert_int_equal(moves, 0);
}

static void test_mapping(void **state)
{
	(void)state;
	set(NIC, 0x10, 4, 0xc000);
	set(NIC, 0x14, 4, 0xe0000000);
	set(NIC, 0x20, 4, 0x00000000);
	set(NIC, 0x24, 4, 0x00000010);
	assert_int_equal(fake_in(0xc004, 2), 0xffff); /* not decoded yet */
	set(NIC, 4, 2, 1);
	assert_int_equal(fake_in(0xc004, 2), 0xa504);
	assert_int_equal(fake_read(0xe0000008, 4), 0xffffffff);
	set(NIC, 4, 2, 7);
	assert_int_equal(moves, 3);
	assert_int_equal(fake_read(0xe0000008, 4), 0xa508);
	fake_write(0x10000fff8, 8, 0x1234);
	assert_int_equal(last_val, 0);
	fake_write(0x10000ffff8, 8, 0x1234);
	assert_int_equal(last_off, 0xffff8);
	assert_int_equal(last_val, 0x1234);
	set(NIC, 0x14, 4, 0xe0010000); /* moves */
	assert_int_equal(fake_read(0xe0000008, 4), 0xffffffff);
	assert_int_equal(fake_read(0xe0010008, 4), 0xa508);
	set(NIC, 4, 2, 0);
	assert_int_equal(fake_in(0xc004, 2), 0xffff);
	assert_int_equal(fake_read(0xe0010008, 4), 0xffffffff);
}

/* Over another device's range it is not mapped, and what was there stays. */
static void test_overlap(void **state)
{
	(void)state;
	set(NIC, 0x10, 4, 0x20);
	set(NIC, 0x14, 4, 0xfec00000);
	set(NIC, 4, 2, 3);
	assert_int_equal(moves, 0);
	fake_write(0xfec00000, 4, 1);
	assert_int_equal(fake_read(0xfec00010, 4), 0x170020);
	set(NIC, 0x14, 4, 0xe0000000);
	assert_int_equal(fake_read(0xe0000000, 4), 0xa500);
}

static void test_write_one_to_clear(void **state)
{
	(void)state;
	set(NIC, 0x40, 4, 0xfffffff5);
	assert_int_equal(get(NIC, 0x40, 1), 0x0a);
	assert_int_equal(writes, 1);
}

static uint32_t rte(unsigned int pin)
{
	fake_write(0xfec00000, 4, 0x10 + 2 * pin);
	return (uint32_t)fake_read(0xfec00010, 4);
}

static void intx(struct vpci_function *f, bool level)
{
	spin_lock(&fake_vm.dev_lock);
	vpci_set_intx(f, level);
	spin_unlock(&fake_vm.dev_lock);
}

/* Slots 3 and 7 share PIRQC: GSI 18 until both have let go. */
static void test_intx_to_ioapic(void **state)
{
	(void)state;
	fake_write(0xfec00000, 4, 0x10 + 2 * 18);
	fake_write(0xfec00010, 4, 0x8044);
	intx(&nic, true);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x44);
	assert_int_equal(get(NIC, 6, 1) & 8, 8);
	assert_int_equal(rte(18), 0xc044);
	intx(&disk, true);
	intx(&nic, false);
	virq_eoi(&fake_vm, 0x44);
	assert_int_equal(fake_sent, 2);
	intx(&disk, false);
	virq_eoi(&fake_vm, 0x44);
	assert_int_equal(fake_sent, 2);
}

static void test_intx_to_pic(void **state)
{
	(void)state;
	outb(0x4d1, 0x0c); /* 10 and 11 are levels */
	intx(&nic, true);
	assert_false(fake_pic_requests(10)); /* not routed */
	set(ISA, 0x62, 1, 10);
	assert_true(fake_pic_requests(10));
	set(ISA, 0x62, 1, 11);
	assert_false(fake_pic_requests(10));
	assert_true(fake_pic_requests(11));
	set(NIC, 4, 2, 0x400); /* interrupt disable */
	assert_false(fake_pic_requests(11));
	assert_int_equal(get(NIC, 6, 1) & 8, 8);
	set(NIC, 4, 2, 0);
	assert_true(fake_pic_requests(11));
	set(ISA, 0x62, 1, 0x80 | 11);
	assert_false(fake_pic_requests(11));
	set(ISA, 0x62, 1, 1); /* no such route */
	assert_false(fake_pic_requests(1));
	set(ISA, 0x62, 1, 0x7f); /* 15, reserved bits stay 0 */
	assert_int_equal(get(ISA, 0x62, 1), 0x0f);
	assert_true(fake_pic_requests(15));
}

static void test_reset_control(void **state)
{
	(void)state;
	outb(0xcf9, 0x02);
	assert_int_equal(fake_resets, 0);
	outb(0xcf9, 0x06);
	assert_int_equal(fake_resets, 1);
	outb(0xcf9, 0x06);
	assert_int_equal(fake_resets, 1);
	assert_int_equal(inb(0xcf9), 0x06);
}

static void test_reset(void **state)
{
	(void)state;
	set(NIC, 0x10, 4, 0xc000);
	set(NIC, 4, 2, 1);
	intx(&nic, true);
	fake_pc_reset();
	assert_int_equal(fake_in(0xc004, 2), 0xffff);
	assert_int_equal(get(NIC, 0x10, 4), 1);
	assert_int_equal(get(NIC, 6, 1), 0);
	assert_int_equal(get(NIC, 0x40, 1), 0x0f);
	outb(0x4d1, 0x0c);
	intx(&nic, true);
	set(ISA, 0x62, 1, 10);
	assert_true(fake_pic_requests(10));
	intx(&nic, false);
	assert_false(fake_pic_requests(10));
}

static void test_add_refuses(void **state)
{
	(void)state;
	make_nic();
	assert_int_equal(vpci_add(&fake_vm, NIC, &nic), -EBUSY);
	assert_int_equal(vpci_add(&fake_vm, 256, &nic), -EINVAL);
	nic.bar[1].size = 48;
	assert_int_equal(vpci_add(&fake_vm, VPCI_DEVFN(9u, 0u), &nic), -EINVAL);
	make_nic();
	nic.bar[5] = (struct vpci_bar){ .size = 16, .fn = registers }; /* under a 64-bit one */
	assert_int_equal(vpci_add(&fake_vm, VPCI_DEVFN(9u, 0u), &nic), -EINVAL);
	assert_int_equal(vpci_free_slot(&fake_vm, 3), VPCI_DEVFN(4u, 0u));
	assert_int_equal(vpci_free_slot(&fake_vm, 32), -ENOSPC);
	make_nic();
}

static void window_read(struct vpci_function *f, unsigned int off, unsigned int size)
{
	(void)f;
	(void)off;
	(void)size;
}

static void test_load(void **state)
{
	(void)state;
	set(ISA, 0x60, 4, 0x0b0b0a0a);
	assert_int_equal(fake_pc_save_and_load("pci", 0), 0);
	assert_int_equal(get(ISA, 0x60, 4), 0x0b0b0a0a);
	set(NIC, 0x10, 4, 0xc000);
	set(NIC, 4, 2, 1);
	assert_int_equal(vpci_load_function(&nic), 0);
	assert_int_equal(fake_in(0xc000, 2), 0xa500);
	nic_config[0] = 0; /* another vendor */
	assert_int_equal(vpci_load_function(&nic), -EINVAL);
	nic.config_read = window_read; /* what it changes before a read says nothing of the rest */
	assert_int_equal(vpci_load_function(&nic), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, start, fake_pc_stop)
		T(test_mechanism),
		T(test_functions),
		T(test_pam_is_storage),
		T(test_sizing),
		T(test_mapping),
		T(test_overlap),
		T(test_write_one_to_clear),
		T(test_intx_to_ioapic),
		T(test_intx_to_pic),
		T(test_reset_control),
		T(test_reset),
		T(test_add_refuses),
		T(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
