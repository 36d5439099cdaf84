/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a configuration file. What is accepted, written out and read again, is the same; no */
/* crash, no leak, and a VM in the result means that its table had no error. */
/* FUZZ_SOURCES: tests/unit/fakes/fake_checkpoint.c */
/* FUZZ_SOURCES: hv/mgmt/config.c hv/mgmt/config_key.c hv/mgmt/config_check.c hv/mgmt/config_write.c hv/mgmt/config_schema.c hv/mgmt/config_schema_lists.c hv/mgmt/config_list.c hv/mgmt/config_line.c hv/mgmt/config_type.c hv/mgmt/toml.c hv/mgmt/toml_scan.c */
/* FUZZ_SOURCES: hv/mgmt/config_net.c drivers/net/network_config.c */
/* FUZZ_SOURCES: hv/mgmt/diag.c hv/mgmt/near.c hv/mgmt/utf8.c hv/mgmt/json.c hv/mgmt/shell_out.c */
/* FUZZ_SOURCES: hv/vm_config.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c */
#include "fakes/fake_heap.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	char buf[1 << 19];
	size_t len;
};

static void put(void *arg, const char *text, size_t len)
{
	struct text *t = arg;

	if (len > sizeof(t->buf) - t->len) {
		abort();
	}
	memcpy(t->buf + t->len, text, len);
	t->len += len;
}

static bool known(const char *name)
{
	return strcmp(name, "rdrand") == 0 || strcmp(name, "avx2") == 0;
}

static const struct config_env env = { .cpus = 4, .cpuid_known = known };

/* Messages are one line each, and VMs differ in name. */
static void check(const struct config *c, const struct diag *d)
{
	for (unsigned int i = 0; i < d->count; i++) {
		for (const char *p = d->entries[i].text; *p != '\0'; p++) {
			if ((unsigned char)*p < 0x20) {
				abort();
			}
		}
	}
	for (unsigned int i = 0; i < c->vm_count; i++) {
		if (!config_name_valid(c->vms[i].name)) {
			abort();
		}
		for (unsigned int k = 0; k < i; k++) {
			if (strcmp(c->vms[i].name, c->vms[k].name) == 0) {
				abort();
			}
		}
	}
}

static void read_back(const struct config *first)
{
	static struct text text;
	static struct diag d;
	struct shell_out out = { put, &text };
	struct config again;

	text.len = 0;
	config_write_host(&first->host, &out);
	for (unsigned int i = 0; i < first->net_count; i++) {
		config_write_net(&first->nets[i], &out);
	}
	for (unsigned int i = 0; i < first->vm_count; i++) {
		config_write_vm(&first->vms[i], &out);
	}
	diag_init(&d);
	if (text.len > 64 * KIB) { /* more than a file may hold */
		return;
	}
	if (config_parse(text.buf, text.len, &env, &again, &d) != 0 || d.count != 0 ||
	    again.vm_count != first->vm_count || again.net_count != first->net_count ||
	    memcmp(again.nets, first->nets, again.net_count * sizeof(*again.nets)) != 0 ||
	    memcmp(&again.host, &first->host, sizeof(again.host)) != 0) {
		abort();
	}
	for (unsigned int i = 0; i < again.vm_count; i++) {
		if (memcmp(&again.vms[i], &first->vms[i], sizeof(again.vms[i])) != 0) {
			abort();
		}
	}
	config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct diag d;
	struct config c;

	diag_init(&d);
	if (config_parse((const char *)data, size, &env, &c, &d) != 0) {
		abort();
	}
	check(&c, &d);
	read_back(&c);
	config_free(&c);
	if (fake_heap_live != 0) {
		abort();
	}
	return 0;
}
