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
#include "worker/stats.h"

static char dir[] = "/tmp/lane53-worker-XXXXXX";
static char store_dir[64], run_dir[64];
static struct store *store;
static uint32_t hosts_source;
static uint16_t port;
static int upstream_fd, events_fd;
static pid_t pid;

static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };

/* ---- the daemon's side ---- */

static const char *in_run(const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	return path;
}

static void bound_address(int fd, struct plan_address *ret)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	address_from_socket(&at, ret->addr, &ret->port);
}

static int bind_loopback(int type, uint16_t number)
{
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, loopback, number);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	if (bind(fd, (struct sockaddr *)&at, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static uint16_t free_port(void)
{
	for (;;) {
		struct plan_address at;
		int udp = bind_loopback(SOCK_DGRAM, 0), tcp;

		bound_address(udp, &at);
		tcp = bind_loopback(SOCK_STREAM, at.port);
		close(udp);
		if (tcp < 0)
			continue;
		close(tcp);
		return at.port;
	}
}

/* a.test A 192.0.2.1 by hosts; everything else by the upstream; listens on @ports. */
static void commit_plan(uint64_t generation, const uint16_t *ports, unsigned count)
{
	struct plan_upstream upstream = { .proto = PLAN_UDP };
	struct plan_forward forward = { .policy = POLICY_SEQUENTIAL,
					.upstreams = &upstream,
					.upstream_count = 1,
					.max_fails = 2,
					.attempts = 1,
					.try_timeout_ms = 2000,
					.timeout_ms = 5000,
					.health_check_name = { .len = 1 } };
	struct plan_step steps[] = {
		{ .kind = STEP_HOSTS, .source = hosts_source, .fallthrough.on = true },
		{ .kind = STEP_FORWARD, .forward = &forward },
	};
	struct plan_zone zone = { .name = { .len = 1 }, .label = 1 };
	struct plan_block block = {
		.server = (char *)"dns://:53",
		.zones = &zone,
		.zone_count = 1,
		.cache = { .on = true,
			   .success_capacity = 100,
			   .denial_capacity = 100,
			   .success_max_s = 3600,
			   .denial_max_s = 1800 },
		.log = PLAN_LOG_ALL,
		.recursion = true,
		.steps = steps,
		.step_count = ARRAY_LEN(steps),
	};
	unsigned first = 0;
	struct plan_view view = { .id = 1,
				  .name = (char *)"default",
				  .manual = 99,
				  .blocks = &first,
				  .block_count = 1 };
	struct plan_listener listeners[4] = { { .view = 1 } };
	struct plan plan = { .generation = generation,
			     .udp_payload = LANE53_UDP_PAYLOAD,
			     .listeners = listeners,
			     .listener_count = count,
			     .views = &view,
			     .view_count = 1,
			     .blocks = &block,
			     .block_count = 1,
			     .tcp_idle_ms = 10000,
			     .tcp_connections = 100 };
	struct store_write *write;
	char *text;

	bound_address(upstream_fd, &upstream.remote);
	for (unsigned i = 0; i < count; i++) {
		listeners[i].view = 1;
		listeners[i].local.port = ports[i];
		memcpy(listeners[i].local.addr, loopback, 16);
	}
	text = plan_encode(&plan);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(store_meta_put(write, PLAN_KEY, text, strlen(text)), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
	free(text);
}

static void make_store(void)
{
	static const uint8_t rdata[] = { 4, 0, 192, 0, 2, 1 };
	struct rrset set = { .type = TYPE_A,
			     .ttl_s = 60,
			     .count = 1,
			     .rdata = rdata,
			     .rdata_bytes = sizeof(rdata) };
	struct store_write *write;
	uint8_t name[255];

	CU_ASSERT_EQUAL_FATAL(store_open(&store, store_dir, STORE_READ_WRITE, 1 << 24),
			      0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	CU_ASSERT_EQUAL(store_id(write, "source", "hosts", &hosts_source), 0);
	name_from_text(name, "a.test.");
	CU_ASSERT_EQUAL(store_put(write, hosts_source, name, &set), 0);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
}

static void open_events(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_run("events.sock"));
	events_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(events_fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Start it with @argv; stderr goes to RUN/stderr. */
static pid_t spawn(const char *const *argv)
{
	pid_t child = fork();

	if (child == 0) {
		int fd = open(in_run("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, 2);
		execv(LANE53_WORKER, (char *const *)argv);
		_exit(127);
	}
	return child;
}

static void start(void)
{
	const char *const argv[] = { "lane53-worker", "--io",  "socket", "--store",
				     store_dir,       "--run", run_dir,  NULL };

	unlink(in_run("worker-socket.pid"));
	pid = spawn(argv);
	for (int i = 0; i < 500 && access(in_run("worker-socket.pid"), F_OK); i++)
		sleep_ms(10);
	CU_ASSERT_EQUAL_FATAL(access(in_run("worker-socket.pid"), F_OK), 0);
}

static int wait_exit(pid_t child)
{
	int status = 0;

	for (int i = 0; i < 500; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		sleep_ms(10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

/* One request on a connection of its own; the reply is the caller's. */
static json_t *ask_control(const char *request)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *reply;
	FILE *file;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_run("worker-socket.sock"));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	CU_ASSERT_EQUAL(send(fd, request, strlen(request), 0),
			(ssize_t)strlen(request));
	file = fdopen(fd, "r");
	reply = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
	fclose(file);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	return reply;
}

static bool is_ok(json_t *reply)
{
	return json_is_true(json_object_get(reply, "ok"));
}

static json_int_t number(json_t *reply, const char *key)
{
	return json_integer_value(json_object_get(reply, key));
}

/* ---- the client's and the upstream's side ---- */

static size_t build_query(uint8_t *m, const char *name)
{
	size_t len;

	memcpy(m, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
	len = 12 + name_from_text(m + 12, name);
	memcpy(m + len, "\0\1\0\1", 4);
	return len + 4;
}

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

/* Last four bytes of the response, which end in the one A record; 0 = none. */
static uint32_t address_in(const uint8_t *m, ssize_t n)
{
	uint32_t addr;

	if (n < 20 || m[0] != 0x12 || m[1] != 0x34 || !(m[2] & 0x80) || m[7] != 1)
		return 0;
	memcpy(&addr, m + n - 4, 4);
	return ntohl(addr);
}

static uint32_t ask_udp(const char *name)
{
	int fd = client_to(SOCK_DGRAM);
	uint8_t m[600];
	size_t len = build_query(m, name);
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	n = recv(fd, m, sizeof(m), 0);
	close(fd);
	return address_in(m, n);
}

static uint32_t ask_tcp(const char *name)
{
	int fd = client_to(SOCK_STREAM);
	uint8_t m[600];
	size_t len = build_query(m + 2, name);
	ssize_t n;

	m[0] = 0;
	m[1] = (uint8_t)len;
	CU_ASSERT_EQUAL(send(fd, m, len + 2, 0), (ssize_t)len + 2);
	n = recv(fd, m, 2, MSG_WAITALL);
	if (n == 2)
		n = recv(fd, m + 2, (size_t)m[0] << 8 | m[1], MSG_WAITALL);
	close(fd);
	return address_in(m + 2, n);
}

/* Play the upstream once: 203.0.113.9 for whatever is asked. */
static bool upstream_answer(void)
{
	static const uint8_t answer[] = { 0xc0, 12, 0, 1, 0,   1, 0,   0,
					  0,    60, 0, 4, 203, 0, 113, 9 };
	struct pollfd p = { .fd = upstream_fd, .events = POLLIN };
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t m[600];
	size_t end = 12;

	if (poll(&p, 1, 1000) <= 0 ||
	    recvfrom(upstream_fd, m, 512, 0, (struct sockaddr *)&from, &from_len) < 12)
		return false;
	end += name_size(m + 12) + 4;
	m[2] |= 0x80;
	m[3] = 0x80;
	m[7] = 1;
	memset(m + 8, 0, 4);
	memcpy(m + end, answer, sizeof(answer));
	end += sizeof(answer);
	return sendto(upstream_fd, m, end, 0, (struct sockaddr *)&from, from_len) ==
	       (ssize_t)end;
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
		int status = wait_exit(spawn(lines[i].argv)), fd;

		fd = open(in_run("stderr"), O_RDONLY);
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
	size_t len = build_query(m, "b.test.");
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	CU_ASSERT_TRUE(upstream_answer());
	n = recv(fd, m, sizeof(m), 0);
	CU_ASSERT_EQUAL(address_in(m, n), 0xcb007109);
	close(fd);
	/* nobody plays the upstream now */
	CU_ASSERT_EQUAL(ask_udp("b.test."), 0xcb007109);
	CU_ASSERT_EQUAL(ask_tcp("b.test."), 0xcb007109);
}

static void a_half_closed_tcp_client_waits_for_the_upstream(void)
{
	int fd = client_to(SOCK_STREAM);
	uint8_t m[600] = { 0 };
	size_t len = build_query(m + 2, "c.test.");

	m[1] = (uint8_t)len;
	CU_ASSERT_EQUAL(send(fd, m, len + 2, 0), (ssize_t)len + 2);
	shutdown(fd, SHUT_WR);
	CU_ASSERT_TRUE(upstream_answer());
	CU_ASSERT_EQUAL(recv(fd, m, len + 2 + 16, MSG_WAITALL), (ssize_t)len + 2 + 16);
	CU_ASSERT_EQUAL(address_in(m + 2, (ssize_t)len + 16), 0xcb007109);
	close(fd);
}

static void events_are_sent(void)
{
	struct lane53_event event;
	bool found = false;

	while (recv(events_fd, &event, sizeof(event), MSG_DONTWAIT) == sizeof(event))
		found |= event.qname_len == 8 && !memcmp(event.qname, "\1b\4test", 8) &&
			 event.proto == 6 && event.time_ns > 1000000000ull;
	CU_ASSERT_TRUE(found);
}

static void control_status_cache_upstreams_flush(void)
{
	json_t *reply = ask_control("{\"op\":\"status\"}\n"), *rows, *row;

	CU_ASSERT_TRUE(is_ok(reply));
	CU_ASSERT_EQUAL(number(reply, "pid"), pid);
	CU_ASSERT_EQUAL(number(reply, "generation"), 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "listeners")), 2);
	json_decref(reply);

	reply = ask_control("{\"op\":\"cache\",\"name\":\"b.test\"}\n");
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

	reply = ask_control("{\"op\":\"upstreams\"}\n");
	row = json_array_get(json_object_get(reply, "upstreams"), 0);
	CU_ASSERT_EQUAL(number(row, "asked"), 2);
	CU_ASSERT_FALSE(json_is_true(json_object_get(row, "down")));
	json_decref(reply);

	reply = ask_control("{\"op\":\"flush\",\"name\":\"b.test\"}\n");
	CU_ASSERT_EQUAL(number(reply, "flushed"), 1);
	json_decref(reply);
	reply = ask_control("{\"op\":\"cache\"}\n");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(reply, "entries")), 1);
	json_decref(reply);
}

static void control_refuses_nonsense(void)
{
	static const char *const requests[] = {
		"nonsense\n",   "[]\n",
		"{}\n",         "{\"op\":\"dance\"}\n",
		"{\"op\":5}\n", "{\"op\":\"flush\",\"name\":\"a..b\"}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		json_t *reply = ask_control(requests[i]);

		CU_ASSERT_FALSE(is_ok(reply));
		CU_ASSERT_PTR_NOT_NULL(
			json_string_value(json_object_get(reply, "error")));
		json_decref(reply);
	}
}

static void wake_opens_and_names_what_it_cannot(void)
{
	uint16_t ports[] = { free_port(), free_port() };
	int holder = bind_loopback(SOCK_DGRAM, ports[1]);
	json_t *reply, *errors;
	char want[64];

	commit_plan(2, ports, 2);
	reply = ask_control("{\"op\":\"wake\"}\n");
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

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
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

	sleep_ms(1500);
	CU_ASSERT_TRUE(cpu_ticks() - before <= 1); /* of 150 */
}

static void a_killed_worker_is_followed_by_one_that_counts_on(void)
{
	struct worker_stats *stats;
	uint64_t queries;

	CU_ASSERT_EQUAL_FATAL(stats_map(&stats, in_run("stats-socket"), 0), 0);
	queries = stats->queries;
	CU_ASSERT_TRUE(queries > 5);
	kill(pid, SIGKILL);
	wait_exit(pid);
	start();
	CU_ASSERT_EQUAL(ask_udp("a.test."), 0xc0000201);
	CU_ASSERT_EQUAL(stats->starts, 2);
	CU_ASSERT_EQUAL(stats->queries, queries + 1);
	stats_unmap(stats);
}

static void sigterm_answers_what_is_in_flight(void)
{
	int fd = client_to(SOCK_DGRAM), status;
	uint8_t m[600];
	size_t len = build_query(m, "d.test.");
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, m, len, 0), (ssize_t)len);
	sleep_ms(100);
	kill(pid, SIGTERM);
	sleep_ms(100);
	CU_ASSERT_TRUE(upstream_answer());
	n = recv(fd, m, sizeof(m), 0);
	CU_ASSERT_EQUAL(address_in(m, n), 0xcb007109);
	close(fd);
	status = wait_exit(pid);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_NOT_EQUAL(access(in_run("worker-socket.pid"), F_OK), 0);
}

static void stop_serves_for_the_lameduck(void)
{
	json_t *reply;
	int status;

	start();
	reply = ask_control("{\"op\":\"stop\",\"lameduck_ms\":300}\n");
	CU_ASSERT_TRUE(is_ok(reply));
	json_decref(reply);
	sleep_ms(150);
	CU_ASSERT_EQUAL(ask_tcp("a.test."), 0xc0000201);
	status = wait_exit(pid);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The cases follow one worker's life, in order. */
static void set_up(void)
{
	upstream_fd = bind_loopback(SOCK_DGRAM, 0);
	port = free_port();
	make_store();
	commit_plan(1, &port, 1);
	open_events();
	start();
}

static const struct check_case cases[] = {
	{ "bad command lines", bad_command_lines },
	{ "set up", set_up },
	{ "answers on UDP and TCP", answers_on_udp_and_tcp },
	{ "asks the upstream and remembers", asks_the_upstream_and_remembers },
	{ "a half-closed TCP client waits for the upstream",
	  a_half_closed_tcp_client_waits_for_the_upstream },
	{ "events are sent", events_are_sent },
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
	char command[128];
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(store_dir, sizeof(store_dir), "%s/store", dir);
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	if (mkdir(run_dir, 0700) < 0)
		return 1;
	r = check_main("worker", cases, ARRAY_LEN(cases));
	if (pid > 0)
		kill(pid, SIGKILL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || r;
}
