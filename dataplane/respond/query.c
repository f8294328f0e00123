/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * query.c - the way of one query: read, route, and the steps of its block.
 */
#include <string.h>
#include "lane53/abi.h"
#include "lane53/question.h"
#include "lane53/wire.h"
#include "dns/name.h"
#include "respond/special.h"
#include "respond/state.h"
#include "stats/stats.h"

struct visit {
	struct engine *engine;
	struct query *query;
	struct origin origin;
	struct asked asked;
	uint8_t qname[255];            /* lower case */
	struct lane53_failure failure; /* of origin */
	bool is_edns0;                 /* no OPT, or of version 0 */
	unsigned bits;                 /* FLAG_RA of the block */
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

/* No answer, and `errors` is told why. */
static bool fail(struct visit *v, unsigned rcode, enum lane53_cause cause)
{
	v->failure.cause = (__u8)cause;
	v->origin.failure = &v->failure;
	return answer_with(v, rcode, NULL);
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
	v->is_edns0 = !question.edns.present || question.edns.version == 0;
	name_lower(v->qname, v->asked.qname);
	return true;
}

static bool route(struct visit *v)
{
	const struct plan *plan = engine_plan(v->engine);
	const struct plan_view *view =
		plan ? plan_view_find(plan, v->query->client.view) : NULL;

	if (view)
		v->origin.block = plan_route(plan, view, v->qname, v->asked.qtype,
					     &v->origin.zone);
	if (v->origin.block)
		v->origin.label = v->origin.zone->label;
	else if (view)
		v->origin.label = view->label;
	reply_count_query(v->engine, &v->origin);
	if (!v->is_edns0)
		return answer_with(v, RCODE_BADVERS, NULL); /* RFC 6891 6.1.3 */
	if (!plan || !v->engine->read)
		return fail(v, RCODE_SERVFAIL, LANE53_CAUSE_STORE); /* or not ready */
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

/* As CoreDNS's types of hits; for XDP's, enum lane53_result says the same. */
static bool is_denial(const struct answer *answer)
{
	return answer->flags & FLAG_RCODE || !answer->ancount;
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
		.label = (uint8_t)route->zone->label,
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
		stats_add(is_denial(&answer) ? &label->cache_hits_denial
					     : &label->cache_hits_success,
			  1);
	answer.directive = LANE53_BY_CACHE;
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
	ret->block = plan_route(plan, view, sname, v->asked.qtype, &ret->zone);
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
		v->failure.number = step->forward->max_concurrent;
		return fail(v, RCODE_REFUSED, LANE53_CAUSE_LIMIT);
	case FORWARD_FAILED:
		break;
	}
	return fail(v, RCODE_SERVFAIL, LANE53_CAUSE_BUSY);
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
	return fail(v, RCODE_SERVFAIL, LANE53_CAUSE_NOT_FOUND);
}

static bool answer_in(struct visit *v)
{
	struct answer answer = fresh_answer(v->engine);
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint8_t sname[255];

	answer.dnssec_ok = v->asked.dnssec_ok;
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
		return fail(v, RCODE_SERVFAIL, answer.cause);
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
