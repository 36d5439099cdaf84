/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of saved VMs: what comes back is what was saved; damage is found; with the sum made right, */
/* each byte of a file changed: refused or restored, never a crash; lacking room. */
/* TEST_SOURCES: hv/save.c hv/save_vm.c hv/save_ram.c hv/lib/crc32c.c hv/lib/string.c hv/lib/errno.c */
/* TEST_SOURCES: hv/lib/fmt.c tests/unit/hv/save_lab.c */
/* TEST_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c drivers/emul/vpit.c drivers/emul/vpit_counter.c */
/* TEST_SOURCES: drivers/emul/vuart.c drivers/emul/vrtc.c drivers/emul/rtc_date.c drivers/emul/vpci.c */
/* TEST_SOURCES: drivers/emul/vpci_function.c drivers/emul/vpm.c drivers/emul/vi8042.c */
/* TEST_SOURCES: drivers/emul/vlegacy.c drivers/emul/isa.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/hv/save_lab.h"

#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_pc.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
	(void)state;
	save_lab_start();
	save_lab_room = SAVE_LAB_MAX;
	save_lab_ram[5] = 0x11;
	save_lab_ram[17 * 4096 + 4095] = 0x22;
	outb(0x21, 0xa5);  /* the PIC's mask */
	outb(0x3ff, 0x77); /* the UART's scratch register */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	save_lab_stop();
	return 0;
}

static void test_comes_back(void **state)
{
	unsigned long live = fake_heap_live;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	outb(0x21, 0);
	outb(0x3ff, 0);
	fake_vm.vcpus[1]->pending = 0;
	fake_now += 5000000000;
	assert_int_equal(save_lab_restore(), 0);
	assert_int_equal(inb(0x21), 0xa5);
	assert_int_equal(inb(0x3ff), 0x77);
	assert_int_equal(save_lab_ram[5], 0x11);
	assert_int_equal(save_lab_ram[17 * 4096 + 4095], 0x22);
	assert_int_equal(save_lab_ram[4096], 0);
	assert_int_equal(fake_vm.vcpus[1]->pending, 2);
	assert_int_equal(fake_heap_live, live);
}

/* The guest's time stands still while it is away. */
static void test_time(void **state)
{
	uint64_t tsc;

	(void)state;
	fake_vm.tsc_offset = 0 - fake_now;
	fake_now += 3000;
	assert_int_equal(save_lab_save(), 0);
	fake_now += 7000000000;
	assert_int_equal(save_lab_restore(), 0);
	tsc = fake_now + fake_vm.tsc_offset;
	assert_int_equal(tsc, 3000);
}

/* Two pages of 512, and what the frame and devices take. */
static void test_zero_pages_are_left_out(void **state)
{
	(void)state;
	assert_int_equal(save_lab_save(), 0);
	assert_in_range(save_lab_size, 2 * 4096, 5 * 4096);
}

/* What its guest had given away is the host's again after a restore, too; its content was never saved. */
static void test_balloon(void **state)
{
	static const uint64_t given[8] = { 0x21, 0, 0, 0x8000000000000000, 0, 0, 0, ~0ul };

	(void)state;
	save_lab_given = given;
	save_lab_ram[5] = 0x11;
	save_lab_ram[4096 + 5] = 0x33;
	assert_int_equal(save_lab_save(), 0);
	assert_int_equal(save_lab_restore(), 0);
	assert_memory_equal(save_lab_taken, given, sizeof(given));
	assert_int_equal(save_lab_ram[5], 0);
	assert_int_equal(save_lab_ram[4096 + 5], 0x33);
	assert_true((fake_vm.vcpus[0]->requests & VCPU_REQ_MEMORY) != 0);
}

/* As test_each_byte, of the balloon's section. */
static void test_balloon_bytes(void **state)
{
	static const uint64_t given[8] = { 0x21, 0, 1, 0, 0, 0, 0, 0 };
	const struct save_section *s = NULL;
	size_t at = 16;

	(void)state;
	save_lab_given = given;
	assert_int_equal(save_lab_save(), 0);
	for (; s == NULL || strcmp(s->name, "given") != 0;
	     at += sizeof(*s) + ALIGN_UP(s->length, 8)) {
		s = (const void *)(save_lab_file + at);
	}
	assert_int_equal(s->length, 72);
	at -= 72;
	for (size_t i = 0; i < 8; i++) { /* the address: no RAM, or in the midst of 2 MiB */
		save_lab_file[at + i] ^= 0x10;
		save_lab_sum();
		assert_int_equal(save_lab_restore(), -EINVAL);
		save_lab_file[at + i] ^= 0x10;
	}
	save_lab_file[at + 8 + 63] = 0x80; /* the last page */
	save_lab_sum();
	assert_int_equal(save_lab_restore(), 0);
	assert_int_equal(save_lab_taken[7], 1ul << 63);
}

