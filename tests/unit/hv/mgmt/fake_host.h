/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine for the console's tests: serial port, boot modules, VMs, threads, all in variables. */
/* The console's thread runs in the test until it has used up the keys. */
#ifndef TESTS_UNIT_HV_MGMT_FAKE_HOST_H
#define TESTS_UNIT_HV_MGMT_FAKE_HOST_H

#include "arch/hvm.h"
#include "drivers/virtio/virtio_balloon.h"
#include "drivers/virtio/virtio_net.h"
#include "hv/vm.h"

/* A fresh machine; then set what the test wants, and run. */
void fake_host_reset(void);
/* Adds the boot module NAME. */
void fake_host_module(const char *name, const char *text);
/* Starts the console if it is not running, feeds keys, and returns when it parks; what it printed. */
const char *fake_host_run(const char *keys);
/* Types line and Enter; what it printed between the echo and the next prompt, \r\n as \n. */
const char *fake_host_command(const char *line);
/* From fake_on_wait: these keys come now. */
void fake_host_keys(const char *typed);
/* A log line, as log_printf would hand it to the sink. */
void fake_host_log(const char *line);

extern struct hvm_ops fake_hvm;	     /* what hvm points to; set hvm NULL for a CPU without */
extern unsigned int fake_job_waits;  /* looks at a job before it is done */
extern const char *fake_start_fails; /* why vm_start fails, NULL: it does not */
extern unsigned int fake_pings;	     /* that are open */
extern uint16_t fake_ping_answers;   /* requests of each that are answered */
extern void (*fake_on_wait)(void);   /* called when the console sleeps with a time limit */
extern size_t fake_room;	     /* bytes that the serial port still takes */
extern unsigned int fake_unparked;   /* thread_unpark, of the console */
extern unsigned int fake_buttons;    /* power buttons pressed */
extern unsigned int fake_poweroffs;  /* cpu_poweroff calls */
extern unsigned int fake_reboots;
extern enum log_level fake_sink_level; /* what log_set_sink was given */
extern const char *fake_captured;      /* what a capture has to read */
extern unsigned int fake_captures;
extern bool fake_capture_gone;
extern struct netport fake_nic_port; /* any VM's first NIC, */
extern struct virtio_net_counts fake_nic_counts;
extern struct virtio_balloon_info fake_balloon; /* what virtio_balloon_look tells of any VM */
extern int fake_balloon_error;			/* what it returns */
extern const char *fake_reserve_fails;		/* why vm_memory_reserve fails, or NULL */
extern unsigned int fake_list_depth;		/* vm_list_lock held */
extern unsigned int fake_early_vms;		/* made before the machine's devices were found */

#endif
