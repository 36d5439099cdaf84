/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of commands, one per cmd_*.c, and what they share. */
/* What each command does is its help text's to say. */
#ifndef HV_MGMT_CMD_H
#define HV_MGMT_CMD_H

#include "hv/mgmt/config.h"
#include "hv/mgmt/shell.h"

struct boot_info;
struct guest_console;
struct line_edit;
struct vm;

extern const struct shell_table cmd_vm_table;
extern const struct shell_table cmd_vm_set_table;
extern const struct shell_table cmd_vm_info_table;
extern const struct shell_table cmd_vm_save_table;
extern const struct shell_table cmd_vm_restore_table;
extern const struct shell_table cmd_store_table;
extern const struct shell_table cmd_disk_table;
extern const struct shell_table cmd_disk_image_table;
extern const struct shell_table cmd_disk_copy_table;
extern const struct shell_table cmd_disk_limit_table;
extern const struct shell_table cmd_net_table;
extern const struct shell_table cmd_net_capture_table;
extern const struct shell_table cmd_nic_table;
extern const struct shell_table cmd_net_uplink_table;
extern const struct shell_table cmd_net_ping_table;
extern const struct shell_table cmd_host_table;
extern const struct shell_table cmd_host_memory_table;
extern const struct shell_table cmd_host_power_table;
extern const struct shell_table cmd_isolation_table;
extern const struct shell_table cmd_config_table;
extern const struct shell_table cmd_config_save_table;
extern const struct shell_table cmd_misc_table;
extern const struct shell_table cmd_top_table;
extern const struct shell_table cmd_trace_table;

/* ---- cmd_vm.c ---- */

/* Calls fn with the list locked; what it prints comes when the list is unlocked. */
int cmd_vm_locked(struct shell_call *c, int (*fn)(struct shell_call *c));
/* The same with the VM that argv[0] names; an error if there is none. */
int cmd_vm_with(struct shell_call *c, int (*fn)(struct shell_call *c, struct vm *vm));
/* The same for what needs arg, fn's. */
int cmd_vm_buffered(struct shell_call *c, int (*fn)(struct shell_call *c, void *arg), void *arg);
/* The error when no VM has that name; it offers the nearest. List locked. */
int cmd_vm_none(struct shell_call *c, const char *name);
/* The error of a change that failed: who is in the way, or why not. List locked. */
int cmd_vm_refused(struct shell_call *c, const struct vm *vm, const char *why);
/* Nanoseconds since it was started; 0 if it is not up. */
uint64_t cmd_vm_uptime(const struct vm *vm);

/* ---- cmd_vm_console.c ---- */

/* The row of `vm console`: joins the terminal and a console of a VM until Ctrl-]. */
int cmd_vm_console(struct shell_call *c);

/* ---- cmd_vm_pci.c ---- */

/* The PCI functions of vm, which is not stopped while the caller holds the list. */
void cmd_vm_pci_print(struct shell_out *out, struct vm *vm);
void cmd_vm_pci_json(struct json *j, struct vm *vm);

/* ---- cmd_disk.c ---- */

/* The disks of vm, and what went through them. List locked. */
void cmd_disk_print(struct shell_out *out, const struct vm *vm);
void cmd_disk_json(struct json *j, const struct vm *vm);

/* ---- cmd_disk_host.c ---- */

/* The machine's own disks and their partitions; sleeps, so no list is locked. */
void cmd_disk_host_print(struct shell_out *out);
/* The same, as items of the array that is open in j. */
void cmd_disk_host_json(struct json *j);

/* ---- cmd_nic.c ---- */

/* The network cards of vm, and what went through them. List locked. */
void cmd_nic_print(struct shell_out *out, const struct vm *vm);
void cmd_nic_json(struct json *j, const struct vm *vm);

/* ---- cmd_net.c ---- */

struct netport_stats;
struct network;
/* How many cards of VMs are plugged in, and the name of the last one's port. Yields in between. */
unsigned int cmd_net_cards(const struct network *net, char *last, size_t size);
/* Packets, whatever the reason. */
uint64_t cmd_net_lost(const struct netport_stats *s);
/* Its members, of the object that is open in j. */
void cmd_net_stats_json(struct json *j, const struct netport_stats *s);

/* ---- cmd_config.c ---- */

/* For parsing on this machine. */
const struct config_env *cmd_config_env(void);
/* Reads "boot:..."; *out is valid (and to be freed) if 0 is returned. -ENOENT, -ENOMEM, -E2BIG. */
int cmd_config_load(const char *path, struct config *out, struct diag *d);
/* Prints each message as "PREFIX FILE:LINE:COLUMN: TEXT", and how many more there are. */
void cmd_config_print(struct shell_out *out, const char *prefix, const char *path,
		      const struct diag *d);
/* The configuration in force as a file: [host] and every VM's. List locked. */
void cmd_config_write(struct shell_out *out);
/* The [host] table in force. */
void cmd_config_set_host(const struct host_config *host);
const struct host_config *cmd_config_host(void);

/* ---- cmd_store.c ---- */

/* The row of `store delete` and of `disk delete`. */
int cmd_store_delete(struct shell_call *c);

/* ---- cmd_host.c ---- */

/* What the boot loader gave; stays valid. */
void cmd_host_init(const struct boot_info *info);
void cmd_host_memory_init(const struct boot_info *info);

/* ---- cmd_host_devices.c ---- */

/* The row of `host devices`. */
int cmd_host_devices(struct shell_call *c);

#endif
