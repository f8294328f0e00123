/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.c - questions on their way to upstreams, and the clients that wait for them.
 *
 *   client ─┐
 *   client ─┼─► pending ─► exchange ─► upstream      one at a time (forward)
 *   client ─┘          └─► exchange ─► upstream      or all at once (fanout)
 *
 * A pending is one distinct (view, RD, DO, CD, class, type, name): however many clients
 * ask, the upstream is asked once.  Each client keeps its own ID, case, flags and EDNS.
 * Whom to ask is policy.c's.
 *
 * Nothing is answered from within forward_ask(): a query that cannot be asked at all
 * fails by its deadline, set to now, so a port never sees a response to a query that it
 * has not taken back yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "dns/name.h"
#include "respond/build.h"
#include "respond/import.h"
#include "respond/pending.h"
#include "stats/stats.h"

/* ---- pools ---- */

static void pending_due(void *context, struct deadline *deadline);

int forward_open(struct engine *engine)
{
	unsigned count = engine->config.max_waiting, buckets = 64;

	while (buckets < count)
		buckets *= 2;
	engine->pendings = calloc(count, sizeof(*engine->pendings));
	engine->waitings = calloc(count, sizeof(*engine->waitings));
	engine->pending_buckets = calloc(buckets, sizeof(*engine->pending_buckets));
	if (!engine->pendings || !engine->waitings || !engine->pending_buckets)
		return -ENOMEM;
	engine->pending_mask = buckets - 1;
	return 0;
}

void pending_drop_exchanges(struct engine *engine, struct pending *p)
{
	while (p->exchanges) {
		struct exchange *x = p->exchanges;

		p->exchanges = x->next;
		exchange_give(engine, x);
	}
	p->busy = 0;
}

void forward_close(struct engine *engine)
{
	for (uint32_t i = 0; engine->pending_buckets && i <= engine->pending_mask; i++)
		for (struct pending *p = engine->pending_buckets[i]; p; p = p->next) {
			deadline_clear(&engine->deadlines, &p->deadline);
			pending_drop_exchanges(engine, p);
			free(p->held);
			plan_use_release(p->use);
		}
	free(engine->pending_buckets);
	free(engine->pendings);
	free(engine->waitings);
}

static uint64_t hash_of(const struct engine *engine, const struct forward_question *q)
{
	uint64_t h = engine->config.seed ^ (uint64_t)q->view << 32 ^
		     (uint64_t)q->qtype << 16 ^ q->qclass ^ (uint64_t)q->flags << 56;

	for (size_t i = 0; i < q->qname_len; i++)
		h = (h ^ q->qname[i]) * 0x100000001b3ull;
	return h ^ h >> 29;
}

static bool is_same(const struct forward_question *a, const struct forward_question *b)
{
	return a->view == b->view && a->qtype == b->qtype && a->qclass == b->qclass &&
	       a->flags == b->flags && a->qname_len == b->qname_len &&
	       !memcmp(a->qname, b->qname, a->qname_len);
}

static struct pending *find(struct engine *engine, uint64_t hash,
			    const struct forward_question *question,
			    const struct forwarder *forwarder)
{
	struct pending *p = engine->pending_buckets[hash & engine->pending_mask];

	while (p && (p->hash != hash || p->forwarder != forwarder || p->spoiled ||
		     !is_same(&p->question, question)))
		p = p->next;
	return p;
}

static struct pending *pending_take(struct engine *engine, uint64_t hash)
{
	struct pending *p = engine->pending_free;
	struct pending **bucket = &engine->pending_buckets[hash & engine->pending_mask];

	if (p)
		engine->pending_free = p->next;
	else /* never more pendings than who waits */
		p = &engine->pendings[engine->pending_high++];
	*p = (struct pending){ .next = *bucket, .hash = hash };
	*bucket = p;
	p->last = &p->first;
	p->deadline.due = pending_due;
	return p;
}

static void pending_give(struct engine *engine, struct pending *p)
{
	struct pending **link =
		&engine->pending_buckets[p->hash & engine->pending_mask];

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	free(p->held);
	plan_use_release(p->use);
	p->next = engine->pending_free;
	engine->pending_free = p;
}

/* ---- cache and replies ---- */

const struct plan_cache *forward_cache(const struct plan_block *block,
				       const uint8_t *qname)
{
	return block->cache.on && plan_names_cover(&block->cache.zones, qname,
						   name_size(qname))
		       ? &block->cache
		       : NULL;
}

const struct plan_cache *pending_cache(const struct pending *p)
{
	const struct forward_question *q = &p->question;

	return q->flags & FORWARD_RD && q->qclass == CLASS_IN
		       ? forward_cache(p->block, q->qname)
		       : NULL;
}

