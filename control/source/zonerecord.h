/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonerecord.h - one record in presentation form (RFC 1035 5.1, RFC 3597 5):
 * OWNER [TTL] [CLASS] TYPE RDATA, TTL and class in either order.
 */
#ifndef LANE53_ZONERECORD_H
#define LANE53_ZONERECORD_H

#include <stdbool.h>
#include <stdint.h>
#include "source/zonetext.h"

#define ZONERECORD_TTL_S   3600 /* of a record without a TTL where there is no $TTL */
#define ZONERECORD_TTL_MAX 0x7fffffffu /* a larger one is 0: RFC 2181 8 */

struct zonerecord {
	/* what holds for the entries that come */
	uint8_t origin[255]; /* of names without a dot at the end */
	uint32_t default_ttl_s;

	/* of the entry that was read */
	uint8_t owner[255]; /* as written; kept for entries without one */
	bool has_owner;     /* there has been one */
	uint16_t type;
	uint32_t ttl_s;
	unsigned line;
	uint16_t rdata_len;
	uint8_t rdata[65535]; /* names uncompressed */
	/* A relative name that reads as an IPv4 address: as a rule it is meant as one. */
	const struct zonetext_word
		*address_name; /* borrowed from the entry; NULL: none */
};

/* Names are relative to @origin (wire). */
void zonerecord_init(struct zonerecord *record, const uint8_t *origin);

/*
 * Read @entry, a record of class IN and of a type that a zone can hold.
 * Return: 0, -EINVAL (@problem), -ENOMEM.
 */
int zonerecord_read(struct zonerecord *record, const struct zonetext_entry *entry,
		    struct zonetext_problem *problem);

/* A name as @word has it.  Return: its length, or 0 (@problem). */
size_t zonerecord_name(const struct zonerecord *record, uint8_t out[255],
		       const struct zonetext_word *word,
		       struct zonetext_problem *problem);

/* Seconds as in 3600 or 1w2d3h4m5s.  Return: is @text that, below 2^32? */
bool zonerecord_seconds(const char *text, uint32_t *ret_s);

/* The number of a type's name or TYPEn, 0: it is none. */
uint16_t zonerecord_type(const char *text);

#endif
