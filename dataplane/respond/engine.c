/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.c - opening, batches, plans, time, and lists of what there is.
 */
#include "respond/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lane53/wire.h"
#include "respond/state.h"
#include "store/store.h"
#include "stats/stats.h"

/*
 * Of each pool, and in bytes: what the largest Corefile may ask of one worker.  Address
 * space, not memory: pages that are never used are never there.
 */
#define CACHE_ENTRIES_MAX (1u << 20)
#define CACHE_BYTES_MAX   (512u << 20)

#define MAX_WAITING_DEFAULT 8192

/* Health checks have deadlines too: more upstreams than any Corefile lists. */
#define UPSTREAM_DEADLINES 16384

/* Expired entries are looked for so often, so many at a time: below 10 us each. */
#define SWEEP_NS    (100 * NS_PER_MS)
#define SWEEP_COUNT 256

/* ---- opening and closing ---- */

void plan_use_release(struct plan_use *use)
{
	if (!use || --use->refs)
		return;
	for (unsigned i = 0; i < use->forwarder_count; i++)
		free(use->forwarders[i].upstreams);
	free(use->forwarders);
	plan_free(use->plan);
	free(use);
}

static int open_parts(struct engine *engine)
{
	struct cache_config cache = {
		.max_entries = engine_part(engine, CACHE_ENTRIES_MAX),
		.max_bytes = CACHE_BYTES_MAX / engine_count(engine),
		.seed = engine->config.seed,
	};
	uint32_t waiting = engine->config.max_waiting;
	int r;

	r = cache_open(&engine->cache, &cache);
	if (r == 0)
		r = deadlines_init(&engine->deadlines,
				   waiting * (1 + EXCHANGES_PER_WAITING) +
					   UPSTREAM_DEADLINES);
	if (r == 0)
		r = exchanges_open(engine);
	if (r == 0)
		r = forward_open(engine);
	return r;
}

int engine_open(struct engine **ret_engine, const struct engine_config *config)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return -ENOMEM;
	engine->config = *config;
	if (!engine->config.max_waiting)
		engine->config.max_waiting = MAX_WAITING_DEFAULT;
	engine->random = config->seed;
	if (gethostname(engine->hostname, sizeof(engine->hostname) - 1) < 0)
		strcpy(engine->hostname, "localhost");
	r = open_parts(engine);
	if (r == 0)
		r = engine_batch_begin(engine, 0);
	if (r < 0) {
		engine_close(engine);
		return r;
	}
	engine_batch_end(engine);
	*ret_engine = engine;
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	engine_batch_end(engine);
	forward_close(engine);
	upstreams_close(engine);
	exchanges_close(engine);
	deadlines_deinit(&engine->deadlines);
	cache_close(engine->cache);
	plan_use_release(engine->use);
	free(engine->plan_text);
	free(engine);
}

/* ---- plans ---- */

static unsigned capacity_sum(unsigned sum, unsigned more)
{
	return sum + more < sum ? UINT32_MAX : sum + more;
}

static int limit_cache(struct engine *engine, const struct plan *plan)
{
	unsigned success = 0, denial = 0;

	for (unsigned i = 0; i < plan->block_count; i++) {
		const struct plan_cache *cache = &plan->blocks[i].cache;

		if (!cache->on)
			continue;
		success = capacity_sum(success, cache->success_capacity);
		denial = capacity_sum(denial, cache->denial_capacity);
	}
	return cache_limit(engine->cache, engine_part(engine, success),
			   engine_part(engine, denial));
}

/* Do they differ in more than their number? */
static bool is_other_plan(struct plan *old, const struct plan *plan, const char *text,
			  size_t len)
{
	char *old_text;
	bool other;

	old->generation = plan->generation;
	old_text = plan_encode(old);
	other = !old_text || strlen(old_text) != len || memcmp(old_text, text, len);
	free(old_text);
	return other;
}

static int use_plan(struct engine *engine, struct plan *plan)
{
	struct plan_use *use = calloc(1, sizeof(*use));
	int r;

	if (!use) {
		plan_free(plan);
		return -ENOMEM;
	}
	use->plan = plan;
	use->refs = 1;
	r = upstream_adopt(engine, use);
	if (r == 0)
		r = limit_cache(engine, plan);
	if (r < 0) {
		plan_use_release(use);
		return r;
	}
	/* What XDP shows was labelled, logged and allowed by the plan before. */
	if (engine->use && is_other_plan(engine->use->plan, plan, engine->plan_text,
					 engine->plan_text_len))
		publish_clear(engine);
	plan_use_release(engine->use);
	engine->use = use;
	return 0;
}

