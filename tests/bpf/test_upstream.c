/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_upstream.c - the fast upstream path in XDP: a question of the worker finds its
 * way, and of what comes back only its answer is taken from the stack.
 */
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "io/frame.h"
#include "lane53.skel.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "rig.h"

#define PORT (LANE53_ASKED_PORT + 100)

static struct rig rig;
static struct rig_run run;

enum { ACTION_DROP = 1, ACTION_PASS = 2, ACTION_TX = 3, ACTION_REDIRECT = 4 };

static void expect(const char *name, uint32_t action, int outcome)
{
	if (run.outcome != outcome || run.action != action)
		printf("\n    %s: got %s, action %u", name,
		       rig_outcome_name(run.outcome), run.action);
	CU_ASSERT_EQUAL(run.outcome, outcome);
	CU_ASSERT_EQUAL(run.action, action);
}

/* ---- in ---- */

static void asked_set(uint32_t idx, const struct lane53_asked *asked)
{
	CU_ASSERT_EQUAL(bpf_map__update_elem(rig.skel->maps.asked, &idx, sizeof(idx),
					     asked, sizeof(*asked), BPF_ANY),
			0);
}

/* The question that all responses here answer. */
static struct lane53_asked asked_of(const char *remote)
{
	struct lane53_asked asked = { .open = 1 };

	packet_addr(asked.remote, remote);
	packet_put_u16((uint8_t *)&asked.remote_port_be, 53);
	packet_put_u16((uint8_t *)&asked.id_be, 0x1234);
	return asked;
}

/* @spec with what it does not name as the answer to asked_of("198.51.100.9") has it. */
static void answer_build(struct packet *p, struct packet_spec spec)
{
	spec.qname = "miss.";
	spec.flags = 0x8180;
	if (!spec.from)
		spec.from = "198.51.100.9";
	if (!spec.from_port)
		spec.from_port = 53;
	if (!spec.to_port)
		spec.to_port = PORT;
	packet_build(p, &spec);
}

static void only_the_answer_is_taken(void)
{
	static const struct {
		const char *name;
		struct packet_spec spec;
		bool other_interface, closed;
		int outcome;
	} cases[] = {
		{ "the answer", { 0 }, false, false, LANE53_UPSTREAM_ANSWERED },
		{ "padded", { .padding = 9 }, false, false, LANE53_UPSTREAM_ANSWERED },
		{ "another ID",
		  { .id = 0x1235 },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "another port of the range",
		  { .to_port = PORT + 1 },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "a port below the range",
		  { .to_port = LANE53_ASKED_PORT - 1 },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "another source",
		  { .from = "198.51.100.8" },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "another source port",
		  { .from_port = 54 },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "another interface", { 0 }, true, false, LANE53_PASSED_NOT_OURS },
		{ "a VLAN",
		  { .tags = 1, .vlan = { 10 } },
		  false,
		  false,
		  LANE53_PASSED_NOT_OURS },
		{ "nothing asked", { 0 }, false, true, LANE53_PASSED_NOT_OURS },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lane53_asked asked = asked_of("198.51.100.9");
		const bool taken = cases[i].outcome == LANE53_UPSTREAM_ANSWERED;
		struct packet p;

		asked.ifindex = (uint32_t)rig.ifindex + cases[i].other_interface;
		asked.open = !cases[i].closed;
		asked_set(100, &asked);
		answer_build(&p, cases[i].spec);
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		expect(cases[i].name, taken ? ACTION_REDIRECT : ACTION_PASS,
		       cases[i].outcome);
		if (!taken) {
			CU_ASSERT_EQUAL(run.len, p.len);
			CU_ASSERT_EQUAL(memcmp(run.bytes, p.bytes, p.len), 0);
		}
	}
}

