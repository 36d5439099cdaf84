/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtual machine is made of, as configured. Filled by hv/mgmt/config, read by all. */
/* Plain data; the defaults are in vm_config_defaults(). */
#ifndef HV_VM_CONFIG_H
#define HV_VM_CONFIG_H

#include "hv/lib/types.h"

#define VM_NAME_MAX    32u
#define VM_PATH_MAX    96u
#define VM_CMDLINE_MAX 512u
#define VM_MODULES_MAX 8u
#define VM_CPUID_MAX   16u
#define VM_CPUS_MAX    16u /* vCPUs of one VM */
#define VM_DISKS_MAX   8u
#define VM_NICS_MAX    8u
#define VM_MEMORY_MIN  (2ul * MIB)
#define VM_MEMORY_MAX  (256ul * GIB)

enum vm_boot { VM_BOOT_LINUX, VM_BOOT_MULTIBOOT, VM_BOOT_FLAT };
enum vm_disk_format {
	VM_DISK_NO_FORMAT, /* in a configuration with errors only */
	VM_DISK_RAW,
	VM_DISK_QCOW2,
	VM_DISK_VDI,
	VM_DISK_VHD,
	VM_DISK_QED,
	VM_DISK_QCOW,
	VM_DISK_VMDK,
};
enum vm_disk_bus { VM_DISK_VIRTIO };
enum vm_disk_error { VM_DISK_REPORT, VM_DISK_PAUSE };
enum vm_on_crash { VM_ON_CRASH_STOP, VM_ON_CRASH_RESTART };

struct vm_disk_config {
	char file[VM_PATH_MAX]; /* "STORE:FILE"; "": it is on a disk of the host's: */
	char disk[VM_NAME_MAX]; /* "ide0" */
	unsigned int partition; /* 0: all of the disk */
	enum vm_disk_format format;
	enum vm_disk_bus bus;
	bool readonly;
	uint64_t overlay; /* bytes of RAM that keep what is written until the VM is off; 0 = none */
	unsigned int iops;  /* requests per second; 0: no limit */
	uint64_t bandwidth; /* bytes per second; 0: no limit */
	enum vm_disk_error on_io_error;
};

enum vm_nic_model { VM_NIC_VIRTIO };

struct vm_nic {
	char net[VM_NAME_MAX]; /* the network */
	enum vm_nic_model model;
	uint8_t mac[6]; /* all 0: one made of the VM's name */
	bool spoof;	/* may use other MAC and IP addresses */
	bool link;	/* begins with its cable plugged in */
	uint64_t rate;	/* bytes per second, each way; 0: no limit */
};

struct vm_config {
	char name[VM_NAME_MAX];
	uint64_t memory; /* bytes */
	unsigned int cpus;
	unsigned int weight;
	unsigned int cap;     /* percent of one CPU; 0 = none */
	unsigned int reserve; /* percent of one CPU */
	uint32_t window;      /* ms in each frame of the window scheduler; 0 = none */
	uint64_t pin;	      /* mask of host CPUs; 0 = any */
	enum vm_boot boot;
	char kernel[VM_PATH_MAX]; /* "STORE:FILE" */
	char initrd[VM_PATH_MAX]; /* "" = none */
	char cmdline[VM_CMDLINE_MAX];
	unsigned int module_count;
	char modules[VM_MODULES_MAX][VM_PATH_MAX + 64]; /* "STORE:FILE arguments" */
	unsigned int cpuid_count;
	char cpuid[VM_CPUID_MAX][24]; /* "-rdrand": a feature the guest must not see */
	unsigned int disk_count;
	struct vm_disk_config disks[VM_DISKS_MAX];
	unsigned int nic_count;
	struct vm_nic nics[VM_NICS_MAX];
	bool autostart;
	int start_order;
	enum vm_on_crash on_crash;
	uint32_t stop_timeout; /* ms that `vm stop` waits for the guest to power off */
	bool testdev;
	bool hvc;      /* has a virtio console */
	bool rng;      /* has a virtio entropy device */
	bool balloon;  /* has a virtio memory balloon */
	bool paravirt; /* is offered KVM's paravirtual interfaces */
};

/*
 * name empty, 256 MiB, 1 CPU, default weight, Linux, autostart off, stop on crash,
 * one minute to power off.
 */
void vm_config_defaults(struct vm_config *cfg);
/* What a disk lies in: "boot:web1.qcow2", "ide0", "ide0 partition 2". Returns buf. */
const char *vm_config_disk_place(const struct vm_disk_config *disk, char *buf, size_t size);
/* The MAC address of the i-th NIC: as configured, else the same for the same name and number always. */
void vm_config_mac(const struct vm_config *cfg, unsigned int i, uint8_t mac[6]);

#endif
