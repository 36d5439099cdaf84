/* SPDX-License-Identifier: BSD-2-Clause */
/* Choice of the backend, the map of a VM's RAM, start states of a vCPU, HLT's wake condition. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c arch/x86/hvm/pv_steal.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: arch/x86/hvm/hvm.c arch/x86/hvm/hvm_start.c arch/x86/hvm/vmsr_mtrr.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c arch/x86/hvm/pvclock.c arch/x86/irq/clock_scale.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/hvm.h"

#include "arch/x86/hvm/backends.h"
#include "arch/x86/hvm/hvm_start.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Two backends whose probes the tests steer. */
static struct hvm_feature vmx_rows[2], svm_rows[2];
static unsigned int vmx_count, svm_count;
static int vcpu_error, map_error;
static uint64_t maps[8][3];
static unsigned int map_count, vm_destroyed;
static struct vcpu_x86 x86;

static unsigned int copy(struct hvm_feature *rows, const struct hvm_feature *from, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		rows[i] = from[i];
	}
	return n;
}

static unsigned int vmx_probe(struct hvm_feature *rows, unsigned int max)
{
	(void)max;
	return copy(rows, vmx_rows, vmx_count);
}

static unsigned int svm_probe(struct hvm_feature *rows, unsigned int max)
{
	(void)max;
	return copy(rows, svm_rows, svm_count);
}

static int vm_create_op(struct vm *vm)
{
	vm->slat = maps;
	return 0;
}

static void vm_destroy_op(struct vm *vm)
{
	vm->slat = NULL;
	vm_destroyed++;
}

static int slat_map_op(struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights)
{
	(void)vm;
	assert_int_equal(rights, HVM_RWX);
	maps[map_count][0] = gpa.v;
	maps[map_count][1] = hpa.v;
	maps[map_count++][2] = size;
	return map_error;
}

static int vcpu_create_op(struct vcpu *v)
{
	hvm_reset_state(v);
	return vcpu_error;
}

static void vcpu_destroy_op(struct vcpu *v)
{
	(void)v;
}

static unsigned int inits;

static void vcpu_init_op(struct vcpu *v)
{
	(void)v;
	inits++;
}

static uint64_t get_reg(const struct vcpu *v, enum hvm_reg r)
{
	return fake_states[v->id].regs[r];
}

static void set_reg(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	fake_states[v->id].regs[r] = val;
}

static void get_seg(const struct vcpu *v, enum hvm_seg s, struct hvm_segment *out)
{
	*out = fake_states[v->id].segs[s];
}

static void set_seg(struct vcpu *v, enum hvm_seg s, const struct hvm_segment *in)
{
	fake_states[v->id].segs[s] = *in;
}

const struct hvm_ops vmx_hvm_ops = { .name = "VMX", .probe = vmx_probe };
const struct hvm_ops svm_hvm_ops = {
	.name = "SVM",
	.probe = svm_probe,
	.vm_create = vm_create_op,
	.vm_destroy = vm_destroy_op,
	.slat_map = slat_map_op,
	.vcpu_create = vcpu_create_op,
	.vcpu_destroy = vcpu_destroy_op,
	.vcpu_init = vcpu_init_op,
	.get_reg = get_reg,
	.set_reg = set_reg,
	.get_seg = get_seg,
	.set_seg = set_seg,
};

/* vcpu_x86.c touches the real FPU; here only its contract. */
int vcpu_x86_create(struct vcpu *v)
{
	memset(&x86, 0, sizeof(x86));
	v->x86 = &x86;
	return vcpuid_create(v);
}

void vcpu_x86_destroy(struct vcpu *v)
{
	vcpuid_destroy(v);
	v->x86 = NULL;
}

void vcpu_x86_init(struct vcpu *v)
{
	memset(v->x86->dr, 0, sizeof(v->x86->dr));
}

uint64_t vcpu_x86_xcr0(const struct vcpu *v)
{
	return v->x86->xcr0;
}

static struct vcpu *v;

static int setup(void **state)
{
	(void)state;
	fake_timer_reset();
	v = fake_hvm_reset();
	vmx_count = 0;
	svm_count = 1;
	svm_rows[0] = (struct hvm_feature){ "nested paging", true, true };
	vcpu_error = map_error = 0;
	map_count = vm_destroyed = 0;
	hvm = &svm_hvm_ops;
	return 0;
}

