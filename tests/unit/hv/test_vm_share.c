/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may start beside whom: reservations by their sums, windows by the gaps in the frame. */
/* VMs are plain structs in an array, on a host with two CPUs. */
/* TEST_SOURCES: hv/vm_share.c hv/sched_admit.c hv/lib/fmt.c hv/lib/string.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c */
#include "hv/vm_share.h"

#include "arch/cpu.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vm.h"

#include <cmocka.h>
#include <string.h>

#define MS 1000000ul

const struct sched_ops sched_window_ops;
static const struct sched_ops *policy;
static struct vm vms[4];

unsigned int cpu_count(void)
{
	return 2;
}

struct vm *vm_next(const struct vm *prev)
{
	size_t n = prev == NULL ? 0 : (size_t)(prev - vms) + 1;

	return n < ARRAY_SIZE(vms) ? &vms[n] : NULL;
}

bool vm_is_off(const struct vm *vm)
{
	return vm->state == VM_STOPPED;
}

void thread_set_policy(const struct sched_ops *ops)
{
	policy = ops;
}

static int start(unsigned int n, const char **why)
{
	int err = vm_share_admit(&vms[n], why);

	if (err == 0) {
		vm_share_begin(&vms[n]);
		vms[n].state = VM_RUNNING;
	}
	return err;
}

static int setup(void **state)
{
	(void)state;
	memset(vms, 0, sizeof(vms));
	return 0;
}

static void reservations_add_up(void **state)
{
	const char *why = "";

	(void)state;
	vms[0].cfg.reserve = 90;
	vms[1].cfg = (struct vm_config){ .reserve = 60, .pin = 2 };
	vms[2].cfg.reserve = 51;
	vms[3].cfg = (struct vm_config){ .reserve = 41, .pin = 2 };
	assert_int_equal(start(0, &why), 0);
	assert_int_equal(start(1, &why), 0);
	assert_int_equal(start(2, &why), -EBUSY);
	assert_string_equal(why, "it reserves 51 %, others have 150 % of the same 2 CPUs: 201 of "
				 "200 %");
	assert_int_equal(start(3, &why), -EBUSY);
	assert_string_equal(why, "it reserves 41 %, others have 60 % of the same 1 CPU: 101 of "
				 "100 %");
	vms[0].state = VM_STOPPED;
	assert_int_equal(start(2, &why), 0);
	assert_int_equal(vms[2].share.reserve.percent, 51);
}

static void a_cpu_that_is_not_there_is_named(void **state)
{
	const char *why = "";

	(void)state;
	vms[0].cfg.pin = 4;
	assert_int_equal(start(0, &why), -ENODEV);
}

static void check_window(unsigned int n, uint64_t start_ms, uint64_t length_ms)
{
	assert_int_equal(vms[n].share.window.frame, 10 * MS);
	assert_int_equal(vms[n].share.window.start, start_ms * MS);
	assert_int_equal(vms[n].share.window.length, length_ms * MS);
}

static void a_window_needs_windows(void **state)
{
	const char *why = "";

	(void)state;
	vms[0].cfg.window = 2;
	assert_int_equal(start(0, &why), -EINVAL);
	assert_string_equal(why,
			    "its window needs [host] scheduler = \"window\", this is \"share\"");
}

static void windows_take_the_first_gap(void **state)
{
	const char *why = "";

	(void)state;
	vm_share_use_windows(10);
	assert_ptr_equal(policy, &sched_window_ops);
	assert_int_equal(start(0, &why), -EINVAL); /* it has none */
	vms[0].cfg.window = 2;
	vms[1].cfg.window = 3;
	vms[2].cfg.window = 4;
	assert_int_equal(start(0, &why) | start(1, &why) | start(2, &why), 0);
	check_window(0, 0, 2);
	check_window(1, 2, 3);
	check_window(2, 5, 4);
	vms[3].cfg.window = 1; /* would end with the frame */
	assert_int_equal(start(3, &why), -EBUSY);
	assert_string_equal(
		why, "its window of 1 ms finds no gap: in the frame of 10 ms others' windows "
		     "go up to 9000 us, and 5 % are kept for the host");
	vms[1].state = VM_STOPPED;
	assert_int_equal(start(3, &why), 0);
	check_window(3, 2, 1);
	assert_int_equal(start(1, &why), -EBUSY); /* two of its three are left */
}

static void vms_on_other_cpus_have_their_own_windows(void **state)
{
	const char *why = "";

	(void)state;
	vm_share_use_windows(10);
	vms[0].cfg = (struct vm_config){ .window = 8, .pin = 1 };
	vms[1].cfg = (struct vm_config){ .window = 9, .pin = 2 };
	vms[2].cfg.window = 1;
	assert_int_equal(start(0, &why) | start(1, &why), 0);
	check_window(1, 0, 9);
	assert_int_equal(start(2, &why), -EBUSY); /* it may use both */
}

static void check_needs_share(struct vm_config cfg)
{
	const char *why = "";

	vms[0].cfg = cfg;
	assert_int_equal(start(0, &why), -EINVAL);
	assert_string_equal(why, "its cap or reserve needs [host] scheduler = \"share\", this is "
				 "\"window\"");
	assert_int_equal(vms[0].share.window.frame, 0);
}

/* The scheduler is not told of what the window policy cannot keep, whatever the VM's keys are. */
static void a_window_goes_with_no_cap_and_no_reservation(void **state)
{
	(void)state;
	vm_share_use_windows(10);
	check_needs_share((struct vm_config){ .window = 5, .cap = 10 });
	check_needs_share((struct vm_config){ .window = 5, .reserve = 10 });
	check_needs_share((struct vm_config){ .window = 5, .reserve = 300 });
	vms[0].cfg = (struct vm_config){ .window = 5, .cap = 10, .reserve = 5, .weight = 9 };
	vm_share_begin(&vms[0]);
	assert_int_equal(vms[0].share.weight, 9);
	assert_int_equal(vms[0].share.cap.percent, 0);
	assert_int_equal(vms[0].share.reserve.percent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reservations_add_up, setup),
		cmocka_unit_test_setup(a_cpu_that_is_not_there_is_named, setup),
		cmocka_unit_test_setup(a_window_needs_windows, setup),
		cmocka_unit_test_setup(windows_take_the_first_gap, setup),
		cmocka_unit_test_setup(vms_on_other_cpus_have_their_own_windows, setup),
		cmocka_unit_test_setup(a_window_goes_with_no_cap_and_no_reservation, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
