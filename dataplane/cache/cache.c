/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.c - entries in two pools, their bytes in chained blocks of one size.
 *
 *   bucket ──► entry ──► entry          48 bytes each, hash and life
 *                │
 *                └─ block ──► block     name | TTL offsets | answer
 *
 * Blocks of one size cannot fragment: the budget in bytes is exact and every freed
 * block fits the next answer.  Copying out of a chain costs a hit nothing that copying
 * from one place would not, and nine answers of ten fit one block.
 *
 * A full pool evicts by CLOCK: a hit only sets a bit, so reading hardly writes; the hand
 * takes what is expired or was not read since it last came by.
 */
#include "cache/cache.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "cache/answer.h"
#include "dns/name.h"
#include "lane53/abi.h"

#define NONE UINT32_MAX

/* Most answers (one address, or an SOA) with their name fill it; 256 keeps 4 a page. */
#define BLOCK_BYTES 256

struct block {
	uint32_t next;
	uint8_t bytes[BLOCK_BYTES - 4];
};

#define ENTRY_USED      0x1
#define ENTRY_READ      0x2 /* since the hand came by */
#define ENTRY_PUBLISHED 0x4

struct entry {
	uint64_t hash;
	uint32_t next; /* in its bucket, or in the free list */
	uint32_t block;
	uint32_t stored_s, expires_s;
	uint32_t view;
	uint32_t hits;
	uint16_t len; /* of the answer */
	uint16_t qtype;
	uint16_t flags, ancount, nscount;
	uint8_t ttl_count;
	uint8_t name_len;
	uint8_t key_flags;
	uint8_t state; /* ENTRY_* */
	uint8_t label;
};

struct pool {
	unsigned limit, count;
	uint32_t high; /* entries ever used: base..base+high */
	uint32_t free;
	uint32_t hand;
};

struct cache {
	struct cache_config config;
	struct pool pools[CACHE_KINDS];
	struct entry *entries; /* max_entries of each pool, one behind the other */
	struct block *blocks;
	uint32_t block_count, block_high, block_free, blocks_used;
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t sweep;
	uint64_t evictions;
	struct cache_counts counts[LANE53_LABEL_MAX];
};

static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t entries_bytes(const struct cache *cache)
{
	return (size_t)cache->config.max_entries * CACHE_KINDS * sizeof(struct entry);
}

int cache_open(struct cache **ret_cache, const struct cache_config *config)
{
	struct cache *cache;

	if (!config->max_entries || config->max_entries > UINT32_MAX / 4 ||
	    config->max_bytes < BLOCK_BYTES)
		return -EINVAL;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	cache->config = *config;
	cache->block_count = (uint32_t)(config->max_bytes / BLOCK_BYTES);
	cache->block_free = NONE;
	for (unsigned i = 0; i < CACHE_KINDS; i++)
		cache->pools[i].free = NONE;

	cache->entries = reserve(entries_bytes(cache));
	if (!cache->entries)
		goto err_cache;
	cache->blocks = reserve((size_t)cache->block_count * BLOCK_BYTES);
	if (!cache->blocks)
		goto err_entries;
	*ret_cache = cache;
	return 0;

err_entries:
	munmap(cache->entries, entries_bytes(cache));
err_cache:
	free(cache);
	return -ENOMEM;
}

void cache_close(struct cache *cache)
{
	if (!cache)
		return;
	munmap(cache->blocks, (size_t)cache->block_count * BLOCK_BYTES);
	munmap(cache->entries, entries_bytes(cache));
	free(cache->buckets);
	free(cache);
}

/* ---- blocks ---- */

static uint32_t block_take(struct cache *cache)
{
	uint32_t i = cache->block_free;

	if (i != NONE)
		cache->block_free = cache->blocks[i].next;
	else if (cache->block_high < cache->block_count)
		i = cache->block_high++;
	else
		return NONE;
	cache->blocks[i].next = NONE;
	cache->blocks_used++;
	return i;
}

