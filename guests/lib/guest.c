/* SPDX-License-Identifier: BSD-2-Clause */
/* Start-up of every guest, in order, and its end. */
/* Knows no guest. */
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pic.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"

void guest_start(void)
{
	print_init();
	mboot_init();
	idt_init();
	pic_init();
	guest_main();
	power_off();
}
