/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.c - batches, plans, and the way of one query.
 */
#include "respond/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lane53/abi.h"
#include "lane53/question.h"
#include "lane53/wire.h"
#include "cache/table.h"
#include "dns/name.h"
#include "respond/special.h"
#include "respond/state.h"
#include "store/store.h"
#include "worker/stats.h"

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
		.max_entries = CACHE_ENTRIES_MAX,
		.max_bytes = CACHE_BYTES_MAX,
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
	return cache_limit(engine->cache, success, denial);
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
	if (engine->use && engine->config.publish) {
		table_clear(engine->config.publish);
		cache_unmark_all(engine->cache);
	}
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
		return 0;
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
	commit_id = store_read_commit_id(engine->read);
	if (commit_id == engine->commit_id)
		return 0;
	engine->commit_id = commit_id;
	return load_plan(engine);
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

/* ---- one query ---- */

struct visit {
	struct engine *engine;
	struct query *query;
	struct origin origin;
	struct asked asked;
	uint8_t qname[255]; /* lower case */
	unsigned bits;      /* FLAG_RA of the block */
	enum verdict verdict;
};

/*
 * Each step either goes on (true) or has set the verdict (false).
 */
static bool end(struct visit *v, enum verdict verdict)
{
	v->verdict = verdict;
	return false;
}

static bool answer_with(struct visit *v, unsigned rcode, const struct answer *answer)
{
	return end(v, reply(v->engine, &v->origin, v->query, v->bits | rcode, answer));
}

static bool drop(struct visit *v)
{
	if (v->engine->config.stats)
		stats_add(&v->engine->config.stats->dropped, 1);
	return end(v, VERDICT_DROP);
}

/* Nothing of the question can be relied on: header only. */
static bool answer_header(struct visit *v, const struct question *question,
			  unsigned rcode)
{
	struct worker_stats *stats = v->engine->config.stats;

	v->query->reply_len =
		render_header(v->query->reply, question->id_be, question->flags, rcode);
	if (stats) {
		stats_add(&stats->responses, 1);
		if (rcode == RCODE_FORMERR)
			stats_add(&stats->formerr, 1);
	}
	return end(v, VERDICT_SEND);
}

/* CoreDNS takes one record in Answer and Authority and two in Additional. */
static bool has_few_records(const struct question *question)
{
	return question->ancount <= 1 && question->nscount <= 1 &&
	       question->arcount <= 2;
}

static bool read_question(struct visit *v)
{
	const struct cursor c = { v->query->message,
				  v->query->message + v->query->len };
	struct question question;
	enum question_status status = question_read(&c, &question);

	if (status == QUESTION_SECTIONS) {
		if (!has_few_records(&question))
			return answer_header(v, &question, RCODE_FORMERR);
		status = question_read_rest(&c, &question);
	}
	switch (status) {
	case QUESTION_SHORT:
	case QUESTION_RESPONSE:
		return drop(v);
	case QUESTION_OPCODE:
		return answer_header(v, &question, RCODE_NOTIMP);
	case QUESTION_COUNTS:
	case QUESTION_NAME:
	case QUESTION_EDNS:
		return answer_header(v, &question, RCODE_FORMERR);
	case QUESTION_SECTIONS:
	case QUESTION_OPTIONS:
	case QUESTION_TSIG: /* no key of ours: the client sees an unsigned response */
	case QUESTION_OK:
		break;
	}
	asked_from(&v->asked, v->query->message, &question);
	v->asked.request_bytes = (uint16_t)v->query->len;
	v->asked.tcp = v->query->client.proto == CLIENT_TCP;
	name_lower(v->qname, v->asked.qname);
	if (question.edns.present && question.edns.version != 0)
		return answer_with(v, RCODE_BADVERS, NULL); /* RFC 6891 6.1.3 */
	return true;
}

