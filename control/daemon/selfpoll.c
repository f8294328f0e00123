/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * selfpoll.c - one connection per address and second, and one timer for all.
 *
 *   tick ─► connect ─► GET /health ─► read to the end ─► counted, closed
 *   tick, still at it after 3 s ─────────────────────► failed, closed
 */
#include "daemon/selfpoll.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/degraded.h"
#include "io/address.h"
#include "plan/plan.h"

#define EVERY_MS   1000
#define TIMEOUT_NS 3000000000u /* CoreDNS's client */

static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n"
			      "User-Agent: lane53d\r\nConnection: close\r\n\r\n";

/* "HTTP/1.1 200": what comes behind does not matter. */
#define STATUS_BYTES 12

struct poll {
	struct poll *next;
	struct selfpoll *selfpoll; /* NULL: is no longer wanted */
	struct plan_address at;
	char url[80];
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	bool busy; /* tcp is open, or being closed */
	uint64_t started_ns;
	size_t len;
	char bytes[256]; /* the beginning of what was read */
};

struct selfpoll {
	uv_timer_t timer;
	struct degraded *degraded;
	struct poll *first;
	struct selfpoll_counts counts;
};

static void key_of(char key[128], const struct poll *poll)
{
	snprintf(key, 128, "health/%s", poll->url);
}

static void count(struct selfpoll_counts *counts, uint64_t took_ns)
{
	static const double bounds[] = { SELFPOLL_BOUNDS };
	unsigned i = 0;

	while (i < SELFPOLL_BOUNDS_COUNT && (double)took_ns / 1e9 > bounds[i])
		i++;
	counts->buckets[i]++;
	counts->sum_ns += took_ns;
}

static void on_closed(uv_handle_t *handle)
{
	struct poll *poll = handle->data;

	poll->busy = false;
	if (!poll->selfpoll)
		free(poll);
}

static void end(struct poll *poll)
{
	if (!uv_is_closing((uv_handle_t *)&poll->tcp))
		uv_close((uv_handle_t *)&poll->tcp, on_closed);
}

/* @why NULL: it went well.  Once for each connection. */
static void finish(struct poll *poll, const char *why)
{
	struct selfpoll *selfpoll = poll->selfpoll;
	char key[128];

	if (selfpoll && !uv_is_closing((uv_handle_t *)&poll->tcp)) {
		key_of(key, poll);
		count(&selfpoll->counts, uv_hrtime() - poll->started_ns);
		if (why) {
			selfpoll->counts.failures++;
			degraded_set(selfpoll->degraded, key,
				     "plugin/health: local request to %s failed: %s",
				     poll->url, why);
		} else {
			degraded_clear(selfpoll->degraded, key);
		}
	}
	end(poll);
}

static bool is_ok(const struct poll *poll)
{
	return poll->len >= STATUS_BYTES && !memcmp(poll->bytes, "HTTP/1.", 7) &&
	       !memcmp(poll->bytes + 8, " 200", 4);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct poll *poll = handle->data;
	/* the status stays, what follows it overwrites itself */
	size_t at = poll->len < STATUS_BYTES ? poll->len : STATUS_BYTES;

	(void)suggested;
	*ret = uv_buf_init(poll->bytes + at, (unsigned)(sizeof(poll->bytes) - at));
}

static void on_bytes(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct poll *poll = stream->data;

	(void)buf;
	if (len >= 0)
		poll->len += (size_t)len;
	else if (is_ok(poll)) /* the end, in whatever way */
		finish(poll, NULL);
	else
		finish(poll,
		       poll->len ? "the response is not 200" : uv_strerror((int)len));
}

static void on_written(uv_write_t *write, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		finish(write->data, uv_strerror(status));
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct poll *poll = connect->data;
	uv_buf_t buf = uv_buf_init((char *)request, sizeof(request) - 1);
	uv_stream_t *stream = (uv_stream_t *)&poll->tcp;

	if (status == UV_ECANCELED)
		return; /* finished already */
	poll->write.data = poll;
	if (status == 0)
		status = uv_read_start(stream, on_room, on_bytes);
	if (status == 0)
		status = uv_write(&poll->write, stream, &buf, 1, on_written);
	if (status < 0)
		finish(poll, uv_strerror(status));
}

