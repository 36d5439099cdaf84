/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual CPU: its registers, its thread, and the loop that enters the guest and handles exits. */
/* What a register or an exit means is arch/x86/hvm's. */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "hv/lib/types.h"
#include "hv/mp_init.h"

struct vm;
struct thread;
struct vlapic;
struct vcpu_x86;

#define VCPU_EXIT_REASONS 128u /* rows of an exit table, both vendors */

/* Things asked of a vCPU by others; it looks before each entry. */
#define VCPU_REQ_STOP	 BIT(0)
#define VCPU_REQ_PAUSE	 BIT(1)
#define VCPU_REQ_DEVICES BIT(2) /* vdev_work_all() */
#define VCPU_REQ_CLOCK	 BIT(4) /* hvm_vcpu_refresh_clock() */
#define VCPU_REQ_START	 BIT(3) /* look at vcpu.start: set as long as it waits for a SIPI */
#define VCPU_REQ_CALL	 BIT(5) /* vcpu_call() */
#define VCPU_REQ_MEMORY	 BIT(6) /* vm_memory_work() */

/* Events waiting to be injected: bits of vcpu.pending. */
#define VCPU_PENDING_EXCEPTION BIT(0)
#define VCPU_PENDING_NMI       BIT(1)
#define VCPU_PENDING_IRQ       BIT(2) /* the local APIC or the PIC may have one */

enum vcpu_start_mode {
	VCPU_START_RESET,	/* real mode at the reset vector */
	VCPU_START_REAL16,	/* real mode at 0:rip, stack at 0:rsp (a boot sector) */
	VCPU_START_PROTECTED32, /* flat 32-bit, paging off (multiboot) */
	VCPU_START_LONG64,	/* 64-bit, identity-mapped (Linux boot protocol) */
};

struct vcpu_start {
	enum vcpu_start_mode mode;
	uint64_t rip;
	uint64_t rsp;
	uint64_t rax, rbx, rsi;
	uint64_t cr3; /* LONG64: guest-physical page tables */
	gpa_t gdt;    /* LONG64, PROTECTED32: code at 10h, data at 18h; 0 = none loaded */
	uint16_t gdt_limit;
};

/* Indexed by the architectural register number: RAX RCX RDX RBX RSP RBP RSI RDI R8-R15. */
enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8 };

struct vcpu_exit_stat {
	uint64_t count;
	uint64_t ticks; /* in root mode */
};

struct vcpu {
	uint64_t gprs[16];    /* [O] RAX and RSP live in the VMCB/VMCS while the vendor says so */
	struct vm *vm;	      /* (c) */
	void *hvm;	      /* (c) the backend's per-vCPU state */
	struct vcpu_x86 *x86; /* (c) what both backends keep beside their control block */
	struct vlapic *lapic; /* (c) */
	uint32_t requests;    /* VCPU_REQ_*, atomic */
	uint32_t pending;     /* VCPU_PENDING_*, atomic */
	uint32_t id;	      /* (c) index and initial APIC ID */
	uint32_t favoured;    /* [O] vcpu_sibling_favour(): distance to that one, 0: none */
	bool blocked;	      /* parks, or is about to: HLT, wait for a SIPI, pause; atomic */
	bool paused;	      /* VCPU_REQ_PAUSE is being obeyed; atomic */
	struct mp_init start; /* INIT and SIPI; atomic */
	struct {
		uint8_t vector;
		bool has_error;
		uint32_t error;
		uint64_t cr2;
	} exception;	       /* [O] with VCPU_PENDING_EXCEPTION */
	uint64_t tsc_offset;   /* guest TSC - host TSC */
	uint64_t exit_tsc;     /* [O] when the last exit came */
	struct thread *thread; /* (c) */
	uint64_t exits;
	uint64_t
		brought_at; /* [O] exits, when pages were brought back for root mode, and how many */
	uint32_t brought;
	struct vcpu_call *call;	       /* with VCPU_REQ_CALL */
	const char *const *exit_names; /* (c) names of the reasons below; NULL where unused */
	struct vcpu_exit_stat stats[VCPU_EXIT_REASONS];
};

/*
 * vCPU 0 has its registers as `start` says; the others wait for a SIPI. It has no thread yet: others
 * may address it, so all are made before the first runs. -ENOMEM and the backend's.
 */
int vcpu_create(struct vm *vm, unsigned int id, const struct vcpu_start *start);
/* Creates and starts its thread. -ENOMEM */
int vcpu_launch(struct vcpu *v);
/* After thread_wait for its thread and the end of its VM's devices: whoever kicks it must be gone. */
void vcpu_destroy(struct vcpu *v);

/* Is v's thread parked in a pause, off every CPU? A late wake-up may end that. Any thread. */
bool vcpu_is_parked(const struct vcpu *v);

/*
 * Has v's own thread call fn, on the CPU that has v's state, before v enters its guest again, or in
 * its pause. Waits for it. v has a thread; its VM is claimed by the caller, another thread.
 */
void vcpu_call(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg);

/* "running", "ready", "halted", "paused" or "waits for SIPI", at this moment. Any thread. */
const char *vcpu_state_name(const struct vcpu *v);

/* The vCPU whose thread is executing, NULL if it is none's. */
struct vcpu *vcpu_current(void);

/* Sets request bits and makes v look at them. Any context, locks below LOCK_SCHED may be held. */
void vcpu_request(struct vcpu *v, uint32_t bits);
/* v->pending or a request changed: wake it from HLT, or make it leave the guest. Same contexts. */
void vcpu_kick(struct vcpu *v);
/* Sets pending bits, then kicks unless v is the caller. */
void vcpu_set_pending(struct vcpu *v, uint32_t bits);
/* INIT and SIPI messages. Same contexts. */
void vcpu_send_init(struct vcpu *v);
void vcpu_send_startup(struct vcpu *v, uint8_t vector);

#endif
