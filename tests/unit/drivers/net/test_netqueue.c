/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of a NIC: order, going round, room that is kept for segments which are still being cut. */
/* TEST_SOURCES: drivers/net/netqueue.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/checksum.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_page.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
#include "drivers/net/netqueue.h"
#include "tests/unit/fakes/fake_page.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct netqueue q;
static uint8_t frame[NETPKT_LEN_MAX];

static int setup(void **state)
{
	(void)state;
	return netqueue_init(&q);
}

static int teardown(void **state)
{
	(void)state;
	netqueue_exit(&q);
	return fake_page_live == 0 ? 0 : -1;
}

static bool put(uint32_t len, uint8_t number, uint8_t flags, uint16_t more)
{
	struct netseg seg = { frame, len };
	struct netpkt pkt = { .seg = &seg, .segs = 1, .len = len, .flags = flags, .more = more };

	memset(frame, number, len);
	return netqueue_put(&q, &pkt);
}

static void expect(uint32_t len, uint8_t number)
{
	const struct netqueue_packet *p = netqueue_peek(&q);

	assert_non_null(p);
	assert_int_equal(p->len, len);
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->frame[0], number);
	assert_int_equal(p->frame[len - 1], number);
	netqueue_drop(&q);
}

/* Of every length, so that the end of the ring is met in every way. */
static void test_order(void **state)
{
	unsigned int in = 0, out = 0;

	(void)state;
	while (out < 3000) {
		while (put(60 + 37 * (in % 251), (uint8_t)in, 0, 0)) {
			in++;
		}
		for (unsigned int n = 0; n < 11; n++, out++) {
			expect(60 + 37 * (out % 251), (uint8_t)out);
		}
	}
	netqueue_clear(&q);
	assert_true(netqueue_is_empty(&q));
	assert_null(netqueue_peek(&q));
}

/* Others' packets in between take nothing of the room that was promised, wherever the ring ends. */
static void test_room_is_kept(void **state)
{
	(void)state;
	for (unsigned int start = 0; start < 200; start++) {
		unsigned int own = 0, others = 0;

		for (unsigned int i = 0; i < start; i++) { /* begin elsewhere */
			assert_true(put(1514, 0, 0, 0));
			assert_true(put(900 + start, 0, 0, 0));
			expect(1514, 0);
			expect(900 + start, 0);
			assert_true(put(60, 9, 0, 0));
			assert_true(put(60, 9, 0, 0));
			expect(60, 9);
			expect(60, 9);
		}
		assert_true(put(1514, 1, 0, 44));
		assert_false(put(1514, 2, 0, 10)); /* one at a time */
		while (put(1000, 3, 0, 0)) {
			others++;
		}
		assert_in_range(others, NETQUEUE_SIZE / 1024 - 90, NETQUEUE_SIZE / 1024 - 63);
		for (uint16_t more = 44; more-- > 0; own++) {
			assert_true(put(more > 0 ? 1514 : 600, 1, NETPKT_CUT, more));
		}
		assert_int_equal(own, 44);
		expect(1514, 1);
		while (others-- > 0) {
			expect(1000, 3);
		}
		for (unsigned int i = 0; i < 43; i++) {
			expect(1514, 1);
		}
		expect(600, 1);
		assert_true(netqueue_is_empty(&q));
		assert_true(put(1514, 2, 0, 10)); /* nothing is kept any more */
		netqueue_clear(&q);
	}
}

static void test_no_room_for_all(void **state)
{
	(void)state;
	assert_false(put(1514, 1, 0, NETQUEUE_SIZE / 1514));
	for (unsigned int i = 0; i < NETQUEUE_SIZE / 65536; i++) {
		assert_true(put(60000, 1, 0, 0)); /* nor was anything kept */
	}
	assert_false(put(1514, 1, 0, 44));
	expect(60000, 1);
	assert_true(put(1514, 1, 0, 30));
	netqueue_clear(&q);
	assert_true(put(1514, 1, NETPKT_CUT, 3)); /* the rest of what was forgotten is harmless */
	assert_true(put(1514, 1, NETPKT_CUT, 0));
	assert_true(put(60000, 1, 0, 0));
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_order),
		CASE(test_room_is_kept),
		CASE(test_no_room_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
