/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lane.c - queries into the lane and responses out of it: when it is open, what is
 * pushed, what is stripped.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "dns/name.h"
#include "lane53.skel.h"
#include "lane53/abi.h"
#include "lane53/hash.h"
#include "lane53/wire.h"
#include "rig.h"

static struct rig rig;
static struct rig_run run;

enum { ACTION_DROP = 1, ACTION_PASS = 2, ACTION_REDIRECT = 4 };

static void expect(const char *name, uint32_t action, int outcome)
{
	if (run.outcome != outcome || run.action != action)
		printf("\n    %s: got %s, action %u", name,
		       rig_outcome_name(run.outcome), run.action);
	CU_ASSERT_EQUAL(run.outcome, outcome);
	CU_ASSERT_EQUAL(run.action, action);
}

/* ---- in ---- */

static void pushed_bytes(void)
{
	static const struct {
		const char *name;
		struct packet_spec spec;
		uint8_t flags;
		uint16_t l3, l4, dns;
	} cases[] = {
		{ "IPv4", { .qname = "miss." }, 0, 14, 34, 42 },
		{ "IPv6",
		  { .qname = "miss.", .ipv6 = true },
		  LANE53_TAG_IPV6,
		  14,
		  54,
		  62 },
		{ "a tag",
		  { .qname = "miss.", .tags = 1, .vlan = { 10 } },
		  0,
		  18,
		  38,
		  46 },
		{ "two tags, IPv6",
		  { .qname = "miss.", .tags = 2, .vlan = { 20, 30 }, .ipv6 = true },
		  LANE53_TAG_IPV6,
		  22,
		  62,
		  70 },
		{ "EDNS, padded",
		  { .qname = "miss.", .edns = true, .padding = 3 },
		  0,
		  14,
		  34,
		  42 },
	};
	static const uint8_t ethernet[14] = { 2,   'L', '5', 0, 0,   0xb,  2,
					      'L', '5', 0,   0, 0xa, 0x88, 0xb5 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const bool tenant = cases[i].spec.tags;
		struct packet p;
		uint8_t want[LANE53_LANE_PUSH] = { 0 };

		packet_build(&p, &cases[i].spec);
		memcpy(want, ethernet, sizeof(ethernet));
		packet_put_u16(want + 14, LANE53_TAG_MAGIC);
		want[16] = LANE53_ABI_VERSION;
		want[17] = cases[i].flags;
		packet_put_u32(want + 18, (uint32_t)rig.ifindex);
		packet_put_u32(want + 22, tenant ? 9 : RIG_VIEW);
		packet_put_u32(want + 26, tenant ? 5 : 0);
		packet_put_u16(want + 30, cases[i].l3);
		packet_put_u16(want + 32, cases[i].l4);
		packet_put_u16(want + 34, cases[i].dns);
		packet_put_u16(want + 36, (uint16_t)p.dns_len);
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		expect(cases[i].name, ACTION_REDIRECT, LANE53_TO_LANE);
		CU_ASSERT_EQUAL(memcmp(run.bytes, want, sizeof(want)), 0);
		CU_ASSERT_EQUAL(run.len, LANE53_LANE_PUSH + p.dns_off + p.dns_len);
		CU_ASSERT_EQUAL(memcmp(run.bytes + LANE53_LANE_PUSH, p.bytes,
				       run.len - LANE53_LANE_PUSH),
				0);
	}
}

