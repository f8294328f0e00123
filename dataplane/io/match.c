/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match.c - what a response must have in common with its query beyond its addresses.
 */
#include "io/match.h"

#include <string.h>

size_t match_question_length(const uint8_t *query, size_t len)
{
	size_t at = DNS_HEADER_BYTES;

	while (at < len && query[at] && query[at] <= LABEL_MAX_BYTES)
		at += 1u + query[at];
	at += 1 + 4;
	if (at > len || at - DNS_HEADER_BYTES > MATCH_QUESTION_MAX)
		return 0;
	return at - DNS_HEADER_BYTES;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Names compare without case (RFC 4343), type and class as they are. */
static bool question_matches(const uint8_t *ours, size_t len, const uint8_t *got)
{
	size_t name_len = len - 4;

	for (size_t i = 0; i < name_len; i++)
		if (lower(got[i]) != lower(ours[i]))
			return false;
	return !memcmp(got + name_len, ours + name_len, 4);
}

bool match_response(const uint8_t id[2], const uint8_t *question, size_t question_len,
		    const uint8_t *m, size_t len)
{
	if (len < DNS_HEADER_BYTES || memcmp(m, id, 2) || !(m[2] & 0x80))
		return false;
	/* an error may come without the question, from servers that could not read it */
	if (m[4] == 0 && m[5] == 0)
		return (m[3] & FLAG_RCODE) != RCODE_NOERROR;
	return m[4] == 0 && m[5] == 1 && len >= DNS_HEADER_BYTES + question_len &&
	       question_matches(question, question_len, m + DNS_HEADER_BYTES);
}
