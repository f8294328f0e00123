/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport_socket.c - one connected socket per upstream question.
 *
 *   ask ──UDP──► connect, send ─────────────► ASKED ──matching response──► sink
 *       ──TCP──► CONNECTING ─writable─► send ─► ASKED ──length, message──► sink
 *
 * An `asked` that ended during a run may still stand in the run's list of events, so it
 * is not used again before the run is over (`retired`).
 */
#include "io/transport_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "io/address.h"
#include "io/match.h"
#include "io/port.h"
#include "io/transport.h"
#include "lane53/wire.h"
#include "plan/plan.h"

#define EVENTS_PER_RUN 64

/*
 * Read for one question before the others have their turn: one will do, unless somebody
 * sends forgeries as fast as they are read.
 */
#define DATAGRAMS_PER_RUN 32

/* 64 IDs per getrandom(): a system call each would cost as much as the send. */
#define IDS_DRAWN 64

struct asked {
	struct asked *prev, *next; /* live, or retired/free by next only */
	struct exchange *exchange;
	int fd; /* -1: ended */
	bool tcp;
	uint16_t id;
	uint16_t question_len;
	uint8_t question[MATCH_QUESTION_MAX];
	uint8_t *stream; /* TCP: first the query, then the response; length prefixed */
	size_t stream_len, stream_done;
	bool sent;
};

struct socket_transport {
	struct transport base; /* first: the engine holds a pointer to it */
	struct transport_sink sink;
	int epoll_fd;
	bool running;
	struct asked *live, *retired, *unused;
	uint16_t ids[IDS_DRAWN];
	unsigned ids_left;
	uint64_t mismatched;
	uint8_t message[PORT_MESSAGE_MAX];
};

static struct socket_transport *of(struct transport *transport)
{
	return (struct socket_transport *)transport;
}

static int draw_id(struct socket_transport *t, uint16_t *ret_id)
{
	if (t->ids_left == 0) {
		if (getrandom(t->ids, sizeof(t->ids), 0) != sizeof(t->ids))
			return -EIO;
		t->ids_left = IDS_DRAWN;
	}
	*ret_id = t->ids[--t->ids_left];
	return 0;
}

/* ---- life of an asked ---- */

static struct asked *asked_new(struct socket_transport *t)
{
	struct asked *a = t->unused;

	if (a)
		t->unused = a->next;
	else
		a = malloc(sizeof(*a));
	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a));
	a->fd = -1;
	a->next = t->live;
	if (a->next)
		a->next->prev = a;
	t->live = a;
	return a;
}

static void asked_end(struct socket_transport *t, struct asked *a)
{
	struct asked **list = t->running ? &t->retired : &t->unused;

	if (a->prev)
		a->prev->next = a->next;
	else
		t->live = a->next;
	if (a->next)
		a->next->prev = a->prev;
	if (a->fd >= 0)
		close(a->fd); /* leaves the epoll set with it */
	free(a->stream);
	a->stream = NULL;
	a->fd = -1;
	a->next = *list;
	*list = a;
}

static void asked_fail(struct socket_transport *t, struct asked *a, int error)
{
	struct exchange *exchange = a->exchange;

	asked_end(t, a);
	t->sink.failed(t->sink.context, exchange, error);
}

/* ---- asking ---- */

static int asked_prepare(struct asked *a, const uint8_t *query, size_t len)
{
	a->question_len = (uint16_t)match_question_length(query, len);
	if (a->question_len == 0 || len > PORT_MESSAGE_MAX)
		return -EINVAL;
	memcpy(a->question, query + DNS_HEADER_BYTES, a->question_len);
	if (a->tcp) {
		a->stream_len = 2 + len;
		a->stream = malloc(a->stream_len);
		if (!a->stream)
			return -ENOMEM;
		a->stream[0] = (uint8_t)(len >> 8);
		a->stream[1] = (uint8_t)len;
		memcpy(a->stream + 2, query, len);
		memcpy(a->stream + 2, &a->id, 2);
	}
	return 0;
}

static int asked_connect(struct socket_transport *t, struct asked *a,
			 const struct plan_address *remote)
{
	struct sockaddr_storage to;
	socklen_t to_len = address_to_socket(&to, remote->addr, remote->port);
	int type = (a->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct epoll_event event = { .events = a->tcp ? EPOLLOUT : EPOLLIN,
				     .data.ptr = a };
	int on = 1;

	a->fd = socket(to.ss_family, type, 0);
	if (a->fd < 0)
		return -errno;
	if (a->tcp) /* only latency: a failure may be ignored */
		(void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(a->fd, (struct sockaddr *)&to, to_len) < 0 && errno != EINPROGRESS)
		return -errno;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, a->fd, &event) < 0)
		return -errno;
	return 0;
}

static int udp_send(const struct asked *a, const uint8_t *query, size_t len)
{
	struct iovec parts[2] = {
		{ .iov_base = (void *)&a->id, .iov_len = sizeof(a->id) },
		{ .iov_base = (void *)(query + 2), .iov_len = len - 2 },
	};

	return writev(a->fd, parts, 2) < 0 ? -errno : 0;
}

