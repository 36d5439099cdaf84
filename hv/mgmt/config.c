/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the walk over a parsed file: known tables, known keys, each VM checked, errors collected. */
/* Knows no single key: config_schema.c has them; config_check.c has the rules between keys. */
#include "hv/mgmt/config.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config_key.h"
#include "hv/mgmt/config_line.h"
#include "hv/mgmt/config_type.h"
#include "hv/mgmt/near.h"
#include "hv/thread.h"

void config_host_defaults(struct host_config *host)
{
	memset(host, 0, sizeof(*host));
	string_copy(host->name, "insula", sizeof(host->name));
	host->log = LOG_INFO;
	host->major_frame = 10;
}

bool config_read_key(struct config_reader *r, const struct config_key *key, void *base,
		     const struct toml_node *n)
{
	if (key->type == NULL) {
		diag_add(r->d, n->at, "%s: not supported in this version (%s)", r->path, key->help);
		return false;
	}
	if (n->bad) {
		return false; /* the parser has said why */
	}
	if (n->type != key->type->toml) {
		return config_type_wrong(r, key, n);
	}
	return key->type->read(r, key, (char *)base + key->offset, n);
}

/* All keys of a table; false if one has an error. prefix: "vm.web1". */
static bool read_table(struct config_reader *r, enum config_table table, const char *prefix,
		       void *base, const struct toml_node *from)
{
	bool ok = true;

	for (const struct toml_node *n = from->children; n != NULL; n = n->next) {
		const struct config_key *key = config_key_in(table, n->key);
		char hint[64];

		fmt_snprintf(r->path, sizeof(r->path), "%s.%.40s", prefix, n->key);
		if (key == NULL) {
			diag_add(r->d, n->at, "%s: unknown key%s", r->path,
				 config_key_suggest(table, n->key, hint, sizeof(hint)));
			ok = false;
		} else {
			ok &= config_read_key(r, key, base, n);
		}
		thread_checkpoint(); /* a list of tables is much for one go */
	}
	return ok;
}

/* [kind.NAME], and NAME is one. */
static bool name_is_valid(struct config_reader *r, const char *kind, const char *prefix,
			  const struct toml_node *n)
{
	if (n->type != TOML_TABLE) {
		diag_add(r->d, n->at, "%s: found %s, allowed: a table, [%s.NAME]", prefix,
			 toml_type_name(n->type), kind);
		return false;
	}
	if (!config_name_valid(n->key)) {
		diag_add(r->d, n->at,
			 "%s: found the name \"%.40s\", allowed: 1 to 31 letters, "
			 "digits, '-', '_' and '.'",
			 prefix, n->key);
	}
	return true;
}

/* Reads [vm.NAME] into out->vms[vm_count], and keeps it there if it has no error. */
static void read_vm(struct config_reader *r, struct config *out, const struct toml_node *n)
{
	struct vm_config *cfg = &out->vms[out->vm_count];
	char prefix[48];
	unsigned int before = r->d->count;

	vm_config_defaults(cfg);
	fmt_snprintf(prefix, sizeof(prefix), "vm.%.40s", n->key);
	if (!name_is_valid(r, "vm", prefix, n)) {
		return;
	}
	string_copy(cfg->name, n->key, sizeof(cfg->name));
	if (read_table(r, CONFIG_VM, prefix, cfg, n) && !n->bad) {
		config_check_vm(&out->host, cfg, n->at, r->d);
		config_check_nics(r->env, out->nets, out->net_count, cfg, n->at, r->d);
	}
	out->vm_count += r->d->count == before && r->d->dropped == 0 && !n->bad;
}

/* Reads [net.NAME], as read_vm. */
static void read_net(struct config_reader *r, struct config *out, const struct toml_node *n)
{
	struct network_config *c = &out->nets[out->net_count];
	unsigned int before = r->d->count;
	char prefix[48];

	network_config_defaults(c);
	fmt_snprintf(prefix, sizeof(prefix), "net.%.40s", n->key);
	if (!name_is_valid(r, "net", prefix, n)) {
		return;
	}
	string_copy(c->name, n->key, sizeof(c->name));
	if (read_table(r, CONFIG_NET, prefix, c, n) && !n->bad) {
		config_check_net(c, n->at, r->d);
		config_check_forwards(out->nets, out->net_count, c, n->at, r->d);
	}
	out->net_count += r->d->count == before && r->d->dropped == 0 && !n->bad;
}

