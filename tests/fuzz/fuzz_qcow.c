/* SPDX-License-Identifier: BSD-2-Clause */
/* A QCOW image, damaged anywhere: opened and used. No crash, no surprise. */
/* What right images do is the unit tests' business. */
/* FUZZ_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* FUZZ_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* FUZZ_SOURCES: drivers/block/fmt_raw.c drivers/block/tables.c drivers/block/tables_check.c drivers/block/fmt_qcow.c */
/* FUZZ_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* FUZZ_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* FUZZ_CFLAGS: -mllvm -asan-globals=0 */
/* FUZZ_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "tests/fuzz/fuzz_block.h"

static struct fake_file *make(void)
{
	static const struct image_create_params p = { .format = "qcow",
						      .size = 1 * MIB,
						      .cluster_size = 4096 };

	return fuzz_make(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_image(data, size, "qcow", make, NULL);
}
