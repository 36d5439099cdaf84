/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile guest against all emulated chips at once: random port and MMIO accesses, time, typing, */
/* lines, EOIs, resets, saved states. No crash, no BUG, no loop without end; little else is checked. */
/* FUZZ_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c drivers/emul/vpit.c drivers/emul/vpit_counter.c */
/* FUZZ_SOURCES: drivers/emul/vuart.c drivers/emul/vrtc.c drivers/emul/rtc_date.c drivers/emul/vpci.c */
/* FUZZ_SOURCES: drivers/emul/vpci_function.c drivers/emul/vpm.c drivers/emul/vi8042.c */
/* FUZZ_SOURCES: drivers/emul/vtest.c drivers/emul/vtest_pci.c drivers/emul/vpci_msi.c */
/* FUZZ_SOURCES: drivers/emul/vlegacy.c drivers/emul/isa.c */
/* FUZZ_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/emul/vpci.h"
#include "drivers/emul/vpm.h"
#include "hv/pc_map.h"
#include "tests/unit/fakes/fake_pc.h"

#include <stdlib.h>
#include <string.h>

#define TIME_MAX 200000000ul /* ns that one input may let pass: 10,000 alarms of the PIT */

struct input {
	const uint8_t *data;
	size_t left;
	uint64_t time;
};

static struct vpci_function card; /* a device with BARs of every kind */
static uint8_t card_config[VPCI_CONFIG];
static uint8_t card_memory[0x4000];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t take(struct input *in, unsigned int bytes)
{
	uint64_t val = 0;

	for (unsigned int i = 0; i < bytes && in->left > 0; i++, in->left--) {
		val = val << 8 | *in->data++;
	}
	return val;
}

static uint16_t pick_port(struct input *in)
{
	static const uint16_t bases[] = { 0x00, 0x20, 0x40, 0x60,  0x70,  0x80,	 0xa0,	0xb0,
					  0xc0, 0xe0, 0xf0, 0x3f8, 0x4d0, 0xcf8, 0xcfc, 0xb000 };
	uint8_t choice = (uint8_t)take(in, 1);

	if (choice == 0xff) {
		return (uint16_t)take(in, 2);
	}
	return (uint16_t)(bases[choice >> 4] + (choice & 15));
}

static uint64_t pick_gpa(struct input *in)
{
	static const uint64_t bases[] = { PC_IOAPIC_BASE, PC_IOAPIC_BASE + 0x10,
					  PC_TEST_MMIO,	  PC_TEST_MMIO + PC_TEST_SIZE - 8,
					  0xe0000000,	  0x1000000000 };
	uint8_t choice = (uint8_t)take(in, 1);

	return bases[choice % 6] + (choice >> 4);
}

static void port_access(struct input *in, bool write)
{
	uint16_t port = pick_port(in);
	uint8_t size = (uint8_t)(1u << take(in, 1) % 3);

	if (write) {
		fake_out(port, size, (uint32_t)take(in, size));
	} else {
		fake_in(port, size);
	}
}

static void mmio_access(struct input *in)
{
	uint64_t gpa = pick_gpa(in);
	uint8_t how = (uint8_t)take(in, 1);
	uint8_t size = (uint8_t)(1u << how % 4);

	if (how & 0x80) {
		fake_write(gpa, size, take(in, size));
	} else {
		fake_read(gpa, size);
	}
}

static void config_write(struct input *in)
{
	static const uint8_t devfns[] = { 0, VPCI_DEVFN(1u, 0u), VPCI_DEVFN(1u, 3u),
					  VPCI_DEVFN(3u, 0u), VPCI_DEVFN(30u, 0u) };
	uint32_t address = 0x80000000u | (uint32_t)devfns[take(in, 1) % ARRAY_SIZE(devfns)] << 8 |
			   ((uint32_t)take(in, 1) & 0xfcu);

	fake_out(0xcf8, 4, address);
	fake_out(0xcfc, 4, (uint32_t)take(in, 4));
}

static void pass(struct input *in)
{
	uint64_t ns = 1ull << take(in, 1) % 28;

	if (ns <= in->time) {
		in->time -= ns;
		fake_pass(ns);
	}
}

static void type(struct input *in)
{
	char text[32];
	size_t len = take(in, 1) % sizeof(text);

	memset(text, 'x', sizeof(text));
	guest_console_type(&fake_vm.console, text, len);
}

static void load_state(struct input *in)
{
	static const char *const names[] = { "pic", "ioapic", "pit",   "uart",	 "rtc",
					     "pci", "pm",     "i8042", "legacy", "test-pci" };
	const char *name = names[take(in, 1) % ARRAY_SIZE(names)];
	size_t at = take(in, 2);

	if (at < fake_pc_state_size(name)) {
		fake_pc_load_corrupt(name, at, (uint8_t)take(in, 1));
	} else {
		fake_pc_save_and_load(name, 1000);
	}
}

static void card_pin(struct input *in)
{
	spin_lock(&fake_vm.dev_lock);
	vpci_set_intx(&card, take(in, 1) & 1);
	spin_unlock(&fake_vm.dev_lock);
}

static void step(struct input *in)
{
	switch (take(in, 1) % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		port_access(in, true);
		break;
	case 5:
	case 6:
		port_access(in, false);
		break;
	case 7:
		mmio_access(in);
		break;
	case 8:
		config_write(in);
		break;
	case 9:
		pass(in);
		break;
	case 10:
		type(in);
		break;
	case 11:
		fake_acknowledge();
		break;
	case 12:
		virq_eoi(&fake_vm, (uint8_t)take(in, 1));
		break;
	case 13:
		card_pin(in);
		break;
	case 14:
		load_state(in);
		break;
	default:
		fake_line((unsigned int)take(in, 1), take(in, 1) & 1);
		vm_press_power_button(&fake_vm);
		break;
	}
}

/* What vpci promises of offsets is checked here: memory errors are the sanitizers' part. */
static enum io_result card_access(void *dev, struct io_access *a)
{
	uint64_t room = *(const uint64_t *)dev;

	if (a->addr > room || a->size > room - a->addr) {
		abort();
	}
	if (a->write) {
		memcpy(card_memory + a->addr % 0x3ff8, &a->val, a->size);
	}
	return IO_DONE;
}

static void add_card(void)
{
	static const uint64_t sizes[] = { 32, 0x1000, 0x4000 };

	memset(&card, 0, sizeof(card));
	memset(card_config, 0, sizeof(card_config));
	card.config = card_config;
	vpci_identify(&card, 0x1af4, 0x1041, 0x020000, 1, 1);
	card.bar[0] = (struct vpci_bar){ .size = sizes[0], .io = true };
	card.bar[1] = (struct vpci_bar){ .size = sizes[1] };
	card.bar[2] = (struct vpci_bar){ .size = sizes[2], .is64 = true };
	for (unsigned int i = 0; i < 3; i++) {
		card.bar[i].fn = card_access;
		card.bar[i].dev = (void *)(uintptr_t)&sizes[i];
	}
	if (vpci_add(&fake_vm, VPCI_DEVFN(3u, 0u), &card)) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, TIME_MAX };

	fake_pc_start(NULL);
	add_card();
	while (in.left > 0) {
		step(&in);
	}
	fake_pass(1000000);
	fake_pc_reset();
	fake_pc_stop(NULL);
	return 0;
}