static void closed_without_a_heartbeat(void)
{
	static const struct {
		const char *name;
		int64_t age_ns; /* INT64_MIN: never beat */
		bool open;
	} cases[] = {
		{ "now", 0, true },
		{ "400 ms ago", 400000000, true },
		{ "600 ms ago", 600000000, false },
		{ "an hour ago", 3600000000000, false },
		{ "a tick ahead of our clock", -4000000, true },
		{ "known to be dead", INT64_MIN, false },
	};
	struct packet p;

	packet_build(&p, &(struct packet_spec){ .qname = "miss." });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig_heartbeat(&rig);
		if (cases[i].age_ns == INT64_MIN)
			rig.settings->heartbeat_ns = 0;
		else
			rig.settings->heartbeat_ns -= (uint64_t)cases[i].age_ns;
		rig_entry(&rig, p.bytes, p.len, &run);
		expect(cases[i].name, cases[i].open ? ACTION_REDIRECT : ACTION_PASS,
		       cases[i].open ? LANE53_TO_LANE : LANE53_PASSED_NO_WORKER);
		if (!cases[i].open) {
			CU_ASSERT_EQUAL(run.len, p.len);
			CU_ASSERT_EQUAL(memcmp(run.bytes, p.bytes, p.len), 0);
		}
	}
}

static void closed_without_an_interface(void)
{
	const uint32_t zero = 0, ifindex = (uint32_t)rig.peer_ifindex;
	const int fd = bpf_map__fd(rig.skel->maps.lane);
	struct packet p;

	packet_build(&p, &(struct packet_spec){ .qname = "miss." });
	rig_heartbeat(&rig);
	CU_ASSERT_EQUAL(bpf_map_delete_elem(fd, &zero), 0);
	rig_entry(&rig, p.bytes, p.len, &run);
	expect("no lane", ACTION_PASS, LANE53_PASSED_NO_WORKER);
	CU_ASSERT_EQUAL(bpf_map_update_elem(fd, &zero, &ifindex, 0), 0);
	rig_entry(&rig, p.bytes, p.len, &run);
	expect("a lane again", ACTION_REDIRECT, LANE53_TO_LANE);
}

/* Only lane @only is there; all of them if @only is LANE53_LANES_MAX. */
static void lanes_open(uint32_t count, uint32_t only)
{
	const uint32_t ifindex = (uint32_t)rig.peer_ifindex;
	const int fd = bpf_map__fd(rig.skel->maps.lane);

	rig.settings->lanes = count;
	for (uint32_t i = 0; i < LANE53_LANES_MAX; i++)
		if (only == LANE53_LANES_MAX ? i < count || i == 0 : i == only)
			(void)bpf_map_update_elem(fd, &i, &ifindex, 0);
		else
			(void)bpf_map_delete_elem(fd, &i);
}

/* The lane that @spec's query goes down, of @count; -1: not exactly one. */
static int lane_taken(const struct packet_spec *spec, uint32_t count)
{
	struct packet p;
	int taken = -1;

	packet_build(&p, spec);
	rig_heartbeat(&rig);
	for (uint32_t i = 0; i < count; i++) {
		lanes_open(count, i);
		rig_entry(&rig, p.bytes, p.len, &run);
		if (run.outcome == LANE53_PASSED_NO_WORKER)
			continue;
		expect(spec->qname, ACTION_REDIRECT, LANE53_TO_LANE);
		taken = taken < 0 ? (int)i : (int)count;
	}
	return taken;
}

static int lane_of_text(const char *qname, uint32_t count)
{
	const uint32_t *secret = rig.settings->secret;
	uint8_t name[255];
	const uint32_t len = (uint32_t)name_from_text(name, qname);

	return (int)lane_of_name(name_lanes(secret, name, len), count);
}

