/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_worker_lane.c - the real lane53-worker on a real lane: DPDK, pinned maps, heartbeat.
 *
 * In a network namespace of its own.  The test makes the maps that lane53d would pin, and
 * stands on lane53a where XDP would: what arrives there is what a client would get.
 */
#include "check.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "cache/answer.h"
#include "cache/table.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "stats/stats.h"
#include "worker_run.h"

#define HEADERS (48 + 14 + 20 + 8) /* lane, Ethernet, IPv4, UDP */
#define SLOTS   1024
#define BLOBS   64

static char pins[64], instance[32];
static struct table_arrays arrays;
static struct lane53_settings *settings;
static struct lane53_asked *asked;
static int lanes[2]; /* packet sockets on lane53a, lane53a-1 */
static int lane;     /* the one of them that is used */

/* ---- the daemon's side: maps and lane ---- */

/* Return: the map, mapped; NULL = no. */
static void *make_map(const char *name, size_t value, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, (uint32_t)value, count,
				&opts);
	char path[128];
	void *at;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	if (fd < 0 || bpf_obj_pin(fd, path) < 0)
		return NULL;
	at = mmap(NULL, value * count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

static bool make_maps(void)
{
	snprintf(pins, sizeof(pins), "/sys/fs/bpf/lane53-test-%d", getpid());
	if (mkdir(pins, 0700) < 0)
		return false;
	settings = make_map("settings", sizeof(*settings), 1);
	arrays = (struct table_arrays){
		.slots = make_map("cache", sizeof(*arrays.slots), SLOTS),
		.slot_count = SLOTS,
		.small = make_map("cache_small", sizeof(*arrays.small), BLOBS),
		.small_count = BLOBS,
		.large = make_map("cache_large", sizeof(*arrays.large), BLOBS),
		.large_count = BLOBS,
		.names = make_map("cache_names", sizeof(*arrays.names), SLOTS),
	};
	asked = make_map("asked", sizeof(*asked), LANE53_ASKED_COUNT);
	if (!settings || !asked || !arrays.slots || !arrays.small || !arrays.large ||
	    !arrays.names)
		return false;
	for (int i = 0; i < LANE53_SECRET_WORDS; i++)
		settings->secret[i] = (uint32_t)random() * 2654435761u;
	arrays.secret = settings->secret;
	return true;
}

static bool make_lane(unsigned idx, const char *a, const char *b)
{
	struct timeval three = { .tv_sec = 3 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL) };
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link set lo up && ip link add %s mtu 1600 type veth peer name %s "
		 "mtu 1600 && ip link set %s up && ip link set %s up",
		 a, b, a, b);
	if (system(command) != 0)
		return false;
	lane = lanes[idx] =
		socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex(a);
	return lane >= 0 && bind(lane, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       setsockopt(lane, SOL_SOCKET, SO_RCVTIMEO, &three, sizeof(three)) == 0;
}

static void start_threads(const char *count)
{
	const char *const more[] = { "--pins",    pins,         "--lane",
				     "lane53b",   "--instance", instance,
				     "--workers", count,        NULL };

	run_start(more);
}

static void start(void)
{
	start_threads("1");
}

/* ---- the client's side ---- */

