/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_selfpoll.c - four kinds of /health: well, refusing, silent and not there.  The
 * loop runs until each has had its word; no time is in a verdict.
 */
#include "check.h"
#include "daemon/degraded.h"
#include "daemon/http.h"
#include "daemon/selfpoll.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 20000 /* of at least 1 ms each: bounded, whatever happens */

static uv_loop_t loop;
static unsigned asked;

static void well(void *context, struct http_reply *reply)
{
	(void)context;
	asked++;
	reply->text = strdup("OK");
	reply->len = 2;
}

static void refusing(void *context, struct http_reply *reply)
{
	well(context, reply);
	reply->status = 503;
}

/* A listening port of loopback; *@ret_fd holds it. */
static struct plan_address port_take(int *ret_fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&to, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 4), 0);
	getsockname(fd, (struct sockaddr *)&to, &len);
	*ret_fd = fd;
	return (struct plan_address){
		.addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
		.port = ntohs(to.sin_port),
	};
}

static size_t degraded_count(const struct degraded *degraded)
{
	json_t *list = degraded_list(degraded);
	size_t count = json_array_size(list);

	json_decref(list);
	return count;
}

static uint64_t sum(const struct selfpoll_counts *counts)
{
	uint64_t all = 0;

	for (unsigned i = 0; i <= SELFPOLL_BOUNDS_COUNT; i++)
		all += counts->buckets[i];
	return all;
}

static bool is_told(const struct degraded *degraded, uint16_t port, const char *why)
{
	json_t *list = degraded_list(degraded);
	char text[256];
	bool found = false;

	snprintf(
		text, sizeof(text),
		"plugin/health: local request to http://127.0.0.1:%u/health failed: %s",
		port, why);
	for (size_t i = 0; i < json_array_size(list); i++)
		found |= !strcmp(json_string_value(json_array_get(list, i)), text);
	json_decref(list);
	return found;
}

static void each_kind_is_counted(void)
{
	struct degraded degraded = { NULL };
	struct selfpoll *selfpoll;
	struct http *http;
	struct plan_address at[4];
	struct http_route routes[2];
	const struct selfpoll_counts *counts;
	int fd[4];

	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(http_open(&http, &loop), 0);
	CU_ASSERT_EQUAL_FATAL(selfpoll_open(&selfpoll, &loop, &degraded), 0);
	counts = selfpoll_counts(selfpoll);
	for (unsigned i = 0; i < 4; i++)
		at[i] = port_take(&fd[i]);
	for (unsigned i = 0; i < 3; i++) /* [3] listens, and never says a word */
		close(fd[i]);
	routes[0] = (struct http_route){ at[0], "/health", well, NULL };
	routes[1] = (struct http_route){ at[1], "/health", refusing, NULL };
	CU_ASSERT_EQUAL(http_set(http, routes, 2, NULL), 0);
	asked = 0;
	CU_ASSERT_EQUAL(selfpoll_set(selfpoll, at, 4), 0);
	for (unsigned i = 0; i < TURNS_MAX && degraded_count(&degraded) < 3; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	CU_ASSERT_TRUE(is_told(&degraded, at[1].port, "the response is not 200"));
	CU_ASSERT_TRUE(is_told(&degraded, at[2].port, "connection refused"));
	CU_ASSERT_TRUE(is_told(&degraded, at[3].port, "no response within 3 s"));
	CU_ASSERT_TRUE(counts->failures >= 3);
	CU_ASSERT_TRUE(sum(counts) > counts->failures); /* those that went well */
	CU_ASSERT_TRUE(counts->sum_ns > 0);
	CU_ASSERT_TRUE(asked >= 2);

	/* What is asked no more is no more degraded, and it rests. */
	CU_ASSERT_EQUAL(selfpoll_set(selfpoll, at, 1), 0);
	CU_ASSERT_EQUAL(degraded_count(&degraded), 0);
	selfpoll_close(selfpoll);
	http_close(http);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	close(fd[3]);
	degraded_deinit(&degraded);
}

static const struct check_case cases[] = {
	{ "each kind is counted", each_kind_is_counted },
};

CHECK_MAIN("selfpoll", cases)
