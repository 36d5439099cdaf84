/* SPDX-License-Identifier: BSD-2-Clause */
/* The block device as polite and as rude drivers see it: every type of request, framing at will, what */
/* lies behind the end, errors of the disk, requests that are cut short, reset, saved state. */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_blk.c drivers/virtio/virtio_blk_request.c drivers/virtio/virtio_blk_hold.c */
/* TEST_SOURCES: drivers/virtio/virtio_blk_serve.c drivers/virtio/virtio_blk_retry.c drivers/virtio/virtio_blk_servers.c */
/* TEST_SOURCES: drivers/block/block.c hv/vm_disk.c hv/vm_disk_limit.c hv/lib/ratelimit.c hv/vm_config.c hv/lib/string.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/fakes/fake_driver.c tests/unit/fakes/fake_disk.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_blk_request.h"
#include "drivers/virtio/virtio_blk_servers.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_disk.h"
#include "tests/unit/fakes/fake_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RW   VIRTIO_SLOT_DISKS
#define RO   (VIRTIO_SLOT_DISKS + 1)
#define LIVE (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)
#define W    VIRTQ_DESC_WRITE
#define N    VIRTQ_DESC_NEXT
#define I    VIRTQ_DESC_INDIRECT
#define FEATURES                                                                                   \
	(DRV_FEATURES | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD) |                      \
	 BIT(VIRTIO_BLK_F_WRITE_ZEROES))
#define HEAD   0x40000ul /* where the test's header, data and status are */
#define DATA   0x50000ul
#define STATUS 0x48000ul
#define NONE   0x77 /* no status was written */

static int start(void **state)
{
	return fake_disk_start(state);
}

static void header(uint32_t type, uint64_t sector)
{
	fake_guest_mem_put32(HEAD, type);
	fake_guest_mem_put32(HEAD + 4, 0);
	fake_guest_mem_put64(HEAD + 8, sector);
	fake_ram[STATUS] = NONE;
}

static void work(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		fake_pc_work();
	}
}

/* Header, `len` bytes at DATA (flags: which way), status; its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
	header(type, sector);
	drv_desc(0, 0, HEAD, 16, N, 1);
	drv_desc(0, 1, DATA, len, N | flags, 2);
	drv_desc(0, 2, STATUS, 1, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	work();
	return fake_ram[STATUS];
}

static uint8_t read_sectors(uint64_t sector, uint32_t len)
{
	return request(VIRTIO_BLK_T_IN, sector, len, W);
}

static uint8_t write_sectors(uint64_t sector, uint32_t len, int byte)
{
	memset(&fake_ram[DATA], byte, len);
	return request(VIRTIO_BLK_T_OUT, sector, len, 0);
}

static uint8_t one_range(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	fake_guest_mem_put64(DATA, sector);
	fake_guest_mem_put32(DATA + 8, sectors);
	fake_guest_mem_put32(DATA + 12, flags);
	return request(type, 0, 16, 0);
}

/* The last request was completed with that length. */
static void assert_length(uint32_t len)
{
	assert_int_equal(drv_used_len(0, drv_used(0) - 1u), len);
}

static void assert_broken(const char *why)
{
	assert_int_equal(drv_status(), LIVE | VIRTIO_NEEDS_RESET);
	assert_non_null(strstr(fake_log, why));
	assert_int_equal(fake_ram[STATUS], NONE);
}

/* ---- what it says of itself ---- */

static void test_configuration(void **state)
{
	(void)state;
	drv_map(RW);
	assert_int_equal(drv_config_get(0, 4), 0x10421af4);
	assert_int_equal(drv_offered(), FEATURES | BIT(VIRTIO_BLK_F_SEG_MAX) |
						BIT(VIRTIO_BLK_F_BLK_SIZE) |
						BIT(VIRTIO_BLK_F_TOPOLOGY));
	assert_int_equal(drv_get(DRV_DEVICE, 8), FAKE_DISK / 512);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_BLK_SEG_MAX, 4), 254);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_BLK_BLK_SIZE, 4), 512);
	assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_BLK_DISCARD_ALIGN, 4), 8);
	drv_map(RO);
	assert_int_equal(drv_offered() & (BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_DISCARD) |
					  BIT(VIRTIO_BLK_F_WRITE_ZEROES)),
			 BIT(VIRTIO_BLK_F_RO));
}

static void test_id(void **state)
{
	(void)state;
	drv_start(RO, FEATURES & ~BIT(VIRTIO_BLK_F_DISCARD) & ~BIT(VIRTIO_BLK_F_WRITE_ZEROES), 1);
	memset(&fake_ram[DATA], 0xff, 32);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, W), VIRTIO_BLK_S_OK);
	assert_memory_equal(&fake_ram[DATA], "disk1-web1\0\0\0\0\0\0\0\0\0\0\xff", 21);
	assert_length(21);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 3, W), VIRTIO_BLK_S_OK);
	assert_length(4);
}

