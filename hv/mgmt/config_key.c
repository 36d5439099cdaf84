/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the names of the file's tables and keys, and how a key is found by its name. */
/* Reads no value; the keys themselves are config_schema.c's. */
#include "hv/mgmt/config_key.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config_schema.h"
#include "hv/mgmt/near.h"

const struct config_table_name config_tables[CONFIG_TABLES] = {
	[CONFIG_HOST] = { "host", false, true },
	[CONFIG_VM] = { "vm", true, true },
	[CONFIG_NET] = { "net", true, true },
	[CONFIG_STORE] = { "store", true, false },
};

const struct config_key *config_keys(unsigned int *count)
{
	return config_schema(count);
}

void config_key_path(const struct config_key *key, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "%s.%s%s", config_tables[key->table].name,
		     config_tables[key->table].named ? "NAME." : "", key->name);
}

const struct config_key *config_key_in(enum config_table table, const char *name)
{
	unsigned int count;
	const struct config_key *keys = config_schema(&count);

	for (unsigned int i = 0; i < count; i++) {
		if (keys[i].table == table && strcmp(keys[i].name, name) == 0) {
			return &keys[i];
		}
	}
	return NULL;
}

const char *config_key_suggest(enum config_table table, const char *name, char *buf, size_t size)
{
	unsigned int count;
	const struct config_key *keys = config_schema(&count);
	struct near near;

	near_begin(&near, name);
	for (unsigned int i = 0; i < count; i++) {
		if (keys[i].table == table) {
			near_try(&near, keys[i].name);
		}
	}
	buf[0] = '\0';
	if (near.best != NULL) {
		fmt_snprintf(buf, size, "; did you mean %s?", near.best);
	}
	return buf;
}

/* The table that path begins with, and in *rest the last part; CONFIG_TABLES: none named. */
static enum config_table split_path(const char *path, const char **rest)
{
	const char *dot = strrchr(path, '.');

	*rest = dot != NULL ? dot + 1 : path;
	for (unsigned int t = 0; t < CONFIG_TABLES; t++) {
		size_t n = strlen(config_tables[t].name);

		if (strncmp(path, config_tables[t].name, n) == 0 && path[n] == '.') {
			return t;
		}
	}
	return CONFIG_TABLES;
}

const struct config_key *config_key_find(const char *path)
{
	const char *name;
	enum config_table table = split_path(path, &name);
	const struct config_key *only = NULL;

	if (table != CONFIG_TABLES) {
		return config_key_in(table, name);
	}
	for (unsigned int t = 0; t < CONFIG_TABLES && name == path; t++) {
		const struct config_key *key = config_key_in(t, name);

		if (key != NULL && only != NULL) {
			return NULL;
		}
		only = key != NULL ? key : only;
	}
	return only;
}
