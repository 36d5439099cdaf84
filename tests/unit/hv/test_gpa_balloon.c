/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages given away and back over the real page allocator: chunks that leave only when no CPU can reach */
/* them, spare ones, zeroes, limits; every byte counted; random work against a model. */
/* TEST_SOURCES: hv/gpa_space.c hv/gpa_balloon.c hv/base/page.c hv/base/lock.c tests/unit/fakes/fake_paging.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_heap.c */
#include "hv/gpa_balloon.h"

#include "boot/boot_info.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_paging.h"

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define CHUNK PAGE_CHUNK_SIZE
#define PAGES (CHUNK / PAGE_SIZE)
#define SIZE  (8 * MIB)

static const struct boot_info info = {
	.mem_count = 1,
	.mem = { { { 2 * MIB }, FAKE_RAM - 2 * MIB, BOOT_MEM_RAM } },
};

static struct gpa_space space;
static uint64_t mapped[SIZE / CHUNK]; /* what root mode has at each chunk; 0: nothing */
static uint64_t clean;		      /* generations that all CPUs have seen */
static bool sink_fails, unmap_fails;

void thread_checkpoint(void)
{
}

int paging_space_create(struct paging_space *s)
{
	*s = (struct paging_space){ .root.v = PAGE_SIZE };
	return 0;
}

void paging_space_destroy(struct paging_space *s)
{
	s->root.v = 0;
}

int paging_space_map(struct paging_space *s, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	(void)s;
	for (uint64_t off = 0; off < size; off += CHUNK) {
		mapped[(gpa.v + off) / CHUNK] = hpa.v + off;
	}
	return 0;
}

int paging_space_unmap(struct paging_space *s, gpa_t gpa)
{
	if (unmap_fails) {
		return -ENOMEM;
	}
	mapped[gpa.v / CHUNK] = 0;
	s->generation++;
	return 0;
}

bool paging_space_is_clean(const struct paging_space *s, uint64_t generation)
{
	(void)s;
	return clean >= generation;
}

int paging_space_make_sink(struct paging_space *s)
{
	(void)s;
	return sink_fails ? -ENOMEM : 0;
}

void *paging_window(hpa_t hpa)
{
	assert_int_equal(hpa.v % CHUNK, 0);
	return paging_direct(hpa);
}

void paging_window_close(void)
{
}

static uint64_t guest_bytes(void)
{
	struct page_stats s;

	page_stats(&s);
	assert_int_equal(s.total, s.image + s.hypervisor + s.guest + s.free);
	return s.guest;
}

