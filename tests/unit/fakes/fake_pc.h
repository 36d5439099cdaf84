/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM without CPUs or memory for tests of emulated chips: the devices that the program links in, */
/* real buses, interrupt switchboard and timers, a clock that the test moves, and recorders. */
#ifndef TESTS_UNIT_FAKES_FAKE_PC_H
#define TESTS_UNIT_FAKES_FAKE_PC_H

/*
 * A test of a chip needs these sources beside its own, and the linker script for vdev classes:
 * tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c
 * hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c
 * -Wl,-T,tests/unit/fakes/fake_pc.ld
 */
#include "hv/vm.h"

#define FAKE_PC_START 5000000000ul /* ns on the clock when a test begins */
#define FAKE_PC_WALL  1000000000ul /* … which is this many seconds after 1970 */

extern struct vm fake_vm;
extern unsigned int fake_resets; /* times a reset was requested */
extern unsigned int fake_pauses; /* and a pause */
extern unsigned int fake_poweroffs;
extern unsigned int fake_works;		 /* times that devices asked for work() */
extern unsigned int fake_checkpoints;	 /* others had their turn, */
extern void (*fake_on_checkpoint)(void); /* and did this */
extern unsigned int fake_logs;		 /* lines that devices logged; the last one: */
extern char fake_log[160];
extern bool fake_ending; /* the VM ends, as devices see it */
/* Lets the devices' workers do what they were woken for; how often one ran. */
unsigned int fake_pc_run_workers(void);
extern unsigned int fake_nics; /* network cards that the next VM has, on network "lan" */
extern bool fake_intr;	       /* the PIC's INTR */
extern unsigned int fake_sent; /* messages sent to local APICs; the last one: */
extern struct virq_msg fake_msg;

/* What a program may define: the VM's configuration, before its devices are made. */
void fake_pc_configure(struct vm *vm);
/* Makes the VM and all its devices, powered on. Usable as cmocka set-up and tear-down. */
int fake_pc_start(void **state);
int fake_pc_stop(void **state);
void fake_pc_reset(void);
/* What a vCPU does after vdev_request_work(). */
void fake_pc_work(void);

/* Accesses as a vCPU would make them, devices' lock held. */
uint32_t fake_in(uint16_t port, uint8_t size);
void fake_out(uint16_t port, uint8_t size, uint32_t val);
uint64_t fake_read(uint64_t gpa, uint8_t size);
void fake_write(uint64_t gpa, uint8_t size, uint64_t val);
static inline uint8_t inb(uint16_t port)
{
	return (uint8_t)fake_in(port, 1);
}
static inline void outb(uint16_t port, uint8_t val)
{
	fake_out(port, 1, val);
}

/* Lets ns pass: every timer fires at its deadline. Fails the program if that takes 10^6 alarms. */
void fake_pass(uint64_t ns);
/* Drives an interrupt line from outside; the CPU's answer to INTR. */
void fake_line(unsigned int gsi, bool level);
uint8_t fake_acknowledge(void);
/* Is that irq's request up at the PIC? (needs vpic) */
bool fake_pic_requests(unsigned int irq);

/* Saves the device of that class name and loads it again after ns; what after_load said. */
int fake_pc_save_and_load(const char *name, uint64_t ns);
/* As above, with byte `at` of the saved state replaced. */
int fake_pc_load_corrupt(const char *name, size_t at, uint8_t val);
/* Size of that device's state. */
size_t fake_pc_state_size(const char *name);

#endif
