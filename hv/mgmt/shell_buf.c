/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a list of blocks of text. */
/* Prints nothing before the flush. */
#include "hv/mgmt/shell_buf.h"
#include "hv/base/heap.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define BLOCK_SIZE 2016u /* an object of the heap's */

struct shell_buf_block {
	struct shell_buf_block *next;
	size_t len;
	char text[BLOCK_SIZE - 2 * sizeof(size_t)];
};

static struct shell_buf_block *add_block(struct shell_buf *b)
{
	struct shell_buf_block *block = heap_alloc(sizeof(*block));

	if (block == NULL) {
		b->lost = true;
		return NULL;
	}
	block->next = NULL;
	block->len = 0;
	if (b->last != NULL) {
		b->last->next = block;
	} else {
		b->first = block;
	}
	b->last = block;
	return block;
}

/* What is printed comes in words: a checkpoint for each, since formatting takes longer than keeping. */
static void put(void *arg, const char *text, size_t len)
{
	struct shell_buf *b = arg;

	thread_checkpoint();
	while (len > 0 && !b->lost) {
		struct shell_buf_block *block = b->last;
		size_t n;

		if (block == NULL || block->len == sizeof(block->text)) {
			block = add_block(b);
		}
		if (block != NULL) {
			n = u64_min(len, sizeof(block->text) - block->len);
			memcpy(block->text + block->len, text, n);
			block->len += n;
			text += n;
			len -= n;
		}
	}
}

void shell_buf_init(struct shell_buf *b)
{
	*b = (struct shell_buf){ .out = { put, b } };
}

bool shell_buf_flush(struct shell_buf *b, struct shell_out *to)
{
	struct shell_buf_block *block = b->first;

	while (block != NULL) {
		struct shell_buf_block *next = block->next;

		shell_out_write(to, block->text, block->len);
		heap_free(block);
		block = next;
	}
	return !b->lost;
}
