/* SPDX-License-Identifier: BSD-3-Clause */
/* eventlog.c - see eventlog.h. */
#include "eventlog.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/querylog.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "xdp/xdp.h"

#define BATCH      64        /* datagrams per turn of the loop: control stays prompt */
#define QUEUE_ROOM (4 << 20) /* about 10,000 events while the loop is busy */

struct eventlog {
	struct daemon *d;
	int fd;
	uv_poll_t poll, xdp_poll;
	bool xdp_watched;
	unsigned open;
};

/* ---- one event ---- */

/* CoreDNS: "[ERROR] plugin/errors: 2 name. TYPE: message". */
static void log_failure(const struct lane53_event *event)
{
	char name[NAME_TEXT_ROOM];
	char *type = ldns_rr_type2str((ldns_rr_type)event->qtype);

	name_to_text(name, event->qname);
	log_error("plugin/errors: %u %s %s: no response from an upstream, or nothing "
		  "answers here",
		  RCODE_SERVFAIL, name, type ? type : "?");
	free(type);
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
	return plan_route(plan, view, name, name_size(name), &zone);
}

static void take(struct daemon *d, const struct lane53_event *event)
{
	const struct plan *plan = commits_plan(d->commits);
	const struct plan_block *block = plan ? block_of(plan, event) : NULL;
	const struct config_block *config;
	char line[QUERYLOG_ROOM];

	if (!block || !d->config)
		return;
	config = &d->config->blocks[d->origins.block_of[block - plan->blocks]];
	for (unsigned i = 0; i < config->log_count; i++)
		if (querylog_matches(&config->logs[i], event)) {
			querylog_format(line, sizeof(line), config->logs[i].format,
					event);
			log_line(line);
		}
	if (config->errors && (event->response_flags & FLAG_RCODE) == RCODE_SERVFAIL)
		log_failure(event);
}

static void take_each(void *context, const struct lane53_event *event)
{
	take(context, event);
}

/* ---- where they come from ---- */

static void on_datagrams(uv_poll_t *poll, int status, int what)
{
	struct eventlog *events = poll->data;
	struct lane53_event event;

	(void)what;
	for (unsigned i = 0; i < BATCH && status == 0; i++) {
		ssize_t len = recv(events->fd, &event, sizeof(event), MSG_DONTWAIT);

		if (len < 0)
			return;
		if (len == sizeof(event))
			take(events->d, &event);
	}
}

static void on_ring(uv_poll_t *poll, int status, int what)
{
	struct eventlog *events = poll->data;

	(void)what;
	if (status == 0 && events->d->xdp)
		xdp_events_consume(events->d->xdp, take_each, events->d);
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

	if (!events)
		return -ENOMEM;
	events->d = d;
	events->fd = bind_socket(d->options->run);
	if (events->fd < 0) {
		int r = events->fd;

		free(events);
		return r;
	}
	uv_poll_init(d->loop, &events->poll, events->fd);
	events->poll.data = events;
	events->open = 1;
	uv_poll_start(&events->poll, UV_READABLE, on_datagrams);
	*ret = events;
	return 0;
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
	uv_close((uv_handle_t *)&events->poll, on_closed);
}
