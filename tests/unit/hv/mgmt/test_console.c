/* SPDX-License-Identifier: BSD-2-Clause */
/* The console from the serial port down, over fakes: start-up, every command, log lines, sessions. */
/* What each part does on its own is in the other tests of this folder. */
/* TEST_SOURCES: hv/mgmt/console.c hv/mgmt/screen.c hv/mgmt/startup.c hv/mgmt/shell.c */
/* TEST_SOURCES: hv/mgmt/shell_words.c hv/mgmt/shell_out.c hv/mgmt/shell_buf.c hv/mgmt/line_edit.c hv/mgmt/line_history.c hv/mgmt/line_complete.c hv/mgmt/line_key.c hv/mgmt/utf8.c */
/* TEST_SOURCES: hv/mgmt/near.c hv/mgmt/json.c hv/mgmt/show.c hv/mgmt/diag.c hv/mgmt/toml.c hv/mgmt/toml_scan.c */
/* TEST_SOURCES: hv/mgmt/config.c hv/mgmt/config_key.c hv/mgmt/config_check.c hv/mgmt/config_write.c hv/mgmt/config_schema.c hv/mgmt/config_schema_lists.c hv/mgmt/config_list.c hv/mgmt/config_line.c hv/mgmt/config_type.c */
/* TEST_SOURCES: hv/mgmt/power_button.c hv/mgmt/cmd_vm.c hv/mgmt/cmd_vm_set.c hv/mgmt/cmd_vm_info.c hv/mgmt/cmd_vm_console.c hv/mgmt/cmd_vm_pci.c */
/* TEST_SOURCES: hv/mgmt/config_net.c drivers/net/network_config.c hv/mgmt/cmd_net.c hv/mgmt/cmd_net_uplink.c hv/mgmt/cmd_net_ping.c hv/mgmt/cmd_nic.c hv/mgmt/cmd_net_capture.c hv/mgmt/base64.c */
/* TEST_SOURCES: hv/mgmt/cmd_host.c hv/mgmt/cmd_host_devices.c hv/mgmt/cmd_host_power.c hv/mgmt/cmd_host_memory.c hv/mgmt/cmd_config.c hv/mgmt/cmd_misc.c hv/mgmt/cmd_top.c */
/* TEST_SOURCES: hv/mgmt/cmd_trace.c hv/guest_console.c hv/vm_config.c hv/lib/errno.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/hv/mgmt/fake_host.c */
/* TEST_CFLAGS: -Itests/unit/fakes */
#include <stdio.h>

#include <cmocka.h>

#include "fakes/fake_arch.h"
#include "fakes/fake_heap.h"
#include "hv/base/log.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/fake_host.h"
#include "hv/mgmt/screen.h"

static const char conf[] = "[host]\nname = \"rack3\"\nlog = \"guest\"\n"
			   "[vm.late]\nkernel = \"boot:k\"\nautostart = true\nstart_order = 2\n"
			   "[vm.web1]\nkernel = \"boot:k\"\nmemory = \"16M\"\nautostart = true\n"
			   "start_order = -1\nstop_timeout = \"2s\"\n"
			   "[vm.db]\nkernel = \"boot:k\"\nmemory = \"1536K\"\n"
			   "[vm.spare]\nkernel = \"boot:k\"\n";

static int setup(void **state)
{
	(void)state;
	fake_host_reset();
	return 0;
}

/* A machine with two VMs: web1 runs, db is stopped. */
static int setup_vms(void **state)
{
	setup(state);
	fake_host_module("insula.conf",
			 "[vm.web1]\nkernel = \"boot:k\"\nmemory = \"16M\"\n"
			 "autostart = true\nstop_timeout = \"2s\"\n"
			 "[vm.db]\nkernel = \"boot:db.elf\"\nboot = \"multiboot\"\n");
	fake_host_module("k", "kernel");
	fake_host_run("");
	assert_non_null(vm_find("db"));
	return 0;
}

#define assert_prints(line, text) assert_string_equal(fake_host_command(line), text)

static void assert_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		fail_msg("no '%s' in '%s'", part, text);
	}
}

void vm_share_use_windows(uint32_t frame_ms)
{
	(void)frame_ms;
}

/* ---- start-up ---- */

static void test_no_configuration(void **state)
{
	const char *text = fake_host_run("");

	(void)state;
	assert_has(text, "\r\nInsula 0.1 (0123456789ab)\r\n");
	assert_has(text, "There is no boot:insula.conf");
	assert_has(text, "module2 --nounzip /boot/insula.conf insula.conf");
	assert_string_equal(text + strlen(text) - 8, "insula> ");
	assert_null(vm_next(NULL));
}

static void test_startup(void **state)
{
	const char *text;

	(void)state;
	fake_host_module("insula.conf", conf);
	text = fake_host_run("");
	assert_has(text, "error: boot:insula.conf:16:1: vm.db.memory: found \"1536K\", allowed: a "
			 "size like");
	assert_has(text, "boot:insula.conf: 3 VMs: late (autostart), web1 (autostart), spare\r\n");
	assert_int_equal(fake_sink_level, LOG_GUEST);
	assert_int_equal(vm_find("web1")->state, VM_RUNNING);
	assert_int_equal(vm_find("late")->state, VM_RUNNING);
	assert_int_equal(vm_find("spare")->state, VM_STOPPED);
	assert_null(vm_find("db"));
}

/* Only what may be a device of the machine's has the VMs wait until those are found. */
static void test_startup_waits_for_devices(void **state)
{
	static const struct {
		const char *conf;
		unsigned int early;
	} rows[] = {
		{ "[vm.b]\nkernel = \"boot:k\"\n", 2 },
		{ "[vm.b]\nkernel = \"boot:k\"\n"
		  "disks = [{ file = \"boot:d\", format = \"raw\", readonly = true }]\n",
		  2 },
		{ "[vm.b]\nkernel = \"boot:k\"\n"
		  "disks = [{ file = \"boot:d\", format = \"raw\", readonly = true }, "
		  "{ disk = \"ide0\", format = \"raw\" }]\n",
		  0 },
		{ "[vm.b]\nkernel = \"boot:k\"\n[net.lan]\n", 0 },
		{ "[vm.b]\nkernel = \"boot:k\"\n[host]\naddress = [\"dhcp\"]\n", 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];

		setup(state);
		fmt_snprintf(text, sizeof(text), "[vm.a]\nkernel = \"boot:k\"\n%s", rows[i].conf);
		fake_host_module("insula.conf", text);
		assert_has(fake_host_run(""), "boot:insula.conf: 2 VMs: a, b\r\n");
		assert_int_equal(fake_early_vms, rows[i].early);
	}
}

static void test_startup_without_virtualization(void **state)
{
	const char *text;

	(void)state;
	hvm = NULL;
	fake_host_module("insula.conf", conf);
	text = fake_host_run("");
	/* In start order, and one failure does not keep the next from being tried. */
	assert_has(text, "error: cannot start web1: no virtualization\r\n"
			 "error: cannot start late: no virtualization\r\n");
	assert_prints("vm start spare", "error: cannot start spare: no virtualization\n");
	assert_has(fake_host_command("host info"), "virtualization  not usable: VMs cannot start\n"
						   "missing         nested paging\n");
}

/* ---- the terminal ---- */

static void test_log_line_redraws_the_row(void **state)
{
	const char *text;

	(void)state;
	fake_host_run("");
	text = fake_host_run("vm li");
	fake_host_log("[    1.000000] something\n");
	assert_string_equal(text, "vm li\r\x1b[K[    1.000000] something\r\n\r\x1b[Kinsula> vm li");
}

/* A log line that finds no room is counted, and what was promised to the console is left to it. */
static void test_log_line_without_room(void **state)
{
	const char *text;

	(void)state;
	fake_host_run("");
	fake_room = 4096 + 500;
	text = fake_host_run("");
	fake_host_log("[    1.000000] something\n");
	assert_string_equal(text, "");
	assert_int_equal(fake_room, 4096 + 500);
	fake_room = ~0ul;
	assert_has(fake_host_run("version\r"), "Insula 0.1 (0123456789ab)\r\n"
					       "(1 log line meanwhile: host log)\r\ninsula> ");
}

static void line_drains(void)
{
	fake_room += 1000;
}