static void test_choice(void **state)
{
	unsigned int count;

	(void)state;
	assert_int_equal(hvm_init(""), 0);
	assert_ptr_equal(hvm, &svm_hvm_ops);
	assert_string_equal(hvm_features(&count)[0].name, "nested paging");
	assert_int_equal(count, 1);
	vmx_count = 2;
	vmx_rows[0] = (struct hvm_feature){ "EPT", true, true };
	vmx_rows[1] = (struct hvm_feature){ "VPID", false, false };
	assert_int_equal(hvm_init(""), 0);
	assert_ptr_equal(hvm, &vmx_hvm_ops);
}

static void test_does_not_suit(void **state)
{
	(void)state;
	hvm = NULL;
	svm_rows[0].present = false;
	assert_int_equal(hvm_init(""), -ENODEV);
	assert_null(hvm);
	svm_count = 0;
	assert_int_equal(hvm_init(""), -ENODEV);
	assert_null(hvm);
}

static void test_ram_map(void **state)
{
	struct gpa_extent extents[] = {
		{ { 0 }, { 64 * MIB }, 4 * MIB },
		{ { 4 * MIB }, { 16 * MIB }, 2 * MIB },
		{ { GPA_HIGH_RAM }, { 128 * MIB }, 2 * MIB },
	};
	static const uint64_t expected[][3] = {
		{ 0, 64 * MIB, 0xa0000 },
		{ 0xc0000, 64 * MIB + 0xc0000, 4 * MIB - 0xc0000 },
		{ 4 * MIB, 16 * MIB, 2 * MIB },
		{ GPA_HIGH_RAM, 128 * MIB, 2 * MIB },
	};

	(void)state;
	fake_vm.mem.extents = extents;
	fake_vm.mem.count = 3;
	assert_int_equal(hvm_vm_create(&fake_vm), 0);
	assert_int_equal(map_count, 4);
	assert_memory_equal(maps, expected, sizeof(expected));
	map_error = -ENOMEM;
	map_count = 0;
	assert_int_equal(hvm_vm_create(&fake_vm), -ENOMEM);
	assert_int_equal(vm_destroyed, 1);
	assert_null(fake_vm.slat);
	hvm_vm_destroy(&fake_vm); /* as vm_start does on any failure */
	assert_int_equal(vm_destroyed, 1);
}

static void test_reset_start(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_RESET };
	struct hvm_segment cs;

	(void)state;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	get_seg(v, HVM_CS, &cs);
	assert_int_equal(cs.sel, 0xf000);
	assert_true(cs.base == 0xffff0000);
	assert_true(fake_states[0].regs[HVM_RIP] == 0xfff0);
	assert_true(fake_states[0].regs[HVM_CR0] == 0x60000010);
	assert_true(fake_states[0].regs[HVM_RFLAGS] == 2);
	assert_true(v->gprs[GPR_RDX] == 0x306c3);
	assert_true(x86.mtrr_def_type == 0);
	assert_false(vlapic_takes_pic(v->lapic));
	hvm_vcpu_destroy(v);
	assert_int_equal(fake_heap_live, 0);
}

static void test_long_start(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_LONG64,
					  .rip = 0x100200,
					  .rsp = 0x8000,
					  .rsi = 0x90000,
					  .cr3 = 0x70000,
					  .gdt = { 0x1000 },
					  .gdt_limit = 0x1f };
	uint64_t *regs = fake_states[0].regs;

	(void)state;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	assert_true(regs[HVM_RIP] == 0x100200);
	assert_true(regs[HVM_CR0] == 0x80000011);
	assert_true(regs[HVM_CR3] == 0x70000);
	assert_true(regs[HVM_CR4] == 0x20);
	assert_true(regs[HVM_EFER] == 0x500);
	assert_true(v->gprs[GPR_RSI] == 0x90000);
	assert_true(v->gprs[GPR_RSP] == 0x8000);
	assert_int_equal(fake_states[0].segs[HVM_CS].sel, 0x10);
	assert_int_equal(fake_states[0].segs[HVM_CS].attr, 0xa9b);
	assert_int_equal(fake_states[0].segs[HVM_SS].sel, 0x18);
	assert_int_equal(fake_states[0].segs[HVM_SS].attr, 0xc93);
	assert_true(fake_states[0].segs[HVM_GDTR].base == 0x1000);
	assert_int_equal(fake_states[0].segs[HVM_GDTR].limit, 0x1f);
	assert_true(x86.mtrr_def_type == 0xc06); /* as firmware leaves it */
	assert_true(vlapic_takes_pic(v->lapic));
	hvm_vcpu_destroy(v);
}