static void put(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void lane_ask(const char *name)
{
	uint8_t f[512] = { 0 };
	size_t len = run_query(f + HEADERS, name);

	memset(f, 2, 12);
	put(f + 12, LANE53_ETHERTYPE);
	put(f + 14, LANE53_TAG_MAGIC);
	f[16] = LANE53_ABI_VERSION;
	f[21] = 9; /* ifindex */
	f[25] = 1; /* view */
	put(f + 30, 14);
	put(f + 32, 34);
	put(f + 34, 42);
	put(f + 36, len);
	memset(f + 48, 4, 12);
	put(f + 60, ETH_P_IP);
	f[62] = 0x45;
	put(f + 64, 28 + len);
	f[70] = 64;
	f[71] = 17;
	memcpy(f + 74, "\xc0\0\2\7\xc6\x33\x64\x35", 8);
	put(f + 82, 40000);
	put(f + 84, 53);
	put(f + 86, 8 + len);
	CU_ASSERT_EQUAL(send(lane, f, HEADERS + len, 0), (ssize_t)(HEADERS + len));
}

/* The address in the next response on the lane; 0 = none came, or not as it should. */
static uint32_t lane_answer(void)
{
	uint8_t f[2000];
	ssize_t n;

	for (;;) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);

		n = recvfrom(lane, f, sizeof(f), 0, (struct sockaddr *)&from, &len);
		if (n < 0)
			return 0;
		if (n > HEADERS && from.sll_pkttype != PACKET_OUTGOING &&
		    f[12] == LANE53_ETHERTYPE >> 8)
			break;
	}
	if (memcmp(f + 74, "\xc6\x33\x64\x35\xc0\0\2\7", 8) || f[21] != 9)
		return 0;
	return run_address_in(f + HEADERS, n - HEADERS);
}

static uint64_t coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_published(const char *name)
{
	uint8_t wire[255], bytes[512];
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct table_key key = { .qname = wire, .qtype = TYPE_A, .view = 1 };
	struct table_meta meta;

	name_from_text(wire, name);
	return table_lookup(&arrays, &key, (uint32_t)(coarse_ns() / 1000000000),
			    &answer, &meta) == 0 &&
	       meta.needs_rd && answer.ancount == 1;
}

/* ---- cases: one worker's life, in order ---- */

static void set_up(void)
{
	run_set_up();
}

static void heart_beats_while_idle(void)
{
	uint64_t oldest = 0, first = settings->heartbeat_ns;

	for (int i = 0; i < 100; i++) {
		uint64_t age = coarse_ns() - settings->heartbeat_ns;

		if (age > oldest)
			oldest = age;
		run_sleep_ms(20);
	}
	CU_ASSERT_TRUE(settings->heartbeat_ns > first + 1800000000ull);
	CU_ASSERT_TRUE(oldest < LANE53_HEARTBEAT_MAX_AGE_NS); /* aim: 100 ms */
}

/* Ticks of CPU time that it uses in @ms. */
static unsigned long cpu_ticks_in(long ms)
{
	unsigned long user = 0, kernel = 0, before = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", run_pid());
	for (int i = 0; i < 2; i++) {
		FILE *file = fopen(path, "r");

		CU_ASSERT_PTR_NOT_NULL_FATAL(file);
		CU_ASSERT_EQUAL(fscanf(file,
				       "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u "
				       "%*u %*u %lu %lu",
				       &user, &kernel),
				2);
		fclose(file);
		if (i == 0) {
			before = user + kernel;
			run_sleep_ms(ms);
		}
	}
	return user + kernel - before;
}

static void idle_costs_nothing(void)
{
	/* Of 300, that spinning would take; how few of them, scripts/bench.sh tells. */
	CU_ASSERT_TRUE(cpu_ticks_in(3000) < 30);
}

/* No promise to XDP before there is a plan to answer by; and no spinning meanwhile. */
static void no_plan_no_heartbeat(void)
{
	start();
	CU_ASSERT_TRUE(cpu_ticks_in(500) < 10);
	CU_ASSERT_EQUAL(settings->heartbeat_ns, 0);
	run_commit_plan(1, NULL, 0);
	json_decref(run_control("{\"op\":\"wake\"}\n"));
	run_sleep_ms(50);
	CU_ASSERT_NOT_EQUAL(settings->heartbeat_ns, 0);
}

static void answers_on_the_lane(void)
{
	lane_ask("a.test.");
	CU_ASSERT_EQUAL(lane_answer(), 0xc0000201);
}

