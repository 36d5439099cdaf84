/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills a guest's memory before it starts, as its boot protocol wants it. */
/* Creates no VM: hv/vm calls what loader_init() registers. */
#ifndef HV_MGMT_LOADER_H
#define HV_MGMT_LOADER_H

#include "hv/lib/types.h"

struct bootfs_file;
struct vcpu_start;
struct vm;

/* Once at boot. */
void loader_init(void);

/* The registered function: picks by vm->cfg.boot. Thread context; as vm_load_fn says. */
int loader_load(struct vm *vm, struct vcpu_start *start, const char **why);

/* For the loaders of vm: a file by "STORE:FILE", with *why set on failure. */
int loader_open(struct vm *vm, const char *path, struct bootfs_file *out, const char **why);
/* ACPI tables, MP table; the RSDP's address in *rsdp. */
int loader_tables(struct vm *vm, uint64_t *rsdp, const char **why);
/* Flat code at 10h and data at 18h, at gpa: for vcpu_start.gdt. */
int loader_gdt(struct vm *vm, uint64_t gpa, bool long_mode, struct vcpu_start *start);

#endif
