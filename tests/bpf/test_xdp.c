/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_xdp.c - control/xdp on a real kernel: adopt, upgrade, grow, follow, refuse, remove.
 *
 * Runs in a network and a mount namespace of its own with a bpffs of its own, so nothing
 * is left behind however it ends.  Cases build on each other, in order.
 *
 *   c0 ══ c0p     the client's end c0p moves to a child's namespace for real packets
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include "cache/answer.h"
#include "cache/table.h"
#include "check.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "problem.h"
#include "xdp/ifaces.h"
#include "xdp/xdp.h"

#define INSTANCE "test-xdp"
#define DIR      "/sys/fs/bpf/lane53/" INSTANCE "/v2"
#define VIEW     7

static struct ifaces *ifaces;
static struct xdp *xdp;
static struct table *table;
static struct problem problem;
static unsigned changes[4]; /* by enum xdp_change */
static char last_note[512];

static const uint8_t service[16] = { [10] = 0xff, [11] = 0xff, 10, 53, 0, 1 };
static const uint8_t service6[16] = { 0xfd, 0x53, [15] = 1 };

/* "www.lane.test." A, ID 0x1234, RD. */
static const uint8_t message[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				 "\x03www\x04lane\x04test\x00\x00\x01\x00\x01";
#define MESSAGE_LEN (sizeof(message) - 1)
#define QNAME       (message + 12)

static void on_interface(void *context, enum xdp_change change,
			 const struct xdp_interface *interface)
{
	(void)context;
	changes[change]++;
	snprintf(last_note, sizeof(last_note), "%s", interface->note);
}

/* Run a command of iproute2 or ethtool; true if it succeeded. */
__attribute__((format(printf, 1, 2))) static bool run(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return system(line) == 0;
}

static void open_with_lanes(unsigned lanes)
{
	const struct xdp_config config = {
		.instance = INSTANCE,
		.ifaces = ifaces,
		.lanes = lanes,
		.local_slots = 256,
		.cache_slots = 256,
		.on_interface = on_interface,
	};
	int r = xdp_open(&xdp, &config, &problem);

	if (r < 0)
		printf("  xdp_open: %s\n", problem.text);
	CU_ASSERT_EQUAL_FATAL(r, 0);
}

static void open_again(void)
{
	open_with_lanes(1);
}

static void close_all(void)
{
	table_close(table);
	table = NULL;
	xdp_close(xdp);
	xdp = NULL;
}

static void open_table(void)
{
	struct table_arrays arrays;

	xdp_local_arrays(xdp, &arrays);
	CU_ASSERT_EQUAL_FATAL(table_open(&table, &arrays), 0);
}

/* 192.0.2.VIEW for www.lane.test in @view. */
static void publish(struct table *into, uint8_t view)
{
	static uint8_t rr[] = "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00"
			      "\x02\x00";
	const struct answer answer = {
		.flags = FLAG_AA,
		.ancount = 1,
		.ttl_count = 1,
		.ttl_off = { 6 },
		.local = true,
		.ttl_s = 60,
		.len = sizeof(rr) - 1,
		.bytes = rr,
	};
	const struct table_key key = { .qname = QNAME, .qtype = TYPE_A, .view = view };
	const struct table_meta meta = { .expires_s = LANE53_NEVER_EXPIRES };

	rr[15] = view;
	CU_ASSERT_EQUAL(table_publish(into, &key, &answer, &meta), 0);
}

static int apply(const struct xdp_rule *rules, unsigned count)
{
	static struct plan_listener listeners[] = {
		{ .local = { .port = 53 }, .view = VIEW }, /* any address */
	};
	const struct plan plan = { .listeners = listeners, .listener_count = 1 };

	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	return xdp_apply(xdp, rules, count, &plan, &problem);
}

static const struct xdp_rule every_c = { .pattern = "c*", .mode = ATTACH_AUTO };

static enum xdp_way ask(const uint8_t to[16], struct xdp_reply *reply)
{
	struct xdp_question question = {
		.local_port = 53,
		.message = message,
		.len = MESSAGE_LEN,
	};

	memcpy(question.local, to, 16);
	if (xdp_query(xdp, &question, reply, &problem) < 0) {
		printf("  xdp_query: %s\n", problem.text);
		return XDP_WAY_NONE;
	}
	return reply->way;
}

static bool has_pin(const char *name)
{
	char path[128];
	struct stat s;

	snprintf(path, sizeof(path), DIR "/%s", name);
	return stat(path, &s) == 0;
}

/* The link pinned for @ifname: its id, its program's id. */
static __u32 link_id(const char *ifname, __u32 *ret_program)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DIR "/link-%s", ifname);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return 0;
	close(fd);
	if (ret_program)
		*ret_program = info.prog_id;
	return info.id;
}

static unsigned count_keys(const char *map, size_t key_bytes)
{
	uint8_t key[64], next[64];
	unsigned count = 0;
	char path[128];
	int fd, r;

	snprintf(path, sizeof(path), DIR "/%s", map);
	fd = bpf_obj_get(path);
	for (r = bpf_map_get_next_key(fd, NULL, next); r == 0; count++) {
		memcpy(key, next, key_bytes);
		r = bpf_map_get_next_key(fd, key, next);
	}
	close(fd);
	return count;
}

static unsigned service_count(void)
{
	return count_keys("services", sizeof(struct lane53_service_key));
}

static unsigned interface_count(void)
{
	return count_keys("interfaces", sizeof(struct lane53_iface_key));
}

/* Shared with the client, which is another process. */
struct traffic {
	_Atomic unsigned asked, answered;
	_Atomic bool ready, stop;
};

/* ---- cases, in order ---- */

static void test_lists(void)
{
	const struct iface_address *addresses;
	const struct iface *c0;
	unsigned count;
	bool found = false;

	CU_ASSERT_EQUAL_FATAL(ifaces_open(&ifaces, NULL, NULL, NULL, &problem), 0);
	c0 = iface_by_name(ifaces, "c0");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c0);
	CU_ASSERT_STRING_EQUAL(c0->kind, "veth");
	CU_ASSERT_TRUE(c0->up);
	CU_ASSERT_FALSE(c0->peer_elsewhere);
	CU_ASSERT_EQUAL(c0->peer, if_nametoindex("c0p"));
	CU_ASSERT_TRUE(iface_by_name(ifaces, "lo")->loopback);
	addresses = ifaces_addresses(ifaces, &count);
	for (unsigned i = 0; i < count; i++)
		if (!memcmp(addresses[i].addr, service, 16))
			found = addresses[i].prefix_len == 24 &&
				addresses[i].ifindex == c0->ifindex;
	CU_ASSERT_TRUE(found);
}

