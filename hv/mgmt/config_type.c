/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading, checking and writing each type of configuration value. */
/* Which key has which type is config_schema.c's. */
#include "hv/mgmt/config_type.h"
#include "arch/cpu.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/near.h"

/* ---- messages ---- */

/* The value as it stands in the file, shortened. */
static void found_text(const struct toml_node *n, char *buf, size_t size)
{
	switch (n->type) {
	case TOML_STRING:
		fmt_snprintf(buf, size, "\"%.60s\"", n->string);
		break;
	case TOML_INTEGER:
		fmt_snprintf(buf, size, "%ld", n->integer);
		break;
	case TOML_BOOLEAN:
		string_copy(buf, n->boolean ? "true" : "false", size);
		break;
	default:
		string_copy(buf, toml_type_name(n->type), size);
		break;
	}
}

bool config_type_wrong(struct config_reader *r, const struct config_key *key,
		       const struct toml_node *n)
{
	char found[80];

	found_text(n, found, sizeof(found));
	diag_add(r->d, n->at, "%s: found %s, allowed: %s", r->path, found, key->allowed);
	return false;
}

static bool too_long(struct config_reader *r, const struct toml_node *n, size_t max)
{
	diag_add(r->d, n->at, "%s: found %lu bytes, allowed: at most %lu", r->path,
		 strlen(n->string), max);
	return false;
}

static bool read_text(struct config_reader *r, char *field, size_t size, const struct toml_node *n)
{
	memset(field, 0, size); /* equal settings are equal bytes */
	return string_copy(field, n->string, size) || too_long(r, n, size - 1);
}

static void put_quoted(struct shell_out *out, const char *s)
{
	shell_out_puts(out, "\"");
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			shell_out_printf(out, "\\u%04x", (unsigned int)*s);
		} else {
			shell_out_printf(out, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
		}
	}
	shell_out_puts(out, "\"");
}

/* ---- strings ---- */

static bool read_string(struct config_reader *r, const struct config_key *key, void *field,
			const struct toml_node *n)
{
	return read_text(r, field, key->size, n);
}

static void text_string(const struct config_key *key UNUSED, const void *field,
			struct shell_out *out)
{
	put_quoted(out, field);
}

const struct config_type config_type_string = {
	.name = "string",
	.toml = TOML_STRING,
	.read = read_string,
	.text = text_string,
};

/* ---- files ---- */

static bool is_ram(const char *path)
{
	return strncmp(path, "ram:", 4) == 0;
}

/* Kernels come from boot:, disks from ram: also. A store's name ends at the first colon. */
static bool check_file(struct config_reader *r, const struct config_key *key,
		       const struct toml_node *n)
{
	const char *colon = strchr(n->string, ':');

	if (colon == NULL || colon == n->string || colon[1] == '\0' || colon[1] == ' ') {
		return config_type_wrong(r, key, n);
	}
	if (strncmp(n->string, "boot:", 5) != 0 && !(key->any_store && is_ram(n->string))) {
		diag_add(
			r->d, n->at,
			"%s: found store \"%.*s\", allowed: boot: (boot modules)%s; datastores are "
			"not supported in this version",
			r->path, (int)u64_min((uint64_t)(colon - n->string), 40), n->string,
			key->any_store ? " or ram:" : "");
		return false;
	}
	return true;
}

static bool read_file(struct config_reader *r, const struct config_key *key, void *field,
		      const struct toml_node *n)
{
	bool empty = n->string[0] == '\0';

	return (empty || check_file(r, key, n)) && read_text(r, field, key->size, n);
}

const struct config_type config_type_file = {
	.name = "file",
	.toml = TOML_STRING,
	.read = read_file,
	.text = text_string,
};

static bool read_modules(struct config_reader *r, const struct config_key *key, void *field,
			 const struct toml_node *n)
{
	struct vm_config *cfg = container_of(field, struct vm_config, modules);
	bool ok = true;

	cfg->module_count = 0;
	for (const struct toml_node *item = n->children; item != NULL; item = item->next) {
		if (item->type != TOML_STRING) {
			ok = config_type_wrong(r, key, item);
		} else if (cfg->module_count == VM_MODULES_MAX) {
			diag_add(r->d, item->at, "%s: more than %u modules", r->path,
				 VM_MODULES_MAX);
			return false;
		} else {
			ok &= check_file(r, key, item) &&
			      read_text(r, cfg->modules[cfg->module_count++],
					sizeof(cfg->modules[0]), item);
		}
	}
	return ok;
}

