/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name.c - domain names in wire format.
 */
#include "dns/name.h"

#include <stdio.h>
#include <string.h>

#include "lane53/wire.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

size_t name_length(const uint8_t *wire, size_t room)
{
	size_t off = 0;

	while (off < room && off < NAME_MAX_BYTES) {
		uint8_t len = wire[off];

		if (len == 0)
			return off + 1;
		if (len > LABEL_MAX_BYTES)
			return 0;
		off += 1u + len;
	}
	return 0;
}

size_t name_size(const uint8_t *name)
{
	size_t off = 0;

	while (name[off])
		off += 1u + name[off];
	return off + 1;
}

/* One character of presentation form; moves *text.  Return: false if it is not one. */
static bool take_character(const char **text, uint8_t *ret_c)
{
	const char *t = *text;
	unsigned value = 0;

	if (*t != '\\') {
		*ret_c = (uint8_t)*t;
		*text = t + 1;
		return true;
	}
	t++;
	if (*t < '0' || *t > '9') {
		if (!*t)
			return false;
		*ret_c = (uint8_t)*t;
		*text = t + 1;
		return true;
	}
	for (int i = 0; i < 3; i++) {
		if (t[i] < '0' || t[i] > '9')
			return false;
		value = value * 10 + (unsigned)(t[i] - '0');
	}
	if (value > 255)
		return false;
	*ret_c = (uint8_t)value;
	*text = t + 3;
	return true;
}

size_t name_from_text(uint8_t out[255], const char *text)
{
	uint8_t wire[NAME_MAX_BYTES];
	size_t start = 0, off = 1;

	if (!*text)
		return 0;
	if (strcmp(text, ".") == 0) {
		out[0] = 0;
		return 1;
	}
	while (*text) {
		if (*text == '.') {
			if (off == start + 1)
				return 0; /* an empty label */
			wire[start] = (uint8_t)(off - start - 1);
			start = off++;
			text++;
			continue;
		}
		/* Leave room for the root label. */
		if (off >= NAME_MAX_BYTES - 1 || off - start > LABEL_MAX_BYTES)
			return 0;
		if (!take_character(&text, &wire[off]))
			return 0;
		off++;
	}
	if (off > start + 1) {
		wire[start] = (uint8_t)(off - start - 1);
		start = off;
	}
	wire[start] = 0;
	memcpy(out, wire, start + 1);
	return start + 1;
}

size_t name_to_text(char *out, const uint8_t *name)
{
	char *o = out;

	if (!*name)
		*o++ = '.';
	while (*name) {
		for (unsigned i = 1; i <= *name; i++) {
			uint8_t c = name[i];

			if (c <= ' ' || c >= 127) {
				*o++ = '\\';
				*o++ = (char)('0' + c / 100);
				*o++ = (char)('0' + c / 10 % 10);
				*o++ = (char)('0' + c % 10);
				continue;
			}
			if (strchr(".\\\"()@;$", c))
				*o++ = '\\';
			*o++ = (char)c;
		}
		*o++ = '.';
		name += 1u + *name;
	}
	*o = 0;
	return (size_t)(o - out);
}

void name_lower(uint8_t *out, const uint8_t *name)
{
	size_t size = name_size(name);

	/* Length bytes are below 64, so they are never letters. */
	for (size_t i = 0; i < size; i++)
		out[i] = lower(name[i]);
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t i = 0;

	for (;;) {
		unsigned len = a[i];

		if (len != b[i])
			return false;
		if (len == 0)
			return true;
		for (i++; len; len--, i++)
			if (lower(a[i]) != lower(b[i]))
				return false;
	}
}

unsigned name_label_count(const uint8_t *name)
{
	unsigned count = 0;

	for (; *name; name += 1u + *name)
		count++;
	return count;
}

const uint8_t *name_parent(const uint8_t *name)
{
	return name + (*name ? 1u + *name : 0);
}

bool name_is_below(const uint8_t *name, const uint8_t *top)
{
	unsigned have = name_label_count(name), want = name_label_count(top);

	if (have < want)
		return false;
	for (; have > want; have--)
		name = name_parent(name);
	return name_equal(name, top);
}

/* Offsets of the labels, leftmost first.  Return: how many. */
static unsigned label_offsets(uint8_t offsets[128], const uint8_t *name)
{
	unsigned count = 0;

	for (size_t off = 0; name[off]; off += 1u + name[off])
		offsets[count++] = (uint8_t)off;
	return count;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	unsigned shorter = *a < *b ? *a : *b;

	for (unsigned i = 1; i <= shorter; i++) {
		int difference = lower(a[i]) - lower(b[i]);

		if (difference)
			return difference;
	}
	return (int)*a - (int)*b;
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t at[128], bt[128];
	unsigned an = label_offsets(at, a), bn = label_offsets(bt, b);

	while (an && bn) {
		int order = label_compare(a + at[--an], b + bt[--bn]);

		if (order)
			return order;
	}
	return (int)an - (int)bn;
}

size_t name_of_address(uint8_t out[255], const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const char hex[] = "0123456789abcdef";
	uint8_t *o = out;

	if (memcmp(addr, mapped, sizeof(mapped)) == 0) {
		for (int i = 15; i >= 12; i--) {
			char digits[4];
			int len = snprintf(digits, sizeof(digits), "%u", addr[i]);

			*o++ = (uint8_t)len;
			memcpy(o, digits, (size_t)len);
			o += len;
		}
		memcpy(o, "\7in-addr\4arpa", 14);
		return (size_t)(o - out) + 14;
	}
	for (int i = 15; i >= 0; i--) {
		*o++ = 1;
		*o++ = (uint8_t)hex[addr[i] & 15];
		*o++ = 1;
		*o++ = (uint8_t)hex[addr[i] >> 4];
	}
	memcpy(o, "\3ip6\4arpa", 10);
	return (size_t)(o - out) + 10;
}
