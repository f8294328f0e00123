/* SPDX-License-Identifier: BSD-3-Clause */
/* image.c - what a BPF hash map or trie should hold, and making it so by difference. */
#include "image.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Of any map synced this way; a source's key is 28 bytes. */
#define ELEMENT_MAX 64

static size_t stride(const struct image *image)
{
	return (image->key_bytes + image->value_bytes + sizeof(uint32_t) + 7) &
	       ~(size_t)7;
}

static unsigned char *entry(const struct image *image, unsigned i)
{
	return image->at + i * stride(image);
}

void image_init(struct image *image, size_t key_bytes, size_t value_bytes)
{
	*image = (struct image){ .key_bytes = key_bytes, .value_bytes = value_bytes };
}

void image_deinit(struct image *image)
{
	free(image->at);
}

void image_put(struct image *image, const void *key, const void *value)
{
	const uint32_t number = image->count;
	unsigned char *at;

	if (image->count == image->room) {
		unsigned more = image->room ? image->room * 2 : 64;

		at = realloc(image->at, more * stride(image));
		if (!at) {
			image->no_memory = true;
			return;
		}
		image->at = at;
		image->room = more;
	}
	at = entry(image, image->count++);
	memcpy(at, key, image->key_bytes);
	if (image->value_bytes)
		memcpy(at + image->key_bytes, value, image->value_bytes);
	memcpy(at + image->key_bytes + image->value_bytes, &number, sizeof(number));
}

/* By key, then by the order of arrival. */
static int compare(const void *a, const void *b, void *context)
{
	const struct image *image = context;
	const size_t skip = image->key_bytes + image->value_bytes;
	int r = memcmp(a, b, image->key_bytes);
	uint32_t x, y;

	if (r)
		return r;
	memcpy(&x, (const unsigned char *)a + skip, sizeof(x));
	memcpy(&y, (const unsigned char *)b + skip, sizeof(y));
	return (x > y) - (x < y);
}

static void sort_unique(struct image *image)
{
	unsigned kept = 0;

	if (!image->count)
		return;
	qsort_r(image->at, image->count, stride(image), compare, image);
	for (unsigned i = 1; i < image->count; i++) {
		if (!memcmp(entry(image, kept), entry(image, i), image->key_bytes))
			continue;
		if (++kept != i)
			memcpy(entry(image, kept), entry(image, i), stride(image));
	}
	image->count = kept + 1;
}

static bool wants(const struct image *image, const void *key)
{
	unsigned low = 0, high = image->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int r = memcmp(key, entry(image, middle), image->key_bytes);

		if (!r)
			return true;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Collect first, then delete: walking on from a deleted key starts over. */
static int delete_unwanted(const struct image *image, int fd)
{
	unsigned char key[ELEMENT_MAX], next[ELEMENT_MAX];
	struct image stale;
	int r = bpf_map_get_next_key(fd, NULL, next);

	image_init(&stale, image->key_bytes, 0);
	while (r == 0) {
		if (!wants(image, next))
			image_put(&stale, next, NULL);
		memcpy(key, next, image->key_bytes);
		r = bpf_map_get_next_key(fd, key, next);
	}
	r = r == -ENOENT ? 0 : r;
	for (unsigned i = 0; i < stale.count; i++)
		(void)bpf_map_delete_elem(fd, entry(&stale, i)); /* or gone already */
	if (stale.no_memory)
		r = -ENOMEM;
	image_deinit(&stale);
	return r;
}

int image_sync(struct image *image, int fd)
{
	int r;

	if (image->no_memory)
		return -ENOMEM;
	sort_unique(image);
	r = delete_unwanted(image, fd);
	for (unsigned i = 0; i < image->count && r == 0; i++) {
		const unsigned char *key = entry(image, i);
		const unsigned char *value = key + image->key_bytes;
		unsigned char now[ELEMENT_MAX];

		if (!image->is_trie && bpf_map_lookup_elem(fd, key, now) == 0 &&
		    !memcmp(now, value, image->value_bytes))
			continue;
		r = bpf_map_update_elem(fd, key, value, BPF_ANY);
	}
	return r;
}
