/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of speculative weaknesses: who has them, what this hypervisor does about each. */
/* Touches no register. */
#include "arch/x86/cpu/vuln.h"

#define NOT_AFFECTED "Not affected"

/* SDM Vol. 2A, "CPUID", leaf 07H, EDX and EBX */
#define MD_CLEAR  BIT(10)
#define IBRS_IBPB BIT(26)
#define STIBP	  BIT(27)
#define L1D_FLUSH BIT(28)
#define SSBD	  BIT(31)
#define RTM	  BIT(11)
#define AVX2	  BIT(5)

/* SDM Vol. 4, "IA32_ARCH_CAPABILITIES" */
#define RDCL_NO		   BIT(0)
#define IBRS_ALL	   BIT(1)
#define SKIP_L1DFL_VMENTRY BIT(3)
#define SSB_NO		   BIT(4)
#define MDS_NO		   BIT(5)
#define IF_PSCHANGE_MC_NO  BIT(6)
#define TAA_NO		   BIT(8)
#define STALE_DATA_NO	   (BIT(13) | BIT(14) | BIT(15)) /* SBDR_SSDP_NO, FBSDP_NO, PSDP_NO */
#define FB_CLEAR	   BIT(17)
#define PBRSB_NO	   BIT(24)
#define GDS_CTRL	   BIT(25)
#define GDS_NO		   BIT(26)
#define RFDS_NO		   BIT(27)
#define RFDS_CLEAR	   BIT(28)

/* APM Vol. 3, "CPUID Fn8000_0008_EBX" and "CPUID Fn8000_0021_EAX" */
#define AMD_IBPB      BIT(12)
#define AMD_IBRS      BIT(14)
#define AMD_STIBP     BIT(15)
#define AMD_SSB_NO    BIT(26)
#define AMD_BTC_NO    BIT(29)
#define AMD_AUTO_IBRS BIT(8)
#define AMD_SRSO_NO   BIT(29)

static bool intel_without(const struct vuln_cpu *c, uint64_t immune)
{
	return c->intel && (c->arch_caps & immune) != immune;
}

static bool has_l1tf(const struct vuln_cpu *c)
{
	return intel_without(c, RDCL_NO);
}

static bool has_mds(const struct vuln_cpu *c)
{
	return intel_without(c, MDS_NO);
}

static bool has_taa(const struct vuln_cpu *c)
{
	return intel_without(c, TAA_NO) && (c->leaf7_ebx & RTM) != 0;
}

static bool has_stale_data(const struct vuln_cpu *c)
{
	return intel_without(c, STALE_DATA_NO);
}

/* Only CPUs whose microcode knows of it can tell: the others are not listed as affected. */
static bool has_rfds(const struct vuln_cpu *c)
{
	return intel_without(c, RFDS_NO) && (c->arch_caps & RFDS_CLEAR) != 0;
}

/* Does VERW overwrite the buffers? */
static bool verw_clears(const struct vuln_cpu *c)
{
	return (c->leaf7_edx & MD_CLEAR) != 0 || (c->arch_caps & (FB_CLEAR | RFDS_CLEAR)) != 0;
}

static bool has_ibrs(const struct vuln_cpu *c)
{
	return (c->intel && (c->leaf7_edx & IBRS_IBPB) != 0) ||
	       (c->amd && (c->amd8_ebx & AMD_IBRS) != 0);
}

struct vuln_means vuln_means(const struct vuln_cpu *c)
{
	bool ibrs = c->intel && (c->arch_caps & IBRS_ALL) != 0;
	bool auto_ibrs = c->amd && (c->amd21_eax & AMD_AUTO_IBRS) != 0;
	bool at_exits = !ibrs && !auto_ibrs && has_ibrs(c);
	bool leaks = has_mds(c) || has_taa(c) || has_stale_data(c) || has_rfds(c);

	return (struct vuln_means){
		.ibrs = ibrs,
		.auto_ibrs = auto_ibrs,
		.ibrs_at_exits = at_exits,
		/* Enhanced IBRS keeps guests' entries out, but for the last: PBRSB. */
		.rsb_at_exits = at_exits || (ibrs && (c->arch_caps & PBRSB_NO) == 0),
		.stibp = c->smt && ((c->intel && !ibrs && (c->leaf7_edx & STIBP) != 0) ||
				    (c->amd && (c->amd8_ebx & AMD_STIBP) != 0)),
		.ibpb = (c->intel && (c->leaf7_edx & IBRS_IBPB) != 0) ||
			(c->amd && (c->amd8_ebx & AMD_IBPB) != 0),
		.l1d_flush = has_l1tf(c) && (c->leaf7_edx & L1D_FLUSH) != 0 &&
			     (c->arch_caps & SKIP_L1DFL_VMENTRY) == 0,
		.verw = leaks && verw_clears(c),
	};
}

/* What VERW at each change of VM does for those that leave data in buffers. */
static const char *by_verw(const struct vuln_cpu *c, bool affected)
{
	if (!affected) {
		return NOT_AFFECTED;
	}
	if (!vuln_means(c).verw) {
		return "Vulnerable: no microcode";
	}
	return c->smt ? "Mitigation: clear CPU buffers at a change of VM; SMT vulnerable"
		      : "Mitigation: clear CPU buffers at a change of VM";
}

