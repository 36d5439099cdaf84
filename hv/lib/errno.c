/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the text of every error number. */
/* Knows no context: the caller's message says what failed. */
#include "hv/lib/errno.h"
#include "hv/lib/types.h"

static const char *const texts[] = {
	[0] = "success",
	[EPERM] = "not permitted",
	[ENOENT] = "not found",
	[EIO] = "input/output error",
	[E2BIG] = "too big",
	[EAGAIN] = "try again",
	[ENOMEM] = "out of memory",
	[EACCES] = "access denied",
	[EFAULT] = "bad address",
	[EBUSY] = "in use",
	[EEXIST] = "already exists",
	[ENODEV] = "no such device",
	[EINVAL] = "invalid value",
	[ENOSPC] = "no space left",
	[EROFS] = "read-only",
	[ERANGE] = "out of range",
	[ENOSYS] = "not available",
	[EPROTO] = "protocol violation",
	[EOVERFLOW] = "value too large",
	[ENOTSUP] = "not supported",
	[ETIMEDOUT] = "timed out",
};

const char *errno_text(int errnum)
{
	unsigned int n = errnum < 0 ? 0u - (unsigned int)errnum : (unsigned int)errnum;

	return n < ARRAY_SIZE(texts) && texts[n] != NULL ? texts[n] : "unknown error";
}
