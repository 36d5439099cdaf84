/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the file of a saved VM: its configuration, its vCPUs, its devices, its memory. */
/* The frame is hv/save.h's, the text of a configuration hv/mgmt's, the blocks are their owners'. */
#ifndef HV_SAVE_VM_H
#define HV_SAVE_VM_H

#include "hv/save.h"

struct vm;

/*
 * Sections: "config" (text, as `config show` prints it), "time", for each vCPU those of hvm_part(), for
 * each device one of its class' name (instance: its index), and "ram" for each 2 MiB in which a byte is not 0.
 */
#define SAVE_VM_CONFIG	   "config"
#define SAVE_VM_CONFIG_MAX (16u * KIB)

/* Both: the shell's thread, of a VM that it has claimed; 0 or -Exxx with *why (static text). */

/*
 * Writes all of a paused VM whose vCPUs have come to rest (vm_life_await_pause), config being its
 * configuration's text. List not locked. -ENOMEM, or what out->append returned.
 */
int save_vm_write(struct vm *vm, struct save_out *out, const char *config, size_t config_size,
		  const char **why);

/*
 * Starts a VM that is off, with the saved configuration, from a file that passed save_check; paused:
 * it begins with a pause. Its guest's time goes on where it stood. As vm_life_start; -EINVAL: there is
 * something in the file that no guest could have made; -ENODEV: this machine is another one.
 */
int save_vm_start(struct vm *vm, const struct save_in *in, bool paused, const char **why);

#endif