uint8_t pending_label(const struct pending *p)
{
	const struct plan_name *longest = NULL;
	uint8_t label = 0;

	for (unsigned i = 0; i < p->block->zone_count; i++) {
		const struct plan_zone *zone = &p->block->zones[i];

		if (!name_is_below(p->question.qname, zone->name.wire) ||
		    (longest && longest->len > zone->name.len))
			continue;
		longest = &zone->name;
		label = (uint8_t)zone->label;
	}
	return label;
}

static void keep(struct engine *engine, struct pending *p, const struct answer *answer,
		 enum cache_kind kind)
{
	struct cache_key key = {
		.qname = p->question.qname,
		.qname_len = p->question.qname_len,
		.view = p->question.view,
		.qtype = p->question.qtype,
		.flags = p->question.flags & (uint8_t)~FORWARD_RD,
		.label = pending_label(p),
	};

	if (p->spoiled || !answer->cacheable || !pending_cache(p))
		return;
	(void)cache_insert(engine->cache, &key, kind, answer, engine_now_s(engine));
	publish_replaced(engine, &key);
}

/*
 * The chain from the name asked for to @question, looked up again, with @answer behind.
 * Return: what to reply; NULL: SERVFAIL.
 */
static const struct answer *join_alias(struct engine *engine, const struct asked *asked,
				       const struct forward_question *question,
				       const struct answer *answer, struct answer *ret)
{
	static const enum message_section sections[] = { SECTION_ANSWER,
							 SECTION_AUTHORITY,
							 SECTION_ADDITIONAL };
	struct answer chain = { .bytes = engine->message,
				.room = sizeof(engine->message),
				.dnssec_ok = asked->dnssec_ok };
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint8_t qname[255], sname[255];
	enum answer_result result;
	struct build b;
	bool goes_on;

	if (!engine->read || (answer->flags & FLAG_RCODE) == RCODE_SERVFAIL)
		return NULL;
	name_lower(qname, asked->qname);
	result = engine_answer_local(engine->use->plan, engine->read, question->view,
				     qname, asked->qtype, &chain, sname, &block, &zone);
	*ret = (struct answer){
		.bytes = engine->joined_bytes,
		.room = sizeof(engine->joined_bytes) - DNS_HEADER_BYTES - 255 - 4,
		.dnssec_ok = asked->dnssec_ok,
	};
	goes_on = result == ANSWER_FORWARD && name_equal(sname, question->qname);
	if (!goes_on && result != ANSWER_DONE)
		return NULL; /* the records changed meanwhile */
	build_begin(&b, ret, qname);
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		build_append(&b, &chain, qname, sections[i]);
		if (goes_on)
			build_append(&b, answer, question->qname, sections[i]);
	}
	ret->flags = chain.flags;
	if (goes_on)
		ret->flags |= answer->flags & FLAG_RCODE;
	ret->directive = chain.directive;
	return build_end(&b) ? ret : NULL;
}

enum verdict forward_reply(struct engine *engine, const struct origin *origin,
			   struct query *query, const struct forward_question *question,
			   const struct answer *answer)
{
	unsigned bits = origin->block->recursion ? FLAG_RA : 0;
	struct answer joined;
	struct origin from;

	if (!name_equal(origin->asked->qname, question->qname)) {
		static const struct lane53_failure broken = {
			.cause = LANE53_CAUSE_ALIAS
		};
		const bool had_answer = (answer->flags & FLAG_RCODE) != RCODE_SERVFAIL;

		answer = join_alias(engine, origin->asked, question, answer, &joined);
		if (!answer)
			bits |= RCODE_SERVFAIL;
		if (!answer && had_answer) {
			from = *origin;
			from.failure = &broken;
			origin = &from;
		}
	}
	return reply(engine, origin, query, bits, answer);
}

static void count_waiting(struct engine *engine)
{
	if (engine->config.stats)
		atomic_store_explicit(&engine->config.stats->waiting,
				      engine->waiting_count, memory_order_relaxed);
}

static void answer_all(struct engine *engine, struct pending *p,
		       const struct answer *answer)
{
	const bool failed = (answer->flags & FLAG_RCODE) == RCODE_SERVFAIL;

	if (p->all_down)
		p->failure.flags = LANE53_FAILURE_ALL_DOWN;
	while (p->first) {
		struct waiting *w = p->first;
		struct origin origin = {
			.port = w->port,
			.client = &w->client,
			.asked = &w->asked,
			.block = w->block,
			.zone = w->zone,
			.label = w->label,
			.failure = failed ? &p->failure : NULL,
			.start_ns = w->start_ns,
		};

		p->first = w->next;
		forward_reply(engine, &origin, NULL, &p->question, answer);
		w->next = engine->waiting_free;
		engine->waiting_free = w;
		engine->waiting_count--;
		p->forwarder->waiting--;
	}
	count_waiting(engine);
}

