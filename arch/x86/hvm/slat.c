/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level address translation: builds, changes and looks up the tables. */
/* A table is freed only with the whole: a CPU may still hold a pointer to it. */
#include "arch/x86/hvm/slat.h"

#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define LEVELS	4u
#define ENTRIES 512u
#define GPA_END BIT(48)
#define ADDRESS 0x000ffffffffff000ul /* of the page or table, in EPT and in NPT entries */

static uint64_t level_size(unsigned int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static uint64_t *entry_of(hpa_t table, gpa_t gpa, unsigned int level)
{
	uint64_t *t = paging_direct(table);

	return &t[gpa.v / level_size(level) % ENTRIES];
}

static bool is_leaf(const struct slat *s, uint64_t entry, unsigned int level)
{
	return level == 1 || s->fmt->is_leaf(entry, level);
}

static hpa_t leaf_address(uint64_t entry, unsigned int level)
{
	return (hpa_t){ ALIGN_DOWN(entry & ADDRESS, level_size(level)) };
}

static void write_entry(uint64_t *entry, uint64_t val)
{
	__atomic_store_n(entry, val, __ATOMIC_RELEASE);
}

static uint64_t *table_alloc(struct slat *s)
{
	uint64_t *table = page_alloc_as(0, PAGE_SLAT);

	if (table != NULL) {
		s->tables++;
	}
	return table;
}

/* The table behind *entry, a level above it: made empty or by splitting a large page. */
static int descend(struct slat *s, uint64_t *entry, unsigned int level, hpa_t *table)
{
	uint64_t *fresh;

	if (*entry != 0 && !is_leaf(s, *entry, level)) {
		table->v = *entry & ADDRESS;
		return 0;
	}
	fresh = table_alloc(s);
	if (fresh == NULL) {
		return -ENOMEM;
	}
	if (*entry != 0) {
		uint64_t first = s->fmt->leaf(leaf_address(*entry, level),
					      s->fmt->rights(*entry, level), level - 1);

		for (unsigned int i = 0; i < ENTRIES;
		     i++) { /* the address is a sum with the rest */
			fresh[i] = first + i * level_size(level - 1);
		}
	}
	*table = paging_hpa(fresh);
	write_entry(entry, s->fmt->table(*table));
	return 0;
}

/* Highest level of a page that starts at gpa (and at hpa) and ends before size. */
static unsigned int best_level(const struct slat *s, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	unsigned int level = s->fmt->large_1g ? 3 : 2;

	while (level > 1 &&
	       (((gpa | hpa) & (level_size(level) - 1)) != 0 || size < level_size(level))) {
		level--;
	}
	return level;
}

/* Fills one table of level l from entry on: whole pages up to size, none that is a table already. */
static uint64_t fill_table(struct slat *s, uint64_t *entry, hpa_t hpa, uint64_t size,
			   enum hvm_right rights, unsigned int l)
{
	uint64_t page = level_size(l);
	uint64_t left = ENTRIES - (uint64_t)entry / sizeof(*entry) % ENTRIES;
	uint64_t pages = u64_min(size / page, left);
	bool replaced = false;
	uint64_t i;

	for (i = 0; i < pages && (entry[i] == 0 || is_leaf(s, entry[i], l)); i++) {
		replaced |= entry[i] != 0;
		write_entry(&entry[i], s->fmt->leaf(hpa_add(hpa, i * page), rights, l));
	}
	if (replaced) {
		__atomic_fetch_add(&s->generation, 1, __ATOMIC_RELEASE);
	}
	return i * page;
}

/*
 * Maps pages from gpa on that share a table, at most of this level; lower where a table is in the
 * way already. *done: the bytes mapped.
 */
static int set_leaves(struct slat *s, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights,
		      uint64_t *done)
{
	unsigned int level = best_level(s, gpa.v, hpa.v, size);
	hpa_t table = s->root;

	for (unsigned int l = LEVELS;; l--) {
		uint64_t *entry = entry_of(table, gpa, l);
		int err;

		if (l <= level && (*entry == 0 || is_leaf(s, *entry, l))) {
			*done = fill_table(s, entry, hpa, size, rights, l);
			return 0;
		}
		err = descend(s, entry, l, &table);
		if (err != 0) {
			return err;
		}
	}
}

/* Takes away the translation at gpa up to `size` bytes on; *done: how far it got, at least a page. */
static int clear_leaf(struct slat *s, gpa_t gpa, uint64_t size, uint64_t *done)
{
	hpa_t table = s->root;

	for (unsigned int l = LEVELS;; l--) {
		uint64_t *entry = entry_of(table, gpa, l);
		bool whole = gpa.v % level_size(l) == 0 && size >= level_size(l);
		int err;

		*done = level_size(l) - gpa.v % level_size(l);
		if (*entry == 0) {
			return 0;
		}
		if (whole && is_leaf(s, *entry, l)) {
			write_entry(entry, 0);
			__atomic_fetch_add(&s->generation, 1, __ATOMIC_RELEASE);
			return 0;
		}
		err = descend(s, entry, l, &table);
		if (err != 0) {
			return err;
		}
	}
}

static bool range_ok(gpa_t gpa, uint64_t size)
{
	return ((gpa.v | size) & (PAGE_SIZE - 1)) == 0 && range_within(gpa.v, size, GPA_END);
}

int slat_create(struct slat *s, const struct slat_format *fmt)
{
	uint64_t *root;

	*s = (struct slat){ .fmt = fmt, .generation = 1 };
	root = table_alloc(s);
	if (root == NULL) {
		return -ENOMEM;
	}
	s->root = paging_hpa(root);
	return 0;
}

static void free_table(struct slat *s, hpa_t table, unsigned int level)
{
	uint64_t *entries = paging_direct(table);

	for (unsigned int i = 0; level > 1 && i < ENTRIES; i++) {
		if (entries[i] != 0 && !is_leaf(s, entries[i], level)) {
			free_table(s, (hpa_t){ entries[i] & ADDRESS }, level - 1);
		}
	}
	page_free_as(entries, 0, PAGE_SLAT);
	s->tables--;
	thread_checkpoint(); /* a VM with a balloon has one for each 2 MiB */
}

void slat_destroy(struct slat *s)
{
	if (s->root.v != 0) {
		free_table(s, s->root, LEVELS);
	}
	s->root.v = 0;
}

int slat_map(struct slat *s, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights)
{
	if (!range_ok(gpa, size) || (hpa.v & (PAGE_SIZE - 1)) != 0) {
		return -EINVAL;
	}
	while (size != 0) {
		uint64_t done;
		int err = set_leaves(s, gpa, hpa, size, rights, &done);

		if (err != 0) {
			return err;
		}
		gpa = gpa_add(gpa, done);
		hpa = hpa_add(hpa, done);
		size -= done;
	}
	return 0;
}

int slat_unmap(struct slat *s, gpa_t gpa, uint64_t size)
{
	if (!range_ok(gpa, size)) {
		return -EINVAL;
	}
	while (size != 0) {
		uint64_t done = 0;
		int err = clear_leaf(s, gpa, size, &done);

		if (err != 0) {
			return err;
		}
		done = u64_min(done, size);
		gpa = gpa_add(gpa, done);
		size -= done;
	}
	return 0;
}

bool slat_lookup(const struct slat *s, gpa_t gpa, hpa_t *hpa, enum hvm_right *rights)
{
	hpa_t table = s->root;

	for (unsigned int l = LEVELS; gpa.v < GPA_END && l > 0; l--) {
		uint64_t entry = *entry_of(table, gpa, l);

		if (entry == 0) {
			return false;
		}
		if (is_leaf(s, entry, l)) {
			*hpa = hpa_add(leaf_address(entry, l), gpa.v % level_size(l));
			if (rights != NULL) {
				*rights = s->fmt->rights(entry, l);
			}
			return true;
		}
		table.v = entry & ADDRESS;
	}
	return false;
}
