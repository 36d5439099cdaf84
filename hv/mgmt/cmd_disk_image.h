/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands about disk images share. */
/* Only cmd_disk*.c include it. */
#ifndef HV_MGMT_CMD_DISK_IMAGE_H
#define HV_MGMT_CMD_DISK_IMAGE_H

#include "drivers/block/image.h"
#include "hv/mgmt/shell.h"

#define CMD_DISK_WHY 200u /* bytes of a line that says what is wrong */

/*
 * The format of the file argv[i]: what the option says, else a VM's configuration, else its name. NULL
 * after shell_error.
 */
const char *cmd_disk_image_format(struct shell_call *c, unsigned int i, const char *option);
/* One of CONFIG_DISK_FORMATS by name; NULL after shell_error. */
const char *cmd_disk_image_known(struct shell_call *c, const char *format);
/* A size as "10G", at least a sector; false after shell_error. */
bool cmd_disk_image_size(struct shell_call *c, const char *text, uint64_t *size);
/* What --fixed means for the format: "fixed" or NULL; false after shell_error. */
bool cmd_disk_image_fixed(struct shell_call *c, const char *format, const char **subformat);
/* For identifiers of new images. */
uint64_t cmd_disk_image_seed(void);

#endif
