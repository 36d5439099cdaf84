/* SPDX-License-Identifier: BSD-2-Clause */
/* Types of configuration values: how each is read, checked and written back. */
/* Pure; knows no single key. */
#ifndef HV_MGMT_CONFIG_TYPE_H
#define HV_MGMT_CONFIG_TYPE_H

#include "hv/mgmt/config.h"
#include "hv/mgmt/toml.h"

struct config_reader {
	const struct config_env *env;
	struct diag *d;
	char path[96]; /* of the key, for messages: "vm.web1.memory" */
};

struct config_type {
	const char *name; /* for help */
	enum toml_type toml;
	enum toml_type items; /* of an array */
	/* Checks n and fills field; false after diag_add, with field perhaps changed. */
	bool (*read)(struct config_reader *r, const struct config_key *key, void *field,
		     const struct toml_node *n);
	void (*text)(const struct config_key *key, const void *field, struct shell_out *out);
	/* NULL (text is JSON as well) or: the same as one JSON value. */
	void (*json)(const struct config_key *key, const void *field, struct shell_out *out);
};

extern const struct config_type config_type_string;
extern const struct config_type config_type_file;     /* "STORE:FILE" */
extern const struct config_type config_type_modules;  /* of struct vm_config */
extern const struct config_type config_type_cpuid;    /* of struct vm_config */
extern const struct config_type config_type_size;     /* uint64_t, bytes */
extern const struct config_type config_type_duration; /* uint32_t, ms */
extern const struct config_type config_type_integer;  /* 4 bytes */
extern const struct config_type config_type_boolean;
extern const struct config_type config_type_choice;  /* 4 bytes: the index of the name */
extern const struct config_type config_type_cpus;    /* uint64_t mask */
extern const struct config_type config_type_list;    /* config_list.c: array of key->list's items */
extern const struct config_type config_type_mac;     /* config_net.c: 6 bytes, 0: none */
extern const struct config_type config_type_subnet;  /* config_net.c: struct network_subnet */
extern const struct config_type config_type_address; /* likewise; addr 0 is "dhcp" */
extern const struct config_type config_type_ip;	     /* config_net.c: uint32_t, 0: none */
extern const struct config_type config_type_forwards; /* config_net.c: of struct network_config */

/* The key of a list's items, or NULL. Of config_list.c. */
const struct config_key *config_list_find(const struct config_list *l, const char *name);
/* One key of a table into base, by its type; false after an error. Of config.c. */
bool config_read_key(struct config_reader *r, const struct config_key *key, void *base,
		     const struct toml_node *n);
/* "KEY: found X, allowed: Y". */
bool config_type_wrong(struct config_reader *r, const struct config_key *key,
		       const struct toml_node *n);

#endif
