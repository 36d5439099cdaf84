/* SPDX-License-Identifier: BSD-2-Clause */
/* APIC-register virtualization and virtual-interrupt delivery: SDM Vol. 3C, "APIC Virtualization and */
/* Virtual Interrupts". Used as a whole or not at all; posted interrupts are not used. */
#include "arch/x86/vmx/vmx_apic.h"

#include "arch/paging.h"
#include "arch/x86/hvm/vlapic_page.h"
#include "arch/x86/vmx/ept.h"
#include "arch/x86/vmx/vmx_vcpu.h"
#include "arch/x86/vmx/vpid.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/vm.h"

#define CR8_EXITS ((uint32_t)(PROC_CR8_LOAD | PROC_CR8_STORE))
#define SVI_SHIFT 8u
#define RVI	  0xffu

#define MSR_X2APIC_TPR 0x808u
#define MSR_X2APIC_EOI 0x80bu

/* SDM Vol. 3C, "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses". */
#define ACCESS_OFFSET  0xfffu
#define ACCESS_TYPE(q) ((q) >> 12 & 0xf)
#define CURRENT_COUNT  0x390u
enum access_type { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_FETCH = 2, ACCESS_EVENT = 3 };

/* The secondary controls by mode. Without a TPR shadow each access of the page exits. */
static const uint64_t controls[] = {
	[VLAPIC_SOFTWARE] = PROC2_APIC_ACCESSES,
	[VLAPIC_XAPIC] = PROC2_APIC_ACCESSES | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS,
	[VLAPIC_X2APIC] = PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS,
};

int vmx_apic_create(struct vcpu *v)
{
	const struct vmx_vcpu *x = v->hvm;
	const struct ept *ept = v->vm->slat;
	struct vlapic *l = v->lapic;

	if (!vmx_caps.apicv) {
		return 0;
	}
	l->page = page_alloc(0);
	if (l->page == NULL) {
		return -ENOMEM;
	}
	vmcs_write(VIRTUAL_APIC_PAGE, paging_hpa(l->page).v);
	vmcs_write(APIC_ACCESS_ADDRESS, paging_hpa(ept->apic_page).v);
	vmcs_write(PROC2_CONTROLS, x->proc2 | controls[VLAPIC_SOFTWARE]);
	vmcs_write(TPR_THRESHOLD, 0);
	vmcs_write(GUEST_INTERRUPT_STATUS, 0);
	for (unsigned int i = 0; i < 4; i++) {
		vmcs_write(vmcs_nth(EOI_EXIT_BITMAP0, i), 0);
	}
	return 0;
}

void vmx_apic_destroy(struct vcpu *v)
{
	if (v->lapic->page != NULL) {
		v->lapic->live = false;
		page_free(v->lapic->page, 0);
		v->lapic->page = NULL;
	}
}

/* SDM Vol. 3C, "MSR-Bitmap Address": reads of low MSRs, then writes behind 800h bytes. */
static void set_exits(struct vmx_vcpu *x, uint32_t byte, uint32_t msr, bool exits)
{
	uint8_t *map = (uint8_t *)x->msr_bitmap + byte + msr / 8;
	uint8_t bit = (uint8_t)(1u << msr % 8);

	*map = exits ? *map | bit : *map & (uint8_t)~bit;
}

static void set_mode(struct vcpu *v, enum vlapic_mode mode)
{
	struct vmx_vcpu *x = v->hvm;
	struct ept *ept = v->vm->slat;
	bool exits = mode != VLAPIC_X2APIC;

	x->proc &= ~(CR8_EXITS | (uint32_t)PROC_TPR_SHADOW);
	x->proc |= mode == VLAPIC_SOFTWARE ? CR8_EXITS : (uint32_t)PROC_TPR_SHADOW;
	vmcs_write(PROC_CONTROLS, x->proc);
	vmcs_write(PROC2_CONTROLS, x->proc2 | controls[mode]);
	set_exits(x, 0, MSR_X2APIC_TPR, exits);
	set_exits(x, 0x800, MSR_X2APIC_TPR, exits);
	set_exits(x, 0x800, MSR_X2APIC_EOI, exits);
	x->apic_mode = mode;
	v->lapic->hardware = mode != VLAPIC_SOFTWARE;
	/* What was learnt of the page of registers is of another mode ("Virtualizing Memory-Mapped APIC Accesses"). */
	slat_forget(&ept->slat);
}

