/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads are copies, in parts that leave interrupts masked for short. */
/* There is no writing: who wants to keep changes puts an overlay above. */
#include "drivers/block/memfile.h"

#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SLICE (32ul * KIB) /* copied between checkpoints: 4,096 iterations */

struct memfile {
	struct block_file file;
	const uint8_t *data;
};

static int mem_read(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	const uint8_t *from = container_of(f, struct memfile, file)->data + off;
	uint64_t copied = 0;

	for (unsigned int i = 0; i < n; i++) {
		for (uint64_t done = 0; done < v[i].len;) {
			uint64_t part = u64_min(v[i].len - done, SLICE - copied);

			memcpy(v[i].base + done, from, part);
			from += part;
			done += part;
			copied += part;
			if (copied == SLICE) {
				copied = 0;
				thread_checkpoint();
			}
		}
	}
	return 0;
}

static int mem_write(struct block_file *f UNUSED, uint64_t off UNUSED,
		     const struct block_vec *v UNUSED, unsigned int n UNUSED)
{
	return -EROFS;
}

static int mem_flush(struct block_file *f UNUSED)
{
	return 0;
}

static void mem_close(struct block_file *f)
{
	heap_free(container_of(f, struct memfile, file));
}

static const struct block_file_ops ops = {
	.read = mem_read,
	.write = mem_write,
	.flush = mem_flush,
	.close = mem_close,
};

struct block_file *memfile_open(const void *data, uint64_t size)
{
	struct memfile *m = heap_alloc(sizeof(*m));

	if (m == NULL) {
		return NULL;
	}
	m->file = (struct block_file){
		.ops = &ops, .size = size, .readonly = true, .immediate = true
	};
	m->data = data;
	return &m->file;
}
