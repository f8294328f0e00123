/* SPDX-License-Identifier: BSD-3-Clause */
/* nameset.c - see nameset.h: open addressing over an array, names in chunks. */
#include "nameset.h"

#include <stdlib.h>
#include <string.h>

#include "dns/name.h"

#define CHUNK_BYTES 65536

struct nameset_chunk {
	struct nameset_chunk *next;
	size_t used;
	uint8_t bytes[CHUNK_BYTES];
};

void nameset_init(struct nameset *set)
{
	memset(set, 0, sizeof(*set));
}

void nameset_deinit(struct nameset *set)
{
	struct nameset_chunk *next;

	for (struct nameset_chunk *c = set->chunk; c; c = next) {
		next = c->next;
		free(c);
	}
	free(set->at);
	free(set->index);
	nameset_init(set);
}

/* FNV-1a: the names come from files of our own administrator, not from clients. */
static uint64_t hash_of(uint32_t view, const uint8_t *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull ^ view;

	for (size_t i = 0; i < len; i++)
		h = (h ^ name[i]) * 0x100000001b3ull;
	return h ^ h >> 32;
}

static bool is_same(const struct nameset_member *m, uint32_t view, const uint8_t *name,
		    size_t len, uint64_t hash)
{
	return m->hash == hash && m->view == view && name_size(m->name) == len &&
	       !memcmp(m->name, name, len);
}

static size_t slot_of(const struct nameset *set, uint32_t view, const uint8_t *name,
		      size_t len, uint64_t hash)
{
	size_t i = hash & (set->index_room - 1);

	while (set->index[i] &&
	       !is_same(&set->at[set->index[i] - 1], view, name, len, hash))
		i = (i + 1) & (set->index_room - 1);
	return i;
}

size_t nameset_find(const struct nameset *set, uint32_t view, const uint8_t *name)
{
	size_t len = name_size(name), slot;

	if (!set->count)
		return NAMESET_NONE;
	slot = slot_of(set, view, name, len, hash_of(view, name, len));
	return set->index[slot] ? set->index[slot] - 1 : NAMESET_NONE;
}

/* Keep the index at most half full. */
static bool make_room(struct nameset *set)
{
	size_t room = set->room ? set->room * 2 : 64;
	struct nameset_member *at;
	uint32_t *index;

	if (set->count < set->room)
		return true;
	at = realloc(set->at, room * sizeof(*at));
	if (!at)
		return false;
	set->at = at;
	index = calloc(room * 2, sizeof(*index));
	if (!index)
		return false;
	free(set->index);
	set->index = index;
	set->index_room = room * 2;
	set->room = room;
	for (size_t n = 0; n < set->count; n++) {
		size_t i = at[n].hash & (set->index_room - 1);

		while (index[i])
			i = (i + 1) & (set->index_room - 1);
		index[i] = (uint32_t)n + 1;
	}
	return true;
}

static const uint8_t *keep(struct nameset *set, const uint8_t *name, size_t len)
{
	struct nameset_chunk *c = set->chunk;

	if (!c || c->used + len > CHUNK_BYTES) {
		c = malloc(sizeof(*c));
		if (!c)
			return NULL;
		c->next = set->chunk;
		c->used = 0;
		set->chunk = c;
	}
	memcpy(c->bytes + c->used, name, len);
	c->used += len;
	return c->bytes + c->used - len;
}

size_t nameset_add(struct nameset *set, uint32_t view, const uint8_t *name)
{
	size_t len = name_size(name), slot;
	uint64_t hash = hash_of(view, name, len);
	const uint8_t *kept;

	if (!make_room(set))
		return NAMESET_NONE;
	slot = slot_of(set, view, name, len, hash);
	if (set->index[slot])
		return set->index[slot] - 1;
	kept = keep(set, name, len);
	if (!kept)
		return NAMESET_NONE;
	set->at[set->count] =
		(struct nameset_member){ .name = kept, .view = view, .hash = hash };
	set->index[slot] = (uint32_t)++set->count;
	return set->count - 1;
}
