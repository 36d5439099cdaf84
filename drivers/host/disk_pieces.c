/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts requests. */
/* Touches no data. */
#include "drivers/host/disk_pieces.h"

#include "hv/thread.h"

int disk_pieces_move(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n,
		     bool write, uint64_t max, disk_piece_fn *fn)
{
	struct block_cursor c = { .v = v, .n = n };
	uint64_t left = block_vec_bytes(v, n);
	int err = 0;

	while (err == 0 && left > 0) {
		struct block_vec part[BLOCK_SLICE];
		struct disk_piece p = { .off = off, .v = part, .write = write };

		p.len = block_cursor_take(&c, u64_min(left, max), part, &p.n);
		err = fn(d, &p);
		off += p.len;
		left -= p.len;
		thread_checkpoint();
	}
	return err;
}

int disk_pieces_range(struct block_dev *d, uint64_t off, uint64_t len, uint64_t max,
		      disk_piece_fn *fn)
{
	int err = 0;

	while (err == 0 && len > 0) {
		const struct disk_piece p = { .off = off, .len = u64_min(len, max), .write = true };

		err = fn(d, &p);
		off += p.len;
		len -= p.len;
		thread_checkpoint();
	}
	return err;
}
