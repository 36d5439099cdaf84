/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: what a whole file becomes, and the catalogue of errors, each rule one case. */
/* The grammar's own cases are in test_toml.c. */
/* TEST_SOURCES: hv/mgmt/config.c hv/mgmt/config_key.c hv/mgmt/config_check.c hv/mgmt/config_write.c hv/mgmt/config_schema.c hv/mgmt/config_schema_lists.c hv/mgmt/config_list.c hv/mgmt/config_line.c hv/mgmt/config_type.c hv/mgmt/toml.c hv/mgmt/toml_scan.c */
/* TEST_SOURCES: hv/mgmt/config_net.c drivers/net/network_config.c */
/* TEST_SOURCES: hv/mgmt/diag.c hv/mgmt/near.c hv/mgmt/utf8.c hv/mgmt/shell_out.c hv/vm_config.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c hv/mgmt/json.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/hv/mgmt/capture.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fakes/fake_heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/capture.h"
#include "hv/mgmt/config.h"
#include "hv/thread.h"

static bool known(const char *name)
{
	return strcmp(name, "rdrand") == 0 || strcmp(name, "avx2") == 0;
}

static const struct config_env env = { .cpus = 4, .cpuid_known = known };
static struct diag d;
static struct config cfg;

static unsigned int checkpoints;

void thread_checkpoint(void)
{
	checkpoints++;
}

static int parse(const char *text)
{
	diag_init(&d);
	return config_parse(text, strlen(text), &env, &cfg, &d);
}

static int teardown(void **state)
{
	(void)state;
	config_free(&cfg);
	return fake_heap_live == 0 ? 0 : -1;
}

static const char whole[] = "# all keys of this version\n"
			    "[host]\n"
			    "name = \"rack3\"\n"
			    "console = \"com1,115200\"\n"
			    "log = \"debug\"\n"
			    "scheduler = \"share\"\n"
			    "[vm.web1]\n"
			    "memory = \"512M\"\n"
			    "cpus = 4\n"
			    "weight = 0x200\n"
			    "pin = [0, 3]\n"
			    "boot = \"linux\"\n"
			    "kernel = \"boot:vmlinuz\"\n"
			    "initrd = \"boot:initrd.img\"\n"
			    "cmdline = \"console=ttyS0 \\\"x\\\"\"\n"
			    "cpuid = [\"-rdrand\", \"-avx2\"]\n"
			    "autostart = true\n"
			    "start_order = -10\n"
			    "on_crash = \"restart\"\n"
			    "stop_timeout = \"90s\"\n"
			    "testdev = true\n"
			    "nics = [{ net = \"lan\", mac = \"52:54:00:00:00:0A\", rate = \"10M\", "
			    "link = false, spoof = true }, \"own\"]\n"
			    "[net.lan]\n"
			    "mtu = 9000\n"
			    "[net.own]\n"
			    "mode = \"nat\"\n"
			    "subnet = \"10.20.4.0/22\"\n"
			    "lease = \"1h\"\n"
			    "uplink = \"nic1\"\n"
			    "forward = [\"tcp:8080:web1:80\", \"udp:53:mb.2:5353\"]\n"
			    "[net.wire]\n"
			    "mode = \"bridge\"\n"
			    "uplink = \"nic0\"\n"
			    "[vm.\"mb.2\"]\n"
			    "boot = \"multiboot\"\n"
			    "kernel = \"boot:mb.elf\"\n"
			    "modules = [\"boot:a.bin some arguments\", \"boot:b.bin\"]\n";

static void test_whole_file(void **state)
{
	const struct vm_config *v;

	(void)state;
	assert_int_equal(parse(whole), 0);
	assert_int_equal(d.count, 0);
	assert_string_equal(cfg.host.name, "rack3");
	assert_int_equal(cfg.host.log, LOG_DEBUG);
	assert_int_equal(cfg.vm_count, 2);
	v = &cfg.vms[0];
	assert_string_equal(v->name, "web1");
	assert_int_equal(v->memory, 512 * MIB);
	assert_int_equal(v->cpus, 4);
	assert_int_equal(v->weight, 512);
	assert_int_equal(v->pin, 9);
	assert_int_equal(v->boot, VM_BOOT_LINUX);
	assert_string_equal(v->kernel, "boot:vmlinuz");
	assert_string_equal(v->initrd, "boot:initrd.img");
	assert_string_equal(v->cmdline, "console=ttyS0 \"x\"");
	assert_int_equal(v->cpuid_count, 2);
	assert_string_equal(v->cpuid[1], "-avx2");
	assert_true(v->autostart && v->testdev);
	assert_int_equal(v->start_order, -10);
	assert_int_equal(v->on_crash, VM_ON_CRASH_RESTART);
	assert_int_equal(v->stop_timeout, 90000);
	v = &cfg.vms[1];
	assert_string_equal(v->name, "mb.2");
	assert_int_equal(v->memory, 256 * MIB);
	assert_int_equal(v->weight, 256);
	assert_int_equal(v->boot, VM_BOOT_MULTIBOOT);
	assert_int_equal(v->module_count, 2);
	assert_string_equal(v->modules[0], "boot:a.bin some arguments");
	assert_false(v->autostart);
}

/* What config show prints is a file that means the same. */
static void test_written_file_reads_back(void **state)
{
	static struct capture c;
	struct shell_out out = capture_out(&c);
	struct config first;

	(void)state;
	assert_int_equal(parse(whole), 0);
	first = cfg;
	config_write_host(&first.host, &out);
	for (unsigned int i = 0; i < first.net_count; i++) {
		config_write_net(&first.nets[i], &out);
	}
	for (unsigned int i = 0; i < first.vm_count; i++) {
		config_write_vm(&first.vms[i], &out);
	}
	assert_int_equal(parse(c.text), 0);
	assert_int_equal(d.count, 0);
	assert_int_equal(cfg.vm_count, first.vm_count);
	assert_int_equal(cfg.net_count, first.net_count);
	assert_memory_equal(cfg.nets, first.nets, cfg.net_count * sizeof(*cfg.nets));
	assert_memory_equal(&cfg.host, &first.host, sizeof(cfg.host));
	for (unsigned int i = 0; i < cfg.vm_count; i++) {
		assert_memory_equal(&cfg.vms[i], &first.vms[i], sizeof(cfg.vms[i]));
	}
	config_free(&first);
}