static bool route(struct visit *v)
{
	const struct plan *plan = engine_plan(v->engine);
	const struct plan_view *view =
		plan ? plan_view_find(plan, v->query->client.view) : NULL;

	if (view)
		v->origin.block = plan_route(plan, view, v->qname, v->asked.qname_len,
					     &v->origin.zone);
	reply_count_query(v->engine, &v->origin);
	if (!plan || !v->engine->read)
		return answer_with(v, RCODE_SERVFAIL, NULL); /* not ready */
	if (!v->origin.block)
		return answer_with(v, RCODE_REFUSED, NULL);
	v->bits = v->origin.block->recursion ? FLAG_RA : 0;
	if (v->asked.qtype == TYPE_AXFR || v->asked.qtype == TYPE_IXFR)
		return answer_with(v, RCODE_REFUSED, NULL);
	return true;
}

static struct answer fresh_answer(struct engine *engine)
{
	return (struct answer){
		.bytes = engine->answer_bytes,
		.room = sizeof(engine->answer_bytes) - DNS_HEADER_BYTES - 255 - 4,
	};
}

static bool answer_from_cache(struct visit *v, const struct forward_question *question,
			      const struct origin *route)
{
	struct engine *engine = v->engine;
	struct worker_stats *stats = engine->config.stats;
	struct cache_key key = {
		.qname = question->qname,
		.qname_len = question->qname_len,
		.view = question->view,
		.qtype = question->qtype,
		.flags = question->flags & (uint8_t)~FORWARD_RD,
	};
	struct stats_label *label =
		stats ? &stats->label[route->zone->label % LANE53_LABEL_MAX] : NULL;
	struct answer answer = fresh_answer(engine);
	uint32_t now_s = engine_now_s(engine);
	struct cache_hit hit;

	if (label)
		stats_add(&label->cache_requests, 1);
	if (!cache_lookup(engine->cache, &key, now_s, &answer, &hit) &&
	    (!publish_refill(engine, &key) ||
	     !cache_lookup(engine->cache, &key, now_s, &answer, &hit)))
		return false;
	if (label)
		stats_add(answer.ancount ? &label->cache_hits_success
					 : &label->cache_hits_denial,
			  1);
	publish_hit(engine, &key, &answer, &hit, route);
	end(v, forward_reply(engine, &v->origin, v->query, question, &answer));
	return true;
}

static void note_probe(struct visit *v)
{
	const struct plan_step *loop =
		special_step(v->origin.block, STEP_LOOP, v->qname);

	if (loop && special_is_probe(loop, v->qname, v->asked.qtype) &&
	    v->engine->config.stats)
		stats_add(&v->engine->config.stats->loop_probes, 1);
}

/* The target of an alias may be another block's: its forward step, its cache. */
static bool route_target(struct visit *v, const uint8_t *sname, struct origin *ret)
{
	const struct plan *plan = engine_plan(v->engine);
	const struct plan_view *view = plan_view_find(plan, v->query->client.view);

	*ret = v->origin;
	if (name_equal(sname, v->qname))
		return true;
	ret->block = plan_route(plan, view, sname, name_size(sname), &ret->zone);
	return ret->block != NULL;
}

static uint8_t key_flags(const struct asked *asked)
{
	return (uint8_t)((asked->dnssec_ok ? LANE53_KEY_DO : 0) |
			 (asked->flags & FLAG_CD ? LANE53_KEY_CD : 0) |
			 (asked->flags & FLAG_RD ? FORWARD_RD : 0));
}

/*
 * Own cache, then upstreams, for @sname: the QNAME or where its aliases lead.
 * False if there is a verdict, true if no forward step takes it.
 */
static bool forward(struct visit *v, const uint8_t *sname)
{
	struct forward_question question = {
		.view = v->query->client.view,
		.qtype = v->asked.qtype,
		.qclass = v->asked.qclass,
		.flags = key_flags(&v->asked),
		.qname_len = (uint8_t)name_size(sname),
	};
	const struct plan_step *step;
	struct origin target;

	note_probe(v);
	if (!route_target(v, sname, &target))
		return true;
	step = forward_step(target.block, sname);
	if (!step)
		return true;
	memcpy(question.qname, sname, question.qname_len);
	if (question.flags & FORWARD_RD && question.qclass == CLASS_IN &&
	    forward_cache(target.block, sname) &&
	    answer_from_cache(v, &question, &target))
		return false;
	switch (forward_ask(v->engine, &v->origin, target.block, step, &question)) {
	case FORWARD_WAITS:
		return end(v, VERDICT_LATER);
	case FORWARD_REFUSED:
		return answer_with(v, RCODE_REFUSED, NULL);
	case FORWARD_FAILED:
		break;
	}
	return answer_with(v, RCODE_SERVFAIL, NULL);
}

