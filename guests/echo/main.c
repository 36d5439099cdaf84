/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the number of each byte that comes from COM1; powers off when the power button is pressed. */
/* An X crashes it: an exception with no table to handle it. Looks 50 times a second, else halts. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/pic.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"

#include <stdbool.h>

#define COM1	   0x3f8u
#define COM1_LSR   (COM1 + 5)
#define LSR_DATA   0x01u
#define PM1_STATUS 0xb000u /* PIIX4 "PMSTS": where the virtual PC's firmware tables put it */
#define PWRBTN_STS 0x0100u

static void crash(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(nothing));
}

static void take_key(void)
{
	uint8_t key = pio_in8(COM1);

	print("[%02x]", key);
	if (key == 'X') {
		crash();
	}
}

static void on_pit(struct idt_frame *frame)
{
	(void)frame;
	pic_eoi(0);
}

void guest_main(void)
{
	idt_handle(PIC_VECTOR, on_pit);
	pit_periodic(PIT_HZ / 50);
	pic_unmask(0);
	print("echo ready\n");
	while (!(pio_in16(PM1_STATUS) & PWRBTN_STS)) {
		while (pio_in8(COM1_LSR) & LSR_DATA) {
			take_key();
		}
		cpu_wait();
	}
	print("power button\n");
}
