/* SPDX-License-Identifier: BSD-2-Clause */
/* A shell_out that keeps what was printed, for the tests of this folder. */
/* Fails the test when its buffer is full. */
#ifndef TESTS_UNIT_HV_MGMT_CAPTURE_H
#define TESTS_UNIT_HV_MGMT_CAPTURE_H

#include "hv/mgmt/shell_out.h"

struct capture {
	size_t len;
	char text[131072]; /* NUL-terminated */
};

struct shell_out capture_out(struct capture *c);
void capture_clear(struct capture *c);

#endif
