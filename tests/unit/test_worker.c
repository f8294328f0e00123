/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker.c - the real lane53-worker on sockets, as an ordinary user may run it.
 *
 * The test is its daemon (it writes the store), its client and its upstream.
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "dns/name.h"
#include "io/address.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "store/store.h"
#include "stats/stats.h"
#include "worker_run.h"

static uint16_t port;

static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };

static bool is_ok(json_t *reply)
{
	return json_is_true(json_object_get(reply, "ok"));
}

static json_int_t number(json_t *reply, const char *key)
{
	return json_integer_value(json_object_get(reply, key));
}

/* ---- the client's and the upstream's side ---- */

static int client_to(int type)
{
	struct timeval three = { .tv_sec = 3 };
	struct sockaddr_storage to;
	socklen_t len = address_to_socket(&to, loopback, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &three, sizeof(three));
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to, len), 0);
	return fd;
}

static uint32_t ask_udp(const char *name)
{
	int fd = client_to(SOCK_DGRAM);
	uint8_t m[600];
	size_t len = run_query(m, name);
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	n = recv(fd, m, sizeof(m), 0);
	close(fd);
	return run_address_in(m, n);
}

static uint32_t ask_tcp(const char *name)
{
	int fd = client_to(SOCK_STREAM);
	uint8_t m[600];
	size_t len = run_query(m + 2, name);
	ssize_t n;

	m[0] = 0;
	m[1] = (uint8_t)len;
	CU_ASSERT_EQUAL(send(fd, m, len + 2, 0), (ssize_t)len + 2);
	n = recv(fd, m, 2, MSG_WAITALL);
	if (n == 2)
		n = recv(fd, m + 2, (size_t)m[0] << 8 | m[1], MSG_WAITALL);
	close(fd);
	return run_address_in(m + 2, n);
}

/* ---- cases ---- */

static void bad_command_lines(void)
{
	static const struct {
		const char *name;
		const char *argv[8];
		int code;
		const char *says;
	} lines[] = {
		{ "nothing", { "w" }, 64, "--io is missing" },
		{ "no such port", { "w", "--io", "tcp" }, 64, "not tcp" },
		{ "no store",
		  { "w", "--io", "socket", "--run", "/tmp" },
		  64,
		  "--store" },
		{ "no lane",
		  { "w", "--io", "dpdk", "--run", "/", "--store", "/" },
		  64,
		  "--lane" },
		{ "stray word", { "w", "x" }, 64, "unexpected argument x" },
		{ "no such store",
		  { "w", "--io", "socket", "--run", "/tmp", "--store", "/nowhere" },
		  69,
		  "/nowhere" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char said[512] = "";
		int status = run_wait_exit(run_spawn(lines[i].argv)), fd;

		fd = open(run_path("stderr"), O_RDONLY);
		CU_ASSERT_TRUE(read(fd, said, sizeof(said) - 1) > 0);
		close(fd);
		if (!strstr(said, lines[i].says))
			printf("# %s: %s", lines[i].name, said);
		CU_ASSERT_PTR_NOT_NULL(strstr(said, lines[i].says));
		CU_ASSERT_EQUAL(WEXITSTATUS(status), lines[i].code);
	}
}

static void answers_on_udp_and_tcp(void)
{
	CU_ASSERT_EQUAL(ask_udp("a.test."), 0xc0000201);
	CU_ASSERT_EQUAL(ask_tcp("a.test."), 0xc0000201);
}

static void asks_the_upstream_and_remembers(void)
{
	int fd = client_to(SOCK_DGRAM);
	uint8_t m[600];
	size_t len = run_query(m, "b.test.");
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	CU_ASSERT_TRUE(run_upstream_answer());
	n = recv(fd, m, sizeof(m), 0);
	CU_ASSERT_EQUAL(run_address_in(m, n), 0xcb007109);
	close(fd);
	/* nobody plays the upstream now */
	CU_ASSERT_EQUAL(ask_udp("b.test."), 0xcb007109);
	CU_ASSERT_EQUAL(ask_tcp("b.test."), 0xcb007109);
}

static void a_half_closed_tcp_client_waits_for_the_upstream(void)
{
	int fd = client_to(SOCK_STREAM);
	uint8_t m[600] = { 0 };
	size_t len = run_query(m + 2, "c.test.");

	m[1] = (uint8_t)len;
	CU_ASSERT_EQUAL(send(fd, m, len + 2, 0), (ssize_t)len + 2);
	shutdown(fd, SHUT_WR);
	CU_ASSERT_TRUE(run_upstream_answer());
	CU_ASSERT_EQUAL(recv(fd, m, len + 2 + 16, MSG_WAITALL), (ssize_t)len + 2 + 16);
	CU_ASSERT_EQUAL(run_address_in(m + 2, (ssize_t)len + 16), 0xcb007109);
	close(fd);
}

static void events_are_sent(void)
{
	struct lane53_event event;
	bool found = false;

	while (recv(run_events(), &event, sizeof(event), MSG_DONTWAIT) == sizeof(event))
		found |= event.qname_len == 8 && !memcmp(event.qname, "\1b\4test", 8) &&
			 event.proto == 6 && event.time_ns > 1000000000ull;
	CU_ASSERT_TRUE(found);
}

static void control_status_cache_upstreams_flush(void)
{
	json_t *reply = run_control("{\"op\":\"status\"}\n"), *rows, *row;

	CU_ASSERT_TRUE(is_ok(reply));
	CU_ASSERT_EQUAL(number(reply, "pid"), run_pid());
	CU_ASSERT_EQUAL(number(reply, "generation"), 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "listeners")), 2);
	json_decref(reply);

	reply = run_control("{\"op\":\"cache\",\"name\":\"b.test\"}\n");
	rows = json_object_get(reply, "entries");
	CU_ASSERT_EQUAL(json_array_size(rows), 1);
	row = json_array_get(rows, 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "name")),
			       "b.test.");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "type")), "A");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "rcode")),
			       "NOERROR");
	CU_ASSERT_TRUE(number(row, "ttl_s") > 50 && number(row, "ttl_s") <= 60);
	json_decref(reply);

	reply = run_control("{\"op\":\"upstreams\"}\n");
	row = json_array_get(json_object_get(reply, "upstreams"), 0);
	CU_ASSERT_EQUAL(number(row, "asked"), 2);
	CU_ASSERT_FALSE(json_is_true(json_object_get(row, "down")));
	json_decref(reply);

	reply = run_control("{\"op\":\"flush\",\"name\":\"b.test\"}\n");
	CU_ASSERT_EQUAL(number(reply, "flushed"), 1);
	json_decref(reply);
	reply = run_control("{\"op\":\"cache\"}\n");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "entries")), 1);
	json_decref(reply);
}