static void asks_the_upstream_and_publishes(void)
{
	lane_ask("b.test.");
	CU_ASSERT_TRUE(run_upstream_answer());
	CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	for (int i = 0; i < 3; i++) { /* nobody plays the upstream now */
		lane_ask("b.test.");
		CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	}
	CU_ASSERT_TRUE(is_published("b.test."));
	CU_ASSERT_FALSE(is_published("a.test.")); /* local: the daemon's table */
}

static void a_killed_worker_comes_back_and_remembers(void)
{
	struct worker_stats *stats;

	run_sleep_ms(50); /* the last count is behind the last response */
	kill(run_pid(), SIGKILL);
	run_wait_exit(run_pid());
	CU_ASSERT_TRUE(is_published("b.test.")); /* XDP goes on with it */
	start();
	lane_ask("a.test.");
	CU_ASSERT_EQUAL(lane_answer(), 0xc0000201);
	lane_ask("b.test."); /* from the pinned map: nobody plays the upstream */
	CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	run_sleep_ms(50);
	CU_ASSERT_EQUAL_FATAL(stats_map(&stats, run_path("stats-dpdk"), 0), 0);
	CU_ASSERT_EQUAL(stats->starts, 2);
	CU_ASSERT_EQUAL(stats->lane_rx, 7);
	CU_ASSERT_EQUAL(stats->lane_tx, 7);
	stats_unmap(stats);
}

static void flush_covers_what_xdp_has(void)
{
	json_t *reply = run_control("{\"op\":\"flush\"}\n");

	CU_ASSERT_TRUE(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	CU_ASSERT_FALSE(is_published("b.test."));
}

static void says_and_leaves_nothing(void)
{
	struct stat st;

	CU_ASSERT_EQUAL(stat(run_path("dpdk"), &st), -1); /* EAL's directory */
	CU_ASSERT_EQUAL(stat(run_path("stderr"), &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 0);
}

static void sigterm_stops_the_heart(void)
{
	int status;

	lane_ask("silent.test."); /* nobody answers: not waited for longer than 1 s */
	run_sleep_ms(50);
	kill(run_pid(), SIGTERM);
	status = run_wait_exit(run_pid());
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CU_ASSERT_EQUAL(settings->heartbeat_ns, 0);
	CU_ASSERT_TRUE(run_upstream_answer()); /* out of the way of later cases */
}

/* ---- two threads ---- */

static void two_threads_have_a_lane_each(void)
{
	start_threads("2");
	CU_ASSERT_EQUAL(settings->lanes, 2);
	for (int i = 0; i < 200; i++) {
		lane = lanes[i % 2];
		lane_ask("a.test.");
		CU_ASSERT_EQUAL(lane_answer(), 0xc0000201);
	}
}

/* How many rows @op gives under @key, and the sum of @number in them. */
static size_t rows(const char *op, const char *key, const char *number,
		   json_int_t *ret_sum)
{
	char request[64];
	json_t *reply, *row;
	size_t i, count;

	snprintf(request, sizeof(request), "{\"op\":\"%s\"}\n", op);
	reply = run_control(request);
	count = json_array_size(json_object_get(reply, key));
	*ret_sum = 0;
	json_array_foreach(json_object_get(reply, key), i, row) *ret_sum +=
		json_integer_value(json_object_get(row, number));
	json_decref(reply);
	return count;
}

/* Each thread keeps what it asked; both publish into the one table. */
static void caches_are_split_and_told_together(void)
{
	json_int_t before, asked_sum, ttl_sum;

	CU_ASSERT_EQUAL(rows("upstreams", "upstreams", "asked", &before), 1);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "two.test." : "one.test.";

		lane = lanes[i];
		lane_ask(name);
		CU_ASSERT_TRUE(run_upstream_answer());
		CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
		for (int j = 0; j < 3; j++) { /* nobody plays the upstream now */
			lane_ask(name);
			CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
		}
		CU_ASSERT_TRUE(is_published(name));
	}
	CU_ASSERT_EQUAL(rows("cache", "entries", "ttl_s", &ttl_sum), 2);
	CU_ASSERT_EQUAL(rows("upstreams", "upstreams", "asked", &asked_sum), 1);
	CU_ASSERT_EQUAL(asked_sum, before + 2);
}

static void plan_and_flush_reach_both(void)
{
	json_t *reply;

	run_commit_plan(7, NULL, 0);
	reply = run_control("{\"op\":\"wake\"}\n");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(reply, "generation")), 7);
	json_decref(reply);
	reply = run_control("{\"op\":\"status\"}\n");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(reply, "threads")), 2);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(reply, "generation")), 7);
	json_decref(reply);
	CU_ASSERT_TRUE(is_published("one.test.") && is_published("two.test."));
	reply = run_control("{\"op\":\"flush\"}\n");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(reply, "flushed")), 2);
	json_decref(reply);
	CU_ASSERT_FALSE(is_published("one.test.") || is_published("two.test."));
	for (int i = 0; i < 2; i++) {
		lane = lanes[i];
		lane_ask(i ? "two.test." : "one.test.");
		CU_ASSERT_TRUE(run_upstream_answer()); /* asked anew */
		CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	}
}

