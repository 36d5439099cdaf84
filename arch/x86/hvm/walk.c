/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks the guest's own page tables: none, 32-bit, PAE, 4-level. */
/* SDM Vol. 3A, "Paging"; 5-level paging is never offered. */
#include "arch/x86/hvm/walk.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/guest_mem.h"
#include "hv/lib/errno.h"

#define PTE_P	     BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_NX	     BIT(63)
#define PTE_ADDRESS  0x000ffffffffff000ul

/* The registers that a walk depends on. */
struct context {
	struct vcpu *v;
	uint64_t cr0, cr3, cr4, efer;
};

/* The three modes differ in these. */
struct mode {
	uint8_t levels;
	uint8_t index_bits;
	uint8_t entry_size;
	uint8_t largest; /* highest level with pages of its own */
};

static const struct mode mode_32 = { 2, 10, 4, 2 };
static const struct mode mode_pae = { 3, 9, 8, 2 };
static const struct mode mode_long = { 4, 9, 8, 3 };

/* What a walk found. */
struct path {
	void *entry[WALK_LEVELS]; /* the guest's entries, from the top */
	uint64_t value[WALK_LEVELS];
	unsigned int depth;
	uint64_t leaf;
	uint64_t rights; /* PTE_WRITE, PTE_USER where all levels have them; PTE_NX where any has */
	gpa_t gpa;
};

static const struct mode *mode_of(const struct context *c)
{
	if ((c->efer & EFER_LMA) != 0) {
		return &mode_long;
	}
	return (c->cr4 & CR4_PAE) != 0 ? &mode_pae : &mode_32;
}

static struct context context_of(struct vcpu *v)
{
	return (struct context){ .v = v,
				 .cr0 = x86_reg(v, HVM_CR0),
				 .cr3 = x86_reg(v, HVM_CR3),
				 .cr4 = x86_reg(v, HVM_CR4),
				 .efer = x86_reg(v, HVM_EFER) };
}

static unsigned int shift_of(const struct mode *m, unsigned int level)
{
	return PAGE_SHIFT + m->index_bits * (level - 1);
}

static uint64_t root_of(const struct context *c, const struct mode *m)
{
	if (m == &mode_pae) {
		return c->cr3 & 0xffffffe0u;
	}
	return c->cr3 & (m == &mode_32 ? 0xfffff000u : PTE_ADDRESS);
}

static bool is_leaf(const struct context *c, const struct mode *m, uint64_t entry,
		    unsigned int level)
{
	if (level == 1) {
		return true;
	}
	if ((entry & PTE_LARGE) == 0 || level > m->largest) {
		return false;
	}
	return m != &mode_32 || (c->cr4 & CR4_PSE) != 0;
}

static uint64_t reserved_bits(const struct context *c, const struct mode *m, uint64_t entry,
			      unsigned int level)
{
	uint64_t reserved = vcpuid_reserved_pa(c->v) & PTE_ADDRESS;
	bool leaf = is_leaf(c, m, entry, level);

	if (m == &mode_32) { /* PSE-36: bits 20:13 are address bits 39:32 */
		return leaf && level == 2 ? BIT(21) : 0;
	}
	if (m == &mode_pae) {
		reserved |= level == 3 ? 0x1e6 | PTE_NX : 0;
		reserved |= 0x7ff0000000000000ul;
	} else if (level == 4 || (level == 3 && !vcpuid_has(c->v, VCPUID_PAGE1GB))) {
		reserved |= PTE_LARGE;
	}
	if ((c->efer & EFER_NXE) == 0) {
		reserved |= PTE_NX;
	}
	if (leaf && level > 1) { /* bit 12 is PAT */
		reserved |= (BIT(shift_of(m, level)) - 1) & ~0x1ffful;
	}
	return reserved;
}

static uint64_t leaf_address(const struct mode *m, uint64_t leaf, unsigned int level,
			     uint64_t linear)
{
	uint64_t offset = BIT(shift_of(m, level)) - 1;
	uint64_t base = leaf & PTE_ADDRESS;

	if (m == &mode_32 && level == 2) {
		base = (leaf & 0xffc00000u) | (leaf >> 13 & 0xff) << 32;
	}
	return (base & ~offset) | (linear & offset);
}

static uint64_t load_entry(const void *entry, unsigned int size)
{
	if (size == 8) {
		return __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED);
	}
	return __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

