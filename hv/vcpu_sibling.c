/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU that waits for another one of its VM gives that one its CPU. */
/* How threads change places is hv/thread's. */
#include "hv/vcpu_sibling.h"

#include "hv/thread.h"
#include "hv/vm.h"

/*
 * That of the n-th vCPU after v, around; none is made or taken apart while v's thread runs. NULL: it
 * is not launched yet.
 */
static struct thread *sibling(const struct vcpu *v, unsigned int n)
{
	return v->vm->vcpus[(v->id + n) % v->vm->vcpu_count]->thread;
}

static bool waits(const struct vcpu *v, unsigned int n)
{
	struct thread *t = sibling(v, n);

	return t != NULL && thread_waits(t);
}

bool vcpu_sibling_waits(const struct vcpu *v)
{
	for (unsigned int n = 1; n < v->vm->vcpu_count; n++) {
		if (waits(v, n)) {
			return true;
		}
	}
	return false;
}

bool vcpu_sibling_favour(struct vcpu *v, uint64_t id)
{
	unsigned int count = v->vm->vcpu_count;
	unsigned int n;

	if (id >= count || id == v->id) {
		return false;
	}
	n = ((unsigned int)id + count - v->id) % count;
	if (!waits(v, n)) {
		return false;
	}
	v->favoured = n;
	return true;
}

/* The one favoured, if there is one; then all in their order. It may hold what v spins for. */
void vcpu_sibling_yield(struct vcpu *v)
{
	unsigned int first = v->favoured;

	v->favoured = 0;
	for (unsigned int n = first != 0 ? 0 : 1; n < v->vm->vcpu_count; n++) {
		struct thread *t = sibling(v, n == 0 ? first : n);

		if (t != NULL && thread_yield_to(t)) {
			return;
		}
	}
	thread_checkpoint();
}
