/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of configuration keys: the only place where a key, its limits and its help stand. */
/* Does not parse: config.c walks this table. */
#include "hv/mgmt/config_schema.h"
#include "hv/mgmt/config_type.h"
#include "hv/sched.h"

static const char *const log_names[] = {
	[LOG_BUG] = "bug",   [LOG_HOST] = "host",   [LOG_GUEST] = "guest",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug", [LOG_LEVELS] = NULL,
};
static const char *const scheduler_names[] = { "share", NULL };
static const char *const scheduler_later[] = { "window", NULL };
static const char *const console_names[] = { "com1,115200", NULL };
static const char *const boot_names[] = {
	[VM_BOOT_LINUX] = "linux",
	[VM_BOOT_MULTIBOOT] = "multiboot",
	[VM_BOOT_FLAT] = "flat",
	NULL,
};
static const char *const boot_later[] = { "bios", "uefi", NULL };
static const char *const crash_names[] = {
	[VM_ON_CRASH_STOP] = "stop",
	[VM_ON_CRASH_RESTART] = "restart",
	NULL,
};

#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
#define STRINGIFY_(x)	    #x
#define STRINGIFY(x)	    STRINGIFY_(x)
/* A key that later versions know: refused by name. */
#define LATER(tbl, key, what)                                                                      \
	{                                                                                          \
		.table = (tbl), .name = (key), .allowed = "nothing in this version", .def = "",    \
		.help = (what)                                                                     \
	}

/* VM_CPUS_MAX carries a suffix: the digit for texts. */
#if VM_CPUS_MAX == 1
#define CPUS_TEXT "1 (more are not supported in this version)"
#else
#define CPUS_TEXT "1 to " STRINGIFY(VM_CPUS_MAX)
#endif

