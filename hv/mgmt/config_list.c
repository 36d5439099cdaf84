/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns lists of inline tables: [{ net = "lan" }, { net = "dmz", rate = "10M" }]. */
/* What keys they have is config_schema_lists.c's. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config_type.h"
#include "hv/mgmt/near.h"

#define TEXT_MAX 64u /* of a value that may be the default */

static unsigned int *counter(const struct config_key *key, const void *field)
{
	return (unsigned int *)((uintptr_t)field - key->offset + key->list->counter);
}

const struct config_key *config_list_find(const struct config_list *l, const char *name)
{
	for (unsigned int i = 0; i < l->count; i++) {
		if (strcmp(l->keys[i].name, name) == 0) {
			return &l->keys[i];
		}
	}
	return NULL;
}

static bool unknown(struct config_reader *r, const struct config_list *l, const struct toml_node *n)
{
	struct near near;

	near_begin(&near, n->key);
	for (unsigned int i = 0; i < l->count; i++) {
		near_try(&near, l->keys[i].name);
	}
	diag_add(r->d, n->at, "%s: unknown key%s%s%s", r->path,
		 near.best != NULL ? "; did you mean " : "", near.best != NULL ? near.best : "",
		 near.best != NULL ? "?" : "");
	return false;
}

/* Behind r->path, which has `len` bytes of the list's own. */
static void name_item(struct config_reader *r, size_t len, unsigned int i, const char *key)
{
	fmt_snprintf(r->path + len, sizeof(r->path) - len, "[%u].%.24s", i, key);
}

static bool need_all(struct config_reader *r, const struct config_list *l, size_t len,
		     unsigned int i, const struct toml_node *n)
{
	bool ok = true;

	for (unsigned int k = 0; k < l->count; k++) {
		const struct config_key *key = &l->keys[k];

		if (key->def == NULL && toml_find(n, key->name) == NULL) {
			name_item(r, len, i, key->name);
			diag_add(r->d, n->at, "%s: missing, allowed: %s", r->path, key->allowed);
			ok = false;
		}
	}
	return ok;
}

static bool read_item(struct config_reader *r, const struct config_list *l, size_t len,
		      unsigned int i, void *item, const struct toml_node *n)
{
	bool ok = need_all(r, l, len, i, n);

	for (const struct toml_node *c = n->children; c != NULL; c = c->next) {
		const struct config_key *key = config_list_find(l, c->key);

		name_item(r, len, i, c->key);
		ok &= key != NULL ? config_read_key(r, key, item, c) : unknown(r, l, c);
	}
	return ok;
}

static bool read_list(struct config_reader *r, const struct config_key *key, void *field,
		      const struct toml_node *n)
{
	const struct config_list *l = key->list;
	size_t len = strlen(r->path);
	unsigned int i = 0;
	bool ok = true;

	memset(field, 0, key->size); /* equal settings are equal bytes */
	for (const struct toml_node *c = n->children; c != NULL; c = c->next, i++) {
		char *item = (char *)field + i * l->item_size;

		r->path[len] = '\0';
		if (i == key->size / l->item_size) {
			diag_add(r->d, c->at, "%s: found more than %u, allowed: up to %u", r->path,
				 i, i);
			return false;
		}
		if (l->defaults != NULL) {
			l->defaults(item);
		}
		if (c->type == TOML_TABLE) {
			ok &= read_item(r, l, len, i, item, c);
		} else if (c->type == TOML_STRING) {
			ok &= config_read_key(r, &l->keys[0], item, c);
		} else {
			ok = config_type_wrong(r, key, c);
		}
	}
	*counter(key, field) = i;
	return ok;
}

/* One item; as in the file, or as JSON. What is as by default is left out of the file. */
static void put_item(const struct config_list *l, const void *item, bool json,
		     struct shell_out *out)
{
	const char *separator = json ? "{" : "{ ";
	char text[TEXT_MAX];

	for (unsigned int k = 0; k < l->count; k++) {
		const struct config_key *key = &l->keys[k];

		if (key->type == NULL) {
			continue;
		}
		config_value_text(key, item, text, sizeof(text));
		if (json || key->def == NULL || strcmp(key->def, text) != 0) {
			shell_out_printf(out, json ? "%s\"%s\":" : "%s%s = ", separator, key->name);
			key->type->text(key, (const char *)item + key->offset, out);
			separator = json ? "," : ", ";
		}
	}
	shell_out_puts(out, json ? "}" : " }");
}

static void put_list(const struct config_key *key, const void *field, bool json,
		     struct shell_out *out)
{
	shell_out_puts(out, "[");
	for (unsigned int i = 0; i < *counter(key, field); i++) {
		shell_out_puts(out, i == 0 ? "" : json ? "," : ", ");
		put_item(key->list, (const char *)field + i * key->list->item_size, json, out);
	}
	shell_out_puts(out, "]");
}

static void text_list(const struct config_key *key, const void *field, struct shell_out *out)
{
	put_list(key, field, false, out);
}

static void json_list(const struct config_key *key, const void *field, struct shell_out *out)
{
	put_list(key, field, true, out);
}

const struct config_type config_type_list = {
	.name = "list of tables",
	.toml = TOML_ARRAY,
	.items = TOML_TABLE,
	.read = read_list,
	.text = text_list,
	.json = json_list,
};