void pending_note(struct exchange *x, enum lane53_cause cause, int error)
{
	const struct plan_upstream *at = upstream_at(x->upstream);

	x->pending->failure = (struct lane53_failure){
		.port = at->remote.port,
		.proto = x->tcp ? CLIENT_TCP : CLIENT_UDP,
		.cause = (__u8)cause,
		.number = (__u32)-error,
	};
	memcpy(x->pending->failure.upstream, at->remote.addr, 16);
}

void pending_finish(struct engine *engine, struct pending *p,
		    const struct answer *answer, enum cache_kind kind)
{
	deadline_clear(&engine->deadlines, &p->deadline);
	pending_drop_exchanges(engine, p);
	keep(engine, p, answer, kind);
	answer_all(engine, p, answer);
	pending_give(engine, p);
}

void pending_finish_without(struct engine *engine, struct pending *p)
{
	struct answer failure = { .bytes = engine->answer_bytes };

	if (p->held) {
		pending_finish(engine, p, &p->held->answer, p->held->kind);
		return;
	}
	if (!p->failure.cause && p->exchanges)
		pending_note(p->exchanges, LANE53_CAUSE_IO, -ETIMEDOUT);
	if (!p->failure.cause)
		p->failure.cause = LANE53_CAUSE_NO_UPSTREAM;
	import_failure(pending_cache(p), &failure);
	pending_finish(engine, p, &failure, CACHE_NEGATIVE);
}

static void pending_due(void *context, struct deadline *deadline)
{
	pending_finish_without(context, (void *)((char *)deadline -
						 offsetof(struct pending, deadline)));
}

/* ---- asking ---- */

const struct plan_step *forward_step(const struct plan_block *block,
				     const uint8_t *qname)
{
	size_t len = name_size(qname);

	for (unsigned i = 0; i < block->step_count; i++) {
		const struct plan_step *step = &block->steps[i];

		if (step->kind != STEP_FORWARD ||
		    !plan_names_cover(&step->zones, qname, len))
			continue;
		if (!step->forward->except.count ||
		    !plan_names_cover(&step->forward->except, qname, len))
			return step;
	}
	return NULL;
}

static struct forwarder *forwarder_of(struct plan_use *use,
				      const struct plan_step *step)
{
	for (unsigned i = 0; i < use->forwarder_count; i++)
		if (use->forwarders[i].plan == step->forward)
			return &use->forwarders[i];
	return NULL;
}

static void wait_for(struct engine *engine, struct pending *p,
		     const struct origin *origin)
{
	struct waiting *w = engine->waiting_free;

	if (w)
		engine->waiting_free = w->next;
	else
		w = &engine->waitings[engine->waiting_high++];
	*w = (struct waiting){
		.port = origin->port,
		.client = *origin->client,
		.asked = *origin->asked,
		.block = origin->block,
		.zone = origin->zone,
		.label = origin->label,
		.start_ns = origin->start_ns,
	};
	*p->last = w;
	p->last = &w->next;
	engine->waiting_count++;
	p->forwarder->waiting++;
	count_waiting(engine);
}

enum forward_result forward_ask(struct engine *engine, const struct origin *origin,
				const struct plan_block *block,
				const struct plan_step *step,
				const struct forward_question *question)
{
	struct forwarder *f = forwarder_of(engine->use, step);
	uint64_t hash = hash_of(engine, question);
	struct pending *p;

	if (!engine->config.transport || !f ||
	    engine->waiting_count >= engine->config.max_waiting)
		return FORWARD_FAILED;
	if (f->plan->max_concurrent &&
	    f->waiting >= engine_part(engine, f->plan->max_concurrent)) {
		if (engine->config.stats)
			stats_add(&engine->config.stats->max_concurrent, 1);
		return FORWARD_REFUSED;
	}
	p = find(engine, hash, question, f);
	if (p) {
		wait_for(engine, p, origin);
		if (engine->config.stats)
			stats_add(&engine->config.stats->coalesced, 1);
		return FORWARD_WAITS;
	}
	p = pending_take(engine, hash);
	p->question = *question;
	p->use = engine->use;
	p->use->refs++;
	p->forwarder = f;
	p->block = block;
	wait_for(engine, p, origin);
	policy_start(engine, p);
	return FORWARD_WAITS;
}

void forward_spoil(struct engine *engine, uint32_t view, const uint8_t *name)
{
	for (uint32_t i = 0; i <= engine->pending_mask; i++)
		for (struct pending *p = engine->pending_buckets[i]; p; p = p->next)
			if ((!view || view == p->question.view) &&
			    (!name || name_is_below(p->question.qname, name)))
				p->spoiled = true;
}