static void count_change(void *context)
{
	++*(unsigned *)context;
}

static void test_watch(void)
{
	struct ifaces *watched;
	unsigned seen = 0;
	uv_loop_t loop;

	uv_loop_init(&loop);
	CU_ASSERT_EQUAL_FATAL(
		ifaces_open(&watched, &loop, count_change, &seen, &problem), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(seen, 0);
	CU_ASSERT_TRUE(run("ip link add w0 type veth peer name w1"));
	for (int i = 0; i < 50 && !iface_by_name(watched, "w1"); i++)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_TRUE(seen > 0);
	CU_ASSERT_PTR_NOT_NULL(iface_by_name(watched, "w0"));
	CU_ASSERT_TRUE(run("ip link del w0"));
	for (int i = 0; i < 50 && iface_by_name(watched, "w1"); i++)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_PTR_NULL(iface_by_name(watched, "w0"));
	ifaces_close(watched);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
}

static void test_first_open(void)
{
	static const char *const names[] = {
		"settings",    "interfaces",  "sources",     "services",
		"lane",        "outcomes",    "series",      "events",
		"local",       "local_small", "local_large", "cache",
		"cache_small", "cache_large", "cache_names", "link-lane"
	};
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	const struct lane53_settings *settings;
	uint32_t any = 0;
	struct stat s;

	open_again(); /* also mounts bpffs: main() left none */
	CU_ASSERT_FALSE(xdp_is_adopted(xdp));
	CU_ASSERT_STRING_EQUAL(xdp_pin_dir(xdp), DIR);
	CU_ASSERT_EQUAL(stat(DIR, &s), 0);
	CU_ASSERT_EQUAL(s.st_mode & 07777, 0700);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), DIR "/%s", names[i]);
		CU_ASSERT_EQUAL(stat(path, &s), 0);
		CU_ASSERT_EQUAL(s.st_mode & 0777, 0600);
	}
	settings = xdp_settings(xdp);
	CU_ASSERT_EQUAL(settings->enabled, 1);
	CU_ASSERT_EQUAL(settings->udp_limit, LANE53_UDP_PAYLOAD);
	for (unsigned i = 0; i < LANE53_SECRET_WORDS; i++)
		any |= settings->secret[i];
	CU_ASSERT_NOT_EQUAL(any, 0);
	xdp_lane_names(INSTANCE, 0, a, b);
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(iface_by_name(ifaces, a));
	CU_ASSERT_TRUE(iface_by_name(ifaces, a)->up && iface_by_name(ifaces, b)->up);
	CU_ASSERT_EQUAL(memcmp(iface_by_name(ifaces, b)->mac, settings->lane_mac_b, 6),
			0);
	CU_ASSERT_TRUE(run("ip link show %s | grep -q 'mtu 1600'", b));
}

static void test_bad_instance(void)
{
	const struct xdp_config config = { .instance = "a.b/c", .ifaces = ifaces };
	struct xdp *none;

	CU_ASSERT_EQUAL(xdp_open(&none, &config, &problem), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, "a.b/c"));
}

static void test_attach(void)
{
	const struct xdp_interface *list;
	struct xdp_reply reply;
	unsigned count;

	open_table();
	publish(table, VIEW);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2); /* c0, c0p; never the lane */
	CU_ASSERT_TRUE(list[0].attached && list[1].attached);
	CU_ASSERT_EQUAL(list[0].mode, ATTACH_GENERIC);
	CU_ASSERT_EQUAL(changes[XDP_ATTACHED], 2);
	CU_ASSERT_TRUE(has_pin("link-c0"));
	CU_ASSERT_FALSE(xdp_rule_waits(xdp, 0));
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	CU_ASSERT_EQUAL(reply.len, MESSAGE_LEN + 16);
	CU_ASSERT_EQUAL(reply.message[3] & FLAG_RCODE, RCODE_NOERROR);
	CU_ASSERT_EQUAL(ask(service6, &reply), XDP_WAY_LOCAL);
	/* a second time changes nothing, and says nothing */
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(changes[XDP_ATTACHED], 2);
}

