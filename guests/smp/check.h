/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of what several CPUs do together, as a row; main.c runs the tables of rows. */
/* A row says true when all CPUs did what the manual says. */
#ifndef GUESTS_SMP_CHECK_H
#define GUESTS_SMP_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct check {
	const char *name;
	bool (*run)(void);
};

struct check_table {
	unsigned int count;
	const struct check *rows;
};

extern const struct check_table check_cpuid, check_ipi, check_init, check_race, check_pv;

extern unsigned int check_cpus;	  /* how many there are */
extern unsigned int check_rounds; /* how long races and storms last */

/* True as soon as fn is; false after SMP_PATIENCE. */
bool check_until(bool (*fn)(void));

#endif
