/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's registers: by MMIO in xAPIC mode, by MSR in x2APIC mode. */
/* One table says which exist where, and which of their bits may be written. */
#include "arch/x86/hvm/vlapic_parts.h"

#include "arch/x86/hvm/vmsr.h"
#include "hv/vcpu.h"

/* Registers by number: MMIO offset / 16, MSR - 800h. */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR2 = 0x31,
	REG_LVT = 0x32,
	REG_INITIAL = 0x38,
	REG_CURRENT = 0x39,
	REG_DIVIDE = 0x3e,
	REG_SELF_IPI = 0x3f,
	REGS = 0x40,
};

/* Version 14h, six local vector table entries, no EOI broadcast suppression. */
#define VERSION (0x14u | (VLAPIC_LVTS - 1) << 16)

#define ICR_STATUS     0x1000u
#define READ_ONLY_BITS 0x5000u /* of LVT entries: delivery status, remote IRR; written in vain */

enum { XR = 1, XW = 2, MR = 4, MW = 8 }; /* readable, writable: x = by MMIO, m = by MSR */

struct reg_row {
	uint8_t access;
	uint32_t valid; /* bits that may be written as 1 */
};

static const struct reg_row rows[REGS] = {
	[REG_ID] = { XR | MR, 0 },
	[REG_VERSION] = { XR | MR, 0 },
	[REG_TPR] = { XR | XW | MR | MW, 0xff },
	[REG_APR] = { XR, 0 },
	[REG_PPR] = { XR | MR, 0 },
	[REG_EOI] = { XW | MW, 0 },
	[REG_RRD] = { XR, 0 },
	[REG_LDR] = { XR | XW | MR, 0xff000000 },
	[REG_DFR] = { XR | XW, 0xf0000000 },
	[REG_SVR] = { XR | XW | MR | MW, 0x3ff },
	[REG_ISR... REG_ESR - 1] = { XR | MR, 0 },
	[REG_ESR] = { XR | XW | MR | MW, 0 },
	[REG_ICR] = { XR | XW | MR | MW, 0xcdfff },
	[REG_ICR2] = { XR | XW, 0xff000000 },
	[REG_LVT + VLAPIC_LVT_TIMER] = { XR | XW | MR | MW, 0x700ff },
	[REG_LVT + VLAPIC_LVT_THERMAL] = { XR | XW | MR | MW, 0x107ff },
	[REG_LVT + VLAPIC_LVT_PERF] = { XR | XW | MR | MW, 0x107ff },
	[REG_LVT + VLAPIC_LVT_LINT0] = { XR | XW | MR | MW, 0x1a7ff },
	[REG_LVT + VLAPIC_LVT_LINT1] = { XR | XW | MR | MW, 0x1a7ff },
	[REG_LVT + VLAPIC_LVT_ERROR] = { XR | XW | MR | MW, 0x100ff },
	[REG_INITIAL] = { XR | XW | MR | MW, UINT32_MAX },
	[REG_CURRENT] = { XR | MR, 0 },
	[REG_DIVIDE] = { XR | XW | MR | MW, 0xb },
	[REG_SELF_IPI] = { MW, 0xff },
};

static uint32_t part(const uint64_t reg[4], unsigned int n)
{
	return (uint32_t)(__atomic_load_n(&reg[n / 2], __ATOMIC_RELAXED) >> (n % 2 * 32));
}

static uint32_t read_bank(const struct vlapic *l, unsigned int reg)
{
	const uint64_t *banks[] = { l->s.isr, l->s.tmr, l->s.irr };

	return part(banks[(reg - REG_ISR) / 8], (reg - REG_ISR) % 8);
}

static uint32_t read_ldr(const struct vlapic *l)
{
	return vlapic_is_x2apic(l) ? vlapic_x2apic_ldr(l->v->id) : l->s.ldr;
}

static uint32_t read_reg(struct vlapic *l, unsigned int reg)
{
	switch (reg) {
	case REG_ID:
		return l->s.id;
	case REG_VERSION:
		return VERSION;
	case REG_TPR:
		vlapic_sync(l);
		return l->s.tpr;
	case REG_PPR:
		vlapic_sync(l);
		return vlapic_ppr(l);
	case REG_LDR:
		return read_ldr(l);
	case REG_DFR:
		return l->s.dfr;
	case REG_SVR:
		return l->s.svr;
	case REG_ISR ... REG_ESR - 1:
		vlapic_sync(l);
		return read_bank(l, reg);
	case REG_ESR:
		return l->s.esr;
	case REG_ICR:
		return (uint32_t)l->s.icr;
	case REG_ICR2:
		return (uint32_t)(l->s.icr >> 32);
	case REG_LVT ... REG_INITIAL - 1:
		return l->s.lvt[reg - REG_LVT];
	case REG_INITIAL:
		return l->s.initial;
	case REG_CURRENT:
		return vlapic_timer_count(l);
	case REG_DIVIDE:
		return l->s.divide;
	default: /* APR and RRD: not on processors with this version */
		return 0;
	}
}

static void write_svr(struct vlapic *l, uint32_t val)
{
	vlapic_sync(l);
	l->s.svr = val;
	vlapic_new_mode(l);
	if (!vlapic_is_sw_enabled(l)) {
		for (unsigned int i = 0; i < VLAPIC_LVTS; i++) {
			l->s.lvt[i] |= VLAPIC_LVT_MASKED;
		}
	}
}

