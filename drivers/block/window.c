/* SPDX-License-Identifier: BSD-2-Clause */
/* Moves every request to where the window begins; block.c has checked that it lies within. */
/* Owns no data. */
#include "drivers/block/window.h"

#include "hv/base/heap.h"

struct window {
	struct block_dev dev;
	struct window_params p;
};

static const struct window_params *params(struct block_dev *d)
{
	return &container_of(d, struct window, dev)->p;
}

static int window_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return block_read(params(d)->base, params(d)->off + off, v, n);
}

static int window_write(struct block_dev *d, uint64_t off, const struct block_vec *v,
			unsigned int n)
{
	return block_write(params(d)->base, params(d)->off + off, v, n);
}

static int window_flush(struct block_dev *d)
{
	return block_flush(params(d)->base);
}

static int window_discard(struct block_dev *d, uint64_t off, uint64_t len)
{
	return block_discard(params(d)->base, params(d)->off + off, len);
}

static int window_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap)
{
	return block_write_zeroes(params(d)->base, params(d)->off + off, len, unmap);
}

static int window_close(struct block_dev *d)
{
	struct window *w = container_of(d, struct window, dev);
	int err = block_flush(d);

	if (w->p.closed != NULL) {
		w->p.closed(w->p.arg);
	}
	heap_free(w);
	return err;
}

static const struct block_dev_ops ops = {
	.read = window_read,
	.write = window_write,
	.flush = window_flush,
	.discard = window_discard,
	.write_zeroes = window_write_zeroes,
	.close = window_close,
};

struct block_dev *window_open(const struct window_params *p)
{
	struct window *w = heap_alloc(sizeof(*w));

	if (w == NULL) {
		return NULL;
	}
	w->p = *p;
	w->dev = (struct block_dev){
		.ops = &ops,
		.size = p->size,
		.granularity = p->base->granularity,
		.readonly = p->readonly || p->base->readonly,
		.immediate = p->base->immediate,
	};
	return &w->dev;
}