/* Each default in the table is what a VM without that key has. */
static void test_defaults_are_true(void **state)
{
	unsigned int count;
	const struct config_key *keys = config_keys(&count);
	struct vm_config vm;
	struct host_config host;
	struct network_config net;
	const void *bases[CONFIG_TABLES] = {
		[CONFIG_VM] = &vm, [CONFIG_HOST] = &host, [CONFIG_NET] = &net
	};
	char text[64];

	(void)state;
	vm_config_defaults(&vm);
	config_host_defaults(&host);
	network_config_defaults(&net);
	for (unsigned int i = 0; i < count; i++) {
		const void *base = bases[keys[i].table];

		if (keys[i].type != NULL && keys[i].def != NULL) {
			config_value_text(&keys[i], base, text, sizeof(text));
			assert_string_equal(text, keys[i].def);
		}
	}
}

#define VM "[vm.a]\nkernel = \"boot:k\"\n"

#define FORWARD(spec) "[net.lan]\nforward = [\"" spec "\"]"
#define BAD_FORWARD(spec)                                                                          \
	"net.lan.forward: found \"" spec                                                           \
	"\", allowed: ports like [\"tcp:8080:web1:80\"]: protocol, "                               \
	"the host's, VM, its port"

static const struct {
	const char *text;
	unsigned int line, column;
	const char *message;
} errors[] = {
	{ "name = 1", 1, 1, "name: unknown key, allowed: [host], [net.NAME] and [vm.NAME]" },
	{ "[hots]", 1, 1,
	  "hots: unknown table, allowed: [host], [net.NAME] and [vm.NAME]; did you mean host?" },
	{ "host = 1", 1, 1, "host: found an integer, allowed: a table, [host]" },
	{ "vm = 1", 1, 1, "vm: found an integer, allowed: a table, [vm.NAME]" },
	{ "[host]\nnmae = \"x\"", 2, 1, "host.nmae: unknown key; did you mean name?" },
	{ "[host]\nname = 5", 2, 1, "host.name: found 5, allowed: a string of at most 31 bytes" },
	{ "[host]\nname = \"12345678901234567890123456789012\"", 2, 1,
	  "host.name: found 32 bytes, allowed: at most 31" },
	{ "[host]\nconsole = \"com2,9600\"", 2, 1,
	  "host.console: found \"com2,9600\", allowed: \"com1,115200\"" },
	{ "[host]\nlog = \"loud\"", 2, 1,
	  "host.log: found \"loud\", allowed: \"bug\", \"host\", \"guest\", \"info\" or \"debug\"" },
	{ "[host]\nconfig = \"main:a.conf\"", 2, 1,
	  "host.config: not supported in this version "
	  "(a configuration file loaded after this one)" },
	{ "[host]\naddress = \"dhcp\"", 2, 1,
	  "host.address: found \"dhcp\", allowed: [\"dhcp\"] or [{ ip = \"192.0.2.5/24\", router = "
	  "\"192.0.2.1\" }]" },
	{ "[host]\naddress = [\"10.0.0.0/24\"]", 2, 12,
	  "host.address: found \"10.0.0.0/24\", allowed: \"dhcp\" or an address with its prefix like "
	  "\"192.0.2.5/24\", /8 to /30" },
	{ "[host]\naddress = [{ ip = \"10.0.0.255/24\" }]", 2, 14,
	  "host.address[0].ip: found \"10.0.0.255/24\", allowed: \"dhcp\" or an address with its "
	  "prefix like \"192.0.2.5/24\", /8 to /30" },
	{ "[host]\naddress = [{ ip = \"dhcp\", dns = \"10.0.0\" }]", 2, 27,
	  "host.address[0].dns: found \"10.0.0\", allowed: an address like \"192.0.2.1\"" },
	{ "[host]\naddress = [{ uplink = \"nic1\" }]", 2, 12,
	  "host.address[0].ip: missing, allowed: \"dhcp\" or an address with its prefix like "
	  "\"192.0.2.5/24\", /8 to /30" },
	{ "[host]\nmajor_frame = \"1ms\"", 2, 1,
	  "host.major_frame: found \"1ms\", allowed: a duration like \"10ms\", \"2ms\" to \"1s\"" },
	{ "[store.main]\ndisk = \"nvme0\"", 1, 1, "store: not supported in this version" },
	{ "[net.lan]\nmode = \"bridge\"", 1, 1,
	  "net.lan.uplink: missing, allowed: a network card of the host like \"nic0\"" },
	{ "[net.lan]\nuplink = \"nic0\"", 1, 1,
	  "net.lan.uplink: allowed: only with mode = \"nat\", \"natnet\" or \"bridge\"" },
	{ "[net.lan]\nmode = \"nat\"\nforward = [\"tcp:80:a:80\"]", 1, 1,
	  "net.lan.forward: allowed: only with an uplink" },
	{ "[net.lan]\nmode = \"bridge\"\nuplink = \"nic0\"\nforward = [\"tcp:80:a:80\"]", 1, 1,
	  "net.lan.forward: allowed: only with mode = \"nat\" or \"natnet\"" },
	{ "[net.lan]\nmode = \"nat\"\nuplink = \"nic0\"\nforward = [\"udp:1:a:2\", \"tcp:1:a:2\", "
	  "\"udp:1:b:3\"]",
	  4, 38, "net.lan.forward: found that port of the host's twice: \"udp:1:b:3\"" },
	{ "[net.lan]\nmode = \"nat\"\nuplink = \"nic0\"\nforward = [\"udp:1:a:2\", \"tcp:3:a:2\", "
	  "\"udp:3:a:2\"]",
	  4, 38, "net.lan.forward: found that port of the VM's twice: \"udp:3:a:2\"" },
	{ "[net.a]\nmode = \"nat\"\nuplink = \"nic0\"\nforward = [\"tcp:1:a:2\"]\n"
	  "[net.b]\nmode = \"natnet\"\nuplink = \"nic0\"\nforward = [\"udp:1:a:2\", \"tcp:1:a:3\"]",
	  5, 1, "net.b.forward: port 1 of nic0 leads to net a already" },
	{ FORWARD("tcp:0:a:80"), 2, 12, BAD_FORWARD("tcp:0:a:80") },
	{ FORWARD("tcp:80:a:65536"), 2, 12, BAD_FORWARD("tcp:80:a:65536") },
	{ FORWARD("tcp:80:a"), 2, 12, BAD_FORWARD("tcp:80:a") },
	{ FORWARD("tcp:80::80"), 2, 12, BAD_FORWARD("tcp:80::80") },
	{ FORWARD("tcp:80:a/b:80"), 2, 12, BAD_FORWARD("tcp:80:a/b:80") },
	{ FORWARD("icmp:80:a:80"), 2, 12, BAD_FORWARD("icmp:80:a:80") },
	{ FORWARD("tcp:80:a:80 "), 2, 12, BAD_FORWARD("tcp:80:a:80 ") },
	{ "[net]\nlan = 1", 2, 1, "net.lan: found an integer, allowed: a table, [net.NAME]" },
	{ "[net.lan]\nmode = \"nat\"\nsubnet = \"10.0.0.1/24\"", 3, 1,
	  "net.lan.subnet: found \"10.0.0.1/24\", allowed: a subnet like \"10.20.0.0/24\", /8 to "
	  "/29" },
	{ "[net.lan]\nsubnet = \"10.0.0.0/24\"", 1, 1,
	  "net.lan.subnet: allowed: only with mode = \"nat\" or \"natnet\"" },
	{ "[net.lan]\nmode = \"natnet\"\nmtu = 9000", 1, 1,
	  "net.lan.mtu: found 9000, allowed: at most 1500 but with mode = \"internal\"" },
	{ "[vm]\na = 1", 2, 1, "vm.a: found an integer, allowed: a table, [vm.NAME]" },
	{ "[vm.\"a b\"]\nkernel = \"boot:k\"", 1, 1,
	  "vm.a b: found the name \"a b\", allowed: 1 to "
	  "31 letters, digits, '-', '_' and '.'" },
	{ "[vm.abcdefghijklmnopqrstuvwxyz123456]\nkernel = \"boot:k\"", 1, 1,
	  "vm.abcdefghijklmnopqrstuvwxyz123456: found the name "
	  "\"abcdefghijklmnopqrstuvwxyz123456\", allowed: 1 to 31 letters, digits, '-', '_' and "
	  "'.'" },
	{ "[vm.-a]\nkernel = \"boot:k\"", 1, 1,
	  "vm.-a: found the name \"-a\", allowed: 1 to 31 "
	  "letters, digits, '-', '_' and '.'" },
	{ "[vm.a]\nmemory = \"1G\"", 1, 1,
	  "vm.a.kernel: missing, allowed: a file like \"boot:vmlinuz\"" },
	{ VM "memroy = \"1G\"", 3, 1, "vm.a.memroy: unknown key; did you mean memory?" },
	{ VM "quux = \"1G\"", 3, 1, "vm.a.quux: unknown key" },
	{ VM "memory = 512", 3, 1,
	  "vm.a.memory: found 512, allowed: a size like \"512M\" or \"1G\", "
	  "\"2M\" to \"256G\"" },
	{ VM "memory = \"12X\"", 3, 1,
	  "vm.a.memory: found \"12X\", allowed: a size like \"512M\" or "
	  "\"1G\", \"2M\" to \"256G\"" },
	{ VM "memory = \"1M\"", 3, 1,
	  "vm.a.memory: found \"1M\", allowed: a size like \"512M\" or "
	  "\"1G\", \"2M\" to \"256G\"" },
	{ VM "memory = \"99999999T\"", 3, 1,
	  "vm.a.memory: found \"99999999T\", allowed: a size like "
	  "\"512M\" or \"1G\", \"2M\" to \"256G\"" },
	{ VM "cpus = 17", 3, 1, "vm.a.cpus: found 17, allowed: 1 to 16" },
	{ VM "cpus = 0", 3, 1, "vm.a.cpus: found 0, allowed: 1 to 16" },
	{ VM "cpus = two", 3, 8,
	  "cpus: found two, expected a value: \"string\" (in quotes), "
	  "integer, true, false, [array] or { table }" },
	{ VM "weight = 0", 3, 1, "vm.a.weight: found 0, allowed: 1 to 65536" },
	{ VM "weight = 4294967297", 3, 1, "vm.a.weight: found 4294967297, allowed: 1 to 65536" },
	{ VM "pin = 1", 3, 1, "vm.a.pin: found 1, allowed: host CPU numbers, e.g. [0, 1]" },
	{ VM "pin = [-1]", 3, 8, "vm.a.pin: found -1, allowed: host CPU numbers, e.g. [0, 1]" },
	{ VM "pin = [64]", 3, 8, "vm.a.pin: found 64, allowed: host CPU numbers, e.g. [0, 1]" },
	{ VM "pin = [0, 4]", 3, 11, "vm.a.pin: found CPU 4, allowed: 0 to 3 (this host's)" },
	{ VM "pin = [\"a\"]", 3, 8,
	  "vm.a.pin: found \"a\", allowed: host CPU numbers, e.g. [0, 1]" },
	{ VM "boot = \"uefi\"", 3, 1,
	  "vm.a.boot: \"uefi\" is not supported in this version, "
	  "allowed: \"linux\", \"multiboot\" or \"flat\"" },
	{ VM "boot = \"bios\"", 3, 1,
	  "vm.a.boot: \"bios\" is not supported in this version, "
	  "allowed: \"linux\", \"multiboot\" or \"flat\"" },
	{ VM "boot = \"floppy\"", 3, 1,
	  "vm.a.boot: found \"floppy\", allowed: \"linux\", "
	  "\"multiboot\" or \"flat\"" },
	{ "[vm.a]\nkernel = \"vmlinuz\"", 2, 1,
	  "vm.a.kernel: found \"vmlinuz\", allowed: a file like "
	  "\"boot:vmlinuz\"" },
	{ "[vm.a]\nkernel = \"boot:\"", 2, 1,
	  "vm.a.kernel: found \"boot:\", allowed: a file like \"boot:vmlinuz\"" },
	{ "[vm.a]\nkernel = \"main:k\"", 2, 1,
	  "vm.a.kernel: found store \"main\", allowed: boot: "
	  "(boot modules); datastores are not supported in this version" },
	{ VM "initrd = 1", 3, 1, "vm.a.initrd: found 1, allowed: a file like \"boot:initrd.img\"" },
	{ VM "boot = \"flat\"\ninitrd = \"boot:i\"", 1, 1,
	  "vm.a.initrd: found \"boot:i\", allowed: only with boot = \"linux\"" },
	{ VM "modules = [\"boot:a\"]", 1, 1,
	  "vm.a.modules: found 1, allowed: only with boot = \"multiboot\"" },
	{ VM "boot = \"multiboot\"\nmodules = [1]", 4, 12,
	  "vm.a.modules: found 1, allowed: files with arguments, e.g. [\"boot:a.bin verbose\"]" },
	{ VM "boot = \"multiboot\"\nmodules = [\"boot: x\"]", 4, 12,
	  "vm.a.modules: found \"boot: x\""
	  ", allowed: files with arguments, e.g. [\"boot:a.bin verbose\"]" },
	{ VM "boot = \"multiboot\"\nmodules = [\"boot:1\", \"boot:2\", \"boot:3\", \"boot:4\", "
	     "\"boot:5\", \"boot:6\", \"boot:7\", \"boot:8\", \"boot:9\"]",
	  4, 92, "vm.a.modules: more than 8 modules" },
	{ VM "cmdline = true", 3, 1,
	  "vm.a.cmdline: found true, allowed: a string of at most 511 bytes" },
	{ VM "cpuid = [\"rdrand\"]", 3, 10,
	  "vm.a.cpuid: found \"rdrand\", allowed: CPUID features to "
	  "hide, e.g. [\"-rdrand\"]" },
	{ VM "cpuid = [\"-warp\"]", 3, 10,
	  "vm.a.cpuid: found \"-warp\", which is no CPUID feature "
	  "known here, allowed: CPUID features to hide, e.g. [\"-rdrand\"]" },
	{ VM "autostart = 1", 3, 1, "vm.a.autostart: found 1, allowed: true or false" },
	{ VM "autostart = yes", 3, 13,
	  "autostart: found yes, expected a value: \"string\" (in "
	  "quotes), integer, true, false, [array] or { table }" },
	{ VM "start_order = 1000001", 3, 1,
	  "vm.a.start_order: found 1000001, allowed: -1000000 to 1000000" },
	{ VM "on_crash = \"pray\"", 3, 1,
	  "vm.a.on_crash: found \"pray\", allowed: \"stop\" or \"restart\"" },
	{ VM "stop_timeout = \"30\"", 3, 1,
	  "vm.a.stop_timeout: found \"30\", allowed: a duration like "
	  "\"30s\" or \"2m\", \"0ms\" to \"24h\"" },
	{ VM "stop_timeout = \"25h\"", 3, 1,
	  "vm.a.stop_timeout: found \"25h\", allowed: a duration "
	  "like \"30s\" or \"2m\", \"0ms\" to \"24h\"" },
	{ VM "testdev = []", 3, 1, "vm.a.testdev: found an array, allowed: true or false" },
	{ VM "cap = 1601", 3, 1, "vm.a.cap: found 1601, allowed: 1 to 1600, or 0 for no cap" },
	{ VM "reserve = -1", 3, 1,
	  "vm.a.reserve: found -1, allowed: 0 to 1600, at most 100 for each of its cpus, at most its "
	  "cap" },
	{ VM "reserve = 101", 1, 1,
	  "vm.a.reserve: found 101, allowed: at most 100 for each of its cpus, 100" },
	{ VM "reserve = 30\ncap = 25", 1, 1,
	  "vm.a.reserve: found 30, allowed: at most its cap, 25" },
	{ VM "cap = 25\n[host]\nscheduler = \"window\"", 1, 1,
	  "vm.a.cap: found 25, allowed: only with [host] scheduler = \"share\"" },
	{ "[host]\nscheduler = \"window\"\n" VM "window = \"5ms\"\nreserve = 25", 3, 1,
	  "vm.a.reserve: found 25, allowed: only with [host] scheduler = \"share\"" },
	{ VM "window = \"5ms\"", 1, 1,
	  "vm.a.window: found \"5ms\", allowed: only with [host] scheduler = \"window\"" },
	{ VM "disks = [{ file = \"boot:a\", readonly = true }]", 3, 10,
	  "vm.a.disks[0].format: missing, allowed: \"raw\", \"qcow2\", \"vdi\", \"vhd\", \"qed\", "
	  "\"qcow\" or \"vmdk\"; it is never guessed" },
	{ VM "disks = [{ file = \"boot:a\", format = \"raw\", bus = \"ide\", readonly = true }]", 3,
	  45, "vm.a.disks[0].bus: \"ide\" is not supported in this version, allowed: \"virtio\"" },
	{ VM "disks = [{ file = \"boot:a\", format = \"raw\" }]", 1, 1,
	  "vm.a.disks[0]: found neither, allowed: readonly = true or, as boot modules cannot be "
	  "written, overlay = \"SIZE\"" },
	{ VM "disks = [{ file = \"boot:a\", format = \"raw\", readonly = true, overlay = \"1M\" }]",
	  1, 1,
	  "vm.a.disks[0]: found both, allowed: readonly = true or, as boot modules cannot be "
	  "written, overlay = \"SIZE\"" },
	{ VM "disks = [{ file = \"boot:a\", format = \"raw\", overlay = \"1K\" }]", 3, 45,
	  "vm.a.disks[0].overlay: found \"1K\", allowed: a size like \"64M\", \"64K\" to \"1T\"" },
	{ VM "disks = [{ file = \"boot:a\", format = \"raw\", iops = -5, readonly = true }]", 3, 45,
	  "vm.a.disks[0].iops: found -5, allowed: requests per second, up to 1000000, or 0 for no "
	  "limit" },
	{ VM
	  "disks = [{ file = \"boot:a\", format = \"raw\", bandwidth = \"fast\", readonly = true "
	  "}]",
	  3, 45,
	  "vm.a.disks[0].bandwidth: found \"fast\", allowed: bytes per second like \"10M\", up to "
	  "\"1T\", or \"0\" for no limit" },
	{ VM "nics = [\"lan\"]", 1, 1,
	  "vm.a.nics: found network \"lan\", allowed: one that there is, [net.lan]" },
	{ VM "nics = [1]", 3, 9,
	  "vm.a.nics: found 1, allowed: networks like [\"lan\"] or [{ net = \"lan\", mac = "
	  "\"52:54:00:00:00:01\" }]" },
	{ VM "nics = [{ mac = \"52:54:00:00:00:01\" }]", 3, 9,
	  "vm.a.nics[0].net: missing, allowed: a network, [net.NAME]" },
	{ VM "nics = [\"x\", { net = \"x\", nett = 1 }]", 3, 27,
	  "vm.a.nics[1].nett: unknown key; did you mean net?" },
	{ VM "nics = [{ net = \"x\", mac = \"53:54:00:00:00:01\" }]", 3, 22,
	  "vm.a.nics[0].mac: found \"53:54:00:00:00:01\", allowed: an address like "
	  "\"52:54:00:00:00:01\", the first byte even" },
	{ VM "nics = [{ net = \"x\", mac = \"52:54:00:00:00:1\" }]", 3, 22,
	  "vm.a.nics[0].mac: found \"52:54:00:00:00:1\", allowed: an address like "
	  "\"52:54:00:00:00:01\", the first byte even" },
	{ VM "nics = [{ net = \"x\", model = \"e1000\" }]", 3, 22,
	  "vm.a.nics[0].model: \"e1000\" is not supported in this version, allowed: \"virtio\"" },
	{ VM "nics = [{ net = \"x\", vlan = 3 }]", 3, 22,
	  "vm.a.nics[0].vlan: not supported in this version (VLAN of the network card)" },
	{ VM "nics = [\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]", 3, 41,
	  "vm.a.nics: found more than 8, allowed: up to 8" },
	{ VM "window = \"2s\"", 3, 1,
	  "vm.a.window: found \"2s\", allowed: a duration like \"2ms\", up to \"1s\", less than "
	  "[host] major_frame" },
	{ VM "paravirt = 1", 3, 1, "vm.a.paravirt: found 1, allowed: true or false" },
	{ VM "pci = []", 3, 1,
	  "vm.a.pci: not supported in this version (host PCI devices given to the VM)" },
	{ VM "boot_order = []", 3, 1,
	  "vm.a.boot_order: not supported in this version (order of boot devices)" },
	{ VM "cpus = 1\ncpus = 1", 4, 1, "cpus is given twice, first in line 3" },
	{ VM VM, 3, 1, "[a] is given twice, first in line 1" },
	{ "[vm.a b]\n", 1, 7, "found 'b', expected '.' or ']'" },
};

