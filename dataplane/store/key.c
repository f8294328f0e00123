/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key.c - names to sortable bytes and back.
 */
#include "store/key.h"

#include <string.h>

#include "lane53/wire.h"

size_t key_of_name(uint8_t out[KEY_NAME_ROOM], const uint8_t *name)
{
	uint8_t offsets[128];
	unsigned count = 0;
	uint8_t *o = out;

	for (size_t off = 0; name[off]; off += 1u + name[off])
		offsets[count++] = (uint8_t)off;
	while (count) {
		const uint8_t *label = name + offsets[--count];

		for (unsigned i = 1; i <= *label; i++) {
			uint8_t c = label[i];

			if (c <= 1) {
				*o++ = 1;
				c = (uint8_t)(c + 1);
			} else if (c >= 'A' && c <= 'Z') {
				c |= 0x20;
			}
			*o++ = c;
		}
		*o++ = 0;
	}
	return (size_t)(o - out);
}

/* Unescape the label at the front of @key.  Return: bytes of the key taken, or 0. */
static size_t read_label(uint8_t out[64], const uint8_t *key, size_t len)
{
	unsigned size = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = key[i];

		if (c == 0) {
			out[0] = (uint8_t)size;
			return size ? i + 1 : 0;
		}
		if (c == 1) {
			if (++i == len || key[i] < 1 || key[i] > 2)
				return 0;
			c = (uint8_t)(key[i] - 1);
		}
		if (size == LABEL_MAX_BYTES)
			return 0;
		out[++size] = c;
	}
	return 0;
}

size_t key_to_name(uint8_t out[255], const uint8_t *key, size_t len)
{
	uint8_t wire[NAME_MAX_BYTES]; /* filled from the end: the root comes first */
	size_t start = NAME_MAX_BYTES - 1;

	wire[start] = 0;
	while (len) {
		uint8_t label[1 + LABEL_MAX_BYTES];
		size_t taken = read_label(label, key, len);

		if (taken == 0 || 1u + label[0] > start)
			return 0;
		start -= 1u + label[0];
		memcpy(wire + start, label, 1u + label[0]);
		key += taken;
		len -= taken;
	}
	memcpy(out, wire + start, sizeof(wire) - start);
	return sizeof(wire) - start;
}
