/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deadline.c - a binary heap, each node knowing its place.
 */
#include "respond/deadline.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int deadlines_init(struct deadlines *deadlines, uint32_t room)
{
	deadlines->heap = calloc(room, sizeof(*deadlines->heap));
	if (!deadlines->heap)
		return -ENOMEM;
	deadlines->count = 0;
	deadlines->room = room;
	return 0;
}

void deadlines_deinit(struct deadlines *deadlines)
{
	free(deadlines->heap);
	deadlines->heap = NULL;
}

static void put(struct deadlines *d, uint32_t i, struct deadline *deadline)
{
	d->heap[i] = deadline;
	deadline->place = i + 1;
}

static void sift(struct deadlines *d, uint32_t i, struct deadline *deadline)
{
	while (i > 0 && d->heap[(i - 1) / 2]->at_ns > deadline->at_ns) {
		put(d, i, d->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < d->count &&
		    d->heap[child + 1]->at_ns < d->heap[child]->at_ns)
			child++;
		if (child >= d->count || d->heap[child]->at_ns >= deadline->at_ns)
			break;
		put(d, i, d->heap[child]);
		i = child;
	}
	put(d, i, deadline);
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline,
		  uint64_t at_ns)
{
	deadline->at_ns = at_ns;
	if (!deadline->place) {
		assert(deadlines->count < deadlines->room);
		deadlines->count++;
		put(deadlines, deadlines->count - 1, deadline);
	}
	sift(deadlines, deadline->place - 1, deadline);
}

void deadline_clear(struct deadlines *deadlines, struct deadline *deadline)
{
	uint32_t i = deadline->place - 1;
	struct deadline *last;

	if (!deadline->place)
		return;
	deadline->place = 0;
	last = deadlines->heap[--deadlines->count];
	if (last != deadline)
		sift(deadlines, i, last);
}

uint64_t deadlines_run(struct deadlines *deadlines, uint64_t now_ns, void *context)
{
	while (deadlines->count && deadlines->heap[0]->at_ns <= now_ns) {
		struct deadline *deadline = deadlines->heap[0];

		deadline_clear(deadlines, deadline);
		deadline->due(context, deadline);
	}
	return deadlines->count ? deadlines->heap[0]->at_ns : UINT64_MAX;
}
