/* SPDX-License-Identifier: BSD-2-Clause */
/* Root mode's faults in guest memory: whose they are, what comes of them; reserving from a hostile guest. */
/* TEST_SOURCES: hv/vm_memory.c hv/lib/fmt.c hv/base/lock.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
#include "hv/vm_memory.h"

#include "arch/hvm.h"
#include "hv/base/page.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_life.h"
#include "hv/vm_worker.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

const struct hvm_ops *hvm;
struct vm_worker *vm_worker_current(void)
{
	return NULL;
}

static struct vm vms[2];
static struct thread running; /* the current one */
static paging_fault_fn *fault;
static const struct gpa_space *attached;
static const struct paging_space *sunk;
static const struct vm *crashed;
static bool has_spare;
static unsigned int spares_added, mended;

/* ---- the others ---- */

static void fault_mended(void)
{
	mended++;
}

static const struct hvm_ops ops = { .fault_mended = fault_mended };

void paging_set_fault(paging_fault_fn *fn)
{
	fault = fn;
}

void paging_space_load(const struct paging_space *s)
{
	(void)s;
}

void paging_space_sink(struct paging_space *s, gpa_t gpa)
{
	(void)gpa;
	sunk = s;
}

struct thread *thread_current(void)
{
	return &running;
}

void thread_checkpoint(void)
{
}

struct vcpu *vcpu_current(void)
{
	return NULL;
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	(void)v;
	(void)bits;
}

void vm_request_all(struct vm *vm, uint32_t bits)
{
	(void)vm;
	(void)bits;
}

void vm_crash(struct vm *vm, const char *fmt, ...)
{
	(void)fmt;
	crashed = vm;
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .for_guests = GIB };
}

bool gpa_space_is_ram(const struct gpa_space *s, gpa_t gpa, uint64_t len)
{
	return gpa.v + len <= s->size;
}

int gpa_balloon_create(struct gpa_space *s)
{
	(void)s;
	return -ENOMEM;
}

enum gpa_taken gpa_balloon_take(struct gpa_space *s, gpa_t page)
{
	(void)s;
	(void)page;
	return GPA_TAKEN_NOT;
}

int gpa_balloon_give(struct gpa_space *s, gpa_t page, hpa_t *hpa)
{
	(void)s;
	(void)page;
	(void)hpa;
	return -EAGAIN;
}

bool gpa_balloon_attach(struct gpa_space *s, gpa_t gpa)
{
	(void)gpa;
	attached = has_spare ? s : NULL;
	return has_spare;
}

int gpa_balloon_add_spare(struct gpa_space *s)
{
	(void)s;
	spares_added++;
	return 0; /* and the guest gives it away at once: held stays as it is */
}

bool gpa_balloon_drop_spare(struct gpa_space *s)
{
	(void)s;
	return false;
}

bool gpa_balloon_reap(struct gpa_space *s)
{
	(void)s;
	return false;
}

bool gpa_balloon_is_whole(const struct gpa_space *s, gpa_t gpa, uint64_t len, gpa_t *first)
{
	(void)s;
	(void)gpa;
	(void)len;
	(void)first;
	return true;
}

/* ---- tests ---- */

static int setup(void **state)
{
	(void)state;
	memset(vms, 0, sizeof(vms));
	memset(&running, 0, sizeof(running));
	for (unsigned int i = 0; i < 2; i++) {
		vms[i].mem.size = 16 * MIB;
		vms[i].mem.balloon = (struct gpa_balloon *)&vms[i];
	}
	attached = NULL;
	sunk = NULL;
	crashed = NULL;
	has_spare = true;
	spares_added = 0;
	mended = 0;
	hvm = &ops;
	vm_memory_init();
	return 0;
}

/* A vCPU that loses its CPU still writes its steal time: the next thread is the current one by then. */
static void test_in_a_switch_to_no_vm(void **state)
{
	(void)state;
	assert_true(fault(&vms[0].mem.root, (gpa_t){ 4 * MIB }));
	assert_ptr_equal(attached, &vms[0].mem);
	assert_null(crashed);
}

static void test_in_a_switch_to_another_vm(void **state)
{
	(void)state;
	running.p.space = &vms[1].mem.root;
	assert_true(fault(&vms[0].mem.root, (gpa_t){ 4 * MIB }));
	assert_ptr_equal(attached, &vms[0].mem);
	has_spare = false;
	assert_true(fault(&vms[0].mem.root, (gpa_t){ 4 * MIB }));
	assert_ptr_equal(sunk, &vms[0].mem.root);
	assert_ptr_equal(crashed, &vms[0]);
	assert_int_equal(mended, 2);
}

static void test_not_the_guests(void **state)
{
	(void)state;
	assert_false(fault(&vms[0].mem.root, (gpa_t){ 16 * MIB }));
	vms[0].mem.balloon = NULL;
	assert_false(fault(&vms[0].mem.root, (gpa_t){ 4 * MIB }));
	assert_null(crashed);
	assert_int_equal(mended, 0);
}

static void test_reserve_ends(void **state)
{
	const char *why = NULL;

	(void)state;
	vms[0].mem.held = 2 * MIB;
	assert_int_equal(vm_memory_reserve(&vms[0], 16 * MIB, &why), 0);
	assert_int_equal(spares_added, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_a_switch_to_no_vm, setup),
		cmocka_unit_test_setup(test_in_a_switch_to_another_vm, setup),
		cmocka_unit_test_setup(test_not_the_guests, setup),
		cmocka_unit_test_setup(test_reserve_ends, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
