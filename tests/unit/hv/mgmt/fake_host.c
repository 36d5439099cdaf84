/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the fakes behind the console: everything below hv/mgmt that it calls. */
/* Checks what the contracts ask of callers: the list is locked where it must be. */
#include "hv/mgmt/fake_host.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "boot/boot_info.h"
#include "drivers/emul/vpci_msi.h"
#include "drivers/emul/vpci_msix.h"
#include "drivers/emul/vpm.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/uart.h"
#include "drivers/net/network.h"
#include "drivers/net/network_forward.h"
#include "drivers/net/pcap.h"
#include "drivers/net/ping.h"
#include "drivers/net/uplink.h"
#include "fakes/fake_arch.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/base/stretch.h"
#include "hv/base/symtab.h"
#include "hv/base/trace.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/console.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/net_thread.h"
#include "hv/mgmt/store_ram.h"
#include "hv/sched.h"
#include "hv/thread.h"
#include "hv/vm_job.h"
#include "hv/vm_life.h"
#include "hv/vm_memory.h"
#include <stdio.h>
#include <ucontext.h>

#include <cmocka.h>

size_t fake_room;
struct hvm_ops fake_hvm = { .name = "SVM" };
const struct hvm_ops *hvm;
const char *fake_start_fails;
void (*fake_on_wait)(void);
unsigned int fake_unparked, fake_buttons, fake_poweroffs, fake_reboots, fake_list_depth;
unsigned int fake_early_vms;
enum log_level fake_sink_level;
struct trace_ring trace_rings[CPU_MAX];
struct stretch stretches[CPU_MAX];
/* host isolation reads memory by faulting: only the image can, and its system test does. */
const struct shell_table cmd_isolation_table;
/* Tested where their stores and files are: test_store.c, test_save_vm.c. */
const struct shell_table cmd_vm_save_table;
const struct shell_table cmd_vm_restore_table;
const struct shell_table cmd_config_save_table;
const struct shell_table cmd_disk_table;
const struct shell_table cmd_disk_image_table;
const struct shell_table cmd_disk_copy_table;
const struct shell_table cmd_disk_limit_table;

/* ---- one network with a gateway and a guest, once the configuration has any ---- */

static struct natnet gateway = { .inside.port.mac = { 2, 0, 0, 0, 0, 1 } };
static struct network net;
static struct network_segment segment = { .net = &net, .gateway = &gateway };
static bool net_thread;

int net_thread_start(void)
{
	net_thread = true;
	return 0;
}

int network_create(const struct network_config *c)
{
	assert_true(net_thread);
	if (net.c.name[0] != '\0') {
		return -ENOMEM;
	}
	net.c = *c;
	return 0;
}

const struct network *network_next(const struct network *prev)
{
	return prev == NULL && net.c.name[0] != '\0' ? &net : NULL;
}

struct network_subnet network_subnet(const struct network *net)
{
	return network_config_subnet(&net->c, 0, 0);
}

const struct network *network_find(const char *name)
{
	return strcmp(net.c.name, name) == 0 && name[0] != '\0' ? &net : NULL;
}

struct network_segment *network_next_segment(struct network_segment *prev)
{
	return prev == NULL ? &segment : NULL;
}

bool netswitch_next_port(struct netswitch *sw, unsigned int *cursor, struct netswitch_port *out)
{
	static const struct netswitch_port ports[] = {
		{ .name = "gateway", .mac = { 2, 0, 0, 0, 0, 1 }, .link = true },
		{ .name = "web1.0",
		  .mac = { 0x52, 0x54, 0, 0, 0, 1 },
		  .leased = 0x0a140002,
		  .stats = { .sent = 7,
			     .sent_bytes = 700,
			     .received = 8,
			     .received_bytes = 8000,
			     .drops = { [NETPORT_DROP_SPOOFED] = 3, [NETPORT_DROP_FULL] = 1 } } },
	};

	assert_ptr_equal(sw, &segment.sw);
	if (*cursor == ARRAY_SIZE(ports)) {
		return false;
	}
	*out = ports[(*cursor)++];
	return true;
}

void network_segment_unuse(struct network_segment *s)
{
	assert_ptr_equal(s, &segment);
}

static unsigned int held;
unsigned int fake_captures;
const char *fake_captured = "";
bool fake_capture_gone;

struct netport *netswitch_hold_port(struct netswitch *sw, const char *name)
{
	assert_ptr_equal(sw, &segment.sw);
	if (strcmp(name, "web1.0") != 0) {
		return NULL;
	}
	held++;
	return &fake_nic_port;
}

