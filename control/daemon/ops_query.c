/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ops_query.c - `query`: one question, by the way that is asked for, or by each in turn.
 *
 *   auto: xdp ─► lane ─► socket, the first that answers;  all: xdp, lane, socket, tcp
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/agree.h"
#include "daemon/ask.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/lines.h"
#include "io/address.h"
#include "plan/plan.h"
#include "xdp/ifaces.h"
#include "xdp/xdp.h"

#define TIMEOUT_MS 6000 /* forward's own limit is 5 s: its SERVFAIL comes in time */

enum way { BY_XDP, BY_LANE, BY_SOCKET, BY_TCP, WAY_COUNT };

static const char *const way_names[WAY_COUNT] = { "xdp", "lane", "socket", "tcp" };

struct asking {
	struct daemon *d;
	struct lines_request *request;
	uint8_t query[512];
	size_t len;
	uint32_t tenant;
	struct plan_address server;
	uint32_t view;
	unsigned ifindex;
	enum way ways[WAY_COUNT];
	unsigned way_count, at;
	bool until_answered, all;
	json_t *results;
	uv_work_t work;
	struct xdp_question question;
	struct xdp_reply reply;
	struct problem problem;
	int result;
};

static void next(struct asking *a);

static void end(struct asking *a)
{
	json_t *reply;

	if (a->all) {
		reply = json_pack("{s:b, s:O, s:b}", "ok", 1, "results", a->results,
				  "agree", results_agree(a->results));
	} else {
		json_t *last =
			json_array_get(a->results, json_array_size(a->results) - 1);

		reply = json_copy(last);
		json_object_del(reply, "asked");
		json_object_set_new(reply, "ok",
				    json_boolean(!json_object_get(reply, "error")));
	}
	lines_reply(a->request, reply);
	json_decref(a->results);
	free(a);
}

static void take(struct asking *a, json_t *result)
{
	bool answered = json_object_get(result, "path") != NULL;

	json_object_set_new(result, "asked", json_string(way_names[a->ways[a->at]]));
	json_array_append_new(a->results, result);
	a->at++;
	if (a->at == a->way_count || (answered && a->until_answered))
		end(a);
	else
		next(a);
}

static void take_error(struct asking *a, const char *outcome, const char *error)
{
	json_t *result = json_pack("{s:s}", "error", error);

	if (outcome)
		json_object_set_new(result, "outcome", json_string(outcome));
	take(a, result);
}

static void take_message(struct asking *a, const char *path, const uint8_t *message,
			 size_t len, uint32_t rtt_us)
{
	json_t *result =
		json_pack("{s:s, s:I}", "path", path, "rtt_us", (json_int_t)rtt_us);

	if (ask_describe(result, message, len) < 0) {
		json_decref(result);
		take_error(a, NULL, "the response cannot be read");
		return;
	}
	take(a, result);
}

static void on_socket(void *context, const uint8_t *message, size_t len,
		      uint32_t rtt_us, const char *error)
{
	struct asking *a = context;

	if (message)
		take_message(a, way_names[a->ways[a->at]], message, len, rtt_us);
	else
		take_error(a, NULL, error);
}

/* Which outcome rose; under load another query's may rise with it: then @otherwise. */
static const char *risen(struct daemon *d, const uint64_t *before,
			 const char *otherwise)
{
	uint64_t after[LANE53_OUTCOME_COUNT];
	const char *name = NULL;

	if (xdp_outcomes(d->xdp, after) < 0)
		return otherwise;
	for (unsigned i = 0; i < LANE53_OUTCOME_COUNT; i++) {
		if (after[i] == before[i])
			continue;
		if (name)
			return otherwise;
		name = xdp_outcome_name(i);
	}
	return name ? name : otherwise;
}

static void by_xdp(struct asking *a)
{
	uint64_t before[LANE53_OUTCOME_COUNT] = { 0 };

	(void)xdp_outcomes(a->d->xdp, before);
	if (xdp_query(a->d->xdp, &a->question, &a->reply, &a->problem) < 0) {
		take_error(a, NULL, a->problem.text);
		return;
	}
	switch (a->reply.way) {
	case XDP_WAY_LOCAL:
		take_message(a, "xdp-local", a->reply.message, a->reply.len,
			     a->reply.rtt_us);
		return;
	case XDP_WAY_CACHE:
		take_message(a, "xdp-cache", a->reply.message, a->reply.len,
			     a->reply.rtt_us);
		return;
	case XDP_WAY_LANE:
		take_error(a, "TO_LANE", "XDP does not hold it: it goes down the lane");
		return;
	case XDP_WAY_STACK:
	case XDP_WAY_NONE:
		break;
	}
	take_error(a, risen(a->d, before, "PASSED"), "XDP leaves it to the stack");
}

