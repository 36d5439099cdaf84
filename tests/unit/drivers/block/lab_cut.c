/* SPDX-License-Identifier: BSD-2-Clause */
/* Power cuts: records what a workload does to the host's file, then repeats each beginning of it on */
/* a fresh copy, what was not flushed in any selection, and looks at what is left. */
#include "drivers/block/lab.h"

#include "fakes/fake_fiber.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * What a sector may read as: the stamp of its last write that was flushed, or of any write begun
 * since. Stamp s of a sector is the number of the request that wrote it; 0 is what was there before.
 */
struct sector {
	uint32_t flushed;
	uint32_t maybe[6];
	uint8_t maybes;
	bool anything; /* too many writes to remember: unchecked until the next flush */
};

enum note { REQUEST, DONE, FLUSH_BEGIN, FLUSH_END };

struct request {
	uint64_t off;
	uint64_t len;
	bool discard; /* old or zeros */
};

struct workload {
	const struct cut_params *p;
	struct request *request; /* [steps + 1] */
	unsigned int count;
};

static uint64_t stamp_of(uint64_t off, uint32_t id)
{
	return off << 24 | id;
}

static void stamp(uint8_t *buf, uint64_t off, uint64_t len, uint32_t id)
{
	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t val = stamp_of(off + i, id);

		memcpy(buf + i, &val, 8);
	}
}

static void note(struct fake_file *ff, enum note what, uint64_t id)
{
	fake_file_note(ff, (uint64_t)what << 32 | id);
}

/* ---- the workload ---- */

static void write_step(struct fake_file *ff, struct block_dev *d, struct workload *w,
		       uint32_t *seed)
{
	uint64_t off = fake_fiber_random(seed) % (w->p->size / 512) * 512;
	uint64_t len = (1 + fake_fiber_random(seed) % (2 * d->granularity / 512)) * 512;
	unsigned int id = ++w->count;
	struct request *r = &w->request[id];
	uint8_t *buf;

	*r = (struct request){ .off = off, .len = u64_min(len, w->p->size - off) };
	r->discard = fake_fiber_random(seed) % 3 == 0;
	note(ff, REQUEST, id);
	if (r->discard) {
		assert_int_equal(block_discard(d, r->off, r->len), 0);
	} else {
		struct block_vec v = { buf = malloc(r->len), r->len };

		stamp(buf, r->off, r->len, id);
		assert_int_equal(block_write(d, r->off, &v, 1), 0);
		free(buf);
	}
	note(ff, DONE, id);
}

static void flush_step(struct fake_file *ff, struct block_dev *d)
{
	note(ff, FLUSH_BEGIN, 0);
	assert_int_equal(block_flush(d), 0);
	note(ff, FLUSH_END, 0);
}

static void create(struct fake_file *ff, const struct image_create_params *p)
{
	int r = image_create(fake_file_open(ff, false), p, &lab_why);

	if (r) {
		fail_msg("create: %d, %s", r, lab_why.text);
	}
	ff->opens--;
}

static void use(struct fake_file *ff, struct workload *w)
{
	struct block_dev *d = lab_open(ff, w->p->format);
	uint32_t seed = w->p->seed;

	ff->record = true;
	for (unsigned int i = 0; i < w->p->steps; i++) {
		if (w->p->other && w->p->other(d, i)) {
			continue;
		}
		if (fake_fiber_random(&seed) % 6 == 0) {
			flush_step(ff, d);
		} else {
			write_step(ff, d, w, &seed);
		}
	}
	flush_step(ff, d);
	lab_close(d);
}

static void record(struct fake_file *ff, struct workload *w)
{
	if (w->p->create) {
		ff->record = true;
		create(ff, w->p->create);
	} else {
		use(ff, w);
	}
	ff->record = false;
}

/* ---- what may be read ---- */

struct judge {
	struct sector *sector;
	uint64_t sectors;
	uint8_t *got; /* what is read after a cut */
};

