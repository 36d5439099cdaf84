/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM with up to 16 vCPUs for tests of arch/x86/hvm: registers are plain arrays. */
/* Records what the code under test asks of the core. */
#include "fakes/fake_hvm.h"

#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_arch.h"
#include "hv/base/log.h"
#include "hv/vcpu_sibling.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct vm fake_vm;
struct vcpu fake_vcpus[FAKE_CPUS];
struct fake_cpu_state fake_states[FAKE_CPUS];
char fake_crash[256];
unsigned int fake_kicks;
char fake_starts[64];
int fake_eoi;
unsigned int fake_flushes[FAKE_CPUS];
uint64_t fake_favoured, fake_waiting;
uint8_t fake_pic_vector;

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

static void get_halfway(struct vcpu *v, struct hvm_halfway *out)
{
	*out = fake_states[v->id].halfway;
}

static void set_halfway(struct vcpu *v, const struct hvm_halfway *in)
{
	fake_states[v->id].halfway = *in;
}

static void flush_tlb(struct vcpu *v)
{
	fake_flushes[v->id]++;
}

static const struct hvm_ops fake_ops = {
	.name = "fake",
	.get_reg = get_reg,
	.set_reg = set_reg,
	.get_seg = get_seg,
	.set_seg = set_seg,
	.get_halfway = get_halfway,
	.set_halfway = set_halfway,
	.flush_tlb = flush_tlb,
};

const struct hvm_ops *hvm __attribute__((weak)); /* hvm.c has the real one */

struct vcpu *fake_hvm_reset(void)
{
	memset(&fake_vm, 0, sizeof(fake_vm));
	memset(fake_vcpus, 0, sizeof(fake_vcpus));
	memset(fake_states, 0, sizeof(fake_states));
	fake_crash[0] = '\0';
	fake_kicks = 0;
	fake_starts[0] = '\0';
	fake_eoi = -1;
	fake_favoured = fake_waiting = UINT64_MAX;
	memset(fake_flushes, 0, sizeof(fake_flushes));
	fake_now = 1000;
	hvm = &fake_ops;
	fake_vm.vcpu_count = 1;
	fake_vm.tsc_hz = 1000000000;
	fake_vm.cfg.cpus = 1;
	for (unsigned int i = 0; i < FAKE_CPUS; i++) {
		fake_vcpus[i].id = i;
		fake_vcpus[i].vm = &fake_vm;
		if (i < VM_CPUS_MAX) {
			fake_vm.vcpus[i] = &fake_vcpus[i];
		}
	}
	return &fake_vcpus[0];
}

void fake_hvm_long_mode(struct vcpu *v, uint64_t cr3)
{
	struct fake_cpu_state *s = &fake_states[v->id];

	s->regs[HVM_CR0] = CR0_PG | CR0_PE | CR0_WP | CR0_ET;
	s->regs[HVM_CR4] = CR4_PAE;
	s->regs[HVM_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
	s->regs[HVM_CR3] = cr3;
	s->regs[HVM_RFLAGS] = X86_RFLAGS_FIXED;
	s->segs[HVM_CS] = (struct hvm_segment){ .sel = 0x10, .attr = 0xa9b, .limit = UINT32_MAX };
	s->segs[HVM_SS] = (struct hvm_segment){ .sel = 0x18, .attr = 0xc93, .limit = UINT32_MAX };
}

void vm_crash(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	(void)vm;
	va_start(ap, fmt);
	vsnprintf(fake_crash, sizeof(fake_crash), fmt, ap);
	va_end(ap);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void vcpu_set_pending(struct vcpu *v, uint32_t bits)
{
	v->pending |= bits;
	fake_kicks++;
}

static void note_start(const char *fmt, unsigned int a, unsigned int b)
{
	size_t len = strlen(fake_starts);

	snprintf(fake_starts + len, sizeof(fake_starts) - len, fmt, a, b);
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	v->requests |= bits;
}

void vcpu_send_init(struct vcpu *v)
{
	note_start("i%u ", v->id, 0);
}

void vcpu_send_startup(struct vcpu *v, uint8_t vector)
{
	note_start("s%u:%02x ", v->id, vector);
}

void vm_request_reset(struct vm *vm)
{
	(void)vm;
	note_start("reset ", 0, 0);
}

void virq_eoi(struct vm *vm, uint8_t vector)
{
	(void)vm;
	fake_eoi = vector;
}

uint8_t virq_acknowledge_pic(struct vm *vm)
{
	vm->virq.pic_output = false;
	return fake_pic_vector;
}

void virq_set_lapic_ops(const struct virq_lapic_ops *ops)
{
	(void)ops;
}

bool vcpu_sibling_waits(const struct vcpu *v)
{
	(void)v;
	return false;
}

bool vcpu_sibling_favour(struct vcpu *v, uint64_t id)
{
	(void)v;
	fake_favoured = id;
	return id == fake_waiting;
}
