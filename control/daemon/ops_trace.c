/* SPDX-License-Identifier: BSD-3-Clause */
/* ops_trace.c - `trace`: what a name would meet, without asking anyone outside. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/answer.h"
#include "cache/table.h"
#include "daemon/ask.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/gather.h"
#include "daemon/lines.h"
#include "daemon/sources.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "respond/engine.h"
#include "store/store.h"
#include "xdp/xdp.h"

struct tracing {
	struct daemon *d;
	struct lines_request *request;
	json_t *reply, *cache;
	uint8_t name[255];
	unsigned waiting;
	struct part {
		struct tracing *tracing;
		enum worker_io io;
	} part[WORKER_COUNT];
};

/* ---- steps ---- */

static bool covers(const struct plan_step *step, const uint8_t *name)
{
	return plan_names_cover(&step->zones, name, name_size(name)) &&
	       !(step->kind == STEP_FORWARD && step->forward &&
		 step->forward->except.count &&
		 plan_names_cover(&step->forward->except, name, name_size(name)));
}

/* Does the step's source hold the name, so that the local answer is its? */
static bool holds(const struct plan_step *step, struct store_read *read,
		  const uint8_t *name)
{
	return step->kind == STEP_ZONE ||
	       store_presence(read, step->source, name) == STORE_NAME;
}

static void add_step(json_t *steps, const char *kind, const char *source,
		     const char *result)
{
	json_array_append_new(steps, json_pack("{s:s, s:s?, s:s}", "kind", kind,
					       "source", source, "result", result));
}

static json_t *steps_of(struct tracing *t, const struct plan_view *view,
			const struct plan_block *block, struct store_read *read,
			enum answer_result result)
{
	json_t *steps = json_array();
	bool answered = false, local = result == ANSWER_DONE;

	if (view->manual && store_presence(read, view->manual, t->name) == STORE_NAME) {
		add_step(steps, "record", NULL, local ? "answers" : "passes");
		answered = local;
	}
	for (unsigned i = 0; i < block->step_count; i++) {
		const struct plan_step *step = &block->steps[i];
		bool mine = covers(step, t->name);
		const char *path =
			step->source ? sources_path(t->d->sources, step->source) : NULL;

		if (answered) {
			add_step(steps, gather_step_name(step), path, "not asked");
			continue;
		}
		if (step->source)
			answered = mine && local && holds(step, read, t->name);
		else
			answered = mine && result == ANSWER_FORWARD &&
				   (step->kind == STEP_FORWARD ||
				    step->kind == STEP_WHOAMI);
		add_step(steps, gather_step_name(step), path,
			 answered ? "answers" : "passes");
	}
	return steps;
}

/* ---- the answer ---- */

static const char *result_text(enum answer_result result)
{
	switch (result) {
	case ANSWER_DONE:
		return "local";
	case ANSWER_FORWARD:
		return "forward";
	case ANSWER_REFUSED:
		return "refused";
	case ANSWER_FAILED:
		return "failed";
	}
	return "?";
}

/* As the message it will be: header, question, and the answer's bytes. */
static void describe(json_t *reply, const uint8_t *name, uint16_t type,
		     const struct answer *answer)
{
	uint8_t message[12 + 255 + 4 + 4096];
	size_t len = name_size(name), at = sizeof(struct dns_header);
	struct dns_header header = {
		.flags_be = htobe16((uint16_t)(FLAG_QR | FLAG_RD | answer->flags)),
		.qdcount_be = htobe16(1),
		.ancount_be = htobe16(answer->ancount),
		.nscount_be = htobe16(answer->nscount),
		.arcount_be = htobe16(answer->arcount),
	};

	memcpy(message, &header, sizeof(header));
	memcpy(message + at, name, len);
	at += len;
	memcpy(message + at, (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type, 0, 1 },
	       4);
	memcpy(message + at + 4, answer->bytes, answer->len);
	(void)ask_describe(reply, message, at + 4 + answer->len);
}