static void lane_work(uv_work_t *work)
{
	struct asking *a = work->data;

	a->result = xdp_lane_probe(a->d->options->name, &a->question, TIMEOUT_MS,
				   &a->reply, &a->problem);
}

static void lane_done(uv_work_t *work, int status)
{
	struct asking *a = work->data;

	if (status < 0 || a->result < 0)
		take_error(a, NULL,
			   a->problem.text[0] ? a->problem.text
					      : "the lane cannot be used");
	else if (a->reply.way == XDP_WAY_LANE && a->reply.len)
		take_message(a, "lane", a->reply.message, a->reply.len,
			     a->reply.rtt_us);
	else
		take_error(a, NULL, "no response from the lane in time");
}

static void by_socket(struct asking *a, bool tcp)
{
	struct ask ask = { .loop = a->d->loop,
			   .server = &a->server,
			   .tcp = tcp,
			   .query = a->query,
			   .len = a->len,
			   .timeout_ms = TIMEOUT_MS };

	ask_send(&ask, on_socket, a);
}

static void next(struct asking *a)
{
	enum way way = a->ways[a->at];

	memset(&a->problem, 0, sizeof(a->problem));
	if ((way == BY_XDP || way == BY_LANE) && !a->d->xdp) {
		take_error(a, NULL, "no XDP in use: lane53d runs on sockets only");
		return;
	}
	if ((way == BY_SOCKET || way == BY_TCP) && a->tenant) {
		take_error(a, NULL,
			   "the view is a tenant's, and sockets tell tenants by where "
			   "a query comes in: this one would come from the node "
			   "itself; ask from a client of the tenant");
		return;
	}
	switch (way) {
	case BY_XDP:
		by_xdp(a);
		return;
	case BY_LANE:
		a->work.data = a;
		if (uv_queue_work(a->d->loop, &a->work, lane_work, lane_done) < 0)
			take_error(a, NULL, "no thread to be had");
		return;
	case BY_SOCKET:
	case BY_TCP:
		by_socket(a, way == BY_TCP);
		return;
	case WAY_COUNT:
		return;
	}
}

/* ---- the request ---- */

static bool choose_ways(struct asking *a, const char *path)
{
	if (!path || !strcmp(path, "auto")) {
		a->until_answered = true;
		if (a->d->xdp) {
			a->ways[a->way_count++] = BY_XDP;
			a->ways[a->way_count++] = BY_LANE;
		}
		a->ways[a->way_count++] = BY_SOCKET;
		return true;
	}
	a->all = !strcmp(path, "all");
	for (unsigned way = 0; way < WAY_COUNT; way++)
		if (a->all || !strcmp(path, way_names[way]))
			a->ways[a->way_count++] = way;
	return a->way_count > 0;
}

static const struct plan_listener *listener_of(const struct plan *plan, uint32_t view)
{
	for (unsigned i = 0; i < plan->listener_count; i++)
		if (plan->listeners[i].view == view)
			return &plan->listeners[i];
	return NULL;
}

/* The interface XDP is asked at if none is named: the first attached one. */
static unsigned first_attached(const struct daemon *d)
{
	unsigned count = 0;
	const struct xdp_interface *x = d->xdp ? xdp_interfaces(d->xdp, &count) : NULL;

	for (unsigned i = 0; i < count; i++)
		if (x[i].attached)
			return x[i].ifindex;
	return 0;
}

/* An address of our own to ask a wildcard service at: @ifindex's, or any but lo's. */
static const uint8_t *own_address(const struct daemon *d, unsigned ifindex)
{
	unsigned count = 0;
	const struct iface_address *own =
		d->ifaces ? ifaces_addresses(d->ifaces, &count) : NULL;
	const uint8_t *other = NULL;

	for (unsigned i = 0; i < count; i++) {
		const struct iface *iface = iface_find(d->ifaces, own[i].ifindex);

		if (own[i].ifindex == ifindex)
			return own[i].addr;
		if (iface && !iface->loopback)
			other = own[i].addr;
	}
	return other;
}

