/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers as one table of fields, each with its place and its check; the list of parts. */
/* What a field means is others'; here it must only be a value that a guest could have brought about, */
/* or one that at worst makes its own VM crash at the next entry. */
#include "arch/x86/hvm/vcpu_save.h"

#include "arch/x86/hvm/cr.h"
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/pv_steal.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vmsr_rules.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/base/panic.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vm.h"

_Static_assert(VCPU_PENDING_EXCEPTION == 1, "a field of its own in the saved state");

#define RFLAGS_DEFINED 0x3f7fd7ul
#define SEG_DEFINED    0xfffu
#define SEG_S	       0x10u

/* ---- fields: each is eight bytes of the block ---- */

struct field {
	uint64_t (*get)(const struct vcpu *v, const struct field *f);
	void (*set)(struct vcpu *v, const struct field *f, uint64_t val);
	bool (*ok)(uint64_t val); /* NULL: any value will do */
	unsigned int at;	  /* offset, or which register */
	unsigned int size;
};

static uint64_t get_vcpu(const struct vcpu *v, const struct field *f)
{
	return bytes_get_le((const char *)v + f->at, f->size);
}

static void set_vcpu(struct vcpu *v, const struct field *f, uint64_t val)
{
	bytes_put_le((char *)v + f->at, f->size, val);
}

static uint64_t get_x86(const struct vcpu *v, const struct field *f)
{
	return bytes_get_le((const char *)v->x86 + f->at, f->size);
}

static void set_x86(struct vcpu *v, const struct field *f, uint64_t val)
{
	bytes_put_le((char *)v->x86 + f->at, f->size, val);
}

static uint64_t get_reg(const struct vcpu *v, const struct field *f)
{
	return x86_reg(v, (enum hvm_reg)f->at);
}

static void set_reg(struct vcpu *v, const struct field *f, uint64_t val)
{
	hvm->set_reg(v, (enum hvm_reg)f->at, val);
}

/* How the guest itself moved this vCPU's TSC; hvm_vcpu_set_tsc makes the rest of it. */
static uint64_t get_tsc(const struct vcpu *v, const struct field *f)
{
	(void)f;
	return v->tsc_offset - v->vm->tsc_offset;
}

static void set_tsc(struct vcpu *v, const struct field *f, uint64_t val)
{
	(void)f;
	v->tsc_offset = val;
}

/* Of what is pending, what its own thread raises; the rest may come until the devices are taken. */
static uint64_t get_exception(const struct vcpu *v, const struct field *f)
{
	(void)f;
	return __atomic_load_n(&v->pending, __ATOMIC_RELAXED) & VCPU_PENDING_EXCEPTION;
}

static void set_exception(struct vcpu *v, const struct field *f, uint64_t val)
{
	(void)f;
	__atomic_fetch_and(&v->pending, ~(uint32_t)VCPU_PENDING_EXCEPTION, __ATOMIC_RELAXED);
	__atomic_fetch_or(&v->pending, (uint32_t)val, __ATOMIC_RELAXED);
}

static bool is_bool(uint64_t val)
{
	return val <= 1;
}

/* Those that a processor raises for a guest without CET; which others have error codes, it decides. */
static bool is_vector(uint64_t val)
{
	return val < 20 && val != VEC_NMI && val != 9 && val != 15;
}

static bool is_32(uint64_t val)
{
	return val <= UINT32_MAX;
}

static bool is_canonical(uint64_t val)
{
	return (uint64_t)((int64_t)(val << 16) >> 16) == val;
}

static bool is_rflags(uint64_t val)
{
	return (val & ~RFLAGS_DEFINED) == 0 && (val & X86_RFLAGS_FIXED) != 0;
}

#define VCPU(m, check)                                                                             \
	{                                                                                          \
		get_vcpu, set_vcpu, check, offsetof(struct vcpu, m), sizeof(((struct vcpu *)0)->m) \
	}
#define X86(m, check)                                                                              \
	{                                                                                          \
		get_x86, set_x86, check, offsetof(struct vcpu_x86, m),                             \
			sizeof(((struct vcpu_x86 *)0)->m)                                          \
	}
#define REG(r, check)                                                                              \
	{                                                                                          \
		get_reg, set_reg, check, HVM_##r, 8                                                \
	}

