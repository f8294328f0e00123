/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_run.c - what surrounds a real lane53-worker in a test.
 */
#include "worker_run.h"

#include <arpa/inet.h>
#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"
#include "dns/name.h"
#include "io/address.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "store/store.h"

static char dir[] = "/tmp/lane53-worker-XXXXXX";
static char store_dir[64], run_dir[64];
static bool is_lane;
static struct store *store;
static uint32_t hosts_source;
static int upstream_fd, events_fd;
static pid_t pid;

static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };

const char *run_path(const char *name)
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

int run_bind(int type, uint16_t number)
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

uint16_t run_free_port(void)
{
	for (;;) {
		struct plan_address at;
		int udp = run_bind(SOCK_DGRAM, 0), tcp;

		bound_address(udp, &at);
		tcp = run_bind(SOCK_STREAM, at.port);
		close(udp);
		if (tcp < 0)
			continue;
		close(tcp);
		return at.port;
	}
}

/* a.test A 192.0.2.1 by hosts; everything else by the upstream; listens on @ports. */
void run_commit_plan(uint64_t generation, const uint16_t *ports, unsigned count)
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
			     .publish = is_lane,
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

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", run_path("events.sock"));
	events_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(bind(events_fd, (struct sockaddr *)&at, sizeof(at)), 0);
}

void run_sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Start it with @argv; stderr goes to RUN/stderr. */
pid_t run_spawn(const char *const *argv)
{
	pid_t child = fork();

	if (child == 0) {
		int fd = open(run_path("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, 2);
		execv(LANE53_WORKER, (char *const *)argv);
		_exit(127);
	}
	return child;
}

void run_start(const char *const *more)
{
	const char *argv[20] = {
		"lane53-worker", "--io",    is_lane ? "dpdk" : "socket",
		"--store",       store_dir, "--run",
		run_dir
	};
	char name[32];
	int n = 7;

	while (more && *more)
		argv[n++] = *more++;
	snprintf(name, sizeof(name), "worker-%s.pid", argv[2]);
	unlink(run_path(name));
	pid = run_spawn(argv);
	for (int i = 0; i < 500 && access(run_path(name), F_OK); i++)
		run_sleep_ms(10);
	CU_ASSERT_EQUAL_FATAL(access(run_path(name), F_OK), 0);
}

int run_wait_exit(pid_t child)
{
	int status = 0;

	for (int i = 0; i < 500; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		run_sleep_ms(10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1;
}

/* One request on a connection of its own; the reply is the caller's. */
json_t *run_control(const char *request)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_t *reply;
	FILE *file;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s",
		 run_path(is_lane ? "worker-dpdk.sock" : "worker-socket.sock"));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	CU_ASSERT_EQUAL(send(fd, request, strlen(request), 0),
			(ssize_t)strlen(request));
	file = fdopen(fd, "r");
	reply = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
	fclose(file);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	return reply;
}

size_t run_query(uint8_t *m, const char *name)
{
	size_t len;

	memcpy(m, "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
	len = 12 + name_from_text(m + 12, name);
	memcpy(m + len, "\0\1\0\1", 4);
	return len + 4;
}

/* Last four bytes of the response, which end in the one A record; 0 = none. */
uint32_t run_address_in(const uint8_t *m, ssize_t n)
{
	uint32_t addr;

	if (n < 20 || m[0] != 0x12 || m[1] != 0x34 || !(m[2] & 0x80) || m[7] != 1)
		return 0;
	memcpy(&addr, m + n - 4, 4);
	return ntohl(addr);
}

/* Play the upstream once: 203.0.113.9 for whatever is asked. */
bool run_upstream_answer(void)
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

/* ---- begin, end ---- */

bool run_begin(bool lane)
{
	is_lane = lane;
	if (!mkdtemp(dir))
		return false;
	snprintf(store_dir, sizeof(store_dir), "%s/store", dir);
	snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
	return mkdir(run_dir, 0700) == 0;
}

void run_set_up(void)
{
	upstream_fd = run_bind(SOCK_DGRAM, 0);
	make_store();
	open_events();
}

int run_end(int result)
{
	char command[128];

	if (pid > 0)
		kill(pid, SIGKILL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || result;
}

pid_t run_pid(void)
{
	return pid;
}

int run_events(void)
{
	return events_fd;
}