static int setup(void **state)
{
	(void)state;
	fake_paging_reset();
	page_init(&info);
	clean = 0;
	sink_fails = unmap_fails = false;
	assert_int_equal(gpa_space_create(&space, SIZE), 0);
	assert_int_equal(gpa_balloon_create(&space), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gpa_space_destroy(&space);
	assert_int_equal(guest_bytes(), 0);
	return fake_heap_live == 0 ? 0 : -1;
}

static gpa_t page_at(uint64_t n)
{
	return (gpa_t){ n * PAGE_SIZE };
}

static enum gpa_taken take_chunk(uint64_t chunk)
{
	enum gpa_taken last = GPA_TAKEN_NOT;

	for (uint64_t i = 0; i < PAGES; i++) {
		last = gpa_balloon_take(&space, page_at(chunk * PAGES + i));
	}
	return last;
}

static void reap_all(void)
{
	while (gpa_balloon_reap(&space)) {
	}
}

/* The host has a chunk back when its last page was given away and no CPU can reach it, not before. */
static void chunk_leaves_when_no_cpu_reaches_it(void **state)
{
	uint64_t before = guest_bytes();
	hpa_t chunk;

	(void)state;
	for (uint64_t i = 0; i + 1 < PAGES; i++) {
		assert_int_equal(gpa_balloon_take(&space, page_at(PAGES + i)), GPA_TAKEN);
	}
	assert_int_not_equal(mapped[1], 0);
	assert_int_equal(gpa_balloon_take(&space, page_at(2 * PAGES - 1)), GPA_TAKEN_CHUNK);
	assert_int_equal(mapped[1], 0);
	reap_all();
	assert_int_equal(guest_bytes(), before);
	assert_int_equal(gpa_space_held(&space), before);
	clean = space.root.generation;
	reap_all();
	assert_int_equal(guest_bytes(), before - CHUNK);
	assert_int_equal(gpa_space_held(&space), before - CHUNK);
	assert_int_equal(gpa_balloon_size(&space), CHUNK);
	assert_false(gpa_space_chunk(&space, page_at(PAGES), &chunk));
	assert_true(gpa_space_chunk(&space, page_at(0), &chunk));
}

/* Who writes there from another VM's thread is waited for; who comes later sees that it leaves. */
static void chunk_leaves_when_no_visitor_is_there(void **state)
{
	uint64_t before = guest_bytes();
	hpa_t chunk, same;

	(void)state;
	gpa_space_visit(&space);
	assert_true(gpa_space_visit_chunk(&space, page_at(PAGES), &chunk));
	assert_int_equal(take_chunk(1), GPA_TAKEN_CHUNK);
	clean = space.root.generation;
	assert_true(gpa_balloon_reap(&space)); /* look again */
	assert_int_equal(guest_bytes(), before);
	assert_false(gpa_space_visit_chunk(&space, page_at(PAGES), &same));
	gpa_space_leave(&space);
	reap_all();
	assert_int_equal(guest_bytes(), before - CHUNK);
	gpa_space_visit(&space);
	assert_false(gpa_space_visit_chunk(&space, page_at(PAGES), &same));
	assert_true(gpa_space_visit_chunk(&space, page_at(0), &same));
	assert_true(gpa_space_chunk(&space, page_at(0), &chunk));
	assert_int_equal(chunk.v, same.v);
	gpa_space_leave(&space);
}

/* ---- a visitor, instruction by instruction ---- */

#define RFLAGS_TF  0x100
#define REG_RFLAGS 17 /* REG_EFL of Linux on x86-64, in sys/ucontext.h */

static volatile unsigned int reap_at, step; /* 0: not stepping */

/* The reaper found no visitor just before there was one; the rest of its work falls between two steps. */
static void finish_reaping(void)
{
	space.visitors--;
	gpa_balloon_reap(&space);
	space.visitors++;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RFLAGS];

	(void)sig;
	(void)info;
	if (reap_at == 0) {
		*flags &= ~(greg_t)RFLAGS_TF;
		return;
	}
	*flags |= RFLAGS_TF;
	if (step++ == reap_at) {
		finish_reaping();
	}
}

/* False: it was over before that step. */
static bool visit_and_reap_at(unsigned int at)
{
	hpa_t chunk = { 0 };
	bool there;

	assert_int_equal(gpa_balloon_take(&space, page_at(PAGES)), GPA_TAKEN_CHUNK);
	clean = space.root.generation;
	gpa_space_visit(&space);
	step = 0;
	reap_at = at;
	__asm__ volatile("int3");
	there = gpa_space_visit_chunk(&space, page_at(PAGES), &chunk);
	reap_at = 0;
	gpa_space_leave(&space);
	assert_false(there);
	return step > at;
}

static void visitor_never_sees_a_chunk_that_has_gone(void **state)
{
	const struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct sigaction before;
	unsigned int at = 1;
	hpa_t hpa;

	(void)state;
	assert_int_equal(take_chunk(1), GPA_TAKEN_CHUNK);
	assert_int_equal(gpa_balloon_give(&space, page_at(PAGES), &hpa), 0);
	assert_int_equal(sigaction(SIGTRAP, &trap, &before), 0);
	while (visit_and_reap_at(at)) {
		assert_int_equal(gpa_balloon_add_spare(&space), 0);
		assert_int_equal(gpa_balloon_give(&space, page_at(PAGES), &hpa), 0);
		at++;
	}
	assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
	assert_true(at > 10);
}

static void same_page_twice_counts_once(void **state)
{
	(void)state;
	assert_int_equal(gpa_balloon_take(&space, page_at(3)), GPA_TAKEN);
	assert_int_equal(gpa_balloon_take(&space, page_at(3)), GPA_TAKEN);
	assert_int_equal(gpa_balloon_size(&space), PAGE_SIZE);
	assert_int_equal(gpa_balloon_map(&space, page_at(3))[0], 8);
	assert_null(gpa_balloon_map(&space, page_at(PAGES)));
}

static void page_comes_back_zeroed_where_it_was(void **state)
{
	hpa_t hpa, chunk;

	(void)state;
	assert_true(gpa_space_chunk(&space, page_at(5), &chunk));
	memset((char *)paging_direct(chunk) + 5 * PAGE_SIZE, 0x77, PAGE_SIZE);
	assert_int_equal(gpa_balloon_take(&space, page_at(5)), GPA_TAKEN);
	assert_int_equal(gpa_balloon_give(&space, page_at(5), &hpa), 0);
	assert_int_equal(hpa.v, chunk.v + 5 * PAGE_SIZE);
	assert_int_equal(*(uint64_t *)paging_direct(hpa), 0);
	assert_int_equal(gpa_balloon_size(&space), 0);
	memset(paging_direct(hpa), 0x77, PAGE_SIZE); /* what is there already is left alone */
	assert_int_equal(gpa_balloon_give(&space, page_at(5), &hpa), 0);
	assert_int_equal(*(uint8_t *)paging_direct(hpa), 0x77);
}

