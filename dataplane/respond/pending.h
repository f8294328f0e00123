/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.h - one question on its way to upstreams; between forward.c and policy.c.
 *
 * forward.c knows who waits and what becomes of the answer, policy.c whom to ask next.
 */
#ifndef LANE53_PENDING_H
#define LANE53_PENDING_H

#include "respond/state.h"

struct waiting {
	struct waiting *next;
	struct port *port;
	struct client client;
	struct asked asked;
	const struct plan_block *block;
	const struct plan_zone *zone;
	uint16_t label;
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
	struct lane53_failure failure; /* the last; cause 0 = none yet */
	bool all_down;                 /* and one was tried all the same */
	bool spoiled; /* a flush came after it was asked: not to be kept */
	bool asked;
	unsigned busy;    /* exchanges open or paused */
	unsigned started; /* fanout: upstreams begun with */
	unsigned start;   /* round robin's */
	uint8_t tries[UPSTREAMS_MAX];
};

/* ---- forward.c ---- */

/* What came of asking @x's upstream, unless something better comes yet. */
void pending_note(struct exchange *x, enum lane53_cause cause, int error);

/* The cache directive, if this question may be answered from a cache and kept in one. */
const struct plan_cache *pending_cache(const struct pending *p);
/* Row of metrics: of the zone that the question is in. */
uint8_t pending_label(const struct pending *p);
void pending_drop_exchanges(struct engine *engine, struct pending *p);
/* Answer everybody who waits for @p, which is gone then. */
void pending_finish(struct engine *engine, struct pending *p,
		    const struct answer *answer, enum cache_kind kind);
/* Nothing more will come: a negative response that was held, or SERVFAIL. */
void pending_finish_without(struct engine *engine, struct pending *p);

/* ---- policy.c ---- */

/* Ask the first upstream, or the first ones.  What cannot be asked at all is due now. */
void policy_start(struct engine *engine, struct pending *p);

#endif
