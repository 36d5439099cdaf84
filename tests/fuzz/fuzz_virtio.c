/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver against the virtio devices: ring memory, registers, PCI configuration, MSI-X, time, */
/* typing, saved states; memory changes between any two loads. No crash, no BUG, no unbounded exit. */
/* FUZZ_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_rng.c drivers/virtio/virtio_console.c */
/* FUZZ_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* FUZZ_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c hv/base/random.c */
/* FUZZ_SOURCES: hv/lib/chacha20.c hv/lib/fmt.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_driver.c tests/unit/fakes/fake_vm_memory.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_balloon.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
/* FUZZ_CFLAGS: -include tests/fuzz/virtq_mem_hook.h */
#include "drivers/virtio/virtio_balloon.h"
#include "drivers/virtio/virtio_pci.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_driver.h"
#include "tests/unit/fakes/fake_vm_memory.h"

#include <stdlib.h>
#include <string.h>

#define MOVES_MAX 12u	/* pages that a balloon moves in one access */
#define LOADS_MAX 5000u /* ring loads in one access: 4 KiB of cost at the devices' least */

static struct {
	const uint8_t *data;
	size_t left;
	bool races;	    /* memory changes under the device */
	unsigned int loads; /* since the last access began */
} in;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t take(unsigned int bytes)
{
	uint64_t val = 0;

	for (unsigned int i = 0; i < bytes && in.left > 0; i++, in.left--) {
		val = val << 8 | *in.data++;
	}
	return val;
}

/* What another vCPU writes meanwhile; and what one exit may cost. */
void fuzz_loaded(const void *p, size_t len)
{
	uint64_t how;

	if (++in.loads > LOADS_MAX || fake_moves > 2 * MOVES_MAX) {
		abort();
	}
	if (!in.races || in.left == 0 || len == 0) {
		return;
	}
	how = take(1);
	if (how >= 0xc0) {
		((uint8_t *)(uintptr_t)p)[how % len] = (uint8_t)take(1);
	}
}

static unsigned int pick_queue(void)
{
	return (unsigned int)take(1) % 4;
}

static uint64_t pick_address(unsigned int q)
{
	switch (take(1) % 8) {
	case 0:
		return DRV_INDIRECT(q) + 16 * (take(1) % 32);
	case 1:
		return FAKE_RAM - take(1);
	case 2:
		return DRV_BAR(drv_slot) + take(1);
	case 3:
		return take(8);
	case 4:
		return DRV_DESC(q) + take(2) % 0x4000; /* the rings themselves */
	default:
		return DRV_DATA(q) + take(2) % 0x4000;
	}
}

static uint32_t pick_length(void)
{
	switch (take(1) % 8) {
	case 0:
		return (uint32_t)take(4);
	case 1:
		return 0xffffffff;
	case 2:
		return (uint32_t)(16 * (take(1) % 40));
	default:
		return (uint32_t)take(1);
	}
}

static void write_desc(bool indirect)
{
	unsigned int q = pick_queue(), i = (unsigned int)take(1) % 24;
	uint64_t addr = pick_address(q);
	uint32_t len = pick_length();
	uint16_t flags = (uint16_t)take(1) & 7, next = (uint16_t)take(1) % 24;

	(indirect ? drv_indirect : drv_desc)(q, i, addr, len, flags, next);
}

static void offer(void)
{
	unsigned int q = pick_queue();

	drv_offer(q, (uint16_t)take(1) % 20);
	drv_kick(q);
}

static void offer_many(void)
{
	unsigned int q = pick_queue(), n = (unsigned int)take(1) % (DRV_SIZE + 2);

	while (n-- > 0) {
		drv_offer(q, (uint16_t)take(1) % 20);
	}
	drv_kick(q);
}

static void write_memory(void)
{
	drv_put16((take(3) % (FAKE_RAM - 1)) & ~1ul, (uint16_t)take(2));
}

static void write_ring_index(void)
{
	unsigned int q = pick_queue();

	drv_put16(DRV_AVAIL(q) + 2 * (take(1) % 24), (uint16_t)take(2));
}

