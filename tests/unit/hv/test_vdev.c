/* SPDX-License-Identifier: BSD-2-Clause */
/* Work put off: under the devices' lock, one device at a time, others' turn in between. */
/* How devices are made and taken apart is tested with each of them. */
/* TEST_SOURCES: hv/vdev.c hv/lib/errno.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "fakes/fake_heap.h"
#include "hv/base/log.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include "hv/vm_worker.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NICS 8u

struct vm_worker *vm_worker_current(void)
{
	return NULL;
}

struct nic {
	unsigned int worked, resets;
};

static struct vm vm;
static unsigned int at_once, most_at_once, served;

struct vcpu *vcpu_current(void)
{
	return NULL;
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	(void)v;
	(void)bits;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* No lock may be held: then interrupts come in, and what was done until now is behind us. */
void thread_checkpoint(void)
{
	assert_int_equal(vm.dev_lock.taken, 0);
	at_once = 0;
}

static unsigned int count(const struct vm_config *cfg)
{
	return cfg->nic_count;
}

static int create(struct vm *v, void *dev, unsigned int i)
{
	(void)v;
	(void)dev;
	(void)i;
	return 0;
}

static void work(void *dev)
{
	assert_int_equal(vm.dev_lock.taken, 1);
	((struct nic *)dev)->worked++;
	at_once++;
	most_at_once = at_once > most_at_once ? at_once : most_at_once;
}

static void reset(void *dev)
{
	assert_int_equal(vm.dev_lock.taken, 1);
	((struct nic *)dev)->resets++;
	at_once++;
	most_at_once = at_once > most_at_once ? at_once : most_at_once;
}

static void serve(void *dev)
{
	assert_int_equal(vm.dev_lock.taken, 0);
	assert_int_equal(((struct nic *)dev)->worked, 1);
	assert_int_equal(((struct nic *)dev)->resets, 1);
	served++;
}

static const struct vdev_class nic_class = {
	.name = "nic",
	.stage = VDEV_CHIP,
	.size = sizeof(struct nic),
	.count = count,
	.create_nth = create,
	.reset = reset,
	.work = work,
	.serve = serve,
};
VDEV_REGISTER(nic_class);

static void test_others_have_their_turn_between_devices(void **state)
{
	(void)state;
	spin_init(&vm.dev_lock, LOCK_DEVICES);
	list_init(&vm.devices);
	vm.cfg.nic_count = NICS;
	at_once = most_at_once = 0;
	assert_int_equal(vdev_create_all(&vm), 0);
	assert_int_equal(most_at_once, 1);
	most_at_once = 0;
	vdev_work_all(&vm);
	assert_int_equal(most_at_once, 1);
	assert_int_equal(served, NICS);
	vdev_destroy_all(&vm);
	assert_int_equal(fake_heap_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_have_their_turn_between_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
