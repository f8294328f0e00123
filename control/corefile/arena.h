/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - memory that is released all at once: a configuration lives and dies whole.
 *
 * Nothing here fails: a daemon without a few kilobytes for its configuration has
 * nothing left to do, so running out of memory ends the process.
 */
#ifndef LANE53_ARENA_H
#define LANE53_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_open(void);
/* NULL is allowed. */
void arena_close(struct arena *arena);

/* @bytes of zeroes, aligned for anything. */
void *arena_take(struct arena *arena, size_t bytes);

char *arena_text(struct arena *arena, const char *text);
char *arena_text_n(struct arena *arena, const char *text, size_t len);
__attribute__((format(printf, 2, 3))) char *arena_format(struct arena *arena,
							 const char *format, ...);

/*
 * The array @old of @count elements of @size bytes, with room for one more: the same,
 * or a copy.  Arrays that grow this way must not be grown otherwise.
 */
void *arena_grow(struct arena *arena, void *old, unsigned count, size_t size);

/* Append one element to the array @at and give it: zeroed. */
#define ARENA_PUSH(arena, at, count)                                     \
	((at) = arena_grow(arena, (void *)(at), (count), sizeof(*(at))), \
	 &(at)[(count)++])

#endif
