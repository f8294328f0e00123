/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.h - what an engine is made of; private to respond/.
 *
 *   engine.c    batches, plans, time
 *   query.c     the steps of one query
 *   reply.c     the end of every query: message out, counted, logged
 *   forward.c   questions on their way to upstreams, and who waits for them
 *   policy.c    whom to ask next
 *   exchange.c  one question to one upstream: sent, answered, timed out
 *   upstream.c  what is known of each upstream, health checks
 *   publish.c   own cache to XDP's `cache` table, and back after a restart
 */
#ifndef LANE53_STATE_H
#define LANE53_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cache/answer.h"
#include "cache/cache.h"
#include "lane53/abi.h"
#include "plan/plan.h"
#include "respond/deadline.h"
#include "respond/engine.h"
#include "respond/render.h"

struct pending;
struct waiting;
struct upstream;

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* fanout takes 100 upstreams at the most; those beyond this number are never asked. */
#define UPSTREAMS_MAX 128

/* One forward step of a plan in use. */
struct forwarder {
	const struct plan_forward *plan;
	struct upstream **upstreams;
	unsigned count;
	unsigned next;    /* round robin */
	unsigned waiting; /* clients, for max_concurrent */
};

/*
 * A plan and what hangs on it.  Questions on their way keep theirs until they are
 * answered, so a reload takes nothing away from them.
 */
struct plan_use {
	struct plan *plan;
	struct forwarder *forwarders;
	unsigned forwarder_count;
	unsigned refs; /* the engine's own, and one per pending */
};

/*
 * One question to one upstream.  It is free, open (the transport has it), or paused
 * (a pending's, before its next attempt).
 */
struct exchange {
	struct exchange *next;   /* in the free list or its pending's */
	struct pending *pending; /* NULL: a health check */
	struct upstream *upstream;
	unsigned idx; /* of the upstream, in its forwarder */
	bool tcp;
	bool plain; /* without EDNS */
	bool paused;
	bool open;
	void *handle; /* the transport's, while open */
	uint64_t sent_ns;
	struct deadline deadline;
};

/* Where a response goes and how it is accounted. */
struct origin {
	struct port *port;
	const struct client *client;
	const struct asked *asked;
	const struct plan_block *block; /* NULL: none matched */
	const struct plan_zone *zone;
	uint16_t label; /* row of metrics: the zone's, or of what meets no block */
	const struct lane53_failure
		*failure; /* why there is no answer; NULL: not told */
	uint64_t start_ns;
};

/* Twice what a pending needs, at the most, while it changes upstreams. */
#define EXCHANGES_PER_WAITING 2

struct engine {
	struct engine_config config;
	uint64_t now_ns;
	uint64_t random;

	struct store_read *read; /* between batch begin and end */
	uint64_t commit_id;
	char *plan_text; /* as committed: tells whether a commit changed it */
	size_t plan_text_len;
	int plan_error;       /* of plan_text: 0 or a negative errno */
	struct plan_use *use; /* NULL before the first plan */

	struct cache *cache;
	struct deadlines deadlines;
	uint64_t sweep_ns;                /* when next */
	uint64_t table_moved, table_full; /* of config.publish, as told to stats */
	uint64_t publish_ns;              /* tokens up to here are given out */
	unsigned publish_tokens;
	unsigned clears; /* of the siblings' table, that the cache knows of */

	struct upstream *upstreams;
	/* Pools: what was never used is behind *_high, and its pages are not there. */
	struct exchange *exchanges, *exchange_free;
	struct pending *pendings, *pending_free;
	struct pending **pending_buckets;
	uint32_t pending_mask;
	struct waiting *waitings, *waiting_free;
	unsigned exchange_high, pending_high, waiting_high;
	unsigned waiting_count;

	char hostname[256];
	/* An answer being made; the second is for what is put together from one. */
	uint8_t answer_bytes[PORT_MESSAGE_MAX];
	uint8_t joined_bytes[PORT_MESSAGE_MAX];
	uint8_t message[PORT_MESSAGE_MAX]; /* that goes out by send_later() */
};