static void threads_counts_are_summed(void)
{
	struct worker_stats *sum, *one;

	run_sleep_ms(50); /* the last count is behind the last response */
	CU_ASSERT_EQUAL_FATAL(stats_map_sum(&sum, run_path("stats-dpdk")), 0);
	CU_ASSERT_EQUAL_FATAL(stats_map(&one, run_path("stats-dpdk-1"), 0), 0);
	CU_ASSERT_EQUAL(one->lane_rx, 100 + 4 + 1);
	CU_ASSERT_EQUAL(sum->lane_rx - one->lane_rx, 8 + 100 + 4 + 1);
	CU_ASSERT_EQUAL(sum->waiting, 0);
	stats_unmap(one);
	stats_unmap(sum);
}

/* The thread of @name, among the worker's; 0 = there is none. */
static pid_t thread_of(const char *name)
{
	char path[64], comm[32];
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", run_pid());
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", run_pid(),
			 entry->d_name);
		file = fopen(path, "r");
		if (file && fscanf(file, "%31s", comm) == 1 && !strcmp(comm, name))
			found = atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* XDP may send nothing to a thread that hangs. */
static void one_stuck_thread_stops_the_heart(void)
{
	const pid_t thread = thread_of("lane53-1");
	uint64_t stuck;

	CU_ASSERT_NOT_EQUAL_FATAL(thread, 0);
	CU_ASSERT_EQUAL_FATAL(ptrace(PTRACE_SEIZE, thread, 0, 0), 0);
	CU_ASSERT_EQUAL(ptrace(PTRACE_INTERRUPT, thread, 0, 0), 0);
	CU_ASSERT_EQUAL(waitpid(thread, NULL, __WALL), thread);
	run_sleep_ms(200); /* a beat that was on its way */
	stuck = settings->heartbeat_ns;
	run_sleep_ms(400);
	CU_ASSERT_EQUAL(settings->heartbeat_ns, stuck);
	lane = lanes[0]; /* the other goes on */
	lane_ask("a.test.");
	CU_ASSERT_EQUAL(lane_answer(), 0xc0000201);
	CU_ASSERT_EQUAL(ptrace(PTRACE_DETACH, thread, 0, 0), 0);
	run_sleep_ms(200);
	CU_ASSERT_TRUE(settings->heartbeat_ns > stuck);
}

static void both_come_back_and_remember(void)
{
	lane = lanes[0];
	for (int j = 0; j < 2; j++) { /* published at the second hit */
		lane_ask("one.test.");
		CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	}
	CU_ASSERT_TRUE(is_published("one.test."));
	kill(run_pid(), SIGKILL);
	run_wait_exit(run_pid());
	start_threads("2");
	for (int i = 0; i < 2; i++) { /* whichever asks: from the pinned map */
		lane = lanes[i];
		lane_ask("one.test.");
		CU_ASSERT_EQUAL(lane_answer(), 0xcb007109);
	}
}