static void blocks_give(struct cache *cache, uint32_t first)
{
	while (first != NONE) {
		uint32_t next = cache->blocks[first].next;

		cache->blocks[first].next = cache->block_free;
		cache->block_free = first;
		cache->blocks_used--;
		first = next;
	}
}

/* A place in a chain; copying moves it on. */
struct place {
	struct cache *cache;
	uint32_t block;
	uint32_t off;
};

static struct block *block_at(struct place *p)
{
	if (p->off == sizeof(p->cache->blocks->bytes)) {
		p->block = p->cache->blocks[p->block].next;
		p->off = 0;
	}
	return &p->cache->blocks[p->block];
}

static size_t span(const struct place *p, size_t len)
{
	size_t left = sizeof(p->cache->blocks->bytes) - p->off;

	return len < left ? len : left;
}

static void copy_in(struct place *p, const void *src, size_t len)
{
	const uint8_t *from = src;

	while (len > 0) {
		struct block *block = block_at(p);
		size_t n = span(p, len);

		memcpy(block->bytes + p->off, from, n);
		p->off += (uint32_t)n;
		from += n;
		len -= n;
	}
}

static void copy_out(struct place *p, void *dst, size_t len)
{
	uint8_t *to = dst;

	while (len > 0) {
		const struct block *block = block_at(p);
		size_t n = span(p, len);

		memcpy(to, block->bytes + p->off, n);
		p->off += (uint32_t)n;
		to += n;
		len -= n;
	}
}

static size_t payload(const struct entry *entry)
{
	return entry->name_len + entry->ttl_count * sizeof(uint16_t) + entry->len;
}

/* ---- entries ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/*
 * Keyed by a secret, so that nobody can choose names that share a bucket; the whole
 * name is compared anyway, so a collision costs time, never a wrong answer.
 */
static uint64_t hash_of(const struct cache *cache, const struct cache_key *key)
{
	uint64_t h = cache->config.seed ^ 0x9e3779b97f4a7c15ull;
	size_t i = 0;

	for (; i + 8 <= key->qname_len; i += 8) {
		uint64_t word;

		memcpy(&word, key->qname + i, 8);
		h = mix(h ^ word, 0xe7037ed1a0b428dbull ^ cache->config.seed);
	}
	if (i < key->qname_len) {
		uint64_t word = 0;

		memcpy(&word, key->qname + i, key->qname_len - i);
		h = mix(h ^ word, 0x8ebc6af09c88c6e3ull ^ cache->config.seed);
	}
	h ^= (uint64_t)key->view << 32 | (uint64_t)key->qtype << 8 | key->flags;
	return mix(h, 0x589965cc75374cc3ull) ^ key->qname_len;
}

static enum cache_kind kind_of(const struct cache *cache, uint32_t i)
{
	return i < cache->config.max_entries ? CACHE_POSITIVE : CACHE_NEGATIVE;
}

static uint32_t base_of(const struct cache *cache, enum cache_kind kind)
{
	return kind == CACHE_POSITIVE ? 0 : cache->config.max_entries;
}

static bool is_key(struct cache *cache, const struct entry *entry, uint64_t hash,
		   const struct cache_key *key)
{
	struct place p = { cache, entry->block, 0 };
	uint8_t name[255];

	if (entry->hash != hash || entry->view != key->view ||
	    entry->qtype != key->qtype || entry->key_flags != key->flags ||
	    entry->name_len != key->qname_len)
		return false;
	copy_out(&p, name, entry->name_len);
	return memcmp(name, key->qname, entry->name_len) == 0;
}

static uint32_t find(struct cache *cache, uint64_t hash, const struct cache_key *key)
{
	uint32_t i;

	if (!cache->buckets)
		return NONE;
	i = cache->buckets[hash & cache->bucket_mask];
	while (i != NONE && !is_key(cache, &cache->entries[i], hash, key))
		i = cache->entries[i].next;
	return i;
}