static void write_lvt(struct vlapic *l, enum vlapic_lvt which, uint32_t val)
{
	if (!vlapic_is_sw_enabled(l)) {
		val |= VLAPIC_LVT_MASKED;
	}
	if (which == VLAPIC_LVT_TIMER) {
		vlapic_timer_set_lvt(l, val);
		return;
	}
	__atomic_store_n(&l->s.lvt[which], val, __ATOMIC_RELAXED);
	if (which == VLAPIC_LVT_LINT0 && vlapic_takes_pic(l)) {
		/* The PIC may have been asking all along. */
		__atomic_fetch_or(&l->v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
	}
}

static void write_icr(struct vlapic *l, uint64_t val)
{
	l->s.icr = val & ~(uint64_t)ICR_STATUS;
	vlapic_ipi(l, val);
}

/* val holds valid bits only. */
static void write_reg(struct vlapic *l, unsigned int reg, uint32_t val)
{
	switch (reg) {
	case REG_EOI:
		vlapic_eoi(l);
		break;
	case REG_TPR:
		vlapic_sync(l);
		l->s.tpr = val;
		vlapic_update(l);
		break;
	case REG_LDR:
		l->s.ldr = val;
		break;
	case REG_DFR:
		l->s.dfr = val | 0x0fffffff;
		break;
	case REG_SVR:
		write_svr(l, val);
		break;
	case REG_ESR:
		l->s.esr = __atomic_exchange_n(&l->s.esr_next, 0, __ATOMIC_RELAXED);
		break;
	case REG_ICR:
		write_icr(l, (l->s.icr & ~(uint64_t)UINT32_MAX) | val);
		break;
	case REG_ICR2:
		l->s.icr = (uint32_t)l->s.icr | (uint64_t)val << 32;
		break;
	case REG_LVT ... REG_INITIAL - 1:
		write_lvt(l, (enum vlapic_lvt)(reg - REG_LVT), val);
		break;
	case REG_INITIAL:
		vlapic_timer_set_initial(l, val);
		break;
	case REG_DIVIDE:
		vlapic_timer_set_divide(l, val);
		break;
	case REG_SELF_IPI:
		vlapic_accept(l, (uint8_t)val, false);
		break;
	default:
		break;
	}
}

/* The register at an MMIO offset if that access is allowed, else REGS: an illegal register. */
static unsigned int mmio_reg(uint32_t offset, uint8_t access)
{
	unsigned int reg = offset / 16;

	return offset % 16 == 0 && reg < REGS && (rows[reg].access & access) != 0 ? reg : REGS;
}

uint32_t vlapic_mmio_read(struct vlapic *l, uint32_t offset)
{
	unsigned int reg = mmio_reg(offset, XR);

	if (reg == REGS) {
		vlapic_error(l, VLAPIC_ESR_REGISTER);
		return 0;
	}
	return read_reg(l, reg);
}

void vlapic_mmio_write(struct vlapic *l, uint32_t offset, uint32_t val)
{
	unsigned int reg = mmio_reg(offset, XW);

	if (reg == REGS) {
		vlapic_error(l, VLAPIC_ESR_REGISTER);
		return;
	}
	write_reg(l, reg, val & rows[reg].valid);
}

bool vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *val)
{
	uint32_t reg = msr - MSR_X2APIC_FIRST;

	if (!vlapic_is_x2apic(l) || reg >= REGS || (rows[reg].access & MR) == 0) {
		return false;
	}
	*val = reg == REG_ICR ? l->s.icr : read_reg(l, reg);
	return true;
}

static uint64_t read_only_bits(uint32_t reg)
{
	return reg >= REG_LVT && reg < REG_INITIAL ? READ_ONLY_BITS : 0;
}

bool vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t val)
{
	uint32_t reg = msr - MSR_X2APIC_FIRST;
	uint64_t high = reg == REG_ICR ? ~(uint64_t)UINT32_MAX : 0; /* the ICR alone has 64 bits */

	if (!vlapic_is_x2apic(l) || reg >= REGS || (rows[reg].access & MW) == 0) {
		return false;
	}
	if ((val & ~(rows[reg].valid | high | read_only_bits(reg))) != 0) {
		return false;
	}
	if (reg == REG_ICR) {
		write_icr(l, val);
	} else {
		write_reg(l, reg, (uint32_t)val & rows[reg].valid);
	}
	return true;
}

/* ---- from a file ---- */

static bool fits(unsigned int reg, uint32_t val)
{
	return (val & ~rows[reg].valid) == 0;
}

bool vlapic_reg_state_ok(const struct vlapic_state *s)
{
	for (unsigned int i = 0; i < VLAPIC_LVTS; i++) {
		if (!fits(REG_LVT + i, s->lvt[i])) {
			return false;
		}
	}
	return fits(REG_TPR, s->tpr) && fits(REG_LDR, s->ldr) && fits(REG_SVR, s->svr) &&
	       fits(REG_DIVIDE, s->divide) && (s->dfr | 0xf0000000u) == UINT32_MAX &&
	       s->esr <= 0xff && s->esr_next <= 0xff;
}