static void test_error_catalogue(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct diag_entry *e = &d.entries[0];

		assert_int_equal(parse(errors[i].text), 0);
		if (d.count != 1 || strcmp(e->text, errors[i].message) != 0 ||
		    e->at.line != errors[i].line || e->at.column != errors[i].column) {
			fail_msg("case %zu: %u errors, first %u:%u: '%s', not %u:%u: '%s'", i,
				 d.count, e->at.line, e->at.column, e->text, errors[i].line,
				 errors[i].column, errors[i].message);
		}
		assert_int_equal(cfg.vm_count, 0); /* a VM with an error is not there */
		config_free(&cfg);
	}
}

static void test_all_errors_at_once(void **state)
{
	(void)state;
	assert_int_equal(parse("[vm.a]\ncpus = 70\nmemory = 1\nkernle = \"boot:k\"\n"
			       "[vm.good]\nkernel = \"boot:k\"\n"
			       "[vm.c]\nkernel = boot:k\nweight = 0\n"
			       "[host]\nlog = \"x\"\nname = \"ok\"\n"),
			 0);
	assert_int_equal(d.count, 6);
	assert_int_equal(cfg.vm_count, 1);
	assert_string_equal(cfg.vms[0].name, "good");
	assert_string_equal(cfg.host.name, "ok");
	assert_int_equal(cfg.host.log, LOG_INFO);
}