static int load_plan(struct engine *engine)
{
	const void *text;
	struct plan *plan;
	char *copy;
	size_t len;
	int r;

	if (!store_meta_get(engine->read, PLAN_KEY, &text, &len))
		return 0;
	if (engine->plan_text && len == engine->plan_text_len &&
	    !memcmp(text, engine->plan_text, len))
		return engine->plan_error;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	free(engine->plan_text); /* also a bad one is not tried twice */
	engine->plan_text = copy;
	engine->plan_text_len = len;
	r = plan_decode(&plan, text, len);
	return r < 0 ? r : use_plan(engine, plan);
}

int engine_batch_begin(struct engine *engine, uint64_t now_ns)
{
	uint64_t commit_id;
	int r;

	engine->now_ns = now_ns;
	if (engine->read)
		return 0;
	r = store_read_begin(engine->config.store, &engine->read);
	if (r < 0) {
		engine->read = NULL;
		return r;
	}
	publish_follow(engine);
	commit_id = store_read_commit_id(engine->read);
	if (commit_id == engine->commit_id)
		return engine->plan_error;
	engine->commit_id = commit_id;
	engine->plan_error = load_plan(engine);
	return engine->plan_error;
}

void engine_batch_end(struct engine *engine)
{
	if (engine->read)
		store_read_end(engine->read);
	engine->read = NULL;
}

const struct plan *engine_plan(const struct engine *engine)
{
	return engine->use ? engine->use->plan : NULL;
}

/* ---- time, flush, lists ---- */

static void show_label(struct engine *engine, unsigned label)
{
	struct worker_stats *stats = engine->config.stats;
	struct stats_label *row = &stats->label[label];
	struct cache_counts counts;

	cache_take_counts(engine->cache, label, &counts);
	for (unsigned kind = 0; kind < CACHE_KINDS; kind++) {
		stats_set(&row->cache_entries[kind], counts.entries[kind]);
		stats_add(&row->cache_evictions[kind], counts.evictions[kind]);
		stats_add(&stats->cache_evictions, counts.evictions[kind]);
	}
}

static void show_usage(struct engine *engine)
{
	struct worker_stats *stats = engine->config.stats;
	struct cache_usage usage;

	if (!stats)
		return;
	cache_usage(engine->cache, &usage);
	stats_set(&stats->cache_entries_success, usage.entries[CACHE_POSITIVE]);
	stats_set(&stats->cache_entries_denial, usage.entries[CACHE_NEGATIVE]);
	stats_set(&stats->cache_bytes, usage.bytes);
	for (unsigned label = 0; label < LANE53_LABEL_MAX; label++)
		show_label(engine, label);
	publish_show(engine);
}

uint64_t engine_tick(struct engine *engine, uint64_t now_ns)
{
	engine->now_ns = now_ns;
	if (now_ns >= engine->sweep_ns) {
		engine->sweep_ns = now_ns + SWEEP_NS;
		(void)cache_sweep(engine->cache, engine_now_s(engine), SWEEP_COUNT);
		publish_sweep(engine, SWEEP_COUNT);
		show_usage(engine);
	}
	return deadlines_run(&engine->deadlines, now_ns, engine);
}

struct engine_flushed engine_flush(struct engine *engine, uint32_t view,
				   const uint8_t *name)
{
	struct engine_flushed flushed = {
		.cached = cache_flush(engine->cache, view, name),
	};

	forward_spoil(engine, view, name);
	/* What is published is in the cache too, but after a restart it is not yet. */
	flushed.published = publish_retract_below(engine, view, name);
	return flushed;
}

struct listing {
	bool (*each)(void *context, const struct engine_cached *cached);
	void *context;
};

static bool list_item(void *context, const struct cache_item *item)
{
	const struct listing *listing = context;
	struct engine_cached cached = {
		.name = item->key.qname,
		.view = item->key.view,
		.ttl_s = item->ttl_s,
		.qtype = item->key.qtype,
		.key_flags = item->key.flags,
		.rcode = item->flags & FLAG_RCODE,
		.published = item->published,
	};

	return listing->each(listing->context, &cached);
}

void engine_cache_each(struct engine *engine, const uint8_t *name, uint64_t now_ns,
		       bool (*each)(void *context, const struct engine_cached *cached),
		       void *context)
{
	struct listing listing = { each, context };

	cache_each(engine->cache, name, (uint32_t)(now_ns / NS_PER_S), list_item,
		   &listing);
}
