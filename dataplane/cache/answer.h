/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * answer.h - an answer without its asker: what respond builds, cache and table keep.
 */
#ifndef LANE53_ANSWER_H
#define LANE53_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_TTLS 64 /* TTL fields noted at the most; more are not aged: not cached */

/*
 * Everything of a response that does not depend on who asked: what stands between the
 * question and the OPT.  Compression pointers are message offsets for this QNAME's
 * length and position.
 */
struct answer {
	uint16_t flags; /* FLAG_AA | FLAG_RA | FLAG_AD as known, and the rcode */
	uint16_t ancount, nscount;
	uint16_t
		arcount; /* glue of a referral, whoami; the OPT apart; never published */
	uint16_t ttl_count;
	uint16_t ttl_off[ANSWER_TTLS]; /* offsets of the TTL fields within bytes */
	uint8_t directive;             /* enum lane53_directive: who answered */
	bool dnssec_ok;                /* set before: the query has DO */
	bool is_signed; /* from a signed zone: with and without DO it differs */
	bool local;     /* from records, not from an upstream */
	uint8_t cause;  /* LANE53_CAUSE_*: why there is none, where a caller asks */
	bool cacheable; /* from an upstream: its TTLs and rcode allow it */
	uint32_t ttl_s; /* shortest life, as clamped by the block's cache limits */
	size_t len;
	size_t room;
	uint8_t *bytes; /* caller's */
};

#endif
