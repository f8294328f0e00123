/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signed.h - what a query with DO gets of a signed zone beside the records (RFC 4035 3.1):
 * signatures, and NSEC records as proofs of what there is not.
 *
 * Records are used as the zone file has them; nothing is signed here.  A proof that a
 * wildcard was the right one is due in the authority section, while the chain of aliases
 * that used it may go on: it waits until signed_proofs().
 */
#ifndef LANE53_SIGNED_H
#define LANE53_SIGNED_H

#include <stdbool.h>
#include <stdint.h>
#include "respond/build.h"

struct rrset;
struct store_read;

#define SIGNED_WAITING 10 /* names of a chain of aliases: one each */
#define SIGNED_PROVEN  16 /* NSEC records of a response: two a name at the most */

struct signed_part {
	struct build *build;
	struct store_read *read;
	unsigned waiting_count, proven_count;
	struct {
		uint32_t source;
		uint8_t name[255];
	} waiting[SIGNED_WAITING];
	const uint8_t *proven[SIGNED_PROVEN]; /* RDATA of NSECs put: no one twice */
};

void signed_begin(struct signed_part *part, struct build *build,
		  struct store_read *read);

/* The signatures of @type at @node of @source, shown under @owner; with their set's TTL. */
void signed_signatures(struct signed_part *part, enum message_section section,
		       uint32_t source, const uint8_t *node, const uint8_t *owner,
		       uint16_t type, uint32_t ttl_s);

/* All signatures of a name, which were asked for: into the answer section. */
void signed_put_all(struct signed_part *part, const uint8_t *owner,
		    const struct rrset *signatures);

/*
 * Into the authority section: the NSEC of @name, or else the one that covers it, which
 * proves that @name has no more types, that it is an empty non-terminal, or that it does
 * not exist.  A zone without NSECs gives none.
 */
void signed_prove(struct signed_part *part, uint32_t source, const uint8_t *name);

/* As signed_prove(), when the answer section is complete. */
void signed_prove_later(struct signed_part *part, uint32_t source, const uint8_t *name);
void signed_proofs(struct signed_part *part); /* it is */

#endif