/* ---- data ---- */

static void test_read_and_write(void **state)
{
	const struct vm_disk *disk = &fake_vm.disk[0];

	(void)state;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(3, 4096), VIRTIO_BLK_S_OK);
	assert_memory_equal(&fake_ram[DATA], &fake_disk[3 * 512], 4096);
	assert_length(4097);
	assert_int_equal(write_sectors(8, 1024, 0x5a), VIRTIO_BLK_S_OK);
	assert_length(1);
	assert_int_equal(fake_disk[8 * 512 + 1023], 0x5a);
	assert_int_equal(fake_disk[8 * 512 + 1024], fake_disk_byte(8 * 512 + 1024));
	assert_int_equal(fake_disk_flushes, 0);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk_flushes, 1);
	assert_int_equal(disk->requests[VM_DISK_READ], 1);
	assert_int_equal(disk->bytes[VM_DISK_READ], 4096);
	assert_int_equal(disk->bytes[VM_DISK_WRITE], 1024);
	assert_int_equal(disk->requests[VM_DISK_FLUSH], 1);
	assert_int_equal(disk->errors, 0);
}

/* 2.7.4: any split of header, data and status over descriptors is the same request. */
static void test_framing(void **state)
{
	static const uint32_t pieces[] = { 1, 511, 512, 513, 700, 4096, 33 };

	(void)state;
	drv_start(RW, FEATURES, 1);
	for (unsigned int p = 0; p < ARRAY_SIZE(pieces); p++) {
		uint32_t len = 6 * 1024, left = len + 1;
		unsigned int i = 3;
		uint64_t at = DATA;

		header(VIRTIO_BLK_T_IN, 5);
		memset(&fake_ram[DATA], NONE, len + 8);
		drv_desc(0, 0, HEAD, 32, I, 0);
		drv_indirect(0, 0, HEAD, 7, N, 1);
		drv_indirect(0, 1, HEAD + 7, 0, N, 2);
		drv_indirect(0, 2, HEAD + 7, 9, N, 3);
		while (left > 0) {
			uint32_t part = i == 14 ? left : (uint32_t)u64_min(pieces[p], left);

			drv_indirect(0, i, at, part, (uint16_t)(W | (part < left ? N : 0)),
				     (uint16_t)(i + 1));
			at += part;
			left -= part;
			i++;
		}
		drv_desc(0, 0, DRV_INDIRECT(0), 16 * i, I, 0);
		drv_offer(0, 0);
		drv_kick(0);
		work();
		assert_int_equal(drv_status(), LIVE);
		assert_memory_equal(&fake_ram[DATA], &fake_disk[5 * 512], len);
		assert_int_equal(fake_ram[DATA + len], VIRTIO_BLK_S_OK);
		assert_int_equal(fake_ram[DATA + len + 1], NONE);
		assert_length(len + 1);
	}
}

/* The same for what is written: header and data in one descriptor, cut in the middle of a sector. */
static void test_framing_of_writes(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_OUT, 9);
	memset(&fake_ram[HEAD + 16], 0x31, 100);
	memset(&fake_ram[DATA], 0x32, 9000);
	drv_desc(0, 0, HEAD, 116, N, 1);
	drv_desc(0, 1, DATA, 8192 - 100, N, 2);
	drv_desc(0, 2, STATUS, 1, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	work();
	assert_int_equal(fake_ram[STATUS], VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk[9 * 512 + 99], 0x31);
	assert_int_equal(fake_disk[9 * 512 + 100], 0x32);
	assert_int_equal(fake_disk[9 * 512 + 8191], 0x32);
	assert_int_equal(fake_disk[9 * 512 + 8192], fake_disk_byte(9 * 512 + 8192));
}

/* 5.2.6.2: what a driver that knows no flush was told is written is safe. */
static void test_write_through(void **state)
{
	(void)state;
	drv_start(RW, DRV_FEATURES, 1);
	assert_int_equal(write_sectors(0, 512, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk_flushes, 1);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
}

/* After a request that is a turn's work the driver is asked for notifications all the same. */
static void test_long_request(void **state)
{
	uint32_t len = FAKE_DISK - 512;

	(void)state;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(1, len), VIRTIO_BLK_S_OK);
	assert_memory_equal(&fake_ram[DATA], &fake_disk[512], len);
	assert_int_equal(fake_disk_longest, 64 * KIB);
	assert_int_equal(drv_get16(DRV_USED(0) + VIRTQ_AVAIL_EVENT(DRV_SIZE)), 1);
	assert_true(fake_works >= 2);
}