/* The console sleeps until a slow line has taken what is before: nothing is lost. */
static void test_slow_line(void **state)
{
	static char whole[16384];
	uint64_t begun;

	(void)state;
	snprintf(whole, sizeof(whole), "%s", fake_host_run("help\r"));
	assert_true(strlen(whole) > 1000);
	fake_room = 0;
	fake_on_wait = line_drains;
	begun = fake_now;
	assert_has(whole, fake_host_run("help\r"));
	assert_true(fake_now > begun);
	/* Nobody at its end: after two seconds the console goes on without it. */
	fake_room = 0;
	fake_on_wait = NULL;
	begun = fake_now;
	fake_host_run("help\r");
	assert_in_range(fake_now - begun, 2000000000, 2100000000);
	fake_room = ~0ul;
	assert_string_equal(fake_host_run("# back"), "# back");
}

static void test_pasted_lines(void **state)
{
	const char *text;

	(void)state;
	fake_host_run("");
	text = fake_host_run("version\r\n# comment\r\nversion --json\nhost devices --json\n");
	assert_string_equal(
		text,
		"version\r\nInsula 0.1 (0123456789ab)\r\n"
		"insula> # comment\r\n"
		"insula> version --json\r\n{\"version\":\"0.1\",\"git\":\"0123456789ab\"}\r\n"
		"insula> host devices --json\r\n"
		"[{\"name\":\"com1\",\"description\":\"16550 serial port, 115200 baud, 3 line "
		"errors\"},{\"name\":\"clock\",\"description\":\"TSC at 1000000 kHz, measured "
		"against the PIT\"},{\"name\":\"00:1f.2\",\"description\":\"SATA controller, "
		"AHCI\",\"vendor\":32902,\"device\":10530,\"class\":67073,\"driver\":\"ahci\","
		"\"interrupt\":\"MSI\"},{\"name\":\"03:00.0\",\"description\":\"other device\","
		"\"vendor\":4660,\"device\":1,\"class\":16711680,\"driver\":null,\"interrupt\":null}"
		"]\r\ninsula> ");
}

static void panic_in_session(void)
{
	fake_on_wait = NULL;
	fake_host_log("[    1.000000] held back\n");
	screen_flush();
	fake_host_log("[    1.000000] bug: PANIC on CPU 0:\n");
	fake_host_keys("\x1d");
}

static void test_panic_is_never_held_back(void **state)
{
	const char *text;

	(void)state;
	fake_on_wait = panic_in_session;
	text = fake_host_run("vm console web1\r");
	assert_has(text, "comes back]\r\n[    1.000000] bug: PANIC on CPU 0:\r\n");
	assert_null(strstr(text, "held back"));
}

static void test_cancelled_line(void **state)
{
	(void)state;
	fake_host_run("");
	assert_string_equal(fake_host_run("vm del\x03"), "vm del^C\r\ninsula> ");
}

/* ---- looking at VMs ---- */

static void test_vm_list(void **state)
{
	(void)state;
	vm_find("web1")->cpu_time = 1234000000;
	fake_now += 3661000000000;
	assert_prints(
		"vm list",
		"NAME                            STATE    CPUS    MEMORY    CPU TIME      "
		"UPTIME\n"
		"web1                            running     1    16 MiB     1.234 s    "
		"01:01:01\n"
		"db                              stopped     1   256 MiB     0.000 s           "
		"-\n");
	assert_prints(
		"vm list --json",
		"[{\"name\":\"web1\",\"state\":\"running\",\"cpus\":1,\"memory\":16777216,"
		"\"cpu_time_ns\":1234000000,\"helped_ns\":0,\"uptime_ns\":3661000000000},{\"name\":\"db\","
		"\"state\":\"stopped\",\"cpus\":1,\"memory\":268435456,\"cpu_time_ns\":0,\"helped_ns\":0,"
		"\"uptime_ns\":0}]\n");
	vm_find("web1")->state = VM_STARTING; /* again: not the uptime of its last run */
	assert_has(fake_host_command("vm list"),
		   "starting    1    16 MiB     1.234 s           -\n");
}

static void test_vm_list_empty(void **state)
{
	(void)state;
	fake_host_run("");
	assert_prints("vm list", "There are no VMs; help vm create says how to make one.\n");
	assert_prints("vm list --json", "[]\n");
}

static void test_vm_info(void **state)
{
	struct vm *db = vm_find("db");
	static struct vcpu cpu;

	(void)state;
	db->state = VM_CRASHED;
	string_copy(db->crash_reason, "unexpected \"exit\" 99", sizeof(db->crash_reason));
	assert_prints("vm info db", "state      crashed\ncrash      unexpected \"exit\" 99\n"
				    "memory     256 MiB, not allocated while stopped\n"
				    "cpu time   0.000 s\nstarts     0\n\n"
				    "[vm.db]\nboot = \"multiboot\"\nkernel = \"boot:db.elf\"\n");
	assert_prints(
		"vm info db --json",
		"{\"id\":2,\"name\":\"db\",\"state\":\"crashed\",\"cpus\":1,"
		"\"memory\":268435456,\"cpu_time_ns\":0,\"helped_ns\":0,\"uptime_ns\":0,"
		"\"crash_reason\":\"unexpected \\\"exit\\\" 99\",\"starts\":0,\"paravirt\":[],\"disks\":[],\"nics\":[],\"pci\":[],"
		"\"config\":{"
		"\"memory\":\"256M\",\"cpus\":1,\"weight\":256,\"cap\":0,\"reserve\":0,\"window\":\"0ms\",\"pin\":[],"
		"\"boot\":\"multiboot\",\"kernel\":\"boot:db.elf\",\"initrd\":\"\","
		"\"modules\":[],\"cmdline\":\"\",\"cpuid\":[],\"autostart\":false,"
		"\"start_order\":0,\"on_crash\":\"stop\",\"stop_timeout\":\"1m\","
		"\"testdev\":false,\"hvc\":true,\"rng\":true,\"balloon\":true,\"paravirt\":true,\"disks\":[],\"nics\":[]}}\n");
	assert_has(fake_host_command("vm info web1"), "memory     16 MiB, allocated\nuptime ");
	assert_has(fake_host_command("vm info web1"), "paravirt   none in use\n");
	vm_find("web1")->vcpus[0] = &cpu;
	assert_has(fake_host_command("vm info web1"), "paravirt   kvmclock\n");
	assert_has(fake_host_command("vm info web1 --json"), "\"paravirt\":[\"kvmclock\"],");
	vm_find("web1")->vcpus[0] = NULL;
	assert_prints("vm info web2", "error: no VM is named \"web2\"; did you mean web1?\n");
	assert_prints("vm info zzz", "error: no VM is named \"zzz\"; vm list shows all\n");
}

static const char *const exit_names[VCPU_EXIT_REASONS] = { [1] = "CPUID", [5] = "HLT" };

static void test_vm_stats(void **state)
{
	struct vm *web1 = vm_find("web1");
	static struct vcpu v;

	(void)state;
	memset(&v, 0, sizeof(v));
	v.exit_names = exit_names;
	v.stats[1] = (struct vcpu_exit_stat){ 4, 1000 };
	v.stats[5] = (struct vcpu_exit_stat){ 10, 2000 };
	v.stats[99] = (struct vcpu_exit_stat){ 1, 1 };
	web1->vcpus[0] = &v;
	assert_prints("vm stats web1",
		      "EXIT REASON                     COUNT            TICKS   PER EXIT   SHARE\n"
		      "HLT                                10             2000        200   66.6%\n"
		      "CPUID                               4             1000        250   33.3%\n"
		      "(unknown)                           1                1          1    0.0%\n"
		      "all                                15             3001        200\n");
	assert_prints("vm stats web1 --json",
		      "{\"name\":\"web1\",\"state\":\"running\",\"started_ticks\":1000000000,"
		      "\"entered_ticks\":0,\"exits\":15,\"ticks\":3001,"
		      "\"reasons\":[{\"number\":5,\"name\":\"HLT\",\"count\":10,\"ticks\":2000},"
		      "{\"number\":1,\"name\":\"CPUID\",\"count\":4,\"ticks\":1000},"
		      "{\"number\":99,\"name\":\"(unknown)\",\"count\":1,\"ticks\":1}]}\n");
	web1->vcpus[0] = NULL;
	web1->state = VM_STOPPED;
	web1->exit_names = exit_names;
	web1->last_stats[5] = (struct vcpu_exit_stat){ 7, 70 };
	assert_has(fake_host_command("vm stats web1"),
		   "web1 is stopped; these are of its last run.\n");
	assert_has(fake_host_command("vm stats web1"), "HLT                                 7 ");
	assert_has(fake_host_command("vm stats db"), "all                                 0 ");
}

/* ---- changing VMs ---- */

