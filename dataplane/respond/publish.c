/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.c - from the worker's cache into XDP's, and back after a restart.
 *
 * Admission (ARCHITECTURE 8): what was found in the own cache twice is worth a slot; a
 * first hit is admitted only while tokens last, so a quiet node is fast at once and a
 * flood of names, each asked once or twice, cannot push the popular ones out.
 */
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "cache/table.h"
#include "respond/state.h"
#include "stats/stats.h"

/* Hits that earn a slot without a token. */
#define PUBLISH_HITS 2

/* First hits admitted per second, and saved up for at the most; of all engines. */
#define PUBLISH_TOKENS 64

/* With less life than this left, the slot is written for nothing. */
#define PUBLISH_MIN_S 2

/* This engine's turn to write the table; NULL: nothing is published. */
static struct table *turn_begin(struct engine *engine)
{
	if (engine->config.publish && engine->config.siblings)
		pthread_mutex_lock(&engine->config.siblings->publishing);
	return engine->config.publish;
}

static void turn_end(struct engine *engine)
{
	if (engine->config.publish && engine->config.siblings)
		pthread_mutex_unlock(&engine->config.siblings->publishing);
}

static bool take_token(struct engine *engine)
{
	const uint64_t each_ns = NS_PER_S / engine_part(engine, PUBLISH_TOKENS);
	uint64_t full_ns = engine->now_ns > NS_PER_S ? engine->now_ns - NS_PER_S : 0;

	/* publish_ns is when the tokens not yet used began to be saved up. */
	if (engine->publish_ns < full_ns)
		engine->publish_ns = full_ns;
	if (engine->publish_ns + each_ns > engine->now_ns)
		return false;
	engine->publish_ns += each_ns;
	return true;
}

static void note(struct engine *engine, int r)
{
	struct worker_stats *stats = engine->config.stats;

	if (stats)
		stats_add(r == 0 ? &stats->published : &stats->publish_full, 1);
}

static struct table_key table_key_of(const struct cache_key *key)
{
	return (struct table_key){
		.qname = key->qname,
		.qtype = key->qtype,
		.view = key->view,
		.flags = key->flags,
	};
}

static bool is_publishable(const struct answer *answer)
{
	unsigned rcode = answer->flags & FLAG_RCODE;

	return (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) &&
	       answer->ttl_s >= PUBLISH_MIN_S && answer->len <= answer->room &&
	       answer->ttl_count <= LANE53_BLOB_TTLS;
}

/* What the table would not take is offered again ever more rarely: 1, 2, 4, 8 ... */
static bool is_due(const struct cache_hit *hit)
{
	return (hit->hits & (hit->hits - 1)) == 0;
}

void publish_hit(struct engine *engine, const struct cache_key *key,
		 const struct answer *answer, const struct cache_hit *hit,
		 const struct origin *route)
{
	struct table_key at = table_key_of(key);
	struct answer shown = *answer;
	struct table_meta meta = {
		.stored_s = engine_now_s(engine), /* the TTLs are right now */
		.expires_s = hit->expires_s,
		.label = (uint8_t)route->zone->label,
		.directive = LANE53_BY_CACHE,
		.log = route->block->log != 0,
		.needs_rd = true,
	};
	int r;

	if (!engine->config.publish || !engine->use->plan->publish || hit->published ||
	    !is_due(hit) || !is_publishable(answer))
		return;
	if (hit->hits < PUBLISH_HITS && !take_token(engine)) {
		if (engine->config.stats)
			stats_add(&engine->config.stats->publish_refused_admission, 1);
		return;
	}
	if (route->block->recursion)
		shown.flags |= FLAG_RA;
	r = table_publish(turn_begin(engine), &at, &shown, &meta);
	turn_end(engine);
	note(engine, r);
	if (r == 0)
		cache_mark(engine->cache, hit, true);
}

void publish_replaced(struct engine *engine, const struct cache_key *key)
{
	struct table_key at = table_key_of(key);
	struct table *table = turn_begin(engine);

	if (table)
		(void)table_retract(table, &at);
	turn_end(engine);
}

void publish_clear(struct engine *engine)
{
	struct engine_siblings *siblings = engine->config.siblings;
	struct table *table = turn_begin(engine);

	if (table)
		table_clear(table);
	if (table && siblings)
		engine->clears = ++siblings->clears;
	turn_end(engine);
	if (table)
		cache_unmark_all(engine->cache);
}

void publish_follow(struct engine *engine)
{
	const struct engine_siblings *siblings = engine->config.siblings;
	unsigned clears = siblings ? siblings->clears : 0;

	if (clears == engine->clears)
		return;
	engine->clears = clears;
	cache_unmark_all(engine->cache);
}

unsigned publish_retract_below(struct engine *engine, uint32_t view,
			       const uint8_t *name)
{
	struct table *table = turn_begin(engine);
	unsigned count = table ? table_retract_below(table, view, name) : 0;

	turn_end(engine);
	return count;
}

void publish_sweep(struct engine *engine, unsigned max)
{
	struct table *table = turn_begin(engine);

	if (table)
		(void)table_sweep(table, engine_now_s(engine), max);
	turn_end(engine);
}

/* What the table counts began with its opening; what stats count goes on. */
void publish_show(struct engine *engine)
{
	struct worker_stats *stats = engine->config.stats;
	struct table *table = engine->config.number ? NULL : turn_begin(engine);
	struct table_usage usage;

	if (!table)
		return;
	table_usage(table, &usage);
	turn_end(engine);
	stats_set(&stats->table_slots, usage.slots_used);
	stats_set(&stats->table_small, usage.small_used);
	stats_set(&stats->table_large, usage.large_used);
	stats_add(&stats->table_moved, usage.moved - engine->table_moved);
	stats_add(&stats->table_full, usage.full - engine->table_full);
	engine->table_moved = usage.moved;
	engine->table_full = usage.full;
}

bool publish_refill(struct engine *engine, const struct cache_key *key)
{
	const struct table_arrays *arrays =
		engine->config.publish ? table_arrays_of(engine->config.publish) : NULL;
	struct table_key at = table_key_of(key);
	struct answer answer = {
		.bytes = engine->answer_bytes,
		.room = sizeof(engine->answer_bytes) - DNS_HEADER_BYTES - 255 - 4,
	};
	uint32_t now_s = engine_now_s(engine);
	struct table_meta meta;
	struct cache_hit hit;
	bool negative;

	if (!arrays || table_lookup(arrays, &at, now_s, &answer, &meta) != 0)
		return false;
	if (meta.expires_s <= now_s || meta.expires_s == LANE53_NEVER_EXPIRES)
		return false;
	answer.ttl_s = meta.expires_s - now_s;
	answer.flags &= (uint16_t)~FLAG_RA; /* the block's, added to each reply */
	negative = (answer.flags & FLAG_RCODE) != RCODE_NOERROR || !answer.ancount;
	if (cache_insert(engine->cache, key, negative ? CACHE_NEGATIVE : CACHE_POSITIVE,
			 &answer, now_s))
		return false;
	if (cache_lookup(engine->cache, key, now_s, &answer, &hit))
		cache_mark(engine->cache, &hit, true);
	return true;
}
