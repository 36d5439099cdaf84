/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM of the unit tests: 1 MiB from gpa 0 on. */
/* Has no holes. */
#include "fakes/fake_guest_mem.h"

#include "hv/lib/errno.h"
#include <stdlib.h>
#include <string.h>

uint8_t fake_ram[FAKE_RAM] ALIGNED(4096);
unsigned int fake_mem_windows;

void *guest_mem_slice(struct vm *vm, gpa_t gpa, size_t len)
{
	(void)vm;
	return range_within(gpa.v, len, FAKE_RAM) ? &fake_ram[gpa.v] : NULL;
}

int guest_mem_read(struct vm *vm, gpa_t gpa, void *buf, size_t len)
{
	void *p = guest_mem_slice(vm, gpa, len);

	if (p == NULL) {
		return -EFAULT;
	}
	memcpy(buf, p, len);
	return 0;
}

int guest_mem_write(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	void *p = guest_mem_slice(vm, gpa, len);

	if (p == NULL) {
		return -EFAULT;
	}
	memcpy(p, buf, len);
	return 0;
}

gpa_t guest_mem_gpa(const void *slice)
{
	return (gpa_t){ (uint64_t)((const uint8_t *)slice - fake_ram) };
}

void guest_mem_window_open(struct guest_mem_window *w, struct vm *vm)
{
	*w = (struct guest_mem_window){ .vm = vm, .at = fake_ram };
	fake_mem_windows++;
}

void guest_mem_window_write(struct guest_mem_window *w, gpa_t gpa, const void *buf, size_t len)
{
	if (!range_within(gpa.v, len, FAKE_RAM)) {
		abort();
	}
	memcpy(w->at + gpa.v, buf, len);
}

void guest_mem_window_close(struct guest_mem_window *w)
{
	w->at = NULL;
	fake_mem_windows--;
}

void fake_guest_mem_reset(void)
{
	memset(fake_ram, 0, sizeof(fake_ram));
}

uint64_t fake_guest_mem_get64(uint64_t gpa)
{
	uint64_t val;

	memcpy(&val, &fake_ram[gpa], sizeof(val));
	return val;
}

void fake_guest_mem_put64(uint64_t gpa, uint64_t val)
{
	memcpy(&fake_ram[gpa], &val, sizeof(val));
}

void fake_guest_mem_put32(uint64_t gpa, uint32_t val)
{
	memcpy(&fake_ram[gpa], &val, sizeof(val));
}