static void test_vm_create(void **state)
{
	const struct vm_config *cfg;

	(void)state;
	assert_prints("vm create new kernel=boot:k cmdline=\"a b\" memory=32M pin=0,1",
		      "new: created; vm start new starts it\n");
	cfg = &vm_find("new")->cfg;
	assert_string_equal(cfg->cmdline, "a b");
	assert_int_equal(cfg->memory, 32 * MIB);
	assert_int_equal(cfg->pin, 3);
	assert_prints("vm create new kernel=boot:k",
		      "error: cannot create new: there is a VM of that name already\n");
	assert_prints("vm create -x kernel=boot:k",
		      "error: found the name \"-x\", allowed: 1 to 31 "
		      "letters, digits, '-', '_' and '.'\n");
	assert_prints(
		"vm create x memory=1M cpsu=1 nonsense kernel=k",
		"error: memory: found \"1M\", allowed: a size like \"512M\" or \"1G\", \"2M\" "
		"to \"256G\"; cpsu: unknown key; did you mean cpus?; found \"nonsense\", "
		"expected KEY=VALUE; kernel: found \"k\", allowed: a file like "
		"\"boot:vmlinuz\"\n");
	assert_prints("vm create x memory=4M",
		      "error: vm.x.kernel: missing, allowed: a file like \"boot:vmlinuz\"\n");
	assert_prints("vm create x kernel=boot:k pin=5",
		      "error: pin: found CPU 5, allowed: 0 to 1 (this host's)\n");
	assert_prints("vm create x", "error: usage: vm create NAME KEY=VALUE...\n");
	assert_null(vm_find("x"));
}

static void test_vm_set(void **state)
{
	struct vm *db = vm_find("db");

	(void)state;
	assert_prints("vm set db memory=64M weight=512", "db: set\n");
	assert_int_equal(db->cfg.memory, 64 * MIB);
	assert_int_equal(db->cfg.weight, 512);
	assert_prints("vm set db memory=128M weight=0",
		      "error: weight: found 0, allowed: 1 to 65536\n");
	assert_int_equal(db->cfg.memory, 64 * MIB); /* all or nothing */
	assert_prints("vm set db initrd=boot:i",
		      "error: vm.db.initrd: found \"boot:i\", allowed: only with boot = "
		      "\"linux\"\n");
	assert_prints("vm set db cap=50 reserve=20", "db: set\n");
	assert_prints("vm set db window=5ms",
		      "error: vm.db.window: found \"5ms\", allowed: only with [host] scheduler = "
		      "\"window\"\n");
	assert_prints("vm set web1 cap=50", "error: web1 is running: its settings but memory "
					    "change only while it is stopped\n");
	assert_prints("vm set no memory=1G", "error: no VM is named \"no\"; vm list shows all\n");
}

static void test_vm_set_memory_live(void **state)
{
	(void)state;
	assert_prints("vm set web1 memory=8M",
		      "error: cannot set web1: its guest drives no balloon: memory changes only "
		      "while it is stopped\n");
	fake_balloon_error = 0;
	assert_has(fake_host_command("vm info web1"), "balloon    not driven by the guest\n");
	fake_balloon = (struct virtio_balloon_info){ true, 16 * MIB, 16 * MIB,
						     VIRTIO_BALLOON_UNKNOWN, 9 * MIB };
	assert_prints("vm set web1 memory=8M", "web1: its guest is asked to have 8 MiB; vm info "
					       "tells how far it is\n");
	assert_int_equal(fake_balloon.target, 8 * MIB);
	vm_find("web1")->mem.held = 12 * MIB;
	assert_has(fake_host_command("vm info web1"),
		   "balloon    guest asked to have 8 MiB, has 16 MiB; 12 MiB of the host's\n"
		   "           it says that 9 MiB are available there\n");
	assert_has(fake_host_command("vm info web1 --json"),
		   "\"memory_held\":12582912,\"balloon\":{\"driver\":true,\"target\":8388608,"
		   "\"actual\":16777216,\"given\":4194304,\"guest_available\":9437184},");
	assert_prints("vm set web1 memory=1G", "error: cannot set web1: memory: allowed while it "
					       "runs: up to 16 MiB\n");
	fake_reserve_fails = "not enough";
	assert_prints("vm set web1 memory=16M", "error: cannot set web1: not enough\n");
	assert_int_equal(fake_balloon.target, 8 * MIB);
	assert_null(vm_find("web1")->doing);
}

/* What the configuration file must not say a command must not either. */
static void test_vm_set_with_windows(void **state)
{
	setup(state);
	fake_host_module("insula.conf", "[host]\nscheduler = \"window\"\n"
					"[vm.db]\nkernel = \"boot:k\"\nwindow = \"2ms\"\n");
	fake_host_module("k", "kernel");
	fake_host_run("");
	assert_prints("vm set db cap=50", "error: vm.db.cap: found 50, allowed: only with [host] "
					  "scheduler = \"share\"\n");
	assert_prints("vm create x kernel=boot:k reserve=1",
		      "error: vm.x.reserve: found 1, allowed: only with [host] scheduler = "
		      "\"share\"\n");
	assert_int_equal(vm_find("db")->cfg.cap, 0);
	assert_null(vm_find("x"));
}

static void test_vm_states(void **state)
{
	struct vm *db = vm_find("db");

	(void)state;
	assert_prints("vm start db", "db: running\n");
	assert_prints("vm start db", "error: cannot start db: it is in another state\n");
	assert_prints("vm pause db", "db: paused\n");
	assert_prints("vm stop db",
		      "error: db is paused: resume it first, or stop it with --force\n");
	assert_prints("vm resume db", "db: running\n");
	assert_prints("vm resume db", "error: cannot resume db: it is in another state\n");
	assert_prints("vm reset db", "db: running\n");
	assert_prints("vm delete db", "error: cannot delete db: it is not stopped\n");
	assert_prints("vm stop --force db", "db: stopped\n");
	assert_int_equal(db->state, VM_STOPPED);
	assert_prints("vm pause db", "error: cannot pause db: it is in another state\n");
	assert_prints("vm reset db", "error: cannot reset db: it is in another state\n");
	assert_prints("vm delete db", "db: deleted\n");
	assert_prints("vm delete db", "error: no VM is named \"db\"; vm list shows all\n");
	fake_start_fails = "not enough free host memory";
	assert_prints("vm stop web1 --force", "web1: stopped\n");
	assert_prints("vm start web1", "error: cannot start web1: not enough free host memory\n");
	assert_int_equal(fake_buttons, 0);
}

/* Whoever is at work on a VM is named; the others answer. */
static void test_vm_busy(void **state)
{
	static const char *const lines[] = {
		"vm start web1", "vm stop web1",   "vm reset web1",
		"vm pause web1", "vm delete web1", "vm set web1 memory=1G",
	};

	(void)state;
	vm_find("web1")->doing = "being reset";
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_prints(lines[i], "error: web1 is being reset\n");
	}
	assert_prints("vm start db", "db: running\n");
	assert_has(fake_host_command("vm list"), "web1");
	vm_find("web1")->doing = NULL;
}

static void press_ctrl_c(void)
{
	fake_host_keys("\x03");
}

static void test_vm_start_takes_long(void **state)
{
	(void)state;
	fake_job_waits = 5;
	assert_prints("vm start db", "db: running\n");
	assert_int_equal(fake_job_waits, 0);
	fake_job_waits = 5;
	fake_on_wait = press_ctrl_c;
	assert_prints("vm reset db", "error: db is being reset: not waited for\n");
	fake_job_waits = 0;
}

static void reset_ends(void)
{
	vm_find("db")->doing = NULL;
}

/* A guest that resets itself again and again is stopped all the same. */
static void test_vm_stop_forced_waits_its_turn(void **state)
{
	(void)state;
	assert_prints("vm start db", "db: running\n");
	vm_find("db")->doing = "being started";
	fake_on_wait = press_ctrl_c;
	assert_prints("vm stop db --force", "error: db is being started: cannot stop it yet\n");
	assert_int_equal(vm_find("db")->state, VM_RUNNING);
	fake_on_wait = reset_ends;
	assert_prints("vm stop db --force", "db: stopped\n");
	assert_int_equal(vm_find("db")->state, VM_STOPPED);
}

#define PRESSED                                                                                    \
	"web1: ACPI power button pressed; waiting up to 2.000 s for the guest to power off\n"      \
	"(Ctrl-C stops waiting)\n"

static unsigned int waits;

static void guest_powers_off(void)
{
	if (++waits == 3) {
		vm_find("web1")->state = VM_STOPPED;
	}
}

static void test_vm_stop(void **state)
{
	(void)state;
	waits = 0;
	fake_on_wait = guest_powers_off;
	assert_prints("vm stop web1", PRESSED "web1: stopped\n");
	assert_int_equal(fake_buttons, 1);
	assert_int_equal(waits, 3);
	assert_prints("vm stop web1", "error: web1 is stopped\n");
}