/* As user space computes it, whatever else the query is. */
static void a_lane_for_each_name(void)
{
	static const uint8_t nsid[4] = { 0, 3 };
	static const struct packet_spec kinds[] = {
		{ 0 },
		{ .qtype = 28, .ipv6 = true },
		{ .edns = true, .dnssec_ok = true },
		{ .edns = true, .options = nsid, .options_len = 4 },
		{ .qclass = 3 },
		{ .padding = 5 },
		{ .edns = true, .version = 1 },
	};
	static const uint32_t counts[] = { 1, 2, 3, LANE53_LANES_MAX };

	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		const uint32_t count = counts[c];
		unsigned used[LANE53_LANES_MAX] = { 0 };

		for (unsigned n = 0; n < 24 * count; n++) {
			struct packet_spec spec = kinds[n % ARRAY_LEN(kinds)];
			char upper[32], qname[32];
			int lane;

			snprintf(qname, sizeof(qname), "n%u.lanes.test.", n);
			snprintf(upper, sizeof(upper), "N%u.laNES.test.", n);
			spec.qname = n % 2 ? upper : qname;
			lane = lane_taken(&spec, count);
			CU_ASSERT_EQUAL(lane, lane_of_text(qname, count));
			used[lane % LANE53_LANES_MAX]++;
		}
		for (uint32_t i = 0; i < count; i++)
			CU_ASSERT_TRUE(used[i] > 0);
	}
	lanes_open(0, LANE53_LANES_MAX);
}

/* What has no name goes down the first. */
static void the_first_lane_for_the_rest(void)
{
	struct packet p;

	packet_build(&p, &(struct packet_spec){ .qname = "n1.lanes.test." });
	p.bytes[p.dns_off + 2] |= 0x20; /* opcode NOTIFY */
	rig_heartbeat(&rig);
	for (uint32_t i = 0; i < 3; i++) {
		lanes_open(3, i);
		rig_entry(&rig, p.bytes, p.len, &run);
		expect("NOTIFY", i == 0 ? ACTION_REDIRECT : ACTION_PASS,
		       i == 0 ? LANE53_TO_LANE : LANE53_PASSED_NO_WORKER);
	}
	lanes_open(0, LANE53_LANES_MAX);
}

/* A frame that the lane's MTU would lose silently is left to the stack. */
static void too_long_for_the_lane(void)
{
	static uint8_t options[1700] = { 0, 12 };
	struct packet p;

	for (size_t extra = 1400; extra < sizeof(options); extra++) {
		bool fits;

		packet_put_u16(options + 2, (uint16_t)(extra - 4));
		packet_build(&p, &(struct packet_spec){ .qname = "miss.",
							.edns = true,
							.options = options,
							.options_len = extra });
		fits = p.len + LANE53_LANE_PUSH <= LANE53_LANE_MTU + 14;
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		expect("long", fits ? ACTION_REDIRECT : ACTION_PASS,
		       fits ? LANE53_TO_LANE : LANE53_PASSED_NO_ROOM);
	}
}

/* ---- out ---- */

struct lane_frame {
	uint8_t bytes[LANE53_LANE_PUSH + 200];
	size_t len;
};

static void frame_build(struct lane_frame *f, uint32_t ifindex)
{
	memset(f, 0, sizeof(*f));
	f->len = sizeof(f->bytes);
	packet_put_u16(f->bytes + 12, LANE53_ETHERTYPE);
	packet_put_u16(f->bytes + 14, LANE53_TAG_MAGIC);
	f->bytes[16] = LANE53_ABI_VERSION;
	packet_put_u32(f->bytes + 18, ifindex);
	for (size_t i = LANE53_LANE_PUSH; i < f->len; i++)
		f->bytes[i] = (uint8_t)i;
}

static void bend_magic(struct lane_frame *f)
{
	f->bytes[14] ^= 1;
}

static void bend_version(struct lane_frame *f)
{
	f->bytes[16]++;
}

static void bend_probe(struct lane_frame *f)
{
	f->bytes[17] = LANE53_TAG_PROBE;
}

static void bend_interface(struct lane_frame *f)
{
	packet_put_u32(f->bytes + 18, 0x7fffffff);
}

static void bend_cut_tag(struct lane_frame *f)
{
	f->len = LANE53_LANE_PUSH - 1;
}

static void bend_only_tag(struct lane_frame *f)
{
	f->len = LANE53_LANE_PUSH + 13;
}

static void bend_ethertype(struct lane_frame *f)
{
	packet_put_u16(f->bytes + 12, 0x86dd);
}

