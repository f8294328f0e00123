/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kit.h - an engine in a box: a store with records from text, a plan, a memory
 * port for clients, upstreams that answer what the test says, and a clock that only the
 * test moves.
 *
 *   kit_open(records, plan) ... kit_ask("www.example.org A", "do") == "NOERROR aa ..."
 *
 * Responses are read back with ldns, not with our own reader, so that what we write is
 * checked by somebody else's code.
 */
#ifndef LANE53_ENGINE_KIT_H
#define LANE53_ENGINE_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cache/table.h"
#include "io/port.h"
#include "plan/plan.h"
#include "respond/engine.h"
#include "stats/stats.h"

#define KIT_ASKS_MAX 4096
#define KIT_TEXT     16384

/* A question that the engine sent to an upstream. */
struct kit_sent {
	struct exchange *exchange;
	const struct plan_upstream *upstream;
	bool tcp;
	bool open; /* neither answered nor cancelled */
	uint64_t at_ns;
	size_t len;
	uint8_t query[300];
};

struct kit {
	struct transport transport;
	char dir[64];
	struct store *store;
	struct engine *engine;
	struct port *port;
	struct table *table;
	struct table_arrays arrays;
	struct engine_siblings *siblings; /* for the next kit_restart() */
	struct worker_stats *stats;
	struct client client; /* of the next query */
	uint64_t now_ns;
	uint64_t next_ns; /* what engine_tick() said */
	struct kit_sent sent[KIT_ASKS_MAX];
	unsigned sent_count;
	bool refuse_all; /* ask() fails */
	unsigned events;
	struct lane53_event *event;     /* the last */
	struct lane53_failure *failure; /* of it */
	uint16_t id;
};

/*
 * Records: one string per line, "SOURCE OWNER TTL IN TYPE RDATA", NULL ends them.
 * @plan is encoded into the store and stays the caller's; NULL: none.
 */
void kit_open(struct kit *kit, const char *const *records, const struct plan *plan,
	      bool publish);
void kit_close(struct kit *kit);
/* Kill the engine and open a new one on the same store and table. */
void kit_restart(struct kit *kit);

/* One more commit: records put, "-SOURCE OWNER TYPE" deleted; @plan may be NULL. */
void kit_commit(struct kit *kit, const char *const *records, const struct plan *plan);

/*
 * Ask: "NAME [TYPE]", type A if left out.  Options, blank-separated: nord ad cd do
 * edns=SIZE edns1 (version 1) tcp ch any (class) view=N; without do or edns no OPT.
 * Return: the response as text, or "(later)", or "(none)".  Static buffer.
 */
const char *kit_ask(struct kit *kit, const char *question, const char *options);
/* Ask with raw bytes. */
const char *kit_ask_raw(struct kit *kit, const uint8_t *message, size_t len);
/* The query that kit_ask() would send.  Return: its length. */
size_t kit_query(struct kit *kit, uint8_t *out, const char *question,
		 const char *options);

/* The next response that came later, or "(none)". */
const char *kit_later(struct kit *kit);
/* The bytes behind the text last returned. */
const uint8_t *kit_bytes(size_t *ret_len);
const char *kit_show(const uint8_t *message, size_t len);

/* Let time pass, deadlines included, and stay at the end of it. */
void kit_pass(struct kit *kit, unsigned ms);

/* How many questions to upstreams are open, and the @n-th of all, from the last: -1. */
unsigned kit_open_count(const struct kit *kit);
struct kit_sent *kit_sent(struct kit *kit, int n);

/*
 * Answer an open one: "RCODE [tc] [ad] [noedns] | answer RRs ; RR | authority RRs".
 */
void kit_respond(struct kit *kit, struct kit_sent *sent, const char *text);
void kit_respond_raw(struct kit *kit, struct kit_sent *sent, const uint8_t *message,
		     size_t len);
void kit_fail(struct kit *kit, struct kit_sent *sent, int error);
size_t kit_response(const struct kit_sent *sent, const char *text, uint8_t *out);

/* ---- plans, by hand ---- */

struct plan_name kit_name(const char *text);

/* One view (1) of the blocks given. */
struct kit_plan {
	struct plan plan;
	struct plan_listener listener;
	struct plan_view view;
	unsigned idx[8];
	struct plan_block blocks[8];
	struct plan_zone zones[8];
	struct plan_step steps[8][6];
	struct plan_name names[64];
	unsigned name_count;
	struct plan_upstream upstreams[8][8];
	struct plan_forward forwards[8];
	char *texts[4];
};

void kit_plan_init(struct kit_plan *kp);
/* Begin a block for @zone; everything below adds to the last one. */
struct plan_block *kit_block(struct kit_plan *kp, const char *zone);
struct plan_step *kit_step(struct kit_plan *kp, enum plan_step_kind kind,
			   uint32_t source, const char *zone);
/* A forward step to @count upstreams, 192.0.2.1:53 and on. */
struct plan_forward *kit_forward(struct kit_plan *kp, enum plan_policy policy,
				 unsigned count);
struct plan_names kit_names(struct kit_plan *kp, const char *zone);
void kit_cache(struct kit_plan *kp);

#endif
