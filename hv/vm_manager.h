/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that does what guests ask for: power off, reset, stop or restart after a crash. */
/* Ends no VM by itself: it has that done by vm_life.c, each VM's in a thread of its own. */
#ifndef HV_VM_MANAGER_H
#define HV_VM_MANAGER_H

/* Once at boot; -ENOMEM. */
int vm_manager_start(void);
/* Makes it look at all VMs. Any context. */
void vm_manager_wake(void);

#endif
