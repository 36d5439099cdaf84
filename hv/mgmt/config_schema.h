/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of configuration keys, and how a row of it is written. */
/* Only config_key.c, config_write.c and the tables need this: others ask config.h. */
#ifndef HV_MGMT_CONFIG_SCHEMA_H
#define HV_MGMT_CONFIG_SCHEMA_H

#include "hv/mgmt/config.h"

/* Where a key's value goes. */
#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
/* A key that later versions know: refused by name. */
#define LATER(tbl, key, what)                                                                      \
	{                                                                                          \
		.table = (tbl), .name = (key), .allowed = "nothing in this version", .def = "",    \
		.help = (what)                                                                     \
	}

/* What stands in lists: config_schema_lists.c. */
extern const struct config_list config_disks, config_nics, config_addresses;

const struct config_key *config_schema(unsigned int *count);

#endif
