/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level faults at device memory: fetches the instruction, decodes it, carries it out. */
/* What answers at an address is the local APIC's and the device models'. */
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/guest_regs.h"
#include "arch/x86/hvm/insn_exec.h"
#include "arch/x86/hvm/mmio_mov.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/walk.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/guest_mem.h"
#include "hv/iobus.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/vm.h"

/* The local APIC's registers are 32 bits wide; other widths are undefined (SDM "Local APIC"). */
static void access_lapic(struct vlapic *l, struct io_access *a)
{
	uint32_t offset = (uint32_t)(a->addr % PAGE_SIZE);

	if (a->write) {
		if (a->size == 4) {
			vlapic_mmio_write(l, offset, (uint32_t)a->val);
		}
		return;
	}
	a->val = insn_truncate((uint64_t)vlapic_mmio_read(l, offset & ~3u) >> (offset % 4 * 8),
			       a->size);
}

static bool is_lapic(const struct vcpu *v, uint64_t gpa)
{
	return ALIGN_DOWN(gpa, PAGE_SIZE) == VLAPIC_BASE && vlapic_has_mmio(v->lapic);
}

/* False: the VM has crashed. */
static bool access_device(struct vcpu *v, struct io_access *a)
{
	enum io_result r;

	if (is_lapic(v, a->addr)) {
		access_lapic(v->lapic, a);
		return true;
	}
	spin_lock(&v->vm->dev_lock);
	r = iobus_access(&v->vm->mmio, a);
	spin_unlock(&v->vm->dev_lock);
	if (r == IO_FAULT) {
		vm_crash(v->vm, "fault at device memory %llx", (unsigned long long)a->addr);
	}
	return r != IO_FAULT;
}

/* One access that lies within a page. */
static bool access_gpa(struct vcpu *v, gpa_t gpa, unsigned int size, bool write, uint64_t *val)
{
	void *ram = guest_mem_slice(v->vm, gpa, size);
	struct io_access a = { .addr = gpa.v, .size = (uint8_t)size, .write = write };

	if (ram != NULL) {
		if (write) {
			bytes_put_le(ram, size, *val);
		} else {
			*val = bytes_get_le(ram, size);
		}
		return true;
	}
	a.val = write ? insn_truncate(*val, size) : 0;
	if (!access_device(v, &a)) {
		return false;
	}
	*val = a.val;
	return true;
}

static int translate(struct vcpu *v, uint64_t linear, unsigned int size, bool write, gpa_t gpa[2])
{
	uint64_t first = u64_min(PAGE_SIZE - linear % PAGE_SIZE, size);
	unsigned int access = write ? WALK_WRITE : WALK_READ;
	int err = walk_access(v, linear, access, &gpa[0]);

	if (err == 0 && first < size) {
		err = walk_access(v, linear + first, access, &gpa[1]);
	}
	return err;
}

/* An access of the instruction: one page, or two and then byte by byte. */
static int access_linear(struct vcpu *v, uint64_t linear, unsigned int size, bool write,
			 uint64_t *val)
{
	unsigned int first = (unsigned int)u64_min(PAGE_SIZE - linear % PAGE_SIZE, size);
	gpa_t gpa[2];

	if (translate(v, linear, size, write, gpa) != 0) {
		return -EACCES;
	}
	if (first == size) {
		return access_gpa(v, gpa[0], size, write, val) ? 0 : -EACCES;
	}
	for (unsigned int i = 0; i < size; i++) {
		gpa_t at = i < first ? gpa_add(gpa[0], i) : gpa_add(gpa[1], i - first);
		uint64_t byte = *val >> (8 * i) & 0xff;

		if (!access_gpa(v, at, 1, write, &byte)) {
			return -EACCES;
		}
		*val = (*val & ~(0xfful << (8 * i))) | byte << (8 * i);
	}
	return 0;
}

static int read_mem(void *ctx, uint64_t linear, unsigned int size, uint64_t *val)
{
	*val = 0;
	return access_linear(ctx, linear, size, false, val);
}

static int write_mem(void *ctx, uint64_t linear, unsigned int size, uint64_t val)
{
	return access_linear(ctx, linear, size, true, &val);
}

static const struct insn_exec_ops mem_ops = { .read_mem = read_mem, .write_mem = write_mem };

static void crash(struct vcpu *v, gpa_t gpa, const uint8_t *bytes, unsigned int got)
{
	char text[3 * INSN_MAX_LEN + 1] = "";

	for (unsigned int i = 0; i < got; i++) {
		(void)fmt_snprintf(text + 3 * i, 4, " %02x", bytes[i]);
	}
	vm_crash(v->vm, "instruction on device memory %llx not supported:%s at RIP %llx",
		 (unsigned long long)gpa.v, text, (unsigned long long)x86_reg(v, HVM_RIP));
}

static uint8_t stack_size(const struct vcpu *v, unsigned int bits)
{
	struct hvm_segment ss;

	if (bits == 64) {
		return 8;
	}
	hvm->get_seg(v, HVM_SS, &ss);
	return (ss.attr & X86_SEG_DB) != 0 ? 4 : 2;
}

static void store_state(struct vcpu *v, const struct insn_cpu *cpu)
{
	hvm->set_reg(v, HVM_RFLAGS, cpu->regs.rflags);
	hvm->set_reg(v, HVM_RIP, cpu->regs.rip);
}

/* Any instruction that the decoder knows. */
static enum exit_action execute(struct vcpu *v, gpa_t gpa, const uint8_t *bytes, unsigned int got)
{
	unsigned int bits = exit_code_bits(v);
	struct insn_cpu cpu = { .ops = &mem_ops, .ctx = v, .stack_size = stack_size(v, bits) };
	enum insn_result result;
	struct insn insn;

	if (insn_decode(bytes, got, (enum insn_mode)(bits / 8), &insn) != 0) {
		crash(v, gpa, bytes, got);
		return EXIT_RESUME;
	}
	guest_regs_load(v, &cpu.regs);
	result = insn_exec(&insn, &cpu);
	if (result == INSN_UNHANDLED) {
		crash(v, gpa, bytes, got);
		return EXIT_RESUME;
	}
	store_state(v, &cpu);
	return result == INSN_CONTINUE ? EXIT_YIELD : EXIT_RESUME;
}

/* The common case: a MOV whose only memory access is the one that faulted, so gpa is its address. */
static bool execute_mov(struct vcpu *v, gpa_t gpa, const struct mmio_mov *m)
{
	struct io_access a = { .addr = gpa.v, .size = 4, .write = m->write };

	a.val = m->write ? (m->reg < 16 ? (uint32_t)v->gprs[m->reg] : m->imm) : 0;
	if (!access_device(v, &a)) {
		return false;
	}
	if (!m->write) {
		v->gprs[m->reg] = (uint32_t)a.val;
	}
	hvm->set_reg(v, HVM_RIP, x86_reg(v, HVM_RIP) + m->length);
	return true;
}

enum exit_action exit_mmio(struct vcpu *v, gpa_t gpa, bool write)
{
	uint8_t bytes[INSN_MAX_LEN];
	unsigned int got = exit_fetch(v, bytes);
	struct mmio_mov mov;

	if (got == 0) {
		return EXIT_RESUME; /* the code is gone: the CPU faults when it fetches again */
	}
	if (gpa.v % 4 == 0 && mmio_mov_decode(bytes, got, &mov) && mov.write == write &&
	    exit_code_bits(v) == 64) {
		(void)execute_mov(v, gpa, &mov);
		return EXIT_RESUME;
	}
	return execute(v, gpa, bytes, got);
}