static bool is_in(const struct table_arrays *arrays, const struct table_key *key)
{
	uint8_t bytes[LANE53_LARGE_BYTES];
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct table_meta meta;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return table_lookup(arrays, key, (uint32_t)now.tv_sec, &answer, &meta) == 0;
}

static json_t *published(struct daemon *d, const struct table_key *key)
{
	struct table_arrays local, cache;

	if (!d->xdp)
		return json_pack("{s:b, s:b}", "local", 0, "cache", 0);
	xdp_local_arrays(d->xdp, &local);
	xdp_cache_arrays(d->xdp, &cache);
	return json_pack("{s:b, s:b}", "local", is_in(&local, key), "cache",
			 is_in(&cache, key));
}

static bool trace(struct tracing *t, const struct plan_view *view, uint16_t type)
{
	const struct plan *plan = commits_plan(t->d->commits);
	uint8_t bytes[4096], sname[255];
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct table_key key = { .qname = t->name, .qtype = type, .view = view->id };
	const struct plan_block *block = NULL;
	const struct plan_zone *zone = NULL;
	char text[NAME_TEXT_ROOM];
	struct store_read *read;
	enum answer_result result;

	if (store_read_begin(t->d->store, &read) < 0)
		return false;
	result = engine_answer_local(plan, read, view->id, t->name, type, &answer,
				     sname, &block, &zone);
	if (zone)
		name_to_text(text, zone->name.wire);
	t->reply = json_pack("{s:b, s:s, s:s?, s:s?, s:s, s:o}", "ok", 1, "view",
			     view->name, "zone", zone ? text : NULL, "server",
			     block ? block->server : NULL, "result",
			     result_text(result), "xdp", published(t->d, &key));
	json_object_set_new(t->reply, "steps",
			    block ? steps_of(t, view, block, read, result)
				  : json_array());
	if (result == ANSWER_DONE)
		describe(t->reply, t->name, type, &answer);
	store_read_end(read);
	return true;
}

/* ---- caches ---- */

static void done(struct tracing *t)
{
	json_object_set_new(t->reply, "cache", t->cache);
	lines_reply(t->request, t->reply);
	free(t);
}

static void on_cache(void *context, json_t *reply, const char *error)
{
	struct part *part = context;
	struct tracing *t = part->tracing;
	json_t *entries = json_object_get(reply, "entries");

	(void)error;
	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *entry = json_array_get(entries, i);

		json_object_del(entry, "view"); /* the reply has its name */
		json_object_set_new(entry, "io", json_string(worker_io_name(part->io)));
		json_array_append(t->cache, entry);
	}
	if (--t->waiting == 0)
		done(t);
}

void op_trace(struct daemon *d, struct lines_request *request, json_t *json)
{
	const struct plan_view *view;
	struct tracing *t;
	uint16_t type;
	char text[NAME_TEXT_ROOM];
	uint8_t name[255];

	if (!control_name(request, json, name) || !control_type(request, json, &type))
		return;
	view = control_view(d, request, json);
	if (!view)
		return;
	t = calloc(1, sizeof(*t));
	if (!t) {
		lines_reply(request, NULL);
		return;
	}
	t->d = d;
	t->request = request;
	memcpy(t->name, name, name_size(name));
	if (!trace(t, view, type)) {
		free(t);
		lines_refuse(request, "the zone store cannot be read");
		return;
	}
	t->cache = json_array();
	name_to_text(text, name);
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_view w;

		supervisor_view(d->supervisor, io, &w);
		if (w.state != WORKER_RUNNING)
			continue;
		t->part[io] = (struct part){ t, io };
		t->waiting++;
		supervisor_ask(d->supervisor, io,
			       json_pack("{s:s, s:s, s:I, s:i}", "op", "cache", "name",
					 text, "view", (json_int_t)view->id, "qtype",
					 type),
			       1000, on_cache, &t->part[io]);
	}
	if (!t->waiting)
		done(t);
}
