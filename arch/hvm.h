/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware virtualization: the one narrow contract between core and vendor backends (VMX, SVM). */
/* Nothing above this line knows a VMCS field or a VMCB offset. */
#ifndef ARCH_HVM_H
#define ARCH_HVM_H

#include "hv/lib/types.h"

struct vcpu;
struct vm;
struct vcpu_start;

enum hvm_reg { /* those not in vcpu->gprs; RSP and RAX go by vcpu->gprs[] as well */
	       HVM_RIP,
	       HVM_RFLAGS,
	       HVM_CR0, /* as the guest sees them */
	       HVM_CR2,
	       HVM_CR3,
	       HVM_CR4,
	       HVM_EFER,
	       HVM_DR6,
	       HVM_DR7,
	       HVM_PAT,
	       HVM_SYSENTER_CS,
	       HVM_SYSENTER_ESP,
	       HVM_SYSENTER_EIP,
	       HVM_FS_BASE,
	       HVM_GS_BASE,
	       HVM_PDPTE0, /* set when PAE paging is entered or CR3 written; SVM reads them from memory */
	       HVM_PDPTE1,
	       HVM_PDPTE2,
	       HVM_PDPTE3,
	       HVM_TSC_OFFSET, /* set only: v->tsc_offset was changed to val */
	       HVM_STAR,
	       HVM_LSTAR,
	       HVM_CSTAR,
	       HVM_SFMASK,
	       HVM_KERNEL_GS_BASE,
	       HVM_SPEC_CTRL, /* in force from the first value that is not 0; VMX only */
	       HVM_REGS,
};

enum hvm_seg { /* order of the instruction encoding, then the system ones */
	       HVM_ES,
	       HVM_CS,
	       HVM_SS,
	       HVM_DS,
	       HVM_FS,
	       HVM_GS,
	       HVM_LDTR,
	       HVM_TR,
	       HVM_GDTR, /* base and limit only */
	       HVM_IDTR,
	       HVM_SEGS,
};

/* attr: as in a descriptor: type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11. P clear: unusable. */
struct hvm_segment {
	uint16_t sel;
	uint16_t attr;
	uint32_t limit; /* bytes - 1, granularity applied */
	uint64_t base;
};

/* What is half-way between two instructions. */
struct hvm_halfway {
	/* A delivery that an exit cut short: vector 0-7, type 8-10, valid 31, as VMX and SVM write it. */
	uint32_t event;
	uint32_t length; /* of the instruction that caused that one; software events, VMX only */
	uint32_t shadow; /* of STI (bit 0), of MOV SS (bit 1; SVM has one for both) */
	bool nmi_blocked;
	bool single_step; /* its trap is still to come; VMX only */
};

enum hvm_right { HVM_READ = 1, HVM_WRITE = 2, HVM_EXEC = 4, HVM_RWX = 7 };

/* What the body of a vCPU thread does after one exit was handled. */
enum hvm_next {
	HVM_AGAIN, /* enter again */
	HVM_BLOCK, /* HLT: sleep until something is pending */
	HVM_YIELD, /* an interrupt of the host or the end of a slice: open a window, let others run */
	HVM_SPIN, /* PAUSE, again and again: it waits for another vCPU, which may wait for this CPU */
};

/* One feature that probing looked for: the boot log and `host info` print the list. */
struct hvm_feature {
	const char *name; /* "EPT", "unrestricted guest" */
	bool required;
	bool present;
};

struct hvm_ops {
	const char *name; /* "VMX" or "SVM" */
	/*
	 * Looks only. Fills up to max rows and returns their count, 0 on another vendor's CPU. The CPU
	 * suits if no required one is absent.
	 */
	unsigned int (*probe)(struct hvm_feature *rows, unsigned int max);
	int (*cpu_enable)(
		void); /* VMXON, EFER.SVME on the executing CPU; -ENOMEM, -EACCES (firmware) */
	void (*cpu_disable)(void); /* before a reboot */

	int (*vm_create)(struct vm *vm); /* vm->slat; -ENOMEM */
	void (*vm_destroy)(struct vm *vm);
	/* Maps RAM in the largest pages that fit; 4 KiB aligned; replaces what was there. -ENOMEM */
	int (*slat_map)(struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights);
	/* Takes away what is mapped there; 4 KiB aligned. Devices' lock held. -ENOMEM (to split) */
	int (*slat_unmap)(struct vm *vm, gpa_t gpa, uint64_t size);

	int (*vcpu_create)(struct vcpu *v); /* v->hvm, v->exit_names, architectural reset state */
	void (*vcpu_destroy)(struct vcpu *v);
	/* Drops what an INIT ends half-way: deliveries cut short, shadows, windows. v's thread. */
	void (*vcpu_init)(struct vcpu *v);
	void (*vcpu_switched_in)(struct vcpu *v);  /* its thread just got this CPU */
	void (*vcpu_switched_out)(struct vcpu *v); /* its thread is about to lose this CPU */
	/*
	 * A page fault of root mode's own was put right: what it left in the executing CPU (CR2) is the
	 * guest's again. NULL: nothing of that is the guest's in root mode.
	 */
	void (*fault_mended)(void);
	/* Before v's next entry its guest's translations are dropped, all of them. v's thread. */
	void (*flush_tlb)(struct vcpu *v);
	/* One entry, one exit, handled. Masked, no lock held, v's thread. */
	enum hvm_next (*vcpu_run)(struct vcpu *v);