/* A window is no error with the one, a cap and a reservation none with the other. */
static void test_scheduler_and_budgets(void **state)
{
	(void)state;
	assert_int_equal(parse("[vm.a]\nkernel = \"boot:k\"\nwindow = \"5ms\"\ncap = 0\n"
			       "[host]\nscheduler = \"window\"\n"),
			 0);
	assert_int_equal(d.count, 0);
	assert_int_equal(cfg.vm_count, 1);
	config_free(&cfg);
	assert_int_equal(parse("[host]\nscheduler = \"share\"\n"
			       "[vm.a]\nkernel = \"boot:k\"\ncap = 50\nreserve = 25\n"),
			 0);
	assert_int_equal(d.count, 0);
	assert_int_equal(cfg.vm_count, 1);
}

static void test_too_many_errors(void **state)
{
	char text[4096];
	size_t len = 0;

	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "k%u = %u\n", i, i);
	}
	assert_int_equal(parse(text), 0);
	assert_int_equal(d.count, DIAG_MAX);
	assert_int_equal(d.dropped, 50 - DIAG_MAX);
}

static void test_too_many_vms(void **state)
{
	char text[8192];
	size_t len = 0;

	(void)state;
	for (unsigned int i = 0; i < CONFIG_VMS_MAX + 2; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"[vm.v%u]\nkernel = \"boot:k\"\n", i);
	}
	assert_int_equal(parse(text), 0);
	assert_int_equal(cfg.vm_count, CONFIG_VMS_MAX);
	assert_int_equal(d.count, 1);
	assert_string_equal(d.entries[0].text, "vm.v64: more than 64 VMs");
}