/* What the worker gets: tagged, whole, and readable. */
static void tagged_for_the_worker(void)
{
	static const struct packet_spec specs[] = {
		{ 0 },
		{ .from = "2001:db8:9::1", .ipv6 = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct lane53_asked asked =
			asked_of(specs[i].ipv6 ? specs[i].from : "198.51.100.9");
		struct packet p;
		struct frame f;

		asked_set(100, &asked); /* ifindex 0: a probe's */
		answer_build(&p, specs[i]);
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		expect("answer", ACTION_REDIRECT, LANE53_UPSTREAM_ANSWERED);
		CU_ASSERT_EQUAL_FATAL(frame_read(&f, run.bytes, run.len), FRAME_OK);
		CU_ASSERT_TRUE(f.upstream && !f.returned);
		CU_ASSERT_EQUAL(f.ipv6, specs[i].ipv6);
		CU_ASSERT_EQUAL(f.ifindex, (uint32_t)rig.ifindex);
		CU_ASSERT_EQUAL(f.view | f.tenant, 0);
		CU_ASSERT_EQUAL(f.remote_port, 53);
		CU_ASSERT_EQUAL(f.local_port, PORT);
		CU_ASSERT_EQUAL(memcmp(f.remote, asked.remote, 16), 0);
		CU_ASSERT_TRUE(frame_sum_is_right(&f, run.bytes));
		CU_ASSERT_EQUAL(memcmp(run.bytes + LANE53_LANE_PUSH, p.bytes, p.len),
				0);
	}
}

static void not_without_a_worker(void)
{
	struct lane53_asked asked = asked_of("198.51.100.9");
	struct packet p;

	asked_set(100, &asked);
	answer_build(&p, (struct packet_spec){ 0 });
	rig.settings->heartbeat_ns = 0;
	rig_entry(&rig, p.bytes, p.len, &run);
	expect("no heartbeat", ACTION_PASS, LANE53_PASSED_NO_WORKER);
	rig_heartbeat(&rig);
	rig.settings->upstream_port = 0;
	rig_entry(&rig, p.bytes, p.len, &run);
	expect("not in use", ACTION_PASS, LANE53_PASSED_NOT_OURS);
	rig.settings->upstream_port = LANE53_ASKED_PORT;
}

/* All ports: only the one that is open is taken. */
static void all_ports(void)
{
	struct lane53_asked asked = asked_of("198.51.100.9");
	struct packet p;
	unsigned taken = 0;

	asked_set(100, &asked);
	answer_build(&p, (struct packet_spec){ 0 });
	for (unsigned port = 0; port < 0x10000; port++) {
		packet_put_u16(p.bytes + p.l4_off + 2, (uint16_t)port);
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		taken += run.outcome == LANE53_UPSTREAM_ANSWERED;
		CU_ASSERT_EQUAL(run.outcome == LANE53_UPSTREAM_ANSWERED, port == PORT);
	}
	CU_ASSERT_EQUAL(taken, 1);
}

static void lane_set(uint32_t idx, bool is_there)
{
	const uint32_t ifindex = (uint32_t)rig.peer_ifindex;
	const int fd = bpf_map__fd(rig.skel->maps.lane);

	if (is_there)
		(void)bpf_map_update_elem(fd, &idx, &ifindex, 0);
	else
		(void)bpf_map_delete_elem(fd, &idx);
}

/* A response goes back to the thread whose port it came to. */
static void down_the_lane_of_its_port(void)
{
	static const struct {
		uint32_t lanes, idx, lane;
	} cases[] = {
		{ 0, 4095, 0 }, { 1, 4095, 0 }, { 2, 0, 0 },    { 2, 2047, 0 },
		{ 2, 2048, 1 }, { 3, 1365, 0 }, { 3, 1366, 1 }, { 3, 2730, 1 },
		{ 3, 2731, 2 }, { 3, 4095, 2 }, { 16, 255, 0 }, { 16, 4095, 15 },
	};
	struct lane53_asked asked = asked_of("198.51.100.9");
	struct packet p;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint32_t idx = cases[i].idx;

		answer_build(&p,
			     (struct packet_spec){
				     .to_port = (uint16_t)(LANE53_ASKED_PORT + idx) });
		asked_set(idx, &asked);
		rig.settings->lanes = cases[i].lanes;
		for (uint32_t lane = 0; lane < LANE53_LANES_MAX; lane++) {
			for (uint32_t other = 0; other < LANE53_LANES_MAX; other++)
				lane_set(other, other == lane);
			rig_heartbeat(&rig);
			rig_entry(&rig, p.bytes, p.len, &run);
			CU_ASSERT_EQUAL(run.outcome == LANE53_UPSTREAM_ANSWERED,
					lane == cases[i].lane);
		}
		asked_set(idx, &(struct lane53_asked){ 0 });
	}
	rig.settings->lanes = 0;
	lane_set(LANE53_LANES_MAX - 1, false);
	lane_set(0, true);
}

