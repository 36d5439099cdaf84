/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about this machine: info, CPUs, the log. */
/* Measures nothing itself: each room keeps its own numbers. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "boot/boot_info.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/base/stretch.h"
#include "hv/base/symtab.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/show.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "version.h"

static const struct boot_info *boot;

void cmd_host_init(const struct boot_info *info)
{
	cmd_host_memory_init(info);
	boot = info;
}

/* ---- info ---- */

static void features_json(struct json *j)
{
	unsigned int count;
	const struct hvm_feature *rows = hvm_features(&count);

	json_array(j, "features");
	for (unsigned int i = 0; i < count; i++) {
		json_object(j, NULL);
		json_string(j, "name", rows[i].name);
		json_bool(j, "required", rows[i].required);
		json_bool(j, "present", rows[i].present);
		json_end(j);
	}
	json_end(j);
}

static void info_json(struct shell_call *c)
{
	struct page_stats mem;
	struct json j;

	page_stats(&mem);
	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_string(&j, "name", cmd_config_host()->name);
	json_string(&j, "version", INSULA_VERSION);
	json_string(&j, "git", INSULA_GIT);
	json_string(&j, "cpu", cpu_brand());
	json_string(&j, "vendor", cpu_vendor());
	json_u64(&j, "cpus", cpu_count());
	json_string(&j, "virtualization", hvm != NULL ? hvm->name : NULL);
	features_json(&j);
	json_u64(&j, "memory", mem.total);
	json_u64(&j, "free", mem.free);
	json_u64(&j, "uptime_ns", clock_ticks_to_ns(clock_now()));
	json_u64(&j, "time", clock_wall_seconds());
	json_u64(&j, "tsc_hz", clock_hz());
	json_u64(&j, "entry_ticks", boot->entry_tsc);
	json_string(&j, "loader", boot->loader);
	json_string(&j, "cmdline", boot->cmdline);
	json_finish(&j);
}

/* Names of the features that are (or required but not) there, separated by commas. */
static void put_features(struct shell_call *c, bool present, bool required_only)
{
	unsigned int count, put = 0;
	const struct hvm_feature *rows = hvm_features(&count);

	for (unsigned int i = 0; i < count; i++) {
		if (rows[i].present == present && (rows[i].required || !required_only)) {
			shell_out_printf(c->out, "%s%s",
					 put == 0	? ""
					 : put % 4 == 0 ? ",\n                "
							: ", ",
					 rows[i].name);
			put++;
		}
	}
	shell_out_puts(c->out, put == 0 ? "none\n" : "\n");
}

static void info_virtualization(struct shell_call *c)
{
	if (hvm != NULL) {
		shell_out_printf(c->out, "virtualization  %s\nwith            ", hvm->name);
		put_features(c, true, false);
	} else {
		shell_out_puts(c->out, "virtualization  not usable: VMs cannot start\n"
				       "missing         ");
		put_features(c, false, true);
	}
}

static int cmd_info(struct shell_call *c)
{
	char total[16], free[16], text[SHOW_MAX];
	struct page_stats mem;

	if (shell_json(c)) {
		info_json(c);
		return 0;
	}
	page_stats(&mem);
	shell_out_printf(c->out, "name            %s\n", cmd_config_host()->name);
	shell_out_printf(c->out, "version         %s (%s)\n", INSULA_VERSION, INSULA_GIT);
	shell_out_printf(c->out, "cpu             %u x %s\n", cpu_count(), cpu_brand());
	info_virtualization(c);
	shell_out_printf(c->out, "memory          %s, %s free\n",
			 fmt_size(total, sizeof(total), mem.total),
			 fmt_size(free, sizeof(free), mem.free));
	shell_out_printf(c->out, "uptime          %s\n",
			 show_time(text, sizeof(text), clock_ticks_to_ns(clock_now())));
	shell_out_printf(c->out, "time            %s\n",
			 show_date(text, sizeof(text), clock_wall_seconds()));
	shell_out_printf(c->out, "loaded by       %s\n", boot->loader);
	if (boot->cmdline[0] != '\0') {
		shell_out_printf(c->out, "options         %s\n", boot->cmdline);
	}
	return 0;
}

/* ---- cpus ---- */

#define SAMPLE_NS 200000000ul

struct cpu_use {
	unsigned int threads; /* that belong to it, idle not counted */
	uint64_t idle;	      /* ticks */
};

/* An idle thread is the only one without a body. */
static void add_thread(struct thread *t, void *arg)
{
	struct cpu_use *use = (struct cpu_use *)arg + (t->cpu < CPU_MAX ? t->cpu : 0);

	if (t->p.body == NULL) {
		use->idle += thread_time(t);
	} else {
		use->threads++;
	}
}

static void sample_cpus(struct cpu_use use[CPU_MAX])
{
	memset(use, 0, CPU_MAX * sizeof(*use));
	thread_for_each(add_thread, use);
}

/* Who ended a CPU's longest masked stretch, and who called that. */
static void json_enders(struct json *j, const struct stretch *s)
{
	json_array(j, "longest_masked_ended_in");
	for (unsigned int i = 0; i < STRETCH_CALLERS && s->ended[i] != 0; i++) {
		struct symtab_hit hit = { "?", 0 };

		symtab_lookup(s->ended[i], &hit);
		json_string(j, NULL, hit.name);
	}
	json_end(j);
}

