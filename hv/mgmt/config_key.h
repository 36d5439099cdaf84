/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the configuration's tables and keys, as the reader and the writer of the file need them. */
/* Others ask config.h. */
#ifndef HV_MGMT_CONFIG_KEY_H
#define HV_MGMT_CONFIG_KEY_H

#include "hv/mgmt/config.h"

struct config_table_name {
	const char *name;
	bool named; /* [vm.NAME], not [host] */
	bool supported;
};

extern const struct config_table_name config_tables[CONFIG_TABLES];

/* The key of that table, or NULL. */
const struct config_key *config_key_in(enum config_table table, const char *name);
/* "; did you mean X?" with the nearest name of the table, or "": buf. */
const char *config_key_suggest(enum config_table table, const char *name, char *buf, size_t size);

#endif
