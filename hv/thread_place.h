/* SPDX-License-Identifier: BSD-2-Clause */
/* On which CPU a thread runs: where a woken one goes, who is taken over from a CPU that is behind. */
/* For thread.c and thread_run.c only: others know no run queues. */
#ifndef HV_THREAD_PLACE_H
#define HV_THREAD_PLACE_H

#include "hv/lib/types.h"

struct cpu_run;
struct thread;

/* May t ever run there, by its mask? Says nothing of whether that CPU is there, or busy. Any context. */
bool thread_place_may(const struct thread *t, unsigned int cpu);
/* An idle CPU that t may use, else the one it used last. */
unsigned int thread_place_choose(const struct thread *t);
/* A parked thread that is off its CPU may move to an idle one. [the lock of t's queue] */
void thread_place_woken(struct thread *t);
/*
 * Threads wait here, and the one whose turn it is runs. Once a slice: may one of them be owed time
 * that another CPU gives to those who have had more? Five that are always busy get two fifths of two
 * CPUs each that way. On r's CPU, no lock held.
 */
void thread_place_balance(struct cpu_run *r);
/*
 * This CPU has nothing to run: takes a thread that waits on another, if there is one; else it may
 * sleep: whoever leaves a thread waiting from now on wakes it. Then, in any case, thread_place_busy.
 * No lock held.
 */
void thread_place_idle(void);
void thread_place_busy(void);
/* Threads may have begun to wait in r: a CPU that sleeps is woken to take one. No lock held. */
void thread_place_offer(struct cpu_run *r);

#endif
