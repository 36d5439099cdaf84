/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of the machine's disks. */
/* Moves no data. */
#include "drivers/host/host_disk.h"

#include "hv/base/log.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

static struct host_disk *first; /* constant after host_pci_wait */

void host_disk_add(struct host_disk *d, const char *kind)
{
	struct host_disk **tail = &first;
	unsigned int number = 0;
	char size[16];

	for (; *tail != NULL; tail = &(*tail)->next) {
		number += strncmp((*tail)->name, kind, strlen(kind)) == 0;
	}
	fmt_snprintf(d->name, sizeof(d->name), "%s%u", kind, number);
	*tail = d;
	log_printf(LOG_INFO, "%s: %s, %s", d->name, d->model,
		   fmt_size(size, sizeof(size), d->dev.size));
}

struct host_disk *host_disk_next(struct host_disk *d)
{
	return d != NULL ? d->next : first;
}

struct host_disk *host_disk_find(const char *name)
{
	struct host_disk *d = first;

	while (d != NULL && strcmp(d->name, name) != 0) {
		d = d->next;
	}
	return d;
}

void host_disk_failed(struct host_disk *d, const char *what, uint64_t off, const char *why)
{
	if (__atomic_fetch_add(&d->errors, 1, __ATOMIC_RELAXED) == 0) {
		log_printf(LOG_HOST, "%s: %s at sector %lu failed: %s (told once)", d->name, what,
			   off / BLOCK_SECTOR, why);
	}
}