static void test_many(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	drv_msix_on(2);
	for (unsigned int i = 0; i < 5; i++) {
		fake_guest_mem_put32(HEAD + 16 * i, VIRTIO_BLK_T_IN);
		fake_guest_mem_put64(HEAD + 16 * i + 8, i);
		drv_desc(0, 3 * i, HEAD + 16 * i, 16, N, (uint16_t)(3 * i + 1));
		drv_desc(0, 3 * i + 1, DATA + 512 * i, 512, N | W, (uint16_t)(3 * i + 2));
		drv_desc(0, 3 * i + 2, STATUS + i, 1, W, 0);
		drv_offer(0, (uint16_t)(3 * i));
	}
	drv_kick(0);
	assert_int_equal(drv_used(0), 0); /* the exit's own part does no work */
	fake_pc_work();
	assert_int_equal(drv_used(0), 5);
	assert_int_equal(fake_sent, 1); /* one interrupt for all */
	assert_memory_equal(&fake_ram[DATA], fake_disk, 5 * 512);
}

/* ---- mistakes that get a status ---- */

static void test_behind_the_end(void **state)
{
	static const uint64_t sectors[] = { FAKE_DISK / 512, FAKE_DISK / 512 + 1,
					    UINT64_MAX,	     UINT64_MAX / 512,
					    1ul << 55,	     FAKE_DISK / 512 - 1 };

	(void)state;
	drv_start(RW, FEATURES, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(sectors); i++) {
		assert_int_equal(read_sectors(sectors[i], 1024), VIRTIO_BLK_S_IOERR);
		assert_length(0);
		assert_int_equal(write_sectors(sectors[i], 1024, 1), VIRTIO_BLK_S_IOERR);
		assert_length(1);
		assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, sectors[i], 2, 0),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(one_range(VIRTIO_BLK_T_WRITE_ZEROES, sectors[i], 2, 0),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(read_sectors(FAKE_DISK / 512 - 1, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(read_sectors(0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk_calls, 1);
	assert_int_equal(fake_vm.disk[0].errors, 0); /* the guest's, not the disk's */
	assert_int_equal(drv_status(), LIVE);
}

static void test_odd_requests(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(0, 511), VIRTIO_BLK_S_IOERR);
	assert_int_equal(write_sectors(0, 513, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(2, 0, 512, W), VIRTIO_BLK_S_UNSUPP); /* SCSI commands, once */
	assert_int_equal(request(14, 0, 16, 0), VIRTIO_BLK_S_UNSUPP); /* secure erase */
	assert_int_equal(request(0xffffffff, 0, 512, W), VIRTIO_BLK_S_UNSUPP);
	/* Data the wrong way round: nothing to write, and nothing to read into. */
	assert_int_equal(request(VIRTIO_BLK_T_OUT, 0, 512, W), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_IN, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk_calls, 0);
	assert_memory_equal(fake_disk, &(uint8_t){ fake_disk_byte(0) }, 1);
	assert_int_equal(drv_status(), LIVE);
}

static void test_read_only(void **state)
{
	(void)state;
	drv_start(RO, DRV_FEATURES | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_RO), 1);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(write_sectors(0, 512, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk[0], fake_disk_byte(0));
}

/* ---- ranges ---- */

static void test_ranges(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, 8, 8, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk_discarded, 4096);
	assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, 8, 8, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(one_range(VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(one_range(VIRTIO_BLK_T_WRITE_ZEROES, 16, 2, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk[16 * 512], 0);
	assert_int_equal(fake_disk[18 * 512 - 1], 0);
	assert_int_equal(fake_disk[18 * 512], fake_disk_byte(18 * 512));
	assert_int_equal(one_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 0xffffffff, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 15, 0), VIRTIO_BLK_S_IOERR);
	memset(&fake_ram[DATA], 0, 0x1000);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16 * 32, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, 16 * 33, 0), VIRTIO_BLK_S_IOERR);
	drv_start(RW, DRV_FEATURES, 1);
	assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, 8, 8, 0), VIRTIO_BLK_S_UNSUPP);
}

/* ---- broken rules ---- */

static void test_no_room(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, 0, HEAD, 16, 0, 0); /* no status */
	drv_offer(0, 0);
	drv_kick(0);
	work();
	assert_broken("request of 16 bytes, and 0 for the answer");
	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, 0, HEAD, 15, N, 1); /* not all of a header */
	drv_desc(0, 1, STATUS, 1, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	work();
	assert_broken("request of 15 bytes, and 1 for the answer");
	assert_int_equal(drv_used(0), 0);
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK); /* a reset mends it */
}

static void test_loops_and_holes(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, 0, HEAD, 16, N, 0);
	drv_offer(0, 0);
	drv_kick(0);
	work();
	assert_broken("loop");
	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, 0, HEAD, 16, N, 1);
	drv_desc(0, 1, FAKE_RAM - 256, 512, N | W, 2);
	drv_desc(0, 2, STATUS, 1, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	work();
	assert_broken("outside of RAM");
}