/* The file's order: append only, and count the version up. */
static const struct field fields[] = {
	REG(EFER, NULL), /* these four: cr_state_ok() */
	REG(CR4, NULL),
	REG(CR3, NULL),
	REG(CR0, NULL),
	REG(CR2, NULL),
	REG(PDPTE0, NULL), /* a bad one crashes the VM at its next entry */
	REG(PDPTE1, NULL),
	REG(PDPTE2, NULL),
	REG(PDPTE3, NULL),
	REG(RIP, is_canonical),
	REG(RFLAGS, is_rflags),
	REG(DR6, is_32),
	REG(DR7, is_32),
	X86(dr[0], NULL),
	X86(dr[1], NULL),
	X86(dr[2], NULL),
	X86(dr[3], NULL),
	REG(SYSENTER_CS, is_32),
	REG(SYSENTER_ESP, is_canonical),
	REG(SYSENTER_EIP, is_canonical),
	REG(STAR, NULL),
	REG(LSTAR, is_canonical),
	REG(CSTAR, is_canonical),
	REG(SFMASK, is_32),
	REG(KERNEL_GS_BASE, is_canonical),
	X86(xcr0, NULL), /* cr_xcr0_ok() */
	X86(tsc_aux, is_32),
	X86(tsc_adjust, NULL),
	{ get_tsc, set_tsc, NULL, 0, 8 },
	X86(clock.system_time, NULL), /* what is no RAM is not written */
	X86(clock.wall_clock, NULL),
	X86(clock.version, is_32),
	X86(has_firmware, is_bool),
	{ get_exception, set_exception, is_bool, 0, 8 },
	VCPU(exception.vector, is_vector),
	VCPU(exception.has_error, is_bool), /* exception_ok() */
	VCPU(exception.error, is_32),
	VCPU(exception.cr2, NULL),
	X86(steal.msr, pv_steal_msr_ok), /* what is no RAM is not written */
};

struct cpu_block {
	uint64_t gprs[16];
	uint64_t fields[ARRAY_SIZE(fields)];
	uint64_t msrs[VMSR_SAVED];
	struct hvm_segment segs[HVM_SEGS];
	uint32_t event; /* struct hvm_halfway */
	uint32_t length;
	uint32_t shadow;
	uint8_t nmi_blocked;
	uint8_t single_step;
	uint8_t reserved[2];
};
_Static_assert(sizeof(((struct vcpu *)0)->gprs) == 16 * 8, "part of the saved state");
_Static_assert(sizeof(struct hvm_segment) == 16, "part of the saved state");
_Static_assert(sizeof(struct cpu_block) ==
		       (16 + ARRAY_SIZE(fields) + VMSR_SAVED) * 8 + HVM_SEGS * 16 + 16,
	       "the saved state has no holes");

/* ---- registers ---- */

static size_t cpu_size(const struct vcpu *v)
{
	(void)v;
	return sizeof(struct cpu_block);
}

static void save_halfway(struct vcpu *v, struct cpu_block *b)
{
	struct hvm_halfway h;

	hvm->get_halfway(v, &h);
	b->event = h.event;
	b->length = h.length;
	b->shadow = h.shadow;
	b->nmi_blocked = h.nmi_blocked;
	b->single_step = h.single_step;
}

static int cpu_save(struct vcpu *v, void *block)
{
	struct cpu_block *b = block;

	memset(b, 0, sizeof(*b));
	vcpu_x86_sync(v);
	save_halfway(v, b); /* first: it may take something back */
	memcpy(b->gprs, v->gprs, sizeof(b->gprs));
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		b->fields[i] = fields[i].get(v, &fields[i]);
	}
	for (unsigned int i = 0; i < HVM_SEGS; i++) {
		hvm->get_seg(v, (enum hvm_seg)i, &b->segs[i]);
	}
	vmsr_save_get(v, b->msrs);
	return 0;
}

/* ---- checks ---- */

static bool fields_ok(const struct cpu_block *b)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].ok != NULL && !fields[i].ok(b->fields[i])) {
			return false;
		}
	}
	return true;
}

/* What the block has for a register or a member that the table names. */
static uint64_t value_of(const struct cpu_block *b,
			 uint64_t (*get)(const struct vcpu *v, const struct field *f),
			 unsigned int at)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].get == get && fields[i].at == at) {
			return b->fields[i];
		}
	}
	panic_stop("no such field of a saved vCPU");
}

static uint64_t reg_of(const struct cpu_block *b, enum hvm_reg r)
{
	return value_of(b, get_reg, r);
}

static bool control_ok(const struct vcpu *v, const struct cpu_block *b)
{
	const struct cr_state s = { .cr0 = reg_of(b, HVM_CR0),
				    .cr3 = reg_of(b, HVM_CR3),
				    .cr4 = reg_of(b, HVM_CR4),
				    .efer = reg_of(b, HVM_EFER) };
	bool v86 = (reg_of(b, HVM_RFLAGS) & RFLAGS_VM) != 0;

	return (s.efer & ~vmsr_efer_offered(v)) == 0 && cr_state_ok(v, &s) &&
	       cr_xcr0_ok(v, value_of(b, get_x86, offsetof(struct vcpu_x86, xcr0))) &&
	       (!v86 || ((s.cr0 & CR0_PE) != 0 && (s.efer & EFER_LMA) == 0));
}