static const struct config_key keys[] = {
	{ .table = CONFIG_HOST,
	  .name = "name",
	  .type = &config_type_string,
	  .allowed = "a string of at most 31 bytes",
	  .def = "\"insula\"",
	  .help = "name of this machine, shown by host info",
	  FIELD(struct host_config, name) },
	{ .table = CONFIG_HOST,
	  .name = "console",
	  .type = &config_type_choice,
	  .allowed = "\"com1,115200\"",
	  .def = "\"com1,115200\"",
	  .names = console_names,
	  .help = "the management console's serial port and speed",
	  FIELD(struct host_config, console) },
	{ .table = CONFIG_HOST,
	  .name = "log",
	  .type = &config_type_choice,
	  .allowed = "\"bug\", \"host\", \"guest\", \"info\" or \"debug\"",
	  .def = "\"info\"",
	  .names = log_names,
	  .help = "log lines up to this level are printed on the console",
	  FIELD(struct host_config, log) },
	{ .table = CONFIG_HOST,
	  .name = "scheduler",
	  .type = &config_type_choice,
	  .allowed = "\"share\"",
	  .def = "\"share\"",
	  .names = scheduler_names,
	  .later = scheduler_later,
	  .help = "how VMs share CPUs: by weight",
	  FIELD(struct host_config, scheduler) },
	LATER(CONFIG_HOST, "config", "a configuration file loaded after this one"),
	LATER(CONFIG_HOST, "major_frame", "length of the window scheduler's frame"),
	LATER(CONFIG_HOST, "address", "IP address of the host on an uplink"),

	{ .table = CONFIG_VM,
	  .name = "memory",
	  .type = &config_type_size,
	  .allowed = "a size like \"512M\" or \"1G\", \"2M\" to \"256G\"",
	  .def = "\"256M\"",
	  .min = (int64_t)VM_MEMORY_MIN,
	  .max = (int64_t)VM_MEMORY_MAX,
	  .help = "RAM of the VM, rounded up to 2 MiB",
	  FIELD(struct vm_config, memory) },
	{ .table = CONFIG_VM,
	  .name = "cpus",
	  .type = &config_type_integer,
	  .allowed = CPUS_TEXT,
	  .def = "1",
	  .min = 1,
	  .max = VM_CPUS_MAX,
	  .help = "virtual CPUs",
	  FIELD(struct vm_config, cpus) },
	{ .table = CONFIG_VM,
	  .name = "weight",
	  .type = &config_type_integer,
	  .allowed = "1 to 65536",
	  .def = "256",
	  .min = 1,
	  .max = 65536,
	  .help = "share of CPU time when VMs compete for it",
	  FIELD(struct vm_config, weight) },
	{ .table = CONFIG_VM,
	  .name = "pin",
	  .type = &config_type_cpus,
	  .allowed = "host CPU numbers, e.g. [0, 1]",
	  .def = "[]",
	  .help = "host CPUs that the VM may run on; none: all",
	  FIELD(struct vm_config, pin) },
	{ .table = CONFIG_VM,
	  .name = "boot",
	  .type = &config_type_choice,
	  .allowed = "\"linux\", \"multiboot\" or \"flat\"",
	  .def = "\"linux\"",
	  .names = boot_names,
	  .later = boot_later,
	  .help = "what the kernel is: a Linux bzImage, multiboot, or flat",
	  FIELD(struct vm_config, boot) },
	{ .table = CONFIG_VM,
	  .name = "kernel",
	  .type = &config_type_file,
	  .allowed = "a file like \"boot:vmlinuz\"",
	  .def = NULL,
	  .help = "the kernel to start",
	  FIELD(struct vm_config, kernel) },
	{ .table = CONFIG_VM,
	  .name = "initrd",
	  .type = &config_type_file,
	  .allowed = "a file like \"boot:initrd.img\"",
	  .def = "\"\"",
	  .help = "initial RAM disk of a Linux kernel",
	  FIELD(struct vm_config, initrd) },
	{ .table = CONFIG_VM,
	  .name = "modules",
	  .type = &config_type_modules,
	  .allowed = "files with arguments, e.g. [\"boot:a.bin verbose\"]",
	  .def = "[]",
	  .help = "modules of a multiboot kernel",
	  FIELD(struct vm_config, modules) },
	{ .table = CONFIG_VM,
	  .name = "cmdline",
	  .type = &config_type_string,
	  .allowed = "a string of at most 511 bytes",
	  .def = "\"\"",
	  .help = "command line of the kernel",
	  FIELD(struct vm_config, cmdline) },
	{ .table = CONFIG_VM,
	  .name = "cpuid",
	  .type = &config_type_cpuid,
	  .allowed = "CPUID features to hide, e.g. [\"-rdrand\"]",
	  .def = "[]",
	  .help = "features of the CPU that the guest must not see",
	  FIELD(struct vm_config, cpuid) },
	{ .table = CONFIG_VM,
	  .name = "autostart",
	  .type = &config_type_boolean,
	  .allowed = "true or false",
	  .def = "false",
	  .help = "start the VM when the host boots",
	  FIELD(struct vm_config, autostart) },
	{ .table = CONFIG_VM,
	  .name = "start_order",
	  .type = &config_type_integer,
	  .allowed = "-1000000 to 1000000",
	  .def = "0",
	  .min = -1000000,
	  .max = 1000000,
	  .help = "autostarted VMs start in this order, the smallest first",
	  FIELD(struct vm_config, start_order) },
	{ .table = CONFIG_VM,
	  .name = "on_crash",
	  .type = &config_type_choice,
	  .allowed = "\"stop\" or \"restart\"",
	  .def = "\"stop\"",
	  .names = crash_names,
	  .help = "what happens after the VM crashed",
	  FIELD(struct vm_config, on_crash) },
	{ .table = CONFIG_VM,
	  .name = "stop_timeout",
	  .type = &config_type_duration,
	  .allowed = "a duration like \"30s\" or \"2m\", \"0ms\" to \"24h\"",
	  .def = "\"1m\"",
	  .max = 24 * 3600000,
	  .help = "how long vm stop waits for the guest to power off",
	  FIELD(struct vm_config, stop_timeout) },
	{ .table = CONFIG_VM,
	  .name = "testdev",
	  .type = &config_type_boolean,
	  .allowed = "true or false",
	  .def = "false",
	  .help = "give the VM the test device, for tests of the hypervisor",
	  FIELD(struct vm_config, testdev) },
	LATER(CONFIG_VM, "cap", "most CPU time, in percent of one CPU"),
	LATER(CONFIG_VM, "reserve", "least CPU time, in percent of one CPU"),
	LATER(CONFIG_VM, "disks", "disks of the VM"),
	LATER(CONFIG_VM, "nics", "network interfaces of the VM"),
	LATER(CONFIG_VM, "window", "CPU time in each frame of the window scheduler"),
	LATER(CONFIG_VM, "paravirt", "paravirtual interfaces for the guest"),
	LATER(CONFIG_VM, "pci", "host PCI devices given to the VM"),
	LATER(CONFIG_VM, "boot_order", "order of boot devices"),
};

const struct config_key *config_schema(unsigned int *count)
{
	*count = ARRAY_SIZE(keys);
	return keys;
}
