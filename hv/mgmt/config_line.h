/* SPDX-License-Identifier: BSD-2-Clause */
/* A setting as a command has it, made the line that a configuration file would have. */
/* Knows the types of keys, no key. */
#ifndef HV_MGMT_CONFIG_LINE_H
#define HV_MGMT_CONFIG_LINE_H

#include "hv/mgmt/config_type.h"

#define CONFIG_LINE_MAX 4096u /* "v = " and a command's longest word, every byte escaped */

/*
 * Writes "v = VALUE" into line, which has CONFIG_LINE_MAX bytes, and returns its length. Strings need
 * no quotes, as the command line takes them away, but may have them in lists; A,B is [A,B].
 */
size_t config_line_make(char *line, const struct config_type *type, const char *text);

#endif
