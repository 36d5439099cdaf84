/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtual machine control block of AMD-V: layout, intercept bits, exit codes. */
/* Says nothing about when a field is changed: that is svm_vcpu.c's and svm_event.c's. */
#ifndef ARCH_X86_SVM_VMCB_H
#define ARCH_X86_SVM_VMCB_H

#include "hv/lib/types.h"

/* Bits of the three intercept words at 00Ch, 010h and 014h. */
enum vmcb_intercept1 {
	VMCB_INTERCEPT_INTR = BIT(0),
	VMCB_INTERCEPT_NMI = BIT(1),
	VMCB_INTERCEPT_VINTR = BIT(4),
	VMCB_INTERCEPT_CR0_SEL_WRITE = BIT(5),
	VMCB_INTERCEPT_TR_WRITE = BIT(13),
	VMCB_INTERCEPT_RDPMC = BIT(15),
	VMCB_INTERCEPT_CPUID = BIT(18),
	VMCB_INTERCEPT_RSM = BIT(19),
	VMCB_INTERCEPT_IRET = BIT(20),
	VMCB_INTERCEPT_INVD = BIT(22),
	VMCB_INTERCEPT_PAUSE = BIT(23),
	VMCB_INTERCEPT_HLT = BIT(24),
	VMCB_INTERCEPT_INVLPGA = BIT(26),
	VMCB_INTERCEPT_IOIO = BIT(27),
	VMCB_INTERCEPT_MSR = BIT(28),
	VMCB_INTERCEPT_FERR_FREEZE = BIT(30),
};
#define VMCB_INTERCEPT_SHUTDOWN ((uint32_t)BIT(31)) /* does not fit an enum's int */

enum vmcb_intercept2 {
	VMCB_INTERCEPT_VMRUN = BIT(0),
	VMCB_INTERCEPT_VMMCALL = BIT(1),
	VMCB_INTERCEPT_VMLOAD = BIT(2),
	VMCB_INTERCEPT_VMSAVE = BIT(3),
	VMCB_INTERCEPT_STGI = BIT(4),
	VMCB_INTERCEPT_CLGI = BIT(5),
	VMCB_INTERCEPT_SKINIT = BIT(6),
	VMCB_INTERCEPT_WBINVD = BIT(9),
	VMCB_INTERCEPT_MONITOR = BIT(10),
	VMCB_INTERCEPT_MWAIT = BIT(11),
	VMCB_INTERCEPT_XSETBV = BIT(13),
	VMCB_INTERCEPT_RDPRU = BIT(14),
};

enum vmcb_intercept3 {
	VMCB_INTERCEPT_INVLPGB = BIT(0),
	VMCB_INTERCEPT_INVLPGB_ILLEGAL = BIT(1),
	VMCB_INTERCEPT_MCOMMIT = BIT(3),
	VMCB_INTERCEPT_TLBSYNC = BIT(4),
};

/* APM Vol. 2, "SVM Intercept Exit Codes". */
enum vmcb_exit {
	VMEXIT_CR_READ = 0x00, /* + register */
	VMEXIT_CR_WRITE = 0x10,
	VMEXIT_DR_WRITE = 0x30,
	VMEXIT_EXCEPTION = 0x40, /* + vector */
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_VINTR = 0x64,
	VMEXIT_CR0_SEL_WRITE = 0x65,
	VMEXIT_TR_WRITE = 0x6d,
	VMEXIT_RDPMC = 0x6f,
	VMEXIT_CPUID = 0x72,
	VMEXIT_RSM = 0x73,
	VMEXIT_IRET = 0x74,
	VMEXIT_INVD = 0x76,
	VMEXIT_PAUSE = 0x77,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_VMSAVE = 0x83,
	VMEXIT_STGI = 0x84,
	VMEXIT_CLGI = 0x85,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_WBINVD = 0x89,
	VMEXIT_MONITOR = 0x8a,
	VMEXIT_MWAIT = 0x8b,
	VMEXIT_MWAIT_ARMED = 0x8c,
	VMEXIT_XSETBV = 0x8d,
	VMEXIT_RDPRU = 0x8e,
	VMEXIT_INVLPGB = 0xa0,
	VMEXIT_INVLPGB_ILLEGAL = 0xa1,
	VMEXIT_MCOMMIT = 0xa3,
	VMEXIT_TLBSYNC = 0xa4,
	VMEXIT_NPF = 0x400,
};

