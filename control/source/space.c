/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space.c - copies, one behind the other.
 */
#include "source/space.h"

#include <stdlib.h>
#include <string.h>

/*
 * Large enough that a million records take a few hundred allocations, and that the
 * longest RDATA (64 KiB) wastes little at a chunk's end.
 */
#define CHUNK_BYTES ((size_t)512 << 10)

struct space_chunk {
	struct space_chunk *next;
	uint8_t bytes[];
};

const uint8_t *space_copy(struct space *space, const void *bytes, size_t len)
{
	uint8_t *copy;

	if (len > space->left || !space->pos) {
		size_t size = len > CHUNK_BYTES ? len : CHUNK_BYTES;
		struct space_chunk *chunk = malloc(sizeof(*chunk) + size);

		if (!chunk)
			return NULL;
		chunk->next = space->chunks;
		space->chunks = chunk;
		space->pos = chunk->bytes;
		space->left = size;
	}
	copy = space->pos;
	if (len)
		memcpy(copy, bytes, len);
	space->pos += len;
	space->left -= len;
	return copy;
}

void space_deinit(struct space *space)
{
	while (space->chunks) {
		struct space_chunk *chunk = space->chunks;

		space->chunks = chunk->next;
		free(chunk);
	}
	*space = (struct space){ 0 };
}
