/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * import.h - from an upstream's message to an answer of ours.
 *
 * Records are decompressed and written again behind our question; what we never show is
 * left out (Additional, an Authority that proves nothing); TTLs come out as the block's
 * `cache` directive clamps them.
 */
#ifndef LANE53_IMPORT_H
#define LANE53_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cache/cache.h"

struct answer;
struct plan_cache;

struct import_question {
	const uint8_t *qname; /* wire, lower case */
	uint16_t qtype, qclass;
	bool dnssec_ok;
	const struct plan_cache *cache; /* NULL: not to be cached, TTLs as they are */
};

enum import_result {
	IMPORT_DONE,
	IMPORT_TRUNCATED,  /* TC=1: ask again over TCP */
	IMPORT_NO_EDNS,    /* FORMERR without OPT: ask again without (RFC 6891 7) */
	IMPORT_MISMATCHED, /* not a response to this question */
	IMPORT_MALFORMED,
};

/*
 * On IMPORT_DONE fills @ret (bytes and room are the caller's) and, if ret->cacheable,
 * @ret_kind.
 */
enum import_result import_response(const struct import_question *question,
				   const uint8_t *message, size_t len,
				   struct answer *ret, enum cache_kind *ret_kind);

/* A resolution failure as an answer (RFC 9520): SERVFAIL, kept for failure_s. */
void import_failure(const struct plan_cache *cache, struct answer *ret);

#endif