static void test_protected_start(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_PROTECTED32,
					  .rip = 0x100000,
					  .rax = 0x2badb002 };

	(void)state;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	assert_true(fake_states[0].regs[HVM_CR0] == 0x11);
	assert_int_equal(fake_states[0].segs[HVM_CS].attr, 0xc9b);
	assert_true(v->gprs[GPR_RAX] == 0x2badb002);
	hvm_vcpu_destroy(v);
}

/* An application processor: nothing of the boot protocol, memory types as firmware leaves them. */
static void test_other_start(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_LONG64, .rip = 0x100200, .rsi = 1 };
	struct vcpu *ap = &fake_vcpus[2];

	(void)state;
	assert_int_equal(hvm_vcpu_create(ap, &start), 0);
	assert_true(fake_states[2].regs[HVM_CR0] == 0x60000010);
	assert_true(fake_states[2].regs[HVM_RIP] == 0xfff0);
	assert_true(ap->gprs[GPR_RSI] == 0);
	assert_true(x86.mtrr_def_type == 0xc06);
	assert_true(ap->lapic->s.base == 0xfee00800); /* not the boot processor */
	assert_int_equal(ap->lapic->s.lvt[VLAPIC_LVT_LINT0], 0x10000);
	hvm_vcpu_destroy(ap);
}

/* What INIT changes and what it keeps: SDM Vol. 3A, "Processor State After Reset". */
static void test_init_and_startup(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_LONG64 };
	struct vcpu *ap = &fake_vcpus[3];
	uint64_t *regs = fake_states[3].regs;

	(void)state;
	assert_int_equal(hvm_vcpu_create(ap, &start), 0);
	fake_hvm_long_mode(ap, 0x1000); /* and CD, NW clear */
	regs[HVM_PAT] = 0x1234;
	regs[HVM_SYSENTER_EIP] = 0x5678;
	regs[HVM_DR7] = 0x401;
	ap->gprs[GPR_RSP] = 0x9000;
	ap->pending = VCPU_PENDING_NMI | VCPU_PENDING_EXCEPTION;
	ap->x86->dr[1] = 7;
	ap->x86->xcr0 = 7;
	ap->x86->mtrr_fixed[0] = 6;
	ap->x86->tsc_adjust = 99;
	ap->x86->clock.system_time = 0x5001;
	ap->lapic->eoi.msr = 0x6001;
	assert_true(vlapic_set_base(ap->lapic, 0xfee00c00)); /* x2APIC: it stays */
	ap->lapic->s.svr = 0x1ff;
	vlapic_accept(ap->lapic, 0x40, false);
	inits = 0;

	hvm_vcpu_init(ap);
	assert_int_equal(inits, 1);
	assert_true(regs[HVM_CR0] == 0x10);
	assert_true(regs[HVM_CR3] == 0 && regs[HVM_CR4] == 0 && regs[HVM_EFER] == 0);
	assert_true(regs[HVM_RFLAGS] == 2 && regs[HVM_RIP] == 0xfff0 && regs[HVM_DR7] == 0x400);
	assert_true(regs[HVM_PAT] == 0x1234 && regs[HVM_SYSENTER_EIP] == 0x5678);
	assert_true(ap->gprs[GPR_RSP] == 0 && ap->gprs[GPR_RDX] == 0x306c3);
	assert_int_equal(ap->pending, 0);
	assert_true(ap->x86->dr[1] == 0 && ap->x86->xcr0 == 7);
	assert_true(ap->x86->mtrr_fixed[0] == 6 && ap->x86->tsc_adjust == 99);
	assert_true(ap->x86->clock.system_time == 0 && ap->lapic->eoi.msr == 0);
	assert_true(ap->lapic->s.base == 0xfee00c00);
	assert_int_equal(ap->lapic->s.id, 3);
	assert_int_equal(ap->lapic->s.svr, 0xff);
	assert_int_equal(vlapic_pending(ap->lapic), -1);

	hvm_vcpu_startup(ap, 0x9a);
	assert_int_equal(fake_states[3].segs[HVM_CS].sel, 0x9a00);
	assert_true(fake_states[3].segs[HVM_CS].base == 0x9a000);
	assert_int_equal(fake_states[3].segs[HVM_CS].limit, 0xffff);
	assert_true(regs[HVM_RIP] == 0);
	hvm_vcpu_destroy(ap);
}