/* ---- errors of the disk ---- */

static void test_errors(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_disk_fails = -EIO;
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(write_sectors(0, 512, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	fake_disk_fails = -ENOSPC;
	assert_int_equal(write_sectors(0, 512, 1), VIRTIO_BLK_S_IOERR);
	fake_disk_fails = 0;
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_vm.disk[0].errors, 4);
	assert_int_equal(fake_vm.disk[0].requests[VM_DISK_READ], 1);
	assert_int_equal(fake_disk_logs, 1);
	assert_non_null(strstr(fake_disk_log, "vm web1: disk 0, boot:a.raw: "));
}

/* By policy the guest hears of no error: it is paused, and the same request is tried again. */
static void test_pause(void **state)
{
	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_fails = -ENOSPC;
	(void)write_sectors(8, 512, 0x31);
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(fake_pauses, 1);
	assert_int_equal(fake_disk_calls, 1); /* not again at once, whoever looks */
	drv_kick(0);
	work();
	assert_int_equal(fake_disk_calls, 1);
	assert_non_null(strstr(fake_disk_log, "boot:a.raw: "));
	assert_non_null(strstr(fake_disk_log, "it is paused, vm resume tries again"));
	fake_pass(2000000000ul);
	work();
	assert_int_equal(fake_pauses, 2); /* still so */
	assert_int_equal(fake_disk_logs, 2);
	fake_disk_fails = 0;
	fake_pass(2000000000ul);
	work();
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_ram[STATUS], VIRTIO_BLK_S_OK);
	assert_int_equal(fake_disk[8 * 512], 0x31);
	assert_int_equal(fake_vm.disk[0].errors, 2);
	assert_int_equal(read_sectors(FAKE_DISK / 512, 512),
			 VIRTIO_BLK_S_IOERR); /* its own mistake */
	assert_int_equal(fake_pauses, 2);
}

/* Another vCPU's request fails, too, while the disk works for the first: both are tried again, in that order. */
static void fail_another(void)
{
	fake_disk_meanwhile = NULL;
	drv_desc(0, 3, HEAD, 16, N, 4);
	drv_desc(0, 4, DATA + 0x4000, 512, N | W, 5);
	drv_desc(0, 5, STATUS + 1, 1, W, 0);
	drv_offer(0, 3);
	drv_kick(0);
	fake_pc_work();
	assert_int_equal(drv_used(0), 0);
}

static void assert_both_read(void)
{
	assert_int_equal(drv_used(0), 2);
	assert_int_equal(fake_guest_mem_get64(DRV_USED(0) + 4) & 0xffffffff, 3);
	assert_int_equal(fake_guest_mem_get64(DRV_USED(0) + 12) & 0xffffffff, 0);
	assert_memory_equal(&fake_ram[DATA], &fake_disk[2 * 512], 512);
	assert_memory_equal(&fake_ram[DATA + 0x4000], &fake_disk[2 * 512], 512);
}

static void test_pause_of_two(void **state)
{
	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_fails = -EIO;
	fake_disk_meanwhile = fail_another;
	(void)read_sectors(2, 512);
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(fake_disk_calls, 2);
	fake_disk_fails = 0;
	fake_pass(2000000000ul);
	work();
	assert_both_read();
	assert_int_equal(fake_disk_calls, 4);
	assert_int_equal(fake_pauses, 2);
}

/* What is to be tried again is saved with the disk. */
static void test_pause_and_save(void **state)
{
	size_t retry = fake_pc_state_size("virtio-blk") - 80;

	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_fails = -EIO;
	fake_disk_meanwhile = fail_another;
	(void)read_sectors(2, 512);
	assert_int_equal(fake_pc_save_and_load("virtio-blk", 1000), 0);
	fake_disk_fails = 0;
	fake_pass(2000000000ul);
	work();
	assert_both_read();
	/* One that was never taken, or is completed; more than there can be. */
	assert_int_equal(fake_pc_load_corrupt("virtio-blk", retry, 1), -EINVAL);
	assert_int_equal(fake_pc_load_corrupt("virtio-blk", retry + 1, 1), -EINVAL);
}

/* A reset forgets them. */
static void test_pause_and_reset(void **state)
{
	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_fails = -EIO;
	(void)read_sectors(2, 512);
	fake_disk_fails = 0;
	drv_start(RW, FEATURES, 1);
	fake_pass(2000000000ul);
	work();
	assert_int_equal(fake_disk_calls, 1);
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(read_sectors(2, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_used(0), 1);
}

/* ---- resets and requests under way ---- */

static void reset_by_another(void)
{
	drv_set_status(0);
	assert_int_not_equal(drv_status(), 0); /* not before the disk is done with the buffers */
}

static void test_reset_under_way(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = reset_by_another;
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK); /* into the buffer, not the ring */
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(drv_status(), 0);
	fake_disk_meanwhile = NULL;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_used(0), 1);
}

