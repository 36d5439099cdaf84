/* SPDX-License-Identifier: BSD-2-Clause */
/* How a vCPU starts and starts over: INIT, the wait for a start-up message (SIPI), the start. */
/* One atomic word per vCPU. What a reset does to registers is arch/x86/hvm's; parking is hv/vcpu's. */
#include "hv/mp_init.h"

#define WORD_VECTOR 0xffu
#define WORD_SIPI   (1u << 8)  /* one came, its vector is in the low bits */
#define WORD_WAITS  (1u << 9)  /* wait-for-SIPI state */
#define WORD_INIT   (1u << 10) /* one came and is not carried out yet */

static uint32_t load(const struct mp_init *m)
{
	return __atomic_load_n(&m->word, __ATOMIC_SEQ_CST);
}

/* False, and *old as it is now, if it has changed since. */
static bool swap(struct mp_init *m, uint32_t *old, uint32_t val)
{
	return __atomic_compare_exchange_n(&m->word, old, val, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void mp_init_reset(struct mp_init *m, bool boots)
{
	__atomic_store_n(&m->word, boots ? 0 : WORD_WAITS, __ATOMIC_SEQ_CST);
}

void mp_init_send_init(struct mp_init *m)
{
	__atomic_store_n(&m->word, WORD_INIT, __ATOMIC_SEQ_CST);
}

bool mp_init_send_startup(struct mp_init *m, uint8_t vector)
{
	uint32_t old = load(m);

	do {
		if ((old & (WORD_INIT | WORD_WAITS)) == 0 || (old & WORD_SIPI) != 0) {
			return false;
		}
	} while (!swap(m, &old, old | WORD_SIPI | vector));
	return true;
}

/* The first word's step, and the word that is left behind. */
static enum mp_init_step next(uint32_t old, bool boots, uint32_t *left)
{
	if ((old & WORD_INIT) != 0) {
		*left = boots ? 0 : WORD_WAITS | (old & (WORD_SIPI | WORD_VECTOR));
		return MP_INIT_RESET;
	}
	*left = (old & WORD_SIPI) != 0 ? 0 : old;
	if ((old & WORD_SIPI) != 0) {
		return MP_INIT_START;
	}
	return (old & WORD_WAITS) != 0 ? MP_INIT_WAIT : MP_INIT_NONE;
}

enum mp_init_step mp_init_take(struct mp_init *m, bool boots, uint8_t *vector)
{
	uint32_t old = load(m);
	enum mp_init_step step;
	uint32_t left;

	do {
		step = next(old, boots, &left);
	} while (!swap(m, &old, left));
	*vector = (uint8_t)(old & WORD_VECTOR);
	return step;
}

bool mp_init_has_news(const struct mp_init *m)
{
	return load(m) != WORD_WAITS;
}

bool mp_init_is_word(uint32_t word)
{
	return (word & ~(WORD_VECTOR | WORD_SIPI | WORD_WAITS | WORD_INIT)) == 0 &&
	       ((word & WORD_SIPI) != 0 || (word & WORD_VECTOR) == 0) &&
	       ((word & WORD_SIPI) == 0 || (word & (WORD_WAITS | WORD_INIT)) != 0);
}

bool mp_init_waits(const struct mp_init *m)
{
	return (load(m) & (WORD_WAITS | WORD_INIT)) != 0;
}
