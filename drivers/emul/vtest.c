/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device (testdev = true): a 32-bit latch on ports and a buffer that is reached through */
/* MMIO emulation only. It does nothing else. */
#include "hv/lib/bytes.h"
#include "hv/lib/string.h"
#include "hv/pc_map.h"
#include "hv/vdev.h"
#include "hv/vm.h"

struct vtest_state {
	uint8_t latch[4];
	uint8_t buffer[PC_TEST_SIZE];
};

struct vtest {
	struct vtest_state s;
};

static enum io_result copy(uint8_t *at, uint64_t room, struct io_access *a)
{
	if (a->size > room) {
		return IO_UNCLAIMED;
	}
	if (a->write) {
		bytes_put_le(at, a->size, a->val);
	} else {
		a->val = bytes_get_le(at, a->size);
	}
	return IO_DONE;
}

static enum io_result vtest_port(void *dev, struct io_access *a)
{
	uint64_t off = a->addr - PC_TEST_PORT;

	return copy(((struct vtest *)dev)->s.latch + off, 4 - off, a);
}

static enum io_result vtest_mmio(void *dev, struct io_access *a)
{
	uint64_t off = a->addr - PC_TEST_MMIO;

	return copy(((struct vtest *)dev)->s.buffer + off, PC_TEST_SIZE - off, a);
}

static bool vtest_wanted(const struct vm_config *cfg)
{
	return cfg->testdev;
}

static int vtest_create(struct vm *vm, void *dev)
{
	int err = iobus_claim(&vm->pio, PC_TEST_PORT, 4, vtest_port, dev);

	return err ? err : iobus_claim(&vm->mmio, PC_TEST_MMIO, PC_TEST_SIZE, vtest_mmio, dev);
}

static void vtest_reset(void *dev)
{
	memset(dev, 0, sizeof(struct vtest));
}

static const struct vdev_class vtest_class = {
	.name = "test",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vtest),
	.wanted = vtest_wanted,
	.create = vtest_create,
	.reset = vtest_reset,
	.state_offset = offsetof(struct vtest, s),
	.state_size = sizeof(struct vtest_state),
	.state_version = 1,
};
VDEV_REGISTER(vtest_class);
