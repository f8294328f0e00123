/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - one query in, one response out: the code that decides every answer.
 *
 *   query ─► parse ─► route (view, zone) ─► steps: chaos, hosts, zone ... ─► response
 *                                              └─ forward ─► cache ─► coalesce ─► ask
 *
 * The engine does no I/O and reads no clock: ports hand it queries, a transport carries
 * its upstream queries, and time is an argument.  So the same answers come out of the
 * lane, the sockets, a test and a fuzzer; and the daemon publishes into XDP's `local`
 * table what engine_answer_local() says, so XDP cannot disagree either.
 */
#ifndef LANE53_ENGINE_H
#define LANE53_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cache/answer.h"
#include "io/port.h"
#include "io/transport.h"

struct cache;
struct plan;
struct plan_block;
struct plan_upstream;
struct plan_zone;
struct store;
struct stats_upstream;
struct store_read;
struct table;
struct engine;
struct lane53_report;
struct worker_stats;

/* ---- answers (struct answer: cache/answer.h) ---- */

enum answer_result {
	ANSWER_DONE,    /* @ret is the answer */
	ANSWER_FORWARD, /* not ours: the block's forward (or whoami) step is next */
	ANSWER_REFUSED, /* no block of this view serves the name */
	ANSWER_FAILED,  /* nothing answers: SERVFAIL; @ret has the cause */
};

/*
 * What local records say about (@qname lower-case wire, @qtype) in @view: hosts, zone
 * files, manual records, with CNAME and DNAME followed inside them.  An alias whose
 * target is not local gives ANSWER_FORWARD with the chain so far in @ret and the next
 * name in @ret_sname (the caller asks upstream and appends).
 * With @ret->dnssec_ok, of a signed zone: its signatures and proofs too.
 * @ret_block, @ret_zone: the route taken (borrowed; NULL when REFUSED).
 * Pure: same store snapshot and plan, same answer.
 */
enum answer_result engine_answer_local(const struct plan *plan, struct store_read *read,
				       uint32_t view, const uint8_t *qname,
				       uint16_t qtype, struct answer *ret,
				       uint8_t ret_sname[255],
				       const struct plan_block **ret_block,
				       const struct plan_zone **ret_zone);

/* ---- the engine ---- */

/*
 * What the engines of several threads have in common: they take turns in writing what
 * is published, and each has its part of what a plan allows.
 */
struct engine_siblings {
	pthread_mutex_t publishing;
	_Atomic unsigned clears; /* how often all of it was taken back */
	unsigned count;          /* of engines */
};

struct engine_config {
	struct store *store;              /* borrowed, STORE_READ_ONLY */
	struct transport *transport;      /* borrowed; NULL: forward steps SERVFAIL */
	struct table *publish;            /* borrowed; NULL: nothing goes to XDP */
	struct worker_stats *stats;       /* borrowed; NULL: nothing is counted */
	struct engine_siblings *siblings; /* borrowed; NULL: there is only this one */
	/* Among them; 0 tells stats of the table that all publish in. */
	unsigned number;
	/* A query that is logged or failed; time_ns is 0: the engine reads no clock, the
	 * worker stamps. */
	void (*on_event)(void *context, const struct lane53_report *report);
	void *context;
	/* CLOCK_MONOTONIC, read at each response for what it took; NULL: time stands
	 * still within a batch. */
	uint64_t (*clock_ns)(void);
	uint64_t seed;        /* random: upstream choice */
	unsigned max_waiting; /* clients waiting for upstreams at the most */
};

/* Return: 0, -ENOMEM, or what store_open's reads say; no plan yet is not an error. */
int engine_open(struct engine **ret_engine, const struct engine_config *config);
void engine_close(struct engine *engine);

enum verdict {
	VERDICT_SEND,  /* query->reply is the response */
	VERDICT_LATER, /* drop the query now; send_later() follows */
	VERDICT_DROP,  /* no response is due (QR=1, shorter than a header) */
};

/*
 * Begin a batch: look at the newest commit, load its plan if it is new.
 * Queries and upstream responses are handled between begin and end.
 * @now_ns: CLOCK_MONOTONIC.  Return: 0 or negative errno (the last good plan stays; the
 * error is told at each batch until a commit mends it).
 */
int engine_batch_begin(struct engine *engine, uint64_t now_ns);
void engine_batch_end(struct engine *engine);

enum verdict engine_query(struct engine *engine, struct port *port,
			  struct query *query);

void engine_upstream_response(struct engine *engine, struct exchange *exchange,
			      const uint8_t *message, size_t len);
void engine_upstream_failed(struct engine *engine, struct exchange *exchange,
			    int error);

/* Timeouts, retries, expiry.  Return: when to call again (ns), UINT64_MAX = no need. */
uint64_t engine_tick(struct engine *engine, uint64_t now_ns);

/* The plan in use; borrowed until the next engine_batch_begin(); NULL before the first. */
const struct plan *engine_plan(const struct engine *engine);

/* One cached answer, as `lane53ctl cache list` shows it; borrowed during the call. */
struct engine_cached {
	const uint8_t *name; /* wire, lower case */
	uint32_t view;
	uint32_t ttl_s; /* left */
	uint16_t qtype;
	uint8_t key_flags; /* LANE53_KEY_* */
	uint8_t rcode;
	bool published; /* XDP has it too */
};

/* Every fresh cached answer at and below @name (wire; NULL = all); @each returns false
 * to stop. */
void engine_cache_each(struct engine *engine, const uint8_t *name, uint64_t now_ns,
		       bool (*each)(void *context, const struct engine_cached *cached),
		       void *context);

/* One upstream of the plan, and how it does. */
struct engine_upstream {
	const struct plan_upstream *upstream; /* borrowed during the call */
	const struct stats_upstream *counts;  /* NULL: it is not counted */
	bool down;
	uint64_t asked;
	uint32_t rtt_us; /* smoothed; 0 = not known yet */
};

/* Every upstream of the plan in use, once; @each returns false to stop. */
void engine_upstream_each(struct engine *engine,
			  bool (*each)(void *context,
				       const struct engine_upstream *upstream),
			  void *context);

/* How many answers went: of this engine's cache, and of the table that all publish in. */
struct engine_flushed {
	unsigned cached, published;
};

/* Forget cached answers at and below @name (wire; NULL = all) in @view (0 = all). */
struct engine_flushed engine_flush(struct engine *engine, uint32_t view,
				   const uint8_t *name);

#endif
