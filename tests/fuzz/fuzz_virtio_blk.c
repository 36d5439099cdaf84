/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver against the block device: requests of any shape on four queues, a disk that sleeps or not and */
/* fails at will, pauses, limits, resets under way, saved states. No crash, no BUG; nothing is completed twice. */
/* FUZZ_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_blk.c drivers/virtio/virtio_blk_request.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_blk_hold.c drivers/virtio/virtio_blk_serve.c */
/* FUZZ_SOURCES: drivers/virtio/virtio_blk_retry.c drivers/virtio/virtio_blk_servers.c */
/* FUZZ_SOURCES: drivers/block/block.c hv/vm_disk.c hv/vm_disk_limit.c hv/lib/ratelimit.c hv/vm_config.c */
/* FUZZ_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* FUZZ_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c hv/virq.c hv/iobus.c hv/timer.c */
/* FUZZ_SOURCES: hv/guest_console.c hv/base/lock.c hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_disk.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_driver.c */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_blk_retry.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_disk.h"
#include "tests/unit/fakes/fake_driver.h"

#include <stdlib.h>
#include <string.h>

#define QUEUES 4u
#define ROOM   0x3000u /* for one descriptor's data */
#define NESTED 6u      /* threads that are at it at once */

static struct {
	const uint8_t *data;
	size_t left;
	unsigned int nested;
	bool damaged; /* a state was loaded that was not saved so, and the device not reset since */
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

static unsigned int pick_queue(void)
{
	return (unsigned int)take(1) % QUEUES;
}

/* Data never lies where rings are: more completed than offered is something completed twice. */
static void check(void)
{
	if (fake_vm.disk[0].at_once > VIRTIO_BLK_RETRIES) {
		abort();
	}
	for (unsigned int q = 0; q < QUEUES && !in.damaged; q++) {
		uint16_t offered = drv_get16(DRV_AVAIL(q) + VIRTQ_RING_IDX);

		if ((uint16_t)(offered - drv_used(q)) > INT16_MAX) {
			abort();
		}
	}
}

static void put_request(void)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN,	    VIRTIO_BLK_T_IN,
					  VIRTIO_BLK_T_OUT,	    VIRTIO_BLK_T_FLUSH,
					  VIRTIO_BLK_T_GET_ID,	    VIRTIO_BLK_T_DISCARD,
					  VIRTIO_BLK_T_WRITE_ZEROES };
	unsigned int q = pick_queue(), i = (unsigned int)take(1) % 5;
	uint32_t type = types[take(1) % ARRAY_SIZE(types)];
	uint64_t at = DRV_DATA(q) + 0x400ul * i;
	uint16_t way =
		type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID ? VIRTQ_DESC_WRITE : 0;

	fake_guest_mem_put32(at, type);
	fake_guest_mem_put64(at + 8, take(1) & 1 ? take(8) : take(2) % 700);
	drv_desc(q, 3 * i, at, 16, VIRTQ_DESC_NEXT, (uint16_t)(3 * i + 1));
	drv_desc(q, 3 * i + 1, at + 0x20, (uint32_t)(take(1) & 1 ? 512 : take(2) % ROOM),
		 (uint16_t)(VIRTQ_DESC_NEXT | way), (uint16_t)(3 * i + 2));
	drv_desc(q, 3 * i + 2, at + 16, 1, VIRTQ_DESC_WRITE, 0);
	drv_offer(q, (uint16_t)(3 * i));
	drv_kick(q);
}

static void put_desc(void)
{
	unsigned int q = pick_queue();

	drv_desc(q, (unsigned int)take(1) % 16, DRV_DATA(q) + take(2) % 0x4000,
		 (uint32_t)take(2) % ROOM, (uint16_t)take(1) & 3, (uint16_t)take(1) % 17);
}

static void offer(void)
{
	unsigned int q = pick_queue();

	drv_offer(q, (uint16_t)take(1) % 17);
	drv_kick(q);
}

static void serve(void)
{
	fake_pc_work();
	(void)fake_pc_run_workers();
}

static void pass(void)
{
	fake_pass(1ul << take(1) % 32);
	serve();
}

static void fail(void)
{
	static const int errors[] = { 0, 0, -EIO, -ENOSPC };

	fake_disk_fails = errors[take(1) % ARRAY_SIZE(errors)];
}

static void policy(void)
{
	fake_vm.cfg.disks[0].on_io_error = take(1) & 1 ? VM_DISK_PAUSE : VM_DISK_REPORT;
}

static void limit(void)
{
	vm_disk_change_limit(&fake_vm, 0, (unsigned int)take(1), take(1) << take(1) % 24);
}

static void start(void)
{
	drv_start(VIRTIO_SLOT_DISKS,
		  take(1) & 1 ? DRV_FEATURES | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD) |
					BIT(VIRTIO_BLK_F_WRITE_ZEROES) | BIT(VIRTIO_BLK_F_MQ)
			      : DRV_VERSION_1,
		  QUEUES);
	in.damaged = false;
}

static void status(void)
{
	drv_set_status((uint8_t)take(1));
}

static void load_state(void)
{
	size_t at = fake_pc_state_size("virtio-blk") - 1 - take(1);

	if (in.nested == 0 && take(1) & 1) {
		in.damaged = true;
		fake_pc_load_corrupt("virtio-blk", at, (uint8_t)take(1));
	} else if (in.nested == 0) {
		fake_pc_save_and_load("virtio-blk", 1000);
	}
}

static void (*const steps[])(void) = {
	put_request, put_request, put_request, put_request, put_desc, offer,	  serve,  serve,
	pass,	     fail,	  policy,      limit,	    start,    load_state, status,
};

static void step(void)
{
	steps[take(1) % ARRAY_SIZE(steps)]();
}

/* While the disk is busy for one thread, the others and the driver go on. */
static void meanwhile(void)
{
	if (in.nested < NESTED && in.left > 0) {
		in.nested++;
		step();
		in.nested--;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in.data = data;
	in.left = size;
	in.nested = 0;
	in.damaged = false;
	fake_disk_cpus = QUEUES;
	fake_disk_sleeps = take(1) & 1;
	fake_disk_start(NULL);
	fake_disk_meanwhile = meanwhile;
	start();
	while (in.left > 0) {
		step();
		check();
	}
	fake_disk_meanwhile = NULL;
	fake_pc_reset();
	fake_pc_stop(NULL);
	return 0;
}