static void forget(struct cache *cache, uint32_t i)
{
	struct entry *entry = &cache->entries[i];
	struct pool *pool = &cache->pools[kind_of(cache, i)];
	uint32_t *link = &cache->buckets[entry->hash & cache->bucket_mask];

	while (*link != i)
		link = &cache->entries[*link].next;
	*link = entry->next;
	blocks_give(cache, entry->block);
	cache->counts[entry->label].entries[kind_of(cache, i)]--;
	entry->state = 0;
	entry->next = pool->free;
	pool->free = i;
	pool->count--;
}

/*
 * The hand gives up being fair after this many entries in use: 64 is below 2 us, and
 * by then most of a pool would have to be read between two evictions.
 */
#define HAND_STEPS 64

static bool evict(struct cache *cache, enum cache_kind kind, uint32_t now_s)
{
	struct pool *pool = &cache->pools[kind];
	unsigned seen = 0;

	if (!pool->count)
		return false;
	for (;;) {
		uint32_t i = base_of(cache, kind) + pool->hand;
		struct entry *entry = &cache->entries[i];

		pool->hand = pool->hand + 1 < pool->high ? pool->hand + 1 : 0;
		if (!(entry->state & ENTRY_USED))
			continue;
		if (entry->expires_s > now_s && entry->state & ENTRY_READ &&
		    ++seen < HAND_STEPS) {
			entry->state &= (uint8_t)~ENTRY_READ;
			continue;
		}
		if (entry->expires_s > now_s) {
			cache->evictions++;
			cache->counts[entry->label].evictions[kind]++;
		}
		forget(cache, i);
		return true;
	}
}

static uint32_t entry_take(struct cache *cache, enum cache_kind kind, uint32_t now_s)
{
	struct pool *pool = &cache->pools[kind];
	uint32_t i;

	if (!pool->limit)
		return NONE;
	while (pool->count >= pool->limit)
		evict(cache, kind, now_s);
	i = pool->free;
	if (i != NONE)
		pool->free = cache->entries[i].next;
	else
		i = base_of(cache, kind) + pool->high++;
	pool->count++;
	return i;
}

/* Enough free blocks for @bytes, evicting from @kind first. */
static bool blocks_reserve(struct cache *cache, enum cache_kind kind, size_t bytes,
			   uint32_t now_s)
{
	size_t each = sizeof(cache->blocks->bytes), need = (bytes + each - 1) / each;

	if (need > cache->block_count)
		return false;
	while (cache->block_count - cache->blocks_used < need)
		if (!evict(cache, kind, now_s) && !evict(cache, !kind, now_s))
			return false;
	return true;
}

static uint32_t chain_take(struct cache *cache, size_t bytes)
{
	uint32_t first = block_take(cache), last = first;

	for (size_t have = sizeof(cache->blocks->bytes); have < bytes;
	     have += sizeof(cache->blocks->bytes)) {
		cache->blocks[last].next = block_take(cache);
		last = cache->blocks[last].next;
	}
	return first;
}

/* ---- limits ---- */

static int rehash(struct cache *cache, uint32_t count)
{
	uint32_t *buckets = malloc(count * sizeof(*buckets));

	if (!buckets)
		return -ENOMEM;
	memset(buckets, 0xff, count * sizeof(*buckets));
	for (unsigned kind = 0; kind < CACHE_KINDS; kind++)
		for (uint32_t n = 0; n < cache->pools[kind].high; n++) {
			uint32_t i = base_of(cache, kind) + n;
			struct entry *entry = &cache->entries[i];
			uint32_t *bucket = &buckets[entry->hash & (count - 1)];

			if (!(entry->state & ENTRY_USED))
				continue;
			entry->next = *bucket;
			*bucket = i;
		}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_mask = count - 1;
	return 0;
}

int cache_limit(struct cache *cache, unsigned positive, unsigned negative)
{
	unsigned limits[CACHE_KINDS] = { positive, negative }, sum = 0;
	uint32_t count = 64;

	for (unsigned kind = 0; kind < CACHE_KINDS; kind++) {
		if (limits[kind] > cache->config.max_entries)
			limits[kind] = cache->config.max_entries;
		sum += limits[kind];
	}
	while (count < sum)
		count *= 2;
	if (!cache->buckets || count > cache->bucket_mask + 1) {
		int r = rehash(cache, count);

		if (r < 0)
			return r;
	}
	for (unsigned kind = 0; kind < CACHE_KINDS; kind++) {
		cache->pools[kind].limit = limits[kind];
		while (cache->pools[kind].count > limits[kind])
			evict(cache, kind, 0);
	}
	return 0;
}