static void test_counts(void)
{
	uint64_t before[LANE53_OUTCOME_COUNT], after[LANE53_OUTCOME_COUNT];
	const uint32_t type = lane53_type_class(TYPE_A);
	struct lane53_series row;
	struct xdp_reply reply;

	CU_ASSERT_EQUAL(xdp_outcomes(xdp, before), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	CU_ASSERT_EQUAL(xdp_outcomes(xdp, after), 0);
	CU_ASSERT_EQUAL(after[LANE53_ANSWERED_LOCAL],
			before[LANE53_ANSWERED_LOCAL] + 1);
	CU_ASSERT_EQUAL(xdp_series(xdp, 0, &row), 0);
	CU_ASSERT_EQUAL(row.requests[0][type], 2);
	CU_ASSERT_EQUAL(row.requests[1][type], 1);
	CU_ASSERT_EQUAL(xdp_series(xdp, 5, &row), 0);
	CU_ASSERT_EQUAL(row.requests[0][type], 0);
	CU_ASSERT_EQUAL(xdp_series(xdp, LANE53_LABEL_MAX, &row), -EINVAL);
	CU_ASSERT_STRING_EQUAL(xdp_outcome_name(LANE53_TO_LANE), "TO_LANE");
}

static void note_event(void *context, const struct lane53_event *event)
{
	*(struct lane53_event *)context = *event;
}

static void test_events(void)
{
	struct lane53_event event = { 0 };
	struct xdp_reply reply;

	CU_ASSERT_EQUAL(xdp_events_consume(xdp, note_event, &event), 0);
	xdp_settings(xdp)->event_sample = 1;
	xdp_settings(xdp)->event_limit = 1000;
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	xdp_settings(xdp)->event_sample = 0;
	CU_ASSERT_TRUE(xdp_events_fd(xdp) >= 0);
	CU_ASSERT_EQUAL(xdp_events_consume(xdp, note_event, &event), 1);
	CU_ASSERT_EQUAL(event.view, VIEW);
	CU_ASSERT_EQUAL(event.qtype, TYPE_A);
	CU_ASSERT_EQUAL(memcmp(event.local, service, 16), 0);
}

static void test_kill_switch(void)
{
	struct xdp_reply reply;

	xdp_settings(xdp)->enabled = 0;
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	xdp_settings(xdp)->enabled = 1;
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
}

static void test_heartbeat(void)
{
	const struct table_key key = { .qname = QNAME, .qtype = TYPE_A, .view = VIEW };
	struct xdp_reply reply;
	struct timespec now;

	CU_ASSERT_EQUAL(table_retract(table, &key), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	xdp_settings(xdp)->heartbeat_ns =
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LANE);
	xdp_heartbeat_clear(xdp);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	publish(table, VIEW);
}

static void test_adopt(void)
{
	uint32_t secret[LANE53_SECRET_WORDS];
	__u32 program, program_now;
	const __u32 link = link_id("c0", &program);
	struct xdp_reply reply;

	memcpy(secret, xdp_settings(xdp)->secret, sizeof(secret));
	close_all();
	CU_ASSERT_EQUAL(link_id("c0", NULL), link); /* lives on */
	open_again();
	CU_ASSERT_TRUE(xdp_is_adopted(xdp));
	CU_ASSERT_EQUAL(memcmp(secret, xdp_settings(xdp)->secret, sizeof(secret)), 0);
	CU_ASSERT_EQUAL(link_id("c0", &program_now), link);
	CU_ASSERT_NOT_EQUAL(program, program_now); /* upgraded in place */
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(link_id("c0", NULL), link);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	open_table();
}

static void test_grow(void)
{
	const __u32 link = link_id("c0", NULL), lane = link_id("lane", NULL);
	struct table_arrays old, grown;
	struct table *larger;
	struct xdp_reply reply;

	xdp_local_arrays(xdp, &old);
	CU_ASSERT_EQUAL(xdp_local_grow_begin(xdp, &(struct table_room){ .slots = 15 },
					     &grown, &problem),
			-EINVAL);
	CU_ASSERT_EQUAL_FATAL(
		xdp_local_grow_begin(xdp, &(struct table_room){ .slots = 1024 }, &grown,
				     &problem),
		0);
	CU_ASSERT_EQUAL(grown.slot_count, 1024);
	CU_ASSERT_EQUAL_FATAL(table_open(&larger, &grown), 0);
	publish(larger, VIEW);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL); /* from the old one */
	table_close(table);
	CU_ASSERT_EQUAL(xdp_local_grow_commit(xdp, &problem), 0);
	table = larger;
	CU_ASSERT_EQUAL(link_id("c0", NULL), link);
	CU_ASSERT_EQUAL(link_id("lane", NULL), lane);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);

	/* begun and given up: nothing changes */
	CU_ASSERT_EQUAL(xdp_local_grow_begin(xdp, &(struct table_room){ .slots = 2048 },
					     &grown, &problem),
			0);
	xdp_local_grow_abort(xdp);
	CU_ASSERT_EQUAL(xdp_local_grow_commit(xdp, &problem), -EINVAL);

	close_all();
	open_again();
	CU_ASSERT_TRUE(xdp_is_adopted(xdp));
	xdp_local_arrays(xdp, &grown);
	CU_ASSERT_EQUAL(grown.slot_count, 1024);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	open_table();
}

/* A program that is not ours: return XDP_PASS. */
static int load_stranger(const char *name)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", pass, ARRAY_LEN(pass),
			     NULL);
}

