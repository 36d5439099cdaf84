/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's parts of a saved VM's file: they come back as they were; each byte changed is refused or */
/* taken, and what is taken is safe to load into a processor in root mode. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/vcpu_save.c arch/x86/hvm/vlapic_save.c arch/x86/hvm/cr.c hv/mp_init.c */
/* TEST_SOURCES: arch/x86/hvm/event_save.c arch/x86/hvm/fpu_save.c arch/x86/hvm/vcpuid_save.c */
/* TEST_SOURCES: arch/x86/hvm/vmsr_save.c */
/* TEST_SOURCES: arch/x86/hvm/vmsr.c arch/x86/hvm/vmsr_rules.c arch/x86/hvm/vmsr_mtrr.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c arch/x86/hvm/kvm_msr.c arch/x86/hvm/pvclock.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c arch/x86/hvm/pv_steal.c */
/* TEST_SOURCES: arch/x86/irq/clock_scale.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c arch/x86/hvm/event.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_cpuid.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: arch/x86/hvm/fetch.c arch/x86/hvm/code_page.c arch/x86/hvm/walk.c */
/* TEST_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c */
#include "arch/x86/hvm/vcpu_save.h"

#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_cpuid.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"
#include "hv/lib/bytes.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 8192u

static struct vcpu *v;
static struct vcpu_x86 x86;

static uint64_t reg(enum hvm_reg r)
{
	return fake_states[0].regs[r];
}

uint64_t vcpu_x86_xcr0(const struct vcpu *cpu)
{
	return cpu->x86->xcr0;
}

void vcpu_x86_set_xcr0(struct vcpu *cpu, uint64_t val)
{
	cpu->x86->xcr0 = val;
}

/* What the processor has of it, and memory not until it is asked. */
static uint64_t live_dr0;

void vcpu_x86_sync(struct vcpu *cpu)
{
	cpu->x86->dr[0] = live_dr0;
	bytes_put_le32((uint8_t *)cpu->x86->xsave + 24, (uint32_t)live_dr0);
}

/* A 64-bit kernel that takes interrupts. */
static int make(bool amd)
{
	fake_timer_reset();
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	v->x86 = &x86;
	fake_cpuid_amd = amd;
	if (vcpuid_create(v) != 0 || vlapic_create(v) != 0) {
		return -1;
	}
	x86.xcr0 = 1;
	x86.hwcr = BIT(24); /* as after a reset */
	x86.xsave = calloc(1, BLOCK);
	fake_hvm_long_mode(v, 0x1000);
	fake_states[0].regs[HVM_PAT] = 0x0007040600070406;
	fake_states[0].segs[HVM_TR] = (struct hvm_segment){ .attr = 0x8b, .limit = 0x67 };
	return 0;
}

static int intel(void **state)
{
	(void)state;
	return make(false);
}

static int amd(void **state)
{
	(void)state;
	return make(true);
}

static int teardown(void **state)
{
	(void)state;
	free(x86.xsave);
	vlapic_destroy(v);
	vcpuid_destroy(v);
	return 0;
}

static bool canonical(uint64_t a)
{
	return a + (1ul << 47) < 1ul << 48;
}

/* What root mode loads by itself would fault otherwise, and take the host with it. */
static void assert_safe(void)
{
	static const enum hvm_reg addresses[] = { HVM_LSTAR, HVM_CSTAR, HVM_KERNEL_GS_BASE,
						  HVM_SYSENTER_ESP, HVM_SYSENTER_EIP };
	const uint8_t *area = x86.xsave;

	for (unsigned int i = 0; i < ARRAY_SIZE(addresses); i++) {
		assert_true(canonical(reg(addresses[i])));
	}
	assert_true(reg(HVM_DR6) >> 32 == 0 && reg(HVM_DR7) >> 32 == 0);
	assert_true(reg(HVM_SFMASK) >> 32 == 0 && x86.tsc_aux >> 32 == 0);
	assert_true((x86.xcr0 & 1) != 0 && (x86.xcr0 & ~x86.cpuid->xcr0) == 0);
	assert_true((bytes_get_le64(area + 512) & ~x86.cpuid->xcr0) == 0);
	assert_true(bytes_get_le64(area + 520) == 0);
	assert_true(bytes_get_le32(area + 24) <= 0xffff);
}

