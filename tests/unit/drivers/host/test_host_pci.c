/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the host's PCI against configuration spaces made here: enumeration, BARs, interrupts. */
/* Knows no real device. */
/* TEST_SOURCES: drivers/host/host_pci.c drivers/host/host_pci_resource.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c hv/lib/errno.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "arch/irq.h"
#include "arch/paging.h"
#include "arch/pio.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/host_pci_regs.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FUNCTIONS_MAX 8u

static struct function {
	uint32_t address; /* as in the address register, without the enable bit */
	uint8_t space[PCI_SPACE];
	uint32_t fixed[PCI_BARS]; /* bits of each BAR that writes do not change */
} functions[FUNCTIONS_MAX];
static unsigned int function_count;
static uint32_t selected;
static unsigned int decoding_while_sized;

static uint32_t registers[64]; /* behind every memory BAR */
static uint64_t mapped;
static unsigned int logged;
static int message_result, line_result;
static unsigned int line_connected;

/* ---- the machine ---- */

static struct function *answers(void)
{
	for (unsigned int i = 0; i < function_count; i++) {
		if (selected >> 31 != 0 && functions[i].address == (selected & 0x7fffff00)) {
			return &functions[i];
		}
	}
	return NULL;
}

static uint32_t config_in(uint16_t port, unsigned int size)
{
	struct function *f = answers();
	uint32_t val = UINT32_MAX;

	if (f != NULL) {
		memcpy(&val, &f->space[(selected & 0xfc) + (port & 3u)], size);
	}
	return val;
}

uint8_t pio_in8(uint16_t port)
{
	return (uint8_t)config_in(port, 1);
}

uint16_t pio_in16(uint16_t port)
{
	return (uint16_t)config_in(port, 2);
}

uint32_t pio_in32(uint16_t port)
{
	return config_in(port, 4);
}

static void config_out(uint16_t port, unsigned int size, uint32_t val)
{
	struct function *f = answers();
	unsigned int off = (selected & 0xfc) + (port & 3u);
	uint32_t old;

	if (f == NULL || off < PCI_COMMAND) {
		return;
	}
	if (off >= PCI_BAR && off < PCI_BAR + 4 * PCI_BARS) {
		uint32_t fixed = f->fixed[(off - PCI_BAR) / 4];

		memcpy(&old, &f->space[off], 4);
		val = (val & ~fixed) | (old & fixed);
		decoding_while_sized += (f->space[PCI_COMMAND] & 3) != 0;
	}
	memcpy(&f->space[off], &val, size);
}

void pio_out8(uint16_t port, uint8_t val)
{
	config_out(port, 1, val);
}

void pio_out16(uint16_t port, uint16_t val)
{
	config_out(port, 2, val);
}

void pio_out32(uint16_t port, uint32_t val)
{
	if (port == 0xcf8) {
		selected = val;
	} else {
		config_out(port, 4, val);
	}
}

volatile void *paging_map_device(hpa_t hpa, uint64_t size)
{
	mapped = hpa.v;
	return size <= sizeof(registers) ? registers : NULL;
}

int irq_connect_message(void (*fn)(void *arg), void *arg, struct irq_message *out)
{
	(void)fn;
	(void)arg;
	*out = (struct irq_message){ 0xfee01000, 0x31 };
	return message_result;
}

int irq_connect_pci(unsigned int line, void (*fn)(void *arg), void *arg)
{
	(void)fn;
	(void)arg;
	line_connected = line;
	return line_result;
}

int thread_create(struct thread **out, const struct thread_params *p)
{
	static struct thread prober;

	assert_int_equal(p->cpus, 1);
	*out = &prober;
	p->body(p->arg);
	return 0;
}

void thread_join(struct thread *t)
{
	assert_non_null(t);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	assert_int_equal(level, LOG_HOST);
	logged++;
}

/* ---- a driver ---- */

static int probe_result;
static char probed[64];

static bool match(const struct host_pci_dev *d)
{
	return d->vendor == 0x1111;
}

static int probe(struct host_pci_dev *d)
{
	char *end = probed + strlen(probed);

	end[0] = (char)('a' + d->bus);
	end[1] = (char)('0' + d->function);
	return probe_result;
}

static const struct host_pci_driver driver = { "driver", match, probe };
HOST_PCI_REGISTER(driver);

/* ---- the tests ---- */

static struct function *add(unsigned int bus, unsigned int slot, unsigned int fn, uint16_t vendor)
{
	struct function *f = &functions[function_count++];

	memset(f, 0, sizeof(*f));
	f->address = bus << 16 | slot << 11 | fn << 8;
	memcpy(f->space, &vendor, 2);
	return f;
}

static void put(struct function *f, unsigned int off, unsigned int size, uint32_t val)
{
	memcpy(&f->space[off], &val, size);
}