static void test_appears(void)
{
	const struct xdp_interface *list;
	unsigned count;

	changes[XDP_ATTACHED] = changes[XDP_DETACHED] = 0;
	CU_ASSERT_TRUE(run("ip link add c1.5 type veth peer name p1"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL(count, 3);
	CU_ASSERT_EQUAL(changes[XDP_ATTACHED], 1);
	CU_ASSERT_STRING_EQUAL(list[count - 1].name, "c1.5");
	CU_ASSERT_TRUE(has_pin("link-c1:5")); /* bpffs takes no dot */

	/* renamed: the same link, under its new name */
	CU_ASSERT_TRUE(run("ip link set c1.5 name c2"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_TRUE(has_pin("link-c2"));
	CU_ASSERT_FALSE(has_pin("link-c1:5"));

	CU_ASSERT_TRUE(run("ip link del c2"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(changes[XDP_DETACHED], 1);
	CU_ASSERT_FALSE(has_pin("link-c2"));
	CU_ASSERT_EQUAL(interface_count(), 2);
}

static void test_mac_changes(void)
{
	struct xdp_reply reply;

	CU_ASSERT_TRUE(run("ip link set c0 address 02:00:00:00:53:01"));
	/* the frame goes to the new MAC, which the map does not know yet */
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
}

static void test_stale_pin(void)
{
	CU_ASSERT_TRUE(run("ip link add c3 type veth peer name p3"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_TRUE(has_pin("link-c3"));
	close_all();
	CU_ASSERT_TRUE(run("ip link del c3"));
	CU_ASSERT_TRUE(has_pin("link-c3"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	open_again();
	CU_ASSERT_FALSE(has_pin("link-c3"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	open_table();
}

static void test_foreign(const char *name, const char *expected)
{
	const struct xdp_interface *list;
	int fd = load_stranger(name), ifindex;
	unsigned count;

	CU_ASSERT_TRUE(run("ip link add c4 type veth peer name p4"));
	ifindex = (int)if_nametoindex("c4");
	CU_ASSERT_EQUAL(bpf_xdp_attach(ifindex, fd, XDP_FLAGS_SKB_MODE, NULL), 0);
	changes[XDP_REFUSED] = changes[XDP_ATTACHED] = 0;
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(changes[XDP_REFUSED], 1);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_FALSE(list[count - 1].attached);
	printf("  %s\n", list[count - 1].note);
	CU_ASSERT_PTR_NOT_NULL(strstr(list[count - 1].note, expected));
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(changes[XDP_REFUSED], 1); /* said once */

	/* gone: the next sync attaches */
	CU_ASSERT_EQUAL(bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(changes[XDP_ATTACHED], 1);
	CU_ASSERT_TRUE(run("ip link del c4"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);

	/* a refused one that goes is told as well */
	CU_ASSERT_TRUE(run("ip link add c4 type veth peer name p4"));
	ifindex = (int)if_nametoindex("c4");
	CU_ASSERT_EQUAL(bpf_xdp_attach(ifindex, fd, XDP_FLAGS_SKB_MODE, NULL), 0);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	changes[XDP_FORGOTTEN] = 0;
	CU_ASSERT_TRUE(run("ip link del c4"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(changes[XDP_FORGOTTEN], 1);
	close(fd);
}

static void test_foreign_program(void)
{
	test_foreign("stranger", "\"stranger\"");
}

/* By name only: this kernel may refuse libxdp's real one, and then the note says so. */
static void test_foreign_dispatcher(void)
{
	test_foreign("xdp_dispatcher", "dispatcher");
}

static void test_native_refused(void)
{
	const struct xdp_rule rules[] = {
		{ .pattern = "c0", .mode = ATTACH_AUTO },
		{ .pattern = "lo", .mode = ATTACH_NATIVE },
		{ .pattern = "absent0", .mode = ATTACH_AUTO },
	};
	const struct xdp_interface *list;
	unsigned count;

	CU_ASSERT_EQUAL(apply(rules, ARRAY_LEN(rules)), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_STRING_EQUAL(list[0].name, "lo");
	CU_ASSERT_FALSE(list[0].attached);
	CU_ASSERT_PTR_NOT_NULL(strstr(list[0].note, "no native XDP on lo"));
	CU_ASSERT_TRUE(xdp_rule_waits(xdp, 2));
	CU_ASSERT_FALSE(xdp_rule_waits(xdp, 1));
	CU_ASSERT_FALSE(has_pin("link-c0p")); /* no rule any more */
	CU_ASSERT_TRUE(has_pin("link-c0"));
}

static void test_modes(void)
{
	const struct xdp_rule native = { .pattern = "c0*", .mode = ATTACH_NATIVE };
	const struct xdp_interface *list;
	unsigned count;

	CU_ASSERT_EQUAL(apply(&native, 1), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_TRUE(list[0].attached);
	CU_ASSERT_EQUAL(list[0].mode, ATTACH_NATIVE);
	close_all();
	open_again();
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0); /* auto: generic on veth again */
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL(list[0].mode, ATTACH_GENERIC);
	open_table();
}

static void test_kinds(void)
{
	static const struct {
		const char *name, *make;
		enum attach_mode asked;
		bool attached;
		enum attach_mode mode;
		const char *note;
	} kinds[] = {
		{ "k-tap", "ip tuntap add k-tap mode tap", ATTACH_AUTO, true,
		  ATTACH_NATIVE, "" },
		{ "k-br", "ip link add k-br type bridge", ATTACH_AUTO, true,
		  ATTACH_GENERIC, "" },
		{ "k-big",
		  "ip link add k-big mtu 9000 type veth peer name k-end mtu 9000",
		  ATTACH_NATIVE, false, ATTACH_AUTO, "MTU" },
		{ "k-any",
		  "ip link add k-any mtu 9000 type veth peer name k-far mtu 9000",
		  ATTACH_AUTO, true, ATTACH_GENERIC, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct xdp_rule rule = { .pattern = kinds[i].name,
					       .mode = kinds[i].asked };
		const struct xdp_interface *list;
		unsigned count;

		printf("  %s\n", kinds[i].make);
		if (!run("%s 2>/dev/null", kinds[i].make)) {
			printf("  not in this kernel\n");
			continue;
		}
		CU_ASSERT_EQUAL(apply(&rule, 1), 0);
		list = xdp_interfaces(xdp, &count);
		CU_ASSERT_EQUAL_FATAL(count, 1);
		CU_ASSERT_EQUAL(list[0].attached, kinds[i].attached);
		CU_ASSERT_EQUAL(list[0].mode, kinds[i].mode);
		CU_ASSERT_PTR_NOT_NULL(strstr(list[0].note, kinds[i].note));
		CU_ASSERT_TRUE(run("ip link del %s", kinds[i].name));
	}
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
}

/* Two instances in one namespace: apart but for an interface that both claim. */
static void test_two_instances(void)
{
	const struct xdp_config config = { .instance = "second",
					   .ifaces = ifaces,
					   .local_slots = 256,
					   .cache_slots = 256 };
	const struct xdp_rule rules[] = { { .pattern = "c0" }, { .pattern = "d0" } };
	const struct xdp_interface *list;
	struct xdp *second;
	unsigned count;

	CU_ASSERT_TRUE(run("ip link add d0 type veth peer name d1"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL_FATAL(xdp_open(&second, &config, &problem), 0);
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_apply(second, rules, 2, NULL, &problem), 0);
	list = xdp_interfaces(second, &count);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT_FALSE(list[0].attached);
	CU_ASSERT_PTR_NOT_NULL(strstr(list[0].note, "\"lane53_entry\""));
	CU_ASSERT_TRUE(list[1].attached);
	xdp_close(second);
	CU_ASSERT_EQUAL(xdp_remove("second", &problem), 0);
	CU_ASSERT_TRUE(has_pin("link-c0")); /* the first one's */
	CU_ASSERT_TRUE(run("ip link del d0"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
}

static void test_services(void)
{
	const unsigned before = service_count();
	static struct plan_listener listeners[] = {
		{ .local = { .port = 53 }, .view = VIEW },
		{ .local = { { [10] = 0xff, [11] = 0xff, 10, 53, 0, 9 }, 53 },
		  .view = 9 },
		{ .local = { { [10] = 0xff, [11] = 0xff, 10, 53, 0, 1 }, 53 },
		  .view = 8 }, /* beats the wildcard */
		{ .local = { .port = 53 }, .tenant = 4, .view = 11 },
	};
	const struct plan plan = { .listeners = listeners, .listener_count = 4 };
	struct lane53_service_key key = { .port_be = htons(53) };
	struct lane53_service found;
	int fd = bpf_obj_get(DIR "/services");

	CU_ASSERT_EQUAL(before, 2); /* lo's are none */
	CU_ASSERT_TRUE(run("ip addr add 10.53.0.2/24 dev c0"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(service_count(), before + 1);
	CU_ASSERT_TRUE(run("ip addr del 10.53.0.2/24 dev c0"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_EQUAL(service_count(), before);

	CU_ASSERT_EQUAL(xdp_apply(xdp, &every_c, 1, &plan, &problem), 0);
	CU_ASSERT_EQUAL(service_count(), 2 * before + 1);
	memcpy(key.addr, service, 16);
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &found), 0);
	CU_ASSERT_EQUAL(found.view, 8);
	key.tenant = 4;
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &found), 0);
	CU_ASSERT_EQUAL(found.view, 11);
	close(fd);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(service_count(), before);
}

static void test_sources(void)
{
	const struct xdp_prefix from = { { [10] = 0xff, [11] = 0xff, 10, 53, 0, 0 },
					 96 + 25 };
	const struct xdp_rule rules[] = {
		{ .pattern = "c0", .tenant = 3 },
		{ .pattern = "c0", .from = &from, .from_count = 1, .tenant = 4 },
	};
	struct lane53_source_key key = { .prefix_len = LANE53_SOURCE_BITS + 128 };
	struct lane53_iface_key iface_key = { .ifindex = if_nametoindex("c0") };
	struct lane53_iface entry;
	struct lane53_source source;
	int fd;

	CU_ASSERT_EQUAL(apply(rules, 2), 0);
	fd = bpf_obj_get(DIR "/interfaces");
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &iface_key, &entry), 0);
	CU_ASSERT_EQUAL(entry.tenant, 3);
	CU_ASSERT_EQUAL(entry.flags, LANE53_IFACE_SOURCES);
	close(fd);
	fd = bpf_obj_get(DIR "/sources");
	key.in = iface_key;
	memcpy(key.addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff, 10, 53, 0, 99 }, 16);
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &source), 0);
	CU_ASSERT_EQUAL(source.tenant, 4);
	key.addr[15] = 199; /* the other half of the /24 */
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &source), -ENOENT);
	close(fd);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(count_keys("sources", sizeof(key)), 0);
}

static void test_vlan_offload(void)
{
	const struct xdp_rule rule = { .pattern = "c0", .vlan = 100, .tenant = 4 };
	struct lane53_iface_key key = { .ifindex = if_nametoindex("c0") };
	const struct xdp_interface *list;
	struct lane53_iface entry;
	unsigned count;
	int fd;

	CU_ASSERT_EQUAL(apply(&rule, 1), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_EQUAL_FATAL(count, 1);
	CU_ASSERT_FALSE(list[0].attached);
	printf("  %s\n", list[0].note);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(list[0].note, "ethtool -K c0 rxvlan off txvlan off"));
	CU_ASSERT_EQUAL(interface_count(), 0);

	CU_ASSERT_TRUE(run("ethtool -K c0 rxvlan off txvlan off >/dev/null"));
	CU_ASSERT_EQUAL(apply(&rule, 1), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_FALSE(list[0].attached); /* its peer still hides them */
	CU_ASSERT_PTR_NOT_NULL(strstr(list[0].note, "ethtool -K c0p"));

	CU_ASSERT_TRUE(run("ethtool -K c0p rxvlan off txvlan off >/dev/null"));
	CU_ASSERT_EQUAL(apply(&rule, 1), 0);
	list = xdp_interfaces(xdp, &count);
	CU_ASSERT_TRUE(list[0].attached);
	fd = bpf_obj_get(DIR "/interfaces");
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &entry), 0);
	CU_ASSERT_EQUAL(memcmp(entry.mac, "\0\0\0\0\0\0", 6),
			0); /* untagged: not ours */
	key.vlan = 100;
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &entry), 0);
	CU_ASSERT_EQUAL(entry.tenant, 4);
	close(fd);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
}

/* The other end is where we cannot ask it: untagged frames are left to the stack. */
static void test_vlan_elsewhere(void)
{
	const struct xdp_rule rules[] = {
		{ .pattern = "c6", .tenant = 0 },
		{ .pattern = "c6", .vlan = 100, .tenant = 4 },
	};
	struct lane53_iface_key key = { 0 };
	struct lane53_iface entry;
	struct xdp_reply reply;
	char c;
	int pipes[2], fd;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWNET) == 0)
			(void)!write(pipes[1], "r", 1);
		pause();
	}
	CU_ASSERT_EQUAL_FATAL(read(pipes[0], &c, 1), 1);
	CU_ASSERT_TRUE(run("ip link add c6 type veth peer name p6 netns %d", child));
	CU_ASSERT_TRUE(run("ethtool -K c6 rxvlan off txvlan off >/dev/null"));
	CU_ASSERT_EQUAL(apply(rules, 2), 0);
	CU_ASSERT_TRUE(iface_by_name(ifaces, "c6")->peer_elsewhere);
	CU_ASSERT_TRUE(has_pin("link-c6"));
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	key.ifindex = if_nametoindex("c6");
	key.vlan = 100;
	fd = bpf_obj_get(DIR "/interfaces");
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &key, &entry), 0);
	CU_ASSERT_EQUAL(entry.tenant, 4);
	close(fd);
	CU_ASSERT_EQUAL(apply(&rules[0], 1), 0); /* no VLAN rule: answered */
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (if_nametoindex("c6")) /* goes with its peer's namespace */
		usleep(1000);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	close(pipes[0]);
	close(pipes[1]);
}

#define TAGGED_VIEW 11

/*
 * Give all that p7 sends the VLAN tag 100, and take it off what comes in: what a VLAN
 * device would do (this kernel has none).  The helpers put the tag beside the frame; it
 * goes inside when the device does not offload it.
 */
static bool tag_traffic(void)
{
	const struct bpf_insn push[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, 2, .imm = 0x0081 /* 8100 */ },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, 3, .imm = 100 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, 0, .imm = 0 /* TC_ACT_OK */ },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const struct bpf_insn pop[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_pop },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("p7"),
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, out);
	LIBBPF_OPTS(bpf_tc_opts, in);
	bool ok = bpf_tc_hook_create(&hook) == 0;

	out.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "push", "GPL", push,
				    ARRAY_LEN(push), NULL);
	in.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "pop", "GPL", pop,
				   ARRAY_LEN(pop), NULL);
	hook.attach_point = BPF_TC_EGRESS;
	ok = ok && bpf_tc_attach(&hook, &out) == 0;
	hook.attach_point = BPF_TC_INGRESS;
	return ok && bpf_tc_attach(&hook, &in) == 0;
}

enum { BY_TAGGED_VIEW, UNANSWERED, BY_ANOTHER_VIEW, NO_LAB = 10 };

/* In the client's namespace: ask over p7 with a tag, exit with who answered. */
static void tagged_client(struct traffic *traffic, bool hide)
{
	const struct timeval wait = { .tv_usec = 300000 };
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(0x0a350001), /* `service` */
	};
	uint8_t reply[512];
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(NO_LAB);
	traffic->ready = true;
	while (!if_nametoindex("p7"))
		usleep(1000);
	if (!run("ethtool -K p7 txvlan %s >/dev/null && ip link set p7 up && "
		 "ip addr add 10.53.0.8/24 dev p7 && "
		 "ip neigh add 10.53.0.1 lladdr 02:00:00:00:53:07 dev p7",
		 hide ? "on" : "off") ||
	    !tag_traffic())
		_exit(NO_LAB);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(12);
	for (int i = 0; i < 4; i++) {
		(void)!send(fd, message, MESSAGE_LEN, 0);
		if (recv(fd, reply, sizeof(reply), 0) == MESSAGE_LEN + 16)
			_exit(reply[MESSAGE_LEN + 15] == TAGGED_VIEW ? BY_TAGGED_VIEW
								     : BY_ANOTHER_VIEW);
	}
	_exit(UNANSWERED);
}

/* Who answers a tagged question, its tag inside the frame or hidden? */
static int ask_tagged(const struct xdp_rule *rules, bool hide)
{
	struct traffic *traffic = mmap(NULL, sizeof(*traffic), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static struct plan_listener listeners[] = {
		{ .local = { .port = 53 }, .view = VIEW },
		{ .local = { .port = 53 }, .tenant = 4, .view = TAGGED_VIEW },
	};
	const struct plan plan = { .listeners = listeners, .listener_count = 2 };
	int status = 0;
	pid_t child;

	CU_ASSERT_NOT_EQUAL_FATAL(traffic, MAP_FAILED);
	fflush(NULL);
	child = fork();
	if (child == 0)
		tagged_client(traffic, hide);
	for (int i = 0; i < 5000 && !traffic->ready; i++)
		usleep(1000);
	CU_ASSERT_TRUE(run("ip link add c7 address 02:00:00:00:53:07 type veth peer "
			   "name p7 netns %d && ip link set c7 up && "
			   "ethtool -K c7 rxvlan off txvlan off >/dev/null",
			   child));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_apply(xdp, rules, 2, &plan, &problem), 0);
	CU_ASSERT_TRUE(has_pin("link-c7"));
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	munmap(traffic, sizeof(*traffic));
	while (if_nametoindex("c7")) /* goes with its peer's namespace */
		usleep(1000);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A tag that its sender hides from us never gets the untagged view's answer. */
static void test_vlan_views(void)
{
	const struct xdp_rule rules[] = {
		{ .pattern = "c7", .tenant = 0 },
		{ .pattern = "c7", .vlan = 100, .tenant = 4 },
	};

	publish(table, VIEW);
	publish(table, TAGGED_VIEW);
	CU_ASSERT_EQUAL(ask_tagged(rules, false), BY_TAGGED_VIEW);
	CU_ASSERT_EQUAL(ask_tagged(rules, true), UNANSWERED);
}

/* Pretend that another version left these pins: only its links are of use. */
static void test_other_version(void)
{
	const __u32 link = link_id("c0", NULL), lane = link_id("lane", NULL);
	struct stat s;

	close_all();
	CU_ASSERT_EQUAL(rename(DIR, "/sys/fs/bpf/lane53/" INSTANCE "/v99"), 0);
	open_again();
	CU_ASSERT_FALSE(xdp_is_adopted(xdp));
	CU_ASSERT_EQUAL(link_id("c0", NULL), link);
	CU_ASSERT_EQUAL(link_id("lane", NULL), lane);
	CU_ASSERT_NOT_EQUAL(stat("/sys/fs/bpf/lane53/" INSTANCE "/v99", &s), 0);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	open_table();
	publish(table, VIEW);
}

/* A crash between unpinning and pinning: a table with a part missing is not adopted. */
static void test_torn_table(void)
{
	struct xdp_reply reply;

	close_all();
	CU_ASSERT_EQUAL(unlink(DIR "/local_small"), 0);
	open_again();
	CU_ASSERT_FALSE(xdp_is_adopted(xdp));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_STACK);
	open_table();
	publish(table, VIEW);
	CU_ASSERT_EQUAL(ask(service, &reply), XDP_WAY_LOCAL);
}

/*
 * In the client's namespace: one question after the other until told to stop.  They
 * count from the first answer on: a link that is just coming up may lose a frame.
 */
static void client(struct traffic *traffic)
{
	const struct timeval wait = { .tv_sec = 1 };
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(0x0a350001), /* `service` */
	};
	uint8_t reply[512];
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		_exit(1);
	traffic->ready = true;
	while (!if_nametoindex("c0p"))
		usleep(1000);
	if (!run("ip link set c0p up && ip addr add 10.53.0.7/24 dev c0p"))
		_exit(2);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(3);
	while (!traffic->stop) {
		bool ok;

		(void)!send(fd, message, MESSAGE_LEN, 0);
		ok = recv(fd, reply, sizeof(reply), 0) == MESSAGE_LEN + 16;
		if (ok || traffic->answered)
			traffic->asked++;
		if (ok)
			traffic->answered++;
	}
	_exit(0);
}

