/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the keys of what stands in lists: a VM's disks and network cards, the host's addresses. */
/* The keys of the tables themselves are config_schema.c's. */
#include "hv/mgmt/config_schema.h"

#include "hv/lib/string.h"
#include "hv/mgmt/config_type.h"

/* ---- the tables of disks ---- */

const char *const config_disk_formats[] = {
	[VM_DISK_NO_FORMAT] = "", [VM_DISK_RAW] = "raw",   [VM_DISK_QCOW2] = "qcow2",
	[VM_DISK_VDI] = "vdi",	  [VM_DISK_VHD] = "vhd",   [VM_DISK_QED] = "qed",
	[VM_DISK_QCOW] = "qcow",  [VM_DISK_VMDK] = "vmdk", NULL,
};
static const char *const bus_names[] = { [VM_DISK_VIRTIO] = "virtio", NULL };
static const char *const bus_later[] = { "ide", NULL };
static const char *const error_names[] = {
	[VM_DISK_REPORT] = "report",
	[VM_DISK_PAUSE] = "pause",
	NULL,
};

static const struct config_key disk_keys[] = {
	{ .name = "file",
	  .type = &config_type_file,
	  .allowed = "a file like \"boot:web1.qcow2\"",
	  .def = "\"\"",
	  .any_store = true,
	  .help = "what the disk is in",
	  FIELD(struct vm_disk_config, file) },
	{ .name = "disk",
	  .type = &config_type_string,
	  .allowed = "a disk of this machine like \"ide0\"",
	  .def = "\"\"",
	  .help = "instead of a file: a whole disk of the host, or",
	  FIELD(struct vm_disk_config, disk) },
	{ .name = "partition",
	  .type = &config_type_integer,
	  .allowed = "1 to 65535",
	  .def = "0",
	  .min = 1,
	  .max = 65535,
	  .help = "that partition of it",
	  FIELD(struct vm_disk_config, partition) },
	{ .name = "format",
	  .type = &config_type_choice,
	  .allowed = CONFIG_DISK_FORMATS,
	  .names = config_disk_formats,
	  .help = "the format of what is there",
	  FIELD(struct vm_disk_config, format) },
	{ .name = "bus",
	  .type = &config_type_choice,
	  .allowed = "\"virtio\"",
	  .def = "\"virtio\"",
	  .names = bus_names,
	  .later = bus_later,
	  .help = "what the guest sees",
	  FIELD(struct vm_disk_config, bus) },
	{ .name = "readonly",
	  .type = &config_type_boolean,
	  .allowed = "true or false",
	  .def = "false",
	  .help = "the guest cannot write",
	  FIELD(struct vm_disk_config, readonly) },
	{ .name = "overlay",
	  .type = &config_type_size,
	  .allowed = "a size like \"64M\", \"64K\" to \"1T\"",
	  .def = "\"0\"",
	  .min = 64 * (int64_t)KIB,
	  .max = 1024 * (int64_t)GIB,
	  .help = "what is written goes to so much RAM, until the VM is off",
	  FIELD(struct vm_disk_config, overlay) },
	{ .name = "iops",
	  .type = &config_type_integer,
	  .allowed = "requests per second, up to 1000000, or 0 for no limit",
	  .def = "0",
	  .max = 1000000,
	  .help = "most requests that it begins per second",
	  FIELD(struct vm_disk_config, iops) },
	{ .name = "bandwidth",
	  .type = &config_type_size,
	  .allowed = "bytes per second like \"10M\", up to \"1T\", or \"0\" for no limit",
	  .def = "\"0\"",
	  .max = (int64_t)(1024 * GIB),
	  .help = "most that it reads, writes and zeroes per second, together",
	  FIELD(struct vm_disk_config, bandwidth) },
	{ .name = "on_io_error",
	  .type = &config_type_choice,
	  .allowed = "\"report\" or \"pause\"",
	  .def = "\"report\"",
	  .names = error_names,
	  .help = "a failed request: its guest hears of it, or is paused",
	  FIELD(struct vm_disk_config, on_io_error) },
	LATER(CONFIG_VM, "cdrom", "a CD-ROM drive"),
};

