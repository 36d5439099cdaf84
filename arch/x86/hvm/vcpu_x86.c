/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a vCPU that stays in the CPU while its thread has it: FPU, XCR0, DR0-3, TSC_AUX. */
/* Control registers and MSRs of the control blocks are the vendors'. */
#include "arch/x86/hvm/vcpu_x86.h"

#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/vcpu.h"

#define MISC_ENABLE_RESET 0x1801ul /* fast strings; no BTS, no PEBS */
#define HWCR_TSC_FREQ_SEL BIT(24)  /* the TSC runs at the P0 frequency */

/* SDM Vol. 1, "Legacy Region of an XSAVE Area" and "XSAVE Header". */
#define AREA_FCW    0
#define AREA_FTW    4
#define AREA_MXCSR  24
#define AREA_XSTATE 512

static unsigned int area_order(const struct vcpu *v)
{
	uint64_t pages = (vcpuid_xsave_size(v->x86->cpuid) + PAGE_SIZE - 1) / PAGE_SIZE;

	return pages <= 1 ? 0 : 64 - (unsigned int)__builtin_clzl(pages - 1);
}

/* SDM Vol. 3A, "Processor State After Reset": x87 by RESET, not by FNINIT. */
static void reset_fpu(struct vcpu_x86 *x)
{
	uint8_t *area = x->xsave;

	bytes_put_le16(area + AREA_FCW, 0x0040);
	area[AREA_FTW] = 0xff;
	bytes_put_le32(area + AREA_MXCSR, 0x1f80);
	if (x->cpuid->xcr0 != 0) {
		bytes_put_le64(area + AREA_XSTATE, 3);
	}
}

static int create_parts(struct vcpu *v)
{
	int err = vcpuid_create(v);

	if (err != 0) {
		return err;
	}
	v->x86->xsave = page_alloc(area_order(v));
	if (v->x86->xsave == NULL) {
		vcpuid_destroy(v);
		return -ENOMEM;
	}
	return 0;
}

int vcpu_x86_create(struct vcpu *v)
{
	int err;

	v->x86 = heap_alloc(sizeof(*v->x86));
	if (v->x86 == NULL) {
		return -ENOMEM;
	}
	err = create_parts(v);
	if (err != 0) {
		heap_free(v->x86);
		v->x86 = NULL;
		return err;
	}
	v->x86->xcr0 = 1;
	v->x86->misc_enable = MISC_ENABLE_RESET;
	v->x86->hwcr = HWCR_TSC_FREQ_SEL;
	reset_fpu(v->x86);
	return 0;
}

void vcpu_x86_destroy(struct vcpu *v)
{
	if (v->x86 != NULL) {
		page_free(v->x86->xsave, area_order(v));
		vcpuid_destroy(v);
		heap_free(v->x86);
		v->x86 = NULL;
	}
}

static void xcr0_write(uint64_t val)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

static uint64_t xcr0_read(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

uint64_t vcpu_x86_xcr0(const struct vcpu *v)
{
	return v->x86->cpuid->xcr0 != 0 ? xcr0_read() : 1;
}

void vcpu_x86_set_xcr0(struct vcpu *v, uint64_t val)
{
	v->x86->xcr0 = val;
	xcr0_write(val);
}

static void fpu_load(const struct vcpu_x86 *x)
{
	uint64_t all = x->cpuid->xcr0;

	if (all == 0) {
		__asm__ volatile("fxrstor64 %0" : : "m"(*(const uint8_t(*)[512])x->xsave));
		return;
	}
	xcr0_write(all);
	__asm__ volatile("xrstor64 (%0)"
			 :
			 : "r"(x->xsave), "a"((uint32_t)all), "d"((uint32_t)(all >> 32))
			 : "memory");
	xcr0_write(x->xcr0);
}

static void fpu_save(struct vcpu_x86 *x)
{
	uint64_t all = x->cpuid->xcr0;

	if (all == 0) {
		__asm__ volatile("fxsave64 %0" : "=m"(*(uint8_t(*)[512])x->xsave));
		return;
	}
	/* The guest may have state in components that its XCR0 leaves out now. */
	x->xcr0 = xcr0_read();
	xcr0_write(all);
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(x->xsave), "a"((uint32_t)all), "d"((uint32_t)(all >> 32))
			 : "memory");
}

static void load_drs(const struct vcpu_x86 *x)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(x->dr[0]));
	__asm__ volatile("mov %0, %%db1" : : "r"(x->dr[1]));
	__asm__ volatile("mov %0, %%db2" : : "r"(x->dr[2]));
	__asm__ volatile("mov %0, %%db3" : : "r"(x->dr[3]));
}

void vcpu_x86_init(struct vcpu *v)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(v->x86->dr); i++) {
		v->x86->dr[i] = 0;
	}
	load_drs(v->x86);
	v->x86->clock = (struct pvclock){ 0 };
}

void vcpu_x86_load(struct vcpu *v)
{
	const struct vcpu_x86 *x = v->x86;

	fpu_load(x);
	load_drs(x);
	if (vcpuid_has(v, VCPUID_RDTSCP)) {
		x86_wrmsr(MSR_TSC_AUX, x->tsc_aux);
	}
}

void vcpu_x86_save(struct vcpu *v)
{
	struct vcpu_x86 *x = v->x86;

	fpu_save(x);
	__asm__ volatile("mov %%db0, %0" : "=r"(x->dr[0]));
	__asm__ volatile("mov %%db1, %0" : "=r"(x->dr[1]));
	__asm__ volatile("mov %%db2, %0" : "=r"(x->dr[2]));
	__asm__ volatile("mov %%db3, %0" : "=r"(x->dr[3]));
	if (vcpuid_has(v, VCPUID_RDTSCP)) {
		x->tsc_aux = x86_rdmsr(MSR_TSC_AUX);
	}
}

/* The save leaves its own XCR0 behind. */
void vcpu_x86_sync(struct vcpu *v)
{
	vcpu_x86_save(v);
	vcpu_x86_load(v);
}