/* int_ctl at 060h; a window needs no vector. */
#define VMCB_V_IRQ	    BIT(8)
#define VMCB_V_VECTOR_SHIFT 32u
#define VMCB_V_INTR_PRIO    (15ul << 16)
#define VMCB_V_IGN_TPR	    BIT(20)
#define VMCB_V_INTR_MASKING BIT(24)

/*
 * Exceptions intercepted at all times: #DB and #AC can be made to recur without end inside one
 * instruction, #MC is the host's.
 */
#define VMCB_EXCEPTIONS ((uint32_t)(BIT(1) | BIT(17) | BIT(18)))

#define VMCB_SHADOW BIT(0)

#define VMCB_TLB_KEEP	    0u
#define VMCB_TLB_FLUSH_ALL  1u
#define VMCB_TLB_FLUSH_ASID 3u

/* EVENTINJ and EXITINTINFO: APM Vol. 2, "Event Injection". */
#define VMCB_EVENT_VECTOR      0xfful
#define VMCB_EVENT_TYPE_SHIFT  8u
#define VMCB_EVENT_TYPE_MASK   7u
#define VMCB_EVENT_HAS_ERROR   BIT(11)
#define VMCB_EVENT_VALID       BIT(31)
#define VMCB_EVENT_ERROR_SHIFT 32u

#define VMCB_NP_ENABLE BIT(0)

/* APM Vol. 2, "VMCB Clean Field": set means unchanged since the last VMRUN on this CPU. */
enum vmcb_clean {
	VMCB_CLEAN_INTERCEPTS = BIT(0), /* and TSC offset */
	VMCB_CLEAN_ASID = BIT(2),
	VMCB_CLEAN_TPR = BIT(3), /* int_ctl */
	VMCB_CLEAN_NP = BIT(4),	 /* nested CR3 and G_PAT */
	VMCB_CLEAN_CR = BIT(5),	 /* CR0, CR3, CR4, EFER */
	VMCB_CLEAN_DR = BIT(6),
	VMCB_CLEAN_DT = BIT(7),
	VMCB_CLEAN_SEG = BIT(8), /* CS, DS, SS, ES, CPL */
	VMCB_CLEAN_CR2 = BIT(9),
	VMCB_CLEAN_ALL = 0x3ff,
};

/* EXITINFO1 of VMEXIT_IOIO. */
#define VMCB_IO_IN	   BIT(0)
#define VMCB_IO_STRING	   BIT(2)
#define VMCB_IO_SIZE_SHIFT 4u
#define VMCB_IO_SIZE_MASK  7u
#define VMCB_IO_PORT_SHIFT 16u

/* EXITINFO1 of VMEXIT_NPF. */
#define VMCB_NPF_WRITE BIT(1)
#define VMCB_NPF_FETCH BIT(4)
#define VMCB_NPF_TABLE BIT(33) /* the access was the guest's own page walk */

/* EXITINFO1 of a MOV to or from a control register, with decode assists. */
#define VMCB_CR_MOV	 BIT(63)
#define VMCB_CR_GPR_MASK 15u

struct vmcb_segment {
	uint16_t sel;
	uint16_t attr; /* descriptor bits 40-47 and 52-55 */
	uint32_t limit;
	uint64_t base;
};
_Static_assert(sizeof(struct vmcb_segment) == 16, "APM Vol. 2, VMCB Layout, State Save Area");

