/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers: what a function returns, negated, when the world (not we, not the guest) is at */
/* fault. The values are Linux's, so that host unit tests agree with their libc. */
#ifndef HV_LIB_ERRNO_H
#define HV_LIB_ERRNO_H

#define EPERM	  1
#define ENOENT	  2
#define EIO	  5
#define E2BIG	  7
#define EAGAIN	  11
#define ENOMEM	  12
#define EACCES	  13
#define EFAULT	  14
#define EBUSY	  16
#define EEXIST	  17
#define ENODEV	  19
#define EINVAL	  22
#define ENOSPC	  28
#define EROFS	  30
#define ERANGE	  34
#define ENOSYS	  38
#define EPROTO	  71
#define EOVERFLOW 75
#define ENOTSUP	  95
#define ETIMEDOUT 110

/* "out of memory" and so on, for messages; errnum may carry either sign. */
const char *errno_text(int errnum);

#endif