void netswitch_release_port(struct netport *p)
{
	assert_ptr_equal(p, &fake_nic_port);
	held--;
}

int pcap_start(struct netport *p, uint32_t size, uint32_t snaplen)
{
	assert_ptr_equal(p, &fake_nic_port);
	assert_int_equal(size, 64 * KIB);
	assert_int_equal(snaplen, 1600);
	assert_int_equal(held, 1);
	if (fake_captures != 0) {
		return -EBUSY;
	}
	fake_captures++;
	return 0;
}

bool pcap_read(struct netport *p, void *buf, size_t *len, struct pcap_counts *counts)
{
	assert_ptr_equal(p, &fake_nic_port);
	assert_int_equal(held, 1);
	*len = u64_min(*len, strlen(fake_captured));
	memcpy(buf, fake_captured, *len);
	fake_captured += *len;
	*counts = (struct pcap_counts){ 5, 2 };
	return !fake_capture_gone;
}

void pcap_stop(struct netport *p)
{
	assert_ptr_equal(p, &fake_nic_port);
	fake_captures--;
}

bool natnet_next_lease(struct natnet *n, unsigned int *cursor, uint64_t now,
		       struct dhcps_lease *out)
{
	assert_ptr_equal(n, &gateway);
	*out = (struct dhcps_lease){ .mac = 0x525400000001, .ip = 0x0a140002, .name = "alpine" };
	out->expires = now + 3600000000000;
	return (*cursor)++ == 0;
}

/* ---- a host NIC, once the host has an address there ---- */

static void nic_stats(struct netport *p, struct netnic_stats *s)
{
	(void)p;
	*s = (struct netnic_stats){ .errors = 5, .missed = 6, .interrupts = 7 };
}

static unsigned int nic_speed(struct netport *p)
{
	(void)p;
	return 1000;
}

static const struct netnic_ops nic_ops = { .driver = "fake",
					   .stats = nic_stats,
					   .speed = nic_speed };
static struct netport nic = { .name = "nic0",
			      .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
			      .link = true };
static struct hostif nic_host = { .outside = { .addr = 0xc0000205, .router = 0xc0000201 },
				  .dhcpc.dns = 0xc0000202 };
static struct uplink uplink = { .nic = &nic, .ops = &nic_ops };

void uplink_set_hostname(const char *name)
{
	assert_non_null(name);
}

int uplink_configure(const struct uplink_config *c)
{
	if (strcmp(c->uplink, "nic0") != 0) {
		return -ENODEV;
	}
	uplink.host = &nic_host;
	return 0;
}

struct uplink *uplink_next(struct uplink *prev)
{
	return prev == NULL && uplink.host != NULL ? &uplink : NULL;
}

struct uplink *uplink_find(const char *name)
{
	return strcmp(name, nic.name) == 0 ? &uplink : NULL;
}

/* ---- pings ---- */

unsigned int fake_pings;
uint16_t fake_ping_answers;

int ping_open(struct ping *p, struct hostif *h, uint32_t dst)
{
	*p = (struct ping){ .h = h, .dst = dst };
	fake_pings++;
	return 0;
}

void ping_send(struct ping *p, uint64_t now)
{
	p->seq++;
	p->sent = now;
}

uint64_t ping_took(const struct ping *p)
{
	return p->seq <= fake_ping_answers ? 1234567 : 0;
}

void ping_close(struct ping *p)
{
	(void)p;
	fake_pings--;
}

int network_forward_add(const struct network *n, const struct network_forward *f)
{
	assert_ptr_equal(n, &net);
	if (net.c.forwards != 0) {
		return -EEXIST;
	}
	net.c.forward[net.c.forwards++] = *f;
	return 0;
}

int network_forward_remove(const struct network *n, uint8_t proto, uint16_t out_port)
{
	assert_ptr_equal(n, &net);
	if (net.c.forwards == 0) {
		return -ENOENT;
	}
	assert_int_equal(proto, net.c.forward[0].proto);
	assert_int_equal(out_port, net.c.forward[0].out_port);
	net.c.forwards--;
	return 0;
}

const char *netport_drop_name(enum netport_drop why)
{
	return why == NETPORT_DROP_SPOOFED ? "spoofed"
	       : why == NETPORT_DROP_FULL  ? "full"
					   : "other";
}

/* ---- serial port ---- */

static char sent[262144];
static size_t sent_len;
static const char *keys;

