/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps one VM's traces in predictors and buffers from the next, at the change from one to another. */
/* Which CPU needs what is arch/x86/cpu/vuln.c's. */
#include "arch/x86/cpu/barrier.h"

#include "arch/cpu.h"
#include "arch/x86/cpu/vuln.h"
#include "arch/x86/cpu/x86.h"
#include "hv/base/log.h"
#include "hv/lib/string.h"

/* SDM Vol. 4 */
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_FLUSH_CMD	      0x10bu
#define SPEC_CTRL_STIBP	      BIT(1)
#define PRED_CMD_IBPB	      BIT(0)
#define FLUSH_CMD_L1D	      BIT(0)
/* APM Vol. 2, "Extended Feature Enable Register" */
#define EFER_AUTO_IBRS BIT(21)

/* barrier_switch.S */
void barrier_switch_rsb(void);

#define LEAF7_EDX_ARCH_CAPS BIT(29)
#define TOPOLOGY_SMT	    1u /* level type in CPUID leaf 0BH */

static struct cpu_state {
	struct vuln_cpu found;
	struct vuln_means means;
	uint64_t owner; /* for whom the CPU worked last */
} cpus[CPU_MAX];

/* SDM Vol. 2A, "CPUID", leaf 0BH; APM Vol. 3, the same. */
static bool threads_share_core(void)
{
	struct x86_cpuid r = x86_cpuid_checked(0xb, 0);

	return (r.ecx >> 8 & 0xff) == TOPOLOGY_SMT && (r.ebx & 0xffff) > 1;
}

static unsigned int family_of(uint32_t signature)
{
	unsigned int family = signature >> 8 & 0xf;

	return family == 0xf ? family + (signature >> 20 & 0xff) : family;
}

static void look(struct vuln_cpu *c)
{
	struct x86_cpuid leaf7 = x86_cpuid_checked(7, 0);

	*c = (struct vuln_cpu){
		.intel = strcmp(cpu_vendor(), "GenuineIntel") == 0,
		.amd = strcmp(cpu_vendor(), "AuthenticAMD") == 0,
		.smt = threads_share_core(),
		.family = family_of(x86_cpuid(1, 0).eax),
		.leaf7_ebx = leaf7.ebx,
		.leaf7_edx = leaf7.edx,
		.amd8_ebx = x86_cpuid_checked(0x80000008, 0).ebx,
		.amd21_eax = x86_cpuid_checked(0x80000021, 0).eax,
		.arch_caps = leaf7.edx & LEAF7_EDX_ARCH_CAPS ? x86_rdmsr(MSR_ARCH_CAPABILITIES) : 0,
	};
}

static uint32_t root_spec_ctrl(const struct vuln_means *m)
{
	return (uint32_t)((m->ibrs || m->ibrs_at_exits ? SPEC_CTRL_IBRS : 0) |
			  (m->stibp ? SPEC_CTRL_STIBP : 0));
}

static void set_for_good(const struct vuln_means *m)
{
	if (root_spec_ctrl(m) != 0) {
		x86_wrmsr(MSR_SPEC_CTRL, root_spec_ctrl(m));
	}
	if (m->auto_ibrs) {
		x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_AUTO_IBRS);
	}
}

static void set_guard(const struct cpu_state *c, struct percpu *p)
{
	p->exit_guard = c->means.rsb_at_exits;
	p->exit_spec = c->found.amd && c->means.ibrs_at_exits ? root_spec_ctrl(&c->means) : 0;
}

bool barrier_at_exits(void)
{
	return percpu_this()->exit_guard;
}

bool barrier_ibrs_at_exits(void)
{
	return cpus[cpu_id()].means.ibrs_at_exits;
}

static const char *ibrs(const struct vuln_means *m)
{
	if (m->ibrs_at_exits) {
		return "at exits";
	}
	return m->ibrs || m->auto_ibrs ? "on" : "no";
}

static void log_means(const struct vuln_means *m)
{
	log_printf(LOG_INFO, "cpu: against leaks: IBRS %s%s, STIBP %s; at a change of VM:%s%s%s%s",
		   ibrs(m), m->rsb_at_exits ? ", RSB filled" : "", m->stibp ? "on" : "no",
		   m->ibpb ? " IBPB" : "", m->l1d_flush ? " L1D flush" : "", m->verw ? " VERW" : "",
		   m->ibpb || m->l1d_flush || m->verw ? "" : " nothing");
}

void barrier_init_cpu(void)
{
	struct cpu_state *c = &cpus[cpu_id()];

	look(&c->found);
	c->means = vuln_means(&c->found);
	set_for_good(&c->means);
	set_guard(c, percpu_this());
	if (cpu_id() == 0) {
		log_means(&c->means);
	}
}

/* SDM Vol. 3A, "Microarchitectural Data Sampling": with a writable data segment's selector in memory. */
static void clear_buffers(void)
{
	uint16_t selector;

	__asm__ volatile("mov %%ss, %0" : "=r"(selector));
	__asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

void cpu_work_for(uint64_t owner)
{
	struct cpu_state *c = &cpus[cpu_id()];

	if (c->owner == owner) {
		return;
	}
	c->owner = owner;
	if (owner == 0) {
		return; /* the next VM pays */
	}
	if (c->means.ibpb) {
		x86_wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
		barrier_switch_rsb();
	}
	if (c->means.l1d_flush) {
		x86_wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
	}
	if (c->means.verw) {
		clear_buffers();
	}
}

unsigned int cpu_vulnerabilities(unsigned int cpu, struct cpu_vulnerability rows[])
{
	_Static_assert(VULN_COUNT <= CPU_VULNERABILITIES_MAX, "arch/cpu.h");
	vuln_assess(&cpus[cpu].found, rows);
	return VULN_COUNT;
}