static unsigned int nested;

/* Another vCPU notifies and serves while the disk is busy with the first request. */
static void serve_another(void)
{
	if (nested++ > 0) {
		return;
	}
	drv_desc(0, 3, HEAD, 16, N, 4);
	drv_desc(0, 4, DATA + 0x4000, 512, N | W, 5);
	drv_desc(0, 5, STATUS + 1, 1, W, 0);
	drv_offer(0, 3);
	drv_kick(0);
	fake_pc_work();
	assert_int_equal(drv_used(0), 1); /* it overtook the first */
}

static void test_two_at_once(void **state)
{
	(void)state;
	nested = 0;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = serve_another;
	assert_int_equal(read_sectors(2, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_used(0), 2);
	assert_int_equal(fake_guest_mem_get64(DRV_USED(0) + 4) & 0xffffffff, 3);
	assert_memory_equal(&fake_ram[DATA + 0x4000], &fake_disk[2 * 512], 512);
	assert_memory_equal(&fake_ram[DATA], &fake_disk[2 * 512], 512);
}

/* What may sleep is not done in the exit, and the guest hears of each request's end at once. */
static void test_worker(void **state)
{
	fake_pc_stop(state);
	fake_disk_sleeps = true;
	fake_disk_start(state);
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(2, 512), NONE);
	fake_pc_work();
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(fake_disk_calls, 0);
	assert_int_equal(fake_pc_run_workers(), 1);
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_disk_calls, 1);
	assert_memory_equal(&fake_ram[DATA], &fake_disk[2 * 512], 512);
	assert_int_equal(fake_pc_run_workers(), 0);
	fake_disk_sleeps = false;
}

/* ---- disks that sleep: several requests under way ---- */

/* Reads sector i to a place of its own. */
static void offer_read_on(unsigned int q, unsigned int i)
{
	fake_guest_mem_put32(HEAD + 16 * i, VIRTIO_BLK_T_IN);
	fake_guest_mem_put64(HEAD + 16 * i + 8, i);
	drv_desc(q, 3 * i, HEAD + 16 * i, 16, N, (uint16_t)(3 * i + 1));
	drv_desc(q, 3 * i + 1, DATA + 512 * i, 512, N | W, (uint16_t)(3 * i + 2));
	drv_desc(q, 3 * i + 2, STATUS + i, 1, W, 0);
	drv_offer(q, (uint16_t)(3 * i));
}

static void offer_read(unsigned int i)
{
	offer_read_on(0, i);
}

static int start_sleeping(void **state)
{
	fake_disk_sleeps = true;
	return fake_disk_start(state);
}

static int stop_sleeping(void **state)
{
	fake_disk_sleeps = false;
	return fake_pc_stop(state);
}

/* So many reads, told of at once, and served as far as that goes. */
static void serve_reads(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		offer_read(i);
	}
	drv_kick(0);
	(void)fake_pc_run_workers();
}

/* While one request waits for the disk, whoever was woken goes on. */
static void others_work(void)
{
	(void)fake_pc_run_workers();
}

static void test_servers(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = others_work;
	serve_reads(5);
	assert_int_equal(fake_vm.disk[0].at_once, VIRTIO_BLK_SERVERS);
	assert_int_equal(fake_disk_calls, 5);
	assert_int_equal(drv_used(0), 5);
	assert_memory_equal(&fake_ram[DATA], fake_disk, 5 * 512);
	assert_int_equal(fake_vm.disk[1].at_once, 0);
}

/* A driver that finds the queue empty while the disk is busy is asked to tell of the next request. */
static void one_comes(void)
{
	fake_disk_meanwhile = NULL;
	assert_int_equal(drv_get16(DRV_USED(0) + VIRTQ_AVAIL_EVENT(DRV_SIZE)), 1);
	offer_read(1);
	drv_kick(0);
	assert_int_equal(fake_pc_run_workers(), 1);
	assert_int_equal(drv_used(0), 1);
}

static void test_another_meanwhile(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = one_comes;
	serve_reads(1);
	assert_int_equal(drv_used(0), 2);
	assert_int_equal(fake_vm.disk[0].at_once, 2);
}

/* Without the event index a driver tells of each, or of several at once, without being asked. */
static void test_servers_without_event_index(void **state)
{
	(void)state;
	drv_start(RW, FEATURES & ~BIT(VIRTIO_F_EVENT_IDX), 1);
	fake_disk_meanwhile = others_work;
	serve_reads(3);
	assert_int_equal(fake_vm.disk[0].at_once, 3);
	assert_int_equal(drv_used(0), 3);
}

