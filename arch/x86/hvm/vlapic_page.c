/* SPDX-License-Identifier: BSD-2-Clause */
/* To and from the virtual-APIC page. */
/* Knows no VMCS: which vector is requested and in service there is the backend's to write. */
#include "arch/x86/hvm/vlapic_page.h"

#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/vcpu.h"

/* Offsets: SDM Vol. 3A, "Local APIC Register Address Map". A bank is eight words, 16 bytes apart. */
#define AT_TPR	     0x080u
#define AT_PPR	     0x0a0u
#define AT_ISR	     0x100u
#define AT_TMR	     0x180u
#define AT_IRR	     0x200u
#define AT_ICR	     0x300u
#define AT_ICR2	     0x310u
#define AT_LVT_TIMER 0x320u
#define AT_INITIAL   0x380u
#define ICR2_VALID   0xff000000u
#define STEP	     0x10u
#define WORDS	     8u

/* Read by a guest in the page without an exit, and changed by its writes only. */
static const uint16_t kept[] = {
	0x020,	      0x030, 0x0d0, 0x0e0, 0x0f0, 0x280, AT_ICR,     AT_ICR2,
	AT_LVT_TIMER, 0x330, 0x340, 0x350, 0x360, 0x370, AT_INITIAL, 0x3e0,
};

static uint32_t *word(const struct vlapic *l, uint32_t offset)
{
	return (uint32_t *)((char *)l->page + offset);
}

static uint32_t get(const struct vlapic *l, uint32_t offset)
{
	return __atomic_load_n(word(l, offset), __ATOMIC_RELAXED);
}

static void put(struct vlapic *l, uint32_t offset, uint32_t val)
{
	__atomic_store_n(word(l, offset), val, __ATOMIC_RELAXED);
}

static uint32_t half(const uint64_t reg[4], unsigned int n)
{
	return (uint32_t)(__atomic_load_n(&reg[n / 2], __ATOMIC_RELAXED) >> (n % 2 * 32));
}

static void put_bank(struct vlapic *l, uint32_t bank, const uint64_t reg[4])
{
	for (unsigned int n = 0; n < WORDS; n++) {
		put(l, bank + n * STEP, half(reg, n));
	}
}

static int highest(const struct vlapic *l, uint32_t bank)
{
	for (unsigned int n = WORDS; n-- > 0;) {
		uint32_t val = get(l, bank + n * STEP);

		if (val != 0) {
			return (int)(n * 32 + 31) - __builtin_clz(val);
		}
	}
	return -1;
}

enum vlapic_mode vlapic_page_mode(const struct vlapic *l)
{
	if (l->page == NULL || !vlapic_is_enabled(l) || !vlapic_is_sw_enabled(l)) {
		return VLAPIC_SOFTWARE;
	}
	return vlapic_is_x2apic(l) ? VLAPIC_X2APIC : VLAPIC_XAPIC;
}

uint8_t vlapic_page_fill(struct vlapic *l)
{
	int in_service;

	put(l, AT_TPR, l->s.tpr);
	put(l, AT_PPR, vlapic_ppr(l));
	put_bank(l, AT_ISR, l->s.isr);
	put_bank(l, AT_TMR, l->s.tmr);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept) && !vlapic_is_x2apic(l); i++) {
		put(l, kept[i], vlapic_mmio_read(l, kept[i]));
	}
	in_service = highest(l, AT_ISR);
	__atomic_store_n(&l->live, true, __ATOMIC_RELEASE);
	return in_service < 0 ? 0 : (uint8_t)in_service;
}

/* For a moment a request is in both places, never in none: vlapic_requests() may look. */
uint8_t vlapic_page_request(struct vlapic *l)
{
	uint8_t top = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(l->s.irr); i++) {
		uint64_t bits = __atomic_load_n(&l->s.irr[i], __ATOMIC_ACQUIRE);
		uint32_t low = AT_IRR + 2 * i * STEP;

		if (bits == 0) {
			continue;
		}
		put(l, low, get(l, low) | (uint32_t)bits);
		put(l, low + STEP, get(l, low + STEP) | (uint32_t)(bits >> 32));
		__atomic_fetch_and(&l->s.irr[i], ~bits, __ATOMIC_RELEASE);
		top = (uint8_t)(i * 64 + 63 - (unsigned int)__builtin_clzl(bits));
	}
	return top;
}

void vlapic_page_set_triggers(struct vlapic *l, const uint64_t tmr[4])
{
	put_bank(l, AT_TMR, tmr);
}

static bool is_kept(uint32_t offset)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i] == offset) {
			return true;
		}
	}
	return false;
}

/* What it wrote stands in the page; it reads there what the register makes of that. */
void vlapic_page_written(struct vlapic *l, uint32_t offset)
{
	uint32_t val = get(l, offset);

	if (offset == AT_ICR) {
		vlapic_mmio_write(l, AT_ICR2, get(l, AT_ICR2)); /* written without an exit */
	}
	vlapic_mmio_write(l, offset, val);
	if (is_kept(offset)) {
		put(l, offset, vlapic_mmio_read(l, offset));
	}
	if (offset == AT_LVT_TIMER) { /* another mode stops the timer */
		put(l, AT_INITIAL, vlapic_mmio_read(l, AT_INITIAL));
	}
}

/* The half that names the destination is written without an exit, and stands for the next IPI. */
static void pull_icr2(struct vlapic *l)
{
	if (!vlapic_is_x2apic(l)) {
		l->s.icr = (uint32_t)l->s.icr | (uint64_t)(get(l, AT_ICR2) & ICR2_VALID) << 32;
	}
}

void vlapic_page_pull(struct vlapic *l)
{
	l->s.tpr = get(l, AT_TPR);
	pull_icr2(l);
	for (unsigned int i = 0; i < ARRAY_SIZE(l->s.isr); i++) {
		uint32_t at = 2 * i * STEP;
		uint64_t irr = get(l, AT_IRR + at) | (uint64_t)get(l, AT_IRR + at + STEP) << 32;

		l->s.isr[i] = get(l, AT_ISR + at) | (uint64_t)get(l, AT_ISR + at + STEP) << 32;
		__atomic_fetch_or(&l->s.irr[i], irr, __ATOMIC_RELEASE);
		put(l, AT_IRR + at, 0);
		put(l, AT_IRR + at + STEP, 0);
	}
	__atomic_store_n(&l->live, false, __ATOMIC_RELEASE);
	__atomic_fetch_or(&l->v->pending, VCPU_PENDING_IRQ, __ATOMIC_RELAXED);
}

uint32_t vlapic_page_ppr(const struct vlapic *l)
{
	return get(l, AT_PPR);
}

bool vlapic_page_requests(const struct vlapic *l, uint8_t vector)
{
	return (get(l, AT_IRR + vector / 32u * STEP) >> vector % 32u & 1) != 0;
}

int vlapic_page_highest_request(const struct vlapic *l)
{
	return highest(l, AT_IRR);
}
