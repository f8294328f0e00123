/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonerecord.c - from an entry's words to owner, TTL, class and type; RDATA is
 * zonerdata.c's.
 */
#include "source/zonerecord.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>
#include <strings.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/zonerdata.h"

#define FORM "expected OWNER [TTL] [IN] TYPE RDATA"

void zonerecord_init(struct zonerecord *z, const uint8_t *origin)
{
	memcpy(z->origin, origin, name_size(origin));
	z->default_ttl_s = ZONERECORD_TTL_S;
	z->has_owner = false;
}

int zonerecord_bad(struct zonetext_problem *problem, const struct zonetext_word *word,
		   const char *text)
{
	problem->line = word->line;
	input_quote(problem->value, word->text);
	snprintf(problem->text, sizeof(problem->text), "%s", text);
	return -EINVAL;
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint32_t unit_seconds(char unit)
{
	switch (unit | 0x20) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	}
	return 0;
}

bool zonerecord_seconds(const char *text, uint32_t *ret_s)
{
	uint64_t sum = 0;

	do {
		uint64_t number = 0;
		uint32_t unit = 1;

		if (!is_digit(*text))
			return false;
		for (; is_digit(*text) && number <= UINT32_MAX; text++)
			number = number * 10 + (uint64_t)(*text - '0');
		if (*text && !is_digit(*text))
			unit = unit_seconds(*text++);
		sum += number * unit;
		if (!unit || sum > UINT32_MAX)
			return false;
	} while (*text);
	*ret_s = (uint32_t)sum;
	return true;
}

/* The number behind @prefix ("TYPE", "CLASS"), -1: it is none, or too large. */
static int32_t numbered(const char *text, const char *prefix)
{
	const size_t len = strlen(prefix);
	int32_t number = 0;

	if (strncasecmp(text, prefix, len) != 0 || !is_digit(text[len]))
		return -1;
	for (text += len; is_digit(*text) && number <= UINT16_MAX; text++)
		number = number * 10 + (*text - '0');
	return *text || number > UINT16_MAX ? -1 : number;
}

uint16_t zonerecord_type(const char *text)
{
	int32_t number;

	/* ldns looks at a hundred names before it comes to the last. */
	if (strcmp(text, "A") == 0)
		return TYPE_A;
	if (strcmp(text, "AAAA") == 0)
		return TYPE_AAAA;
	if (strncasecmp(text, "TYPE", 4) == 0 && is_digit(text[4])) {
		number = numbered(text, "TYPE");
		return number < 0 ? 0 : (uint16_t)number;
	}
	return (uint16_t)ldns_get_rr_type_by_name(text);
}

/* ---- names ---- */

/* Why @text is no name; NULL: it is one. */
static const char *name_trouble(const char *text)
{
	size_t label = 0;

	while (*text) {
		if (*text == '.') {
			if (label == 0 && text[1])
				return "an empty label; expected a domain name";
			label = 0;
			text++;
			continue;
		}
		if (++label > LABEL_MAX_BYTES)
			return "a label of more than 63 bytes; expected a domain name";
		if (*text++ != '\\')
			continue;
		if (!is_digit(*text)) {
			if (!*text++)
				return "nothing behind the \\; expected a domain name";
			continue;
		}
		if (!is_digit(text[1]) || !is_digit(text[2]) ||
		    strncmp(text, "255", 3) > 0)
			return "expected \\000 to \\255";
		text += 3;
	}
	return NULL;
}

