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
#include "respond/state.h"
#include "worker/stats.h"

/* fanout takes 100 upstreams at the most; those beyond this number are never asked. */
#define UPSTREAMS_MAX 128

/* fanout's pause before it asks the same upstream again. */
#define PAUSE_NS (100 * NS_PER_MS)

/* `attempts 0` of a forward that asks one after the other: CoreDNS's 2x upstreams. */
#define ATTEMPTS_DEFAULT 2

struct waiting {
	struct waiting *next;
	struct port *port;
	struct client client;
	struct asked asked;
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint64_t start_ns;
};

/* The first negative response of a fanout, until the others have reported. */
struct held {
	struct answer answer;
	enum cache_kind kind;
	uint8_t bytes[];
};

struct pending {
	struct pending *next; /* in its bucket or the free list */
	uint64_t hash;
	struct forward_question question;
	struct plan_use *use;
	struct forwarder *forwarder;
	const struct plan_block *block; /* of the forward step: its cache, its flags */
	struct waiting *first, **last;
	struct exchange *exchanges;
	struct deadline deadline; /* of the whole query */
	struct held *held;
	bool spoiled; /* a flush came after it was asked: not to be kept */
	bool asked;
	unsigned busy;    /* exchanges open or paused */
	unsigned started; /* fanout: upstreams begun with */
	unsigned start;   /* round robin's */
	uint8_t tries[UPSTREAMS_MAX];
};

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
	for (unsigned i = count; i-- > 0;) {
		engine->pendings[i].next = engine->pending_free;
		engine->pending_free = &engine->pendings[i];
		engine->waitings[i].next = engine->waiting_free;
		engine->waiting_free = &engine->waitings[i];
	}
	return 0;
}

static void drop_exchanges(struct engine *engine, struct pending *p)
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
			drop_exchanges(engine, p);
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

	engine->pending_free = p->next;
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

/* May this question be answered from a cache, and kept in one? */
static const struct plan_cache *cache_for(const struct pending *p)
{
	const struct forward_question *q = &p->question;

	return q->flags & FORWARD_RD && q->qclass == CLASS_IN
		       ? forward_cache(p->block, q->qname)
		       : NULL;
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
	};

	if (p->spoiled || !answer->cacheable || !cache_for(p))
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
	struct answer chain = { .bytes = engine->message,
				.room = sizeof(engine->message) };
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint8_t qname[255], sname[255];
	enum answer_result result;
	struct build b;

	if (!engine->read || (answer->flags & FLAG_RCODE) == RCODE_SERVFAIL)
		return NULL;
	name_lower(qname, asked->qname);
	result = engine_answer_local(engine->use->plan, engine->read, question->view,
				     qname, asked->qtype, &chain, sname, &block, &zone);
	ret->bytes = engine->joined_bytes;
	ret->room = sizeof(engine->joined_bytes) - DNS_HEADER_BYTES - 255 - 4;
	build_begin(&b, ret, qname);
	build_append(&b, &chain, qname);
	if (result == ANSWER_FORWARD && name_equal(sname, question->qname)) {
		build_append(&b, answer, question->qname);
		ret->flags = answer->flags & FLAG_RCODE;
	} else if (result != ANSWER_DONE) {
		return NULL; /* the records changed meanwhile */
	}
	ret->flags |= chain.flags;
	return build_end(&b) ? ret : NULL;
}