size_t uart_write(const char *text, size_t len)
{
	assert_int_equal(fake_list_depth, 0); /* a terminal is slow */
	len = u64_min(len, fake_room);
	fake_room -= len;
	assert_true(sent_len + len < sizeof(sent));
	memcpy(sent + sent_len, text, len);
	sent_len += len;
	sent[sent_len] = '\0';
	return len;
}

bool uart_has_room(size_t len)
{
	return fake_room >= len;
}

size_t uart_read(char *buf, size_t size)
{
	size_t n = u64_min(strlen(keys), size);

	memcpy(buf, keys, n);
	keys += n;
	return n;
}

void fake_host_keys(const char *typed)
{
	keys = typed;
}

void uart_poll(void)
{
}

void uart_set_reader(struct thread *reader)
{
	assert_non_null(reader);
}

void uart_flush_polled(void)
{
}

uint64_t store_ram_used(void)
{
	return 2 * MIB;
}

/* Two functions, one of them driven. */
const struct host_pci_dev *host_pci_next(const struct host_pci_dev *d)
{
	static const struct host_pci_driver ahci = { .name = "ahci" };
	static struct host_pci_dev devs[] = {
		{ .slot = 31,
		  .function = 2,
		  .vendor = 0x8086,
		  .device = 0x2922,
		  .class = 0x010601,
		  .irq = HOST_PCI_MSI,
		  .driver = &ahci },
		{ .bus = 3, .vendor = 0x1234, .device = 1, .class = 0xff0000 },
	};

	devs[0].next = &devs[1];
	return d == NULL ? &devs[0] : d->next;
}

static bool found; /* the machine's devices */

void host_pci_wait(void)
{
	found = true;
}

uint64_t uart_errors(void)
{
	return 3;
}

/* ---- threads: the console's is the test, and leaves it when it would sleep for ever ---- */

static struct thread console_thread;
static ucontext_t test_context, console_context;
static char console_stack[262144] ALIGNED(16);
static bool started;

int thread_create(struct thread **out, const struct thread_params *p)
{
	console_thread.p = *p;
	string_copy(console_thread.name, p->name, sizeof(console_thread.name));
	console_thread.id = 7;
	console_thread.time = 5000000;
	*out = &console_thread;
	return 0;
}

struct thread *thread_current(void)
{
	return &console_thread;
}

void thread_park(void)
{
	assert_int_equal(fake_list_depth, 0);
	swapcontext(&console_context, &test_context);
}

void thread_park_until(uint64_t deadline)
{
	assert_int_equal(fake_list_depth, 0);
	fake_now = deadline;
	if (fake_on_wait != NULL) {
		fake_on_wait();
	}
}

void thread_checkpoint(void)
{
}

void thread_unpark(struct thread *t)
{
	assert_ptr_equal(t, &console_thread);
	fake_unparked++;
}

uint64_t thread_time(const struct thread *t)
{
	return t->time;
}

void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	static struct thread idle = { .name = "idle", .id = 1 };

	idle.time = fake_now / 2;
	fn(&idle, arg);
	fn(&console_thread, arg);
}

/* ---- CPU, hvm, memory ---- */

unsigned int cpu_count(void)
{
	return 2;
}

const char *cpu_brand(void)
{
	return "Test CPU";
}

const char *cpu_vendor(void)
{
	return "TestVendor";
}

unsigned int cpu_vulnerabilities(unsigned int cpu, struct cpu_vulnerability rows[])
{
	rows[0] = (struct cpu_vulnerability){ "mds", cpu == 0 ? "Not affected" : "Vulnerable" };
	return 1;
}

void cpu_poweroff(void)
{
	fake_poweroffs++;
}

void cpu_reboot(void)
{
	fake_reboots++;
}

const char *clock_reference(void)
{
	return "PIT";
}

uint64_t clock_wall_seconds(void)
{
	return 951868799; /* a second before the end of a 29 February */
}

const struct hvm_feature *hvm_features(unsigned int *count)
{
	static const struct hvm_feature rows[] = {
		{ "AMD-V", true, true },
		{ "nested paging", true, false },
		{ "NRIP save", false, false },
	};

	*count = ARRAY_SIZE(rows);
	return rows;
}

