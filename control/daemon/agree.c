/* SPDX-License-Identifier: BSD-3-Clause */
/* agree.c - see agree.h. */
#include "agree.h"

#include <stdlib.h>
#include <string.h>

/* "owner TTL rest" without its TTL; allocated. */
static char *without_ttl(const char *rr)
{
	const char *ttl = strchr(rr, ' ');
	const char *rest = ttl ? strchr(ttl + 1, ' ') : NULL;
	char *out;

	if (!rest)
		return strdup(rr);
	out = malloc((size_t)(ttl - rr) + strlen(rest) + 1);
	if (out) {
		memcpy(out, rr, (size_t)(ttl - rr));
		strcpy(out + (ttl - rr), rest);
	}
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The RRs of @list as one text, sorted; allocated. */
static char *as_set(const json_t *list)
{
	size_t count = json_array_size(list), bytes = 1;
	char **rrs = calloc(count + 1, sizeof(*rrs)), *out;

	for (size_t i = 0; i < count; i++) {
		rrs[i] = without_ttl(json_string_value(json_array_get(list, i)));
		bytes += strlen(rrs[i]) + 1;
	}
	qsort(rrs, count, sizeof(*rrs), by_text);
	out = calloc(1, bytes);
	for (size_t i = 0; i < count; i++) {
		strcat(strcat(out, rrs[i]), "\n");
		free(rrs[i]);
	}
	free(rrs);
	return out;
}

static bool same_set(const json_t *a, const json_t *b, const char *key)
{
	char *x = as_set(json_object_get(a, key)), *y = as_set(json_object_get(b, key));
	bool same = !strcmp(x, y);

	free(x);
	free(y);
	return same;
}

static bool same(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "rcode"), json_object_get(b, "rcode")) &&
	       json_equal(json_object_get(a, "flags"), json_object_get(b, "flags")) &&
	       same_set(a, b, "answers") && same_set(a, b, "authority");
}

bool results_agree(const json_t *results)
{
	const json_t *first = NULL;

	for (size_t i = 0; i < json_array_size(results); i++) {
		const json_t *result = json_array_get(results, i);

		if (!json_object_get(result, "path"))
			continue;
		if (first && !same(first, result))
			return false;
		if (!first)
			first = result;
	}
	return first != NULL;
}
