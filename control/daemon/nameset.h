/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nameset.h - a set of (view, name), each with a word of the user's own.
 *
 * Members are numbered 0, 1, 2 ... as they come and are never taken out; the set goes
 * as a whole.  Names are wire format, lower case, and are copied.
 */
#ifndef LANE53_NAMESET_H
#define LANE53_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nameset_member {
	const uint8_t *name;
	uint32_t view;
	uint32_t word; /* 0 at first; the user's */
	uint64_t hash;
};

struct nameset {
	struct nameset_member *at;
	size_t count, room;
	uint32_t *index; /* number + 1, 0 = free; power of two */
	size_t index_room;
	struct nameset_chunk *chunk; /* where names live */
};

#define NAMESET_NONE ((size_t)-1)

void nameset_init(struct nameset *set);
void nameset_deinit(struct nameset *set);

/*
 * The number of (@view, @name), which is added if it is new.
 * Return: the number, or NAMESET_NONE when out of memory.
 */
size_t nameset_add(struct nameset *set, uint32_t view, const uint8_t *name);

/* Return: the number, or NAMESET_NONE: not a member. */
size_t nameset_find(const struct nameset *set, uint32_t view, const uint8_t *name);

#endif