/* ---- out ---- */

struct question {
	uint8_t bytes[256];
	size_t len, prefix_len;
};

static void question_build(struct question *q, const char *from, const char *to)
{
	struct frame_ends ends = { .remote_port = 53, .local_port = PORT };

	memset(q, 0, sizeof(*q));
	packet_addr(ends.local, from);
	packet_addr(ends.remote, to);
	memcpy(ends.lane_a, "\x02\x4c\x35\x0\x0\x0a", 6);
	memcpy(ends.lane_b, "\x02\x4c\x35\x0\x0\x0b", 6);
	q->prefix_len = frame_ask_prefix(&ends);
	q->len = q->prefix_len + 30;
	memset(q->bytes + q->prefix_len, 0x5a, 30);
	frame_ask(q->bytes, &ends, 30);
}

static const uint8_t next_hop_mac[6] = { 2, 0, 0, 9, 9, 9 };

static void a_question_finds_its_way(void)
{
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{ "on link", "198.51.100.1", "198.51.100.9" },
		{ "by a next hop", "198.51.100.1", "203.0.113.5" },
		{ "IPv6 on link", "2001:db8:9::53", "2001:db8:9::1" },
		{ "IPv6 by a next hop", "2001:db8:9::53", "2001:db8:77::1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question q;
		const uint8_t *inner = q.bytes + LANE53_LANE_PUSH;

		question_build(&q, cases[i].from, cases[i].to);
		rig_return(&rig, q.bytes, q.len, &run);
		expect(cases[i].name, ACTION_REDIRECT, LANE53_UPSTREAM_ASKED);
		CU_ASSERT_EQUAL(run.len, q.len - LANE53_LANE_PUSH);
		CU_ASSERT_EQUAL(memcmp(run.bytes, next_hop_mac, 6), 0);
		CU_ASSERT_EQUAL(memcmp(run.bytes + 6, packet_mac, 6), 0);
		CU_ASSERT_EQUAL(memcmp(run.bytes + 12, inner + 12, run.len - 12), 0);
	}
}

static void without_a_way_it_comes_back(void)
{
	static const struct {
		const char *name, *from, *to;
		int outcome;
	} cases[] = {
		{ "no neighbour", "198.51.100.1", "198.51.100.77",
		  LANE53_UPSTREAM_NO_NEIGHBOUR },
		{ "IPv6, no neighbour", "2001:db8:9::53", "2001:db8:9::77",
		  LANE53_UPSTREAM_NO_NEIGHBOUR },
		{ "no route", "198.51.100.1", "192.168.9.9", LANE53_UPSTREAM_NO_WAY },
		{ "an address of ours", "198.51.100.1", "198.51.100.1",
		  LANE53_UPSTREAM_NO_WAY },
		{ "by an interface without XDP", "198.51.101.1", "198.51.101.9",
		  LANE53_UPSTREAM_NO_WAY },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct question q;
		struct frame f;

		question_build(&q, cases[i].from, cases[i].to);
		rig_return(&rig, q.bytes, q.len, &run);
		expect(cases[i].name, ACTION_TX, cases[i].outcome);
		CU_ASSERT_EQUAL_FATAL(run.len, q.len);
		CU_ASSERT_EQUAL(memcmp(run.bytes, q.bytes + 6, 6), 0);
		CU_ASSERT_EQUAL(memcmp(run.bytes + 6, q.bytes, 6), 0);
		CU_ASSERT_EQUAL_FATAL(frame_read(&f, run.bytes, run.len), FRAME_OK);
		CU_ASSERT_TRUE(f.upstream && f.returned);
		CU_ASSERT_EQUAL(memcmp(run.bytes + 18, q.bytes + 18, q.len - 18), 0);
	}
}