/* All that were under way fail: each is tried again once, by as many, and none before its VM goes on. */
static void test_servers_pause(void **state)
{
	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = others_work;
	fake_disk_fails = -EIO;
	serve_reads(5);
	assert_int_equal(fake_disk_calls, VIRTIO_BLK_SERVERS); /* the fifth did not begin */
	assert_int_equal(fake_disk_logs, 1);
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(fake_pc_run_workers(), 0);
	fake_disk_fails = 0;
	fake_pass(2000000000ul);
	(void)fake_pc_run_workers();
	assert_int_equal(fake_disk_calls, VIRTIO_BLK_SERVERS + 5);
	assert_int_equal(drv_used(0), 5);
	assert_memory_equal(&fake_ram[DATA], fake_disk, 5 * 512);
	assert_int_equal(fake_vm.disk[0].requests[VM_DISK_READ], 5);
}

static void pause_vm(void)
{
	fake_disk_meanwhile = NULL;
	fake_vm.workers_hold = true;
}

/* Whoever pauses the VM waits for what is under way, not for all that is in the queue. */
static void test_servers_hold(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = pause_vm;
	serve_reads(5);
	assert_int_equal(fake_disk_calls, 1);
	assert_int_equal(drv_used(0), 1);
	fake_vm.workers_hold = false;
	(void)fake_pc_run_workers();
	assert_int_equal(drv_used(0), 5);
	assert_memory_equal(&fake_ram[DATA], fake_disk, 5 * 512);
}

static void reset_once(void)
{
	fake_disk_meanwhile = NULL;
	drv_set_status(0);
}

/* A request of before a reset is nobody's: it pauses nothing, and is not tried again. */
static void test_servers_reset(void **state)
{
	(void)state;
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, FEATURES, 1);
	fake_disk_meanwhile = reset_once;
	fake_disk_fails = -EIO;
	serve_reads(1);
	assert_int_equal(fake_pauses, 0);
	assert_null(strstr(fake_disk_log, "paused"));
	fake_disk_fails = 0;
	drv_start(RW, FEATURES, 1);
	fake_pass(2000000000ul);
	(void)fake_pc_run_workers();
	assert_int_equal(fake_disk_calls, 1);
	assert_int_equal(drv_used(0), 0);
}

/* Held back by a limit, all of them go on when it is time. */
static void test_servers_limit(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	vm_disk_limit_set(&fake_vm.disk[0].limit, 1, 0, fake_now);
	vm_disk_limit_charge(&fake_vm.disk[0].limit, 3, 0, fake_now);
	fake_disk_meanwhile = others_work;
	serve_reads(2);
	assert_int_equal(fake_disk_calls, 0);
	vm_disk_limit_set(&fake_vm.disk[0].limit, 0, 0, fake_now);
	fake_pass(2000000000ul);
	(void)fake_pc_run_workers();
	assert_int_equal(drv_used(0), 2);
}

/* ---- several queues ---- */

#define MQ (FEATURES | BIT(VIRTIO_BLK_F_MQ))

static int start_queues(void **state)
{
	fake_disk_cpus = 2;
	return fake_disk_start(state);
}

static int stop_queues(void **state)
{
	fake_disk_cpus = 1;
	return fake_pc_stop(state);
}

static void test_number_of_queues(void **state)
{
	static const unsigned int cpus[] = { 1, 2, 8, 16 };

	for (unsigned int i = 0; i < ARRAY_SIZE(cpus); i++) {
		unsigned int queues = cpus[i] < 8 ? cpus[i] : 8;

		fake_pc_stop(state);
		fake_disk_cpus = cpus[i];
		fake_disk_start(state);
		drv_map(RW);
		assert_int_equal(drv_offered() >> VIRTIO_BLK_F_MQ & 1, queues > 1);
		assert_int_equal(drv_get(DRV_DEVICE + VIRTIO_BLK_NUM_QUEUES, 2), queues);
		assert_int_equal(drv_get(VIRTIO_COMMON_NUM_QUEUES, 2), queues);
		drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, queues);
		assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_SIZE, 2), 0); /* no such queue */
	}
}

/* Each has its own ring and vector. */
static void test_queues(void **state)
{
	(void)state;
	drv_start(RW, MQ, 2);
	drv_msix_on(3);
	offer_read_on(1, 0);
	drv_kick(1);
	fake_pc_work();
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(drv_used(1), 1);
	assert_int_equal(fake_msg.vector, 0x42);
	offer_read_on(0, 1);
	drv_kick(0);
	fake_pc_work();
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_msg.vector, 0x41);
	assert_memory_equal(&fake_ram[DATA], fake_disk, 2 * 512);
	drv_kick(2);
	assert_int_equal(drv_status(), LIVE);
}