static void test_out_of_memory(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 0; n < 200; n++) {
		int err;

		fake_heap_limit = n;
		err = parse(whole);
		fake_heap_limit = ~0ul;
		if (err == 0 && d.count == 0) {
			break;
		}
		config_free(&cfg);
		assert_int_equal(fake_heap_live, 0);
	}
	assert_in_range(n, 10, 199);
	assert_int_equal(cfg.vm_count, 2);
}

static void test_networks(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0, 0, 10 }, none[6];
	static struct capture text;
	struct shell_out out = capture_out(&text);
	const struct vm_config *v;

	(void)state;
	assert_int_equal(parse(whole), 0);
	v = &cfg.vms[0];
	assert_int_equal(cfg.net_count, 3);
	assert_string_equal(cfg.nets[0].name, "lan");
	assert_int_equal(cfg.nets[0].mode, NETWORK_INTERNAL);
	assert_int_equal(cfg.nets[0].mtu, 9000);
	assert_int_equal(cfg.nets[1].mode, NETWORK_NAT);
	assert_int_equal(cfg.nets[1].subnet.addr, 0x0a140400);
	assert_int_equal(cfg.nets[1].subnet.prefix, 22);
	assert_int_equal(cfg.nets[1].lease, 3600000);
	assert_string_equal(cfg.nets[1].uplink, "nic1");
	assert_int_equal(cfg.nets[1].forwards, 2);
	assert_int_equal(cfg.nets[1].forward[0].proto, 6);
	assert_int_equal(cfg.nets[1].forward[0].out_port, 8080);
	assert_string_equal(cfg.nets[1].forward[0].vm, "web1");
	assert_int_equal(cfg.nets[1].forward[0].in_port, 80);
	assert_int_equal(cfg.nets[1].forward[1].proto, 17);
	assert_string_equal(cfg.nets[1].forward[1].vm, "mb.2");
	assert_int_equal(cfg.nets[2].mode, NETWORK_BRIDGE);
	assert_int_equal(v->nic_count, 2);
	assert_string_equal(v->nics[0].net, "lan");
	assert_memory_equal(v->nics[0].mac, mac, 6);
	assert_int_equal(v->nics[0].rate, 10 * MIB);
	assert_true(v->nics[0].spoof && !v->nics[0].link);
	assert_memory_equal(v->nics[1].mac, none, 6);
	assert_true(!v->nics[1].spoof && v->nics[1].link);
	capture_clear(&text);
	config_write_net(&cfg.nets[1], &out);
	config_write_vm(v, &out);
	assert_non_null(strstr(text.text, "[net.own]\nmode = \"nat\"\nsubnet = \"10.20.4.0/22\"\n"
					  "lease = \"1h\"\nuplink = \"nic1\"\n"
					  "forward = [\"tcp:8080:web1:80\", "
					  "\"udp:53:mb.2:5353\"]\n"));
	assert_non_null(strstr(text.text,
			       "nics = [{ net = \"lan\", mac = \"52:54:00:00:00:0a\", rate = "
			       "\"10M\", link = false, spoof = true }, { net = \"own\" }]\n"));
}

