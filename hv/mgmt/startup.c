/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the order of start: [host], devices if any is used, networks, every VM is made, automatic ones start. */
/* One VM that fails never keeps the others from starting. */
#include "hv/mgmt/startup.h"
#include "drivers/host/host_pci.h"
#include "drivers/net/network.h"
#include "drivers/net/uplink.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/net_thread.h"
#include "hv/mgmt/screen.h"
#include "hv/vm.h"
#include "hv/vm_share.h"

#define FILE_NAME "boot:insula.conf"

static const char how_to[] =
	"There is no " FILE_NAME ": no VM is configured.\n"
	"To have one at boot, add to grub.cfg:  module2 --nounzip /boot/insula.conf insula.conf\n"
	"and write into that file, for example:\n"
	"    [vm.test]\n"
	"    memory = \"256M\"\n"
	"    kernel = \"boot:vmlinuz\"          # another module2 line\n"
	"    autostart = true\n"
	"config help lists the keys; vm create makes a VM now.\n";

/* Before the networks that use them. */
static void set_addresses(struct shell_out *out, const struct config *cfg)
{
	uplink_set_hostname(cfg->host.name);
	for (unsigned int i = 0; i < cfg->host.addresses; i++) {
		int err = uplink_configure(&cfg->host.address[i]);

		if (err != 0) {
			shell_out_printf(out, "error: cannot set the host's address on %s: %s\n",
					 cfg->host.address[i].uplink, errno_text(err));
		}
	}
}

static void create_net(struct shell_out *out, const struct network_config *c)
{
	int err = network_create(c);

	if (err == -ENODEV) {
		shell_out_printf(out, "error: cannot create network %s: this machine has no %s\n",
				 c->name, c->uplink);
	} else if (err != 0) {
		shell_out_printf(out, "error: cannot create network %s: %s\n", c->name,
				 errno_text(err));
	}
}

static void create_nets(struct shell_out *out, const struct config *cfg)
{
	int err = cfg->net_count + cfg->host.addresses > 0 ? net_thread_start() : 0;

	if (err != 0) {
		shell_out_printf(out, "error: cannot start the networks' thread: %s\n",
				 errno_text(err));
	}
	set_addresses(out, cfg);
	for (unsigned int i = 0; err == 0 && i < cfg->net_count; i++) {
		create_net(out, &cfg->nets[i]);
	}
}

static void create(struct shell_out *out, const struct config *cfg)
{
	for (unsigned int i = 0; i < cfg->vm_count; i++) {
		const char *why = "";
		struct vm *vm;
		int err;

		vm_list_lock();
		err = vm_create(&cfg->vms[i], &vm, &why);
		vm_list_unlock();
		if (err != 0) {
			shell_out_printf(out, "error: cannot create %s: %s\n", cfg->vms[i].name,
					 why);
		}
	}
}

/* The automatic VM to start next: the least (order, place in the file) above the last one's. */
static const struct vm_config *next_start(const struct config *cfg, const struct vm_config *last)
{
	const struct vm_config *best = NULL;

	for (unsigned int i = 0; i < cfg->vm_count; i++) {
		const struct vm_config *v = &cfg->vms[i];
		bool after = last == NULL || v->start_order > last->start_order ||
			     (v->start_order == last->start_order && v > last);

		if (v->autostart && after && (best == NULL || v->start_order < best->start_order)) {
			best = v;
		}
	}
	return best;
}

static void autostart(struct shell_out *out, const struct config *cfg)
{
	const struct vm_config *v = NULL;

	while ((v = next_start(cfg, v)) != NULL) {
		const char *why = "no reason given";
		char text[sizeof(((struct vm *)0)->why)];
		struct vm *vm;
		int err;

		vm_list_lock();
		vm = vm_find(v->name);
		err = vm != NULL ? vm_start(vm, &why) : 0;
		string_copy(text, err != 0 ? why : "", sizeof(text));
		vm_list_unlock();
		if (err != 0) {
			shell_out_printf(out, "error: cannot start %s: %s\n", v->name, text);
		}
	}
}

static void say_what(struct shell_out *out, const struct config *cfg)
{
	shell_out_printf(out, "%s: %u VM%s", FILE_NAME, cfg->vm_count,
			 cfg->vm_count == 1 ? "" : "s");
	for (unsigned int i = 0; i < cfg->vm_count; i++) {
		shell_out_printf(out, "%s%s%s", i == 0 ? ": " : ", ", cfg->vms[i].name,
				 cfg->vms[i].autostart ? " (autostart)" : "");
	}
	shell_out_puts(out, "\n");
}

static bool has_host_disk(const struct vm_config *v)
{
	for (unsigned int i = 0; i < v->disk_count; i++) {
		if (v->disks[i].disk[0] != '\0') {
			return true;
		}
	}
	return false;
}

/*
 * May anything in it be one of the machine's devices? If not, guests need not wait until those are
 * found: most of that time is an empty port's, which has to be given some to answer.
 */
static bool uses_devices(const struct config *cfg)
{
	bool uses = cfg->net_count + cfg->host.addresses > 0;

	for (unsigned int i = 0; i < cfg->vm_count; i++) {
		uses |= has_host_disk(&cfg->vms[i]);
	}
	return uses;
}

static void load(struct shell_out *out, struct config *cfg, struct diag *d)
{
	int err = cmd_config_load(FILE_NAME, cfg, d);

	if (err == -ENOENT) {
		shell_out_puts(out, how_to);
		return;
	}
	if (err != 0) {
		shell_out_printf(out, "error: cannot read %s: %s\n", FILE_NAME, errno_text(err));
		return;
	}
	cmd_config_set_host(&cfg->host);
	if (cfg->host.scheduler == SCHEDULER_WINDOW) {
		vm_share_use_windows(cfg->host.major_frame);
	}
	log_set_sink(screen_log, cfg->host.log);
	cmd_config_print(out, "error: ", FILE_NAME, d);
	say_what(out, cfg);
	if (uses_devices(cfg)) {
		host_pci_wait();
	}
	create_nets(out, cfg);
	create(out, cfg);
	autostart(out, cfg);
}

void startup_run(struct shell_out *out)
{
	struct diag *d = heap_alloc(sizeof(*d));
	struct config cfg = { 0 };

	config_host_defaults(&cfg.host);
	cmd_config_set_host(&cfg.host);
	if (d != NULL) {
		load(out, &cfg, d);
		config_free(&cfg);
	} else {
		shell_out_puts(out, "error: cannot read " FILE_NAME ": out of memory\n");
	}
	heap_free(d);
	host_pci_wait(); /* commands show them */
}