static void register_write(void)
{
	unsigned int off = (unsigned int)take(1) % 64;
	uint8_t size = (uint8_t)(1u << take(1) % 4);

	drv_set(off, size, take(size));
}

static void bar_access(void)
{
	uint64_t addr = DRV_BAR(drv_slot) + take(2) % 0x9004;
	uint8_t size = (uint8_t)(1u << take(1) % 4);

	if (take(1) & 1) {
		fake_write(addr, size, take(size));
	} else {
		fake_read(addr, size);
	}
}

static void config_access(void)
{
	unsigned int off = (unsigned int)take(1) & 0xfc;

	if (take(1) & 1) {
		drv_config_set(off, 4, (uint32_t)take(4));
	} else {
		drv_config_get(off, 4);
	}
}

static void start(void)
{
	uint8_t how = (uint8_t)take(1);
	uint64_t features = DRV_VERSION_1 | (how & 1 ? BIT(VIRTIO_F_INDIRECT_DESC) : 0) |
			    (how & 2 ? BIT(VIRTIO_F_EVENT_IDX) : 0) |
			    (how & 4 && how & 8 ? BIT(VIRTIO_CONSOLE_F_MULTIPORT) : 0) |
			    (how & 32 && how & 8 ? BIT(VIRTIO_CONSOLE_F_SIZE) : 0);

	if (how & 64 && !(how & 8)) {
		drv_start(VIRTIO_SLOT_BALLOON, features | BIT(VIRTIO_BALLOON_F_STATS_VQ), 3);
	} else {
		drv_start(how & 8 ? VIRTIO_SLOT_CONSOLE : VIRTIO_SLOT_RNG, features,
			  how & 8 ? 4 : 1);
	}
	if (how & 16) {
		drv_msix_on(5);
	}
}

static void set_up_queue(void)
{
	drv_queue(pick_queue());
}

static void time_and_work(void)
{
	fake_pass(1ul << take(1) % 24);
	in.loads = fake_moves = 0;
	fake_pc_work();
}

static void type(void)
{
	guest_console_type(&fake_vm.hvc, "some words that are typed", take(1) % 25);
	in.loads = fake_moves = 0;
	fake_pc_work();
}

static void resize(void)
{
	guest_console_resize(&fake_vm.hvc, (uint16_t)take(1), (uint16_t)take(1));
	in.loads = fake_moves = 0;
	fake_pc_work();
}

static void load_state(void)
{
	static const char *const names[] = { "virtio-console", "virtio-rng", "virtio-balloon" };
	const char *name = names[take(1) % ARRAY_SIZE(names)];
	size_t at = take(2);

	if (at < fake_pc_state_size(name)) {
		fake_pc_load_corrupt(name, at, (uint8_t)take(1));
	} else {
		fake_pc_save_and_load(name, 1000);
	}
}

static void balloon(void)
{
	struct virtio_balloon_info info;

	(void)virtio_balloon_look(&fake_vm, &info);
	(void)virtio_balloon_set_target(&fake_vm, take(4) * PAGE_SIZE);
	in.loads = fake_moves = 0;
	fake_pc_work();
}

static void status(void)
{
	drv_set_status((uint8_t)take(1));
}

static void negotiate(void)
{
	drv_negotiate(take(1) & 1 ? DRV_FEATURES : take(8));
}

static void write_direct(void)
{
	write_desc(false);
}

static void write_indirect(void)
{
	write_desc(true);
}

static void (*const steps[])(void) = {
	write_direct, write_direct,  write_direct, write_indirect, write_indirect,   offer,
	offer,	      offer,	     offer_many,   write_memory,   write_ring_index, register_write,
	bar_access,   config_access, start,	   set_up_queue,   time_and_work,    type,
	load_state,   status,	     negotiate,	   resize,	   balloon,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in.data = data;
	in.left = size;
	fake_pc_start(NULL);
	in.races = take(1) & 1;
	fake_has_random = take(1) & 1;
	drv_slot = VIRTIO_SLOT_RNG;
	start();
	while (in.left > 0) {
		in.loads = 0;
		fake_moves = 0;
		steps[take(1) % ARRAY_SIZE(steps)]();
	}
	fake_pc_reset();
	fake_pc_stop(NULL);
	return 0;
}