static void begin_request(struct judge *j, const struct request *r, uint32_t id)
{
	for (uint64_t s = r->off / 512; s < (r->off + r->len) / 512; s++) {
		struct sector *x = &j->sector[s];

		if (x->maybes == 6) {
			x->anything = true;
		} else {
			x->maybe[x->maybes++] = id;
		}
	}
}

/* One thread: everything begun before the flush is done, and nothing begins during it. */
static void end_flush(struct judge *j)
{
	for (uint64_t s = 0; s < j->sectors; s++) {
		struct sector *x = &j->sector[s];

		if (x->maybes > 0 && !x->anything) {
			x->flushed = x->maybe[x->maybes - 1];
			x->maybes = 0;
		} else if (x->anything) { /* the newest is not known: stay silent about it */
			x->maybes = 6;
		}
	}
}

static const uint8_t zeros[512];

static bool reads_as(const uint8_t *got, uint64_t off, uint32_t id, const struct workload *w)
{
	const uint8_t *before = w->p->before ? w->p->before + off : zeros;
	uint64_t val;

	if (id == 0 || w->request[id].discard) {
		return memcmp(got, id == 0 ? before : zeros, 512) == 0;
	}
	for (unsigned int i = 0; i < 512; i += 8) {
		memcpy(&val, got + i, 8);
		if (val != stamp_of(off + i, id)) {
			return false;
		}
	}
	return true;
}

/* Zeros, or what was written to this sector at any time, but never another sector's data. */
static bool once_held(const uint8_t *got, uint64_t off, const struct workload *w)
{
	uint64_t val;
	uint32_t id;

	memcpy(&val, got, 8);
	id = (uint32_t)(val & 0xffffff);
	return memcmp(got, zeros, 512) == 0 || reads_as(got, off, 0, w) ||
	       (id <= w->count && reads_as(got, off, id, w));
}

static bool acceptable(const struct sector *x, const uint8_t *got, uint64_t off,
		       const struct workload *w)
{
	/* A discard that was flushed may read as zeros or as what was there before it. */
	bool loose = x->anything || (x->flushed && w->request[x->flushed].discard);
	bool good = reads_as(got, off, x->flushed, w) || (loose && once_held(got, off, w));

	for (unsigned int i = 0; !good && i < x->maybes; i++) {
		good = reads_as(got, off, x->maybe[i], w);
	}
	return good;
}

/* False if there is no image yet. */
static bool look(struct fake_file *ff, const struct judge *j, const struct workload *w, bool done,
		 const char *when)
{
	struct block_dev *d = NULL;
	struct image_check check;
	const uint8_t *got = j->got;
	struct block_vec v;
	int r = lab_try_open(ff, w->p->format, false, &d);

	if (r && w->p->create && !done) {
		return false;
	}
	if (r) {
		fail_msg("%s: does not open: %s", when, lab_why.text);
	}
	v = (struct block_vec){ j->got, w->p->size };
	assert_int_equal(block_read(d, 0, &v, 1), 0);
	for (uint64_t s = 0; s < j->sectors; s++) {
		if (!acceptable(&j->sector[s], got + s * 512, s * 512, w)) {
			uint64_t val;

			memcpy(&val, got + s * 512, 8);
			fail_msg("%s: sector %lu reads %lx, flushed %u", when, s, val,
				 j->sector[s].flushed);
		}
	}
	r = image_check(d, false, NULL, &check);
	if (r == 0 && check.corruptions > 0) {
		fail_msg("%s: %lu corruptions: %s", when, check.corruptions, check.first.text);
	}
	lab_close(d);
	return true;
}

/* ---- cutting ---- */

/* An image's file and the one beside it, which is empty if it has none. */
struct files {
	struct fake_file *at[2];
	size_t flushed[2]; /* events that are in them */
};

static size_t flushed_of_both(const struct files *f)
{
	return u64_min(f->flushed[0], f->flushed[1]);
}

/* The events that `base` holds are on the disk, of those up to `now` what the dice say. */
static void cut(const struct files *base, const struct fake_file *ff, size_t now, uint32_t seed,
		const struct files *out)
{
	fake_file_copy(out->at[0], base->at[0]);
	fake_file_copy(out->at[1], base->at[1]);
	for (size_t i = flushed_of_both(base); i < now; i++) {
		const struct fake_event *e = &ff->event[i];

		if (i >= base->flushed[e->beside] && (seed == 0 || fake_fiber_random(&seed) % 2)) {
			fake_file_apply(out->at[e->beside], e);
		}
	}
}