static void read_nets(struct config_reader *r, struct config *out, const struct toml_node *table)
{
	for (const struct toml_node *n = table->children; n != NULL; n = n->next) {
		if (out->net_count == CONFIG_NETS_MAX) {
			diag_add(r->d, n->at, "net.%.40s: more than %u networks", n->key,
				 CONFIG_NETS_MAX);
			return;
		}
		read_net(r, out, n);
		thread_checkpoint();
	}
}

static void read_vms(struct config_reader *r, struct config *out, const struct toml_node *table)
{
	for (const struct toml_node *n = table->children; n != NULL; n = n->next) {
		if (out->vm_count == CONFIG_VMS_MAX) {
			diag_add(r->d, n->at, "vm.%.40s: more than %u VMs", n->key, CONFIG_VMS_MAX);
			return;
		}
		read_vm(r, out, n);
		thread_checkpoint();
	}
}

static void read_host(struct config_reader *r, struct config *out, const struct toml_node *table)
{
	struct host_config host;

	config_host_defaults(&host);
	read_table(r, CONFIG_HOST, "host", &host, table);
	out->host = host;
}

static void unknown_table(struct config_reader *r, const struct toml_node *n)
{
	struct near near;
	char hint[48] = "";

	near_begin(&near, n->key);
	for (unsigned int t = 0; t < CONFIG_TABLES; t++) {
		near_try(&near, config_tables[t].name);
	}
	if (near.best != NULL) {
		fmt_snprintf(hint, sizeof(hint), "; did you mean %s?", near.best);
	}
	diag_add(r->d, n->at, "%.40s: unknown %s, allowed: [host], [net.NAME] and [vm.NAME]%s",
		 n->key, n->type == TOML_TABLE ? "table" : "key", hint);
}

static void (*const readers[CONFIG_TABLES])(struct config_reader *r, struct config *out,
					    const struct toml_node *n) = {
	[CONFIG_HOST] = read_host,
	[CONFIG_NET] = read_nets,
	[CONFIG_VM] = read_vms,
};

static void read_top(struct config_reader *r, struct config *out, const struct toml_node *n)
{
	unsigned int t = 0;

	while (t < CONFIG_TABLES && strcmp(config_tables[t].name, n->key) != 0) {
		t++;
	}
	if (t == CONFIG_TABLES) {
		unknown_table(r, n);
	} else if (!config_tables[t].supported) {
		const struct toml_node *first = n->children != NULL ? n->children : n;

		diag_add(r->d, first->at, "%s: not supported in this version", n->key);
	} else if (n->type != TOML_TABLE) {
		diag_add(r->d, n->at, "%s: found %s, allowed: a table, [%s%s]", n->key,
			 toml_type_name(n->type), n->key, config_tables[t].named ? ".NAME" : "");
	} else {
		readers[t](r, out, n);
	}
}

/*
 * What a VM may have depends on the host and the networks, wherever in the file these stand. Then
 * those tables (or keys) that there are not.
 */
static void read_tops(struct config_reader *r, struct config *out, const struct toml_node *root)
{
	static const enum config_table order[] = { CONFIG_HOST, CONFIG_NET, CONFIG_VM };

	for (unsigned int pass = 0; pass <= ARRAY_SIZE(order); pass++) {
		for (const struct toml_node *n = root->children; n != NULL; n = n->next) {
			unsigned int i = 0;

			while (i < ARRAY_SIZE(order) &&
			       strcmp(n->key, config_tables[order[i]].name) != 0) {
				i++;
			}
			if (i == pass) {
				read_top(r, out, n);
			}
		}
	}
}

