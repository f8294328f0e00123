/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.h - the worker's own cache of upstream answers.
 *
 * A key is (view, DO, CD, qtype, lower-case QNAME); an entry is a whole answer, TTLs
 * aged on the way out, each by itself.  Two pools with a limit of their own, so that a
 * flood of names that do not exist cannot evict those that do; both take memory from
 * one budget.
 *
 * All memory is reserved by cache_open() and touched only when used: no call below
 * allocates, but cache_limit() when the limits grow.
 *
 * Time is CLOCK_MONOTONIC in whole seconds, the clock of XDP's `cache` table: both show
 * the same TTL for the same answer at the same moment.
 */
#ifndef LANE53_CACHE_H
#define LANE53_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer;
struct cache;

struct cache_config {
	unsigned max_entries; /* of one pool, whatever cache_limit() says */
	size_t max_bytes;     /* of names and answers */
	uint64_t seed;        /* random: keys the hash */
};

struct cache_key {
	const uint8_t *qname; /* wire, lower case */
	size_t qname_len;
	uint32_t view;
	uint16_t qtype;
	uint8_t flags; /* LANE53_KEY_* */
	uint8_t label; /* no part of the key: whose entry it is, < LANE53_LABEL_MAX */
};

/* Negative: NXDOMAIN, NODATA and resolution failures. */
enum cache_kind { CACHE_POSITIVE, CACHE_NEGATIVE, CACHE_KINDS };

struct cache_hit {
	uint32_t stored_s, expires_s;
	uint32_t hits; /* this one included */
	bool published;
	uint32_t ref; /* for cache_mark(), until the next insert, limit or flush */
};

/*
 * Open an empty cache; its limits are 0 until cache_limit().
 * Return: 0, -EINVAL (a zero in @config), -ENOMEM.
 */
int cache_open(struct cache **ret_cache, const struct cache_config *config);
void cache_close(struct cache *cache);

/*
 * Entries allowed from now on, clipped to max_entries; surplus ones are evicted.
 * Return: 0, -ENOMEM (the old limits stay).
 */
int cache_limit(struct cache *cache, unsigned positive, unsigned negative);

/*
 * Find a fresh answer.  Fills @ret but for bytes and room, which are the caller's; the
 * answer is copied to ret->bytes with its TTLs aged, if ret->len <= ret->room.
 * Return: found?
 */
bool cache_lookup(struct cache *cache, const struct cache_key *key, uint32_t now_s,
		  struct answer *ret, struct cache_hit *ret_hit);

enum { CACHE_REFUSED = 1 };

/*
 * Keep a copy of @answer for answer->ttl_s from @now_s on, instead of what @key had;
 * whatever is in the way is evicted.
 * Return: 0; CACHE_REFUSED: this pool has no room at all, TTL 0, an additional section,
 * more than ANSWER_TTLS TTLs.  Then @key is absent.
 */
int cache_insert(struct cache *cache, const struct cache_key *key, enum cache_kind kind,
		 const struct answer *answer, uint32_t now_s);

/* Note that XDP has the answer of @hit, or has it no more. */
void cache_mark(struct cache *cache, const struct cache_hit *hit, bool published);
/* XDP has none of them any more; their hits count anew. */
void cache_unmark_all(struct cache *cache);

/* Forget at and below @name (wire, any case; NULL = all) in @view (0 = all). */
unsigned cache_flush(struct cache *cache, uint32_t view, const uint8_t *name);

/* Give back up to @max expired entries, going on where the last call stopped. */
unsigned cache_sweep(struct cache *cache, uint32_t now_s, unsigned max);

struct cache_item {
	struct cache_key key;
	uint32_t ttl_s; /* left */
	uint16_t flags, ancount;
	bool published;
};

/* Every fresh entry at and below @name (NULL = all); @each returns false to stop. */
void cache_each(struct cache *cache, const uint8_t *name, uint32_t now_s,
		bool (*each)(void *context, const struct cache_item *item),
		void *context);

struct cache_usage {
	unsigned entries[CACHE_KINDS];
	size_t bytes; /* of blocks in use */
	uint64_t evictions;
};
void cache_usage(const struct cache *cache, struct cache_usage *ret);

/* Of the entries inserted under one label. */
struct cache_counts {
	unsigned entries[CACHE_KINDS];
	uint64_t evictions[CACHE_KINDS]; /* since they were asked for last */
};
void cache_take_counts(struct cache *cache, unsigned label, struct cache_counts *ret);

#endif
