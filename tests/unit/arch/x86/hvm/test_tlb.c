/* SPDX-License-Identifier: BSD-2-Clause */
/* 64 guests whose memory comes and goes on three CPUs, each with a TLB that forgets nothing unless it is */
/* told: tagged by one of 16 ASIDs, or by VPID and flushed by EPT pointer; and root mode's own. */
/* The code that decides when to flush, and when a chunk is free, is the real one; what flushes is not. */
/* TEST_SOURCES: arch/x86/hvm/slat.c arch/x86/svm/asid.c arch/x86/mm/space.c hv/gpa_space.c hv/gpa_balloon.c */
/* TEST_SOURCES: hv/base/lock.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_slat.c */
#include "arch/x86/hvm/slat.h"
#include "arch/x86/mm/space.h"
#include "arch/x86/svm/asid.h"
#include "arch/x86/vmx/ept.h"
#include "fakes/fake_slat.h"
#include "hv/base/page.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GUESTS 64u
#define VCPUS  2u /* of each */
#define CPUS   3u
#define ASIDS  16u
#define TAGS   (GUESTS * VCPUS + 1) /* VPIDs; ASIDs are fewer */
#define CHUNK  PAGE_CHUNK_SIZE
#define CHUNKS 2u /* of each guest */
#define POOL   (GUESTS * CHUNKS)
#define PAGES  (CHUNKS * CHUNK / PAGE_SIZE)
#define STEPS  30000u
#define NOBODY (-1)

enum vendor { SVM, VMX };
/* What is left out on purpose, to see that it is found. */
enum cheat { HONEST, FREES_AT_ONCE, KEEPS_ASID, IGNORES_TABLES };

struct guest {
	struct gpa_space space;
	struct ept ept; /* its slat serves both vendors */
	uint64_t root_map[CHUNKS];
	unsigned int changed[PAGES]; /* step in which the second-level entry last changed */
	struct asid_tag tag[VCPUS];
	unsigned int last_cpu[VCPUS];
	bool asked[VCPUS]; /* VCPU_REQ_MEMORY */
};

struct cpu {
	int guest; /* or NOBODY */
	unsigned int vcpu;
	unsigned int entered; /* step */
	struct asid_pool pool;
	uint32_t now[TAGS];	   /* the TLB's tag in use: [0] */
	uint64_t tlb[TAGS][PAGES]; /* by tag and guest page: hpa, or 0 */
	uint64_t root_tlb[CHUNKS]; /* of the loaded root */
};

static struct guest guests[GUESTS];
static struct cpu cpus[CPUS];
static int owner[POOL]; /* of each chunk of host memory */
static unsigned int step, stale, freed;
static enum vendor vendor;
static enum cheat cheat;
static char scratch[CHUNK];

/* ---- the host's memory, root mode's tables ---- */

unsigned int page_alloc_chunks(unsigned int want, hpa_t *base)
{
	(void)want;
	for (unsigned int i = 0; i < POOL; i++) {
		if (owner[i] == NOBODY) {
			owner[i] = GUESTS; /* whose it is shows when it is mapped */
			base->v = (i + 1) * CHUNK;
			return 1;
		}
	}
	return 0;
}

void page_free_chunks(hpa_t base, unsigned int count)
{
	freed += count;
	for (unsigned int i = 0; i < count; i++) {
		owner[base.v / CHUNK - 1 + i] = NOBODY;
	}
}

void *paging_window(hpa_t hpa)
{
	(void)hpa;
	return scratch;
}

void paging_window_close(void)
{
}

void thread_checkpoint(void)
{
}

static struct guest *guest_of(const struct paging_space *s)
{
	return container_of((struct paging_space *)(uintptr_t)s, struct guest, space.root);
}

int paging_space_create(struct paging_space *s)
{
	*s = (struct paging_space){ .root.v = (uint64_t)(guest_of(s) - guests + 1) * PAGE_SIZE };
	return 0;
}

void paging_space_destroy(struct paging_space *s)
{
	s->root.v = 0;
}

int paging_space_map(struct paging_space *s, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	struct guest *g = guest_of(s);

	for (uint64_t off = 0; off < size; off += CHUNK) {
		g->root_map[(gpa.v + off) / CHUNK] = hpa.v + off;
		owner[(hpa.v + off) / CHUNK - 1] = (int)(g - guests);
	}
	return 0;
}

int paging_space_unmap(struct paging_space *s, gpa_t gpa)
{
	guest_of(s)->root_map[gpa.v / CHUNK] = 0;
	s->generation++;
	return 0;
}

bool paging_space_is_clean(const struct paging_space *s, uint64_t generation)
{
	return cheat == FREES_AT_ONCE || space_is_clean(CPUS, s->root.v, generation);
}

int paging_space_make_sink(struct paging_space *s)
{
	(void)s;
	return 0;
}

/* ---- a CPU ---- */

