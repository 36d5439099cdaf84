/* SPDX-License-Identifier: BSD-2-Clause */
/* DEFLATE (RFC 1951) as a stream: 4 KiB of input and a 32 KiB window at a time. The Debian package */
/* with zlib is built for a libc and keeps state per stream in its heap: this is smaller than glue. */
#include "drivers/block/inflate.h"

#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define WINDOW	    (32u * KIB) /* 3.2.5: distances reach that far back */
#define INPUT	    4096u
#define BITS_MAX    15u
#define LITERALS    288u
#define DISTANCES   30u
#define END_OF_DATA 256u
#define PACE	    128u /* symbols between two checkpoints */

struct code {			      /* canonical, 3.2.2 */
	uint16_t count[BITS_MAX + 1]; /* codes of each length */
	uint16_t symbol[LITERALS];    /* in the order of their codes */
};

struct inflate {
	struct block_file *file;
	uint64_t off; /* of the next input to be read */
	uint64_t end;
	uint32_t in_pos;
	uint32_t in_len;
	uint32_t bits; /* not yet used, lowest first */
	uint32_t bit_count;
	uint32_t fill;	 /* bytes of the window not yet given to the sink */
	uint32_t head;	 /* where the next byte goes */
	uint64_t total;	 /* bytes made so far */
	uint64_t skip;	 /* bytes that nobody wants, still */
	uint64_t wanted; /* bytes that the sink still takes */
	size_t sink_off;
	const struct block_vec *v;
	unsigned int n;
	int error;
	struct code literal;
	struct code distance;
	uint8_t in[INPUT];
	uint8_t window[WINDOW];
};

/* ---- input: an error makes zeros, and stops at the next look at s->error ---- */

static void refill(struct inflate *s)
{
	uint64_t start = ALIGN_DOWN(s->off, (uint64_t)BLOCK_SECTOR);
	uint64_t stop = u64_min(ALIGN_UP(s->end, (uint64_t)BLOCK_SECTOR), start + INPUT);

	if (s->off >= s->end) {
		s->error = -EIO;
		return;
	}
	s->error = block_file_read(s->file, start, s->in, stop - start);
	s->in_pos = (uint32_t)(s->off - start);
	s->in_len = (uint32_t)(u64_min(stop, s->end) - start);
	s->off = start + s->in_len;
}

static uint32_t next_byte(struct inflate *s)
{
	if (s->in_pos == s->in_len && s->error == 0) {
		refill(s);
	}
	return s->error ? 0 : s->in[s->in_pos++];
}

static uint32_t take_bits(struct inflate *s, uint32_t n)
{
	uint32_t val;

	while (s->bit_count < n) {
		s->bits |= next_byte(s) << s->bit_count;
		s->bit_count += 8;
	}
	val = s->bits & ((1u << n) - 1);
	s->bits >>= n;
	s->bit_count -= n;
	return val;
}

/* ---- output ---- */

static void drain(struct inflate *s)
{
	uint32_t start = (s->head - s->fill) % WINDOW;

	while (s->fill > 0) {
		uint32_t len = (uint32_t)u64_min(s->fill, WINDOW - start);
		uint64_t drop = u64_min(s->skip, len);
		uint64_t keep = u64_min(len - drop, s->wanted);

		block_vec_copy(s->v, s->n, s->sink_off, s->window + start + drop, keep);
		s->skip -= drop;
		s->wanted -= keep;
		s->sink_off += keep;
		s->fill -= len;
		start = (start + len) % WINDOW;
	}
}

static void put_byte(struct inflate *s, uint8_t byte)
{
	s->window[s->head] = byte;
	s->head = (s->head + 1) % WINDOW;
	s->total++;
	if (++s->fill == WINDOW || s->fill >= s->skip + s->wanted) {
		drain(s);
	}
}

static bool done(const struct inflate *s)
{
	return s->error != 0 || s->wanted == 0;
}

static void copy_match(struct inflate *s, uint32_t len, uint32_t distance)
{
	if (distance > s->total) {
		s->error = -EIO;
		return;
	}
	while (len-- > 0 && !done(s)) {
		put_byte(s, s->window[(s->head - distance) % WINDOW]);
	}
}

/* ---- codes ---- */

/* False if more codes are asked for than there are bits for; too few are fine, as for one distance. */
static bool make_code(struct code *c, const uint8_t *lengths, unsigned int n)
{
	uint16_t next[BITS_MAX + 2] = { 0 };
	int32_t room = 1;

	memset(c, 0, sizeof(*c));
	for (unsigned int i = 0; i < n; i++) {
		c->count[lengths[i]]++;
	}
	c->count[0] = 0;
	for (unsigned int len = 1; len <= BITS_MAX; len++) {
		room = room * 2 - c->count[len];
		next[len + 1] = (uint16_t)(next[len] + c->count[len]);
		if (room < 0) {
			return false;
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		if (lengths[i] > 0) {
			c->symbol[next[lengths[i]]++] = (uint16_t)i;
		}
	}
	return true;
}

static uint32_t decode(struct inflate *s, const struct code *c)
{
	uint32_t code = 0, first = 0, index = 0;

	for (unsigned int len = 1; len <= BITS_MAX; len++) {
		code |= take_bits(s, 1);
		if (code - first < c->count[len]) {
			return c->symbol[index + code - first];
		}
		index += c->count[len];
		first = (first + c->count[len]) << 1;
		code <<= 1;
	}
	s->error = -EIO;
	return END_OF_DATA;
}

/* 3.2.7: the lengths of both codes' symbols, themselves coded. */
static bool read_lengths(struct inflate *s, uint8_t *lengths, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && !s->error) {
		uint32_t symbol = decode(s, &s->literal), repeat = 1;
		uint8_t val = 0;

		if (symbol < 16) {
			val = (uint8_t)symbol;
		} else if (symbol == 16) {
			repeat = 3 + take_bits(s, 2);
			if (i == 0) {
				return false;
			}
			val = lengths[i - 1];
		} else {
			repeat = symbol == 17 ? 3 + take_bits(s, 3) : 11 + take_bits(s, 7);
		}
		if (repeat > n - i) {
			return false;
		}
		memset(lengths + i, val, repeat);
		i += repeat;
	}
	return true;
}

