/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the code of an exit without walking the guest's tables again, where they are as they were. */
/* Reads no instruction: that is fetch.c's. */
#include "arch/x86/hvm/code_page.h"

#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/guest_mem.h"
#include "hv/vm.h"

static const uint64_t no_entry;

static uint64_t load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* Would a walk take the same way? */
static bool is_unchanged(const struct code_page *c)
{
	uint64_t diff = load(c->entry[0]) ^ c->value[0];

	diff |= load(c->entry[1]) ^ c->value[1];
	diff |= load(c->entry[2]) ^ c->value[2];
	diff |= load(c->entry[3]) ^ c->value[3];
	return diff == 0;
}

static void remember(struct code_page *c, const struct walk_trail *trail)
{
	for (unsigned int i = 0; i < WALK_LEVELS; i++) {
		bool used = i < trail->depth;

		c->entry[i] = used ? trail->entry[i] : &no_entry;
		c->value[i] = used ? trail->value[i] : 0;
	}
}

static __attribute__((noinline)) const uint8_t *find_anew(struct vcpu *v, uint64_t linear)
{
	struct code_page *c = &v->x86->code;
	struct walk_trail trail;
	gpa_t gpa;
	const uint8_t *code;

	c->tag = 0;
	if (!walk_code(v, linear, &gpa, &trail)) {
		return NULL;
	}
	code = guest_mem_slice(v->vm, (gpa_t){ ALIGN_DOWN(gpa.v, PAGE_SIZE) }, PAGE_SIZE);
	if (code != NULL && (x86_reg(v, HVM_EFER) & EFER_LMA) != 0) {
		remember(c, &trail);
		c->tag = ALIGN_DOWN(linear, PAGE_SIZE) + 1;
		c->cr3 = x86_reg(v, HVM_CR3);
		c->generation = v->vm->mem.root.generation;
		c->code = code;
	}
	return code;
}

const uint8_t *code_page_find(struct vcpu *v, uint64_t linear, uint64_t cr3, uint64_t efer)
{
	const struct code_page *c = &v->x86->code;

	if (c->tag == ALIGN_DOWN(linear, PAGE_SIZE) + 1 && c->cr3 == cr3 &&
	    (efer & EFER_LMA) != 0 && c->generation == v->vm->mem.root.generation &&
	    is_unchanged(c)) {
		return c->code;
	}
	return find_anew(v, linear);
}