	uint64_t (*get_reg)(const struct vcpu *v, enum hvm_reg r);
	void (*set_reg)(struct vcpu *v, enum hvm_reg r,
			uint64_t val); /* val is valid: checked above */
	void (*get_seg)(const struct vcpu *v, enum hvm_seg s, struct hvm_segment *out);
	void (*set_seg)(struct vcpu *v, enum hvm_seg s, const struct hvm_segment *in);
	/*
	 * For saving, by v's thread, and loading, while that is not started. get takes back what was
	 * begun, so that v may go on from what it gives. set comes after all registers; *in is valid:
	 * vcpu_save.c.
	 */
	void (*get_halfway)(struct vcpu *v, struct hvm_halfway *out);
	void (*set_halfway)(struct vcpu *v, const struct hvm_halfway *in);
	bool (*interrupt_shadow)(const struct vcpu *v); /* STI or MOV SS just executed */
	/* Prints the VMCS/VMCB: out(line). */
	void (*dump)(const struct vcpu *v, void (*out)(const char *line));
};

/* Chosen by hvm_init; NULL on a CPU that does not suit. */
extern const struct hvm_ops *hvm;

/*
 * Probes the backends and picks one. Logs each feature. -ENODEV after logging exactly what is
 * missing: the console still comes up. Of the boot options, apicv=on gives guests the processor's
 * virtual local APIC.
 */
int hvm_init(const char *options);
/* On every CPU, after hvm_init succeeded. */
int hvm_cpu_enable(void);
/* The rows that hvm_init found, for `host info`; their count in *count. */
const struct hvm_feature *hvm_features(unsigned int *count);

/* Is name ("rdrand", without the sign) a CPUID feature that a configuration may take away? */
bool hvm_cpuid_feature_known(const char *name);

/* Second-level map of the whole RAM of vm->mem, less the VGA hole; sets vm->slat. -ENOMEM */
int hvm_vm_create(struct vm *vm);
/* Also after hvm_vm_create failed or was not called. */
void hvm_vm_destroy(struct vm *vm);

/* v->lapic, v->hvm, and the registers as start says; those of others than vCPU 0 as after INIT. -ENOMEM */
int hvm_vcpu_create(struct vcpu *v, const struct vcpu_start *start);
void hvm_vcpu_destroy(struct vcpu *v);
/*
 * v's thread. INIT: registers and local APIC as SDM Vol. 3A, "Processor Initialization" says; the boot
 * processor of a VM without firmware has no code to restart at: its VM is reset.
 */
void hvm_vcpu_init(struct vcpu *v);
/* v's thread, after INIT. SIPI: real mode at vector 000h. */
void hvm_vcpu_startup(struct vcpu *v, uint8_t vector);
/* v's thread just got this CPU; is about to lose it. The VM's memory is there. */
void hvm_vcpu_switched_in(struct vcpu *v);
void hvm_vcpu_switched_out(struct vcpu *v);
/* v's thread. What its guest was told of its paravirtual clock has changed. */
void hvm_vcpu_refresh_clock(struct vcpu *v);
/* v's thread, before it parks in a pause: brings up to date what the guest may change on its own. */
void hvm_vcpu_settle(struct vcpu *v);

/*
 * Part of a vCPU's state as a file keeps it: a block of fixed length. To save, v is paused, and its
 * thread calls; to load, that was not started yet, and the VM's memory is there.
 */
struct hvm_part {
	const char *name;
	uint32_t version;
	/*
	 * It has times in it: saved and loaded in one go with the devices, whose lock is held, by
	 * another thread than v's. To load, hvm_vcpu_set_tsc was called.
	 */
	bool timed;
	size_t (*size)(const struct vcpu *v);
	int (*save)(struct vcpu *v, void *block); /* 0; -EAGAIN: a timer is just firing */
	/* 0; -EINVAL: no guest could have come there; -ENODEV: the processor is another one. */
	int (*load)(struct vcpu *v, const void *block);
};
/* The i-th, in the order of loading; NULL behind the last. */
const struct hvm_part *hvm_part(unsigned int i);
/* After its parts without times were loaded: its TSC differs from vm->tsc_offset as it did. */
void hvm_vcpu_set_tsc(struct vcpu *v);

/* Would v continue from HLT? Looks at pending events, the local APIC and RFLAGS.IF. */
bool hvm_vcpu_has_event(struct vcpu *v);
/*
 * The paravirtual interfaces that a guest may use: name of the i-th (static text), NULL behind the
 * last; *used: v's guest has switched it on. Any thread that keeps v alive.
 */
const char *hvm_paravirt(const struct vcpu *v, unsigned int i, bool *used);
/* Prints registers, segments, code bytes and the vendor's control block: out(line). */
void hvm_vcpu_dump(struct vcpu *v, void (*out)(const char *line));

#endif