const char *hvm_paravirt(const struct vcpu *v, unsigned int i, bool *used)
{
	static const char *const names[] = { "kvmclock", "pv-eoi" };

	(void)v;
	*used = i == 0;
	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

bool hvm_cpuid_feature_known(const char *name)
{
	return strcmp(name, "rdrand") == 0;
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .total = 1024 * MIB,
				  .image = 5 * MIB,
				  .hypervisor = 3 * MIB,
				  .guest = 16 * MIB,
				  .free = 1000 * MIB,
				  .use = { 768 * KIB, MIB, 512 * KIB, 256 * KIB, 256 * KIB,
					   256 * KIB },
				  .for_guests = 998 * MIB };
}

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = rank };
}

void spin_lock(struct spinlock *l)
{
	assert_int_equal(l->taken, 0);
	l->taken = 1;
}

void spin_unlock(struct spinlock *l)
{
	assert_int_equal(l->taken, 1);
	l->taken = 0;
}

bool symtab_lookup(uint64_t addr, struct symtab_hit *hit)
{
	*hit = (struct symtab_hit){ "vcpu_run", addr - 0x1234 };
	return addr >= 0x1234;
}

/* ---- log ---- */

static void (*sink)(const char *text, size_t len);

void log_set_sink(void (*write)(const char *text, size_t len), enum log_level level)
{
	sink = write;
	fake_sink_level = level;
}

void fake_host_log(const char *line)
{
	sink(line, strlen(line));
}

size_t log_read(uint64_t *cursor, enum log_level level, char *line, size_t size)
{
	static const struct {
		enum log_level level;
		const char *text;
	} lines[] = {
		{ LOG_INFO, "[    0.000000] one\n" },
		{ LOG_DEBUG, "[    0.000001] two\n" },
		{ LOG_HOST, "[    0.000002] host: \"three\"\n" },
	};

	while (*cursor < ARRAY_SIZE(lines)) {
		size_t i = (*cursor)++;

		if (lines[i].level <= level) {
			string_copy(line, lines[i].text, size);
			return strlen(line);
		}
	}
	return 0;
}

static const char *const level_names[] = { "bug", "host", "guest", "info", "debug" };

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- boot modules ---- */

static struct bootfs_file files[8];
static unsigned int file_count;

void fake_host_module(const char *name, const char *text)
{
	files[file_count++] = (struct bootfs_file){ name, (const uint8_t *)text, strlen(text) };
}

int bootfs_find(const char *path, struct bootfs_file *out)
{
	if (!string_starts_with(path, "boot:")) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < file_count; i++) {
		if (strcmp(files[i].name, path + 5) == 0) {
			*out = files[i];
			return 0;
		}
	}
	return -ENOENT;
}

bool bootfs_next(struct bootfs_cursor *cursor, struct bootfs_file *out)
{
	if (cursor->module == file_count) {
		return false;
	}
	*out = files[cursor->module++];
	return true;
}

static void offer_files(struct shell *sh, struct line_edit *le, const char *word)
{
	char path[64];

	(void)sh;
	(void)word;
	for (unsigned int i = 0; i < file_count; i++) {
		snprintf(path, sizeof(path), "boot:%s", files[i].name);
		line_edit_offer(le, path);
	}
}

/* Of the stores' commands only what others need: names of files. */
static const struct shell_kind store_kinds[] = { { "FILE", offer_files } };
const struct shell_table cmd_store_table = { .kinds = store_kinds, .kind_count = 1 };

/* ---- VMs ---- */

static struct list_node vms = LIST_INIT(vms);
static uint16_t next_id;

void vm_list_lock(void)
{
	assert_int_equal(fake_list_depth, 0);
	fake_list_depth = 1;
}

void vm_list_unlock(void)
{
	assert_int_equal(fake_list_depth, 1);
	fake_list_depth = 0;
}

struct vm *vm_next(const struct vm *prev)
{
	struct list_node *n = prev == NULL ? vms.next : prev->node.next;

	return n == &vms ? NULL : container_of(n, struct vm, node);
}

struct vm *vm_find(const char *name)
{
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (strcmp(vm->cfg.name, name) == 0) {
			return vm;
		}
	}
	return NULL;
}

const char *vm_state_name(enum vm_state s)
{
	static const char *const names[] = { "stopped", "starting", "running",
					     "paused",	"stopping", "crashed" };

	return names[s];
}

