/* SPDX-License-Identifier: BSD-2-Clause */
/* The dump of a crashed vCPU: whole lines up to its size, kept until the next one. */
/* What a backend prints is a fake's. */
/* TEST_SOURCES: hv/vm_dump.c hv/lib/string.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_lock.c */
#include "hv/vm_dump.h"

#include "arch/hvm.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "tests/unit/fakes/fake_heap.h"

#include <cmocka.h>
#include <string.h>

static struct vm vm;
static struct vcpu vcpu = { .vm = &vm };
static const char *line;
static unsigned int lines, checkpoints;

struct vcpu *vcpu_current(void)
{
	return &vcpu;
}

void thread_checkpoint(void)
{
	checkpoints++;
}

void hvm_vcpu_dump(struct vcpu *v, void (*out)(const char *text))
{
	assert_ptr_equal(v, &vcpu);
	for (unsigned int i = 0; i < lines; i++) {
		out(line);
	}
}

static void crash(const char *text, unsigned int count)
{
	line = text;
	lines = count;
	checkpoints = 0;
	vm_dump_take(&vcpu);
	vm_dump_keep(&vm);
}

static void test_lines_are_kept(void **state)
{
	(void)state;
	crash("rip 1", 3);
	assert_int_equal(vm.dump->len, 18);
	assert_memory_equal(vm.dump->text, "rip 1\nrip 1\nrip 1\n", 18);
	assert_int_equal(checkpoints, 3); /* long work: each line lets others in */
	vm_dump_free(&vm);
}

static void test_no_line_is_cut(void **state)
{
	(void)state;
	crash("0123456789", 2000);
	assert_int_equal(vm.dump->len % 11, 0);
	assert_in_range(vm.dump->len, sizeof(vm.dump->text) - 10, sizeof(vm.dump->text));
	vm_dump_free(&vm);
}

static void test_the_next_replaces_it(void **state)
{
	(void)state;
	crash("first", 1);
	vm_dump_keep(&vm); /* another stop, without a crash */
	assert_memory_equal(vm.dump->text, "first", 5);
	crash("other", 1);
	assert_memory_equal(vm.dump->text, "other", 5);
	assert_int_equal(vm.dump->len, 6);
	vm_dump_free(&vm);
	assert_null(vm.dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_kept),
		cmocka_unit_test(test_no_line_is_cut),
		cmocka_unit_test(test_the_next_replaces_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