/* Adds one level's word on rights. PDPTEs of PAE paging have none. */
static void add_rights(struct path *p, const struct mode *m, uint64_t entry, unsigned int level)
{
	if (m == &mode_pae && level == 3) {
		return;
	}
	p->rights &= entry | ~(PTE_WRITE | PTE_USER);
	p->rights |= entry & PTE_NX;
}

/* Follows the tables. False: *error has PRESENT and RESERVED as they apply. */
static bool follow(const struct context *c, const struct mode *m, uint64_t linear, struct path *p,
		   uint32_t *error)
{
	uint64_t table = root_of(c, m);

	p->rights = PTE_WRITE | PTE_USER;
	p->depth = 0;
	for (unsigned int level = m->levels;; level--) {
		uint64_t mask = BIT(m->index_bits) - 1;
		uint64_t index = linear >> shift_of(m, level) & mask;
		void *at = guest_mem_slice(c->v->vm, (gpa_t){ table + index * m->entry_size },
					   m->entry_size);
		uint64_t entry = at != NULL ? load_entry(at, m->entry_size) : 0;

		*error = 0;
		if ((entry & PTE_P) == 0) {
			return false;
		}
		if ((entry & reserved_bits(c, m, entry, level)) != 0) {
			*error = WALK_PF_PRESENT | WALK_PF_RESERVED;
			return false;
		}
		add_rights(p, m, entry, level);
		p->entry[p->depth] = at;
		p->value[p->depth++] = entry;
		if (is_leaf(c, m, entry, level)) {
			p->leaf = entry;
			p->gpa.v = leaf_address(m, entry, level, linear);
			return true;
		}
		table = entry & PTE_ADDRESS;
	}
}

static bool smap_forbids(const struct context *c, unsigned int access)
{
	if ((c->cr4 & CR4_SMAP) == 0) {
		return false;
	}
	return (access & WALK_SYSTEM) != 0 || (x86_reg(c->v, HVM_RFLAGS) & RFLAGS_AC) == 0;
}

/* SDM Vol. 3A, "Determination of Access Rights". */
static bool allowed(const struct context *c, const struct path *p, unsigned int access, bool user)
{
	bool user_page = (p->rights & PTE_USER) != 0;

	if (user && !user_page) {
		return false;
	}
	if ((access & WALK_FETCH) != 0) {
		bool smep = !user && user_page && (c->cr4 & CR4_SMEP) != 0;

		return (p->rights & PTE_NX) == 0 && !smep;
	}
	if (!user && user_page && smap_forbids(c, access)) {
		return false;
	}
	if ((access & WALK_WRITE) != 0 && (p->rights & PTE_WRITE) == 0) {
		return !user && (c->cr0 & CR0_WP) == 0;
	}
	return true;
}

static void set_bits(void *entry, unsigned int size, uint64_t bits)
{
	if ((load_entry(entry, size) & bits) == bits) {
		return;
	}
	if (size == 8) {
		__atomic_fetch_or((uint64_t *)entry, bits, __ATOMIC_RELAXED);
	} else {
		__atomic_fetch_or((uint32_t *)entry, (uint32_t)bits, __ATOMIC_RELAXED);
	}
}

static void touch(const struct mode *m, const struct path *p, unsigned int access)
{
	unsigned int first = m == &mode_pae ? 1 : 0; /* PDPTEs have no such bits */

	for (unsigned int i = first; i < p->depth; i++) {
		set_bits(p->entry[i], m->entry_size, PTE_ACCESSED);
	}
	if ((access & WALK_WRITE) != 0) {
		set_bits(p->entry[p->depth - 1], m->entry_size, PTE_DIRTY);
	}
}

static uint32_t error_code(const struct context *c, uint32_t found, unsigned int access, bool user)
{
	bool tells_fetch =
		(c->cr4 & CR4_SMEP) != 0 || ((c->efer & EFER_NXE) != 0 && (c->cr4 & CR4_PAE) != 0);

	found |= access & WALK_PF_WRITE;
	found |= user ? WALK_PF_USER : 0;
	return found | (tells_fetch ? access & WALK_PF_FETCH : 0);
}

static uint64_t truncate(const struct context *c, uint64_t linear)
{
	return (c->efer & EFER_LMA) != 0 ? linear : (uint32_t)linear;
}