/* A network "net" with as many ports as there may be. */
static size_t put_forwards(char *text, size_t size, const char *net, const char *uplink)
{
	int len = snprintf(text, size, "[net.%s]\nmode = \"natnet\"\nuplink = \"%s\"\nforward = [",
			   net, uplink);

	for (unsigned int i = 0; i < NETWORK_FORWARDS; i++) {
		len += snprintf(text + len, size - (size_t)len, "%s\"tcp:%u:a:%u\"",
				i == 0 ? "" : ", ", net[0] + 1000 * (i + 1), i + 1);
	}
	len += snprintf(text + len, size - (size_t)len, "]\n");
	return (size_t)len;
}

static void test_others_have_their_turn_between_ports(void **state)
{
	static const char *const uplinks[] = { "nic1", "nic0" };
	unsigned int turns[2];
	char text[4096];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(uplinks); i++) {
		size_t len = put_forwards(text, sizeof(text), "a", "nic0");

		put_forwards(text + len, sizeof(text) - len, "b", uplinks[i]);
		checkpoints = 0;
		assert_int_equal(parse(text), 0);
		assert_int_equal(d.count, 0);
		assert_int_equal(cfg.net_count, 2);
		turns[i] = checkpoints;
		config_free(&cfg);
	}
	assert_int_equal(turns[1] - turns[0], NETWORK_FORWARDS);
}

