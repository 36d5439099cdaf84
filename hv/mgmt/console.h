/* SPDX-License-Identifier: BSD-2-Clause */
/* The management console: a thread that reads the host's serial port and runs commands. */
/* The commands are in cmd_*.c. */
#ifndef HV_MGMT_CONSOLE_H
#define HV_MGMT_CONSOLE_H

struct boot_info;

/*
 * Starts the thread: banner, configuration, automatic VMs, prompt. info stays valid for good. The
 * log's sink becomes the console's, which keeps log lines off the line being typed. -ENOMEM. Once,
 * after the loader, bootfs and the VM manager.
 */
int console_start(const struct boot_info *info);

#endif
