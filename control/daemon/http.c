/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.c - one libmicrohttpd daemon per address, driven by the uv loop.
 *
 * A listener is closed in steps: its uv handles stop watching, libmicrohttpd ends, and
 * the loop releases the memory when both handles are closed.
 */
#include "daemon/http.h"
#include "io/address.h"
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A scraper, a kubelet and some people; more are refused, not queued. */
#define CONNECTIONS_MAX 64
#define IDLE_S          30 /* longer than a scrape interval is not worth a socket */
#define BACKLOG         64

struct listener {
	struct listener *next;
	struct http *http; /* NULL: is being closed */
	struct plan_address local;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles;
};

struct http {
	uv_loop_t *loop;
	struct listener *first;
	struct http_route *routes;
	unsigned route_count;
};

static bool is_same_address(const struct plan_address *a, const struct plan_address *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* ---- one request ---- */

static enum MHD_Result respond(struct MHD_Connection *connection,
			       const struct http_reply *reply)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->len, reply->text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!response) {
		free(reply->text);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      reply->type);
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

static void reply_text(struct http_reply *reply, unsigned status, const char *text)
{
	reply->status = status;
	reply->text = strdup(text);
	reply->len = reply->text ? strlen(text) : 0;
}

static const struct http_route *route_find(const struct listener *listener,
					   const char *path)
{
	const struct http *http = listener->http;

	for (unsigned i = 0; http && i < http->route_count; i++)
		if (is_same_address(&http->routes[i].local, &listener->local) &&
		    !strcmp(http->routes[i].path, path))
			return &http->routes[i];
	return NULL;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_len, void **state)
{
	struct http_reply reply = { .status = 200,
				    .type = "text/plain; charset=utf-8" };
	const struct http_route *route = route_find(context, url);

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)state;
	if (!route)
		reply_text(&reply, 404, "not found\n");
	else if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		reply_text(&reply, 405, "only GET and HEAD\n");
	else
		route->handler(route->context, &reply);
	return respond(connection, &reply);
}

/* ---- one listener ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct listener *listener = handle->data;

	if (--listener->open_handles == 0)
		free(listener);
}

static void listener_close(struct listener *listener)
{
	listener->http = NULL;
	uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
	uv_close((uv_handle_t *)&listener->timer, on_handle_closed);
	MHD_stop_daemon(listener->daemon);
}

static void on_timer(uv_timer_t *timer);

static void listener_run(struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	(void)MHD_run(listener->daemon);
	if (!listener->http) /* a handler has closed us */
		return;
	if (MHD_get_timeout(listener->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&listener->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&listener->timer);
}

static void on_timer(uv_timer_t *timer)
{
	listener_run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status; /* MHD_run() finds out by itself what is wrong */
	(void)events;
	listener_run(poll->data);
}

/* Return: a listening socket, or a negative errno. */
static int socket_listen(const struct plan_address *local)
{
	struct sockaddr_storage address;
	socklen_t len = address_to_socket(&address, local->addr, local->port);
	const int on = 1, off = 0;
	int fd, r;

	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 && errno == EAFNOSUPPORT && address_is_any(local->addr)) {
		struct sockaddr_in *any = (struct sockaddr_in *)&address;

		*any = (struct sockaddr_in){ .sin_family = AF_INET,
					     .sin_port = htons(local->port) };
		len = sizeof(*any);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.ss_family == AF_INET6) /* [::] serves IPv4 as well */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int mhd_start(struct listener *listener, int fd)
{
	const union MHD_DaemonInfo *info;

	listener->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, listener,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_S, MHD_OPTION_END);
	if (!listener->daemon) {
		close(fd);
		return -ENOMEM;
	}
	info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info &&
	    uv_poll_init(listener->http->loop, &listener->poll, info->epoll_fd) == 0)
		return 0;
	MHD_stop_daemon(listener->daemon);
	return -EIO;
}

static int listener_open(struct listener **ret_listener, struct http *http,
			 const struct plan_address *local)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int fd, r;

	if (!listener)
		return -ENOMEM;
	listener->http = http;
	listener->local = *local;
	fd = socket_listen(local);
	r = fd < 0 ? fd : mhd_start(listener, fd);
	if (r < 0) {
		free(listener);
		return r;
	}
	listener->poll.data = listener;
	listener->open_handles = 2;
	(void)uv_timer_init(http->loop, &listener->timer); /* cannot fail */
	listener->timer.data = listener;
	(void)uv_poll_start(&listener->poll, UV_READABLE, on_poll);
	*ret_listener = listener;
	return 0;
}

/* ---- all of them ---- */

int http_open(struct http **ret_http, uv_loop_t *loop)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	http->loop = loop;
	*ret_http = http;
	return 0;
}

/* Close the listeners that no route of ours names. */
static void listeners_prune(struct http *http)
{
	struct listener **at = &http->first;

	while (*at) {
		struct listener *listener = *at;
		bool wanted = false;

		for (unsigned i = 0; !wanted && i < http->route_count; i++)
			wanted = is_same_address(&http->routes[i].local,
						 &listener->local);
		if (wanted) {
			at = &listener->next;
		} else {
			*at = listener->next;
			listener_close(listener);
		}
	}
}

/* Return: 0, or why @local cannot be listened on. */
static int listener_ensure(struct http *http, const struct plan_address *local)
{
	struct listener *listener;
	int r;

	for (listener = http->first; listener; listener = listener->next)
		if (is_same_address(&listener->local, local))
			return 0;
	r = listener_open(&listener, http, local);
	if (r < 0)
		return r;
	listener->next = http->first;
	http->first = listener;
	return 0;
}

static void problem_say(struct problem *problem, const struct plan_address *local,
			int error)
{
	char text[ADDRESS_TEXT_ROOM];
	const char *help = error == -EADDRINUSE ? ": another process listens there; "
						  "stop it or choose another port"
			   : error == -EADDRNOTAVAIL
				   ? ": no interface of this machine has that address"
			   : error == -EACCES ? ": ports below 1024 need "
						"CAP_NET_BIND_SERVICE"
					      : "";

	address_to_text(text, local->addr, local->port);
	problem_set(problem, NULL, 0, "cannot serve HTTP on %s: %s%s", text,
		    strerror(-error), help);
}

unsigned http_set(struct http *http, const struct http_route *routes, unsigned count,
		  struct problem *problems)
{
	struct http_route *copy = calloc(count + 1, sizeof(*copy));
	unsigned failed = 0;

	if (!copy) {
		for (unsigned i = 0; problems && i < count; i++)
			problem_say(&problems[i], &routes[i].local, -ENOMEM);
		return count;
	}
	if (count)
		memcpy(copy, routes, count * sizeof(*copy));
	free(http->routes);
	http->routes = copy;
	http->route_count = count;
	listeners_prune(http);
	for (unsigned i = 0; i < count; i++) {
		int r = listener_ensure(http, &copy[i].local);

		if (problems)
			problem_set(&problems[i], NULL, 0, "%s", "");
		if (r < 0) {
			problem_say(problems ? &problems[i] : NULL, &copy[i].local, r);
			failed++;
		}
	}
	return failed;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	http->route_count = 0;
	listeners_prune(http);
	free(http->routes);
	free(http);
}