static uint64_t button_begun;

/* What a guest that boots does not hear is pressed again; while it is paused it would not hear. */
static void guest_boots_for_25_s(void)
{
	struct vm *web1 = vm_find("web1");
	uint64_t ms = (fake_now - button_begun) / 1000000;

	/* It looks 20 times a second, and is called behind this. */
	assert_int_equal(fake_buttons, ms <= 14000 ? 1 : ms <= 24000 ? 2 : 3);
	web1->state = ms >= 25000 ? VM_STOPPED : ms >= 8000 && ms < 14000 ? VM_PAUSED : VM_RUNNING;
}

static void test_vm_stop_while_it_boots(void **state)
{
	(void)state;
	vm_find("web1")->cfg.stop_timeout = 30000;
	button_begun = fake_now;
	fake_on_wait = guest_boots_for_25_s;
	assert_has(fake_host_command("vm stop web1"), "web1: stopped\n");
	assert_int_equal(fake_buttons, 3);
}

static void test_vm_stop_takes_too_long(void **state)
{
	uint64_t begun = fake_now;

	(void)state;
	assert_prints("vm stop web1", PRESSED "error: web1 did not power off in time; vm stop web1 "
					      "--force stops it at once\n");
	assert_int_equal(fake_now - begun, 2000000000);
	assert_int_equal(vm_find("web1")->state, VM_RUNNING);
	vm_find("web1")->share.helped = 5000000;
	assert_has(fake_host_command("vm info web1"), "\nfor it     0.005 s of other threads");
}

static void test_vm_stop_interrupted(void **state)
{
	(void)state;
	/* Ctrl-C takes what was typed before it; what follows is the next line. */
	assert_has(fake_host_run("vm stop web1\rxyz\x03version\r"),
		   "error: web1 may still power off: not waited for\r\ninsula> version\r\nInsula");
}

/* ---- a guest's console ---- */

static void guest_prints(const char *text)
{
	while (*text != '\0') {
		guest_console_put(&vm_find("web1")->console, *text++);
	}
}

static unsigned int stage;
static char typed_into_guest[512];

static void console_session(void)
{
	struct vm *vm = vm_find("web1");
	size_t len = strlen(typed_into_guest);
	int c;

	while ((c = guest_console_get(&vm->console)) >= 0) {
		typed_into_guest[len++] = (char)c;
	}
	switch (stage++) {
	case 0:
		guest_prints("raw\nbytes\x1b[31m");
		fake_host_log("[    1.000000] a line\n");
		break;
	case 1:
		vm->state = VM_STOPPED;
		break;
	default:
		fake_on_wait = NULL;
		fake_host_keys("\x1dversion\r");
		break;
	}
}

static void test_vm_console(void **state)
{
	const char *text;

	(void)state;
	stage = 0;
	memset(typed_into_guest, 0, sizeof(typed_into_guest));
	guest_prints("earlier\r\n");
	fake_on_wait = console_session;
	text = fake_host_run("vm console web1\rls\r\x03q");
	assert_string_equal(text, "vm console web1\r\n"
				  "[console of web1, which is running; Ctrl-] comes back]\r\n"
				  "earlier\r\n"
				  "raw\nbytes\x1b[31m"
				  "\r\n[web1 is stopped; Ctrl-] comes back]\r\n"
				  "\x1b[0m[left the console of web1]\r\n"
				  "(1 log line meanwhile: host log)\r\n"
				  "insula> version\r\nInsula 0.1 (0123456789ab)\r\ninsula> ");
	assert_string_equal(typed_into_guest, "ls\r\x03q");
	assert_null(vm_find("web1")->console.reader);
}

static void resized(void *arg)
{
	++*(unsigned int *)arg;
}

/* --size is for the virtio console, which is told before the session begins, and keeps it. */
static void test_vm_console_size(void **state)
{
	static const char *const bad[] = { "0x43",  "132x0",	 "132", "132x", "x43",
					   "1x2x3", "132x10000", "axb", "-1x2", "123456789x1" };
	struct guest_console *hvc = &vm_find("web1")->hvc;
	unsigned int told = 0;
	char line[64];

	(void)state;
	vm_find("web1")->cfg.hvc = true;
	guest_console_set_input(hvc, resized, &told);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(line, sizeof(line), "vm console web1 --port 1 --size %s", bad[i]);
		assert_has(fake_host_command(line), "is no size such as 132x43 (columns, rows)\n");
	}
	assert_prints("vm console web1 --size 132x43",
		      "error: a serial port has no size: --size is for --port 1\n");
	assert_prints("vm console web1 --port 2",
		      "error: the port is --port 0 (serial) or --port 1 (virtio)\n");
	assert_int_equal(told, 0);
	assert_int_equal(guest_console_size(hvc), 0);
	assert_has(fake_host_run("vm console web1 --size 132x43 --port 1\r\x1d"), "left the");
	assert_int_equal(told, 1);
	assert_int_equal(guest_console_size(hvc), 132 | 43 << 16);
	assert_has(fake_host_run("vm console web1 --port 1\r\x1d"), "left the");
	assert_int_equal(guest_console_size(hvc), 132 | 43 << 16);
}

/* A device that another thread makes or takes apart just now must not be called. */
static void test_vm_console_size_of_a_vm_that_is_not_up(void **state)
{
	static const enum vm_state not_up[] = { VM_STOPPED, VM_STARTING, VM_STOPPING, VM_CRASHED };
	struct vm *web1 = vm_find("web1");
	unsigned int told = 0;
	char line[64];

	(void)state;
	web1->cfg.hvc = true;
	guest_console_set_input(&web1->hvc, resized, &told);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_up); i++) {
		web1->state = not_up[i];
		snprintf(line, sizeof(line), "vm console web1 --size %ux43 --port 1\r\x1d",
			 100 + i);
		assert_has(fake_host_run(line), "left the");
		assert_int_equal(told, 0);
		assert_int_equal(guest_console_size(&web1->hvc), (100 + i) | 43 << 16);
	}
	web1->state = VM_PAUSED;
	assert_has(fake_host_run("vm console web1 --size 99x9 --port 1\r\x1d"), "left the");
	assert_int_equal(told, 1);
}

static void test_vm_console_recent_output(void **state)
{
	const char *text;

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		char line[16];

		snprintf(line, sizeof(line), "line%04u\r\n", i);
		guest_prints(line);
	}
	text = fake_host_run("vm console web1\r\x1d");
	/* 16384 bytes kept: 1638 lines, and of the one before only its end, which is not shown. */
	assert_has(text, "comes back]\r\nline1362\r\n");
	assert_has(text, "line2999\r\n\x1b[0m[left");
}

static void test_vm_console_deaf_guest(void **state)
{
	static char keys[GUEST_CONSOLE_IN + 300 + 32];
	size_t len = (size_t)sprintf(keys, "vm console web1\r");

	(void)state;
	memset(keys + len, 'x', GUEST_CONSOLE_IN + 300);
	len += GUEST_CONSOLE_IN + 300;
	memcpy(keys + len, "\x1d", 2);
	/* More than the guest's queue and ours take: Ctrl-] still works. */
	assert_has(fake_host_run(keys), "comes back]\r\n\x1b[0m[left the console of web1]");
	assert_prints("vm console nobody", "error: no VM is named \"nobody\"; vm list shows all\n");
}

static char pasted[8001], taken[8001];
static size_t taken_len;
static unsigned int waits;

static const char *paste(size_t len)
{
	static char keys[9000];
	size_t n = (size_t)sprintf(keys, "vm console web1\r");

	for (size_t i = 0; i < len; i++) {
		pasted[i] = (char)('a' + i % 23);
	}
	pasted[len] = '\0';
	snprintf(keys + n, sizeof(keys) - n, "%s", pasted);
	taken_len = 0;
	waits = fake_unparked = 0;
	return fake_host_run(keys);
}

/* Takes 600 keys between two looks of ours, and is done when no more come. */
static void slow_guest(void)
{
	size_t before = taken_len;
	int c;

	while (taken_len < before + 600 &&
	       (c = guest_console_get(&vm_find("web1")->console)) >= 0) {
		taken[taken_len++] = (char)c;
	}
	waits++;
	if (taken_len == before) {
		fake_on_wait = NULL;
		fake_host_keys("\x1d");
	}
}

/* Keys that a slow guest has no room for wait: not one is lost. */
static void test_vm_console_long_paste(void **state)
{
	(void)state;
	fake_on_wait = slow_guest;
	assert_null(strchr(paste(8000), '\a'));
	taken[taken_len] = '\0';
	assert_string_equal(taken, pasted);
	assert_true(waits >= 13);
	assert_true(fake_unparked > 0);
}