void vmx_apic_settle(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;
	enum vlapic_mode mode = vlapic_page_mode(v->lapic);

	if (unlikely(mode != x->apic_mode)) {
		vlapic_sync(v->lapic);
		set_mode(v, mode);
	}
}

/* The end of a level-triggered interrupt is the IO-APIC's business, too. */
static void set_triggers(struct vlapic *l, struct vmx_vcpu *x)
{
	bool changed = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(x->eoi_exits); i++) {
		uint64_t tmr = __atomic_load_n(&l->s.tmr[i], __ATOMIC_ACQUIRE);

		if (unlikely(tmr != x->eoi_exits[i])) {
			x->eoi_exits[i] = tmr;
			vmcs_write(vmcs_nth(EOI_EXIT_BITMAP0, i), tmr);
			changed = true;
		}
	}
	if (unlikely(changed)) {
		vlapic_page_set_triggers(l, x->eoi_exits);
	}
}

/* Whoever requests a vector first says how it is triggered: so that is looked at last. */
void vmx_apic_deliver(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;
	struct vlapic *l = v->lapic;
	uint64_t status;
	uint8_t top;

	if (x->apic_mode == VLAPIC_SOFTWARE) {
		return;
	}
	status = l->live ? vmcs_read(GUEST_INTERRUPT_STATUS)
			 : (uint64_t)vlapic_page_fill(l) << SVI_SHIFT;
	top = vlapic_page_request(l);
	if (top > (status & RVI)) {
		status = (status & ~(uint64_t)RVI) | top;
	}
	vmcs_write(GUEST_INTERRUPT_STATUS, status);
	set_triggers(l, x);
}

/* ---- exits ---- */

/* An interrupt that the processor holds may be one that ends the HLT. */
enum exit_action vmx_apic_on_hlt(struct vcpu *v)
{
	if (v->lapic->live && (vmcs_read(GUEST_INTERRUPT_STATUS) & RVI) != 0) {
		__atomic_fetch_or(&v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
	}
	return exit_hlt(v);
}

static const char *beyond_registers(uint64_t type)
{
	switch (type) {
	case ACCESS_READ:
	case ACCESS_WRITE:
		return NULL;
	case ACCESS_FETCH:
		return "execution";
	case ACCESS_EVENT:
		return "delivery of an event";
	default:
		return "a walk of page tables";
	}
}

/* An access of a kind or to a register that the processor leaves to us; the instruction has done nothing yet. */
enum exit_action vmx_apic_on_access(struct vcpu *v)
{
	uint64_t q = vmcs_read(EXIT_QUALIFICATION);
	gpa_t gpa = { VLAPIC_BASE + (q & ACCESS_OFFSET) };
	const char *what = beyond_registers(ACCESS_TYPE(q));

	if (unlikely(what != NULL)) {
		vm_crash(v->vm, "%s met %016lx, which is no RAM", what, gpa.v);
		return EXIT_RESUME;
	}
	if ((q & ACCESS_OFFSET) != CURRENT_COUNT) {
		vlapic_sync(v->lapic);
	}
	return exit_mmio(v, gpa, ACCESS_TYPE(q) == ACCESS_WRITE);
}

/* A trap: the instruction is over, and what it wrote is in the page. */
enum exit_action vmx_apic_on_write(struct vcpu *v)
{
	vlapic_page_written(v->lapic, (uint32_t)vmcs_read(EXIT_QUALIFICATION) & 0xff0);
	return EXIT_RESUME;
}

/* A trap as well: the processor has ended it already. */
enum exit_action vmx_apic_on_eoi(struct vcpu *v)
{
	virq_eoi(v->vm, (uint8_t)vmcs_read(EXIT_QUALIFICATION));
	return EXIT_RESUME;
}
