/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ops.c - what can be asked of a running worker.
 */
#include "worker/ops.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "dns/name.h"
#include "io/address.h"
#include "io/port_socket.h"
#include "io/transport_lane.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "respond/engine.h"
#include "stats/stats.h"
#include "worker/worker.h"

#define CACHE_LIMIT_DEFAULT 10000 /* entries of `cache` in one reply, some 1 MB */

static json_t *fail(const char *why)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

/* ---- numbers as people know them ---- */

static const char *type_text(uint16_t type, char room[16])
{
	static const struct {
		uint16_t value;
		const char *text;
	} known[] = {
#define X(name, value) { value, #name },
		LANE53_TYPES(X) X(CAA, 257)
#undef X
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].value == type)
			return known[i].text;
	snprintf(room, 16, "TYPE%u", type); /* RFC 3597 5 */
	return room;
}

static const char *rcode_text(unsigned rcode, char room[16])
{
	static const char *const known[] = {
		[RCODE_NOERROR] = "NOERROR",   [RCODE_FORMERR] = "FORMERR",
		[RCODE_SERVFAIL] = "SERVFAIL", [RCODE_NXDOMAIN] = "NXDOMAIN",
		[RCODE_NOTIMP] = "NOTIMP",     [RCODE_REFUSED] = "REFUSED",
	};

	if (rcode < sizeof(known) / sizeof(known[0]))
		return known[rcode];
	snprintf(room, 16, "RCODE%u", rcode);
	return room;
}

/* "name" of @request to wire.  Return: false = there is one, and it is no name. */
static bool name_of(json_t *request, uint8_t wire[255], const uint8_t **ret_name)
{
	const json_t *name = json_object_get(request, "name");
	const char *text = json_string_value(name);

	*ret_name = NULL;
	if (!name)
		return true;
	if (!text || name_from_text(wire, text) == 0)
		return false;
	name_lower(wire, wire);
	*ret_name = wire;
	return true;
}

/* "view" of @request, 0 if there is none.  Return: false = it is no view's number. */
static bool view_of(json_t *request, uint32_t *ret_view)
{
	const json_t *number = json_object_get(request, "view");
	const json_int_t view = json_integer_value(number);

	*ret_view = (uint32_t)view;
	return (!number || json_is_integer(number)) && view >= 0 && view <= UINT32_MAX;
}

/* ---- status, wake ---- */

static void listener_row(void *context, const struct port_socket_listener *at)
{
	char text[ADDRESS_TEXT_ROOM];
	json_t *row = json_pack("{s:s, s:s, s:I}", "address",
				address_to_text(text, at->addr, at->port), "proto",
				at->tcp ? "tcp" : "udp", "view", (json_int_t)at->view);

	if (row && at->error)
		json_object_set_new(row, "error", json_string(at->error));
	json_array_append_new(context, row);
}

static void listener_error(void *context, const struct port_socket_listener *at)
{
	char text[ADDRESS_TEXT_ROOM];

	if (at->error)
		json_array_append_new(
			context, json_sprintf("%s/%s: %s",
					      address_to_text(text, at->addr, at->port),
					      at->tcp ? "tcp" : "udp", at->error));
}

static json_t *listeners(struct worker *worker,
			 void (*each)(void *context,
				      const struct port_socket_listener *at))
{
	json_t *rows = json_array();

	if (rows && !worker_options(worker)->lane)
		port_socket_each_listener(worker_port(worker), each, rows);
	return rows;
}

/* What all have in common: the oldest plan of theirs, an error of one of them. */
struct common {
	uint64_t generation;
	int error;
};

static void note_plan(struct worker *worker, void *context)
{
	const struct plan *plan = engine_plan(worker_engine(worker));
	const uint64_t generation = plan ? plan->generation : 0;
	struct common *common = context;

	if (generation < common->generation)
		common->generation = generation;
	if (worker_store_error(worker) < 0)
		common->error = worker_store_error(worker);
}

static void refresh(struct worker *worker, void *context)
{
	(void)worker_refresh(worker);
	note_plan(worker, context);
}