static bool dynamic_codes(struct inflate *s)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					   11, 4,  12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[LITERALS + 32] = { 0 };
	uint32_t literals = 257 + take_bits(s, 5);
	uint32_t distances = 1 + take_bits(s, 5);
	uint32_t n = 4 + take_bits(s, 4);

	if (literals > LITERALS - 2 || distances > DISTANCES) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		lengths[order[i]] = (uint8_t)take_bits(s, 3);
	}
	if (!make_code(&s->literal, lengths, sizeof(order))) {
		return false;
	}
	memset(lengths, 0, sizeof(order));
	return read_lengths(s, lengths, literals + distances) &&
	       make_code(&s->distance, lengths + literals, distances) &&
	       make_code(&s->literal, lengths, literals);
}

/* 3.2.6 */
static bool fixed_codes(struct inflate *s)
{
	uint8_t lengths[LITERALS];

	for (unsigned int i = 0; i < LITERALS; i++) {
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	}
	make_code(&s->literal, lengths, LITERALS);
	memset(lengths, 5, DISTANCES);
	return make_code(&s->distance, lengths, DISTANCES);
}

/* ---- blocks ---- */

/* 3.2.5: lengths and distances come in groups with as many extra bits. */
static void match(struct inflate *s, uint32_t symbol)
{
	uint32_t i = symbol - 257, len, distance, extra;

	if (i >= 29) {
		s->error = -EIO;
		return;
	}
	extra = i < 8 || i == 28 ? 0 : (i - 4) / 4;
	len = i == 28 ? 258 : i < 8 ? 3 + i : 3 + ((4 + i % 4) << extra);
	len += take_bits(s, extra);
	i = decode(s, &s->distance);
	if (s->error || i >= DISTANCES) {
		s->error = -EIO;
		return;
	}
	extra = i < 4 ? 0 : (i - 2) / 2;
	distance = 1 + (i < 4 ? i : (2 + i % 2) << extra);
	distance += take_bits(s, extra);
	copy_match(s, len, distance);
}

static void coded_block(struct inflate *s)
{
	for (uint32_t count = 1; !done(s); count++) {
		uint32_t symbol = decode(s, &s->literal);

		if (s->error || symbol == END_OF_DATA) {
			return;
		}
		if (symbol < END_OF_DATA) {
			put_byte(s, (uint8_t)symbol);
		} else {
			match(s, symbol);
		}
		if (count % PACE == 0) {
			thread_checkpoint();
		}
	}
}

static void stored_block(struct inflate *s)
{
	uint32_t len;

	take_bits(s, s->bit_count % 8);
	len = take_bits(s, 16);
	if ((len ^ take_bits(s, 16)) != 0xffff) {
		s->error = -EIO;
	}
	while (len-- > 0 && !done(s)) {
		put_byte(s, (uint8_t)take_bits(s, 8));
		if (len % PACE == 0) {
			thread_checkpoint();
		}
	}
}

static void inflate_blocks(struct inflate *s)
{
	bool last = false;

	while (!last && !done(s)) {
		last = take_bits(s, 1);
		switch (take_bits(s, 2)) {
		case 0:
			stored_block(s);
			break;
		case 1:
			fixed_codes(s);
			coded_block(s);
			break;
		case 2:
			if (dynamic_codes(s)) {
				coded_block(s);
				break;
			}
			/* fall through */
		default:
			s->error = -EIO;
		}
	}
}

/* RFC 1950, 2.2: method 8, no preset dictionary. */
static void zlib_header(struct inflate *s)
{
	uint32_t cmf = take_bits(s, 8), flags = take_bits(s, 8);

	if ((cmf & 0xf) != 8 || (flags & 0x20) || (cmf * 256 + flags) % 31) {
		s->error = -EIO;
	}
}

int inflate_read(struct block_file *file, const struct block_map *m, const struct block_vec *v,
		 unsigned int n)
{
	struct inflate *s = heap_alloc(sizeof(*s));
	int r;

	if (s == NULL) {
		return -ENOMEM;
	}
	s->file = file;
	s->off = m->file_off;
	s->end = m->file_off + m->file_len;
	s->skip = m->skip;
	s->v = v;
	s->n = n;
	s->wanted = block_vec_bytes(v, n);
	if (m->zlib) {
		zlib_header(s);
	}
	inflate_blocks(s);
	drain(s);
	r = s->error ? s->error : s->wanted > 0 ? -EIO : 0;
	heap_free(s);
	return r;
}