static void load_root(unsigned int c, uint64_t root, uint64_t generation)
{
	if (space_note(c, root, generation)) {
		memset(cpus[c].root_tlb, 0, sizeof(cpus[c].root_tlb));
	}
}

/* What the entry of svm_vcpu.c does: prepare_tlb. */
static uint32_t prepare_svm(struct cpu *c, struct guest *g)
{
	struct asid_tag *tag = &g->tag[c->vcpu];
	uint64_t tables = cheat == IGNORES_TABLES ? 1 : slat_generation(&g->ept.slat);
	enum asid_flush flush = asid_prepare(&c->pool, tag, tables);

	if (flush == ASID_FLUSH_ALL && cheat != KEEPS_ASID) {
		memset(c->tlb, 0, sizeof(c->tlb));
	} else if (flush == ASID_FLUSH_OWN && cheat != KEEPS_ASID) {
		memset(c->tlb[tag->asid], 0, sizeof(c->tlb[0]));
	}
	return tag->asid;
}

/* vmx_vcpu.c, bind; vmx_exit.c, prepare; ept.c, ept_flush. */
static uint32_t prepare_vmx(struct cpu *c, struct guest *g)
{
	uint32_t first = (uint32_t)(g - guests) * VCPUS + 1, vpid = first + c->vcpu;
	unsigned int number = (unsigned int)(c - cpus);

	if (g->last_cpu[c->vcpu] != number) {
		memset(c->tlb[vpid], 0, sizeof(c->tlb[0]));
		g->last_cpu[c->vcpu] = number;
	}
	if (ept_is_stale(&g->ept, number) && cheat != IGNORES_TABLES) {
		memset(c->tlb[first], 0, VCPUS * sizeof(c->tlb[0]));
		g->ept.seen[number] = slat_generation(&g->ept.slat) + 1;
	}
	return vpid;
}

static void enter(struct cpu *c)
{
	struct guest *g = &guests[c->guest];

	c->now[0] = vendor == SVM ? prepare_svm(c, g) : prepare_vmx(c, g);
	c->entered = step;
}

/* VCPU_REQ_MEMORY, as vm_memory_work() obeys it. */
static void serve(unsigned int n)
{
	struct cpu *c = &cpus[n];
	struct guest *g;

	if (c->guest == NOBODY || !guests[c->guest].asked[c->vcpu]) {
		return;
	}
	g = &guests[c->guest];
	g->asked[c->vcpu] = false;
	load_root(n, g->space.root.root.v, g->space.root.generation);
	while (gpa_balloon_reap(&g->space)) {
	}
	enter(c);
}

static bool runs(int guest, unsigned int vcpu)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		if (cpus[i].guest == guest && cpus[i].vcpu == vcpu) {
			return true;
		}
	}
	return false;
}

static unsigned int any(unsigned int n)
{
	return (unsigned int)rand() % n;
}

/* Often one of few guests, so that their vCPUs meet; sometimes any. */
static void switch_to(unsigned int n)
{
	struct cpu *c = &cpus[n];
	int guest = (int)any(any(2) == 0 ? 3 : GUESTS);
	unsigned int vcpu = any(VCPUS);

	if (any(8) == 0) {
		c->guest = NOBODY;
		load_root(n, PAGE_SIZE * 1000, 0);
		return;
	}
	if (!runs(guest, vcpu)) {
		c->guest = guest;
		c->vcpu = vcpu;
		load_root(n, guests[guest].space.root.root.v, guests[guest].space.root.generation);
		serve(n);
		enter(c);
	}
}

/* ---- accesses: what a CPU reaches must be its guest's ---- */

static void check_owner(const struct cpu *c, uint64_t hpa)
{
	stale += owner[hpa / CHUNK - 1] != c->guest;
}

/* Until the next entry an old translation may be used, if it leads to memory of the same guest. */
static void access_guest(struct cpu *c)
{
	struct guest *g = &guests[c->guest];
	unsigned int page = any(PAGES);
	uint64_t *entry = &c->tlb[c->now[0]][page];
	hpa_t hpa = { 0 };
	bool there = slat_lookup(&g->ept.slat, (gpa_t){ page * PAGE_SIZE }, &hpa, NULL);

	if (*entry == 0) {
		*entry = there ? hpa.v : 0;
	}
	if (*entry != 0) {
		check_owner(c, *entry);
		stale += (!there || *entry != hpa.v) && g->changed[page] < c->entered;
	}
}

static void access_root(struct cpu *c)
{
	unsigned int chunk = any(CHUNKS);
	uint64_t *entry = &c->root_tlb[chunk];

	if (*entry == 0) {
		*entry = guests[c->guest].root_map[chunk];
	}
	if (*entry != 0) {
		check_owner(c, *entry);
	}
}

/* ---- exits that change memory ---- */