static json_t *op_status(struct worker *worker, json_t *request)
{
	struct common common = { .generation = UINT64_MAX };

	(void)request;
	worker_each(worker, note_plan, &common);
	return json_pack("{s:b, s:s, s:i, s:i, s:I, s:I, s:o}", "ok", 1, "io",
			 worker_io(worker), "pid", (int)getpid(), "threads",
			 (int)worker_count(worker), "generation",
			 (json_int_t)common.generation, "uptime_s",
			 (json_int_t)worker_uptime_s(worker), "listeners",
			 listeners(worker, listener_row));
}

static json_t *op_wake(struct worker *worker, json_t *request)
{
	struct common common = { .generation = UINT64_MAX };
	json_t *errors;

	(void)request;
	worker_each(worker, refresh, &common);
	errors = listeners(worker, listener_error);
	if (errors && common.error < 0)
		json_array_append_new(errors,
				      json_sprintf("zone store: %s; the last good plan "
						   "stays",
						   strerror(-common.error)));
	return json_pack("{s:b, s:I, s:o}", "ok", 1, "generation",
			 (json_int_t)common.generation, "errors", errors);
}

/* ---- flush, cache ---- */

struct flush {
	uint32_t view;
	const uint8_t *name;
	struct engine_flushed flushed; /* of all so far */
};

static void flush(struct worker *worker, void *context)
{
	struct flush *f = context;
	struct engine_flushed now =
		engine_flush(worker_engine(worker), f->view, f->name);

	f->flushed.cached += now.cached;
	f->flushed.published += now.published;
}

static json_t *op_flush(struct worker *worker, json_t *request)
{
	struct flush f = { .view = 0 };
	uint8_t wire[255];

	if (!name_of(request, wire, &f.name))
		return fail("name: not a domain name");
	if (!view_of(request, &f.view))
		return fail("view: not a view's number");
	worker_each(worker, flush, &f);
	/* what is published is in a cache too, but after a restart not yet */
	return json_pack("{s:b, s:I}", "ok", 1, "flushed",
			 (json_int_t)(f.flushed.cached > f.flushed.published
					      ? f.flushed.cached
					      : f.flushed.published));
}

struct listing {
	json_t *rows;
	size_t limit;
	const uint8_t *name;
	uint32_t view;  /* 0 = all */
	uint16_t qtype; /* 0 = all, and names below; else this question only */
};

static bool is_wanted(const struct listing *listing, const struct engine_cached *cached)
{
	if (listing->view && cached->view != listing->view)
		return false;
	return !listing->qtype || (cached->qtype == listing->qtype && listing->name &&
				   name_equal(cached->name, listing->name));
}

static bool cached_row(void *context, const struct engine_cached *cached)
{
	struct listing *listing = context;
	char name[NAME_TEXT_ROOM], type[16], rcode[16];

	if (!is_wanted(listing, cached))
		return true;
	name_to_text(name, cached->name);
	json_array_append_new(listing->rows,
			      json_pack("{s:s, s:s, s:I, s:I, s:s, s:b}", "name", name,
					"type", type_text(cached->qtype, type), "view",
					(json_int_t)cached->view, "ttl_s",
					(json_int_t)cached->ttl_s, "rcode",
					rcode_text(cached->rcode, rcode), "published",
					cached->published));
	return json_array_size(listing->rows) < listing->limit;
}

static void list(struct worker *worker, void *context)
{
	struct listing *listing = context;

	if (json_array_size(listing->rows) < listing->limit)
		engine_cache_each(worker_engine(worker), listing->name, worker_now_ns(),
				  cached_row, listing);
}

static json_t *op_cache(struct worker *worker, json_t *request)
{
	json_t *limit = json_object_get(request, "limit");
	struct listing listing = { .limit = CACHE_LIMIT_DEFAULT };
	uint8_t wire[255];

	if (!name_of(request, wire, &listing.name))
		return fail("name: not a domain name");
	if (!view_of(request, &listing.view))
		return fail("view: not a view's number");
	listing.qtype = (uint16_t)json_integer_value(json_object_get(request, "qtype"));
	listing.rows = json_array();
	if (json_integer_value(limit) > 0)
		listing.limit = (size_t)json_integer_value(limit);
	worker_each(worker, list, &listing);
	return json_pack("{s:b, s:o}", "ok", 1, "entries", listing.rows);
}

/* ---- upstreams ---- */

struct upstreams {
	json_t *rows;
	const struct transport *by_lane; /* of the worker at hand; NULL: only sockets */
};