static int ask(struct transport *transport, struct exchange *exchange,
	       const struct plan_upstream *upstream, bool tcp, const uint8_t *query,
	       size_t len, void **ret_handle)
{
	struct socket_transport *t = of(transport);
	struct asked *a;
	int r;

	if (upstream->proto == PLAN_TLS)
		return -EPROTONOSUPPORT;
	a = asked_new(t);
	if (!a)
		return -ENOMEM;
	a->exchange = exchange;
	a->tcp = tcp || upstream->proto == PLAN_TCP;
	r = draw_id(t, &a->id);
	if (r == 0)
		r = asked_prepare(a, query, len);
	if (r == 0)
		r = asked_connect(t, a, &upstream->remote);
	if (r == 0 && !a->tcp)
		r = udp_send(a, query, len);
	if (r < 0) {
		asked_end(t, a);
		return r;
	}
	*ret_handle = a;
	return 0;
}

static void cancel(struct transport *transport, void *handle)
{
	asked_end(of(transport), handle);
}

/* ---- responses ---- */

static bool response_matches(const struct asked *a, const uint8_t *message, size_t len)
{
	return match_response((const uint8_t *)&a->id, a->question, a->question_len,
			      message, len);
}

static void asked_respond(struct socket_transport *t, struct asked *a,
			  const uint8_t *message, size_t len)
{
	struct exchange *exchange = a->exchange;

	asked_end(t, a);
	t->sink.response(t->sink.context, exchange, message, len);
}

static void udp_ready(struct socket_transport *t, struct asked *a)
{
	for (int i = 0; i < DATAGRAMS_PER_RUN; i++) {
		ssize_t n = recv(a->fd, t->message, sizeof(t->message), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				asked_fail(t, a, -errno);
			return;
		}
		if (response_matches(a, t->message, (size_t)n)) {
			asked_respond(t, a, t->message, (size_t)n);
			return;
		}
		t->mismatched++; /* keep waiting: a forgery must not end the question */
	}
}

/* Return: 0 = done or would block, else negative errno. */
static int tcp_send(struct socket_transport *t, struct asked *a)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = a };
	ssize_t n = send(a->fd, a->stream + a->stream_done,
			 a->stream_len - a->stream_done, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	a->stream_done += (size_t)n;
	if (a->stream_done < a->stream_len)
		return 0;
	free(a->stream);
	a->stream = malloc(2 + PORT_MESSAGE_MAX);
	a->stream_len = 2; /* the response's length first */
	a->stream_done = 0;
	a->sent = true;
	if (!a->stream)
		return -ENOMEM;
	return epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, a->fd, &event) < 0 ? -errno : 0;
}

/* Return: 0 = more to come, 1 = response is whole, else negative errno. */
static int tcp_recv(struct asked *a)
{
	for (;;) {
		ssize_t n = recv(a->fd, a->stream + a->stream_done,
				 a->stream_len - a->stream_done, 0);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		a->stream_done += (size_t)n;
		if (a->stream_done < a->stream_len)
			continue;
		if (a->stream_len > 2)
			return 1;
		a->stream_len = 2u + ((size_t)a->stream[0] << 8 | a->stream[1]);
		if (a->stream_len < 2 + DNS_HEADER_BYTES)
			return -EPROTO;
	}
}

static void tcp_ready(struct socket_transport *t, struct asked *a)
{
	uint8_t *stream;
	int r;

	if (!a->sent) {
		r = tcp_send(t, a);
		if (r < 0)
			asked_fail(t, a, r);
		return;
	}
	r = tcp_recv(a);
	if (r < 0) {
		asked_fail(t, a, r);
	} else if (r > 0 && !response_matches(a, a->stream + 2, a->stream_len - 2)) {
		t->mismatched++;
		asked_fail(t, a,
			   -EPROTO); /* one question, one response: no other comes */
	} else if (r > 0) {
		stream = a->stream;
		a->stream = NULL; /* outlives asked_end() */
		asked_respond(t, a, stream + 2, a->stream_len - 2);
		free(stream);
	}
}

unsigned transport_socket_run(struct transport *transport)
{
	struct socket_transport *t = of(transport);
	struct epoll_event events[EVENTS_PER_RUN];
	int n = epoll_wait(t->epoll_fd, events, EVENTS_PER_RUN, 0);

	if (n <= 0)
		return 0;
	t->running = true;
	for (int i = 0; i < n; i++) {
		struct asked *a = events[i].data.ptr;

		if (a->fd < 0)
			continue; /* cancelled earlier in this run */
		if (a->tcp)
			tcp_ready(t, a);
		else
			udp_ready(t, a);
	}
	t->running = false;
	while (t->retired) {
		struct asked *a = t->retired;

		t->retired = a->next;
		a->next = t->unused;
		t->unused = a;
	}
	return (unsigned)n;
}

/* ---- open and close ---- */

static const struct transport_ops ops = { .ask = ask, .cancel = cancel };

int transport_socket_open(struct transport **ret_transport,
			  const struct transport_sink *sink)
{
	struct socket_transport *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->base.ops = &ops;
	t->sink = *sink;
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->epoll_fd < 0) {
		r = -errno;
		free(t);
		return r;
	}
	*ret_transport = &t->base;
	return 0;
}

void transport_socket_close(struct transport *transport)
{
	struct socket_transport *t = of(transport);

	if (!t)
		return;
	while (t->live)
		asked_end(t, t->live);
	while (t->unused) {
		struct asked *a = t->unused;

		t->unused = a->next;
		free(a);
	}
	close(t->epoll_fd);
	free(t);
}

int transport_socket_fd(const struct transport *transport)
{
	return ((const struct socket_transport *)transport)->epoll_fd;
}

uint64_t transport_socket_mismatched(const struct transport *transport)
{
	return ((const struct socket_transport *)transport)->mismatched;
}