/* A flush is of one file. */
static void flush(struct files *base, const struct fake_file *ff, size_t now)
{
	bool beside = ff->event[now].beside;

	for (size_t i = base->flushed[beside]; i < now; i++) {
		if (ff->event[i].beside == beside) {
			fake_file_apply(base->at[beside], &ff->event[i]);
		}
	}
	base->flushed[beside] = now;
}

static void follow(struct judge *j, const struct workload *w, uint64_t what)
{
	uint32_t id = (uint32_t)what;

	if (what >> 32 == REQUEST) {
		begin_request(j, &w->request[id], id);
	} else if (what >> 32 == FLUSH_END) {
		end_flush(j);
	}
}

static void ask_judge(const struct files *f, const struct workload *w)
{
	if (w->p->beside) {
		fake_file_save(f->at[1], lab_path(w->p->beside_name));
	}
	lab_judge(f->at[0], w->p->format, true);
}

static void try_cut(const struct files *base, const struct fake_file *ff, size_t now,
		    const struct files *scratch, const struct judge *j, const struct workload *w,
		    bool judged, uint32_t seed)
{
	bool before = judged && !w->p->judge_after && !w->p->create, there;
	char when[80];

	snprintf(when, sizeof(when), "cut at event %zu of %zu, seed %u", now, ff->events, seed);
	cut(base, ff, now, seed, scratch);
	if (before) {
		ask_judge(scratch, w);
	}
	there = look(scratch->at[0], j, w, now == ff->events, when);
	if (there && judged && !before) {
		ask_judge(scratch, w);
	}
}

unsigned long lab_power_cuts(struct fake_file *ff, const struct cut_params *p)
{
	struct workload w = { .p = p, .request = calloc(p->steps + 2, sizeof(*w.request)) };
	struct judge j = { .sectors = p->size / 512 };
	struct files base = { { fake_file_new(), fake_file_new() }, { 0 } };
	struct files scratch = { { fake_file_new(), fake_file_new() }, { 0 } };
	size_t tried = 0;
	unsigned long cuts = 0;
	uint32_t dice = p->seed;

	j.sector = calloc(j.sectors, sizeof(*j.sector));
	j.got = malloc(p->size);
	fake_file_copy(base.at[0], ff);
	if (p->beside) {
		p->beside->journal = ff;
		fake_file_copy(base.at[1], p->beside);
	}
	record(ff, &w);
	if (p->beside) {
		p->beside->journal = NULL;
		lab_backing(p->beside_name, scratch.at[1]);
	}
	for (size_t now = 0; now <= ff->events; now++) {
		const struct fake_event *e = &ff->event[now];

		if (now == ff->events || e->kind != FAKE_NOTE) {
			bool judged = p->judged && tried % p->judged == 0;

			try_cut(&base, ff, now, &scratch, &j, &w, judged, 0);
			cuts++;
			for (unsigned int i = 0; i < p->orders && flushed_of_both(&base) + 1 < now;
			     i++) {
				uint32_t seed = fake_fiber_random(&dice) | 1;

				try_cut(&base, ff, now, &scratch, &j, &w, judged, seed);
				cuts++;
			}
			tried++;
		}
		if (now < ff->events && e->kind == FAKE_NOTE) {
			follow(&j, &w, e->off);
		} else if (now < ff->events && e->kind == FAKE_FLUSH) {
			flush(&base, ff, now);
		}
	}
	assert_true(tried > p->steps / 2); /* a discard may change nothing in the file */
	free(j.sector);
	free(j.got);
	free(w.request);
	if (p->beside) {
		lab_backing(p->beside_name, p->beside);
	}
	for (unsigned int i = 0; i < 2; i++) {
		fake_file_free(base.at[i]);
		fake_file_free(scratch.at[i]);
	}
	fake_file_forget(ff);
	return cuts;
}
