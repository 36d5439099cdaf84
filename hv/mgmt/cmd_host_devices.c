/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `host devices`: what the hypervisor drives, and every PCI function of the machine. */
/* Drives nothing; who does is in the driver's column. */
#include "arch/clock.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/uart.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/cmd.h"

struct device_row {
	const char *name;
	char what[80];
};

static const char *const irq_names[] = {
	[HOST_PCI_NO_IRQ] = "-",   [HOST_PCI_INTX] = "INTx", [HOST_PCI_MSI] = "MSI",
	[HOST_PCI_MSIX] = "MSI-X", [HOST_PCI_ISA] = "ISA",
};

/* "Class Codes" of the PCI Code and ID Assignment Specification; the more exact ones first. */
static const struct {
	uint32_t class; /* without what mask leaves out */
	uint32_t mask;
	const char *name;
} classes[] = {
	{ 0x010100, 0xffff00, "IDE controller" },
	{ 0x010601, 0xffffff, "SATA controller, AHCI" },
	{ 0x010802, 0xffffff, "NVMe controller" },
	{ 0x010000, 0xff0000, "storage controller" },
	{ 0x020000, 0xffff00, "Ethernet controller" },
	{ 0x020000, 0xff0000, "network controller" },
	{ 0x030000, 0xff0000, "display controller" },
	{ 0x040000, 0xff0000, "multimedia device" },
	{ 0x050000, 0xff0000, "memory controller" },
	{ 0x060000, 0xffff00, "host bridge" },
	{ 0x060100, 0xffff00, "ISA bridge" },
	{ 0x060400, 0xffff00, "PCI bridge" },
	{ 0x060000, 0xff0000, "bridge" },
	{ 0x070000, 0xff0000, "communication controller" },
	{ 0x0c0300, 0xffff00, "USB controller" },
	{ 0x0c0500, 0xffff00, "SMBus controller" },
};

static const char *class_name(uint32_t class)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if ((class & classes[i].mask) == classes[i].class) {
			return classes[i].name;
		}
	}
	return "other device";
}

static void fill_rows(struct device_row rows[2])
{
	rows[0].name = "com1";
	fmt_snprintf(rows[0].what, sizeof(rows[0].what),
		     "16550 serial port, 115200 baud, %lu line errors", uart_errors());
	rows[1].name = "clock";
	fmt_snprintf(rows[1].what, sizeof(rows[1].what), "TSC at %lu kHz, measured against the %s",
		     clock_hz() / 1000, clock_reference());
}

static const char *address(char text[16], const struct host_pci_dev *d)
{
	fmt_snprintf(text, 16, "%02x:%02x.%x", d->bus, d->slot, d->function);
	return text;
}

static void pci_json(struct json *j, const struct host_pci_dev *d)
{
	char text[16];

	json_object(j, NULL);
	json_string(j, "name", address(text, d));
	json_string(j, "description", class_name(d->class));
	json_u64(j, "vendor", d->vendor);
	json_u64(j, "device", d->device);
	json_u64(j, "class", d->class);
	json_string(j, "driver", d->driver != NULL ? d->driver->name : NULL);
	json_string(j, "interrupt", d->irq != HOST_PCI_NO_IRQ ? irq_names[d->irq] : NULL);
	json_end(j);
}

static void print_json(struct shell_call *c, const struct device_row rows[2])
{
	struct json j;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		json_object(&j, NULL);
		json_string(&j, "name", rows[i].name);
		json_string(&j, "description", rows[i].what);
		json_end(&j);
	}
	for (const struct host_pci_dev *d = host_pci_next(NULL); d != NULL; d = host_pci_next(d)) {
		pci_json(&j, d);
	}
	json_finish(&j);
}

static void print_pci(struct shell_out *out)
{
	const struct host_pci_dev *d = host_pci_next(NULL);
	char text[16];

	if (d != NULL) {
		shell_out_printf(out, "\n%-8s %-9s %-6s %-24s %-10s %s\n", "PCI", "ID", "CLASS",
				 "WHAT", "DRIVER", "INTERRUPT");
	}
	for (; d != NULL; d = host_pci_next(d)) {
		shell_out_printf(out, "%-8s %04x:%04x %06x %-24s %-10s %s\n", address(text, d),
				 d->vendor, d->device, d->class, class_name(d->class),
				 d->driver != NULL ? d->driver->name : "-", irq_names[d->irq]);
	}
}

int cmd_host_devices(struct shell_call *c)
{
	struct device_row rows[2];

	fill_rows(rows);
	if (shell_json(c)) {
		print_json(c, rows);
		return 0;
	}
	for (unsigned int i = 0; i < 2; i++) {
		shell_out_printf(c->out, "%-8s %s\n", rows[i].name, rows[i].what);
	}
	print_pci(c->out);
	return 0;
}
