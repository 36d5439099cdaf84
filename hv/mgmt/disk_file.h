/* SPDX-License-Identifier: BSD-2-Clause */
/* Disk images in files of stores: opened with what they stand on, made, removed. */
/* Which of them a VM has is hv/mgmt/disk's. */
#ifndef HV_MGMT_DISK_FILE_H
#define HV_MGMT_DISK_FILE_H

#include "drivers/block/image.h"
#include "hv/mgmt/store.h"

#define DISK_FILE_PATH (STORE_FILE_MAX + 24u) /* letters of STORE:FILE, and a zero */

enum disk_file_use {
	DISK_FILE_READ, /* others may, too */
	DISK_FILE_WRITE,
	DISK_FILE_REPAIR, /* also what is marked as damaged */
};

/*
 * Opens the image in a file, STORE:FILE; its backing files and its extent lie in the same store. 0, and
 * block_close gives it back; or -Exxx and one line in why, of `size` bytes. Any thread.
 */
int disk_file_open(const char *path, const char *format, enum disk_file_use use,
		   struct block_dev **out, char *why, size_t size);

/* The files that were made for an image. */
struct disk_file_made {
	char path[DISK_FILE_PATH];
	char extent[DISK_FILE_PATH]; /* "": there is none */
};

/*
 * Makes the file, which must not exist, and an empty image in it; p's name and extent are set here. The
 * shell's thread. As above.
 */
int disk_file_create(const char *path, const struct image_create_params *p,
		     struct disk_file_made *made, char *why, size_t size);
/* Deletes them again: nobody has them open. The shell's thread. */
void disk_file_unmake(const struct disk_file_made *made);

/* The format that a file's name ends with (".qcow2"; ".img" is raw), or NULL. */
const char *disk_file_format(const char *path);

#endif