static uint32_t get(const struct function *f, unsigned int off, unsigned int size)
{
	uint32_t val = 0;

	memcpy(&val, &f->space[off], size);
	return val;
}

static int setup(void **state)
{
	(void)state;
	function_count = 0;
	memset(registers, 0xff, sizeof(registers));
	memset(probed, 0, sizeof(probed));
	probe_result = message_result = line_result = 0;
	decoding_while_sized = logged = line_connected = 0;
	mapped = 0;
	return 0;
}

static struct host_pci_dev at(const struct function *f)
{
	return (struct host_pci_dev){ .bus = (uint8_t)(f->address >> 16),
				      .slot = (uint8_t)(f->address >> 11 & 31),
				      .function = (uint8_t)(f->address >> 8 & 7) };
}

/* Once in this program: the list is made once. */
static void test_enumeration(void **state)
{
	struct function *bridge, *many;
	const struct host_pci_dev *d = NULL;
	unsigned int count = 0;

	(void)state;
	many = add(0, 2, 0, 0x1111);
	put(many, PCI_HEADER, 1, PCI_HEADER_MANY);
	put(many, PCI_REVISION, 4, 0x01018007);
	put(many, PCI_LINE, 2, 0x020b);
	add(0, 2, 3, 0x1111);
	add(0, 3, 1, 0x2222); /* no function 0: not there */
	bridge = add(0, 4, 0, 0x2222);
	put(bridge, PCI_HEADER, 1, PCI_HEADER_BRIDGE);
	put(bridge, PCI_SECONDARY, 1, 5);
	bridge = add(5, 0, 0, 0x2222); /* leads back to the first bus */
	put(bridge, PCI_HEADER, 1, PCI_HEADER_BRIDGE);
	put(bridge, PCI_SECONDARY, 1, 0);
	add(5, 1, 0, 0x1111);
	probe_result = -EIO;
	host_pci_start();
	host_pci_wait();
	host_pci_wait();
	assert_string_equal(probed, "a0a3f0");
	assert_int_equal(logged, 3);
	while ((d = host_pci_next(d)) != NULL) {
		assert_null(d->driver);
		count++;
	}
	assert_int_equal(count, 5);
	d = host_pci_next(NULL);
	assert_int_equal(d->class, 0x010180);
	assert_int_equal(d->line, 11);
	assert_int_equal(d->pin, 2);
	assert_int_equal(d->header, PCI_HEADER_PLAIN);
}

static void set_bar(struct function *f, unsigned int i, uint32_t val, uint32_t fixed)
{
	put(f, PCI_BAR + 4 * i, 4, val);
	f->fixed[i] = fixed;
}

static void assert_bar(const struct function *f, unsigned int i, bool io, uint64_t base,
		       uint64_t size)
{
	struct host_pci_dev d = at(f);
	struct host_pci_bar b;
	struct function before = *f;

	assert_int_equal(host_pci_bar(&d, i, &b), 0);
	assert_int_equal(b.io, io);
	assert_int_equal(b.base, base);
	assert_int_equal(b.size, size);
	assert_memory_equal(&before, f, sizeof(before)); /* as it was */
	assert_int_equal(decoding_while_sized, 0);
}

