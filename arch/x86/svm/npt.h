/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of nested page tables, for arch/x86/hvm/slat. */
/* Holds no tables. */
#ifndef ARCH_X86_SVM_NPT_H
#define ARCH_X86_SVM_NPT_H

#include "arch/x86/hvm/slat.h"

/* With 1 GiB pages if the executing CPU has them. Static storage. */
const struct slat_format *npt_format(void);

#endif