static void test_addresses(void **state)
{
	static struct capture text;
	struct shell_out out = capture_out(&text);
	const struct uplink_config *a = cfg.host.address;

	(void)state;
	assert_int_equal(
		parse("[host]\naddress = [\"dhcp\", { ip = \"192.0.2.5/24\", uplink = \"nic1\", "
		      "router = \"192.0.2.1\", dns = \"9.9.9.9\" }]"),
		0);
	assert_int_equal(d.count, 0);
	assert_int_equal(cfg.host.addresses, 2);
	assert_string_equal(a[0].uplink, "nic0");
	assert_int_equal(a[0].address.addr, 0);
	assert_string_equal(a[1].uplink, "nic1");
	assert_int_equal(a[1].address.addr, 0xc0000205);
	assert_int_equal(a[1].address.prefix, 24);
	assert_int_equal(a[1].router, 0xc0000201);
	assert_int_equal(a[1].dns, 0x09090909);
	config_write_host(&cfg.host, &out);
	assert_non_null(strstr(text.text, "address = [{ ip = \"dhcp\" }, { ip = \"192.0.2.5/24\", "
					  "uplink = \"nic1\", router = \"192.0.2.1\", dns = "
					  "\"9.9.9.9\" }]\n"));
}

static const struct {
	const char *key, *text, *message; /* NULL: no error */
} settings[] = {
	{ "nics", "lan,own", NULL },
	{ "nics", "[{ net = \"lan\", rate = \"1M\" }]", NULL },
	{ "nics", "", NULL },
	{ "nics", "[{ net = \"lan\", rate = \"x\" }]",
	  "nics[0].rate: found \"x\", allowed: bytes per second like \"10M\", up to \"1T\", or "
	  "\"0\" for no limit" },
	{ "memory", "1G", NULL },
	{ "cmdline", "a=\"b\" c\\d # x", NULL },
	{ "weight", "1_000", NULL },
	{ "autostart", "true", NULL },
	{ "pin", "0,2", NULL },
	{ "pin", "[0, 2]", NULL },
	{ "pin", "", NULL },
	{ "cpuid", "-rdrand,-avx2", NULL },
	{ "cpuid", "[-rdrand, -avx2]", NULL },
	{ "initrd", "", NULL },
	{ "weight", "many", "weight: found many, allowed: 1 to 65536" },
	{ "weight", "5 6", "weight: found 5 6, allowed: 1 to 65536" },
	{ "weight", "", "weight: found , allowed: 1 to 65536" },
	{ "autostart", "yes", "autostart: found yes, allowed: true or false" },
	{ "pin", "0,,2", "pin: found 0,,2, allowed: host CPU numbers, e.g. [0, 1]" },
	{ "memory", "1",
	  "memory: found \"1\", allowed: a size like \"512M\" or \"1G\", \"2M\" to "
	  "\"256G\"" },
	{ "wieght", "1", "wieght: unknown key; did you mean weight?" },
	{ "pci", "x", "pci: not supported in this version (host PCI devices given to the VM)" },
	{ "disks", "x", "disks: found \"x\", allowed: a file like \"boot:web1.qcow2\"" },
	{ "disks", "[{ file = \"boot:a\", format = \"raw\", overlay = \"1M\" }]", NULL },
	{ "disks", "[{file=boot:a,format=raw,readonly=true}, {file=boot:b,format=raw,overlay=1M}]",
	  NULL },
	{ "disks", "[{file=boot:a,format=foo}]",
	  "disks[0].format: found \"foo\", allowed: \"raw\", \"qcow2\", \"vdi\", \"vhd\", \"qed\", "
	  "\"qcow\" or \"vmdk\"; it is never guessed" },
	{ "disks", "[{file=\"boot:a,format=raw}]",
	  "disks: found [{file=\"boot:a,format=raw}], allowed: [{ file = \"boot:a.qcow2\", format = "
	  "\"qcow2\", overlay = \"64M\" }, ...]" },
	{ "nics", "lan,dmz", NULL },
	{ "nics", "[\"lan\", \"dmz\"]", NULL },
	{ "nics", "[lan, {net=dmz, mac=52:54:00:00:00:01}]", NULL },
	{ "nics", "a,b,c,d,e,f,g,h,i", "nics: found more than 8, allowed: up to 8" },
};