/* While a.test and b.test are cached for A, in view 1. */
static void control_cache_keeps_to_what_was_asked(void)
{
	static const struct {
		const char *scope;
		size_t count;
	} cases[] = {
		{ "\"view\":0", 2 },
		{ "\"view\":1", 2 },
		{ "\"view\":7", 0 },
		{ "\"view\":1,\"limit\":1", 1 },
		{ "\"name\":\"test\"", 2 },
		{ "\"name\":\"test\",\"qtype\":1", 0 }, /* itself only */
		{ "\"name\":\"b.test\",\"qtype\":1", 1 },
		{ "\"name\":\"b.test\",\"qtype\":28", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char request[128];
		json_t *reply;

		snprintf(request, sizeof(request), "{\"op\":\"cache\",%s}\n",
			 cases[i].scope);
		reply = run_control(request);
		if (json_array_size(json_object_get(reply, "entries")) !=
		    cases[i].count)
			printf("\n%s", request);
		CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "entries")),
				cases[i].count);
		json_decref(reply);
	}
}

static void control_refuses_nonsense(void)
{
	static const char *const requests[] = {
		"nonsense\n",
		"[]\n",
		"{}\n",
		"{\"op\":\"dance\"}\n",
		"{\"op\":5}\n",
		"{\"op\":\"flush\",\"name\":\"a..b\"}\n",
		/* not all there is, because it was not understood */
		"{\"op\":\"flush\",\"name\":5}\n",
		"{\"op\":\"flush\",\"view\":\"1\"}\n",
		"{\"op\":\"cache\",\"view\":\"1\"}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		json_t *reply = run_control(requests[i]);

		CU_ASSERT_FALSE(is_ok(reply));
		CU_ASSERT_PTR_NOT_NULL(
			json_string_value(json_object_get(reply, "error")));
		json_decref(reply);
	}
}

static void wake_opens_and_names_what_it_cannot(void)
{
	uint16_t ports[] = { run_free_port(), run_free_port() };
	int holder = run_bind(SOCK_DGRAM, ports[1]);
	json_t *reply, *errors;
	char want[64];

	run_commit_plan(2, ports, 2);
	reply = run_control("{\"op\":\"wake\"}\n");
	CU_ASSERT_TRUE(is_ok(reply));
	CU_ASSERT_EQUAL(number(reply, "generation"), 2);
	errors = json_object_get(reply, "errors");
	CU_ASSERT_EQUAL(json_array_size(errors), 1);
	snprintf(want, sizeof(want), "127.0.0.1:%u/udp: Address already in use (held",
		 ports[1]);
	CU_ASSERT_PTR_EQUAL(strstr(json_string_value(json_array_get(errors, 0)), want),
			    json_string_value(json_array_get(errors, 0)));
	json_decref(reply);
	port = ports[0];
	CU_ASSERT_EQUAL(ask_udp("a.test."), 0xc0000201);
	close(holder);
}

