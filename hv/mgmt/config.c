/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the walk over a parsed file: known tables, known keys, each VM checked, errors collected. */
/* Knows no single key: config_schema.c has them. */
#include "hv/mgmt/config.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config_line.h"
#include "hv/mgmt/config_schema.h"
#include "hv/mgmt/config_type.h"
#include "hv/mgmt/near.h"
#include "hv/thread.h"

/* The top-level tables of the file. */
static const struct {
	const char *name;
	bool named; /* [vm.NAME], not [host] */
	bool supported;
} tables[CONFIG_TABLES] = {
	[CONFIG_HOST] = { "host", false, true },
	[CONFIG_VM] = { "vm", true, true },
	[CONFIG_NET] = { "net", true, true },
	[CONFIG_STORE] = { "store", true, false },
};

void config_host_defaults(struct host_config *host)
{
	memset(host, 0, sizeof(*host));
	string_copy(host->name, "insula", sizeof(host->name));
	host->log = LOG_INFO;
	host->major_frame = 10;
}

bool config_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n >= VM_NAME_MAX || name[0] == '-' || name[0] == '.') {
		return false;
	}
	for (; *name != '\0'; name++) {
		char c = *name;

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-' || c == '_' || c == '.')) {
			return false;
		}
	}
	return true;
}

/* ---- keys ---- */

const struct config_key *config_keys(unsigned int *count)
{
	return config_schema(count);
}

void config_key_path(const struct config_key *key, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "%s.%s%s", tables[key->table].name,
		     tables[key->table].named ? "NAME." : "", key->name);
}

static const struct config_key *find_key(enum config_table table, const char *name)
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

/* The nearest name of the table, " (did you mean X?)". */
static const char *suggest_key(enum config_table table, const char *name, char *buf, size_t size)
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
		size_t n = strlen(tables[t].name);

		if (strncmp(path, tables[t].name, n) == 0 && path[n] == '.') {
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
		return find_key(table, name);
	}
	for (unsigned int t = 0; t < CONFIG_TABLES && name == path; t++) {
		const struct config_key *key = find_key(t, name);

		if (key != NULL && only != NULL) {
			return NULL;
		}
		only = key != NULL ? key : only;
	}
	return only;
}

/* ---- reading ---- */

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
		const struct config_key *key = find_key(table, n->key);
		char hint[64];

		fmt_snprintf(r->path, sizeof(r->path), "%s.%.40s", prefix, n->key);
		if (key == NULL) {
			diag_add(r->d, n->at, "%s: unknown key%s", r->path,
				 suggest_key(table, n->key, hint, sizeof(hint)));
			ok = false;
		} else {
			ok &= config_read_key(r, key, base, n);
		}
		thread_checkpoint(); /* a list of tables is much for one go */
	}
	return ok;
}

static const char *const need_kernel = "kernel: missing, allowed: a file like \"boot:vmlinuz\"";

/* Windows are what a VM gets at most and at least. */
static void share_only(const struct vm_config *cfg, const char *key, unsigned int percent,
		       struct diag_place at, struct diag *d)
{
	if (percent != 0) {
		diag_add(d, at,
			 "vm.%s.%s: found %u, allowed: only with [host] scheduler = \"share\"",
			 cfg->name, key, percent);
	}
}

static void check_disk(const struct vm_config *cfg, unsigned int i, struct diag_place at,
		       struct diag *d)
{
	const struct vm_disk_config *disk = &cfg->disks[i];

	if (disk->format == VM_DISK_NO_FORMAT) {
		diag_add(d, at, "vm.%s.disks[%u].format: missing, allowed: %s", cfg->name, i,
			 CONFIG_DISK_FORMATS);
	}
	if ((disk->file[0] == '\0') == (disk->disk[0] == '\0')) {
		diag_add(d, at, "vm.%s.disks[%u]: found %s, allowed: either file or disk",
			 cfg->name, i, disk->file[0] == '\0' ? "neither" : "both");
	}
	if (disk->partition != 0 && disk->disk[0] == '\0') {
		diag_add(d, at, "vm.%s.disks[%u].partition: found %u, allowed: only with disk",
			 cfg->name, i, disk->partition);
	}
	if (!string_starts_with(disk->file, "boot:") && disk->readonly && disk->overlay != 0) {
		diag_add(d, at, "vm.%s.disks[%u]: found both, allowed: readonly or overlay",
			 cfg->name, i);
	}
	if (string_starts_with(disk->file, "boot:") && disk->readonly == (disk->overlay != 0)) {
		diag_add(d, at,
			 "vm.%s.disks[%u]: found %s, allowed: readonly = true or, as boot modules "
			 "cannot be written, overlay = \"SIZE\"",
			 cfg->name, i, disk->readonly ? "both" : "neither");
	}
}