static void text_modules(const struct config_key *key UNUSED, const void *field,
			 struct shell_out *out)
{
	const struct vm_config *cfg = container_of(field, struct vm_config, modules);

	for (unsigned int i = 0; i < cfg->module_count; i++) {
		shell_out_puts(out, i == 0 ? "[" : ", ");
		put_quoted(out, cfg->modules[i]);
	}
	shell_out_puts(out, cfg->module_count == 0 ? "[]" : "]");
}

const struct config_type config_type_modules = {
	.name = "list of files",
	.toml = TOML_ARRAY,
	.items = TOML_STRING,
	.read = read_modules,
	.text = text_modules,
};

/* ---- CPUID features ---- */

static bool check_feature(struct config_reader *r, const struct config_key *key,
			  const struct toml_node *n)
{
	if (n->type != TOML_STRING || n->string[0] != '-') {
		return config_type_wrong(r, key, n);
	}
	if (!r->env->cpuid_known(n->string + 1)) {
		diag_add(r->d, n->at,
			 "%s: found \"%.40s\", which is no CPUID feature known here, "
			 "allowed: %s",
			 r->path, n->string, key->allowed);
		return false;
	}
	return true;
}

static bool read_cpuid(struct config_reader *r, const struct config_key *key, void *field,
		       const struct toml_node *n)
{
	struct vm_config *cfg = container_of(field, struct vm_config, cpuid);
	bool ok = true;

	cfg->cpuid_count = 0;
	for (const struct toml_node *item = n->children; item != NULL; item = item->next) {
		if (cfg->cpuid_count == VM_CPUID_MAX) {
			diag_add(r->d, item->at, "%s: more than %u entries", r->path, VM_CPUID_MAX);
			return false;
		}
		ok &= check_feature(r, key, item) &&
		      read_text(r, cfg->cpuid[cfg->cpuid_count++], sizeof(cfg->cpuid[0]), item);
	}
	return ok;
}

static void text_cpuid(const struct config_key *key UNUSED, const void *field,
		       struct shell_out *out)
{
	const struct vm_config *cfg = container_of(field, struct vm_config, cpuid);

	for (unsigned int i = 0; i < cfg->cpuid_count; i++) {
		shell_out_puts(out, i == 0 ? "[" : ", ");
		put_quoted(out, cfg->cpuid[i]);
	}
	shell_out_puts(out, cfg->cpuid_count == 0 ? "[]" : "]");
}

const struct config_type config_type_cpuid = {
	.name = "list of features",
	.toml = TOML_ARRAY,
	.items = TOML_STRING,
	.read = read_cpuid,
	.text = text_cpuid,
};

/* ---- amounts ---- */

static bool read_size(struct config_reader *r, const struct config_key *key, void *field,
		      const struct toml_node *n)
{
	uint64_t bytes;

	if (string_to_size(n->string, &bytes) != 0 || bytes < (uint64_t)key->min ||
	    bytes > (uint64_t)key->max) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &bytes, sizeof(bytes));
	return true;
}

static void text_size(const struct config_key *key UNUSED, const void *field, struct shell_out *out)
{
	static const char suffixes[] = "KMGT";
	uint64_t bytes;
	unsigned int i = 0;

	memcpy(&bytes, field, sizeof(bytes));
	while (bytes != 0 && bytes % 1024 == 0 && i < 4) {
		bytes /= 1024;
		i++;
	}
	shell_out_printf(out, "\"%lu%.*s\"", bytes, i > 0, i > 0 ? &suffixes[i - 1] : "");
}

const struct config_type config_type_size = {
	.name = "size",
	.toml = TOML_STRING,
	.read = read_size,
	.text = text_size,
};

static const struct {
	const char *name;
	uint64_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

/* "30s" to milliseconds; false if it is no duration or none of 32 bits. */
static bool parse_duration(const char *s, uint32_t *out)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9') {
		return false;
	}
	for (; *s >= '0' && *s <= '9' && v <= UINT32_MAX; s++) {
		v = v * 10 + (uint64_t)(*s - '0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(s, units[i].name) == 0 && v * units[i].ms <= UINT32_MAX) {
			*out = (uint32_t)(v * units[i].ms);
			return true;
		}
	}
	return false;
}

static bool read_duration(struct config_reader *r, const struct config_key *key, void *field,
			  const struct toml_node *n)
{
	uint32_t ms;

	if (!parse_duration(n->string, &ms) || ms < key->min || ms > key->max) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &ms, sizeof(ms));
	return true;
}

