/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.h - HTTP listeners: /metrics, /health, /ready, each on addresses of their own.
 *
 * libmicrohttpd without threads of its own: its epoll descriptor is watched by the uv
 * loop, so handlers run on the loop's thread and need no lock.
 */
#ifndef LANE53_HTTP_H
#define LANE53_HTTP_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "plan/plan.h"
#include "problem.h"

struct http;

/* What a handler answers.  Begins as 200, text/plain, empty. */
struct http_reply {
	unsigned status;
	const char *type; /* Content-Type; static */
	char *text;       /* from malloc(): goes to http */
	size_t len;
};

/* Runs on the loop's thread, for GET and HEAD. */
typedef void http_handler(void *context, struct http_reply *reply);

struct http_route {
	struct plan_address local;
	const char *path; /* "/health"; exact */
	http_handler *handler;
	void *context;
};

/* Nothing listens yet.  @loop is borrowed.  Return: 0, -ENOMEM. */
int http_open(struct http **ret_http, uv_loop_t *loop);

/*
 * Stop listening; connections are closed.  NULL is allowed.  Memory is released by the
 * loop: let it run once more.
 */
void http_close(struct http *http);

/*
 * Serve exactly @routes.  An address that is served already stays open, so nothing is
 * refused meanwhile; routes of one address share its listener.  @routes is copied, its
 * paths are not: they live until the next call.
 * @problems (NULL, or @count): text is "" for a route that is served, else why its
 * address is not; the others are served all the same.
 * Return: how many routes are not served.
 */
unsigned http_set(struct http *http, const struct http_route *routes, unsigned count,
		  struct problem *problems);

#endif