/* A source that @scope has, of the service's family; any will do where it has all. */
static void fill_source(struct asking *a, const struct config_xdp *scope)
{
	const bool ipv4 =
		address_is_any(a->server.addr) || address_is_ipv4(a->server.addr);

	for (unsigned i = 0; i < scope->from_count; i++) {
		const struct config_prefix *from = &scope->from[i];

		if (address_is_ipv4(from->addr) != ipv4)
			continue;
		if (from->bits == (ipv4 ? 96 : 0))
			return;
		memcpy(a->question.remote, from->addr, 16);
		/* the network's own address is no host's */
		if (from->bits < 128)
			a->question.remote[15] |= 1;
		return;
	}
}

/* Come in as the tenant's clients do: its VLAN, a source it has, its interface. */
static void fill_tenant(struct asking *a)
{
	const struct daemon *d = a->d;
	unsigned count = 0;
	const struct xdp_interface *x = d->xdp ? xdp_interfaces(d->xdp, &count) : NULL;

	for (unsigned i = 0; a->tenant && i < d->config->xdp_count; i++) {
		const struct config_xdp *scope = &d->config->xdp[i];

		if (d->origins.tenants[i] != a->tenant)
			continue;
		a->question.vlan = scope->vlan;
		fill_source(a, scope);
		for (unsigned n = 0; n < count && !a->ifindex; n++)
			for (unsigned p = 0; p < scope->pattern_count; p++)
				if (x[n].attached &&
				    !fnmatch(scope->patterns[p], x[n].name, 0))
					a->ifindex = x[n].ifindex;
		return;
	}
}

static void fill_question(struct asking *a)
{
	const uint8_t *own;

	fill_tenant(a);

	if (!a->ifindex)
		a->ifindex = first_attached(a->d);
	own = address_is_any(a->server.addr) ? own_address(a->d, a->ifindex) : NULL;
	a->question.ifindex = a->ifindex;
	memcpy(a->question.local, own ? own : a->server.addr, 16);
	a->question.local_port = a->server.port;
	a->question.view = a->view;
	a->question.message = a->query;
	a->question.len = a->len;
	a->question.lane = a->d->xdp ? xdp_lane_of(a->d->xdp, a->query, a->len) : 0;
}

/* The interface to come in by; none named: any. */
static bool choose_iface(struct asking *a, const char *name)
{
	const struct iface *iface;

	if (!name)
		return true;
	iface = a->d->ifaces ? iface_by_name(a->d->ifaces, name) : NULL;
	if (iface)
		a->ifindex = iface->ifindex;
	return iface != NULL;
}

void op_query(struct daemon *d, struct lines_request *request, json_t *json)
{
	const struct plan_view *view;
	const struct plan_listener *listener;
	const char *path, *iface = NULL;
	struct asking *a;
	uint8_t name[255];
	uint16_t type;
	bool refused;

	if (!control_name(request, json, name) || !control_type(request, json, &type))
		return;
	view = control_view(d, request, json);
	if (!view)
		return;
	path = control_text(request, json, "path", false, &refused);
	if (!refused)
		iface = control_text(request, json, "iface", false, &refused);
	if (refused)
		return;
	a = calloc(1, sizeof(*a));
	if (!a) {
		lines_reply(request, NULL);
		return;
	}
	a->d = d;
	a->request = request;
	a->view = view->id;
	listener = listener_of(commits_plan(d->commits), view->id);
	a->results = json_array();
	if (!choose_ways(a, path))
		lines_refuse(request,
			     "path: '%.40s' is none of auto, xdp, lane, socket, "
			     "tcp, all",
			     path);
	else if (!choose_iface(a, iface))
		lines_refuse(request, "iface: no interface '%.40s' here", iface);
	else if (!listener)
		lines_refuse(request, "view: '%s' has no listener", view->name);
	else {
		a->server = listener->local;
		a->tenant = listener->tenant;
		a->len = ask_build(a->query, name, type);
		fill_question(a);
		next(a);
		return;
	}
	json_decref(a->results);
	free(a);
}