void config_check_vm(const struct host_config *host, const struct vm_config *cfg,
		     struct diag_place at, struct diag *d)
{
	if (cfg->kernel[0] == '\0') {
		diag_add(d, at, "vm.%s.%s", cfg->name, need_kernel);
	}
	if (cfg->initrd[0] != '\0' && cfg->boot != VM_BOOT_LINUX) {
		diag_add(d, at, "vm.%s.initrd: found \"%s\", allowed: only with boot = \"linux\"",
			 cfg->name, cfg->initrd);
	}
	if (cfg->module_count > 0 && cfg->boot != VM_BOOT_MULTIBOOT) {
		diag_add(d, at, "vm.%s.modules: found %u, allowed: only with boot = \"multiboot\"",
			 cfg->name, cfg->module_count);
	}
	if (cfg->reserve > 100 * cfg->cpus || (cfg->cap != 0 && cfg->reserve > cfg->cap)) {
		diag_add(d, at, "vm.%s.reserve: found %u, allowed: at most %s, %u", cfg->name,
			 cfg->reserve,
			 cfg->reserve > 100 * cfg->cpus ? "100 for each of its cpus" : "its cap",
			 cfg->reserve > 100 * cfg->cpus ? 100 * cfg->cpus : cfg->cap);
	}
	for (unsigned int i = 0; i < cfg->disk_count; i++) {
		check_disk(cfg, i, at, d);
	}
	if (host->scheduler == SCHEDULER_WINDOW) {
		share_only(cfg, "cap", cfg->cap, at, d);
		share_only(cfg, "reserve", cfg->reserve, at, d);
	} else if (cfg->window != 0) {
		diag_add(d, at,
			 "vm.%s.window: found \"%ums\", allowed: only with [host] scheduler = "
			 "\"window\"",
			 cfg->name, cfg->window);
	}
}