static void second_is_in_turn(void)
{
	if (fake_disk_calls == 3) {
		assert_int_equal(drv_used(0), 1);
		assert_int_equal(drv_used(1), 1);
	}
}

/* A queue with many requests leaves the other its turn. */
static void test_queues_in_turn(void **state)
{
	(void)state;
	drv_start(RW, MQ, 2);
	for (unsigned int i = 0; i < 4; i++) {
		offer_read_on(0, i);
	}
	offer_read_on(1, 4);
	drv_kick(0);
	drv_kick(1);
	fake_disk_meanwhile = second_is_in_turn;
	fake_pc_work();
	assert_int_equal(drv_used(0), 4);
	assert_int_equal(drv_used(1), 1);
}

static void other_queue_works(void)
{
	fake_disk_meanwhile = NULL;
	offer_read_on(1, 1);
	drv_kick(1);
	fake_pc_work();
}

static void fail_on_both(void)
{
	fake_vm.cfg.disks[0].on_io_error = VM_DISK_PAUSE;
	drv_start(RW, MQ, 2);
	fake_disk_fails = -EIO;
	fake_disk_meanwhile = other_queue_works;
	offer_read_on(0, 0);
	drv_kick(0);
	fake_pc_work();
	fake_disk_fails = 0;
}

/* What is to be tried again goes back to where it came from, after saving, too. */
static void test_queues_pause(void **state)
{
	(void)state;
	fail_on_both();
	assert_int_equal(fake_pauses, 2);
	assert_int_equal(fake_pc_save_and_load("virtio-blk", 1000), 0);
	fake_pass(2000000000ul);
	work();
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(drv_used(1), 1);
	assert_memory_equal(&fake_ram[DATA], fake_disk, 2 * 512);
}

static void test_queues_pause_damaged(void **state)
{
	static const struct {
		size_t at;
		uint8_t val;
	} rows[] = {
		{ 3, 2 },    /* of a queue that there is not */
		{ 2, 0 },    /* both of one queue, which has taken one */
		{ 5, 0x10 }, /* no such head */
	};
	size_t retry = fake_pc_state_size("virtio-blk") - 80;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		fail_on_both();
		assert_int_equal(
			fake_pc_load_corrupt("virtio-blk", retry + rows[i].at, rows[i].val),
			-EINVAL);
		fake_pass(2000000000ul);
	}
}

/* The VM ends: a long request is not finished, nor completed. */
static void test_vm_ends(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	fake_ending = true;
	assert_int_equal(read_sectors(0, 128 * KIB), NONE);
	assert_int_equal(drv_used(0), 0);
	assert_int_equal(fake_disk_calls, 1);
	fake_ending = false;
}

/* ---- limits ---- */

#define SECOND 1000000000ul

/* A guest that has `depth` reads under way and looks every `step` ns; how many end within 10 s. */
static unsigned int reads_in_ten_seconds(uint32_t len, unsigned int depth, uint64_t step)
{
	uint64_t end = fake_now + 10 * SECOND;
	uint16_t offered = 0, ended = 0;
	unsigned int sum = 0;

	drv_start(RW, FEATURES, 1);
	header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, 0, HEAD, 16, N, 1);
	drv_desc(0, 1, DATA, len, N | W, 2);
	drv_desc(0, 2, STATUS, 1, W, 0);
	while (fake_now < end) {
		for (; (uint16_t)(offered - ended) < depth; offered++) {
			drv_offer(0, 0);
		}
		drv_kick(0);
		fake_pc_work();
		sum += (uint16_t)(drv_used(0) - ended);
		ended = drv_used(0);
		fake_pass(step);
	}
	return sum;
}

