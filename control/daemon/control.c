/* SPDX-License-Identifier: BSD-3-Clause */
/* control.c - control.sock: docs/control-protocol.md, one row per op. */
#include <ldns/ldns.h>
#include <string.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/lines.h"
#include "daemon/log.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "plan/tenants.h"
#include "xdp/ifaces.h"

static const struct {
	const char *name;
	control_op *run;
} ops[] = {
	{ "status", op_status },         { "query", op_query },
	{ "trace", op_trace },           { "zones", op_zones },
	{ "record", op_record },         { "cache", op_cache },
	{ "interfaces", op_interfaces }, { "upstreams", op_upstreams },
	{ "reload", op_reload },         { "stats", op_stats },
	{ "detach", op_detach },         { "xdp", op_xdp },
	{ "events", op_events },
};

static void handle(void *context, struct lines_request *request, json_t *json)
{
	struct daemon *d = context;
	bool refused;
	const char *op = control_text(request, json, "op", true, &refused);

	if (refused)
		return;
	if (d->ending) {
		lines_refuse(request, "lane53d is stopping");
		return;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].name, op)) {
			ops[i].run(d, request, json);
			return;
		}
	lines_refuse(request,
		     "op: '%s' is none of status, query, trace, zones, record, "
		     "cache, interfaces, upstreams, reload, stats, detach, xdp, events",
		     op);
}

int control_open(struct daemon *d)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/control.sock", d->options->run);
	return lines_listen(&d->control, d->loop, path, handle, d);
}

const char *control_text(struct lines_request *request, json_t *json, const char *key,
			 bool required, bool *ret_refused)
{
	json_t *value = json_object_get(json, key);

	*ret_refused = false;
	if (json_is_string(value))
		return json_string_value(value);
	if (!required && (!value || json_is_null(value)))
		return NULL;
	*ret_refused = true;
	if (value) {
		char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		lines_refuse(request, "%s: expected a string, found %.80s", key,
			     found ? found : "something else");
		free(found);
	} else {
		lines_refuse(request, "%s: expected a string, found nothing", key);
	}
	return NULL;
}

/* The view most clients meet: the first that is no tenant's. */
static const struct plan_view *first_view(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->listener_count; i++)
		if (!plan->listeners[i].tenant)
			return plan_view_find(plan, plan->listeners[i].view);
	return plan->view_count ? &plan->views[0] : NULL;
}

/* "default" is an alias of the only one. */
static const struct plan_view *find_view(const struct plan *plan, const char *name)
{
	if (!plan)
		return NULL;
	if (!name || (plan->view_count == 1 && !strcmp(name, "default")))
		return first_view(plan);
	return plan_view_by_name(plan, name);
}

/* What clients meet who come in by the interface @name; NULL: @request is refused. */
static const struct plan_view *view_at(const struct daemon *d, const struct plan *plan,
				       struct lines_request *request, const char *name)
{
	const struct iface *iface = d->ifaces ? iface_by_name(d->ifaces, name) : NULL;
	uint32_t tenant;

	if (!iface) {
		lines_refuse(request, "iface: no interface '%.40s' here", name);
		return NULL;
	}
	tenant = tenants_usual(plan, iface->ifindex);
	if (!tenant)
		return first_view(plan);
	for (unsigned i = 0; i < plan->listener_count; i++)
		if (plan->listeners[i].tenant == tenant)
			return plan_view_find(plan, plan->listeners[i].view);
	lines_refuse(request, "iface: no server block answers the tenant of '%.40s'",
		     name);
	return NULL;
}

const struct plan_view *control_view(struct daemon *d, struct lines_request *request,
				     json_t *json)
{
	const struct plan *plan = commits_plan(d->commits);
	const char *name, *iface = NULL;
	const struct plan_view *view;
	bool refused;

	name = control_text(request, json, "view", false, &refused);
	if (!refused)
		iface = control_text(request, json, "iface", false, &refused);
	if (refused)
		return NULL;
	if (plan && plan->view_count && iface && !name)
		return view_at(d, plan, request, iface);
	view = find_view(plan, name);
	if (!view)
		lines_refuse(request,
			     "view: '%s' is not a view; `lane53ctl zones` lists them",
			     name ? name : "default");
	return view;
}

bool control_name(struct lines_request *request, json_t *json, uint8_t out[255])
{
	uint8_t wire[255];
	bool refused;
	const char *text = control_text(request, json, "name", true, &refused);

	if (refused)
		return false;
	if (!name_from_text(wire, text)) {
		lines_refuse(request, "name: '%.300s' is not a domain name", text);
		return false;
	}
	name_lower(out, wire);
	return true;
}

bool control_type(struct lines_request *request, json_t *json, uint16_t *ret_type)
{
	bool refused;
	const char *text = control_text(request, json, "type", false, &refused);

	if (refused)
		return false;
	*ret_type = text ? (uint16_t)ldns_get_rr_type_by_name(text) : TYPE_A;
	if (!*ret_type)
		lines_refuse(request,
			     "type: '%.60s' is not a record type, as in A, AAAA, "
			     "TYPE65280",
			     text);
	return *ret_type != 0;
}
