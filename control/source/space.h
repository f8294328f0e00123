/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space.h - memory for many small things that end together.
 */
#ifndef LANE53_SPACE_H
#define LANE53_SPACE_H

#include <stddef.h>
#include <stdint.h>

struct space_chunk;

/* All zero is an empty space. */
struct space {
	struct space_chunk *chunks;
	uint8_t *pos;
	size_t left;
};

/* A copy of @len bytes, unaligned, until space_deinit().  NULL: out of memory. */
const uint8_t *space_copy(struct space *space, const void *bytes, size_t len);
void space_deinit(struct space *space);

#endif
