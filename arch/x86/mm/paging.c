/* SPDX-License-Identifier: BSD-2-Clause */
/* The four-level tables of root mode: SDM Vol. 3A, "4-Level Paging". One kernel half shared by all */
/* roots, one slot that is a VM's own. Allocation of what is mapped is its callers'. */
#include "arch/paging.h"

#include "arch/cpu.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/mm/mm.h"
#include "arch/x86/mm/space.h"
#include "boot/boot_info.h"
#include "hv/base/lock.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define PTE_P	 BIT(0)
#define PTE_W	 BIT(1)
#define PTE_PWT	 BIT(3)
#define PTE_PCD	 BIT(4)
#define PTE_A	 BIT(5)
#define PTE_D	 BIT(6)
#define PTE_PS	 BIT(7)
#define PTE_G	 BIT(8)
#define PTE_SINK BIT(9) /* ignored by the CPU: this table is the space's sink */
#define PTE_NX	 BIT(63)
#define PTE_ADDR 0x000ffffffffff000ul

/* PML4 slots. What is not here is never mapped. */
#define DIRECT_BASE 0xffff800000000000ul /* slot 256: hypervisor-owned memory at base + hpa */
#define VMAP_BASE   0xffff808000000000ul /* slot 257: devices, stacks, windows */
#define IMAGE_VIRT  0xffffffff80000000ul /* slot 511 */
#define STACKS_BASE (VMAP_BASE + 64 * GIB)
#define WINDOW_BASE (VMAP_BASE + 128 * GIB)
#define VM_SLOT	    258u
#define STACK_SLOT  (2 * PAGING_STACK_SIZE) /* the lower half is guard */
#define STACKS_MAX  4096u

#define LEVEL_SHIFT(l) (12 + 9 * (l)) /* level 0: 4 KiB pages … 3: PML4 */

extern char image_text_start[], image_text_end[], image_rodata_start[], image_rodata_end[];
extern char image_data_start[], image_data_end[], image_symtab_start[], image_symtab_end[];
extern char boot_stack_guard[];

static hpa_t kernel_root; /* .v = 0 until the bootstrap map is left */
static struct spinlock lock = SPINLOCK_INIT(LOCK_PAGING);
static uint64_t vmap_next = VMAP_BASE; /* [lock] */
static unsigned int stacks_made;       /* [lock] */
static void *stacks_free;	       /* [lock] linked through their top words */
static paging_fault_fn *fault_fn;
static const struct paging_space *loaded[CPU_MAX]; /* NULL: the kernel space; its CPU's */
static uint64_t *window_pde[CPU_MAX];

void *paging_direct(hpa_t hpa)
{
	return (void *)(DIRECT_BASE + hpa.v);
}

hpa_t paging_hpa(const void *va)
{
	uint64_t v = (uint64_t)va;

	return (hpa_t){ v >= IMAGE_VIRT ? v - IMAGE_VIRT : v - DIRECT_BASE };
}

static uint64_t *table_at(uint64_t entry)
{
	return paging_direct((hpa_t){ entry & PTE_ADDR });
}

/* The entry for va at `level`, making tables on the way; NULL when out of memory. */
static uint64_t *walk(hpa_t root, uint64_t va, unsigned int level)
{
	uint64_t *table = paging_direct(root);

	for (unsigned int l = 3; l > level; l--) {
		uint64_t *e = &table[va >> LEVEL_SHIFT(l) & 511];

		if (*e == 0) {
			void *t = page_alloc_table();

			if (t == NULL) {
				return NULL;
			}
			*e = paging_hpa(t).v | PTE_P | PTE_W;
		}
		BUG_ON(*e & PTE_PS);
		table = table_at(*e);
	}
	return &table[va >> LEVEL_SHIFT(level) & 511];
}

static uint64_t leaf_bits(unsigned int rights)
{
	BUG_ON((rights & PAGING_W) && (rights & PAGING_X));
	return PTE_P | PTE_A | (rights & PAGING_W ? PTE_W | PTE_D : 0) |
	       (rights & PAGING_X ? 0 : PTE_NX) | (rights & PAGING_UC ? PTE_PCD | PTE_PWT : 0);
}

/* The largest page that va, pa and size allow, at most 1 GiB. */
static unsigned int best_level(uint64_t va, uint64_t pa, uint64_t size, unsigned int max)
{
	unsigned int l = max;

	while (l > 0 && (((va | pa) & (BIT(LEVEL_SHIFT(l)) - 1)) || size < BIT(LEVEL_SHIFT(l)))) {
		l--;
	}
	return l;
}

