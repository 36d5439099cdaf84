/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT and SIPI: what becomes of messages that come before, between and after the vCPU's looks. */
/* TEST_SOURCES: hv/mp_init.c */
#include "hv/mp_init.h"

#include <pthread.h>

#include <cmocka.h>

/* Messages i (INIT), a and b (SIPI with 0xa and 0xb), look t. Looks: r(eset) w(ait) n(one), or vector. */
struct row {
	bool boots;
	const char *events;
	const char *steps;
};

static const struct row rows[] = {
	{ false, "t", "w" },
	{ false, "ttt", "www" },
	{ false, "at", "a" },
	{ false, "att", "an" },
	{ false, "abt", "a" },
	{ false, "atbt", "an" }, /* the second one is ignored */
	{ false, "itt", "rw" },
	{ false, "iatt", "ra" },
	{ false, "iabttt", "ran" },
	{ false, "itatt", "ran" },
	{ false, "iaibtt", "rb" }, /* INIT forgets the SIPI before it */
	{ false, "aitt", "rw" },
	{ false, "atitt", "arw" },
	{ false, "atibtt", "arb" },
	{ false, "iitt", "rw" },
	{ false, "atiittatt", "arwan" },
	{ true, "t", "n" },
	{ true, "at", "n" },
	{ true, "itt", "rn" }, /* the boot processor does not wait */
	{ true, "iatt", "rn" },
	{ true, "iitt", "rn" },
};

static char look(struct mp_init *m, bool boots)
{
	uint8_t vector = 0;
	bool news = mp_init_has_news(m);
	enum mp_init_step step = mp_init_take(m, boots, &vector);

	assert_int_equal(news, step != MP_INIT_WAIT);
	switch (step) {
	case MP_INIT_RESET:
		return 'r';
	case MP_INIT_WAIT:
		assert_true(mp_init_waits(m));
		return 'w';
	case MP_INIT_START:
		assert_false(mp_init_waits(m));
		return "0123456789ab"[vector];
	case MP_INIT_NONE:
	default:
		return 'n';
	}
}

static void play(const struct row *r)
{
	struct mp_init m;
	char steps[16] = "";
	unsigned int n = 0;

	mp_init_reset(&m, r->boots);
	for (const char *e = r->events; *e != '\0'; e++) {
		if (*e == 't') {
			steps[n++] = look(&m, r->boots);
		} else if (*e == 'i') {
			mp_init_send_init(&m);
		} else {
			mp_init_send_startup(&m, (uint8_t)(*e - 'a' + 0xa));
		}
	}
	assert_string_equal(steps, r->steps);
}

static void test_messages(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		play(&rows[i]);
	}
}

static void test_startup_says_whether_it_counts(void **state)
{
	struct mp_init m;

	(void)state;
	mp_init_reset(&m, true);
	assert_false(mp_init_send_startup(&m, 1));
	mp_init_reset(&m, false);
	assert_true(mp_init_send_startup(&m, 1));
	assert_false(mp_init_send_startup(&m, 2));
}

/* A storm: two senders of INIT and SIPI pairs against one that takes. */
#define STORM 200000u

static struct mp_init storm;

static void *send_storm(void *arg)
{
	uint8_t vector = *(uint8_t *)arg;

	for (unsigned int i = 0; i < STORM; i++) {
		mp_init_send_init(&storm);
		mp_init_send_startup(&storm, vector);
	}
	return NULL;
}

/* Each start comes after a reset of its own, at a vector that was sent; the last pair is never lost. */
static void test_storm(void **state)
{
	static uint8_t vectors[2] = { 0x10, 0x9f };
	pthread_t senders[2];
	bool reset = false, started = false;
	uint8_t vector;

	(void)state;
	mp_init_reset(&storm, false);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&senders[i], NULL, send_storm, &vectors[i]), 0);
	}
	for (unsigned int i = 0; i < 4 * STORM; i++) {
		switch (mp_init_take(&storm, false, &vector)) {
		case MP_INIT_RESET:
			reset = true;
			break;
		case MP_INIT_START:
			assert_true(reset);
			assert_true(vector == vectors[0] || vector == vectors[1]);
			reset = false;
			break;
		default:
			break;
		}
	}
	pthread_join(senders[0], NULL);
	pthread_join(senders[1], NULL);
	mp_init_send_init(&storm);
	mp_init_send_startup(&storm, vectors[0]);
	assert_int_equal(mp_init_take(&storm, false, &vector), MP_INIT_RESET);
	started = mp_init_take(&storm, false, &vector) == MP_INIT_START;
	assert_true(started && vector == vectors[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_startup_says_whether_it_counts),
		cmocka_unit_test(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
