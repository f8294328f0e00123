/* SPDX-License-Identifier: BSD-3-Clause */
/* ops_status.c - ops that show or steer the daemon itself. */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/fastpath.h"
#include "daemon/gather.h"
#include "daemon/lines.h"
#include "daemon/sources.h"
#include "dns/name.h"
#include "io/address.h"
#include "plan/plan.h"
#include "xdp/xdp.h"

/* ---- texts ---- */

static void address_text(char out[ADDRESS_TEXT_ROOM],
			 const struct plan_address *address)
{
	if (address_is_any(address->addr))
		snprintf(out, ADDRESS_TEXT_ROOM, ":%u", address->port);
	else
		(void)address_to_text(out, address->addr, address->port);
}

static const char *state_text(enum worker_state state)
{
	switch (state) {
	case WORKER_RUNNING:
		return "running";
	case WORKER_STARTING:
		return "starting";
	case WORKER_WAITING:
		return "backoff";
	case WORKER_OFF:
	case WORKER_STOPPING:
		return "stopped";
	}
	return "?";
}

/* ---- status ---- */

struct asking {
	struct daemon *d;
	struct lines_request *request;
	unsigned waiting;
	json_int_t generation[WORKER_COUNT], threads[WORKER_COUNT];
	struct part {
		struct asking *asking;
		enum worker_io io;
	} part[WORKER_COUNT];
};

static json_t *worker_list(const struct asking *a)
{
	json_t *list = json_array();

	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_view w;

		supervisor_view(a->d->supervisor, io, &w);
		if (w.state == WORKER_OFF)
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:s, s:I, s:I, s:I}", "io",
					worker_io_name(io), "pid", w.pid, "state",
					state_text(w.state), "threads", a->threads[io],
					"generation", a->generation[io], "restarts",
					(json_int_t)w.restarts));
	}
	return list;
}

static json_t *reload_state(const struct daemon *d)
{
	char at[32];
	struct tm tm;

	gmtime_r(&d->reload.at, &tm);
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:b, s:o, s:s}", "ok", d->reload.ok, "error",
			 lines_text(d->reload.error), "at", at);
}

static json_t *listener_list(const struct plan *plan)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT_ROOM];

	for (unsigned i = 0; plan && i < plan->listener_count; i++) {
		const struct plan_listener *l = &plan->listeners[i];
		const struct plan_view *view = plan_view_find(plan, l->view);

		address_text(text, &l->local);
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "address",
						      text, "tenant", (int)l->tenant,
						      "view", view ? view->name : ""));
	}
	return list;
}

static bool is_attached(const json_t *interfaces)
{
	for (size_t i = 0; i < json_array_size(interfaces); i++)
		if (!strcmp(json_string_value(json_object_get(
				    json_array_get(interfaces, i), "state")),
			    "attached"))
			return true;
	return false;
}

static void reply_status(struct asking *a)
{
	struct daemon *d = a->d;
	const struct plan *plan = commits_plan(d->commits);
	json_t *interfaces = fastpath_interfaces(d);

	fastpath_note_switch(d); /* lane53ctl may have turned it while we were away */
	lines_reply(
		a->request,
		json_pack(
			"{s:b, s:s, s:s, s:i, s:I, s:s, s:I, s:o, s:b, s:o, s:o, s:o, "
			"s:o}",
			"ok", 1, "version", LANE53_VERSION, "instance",
			d->options->name, "pid", (int)getpid(), "uptime_s",
			(json_int_t)((uv_hrtime() - d->started_ns) / 1000000000u),
			"corefile", d->config ? d->config->file : "", "generation",
			(json_int_t)(plan ? plan->generation : 0), "reload",
			reload_state(d), "xdp", is_attached(interfaces), "workers",
			worker_list(a), "interfaces", interfaces, "listeners",
			listener_list(plan), "degraded", degraded_list(&d->degraded)));
	free(a);
}

static void on_worker_status(void *context, json_t *reply, const char *error)
{
	struct part *part = context;
	struct asking *a = part->asking;

	(void)error;
	a->generation[part->io] =
		json_integer_value(json_object_get(reply, "generation"));
	a->threads[part->io] = json_integer_value(json_object_get(reply, "threads"));
	if (--a->waiting == 0)
		reply_status(a);
}

