/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - write and read the answer tables that XDP reads (lane53/abi.h).
 *
 * A table is three mmapable BPF arrays (slots, small blobs, large blobs) and, for
 * `cache`, a fourth with the names.  It is filled through memory, without a system
 * call.  Tests and benchmarks use plain memory instead of maps.
 *
 * One writer per table; what the writer keeps beside the arrays (free lists) is rebuilt
 * from them by table_open(), so a restarted writer goes on where the last one stopped.
 */
#ifndef LANE53_TABLE_H
#define LANE53_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lane53/abi.h"

struct answer;
struct table;

/* The arrays; LANE53_SLOTS_MIN slots at the least, any number of blobs. Borrowed. */
struct table_arrays {
	struct lane53_slot *slots;
	uint32_t slot_count;
	struct lane53_small *small;
	uint32_t small_count;
	struct lane53_large *large;
	uint32_t large_count;
	struct lane53_cached_name *names; /* NULL for `local` */
	const uint32_t *secret;           /* LANE53_SECRET_WORDS */
};

/* What identifies an answer. */
struct table_key {
	const uint8_t *qname; /* wire, any case */
	uint16_t qtype;
	uint32_t view;
	uint8_t flags; /* LANE53_KEY_* */
};

/* How it is to be shown; the rest comes from struct answer. */
struct table_meta {
	uint32_t stored_s, expires_s; /* CLOCK_MONOTONIC; LANE53_NEVER_EXPIRES */
	uint8_t label;
	uint8_t directive; /* enum lane53_directive */
	bool log;
	bool needs_rd;
	bool no_do; /* a query with DO has another answer */
};

enum { TABLE_FULL = 1, TABLE_TOO_LARGE = 2, TABLE_ABSENT = 3 };

/* Take over the arrays as their one writer. Return: 0, -ENOMEM, -EINVAL (counts). */
int table_open(struct table **ret_table, const struct table_arrays *arrays);
void table_close(struct table *table);

/*
 * Publish; replaces what the key had.  Entries in the way are moved within their
 * neighbourhoods.
 * Return: 0; TABLE_FULL (no slot in reach, or no blob left: rebuild larger, or leave it
 * to the lane); TABLE_TOO_LARGE (does not fit a blob, too many TTLs, name too long).
 * On both the key is absent afterwards: never an old answer.
 */
int table_publish(struct table *table, const struct table_key *key,
		  const struct answer *answer, const struct table_meta *meta);

/* Return: 0 or TABLE_ABSENT. */
int table_retract(struct table *table, const struct table_key *key);

/* Everything at and below @name (NULL = all) in @view (0 = all). Needs names. */
unsigned table_retract_below(struct table *table, uint32_t view, const uint8_t *name);

/* Everything, names or not. */
void table_clear(struct table *table);

/* Free what expired before @now_s, looking at @max slots from where the last call
 * stopped.  Return: how many were freed. */
unsigned table_sweep(struct table *table, uint32_t now_s, uint32_t max);

/*
 * Read as XDP does (same code, lane53/table.h): also how a restarted worker finds what
 * it had cached.  TTLs in ret->bytes are aged to @now_s.  ret->bytes/room: caller's.
 * Return: 0, TABLE_ABSENT (also: expired, torn).
 */
int table_lookup(const struct table_arrays *arrays, const struct table_key *key,
		 uint32_t now_s, struct answer *ret, struct table_meta *ret_meta);

/* Slots for @answers at a load of 7/10: one in 1,000 finds none (test_table). */
static inline uint32_t table_slots_for(uint32_t answers)
{
	return (uint32_t)((uint64_t)answers * 10 / 7) + LANE53_SLOTS_MIN;
}

/* How large a table is to be; 0 blobs = a share of the slots. */
struct table_room {
	uint32_t slots, small, large;
};

struct table_usage {
	uint32_t slots, slots_used, small_used, large_used;
	uint32_t small_refused,
		large_refused; /* since it was opened: no blob was free */
	uint64_t published, retracted, moved, full;
};
/* The arrays it was opened with: borrowed, for table_lookup(). */
const struct table_arrays *table_arrays_of(const struct table *table);

void table_usage(const struct table *table, struct table_usage *ret);

#endif
