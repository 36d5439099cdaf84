/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rules that more than one key has a part in: what a VM's or a network's need of each other. */
/* What one key may be is said in config_schema.c. */
#include "hv/lib/string.h"
#include "hv/mgmt/config_type.h"
#include "hv/thread.h"

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
		diag_add(d, at, "vm.%s.kernel: missing, allowed: a file like \"boot:vmlinuz\"",
			 cfg->name);
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
void config_check_net(const struct network_config *c, struct diag_place at, struct diag *d)
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

static bool leads_already(const struct network_config *o, const struct network_forward *f)
{
	for (unsigned int i = 0; i < o->forwards; i++) {
		if (o->forward[i].proto == f->proto && o->forward[i].out_port == f->out_port) {
			return true;
		}
	}
	return false;
}

/* Behind one address of the host's each of its ports leads to one guest only. */
void config_check_forwards(const struct network_config *nets, unsigned int count,
			   const struct network_config *c, struct diag_place at, struct diag *d)
{
	for (unsigned int i = 0; i < count; i++) {
		bool same = strcmp(c->uplink, nets[i].uplink) == 0;

		for (unsigned int k = 0; same && k < c->forwards; k++) {
			if (leads_already(&nets[i], &c->forward[k])) {
				diag_add(d, at,
					 "net.%s.forward: port %u of %s leads to net %s already",
					 c->name, c->forward[k].out_port, c->uplink, nets[i].name);
			}
			thread_checkpoint(); /* all of them would be 30,000 comparisons */
		}
	}
}
