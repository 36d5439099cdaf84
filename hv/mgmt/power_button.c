/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns when a VM's power button is pressed once more. */
/* What the button does is drivers/emul/vpm.c's. */
#include "hv/mgmt/power_button.h"

#include "arch/clock.h"
#include "drivers/emul/vpm.h"
#include "hv/vm.h"

#define AGAIN_NS 10000000000ul

void power_button_press(struct vm *vm)
{
	vm_press_power_button(vm);
	vm->pressed = vm->starts;
	vm->pressed_at = clock_now();
}

void power_button_again(struct vm *vm)
{
	if (vm->pressed != vm->starts ||
	    clock_ticks_to_ns(clock_now() - vm->pressed_at) >= AGAIN_NS) {
		power_button_press(vm);
	}
}
