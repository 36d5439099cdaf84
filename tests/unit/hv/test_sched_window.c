/* SPDX-License-Identifier: BSD-2-Clause */
/* The window policy over 10,000 frames: starts on time, no drift, nobody runs in another's window. */
/* One CPU as hv/thread.c drives it; threads of the hypervisor take what is left. */
/* TEST_SOURCES: hv/sched_window.c hv/sched_share.c hv/sched_budget.c */
#include "hv/base/panic.h"
#include "hv/sched.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define HZ	  1000000000ul
#define MS	  (HZ / 1000)
#define TASKS_MAX 12u
#define STRETCH	  18000u /* ticks for which a thread of the hypervisor may be deaf */

struct task {
	struct sched_entity se;
	struct sched_group group;
	uint64_t begun; /* in which frame it last began */
	uint64_t frames, late, ran;
};

static struct sched_queue q;
static struct task tasks[TASKS_MAX];
static unsigned int count;
static struct task *running;
static uint64_t now, since;

static const struct sched_ops *const ops = &sched_window_ops;

static jmp_buf panicked;
static bool panic_expected;

void panic_stop(const char *fmt, ...)
{
	if (panic_expected) {
		longjmp(panicked, 1);
	}
	fail_msg("panic: %s", fmt);
	abort();
}

static struct task *add(uint64_t start, uint64_t length)
{
	struct task *t = &tasks[count++];

	t->se.weight = t->group.weight = 256;
	t->begun = UINT64_MAX;
	if (length != 0) {
		t->se.group = &t->group;
		t->group.runnable = 1;
		t->group.window = (struct sched_window){ 10 * MS, start, length };
	}
	ops->enqueue(&q, &t->se, false);
	return t;
}

static int setup(void **state)
{
	(void)state;
	memset(tasks, 0, sizeof(tasks));
	count = 0;
	running = NULL;
	now = 1000 * 10 * MS - 30000; /* all windows of this frame are over */
	ops->init(&q, HZ);
	ops->advance(&q, now);
	return 0;
}

/* The one that runs must be in its window, and begins it late or not at all. */
static void note_begin(struct task *t)
{
	const struct sched_window *w = &t->group.window;
	uint64_t at = now + SCHED_WINDOW_LEAD - w->start;
	uint64_t frame = at / w->frame;

	assert_in_range(at % w->frame, 0, w->length - 1);
	if (frame != t->begun) {
		assert_true(t->begun == UINT64_MAX || frame == t->begun + 1);
		t->begun = frame;
		t->frames++;
		t->late = u64_max(t->late, at % w->frame);
	}
}

static void look(void)
{
	struct sched_entity *e;

	ops->advance(&q, now);
	if (running != NULL) {
		ops->charge(&q, &running->se, now - since);
		running->ran += now - since;
		ops->enqueue(&q, &running->se, false);
	}
	e = ops->pick(&q);
	running = e != NULL ? container_of(e, struct task, se) : NULL;
	since = now;
	if (running != NULL) {
		ops->begin(&q, e);
		if (running->se.group != NULL) {
			note_begin(running);
		}
	}
}

static void run(uint64_t end)
{
	while (now < end) {
		uint64_t next = ops->until(&q, running != NULL ? &running->se : NULL, since);

		assert_true(next > now);
		now = next;
		if (running != NULL && running->se.group == NULL) {
			now += (uint64_t)random() % STRETCH;
		}
		look();
	}
}

static void windows_start_on_time_for_10000_frames(void **state)
{
	struct task *a = add(0, 2 * MS), *b = add(2 * MS, 3 * MS), *c = add(7 * MS, MS);
	struct task *host = add(0, 0);

	(void)state;
	srandom(10);
	add(0, 0);
	look();
	run(now + 10000 * 10 * MS);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(tasks[i].frames >= 10000);
		assert_int_equal(tasks[i].late, 0);
	}
	/* Its time to the tick: it is the only one of its window. */
	assert_in_range(a->ran, 9998 * 2 * MS, 10001 * 2 * MS);
	assert_in_range(b->ran, 9998 * 3 * MS, 10001 * 3 * MS);
	assert_in_range(c->ran, 9998 * MS, 10001 * MS);
	assert_true(host->ran > 10000 * MS);
}

static void random_windows_never_overlap_nor_drift(void **state)
{
	srandom(11);
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int vms = 1 + (unsigned int)random() % 8;
		uint64_t start = 0;

		setup(state);
		for (unsigned int i = 0; i < vms; i++) {
			uint64_t length = 100000 + (uint64_t)random() % (MS - 100000);

			start += random() % 2 ? (uint64_t)random() % 200000 : 0;
			add(start, length);
			start += length;
		}
		add(0, 0);
		look();
		run(now + 100 * 10 * MS);
		for (unsigned int i = 0; i < vms; i++) {
			assert_true(tasks[i].frames >= 100);
			assert_int_equal(tasks[i].late, 0);
		}
	}
}

/* What a VM does not use of its window no other VM gets. */
static void no_vm_takes_from_anothers_window(void **state)
{
	struct task *a = add(0, 2 * MS), *b = add(2 * MS, 2 * MS);

	(void)state;
	look();
	ops->advance(&q, now);
	if (running == a) {
		running = NULL;
	} else {
		ops->dequeue(&q, &a->se);
	}
	look();
	run(now + 1000 * 10 * MS);
	assert_in_range(b->ran, 998 * 2 * MS, 1001 * 2 * MS);
}

/* One that wakes in its window takes the CPU from a thread of the hypervisor at once. */
static void the_owner_preempts_within_its_window(void **state)
{
	struct task *host = add(0, 0);
	struct task *a = add(0, 2 * MS);

	(void)state;
	ops->dequeue(&q, &a->se);
	now = 1000 * 10 * MS + MS;
	look();
	assert_ptr_equal(running, host);
	ops->enqueue(&q, &a->se, true);
	assert_true(ops->preempts(&q, &host->se, 1));
	look();
	assert_ptr_equal(running, a);
	assert_false(ops->preempts(&q, &a->se, 10 * MS));
}

static void check_refused(struct task *t)
{
	panic_expected = true;
	if (setjmp(panicked) == 0) {
		ops->enqueue(&q, &t->se, false);
		panic_expected = false;
		fail_msg("a group with cap %u, reserve %u was let in", t->group.cap.percent,
			 t->group.reserve.percent);
	}
	panic_expected = false;
	assert_false(t->se.queued);
}

/* Held by its cap within its window it went from one end of the list to the other for ever. */
static void no_group_has_a_budget_beside_its_window(void **state)
{
	struct task *capped = add(0, 5 * MS), *reserved = add(5 * MS, 2 * MS);

	(void)state;
	ops->dequeue(&q, &capped->se);
	ops->dequeue(&q, &reserved->se);
	capped->group.cap.percent = 10;
	reserved->group.reserve.percent = 10;
	check_refused(capped);
	check_refused(reserved);
	ops->advance(&q, 1000 * 10 * MS + MS);
	assert_null(ops->pick(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(windows_start_on_time_for_10000_frames, setup),
		cmocka_unit_test_setup(random_windows_never_overlap_nor_drift, setup),
		cmocka_unit_test_setup(no_vm_takes_from_anothers_window, setup),
		cmocka_unit_test_setup(the_owner_preempts_within_its_window, setup),
		cmocka_unit_test_setup(no_group_has_a_budget_beside_its_window, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
