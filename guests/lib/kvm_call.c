/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction, by the CPU's vendor. */
/* Knows no call by its number. */
#include "guests/lib/kvm_call.h"
#include "guests/lib/cpu.h"

#define VENDOR_AMD 0x68747541u /* EBX of leaf 0 */

uint64_t kvm_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	if (cpu_cpuid(0, 0).ebx == VENDOR_AMD) {
		__asm__ volatile("vmmcall"
				 : "+a"(number)
				 : "b"(a0), "c"(a1), "d"(a2), "S"(a3)
				 : "memory");
	} else {
		__asm__ volatile("vmcall"
				 : "+a"(number)
				 : "b"(a0), "c"(a1), "d"(a2), "S"(a3)
				 : "memory");
	}
	return number;
}
