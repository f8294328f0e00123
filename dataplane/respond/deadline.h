/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deadline.h - what is due when: a binary heap of embedded nodes.
 *
 * Adding, moving and removing cost O(log n) and never allocate after deadline_open().
 */
#ifndef LANE53_DEADLINE_H
#define LANE53_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	uint64_t at_ns;
	uint32_t place; /* 1 + index in the heap, 0 = not set */
	void (*due)(void *context, struct deadline *deadline);
};

struct deadlines {
	struct deadline **heap;
	uint32_t count, room;
};

/* Room for @room deadlines at a time.  Return: 0, -ENOMEM. */
int deadlines_init(struct deadlines *deadlines, uint32_t room);
void deadlines_deinit(struct deadlines *deadlines);

/* Set, or move, @deadline; its `due` is the caller's to fill first. */
void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
		  uint64_t at_ns);
/* Not set is fine. */
void deadline_clear(struct deadlines *deadlines, struct deadline *deadline);

/*
 * Call what is due at @now_ns, each cleared before its call; calls may set and clear
 * others.  Return: when the next one is due, UINT64_MAX = none.
 */
uint64_t deadlines_run(struct deadlines *deadlines, uint64_t now_ns, void *context);

#endif
