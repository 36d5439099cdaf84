/* SPDX-License-Identifier: BSD-2-Clause */
/* A saved VM's file, whatever somebody made of it, with its sum right: refused or restored. What was */
/* restored can be saved and restored again. No crash, no BUG, no read behind the file's end. */
/* FUZZ_SOURCES: hv/save.c hv/save_vm.c hv/save_ram.c hv/lib/crc32c.c hv/lib/string.c hv/lib/errno.c */
/* FUZZ_SOURCES: hv/lib/fmt.c tests/unit/hv/save_lab.c */
/* FUZZ_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c drivers/emul/vpit.c drivers/emul/vpit_counter.c */
/* FUZZ_SOURCES: drivers/emul/vuart.c drivers/emul/vrtc.c drivers/emul/rtc_date.c drivers/emul/vpci.c */
/* FUZZ_SOURCES: drivers/emul/vpci_function.c drivers/emul/vpm.c drivers/emul/vi8042.c */
/* FUZZ_SOURCES: drivers/emul/vlegacy.c drivers/emul/isa.c */
/* FUZZ_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_heap.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "hv/lib/bytes.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_pc.h"
#include "tests/unit/hv/save_lab.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 16u /* of the file, before its first section */
#define EDIT   12u /* bytes of the input: which, where, how much, what */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Offset of the n-th section, around; sections are found by the lengths that the good file gave them. */
static size_t section(size_t n)
{
	size_t at = HEADER, count = 0;

	for (size_t i = 0; i <= n; i++) {
		const struct save_section *s = (const void *)(save_lab_file + at);

		if (!range_within(at, sizeof(*s), save_lab_size) || s->length > save_lab_size) {
			return count == 0 ? 0 : section(n % count);
		}
		if (i == n) {
			return at;
		}
		at += sizeof(*s) + ALIGN_UP(s->length, 8);
		count++;
	}
	return 0;
}

/* One change: bytes of a section's head or block, a length, or the section once more, or not at all. */
static void edit(const uint8_t *e)
{
	size_t at = section(e[1]), into = bytes_get_le16(e + 2);
	struct save_section *s = (void *)(save_lab_file + at);
	size_t whole;

	if (!range_within(at, sizeof(*s), save_lab_size)) {
		return;
	}
	whole = sizeof(*s) + ALIGN_UP(s->length, 8);
	switch (e[0] % 4) {
	case 0: /* up to eight bytes */
		for (unsigned int i = 0; i <= e[0] / 4u % 8 && at + into + i < save_lab_size; i++) {
			save_lab_file[at + into + i] = e[4 + i];
		}
		break;
	case 1:
		s->length = bytes_get_le64(e + 4);
		break;
	case 2: /* again */
		if (range_within(at, whole, save_lab_size) &&
		    save_lab_size + whole <= SAVE_LAB_MAX) {
			memmove(save_lab_file + at + whole, save_lab_file + at, save_lab_size - at);
			save_lab_size += whole;
		}
		break;
	default: /* gone */
		if (range_within(at, whole, save_lab_size)) {
			save_lab_size -= whole;
			memmove(save_lab_file + at, save_lab_file + at + whole, save_lab_size - at);
		}
	}
}

static void prepare(const uint8_t *data, size_t size)
{
	save_lab_room = SAVE_LAB_MAX;
	if (save_lab_save() != 0) {
		abort();
	}
	if (size > 0 && data[0] == 0xff) { /* a file of its own making */
		save_lab_size = size - 1 < SAVE_LAB_MAX ? size - 1 : SAVE_LAB_MAX;
		memcpy(save_lab_file, data + 1, save_lab_size);
		return;
	}
	for (; size >= EDIT; data += EDIT, size -= EDIT) {
		edit(data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned long live;

	save_lab_start();
	save_lab_ram[5] = 0x11;
	save_lab_ram[17 * 4096 + 4095] = 0x22;
	live = fake_heap_live;
	prepare(data, size);
	save_lab_sum();
	if (save_lab_restore() == 0) {
		save_lab_room = SAVE_LAB_MAX;
		if (save_lab_save() != 0 || save_lab_restore() != 0) {
			abort(); /* taken, but not twice */
		}
	}
	if (fake_heap_live != live) {
		abort();
	}
	save_lab_stop();
	return 0;
}
