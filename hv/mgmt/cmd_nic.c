/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what `vm info` says of a VM's network cards, and `net link`, which pulls their cable. */
/* Networks and their ports are cmd_net.c's. */
#include "drivers/net/netport.h"
#include "drivers/virtio/virtio_net.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/show.h"
#include "hv/vm.h"

static const char *mac_text(char buf[SHOW_MAX], const struct vm *vm, unsigned int i)
{
	uint8_t mac[6];

	vm_config_mac(&vm->cfg, i, mac);
	return show_mac(buf, SHOW_MAX, mac);
}

static void counters_print(struct shell_out *out, const struct vm *vm, unsigned int i)
{
	const struct netport *p = virtio_net_port(vm, i);
	const struct netport_stats *s = &p->stats;
	struct virtio_net_counts n;
	char sent[16], received[16];
	uint64_t lost;

	virtio_net_counts(vm, i, &n);
	lost = cmd_net_lost(s) + n.lost;
	shell_out_printf(out, ", %s\n           sent %lu (%s), received %lu (%s)",
			 p->link ? "up" : "down", s->sent,
			 fmt_size(sent, sizeof(sent), s->sent_bytes), s->received,
			 fmt_size(received, sizeof(received), s->received_bytes));
	if (lost != 0) {
		shell_out_printf(out, ", lost %lu", lost);
	}
	shell_out_puts(out, "\n");
}

void cmd_nic_print(struct shell_out *out, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.nic_count; i++) {
		char mac[SHOW_MAX];

		shell_out_printf(out, "nic %-2u     %s, %s", i, vm->cfg.nics[i].net,
				 mac_text(mac, vm, i));
		if (vm_is_up(vm) && virtio_net_port(vm, i) != NULL) {
			counters_print(out, vm, i);
		} else {
			shell_out_puts(out, "\n");
		}
	}
}

static void counters_json(struct json *j, const struct vm *vm, unsigned int i)
{
	const struct netport *p = virtio_net_port(vm, i);
	struct virtio_net_counts n;

	virtio_net_counts(vm, i, &n);
	json_bool(j, "link", p->link);
	cmd_net_stats_json(j, &p->stats);
	json_u64(j, "copied_once", n.direct);
	json_u64(j, "copied_twice", n.queued);
	json_u64(j, "no_buffers", n.lost);
}

void cmd_nic_json(struct json *j, const struct vm *vm)
{
	json_array(j, "nics");
	for (unsigned int i = 0; i < vm->cfg.nic_count; i++) {
		char mac[SHOW_MAX];

		json_object(j, NULL);
		json_string(j, "net", vm->cfg.nics[i].net);
		json_string(j, "mac", mac_text(mac, vm, i));
		if (vm_is_up(vm) && virtio_net_port(vm, i) != NULL) {
			counters_json(j, vm, i);
		}
		json_end(j);
	}
	json_end(j);
}

/* ---- link ---- */

/* The card that argv[1] numbers, of a VM that is up; -EINVAL after the error. */
static int card(struct shell_call *c, const struct vm *vm, unsigned int *nic)
{
	uint64_t n;

	if (string_to_u64(c->argv[1], &n) != 0 || n >= vm->cfg.nic_count) {
		return shell_error(c, "%s has no network card %.20s; vm info %s shows them",
				   vm->cfg.name, c->argv[1], vm->cfg.name);
	}
	if (!vm_is_up(vm) || virtio_net_port(vm, (unsigned int)n) == NULL) {
		return shell_error(c, "%s is %s; link = false in its nics says how it starts",
				   vm->cfg.name, vm_state_name(vm->state));
	}
	*nic = (unsigned int)n;
	return 0;
}

static int link_locked(struct shell_call *c, struct vm *vm)
{
	bool up = strcmp(c->argv[2], "up") == 0;
	unsigned int nic = 0;
	int err;

	if (!up && strcmp(c->argv[2], "down") != 0) {
		return shell_error(c, "found \"%.20s\", allowed: up, down", c->argv[2]);
	}
	err = card(c, vm, &nic);
	if (err == 0) {
		virtio_net_set_link(vm, nic, up);
		shell_out_printf(c->out, "%s.%u: cable %s\n", vm->cfg.name, nic, up ? "in" : "out");
	}
	return err;
}

static int cmd_link(struct shell_call *c)
{
	return cmd_vm_with(c, link_locked);
}

static void offer_states(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	line_edit_offer(le, "up");
	line_edit_offer(le, "down");
}

static const struct shell_cmd cmds[] = {
	{ "net", "link", "VM NIC up|down",
	  "put a card's cable in, or pull it out\n"
	  "NIC is its number, as in vm info. Its guest is told. Until the VM ends: how a card\n"
	  "starts is link in the VM's nics.",
	  cmd_link },
};

static const struct shell_kind kinds[] = { { "up|down", offer_states } };

const struct shell_table cmd_nic_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
