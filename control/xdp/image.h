/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.h - what a BPF hash map or trie should hold, and making it so by difference.
 *
 * Entries that are right stay untouched, so XDP never sees a map half filled.
 */
#ifndef LANE53_IMAGE_H
#define LANE53_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct image {
	size_t key_bytes, value_bytes;
	unsigned char *at; /* key, value, sequence number; each entry padded to 8 */
	unsigned count, room;
	bool is_trie; /* a lookup may find a shorter prefix: every entry is written */
	bool no_memory;
};

void image_init(struct image *image, size_t key_bytes, size_t value_bytes);
void image_deinit(struct image *image);

/* Add an entry; of two with one key the first counts.  Failure is told by image_sync(). */
void image_put(struct image *image, const void *key, const void *value);

/* Make the map @fd equal to @image.  Return: 0, -ENOMEM, -E2BIG (full), -errno. */
int image_sync(struct image *image, int fd);

#endif
