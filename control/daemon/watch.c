/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c - see watch.h. */
#include "daemon/watch.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ask.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/fastpath.h"
#include "daemon/lines.h"
#include "daemon/querylog.h"
#include "io/address.h"
#include "plan/plan.h"
#include "xdp/xdp.h"

#define RATE         1000 /* lines a second and client: a terminal shows no more */
#define RECENT_COUNT 256  /* 86 KiB */
#define TICK_MS      1000
#define NS_PER_S     1000000000

struct watch {
	struct watch *next;
	struct watching *watching;
	struct lines_request *request;
	uint32_t every;
	uint32_t passed;     /* samples since the last that was shown */
	uint64_t left;       /* to show; UINT64_MAX: no end */
	uint64_t shown;      /* so many were */
	uint64_t left_out;   /* over RATE, or the client does not keep up */
	uint64_t lost_first; /* XDP's EVENT_LOST at the beginning */
	uint64_t lost_told;
	unsigned tokens;
	bool over; /* the client has gone, or has all it wanted */
};

struct watching {
	struct daemon *d;
	uv_timer_t timer;
	struct watch *first;
	bool taking; /* lines are being sent: those that are over go afterwards */
	uint64_t recent_count; /* ever; the last RECENT_COUNT are there */
	struct lane53_event recent[RECENT_COUNT];
};

/* ---- one answer as JSON ---- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* "2026-01-31T12:00:00.123456Z" of a CLOCK_MONOTONIC time. */
static json_t *time_text(uint64_t monotonic_ns)
{
	const int64_t ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC) +
			   (int64_t)monotonic_ns;
	const time_t seconds = (time_t)(ns / NS_PER_S);
	char head[32], text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06dZ", head, (int)(ns % NS_PER_S / 1000));
	return json_string(text);
}

static void put_text(json_t *object, const char *key, const char *format,
		     const struct lane53_event *event)
{
	char text[QUERYLOG_ROOM];

	querylog_fill(text, sizeof(text), format, event);
	json_object_set_new(object, key, lines_text(text));
}

static void put_number(json_t *object, const char *key, json_int_t number)
{
	json_object_set_new(object, key, json_integer(number));
}

static json_t *describe(const struct daemon *d, const struct lane53_event *event)
{
	const struct plan *plan = commits_plan(d->commits);
	const struct plan_view *view = plan ? plan_view_find(plan, event->view) : NULL;
	char interface[IF_NAMESIZE] = "", server[ADDRESS_TEXT_ROOM];
	json_t *object = json_object();

	(void)if_indextoname(event->ifindex, interface);
	(void)address_to_text(server, event->local, ntohs(event->local_port_be));
	json_object_set_new(object, "time", time_text(event->time_ns));
	put_text(object, "name", "{name}", event);
	put_text(object, "type", "{type}", event);
	put_text(object, "class", "{class}", event);
	put_text(object, "client", "{remote}:{port}", event);
	json_object_set_new(object, "server", json_string(server));
	json_object_set_new(object, "interface", json_string(interface));
	json_object_set_new(object, "view", json_string(view ? view->name : ""));
	json_object_set_new(object, "outcome",
			    json_string(xdp_outcome_name(event->outcome)));
	put_text(object, "rcode", "{rcode}", event);
	json_object_set_new(object, "flags", ask_flags(event->response_flags));
	put_number(object, "id", ntohs(event->id_be));
	put_number(object, "udp_bytes", event->edns_bytes);
	json_object_set_new(object, "do", json_boolean(event->edns_do));
	put_number(object, "request_bytes", event->request_bytes);
	put_number(object, "response_bytes", event->response_bytes);
	put_number(object, "duration_ns", (json_int_t)event->duration_ns);
	return object;
}

/* ---- who watches ---- */

static uint64_t lost_by_xdp(const struct daemon *d)
{
	uint64_t outcomes[LANE53_OUTCOME_COUNT];

	if (!d->xdp || xdp_outcomes(d->xdp, outcomes) < 0)
		return 0;
	return outcomes[LANE53_EVENT_LOST];
}

static uint64_t lost(const struct watch *w)
{
	return lost_by_xdp(w->watching->d) - w->lost_first + w->left_out;
}

uint32_t watch_every(const struct daemon *d)
{
	uint32_t every = 0;

	for (const struct watch *w = d->watching ? d->watching->first : NULL; w;
	     w = w->next)
		if (!w->over && (!every || w->every < every))
			every = w->every;
	return every;
}

static bool is_any_over(const struct watching *watching)
{
	for (const struct watch *w = watching->first; w; w = w->next)
		if (w->over)
			return true;
	return false;
}

/* End those that are over. */
static void sweep(struct watching *watching)
{
	struct watch **link = &watching->first;

	if (watching->taking)
		return;
	while (*link) {
		struct watch *w = *link;

		if (!w->over) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		lines_reply(w->request, json_pack("{s:b, s:I, s:I}", "ok", 1, "shown",
						  (json_int_t)w->shown, "lost",
						  (json_int_t)lost(w)));
		free(w);
	}
	if (!watching->first)
		uv_timer_stop(&watching->timer);
	fastpath_sample(watching->d, watch_every(watching->d));
}