static void test_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		struct vm_config vm, before;

		diag_init(&d);
		vm_config_defaults(&vm);
		before = vm;
		config_set_vm(&vm, settings[i].key, settings[i].text, &env, &d);
		if (settings[i].message == NULL) {
			assert_int_equal(d.count, 0);
			continue;
		}
		assert_int_equal(d.count, 1);
		assert_string_equal(d.entries[0].text, settings[i].message);
		assert_int_equal(d.entries[0].at.line, 0);
		assert_memory_equal(&vm, &before, sizeof(vm));
	}
}

static void test_set_disk(void **state)
{
	struct vm_disk_config disk = { .iops = 7 };

	(void)state;
	diag_init(&d);
	config_set_disk(&disk, "iops", "500", &env, &d);
	config_set_disk(&disk, "bandwidth", "10M", &env, &d);
	assert_int_equal(d.count, 0);
	assert_int_equal(disk.iops, 500);
	assert_int_equal(disk.bandwidth, 10 * MIB);
	config_set_disk(&disk, "iops", "1000001", &env, &d);
	config_set_disk(&disk, "bandwidth", "fast", &env, &d);
	config_set_disk(&disk, "speed", "1", &env, &d);
	assert_int_equal(d.count, 3);
	assert_string_equal(d.entries[0].text,
			    "iops: found 1000001, allowed: requests per second, up to 1000000, or "
			    "0 for no limit");
	assert_string_equal(
		d.entries[1].text,
		"bandwidth: found \"fast\", allowed: bytes per second like \"10M\", up to "
		"\"1T\", or \"0\" for no limit");
	assert_string_equal(d.entries[2].text, "speed: unknown key");
	assert_int_equal(disk.iops, 500);
	assert_int_equal(disk.bandwidth, 10 * MIB);
}

static void test_set_values(void **state)
{
	struct vm_config vm;

	(void)state;
	diag_init(&d);
	vm_config_defaults(&vm);
	config_set_vm(&vm, "cmdline", "a=\"b\" c\\d # x", &env, &d);
	assert_string_equal(vm.cmdline, "a=\"b\" c\\d # x");
	config_set_vm(&vm, "pin", "[0, 2]", &env, &d);
	assert_int_equal(vm.pin, 5);
	config_set_vm(&vm, "cpuid", "-rdrand,-avx2", &env, &d);
	assert_int_equal(vm.cpuid_count, 2);
	assert_string_equal(vm.cpuid[1], "-avx2");
	config_set_vm(&vm, "modules", "boot:a x y, boot:b", &env, &d);
	assert_string_equal(vm.modules[0], "boot:a x y");
	assert_string_equal(vm.modules[1], "boot:b");
	config_set_vm(&vm, "disks", "[{file=boot:a, format=raw, readonly=true}]", &env, &d);
	assert_int_equal(vm.disk_count, 1);
	assert_string_equal(vm.disks[0].file, "boot:a");
	assert_true(vm.disks[0].readonly);
	config_set_vm(&vm, "nics", "[lan, {net=dmz,mac=52:54:00:00:00:01}]", &env, &d);
	assert_int_equal(vm.nic_count, 2);
	assert_string_equal(vm.nics[1].net, "dmz");
	assert_int_equal(vm.nics[1].mac[5], 1);
	assert_int_equal(d.count, 0);
}

static void test_key_names(void **state)
{
	unsigned int count;
	const struct config_key *keys = config_keys(&count);
	char path[64];

	(void)state;
	for (unsigned int i = 0; i < count; i++) {
		config_key_path(&keys[i], path, sizeof(path));
		assert_ptr_equal(config_key_find(path), &keys[i]);
		assert_true(keys[i].help[0] != '\0' && keys[i].allowed[0] != '\0');
	}
	assert_ptr_equal(config_key_find("memory"), config_key_find("vm.web1.memory"));
	assert_ptr_equal(config_key_find("memory"), config_key_find("vm.memory"));
	assert_null(config_key_find("nothing"));
	assert_null(config_key_find("host.memory"));
	assert_null(config_key_find("x.memory"));
	assert_null(config_key_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_whole_file, teardown),
		cmocka_unit_test_teardown(test_addresses, teardown),
		cmocka_unit_test_teardown(test_networks, teardown),
		cmocka_unit_test_teardown(test_others_have_their_turn_between_ports, teardown),
		cmocka_unit_test_teardown(test_written_file_reads_back, teardown),
		cmocka_unit_test(test_defaults_are_true),
		cmocka_unit_test_teardown(test_error_catalogue, teardown),
		cmocka_unit_test_teardown(test_all_errors_at_once, teardown),
		cmocka_unit_test_teardown(test_scheduler_and_budgets, teardown),
		cmocka_unit_test_teardown(test_too_many_errors, teardown),
		cmocka_unit_test_teardown(test_too_many_vms, teardown),
		cmocka_unit_test_teardown(test_out_of_memory, teardown),
		cmocka_unit_test_teardown(test_set, teardown),
		cmocka_unit_test_teardown(test_set_disk, teardown),
		cmocka_unit_test_teardown(test_set_values, teardown),
		cmocka_unit_test(test_key_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