static void text_duration(const struct config_key *key UNUSED, const void *field,
			  struct shell_out *out)
{
	size_t i = ARRAY_SIZE(units) - 1;
	uint32_t ms;

	memcpy(&ms, field, sizeof(ms));
	while (i > 0 && (ms == 0 || ms % units[i].ms != 0)) {
		i--;
	}
	shell_out_printf(out, "\"%lu%s\"", ms / units[i].ms, units[i].name);
}

const struct config_type config_type_duration = {
	.name = "duration",
	.toml = TOML_STRING,
	.read = read_duration,
	.text = text_duration,
};

static bool read_integer(struct config_reader *r, const struct config_key *key, void *field,
			 const struct toml_node *n)
{
	int32_t v = (int32_t)n->integer;

	if (n->integer < key->min || n->integer > key->max) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &v, sizeof(v));
	return true;
}

static void text_integer(const struct config_key *key UNUSED, const void *field,
			 struct shell_out *out)
{
	int32_t v;

	memcpy(&v, field, sizeof(v));
	shell_out_printf(out, "%d", v);
}

const struct config_type config_type_integer = {
	.name = "integer",
	.toml = TOML_INTEGER,
	.read = read_integer,
	.text = text_integer,
};

static bool read_boolean(struct config_reader *r UNUSED, const struct config_key *key UNUSED,
			 void *field, const struct toml_node *n)
{
	*(bool *)field = n->boolean;
	return true;
}

static void text_boolean(const struct config_key *key UNUSED, const void *field,
			 struct shell_out *out)
{
	shell_out_puts(out, *(const bool *)field ? "true" : "false");
}

const struct config_type config_type_boolean = {
	.name = "boolean",
	.toml = TOML_BOOLEAN,
	.read = read_boolean,
	.text = text_boolean,
};

/* ---- choices ---- */

static bool in_list(const char *const *names, const char *s, uint32_t *index)
{
	for (*index = 0; names != NULL && names[*index] != NULL; (*index)++) {
		if (strcmp(names[*index], s) == 0) {
			return true;
		}
	}
	return false;
}

static bool read_choice(struct config_reader *r, const struct config_key *key, void *field,
			const struct toml_node *n)
{
	uint32_t index;

	if (in_list(key->later, n->string, &index)) {
		diag_add(r->d, n->at, "%s: \"%s\" is not supported in this version, allowed: %s",
			 r->path, n->string, key->allowed);
		return false;
	}
	if (!in_list(key->names, n->string, &index)) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &index, sizeof(index));
	return true;
}

static void text_choice(const struct config_key *key, const void *field, struct shell_out *out)
{
	uint32_t index;

	memcpy(&index, field, sizeof(index));
	put_quoted(out, key->names[index]);
}

const struct config_type config_type_choice = {
	.name = "choice",
	.toml = TOML_STRING,
	.read = read_choice,
	.text = text_choice,
};

/* ---- host CPUs ---- */

static bool read_cpus(struct config_reader *r, const struct config_key *key, void *field,
		      const struct toml_node *n)
{
	uint64_t mask = 0;
	bool ok = true;

	for (const struct toml_node *item = n->children; item != NULL; item = item->next) {
		if (item->type != TOML_INTEGER || item->integer < 0 || item->integer >= CPU_MAX) {
			ok = config_type_wrong(r, key, item);
		} else if (item->integer >= (int64_t)r->env->cpus) {
			diag_add(r->d, item->at,
				 "%s: found CPU %ld, allowed: 0 to %u (this host's)", r->path,
				 item->integer, r->env->cpus - 1);
			ok = false;
		} else {
			mask |= BIT((uint64_t)item->integer);
		}
	}
	memcpy(field, &mask, sizeof(mask));
	return ok;
}

static void text_cpus(const struct config_key *key UNUSED, const void *field, struct shell_out *out)
{
	const char *separator = "";
	uint64_t mask;

	memcpy(&mask, field, sizeof(mask));
	shell_out_puts(out, "[");
	for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++) {
		if ((mask & BIT(cpu)) != 0) {
			shell_out_printf(out, "%s%u", separator, cpu);
			separator = ", ";
		}
	}
	shell_out_puts(out, "]");
}

const struct config_type config_type_cpus = {
	.name = "list of CPUs",
	.toml = TOML_ARRAY,
	.items = TOML_INTEGER,
	.read = read_cpus,
	.text = text_cpus,
};
