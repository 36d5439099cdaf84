/* SPDX-License-Identifier: BSD-2-Clause */
/* TEST_SOURCES: arch/x86/cpu/vuln.c */
/* Speculative weaknesses and means, for CPUs as their makers describe them. */
#include <cmocka.h>

#include "arch/x86/cpu/vuln.h"
#include "hv/lib/types.h"

#include <string.h>

static const struct vuln_cpu haswell_old = {
	.intel = true, .smt = true, .family = 6, .leaf7_ebx = BIT(5) | BIT(11)
};
static const struct vuln_cpu haswell_new = { .intel = true,
					     .family = 6,
					     .leaf7_ebx = BIT(5) | BIT(11),
					     .leaf7_edx = BIT(10) | BIT(26) | BIT(27) | BIT(28) };
static const struct vuln_cpu immune = { .intel = true,
					.family = 6,
					.leaf7_ebx = BIT(5),
					.leaf7_edx = BIT(10) | BIT(26) | BIT(28) | BIT(29),
					.arch_caps = BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) |
						     BIT(8) | BIT(13) | BIT(14) | BIT(15) |
						     BIT(24) | BIT(26) | BIT(27) };
static const struct vuln_cpu zen2 = {
	.amd = true, .smt = true, .family = 0x17, .amd8_ebx = BIT(12) | BIT(15)
};
static const struct vuln_cpu zen5 = { .amd = true,
				      .family = 0x1a,
				      .amd8_ebx = BIT(12) | BIT(26) | BIT(29),
				      .amd21_eax = BIT(8) | BIT(29) };

static const char *status(const struct vuln_cpu *c, const char *name)
{
	static struct cpu_vulnerability rows[VULN_COUNT];

	vuln_assess(c, rows);
	for (unsigned int i = 0; i < VULN_COUNT; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			return rows[i].status;
		}
	}
	fail_msg("no row %s", name);
	return "";
}

static bool begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

static void test_old_microcode_has_no_means(void **state)
{
	struct vuln_means m = vuln_means(&haswell_old);
	static const char *const names[] = { "l1tf",
					     "mds",
					     "tsx_async_abort",
					     "mmio_stale_data",
					     "spectre_v2",
					     "gather_data_sampling" };

	(void)state;
	assert_false(m.ibrs || m.auto_ibrs || m.stibp || m.ibpb || m.l1d_flush || m.verw);
	assert_false(m.ibrs_at_exits || m.rsb_at_exits);
	assert_string_equal(status(&haswell_old, "spectre_v2"), "Vulnerable: no IBRS, no IBPB");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(begins(status(&haswell_old, names[i]), "Vulnerable"));
	}
	assert_true(begins(status(&haswell_old, "meltdown"), "Mitigation"));
}

static void test_new_microcode_is_used_at_a_change_of_vm(void **state)
{
	struct vuln_means m = vuln_means(&haswell_new);

	(void)state;
	assert_true(m.ibpb && m.l1d_flush && m.verw);
	assert_false(m.ibrs || m.stibp);
	assert_true(m.ibrs_at_exits && m.rsb_at_exits);
	assert_string_equal(status(&haswell_new, "l1tf"),
			    "Mitigation: L1D flush at a change of VM");
	assert_string_equal(status(&haswell_new, "mds"),
			    "Mitigation: clear CPU buffers at a change of VM");
	assert_string_equal(status(&haswell_new, "spectre_v2"),
			    "Mitigation: IBRS, RSB filled at exits; IBPB at a change of VM");
	assert_string_equal(status(&haswell_new, "retbleed"), "Mitigation: IBRS at exits");
}

static void test_threads_of_one_core_are_named(void **state)
{
	struct vuln_cpu c = haswell_new;

	(void)state;
	c.smt = true;
	assert_true(vuln_means(&c).stibp);
	assert_string_equal(status(&c, "mds"),
			    "Mitigation: clear CPU buffers at a change of VM; SMT vulnerable");
	assert_string_equal(status(&c, "l1tf"),
			    "Mitigation: L1D flush at a change of VM; SMT vulnerable");
}