/* A CPU may still reach the old chunk: so that is what comes back. */
static void chunk_that_leaves_is_taken_back(void **state)
{
	hpa_t hpa, chunk;

	(void)state;
	assert_true(gpa_space_chunk(&space, page_at(0), &chunk));
	assert_int_equal(take_chunk(0), GPA_TAKEN_CHUNK);
	assert_int_equal(gpa_balloon_give(&space, page_at(9), &hpa), 0);
	assert_int_equal(hpa.v, chunk.v + 9 * PAGE_SIZE);
	assert_int_equal(mapped[0], chunk.v);
	clean = space.root.generation;
	reap_all();
	assert_int_equal(guest_bytes(), SIZE);
}

static void spare_chunk_is_scrubbed_and_limited(void **state)
{
	hpa_t hpa;

	(void)state;
	assert_int_equal(gpa_balloon_add_spare(&space), -EBUSY); /* it has all that it may have */
	assert_int_equal(take_chunk(2), GPA_TAKEN_CHUNK);
	clean = space.root.generation;
	reap_all();
	assert_int_equal(gpa_balloon_give(&space, page_at(2 * PAGES), &hpa), -EAGAIN);
	memset(paging_direct((hpa_t){ 4 * MIB }), 0x55, FAKE_RAM - 4 * MIB);
	assert_int_equal(gpa_balloon_add_spare(&space), 0);
	assert_int_equal(gpa_space_held(&space), SIZE);
	assert_int_equal(gpa_balloon_add_spare(&space), -EBUSY);
	assert_int_equal(gpa_balloon_give(&space, page_at(2 * PAGES + 7), &hpa), 0);
	for (uint64_t i = 0; i < CHUNK; i++) { /* root mode sees all of it */
		assert_int_equal(*(uint8_t *)paging_direct((hpa_t){ mapped[2] + i }), 0);
	}
	assert_int_equal(hpa.v, mapped[2] + 7 * PAGE_SIZE);
	assert_false(gpa_balloon_drop_spare(&space));
	assert_int_equal(guest_bytes(), SIZE);
}

static void no_memory_for_a_spare(void **state)
{
	hpa_t all;

	(void)state;
	assert_int_equal(take_chunk(1), GPA_TAKEN_CHUNK);
	clean = space.root.generation;
	reap_all();
	while (page_alloc_chunks(1, &all) == 1) {
	}
	assert_int_equal(gpa_balloon_add_spare(&space), -ENOSPC);
	assert_false(gpa_balloon_attach(&space, page_at(PAGES)));
	assert_int_equal(gpa_space_held(&space), SIZE - CHUNK);
	for (uint64_t hpa = 2 * MIB; hpa < FAKE_RAM; hpa += CHUNK) { /* for the teardown */
		bool ours = false;

		for (unsigned int i = 0; i < SIZE / CHUNK; i++) {
			ours |= mapped[i] == hpa;
		}
		if (!ours && hpa != 2 * MIB) {
			page_free_chunks((hpa_t){ hpa }, 1);
		}
	}
}

/* Root mode keeps a pointer into what has left. */
static void fault_attaches_a_spare(void **state)
{
	(void)state;
	assert_int_equal(take_chunk(3), GPA_TAKEN_CHUNK);
	clean = space.root.generation;
	reap_all();
	assert_int_equal(gpa_balloon_add_spare(&space), 0);
	assert_true(gpa_balloon_attach(&space, page_at(3 * PAGES + 1)));
	assert_int_not_equal(mapped[3], 0);
	assert_int_equal(gpa_balloon_size(&space),
			 CHUNK); /* its pages are still the host's to give */
	assert_false(gpa_balloon_attach(&space, page_at(0)));
}

static void lack_of_tables_keeps_the_chunk(void **state)
{
	(void)state;
	unmap_fails = true;
	assert_int_equal(take_chunk(1), GPA_TAKEN);
	assert_int_not_equal(mapped[1], 0);
	clean = UINT64_MAX;
	reap_all();
	assert_int_equal(guest_bytes(), SIZE);
}