static bool has_1g_pages(void)
{
	return x86_cpuid(0x80000001, 0).edx & BIT(26);
}

/* bits: leaf_bits and more. All in units of 4 KiB. */
static int map(hpa_t root, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits, unsigned int max)
{
	while (size > 0) {
		unsigned int l = best_level(va, pa, size, max);
		uint64_t *e = walk(root, va, l);

		if (e == NULL) {
			return -ENOMEM;
		}
		*e = pa | bits | (l > 0 ? PTE_PS : 0);
		va += BIT(LEVEL_SHIFT(l));
		pa += BIT(LEVEL_SHIFT(l));
		size -= BIT(LEVEL_SHIFT(l));
	}
	return 0;
}

static void map_image(const char *start, const char *end, unsigned int rights)
{
	uint64_t va = (uint64_t)start;
	int err = map(kernel_root, va, va - IMAGE_VIRT, (uint64_t)(end - start),
		      leaf_bits(rights) | PTE_G, 0);

	BUG_ON(err != 0);
}

/* Every slot of the kernel half exists from the start, so that all roots share what comes later. */
static void make_shared_slots(void)
{
	uint64_t *pml4 = paging_direct(kernel_root);

	for (unsigned int slot = 256; slot < 512; slot++) {
		if (slot == 256 || slot == 257 || slot == 511) {
			pml4[slot] = paging_hpa(page_alloc_table()).v | PTE_P | PTE_W;
		}
	}
}

static void map_chunk(hpa_t hpa)
{
	BUG_ON(paging_direct_add(hpa, PAGE_CHUNK_SIZE, PAGING_W) != 0);
}

static void map_modules(const struct boot_info *info)
{
	for (unsigned int i = 0; i < info->module_count; i++) {
		const struct boot_module *m = &info->modules[i];
		uint64_t first = ALIGN_DOWN(m->base.v, PAGE_SIZE);
		uint64_t end = ALIGN_UP(m->base.v + m->size, PAGE_SIZE);

		BUG_ON(paging_direct_add((hpa_t){ first }, end - first, PAGING_R) != 0);
	}
}

void paging_init(const struct boot_info *info)
{
	void *root = page_alloc_table();
	hpa_t new_root = paging_hpa(root);

	kernel_root = new_root;
	make_shared_slots();
	map_image(image_text_start, image_text_end, PAGING_X);
	map_image(image_rodata_start, image_rodata_end, PAGING_R);
	map_image(image_data_start, image_data_end, PAGING_W);
	map_image(image_symtab_start, image_symtab_end, PAGING_R);
	*walk(kernel_root, (uint64_t)boot_stack_guard, 0) = 0;
	page_for_each_hypervisor_chunk(map_chunk);
	map_modules(info);
	(void)space_note(0, kernel_root.v, 0);
	x86_write_cr3(kernel_root.v);
}

hpa_t paging_kernel_root(void)
{
	return kernel_root;
}

hpa_t paging_trampoline_root(hpa_t page)
{
	uint64_t *root = page_alloc(0);

	BUG_ON(root == NULL || paging_hpa(root).v >= 4 * GIB);
	memcpy(root, paging_direct(kernel_root), PAGE_SIZE);
	BUG_ON(map(paging_hpa(root), page.v, page.v, PAGE_SIZE, PTE_P | PTE_W | PTE_A | PTE_D, 0) !=
	       0);
	return paging_hpa(root);
}

int paging_direct_add(hpa_t hpa, uint64_t size, enum paging_right rights)
{
	int err;

	if (kernel_root.v == 0) {
		return 0; /* the bootstrap map has it; paging_init will come for it */
	}
	spin_lock(&lock);
	err = map(kernel_root, DIRECT_BASE + hpa.v, hpa.v, size, leaf_bits(rights) | PTE_G, 1);
	spin_unlock(&lock);
	return err;
}