static void wait_in_vain(void)
{
	if (++waits == 15) {
		fake_on_wait = NULL;
		fake_host_keys("\x1d");
	}
}

/* After ten seconds with no key taken they are thrown away, so that Ctrl-] gets to us. */
static void test_vm_console_dead_guest(void **state)
{
	(void)state;
	fake_on_wait = wait_in_vain;
	assert_has(paste(8000), "\a\a\x1b[0m[left the console of web1]");
	assert_int_equal(waits, 15);
	assert_int_equal(guest_console_get(&vm_find("web1")->console), 'a');
}

/* ---- the host ---- */

static void test_vm_info_nics(void **state)
{
	struct vm_config *cfg = &vm_find("web1")->cfg;

	(void)state;
	cfg->nic_count = 2;
	string_copy(cfg->nics[0].net, "lan", sizeof(cfg->nics[0].net));
	string_copy(cfg->nics[1].net, "dmz", sizeof(cfg->nics[1].net));
	memcpy(cfg->nics[0].mac, "\x52\x54\0\0\0\1", 6);
	memcpy(cfg->nics[1].mac, "\x52\x54\0\0\0\2", 6);
	fake_nic_port.link = true;
	fake_nic_port.stats = (struct netport_stats){
		.sent = 3, .sent_bytes = 2048, .received = 7, .received_bytes = 4096
	};
	fake_nic_counts = (struct virtio_net_counts){ .direct = 6, .queued = 1 };
	assert_has(fake_host_command("vm info web1"),
		   "nic 0      lan, 52:54:00:00:00:01, up\n"
		   "           sent 3 (2 KiB), received 7 (4 KiB)\n"
		   "nic 1      dmz, 52:54:00:00:00:02\n");
	fake_nic_port.link = false;
	fake_nic_port.stats.drops[NETPORT_DROP_FULL] = 4;
	fake_nic_counts.lost = 1;
	assert_has(fake_host_command("vm info web1"),
		   "01, down\n           sent 3 (2 KiB), received 7 (4 KiB), lost 5\n");
	assert_has(fake_host_command("vm info web1 --json"),
		   "\"copied_once\":6,\"copied_twice\":1,\"no_buffers\":1}");
	assert_prints("net link web1 0 up", "web1.0: cable in\n");
	assert_true(fake_nic_port.link);
	assert_prints("net link web1 0 down", "web1.0: cable out\n");
	assert_false(fake_nic_port.link);
	assert_prints("net link web1 0 left", "error: found \"left\", allowed: up, down\n");
	assert_has(fake_host_command("net link web1 2 up"), "error: web1 has no network card 2; ");
	assert_has(fake_host_command("net link nobody 0 up"), "error: ");
	assert_has(fake_host_command("net link db 0 up"), "error: db has no network card 0; ");
	cfg->nic_count = 0;
	assert_false(strstr(fake_host_command("vm info web1"), "nic ") != NULL);
}

static void test_host_info(void **state)
{
	(void)state;
	assert_prints("host info", "name            insula\nversion         0.1 (0123456789ab)\n"
				   "cpu             2 x Test CPU\nvirtualization  SVM\n"
				   "with            AMD-V\nmemory          1 GiB, 1000 MiB free\n"
				   "uptime          1.000 s\n"
				   "time            2000-02-29 23:59:59 UTC\n"
				   "loaded by       PVH\noptions         opt\n");
	assert_prints(
		"host info --json",
		"{\"name\":\"insula\",\"version\":\"0.1\",\"git\":\"0123456789ab\","
		"\"cpu\":\"Test CPU\",\"vendor\":\"TestVendor\",\"cpus\":2,"
		"\"virtualization\":\"SVM\",\"features\":[{\"name\":\"AMD-V\","
		"\"required\":true,\"present\":true},{\"name\":\"nested paging\","
		"\"required\":true,\"present\":false},{\"name\":\"NRIP save\","
		"\"required\":false,\"present\":false}],\"memory\":1073741824,"
		"\"free\":1048576000,\"uptime_ns\":1000000000,\"time\":951868799,"
		"\"tsc_hz\":1000000000,\"entry_ticks\":0,\"loader\":\"PVH\",\"cmdline\":\"opt\"}\n");
}

static void test_host_tables(void **state)
{
	(void)state;
	assert_prints("host cpus",
		      "2 x Test CPU\nCPU     BUSY  THREADS  IDLE SO FAR  LONGEST MASKED\n"
		      "0      50.0%        1      0.600 s            0 ns\n"
		      "1     100.0%        0      0.000 s            0 ns\n"
		      "mds                     Not affected\n");
	stretches[0].longest = 99;
	stretches[0].ended[0] = 0x1234;
	assert_prints("host cpus --json", "[{\"cpu\":0,\"threads\":1,\"idle_ns\":600000000,"
					  "\"longest_masked_ticks\":99,"
					  "\"longest_masked_ended_in\":[\"vcpu_run\"],"
					  "\"vulnerabilities\":{\"mds\":\"Not affected\"}},"
					  "{\"cpu\":1,\"threads\":0,\"idle_ns\":0,"
					  "\"longest_masked_ticks\":0,"
					  "\"longest_masked_ended_in\":[],"
					  "\"vulnerabilities\":{\"mds\":\"Vulnerable\"}}]\n");
	vm_find("web1")->mem.held = 12 * MIB;
	assert_prints("host memory",
		      "total             1 GiB  RAM that the boot loader reported\n"
		      "image             5 MiB  the hypervisor's image and the boot modules\n"
		      "  image           1 MiB  the loaded image\n"
		      "  modules         3 MiB  boot modules\n"
		      "  reserved        1 MiB  below 1 MiB, and beside these in their 2 MiB\n"
		      "hypervisor        3 MiB  allocated by the hypervisor\n"
		      "  heap            1 MiB  objects\n"
		      "  stacks        512 KiB  of threads; kept for the next\n"
		      "  slat          256 KiB  VMs' second-level page tables\n"
		      "  map           256 KiB  who owns which page\n"
		      "  disks         256 KiB  what VMs wrote to volatile disks\n"
		      "  other         768 KiB  root-mode page tables, vCPUs, trace\n"
		      "guest            14 MiB  RAM of VMs that are on\n"
		      "  web1           12 MiB  RAM of that VM\n"
		      "  -               2 MiB  of VMs being made or taken apart\n"
		      "store             2 MiB  files of the store ram:\n"
		      "free           1000 MiB  for any of them\n"
		      "  for VMs       998 MiB  in whole 2 MiB\n");
	assert_prints(
		"host memory --json",
		"{\"total\":1073741824,\"image\":5242880,\"hypervisor\":3145728,"
		"\"guest\":14680064,\"store\":2097152,\"free\":1048576000,\"of_image\":{\"image\":1048576,"
		"\"modules\":3145728,\"reserved\":1048576},\"of_hypervisor\":{\"heap\":"
		"1048576,\"stacks\":524288,\"slat\":262144,\"map\":262144,\"disks\":262144,\"other\":786432},"
		"\"vms\":{\"web1\":12582912},\"changing\":2097152,"
		"\"for_vms\":1046478848}\n");
	assert_has(fake_host_command("host devices"),
		   "com1     16550 serial port, 115200 baud, 3 line errors\n");
	assert_has(fake_host_command("host devices"),
		   "00:1f.2  8086:2922 010601 SATA controller, AHCI    ahci       MSI\n"
		   "03:00.0  1234:0001 ff0000 other device             -          -\n");
}

static void test_host_log(void **state)
{
	(void)state;
	assert_prints("host log", "[    0.000000] one\n[    0.000002] host: \"three\"\n");
	assert_prints("host log host", "[    0.000002] host: \"three\"\n");
	assert_prints("host log debug --json",
		      "[\"[    0.000000] one\",\"[    0.000001] two\",\"[    0.000002] host: "
		      "\\\"three\\\"\"]\n");
	assert_prints("host log loud",
		      "error: found the level \"loud\", allowed: bug, host, guest, "
		      "info, debug\n");
}

static void guest_web1_powers_off(void)
{
	if (++waits == 3) {
		vm_find("web1")->state = VM_STOPPED;
	}
}