/* A new table under the running programs. */
static void swap_table(uint32_t slots)
{
	struct table_arrays grown;
	struct table *larger;

	CU_ASSERT_EQUAL_FATAL(
		xdp_local_grow_begin(xdp, &(struct table_room){ .slots = slots },
				     &grown, &problem),
		0);
	CU_ASSERT_EQUAL_FATAL(table_open(&larger, &grown), 0);
	publish(larger, VIEW);
	table_close(table);
	CU_ASSERT_EQUAL(xdp_local_grow_commit(xdp, &problem), 0);
	table = larger;
}

static void test_real_packets(void)
{
	const struct xdp_rule rule = { .pattern = "c0" };
	uint64_t before[LANE53_OUTCOME_COUNT], after[LANE53_OUTCOME_COUNT];
	struct traffic *traffic = mmap(NULL, sizeof(*traffic), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t child;

	CU_ASSERT_NOT_EQUAL_FATAL(traffic, MAP_FAILED);
	CU_ASSERT_EQUAL(apply(&rule, 1), 0);
	CU_ASSERT_EQUAL(xdp_outcomes(xdp, before), 0);
	fflush(NULL);
	child = fork();
	if (child == 0)
		client(traffic);
	for (int i = 0; i < 5000 && !traffic->ready; i++)
		usleep(1000);
	CU_ASSERT_TRUE(run("ip link set c0p netns %d", (int)child));
	for (int i = 0; i < 5000 && !traffic->answered; i++)
		usleep(1000);
	for (int i = 0; i < 3; i++) {
		swap_table(i % 2 ? 2048 : 4096);
		close_all(); /* a daemon that restarts, with a newer program */
		open_again();
		CU_ASSERT_EQUAL(apply(&rule, 1), 0);
		open_table();
	}
	traffic->stop = true;
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	printf("  %u asked, %u answered\n", traffic->asked, traffic->answered);
	CU_ASSERT_TRUE(traffic->asked > 1000);
	CU_ASSERT_EQUAL(traffic->asked, traffic->answered);
	CU_ASSERT_EQUAL(xdp_outcomes(xdp, after), 0);
	CU_ASSERT_TRUE(after[LANE53_ANSWERED_LOCAL] >=
		       before[LANE53_ANSWERED_LOCAL] + traffic->answered);
	munmap(traffic, sizeof(*traffic));
}

/* Whoever holds lane53b: send back what comes, with QR set, as a worker would. */
static void echo_once(const char *name)
{
	struct {
		uint8_t bytes[2048];
	} frame;
	struct sockaddr_ll {
		uint16_t family, protocol;
		int ifindex;
		uint8_t rest[12];
	} here = {
		AF_PACKET, htons(LANE53_ETHERTYPE), (int)if_nametoindex(name), { 0 }
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	ssize_t n;

	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		_exit(1);
	n = recv(fd, frame.bytes, sizeof(frame.bytes), 0);
	if (n < 48 + 44)
		_exit(2);
	frame.bytes[48 + 42 + 2] |= 0x80;
	_exit(send(fd, frame.bytes, (size_t)n, 0) == n ? 0 : 3);
}

static void test_lane_probe(void)
{
	struct xdp_question question = {
		.local_port = 53,
		.view = VIEW,
		.message = message,
		.len = MESSAGE_LEN,
	};
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	struct xdp_reply reply;
	int status = 0;
	pid_t child;

	memcpy(question.local, service, 16);
	/* nobody there */
	CU_ASSERT_EQUAL(xdp_lane_probe(INSTANCE, &question, 50, &reply, &problem), 0);
	CU_ASSERT_EQUAL(reply.way, XDP_WAY_NONE);
	CU_ASSERT_EQUAL(reply.len, 0);

	xdp_lane_names(INSTANCE, 0, a, b);
	fflush(NULL);
	child = fork();
	if (child == 0)
		echo_once(b);
	usleep(100000); /* until it listens; a probe that comes too early is lost */
	CU_ASSERT_EQUAL(xdp_lane_probe(INSTANCE, &question, 1000, &reply, &problem), 0);
	CU_ASSERT_EQUAL(reply.way, XDP_WAY_LANE);
	CU_ASSERT_EQUAL(reply.len, MESSAGE_LEN);
	CU_ASSERT_EQUAL(memcmp(reply.message + 12, QNAME, MESSAGE_LEN - 12), 0);
	kill(child, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(xdp_lane_probe("no-such-one", &question, 50, &reply, &problem),
			-ENODEV);
}

static void test_lane_drops(void)
{
	struct xdp_lane_drops before, after;
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	struct xdp_question question = {
		.local_port = 53,
		.message = message,
		.len = MESSAGE_LEN,
	};
	struct xdp_reply reply;

	memcpy(question.local, service, 16);
	xdp_lane_names(INSTANCE, 0, a, b);
	CU_ASSERT_EQUAL(xdp_lane_drops(xdp, &before), 0);
	/* a veth drops what its other end could not take */
	CU_ASSERT_TRUE(run("ip link set %s mtu 100", b));
	CU_ASSERT_TRUE(xdp_lane_probe(INSTANCE, &question, 10, &reply, &problem) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, a));
	CU_ASSERT_EQUAL(xdp_lane_drops(xdp, &after), 0);
	CU_ASSERT_TRUE(run("ip link set %s mtu 1600", b));
	CU_ASSERT_TRUE(after.rx_dropped + after.tx_dropped >
		       before.rx_dropped + before.tx_dropped);
}

static void test_lane_deleted(void)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	const __u32 link = link_id("lane", NULL);
	__u32 zero = 0, ifindex = 0;
	int fd;

	xdp_lane_names(INSTANCE, 0, a, b);
	CU_ASSERT_TRUE(run("ip link del %s", b));
	CU_ASSERT_EQUAL(if_nametoindex(a), 0);
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_NOT_EQUAL(if_nametoindex(a), 0);
	CU_ASSERT_NOT_EQUAL(link_id("lane", NULL), 0);
	CU_ASSERT_NOT_EQUAL(link_id("lane", NULL), link);
	fd = bpf_obj_get(DIR "/lane");
	CU_ASSERT_EQUAL(bpf_map_lookup_elem(fd, &zero, &ifindex), 0);
	CU_ASSERT_EQUAL(ifindex, if_nametoindex(a));
	close(fd);
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(
		memcmp(iface_by_name(ifaces, b)->mac, xdp_settings(xdp)->lane_mac_b, 6),
		0);
	test_lane_probe();
}

/* The end that `lane` has at @idx; 0 = none. */
static unsigned lane_at(__u32 idx)
{
	const int fd = bpf_obj_get(DIR "/lane");
	__u32 ifindex = 0;

	(void)bpf_map_lookup_elem(fd, &idx, &ifindex);
	close(fd);
	return ifindex;
}

static void test_further_lanes(void)
{
	__u32 clients;
	char a[3][IF_NAMESIZE], b[IF_NAMESIZE], path[128];
	struct stat s;

	CU_ASSERT_TRUE(run("ip link add c6 type veth peer name p6"));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	clients = link_id("c6", NULL);
	close_all();
	open_with_lanes(3);
	for (unsigned i = 0; i < 3; i++) {
		xdp_lane_names(INSTANCE, i, a[i], b);
		CU_ASSERT_NOT_EQUAL(if_nametoindex(a[i]), 0);
		CU_ASSERT_EQUAL(lane_at(i), if_nametoindex(a[i]));
		CU_ASSERT_TRUE(run("ip -d link show %s | grep -q xdpgeneric", a[i]));
		CU_ASSERT_TRUE(run("ip link show %s | grep -q 'mtu 1600'", b));
	}
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0); /* their links are no client's */
	CU_ASSERT_EQUAL(link_id("c6", NULL), clients);
	CU_ASSERT_TRUE(run("ip link del %s", a[1]));
	CU_ASSERT_EQUAL(ifaces_refresh(ifaces), 0);
	CU_ASSERT_EQUAL(xdp_sync(xdp, &problem), 0);
	CU_ASSERT_NOT_EQUAL(lane_at(1), 0);
	CU_ASSERT_EQUAL(lane_at(1), if_nametoindex(a[1]));

	/* fewer: those of a worker that may still run stay until it is known to be gone */
	close_all();
	open_again();
	CU_ASSERT_NOT_EQUAL(lane_at(2), 0);
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	xdp_lanes_trim(xdp);
	for (unsigned i = 1; i < 3; i++) {
		CU_ASSERT_EQUAL(if_nametoindex(a[i]), 0);
		CU_ASSERT_EQUAL(lane_at(i), 0);
		snprintf(path, sizeof(path), DIR "/link-%s", a[i]);
		CU_ASSERT_NOT_EQUAL(stat(path, &s), 0);
	}
	CU_ASSERT_EQUAL(lane_at(0), if_nametoindex(a[0]));
	test_lane_probe();

	close_all();
	open_with_lanes(2); /* for test_remove() */
	CU_ASSERT_TRUE(run("ip link del c6"));
	CU_ASSERT_NOT_EQUAL(if_nametoindex(a[1]), 0);
}