static inline uint64_t engine_random(struct engine *engine)
{
	/* splitmix64: spreads load, guards nothing */
	uint64_t z = engine->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint32_t engine_now_s(const struct engine *engine)
{
	return (uint32_t)(engine->now_ns / NS_PER_S);
}

static inline unsigned engine_count(const struct engine *engine)
{
	return engine->config.siblings ? engine->config.siblings->count : 1;
}

/* This engine's part of @all that a plan allows, rounded up; 0 stays 0. */
static inline unsigned engine_part(const struct engine *engine, unsigned all)
{
	const unsigned count = engine_count(engine);

	return all / count + (all % count != 0);
}

void plan_use_release(struct plan_use *use);

/* ---- reply.c ---- */

/* A query arrived. */
void reply_count_query(struct engine *engine, const struct origin *origin);

/*
 * Answer: into @query if it is still there, else (NULL) by send_later().  @bits as for
 * render_response(), @answer NULL = nothing but the rcode.
 */
enum verdict reply(struct engine *engine, const struct origin *origin,
		   struct query *query, unsigned bits, const struct answer *answer);

/* ---- forward.c ---- */

struct forward_question {
	uint32_t view;
	uint16_t qtype, qclass;
	uint8_t flags; /* LANE53_KEY_* and FORWARD_RD */
	uint8_t qname_len;
	uint8_t qname[255]; /* lower case */
};
#define FORWARD_RD 0x80

/* The forward step of @block that takes @qname, or NULL. */
const struct plan_step *forward_step(const struct plan_block *block,
				     const uint8_t *qname);

int forward_open(struct engine *engine);
void forward_close(struct engine *engine);

enum forward_result {
	FORWARD_WAITS,   /* @origin's client is copied and will be answered */
	FORWARD_REFUSED, /* max_concurrent */
	FORWARD_FAILED,  /* no transport, or too many wait */
};

/*
 * Ask @step's upstreams, or join who already waits for the same.  @block is the one that
 * @step is of; @alias: the client asked for another name, an alias of this.
 */
enum forward_result forward_ask(struct engine *engine, const struct origin *origin,
				const struct plan_block *block,
				const struct plan_step *step,
				const struct forward_question *question);

/* What is on its way and at or below @name in @view must not be kept. */
void forward_spoil(struct engine *engine, uint32_t view, const uint8_t *name);

/* The zone block's cache directive, if it is on for @qname. */
const struct plan_cache *forward_cache(const struct plan_block *block,
				       const uint8_t *qname);

/* Answer @origin with upstream data for a question that @question was asked for. */
enum verdict forward_reply(struct engine *engine, const struct origin *origin,
			   struct query *query, const struct forward_question *question,
			   const struct answer *answer);

/* ---- policy.c ---- */

/* What became of an exchange. */
void policy_response(struct engine *engine, struct exchange *x, const uint8_t *message,
		     size_t len);
void policy_failed(struct engine *engine, struct exchange *x);
/* A paused one's time has come. */
void policy_resume(struct engine *engine, struct exchange *x);

/* The query message of @p.  @out has POLICY_QUERY_BYTES.  Return: its length. */
#define POLICY_QUERY_BYTES (12 + 255 + 4 + 11)
size_t policy_query_message(const struct pending *p, bool plain, uint8_t *out);
uint32_t policy_try_timeout_ms(const struct pending *p);

/* ---- exchange.c ---- */

int exchanges_open(struct engine *engine);
void exchanges_close(struct engine *engine);
/* Return: borrowed, or NULL: all are in use. */
struct exchange *exchange_take(struct engine *engine, struct upstream *upstream);
/* Cancels what is open. */
void exchange_give(struct engine *engine, struct exchange *x);
/* Send its query.  Return: 0, or a negative errno: the exchange is not open. */
int exchange_ask(struct engine *engine, struct exchange *x);
void exchange_pause(struct engine *engine, struct exchange *x, uint64_t ns);

/* ---- upstream.c ---- */

/* Make the forwarders of @use.  Return: 0, -ENOMEM. */
int upstream_adopt(struct engine *engine, struct plan_use *use);
void upstreams_close(struct engine *engine);

bool upstream_is_down(const struct upstream *u);
const struct plan_upstream *upstream_at(const struct upstream *u);
/* Of a pending's; @truncated: again, by TCP, because of a TC. */
void upstream_asked(const struct exchange *x, bool truncated);
void upstream_answered(struct engine *engine, const struct exchange *x, unsigned rcode);
void upstream_failed(struct engine *engine, struct upstream *u, bool timeout);
/* The health check's query.  Return: its length. */
size_t upstream_probe_message(const struct upstream *u, uint8_t *out);
void upstream_probe_done(struct engine *engine, struct exchange *x, bool answered);

/* ---- publish.c ---- */

/* @hit was just found under @key: let XDP have it, if it is due. */
void publish_hit(struct engine *engine, const struct cache_key *key,
		 const struct answer *answer, const struct cache_hit *hit,
		 const struct origin *route);
/* A new answer took the place of one that XDP may still have. */
void publish_replaced(struct engine *engine, const struct cache_key *key);
/* Take all of it back, or what is at and below @name in @view: how many. */
void publish_clear(struct engine *engine);
unsigned publish_retract_below(struct engine *engine, uint32_t view,
			       const uint8_t *name);
/* Has a sibling cleared it?  Then this cache's answers may be published anew. */
void publish_follow(struct engine *engine);
/* Free what has expired, looking at @max slots. */
void publish_sweep(struct engine *engine, unsigned max);
/* How full the table is, to stats (which are there). */
void publish_show(struct engine *engine);
/* Fetch from XDP's table what this worker has lost.  Return: is it in the cache now? */
bool publish_refill(struct engine *engine, const struct cache_key *key);

#endif
