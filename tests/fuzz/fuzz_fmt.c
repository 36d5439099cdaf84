/* SPDX-License-Identifier: BSD-2-Clause */
/* A valid image of the format FUZZ_FMT, its fields changed and its checksums mended as the input says, */
/* then used as the input says: no crash, no surprise. What right images do is the unit tests' business. */
/* FUZZ_TARGET: fmt_vdi -DFUZZ_FMT="vdi" -DFUZZ_BIG=0 drivers/block/fmt_vdi.c */
/* FUZZ_TARGET: fmt_vhd -DFUZZ_FMT="vhd" -DFUZZ_BIG=1 drivers/block/fmt_vhd.c */
/* FUZZ_TARGET: fmt_qed -DFUZZ_FMT="qed" -DFUZZ_BIG=0 drivers/block/fmt_qed.c */
/* FUZZ_TARGET: fmt_qcow -DFUZZ_FMT="qcow" -DFUZZ_BIG=1 drivers/block/fmt_qcow.c */
/* FUZZ_TARGET: fmt_vmdk -DFUZZ_FMT="vmdk" -DFUZZ_BIG=0 drivers/block/fmt_vmdk*.c */
/* FUZZ_TARGET: fmt_qcow2 -DFUZZ_FMT="qcow2" -DFUZZ_BIG=1 drivers/block/fmt_qcow2*.c */
/* FUZZ_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* FUZZ_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* FUZZ_SOURCES: drivers/block/fmt_raw.c drivers/block/tables.c drivers/block/tables_check.c */
/* FUZZ_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_lock.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* Comparisons are of guest data or of what the mutator knows: to trace them costs half of the time. */
/* FUZZ_CFLAGS: -mllvm -asan-globals=0 -O2 -fno-sanitize-coverage=trace-cmp */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
/* Images of qemu-img to start from, as $F: what ours cannot make. */
/* FUZZ_SEED: fmt_vdi qemu-img create -qf vdi $F 3333k; qemu-io -f vdi -c 'write -P 171 0 4k' $F */
/* FUZZ_SEED: fmt_vhd qemu-img create -qf vpc -o force_size=on $F 2501k; qemu-io -f vpc -c 'write -P 171 0 4k' $F */
/* FUZZ_SEED: fmt_qed qemu-img create -qf qed -o cluster_size=4096,table_size=2 $F 3M; qemu-io -f qed -c 'write -P 171 0 40k' -c 'write -z 64k 64k' $F */
/* FUZZ_SEED: fmt_qed qemu-img create -qf qed -u -b base -F raw -o cluster_size=4096,table_size=2 $F 1M */
/* FUZZ_SEED: fmt_qcow qemu-img create -qf qcow $F 1M; qemu-io -f qcow -c 'write -c -P 7 64k 4k' -c 'write -P 171 0 4k' $F */
/* FUZZ_SEED: fmt_qcow qemu-img create -qf qcow -u -b base -F raw $F 1M; qemu-io -f raw -c 'read 0 1' $F */
/* FUZZ_SEED: fmt_vmdk qemu-img create -qf vmdk -o zeroed_grain=on $F 1M; qemu-io -f vmdk -c 'write -P 171 0 4k' -c 'write -z 64k 64k' $F */
/* FUZZ_SEED: fmt_vmdk yes | head -c 99k >$F.r; qemu-img convert -f raw -O vmdk -o subformat=streamOptimized $F.r $F; rm $F.r */
/* FUZZ_SEED: fmt_vmdk (printf '# Disk DescriptorFile\nCID=00000001\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'; printf 'RW 99 FLAT "base" 1\nddb.x = "1"\n') >$F */
/* FUZZ_SEED: fmt_qcow2 qemu-img create -qf qcow2 -o compat=0.10,cluster_size=4k $F 1M; qemu-io -f qcow2 -c 'write -c -P 7 64k 4k' -c 'write -P 171 0 8k' $F; qemu-img snapshot -c a $F; qemu-io -f qcow2 -c 'write -P 171 0 4k' $F; qemu-img snapshot -c b $F */
/* FUZZ_SEED: fmt_qcow2 qemu-img create -qf qcow2 -o lazy_refcounts=on,cluster_size=512,refcount_bits=1 $F 512k; qemu-io -f qcow2 -c 'write -P 171 0 8k' -c 'write -z 64k 32k' $F */
/* FUZZ_SEED: fmt_qcow2 qemu-img create -qf qcow2 -o lazy_refcounts=on,cluster_size=512,refcount_bits=8 $F 512k; qemu-io -f qcow2 -c 'write -P 171 0 8k' -c 'abort' $F || true */
/* FUZZ_SEED: fmt_qcow2 qemu-img create -qf qcow2 -u -b base -F raw -o cluster_size=4k,refcount_bits=64 $F 1M */
/* FUZZ_SEED: fmt_qcow2 qemu-img create -qf qcow2 -o cluster_size=512,refcount_bits=64 $F 4M; qemu-io -f qcow2 -c "write -P 171 0 1900k" $F */
#include "drivers/block/image.h"
#include "fakes/fake_file.h"
#include "hv/base/log.h"
#include "hv/lib/bytes.h"
#include "tests/fuzz/fuzz_pages.h"
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPACE	  (6 * MIB) /* of the file that the image lies in */
#define SEEDS_MAX 16u
#define WORDS_MAX 8192u
#define PATTERN	  0xabababab /* guest data: not worth changing */
#define BASE_SIZE (60u * KIB)