static void test_bars(void **state)
{
	struct function *f = add(0, 1, 0, 0x1111);
	struct host_pci_dev d = at(f);
	struct host_pci_bar b;

	(void)state;
	put(f, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	set_bar(f, 0, 0xc001, 0x1f);
	set_bar(f, 1, 0xfebc0000, 0x1ffff);
	set_bar(f, 2, 0x0000000c, 0x3fff);
	set_bar(f, 3, 0x00000010, 0);
	set_bar(f, 4, 0x0000d001, 0xffff000f); /* 16 bits only */
	set_bar(f, 5, 0xe0000004, 0xfff);      /* 64 bits, but it is the last */
	assert_bar(f, 0, true, 0xc000, 32);
	assert_bar(f, 1, false, 0xfebc0000, 0x20000);
	assert_bar(f, 2, false, 0x1000000000, 0x4000);
	assert_bar(f, 4, true, 0xd000, 16);
	assert_int_equal(host_pci_bar(&d, 5, &b), -ENODEV);
	assert_int_equal(host_pci_bar(&d, 6, &b), -ENODEV);
	assert_null(host_pci_bar_map(&d, 0, 4)); /* ports */
	assert_null(host_pci_bar_map(&d, 1, 0x20001));
	assert_ptr_equal(host_pci_bar_map(&d, 2, 64), registers);
	assert_int_equal(mapped, 0x1000000000);
	set_bar(f, 1, 0, UINT32_MAX); /* none */
	assert_int_equal(host_pci_bar(&d, 1, &b), -ENODEV);
	set_bar(f, 1, 0, 0xfff); /* no place given */
	assert_int_equal(host_pci_bar(&d, 1, &b), -ENODEV);
	d.header = PCI_HEADER_BRIDGE;
	assert_int_equal(host_pci_bar(&d, 0, &b), -ENODEV);
}

static void put_cap(struct function *f, unsigned int off, uint8_t id, unsigned int next)
{
	put(f, PCI_STATUS, 2, PCI_STATUS_CAPS);
	put(f, off, 2, id | next << 8);
}

static void test_capabilities(void **state)
{
	struct function *f = add(0, 1, 0, 0x1111);
	struct host_pci_dev d = at(f);

	(void)state;
	put(f, PCI_CAPS, 1, 0x43); /* the lowest bits are reserved */
	put_cap(f, 0x40, 0x01, 0xf0);
	put_cap(f, 0xf0, PCI_CAP_MSI, 0x40);
	assert_int_equal(host_pci_capability(&d, PCI_CAP_MSI), 0xf0);
	assert_int_equal(host_pci_capability(&d, PCI_CAP_MSIX), 0); /* and it ends */
	put_cap(f, 0xf0, 0x01, 0x40); /* a second one, and back to the first */
	assert_int_equal(host_pci_capability_after(&d, 0x01, 0), 0x40);
	assert_int_equal(host_pci_capability_after(&d, 0x01, 0x40), 0xf0);
	assert_int_equal(host_pci_capability_after(&d, 0x01, 0xf0), 0);
	put_cap(f, 0xf0, 0x01, 0);
	assert_int_equal(host_pci_capability_after(&d, 0x01, 0xf0), 0);
	put_cap(f, 0x40, 0x01, 0x10); /* into the header */
	assert_int_equal(host_pci_capability(&d, PCI_CAP_MSI), 0);
	put(f, PCI_STATUS, 2, 0);
	assert_int_equal(host_pci_capability(&d, 0x01), 0);
}

static void on_irq(void *arg)
{
	(void)arg;
}

static void test_msix(void **state)
{
	struct function *f = add(0, 1, 0, 0x1111);
	struct host_pci_dev d = at(f);

	(void)state;
	set_bar(f, 1, 0xfebc0000, 0xfff);
	put(f, PCI_CAPS, 1, 0x40);
	put_cap(f, 0x40, PCI_CAP_MSIX, 0);
	put(f, 0x44, 4, 0x20 | 1);
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), 0);
	assert_int_equal(d.irq, HOST_PCI_MSIX);
	assert_int_equal(registers[8], 0xfee01000);
	assert_int_equal(registers[9], 0);
	assert_int_equal(registers[10], 0x31);
	assert_int_equal(registers[11], 0);
	assert_int_equal(get(f, 0x42, 2), PCI_MSIX_ENABLE);
	assert_int_equal(get(f, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_NO_PIN);
}

static void test_msi(void **state)
{
	struct function *f = add(0, 1, 0, 0x1111);
	struct host_pci_dev d = at(f);

	(void)state;
	put(f, PCI_CAPS, 1, 0x60);
	put_cap(f, 0x60, PCI_CAP_MSIX, 0x40); /* its table is nowhere */
	put_cap(f, 0x40, PCI_CAP_MSI, 0);
	put(f, 0x42, 2, PCI_MSI_64BIT | PCI_MSI_MULTIPLE);
	put(f, 0x48, 4, 0x55);
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), 0);
	assert_int_equal(d.irq, HOST_PCI_MSI);
	assert_int_equal(get(f, 0x44, 4), 0xfee01000);
	assert_int_equal(get(f, 0x48, 4), 0);
	assert_int_equal(get(f, 0x4c, 2), 0x31);
	assert_int_equal(get(f, 0x42, 2), PCI_MSI_64BIT | PCI_MSI_ENABLE);
	put(f, 0x42, 2, 0);
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), 0);
	assert_int_equal(get(f, 0x48, 2), 0x31); /* 32 bits: the data comes earlier */
}

static void test_pin(void **state)
{
	struct function *f = add(0, 1, 0, 0x1111);
	struct host_pci_dev d = at(f);

	(void)state;
	put(f, PCI_COMMAND, 2, PCI_COMMAND_NO_PIN);
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), -ENODEV);
	put(f, PCI_CAPS, 1, 0x40);
	put_cap(f, 0x40, PCI_CAP_MSI, 0);
	message_result = -EBUSY; /* no vector is left */
	d.pin = 1;
	d.line = 11;
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), 0);
	assert_int_equal(line_connected, 11);
	assert_int_equal(d.irq, HOST_PCI_INTX);
	assert_int_equal(get(f, PCI_COMMAND, 2), 0);
	line_result = -ENODEV;
	assert_int_equal(host_pci_irq_request(&d, on_irq, NULL), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_enumeration, setup),
		cmocka_unit_test_setup(test_bars, setup),
		cmocka_unit_test_setup(test_capabilities, setup),
		cmocka_unit_test_setup(test_msix, setup),
		cmocka_unit_test_setup(test_msi, setup),
		cmocka_unit_test_setup(test_pin, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