static void begin(struct poll *poll)
{
	static const uint8_t loopback[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1
	};
	struct sockaddr_storage to;
	int r;

	(void)address_to_socket(
		&to, address_is_any(poll->at.addr) ? loopback : poll->at.addr,
		poll->at.port);
	poll->busy = true;
	poll->len = 0;
	poll->started_ns = uv_hrtime();
	(void)uv_tcp_init(poll->selfpoll->timer.loop, &poll->tcp); /* cannot fail */
	poll->tcp.data = poll->connect.data = poll;
	r = uv_tcp_connect(&poll->connect, &poll->tcp, (struct sockaddr *)&to,
			   on_connected);
	if (r < 0)
		finish(poll, uv_strerror(r));
}

static void on_tick(uv_timer_t *timer)
{
	struct selfpoll *selfpoll = timer->data;

	for (struct poll *poll = selfpoll->first; poll; poll = poll->next) {
		if (!poll->busy)
			begin(poll);
		else if (uv_hrtime() - poll->started_ns >= TIMEOUT_NS)
			finish(poll, "no response within 3 s");
	}
}

int selfpoll_open(struct selfpoll **ret, uv_loop_t *loop, struct degraded *degraded)
{
	struct selfpoll *selfpoll = calloc(1, sizeof(*selfpoll));

	if (!selfpoll)
		return -ENOMEM;
	(void)uv_timer_init(loop, &selfpoll->timer); /* cannot fail */
	selfpoll->timer.data = selfpoll;
	selfpoll->degraded = degraded;
	*ret = selfpoll;
	return 0;
}

static bool is_same(const struct plan_address *a, const struct plan_address *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static bool is_among(const struct plan_address *one, const struct plan_address *at,
		     unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same(one, &at[i]))
			return true;
	return false;
}

static void drop(struct poll *poll)
{
	char key[128];

	key_of(key, poll);
	degraded_clear(poll->selfpoll->degraded, key);
	poll->selfpoll = NULL;
	if (poll->busy)
		end(poll); /* on_closed() releases it */
	else
		free(poll);
}

static int add(struct selfpoll *selfpoll, const struct plan_address *at)
{
	char text[ADDRESS_TEXT_ROOM];
	struct poll *poll;

	for (poll = selfpoll->first; poll; poll = poll->next)
		if (is_same(&poll->at, at))
			return 0;
	poll = calloc(1, sizeof(*poll));
	if (!poll)
		return -ENOMEM;
	poll->selfpoll = selfpoll;
	poll->at = *at;
	snprintf(poll->url, sizeof(poll->url), "http://%s/health",
		 address_to_text(text, at->addr, at->port));
	poll->next = selfpoll->first;
	selfpoll->first = poll;
	return 0;
}

int selfpoll_set(struct selfpoll *selfpoll, const struct plan_address *at,
		 unsigned count)
{
	struct poll **link = &selfpoll->first;
	int r = 0;

	while (*link) {
		struct poll *poll = *link;

		if (is_among(&poll->at, at, count)) {
			link = &poll->next;
		} else {
			*link = poll->next;
			drop(poll);
		}
	}
	for (unsigned i = 0; i < count; i++)
		if (add(selfpoll, &at[i]) < 0)
			r = -ENOMEM;
	if (!selfpoll->first)
		uv_timer_stop(&selfpoll->timer);
	else if (!uv_is_active((uv_handle_t *)&selfpoll->timer))
		uv_timer_start(&selfpoll->timer, on_tick, EVERY_MS, EVERY_MS);
	return r;
}

const struct selfpoll_counts *selfpoll_counts(const struct selfpoll *selfpoll)
{
	return &selfpoll->counts;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void selfpoll_close(struct selfpoll *selfpoll)
{
	if (!selfpoll)
		return;
	(void)selfpoll_set(selfpoll, NULL, 0);
	uv_close((uv_handle_t *)&selfpoll->timer, on_timer_closed);
}