bool walk_linear(struct vcpu *v, uint64_t linear, unsigned int access, gpa_t *gpa, uint32_t *error)
{
	struct context c = context_of(v);
	const struct mode *m = mode_of(&c);
	struct path p;
	bool user;

	linear = truncate(&c, linear);
	if ((c.cr0 & CR0_PG) == 0) {
		gpa->v = linear;
		return true;
	}
	user = (access & WALK_SYSTEM) == 0 && x86_cpl(v) == 3;
	if (!follow(&c, m, linear, &p, error)) {
		*error = error_code(&c, *error, access, user);
		return false;
	}
	if (!allowed(&c, &p, access, user)) {
		*error = error_code(&c, WALK_PF_PRESENT, access, user);
		return false;
	}
	if ((access & WALK_TOUCH) != 0) {
		touch(m, &p, access);
	}
	*gpa = p.gpa;
	return true;
}

static void leave_trail(const struct path *p, struct walk_trail *trail)
{
	trail->depth = p->depth;
	for (unsigned int i = 0; i < p->depth; i++) {
		trail->entry[i] = p->entry[i];
		trail->value[i] = p->value[i];
	}
}

bool walk_code(struct vcpu *v, uint64_t linear, gpa_t *gpa, struct walk_trail *trail)
{
	struct context c = context_of(v);
	struct path p;
	uint32_t error;

	linear = truncate(&c, linear);
	if ((c.cr0 & CR0_PG) == 0) {
		gpa->v = linear;
		trail->depth = 0;
		return true;
	}
	if (!follow(&c, mode_of(&c), linear, &p, &error)) {
		return false;
	}
	leave_trail(&p, trail);
	*gpa = p.gpa;
	return true;
}

int walk_access(struct vcpu *v, uint64_t linear, unsigned int access, gpa_t *gpa)
{
	uint32_t error;

	if ((x86_reg(v, HVM_EFER) & EFER_LMA) != 0 && !walk_canonical(linear)) {
		event_exception(v, VEC_GP, 0);
		return -EACCES;
	}
	if (!walk_linear(v, linear, access | WALK_TOUCH, gpa, &error)) {
		event_page_fault(v, linear, error);
		return -EACCES;
	}
	return 0;
}

/* An access touches one page or two: its parts, translated. */
struct span {
	unsigned int first; /* bytes in the first page */
	gpa_t gpa[2];
};

static int span_of(struct vcpu *v, uint64_t linear, unsigned int len, unsigned int access,
		   struct span *s)
{
	uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;
	int err = walk_access(v, linear, access, &s->gpa[0]);

	s->first = (unsigned int)u64_min(room, len);
	if (err == 0 && s->first < len) {
		err = walk_access(v, linear + s->first, access, &s->gpa[1]);
	}
	return err;
}

int walk_read(struct vcpu *v, uint64_t linear, void *buf, unsigned int len, unsigned int access)
{
	struct span s;
	int err = span_of(v, linear, len, access, &s);

	if (err == 0) {
		err = guest_mem_read(v->vm, s.gpa[0], buf, s.first);
	}
	if (err == 0 && s.first < len) {
		err = guest_mem_read(v->vm, s.gpa[1], (uint8_t *)buf + s.first, len - s.first);
	}
	return err;
}

/* Both parts, and all of them RAM. */
static int write_span(struct vcpu *v, uint64_t linear, unsigned int len, struct span *s)
{
	int err = span_of(v, linear, len, WALK_WRITE, s);

	if (err != 0) {
		return err;
	}
	if (guest_mem_slice(v->vm, s->gpa[0], s->first) == NULL ||
	    (s->first < len && guest_mem_slice(v->vm, s->gpa[1], len - s->first) == NULL)) {
		return -EFAULT;
	}
	return 0;
}

int walk_probe_write(struct vcpu *v, uint64_t linear, unsigned int len)
{
	struct span s;

	return write_span(v, linear, len, &s);
}

int walk_write(struct vcpu *v, uint64_t linear, const void *buf, unsigned int len)
{
	struct span s;
	int err = write_span(v, linear, len, &s);

	if (err == 0) {
		err = guest_mem_write(v->vm, s.gpa[0], buf, s.first);
	}
	if (err == 0 && s.first < len) {
		err = guest_mem_write(v->vm, s.gpa[1], (const uint8_t *)buf + s.first,
				      len - s.first);
	}
	return err;
}