/* Each part, loaded with byte after byte changed; what is taken comes back from the next save. */
static void test_each_byte(void **state)
{
	static uint8_t good[BLOCK], bad[BLOCK], again[BLOCK];
	const struct hvm_part *p;
	unsigned int taken = 0, refused = 0;

	(void)state;
	for (unsigned int n = 0; (p = hvm_part(n)) != NULL; n++) {
		size_t size = p->size(v);

		assert_in_range(size, 1, BLOCK);
		assert_int_equal(p->save(v, good), 0);
		for (size_t i = 0; i < 8 * size; i++) {
			memcpy(bad, good, size);
			bad[i / 8] ^= (uint8_t)(1u << i % 8);
			if (p->load(v, bad) == 0) {
				taken++;
				assert_safe();
				assert_int_equal(p->save(v, again), 0);
			} else {
				refused++;
			}
			assert_int_equal(p->load(v, good), 0);
		}
		assert_int_equal(p->save(v, again), 0);
		assert_memory_equal(good, again, strcmp(p->name, "cpu") == 0 ? size : 0);
	}
	assert_in_range(taken, 5000, 100000);
	assert_in_range(refused, 5000, 100000);
}

/* A file that was written yesterday is read today: who moves one of these counts the version up. */
static void test_places(void **state)
{
	uint64_t *const regs = fake_states[0].regs;
	const struct {
		size_t at;
		uint64_t *is;
	} rows[] = {
		{ 0, &v->gprs[0] },
		{ 120, &v->gprs[15] },
		{ 128, &regs[HVM_EFER] },
		{ 200, &regs[HVM_RIP] },
		{ 232, &live_dr0 },
		{ 320, &regs[HVM_KERNEL_GS_BASE] },
		{ 344, &x86.tsc_adjust },
		{ 432, &x86.steal.msr },
		{ 440, &x86.mcg_status },
		{ 456, &x86.mtrr_base[0] },
		{ 576, &x86.mtrr_mask[7] },
		{ 584, &x86.mtrr_fixed[0] },
		{ 664, &x86.mtrr_fixed[10] },
		{ 672, &regs[HVM_PAT] },
		{ 680, &x86.mtrr_def_type },
		{ 688, &x86.hwcr },
		{ 696, &x86.nb_cfg },
		{ 712 + 8, &fake_states[0].segs[HVM_ES].base },
		{ 712 + 9 * 16 + 8, &fake_states[0].segs[HVM_IDTR].base },
	};
	static uint8_t block[BLOCK];
	const struct hvm_part *p = hvm_part(1);

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		*rows[i].is = 0x1000 + rows[i].at;
	}
	fake_states[0].halfway.event = 0x80000020;
	assert_int_equal(p->version, 3);
	assert_int_equal(p->size(v), 888);
	assert_int_equal(p->save(v, block), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(bytes_get_le64(block + rows[i].at), 0x1000 + rows[i].at);
	}
	assert_int_equal(bytes_get_le32(block + 872), 0x80000020);
	live_dr0 = 0;
}

/* Leaves that are not there are all zero, whatever a file says. */
static void test_absent_leaves(void **state)
{
	static struct vcpuid_view view;
	const struct hvm_part *p = hvm_part(0);

	(void)state;
	assert_int_equal(p->size(v), sizeof(view));
	assert_int_equal(p->save(v, &view), 0);
	assert_int_equal(p->load(v, &view), 0);
	view.rows[0].eax = 1;
	assert_int_not_equal(p->load(v, &view), 0);
}

/* A processor refuses to enter with another one: as the hypervisor's mistake, not the guest's. */
static void test_pending_exception(void **state)
{
	static const struct {
		uint8_t vector;
		bool has_error;
		uint32_t error;
		bool ok;
	} rows[] = {
		{ 13, true, 0, true },	      { 13, true, 0x7fff, true },
		{ 13, true, 0x8000, false },  { 13, true, 0x10000, false },
		{ 14, true, 7, true },	      { 13, false, 0, false },
		{ 8, true, 0, true },	      { 8, true, 1, false },
		{ 6, false, 0, true },	      { 6, true, 0, false },
		{ 6, false, 0x10000, false }, { 19, false, 0, true },
		{ 21, false, 0, false },
	};
	static uint8_t block[BLOCK];
	const struct hvm_part *p = hvm_part(1);

	(void)state;
	assert_string_equal(p->name, "cpu");
	v->pending = VCPU_PENDING_EXCEPTION;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		v->exception.vector = rows[i].vector;
		v->exception.has_error = rows[i].has_error;
		v->exception.error = rows[i].error;
		assert_int_equal(p->save(v, block), 0);
		assert_int_equal(p->load(v, block) == 0, rows[i].ok);
	}
}

