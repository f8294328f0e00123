/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.h - put records into an answer, section by section.
 */
#ifndef LANE53_BUILD_H
#define LANE53_BUILD_H

#include <stdbool.h>
#include <stdint.h>
#include "cache/answer.h"
#include "dns/message.h"

struct rrset;

struct build {
	struct answer *answer;
	struct message_writer writer;
	unsigned ttls; /* written; the answer notes ANSWER_TTLS of them */
};

/*
 * Begin an answer for @qname, which is borrowed, as are answer->bytes and room.  All
 * other fields of @answer but dnssec_ok are reset.
 */
void build_begin(struct build *b, struct answer *answer, const uint8_t *qname);

/* Sections in order: an RR of an earlier section than the last one is a bug. */
void build_rr(struct build *b, enum message_section section,
	      const struct message_rr *rr);
/* Every RR of @set (class IN) under @owner, with @ttl_s. */
void build_rrset(struct build *b, enum message_section section, const uint8_t *owner,
		 const struct rrset *set, uint32_t ttl_s);
/* Every RR in @section of @from, an answer for @qname, behind what is there. */
void build_append(struct build *b, const struct answer *from, const uint8_t *qname,
		  enum message_section section);

/* Return: did all of it fit? */
bool build_end(struct build *b);

/* The TTL field at @at. */
uint32_t ttl_read(const uint8_t *at);
void ttl_write(uint8_t *at, uint32_t ttl_s);

#endif
