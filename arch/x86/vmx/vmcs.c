/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the current VMCS by field name, and the numbers of VM-instruction errors as text. */
/* Changes nothing. */
#include "arch/x86/vmx/vmcs.h"

#include "hv/lib/fmt.h"

#define FIELDS_PER_LINE 2u

static const struct {
	const char *name;
	enum vmcs_field field;
} fields[] = {
#define VMCS_ROW(name, encoding) { #name, name },
	VMCS_FIELDS(VMCS_ROW)
};

/* VMREAD of a field that this CPU lacks fails without harm: a dump must not panic over it. */
static bool read_if_there(enum vmcs_field f, uint64_t *val)
{
	bool fail;

	__asm__ volatile("vmread %[f], %[val]"
			 : [val] "=r"(*val), "=@ccbe"(fail)
			 : [f] "r"((uint64_t)f), "0"(0ul));
	return !fail;
}

void vmcs_dump(void (*out)(const char *line))
{
	char line[128];
	size_t len = 0;
	unsigned int on_line = 0;
	uint64_t val;

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!read_if_there(fields[i].field, &val)) {
			continue;
		}
		len += (size_t)fmt_snprintf(line + len, sizeof(line) - len, "%-23s%016lx  ",
					    fields[i].name, val);
		if (++on_line == FIELDS_PER_LINE) {
			out(line);
			len = 0;
			on_line = 0;
		}
	}
	if (on_line != 0) {
		out(line);
	}
}

/* SDM Vol. 3C, "VM-Instruction Error Numbers". */
const char *vmcs_error_text(uint32_t error)
{
	static const char *const texts[] = {
		[1] = "VMCALL in root mode",
		[2] = "VMCLEAR of a bad address",
		[3] = "VMCLEAR of the VMXON region",
		[4] = "VMLAUNCH of a VMCS that is not clear",
		[5] = "VMRESUME of a VMCS that was not launched",
		[6] = "VMRESUME after VMXOFF and VMXON",
		[7] = "entry with bad control fields",
		[8] = "entry with bad host state",
		[9] = "VMPTRLD of a bad address",
		[10] = "VMPTRLD of the VMXON region",
		[11] = "VMPTRLD of another VMCS revision",
		[12] = "VMREAD or VMWRITE of a field that is not there",
		[13] = "VMWRITE of a read-only field",
		[15] = "VMXON in root mode",
		[26] = "entry with events blocked by MOV SS",
		[28] = "bad operand of INVEPT or INVVPID",
	};

	return error < ARRAY_SIZE(texts) && texts[error] != NULL ? texts[error] : "unknown error";
}
