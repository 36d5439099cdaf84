/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the configuration as text: a file's tables, and JSON. */
/* How a value is written is its type's. */
#include "hv/lib/string.h"
#include "hv/mgmt/config_key.h"
#include "hv/mgmt/config_schema.h"
#include "hv/mgmt/config_type.h"
#include "hv/thread.h"

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

	shell_out_printf(out, "[%s.%s%s%s]\n", config_tables[table].name, quote, name, quote);
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