static const char *gather_data_sampling(const struct vuln_cpu *c)
{
	if (!intel_without(c, GDS_NO) || (c->leaf7_ebx & AVX2) == 0) {
		return NOT_AFFECTED;
	}
	return c->arch_caps & GDS_CTRL ? "Mitigation: microcode" : "Vulnerable: no microcode";
}

/* A guest that takes large pages apart while they are fetched from: our pages do not change. */
static const char *itlb_multihit(const struct vuln_cpu *c)
{
	return intel_without(c, IF_PSCHANGE_MC_NO) ? "Vulnerable: guests execute from large pages"
						   : NOT_AFFECTED;
}

static const char *l1tf(const struct vuln_cpu *c)
{
	if (!has_l1tf(c)) {
		return NOT_AFFECTED;
	}
	if ((c->arch_caps & SKIP_L1DFL_VMENTRY) != 0) {
		return "Mitigation: left to the hypervisor below";
	}
	if (!vuln_means(c).l1d_flush) {
		return "Vulnerable: no microcode";
	}
	return c->smt ? "Mitigation: L1D flush at a change of VM; SMT vulnerable"
		      : "Mitigation: L1D flush at a change of VM";
}

static const char *mds(const struct vuln_cpu *c)
{
	return by_verw(c, has_mds(c));
}

static const char *meltdown(const struct vuln_cpu *c)
{
	return intel_without(c, RDCL_NO) ? "Mitigation: guests have page tables of their own"
					 : NOT_AFFECTED;
}

static const char *mmio_stale_data(const struct vuln_cpu *c)
{
	return by_verw(c, has_stale_data(c));
}

static const char *reg_file_data_sampling(const struct vuln_cpu *c)
{
	return by_verw(c, has_rfds(c));
}

static const char *retbleed(const struct vuln_cpu *c)
{
	bool zen = c->amd && c->family <= 0x17 && (c->amd8_ebx & AMD_BTC_NO) == 0;

	if (!zen && !(c->intel && !vuln_means(c).ibrs)) {
		return NOT_AFFECTED;
	}
	/* AMD's trains returns where IBRS does not look. */
	return c->intel && vuln_means(c).ibrs_at_exits
		       ? "Mitigation: IBRS at exits"
		       : "Vulnerable: returns in the hypervisor are not protected";
}

static const char *spec_store_bypass(const struct vuln_cpu *c)
{
	if ((c->arch_caps & SSB_NO) != 0 || (c->amd8_ebx & AMD_SSB_NO) != 0) {
		return NOT_AFFECTED;
	}
	return c->intel && (c->leaf7_edx & SSBD) != 0
		       ? "Mitigation: guests may switch it off (SSBD)"
		       : "Vulnerable: guests are not offered SSBD";
}

static const char *spectre_v1(const struct vuln_cpu *c)
{
	(void)c;
	return "Mitigation: other VMs' memory is not mapped; indexes are not masked";
}

static const char *spectre_v2(const struct vuln_cpu *c)
{
	struct vuln_means m = vuln_means(c);

	if (m.ibrs || m.auto_ibrs) {
		return m.ibpb ? "Mitigation: enhanced IBRS; IBPB at a change of VM"
			      : "Mitigation: enhanced IBRS; no IBPB";
	}
	if (m.ibrs_at_exits) {
		return m.ibpb ? "Mitigation: IBRS, RSB filled at exits; IBPB at a change of VM"
			      : "Mitigation: IBRS, RSB filled at exits; no IBPB";
	}
	return m.ibpb ? "Vulnerable: guest to hypervisor; IBPB at a change of VM"
		      : "Vulnerable: no IBRS, no IBPB";
}

static const char *spec_rstack_overflow(const struct vuln_cpu *c)
{
	bool zen = c->amd && (c->family == 0x17 || c->family == 0x19);

	if (!zen || (c->amd21_eax & AMD_SRSO_NO) != 0) {
		return NOT_AFFECTED;
	}
	return vuln_means(c).ibpb ? "Vulnerable: guest to hypervisor; IBPB at a change of VM"
				  : "Vulnerable: no microcode";
}

static const char *tsx_async_abort(const struct vuln_cpu *c)
{
	return by_verw(c, has_taa(c));
}

static const struct {
	const char *name;
	const char *(*status)(const struct vuln_cpu *c);
} table[] = {
	{ "gather_data_sampling", gather_data_sampling },
	{ "itlb_multihit", itlb_multihit },
	{ "l1tf", l1tf },
	{ "mds", mds },
	{ "meltdown", meltdown },
	{ "mmio_stale_data", mmio_stale_data },
	{ "reg_file_data_sampling", reg_file_data_sampling },
	{ "retbleed", retbleed },
	{ "spec_rstack_overflow", spec_rstack_overflow },
	{ "spec_store_bypass", spec_store_bypass },
	{ "spectre_v1", spectre_v1 },
	{ "spectre_v2", spectre_v2 },
	{ "tsx_async_abort", tsx_async_abort },
};
_Static_assert(ARRAY_SIZE(table) == VULN_COUNT, "vuln_assess");

void vuln_assess(const struct vuln_cpu *c, struct cpu_vulnerability rows[VULN_COUNT])
{
	for (unsigned int i = 0; i < VULN_COUNT; i++) {
		rows[i].name = table[i].name;
		rows[i].status = table[i].status(c);
	}
}
