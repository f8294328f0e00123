/* SPDX-License-Identifier: BSD-3-Clause */
/* ops_worker.c - ops that ask the workers: `cache`, `upstreams`. */
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/lines.h"
#include "plan/plan.h"

#define ASK_MS        2000
#define LIMIT_DEFAULT 100

/* The lists under @key of every worker's reply, as one. */
struct collecting {
	struct daemon *d;
	struct lines_request *request;
	const char *key;
	json_t *list;
	size_t limit; /* 0 = none */
	unsigned waiting;
	struct part {
		struct collecting *collecting;
		enum worker_io io;
	} part[WORKER_COUNT];
};

static void done(struct collecting *c)
{
	lines_reply(c->request, json_pack("{s:b, s:o}", "ok", 1, c->key, c->list));
	free(c);
}

/* Workers know views and types by number; people by name. */
static void name_numbers(struct daemon *d, json_t *entry)
{
	const struct plan *plan = commits_plan(d->commits);
	json_t *view = json_object_get(entry, "view");
	json_t *type = json_object_get(entry, "type");

	if (json_is_integer(view) && plan) {
		const struct plan_view *v =
			plan_view_find(plan, (uint32_t)json_integer_value(view));

		json_object_set_new(entry, "view", json_string(v ? v->name : "?"));
	}
	if (json_is_integer(type)) {
		char *text = ldns_rr_type2str((ldns_rr_type)json_integer_value(type));

		json_object_set_new(entry, "type", json_string(text ? text : "?"));
		free(text);
	}
}

static void on_reply(void *context, json_t *reply, const char *error)
{
	struct part *part = context;
	struct collecting *c = part->collecting;
	json_t *list = json_object_get(reply, c->key);

	(void)error;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *entry = json_array_get(list, i);

		if (c->limit && json_array_size(c->list) >= c->limit)
			break;
		name_numbers(c->d, entry);
		json_object_set_new(entry, "io", json_string(worker_io_name(part->io)));
		json_array_append(c->list, entry);
	}
	if (--c->waiting == 0)
		done(c);
}

/* @question is taken over. */
static void collect(struct daemon *d, struct lines_request *request, json_t *question,
		    const char *key, size_t limit)
{
	struct collecting *c = calloc(1, sizeof(*c));

	if (!c) {
		json_decref(question);
		lines_reply(request, NULL);
		return;
	}
	*c = (struct collecting){ .d = d,
				  .request = request,
				  .key = key,
				  .list = json_array(),
				  .limit = limit };
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_view w;

		supervisor_view(d->supervisor, io, &w);
		if (w.state != WORKER_RUNNING)
			continue;
		c->part[io] = (struct part){ c, io };
		c->waiting++;
		supervisor_ask(d->supervisor, io, json_incref(question), ASK_MS,
			       on_reply, &c->part[io]);
	}
	json_decref(question);
	if (!c->waiting)
		done(c);
}

void op_upstreams(struct daemon *d, struct lines_request *request, json_t *json)
{
	(void)json;
	collect(d, request, json_pack("{s:s}", "op", "upstreams"), "upstreams", 0);
}

/* ---- cache ---- */

static void on_flushed(void *context, unsigned flushed)
{
	lines_reply(context, json_pack("{s:b, s:i}", "ok", 1, "flushed", (int)flushed));
}

static bool is_given(const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);

	return value && !json_is_null(value);
}

/* What a request is about. */
struct scope {
	uint32_t view;       /* 0 = all */
	const uint8_t *name; /* NULL = all */
	uint8_t wire[255];
};

/* Return: false: @request is refused. */
static bool take_scope(struct daemon *d, struct lines_request *request, json_t *json,
		       struct scope *ret)
{
	const struct plan_view *view = NULL;

	*ret = (struct scope){ .view = 0 };
	if (is_given(json, "name")) {
		if (!control_name(request, json, ret->wire))
			return false;
		ret->name = ret->wire;
	}
	if (is_given(json, "view")) {
		view = control_view(d, request, json);
		if (!view)
			return false;
		ret->view = view->id;
	}
	return true;
}

static void flush(struct daemon *d, struct lines_request *request, json_t *json)
{
	struct scope scope;

	if (take_scope(d, request, json, &scope))
		flush_caches(d, scope.view, scope.name, on_flushed, request);
}

static void list(struct daemon *d, struct lines_request *request, json_t *json)
{
	json_t *limit = json_object_get(json, "limit"), *question;
	json_int_t most =
		is_given(json, "limit") ? json_integer_value(limit) : LIMIT_DEFAULT;
	struct scope scope;

	if (!take_scope(d, request, json, &scope))
		return;
	if (most < 1) {
		lines_refuse(request, "limit: expected a number, 1 or more");
		return;
	}
	question = json_pack("{s:s, s:I, s:I}", "op", "cache", "view",
			     (json_int_t)scope.view, "limit", most);
	if (scope.name)
		json_object_set(question, "name", json_object_get(json, "name"));
	collect(d, request, question, "entries", (size_t)most);
}

void op_cache(struct daemon *d, struct lines_request *request, json_t *json)
{
	bool refused;
	const char *action = control_text(request, json, "action", true, &refused);

	if (refused)
		return;
	if (!strcmp(action, "list"))
		list(d, request, json);
	else if (!strcmp(action, "flush"))
		flush(d, request, json);
	else
		lines_refuse(request, "action: '%.40s' is neither list nor flush",
			     action);
}