/* Ticks of CPU time that it has used. */
static unsigned long cpu_ticks(void)
{
	unsigned long user = 0, kernel = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", run_pid());
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(
		fscanf(file,
		       "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu "
		       "%lu",
		       &user, &kernel),
		2);
	fclose(file);
	return user + kernel;
}

static void idle_costs_nothing(void)
{
	unsigned long before = cpu_ticks();

	run_sleep_ms(1500);
	CU_ASSERT_TRUE(cpu_ticks() - before <= 1); /* of 150 */
}

static void a_killed_worker_is_followed_by_one_that_counts_on(void)
{
	struct worker_stats *stats;
	uint64_t queries;

	CU_ASSERT_EQUAL_FATAL(stats_map(&stats, run_path("stats-socket"), 1), 0);
	queries = stats->queries;
	CU_ASSERT_TRUE(queries > 5);
	kill(run_pid(), SIGKILL);
	run_wait_exit(run_pid());
	stats->starts = 1;           /* ours was not a worker's */
	stats->upstream[0].down = 1; /* as if it had died meanwhile */
	stats->upstream[9].down = 1; /* one that no plan names any more */
	run_start(NULL);
	CU_ASSERT_EQUAL(ask_udp("a.test."), 0xc0000201);
	CU_ASSERT_EQUAL(stats->starts, 2);
	CU_ASSERT_EQUAL(stats->queries, queries + 1);
	CU_ASSERT_EQUAL(stats->upstream[0].down, 0);
	CU_ASSERT_EQUAL(stats->upstream[9].down, 0);
	stats_unmap(stats);
}

static void sigterm_answers_what_is_in_flight(void)
{
	int fd = client_to(SOCK_DGRAM), status;
	uint8_t m[600];
	size_t len = run_query(m, "d.test.");
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	run_sleep_ms(100);
	kill(run_pid(), SIGTERM);
	run_sleep_ms(100);
	CU_ASSERT_TRUE(run_upstream_answer());
	n = recv(fd, m, sizeof(m), 0);
	CU_ASSERT_EQUAL(run_address_in(m, n), 0xcb007109);
	close(fd);
	status = run_wait_exit(run_pid());
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_NOT_EQUAL(access(run_path("worker-socket.pid"), F_OK), 0);
}

static void stop_serves_for_the_lameduck(void)
{
	json_t *reply;
	int status;

	run_start(NULL);
	reply = run_control("{\"op\":\"stop\",\"lameduck_ms\":300}\n");
	CU_ASSERT_TRUE(is_ok(reply));
	json_decref(reply);
	run_sleep_ms(150);
	CU_ASSERT_EQUAL(ask_tcp("a.test."), 0xc0000201);
	status = run_wait_exit(run_pid());
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The cases follow one worker's life, in order. */
static void set_up(void)
{
	run_set_up();
	port = run_free_port();
	run_commit_plan(1, &port, 1);
	run_start(NULL);
}

static const struct check_case cases[] = {
	{ "bad command lines", bad_command_lines },
	{ "set up", set_up },
	{ "answers on UDP and TCP", answers_on_udp_and_tcp },
	{ "asks the upstream and remembers", asks_the_upstream_and_remembers },
	{ "a half-closed TCP client waits for the upstream",
	  a_half_closed_tcp_client_waits_for_the_upstream },
	{ "events are sent", events_are_sent },
	{ "control: cache keeps to what was asked",
	  control_cache_keeps_to_what_was_asked },
	{ "control: status, cache, upstreams, flush",
	  control_status_cache_upstreams_flush },
	{ "control refuses nonsense", control_refuses_nonsense },
	{ "wake opens, and names what it cannot", wake_opens_and_names_what_it_cannot },
	{ "idle costs nothing", idle_costs_nothing },
	{ "a killed worker is followed by one that counts on",
	  a_killed_worker_is_followed_by_one_that_counts_on },
	{ "SIGTERM answers what is in flight", sigterm_answers_what_is_in_flight },
	{ "stop serves for the lameduck", stop_serves_for_the_lameduck },
};

int main(void)
{
	if (!run_begin(false))
		return 1;
	return run_end(check_main("worker", cases, ARRAY_LEN(cases)));
}
