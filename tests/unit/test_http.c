/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_http.c - listeners by address, routes by path, and what a reload keeps open.
 *
 * Client and server share one thread: the client's socket does not block, and the loop
 * runs until an answer is there.
 */
#include "check.h"
#include "daemon/http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uv_loop_t loop;
static struct http *http;

static void lab_open(void)
{
	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(http_open(&http, &loop), 0);
}

/* Everything is released: the loop ends by itself, and nothing is left in it. */
static void lab_close(void)
{
	http_close(http);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

static void say(void *context, struct http_reply *reply)
{
	reply->text = strdup(context);
	reply->len = strlen(context);
}

static void refuse(void *context, struct http_reply *reply)
{
	reply->status = 503;
	say(context, reply);
}

static struct plan_address loopback(uint16_t port)
{
	return (struct plan_address){
		.addr = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 },
		.port = port,
	};
}

/* A port that was free a moment ago; *@ret_fd (if not NULL) goes on to hold it. */
static uint16_t port_find(int *ret_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return ntohs(address.sin_port);
}

/* Return: a connected socket that does not block, or -1. */
static int client_connect(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Send @request and run the loop until the response has ended (Connection: close). */
static const char *client_ask(int fd, const char *request)
{
	static char text[4096];
	size_t len = 0;

	CU_ASSERT_EQUAL(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	for (int turn = 0; turn < 5000; turn++) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EAGAIN)
			break;
		uv_run(&loop, UV_RUN_NOWAIT);
		if (n < 0)
			usleep(200);
	}
	text[len] = '\0';
	return text;
}

static const char *get(uint16_t port, const char *method, const char *path)
{
	int fd = client_connect(port);
	const char *text = "";
	char request[256];

	if (fd < 0)
		return "refused";
	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
		 path);
	text = client_ask(fd, request);
	close(fd);
	return text;
}

static bool is_reply(const char *text, int status, const char *body)
{
	const char *at = strstr(text, "\r\n\r\n");

	return !strncmp(text, "HTTP/1.1 ", 9) && atoi(text + 9) == status && at &&
	       !strcmp(at + 4, body);
}

static void routes_by_path(void)
{
	uint16_t port = port_find(NULL);
	struct http_route routes[] = {
		{ loopback(port), "/health", say, "OK" },
		{ loopback(port), "/ready", refuse, "hosts" },
	};
	struct problem problems[2];

	lab_open();
	CU_ASSERT_EQUAL(http_set(http, routes, 2, problems), 0);
	CU_ASSERT_STRING_EQUAL(problems[0].text, "");
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/health"), 200, "OK"));
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/health?x=1"), 200, "OK"));
	CU_ASSERT_TRUE(is_reply(get(port, "HEAD", "/health"), 200, ""));
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/ready"), 503, "hosts"));
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/"), 404, "not found\n"));
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/healthz"), 404, "not found\n"));
	CU_ASSERT_TRUE(
		is_reply(get(port, "POST", "/health"), 405, "only GET and HEAD\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(get(port, "GET", "/health"), "Content-Type: text/plain"));
	lab_close();
}

static void addresses_apart(void)
{
	uint16_t one = port_find(NULL), other;
	struct http_route routes[2];
	int held;

	one = port_find(&held);
	other = port_find(NULL);
	close(held);
	routes[0] = (struct http_route){ loopback(one), "/health", say, "one" };
	routes[1] = (struct http_route){ loopback(other), "/health", say, "other" };
	lab_open();
	CU_ASSERT_EQUAL(http_set(http, routes, 2, NULL), 0);
	CU_ASSERT_TRUE(is_reply(get(one, "GET", "/health"), 200, "one"));
	CU_ASSERT_TRUE(is_reply(get(other, "GET", "/health"), 200, "other"));
	lab_close();
}

/* [::] takes IPv4 as well (or is 0.0.0.0 where there is no IPv6). */
static void any_address(void)
{
	uint16_t port = port_find(NULL);
	struct http_route route = { { .port = port }, "/x", say, "any" };

	lab_open();
	CU_ASSERT_EQUAL(http_set(http, &route, 1, NULL), 0);
	CU_ASSERT_TRUE(is_reply(get(port, "GET", "/x"), 200, "any"));
	lab_close();
}

/* A port that is taken is told clearly; the others are served. */
static void a_port_in_use(void)
{
	int held;
	uint16_t taken = port_find(&held), free_port = port_find(NULL);
	struct http_route routes[] = {
		{ loopback(taken), "/metrics", say, "m" },
		{ loopback(free_port), "/health", say, "OK" },
	};
	struct problem problems[2];
	char want[64];

	lab_open();
	CU_ASSERT_EQUAL(http_set(http, routes, 2, problems), 1);
	snprintf(want, sizeof(want), "cannot serve HTTP on 127.0.0.1:%u: ", taken);
	CU_ASSERT_PTR_EQUAL(strstr(problems[0].text, want), problems[0].text);
	CU_ASSERT_PTR_NOT_NULL(strstr(problems[0].text, "another process"));
	CU_ASSERT_STRING_EQUAL(problems[1].text, "");
	CU_ASSERT_TRUE(is_reply(get(free_port, "GET", "/health"), 200, "OK"));
	close(held); /* free now: the next set opens it */
	CU_ASSERT_EQUAL(http_set(http, routes, 2, problems), 0);
	CU_ASSERT_TRUE(is_reply(get(taken, "GET", "/metrics"), 200, "m"));
	lab_close();
}

/* A client that has connected before a reload is answered after it, by new handlers. */
static void a_reload_keeps_what_is_open(void)
{
	int held;
	uint16_t port = port_find(&held), other = port_find(NULL);
	struct http_route before[] = { { loopback(port), "/health", say, "old" },
				       { loopback(other), "/health", say, "gone" } };
	struct http_route after = { loopback(port), "/health", say, "new" };
	int fd;

	close(held);
	lab_open();
	CU_ASSERT_EQUAL(http_set(http, before, 2, NULL), 0);
	fd = client_connect(port);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(http_set(http, &after, 1, NULL), 0);
	CU_ASSERT_TRUE(is_reply(client_ask(fd, "GET /health HTTP/1.1\r\nHost: x\r\n"
					       "Connection: close\r\n\r\n"),
				200, "new"));
	close(fd);
	CU_ASSERT_STRING_EQUAL(get(other, "GET", "/health"), "refused");
	CU_ASSERT_EQUAL(http_set(http, NULL, 0, NULL), 0);
	CU_ASSERT_STRING_EQUAL(get(port, "GET", "/health"), "refused");
	lab_close();
}

static const struct check_case cases[] = {
	{ "routes by path", routes_by_path },
	{ "addresses apart", addresses_apart },
	{ "any address", any_address },
	{ "a port in use", a_port_in_use },
	{ "a reload keeps what is open", a_reload_keeps_what_is_open },
};

CHECK_MAIN("http", cases)