/* SDM Vol. 3C, "Checks on VM-Entry Control Fields": bits 31:15 are zero. #DF always pushes 0. */
static bool error_ok(uint64_t vector, uint64_t error)
{
	return vector == VEC_DF ? error == 0 : error <= 0x7fff;
}

/*
 * An entry with another error code than the vector has fails as ours, not as the guest's. event.c
 * writes down an error code also where none is pushed.
 */
static bool exception_ok(const struct cpu_block *b)
{
	uint64_t pending = value_of(b, get_exception, 0);
	uint64_t vector = value_of(b, get_vcpu, offsetof(struct vcpu, exception.vector));
	uint64_t has_error = value_of(b, get_vcpu, offsetof(struct vcpu, exception.has_error));
	uint64_t error = value_of(b, get_vcpu, offsetof(struct vcpu, exception.error));
	bool protected = (reg_of(b, HVM_CR0) & CR0_PE) != 0;

	return pending == 0 || (has_error == (event_has_error_code((uint8_t)vector) && protected) &&
				error_ok(vector, error));
}

static bool segments_ok(const struct cpu_block *b)
{
	const struct hvm_segment *tr = &b->segs[HVM_TR];

	for (unsigned int i = 0; i < HVM_SEGS; i++) {
		if (!is_canonical(b->segs[i].base) || b->segs[i].attr > SEG_DEFINED) {
			return false;
		}
	}
	return (tr->attr & (X86_SEG_P | SEG_S)) == X86_SEG_P &&
	       ((tr->attr & X86_SEG_TYPE) == 3 || (tr->attr & X86_SEG_TYPE) == 11);
}

/* SDM Vol. 3C, "Checks on VM-Entry Control Fields": what is injected again must be well formed. */
static bool event_ok(const struct cpu_block *b)
{
	uint32_t vector = b->event & 0xff;
	bool length_ok = b->length >= 1 && b->length <= 15;

	if (b->event == 0) {
		return true;
	}
	if ((b->event & ~0x7fful) != BIT(31)) {
		return false;
	}
	switch (b->event >> 8 & 7) {
	case EVENT_INTERRUPT:
		return true;
	case EVENT_NMI:
		return vector == VEC_NMI;
	case EVENT_SOFT_INTERRUPT:
		return length_ok;
	case 5: /* INT1 */
		return vector == VEC_DB && length_ok;
	case 6: /* INT3, INTO */
		return (vector == VEC_BP || vector == VEC_OF) && length_ok;
	default:
		return false;
	}
}

static bool halfway_ok(const struct cpu_block *b)
{
	bool open = (reg_of(b, HVM_RFLAGS) & RFLAGS_IF) != 0;

	return event_ok(b) && b->shadow <= 2 && is_bool(b->nmi_blocked) &&
	       is_bool(b->single_step) && !((b->shadow & 1) != 0 && !open);
}

static int cpu_load(struct vcpu *v, const void *block)
{
	const struct cpu_block *b = block;
	struct hvm_halfway h = { b->event, b->length, b->shadow, b->nmi_blocked, b->single_step };

	if (!fields_ok(b) || !control_ok(v, b) || !exception_ok(b) || !segments_ok(b) ||
	    !halfway_ok(b) || !vmsr_save_set(v, b->msrs)) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < HVM_SEGS; i++) {
		hvm->set_seg(v, (enum hvm_seg)i, &b->segs[i]);
	}
	memcpy(v->gprs, b->gprs, sizeof(b->gprs));
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i].set(v, &fields[i], b->fields[i]);
	}
	hvm->set_halfway(v, &h);
	return 0;
}

static const struct hvm_part cpu_part = {
	.name = "cpu",
	.version = 3,
	.size = cpu_size,
	.save = cpu_save,
	.load = cpu_load,
};

/* ---- all of them ---- */

const struct hvm_part *hvm_part(unsigned int i)
{
	/* The registers after CPUID, which says what is valid in them. */
	static const struct hvm_part *const parts[] = {
		&vcpuid_save_part, &cpu_part, &fpu_save_part, &event_save_part, &vlapic_save_part,
	};

	return i < ARRAY_SIZE(parts) ? parts[i] : NULL;
}

void hvm_vcpu_set_tsc(struct vcpu *v)
{
	v->tsc_offset += v->vm->tsc_offset;
	hvm->set_reg(v, HVM_TSC_OFFSET, v->tsc_offset);
}