/* Maps [hpa, hpa + size) somewhere in the devices' region, for ever. */
static void *map_for_good(hpa_t hpa, uint64_t size, unsigned int rights)
{
	uint64_t first = ALIGN_DOWN(hpa.v, PAGE_SIZE);
	uint64_t len = ALIGN_UP(hpa.v + size, PAGE_SIZE) - first;
	uint64_t va;
	int err;

	spin_lock(&lock);
	va = vmap_next;
	vmap_next += len + PAGE_SIZE; /* an unmapped page between */
	err = map(kernel_root, va, first, len, leaf_bits(rights) | PTE_G, 0);
	spin_unlock(&lock);
	return err == 0 ? (void *)(va + (hpa.v - first)) : NULL;
}

volatile void *paging_map_device(hpa_t hpa, uint64_t size)
{
	return map_for_good(hpa, size, PAGING_W | PAGING_UC);
}

const void *paging_map_table(hpa_t hpa, uint64_t size)
{
	return map_for_good(hpa, size, PAGING_R);
}

/* The top of a new stack's place; 0 when there is no more room for stacks. */
static uint64_t take_stack_slot(void)
{
	uint64_t top = 0;

	spin_lock(&lock);
	if (stacks_made < STACKS_MAX) {
		top = STACKS_BASE + ++stacks_made * STACK_SLOT;
	}
	spin_unlock(&lock);
	return top;
}

static void *make_stack(void)
{
	char *pages = page_alloc_as(2, PAGE_STACKS);
	uint64_t top = pages != NULL ? take_stack_slot() : 0;
	int err;

	_Static_assert(PAGING_STACK_SIZE == 4 * PAGE_SIZE, "order 2");
	if (top == 0) {
		if (pages != NULL) {
			page_free_as(pages, 2, PAGE_STACKS);
		}
		return NULL;
	}
	spin_lock(&lock);
	err = map(kernel_root, top - PAGING_STACK_SIZE, paging_hpa(pages).v, PAGING_STACK_SIZE,
		  leaf_bits(PAGING_W) | PTE_G, 0);
	spin_unlock(&lock);
	return err == 0 ? (void *)top : NULL;
}

bool paging_is_stack_guard(uint64_t va)
{
	if (va - (uint64_t)boot_stack_guard < PAGE_SIZE) {
		return true;
	}
	return va - STACKS_BASE < STACKS_MAX * STACK_SLOT &&
	       (va - STACKS_BASE) % STACK_SLOT < PAGING_STACK_SIZE;
}

void *paging_stack_alloc(void)
{
	void **top;

	spin_lock(&lock);
	top = stacks_free;
	if (top != NULL) {
		stacks_free = top[-1];
	}
	spin_unlock(&lock);
	if (top == NULL) {
		return make_stack();
	}
	memset((char *)top - PAGING_STACK_SIZE, 0, PAGING_STACK_SIZE);
	return top;
}

void paging_stack_free(void *stack_top)
{
	void **top = stack_top;

	spin_lock(&lock);
	top[-1] = stacks_free;
	stacks_free = top;
	spin_unlock(&lock);
}

int paging_space_create(struct paging_space *s)
{
	uint64_t *root = page_alloc(0);

	if (root == NULL) {
		return -ENOMEM;
	}
	memcpy(root, paging_direct(kernel_root), PAGE_SIZE);
	root[VM_SLOT] = 0;
	*s = (struct paging_space){ .root = paging_hpa(root) };
	return 0;
}

static void free_tables(uint64_t entry, unsigned int level)
{
	uint64_t *table;

	if (!(entry & PTE_P) || (entry & (PTE_PS | PTE_SINK)) || level == 0) {
		return;
	}
	table = table_at(entry);
	for (unsigned int i = 0; i < 512; i++) {
		free_tables(table[i], level - 1);
	}
	page_free(table, 0);
}

void paging_space_destroy(struct paging_space *s)
{
	uint64_t *root;

	if (s->root.v == 0) {
		return;
	}
	root = paging_direct(s->root);
	free_tables(root[VM_SLOT], 3);
	page_free(root, 0);
	if (s->sink.v != 0) {
		uint64_t *sink = paging_direct(s->sink);

		page_free(table_at(sink[0]), 0);
		page_free(sink, 0);
	}
	*s = (struct paging_space){ .root.v = 0 };
}

int paging_space_map(struct paging_space *s, gpa_t gpa, hpa_t hpa, uint64_t size)
{
	return map(s->root, PAGING_VM_BASE + gpa.v, hpa.v, size, leaf_bits(PAGING_W),
		   has_1g_pages() ? 2 : 1);
}