const struct config_list config_disks = {
	.keys = disk_keys,
	.count = ARRAY_SIZE(disk_keys),
	.item_size = sizeof(struct vm_disk_config),
	.counter = offsetof(struct vm_config, disk_count),
};

/* ---- the tables of nics ---- */

static const char *const nic_names[] = { [VM_NIC_VIRTIO] = "virtio", NULL };
static const char *const nic_later[] = { "e1000", NULL };
static const struct config_key nic_keys[] = {
	{ .name = "net",
	  .type = &config_type_string,
	  .allowed = "a network, [net.NAME]",
	  .help = "the network that it is plugged into",
	  FIELD(struct vm_nic, net) },
	{ .name = "model",
	  .type = &config_type_choice,
	  .allowed = "\"virtio\"",
	  .def = "\"virtio\"",
	  .names = nic_names,
	  .later = nic_later,
	  .help = "what the guest sees",
	  FIELD(struct vm_nic, model) },
	{ .name = "mac",
	  .type = &config_type_mac,
	  .allowed = "an address like \"52:54:00:00:00:01\", the first byte even",
	  .def = "\"\"",
	  .help = "MAC address; none: one made of the VM's name",
	  FIELD(struct vm_nic, mac) },
	{ .name = "rate",
	  .type = &config_type_size,
	  .allowed = "bytes per second like \"10M\", up to \"1T\", or \"0\" for no limit",
	  .def = "\"0\"",
	  .max = (int64_t)(1024 * GIB),
	  .help = "most that it sends, and that it receives, per second",
	  FIELD(struct vm_nic, rate) },
	{ .name = "link",
	  .type = &config_type_boolean,
	  .allowed = "true or false",
	  .def = "true",
	  .help = "begins with its cable plugged in",
	  FIELD(struct vm_nic, link) },
	{ .name = "spoof",
	  .type = &config_type_boolean,
	  .allowed = "true or false",
	  .def = "false",
	  .help = "may use addresses that are not its own",
	  FIELD(struct vm_nic, spoof) },
	LATER(CONFIG_VM, "vlan", "VLAN of the network card"),
};

static void nic_defaults(void *item)
{
	((struct vm_nic *)item)->link = true;
}

const struct config_list config_nics = {
	.keys = nic_keys,
	.count = ARRAY_SIZE(nic_keys),
	.item_size = sizeof(struct vm_nic),
	.counter = offsetof(struct vm_config, nic_count),
	.defaults = nic_defaults,
};

/* ---- the host's addresses ---- */

static const struct config_key address_keys[] = {
	{ .name = "ip",
	  .type = &config_type_address,
	  .allowed = "\"dhcp\" or an address with its prefix like \"192.0.2.5/24\", /8 to /30",
	  .help = "the host's address there",
	  FIELD(struct uplink_config, address) },
	{ .name = "uplink",
	  .type = &config_type_string,
	  .allowed = "a network card of the host like \"nic0\"",
	  .def = "\"nic0\"",
	  .help = "where",
	  FIELD(struct uplink_config, uplink) },
	{ .name = "router",
	  .type = &config_type_ip,
	  .allowed = "an address like \"192.0.2.1\"",
	  .def = "\"\"",
	  .help = "the way to all others",
	  FIELD(struct uplink_config, router) },
	{ .name = "dns",
	  .type = &config_type_ip,
	  .allowed = "an address like \"192.0.2.1\"",
	  .def = "\"\"",
	  .help = "DNS server that guests' questions go to; none: DHCP's",
	  FIELD(struct uplink_config, dns) },
};

static void address_defaults(void *item)
{
	string_copy(((struct uplink_config *)item)->uplink, "nic0", NETWORK_UPLINK);
}

const struct config_list config_addresses = {
	.keys = address_keys,
	.count = ARRAY_SIZE(address_keys),
	.item_size = sizeof(struct uplink_config),
	.counter = offsetof(struct host_config, addresses),
	.defaults = address_defaults,
};