/* The row of @key ("192.0.2.1:53 udp"), made if there is none; NULL = out of memory. */
static json_t *row_of(json_t *rows, const char *address, const char *proto)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (!strcmp(json_string_value(json_object_get(row, "address")),
			    address) &&
		    !strcmp(json_string_value(json_object_get(row, "proto")), proto))
			return row;
	}
	row = json_pack("{s:s, s:s, s:s, s:b, s:i, s:i}", "address", address, "proto",
			proto, "via", "", "down", 0, "asked", 0, "rtt_us", 0);
	json_array_append_new(rows, row);
	return row;
}

static void add(json_t *row, const char *key, uint64_t more)
{
	const json_int_t sum = json_integer_value(json_object_get(row, key));

	json_object_set_new(row, key, json_integer(sum + (json_int_t)more));
}

/* Counted since the counters' file was made; the engine's own began with it. */
static void add_counts(json_t *row, const struct engine_upstream *u)
{
	uint64_t answered = 0;

	add(row, "asked", u->counts ? u->counts->asked : u->asked);
	if (!u->counts)
		return;
	for (size_t i = 0; i < STATS_RCODES; i++)
		answered += u->counts->answered[i];
	add(row, "answered", answered);
	add(row, "timeouts", u->counts->timeouts);
}

/* By the lane, if all say so that have asked it. */
static void note_way(json_t *row, const struct engine_upstream *u, bool by_lane)
{
	const char *way = json_string_value(json_object_get(row, "via"));

	if (!by_lane && u->asked)
		json_object_set_new(row, "via", json_string("socket"));
	else if (by_lane && way && !*way)
		json_object_set_new(row, "via", json_string("lane"));
}

/* Of several workers: their sum; trouble and the slowest, if one has it. */
static bool upstream_row(void *context, const struct engine_upstream *u)
{
	static const char *const protos[] = {
		[PLAN_UDP] = "udp", [PLAN_TCP] = "tcp", [PLAN_TLS] = "tls"
	};
	struct upstreams *upstreams = context;
	const struct plan_address *remote = &u->upstream->remote;
	char text[ADDRESS_TEXT_ROOM];
	json_t *row;

	address_to_text(text, remote->addr, remote->port);
	row = row_of(upstreams->rows, text, protos[u->upstream->proto]);
	note_way(row, u,
		 upstreams->by_lane &&
			 transport_lane_is_used(upstreams->by_lane, u->upstream));
	if (u->down)
		json_object_set_new(row, "down", json_true());
	if (u->rtt_us > json_integer_value(json_object_get(row, "rtt_us")))
		json_object_set_new(row, "rtt_us", json_integer(u->rtt_us));
	add_counts(row, u);
	return true;
}

static void list_upstreams(struct worker *worker, void *context)
{
	struct upstreams *upstreams = context;

	upstreams->by_lane = worker_by_lane(worker);
	engine_upstream_each(worker_engine(worker), upstream_row, upstreams);
}

static json_t *op_upstreams(struct worker *worker, json_t *request)
{
	struct upstreams upstreams = { json_array(), NULL };
	json_t *row;
	size_t i;

	(void)request;
	worker_each(worker, list_upstreams, &upstreams);
	json_array_foreach(upstreams.rows, i, row)
	{
		const char *way = json_string_value(json_object_get(row, "via"));

		if (way && !*way)
			json_object_set_new(row, "via", json_string("socket"));
	}
	return json_pack("{s:b, s:o}", "ok", 1, "upstreams", upstreams.rows);
}

/* ---- stop ---- */

static json_t *op_stop(struct worker *worker, json_t *request)
{
	json_int_t ms = json_integer_value(json_object_get(request, "lameduck_ms"));

	worker_stop(worker, ms > 0 ? (uint64_t)ms : 0);
	return json_pack("{s:b}", "ok", 1);
}

json_t *ops_run(struct worker *worker, json_t *request)
{
	static const struct {
		const char *name;
		json_t *(*run)(struct worker *worker, json_t *request);
	} ops[] = {
		{ "status", op_status }, { "wake", op_wake },
		{ "flush", op_flush },   { "cache", op_cache },
		{ "stop", op_stop },     { "upstreams", op_upstreams },
	};
	const char *op = json_string_value(json_object_get(request, "op"));

	for (size_t i = 0; op && i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].name, op))
			return ops[i].run(worker, request);
	return fail("op: one of status, wake, flush, cache, upstreams, stop");
}