static void json_vulnerabilities(struct json *j, unsigned int cpu)
{
	struct cpu_vulnerability rows[CPU_VULNERABILITIES_MAX];
	unsigned int count = cpu_vulnerabilities(cpu, rows);

	json_object(j, "vulnerabilities");
	for (unsigned int i = 0; i < count; i++) {
		json_string(j, rows[i].name, rows[i].status);
	}
	json_end(j);
}

/* Those of the first CPU: the machine's others are of the same kind. */
static void print_vulnerabilities(struct shell_out *out)
{
	struct cpu_vulnerability rows[CPU_VULNERABILITIES_MAX];
	unsigned int count = cpu_vulnerabilities(0, rows);

	for (unsigned int i = 0; i < count; i++) {
		shell_out_printf(out, "%-23s %s\n", rows[i].name, rows[i].status);
	}
}

static void cpus_json(struct shell_call *c)
{
	static struct cpu_use use[CPU_MAX];
	struct json j;

	sample_cpus(use);
	json_begin(&j, c->out);
	json_array(&j, NULL);
	for (unsigned int i = 0; i < cpu_count(); i++) {
		json_object(&j, NULL);
		json_u64(&j, "cpu", i);
		json_u64(&j, "threads", use[i].threads);
		json_u64(&j, "idle_ns", clock_ticks_to_ns(use[i].idle));
		json_u64(&j, "longest_masked_ticks", stretches[i].longest);
		json_enders(&j, &stretches[i]);
		json_vulnerabilities(&j, i);
		json_end(&j);
	}
	json_finish(&j);
}

static int cmd_cpus(struct shell_call *c)
{
	static struct cpu_use before[CPU_MAX], now[CPU_MAX]; /* one shell */
	uint64_t begun = clock_now(), span;
	char busy[SHOW_MAX], idle[SHOW_MAX];

	if (shell_json(c)) {
		cpus_json(c);
		return 0;
	}
	sample_cpus(before);
	shell_wait(c, SAMPLE_NS);
	sample_cpus(now);
	span = clock_now() - begun;
	shell_out_printf(c->out, "%u x %s\n", cpu_count(), cpu_brand());
	shell_out_printf(c->out, "%-4s %7s %8s %12s %15s\n", "CPU", "BUSY", "THREADS",
			 "IDLE SO FAR", "LONGEST MASKED");
	for (unsigned int i = 0; i < cpu_count(); i++) {
		uint64_t slept = u64_min(now[i].idle - before[i].idle, span);

		shell_out_printf(c->out, "%-4u %6s%% %8u %12s %12lu ns\n", i,
				 show_percent(busy, sizeof(busy), span - slept, span),
				 now[i].threads,
				 show_time(idle, sizeof(idle), clock_ticks_to_ns(now[i].idle)),
				 clock_ticks_to_ns(stretches[i].longest));
	}
	print_vulnerabilities(c->out);
	return 0;
}

/* ---- log ---- */

static void log_json(struct shell_call *c, enum log_level level)
{
	uint64_t cursor = 0;
	char line[256];
	struct json j;
	size_t n;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	while ((n = log_read(&cursor, level, line, sizeof(line))) > 0) {
		line[n - (line[n - 1] == '\n')] = '\0';
		json_string(&j, NULL, line);
	}
	json_finish(&j);
}

static int cmd_log(struct shell_call *c)
{
	enum log_level level = LOG_INFO;
	uint64_t cursor = 0;
	char line[256];
	size_t n;

	if (c->argc > 0 && log_level_parse(c->argv[0], &level) != 0) {
		return shell_error(c,
				   "found the level \"%.20s\", allowed: bug, host, guest, info, "
				   "debug",
				   c->argv[0]);
	}
	if (shell_json(c)) {
		log_json(c, level);
		return 0;
	}
	while ((n = log_read(&cursor, level, line, sizeof(line))) > 0) {
		shell_out_write(c->out, line, n);
		if (shell_interrupted(c)) {
			return shell_error(c, "interrupted");
		}
	}
	return 0;
}

static void offer_levels(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	for (unsigned int l = 0; l < LOG_LEVELS; l++) {
		line_edit_offer(le, log_level_name(l));
	}
}

static const struct shell_cmd cmds[] = {
	{ "host", "info", "[--json]", "version, CPU, virtualization, memory, uptime", cmd_info },
	{ "host", "cpus", "[--json]", "how busy each CPU is, and what it leaks", cmd_cpus },
	{ "host", "devices", "[--json]", "what the hypervisor drives, and all on PCI",
	  cmd_host_devices },
	{ "host", "log", "[LEVEL] [--json]",
	  "the log, up to a level\n"
	  "Levels say whose fault it is: bug (ours), host (the machine), guest (a VM's),\n"
	  "then info (the default) and debug.",
	  cmd_log },
};

static const struct shell_kind kinds[] = { { "LEVEL", offer_levels } };

const struct shell_table cmd_host_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