static void whole_ranges(void **state)
{
	gpa_t first;

	(void)state;
	assert_int_equal(gpa_balloon_take(&space, page_at(PAGES + 70)), GPA_TAKEN);
	assert_true(gpa_balloon_is_whole(&space, page_at(0), (PAGES + 70) * PAGE_SIZE, &first));
	assert_false(
		gpa_balloon_is_whole(&space, page_at(0), (PAGES + 70) * PAGE_SIZE + 1, &first));
	assert_int_equal(first.v, page_at(PAGES + 70).v);
	assert_true(gpa_balloon_is_whole(&space, page_at(PAGES + 71), SIZE / 2, &first));
	assert_false(gpa_balloon_is_whole(&space, (gpa_t){ page_at(PAGES + 71).v - 1 }, 1, &first));
	assert_true(gpa_balloon_is_whole(&space, page_at(PAGES + 70), 0, &first));
}

/* ---- random work: what is mapped, what is held and what is zero, against a model ---- */

static bool model[SIZE / PAGE_SIZE]; /* given away */

static void check_model(void)
{
	uint64_t given = 0;
	gpa_t first;

	for (uint64_t i = 0; i < SIZE / PAGE_SIZE; i++) {
		given += model[i];
		assert_int_equal(gpa_balloon_is_whole(&space, page_at(i), PAGE_SIZE, &first),
				 !model[i]);
		assert_true(model[i] || mapped[i / PAGES] != 0);
	}
	assert_int_equal(gpa_balloon_size(&space), given * PAGE_SIZE);
	assert_int_equal(gpa_space_held(&space), guest_bytes());
	assert_true(gpa_space_held(&space) <= SIZE);
	assert_true(gpa_space_held(&space) >= SIZE - given * PAGE_SIZE);
}

static void give_or_ask(uint64_t n)
{
	hpa_t hpa;
	int err = gpa_balloon_give(&space, page_at(n), &hpa);

	if (err == -EAGAIN) {
		assert_int_equal(gpa_balloon_add_spare(&space), 0);
		err = gpa_balloon_give(&space, page_at(n), &hpa);
	}
	assert_int_equal(err, 0);
	assert_int_equal(hpa.v, mapped[n / PAGES] + n % PAGES * PAGE_SIZE);
	if (model[n]) {
		assert_int_equal(*(uint64_t *)paging_direct(hpa), 0);
	}
	*(uint64_t *)paging_direct(hpa) = n + 1;
	model[n] = false;
}

static void random_work(void **state)
{
	(void)state;
	memset(model, 0, sizeof(model));
	srand(5);
	for (unsigned int i = 0; i < 3000; i++) {
		uint64_t n = (uint64_t)rand() % (SIZE / PAGE_SIZE), run = (uint64_t)rand() % 1200;
		bool take = rand() % 2;

		for (; run > 0 && n < SIZE / PAGE_SIZE; run--, n++) {
			if (take) {
				assert_int_not_equal(gpa_balloon_take(&space, page_at(n)),
						     GPA_TAKEN_NOT);
				model[n] = true;
			} else {
				give_or_ask(n);
			}
		}
		clean = rand() % 3 == 0 ? space.root.generation : clean;
		reap_all();
		if (rand() % 4 == 0) {
			(void)gpa_balloon_drop_spare(&space);
		}
		if (i % 50 == 0) {
			check_model();
		}
	}
	check_model();
}

static void cannot_begin_without_memory(void **state)
{
	struct gpa_space s;

	(void)state;
	assert_int_equal(gpa_space_create(&s, 2 * MIB), 0);
	sink_fails = true;
	assert_int_equal(gpa_balloon_create(&s), -ENOMEM);
	assert_null(s.balloon);
	sink_fails = false;
	assert_int_equal(gpa_balloon_create(&s), 0);
	assert_int_equal(gpa_balloon_create(&s), 0);
	gpa_space_destroy(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chunk_leaves_when_no_cpu_reaches_it),
		TEST(chunk_leaves_when_no_visitor_is_there),
		TEST(visitor_never_sees_a_chunk_that_has_gone),
		TEST(same_page_twice_counts_once),
		TEST(page_comes_back_zeroed_where_it_was),
		TEST(chunk_that_leaves_is_taken_back),
		TEST(spare_chunk_is_scrubbed_and_limited),
		TEST(no_memory_for_a_spare),
		TEST(fault_attaches_a_spare),
		TEST(lack_of_tables_keeps_the_chunk),
		TEST(whole_ranges),
		TEST(random_work),
		TEST(cannot_begin_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