/* Classes other than IN: CHAOS is ours, the rest goes upstream or nowhere. */
static bool other_class(struct visit *v)
{
	const struct plan_step *chaos;
	struct answer answer = fresh_answer(v->engine);

	if (v->asked.qclass == CLASS_IN)
		return true;
	chaos = special_step(v->origin.block, STEP_CHAOS, v->qname);
	if (v->asked.qclass == CLASS_CH && chaos &&
	    special_chaos(chaos, v->qname, v->asked.qtype, v->engine->hostname,
			  &answer))
		return answer_with(v, 0, &answer);
	if (!forward(v, v->qname))
		return false;
	return answer_with(v, RCODE_REFUSED, NULL);
}

static bool answer_whoami(struct visit *v)
{
	struct answer answer = fresh_answer(v->engine);

	if (special_step(v->origin.block, STEP_WHOAMI, v->qname) &&
	    special_whoami(&v->query->client, v->qname, &answer))
		return answer_with(v, 0, &answer);
	return answer_with(v, RCODE_SERVFAIL, NULL);
}

static bool answer_in(struct visit *v)
{
	struct answer answer = fresh_answer(v->engine);
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint8_t sname[255];

	switch (engine_answer_local(engine_plan(v->engine), v->engine->read,
				    v->query->client.view, v->qname, v->asked.qtype,
				    &answer, sname, &block, &zone)) {
	case ANSWER_DONE:
		return answer_with(v, 0, &answer);
	case ANSWER_FORWARD:
		break;
	case ANSWER_REFUSED:
		return answer_with(v, RCODE_REFUSED, NULL);
	case ANSWER_FAILED:
		return answer_with(v, RCODE_SERVFAIL, NULL);
	}
	return forward(v, sname) && answer_whoami(v);
}

enum verdict engine_query(struct engine *engine, struct port *port, struct query *query)
{
	struct visit v = {
		.engine = engine,
		.query = query,
		.origin = { .port = port,
			    .client = &query->client,
			    .asked = &v.asked,
			    .start_ns = engine->now_ns },
	};

	if (engine->config.stats)
		stats_add(&engine->config.stats->queries, 1);
	if (read_question(&v) && route(&v) && other_class(&v))
		(void)answer_in(&v);
	return v.verdict;
}

/* ---- time, flush, lists ---- */

static void show_usage(struct engine *engine)
{
	struct worker_stats *stats = engine->config.stats;
	struct cache_usage usage;

	if (!stats)
		return;
	cache_usage(engine->cache, &usage);
	atomic_store_explicit(&stats->cache_entries_success,
			      usage.entries[CACHE_POSITIVE], memory_order_relaxed);
	atomic_store_explicit(&stats->cache_entries_denial,
			      usage.entries[CACHE_NEGATIVE], memory_order_relaxed);
	atomic_store_explicit(&stats->cache_bytes, usage.bytes, memory_order_relaxed);
	atomic_store_explicit(&stats->cache_evictions, usage.evictions,
			      memory_order_relaxed);
}

uint64_t engine_tick(struct engine *engine, uint64_t now_ns)
{
	engine->now_ns = now_ns;
	if (now_ns >= engine->sweep_ns) {
		engine->sweep_ns = now_ns + SWEEP_NS;
		(void)cache_sweep(engine->cache, engine_now_s(engine), SWEEP_COUNT);
		if (engine->config.publish)
			(void)table_sweep(engine->config.publish, engine_now_s(engine),
					  SWEEP_COUNT);
		show_usage(engine);
	}
	return deadlines_run(&engine->deadlines, now_ns, engine);
}

unsigned engine_flush(struct engine *engine, uint32_t view, const uint8_t *name)
{
	unsigned count = cache_flush(engine->cache, view, name);

	forward_spoil(engine, view, name);
	if (engine->config.publish)
		(void)table_retract_below(engine->config.publish, view, name);
	return count;
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
