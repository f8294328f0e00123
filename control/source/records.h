/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.h - the records of one source as they are read, to be compared with the store.
 *
 *   loader ──records_add()──► records ──records_end()──► sorted RRsets
 *                                          │ records_diff(): whose answers change
 *                                          └ records_commit(): write what differs
 *
 * RRsets keep the order of the input; the same RR twice is one; the TTL of an RRset is
 * the smallest among its RRs (RFC 2181 5.2).  Made for a million records: one arena, and
 * a walk side by side with the store instead of look-ups.
 */
#ifndef LANE53_RECORDS_H
#define LANE53_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "store/store.h"

struct records;

/* Return: 0, -ENOMEM.  *@ret_records goes to records_close(). */
int records_open(struct records **ret_records);
void records_close(struct records *records); /* NULL is allowed */

struct record {
	const uint8_t *owner; /* wire, any case: becomes lower case */
	uint16_t type;
	uint32_t ttl_s;
	const uint8_t *rdata; /* names inside uncompressed */
	uint16_t rdata_len;
	unsigned line; /* of the input; for messages; 0 = none */
};

/* Add one RR, which is copied.  Return: 0, -ENOMEM. */
int records_add(struct records *records, const struct record *record);

/*
 * All are added: sort, and make RRsets.  Before it nothing below may be called, after
 * it no records_add().  Return: 0, -ENOMEM.
 */
int records_end(struct records *records);

size_t records_count(const struct records *records); /* RRs */

/*
 * RRs left out because no message could carry an RRset so large (64 KiB); @ret_owner
 * (wire) gets a name that it happened to, borrowed until the next call.
 */
size_t records_left_out(struct records *records, const uint8_t **ret_owner);

/* How many RRsets had RRs of different TTLs, and the line of one such RR. */
size_t records_ttl_differences(const struct records *records, unsigned *ret_line);

/* The RRset of @owner (wire, any case) and @type; borrowed until the next call. */
bool records_get(struct records *records, const uint8_t *owner, uint16_t type,
		 struct rrset *ret_set);

/*
 * Every RRset, in the store's order; what @each gets is borrowed for the call.  @line is
 * the input's line of the first RR.  @each returns 0 or a negative errno, which ends it.
 * Return: 0 or what @each returned.
 */
int records_each(struct records *records,
		 int (*each)(void *context, const uint8_t *owner,
			     const struct rrset *set, unsigned line),
		 void *context);

/*
 * Compare with what @source has in @read and call @changed once for each owner (wire,
 * lower case, borrowed for the call) that has records added, removed or changed, in
 * canonical order.  @records NULL: as if empty.  @changed returns 0 or a negative errno.
 * Return: 0, -ENOMEM, or what @changed returned.
 */
int records_diff(struct records *records, struct store_read *read, uint32_t source,
		 int (*changed)(void *context, const uint8_t *owner), void *context);

/*
 * Make @source in @write equal to @records (NULL: empty), writing only what differs.
 * Return: 0, -ENOMEM, or what store_put() and store_delete() return.
 */
int records_commit(struct records *records, struct store_write *write, uint32_t source);

#endif
