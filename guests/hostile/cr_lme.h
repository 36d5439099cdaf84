/* SPDX-License-Identifier: BSD-2-Clause */
/* 32-bit code that asks for long mode without having enabled PAE. */
/* cr.c runs it by mode_run(). */
#ifndef GUESTS_HOSTILE_CR_LME_H
#define GUESTS_HOSTILE_CR_LME_H

extern const char cr_lme[];

#endif