static void on_gone(void *context)
{
	struct watch *w = context;

	w->over = true;
	sweep(w->watching);
}

static void show(struct watch *w, const struct lane53_event *event)
{
	if (w->over)
		return;
	if (!w->tokens ||
	    !lines_more(w->request,
			json_pack("{s:o}", "event", describe(w->watching->d, event)))) {
		w->left_out++;
		return;
	}
	w->tokens--;
	w->shown++;
	if (--w->left == 0)
		w->over = true;
}

static void on_tick(uv_timer_t *timer)
{
	struct watching *watching = timer->data;

	watching->taking = true;
	for (struct watch *w = watching->first; w; w = w->next) {
		const uint64_t now_lost = lost(w);

		w->tokens = RATE;
		if (now_lost != w->lost_told && !w->over &&
		    lines_more(w->request,
			       json_pack("{s:I}", "lost", (json_int_t)now_lost)))
			w->lost_told = now_lost;
	}
	watching->taking = false;
	sweep(watching);
}

/* Return: 0 or -ENOMEM. */
static int open_watching(struct daemon *d)
{
	if (d->watching)
		return 0;
	d->watching = calloc(1, sizeof(*d->watching));
	if (!d->watching)
		return -ENOMEM;
	d->watching->d = d;
	(void)uv_timer_init(d->loop, &d->watching->timer); /* cannot fail */
	d->watching->timer.data = d->watching;
	return 0;
}

void watch_take(struct daemon *d, const struct lane53_event *event)
{
	const uint32_t sampled = xdp_settings(d->xdp)->event_sample;
	struct watching *watching;

	if (open_watching(d) < 0)
		return;
	watching = d->watching;
	watching->recent[watching->recent_count++ % RECENT_COUNT] = *event;
	if (!watching->first)
		return;
	watching->taking = true;
	for (struct watch *w = watching->first; w; w = w->next)
		if (sampled && ++w->passed >= w->every / sampled) {
			w->passed = 0;
			show(w, event);
		}
	watching->taking = false;
	if (is_any_over(watching))
		sweep(watching);
}

/* What was sampled before this client came, as the Corefile wants it. */
static void show_recent(struct watch *w)
{
	const struct watching *watching = w->watching;
	uint64_t count = watching->recent_count < RECENT_COUNT ? watching->recent_count
							       : RECENT_COUNT;

	if (!watching->d->config->event_every)
		return;
	if (count > w->left)
		count = w->left;
	for (uint64_t i = watching->recent_count - count; i < watching->recent_count;
	     i++)
		show(w, &watching->recent[i % RECENT_COUNT]);
}

/* ---- the op ---- */

/* The number at @key, @preset if there is none.  Return: false: @request is refused. */
static bool take_number(struct lines_request *request, json_t *json, const char *key,
			json_int_t preset, json_int_t *ret)
{
	json_t *value = json_object_get(json, key);

	*ret = value && !json_is_null(value) ? json_integer_value(value) : preset;
	if (*ret >= (value ? 1 : 0) && *ret <= UINT32_MAX)
		return true;
	lines_refuse(request, "%s: expected a number, 1 or more", key);
	return false;
}

static void begin(struct watch *w)
{
	struct watching *watching = w->watching;
	struct daemon *d = watching->d;

	w->next = watching->first;
	watching->first = w;
	w->tokens = RATE;
	w->lost_first = lost_by_xdp(d);
	lines_on_gone(w->request, on_gone, w);
	fastpath_sample(d, watch_every(d));
	if (!uv_is_active((uv_handle_t *)&watching->timer))
		uv_timer_start(&watching->timer, on_tick, TICK_MS, TICK_MS);
	watching->taking = true;
	(void)lines_more(w->request,
			 json_pack("{s:{s:I, s:I}}", "watching", "every",
				   (json_int_t)w->every, "limit",
				   (json_int_t)xdp_settings(d->xdp)->event_limit));
	show_recent(w);
	watching->taking = false;
	sweep(watching);
}

void op_events(struct daemon *d, struct lines_request *request, json_t *json)
{
	const uint32_t configured = d->config ? d->config->event_every : 0;
	json_int_t every, count;
	struct watch *w;

	if (!take_number(request, json, "every", configured ? configured : 1, &every) ||
	    !take_number(request, json, "count", 0, &count))
		return;
	if (!d->xdp || !d->config) {
		lines_refuse(request, "there is no XDP here to watch");
		return;
	}
	w = open_watching(d) < 0 ? NULL : calloc(1, sizeof(*w));
	if (!w) {
		lines_reply(request, NULL);
		return;
	}
	*w = (struct watch){ .watching = d->watching,
			     .request = request,
			     .every = (uint32_t)every,
			     .left = count ? (uint64_t)count : UINT64_MAX };
	begin(w);
}