static void test_damage_is_found(void **state)
{
	(void)state;
	assert_int_equal(save_lab_save(), 0);
	for (size_t i = 0; i < save_lab_size; i++) {
		save_lab_file[i] ^= 0x10;
		assert_int_not_equal(save_lab_restore(), 0);
		save_lab_file[i] ^= 0x10;
	}
	assert_int_equal(save_lab_restore(), 0);
}

static void test_cut_short(void **state)
{
	size_t whole;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	whole = save_lab_size;
	for (save_lab_size = 0; save_lab_size < whole; save_lab_size++) {
		assert_int_not_equal(save_lab_restore(), 0);
	}
	assert_int_equal(save_lab_restore(), 0);
}

/* The section of byte i. */
static const char *section_of(const uint8_t *file, size_t size, size_t i)
{
	const struct save_section *s = (const void *)(file + 16);
	size_t next = 16;

	while (next <= i && next < size) {
		s = (const void *)(file + next);
		next += sizeof(*s) + ALIGN_UP(s->length, 8);
	}
	return s->name;
}

/* Bytes to the next one to be changed: of what memory holds, a sample. */
static size_t step(const uint8_t *file, size_t size, size_t i)
{
	bool sampled = i + 128 < size && strcmp(section_of(file, size, i), "ram") == 0 &&
		       strcmp(section_of(file, size, i - 128), "ram") == 0;

	return sampled ? 61 : 1;
}

/* Whoever made the file could make a sum as well. What is taken can be saved and restored again. */
static void test_each_byte(void **state)
{
	uint8_t *good = malloc(SAVE_LAB_MAX);
	unsigned long live = fake_heap_live;
	unsigned int taken = 0, refused = 0;
	size_t size;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	size = save_lab_size;
	memcpy(good, save_lab_file, size);
	for (size_t i = 0; i < size; i += step(good, size, i)) {
		memcpy(save_lab_file, good, size);
		save_lab_size = size;
		save_lab_file[i] ^= (uint8_t)(i % 255 + 1);
		save_lab_sum();
		if (save_lab_restore() != 0) {
			refused++;
			continue;
		}
		taken++;
		save_lab_room = SAVE_LAB_MAX;
		assert_int_equal(save_lab_save(), 0);
		if (save_lab_restore() != 0) {
			fail_msg("byte %zu, %02x for %02x, in %s: taken, but not twice", i,
				 good[i] ^ (uint8_t)(i % 255 + 1), good[i],
				 section_of(good, size, i));
		}
	}
	assert_int_equal(fake_heap_live, live);
	assert_in_range(taken, 500, size - 500);
	assert_in_range(refused, 500, size - 500);
	free(good);
}

static void test_no_room(void **state)
{
	unsigned long live = fake_heap_live;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	for (size_t room = 0, size = save_lab_size; room < size; room += 100) {
		save_lab_room = room;
		assert_int_equal(save_lab_save(), -ENOSPC);
		assert_int_equal(fake_heap_live, live);
	}
}

/* A section that nobody asks for, or that is there twice, is no part of what was saved. */
static void test_unknown_section(void **state)
{
	size_t at = 0;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	for (size_t i = 0; i + 6 < save_lab_size; i++) {
		at = memcmp(save_lab_file + i, "i8042", 6) == 0 ? i : at;
	}
	assert_int_not_equal(at, 0);
	save_lab_file[at] = 'j';
	save_lab_sum();
	assert_int_equal(save_lab_restore(), -EINVAL);
}

/* Sections without end are not even looked at one by one; the file's sum is right. */
static void test_many_sections(void **state)
{
	const struct save_section empty = { .name = "x" };
	const struct save_section end = { .name = "end", .length = 4 };
	const unsigned int count = 3000;
	size_t at = 16;

	(void)state;
	assert_int_equal(save_lab_save(), 0);
	for (unsigned int i = 0; i < count; i++, at += sizeof(empty)) {
		memcpy(save_lab_file + at, &empty, sizeof(empty));
	}
	memcpy(save_lab_file + at, &end, sizeof(end));
	save_lab_size = at + sizeof(end) + 4;
	save_lab_sum();
	save_lab_reads = 0;
	assert_int_equal(save_lab_restore(), -EINVAL);
	assert_in_range(save_lab_reads, 1, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zero_pages_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_balloon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_balloon_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_short, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_section, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_sections, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