/* The part of that name; its block is saved into the buffer. */
static const struct hvm_part *save_part(const char *name, uint8_t block[BLOCK])
{
	const struct hvm_part *p;
	unsigned int n = 0;

	while ((p = hvm_part(n)) != NULL && strcmp(p->name, name) != 0) {
		n++;
	}
	assert_non_null(p);
	assert_int_equal(p->save(v, block), 0);
	return p;
}

/* After its registers were taken, until the devices are: it is in the file, and nothing is there twice. */
static void test_sent_meanwhile(void **state)
{
	static uint8_t cpu_block[BLOCK], event_block[BLOCK];
	const struct hvm_part *cpu, *event;
	uint32_t init;

	(void)state;
	v->pending = VCPU_PENDING_EXCEPTION | VCPU_PENDING_IRQ;
	v->exception.vector = 6;
	cpu = save_part("cpu", cpu_block);
	assert_false(cpu->timed);
	v->pending |= VCPU_PENDING_NMI;
	mp_init_send_init(&v->start);
	init = v->start.word;
	event = save_part("event", event_block);
	assert_true(event->timed);

	v->pending = 0;
	mp_init_reset(&v->start, true);
	assert_int_equal(cpu->load(v, cpu_block), 0);
	assert_int_equal(v->pending, VCPU_PENDING_EXCEPTION);
	assert_int_equal(event->load(v, event_block), 0);
	assert_int_equal(v->pending, VCPU_PENDING_EXCEPTION | VCPU_PENDING_NMI);
	assert_int_equal(v->start.word, init);
	event_block[0] = VCPU_PENDING_EXCEPTION;
	assert_int_not_equal(event->load(v, event_block), 0);
	assert_int_equal(v->pending, VCPU_PENDING_EXCEPTION | VCPU_PENDING_NMI);
}

/* Its own thread saves it, so part of its state is in the processor still. */
static void test_live_state(void **state)
{
	static uint8_t block[BLOCK];

	(void)state;
	live_dr0 = 0x1f80;
	for (unsigned int n = 1; n < 3; n++) {
		const struct hvm_part *p = hvm_part(n);

		x86.dr[0] = 0;
		memset(x86.xsave, 0, BLOCK);
		assert_int_equal(p->save(v, block), 0);
		x86.dr[0] = 0;
		memset(x86.xsave, 0, BLOCK);
		assert_int_equal(p->load(v, block), 0);
		if (strcmp(p->name, "fpu") == 0) {
			assert_int_equal(bytes_get_le32((uint8_t *)x86.xsave + 24), live_dr0);
		} else {
			assert_int_equal(x86.dr[0], live_dr0);
		}
	}
	live_dr0 = 0;
}

/* The guest would find another processor. */
static void test_another_processor(void **state)
{
	static uint8_t block[BLOCK];
	const struct hvm_part *p = hvm_part(0);

	assert_string_equal(p->name, "cpuid");
	assert_int_equal(p->save(v, block), 0);
	teardown(state);
	assert_int_equal(make(true), 0);
	assert_int_not_equal(p->load(v, block), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_byte, intel, teardown),
		cmocka_unit_test_setup_teardown(test_each_byte, amd, teardown),
		cmocka_unit_test_setup_teardown(test_places, amd, teardown),
		cmocka_unit_test_setup_teardown(test_pending_exception, intel, teardown),
		cmocka_unit_test_setup_teardown(test_sent_meanwhile, intel, teardown),
		cmocka_unit_test_setup_teardown(test_live_state, amd, teardown),
		cmocka_unit_test_setup_teardown(test_absent_leaves, intel, teardown),
		cmocka_unit_test_setup_teardown(test_absent_leaves, amd, teardown),
		cmocka_unit_test_setup_teardown(test_another_processor, intel, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