static void test_an_immune_cpu_pays_for_nothing_but_ibpb(void **state)
{
	struct vuln_means m = vuln_means(&immune);
	struct cpu_vulnerability rows[VULN_COUNT];
	unsigned int affected = 0;

	(void)state;
	assert_true(m.ibrs && m.ibpb);
	assert_false(m.l1d_flush || m.verw || m.stibp || m.ibrs_at_exits || m.rsb_at_exits);
	vuln_assess(&immune, rows);
	for (unsigned int i = 0; i < VULN_COUNT; i++) {
		affected += strcmp(rows[i].status, "Not affected") != 0;
	}
	assert_int_equal(affected, 2); /* spectre_v1, spectre_v2 */
}

static void test_enhanced_ibrs_leaves_an_entry_of_the_rsb(void **state)
{
	struct vuln_cpu c = immune;
	struct vuln_means m;

	(void)state;
	c.arch_caps &= ~BIT(24);
	m = vuln_means(&c);
	assert_true(m.ibrs && m.rsb_at_exits);
	assert_false(m.ibrs_at_exits);
}

static void test_ibrs_of_amd(void **state)
{
	struct vuln_cpu c = zen2;

	(void)state;
	assert_false(vuln_means(&c).ibrs_at_exits || vuln_means(&c).rsb_at_exits);
	assert_true(begins(status(&c, "spectre_v2"), "Vulnerable: guest to hypervisor"));
	c.amd8_ebx |= BIT(14);
	assert_true(vuln_means(&c).ibrs_at_exits && vuln_means(&c).rsb_at_exits);
	assert_true(begins(status(&c, "spectre_v2"), "Mitigation: IBRS, RSB filled at exits"));
	assert_true(begins(status(&c, "retbleed"), "Vulnerable"));
	c.amd21_eax |= BIT(8);
	assert_false(vuln_means(&c).ibrs_at_exits || vuln_means(&c).rsb_at_exits);
}

static void test_below_another_hypervisor_l1d_is_its_business(void **state)
{
	struct vuln_cpu c = haswell_new;

	(void)state;
	c.arch_caps = BIT(3);
	assert_false(vuln_means(&c).l1d_flush);
	assert_true(begins(status(&c, "l1tf"), "Mitigation: left"));
}

static void test_amd(void **state)
{
	struct vuln_means old = vuln_means(&zen2), recent = vuln_means(&zen5);

	(void)state;
	assert_true(old.ibpb && old.stibp && !old.auto_ibrs && !old.verw && !old.l1d_flush);
	assert_true(begins(status(&zen2, "retbleed"), "Vulnerable"));
	assert_true(begins(status(&zen2, "spec_rstack_overflow"), "Vulnerable"));
	assert_string_equal(status(&zen2, "mds"), "Not affected");
	assert_true(recent.ibpb && recent.auto_ibrs);
	assert_string_equal(status(&zen5, "retbleed"), "Not affected");
	assert_string_equal(status(&zen5, "spec_rstack_overflow"), "Not affected");
	assert_string_equal(status(&zen5, "spec_store_bypass"), "Not affected");
	assert_true(begins(status(&zen2, "spec_store_bypass"), "Vulnerable"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_old_microcode_has_no_means),
		cmocka_unit_test(test_new_microcode_is_used_at_a_change_of_vm),
		cmocka_unit_test(test_threads_of_one_core_are_named),
		cmocka_unit_test(test_an_immune_cpu_pays_for_nothing_but_ibpb),
		cmocka_unit_test(test_enhanced_ibrs_leaves_an_entry_of_the_rsb),
		cmocka_unit_test(test_ibrs_of_amd),
		cmocka_unit_test(test_below_another_hypervisor_l1d_is_its_business),
		cmocka_unit_test(test_amd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