static void test_lane_taken(void)
{
	const struct xdp_config config = { .instance = "other", .ifaces = ifaces };
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	struct xdp *none;
	struct stat s;

	xdp_lane_names("other", 0, a, b);
	CU_ASSERT_TRUE(run("ip link add %s type veth peer name elsewhere", a));
	CU_ASSERT_EQUAL(xdp_open(&none, &config, &problem), -EBUSY);
	printf("  %s\n", problem.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(problem.text, a));
	CU_ASSERT_NOT_EQUAL(stat("/sys/fs/bpf/lane53/other", &s), 0);
	CU_ASSERT_TRUE(run("ip link show %s >/dev/null", a)); /* not ours: untouched */
	CU_ASSERT_TRUE(run("ip link del %s", a));
}

static void test_remove(void)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	struct stat s;

	/* c0 went with its peer's namespace */
	CU_ASSERT_TRUE(run("ip link add c5 type veth peer name p5"));
	CU_ASSERT_EQUAL(apply(&every_c, 1), 0);
	CU_ASSERT_TRUE(run("ip -d link show c5 | grep -q xdp"));
	close_all();
	CU_ASSERT_EQUAL(xdp_remove(INSTANCE, &problem), 0);
	CU_ASSERT_NOT_EQUAL(stat("/sys/fs/bpf/lane53", &s), 0);
	xdp_lane_names(INSTANCE, 0, a, b);
	CU_ASSERT_EQUAL(if_nametoindex(a), 0);
	CU_ASSERT_EQUAL(if_nametoindex(b), 0);
	xdp_lane_names(INSTANCE, 1, a, b);
	CU_ASSERT_EQUAL(if_nametoindex(a), 0);
	CU_ASSERT_FALSE(run("ip -d link show c5 | grep -q xdp"));
	CU_ASSERT_EQUAL(xdp_remove(INSTANCE, &problem), 0); /* nothing there: fine */
	ifaces_close(ifaces);
}

