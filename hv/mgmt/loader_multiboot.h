/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots a multiboot (1) kernel: segments, modules and the information structure. */
/* Reading the kernel's file format is multiboot_image's. */
#ifndef HV_MGMT_LOADER_MULTIBOOT_H
#define HV_MGMT_LOADER_MULTIBOOT_H

struct vcpu_start;
struct vm;

/* As vm_load_fn. */
int loader_multiboot_load(struct vm *vm, struct vcpu_start *start, const char **why);

#endif