void config_check_nics(const struct config_env *env, const struct network_config *nets,
		       unsigned int count, const struct vm_config *cfg, struct diag_place at,
		       struct diag *d)
{
	for (unsigned int i = 0; i < cfg->nic_count; i++) {
		const char *name = cfg->nics[i].net;
		bool known = env->net_known != NULL && env->net_known(name);

		for (unsigned int n = 0; n < count && !known; n++) {
			known = strcmp(nets[n].name, name) == 0;
		}
		if (!known) {
			diag_add(d, at,
				 "vm.%s.nics: found network \"%s\", allowed: one that there is, "
				 "[net.%s]",
				 cfg->name, name, name);
		}
	}
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

/* The same key, of a network whose mode cannot have it. */
static void mode_only(const struct network_config *c, const char *key, const char *modes,
		      struct diag_place at, struct diag *d)
{
	diag_add(d, at, "net.%s.%s: allowed: only with mode = %s", c->name, key, modes);
}

static void check_uplink(const struct network_config *c, struct diag_place at, struct diag *d)
{
	if (c->mode == NETWORK_INTERNAL && c->uplink[0] != '\0') {
		mode_only(c, "uplink", "\"nat\", \"natnet\" or \"bridge\"", at, d);
	}
	if (c->mode == NETWORK_BRIDGE && c->uplink[0] == '\0') {
		diag_add(
			d, at,
			"net.%s.uplink: missing, allowed: a network card of the host like \"nic0\"",
			c->name);
	}
	if (c->forwards != 0 && c->uplink[0] == '\0') {
		diag_add(d, at, "net.%s.forward: allowed: only with an uplink", c->name);
	}
}

/* Gateways and wires are made for frames of the usual length. */
static void check_net(const struct network_config *c, struct diag_place at, struct diag *d)
{
	bool gateway = c->mode == NETWORK_NAT || c->mode == NETWORK_NATNET;

	if (!gateway && c->subnet.addr != 0) {
		mode_only(c, "subnet", "\"nat\" or \"natnet\"", at, d);
	}
	if (!gateway && c->forwards != 0) {
		mode_only(c, "forward", "\"nat\" or \"natnet\"", at, d);
	}
	if (c->mode != NETWORK_INTERNAL && c->mtu > NETWORK_MTU) {
		diag_add(d, at,
			 "net.%s.mtu: found %u, allowed: at most %u but with mode = \"internal\"",
			 c->name, c->mtu, NETWORK_MTU);
	}
	check_uplink(c, at, d);
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
		check_net(c, n->at, r->d);
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
		near_try(&near, tables[t].name);
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

	while (t < CONFIG_TABLES && strcmp(tables[t].name, n->key) != 0) {
		t++;
	}
	if (t == CONFIG_TABLES) {
		unknown_table(r, n);
	} else if (!tables[t].supported) {
		const struct toml_node *first = n->children != NULL ? n->children : n;

		diag_add(r->d, first->at, "%s: not supported in this version", n->key);
	} else if (n->type != TOML_TABLE) {
		diag_add(r->d, n->at, "%s: found %s, allowed: a table, [%s%s]", n->key,
			 toml_type_name(n->type), n->key, tables[t].named ? ".NAME" : "");
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

			while (i < ARRAY_SIZE(order) && strcmp(n->key, tables[order[i]].name)) {
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
		bool vms = strcmp(n->key, tables[CONFIG_VM].name) == 0;

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

static void set_key(struct config_reader *r, const struct config_key *key, struct vm_config *cfg,
		    const char *text)
{
	char *line = heap_alloc(CONFIG_LINE_MAX);
	struct vm_config *copy = heap_alloc(sizeof(*copy));
	struct toml_node *root = NULL;
	unsigned int before = r->d->count;

	if (line != NULL && copy != NULL) {
		*copy = *cfg;
		root = toml_parse(line, config_line_make(line, key->type, text), r->d);
	}
	if (root == NULL) {
		diag_add(r->d, (struct diag_place){ 0, 0 }, "out of memory");
	} else if (r->d->count > before) { /* say it of the text, not of the line made of it */
		r->d->count = before;
		diag_add(r->d, (struct diag_place){ 0, 0 }, "%s: found %.60s, allowed: %s", r->path,
			 text, key->allowed);
	} else if (root->children != NULL && config_read_key(r, key, copy, root->children)) {
		*cfg = *copy;
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
	const struct config_key *key = find_key(CONFIG_VM, name);
	unsigned int first = d->count;
	char hint[64];

	fmt_snprintf(r.path, sizeof(r.path), "%.40s", name);
	if (key == NULL) {
		diag_add(d, nowhere.at, "%s: unknown key%s", r.path,
			 suggest_key(CONFIG_VM, name, hint, sizeof(hint)));
	} else if (key->type == NULL) {
		config_read_key(&r, key, cfg, &nowhere);
	} else {
		set_key(&r, key, cfg, text);
	}
	for (; first < d->count; first++) {
		d->entries[first].at = nowhere.at;
	}
}

/* ---- writing ---- */

struct text_buf {
	char *buf;
	size_t size, len;
};

static void text_put(void *arg, const char *text, size_t len)
{
	struct text_buf *t = arg;
	size_t n = u64_min(len, t->size - 1 - t->len);

	memcpy(t->buf + t->len, text, n);
	t->len += n;
	t->buf[t->len] = '\0';
}

void config_value_text(const struct config_key *key, const void *base, char *buf, size_t size)
{
	struct text_buf t = { buf, size, 0 };
	struct shell_out out = { text_put, &t };

	buf[0] = '\0';
	if (key->type != NULL) {
		key->type->text(key, (const char *)base + key->offset, &out);
	}
}

static void write_table(enum config_table table, const void *base, struct shell_out *out)
{
	unsigned int count;
	const struct config_key *keys = config_schema(&count);
	char text[64]; /* cut if longer, and then no default */

	for (unsigned int i = 0; i < count; i++) {
		thread_checkpoint();
		if (keys[i].table != table || keys[i].type == NULL) {
			continue;
		}
		config_value_text(&keys[i], base, text, sizeof(text));
		if (keys[i].def == NULL || strcmp(keys[i].def, text) != 0) {
			shell_out_printf(out, "%s = ", keys[i].name);
			keys[i].type->text(&keys[i], (const char *)base + keys[i].offset, out);
			shell_out_puts(out, "\n");
		}
	}
}

static void write_named(enum config_table table, const char *name, const void *base,
			struct shell_out *out)
{
	/* A dot in the name would split it. */
	const char *quote = strchr(name, '.') != NULL ? "\"" : "";

	shell_out_printf(out, "[%s.%s%s%s]\n", tables[table].name, quote, name, quote);
	write_table(table, base, out);
}

void config_write_vm(const struct vm_config *cfg, struct shell_out *out)
{
	write_named(CONFIG_VM, cfg->name, cfg, out);
}

void config_write_net(const struct network_config *net, struct shell_out *out)
{
	write_named(CONFIG_NET, net->name, net, out);
}

void config_write_host(const struct host_config *host, struct shell_out *out)
{
	shell_out_puts(out, "[host]\n");
	write_table(CONFIG_HOST, host, out);
}

/* What is written into the file for strings, numbers and lists is JSON as well: escapes included. */
static void json_table(enum config_table table, const void *base, struct json *j)
{
	unsigned int count;
	const struct config_key *keys = config_schema(&count);

	for (unsigned int i = 0; i < count; i++) {
		if (keys[i].table == table && keys[i].type != NULL) {
			const struct config_type *type = keys[i].type;

			json_raw(j, keys[i].name, "");
			(type->json != NULL ? type->json : type->text)(
				&keys[i], (const char *)base + keys[i].offset, j->out);
		}
	}
}

void config_json_vm(const struct vm_config *cfg, struct json *j)
{
	json_table(CONFIG_VM, cfg, j);
}

void config_json_net(const struct network_config *net, struct json *j)
{
	json_table(CONFIG_NET, net, j);
}

void config_json_host(const struct host_config *host, struct json *j)
{
	json_table(CONFIG_HOST, host, j);
}
