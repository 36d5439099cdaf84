/* SPDX-License-Identifier: BSD-2-Clause */
/* Doubly linked circular list, intrusive: the node lives in the object it links. */
/* Does no locking and owns nothing. */
#ifndef HV_LIB_LIST_H
#define HV_LIB_LIST_H

#include "hv/lib/types.h"

struct list_node {
	struct list_node *next;
	struct list_node *prev;
};

#define LIST_INIT(name)                                                                            \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

static inline void list_init(struct list_node *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_node *head)
{
	return head->next == head;
}

/* Inserts node before pos; with pos the list head that is the tail. */
static inline void list_insert_before(struct list_node *pos, struct list_node *node)
{
	node->prev = pos->prev;
	node->next = pos;
	pos->prev->next = node;
	pos->prev = node;
}

static inline void list_push_back(struct list_node *head, struct list_node *node)
{
	list_insert_before(head, node);
}

static inline void list_push_front(struct list_node *head, struct list_node *node)
{
	list_insert_before(head->next, node);
}

/* Takes node out and leaves it self-linked, so that removing twice is harmless. */
static inline void list_remove(struct list_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_for_each(it, head) for (it = (head)->next; it != (head); it = it->next)
#define list_for_each_safe(it, tmp, head)                                                          \
	for (it = (head)->next, tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
