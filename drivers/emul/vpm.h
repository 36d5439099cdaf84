/* SPDX-License-Identifier: BSD-2-Clause */
/* The power button of a VM. */
/* The rest of power management is the guest's and vpm.c's affair. */
#ifndef DRIVERS_EMUL_VPM_H
#define DRIVERS_EMUL_VPM_H

struct vm;

/*
 * Presses the ACPI power button: an SCI, if the guest has enabled it. Nothing happens without
 * devices (a stopped VM). Takes the devices' lock; any context.
 */
void vm_press_power_button(struct vm *vm);

#endif
