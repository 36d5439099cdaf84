/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies between a request and a buffer. */
/* Touches no device. */
#include "drivers/host/disk_job.h"

#include "hv/lib/string.h"

void disk_job_fill(const struct disk_job *j, uint8_t *buffer)
{
	if (j->v == NULL) {
		memset(buffer, 0, j->bytes);
	}
	for (unsigned int i = 0; i < j->n && !j->reads; i++) {
		memcpy(buffer, j->v[i].base, j->v[i].len);
		buffer += j->v[i].len;
	}
}

void disk_job_take(const struct disk_job *j, const uint8_t *buffer)
{
	if (j->reads) {
		block_vec_copy(j->v, j->n, 0, buffer, j->bytes);
	}
}
