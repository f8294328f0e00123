/* SPDX-License-Identifier: BSD-3-Clause */
/* web.c - see web.h. */
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/gather.h"
#include "daemon/http.h"
#include "daemon/metrics.h"
#include "daemon/selfpoll.h"

struct web {
	struct daemon *d;
	struct http *http;
	struct selfpoll *selfpoll; /* of `health` */
	bool was_ready; /* `monitor until-ready`: once ready, ready for good */
};

static void say(struct http_reply *reply, unsigned status, const char *text)
{
	reply->status = status;
	reply->text = strdup(text);
	reply->len = reply->text ? strlen(text) : 0;
}

/* Liveness only: this process runs its loop. */
static void show_health(void *context, struct http_reply *reply)
{
	(void)context;
	say(reply, 200, "OK");
}

/* What keeps us from answering, or NULL. */
static const char *not_ready(const struct daemon *d)
{
	if (d->ending)
		return "Shutting down";
	return d->socket_up || d->dpdk_up ? NULL : "worker";
}

static void show_ready(void *context, struct http_reply *reply, bool continuously)
{
	struct web *web = context;
	const char *why = not_ready(web->d);

	if (!why)
		web->was_ready = true;
	if (!why || (web->was_ready && !continuously && !web->d->ending))
		say(reply, 200, "OK");
	else
		say(reply, 503, why);
}

static void show_ready_once(void *context, struct http_reply *reply)
{
	show_ready(context, reply, false);
}

static void show_ready_always(void *context, struct http_reply *reply)
{
	show_ready(context, reply, true);
}

static void show_metrics(void *context, struct http_reply *reply)
{
	struct web *web = context;

	reply->type = METRICS_CONTENT_TYPE;
	if (gather_metrics(web->d, &reply->text, &reply->len) < 0)
		say(reply, 500, "out of memory");
}

int web_open(struct web **ret, struct daemon *d)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return -ENOMEM;
	web->d = d;
	if (http_open(&web->http, d->loop) < 0)
		goto err_web;
	if (selfpoll_open(&web->selfpoll, d->loop, &d->degraded) < 0)
		goto err_http;
	*ret = web;
	return 0;

err_http:
	http_close(web->http);
err_web:
	free(web);
	return -ENOMEM;
}

static struct http_route route_of(struct web *web, const struct config_http *wanted)
{
	struct http_route route = { .local = wanted->local, .context = web };

	switch (wanted->kind) {
	case CONFIG_HEALTH:
		route.path = "/health";
		route.handler = show_health;
		break;
	case CONFIG_READY:
		route.path = "/ready";
		route.handler =
			wanted->continuously ? show_ready_always : show_ready_once;
		break;
	case CONFIG_METRICS:
		route.path = "/metrics";
		route.handler = show_metrics;
		break;
	}
	return route;
}

/* Our own /health at every address of the configuration. */
static void poll_health(struct daemon *d)
{
	struct plan_address *at = calloc(d->config->http_count + 1, sizeof(*at));
	unsigned count = 0;

	for (unsigned i = 0; at && i < d->config->http_count; i++)
		if (d->config->http[i].kind == CONFIG_HEALTH)
			at[count++] = d->config->http[i].local;
	(void)selfpoll_set(d->web->selfpoll, at, count);
	free(at);
}

void web_apply(struct daemon *d)
{
	unsigned count = d->config->http_count;
	struct http_route *routes = calloc(count + 1, sizeof(*routes));
	struct problem *problems = calloc(count + 1, sizeof(*problems));

	degraded_begin(&d->degraded, "http/");
	for (unsigned i = 0; routes && problems && i < count; i++)
		routes[i] = route_of(d->web, &d->config->http[i]);
	if (routes && problems)
		(void)http_set(d->web->http, routes, count, problems);
	for (unsigned i = 0; routes && problems && i < count; i++) {
		const struct config_http *wanted = &d->config->http[i];
		char key[128];

		if (!problems[i].text[0])
			continue;
		snprintf(key, sizeof(key), "http/%d/%.100s", wanted->kind,
			 wanted->text);
		degraded_set(&d->degraded, key, "%s:%u: %s", wanted->place.file,
			     wanted->place.line, problems[i].text);
	}
	degraded_end(&d->degraded, "http/");
	poll_health(d);
	free(routes);
	free(problems);
}

uint32_t web_lameduck_ms(const struct daemon *d)
{
	uint32_t longest = 0;

	for (unsigned i = 0; d->config && i < d->config->http_count; i++)
		if (d->config->http[i].lameduck_ms > longest)
			longest = d->config->http[i].lameduck_ms;
	return longest;
}

const struct selfpoll_counts *web_health_counts(const struct daemon *d)
{
	for (unsigned i = 0; d->config && i < d->config->http_count; i++)
		if (d->config->http[i].kind == CONFIG_HEALTH)
			return selfpoll_counts(d->web->selfpoll);
	return NULL;
}