/* No flush is needed: both say the same. */
static int split_1g(uint64_t *e)
{
	uint64_t *table = page_alloc(0);

	if (table == NULL) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < 512; i++) {
		table[i] = *e + i * 2 * MIB;
	}
	__atomic_store_n(e, paging_hpa(table).v | PTE_P | PTE_W, __ATOMIC_RELEASE);
	return 0;
}

/* What was there is gone for a CPU that asks for the generation later. */
static void put_entry(struct paging_space *s, uint64_t *e, uint64_t val)
{
	__atomic_store_n(e, val, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&s->generation, 1, __ATOMIC_SEQ_CST);
}

int paging_space_unmap(struct paging_space *s, gpa_t gpa)
{
	uint64_t va = PAGING_VM_BASE + ALIGN_DOWN(gpa.v, 2 * MIB);
	uint64_t *e = walk(s->root, va, 2);

	if (e == NULL || ((*e & PTE_PS) != 0 && split_1g(e) != 0)) {
		return -ENOMEM;
	}
	e = walk(s->root, va, 1);
	if (e == NULL) {
		return -ENOMEM;
	}
	put_entry(s, e, 0);
	return 0;
}

bool paging_space_is_clean(const struct paging_space *s, uint64_t generation)
{
	return space_is_clean(cpu_count(), s->root.v, generation);
}

int paging_space_make_sink(struct paging_space *s)
{
	uint64_t *table = s->sink.v == 0 ? page_alloc(0) : NULL;
	void *page = table != NULL ? page_alloc(0) : NULL;

	if (s->sink.v != 0) {
		return 0;
	}
	if (page == NULL) {
		if (table != NULL) {
			page_free(table, 0);
		}
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < 512; i++) {
		table[i] = paging_hpa(page).v | leaf_bits(PAGING_W);
	}
	s->sink = paging_hpa(table);
	return 0;
}

void paging_space_sink(struct paging_space *s, gpa_t gpa)
{
	uint64_t *e = walk(s->root, PAGING_VM_BASE + ALIGN_DOWN(gpa.v, 2 * MIB), 1);

	BUG_ON(e == NULL || s->sink.v == 0);
	put_entry(s, e, s->sink.v | PTE_P | PTE_W | PTE_SINK);
}

void paging_space_load(const struct paging_space *s)
{
	uint64_t root = s != NULL ? s->root.v : kernel_root.v;
	uint64_t generation = s != NULL ? __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE) : 0;

	loaded[cpu_id()] = s;
	if (space_note(cpu_id(), root, generation)) {
		x86_write_cr3(root);
	}
}

void paging_set_fault(paging_fault_fn *fn)
{
	fault_fn = fn;
}

bool paging_fault(uint64_t va)
{
	const struct paging_space *s = loaded[cpu_id()];

	return va - PAGING_VM_BASE < BIT(LEVEL_SHIFT(3)) && fault_fn != NULL && s != NULL &&
	       fault_fn(s, (gpa_t){ va - PAGING_VM_BASE });
}

bool paging_direct_readable(hpa_t hpa)
{
	uint64_t ignored;

	return idt_probe_read((const void *)(DIRECT_BASE + hpa.v), &ignored);
}

bool paging_vm_readable(gpa_t gpa)
{
	uint64_t ignored;

	return idt_probe_read((const void *)(PAGING_VM_BASE + gpa.v), &ignored);
}

/* Each CPU has its own 2 MiB of the window region: nobody else's TLB holds it. */
static uint64_t *window_entry(unsigned int cpu)
{
	if (window_pde[cpu] == NULL) {
		spin_lock(&lock);
		window_pde[cpu] = walk(kernel_root, WINDOW_BASE + cpu * 2 * MIB, 1);
		spin_unlock(&lock);
		BUG_ON(window_pde[cpu] == NULL);
	}
	return window_pde[cpu];
}

void *paging_window(hpa_t hpa)
{
	unsigned int cpu = cpu_id();
	void *va = (void *)(WINDOW_BASE + cpu * 2 * MIB);

	BUG_ON(hpa.v & (2 * MIB - 1));
	*window_entry(cpu) = hpa.v | leaf_bits(PAGING_W) | PTE_PS;
	x86_invlpg(va);
	return va;
}

void paging_window_close(void)
{
	unsigned int cpu = cpu_id();

	*window_entry(cpu) = 0;
	x86_invlpg((void *)(WINDOW_BASE + cpu * 2 * MIB));
}
