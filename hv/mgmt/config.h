/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: every key with its type, what is allowed and what it means, in one table. */
/* Pure: reads text into structs and writes structs as text; starts nothing. */
#ifndef HV_MGMT_CONFIG_H
#define HV_MGMT_CONFIG_H

#include "drivers/net/network_config.h"
#include "hv/base/log.h"
#include "hv/mgmt/diag.h"
#include "hv/mgmt/json.h"
#include "hv/mgmt/shell_out.h"
#include "hv/vm_config.h"

#define CONFIG_VMS_MAX	     64u
#define CONFIG_NETS_MAX	     32u
#define CONFIG_ADDRESSES_MAX 4u

enum host_scheduler { SCHEDULER_SHARE, SCHEDULER_WINDOW };

struct host_config {
	char name[32];
	unsigned int console;
	enum log_level log;	/* what is printed on the console */
	unsigned int scheduler; /* enum host_scheduler */
	uint32_t major_frame;	/* ms, of the window scheduler */
	unsigned int addresses;
	struct uplink_config address[CONFIG_ADDRESSES_MAX];
};

/* What the parser must know of the machine. */
struct config_env {
	unsigned int cpus;			/* of the host */
	bool (*cpuid_known)(const char *entry); /* "-rdrand": can that be hidden? */
	bool (*net_known)(const char *name);	/* NULL or: is there such a network already? */
};

struct config {
	struct host_config host;
	unsigned int vm_count;
	struct vm_config *vms; /* those without an error; in the file's order */
	unsigned int net_count;
	struct network_config *nets; /* likewise */
};

enum config_table { CONFIG_HOST, CONFIG_VM, CONFIG_NET, CONFIG_STORE, CONFIG_TABLES };

struct config_key {
	enum config_table table;
	const char *name;
	const char *allowed; /* for messages and help */
	const char *def;     /* as written in the file; "" = none; NULL = must be given */
	const char *help;
	const struct config_type *type; /* NULL: not supported in this version */
	const char *const *names;	/* a choice: its names, by value; NULL ends */
	const char *const *later;	/* a choice: names of later versions; NULL or NULL ends */
	bool any_store;			/* a file: also of stores that are written */
	int64_t min, max;
	size_t offset, size; /* of the field in struct vm_config, network_config or host_config */
	const struct config_list *list; /* NULL, or what the tables of a list have */
};

/* A list of inline tables, each an item of an array; a string in place of one gives its first key. */
struct config_list {
	const struct config_key *keys; /* offsets are into the item */
	unsigned int count;
	size_t item_size;
	size_t counter; /* offset of the number of items, an unsigned int, in the struct */
	void (*defaults)(void *item); /* NULL: all 0 */
};

#define CONFIG_DISK_FORMATS                                                                        \
	"\"raw\", \"qcow2\", \"vdi\", \"vhd\", \"qed\", \"qcow\" or \"vmdk\"; it is never guessed"
extern const char *const config_disk_formats[]; /* by enum vm_disk_format */

/*
 * Reads a file. Every error is in d; what has no error is in *out, which the caller frees with
 * config_free. 0, or -ENOMEM with *out empty. Thread context.
 */
int config_parse(const char *text, size_t size, const struct config_env *env, struct config *out,
		 struct diag *d);
void config_free(struct config *c);
void config_host_defaults(struct host_config *host);

/*
 * One KEY=VALUE of a command: text as in the file but that strings need no quotes; lists are A,B or [A,B].
 * Errors are in d, and cfg is then as it was. config_check_vm looks at what keys need of each other
 * and of the host's.
 */
void config_set_vm(struct vm_config *cfg, const char *key, const char *text,
		   const struct config_env *env, struct diag *d);
/* The same for a key of one disk's. */
void config_set_disk(struct vm_disk_config *disk, const char *key, const char *text,
		     const struct config_env *env, struct diag *d);
void config_check_vm(const struct host_config *host, const struct vm_config *cfg,
		     struct diag_place at, struct diag *d);

/* Is each of cfg's networks among those, or known to env? */
void config_check_nics(const struct config_env *env, const struct network_config *nets,
		       unsigned int count, const struct vm_config *cfg, struct diag_place at,
		       struct diag *d);

/* Does what a network has fit its mode? */
void config_check_net(const struct network_config *c, struct diag_place at, struct diag *d);
/* What c's forwarded ports and those of `count` other networks need of each other. */
void config_check_forwards(const struct network_config *nets, unsigned int count,
			   const struct network_config *c, struct diag_place at, struct diag *d);

/* "tcp:8080:web1:80"; false: it is none. And back. */
#define CONFIG_FORWARD_TEXT (NETWORK_NAME + 20u)
bool config_parse_forward(const char *s, struct network_forward *f);
void config_text_forward(const struct network_forward *f, char *buf, size_t size);

/* "192.0.2.1", of one host; false: it is none. */
bool config_parse_ip(const char *s, uint32_t *ip);

/* 1-31 letters, digits, '-', '_' and '.', the first no '-' or '.'. */
bool config_name_valid(const char *name);

/* Every key, for help and completion. */
const struct config_key *config_keys(unsigned int *count);
/* "vm.NAME.memory" */
void config_key_path(const struct config_key *key, char *buf, size_t size);
/* By path, by path without NAME, or by bare name if only one table has it; NULL if there is none. */
const struct config_key *config_key_find(const char *path);
/* The value of a key as the file would have it, e.g. "512M" in quotes; cut at size. */
void config_value_text(const struct config_key *key, const void *base, char *buf, size_t size);
/* A table of the file that says what differs from the defaults. */
void config_write_vm(const struct vm_config *cfg, struct shell_out *out);
/* The same as members of the object that is open in j, with every key of this version. */
void config_write_net(const struct network_config *net, struct shell_out *out);
void config_json_net(const struct network_config *net, struct json *j);
void config_json_vm(const struct vm_config *cfg, struct json *j);
void config_json_host(const struct host_config *host, struct json *j);
void config_write_host(const struct host_config *host, struct shell_out *out);

#endif