static void idle_threads_cost_nothing(void)
{
	CU_ASSERT_TRUE(cpu_ticks_in(3000) < 30);
}

static void sigterm_ends_both(void)
{
	sigterm_stops_the_heart();
	lane = lanes[0];
	start();
	CU_ASSERT_EQUAL(settings->lanes, 1);
	lane_ask("a.test.");
	CU_ASSERT_EQUAL(lane_answer(), 0xc0000201);
	kill(run_pid(), SIGTERM);
	run_wait_exit(run_pid());
}

static void a_lane_that_goes_ends_both(void)
{
	int status;

	start_threads("2");
	CU_ASSERT_EQUAL(system("ip link del lane53a-1"), 0);
	status = run_wait_exit(run_pid());
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 69);
	CU_ASSERT_EQUAL(settings->heartbeat_ns, 0);
}

static void a_lane_that_goes_ends_the_worker(void)
{
	char said[256] = "";
	int status, fd;

	start();
	CU_ASSERT_EQUAL(system("ip link del lane53a"), 0);
	status = run_wait_exit(run_pid());
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 69);
	CU_ASSERT_EQUAL(settings->heartbeat_ns, 0);
	fd = open(run_path("stderr"), O_RDONLY);
	CU_ASSERT_TRUE(read(fd, said, sizeof(said) - 1) > 0);
	close(fd);
	CU_ASSERT_STRING_EQUAL(said, "lane53-worker: lane53b is gone\n");
}

static const struct check_case cases[] = {
	{ "set up", set_up },
	{ "no plan, no heartbeat", no_plan_no_heartbeat },
	{ "heart beats while idle", heart_beats_while_idle },
	{ "idle costs nothing", idle_costs_nothing },
	{ "answers on the lane", answers_on_the_lane },
	{ "asks the upstream and publishes", asks_the_upstream_and_publishes },
	{ "a killed worker comes back and remembers",
	  a_killed_worker_comes_back_and_remembers },
	{ "flush covers what XDP has", flush_covers_what_xdp_has },
	{ "says and leaves nothing", says_and_leaves_nothing },
	{ "SIGTERM stops the heart", sigterm_stops_the_heart },
	{ "two threads have a lane each", two_threads_have_a_lane_each },
	{ "caches are split and told together", caches_are_split_and_told_together },
	{ "plan and flush reach both", plan_and_flush_reach_both },
	{ "threads' counts are summed", threads_counts_are_summed },
	{ "one stuck thread stops the heart", one_stuck_thread_stops_the_heart },
	{ "both come back and remember", both_come_back_and_remember },
	{ "idle threads cost nothing", idle_threads_cost_nothing },
	{ "SIGTERM ends both", sigterm_ends_both },
	{ "a lane that goes ends both", a_lane_that_goes_ends_both },
	{ "a lane that goes ends the worker", a_lane_that_goes_ends_the_worker },
};

static void remove_pins(void)
{
	static const char *const names[] = { "settings",    "cache",
					     "cache_small", "cache_large",
					     "cache_names", "asked" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", pins, names[i]);
		unlink(path);
	}
	rmdir(pins);
}

int main(void)
{
	int r;

	if (geteuid() != 0)
		return check_skip("needs root: BPF maps, a network namespace, AF_XDP");
	if (unshare(CLONE_NEWNET) < 0 || !make_lane(1, "lane53a-1", "lane53b-1") ||
	    !make_lane(0, "lane53a", "lane53b"))
		return check_skip("no veth pairs in a network namespace of our own");
	snprintf(instance, sizeof(instance), "test%d", getpid());
	if (!make_maps()) {
		printf("%s: %s\n", pins, strerror(errno));
		remove_pins();
		return check_skip("no BPF maps pinned under /sys/fs/bpf");
	}
	r = run_begin(true) ? check_main("worker_lane", cases, ARRAY_LEN(cases)) : 1;
	r = run_end(r);
	remove_pins();
	return r;
}