/* web1 comes up, is reset by its guest, and goes at the second press; nobody presses it meanwhile. */
static void guest_web1_is_restarted(void)
{
	static const struct {
		const char *doing;
		enum vm_state state;
		unsigned int starts, pressed_before;
	} steps[] = {
		{ "being started", VM_STARTING, 0, 0 },
		{ NULL, VM_RUNNING, 1, 0 },
		{ NULL, VM_RUNNING, 1, 1 },
		{ "being stopped", VM_STOPPING, 1, 1 },
		{ "being started", VM_STARTING, 1, 1 },
		{ NULL, VM_RUNNING, 2, 1 },
		{ NULL, VM_RUNNING, 2, 2 },
		{ NULL, VM_STOPPED, 2, 2 },
	};
	struct vm *web1 = vm_find("web1");

	assert_in_range(waits, 0, ARRAY_SIZE(steps) - 1);
	assert_int_equal(fake_buttons, steps[waits].pressed_before);
	web1->doing = steps[waits].doing;
	web1->state = steps[waits].state;
	web1->starts = steps[waits].starts;
	waits++;
}

static void test_host_poweroff_of_a_vm_that_comes_up(void **state)
{
	struct vm *web1 = vm_find("web1");

	(void)state;
	waits = 0;
	web1->doing = "being started";
	web1->state = VM_STARTING;
	web1->starts = 0;
	fake_on_wait = guest_web1_is_restarted;
	assert_has(fake_host_command("host poweroff"), "Powering off.\n");
	assert_int_equal(fake_buttons, 2);
	assert_int_equal(waits, 8);
}

static void save_ends(void)
{
	struct vm *web1 = vm_find("web1");

	assert_int_equal(web1->state, VM_RUNNING);
	assert_int_equal(vm_find("db")->state, VM_STOPPED); /* did not have to wait for web1 */
	if (++waits == 3) {
		web1->doing = NULL;
	}
}

/* One VM that somebody is at work on does not keep the host on, nor the others. */
static void test_host_poweroff_forced_while_a_vm_is_claimed(void **state)
{
	struct vm *web1 = vm_find("web1");

	(void)state;
	waits = 0;
	assert_prints("vm start db", "db: running\n");
	web1->doing = "being saved";
	fake_on_wait = press_ctrl_c;
	assert_prints("host poweroff --force",
		      "Waiting up to 2.000 s for what is being done with: web1\n"
		      "(Ctrl-C stops waiting)\n"
		      "error: web1: not stopped: the host stays on\n");
	fake_on_wait = NULL; /* it is stuck */
	assert_prints(
		"host poweroff --force",
		"Waiting up to 2.000 s for what is being done with: web1\n"
		"(Ctrl-C stops waiting)\n"
		"error: web1: what is being done with it takes too long: the host stays on\n");
	assert_int_equal(fake_poweroffs, 0);
	fake_on_wait = save_ends;
	assert_prints("host poweroff --force",
		      "Waiting up to 2.000 s for what is being done with: web1\n"
		      "(Ctrl-C stops waiting)\n"
		      "Powering off.\nerror: this machine did not power off (see host log)\n");
	assert_int_equal(web1->state, VM_STOPPED);
	assert_int_equal(waits, 3);
	assert_int_equal(fake_buttons, 0);
	assert_int_equal(fake_poweroffs, 1);
}

static void test_host_poweroff(void **state)
{
	(void)state;
	waits = 0;
	fake_on_wait = guest_web1_powers_off;
	assert_prints("host poweroff",
		      "Waiting up to 2.000 s for 1 VM to power off: web1\n(Ctrl-C stops waiting)\n"
		      "Powering off.\nerror: this machine did not power off (see host log)\n");
	assert_int_equal(fake_buttons, 1);
	assert_int_equal(fake_poweroffs, 1);
	fake_on_wait = NULL;
	assert_prints("vm start db", "db: running\n");
	assert_prints("vm start web1", "web1: running\n");
	assert_prints("host reboot",
		      "Waiting up to 00:01:00 for 2 VMs to power off: web1, db\n"
		      "(Ctrl-C stops waiting)\nerror: web1, db did not power off in time: the "
		      "host stays on; --force stops VMs at once\n");
	assert_int_equal(fake_buttons, 1 + 2 * 6); /* each six times in a minute */
	assert_prints("vm pause db", "db: paused\n");
	assert_prints("host reboot", "error: db is paused: resume it first, or use --force\n");
	assert_int_equal(fake_reboots, 0);
	assert_prints("host reboot --force",
		      "Rebooting.\nerror: this machine did not reboot (see host log)\n");
	assert_int_equal(vm_find("web1")->state, VM_STOPPED);
	assert_int_equal(vm_find("db")->state, VM_STOPPED);
	assert_int_equal(fake_reboots, 1);
}

/* ---- the configuration ---- */

static void test_config(void **state)
{
	(void)state;
	assert_prints("config show", "[host]\n\n[vm.web1]\nmemory = \"16M\"\nkernel = \"boot:k\"\n"
				     "autostart = true\nstop_timeout = \"2s\"\n\n"
				     "[vm.db]\nboot = \"multiboot\"\nkernel = \"boot:db.elf\"\n");
	assert_has(
		fake_host_command("config show --json"),
		"{\"host\":{\"name\":\"insula\",\"console\":\"com1,115200\",\"log\":\"info\","
		"\"scheduler\":\"share\",\"major_frame\":\"10ms\",\"address\":[]},\"net\":{},\"vm\":{\"web1\":{\"memory\":\"16M\",");
	assert_prints("config check", "boot:insula.conf: no errors, 2 VMs\n");
	assert_prints("config check boot:none", "error: boot:none is not among the boot modules\n");
	assert_prints("config check /etc/passwd", "error: /etc/passwd is not named as boot:FILE\n");
	fake_host_module("bad.conf", "[vm.a]\nkernel = \"boot:k\"\ncpus = 99\n[hots]\n");
	assert_prints(
		"config check boot:bad.conf",
		"boot:bad.conf:3:1: vm.a.cpus: found 99, allowed: 1 to 16\n"
		"boot:bad.conf:4:1: hots: unknown table, allowed: [host], [net.NAME] and [vm.NAME]; did "
		"you mean host?\n"
		"error: boot:bad.conf: 2 errors; 0 VMs without one\n");
}

static void test_net(void **state)
{
	(void)state;
	assert_prints("net list",
		      "There are no networks; config help net.mode says how to have one.\n");
	assert_prints("net list --json", "[]\n");
	assert_prints("net info lan", "error: no network is named \"lan\"; net list shows all\n");
	assert_prints("vm set db nics=lan",
		      "error: vm.db.nics: found network \"lan\", allowed: one that there is, "
		      "[net.lan]\n");
}

static const char with_net[] =
	"[host]\naddress = [\"dhcp\", { ip = \"dhcp\", uplink = \"nic7\" }]\n"
	"[net.lan]\nmode = \"natnet\"\nsubnet = \"10.20.0.0/24\"\n"
	"uplink = \"nic0\"\n"
	"[net.second]\n"
	"[vm.web1]\nkernel = \"boot:k\"\nnics = [\"lan\"]\n";

static void test_net_commands(void **state)
{
	(void)state;
	fake_host_reset();
	fake_host_module("insula.conf", with_net);
	assert_has(fake_host_run("\r"),
		   "error: cannot set the host's address on nic7: no such device\r\n"
		   "error: cannot create network second: ");
	assert_prints("net list",
		      "NAME                            MODE     SUBNET               MTU NICS\n"
		      "lan                             natnet   10.20.0.0/24        1500    1\n");
	assert_prints(
		"net list --json",
		"[{\"name\":\"lan\",\"nics\":1,\"mode\":\"natnet\",\"subnet\":\"10.20.0.0/24\","
		"\"mtu\":1500,\"lease\":\"12h\",\"uplink\":\"nic0\",\"forward\":[]}]\n");
	assert_prints(
		"net info lan",
		"[net.lan]\nmode = \"natnet\"\nsubnet = \"10.20.0.0/24\"\nuplink = \"nic0\"\n\n"
		"PORT                 MAC               LINK ADDRESS              SENT  RECEIVED\n"
		"gateway              02:00:00:00:00:01 up   -                       0         0\n"
		"web1.0               52:54:00:00:00:01 down 10.20.0.2               7         8\n"
		"  lost: 3 spoofed, 1 full\n");
	assert_has(fake_host_command("net info lan --json"),
		   "{\"name\":\"web1.0\",\"mac\":\"52:54:00:00:00:01\",\"link\":false,"
		   "\"address\":\"10.20.0.2\",\"sent\":7,\"sent_bytes\":700,\"received\":8,"
		   "\"received_bytes\":8000,\"waits\":0,\"lost\":{");
	assert_prints("net leases",
		      "ADDRESS         MAC                EXPIRES IN NETWORK      NAME\n"
		      "10.20.0.2       52:54:00:00:00:01    01:00:00 lan          alpine\n");
	assert_prints("net leases lan --json",
		      "[{\"net\":\"lan\",\"address\":\"10.20.0.2\",\"mac\":\"52:54:00:00:00:01\","
		      "\"name\":\"alpine\",\"expires_ns\":3600000000000}]\n");
	assert_has(fake_host_command("config show"),
		   "\n[net.lan]\nmode = \"natnet\"\nsubnet = \"10.20.0.0/24\"\n"
		   "uplink = \"nic0\"\n\n[vm.web1]\n");
	assert_has(fake_host_command("vm create x kernel=boot:k nics=lan"), "");
	assert_has(fake_host_command("config show"), "nics = [{ net = \"lan\" }]\n");
}

