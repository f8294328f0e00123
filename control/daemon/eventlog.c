/* SPDX-License-Identifier: BSD-3-Clause */
/* eventlog.c - see eventlog.h. */
#include "eventlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/errorlog.h"
#include "daemon/log.h"
#include "daemon/querylog.h"
#include "daemon/watch.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "plan/plan.h"
#include "xdp/xdp.h"

#define BATCH      64        /* datagrams per turn of the loop: control stays prompt */
#define QUEUE_ROOM (4 << 20) /* about 10,000 events while the loop is busy */

struct eventlog {
	struct daemon *d;
	int fd;
	struct errorlog *errors;
	uv_poll_t poll, xdp_poll;
	uv_timer_t timer; /* of errors */
	bool xdp_watched;
	unsigned open;
};

/* ---- one event ---- */

static void put_error(void *context, enum config_level level, const char *line)
{
	(void)context;
	switch (level) {
	case LEVEL_ERROR:
		log_error("%s", line);
		return;
	case LEVEL_WARNING:
		log_warning("%s", line);
		return;
	case LEVEL_INFO:
		log_info("%s", line);
		return;
	case LEVEL_DEBUG:
		return;
	}
}

static void on_errors_due(uv_timer_t *timer)
{
	struct eventlog *events = timer->data;
	const uint64_t now_ms = uv_now(timer->loop);
	const uint64_t next_ms = errorlog_tick(events->errors, now_ms);

	if (next_ms != UINT64_MAX)
		uv_timer_start(timer, on_errors_due, next_ms - now_ms, 0);
}

static const struct plan_block *block_of(const struct plan *plan,
					 const struct lane53_event *event)
{
	const struct plan_view *view = plan_view_find(plan, event->view);
	const struct plan_zone *zone;
	uint8_t name[255];

	if (!view || !name_length(event->qname, event->qname_len))
		return NULL;
	name_lower(name, event->qname);
	return plan_route(plan, view, name, event->qtype, &zone);
}

/* The server block of the Corefile that @event is of, or -1. */
static int config_block_of(const struct daemon *d, const struct lane53_event *event)
{
	const struct plan *plan = commits_plan(d->commits);
	const struct plan_block *block = plan ? block_of(plan, event) : NULL;

	return block && d->config ? (int)d->origins.block_of[block - plan->blocks] : -1;
}

static void take_log(const struct config_block *config,
		     const struct lane53_event *event)
{
	char line[QUERYLOG_ROOM];

	for (unsigned i = 0; i < config->log_count; i++)
		if (querylog_matches(&config->logs[i], event)) {
			querylog_format(line, sizeof(line), config->logs[i].format,
					event);
			log_line(line);
		}
}

static void take_report(struct eventlog *events, const struct lane53_report *report)
{
	struct daemon *d = events->d;
	const int block = config_block_of(d, &report->event);

	if (block < 0)
		return;
	take_log(&d->config->blocks[block], &report->event);
	if (!d->config->blocks[block].errors || !report->failure.cause)
		return;
	errorlog_take(events->errors, (unsigned)block, report, uv_now(d->loop));
	if (!uv_is_active((uv_handle_t *)&events->timer))
		on_errors_due(&events->timer);
}

/* From XDP, which answers or passes, and fails at nothing. */
static void take_event(void *context, const struct lane53_event *event)
{
	struct daemon *d = context;
	const int block = config_block_of(d, event);

	if (event->why & LANE53_EVENT_SAMPLED)
		watch_take(d, event);
	if (event->why & LANE53_EVENT_LOGGED && block >= 0)
		take_log(&d->config->blocks[block], event);
}

/* ---- where they come from ---- */

static void on_datagrams(uv_poll_t *poll, int status, int what)
{
	struct eventlog *events = poll->data;
	struct lane53_report report;

	(void)what;
	for (unsigned i = 0; i < BATCH && status == 0; i++) {
		ssize_t len = recv(events->fd, &report, sizeof(report), MSG_DONTWAIT);

		if (len < 0)
			return;
		if (len == sizeof(report))
			take_report(events, &report);
	}
}

static void on_ring(uv_poll_t *poll, int status, int what)
{
	struct eventlog *events = poll->data;

	(void)what;
	if (status == 0 && events->d->xdp)
		xdp_events_consume(events->d->xdp, take_event, events->d);
}

static int bind_socket(const char *run)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int room = QUEUE_ROOM, r;

	if (fd < 0)
		return -errno;
	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/events.sock", run) >=
	    (int)sizeof(addr.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	(void)unlink(addr.sun_path);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, (void *)&addr, sizeof(addr))) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int eventlog_open(struct eventlog **ret, struct daemon *d)
{
	struct eventlog *events = calloc(1, sizeof(*events));
	int r;

	if (!events)
		return -ENOMEM;
	events->d = d;
	r = errorlog_open(&events->errors, put_error, NULL);
	if (r < 0)
		goto err_events;
	r = events->fd = bind_socket(d->options->run);
	if (r < 0)
		goto err_errors;
	uv_poll_init(d->loop, &events->poll, events->fd);
	uv_timer_init(d->loop, &events->timer);
	events->poll.data = events->timer.data = events;
	events->open = 2;
	uv_poll_start(&events->poll, UV_READABLE, on_datagrams);
	*ret = events;
	return 0;

err_errors:
	errorlog_close(events->errors);
err_events:
	free(events);
	return r;
}

void eventlog_apply(struct eventlog *events)
{
	if (errorlog_set(events->errors, events->d->config) < 0)
		log_error("out of memory: errors are not consolidated");
}

static void on_closed(uv_handle_t *handle)
{
	struct eventlog *events = handle->data;

	if (handle == (uv_handle_t *)&events->poll)
		close(events->fd);
	if (--events->open == 0)
		free(events);
}

void eventlog_watch_xdp(struct eventlog *events)
{
	int fd = xdp_events_fd(events->d->xdp);

	if (events->xdp_watched || fd < 0 ||
	    uv_poll_init(events->d->loop, &events->xdp_poll, fd) < 0)
		return;
	events->xdp_poll.data = events;
	events->xdp_watched = true;
	events->open++;
	uv_poll_start(&events->xdp_poll, UV_READABLE, on_ring);
}

void eventlog_unwatch_xdp(struct eventlog *events)
{
	if (!events || !events->xdp_watched)
		return;
	events->xdp_watched = false;
	uv_close((uv_handle_t *)&events->xdp_poll, on_closed);
}

void eventlog_close(struct eventlog *events)
{
	if (!events)
		return;
	eventlog_unwatch_xdp(events);
	errorlog_close(events->errors);
	uv_close((uv_handle_t *)&events->timer, on_closed);
	uv_close((uv_handle_t *)&events->poll, on_closed);
}