const char *__asan_default_options(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* What is freed is used again while it is in the CPU's cache, yet not before the run is over, nearly. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=2:thread_local_quarantine_size_kb=256:malloc_context_size=8:"
	       "allocator_release_to_os_interval_ms=-1";
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* ---- the input ---- */

enum op {
	PATCH4, /* a word of the metadata, as `how` says */
	PATCH8,
	PATCH_BYTE,
	FAIL, /* a call of the file, later */
	CUT,  /* the file ends earlier */
	USES, /* from here on: after it was opened */
	READ = USES,
	WRITE,
	ZERO,
	DISCARD,
	FLUSH,
	REOPEN,
	SNAPSHOT,
	RESTORE,
	REMOVE,
	LIST,
	CHECK,
	GROW,
	OPS,
};

#define HOWS 12u /* ways to change a word */

struct record {
	uint8_t op;
	uint8_t how;
	uint16_t at;
	uint32_t more;
	uint64_t val;
};

struct input {
	uint8_t seed;
	uint8_t flags;
	uint8_t reserved[6];
	struct record record[];
};

#define INPUT_MAX                                                                                  \
	(sizeof(struct input) + 64 * sizeof(struct record)) /* many short runs find more */

static size_t records_in(size_t size)
{
	return size < sizeof(struct input) ? 0
					   : (size - sizeof(struct input)) / sizeof(struct record);
}

enum { READONLY = 1, REPAIR = 2, NO_ZEROS = 4, KEEP_SUMS = 8, CREATE = 16, FIXED = 32 };

/* ---- seeds ---- */

struct seed {
	struct fake_file *ff;
	struct fake_file *used;	  /* what runs make of it */
	uint32_t word[WORDS_MAX]; /* places of what is neither zero nor guest data */
	unsigned int words;
};

static struct seed seeds[SEEDS_MAX];
static unsigned int seed_count;
static struct fake_file *base; /* every file beside the image */
static struct fake_file *base_seed;
static struct fake_file *nothing;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "%s: %s\n", FUZZ_FMT, what);
		abort();
	}
}

static int open_beside(void *arg, const char *name, struct block_file **out)
{
	(void)arg;
	if (name[0] == '\0' || name[0] == 'x' || base->opens > 0) {
		return -ENOENT;
	}
	*out = fake_file_open(base, true);
	return 0;
}

static int open_extent(void *arg, const char *name, bool readonly, struct block_file **out)
{
	int r = open_beside(arg, name, out);

	if (r == 0) {
		(*out)->readonly = readonly;
	}
	return r;
}

static int make_extent(void *arg, const char *name, struct block_file **out)
{
	return open_extent(arg, name, false, out);
}

static int open_image(struct fake_file *ff, unsigned int flags, struct block_dev **d)
{
	struct image_open_params p = { .file = fake_file_open(ff, flags & READONLY),
				       .format = FUZZ_FMT,
				       .readonly = flags & READONLY,
				       .repair = flags & REPAIR,
				       .no_zero_detect = flags & NO_ZEROS,
				       .backing = open_beside,
				       .extent = open_extent,
				       .backing_format = flags & 128 ? NULL : "raw" };
	struct image_why why = { 0 };
	int r = image_open(&p, d, &why);

	if (r < 0 && getenv("FUZZ_WHY")) {
		fprintf(stderr, "%s\n", why.text);
	}
	must(r >= 0 || (why.text[0] != '\0' && ff->opens == 0 && base->opens == 0),
	     "a refusal says why, and lets the files go");
	return r;
}

