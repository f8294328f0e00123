/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy.c - whom to ask next: one upstream after the other (forward), or all at once
 * (fanout), until there is an answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "respond/import.h"
#include "respond/pending.h"
#include "stats/stats.h"

/* fanout's pause before it asks the same upstream again. */
#define PAUSE_NS (100 * NS_PER_MS)

/* `attempts 0` of a forward that asks one after the other: CoreDNS's 2x upstreams. */
#define ATTEMPTS_DEFAULT 2

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

static int pick(struct engine *engine, struct pending *p)
{
	const struct forwarder *f = p->forwarder;
	int idx = -1;

	for (unsigned tries = 0; idx < 0 && tries < attempts_of(p); tries++)
		idx = pick_among(engine, p, tries);
	/* All down: a random one is tried anyway (spec 4.2). */
	if (idx < 0 && !p->asked && f->count) {
		idx = (int)(engine_random(engine) % f->count);
		p->all_down = true;
		if (engine->config.stats)
			stats_add(&engine->config.stats->all_down, 1);
	}
	return idx;
}

/* Ask the @idx-th upstream.  Return: is it asked? */
static bool ask(struct engine *engine, struct pending *p, unsigned idx)
{
	struct upstream *u = p->forwarder->upstreams[idx];
	struct exchange *x = exchange_take(engine, u);
	int r;

	p->asked = true;
	if (p->tries[idx] < UINT8_MAX)
		p->tries[idx]++;
	if (!x) {
		p->failure.cause = LANE53_CAUSE_BUSY;
		return false;
	}
	x->pending = p;
	x->idx = idx;
	x->tcp |= p->forwarder->plan->force_tcp;
	r = exchange_ask(engine, x);
	if (r < 0) {
		pending_note(x, LANE53_CAUSE_IO, r);
		exchange_give(engine, x);
		upstream_failed(engine, u, false);
		return false;
	}
	upstream_asked(x, false);
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
		pending_finish_without(engine, p);
}

static void ask_again(struct engine *engine, struct exchange *x, bool truncated)
{
	const int r = exchange_ask(engine, x);

	if (r == 0) {
		upstream_asked(x, truncated);
		return;
	}
	pending_note(x, LANE53_CAUSE_IO, r);
	upstream_failed(engine, x->upstream, false);
	policy_failed(engine, x);
}

void policy_failed(struct engine *engine, struct exchange *x)
{
	struct pending *p = x->pending;

	if (is_parallel(p) &&
	    (p->tries[x->idx] < attempts_of(p) || !p->forwarder->plan->attempts)) {
		exchange_pause(engine, x, PAUSE_NS);
		return;
	}
	go_on(engine, p, x);
}

void policy_resume(struct engine *engine, struct exchange *x)
{
	struct pending *p = x->pending;

	if (p->tries[x->idx] < UINT8_MAX)
		p->tries[x->idx]++;
	ask_again(engine, x, false);
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
	pending_finish(engine, p, answer, kind);
}

static void mismatched(struct engine *engine, const struct pending *p)
{
	struct worker_stats *stats = engine->config.stats;

	if (!stats)
		return;
	stats_add(&stats->upstream_mismatched, 1);
	if (pending_cache(p))
		stats_add(&stats->label[pending_label(p)].cache_drops, 1);
}

void policy_response(struct engine *engine, struct exchange *x, const uint8_t *message,
		     size_t len)
{
	struct pending *p = x->pending;
	struct import_question question = {
		.qname = p->question.qname,
		.qtype = p->question.qtype,
		.qclass = p->question.qclass,
		.dnssec_ok = p->question.flags & LANE53_KEY_DO,
		.cache = pending_cache(p),
	};
	struct answer answer = {
		.bytes = engine->answer_bytes,
		.room = sizeof(engine->answer_bytes) - DNS_HEADER_BYTES - 255 - 4,
	};
	enum cache_kind kind = CACHE_NEGATIVE;
	enum import_result result =
		import_response(&question, message, len, &answer, &kind);

	answer.directive = is_parallel(p) ? LANE53_BY_FANOUT : LANE53_BY_FORWARD;
	if (result == IMPORT_DONE || result == IMPORT_TRUNCATED)
		upstream_answered(engine, x, answer.flags & FLAG_RCODE);
	if (result == IMPORT_DONE) {
		if ((answer.flags & FLAG_RCODE) == RCODE_SERVFAIL)
			pending_note(x, LANE53_CAUSE_SERVFAIL, 0);
		deliver(engine, x, &answer, kind);
		return;
	}
	if (result == IMPORT_MISMATCHED)
		mismatched(engine, p);
	if ((result == IMPORT_TRUNCATED && !x->tcp) ||
	    (result == IMPORT_NO_EDNS && !x->plain)) {
		x->tcp |= result == IMPORT_TRUNCATED;
		x->plain |= result == IMPORT_NO_EDNS;
		ask_again(engine, x, result == IMPORT_TRUNCATED);
		return;
	}
	pending_note(x,
		     result == IMPORT_MISMATCHED ? LANE53_CAUSE_MISMATCHED
						 : LANE53_CAUSE_MALFORMED,
		     0);
	upstream_failed(engine, x->upstream, false);
	policy_failed(engine, x);
}

/* ---- beginning ---- */

size_t policy_query_message(const struct pending *p, bool plain, uint8_t *out)
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

uint32_t policy_try_timeout_ms(const struct pending *p)
{
	uint32_t ms = p->forwarder->plan->try_timeout_ms;

	return ms ? ms : 2000; /* CoreDNS's read timeout */
}

static uint64_t total_timeout_ns(const struct pending *p)
{
	uint32_t ms = p->forwarder->plan->timeout_ms;

	return (ms ? ms : 5000) * NS_PER_MS; /* CoreDNS's deadline */
}

void policy_start(struct engine *engine, struct pending *p)
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
