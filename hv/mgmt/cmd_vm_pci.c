/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how `vm info` shows a VM's PCI functions: their BARs and interrupt vectors. */
/* Changes nothing; a function is copied under the devices' lock, then printed without. */
#include "drivers/emul/vpci_msi.h"
#include "drivers/emul/vpci_msix.h"
#include "hv/lib/bytes.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/cmd.h"
#include "hv/vm.h"

struct snapshot {
	unsigned int devfn;
	uint16_t vendor, device;
	const char *name;
	struct {
		uint64_t size, base; /* base 0: not mapped */
		bool io;
	} bar[VPCI_BARS];
	unsigned int pin;     /* 0: none */
	unsigned int vectors; /* of MSI or MSI-X; no function has both */
	const char *kind;
	bool msi, msix; /* enabled */
	uint64_t sent[VPCI_MSIX_MAX];
};
_Static_assert(VPCI_MSI_MAX <= VPCI_MSIX_MAX, "room in sent");

static void copy_interrupts(struct snapshot *s, const struct vpci_function *f)
{
	s->pin = f->config[VPCI_INT_PIN];
	s->vectors = f->msix ? f->msix->count : f->msi ? f->msi->count : 0;
	s->msix = f->msix && vpci_msix_is_enabled(f->msix);
	s->msi = f->msi && vpci_msi_is_enabled(f->msi);
	s->kind = f->msix ? "MSI-X" : "MSI";
	for (unsigned int i = 0; i < s->vectors; i++) {
		s->sent[i] = f->msix ? f->msix->sent[i] : f->msi->sent[i];
	}
}

/* The first function from devfn on; false if there is none. */
static bool take(struct vm *vm, unsigned int devfn, struct snapshot *s)
{
	const struct vpci_function *f;

	spin_lock(&vm->dev_lock);
	f = vm_is_up(vm) ? vpci_next(vm, devfn) : NULL;
	if (f) {
		s->devfn = f->devfn;
		s->vendor = bytes_get_le16(&f->config[0]);
		s->device = bytes_get_le16(&f->config[2]);
		s->name = f->name;
		for (unsigned int i = 0; i < VPCI_BARS; i++) {
			s->bar[i].size = f->bar[i].size;
			s->bar[i].base = f->bar[i].mapped ? f->bar[i].base : 0;
			s->bar[i].io = f->bar[i].io;
		}
		copy_interrupts(s, f);
	}
	spin_unlock(&vm->dev_lock);
	return f != NULL;
}

static void print_bars(struct shell_out *out, const struct snapshot *s)
{
	for (unsigned int i = 0; i < VPCI_BARS; i++) {
		char size[16];

		if (s->bar[i].size == 0) {
			continue;
		}
		shell_out_printf(out, "           BAR %u  %-6s  ", i,
				 s->bar[i].io ? "ports" : "memory");
		if (s->bar[i].base == 0) {
			shell_out_puts(out, "not mapped");
		} else {
			shell_out_printf(out, "0x%08lx", s->bar[i].base);
		}
		shell_out_printf(out, "  %s\n", fmt_size(size, sizeof(size), s->bar[i].size));
	}
}

static void print_vectors(struct shell_out *out, const struct snapshot *s)
{
	if (s->pin != 0 && !s->msix && !s->msi) {
		shell_out_printf(out, "           INT%c\n", (int)('A' + s->pin - 1));
	}
	if (s->vectors == 0) {
		return;
	}
	shell_out_printf(out, "           %s %s, %u vectors, interrupts sent:", s->kind,
			 s->msix || s->msi ? "on" : "off", s->vectors);
	for (unsigned int i = 0; i < s->vectors; i++) {
		shell_out_printf(out, " %lu", s->sent[i]);
	}
	shell_out_puts(out, "\n");
}

void cmd_vm_pci_print(struct shell_out *out, struct vm *vm)
{
	struct snapshot s;

	for (unsigned int devfn = 0; take(vm, devfn, &s); devfn = s.devfn + 1) {
		shell_out_printf(out, "%-10s 00:%02x.%u  %04x:%04x  %s\n", devfn == 0 ? "pci" : "",
				 s.devfn >> 3, s.devfn & 7, s.vendor, s.device,
				 s.name ? s.name : "");
		print_bars(out, &s);
		print_vectors(out, &s);
	}
}

static void json_bars(struct json *j, const struct snapshot *s)
{
	json_array(j, "bars");
	for (unsigned int i = 0; i < VPCI_BARS; i++) {
		if (s->bar[i].size == 0) {
			continue;
		}
		json_object(j, NULL);
		json_u64(j, "bar", i);
		json_string(j, "space", s->bar[i].io ? "ports" : "memory");
		json_u64(j, "address", s->bar[i].base);
		json_u64(j, "size", s->bar[i].size);
		json_end(j);
	}
	json_end(j);
}

void cmd_vm_pci_json(struct json *j, struct vm *vm)
{
	struct snapshot s;
	char slot[16];

	json_array(j, "pci");
	for (unsigned int devfn = 0; take(vm, devfn, &s); devfn = s.devfn + 1) {
		fmt_snprintf(slot, sizeof(slot), "00:%02x.%u", s.devfn >> 3, s.devfn & 7);
		json_object(j, NULL);
		json_string(j, "slot", slot);
		json_u64(j, "vendor", s.vendor);
		json_u64(j, "device", s.device);
		json_string(j, "name", s.name);
		json_bars(j, &s);
		json_u64(j, "pin", s.pin);
		json_bool(j, "msi", s.msi);
		json_bool(j, "msix", s.msix);
		json_array(j, "sent");
		for (unsigned int i = 0; i < s.vectors; i++) {
			json_u64(j, NULL, s.sent[i]);
		}
		json_end(j);
		json_end(j);
	}
	json_end(j);
}