static void find_words(struct seed *s)
{
	for (uint64_t i = 0; i + 4 <= s->ff->file.size && s->words < WORDS_MAX; i += 4) {
		uint32_t val = bytes_get_le32(s->ff->data + i);

		/* Of headers all, of the rest what is something. */
		if (i < 128 || (val != 0 && val != PATTERN && val != 0xffffffff)) {
			s->word[s->words++] = (uint32_t)i;
		}
	}
}

static void add_seed(struct fake_file *ff)
{
	if (seed_count < SEEDS_MAX && ff->file.size > 0 && ff->file.size < SPACE) {
		seeds[seed_count].ff = ff;
		seeds[seed_count].used = fake_file_new();
		find_words(&seeds[seed_count++]);
	} else {
		fake_file_free(ff);
	}
}

static void make_seed(const struct image_create_params *p)
{
	struct fake_file *ff = fake_file_new();
	struct image_why why;
	struct block_dev *d;
	uint8_t data[8192];
	struct block_vec v = { data, sizeof(data) };
	int r;

	memset(data, PATTERN & 0xff, sizeof(data));
	r = image_create(fake_file_open(ff, false), p, &why);
	ff->opens--;
	if (r == 0 && open_image(ff, 0, &d) == 0) {
		must(block_write(d, 4096, &v, 1) == 0, "a seed is written");
		(void)image_snapshot_create(d, "seed", 1);
		must(block_write(d, 0, &v, 1) == 0 && block_close(d) == 0, "a seed is closed");
	} else {
		fake_file_resize(ff, 0); /* the format cannot do that */
	}
	add_seed(ff);
}

static void load_seeds(void)
{
	const char *folder = getenv("FUZZ_SEEDS");
	char path[512];

	for (unsigned int i = 0; folder && i < SEEDS_MAX; i++) {
		struct fake_file *ff;
		FILE *f;

		snprintf(path, sizeof(path), "%s/%u", folder, i);
		f = fopen(path, "rb");
		if (f == NULL) {
			continue;
		}
		fclose(f);
		ff = fake_file_new();
		fake_file_load(ff, path);
		add_seed(ff);
	}
}

static void begin(void)
{
	static const struct image_backing name = { "base", "raw" };
	static const struct image_create_params p[] = {
		{ .format = FUZZ_FMT, .size = 3 * MIB },
		{ .format = FUZZ_FMT, .size = 512 * KIB, .cluster_size = 512 },
		{ .format = FUZZ_FMT, .size = 512 * KIB, .cluster_size = 4096, .backing = &name },
		{ .format = FUZZ_FMT, .size = 512 * KIB, .subformat = "fixed" },
	};

	nothing = fake_file_new();
	base = fake_file_new();
	base_seed = fake_file_new();
	fake_file_resize(base_seed, BASE_SIZE);
	memset(base_seed->data, 0x5a, BASE_SIZE);
	fake_file_restore(base, base_seed);
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		make_seed(&p[i]);
	}
	load_seeds();
	must(seed_count > 0, "there is a seed");
}

/* ---- damage ---- */

static uint64_t get(const uint8_t *p, unsigned int size)
{
	uint64_t val = bytes_get_le(p, size);

	return FUZZ_BIG ? __builtin_bswap64(val) >> (64 - 8 * size) : val;
}

static void put(uint8_t *p, unsigned int size, uint64_t val)
{
	bytes_put_le(p, size, FUZZ_BIG ? __builtin_bswap64(val) >> (64 - 8 * size) : val);
}

static uint64_t changed(const struct seed *s, const struct record *r, uint64_t old, uint64_t size)
{
	unsigned int bit = r->val % 64;

	switch (r->how % HOWS) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return ~0ul;
	case 3:
		return size;
	case 4:
		return size - r->val % 4096;
	case 5:
		return 1ul << bit;
	case 6:
		return old ^ 1ul << bit;
	case 7:
		return old + 1;
	case 8:
		return old - 1;
	case 9: /* another field's */
		return get(s->ff->data + s->word[r->val % s->words], 4);
	case 10:
		return r->val % (size / 512 + 1) * 512;
	default:
		return r->val;
	}
}

static void patch(struct fake_file *ff, const struct seed *s, const struct record *r)
{
	uint64_t at = s->word[r->at % s->words] + r->more % 8 * 4, size = ff->file.size;
	unsigned int len = r->op % OPS == PATCH8 ? 8 : r->op % OPS == PATCH4 ? 4 : 1;

	at = r->more & 8 ? r->val % size : at;
	at += len == 1 ? r->more >> 4 & 3 : 0;
	if (range_within(at, len, size)) {
		put(ff->data + at, len, changed(s, r, get(ff->data + at, len), size));
		fake_file_touch(ff, at, len);
	}
}

