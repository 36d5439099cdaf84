/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's power button for those who wait until its guest is off: pressed until somebody hears it. */
/* Waits for nobody. */
#ifndef HV_MGMT_POWER_BUTTON_H
#define HV_MGMT_POWER_BUTTON_H

struct vm;

/* Both: list locked, of a VM that is running and not claimed. */
void power_button_press(struct vm *vm);
/*
 * To be called again and again meanwhile: presses once more when the last press in this run of the VM
 * is 10 s ago. A guest that boots loses a press: its ACPI driver forgets those before it, and until
 * its daemon runs nobody listens.
 */
void power_button_again(struct vm *vm);

#endif
