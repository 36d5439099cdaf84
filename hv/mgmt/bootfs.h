/* SPDX-License-Identifier: BSD-2-Clause */
/* The store "boot:": the boot modules as read-only files, a bundle as the files in it. */
/* Copies nothing: a file's bytes are where the boot loader put them. */
#ifndef HV_MGMT_BOOTFS_H
#define HV_MGMT_BOOTFS_H

#include "hv/lib/types.h"
#include "hv/mgmt/store.h"

struct boot_info;

/* The same files by the interface that all stores share. */
extern const struct store bootfs_store;

struct bootfs_file {
	const char *name;
	const uint8_t *data; /* valid for good, in every address space */
	uint64_t size;
};

/* Once at boot; info stays valid. A damaged bundle shows the files before the damage, and is logged. */
void bootfs_init(const struct boot_info *info);

/* path: "boot:NAME". -ENOENT; -EINVAL if it names another store or none. */
int bootfs_find(const char *path, struct bootfs_file *out);

/* Walks all files: cursor zeroed to begin. False at the end. */
struct bootfs_cursor {
	unsigned int module;
	uint64_t offset;
};
bool bootfs_next(struct bootfs_cursor *cursor, struct bootfs_file *out);

#endif