static void fail_later(struct fake_file *ff, const struct record *r)
{
	long when = (long)(r->val % 64);

	*(r->how % 3 == 0   ? &ff->fail_read_in
	  : r->how % 3 == 1 ? &ff->fail_write_in
			    : &ff->fail_flush_in) = when;
}

static void damage(struct fake_file *ff, const struct seed *s, const struct record *r)
{
	switch (r->op % OPS) {
	case PATCH4:
	case PATCH8:
	case PATCH_BYTE:
		patch(ff, s, r);
		break;
	case CUT:
		fake_file_resize(ff, ff->file.size - r->val % (ff->file.size / 2 + 1));
		break;
	default:
		break;
	}
}

/* VHD's checksums: the only ones that a format has. */
static void mend_sum(struct fake_file *ff, uint64_t at, size_t len, size_t field)
{
	uint32_t sum = 0;

	if (strcmp(FUZZ_FMT, "vhd") != 0 || !range_within(at, len, ff->file.size)) {
		return;
	}
	for (size_t i = 0; i < len; i++) {
		sum += i >= field && i < field + 4 ? 0 : ff->data[at + i];
	}
	put(ff->data + at + field, 4, (uint32_t)~sum);
	fake_file_touch(ff, at + field, 4);
}

/* ---- use ---- */

static void check_result(int r)
{
	must(r == 0 || r == -EIO || r == -ENOSPC || r == -ENOMEM || r == -ENOTSUP || r == -EEXIST ||
		     r == -ENOENT || r == -EROFS || r == -EINVAL,
	     "an error of the contract");
}

/* Up to max sectors, in bytes: a few rather than many. */
static uint64_t length(const struct record *r, uint64_t max)
{
	return (r->val % max >> (r->val >> 12) % 10) * 512 + 512;
}

static void transfer(struct block_dev *d, const struct record *r, bool write)
{
	static uint8_t buf[256 * KIB];
	uint64_t off = r->at * (uint64_t)r->more % (d->size / 512) * 512;
	uint64_t len = u64_min(d->size - off, length(r, sizeof(buf) / 512));
	struct block_vec v[2] = { { buf, len / 1024 * 512 },
				  { buf + len / 1024 * 512, len - len / 1024 * 512 } };

	memset(buf, r->how, len);
	check_result(write ? block_write(d, off, v, 2) : block_read(d, off, v, 2));
}

static void zero(struct block_dev *d, const struct record *r, bool discard)
{
	uint64_t off = r->at * (uint64_t)r->more % (d->size / 512) * 512;
	uint64_t len = u64_min(d->size - off, length(r, 4096));

	check_result(discard ? block_discard(d, off, len)
			     : block_write_zeroes(d, off, len, r->how & 1));
}

static void use(struct block_dev *d, const struct record *r)
{
	char name[2] = { (char)('a' + r->how % 4), '\0' };
	struct image_snapshot snapshot;
	struct image_check check;
	uint64_t far;

	switch (r->op % OPS) {
	case READ:
	case WRITE:
		transfer(d, r, r->op % OPS == WRITE);
		break;
	case ZERO:
	case DISCARD:
		zero(d, r, r->op % OPS == DISCARD);
		break;
	case FLUSH:
		check_result(block_flush(d));
		break;
	case SNAPSHOT:
		check_result(image_snapshot_create(d, name, 1));
		break;
	case RESTORE:
		check_result(image_snapshot_restore(d, name));
		break;
	case REMOVE:
		check_result(image_snapshot_remove(d, name));
		break;
	case LIST:
		check_result(image_snapshot_list(d, r->at, &snapshot));
		break;
	case CHECK:
		check_result(image_check(d, r->how & 1, NULL, &check));
		break;
	case GROW: /* far at times, and beyond what tables can hold: that takes long */
		far = r->how % 8 == 0 ? r->val >> r->at % 64 : r->val % MIB;
		check_result(image_grow(d, d->size + far / 512 * 512));
		break;
	default:
		break;
	}
}

static void use_all(struct fake_file *ff, const struct input *in, unsigned int n)
{
	struct block_dev *d;

	if (open_image(ff, in->flags, &d) != 0) {
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct record *r = &in->record[i];

		if (r->op % OPS == FAIL) {
			fail_later(ff, r);
		} else if (r->op % OPS == REOPEN) {
			check_result(block_close(d));
			if (open_image(ff, r->how, &d) != 0) {
				return;
			}
		} else if (r->op % OPS >= USES) {
			use(d, r);
		}
	}
	check_result(block_close(d));
}

