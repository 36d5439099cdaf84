/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the event that comes next into the VMCS, opens and closes windows, keeps what an exit cut */
/* short. Decides no priorities. */
#include "arch/x86/vmx/vmx_event.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/vmx/vmx_apic.h"
#include "arch/x86/vmx/vmx_reg.h"
#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/vcpu.h"

_Static_assert((int)EVENT_INTERRUPT == INTR_EXTERNAL && (int)EVENT_NMI == INTR_NMI &&
		       (int)EVENT_EXCEPTION == INTR_EXCEPTION &&
		       (int)EVENT_SOFT_INTERRUPT == INTR_SOFT_INTERRUPT,
	       "event types are VMX's");

static bool is_software(uint32_t type)
{
	return type >= INTR_SOFT_INTERRUPT;
}

static void set_windows(struct vmx_vcpu *x, bool irq, bool nmi)
{
	uint32_t proc = x->proc & ~(uint32_t)VMX_EVENT_WINDOWS;

	proc |= irq ? (uint32_t)PROC_INTERRUPT_WINDOW : 0;
	proc |= nmi ? (uint32_t)PROC_NMI_WINDOW : 0;
	if (proc != x->proc) {
		x->proc = proc;
		vmcs_write(PROC_CONTROLS, proc);
	}
}

static void inject(const struct event *ev)
{
	uint64_t info = INTR_VALID | (uint64_t)ev->type << 8 | ev->vector;

	if (ev->has_error) {
		info |= INTR_ERROR_CODE;
		vmcs_write(ENTRY_INTR_ERROR, ev->error);
	}
	vmcs_write(ENTRY_INTR_INFO, info);
}

/*
 * What was cut short is delivered again, before all else but an exception that came of it. Returns
 * true if it was; false with *waits if the guest has closed itself to it meanwhile.
 */
static bool reinject(struct vcpu *v, bool can_irq, bool can_nmi)
{
	struct vmx_vcpu *x = v->hvm;
	uint32_t type = INTR_TYPE(x->reinject);

	if ((v->pending & VCPU_PENDING_EXCEPTION) || (type == INTR_EXTERNAL && !can_irq) ||
	    (type == INTR_NMI && !can_nmi)) {
		return false;
	}
	if (is_software(type)) {
		vmcs_write(ENTRY_INSN_LENGTH, x->reinject_length);
	}
	vmcs_write(ENTRY_INTR_INFO, x->reinject);
	x->reinject = 0;
	return true;
}

/* The exception's handler returns to the INT instruction, which then does it all again. */
static void drop_software(struct vmx_vcpu *x)
{
	if (is_software(INTR_TYPE(x->reinject))) {
		x->reinject = 0;
	}
}

void vmx_event_prepare(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;
	uint64_t blocked = vmcs_read(GUEST_INTERRUPTIBILITY);
	bool can_irq = !(blocked & VMX_SHADOW) && (vmcs_read(GUEST_RFLAGS) & RFLAGS_IF);
	bool can_nmi = !(blocked & (VMX_SHADOW | VMX_BLOCKED_NMI));
	bool irq_window = false;
	bool nmi_window = false;
	struct event ev;

	if (vmx_caps.apicv) {
		vmx_apic_settle(v);
	}
	if (x->reinject != 0 && reinject(v, can_irq, can_nmi)) {
		can_irq = false;
		can_nmi = false;
	} else if (x->reinject != 0) {
		drop_software(x);
	}
	if (v->pending != 0 &&
	    event_pick(v, can_irq && x->reinject == 0, can_nmi && x->reinject == 0, &ev,
		       &irq_window, &nmi_window)) {
		inject(&ev);
	}
	irq_window |= x->reinject != 0 && INTR_TYPE(x->reinject) == INTR_EXTERNAL;
	nmi_window |= x->reinject != 0 && INTR_TYPE(x->reinject) == INTR_NMI;
	set_windows(x, irq_window, nmi_window);
	if (vmx_caps.apicv) {
		vmx_apic_deliver(v);
	}
}

/*
 * An exception is raised again here, so that one which the exit's handler raises meets it as the
 * manual says ("Double Fault Exception").
 */
static void raise_again(struct vcpu *v, uint32_t info)
{
	uint8_t vector = (uint8_t)(info & INTR_VECTOR);
	uint32_t error = info & INTR_ERROR_CODE ? vmcs_read32(IDT_VECTORING_ERROR) : 0;

	if (vector == VEC_PF) {
		event_page_fault(v, vmx_reg_get(v, HVM_CR2), error);
	} else {
		event_exception(v, vector, error);
	}
}

void vmx_event_cut_short(struct vcpu *v, uint32_t info)
{
	struct vmx_vcpu *x = v->hvm;
	uint32_t type = INTR_TYPE(info);

	if (type == INTR_EXCEPTION) {
		raise_again(v, info);
		return;
	}
	x->reinject = info & (uint32_t)(INTR_VALID | 0x700u | INTR_VECTOR);
	if (is_software(type)) {
		x->reinject_length = vmcs_read32(EXIT_INSN_LENGTH);
	}
	if (type == INTR_NMI) {
		/* Delivery had begun by blocking further NMIs; it begins anew. */
		vmcs_write(GUEST_INTERRUPTIBILITY,
			   vmcs_read(GUEST_INTERRUPTIBILITY) & ~VMX_BLOCKED_NMI);
	}
}

void vmx_event_init(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	x->reinject = 0;
	set_windows(x, false, false);
	vmcs_write(ENTRY_INTR_INFO, 0);
	vmcs_write(GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(GUEST_PENDING_DEBUG, 0);
}

void vmx_event_block_nmi(void)
{
	vmcs_write(GUEST_INTERRUPTIBILITY, vmcs_read(GUEST_INTERRUPTIBILITY) | VMX_BLOCKED_NMI);
}