static void test_no_capability(void)
{
	const struct xdp_config config = { .instance = INSTANCE };
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		struct xdp *none;

		if (setuid(65534) < 0)
			_exit(2);
		if (xdp_open(&none, &config, &problem) != -EPERM)
			_exit(1);
		printf("  %s\n", problem.text);
		fflush(stdout);
		_exit(strstr(problem.text, "-no-xdp") ? 0 : 3);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static const struct check_case cases[] = {
	{ "interfaces and addresses are listed", test_lists },
	{ "changes are noticed", test_watch },
	{ "first open: bpffs, pins, settings, lane", test_first_open },
	{ "instance names are checked", test_bad_instance },
	{ "attach, services, a question", test_attach },
	{ "outcomes and series", test_counts },
	{ "events", test_events },
	{ "kill switch", test_kill_switch },
	{ "heartbeat opens and closes the lane", test_heartbeat },
	{ "a restart adopts and upgrades", test_adopt },
	{ "a table grows under its links", test_grow },
	{ "an interface appears, is renamed, goes", test_appears },
	{ "a MAC changes", test_mac_changes },
	{ "a stale pin is cleaned", test_stale_pin },
	{ "a foreign program is named", test_foreign_program },
	{ "a dispatcher that we cannot join", test_foreign_dispatcher },
	{ "native where there is none", test_native_refused },
	{ "modes change", test_modes },
	{ "modes by kind of interface", test_kinds },
	{ "two instances", test_two_instances },
	{ "services follow addresses by difference", test_services },
	{ "sources", test_sources },
	{ "hidden VLAN tags are refused", test_vlan_offload },
	{ "tags that may be hidden elsewhere", test_vlan_elsewhere },
	{ "views by VLAN, real packets", test_vlan_views },
	{ "links of another ABI version", test_other_version },
	{ "half a table is not adopted", test_torn_table },
	{ "real packets, through growth and restarts", test_real_packets },
	{ "a probe of the lane", test_lane_probe },
	{ "drops of the lane", test_lane_drops },
	{ "a lane that is deleted", test_lane_deleted },
	{ "further lanes", test_further_lanes },
	{ "a lane's name that is taken", test_lane_taken },
	{ "without a trace", test_remove },
	{ "without capabilities", test_no_capability },
};

/* Namespaces of our own, no bpffs, one veth pair with an address. */
static const char *make_lab(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return "cannot make namespaces";
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "cannot make mounts private";
	while (umount2("/sys/fs/bpf", MNT_DETACH) == 0)
		;
	if (mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) < 0)
		return "no bpffs in this kernel";
	umount2("/sys/fs/bpf", MNT_DETACH);
	/* no link-local addresses: they would come to be while services are counted */
	if (!run("ip link set lo up && ip link add c0 type veth peer name c0p") ||
	    !run("ip link set c0 addrgenmode none && ip link set c0p addrgenmode "
		 "none") ||
	    !run("ip addr add 10.53.0.1/24 dev c0 && ip addr add fd53::1/64 dev c0 "
		 "nodad"
		 " && ip link set c0 up && ip link set c0p up"))
		return "cannot make a veth pair (iproute2?)";
	return NULL;
}

int main(void)
{
	const char *missing = make_lab();

	if (missing)
		return check_skip(missing);
	return check_main("xdp", cases, ARRAY_LEN(cases));
}