/* An image as the first record says; what could be made opens. */
static void create(const struct record *r)
{
	static struct fake_file *ff;
	static const char *const sub[] = { NULL, "fixed", "dynamic", "monolithicFlat" };
	static const struct image_backing backing = { "base", "raw" };
	struct image_create_params p = { .format = FUZZ_FMT,
					 .size = r->val >> (r->how % 56) << (r->at % 10),
					 .cluster_size = r->more & 1 ? r->more >> 1 : 0,
					 .subformat = sub[r->op / OPS % 4],
					 .version = r->at >> 10 & 3,
					 .refcount_bits = r->at >> 12 ? 1u << (r->at >> 12) % 8 : 0,
					 .backing = r->how & 128 ? &backing : NULL,
					 .extent = make_extent };
	struct image_why why = { 0 };
	struct block_dev *d;
	int err;

	p.cluster_size = r->more & 2 ? 1u << (r->more >> 2) % 32 : p.cluster_size;
	ff = ff ? ff : fake_file_new();
	fake_file_restore(ff, nothing);
	ff->limit = 2 * MIB;
	err = image_create(fake_file_open(ff, false), &p, &why);
	ff->opens--;
	must(err == 0 || why.text[0] != '\0', "a refusal says why");
	must(err != 0 || open_image(ff, 0, &d) == 0, "what was made opens");
	if (err == 0) {
		check_result(block_close(d));
	}
}

static void damage_and_use(const struct seed *s, const struct input *in, unsigned int n)
{
	struct fake_file *ff = s->used;

	fake_file_restore(ff, s->ff);
	ff->fail_read_in = ff->fail_write_in = ff->fail_flush_in = -1;
	ff->limit = SPACE;
	if (in->flags & FIXED) {
		fake_file_fix(ff, ff->file.size + 256 * KIB);
	}
	for (unsigned int i = 0; i < n; i++) {
		damage(ff, s, &in->record[i]);
	}
	if (!(in->flags & KEEP_SUMS)) {
		mend_sum(ff, 0, 512, 64);
		mend_sum(ff, 512, 1024, 36);
		mend_sum(ff, ff->file.size - 512, 512, 64);
	}
	use_all(ff, in, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input *in = calloc(1, sizeof(*in) + size);
	unsigned int n = (unsigned int)records_in(u64_min(size, INPUT_MAX));

	if (seed_count == 0) {
		begin();
	}
	memcpy(in, data, size);
	fake_file_restore(base, base_seed);
	base->limit = SPACE;
	if ((in->flags & CREATE) && n > 0) {
		create(&in->record[0]);
	} else {
		damage_and_use(&seeds[in->seed % seed_count], in, n);
	}
	free(in);
	return 0;
}

/* ---- the mutator: whole records, beside what libFuzzer does to bytes ---- */

static uint32_t dice(unsigned int *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static struct record random_record(unsigned int *seed)
{
	struct record r = { .op = (uint8_t)(dice(seed) % OPS),
			    .how = (uint8_t)dice(seed),
			    .at = (uint16_t)(dice(seed) % (dice(seed) % 2 ? 24 : 65536)),
			    .more = dice(seed) % 4 ? 0 : dice(seed),
			    .val = (uint64_t)dice(seed) << (dice(seed) % 40) | dice(seed) % 4096 };

	r.op = dice(seed) % 3 == 0 ? (uint8_t)(dice(seed) % 2) : r.op;
	r.more = r.op >= USES ? dice(seed) % 64 : r.more;
	return r;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size_t n = records_in(size);
	struct record r = random_record(&seed);
	size_t at = n ? dice(&seed) % n : 0;
	uint8_t *place = data + sizeof(struct input) + at * sizeof(r);

	max = u64_min(max, INPUT_MAX);
	if (size > max) {
		return max;
	}
	if (size < sizeof(struct input) || dice(&seed) % 4 == 0) {
		return LLVMFuzzerMutate(data, size, max);
	}
	if (dice(&seed) % 16 == 0) {
		data[dice(&seed) % 2] = (uint8_t)dice(&seed);
		return size;
	}
	if (n > 0 && dice(&seed) % 3 == 0) {
		memcpy(place, &r, sizeof(r));
	} else if (size + sizeof(r) <= max) { /* in between */
		memmove(place + sizeof(r), place, data + size - place);
		memcpy(place, &r, sizeof(r));
		size += sizeof(r);
	}
	return size;
}