static bool is_absolute(const struct zonetext_word *word)
{
	size_t escapes = 0;

	if (word->text[word->len - 1] != '.')
		return false;
	while (escapes + 1 < word->len && word->text[word->len - 2 - escapes] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

size_t zonerecord_name(const struct zonerecord *z, uint8_t out[255],
		       const struct zonetext_word *word,
		       struct zonetext_problem *problem)
{
	const size_t origin_len = name_size(z->origin);
	const char *trouble;
	size_t len;

	if (word->quoted || word->len == 0) {
		zonerecord_bad(problem, word, "expected a domain name without quotes");
		return 0;
	}
	if (word->len == 1 && word->text[0] == '@') {
		memcpy(out, z->origin, origin_len);
		return origin_len;
	}
	len = name_from_text(out, word->text);
	if (len && is_absolute(word))
		return len;
	if (len && len - 1 + origin_len <= NAME_MAX_BYTES) {
		memcpy(out + len - 1, z->origin, origin_len);
		return len - 1 + origin_len;
	}
	trouble = name_trouble(word->text);
	zonerecord_bad(problem, word,
		       trouble ? trouble
			       : "with its origin it is longer than 255 bytes; "
				 "expected a domain name");
	return 0;
}

/* ---- what stands before RDATA ---- */

/* RFC 6895 3.1: of questions and of messages, not of zones. */
static bool is_meta(uint16_t type)
{
	return type == TYPE_OPT || (type >= 128 && type <= 255);
}

static int read_ttl(struct zonerecord *z, const struct zonetext_word *word,
		    struct zonetext_problem *problem)
{
	if (zonerecord_seconds(word->text, &z->ttl_s))
		return 0;
	return zonerecord_bad(problem, word,
			      "expected a TTL of 0 to 2147483647 seconds, or as "
			      "1w2d3h4m5s");
}

/* Return: 1: @word is the class IN; 0: no class; -EINVAL. */
static int read_class(const struct zonetext_word *word,
		      struct zonetext_problem *problem)
{
	const char *text = word->text;

	if (strcasecmp(text, "IN") == 0 || numbered(text, "CLASS") == CLASS_IN)
		return 1;
	if (strcasecmp(text, "CH") != 0 && strcasecmp(text, "HS") != 0 &&
	    numbered(text, "CLASS") < 0)
		return 0;
	return zonerecord_bad(problem, word, "expected class IN");
}

/* TTL and class in either order, each once.  Return: words read, or -EINVAL. */
static int read_ttl_and_class(struct zonerecord *z, const struct zonetext_word *words,
			      unsigned count, struct zonetext_problem *problem)
{
	bool has_ttl = false, has_class = false;
	unsigned at = 0;

	z->ttl_s = z->default_ttl_s;
	for (; at < count && !words[at].quoted; at++) {
		const char *text = words[at].text;
		int r;

		if (!has_ttl && is_digit(text[*text == '-' || *text == '+'])) {
			r = read_ttl(z, &words[at], problem);
			if (r)
				return r;
			has_ttl = true;
			continue;
		}
		r = has_class ? 0 : read_class(&words[at], problem);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		has_class = true;
	}
	return (int)at;
}

static int read_type(struct zonerecord *z, const struct zonetext_word *word,
		     struct zonetext_problem *problem)
{
	z->type = word->quoted ? 0 : zonerecord_type(word->text);
	if (!z->type)
		return zonerecord_bad(problem, word, "not a type of records; " FORM);
	if (is_meta(z->type))
		return zonerecord_bad(problem, word,
				      "a type of questions and messages; expected one "
				      "that a zone can hold");
	return 0;
}

static int read_owner(struct zonerecord *z, const struct zonetext_entry *entry,
		      struct zonetext_problem *problem)
{
	if (!entry->is_indented) {
		z->has_owner = zonerecord_name(z, z->owner, &entry->words[0], problem);
		return z->has_owner ? 0 : -EINVAL;
	}
	if (z->has_owner)
		return 0;
	return zonerecord_bad(problem, &entry->words[0],
			      "it begins with a blank, and no record before it has an "
			      "owner; " FORM);
}

int zonerecord_read(struct zonerecord *z, const struct zonetext_entry *entry,
		    struct zonetext_problem *problem)
{
	const struct zonetext_word *words = entry->words;
	unsigned count = entry->count;
	int r = read_owner(z, entry, problem);

	if (r)
		return r;
	z->line = words[0].line;
	z->address_name = NULL;
	if (!entry->is_indented) {
		words++;
		count--;
	}
	r = read_ttl_and_class(z, words, count, problem);
	if (r < 0)
		return r;
	if ((unsigned)r == count)
		return zonerecord_bad(problem, &words[(int)count - 1],
				      "nothing behind it; " FORM);
	words += r;
	count -= (unsigned)r;
	r = read_type(z, words, problem);
	return r ? r : zonerdata_read(z, words, count, problem);
}