/* ---- lookup, insert ---- */

static void age(struct answer *answer, uint32_t age_s)
{
	for (unsigned n = 0; n < answer->ttl_count; n++) {
		uint8_t *at = answer->bytes + answer->ttl_off[n];
		uint32_t ttl = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
			       (uint32_t)at[2] << 8 | at[3];

		ttl = ttl > age_s ? ttl - age_s : 1;
		at[0] = (uint8_t)(ttl >> 24);
		at[1] = (uint8_t)(ttl >> 16);
		at[2] = (uint8_t)(ttl >> 8);
		at[3] = (uint8_t)ttl;
	}
}

static void answer_out(struct cache *cache, const struct entry *entry, uint32_t now_s,
		       struct answer *ret)
{
	struct place p = { cache, entry->block, 0 };
	uint8_t name[255];

	ret->flags = entry->flags;
	ret->ancount = entry->ancount;
	ret->nscount = entry->nscount;
	ret->arcount = 0;
	ret->local = false;
	ret->cacheable = true;
	ret->ttl_s = entry->expires_s - now_s;
	ret->ttl_count = entry->ttl_count;
	ret->len = entry->len;
	copy_out(&p, name, entry->name_len);
	copy_out(&p, ret->ttl_off, entry->ttl_count * sizeof(uint16_t));
	if (ret->len > ret->room)
		return;
	copy_out(&p, ret->bytes, entry->len);
	age(ret, now_s - entry->stored_s);
}

bool cache_lookup(struct cache *cache, const struct cache_key *key, uint32_t now_s,
		  struct answer *ret, struct cache_hit *ret_hit)
{
	uint32_t i = find(cache, hash_of(cache, key), key);
	struct entry *entry = &cache->entries[i];

	if (i == NONE)
		return false;
	if (entry->expires_s <= now_s) {
		forget(cache, i);
		return false;
	}
	if (!(entry->state & ENTRY_READ))
		entry->state |= ENTRY_READ;
	entry->hits++;
	answer_out(cache, entry, now_s, ret);
	*ret_hit = (struct cache_hit){
		.stored_s = entry->stored_s,
		.expires_s = entry->expires_s,
		.hits = entry->hits,
		.published = entry->state & ENTRY_PUBLISHED,
		.ref = i,
	};
	return true;
}

int cache_insert(struct cache *cache, const struct cache_key *key, enum cache_kind kind,
		 const struct answer *answer, uint32_t now_s)
{
	uint64_t hash = hash_of(cache, key);
	uint32_t old = find(cache, hash, key), i;
	struct entry entry = {
		.hash = hash,
		.stored_s = now_s,
		.expires_s = answer->ttl_s < UINT32_MAX - now_s ? now_s + answer->ttl_s
								: UINT32_MAX,
		.view = key->view,
		.len = (uint16_t)answer->len,
		.qtype = key->qtype,
		.flags = answer->flags,
		.ancount = answer->ancount,
		.nscount = answer->nscount,
		.ttl_count = (uint8_t)answer->ttl_count,
		.name_len = (uint8_t)key->qname_len,
		.key_flags = key->flags,
		.state = ENTRY_USED,
		.label = key->label % LANE53_LABEL_MAX,
	};
	struct place p = { cache, NONE, 0 };

	if (old != NONE)
		forget(cache, old);
	if (!answer->ttl_s || answer->arcount || answer->ttl_count > ANSWER_TTLS ||
	    answer->len > UINT16_MAX || !cache->pools[kind].limit ||
	    !blocks_reserve(cache, kind, payload(&entry), now_s))
		return CACHE_REFUSED;

	i = entry_take(cache, kind, now_s);
	entry.block = p.block = chain_take(cache, payload(&entry));
	copy_in(&p, key->qname, key->qname_len);
	copy_in(&p, answer->ttl_off, answer->ttl_count * sizeof(uint16_t));
	copy_in(&p, answer->bytes, answer->len);
	entry.next = cache->buckets[hash & cache->bucket_mask];
	cache->buckets[hash & cache->bucket_mask] = i;
	cache->entries[i] = entry;
	cache->counts[entry.label].entries[kind]++;
	return 0;
}