struct vmcb_control {
	uint16_t cr_read; /* 000h: one bit per register */
	uint16_t cr_write;
	uint16_t dr_read;
	uint16_t dr_write;
	uint32_t exceptions; /* 008h: one bit per vector */
	uint32_t intercept1;
	uint32_t intercept2;
	uint32_t intercept3;
	uint8_t reserved018[0x3c - 0x18];
	uint16_t pause_threshold;
	uint16_t pause_count;
	uint64_t iopm; /* 040h: host-physical */
	uint64_t msrpm;
	uint64_t tsc_offset;
	uint32_t asid; /* 058h */
	uint8_t tlb_control;
	uint8_t reserved05d[3];
	uint64_t int_ctl;
	uint64_t shadow; /* 068h */
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info; /* 088h */
	uint64_t np_enable;
	uint64_t avic_bar;
	uint64_t ghcb;
	uint64_t event_inj; /* 0A8h */
	uint64_t ncr3;
	uint64_t lbr;
	uint32_t clean; /* 0C0h */
	uint32_t reserved0c4;
	uint64_t nrip;
	uint8_t insn_len; /* 0D0h */
	uint8_t insn[15];
	uint8_t reserved0e0[0x400 - 0xe0];
};
_Static_assert(sizeof(struct vmcb_control) == 0x400, "APM Vol. 2, VMCB Layout, Control Area");
_Static_assert(offsetof(struct vmcb_control, exceptions) == 0x008, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, intercept1) == 0x00c, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, pause_count) == 0x03e, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, iopm) == 0x040, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, asid) == 0x058, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, int_ctl) == 0x060, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, exit_code) == 0x070, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, np_enable) == 0x090, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, event_inj) == 0x0a8, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, clean) == 0x0c0, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, nrip) == 0x0c8, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_control, insn) == 0x0d1, "VMCB Layout");

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved0a0[0xcb - 0xa0];
	uint8_t cpl;
	uint32_t reserved0cc;
	uint64_t efer; /* 0D0h */
	uint8_t reserved0d8[0x148 - 0xd8];
	uint64_t cr4; /* 148h */
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip; /* 178h */
	uint8_t reserved180[0x1d8 - 0x180];
	uint64_t rsp; /* 1D8h */
	uint8_t reserved1e0[0x1f8 - 0x1e0];
	uint64_t rax; /* 1F8h */
	uint64_t star;
	uint64_t lstar;
	uint64_t cstar;
	uint64_t sfmask;
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs;
	uint64_t sysenter_esp;
	uint64_t sysenter_eip;
	uint64_t cr2; /* 240h */
	uint8_t reserved248[0x268 - 0x248];
	uint64_t g_pat; /* 268h */
	uint64_t debugctl;
	uint8_t reserved278[0xc00 - 0x278];
};
_Static_assert(sizeof(struct vmcb_save) == 0xc00, "APM Vol. 2, VMCB Layout, State Save Area");
_Static_assert(offsetof(struct vmcb_save, tr) == 0x090, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, cpl) == 0x0cb, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, efer) == 0x0d0, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, rip) == 0x178, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, rsp) == 0x1d8, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, rax) == 0x1f8, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, cr2) == 0x240, "VMCB Layout");
_Static_assert(offsetof(struct vmcb_save, g_pat) == 0x268, "VMCB Layout");

struct vmcb {
	struct vmcb_control c;
	struct vmcb_save s;
};
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "APM Vol. 2, VMCB Layout");

#define VMCB_EFER_SVME BIT(12) /* always set in the VMCB, never seen by the guest */

/* Fills b, which is zeroed, with our constant controls. Registers and addresses are the caller's. */
void vmcb_init(struct vmcb *b);
/* Every field we know by name, one line each: out(line). */
void vmcb_dump(const struct vmcb *b, void (*out)(const char *line));

#endif