static void test_limits(void **state)
{
	static const struct {
		uint64_t iops, bandwidth;
		uint32_t len;
		unsigned int depth;
		uint64_t step, ideal; /* ns; requests in 10 s */
	} rows[] = {
		{ 100, 0, 4096, 1, 1000000, 1000 },    { 100, 0, 4096, 8, 1000000, 1000 },
		{ 333, 0, 512, 4, 7000000, 3330 },     { 2000, 0, 512, 8, 100000, 20000 },
		{ 0, 409600, 4096, 1, 1000000, 1000 }, { 0, 1 << 20, 65536, 4, 1000000, 160 },
		{ 0, 65536, 131072, 2, 10000000, 5 }, /* larger than all that may be saved up */
		{ 100, 65536, 512, 2, 1000000, 1000 }, { 1000, 65536, 4096, 2, 1000000, 160 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int got;

		vm_disk_limit_set(&fake_vm.disk[0].limit, rows[i].iops, rows[i].bandwidth,
				  fake_now);
		got = reads_in_ten_seconds(rows[i].len, rows[i].depth, rows[i].step);
		if (got < rows[i].ideal * 98 / 100 || got > rows[i].ideal * 102 / 100) {
			fail_msg("row %u: %u requests, not %lu", i, got, rows[i].ideal);
		}
		fake_pc_stop(state);
		fake_disk_start(state);
	}
}

/* What is zeroed without data counts, what is discarded does not; each is a request. */
static void test_limits_of_ranges(void **state)
{
	struct vm_disk_limit *l = &fake_vm.disk[0].limit;

	(void)state;
	drv_start(RW, FEATURES, 1);
	vm_disk_limit_set(l, 0, 1 << 20, fake_now);
	assert_int_equal(one_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, FAKE_DISK / 512, 0),
			 VIRTIO_BLK_S_OK);
	assert_in_range(vm_disk_limit_wait(l, fake_now),
			fake_now + SECOND * (FAKE_DISK - 65536) / (1 << 20),
			fake_now + SECOND * FAKE_DISK / (1 << 20) + 1000000);
	vm_disk_limit_set(l, 10, 1 << 20, fake_now);
	fake_pass(SECOND);
	assert_int_equal(one_range(VIRTIO_BLK_T_DISCARD, 0, FAKE_DISK / 512, 0), VIRTIO_BLK_S_OK);
	assert_in_range(vm_disk_limit_wait(l, fake_now), fake_now + SECOND / 20,
			fake_now + SECOND / 10);
}

/* A limit that the queue is held back by may be lifted; and the VM may end meanwhile. */
static void test_limit_lifted(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	vm_disk_limit_set(&fake_vm.disk[0].limit, 1, 0, fake_now);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	vm_disk_limit_charge(&fake_vm.disk[0].limit, 1000, 0, fake_now);
	assert_int_equal(read_sectors(0, 512), NONE);
	vm_disk_change_limit(&fake_vm, 0, 0, 0);
	fake_pass(2 * SECOND);
	work();
	assert_int_equal(fake_ram[STATUS], VIRTIO_BLK_S_OK);
	vm_disk_change_limit(&fake_vm, 0, 5, 4 * MIB);
	assert_int_equal(fake_vm.cfg.disks[0].iops, 5);
	assert_int_equal(fake_vm.cfg.disks[0].bandwidth, 4 * MIB);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_true(vm_disk_limit_wait(&fake_vm.disk[0].limit, fake_now) > fake_now);
	vm_disk_limit_set(&fake_vm.disk[0].limit, 1, 0, fake_now);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(read_sectors(0, 512),
			 NONE); /* its timer is set, and nobody frees it but us */
}

/* ---- saved state ---- */

static void test_save(void **state)
{
	(void)state;
	drv_start(RW, FEATURES, 1);
	assert_int_equal(read_sectors(0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(fake_pc_save_and_load("virtio-blk", 1000), 0);
	assert_int_equal(drv_status(), LIVE);
	assert_int_equal(read_sectors(1, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_used(0), 2);
	/* The disk has another size than the one that the guest knows. */
	assert_int_equal(
		fake_pc_load_corrupt("virtio-blk", fake_pc_state_size("virtio-blk") - 1, 1),
		-EINVAL);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, start, fake_pc_stop)
#define QUEUES(name)   cmocka_unit_test_setup_teardown(name, start_queues, stop_queues)
#define SLEEPING(name) cmocka_unit_test_setup_teardown(name, start_sleeping, stop_sleeping)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_configuration),
		TEST(test_id),
		TEST(test_read_and_write),
		TEST(test_framing),
		TEST(test_framing_of_writes),
		TEST(test_write_through),
		TEST(test_long_request),
		TEST(test_many),
		TEST(test_behind_the_end),
		TEST(test_odd_requests),
		TEST(test_read_only),
		TEST(test_ranges),
		TEST(test_no_room),
		TEST(test_loops_and_holes),
		TEST(test_errors),
		TEST(test_pause),
		TEST(test_pause_of_two),
		TEST(test_pause_and_save),
		TEST(test_pause_and_reset),
		TEST(test_reset_under_way),
		TEST(test_two_at_once),
		TEST(test_worker),
		SLEEPING(test_servers),
		SLEEPING(test_another_meanwhile),
		SLEEPING(test_servers_without_event_index),
		SLEEPING(test_servers_pause),
		SLEEPING(test_servers_hold),
		SLEEPING(test_servers_reset),
		SLEEPING(test_servers_limit),
		QUEUES(test_number_of_queues),
		QUEUES(test_queues),
		QUEUES(test_queues_in_turn),
		QUEUES(test_queues_pause),
		QUEUES(test_queues_pause_damaged),
		TEST(test_vm_ends),
		TEST(test_limits),
		TEST(test_limits_of_ranges),
		TEST(test_limit_lifted),
		TEST(test_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