static void not_by_what_does_not_forward(void)
{
	struct question q;

	question_build(&q, "198.51.100.1", "198.51.100.9");
	CU_ASSERT_EQUAL(
		system("echo 0 >/proc/sys/net/ipv4/conf/" RIG_IFACE "/forwarding"), 0);
	rig_return(&rig, q.bytes, q.len, &run);
	expect("no forwarding", ACTION_TX, LANE53_UPSTREAM_NO_WAY);
	CU_ASSERT_EQUAL(
		system("echo 1 >/proc/sys/net/ipv4/conf/" RIG_IFACE "/forwarding"), 0);
}

/* Cut anywhere: never read past the end, and never sent on. */
static void cut_questions_are_dropped(void)
{
	static const char *const ends[][2] = {
		{ "198.51.100.1", "198.51.100.9" },
		{ "2001:db8:9::53", "2001:db8:9::1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct question q;

		question_build(&q, ends[i][0], ends[i][1]);
		for (size_t len = 14; len < q.prefix_len; len++) {
			rig_return(&rig, q.bytes, len, &run);
			expect("cut", ACTION_DROP, LANE53_LANE_BAD_TAG);
		}
		q.bytes[LANE53_LANE_PUSH + 12] ^= 0x40; /* EtherType */
		rig_return(&rig, q.bytes, q.len, &run);
		expect("another EtherType", ACTION_DROP, LANE53_LANE_BAD_TAG);
	}
}

static const struct check_case checks[] = {
	{ "only the answer is taken", only_the_answer_is_taken },
	{ "tagged for the worker", tagged_for_the_worker },
	{ "not without a worker", not_without_a_worker },
	{ "all ports", all_ports },
	{ "down the lane of its port", down_the_lane_of_its_port },
	{ "a question finds its way", a_question_finds_its_way },
	{ "without a way it comes back", without_a_way_it_comes_back },
	{ "not by what does not forward", not_by_what_does_not_forward },
	{ "cut questions are dropped", cut_questions_are_dropped },
};

/* RIG_IFACE towards upstreams, RIG_PEER as one without XDP (a VLAN device is no other). */
static bool make_routes(void)
{
	static const char *const commands[] = {
		"ip link set " RIG_IFACE " address 02:53:00:00:00:01",
		"ip link set " RIG_IFACE " up",
		"ip link set " RIG_PEER " up",
		"ip addr add 198.51.100.1/24 dev " RIG_IFACE,
		"ip addr add 2001:db8:9::53/64 dev " RIG_IFACE " nodad",
		"ip addr add 198.51.101.1/24 dev " RIG_PEER,
		"ip route add 203.0.113.0/24 via 198.51.100.9",
		"ip route add 2001:db8:77::/64 via 2001:db8:9::1",
		"ip neigh add 198.51.100.9 lladdr 02:00:00:09:09:09 dev " RIG_IFACE,
		"ip neigh add 2001:db8:9::1 lladdr 02:00:00:09:09:09 dev " RIG_IFACE,
		"ip neigh add 198.51.101.9 lladdr 02:00:00:09:09:09 dev " RIG_PEER,
		"echo 1 >/proc/sys/net/ipv4/conf/" RIG_IFACE "/forwarding",
		"echo 1 >/proc/sys/net/ipv6/conf/" RIG_IFACE "/forwarding",
	};

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (system(commands[i]) != 0)
			return false;
	return true;
}

int main(void)
{
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	if (!make_routes())
		return check_skip("no routes in a network namespace of our own");
	rig.settings->upstream_port = LANE53_ASKED_PORT;
	r = check_main("upstream", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
