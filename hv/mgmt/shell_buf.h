/* SPDX-License-Identifier: BSD-2-Clause */
/* Output kept in memory while a lock is held, and printed when it is not: terminals are slow. */
/* Knows no lock. */
#ifndef HV_MGMT_SHELL_BUF_H
#define HV_MGMT_SHELL_BUF_H

#include "hv/mgmt/shell_out.h"

struct shell_buf_block;

struct shell_buf {
	struct shell_out out; /* what the command prints to; b must not move */
	struct shell_buf_block *first, *last;
	bool lost; /* memory was out */
};

void shell_buf_init(struct shell_buf *b);
/* Prints what was kept and frees it; false if some of it is lost. No lock held. */
bool shell_buf_flush(struct shell_buf *b, struct shell_out *to);

#endif