static void way_back(void)
{
	static const struct {
		const char *name;
		void (*bend)(struct lane_frame *f);
		uint32_t action;
		int outcome;
	} cases[] = {
		{ "a response", NULL, ACTION_REDIRECT, LANE53_FROM_LANE },
		{ "a probe's", bend_probe, ACTION_PASS, LANE53_LANE_PROBE },
		{ "magic", bend_magic, ACTION_DROP, LANE53_LANE_BAD_TAG },
		{ "version", bend_version, ACTION_DROP, LANE53_LANE_BAD_TAG },
		{ "tag cut", bend_cut_tag, ACTION_DROP, LANE53_LANE_BAD_TAG },
		{ "no frame in it", bend_only_tag, ACTION_DROP, LANE53_LANE_BAD_TAG },
		{ "gone interface", bend_interface, ACTION_DROP,
		  LANE53_LANE_NO_INTERFACE },
		{ "other EtherType", bend_ethertype, ACTION_PASS,
		  LANE53_PASSED_NOT_DNS },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lane_frame f;
		size_t strip = 0;

		frame_build(&f, (uint32_t)rig.ifindex);
		if (cases[i].bend)
			cases[i].bend(&f);
		if (cases[i].outcome == LANE53_FROM_LANE)
			strip = LANE53_LANE_PUSH;
		rig_return(&rig, f.bytes, f.len, &run);
		expect(cases[i].name, cases[i].action, cases[i].outcome);
		CU_ASSERT_EQUAL(run.len, f.len - strip);
		CU_ASSERT_EQUAL(memcmp(run.bytes, f.bytes + strip, run.len), 0);
	}
}

static void all_ethertypes(void)
{
	struct lane_frame f;
	unsigned wrong = 0;

	frame_build(&f, (uint32_t)rig.ifindex);
	for (unsigned type = 0; type < 0x10000; type++) {
		packet_put_u16(f.bytes + 12, (uint16_t)type);
		rig_return(&rig, f.bytes, f.len, &run);
		wrong += run.outcome != (type == LANE53_ETHERTYPE
						 ? LANE53_FROM_LANE
						 : LANE53_PASSED_NOT_DNS);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* What went in comes out: the tag that is pushed is a tag that is taken. */
static void in_and_out(void)
{
	struct packet p;
	struct rig_run back;

	packet_build(&p, &(struct packet_spec){ .qname = "miss.", .ipv6 = true });
	rig_heartbeat(&rig);
	rig_entry(&rig, p.bytes, p.len, &run);
	expect("in", ACTION_REDIRECT, LANE53_TO_LANE);
	rig_return(&rig, run.bytes, run.len, &back);
	CU_ASSERT_EQUAL(back.outcome, LANE53_FROM_LANE);
	CU_ASSERT_EQUAL(back.len, p.len);
	CU_ASSERT_EQUAL(memcmp(back.bytes, p.bytes, p.len), 0);
}

static const struct check_case checks[] = {
	{ "pushed bytes", pushed_bytes },
	{ "closed without a heartbeat", closed_without_a_heartbeat },
	{ "closed without an interface", closed_without_an_interface },
	{ "a lane for each name", a_lane_for_each_name },
	{ "the first lane for the rest", the_first_lane_for_the_rest },
	{ "too long for the lane", too_long_for_the_lane },
	{ "way back", way_back },
	{ "all EtherTypes", all_ethertypes },
	{ "in and out", in_and_out },
};

int main(void)
{
	struct lane53_iface iface = { .tenant = 5 };
	struct lane53_iface_key key = { .vlan = 10 };
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	memcpy(iface.mac, packet_mac, 6);
	key.ifindex = (uint32_t)rig.ifindex;
	rig_iface(&rig, &key, &iface);
	key.vlan = 20;
	key.vlan_inner = 30;
	rig_iface(&rig, &key, &iface);
	rig_service(&rig, "192.0.2.53", 5, 53, 9);
	rig_service(&rig, "2001:db8::53", 5, 53, 9);
	r = check_main("lane", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