bool vm_is_up(const struct vm *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

bool vm_is_off(const struct vm *vm)
{
	return vm->state == VM_STOPPED || vm->state == VM_CRASHED;
}

uint64_t vm_cpu_time(const struct vm *vm)
{
	return vm->cpu_time;
}

static int fails(const char **why, const char *text)
{
	*why = text;
	return -EBUSY;
}

int vm_create(const struct vm_config *cfg, struct vm **out, const char **why)
{
	struct vm *vm;

	assert_int_equal(fake_list_depth, 1);
	if (vm_find(cfg->name) != NULL) {
		return fails(why, "there is a VM of that name already");
	}
	fake_early_vms += !found;
	vm = heap_alloc(sizeof(*vm));
	vm->id = ++next_id;
	vm->cfg = *cfg;
	guest_console_init(&vm->console);
	guest_console_init(&vm->hvc);
	list_push_back(&vms, &vm->node);
	*out = vm;
	return 0;
}

int vm_delete(struct vm *vm, const char **why)
{
	assert_int_equal(fake_list_depth, 1);
	if (vm->doing != NULL || !vm_is_off(vm)) {
		return fails(why, "it is not stopped");
	}
	list_remove(&vm->node);
	heap_free(vm);
	return 0;
}

static int go(struct vm *vm, enum vm_state from, enum vm_state to, const char **why)
{
	assert_int_equal(fake_list_depth, 1);
	if (vm->doing != NULL || vm->state != from) {
		return fails(why, "it is in another state");
	}
	vm->state = to;
	return 0;
}

int vm_start(struct vm *vm, const char **why)
{
	if (hvm == NULL) {
		return fails(why, "no virtualization");
	}
	if (fake_start_fails != NULL) {
		return fails(why, fake_start_fails);
	}
	vm->started = fake_now;
	vm->starts++;
	vm->mem.size = vm->mem.held = vm->cfg.memory;
	return go(vm, VM_STOPPED, VM_RUNNING, why);
}

int vm_stop(struct vm *vm, const char **why)
{
	return go(vm, vm->state == VM_STOPPED ? VM_RUNNING : vm->state, VM_STOPPED, why);
}

int vm_reset(struct vm *vm, const char **why)
{
	return go(vm, VM_RUNNING, VM_RUNNING, why);
}

/* As vm_life.h has them; a job is done at once, unless fake_job_waits. */
int vm_life_start(struct vm *vm, const char **why)
{
	return vm_start(vm, why);
}

int vm_life_stop(struct vm *vm, const char **why)
{
	return vm_stop(vm, why);
}

int vm_life_reset(struct vm *vm, const char **why)
{
	return vm_reset(vm, why);
}

unsigned int fake_job_waits;

int vm_job_begin(struct vm *vm, const char *doing, vm_op_fn *op, struct vm_job **out,
		 const char **why)
{
	static struct vm_job job;
	const char *text = "";

	assert_int_equal(fake_list_depth, 1);
	assert_non_null(doing);
	if (vm->doing != NULL) {
		return fails(why, "it is claimed");
	}
	job = (struct vm_job){ .vm = vm, .err = op(vm, &text), .state = vm->state };
	string_copy(job.why, text, sizeof(job.why));
	*out = &job;
	return 0;
}

bool vm_job_is_done(const struct vm_job *job)
{
	(void)job;
	assert_int_equal(fake_list_depth, 0);
	return fake_job_waits == 0 || --fake_job_waits == 0;
}

void vm_job_leave(struct vm_job *job)
{
	assert_int_equal(fake_list_depth, 0);
	job->left = true;
}

int vm_pause(struct vm *vm, const char **why)
{
	return go(vm, VM_RUNNING, VM_PAUSED, why);
}

int vm_resume(struct vm *vm, const char **why)
{
	return go(vm, VM_PAUSED, VM_RUNNING, why);
}

int vm_claim(struct vm *vm, const char *doing, const char **why)
{
	if (vm->doing != NULL) {
		return fails(why, "it is claimed");
	}
	vm->doing = doing;
	return 0;
}

void vm_release(struct vm *vm)
{
	vm->doing = NULL;
}

struct netport fake_nic_port;
struct virtio_net_counts fake_nic_counts;

struct netport *virtio_net_port(const struct vm *vm, unsigned int n)
{
	assert_int_equal(fake_list_depth, 1);
	assert_true(vm_is_up(vm));
	return n == 0 ? &fake_nic_port : NULL;
}

void virtio_net_counts(const struct vm *vm, unsigned int n, struct virtio_net_counts *out)
{
	assert_ptr_equal(virtio_net_port(vm, n), &fake_nic_port);
	*out = fake_nic_counts;
}

void virtio_net_set_link(struct vm *vm, unsigned int n, bool up)
{
	virtio_net_port(vm, n)->link = up;
}

struct virtio_balloon_info fake_balloon;
int fake_balloon_error;
const char *fake_reserve_fails;

int virtio_balloon_look(struct vm *vm, struct virtio_balloon_info *out)
{
	assert_int_equal(fake_list_depth, 1);
	assert_true(vm_is_up(vm));
	*out = fake_balloon;
	return fake_balloon_error;
}

int virtio_balloon_set_target(struct vm *vm, uint64_t bytes)
{
	assert_int_equal(fake_list_depth, 1);
	assert_string_equal(vm->doing, "being resized");
	fake_balloon.target = bytes;
	return 0;
}

int vm_memory_reserve(struct vm *vm, uint64_t bytes, const char **why)
{
	(void)bytes;
	assert_int_equal(fake_list_depth, 0);
	assert_string_equal(vm->doing, "being resized");
	return fake_reserve_fails != NULL ? fails(why, fake_reserve_fails) : 0;
}

uint64_t gpa_space_held(struct gpa_space *s)
{
	return s->held;
}

uint64_t gpa_balloon_size(const struct gpa_space *s)
{
	return s->size - s->held;
}

const struct vpci_function *vpci_next(const struct vm *vm, unsigned int devfn)
{
	(void)vm;
	(void)devfn;
	return NULL;
}

bool vpci_msi_is_enabled(const struct vpci_msi *m)
{
	(void)m;
	return false;
}

bool vpci_msix_is_enabled(const struct vpci_msix *m)
{
	(void)m;
	return false;
}

void vm_press_power_button(struct vm *vm)
{
	assert_int_equal(vm->state, VM_RUNNING);
	fake_buttons++;
}

/* ---- running ---- */

void fake_host_reset(void)
{
	fake_balloon = (struct virtio_balloon_info){ 0 };
	fake_balloon_error = -ENODEV;
	fake_reserve_fails = NULL;
	memset(&net, 0, sizeof(net));
	uplink.host = NULL;
	while (vm_next(NULL) != NULL) {
		struct vm *vm = vm_next(NULL);

		list_remove(&vm->node);
		heap_free(vm);
	}
	next_id = 0;
	found = false;
	fake_early_vms = 0;
	file_count = 0;
	sent_len = 0;
	sent[0] = '\0';
	started = false;
	hvm = &fake_hvm;
	fake_room = ~0ul;
	fake_start_fails = NULL;
	fake_on_wait = NULL;
	fake_buttons = fake_poweroffs = fake_reboots = fake_list_depth = 0;
	fake_now = 1000000000;
	memset(trace_rings, 0, sizeof(trace_rings));
	memset(stretches, 0, sizeof(stretches));
}

static void console_main(void)
{
	console_thread.p.body(NULL);
}

static void start_console(void)
{
	static struct boot_info info = {
		.loader = "PVH",
		.cmdline = "opt",
		.image_end = { MIB },
		.module_count = 1,
		.modules = { { .size = 3 * MIB } },
	};

	started = true;
	assert_int_equal(console_start(&info), 0);
	getcontext(&console_context);
	console_context.uc_stack.ss_sp = console_stack;
	console_context.uc_stack.ss_size = sizeof(console_stack);
	console_context.uc_link = &test_context;
	makecontext(&console_context, console_main, 0);
}

const char *fake_host_run(const char *typed)
{
	size_t from = sent_len;

	if (!started) {
		start_console();
	}
	keys = typed;
	swapcontext(&test_context, &console_context);
	return sent + from;
}

const char *fake_host_command(const char *line)
{
	static char text[65536];
	static char typed[1200];
	const char *s;
	size_t len = 0;

	snprintf(typed, sizeof(typed), "%s\r", line);
	s = strstr(fake_host_run(typed), "\r\n");
	assert_non_null(s);
	for (s += 2; *s != '\0'; s++) {
		assert_true(len + 1 < sizeof(text));
		if (*s == '\n') {
			assert_int_equal(s[-1], '\r');
		}
		if (*s != '\r') {
			text[len++] = *s;
		}
	}
	text[len] = '\0';
	assert_true(len >= 8);
	assert_string_equal(text + len - 8, "insula> ");
	text[len - 8] = '\0';
	return text;
}

const char *vcpu_state_name(const struct vcpu *v)
{
	(void)v;
	return "running";
}

/* ---- disks: cmd_disk.c's rows of vm info ---- */

void cmd_disk_print(struct shell_out *out UNUSED, const struct vm *vm UNUSED)
{
}

void cmd_disk_json(struct json *j, const struct vm *vm UNUSED)
{
	json_array(j, "disks");
	json_end(j);
}