/* Without firmware there is no code where a boot processor restarts: the machine is reset. */
static void test_init_of_the_boot_processor(void **state)
{
	struct vcpu_start start = { .mode = VCPU_START_LONG64, .rip = 0x100200 };

	(void)state;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	hvm_vcpu_init(v);
	assert_string_equal(fake_starts, "reset ");
	assert_true(fake_states[0].regs[HVM_RIP] == 0x100200);
	hvm_vcpu_destroy(v);
	start.mode = VCPU_START_RESET;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	fake_states[0].regs[HVM_RIP] = 0;
	hvm_vcpu_init(v);
	assert_string_equal(fake_starts, "reset ");
	assert_true(fake_states[0].regs[HVM_RIP] == 0xfff0);
	hvm_vcpu_destroy(v);
}

static void test_vcpu_fails(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_RESET };

	(void)state;
	vcpu_error = -ENOMEM;
	assert_int_equal(hvm_vcpu_create(v, &start), -ENOMEM);
	assert_int_equal(fake_heap_live, 0);
	vcpu_error = 0;
	for (fake_heap_limit = 0; fake_heap_limit < 2;) {
		unsigned long limit = fake_heap_limit;

		assert_int_equal(hvm_vcpu_create(v, &start), -ENOMEM);
		assert_int_equal(fake_heap_live, 0);
		fake_heap_limit = limit + 1;
	}
	fake_heap_limit = ~0ul;
}

static void test_wakes_from_hlt(void **state)
{
	const struct vcpu_start start = { .mode = VCPU_START_RESET };
	uint64_t *rflags = &fake_states[0].regs[HVM_RFLAGS];

	(void)state;
	assert_int_equal(hvm_vcpu_create(v, &start), 0);
	vlapic_mmio_write(v->lapic, 0xf0, 0x1ff);
	assert_false(hvm_vcpu_has_event(v));
	vlapic_accept(v->lapic, 0x40, false);
	assert_false(hvm_vcpu_has_event(v)); /* IF is clear */
	*rflags |= RFLAGS_IF;
	assert_true(hvm_vcpu_has_event(v));
	vlapic_mmio_write(v->lapic, 0x80, 0x40);
	assert_false(hvm_vcpu_has_event(v)); /* held back by the TPR */
	*rflags = 2;
	v->pending |= VCPU_PENDING_NMI;
	assert_true(hvm_vcpu_has_event(v));
	v->pending = VCPU_PENDING_IRQ;
	*rflags |= RFLAGS_IF;
	fake_vm.virq.pic_output = true;
	assert_false(hvm_vcpu_has_event(v));
	vlapic_mmio_write(v->lapic, 0x350, 0x700);
	assert_true(hvm_vcpu_has_event(v));
	hvm_vcpu_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_choice, setup),
		cmocka_unit_test_setup(test_does_not_suit, setup),
		cmocka_unit_test_setup(test_ram_map, setup),
		cmocka_unit_test_setup(test_reset_start, setup),
		cmocka_unit_test_setup(test_long_start, setup),
		cmocka_unit_test_setup(test_protected_start, setup),
		cmocka_unit_test_setup(test_other_start, setup),
		cmocka_unit_test_setup(test_init_and_startup, setup),
		cmocka_unit_test_setup(test_init_of_the_boot_processor, setup),
		cmocka_unit_test_setup(test_vcpu_fails, setup),
		cmocka_unit_test_setup(test_wakes_from_hlt, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