enum verdict forward_reply(struct engine *engine, const struct origin *origin,
			   struct query *query, const struct forward_question *question,
			   const struct answer *answer)
{
	unsigned bits = origin->block->recursion ? FLAG_RA : 0;
	struct answer joined;

	if (!name_equal(origin->asked->qname, question->qname)) {
		answer = join_alias(engine, origin->asked, question, answer, &joined);
		if (!answer)
			bits |= RCODE_SERVFAIL;
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
	while (p->first) {
		struct waiting *w = p->first;
		struct origin origin = {
			.port = w->port,
			.client = &w->client,
			.asked = &w->asked,
			.block = w->block,
			.zone = w->zone,
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

static void finish(struct engine *engine, struct pending *p,
		   const struct answer *answer, enum cache_kind kind)
{
	deadline_clear(&engine->deadlines, &p->deadline);
	drop_exchanges(engine, p);
	keep(engine, p, answer, kind);
	answer_all(engine, p, answer);
	pending_give(engine, p);
}

/* Nothing more will come: a negative response that was held, or SERVFAIL. */
static void finish_without(struct engine *engine, struct pending *p)
{
	struct answer failure = { .bytes = engine->answer_bytes };

	if (p->held) {
		finish(engine, p, &p->held->answer, p->held->kind);
		return;
	}
	import_failure(cache_for(p), &failure);
	finish(engine, p, &failure, CACHE_NEGATIVE);
}

static void pending_due(void *context, struct deadline *deadline)
{
	finish_without(context,
		       (void *)((char *)deadline - offsetof(struct pending, deadline)));
}

/* ---- one upstream after the other ---- */

static unsigned attempts_of(const struct pending *p)
{
	unsigned attempts = p->forwarder->plan->attempts;

	if (!attempts && p->forwarder->plan->policy != POLICY_PARALLEL)
		attempts = ATTEMPTS_DEFAULT;
	return attempts && attempts < UINT8_MAX ? attempts : UINT8_MAX;
}

/* Of the upstreams that are up and were tried @tries times, the policy's; -1 = none. */
static int pick_among(struct engine *engine, const struct pending *p, unsigned tries)
{
	const struct forwarder *f = p->forwarder;
	const bool random = f->plan->policy == POLICY_RANDOM;
	unsigned seen = 0;
	int picked = -1;

	for (unsigned i = 0; i < f->count; i++) {
		unsigned idx = (p->start + i) % f->count;

		if (p->tries[idx] != tries || upstream_is_down(f->upstreams[idx]))
			continue;
		/* reservoir of one: each candidate with the same chance */
		if (!seen++ || (random && engine_random(engine) % seen == 0))
			picked = (int)idx;
		if (!random)
			break;
	}
	return picked;
}

static int pick(struct engine *engine, const struct pending *p)
{
	const struct forwarder *f = p->forwarder;
	int idx = -1;

	for (unsigned tries = 0; idx < 0 && tries < attempts_of(p); tries++)
		idx = pick_among(engine, p, tries);
	/* All down: a random one is tried anyway (spec 4.2). */
	if (idx < 0 && !p->asked && f->count)
		idx = (int)(engine_random(engine) % f->count);
	return idx;
}

/* Ask the @idx-th upstream.  Return: is it asked? */
static bool ask(struct engine *engine, struct pending *p, unsigned idx)
{
	struct upstream *u = p->forwarder->upstreams[idx];
	struct exchange *x = exchange_take(engine, u);

	p->asked = true;
	if (p->tries[idx] < UINT8_MAX)
		p->tries[idx]++;
	if (!x)
		return false;
	x->pending = p;
	x->idx = idx;
	x->tcp |= p->forwarder->plan->force_tcp;
	if (exchange_ask(engine, x) < 0) {
		exchange_give(engine, x);
		upstream_failed(engine, u, false);
		return false;
	}
	upstream_asked(engine, u, false);
	x->next = p->exchanges;
	p->exchanges = x;
	p->busy++;
	return true;
}

static void release(struct engine *engine, struct pending *p, struct exchange *x)
{
	struct exchange **link = &p->exchanges;

	while (*link != x)
		link = &(*link)->next;
	*link = x->next;
	p->busy--;
	exchange_give(engine, x);
}

static bool ask_next(struct engine *engine, struct pending *p)
{
	for (;;) {
		int idx = pick(engine, p);

		if (idx < 0)
			return false;
		if (ask(engine, p, (unsigned)idx))
			return true;
	}
}

/* ---- all at once (fanout) ---- */

static unsigned workers_of(const struct forwarder *f)
{
	unsigned workers = f->plan->workers;

	return workers && workers < f->count ? workers : f->count;
}

/* Begin with further upstreams while workers are free.  Return: is any busy? */
static bool ask_more(struct engine *engine, struct pending *p)
{
	while (p->busy < workers_of(p->forwarder) && p->started < p->forwarder->count)
		(void)ask(engine, p, p->started++);
	return p->busy > 0;
}

static bool is_parallel(const struct pending *p)
{
	return p->forwarder->plan->policy == POLICY_PARALLEL;
}

static void hold(struct pending *p, const struct answer *answer, enum cache_kind kind)
{
	if (p->held)
		return;
	p->held = malloc(sizeof(*p->held) + answer->len);
	if (!p->held)
		return; /* then it is SERVFAIL, if nothing better comes */
	p->held->answer = *answer;
	p->held->answer.bytes = p->held->bytes;
	p->held->kind = kind;
	memcpy(p->held->bytes, answer->bytes, answer->len);
}

/* ---- what comes back ---- */

/* @x is over and brought nothing: go on with @p as its policy says. */
static void go_on(struct engine *engine, struct pending *p, struct exchange *x)
{
	release(engine, p, x);
	if (!(is_parallel(p) ? ask_more(engine, p) : ask_next(engine, p)))
		finish_without(engine, p);
}

static void ask_again(struct engine *engine, struct exchange *x)
{
	if (exchange_ask(engine, x) == 0) {
		upstream_asked(engine, x->upstream, x->tcp);
		return;
	}
	upstream_failed(engine, x->upstream, false);
	forward_failed(engine, x);
}

void forward_failed(struct engine *engine, struct exchange *x)
{
	struct pending *p = x->pending;

	if (is_parallel(p) &&
	    (p->tries[x->idx] < attempts_of(p) || !p->forwarder->plan->attempts)) {
		exchange_pause(engine, x, PAUSE_NS);
		return;
	}
	go_on(engine, p, x);
}

void forward_resume(struct engine *engine, struct exchange *x)
{
	struct pending *p = x->pending;

	if (p->tries[x->idx] < UINT8_MAX)
		p->tries[x->idx]++;
	ask_again(engine, x);
}

static void deliver(struct engine *engine, struct exchange *x,
		    const struct answer *answer, enum cache_kind kind)
{
	struct pending *p = x->pending;
	bool negative = (answer->flags & FLAG_RCODE) != RCODE_NOERROR;

	if (is_parallel(p) && negative && !p->forwarder->plan->race) {
		hold(p, answer, kind);
		go_on(engine, p, x);
		return;
	}
	finish(engine, p, answer, kind);
}

static void mismatched(struct engine *engine)
{
	if (engine->config.stats)
		stats_add(&engine->config.stats->upstream_mismatched, 1);
}

void forward_response(struct engine *engine, struct exchange *x, const uint8_t *message,
		      size_t len)
{
	struct pending *p = x->pending;
	struct import_question question = {
		.qname = p->question.qname,
		.qtype = p->question.qtype,
		.qclass = p->question.qclass,
		.dnssec_ok = p->question.flags & LANE53_KEY_DO,
		.cache = cache_for(p),
	};
	struct answer answer = {
		.bytes = engine->answer_bytes,
		.room = sizeof(engine->answer_bytes) - DNS_HEADER_BYTES - 255 - 4,
	};
	enum cache_kind kind = CACHE_NEGATIVE;
	enum import_result result =
		import_response(&question, message, len, &answer, &kind);

	if (result == IMPORT_DONE || result == IMPORT_TRUNCATED)
		upstream_answered(engine, x->upstream, answer.flags & FLAG_RCODE,
				  engine->now_ns - x->sent_ns);
	if (result == IMPORT_DONE) {
		deliver(engine, x, &answer, kind);
		return;
	}
	if (result == IMPORT_MISMATCHED)
		mismatched(engine);
	if ((result == IMPORT_TRUNCATED && !x->tcp) ||
	    (result == IMPORT_NO_EDNS && !x->plain)) {
		x->tcp |= result == IMPORT_TRUNCATED;
		x->plain |= result == IMPORT_NO_EDNS;
		ask_again(engine, x);
		return;
	}
	upstream_failed(engine, x->upstream, false);
	forward_failed(engine, x);
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

size_t forward_query_message(const struct pending *p, bool plain, uint8_t *out)
{
	const struct forward_question *q = &p->question;
	uint8_t *at = out;

	memset(at, 0, DNS_HEADER_BYTES);
	at[2] = q->flags & FORWARD_RD ? FLAG_RD >> 8 : 0;
	/* AD: tell us whether it is secure, whatever this client asked (RFC 6840 5.7). */
	at[3] = FLAG_AD | (q->flags & LANE53_KEY_CD ? FLAG_CD : 0);
	at[5] = 1;
	at[11] = !plain;
	at += DNS_HEADER_BYTES;
	memcpy(at, q->qname, q->qname_len);
	at += q->qname_len;
	*at++ = (uint8_t)(q->qtype >> 8);
	*at++ = (uint8_t)q->qtype;
	*at++ = (uint8_t)(q->qclass >> 8);
	*at++ = (uint8_t)q->qclass;
	if (!plain) {
		const uint8_t opt[OPT_BYTES] = {
			0,
			0,
			TYPE_OPT,
			LANE53_UDP_PAYLOAD >> 8,
			LANE53_UDP_PAYLOAD & 0xff,
			0,
			0,
			q->flags & LANE53_KEY_DO ? EDNS_DO >> 8 : 0,
		};

		memcpy(at, opt, sizeof(opt));
		at += sizeof(opt);
	}
	return (size_t)(at - out);
}

uint32_t forward_try_timeout_ms(const struct pending *p)
{
	uint32_t ms = p->forwarder->plan->try_timeout_ms;

	return ms ? ms : 2000; /* CoreDNS's read timeout */
}

static uint64_t total_timeout_ns(const struct pending *p)
{
	uint32_t ms = p->forwarder->plan->timeout_ms;

	return (ms ? ms : 5000) * NS_PER_MS; /* CoreDNS's deadline */
}

static void start(struct engine *engine, struct pending *p)
{
	struct forwarder *f = p->forwarder;
	bool asked;

	if (f->plan->policy == POLICY_ROUND_ROBIN && f->count)
		p->start = f->next++ % f->count;
	deadline_set(&engine->deadlines, &p->deadline,
		     engine->now_ns + total_timeout_ns(p));
	asked = is_parallel(p) ? ask_more(engine, p) : ask_next(engine, p);
	if (!asked)
		deadline_set(&engine->deadlines, &p->deadline, engine->now_ns);
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

	engine->waiting_free = w->next;
	*w = (struct waiting){
		.port = origin->port,
		.client = *origin->client,
		.asked = *origin->asked,
		.block = origin->block,
		.zone = origin->zone,
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

	if (!engine->config.transport || !f || !engine->waiting_free)
		return FORWARD_FAILED;
	if (f->plan->max_concurrent && f->waiting >= f->plan->max_concurrent)
		return FORWARD_REFUSED;
	p = find(engine, hash, question, f);
	if (p) {
		wait_for(engine, p, origin);
		if (engine->config.stats)
			stats_add(&engine->config.stats->coalesced, 1);
		return FORWARD_WAITS;
	}
	p = pending_take(engine, hash); /* never more pendings than who waits */
	p->question = *question;
	p->use = engine->use;
	p->use->refs++;
	p->forwarder = f;
	p->block = block;
	wait_for(engine, p, origin);
	start(engine, p);
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
