/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rows of `disk list` for the machine's own disks and their partitions. */
/* Changes nothing. */
#include "drivers/host/host_disk.h"
#include "hv/base/heap.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/disk_host.h"
#include "hv/mgmt/disk_table.h"
#include "hv/vm_config.h"

#define GUID_TEXT 37u
#define WHAT	  36u /* letters of the last column of a line of 79 */

/* A partition's type: "0x83", or a GUID, whose first three fields are little-endian. */
static const char *type_text(const struct partition_table *t, const struct partition *p, char *buf,
			     size_t size)
{
	const uint8_t *g = p->gpt_type;

	if (t->scheme == PARTITION_MBR) {
		fmt_snprintf(buf, size, "0x%02x", p->mbr_type);
	} else {
		fmt_snprintf(buf, size,
			     "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			     g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10],
			     g[11], g[12], g[13], g[14], g[15]);
	}
	return buf;
}

/* What a disk is cut into, in words. */
static const char *scheme_text(const struct partition_table *t, const char *damage)
{
	static const char *const names[] = {
		[PARTITION_NO_TABLE] = "no partitions",
		[PARTITION_MBR] = "MBR",
		[PARTITION_GPT] = "GPT",
	};

	return damage != NULL ? damage : t->backup ? "GPT, its copy" : names[t->scheme];
}

/* NULL if there is no memory; *damage: NULL, or why there are no partitions to be seen. */
static struct partition_table *read_table(struct host_disk *d, const char **damage)
{
	struct partition_table *t = heap_alloc(sizeof(*t));
	const char *why;

	*damage = NULL;
	if (t != NULL && disk_table_read(d, t, &why) != 0) {
		t->count = 0;
		*damage = why;
	}
	return t;
}

static void print_row(struct shell_out *out, const struct host_disk *d, const char *name,
		      uint64_t off, uint64_t bytes, const char *what)
{
	char size[16], user[VM_NAME_MAX];

	disk_host_user(d, off, bytes, user, sizeof(user));
	shell_out_printf(out, "%-15s %10s %-15.15s %s\n", name, fmt_size(size, sizeof(size), bytes),
			 user[0] != '\0' ? user : "-", what);
}

/* As much of the model as leaves room for the status, which is never cut. */
static void disk_text(char *buf, size_t size, const char *model, const char *status)
{
	size_t room = WHAT - u64_min(WHAT, strlen(status) + strlen(", "));

	fmt_snprintf(buf, size, "%.*s%s%s", (int)room, model, room > 0 ? ", " : "", status);
}

static void print_disk(struct shell_out *out, struct host_disk *d)
{
	const char *damage;
	struct partition_table *t = read_table(d, &damage);
	char what[96], name[24];

	if (t == NULL) {
		shell_out_printf(out, "%s: too little memory\n", d->name);
		return;
	}
	disk_text(what, sizeof(what), d->model, scheme_text(t, damage));
	print_row(out, d, d->name, 0, d->dev.size, what);
	for (unsigned int i = 0; i < t->count; i++) {
		const struct partition *p = &t->part[i];

		fmt_snprintf(name, sizeof(name), "  partition %u", p->number);
		print_row(out, d, name, p->off, p->size,
			  p->name[0] != '\0' ? p->name : type_text(t, p, what, sizeof(what)));
	}
	heap_free(t);
}

void cmd_disk_host_print(struct shell_out *out)
{
	struct host_disk *d = host_disk_next(NULL);

	if (d != NULL) {
		shell_out_printf(out, "\n%-15s %10s %-15s %s\n", "HOST DISK", "SIZE", "USED BY",
				 "WHAT");
	}
	for (; d != NULL; d = host_disk_next(d)) {
		print_disk(out, d);
	}
}

static void user_json(struct json *j, const struct host_disk *d, uint64_t off, uint64_t size)
{
	char user[VM_NAME_MAX];

	disk_host_user(d, off, size, user, sizeof(user));
	json_u64(j, "size", size);
	json_string(j, "used_by", user[0] != '\0' ? user : NULL);
}

static void partition_json(struct json *j, const struct host_disk *d,
			   const struct partition_table *t, const struct partition *p)
{
	char type[GUID_TEXT];

	json_object(j, NULL);
	json_u64(j, "partition", p->number);
	json_u64(j, "offset", p->off);
	user_json(j, d, p->off, p->size);
	json_string(j, "type", type_text(t, p, type, sizeof(type)));
	json_string(j, "name", p->name);
	json_end(j);
}

static void disk_json(struct json *j, struct host_disk *d)
{
	const char *damage;
	struct partition_table *t = read_table(d, &damage);

	json_object(j, NULL);
	json_string(j, "host_disk", d->name);
	json_string(j, "model", d->model);
	json_string(j, "serial", d->serial);
	user_json(j, d, 0, d->dev.size);
	json_bool(j, "trim", d->trims);
	json_u64(j, "errors", __atomic_load_n(&d->errors, __ATOMIC_RELAXED));
	json_string(j, "table", t != NULL ? scheme_text(t, damage) : NULL);
	json_array(j, "partitions");
	for (unsigned int i = 0; t != NULL && i < t->count; i++) {
		partition_json(j, d, t, &t->part[i]);
	}
	json_end(j);
	json_end(j);
	heap_free(t);
}

void cmd_disk_host_json(struct json *j)
{
	for (struct host_disk *d = host_disk_next(NULL); d != NULL; d = host_disk_next(d)) {
		disk_json(j, d);
	}
}
