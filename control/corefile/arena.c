/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.c - see arena.h.
 */
#include "corefile/arena.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 16384 /* a usual Corefile needs one or two */

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t bytes[];
};

struct arena {
	struct chunk *first;
};

static void *need(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p) {
		fputs("lane53: out of memory\n", stderr);
		abort();
	}
	return p;
}

struct arena *arena_open(void)
{
	return need(sizeof(struct arena));
}

void arena_close(struct arena *arena)
{
	if (!arena)
		return;
	while (arena->first) {
		struct chunk *chunk = arena->first;

		arena->first = chunk->next;
		free(chunk);
	}
	free(arena);
}

void *arena_take(struct arena *arena, size_t bytes)
{
	size_t size = (bytes + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	struct chunk *chunk = arena->first;
	void *out;

	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		chunk = need(sizeof(*chunk) + room);
		chunk->size = room;
		chunk->next = arena->first;
		arena->first = chunk;
	}
	out = (char *)chunk->bytes + chunk->used;
	chunk->used += size;
	return out;
}

char *arena_text_n(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_take(arena, len + 1);

	memcpy(copy, text, len);
	return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
	return arena_text_n(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *out;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	out = arena_take(arena, (size_t)len + 1);
	va_start(args, format);
	(void)vsnprintf(out, (size_t)len + 1, format, args);
	va_end(args);
	return out;
}

void *arena_grow(struct arena *arena, void *old, unsigned count, size_t size)
{
	void *grown;

	if (count == 0)
		return arena_take(arena, size);
	if (count & (count - 1)) /* room is the next power of two */
		return old;
	grown = arena_take(arena, 2 * (size_t)count * size);
	memcpy(grown, old, count * size);
	return grown;
}