void op_status(struct daemon *d, struct lines_request *request, json_t *json)
{
	struct asking *a = calloc(1, sizeof(*a));

	(void)json;
	if (!a) {
		lines_reply(request, NULL);
		return;
	}
	a->d = d;
	a->request = request;
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_view w;

		supervisor_view(d->supervisor, io, &w);
		if (w.state != WORKER_RUNNING)
			continue;
		a->part[io] = (struct part){ a, io };
		a->waiting++;
		supervisor_ask(d->supervisor, io, json_pack("{s:s}", "op", "status"),
			       1000, on_worker_status, &a->part[io]);
	}
	if (!a->waiting)
		reply_status(a);
}

/* ---- what is configured ---- */

void op_interfaces(struct daemon *d, struct lines_request *request, json_t *json)
{
	(void)json;
	lines_reply(request, json_pack("{s:b, s:o}", "ok", 1, "interfaces",
				       fastpath_interfaces(d)));
}

void op_stats(struct daemon *d, struct lines_request *request, json_t *json)
{
	(void)json;
	lines_reply(request, gather_stats(d));
}

static json_t *zones_of_view(struct daemon *d, const struct plan *plan,
			     const struct plan_view *view)
{
	json_t *list = json_array();
	char name[NAME_TEXT_ROOM];

	for (unsigned b = 0; b < view->block_count; b++) {
		const struct plan_block *block = &plan->blocks[view->blocks[b]];

		for (unsigned z = 0; z < block->zone_count; z++) {
			name_to_text(name, block->zones[z].name.wire);
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:o}", "zone", name,
						"server", block->server, "sources",
						sources_of_block(d->sources, plan,
								 view->blocks[b])));
		}
	}
	return list;
}

void op_zones(struct daemon *d, struct lines_request *request, json_t *json)
{
	const struct plan *plan = commits_plan(d->commits);
	json_t *views = json_array();
	char text[ADDRESS_TEXT_ROOM];

	(void)json;
	for (unsigned v = 0; plan && d->sources && v < plan->view_count; v++) {
		const struct plan_view *view = &plan->views[v];
		json_t *listeners = json_array();

		for (unsigned i = 0; i < plan->listener_count; i++)
			if (plan->listeners[i].view == view->id) {
				address_text(text, &plan->listeners[i].local);
				json_array_append_new(listeners, json_string(text));
			}
		json_array_append_new(views, json_pack("{s:s, s:i, s:o, s:o}", "name",
						       view->name, "id", (int)view->id,
						       "listeners", listeners, "zones",
						       zones_of_view(d, plan, view)));
	}
	lines_reply(request, json_pack("{s:b, s:o}", "ok", 1, "views", views));
}

/* ---- steering ---- */

struct reload_wait {
	struct daemon *d;
	struct lines_request *request;
};

static void on_reloaded(void *context, int result, bool changed)
{
	struct reload_wait *wait = context;
	const struct plan *plan = commits_plan(wait->d->commits);

	if (result < 0)
		lines_refuse(wait->request, "%s", wait->d->reload.error);
	else
		lines_reply(wait->request,
			    json_pack("{s:b, s:b, s:I, s:o}", "ok", 1, "changed",
				      changed, "generation",
				      (json_int_t)(plan ? plan->generation : 0),
				      "warnings", degraded_list(&wait->d->degraded)));
	free(wait);
}

void op_reload(struct daemon *d, struct lines_request *request, json_t *json)
{
	struct reload_wait *wait = calloc(1, sizeof(*wait));

	(void)json;
	if (!wait) {
		lines_reply(request, NULL);
		return;
	}
	*wait = (struct reload_wait){ d, request };
	reload_now(d, on_reloaded, wait);
}

void op_detach(struct daemon *d, struct lines_request *request, json_t *json)
{
	(void)json;
	lines_reply(request, json_pack("{s:b}", "ok", 1));
	daemon_stop(d, true, 0);
}

void op_xdp(struct daemon *d, struct lines_request *request, json_t *json)
{
	bool refused, changed;
	const char *wanted = control_text(request, json, "switch", true, &refused);

	if (refused)
		return;
	if (strcmp(wanted, "on") && strcmp(wanted, "off")) {
		lines_refuse(request, "switch: '%.40s' is neither on nor off", wanted);
		return;
	}
	if (!d->xdp) {
		lines_refuse(request, "there is no XDP here to switch");
		return;
	}
	changed = fastpath_switch(d, !strcmp(wanted, "on"));
	lines_reply(request, json_pack("{s:b, s:b, s:b}", "ok", 1, "enabled",
				       xdp_settings(d->xdp)->enabled == LANE53_XDP_ON,
				       "changed", changed));
}