static void take_page(struct guest *g, unsigned int page)
{
	gpa_t gpa = { page * PAGE_SIZE };
	hpa_t hpa;

	if (slat_lookup(&g->ept.slat, gpa, &hpa, NULL)) {
		assert_int_equal(slat_unmap(&g->ept.slat, gpa, PAGE_SIZE), 0);
		g->changed[page] = step;
	}
	if (gpa_balloon_take(&g->space, gpa) == GPA_TAKEN_CHUNK) {
		for (unsigned int i = 0; i < VCPUS; i++) {
			g->asked[i] = true;
		}
	}
}

static void inflate(struct cpu *c)
{
	unsigned int first = any(CHUNKS) * (PAGES / CHUNKS);

	for (unsigned int i = 0; i < PAGES / CHUNKS; i++) {
		take_page(&guests[c->guest], first + i);
	}
	serve((unsigned int)(c - cpus));
}

static void touch(struct cpu *c)
{
	struct guest *g = &guests[c->guest];
	unsigned int page = any(PAGES);
	gpa_t gpa = { page * PAGE_SIZE };
	hpa_t hpa, old;
	int err = gpa_balloon_give(&g->space, gpa, &hpa);

	if (err == -EAGAIN && gpa_balloon_add_spare(&g->space) == 0) {
		err = gpa_balloon_give(&g->space, gpa, &hpa);
	}
	if (err == 0 && !slat_lookup(&g->ept.slat, gpa, &old, NULL)) {
		assert_int_equal(slat_map(&g->ept.slat, gpa, hpa, PAGE_SIZE, HVM_RWX), 0);
		g->changed[page] = step;
	}
	enter(c);
}

/* ---- the run ---- */

static void start_guests(void)
{
	static struct slat_format format;

	format = fake_slat_format(false);
	for (unsigned int i = 0; i < POOL; i++) {
		owner[i] = NOBODY;
	}
	memset(guests, 0, sizeof(guests));
	for (unsigned int i = 0; i < GUESTS; i++) {
		struct guest *g = &guests[i];

		assert_int_equal(gpa_space_create(&g->space, CHUNKS * CHUNK), 0);
		assert_int_equal(gpa_balloon_create(&g->space), 0);
		assert_int_equal(slat_create(&g->ept.slat, &format), 0);
		for (unsigned int k = 0; k < CHUNKS; k++) {
			assert_int_equal(slat_map(&g->ept.slat, (gpa_t){ k * CHUNK },
						  (hpa_t){ g->root_map[k] }, CHUNK, HVM_RWX),
					 0);
			g->last_cpu[k] = CPUS;
		}
	}
	memset(cpus, 0, sizeof(cpus));
	for (unsigned int c = 0; c < CPUS; c++) {
		asid_init(&cpus[c].pool, ASIDS);
		cpus[c].guest = NOBODY;
		load_root(c, PAGE_SIZE * 1000 + step, 0);
	}
}

static void end_guests(void)
{
	for (unsigned int i = 0; i < GUESTS; i++) {
		slat_destroy(&guests[i].ept.slat);
		gpa_space_destroy(&guests[i].space);
	}
	for (unsigned int i = 0; i < POOL; i++) {
		assert_int_equal(owner[i], NOBODY);
	}
}

static void one_step(unsigned int n)
{
	static void (*const acts[])(struct cpu *) = { access_guest, access_root, access_guest,
						      access_root,  touch,	 inflate };
	unsigned int what = any(40);

	if (what == 0 || cpus[n].guest == NOBODY) {
		switch_to(n);
	} else if (what == 1) {
		serve(n);
	} else if (what == 2) {
		inflate(&cpus[n]);
	} else {
		acts[any(ARRAY_SIZE(acts) - 1)](&cpus[n]);
	}
}

/* How many accesses met what they must not. */
static unsigned int run(enum vendor v, enum cheat how)
{
	vendor = v;
	cheat = how;
	stale = 0;
	srand(7);
	start_guests();
	freed = 0;
	for (unsigned int end = step + STEPS; step < end; step++) {
		one_step(any(CPUS));
	}
	assert_true(freed > 100); /* memory did move */
	end_guests();
	return stale;
}

static void test_asids(void **state)
{
	(void)state;
	assert_int_equal(run(SVM, HONEST), 0);
}

static void test_vpids(void **state)
{
	(void)state;
	assert_int_equal(run(VMX, HONEST), 0);
}

/* The model sees each kind of flush that is left out. */
static void test_omissions_are_found(void **state)
{
	(void)state;
	assert_int_not_equal(run(SVM, FREES_AT_ONCE), 0);
	assert_int_not_equal(run(VMX, FREES_AT_ONCE), 0);
	assert_int_not_equal(run(SVM, KEEPS_ASID), 0);
	assert_int_not_equal(run(SVM, IGNORES_TABLES), 0);
	assert_int_not_equal(run(VMX, IGNORES_TABLES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asids),
		cmocka_unit_test(test_vpids),
		cmocka_unit_test(test_omissions_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
