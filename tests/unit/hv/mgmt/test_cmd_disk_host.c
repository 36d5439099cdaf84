/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of `disk list` for the machine's disks: what is said of a disk stands beside any model's name. */
/* TEST_SOURCES: hv/mgmt/cmd_disk_host.c hv/mgmt/shell_out.c hv/mgmt/json.c hv/mgmt/utf8.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
#include "drivers/host/host_disk.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/disk_host.h"
#include "hv/mgmt/disk_table.h"

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LINE 79u /* what a terminal of 80 columns shows without a break */

static struct host_disk disk = { .name = "nvme0", .dev.size = 10 * GIB };
static struct partition_table table;
static const char *damage;
static char said[1024];

struct host_disk *host_disk_next(struct host_disk *d)
{
	return d == NULL ? &disk : NULL;
}

int disk_table_read(struct host_disk *d, struct partition_table *out, const char **why)
{
	assert_ptr_equal(d, &disk);
	*out = table;
	*why = damage;
	return damage != NULL ? -EINVAL : 0;
}

void disk_host_user(const struct host_disk *d, uint64_t off, uint64_t size, char *name,
		    size_t name_size)
{
	assert_ptr_equal(d, &disk);
	assert_true(off + size <= disk.dev.size);
	snprintf(name, name_size, "%s", off != 0 ? "a-long-name-of-a-vm" : "");
}

static void say(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(said, text, len);
}

/* The line of `disk list` that begins with that. */
static const char *row(const char *begin)
{
	static char line[256];
	struct shell_out out = { .write = say };
	const char *at;

	said[0] = '\0';
	cmd_disk_host_print(&out);
	for (at = said; strncmp(at, begin, strlen(begin)) != 0; at = strchr(at, '\n') + 1) {
		assert_non_null(strchr(at, '\n'));
	}
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

static int reset(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	damage = NULL;
	strcpy(disk.model, "QEMU NVMe Ctrl");
	return 0;
}

static void test_short_model_stands_whole(void **state)
{
	(void)state;
	assert_string_equal(row("nvme0"), "nvme0               10 GiB -               "
					  "QEMU NVMe Ctrl, no partitions");
}

static void test_long_model_leaves_room_for_what_is_there(void **state)
{
	static const char *const damages[] = { NULL, "no answer in 5 s", "still no answer",
					       "two partitions overlap" };

	(void)state;
	strcpy(disk.model, "A Maker's Solid State Drive 990 GX 2000G");
	assert_int_equal(strlen(disk.model), sizeof(disk.model) - 1);
	table.scheme = PARTITION_GPT;
	table.backup = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(damages); i++) {
		const char *what = damages[i] != NULL ? damages[i] : "GPT, its copy";
		const char *line, *end;

		damage = damages[i];
		line = row("nvme0");
		end = line + strlen(line) - strlen(what);
		assert_int_equal(strlen(line), LINE);
		assert_string_equal(end, what);
		assert_memory_equal(end - 2, ", ", 2);
		assert_non_null(strstr(line, "A Maker's So"));
	}
}

/* Rather more than a line than half of the truth. */
static void test_longest_status_is_whole(void **state)
{
	(void)state;
	damage = "logical partitions: one lies outside";
	assert_string_equal(row("nvme0"), "nvme0               10 GiB -               "
					  "logical partitions: one lies outside");
}

static void test_partitions_fit_a_line(void **state)
{
	static const char name[] = "thirty-six letters, which is the most";

	(void)state;
	table.scheme = PARTITION_GPT;
	table.count = 2;
	table.part[0] = (struct partition){ .number = 1, .off = MIB, .size = MIB };
	table.part[1] = (struct partition){ .number = 128, .off = 2 * MIB, .size = MIB };
	memcpy(table.part[1].name, name, PARTITION_NAME - 1);
	assert_string_equal(row("  partition 1 "), "  partition 1        1 MiB a-long-name-of- "
						   "00000000-0000-0000-0000-000000000000");
	assert_int_equal(strlen(row("  partition 128")), LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_short_model_stands_whole, reset),
		cmocka_unit_test_setup(test_long_model_leaves_room_for_what_is_there, reset),
		cmocka_unit_test_setup(test_longest_status_is_whole, reset),
		cmocka_unit_test_setup(test_partitions_fit_a_line, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
