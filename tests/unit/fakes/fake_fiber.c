/* SPDX-License-Identifier: BSD-2-Clause */
/* Fibers on ucontext. The program's own stack is a thread too, but it must never have to sleep. */
/* One CPU: nothing here is about memory order. */
#include "fakes/fake_fiber.h"

#include "hv/thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (256 * 1024)

struct fiber {
	struct thread thread;
	ucontext_t context;
	void (*body)(void *arg);
	void *arg;
	char *stack;
	bool asleep;
	bool ended;
};

static struct fiber fibers[FAKE_FIBERS], *running;
static struct thread the_main;
static ucontext_t scheduler;
static unsigned int count;
static uint32_t dice = 1;

unsigned long fake_fiber_checkpoints;

uint32_t fake_fiber_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void entry(void)
{
	running->body(running->arg);
	running->ended = true;
	swapcontext(&running->context, &scheduler);
}

void fake_fiber_add(void (*body)(void *arg), void *arg)
{
	struct fiber *f = &fibers[count++];

	memset(f, 0, sizeof(*f));
	f->body = body;
	f->arg = arg;
	f->stack = malloc(STACK);
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = f->stack;
	f->context.uc_stack.ss_size = STACK;
	makecontext(&f->context, entry, 0);
}

int fake_fiber_run(uint32_t seed)
{
	unsigned int ready;

	dice = seed * 2654435761u + 1;
	do {
		unsigned int pick, left = 0;

		ready = 0;
		for (unsigned int i = 0; i < count; i++) {
			ready += !fibers[i].ended && !fibers[i].asleep;
			left += !fibers[i].ended;
		}
		if (ready == 0 && left > 0) {
			return -1;
		}
		pick = ready ? fake_fiber_random(&dice) % ready : 0;
		for (unsigned int i = 0; ready && i < count; i++) {
			if (!fibers[i].ended && !fibers[i].asleep && pick-- == 0) {
				running = &fibers[i];
				swapcontext(&scheduler, &fibers[i].context);
				running = NULL;
				break;
			}
		}
	} while (ready > 0);
	for (unsigned int i = 0; i < count; i++) {
		free(fibers[i].stack);
	}
	count = 0;
	return 0;
}

void fake_fiber_pause(void)
{
	struct fiber *self = running;

	if (self != NULL && fake_fiber_random(&dice) % 2) {
		swapcontext(&self->context, &scheduler);
	}
}

struct thread *thread_current(void)
{
	return running ? &running->thread : &the_main;
}

void thread_park(void)
{
	struct fiber *self = running;

	if (self == NULL) {
		fprintf(stderr, "the only thread sleeps\n");
		abort();
	}
	if (!self->thread.permit) {
		self->asleep = true;
		swapcontext(&self->context, &scheduler);
	}
	self->thread.permit = false;
}

void thread_unpark(struct thread *t)
{
	t->permit = true;
	if (t != &the_main) {
		container_of(t, struct fiber, thread)->asleep = false;
	}
}

void thread_checkpoint(void)
{
	fake_fiber_checkpoints++;
	fake_fiber_pause();
}
