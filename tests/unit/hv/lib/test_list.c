/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the intrusive list: order, removal in a walk, and that removing twice is harmless. */
/* Does not check concurrent use: the list has none. */
#include "hv/lib/list.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct item {
	int value;
	struct list_node node;
};

/* The values in order as decimal digits, read forwards; fails if backwards differs. */
static int digits(struct list_node *head)
{
	int forwards = 0;
	int backwards = 0;
	int scale = 1;
	struct list_node *it;

	list_for_each (it, head) {
		forwards = forwards * 10 + container_of(it, struct item, node)->value;
	}
	for (it = head->prev; it != head; it = it->prev) {
		backwards += scale * container_of(it, struct item, node)->value;
		scale *= 10;
	}
	assert_int_equal(forwards, backwards);
	return forwards;
}

static void test_order(void **state)
{
	struct list_node head = LIST_INIT(head);
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };

	(void)state;
	assert_true(list_empty(&head));
	list_push_back(&head, &b.node);
	list_push_back(&head, &c.node);
	list_push_front(&head, &a.node);
	assert_int_equal(digits(&head), 123);
	assert_false(list_empty(&head));
}

static void test_insert_before(void **state)
{
	struct list_node head = LIST_INIT(head);
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };

	(void)state;
	list_push_back(&head, &a.node);
	list_insert_before(&a.node, &b.node);
	list_insert_before(&a.node, &c.node);
	assert_int_equal(digits(&head), 231);
}

static void test_remove_twice(void **state)
{
	struct list_node head = LIST_INIT(head);
	struct item a = { .value = 1 }, b = { .value = 2 };

	(void)state;
	list_push_back(&head, &a.node);
	list_push_back(&head, &b.node);
	list_remove(&a.node);
	list_remove(&a.node);
	assert_int_equal(digits(&head), 2);
	list_remove(&b.node);
	assert_true(list_empty(&head));
}

static void test_remove_in_walk(void **state)
{
	struct list_node head = LIST_INIT(head);
	struct item items[5];
	struct list_node *it, *tmp;

	(void)state;
	for (int i = 0; i < 5; i++) {
		items[i].value = i + 1;
		list_push_back(&head, &items[i].node);
	}
	list_for_each_safe (it, tmp, &head) {
		if (container_of(it, struct item, node)->value % 2 == 0) {
			list_remove(it);
		}
	}
	assert_int_equal(digits(&head), 135);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_insert_before),
		cmocka_unit_test(test_remove_twice),
		cmocka_unit_test(test_remove_in_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