static void test_net_capture(void **state)
{
	(void)state;
	fake_host_reset();
	fake_host_module("insula.conf", with_net);
	fake_host_run("\r");
	fake_captured = "0123456789012345678901234567890123456789012345678901234567";
	fake_on_wait = press_ctrl_c;
	assert_prints(
		"net capture lan",
		"pcap:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\n"
		"pcap:Nw==\n"
		"web1.0: 5 packets, 2 lost since the console was too slow\n");
	assert_int_equal(fake_captures, 0);
	fake_captures = 1;
	assert_has(fake_host_command("net capture lan web1.0 --snap 1600"),
		   "error: cannot capture web1.0: ");
	fake_captures = 0;
	fake_capture_gone = true;
	assert_prints("net capture lan web1.0", "error: port web1.0 has left lan\n");
	fake_capture_gone = false;
	fake_captures = 0;
	assert_prints("net capture lan x",
		      "error: lan has no port \"x\"; net info lan shows them\n");
	assert_prints("net capture man",
		      "error: no network is named \"man\"; net list shows all\n");
	assert_prints("net capture lan --snap 100",
		      "error: --snap: found \"100\", allowed: bytes, 160 to 16384\n");
}

static void test_uplinks(void **state)
{
	(void)state;
	fake_host_run("");
	assert_prints("net uplinks",
		      "This machine has no network card that a driver is here for.\n");
	fake_host_reset();
	fake_host_module("insula.conf", with_net);
	fake_host_run("\r");
	assert_prints(
		"net uplinks",
		"NAME  DRIVER MAC               LINK  MBIT ADDRESS          RECEIVED      SENT\n"
		"nic0  fake   52:54:00:12:34:56 up    1000 192.0.2.5               0         0\n"
		"  address by DHCP, router 192.0.2.1, DNS server 192.0.2.2\n"
		"  7 interrupts; lost: 5 damaged, 6 missed\n");
	assert_has(
		fake_host_command("net uplinks --json"),
		"[{\"name\":\"nic0\",\"driver\":\"fake\",\"mac\":\"52:54:00:12:34:56\","
		"\"link\":true,\"speed\":1000,\"address\":\"192.0.2.5\",\"router\":\"192.0.2.1\","
		"\"dns\":\"192.0.2.2\",\"dhcp\":true,\"interrupts\":7,\"damaged\":5,\"missed\":6,");
}

static void test_ping(void **state)
{
	(void)state;
	fake_host_run("");
	assert_prints("net ping 192.0.2.1",
		      "error: the host has no address: an uplink gets one by configuration, or "
		      "from DHCP once a NAT network uses it\n");
	fake_host_reset();
	fake_host_module("insula.conf", with_net);
	fake_host_run("\r");
	fake_ping_answers = 4;
	assert_prints("net ping 192.0.2.1 --uplink nic0", "192.0.2.1 answers in 1.234 ms\n"
							  "192.0.2.1 answers in 1.234 ms\n"
							  "192.0.2.1 answers in 1.234 ms\n"
							  "192.0.2.1 answers in 1.234 ms\n"
							  "4 of 4 answered\n");
	fake_ping_answers = 1;
	assert_prints("net ping 8.8.8.8", "8.8.8.8 answers in 1.234 ms\n1 of 4 answered\n");
	fake_ping_answers = 0;
	assert_prints("net ping 192.0.2.9", "error: 192.0.2.9 does not answer\n");
	fake_ping_answers = 4;
	fake_on_wait = press_ctrl_c;
	assert_prints("net ping 192.0.2.1", "192.0.2.1 answers in 1.234 ms\n1 of 1 answered\n");
	fake_ping_answers = 0;
	assert_prints("net ping 192.0.2.1", "0 of 1 answered\n"); /* it was given no time to */
	fake_ping_answers = 4;
	fake_on_wait = NULL;
	assert_prints("net ping 192.0.2.1 --count 1", "192.0.2.1 answers in 1.234 ms\n"
						      "1 of 1 answered\n");
	assert_int_equal(fake_pings, 0);
	assert_prints("net ping 192.0.2.1 --count 0",
		      "error: --count: found \"0\", allowed: 1 to 1000\n");
	assert_prints("net ping 192.0.2", "error: found \"192.0.2\", allowed: an IPv4 address like "
					  "192.0.2.1\n");
	assert_prints(
		"net ping 255.255.255.255",
		"error: found \"255.255.255.255\", allowed: an IPv4 address like 192.0.2.1\n");
	assert_has(fake_host_command("net ping 224.0.0.1"), "error: found \"224.0.0.1\"");
	assert_prints("net ping 192.0.2.1 --uplink nic9",
		      "error: no network card is named \"nic9\"; net uplinks shows all\n");
}

static void test_forward(void **state)
{
	(void)state;
	fake_host_module("insula.conf", with_net);
	fake_host_run("\r");
	assert_prints("net forward lan add tcp:8080:web1:80", "");
	assert_has(fake_host_command("config show"), "forward = [\"tcp:8080:web1:80\"]\n");
	assert_prints("net forward lan add tcp:8080:web1:81",
		      "error: that port of the host leads somewhere already\n");
	assert_prints(
		"net forward lan add tcp:0:web1:80",
		"error: found \"tcp:0:web1:80\", allowed: a port like tcp:8080:web1:80 (protocol, "
		"the host's, VM, its port)\n");
	assert_prints("net forward lan delete tcp:8080:web1:80",
		      "error: found \"delete\", allowed: add, remove\n");
	assert_prints("net forward dmz add tcp:8080:web1:80",
		      "error: no network is named \"dmz\"; net list shows all\n");
	assert_prints("net forward lan remove tcp:8080:web1:80", "");
	assert_prints("net forward lan remove tcp:8080:web1:80",
		      "error: lan does not forward that port; net info lan shows all\n");
}

static void test_config_help(void **state)
{
	(void)state;
	assert_prints("config help vm.NAME.memory",
		      "vm.NAME.memory: RAM of the VM, rounded up to 2 MiB\n"
		      "  type     size\n"
		      "  allowed  a size like \"512M\" or \"1G\", \"2M\" to \"256G\"\n"
		      "  default  \"256M\"\n");
	assert_has(fake_host_command("config help kernel"), "  default  none: it must be given\n");
	assert_prints("config help pci", "vm.NAME.pci: host PCI devices given to the VM\n"
					 "Not supported in this version.\n");
	assert_prints("config help zzz", "error: no key is named \"zzz\"; config help lists all\n");
	assert_has(fake_host_command("config help"), "\nvm.NAME.weight ");
}

/* ---- the rest ---- */

static void test_help(void **state)
{
	(void)state;
	assert_has(fake_host_command("help"),
		   "vm create NAME KEY=VALUE...    make a VM, stopped; keys as in the "
		   "configuration\n");
	assert_prints("help host cpus",
		      "host cpus [--json]\nhow busy each CPU is, and what it leaks\n"
		      "--json prints one JSON value on one line, for scripts.\n");
	assert_has(fake_host_command("help vm stop"), "stop_timeout; Ctrl-C stops waiting.");
	assert_has(fake_host_command("help config"), "config check [FILE] ");
	assert_prints("help vm lits", "error: no command is named \"vm lits\"; help vm lists those "
				      "there are\n");
	assert_prints("help confgi",
		      "error: no command is named \"confgi\"; did you mean config?\n");
	assert_prints("clear", "\x1b[H\x1b[2J");
}

/* No line of help is wider than a terminal, and every command has its words of help. */
static void test_help_fits(void **state)
{
	static const char *const lists[] = { "help",	      "config help",	 "host info",
					     "vm list",	      "vm stats web1",	 "help vm create",
					     "help vm stop",  "help vm console", "help trace",
					     "help vm stats", "help host log" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *line = fake_host_command(lists[i]);

		for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			if (end - line >= 80) {
				fail_msg("%s: too wide: %.*s", lists[i], (int)(end - line), line);
			}
		}
	}
}

static void add_record(unsigned int cpu, struct trace_record r)
{
	static struct trace_record rings[2][TRACE_RECORDS];

	if (trace_rings[cpu].rec == NULL) {
		memset(rings[cpu], 0, sizeof(rings[cpu]));
		trace_rings[cpu].rec = rings[cpu];
	}
	*trace_add(&trace_rings[cpu]) = r;
}