void cache_mark(struct cache *cache, const struct cache_hit *hit, bool published)
{
	struct entry *entry = &cache->entries[hit->ref];

	if (published)
		entry->state |= ENTRY_PUBLISHED;
	else
		entry->state &= (uint8_t)~ENTRY_PUBLISHED;
}

/* ---- all of them ---- */

/* The next entry in use at or after *@i, over both pools. */
static bool next_used(const struct cache *cache, uint32_t *i)
{
	for (;; ++*i) {
		enum cache_kind kind = kind_of(cache, *i);

		if (*i - base_of(cache, kind) >= cache->pools[kind].high) {
			if (kind == CACHE_NEGATIVE)
				return false;
			*i = base_of(cache, CACHE_NEGATIVE) - 1;
			continue;
		}
		if (cache->entries[*i].state & ENTRY_USED)
			return true;
	}
}

static bool is_wanted(struct cache *cache, const struct entry *entry, uint8_t name[255],
		      const uint8_t *top)
{
	struct place p = { cache, entry->block, 0 };

	copy_out(&p, name, entry->name_len);
	return !top || name_is_below(name, top);
}

unsigned cache_flush(struct cache *cache, uint32_t view, const uint8_t *name)
{
	unsigned count = 0;
	uint8_t owner[255];

	for (uint32_t i = 0; next_used(cache, &i); i++) {
		const struct entry *entry = &cache->entries[i];

		if ((view && entry->view != view) ||
		    !is_wanted(cache, entry, owner, name))
			continue;
		forget(cache, i);
		count++;
	}
	return count;
}

unsigned cache_sweep(struct cache *cache, uint32_t now_s, unsigned max)
{
	unsigned count = 0;

	for (unsigned n = 0; n < max; n++) {
		if (!next_used(cache, &cache->sweep)) {
			cache->sweep = 0;
			break;
		}
		if (cache->entries[cache->sweep].expires_s <= now_s) {
			forget(cache, cache->sweep);
			count++;
		}
		cache->sweep++;
	}
	return count;
}

void cache_unmark_all(struct cache *cache)
{
	for (uint32_t i = 0; next_used(cache, &i); i++) {
		cache->entries[i].state &= (uint8_t)~ENTRY_PUBLISHED;
		cache->entries[i].hits = 0;
	}
}

void cache_each(struct cache *cache, const uint8_t *name, uint32_t now_s,
		bool (*each)(void *context, const struct cache_item *item),
		void *context)
{
	uint8_t owner[255];

	for (uint32_t i = 0; next_used(cache, &i); i++) {
		const struct entry *entry = &cache->entries[i];
		struct cache_item item = {
			.key = { owner, entry->name_len, entry->view, entry->qtype,
				 entry->key_flags, entry->label },
			.ttl_s = entry->expires_s - now_s,
			.flags = entry->flags,
			.ancount = entry->ancount,
			.published = entry->state & ENTRY_PUBLISHED,
		};

		if (entry->expires_s > now_s && is_wanted(cache, entry, owner, name) &&
		    !each(context, &item))
			return;
	}
}

void cache_usage(const struct cache *cache, struct cache_usage *ret)
{
	for (unsigned kind = 0; kind < CACHE_KINDS; kind++)
		ret->entries[kind] = cache->pools[kind].count;
	ret->bytes = (size_t)cache->blocks_used * BLOCK_BYTES;
	ret->evictions = cache->evictions;
}

void cache_take_counts(struct cache *cache, unsigned label, struct cache_counts *ret)
{
	struct cache_counts *counts = &cache->counts[label];

	*ret = *counts;
	memset(counts->evictions, 0, sizeof(counts->evictions));
}