/* Tables below [vm]: room for that many, and for one so that none is no special case. */
static unsigned int count_vms(const struct toml_node *root)
{
	unsigned int count = 1;

	for (const struct toml_node *n = root->children; n != NULL; n = n->next) {
		bool vms = strcmp(n->key, config_tables[CONFIG_VM].name) == 0;

		for (const struct toml_node *vm = n->children; vms && vm != NULL; vm = vm->next) {
			count++;
		}
	}
	return count < CONFIG_VMS_MAX ? count : CONFIG_VMS_MAX;
}

int config_parse(const char *text, size_t size, const struct config_env *env, struct config *out,
		 struct diag *d)
{
	struct config_reader r = { .env = env, .d = d };
	struct toml_node *root = toml_parse(text, size, d);

	thread_checkpoint();
	memset(out, 0, sizeof(*out));
	config_host_defaults(&out->host);
	if (root == NULL) {
		return -ENOMEM;
	}
	out->vms = heap_alloc(count_vms(root) * sizeof(*out->vms));
	out->nets = heap_alloc(CONFIG_NETS_MAX * sizeof(*out->nets));
	if (out->vms == NULL || out->nets == NULL) {
		config_free(out);
		toml_free(root);
		return -ENOMEM;
	}
	read_tops(&r, out, root);
	toml_free(root);
	return 0;
}

void config_free(struct config *c)
{
	heap_free(c->vms);
	heap_free(c->nets);
	c->vms = NULL;
	c->nets = NULL;
	c->vm_count = 0;
	c->net_count = 0;
}

/* ---- one key from a command ---- */

/* In the struct of `size` bytes at base that key is of. */
static void set_key(struct config_reader *r, const struct config_key *key, void *base, size_t size,
		    const char *text)
{
	char *line = heap_alloc(CONFIG_LINE_MAX);
	void *copy = heap_alloc(size);
	struct toml_node *root = NULL;
	unsigned int before = r->d->count;

	if (line != NULL && copy != NULL) {
		memcpy(copy, base, size);
		root = toml_parse(line, config_line_make(line, key->type, text), r->d);
	}
	if (root == NULL) {
		diag_add(r->d, (struct diag_place){ 0, 0 }, "out of memory");
	} else if (r->d->count > before) { /* say it of the text, not of the line made of it */
		r->d->count = before;
		diag_add(r->d, (struct diag_place){ 0, 0 }, "%s: found %.60s, allowed: %s", r->path,
			 text, key->allowed);
	} else if (root->children != NULL && config_read_key(r, key, copy, root->children)) {
		memcpy(base, copy, size);
	}
	toml_free(root);
	heap_free(copy);
	heap_free(line);
}

void config_set_vm(struct vm_config *cfg, const char *name, const char *text,
		   const struct config_env *env, struct diag *d)
{
	static const struct toml_node nowhere;
	struct config_reader r = { .env = env, .d = d };
	const struct config_key *key = config_key_in(CONFIG_VM, name);
	unsigned int first = d->count;
	char hint[64];

	fmt_snprintf(r.path, sizeof(r.path), "%.40s", name);
	if (key == NULL) {
		diag_add(d, nowhere.at, "%s: unknown key%s", r.path,
			 config_key_suggest(CONFIG_VM, name, hint, sizeof(hint)));
	} else if (key->type == NULL) {
		config_read_key(&r, key, cfg, &nowhere);
	} else {
		set_key(&r, key, cfg, sizeof(*cfg), text);
	}
	for (; first < d->count; first++) {
		d->entries[first].at = nowhere.at;
	}
}

void config_set_disk(struct vm_disk_config *disk, const char *name, const char *text,
		     const struct config_env *env, struct diag *d)
{
	struct config_reader r = { .env = env, .d = d };
	const struct config_key *disks = config_key_in(CONFIG_VM, "disks");
	const struct config_key *key = config_list_find(disks->list, name);

	fmt_snprintf(r.path, sizeof(r.path), "%.40s", name);
	if (key == NULL) {
		diag_add(d, (struct diag_place){ 0, 0 }, "%s: unknown key", r.path);
	} else {
		set_key(&r, key, disk, sizeof(*disk), text);
	}
}