static void test_trace(void **state)
{
	(void)state;
	assert_prints("trace", "Nothing has been recorded yet.\n");
	vm_find("web1")->exit_names = exit_names;
	add_record(0, (struct trace_record){ 1000, 50, TRACE_EXIT, 1, 0x1234, 7, 1 << 16 });
	add_record(1, (struct trace_record){ 2000, 0, TRACE_SWITCH, 7, 0, 1, 0 });
	add_record(0, (struct trace_record){ 3000, 0, TRACE_IRQ, 0xec, 0, 0, 0 });
	add_record(0, (struct trace_record){ 4000, 0, TRACE_WAKE, 99, 0, 0, 0 });
	add_record(0, (struct trace_record){ 5000, 0, TRACE_INJECT, 0x20, 0, 1, 9 << 16 });
	add_record(1, (struct trace_record){ 6000, 9, TRACE_EXIT, 77, 1, 2, 9 << 16 | 500 });
	add_record(1, (struct trace_record){ 7000, 0, 4711, 0, 0, 0, 0 });
	assert_prints("trace", "[    0.000001]  0 exit   web1/0 CPUID rip 1234 qual 7 took 50\n"
			       "[    0.000002]  1 switch idle -> console\n"
			       "[    0.000003]  0 irq    vector ech\n"
			       "[    0.000004]  0 wake   thread 99\n"
			       "[    0.000005]  0 inject ?/0 vector 20h info 1\n"
			       "[    0.000006]  1 exit   ?/500 exit 77 rip 1 qual 2 took 9\n"
			       "[    0.000007]  1 ?      \n");
	assert_prints("trace 1", "[    0.000007]  1 ?      \n");
	assert_prints("trace 2 --json",
		      "[{\"time_ns\":6000,\"cpu\":1,\"kind\":\"exit\","
		      "\"text\":\"?/500 exit 77 rip 1 qual 2 took 9\"},"
		      "{\"time_ns\":7000,\"cpu\":1,\"kind\":\"?\",\"text\":\"\"}]\n");
	assert_prints("trace 0", "error: found \"0\", allowed: 1 to 1024 records\n");
	assert_prints("trace many", "error: found \"many\", allowed: 1 to 1024 records\n");
	for (unsigned int i = 0; i < 2 * TRACE_RECORDS; i++) {
		add_record(0, (struct trace_record){ i, 0, TRACE_IRQ, 1, 0, 0, 0 });
	}
	assert_has(fake_host_command("trace 1024"), "[    0.000007]  1 ?");
}

static void top_quits(void)
{
	static unsigned int naps;

	vm_find("web1")->cpu_time += 500000000;
	if (++naps % 3 == 0) {
		fake_host_keys("q");
	}
}

static void test_top(void **state)
{
	const char *text;

	(void)state;
	fake_on_wait = top_quits;
	text = fake_host_run("top\r");
	assert_has(text, "\x1b[HInsula 0.1, up 1.250 s, 2 CPUs, 1000 MiB of 1 GiB free; q "
			 "quits\x1b[K\r\n");
	assert_has(text,
		   "\r\nweb1                            running    50.0%         0    16 MiB    "
		   "1.000 s\x1b[K\r\n");
	assert_has(text, "\r\nconsole ");
	assert_string_equal(text + strlen(text) - 11, "\x1b[Jinsula> ");
}

static void test_completion(void **state)
{
	(void)state;
	assert_has(fake_host_run("vm sto\tw\t\x15"), "vm stop web1 ");
	assert_has(fake_host_run("vm create x ker\tbo\t\x15"), "vm create x kernel=boot:");
	assert_has(fake_host_run("vm create x kernel=boot:k\t\x15"), "kernel=boot:k ");
	assert_has(fake_host_run("vm set db on_c\tr\t\x15"), "vm set db on_crash=restart ");
	assert_has(fake_host_run("config help stop_\t\x15"), "config help stop_timeout ");
	assert_has(fake_host_run("config check b\ti\t\x15"), "config check boot:insula.conf ");
	assert_has(fake_host_run("host log d\t\x15"), "host log debug ");
	assert_has(fake_host_run("help host po\t\x15"), "help host poweroff ");
	assert_has(fake_host_run("host power\t--\t\x15"), "host poweroff --force ");
}

/* Memory that runs out is an error line, never a crash. */
static void test_out_of_memory(void **state)
{
	static const char *const lines[] = { "vm create x kernel=boot:k", "vm set db memory=4M",
					     "config check", "top", "trace" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		fake_heap_limit = 0;
		assert_has(fake_host_command(lines[i]), "error: ");
		fake_heap_limit = ~0ul;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_configuration, setup),
		cmocka_unit_test_setup(test_startup, setup),
		cmocka_unit_test_setup(test_startup_waits_for_devices, setup),
		cmocka_unit_test_setup(test_startup_without_virtualization, setup),
		cmocka_unit_test_setup(test_log_line_redraws_the_row, setup),
		cmocka_unit_test_setup(test_log_line_without_room, setup),
		cmocka_unit_test_setup(test_slow_line, setup_vms),
		cmocka_unit_test_setup(test_pasted_lines, setup),
		cmocka_unit_test_setup(test_cancelled_line, setup),
		cmocka_unit_test_setup(test_panic_is_never_held_back, setup_vms),
		cmocka_unit_test_setup(test_vm_list, setup_vms),
		cmocka_unit_test_setup(test_vm_list_empty, setup),
		cmocka_unit_test_setup(test_vm_info, setup_vms),
		cmocka_unit_test_setup(test_vm_info_nics, setup_vms),
		cmocka_unit_test_setup(test_vm_stats, setup_vms),
		cmocka_unit_test_setup(test_vm_create, setup_vms),
		cmocka_unit_test_setup(test_vm_set, setup_vms),
		cmocka_unit_test_setup(test_vm_set_memory_live, setup_vms),
		cmocka_unit_test(test_vm_set_with_windows),
		cmocka_unit_test_setup(test_vm_states, setup_vms),
		cmocka_unit_test_setup(test_vm_busy, setup_vms),
		cmocka_unit_test_setup(test_vm_start_takes_long, setup_vms),
		cmocka_unit_test_setup(test_vm_stop_forced_waits_its_turn, setup_vms),
		cmocka_unit_test_setup(test_vm_stop, setup_vms),
		cmocka_unit_test_setup(test_vm_stop_while_it_boots, setup_vms),
		cmocka_unit_test_setup(test_vm_stop_takes_too_long, setup_vms),
		cmocka_unit_test_setup(test_vm_stop_interrupted, setup_vms),
		cmocka_unit_test_setup(test_vm_console, setup_vms),
		cmocka_unit_test_setup(test_vm_console_size, setup_vms),
		cmocka_unit_test_setup(test_vm_console_size_of_a_vm_that_is_not_up, setup_vms),
		cmocka_unit_test_setup(test_vm_console_recent_output, setup_vms),
		cmocka_unit_test_setup(test_vm_console_deaf_guest, setup_vms),
		cmocka_unit_test_setup(test_vm_console_long_paste, setup_vms),
		cmocka_unit_test_setup(test_vm_console_dead_guest, setup_vms),
		cmocka_unit_test_setup(test_host_info, setup_vms),
		cmocka_unit_test_setup(test_host_tables, setup_vms),
		cmocka_unit_test_setup(test_host_log, setup_vms),
		cmocka_unit_test_setup(test_host_poweroff, setup_vms),
		cmocka_unit_test_setup(test_host_poweroff_forced_while_a_vm_is_claimed, setup_vms),
		cmocka_unit_test_setup(test_host_poweroff_of_a_vm_that_comes_up, setup_vms),
		cmocka_unit_test_setup(test_config, setup_vms),
		cmocka_unit_test_setup(test_net, setup_vms),
		cmocka_unit_test_setup(test_net_capture, setup),
		cmocka_unit_test_setup(test_uplinks, setup),
		cmocka_unit_test_setup(test_ping, setup),
		cmocka_unit_test_setup(test_forward, setup),
		cmocka_unit_test_setup(test_net_commands, setup_vms),
		cmocka_unit_test_setup(test_config_help, setup_vms),
		cmocka_unit_test_setup(test_help, setup_vms),
		cmocka_unit_test_setup(test_help_fits, setup_vms),
		cmocka_unit_test_setup(test_trace, setup_vms),
		cmocka_unit_test_setup(test_top, setup_vms),
		cmocka_unit_test_setup(test_completion, setup_vms),
		cmocka_unit_test_setup(test_out_of_memory, setup_vms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
