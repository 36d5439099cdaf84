/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what `vm info` says of a VM's network cards. */
/* Networks and their ports are cmd_net.c's. */
#include "drivers/net/netport.h"
#include "drivers/virtio/virtio_net.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/cmd.h"
#include "hv/vm.h"

#define MAC_TEXT 18u

static const char *mac_text(char buf[MAC_TEXT], const struct vm *vm, unsigned int i)
{
	uint8_t mac[6];

	vm_config_mac(&vm->cfg, i, mac);
	fmt_snprintf(buf, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		     mac[4], mac[5]);
	return buf;
}

static uint64_t lost(const struct netport_stats *s, uint64_t no_buffers)
{
	uint64_t sum = no_buffers;

	for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
		sum += s->drops[i];
	}
	return sum;
}

static void counters_print(struct shell_out *out, const struct vm *vm, unsigned int i)
{
	const struct netport *p = virtio_net_port(vm, i);
	const struct netport_stats *s = &p->stats;
	struct virtio_net_counts n;
	char sent[16], received[16];

	virtio_net_counts(vm, i, &n);
	shell_out_printf(out, ", %s\n           sent %lu (%s), received %lu (%s)",
			 p->link ? "up" : "down", s->sent,
			 fmt_size(sent, sizeof(sent), s->sent_bytes), s->received,
			 fmt_size(received, sizeof(received), s->received_bytes));
	if (lost(s, n.lost) != 0) {
		shell_out_printf(out, ", lost %lu", lost(s, n.lost));
	}
	shell_out_puts(out, "\n");
}

void cmd_nic_print(struct shell_out *out, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.nic_count; i++) {
		char mac[MAC_TEXT];

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
		char mac[MAC_TEXT];

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
