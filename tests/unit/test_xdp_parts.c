/* SPDX-License-Identifier: BSD-3-Clause */
/* test_xdp_parts.c - what of control/xdp needs no kernel: frames, names, rules. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "check.h"
#include "io/frame.h"
#include "lane53/abi.h"
#include "xdp/packet.h"
#include "xdp/pins.h"
#include "xdp/state.h"
#include "xdp/xdp.h"

#define IPV4(a, b, c, d)                                     \
	{                                                    \
		[10] = 0xff, [11] = 0xff, (a), (b), (c), (d) \
	}

static const uint8_t mac[6] = { 0x02, 0, 0, 0, 0x53, 1 };
static const uint8_t message[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				 "\x03www\x04lane\x04test\x00\x00\x01\x00\x01";
#define MESSAGE_LEN (sizeof(message) - 1)

/* Folded ones' complement sum: 0xffff over a header with a right checksum. */
static unsigned sum(const uint8_t *bytes, size_t len, unsigned start)
{
	for (size_t i = 0; i < len; i++)
		start += i & 1 ? bytes[i] : (unsigned)bytes[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

static const struct {
	const char *name;
	struct xdp_question question;
	size_t l3_off;
	bool ipv6;
} frames[] = {
	{ "IPv4", { .local = IPV4(10, 53, 0, 1) }, 14, false },
	{ "IPv4, given client",
	  { .local = IPV4(10, 53, 0, 1),
	    .remote = IPV4(10, 9, 8, 7),
	    .remote_port = 4000 },
	  14,
	  false },
	{ "IPv6", { .local = { 0xfd, 0x53, [15] = 1 } }, 14, true },
	{ "VLAN", { .local = IPV4(10, 53, 0, 1), .vlan = 100 }, 18, false },
	{ "QinQ, IPv6",
	  { .local = { 0xfd, 0x53, [15] = 1 }, .vlan = 100, .vlan_inner = 7 },
	  22,
	  true },
};

static void check_sums(const uint8_t *bytes, const struct packet *packet)
{
	const uint8_t *ip = bytes + packet->l3_off;
	const unsigned udp_len = 8 + MESSAGE_LEN;
	unsigned pseudo;

	if (!packet->ipv6)
		CU_ASSERT_EQUAL(sum(ip, 20, 0), 0xffff);
	pseudo = packet->ipv6 ? sum(ip + 8, 32, 17 + udp_len)
			      : sum(ip + 12, 8, 17 + udp_len);
	CU_ASSERT_EQUAL(sum(bytes + packet->l4_off, udp_len, pseudo), 0xffff);
}

/* Put the lane's header in front, as the probe does, and read it as the worker does. */
static void check_lane(uint8_t *bytes, const struct packet *packet)
{
	struct lane53_tag tag = {
		.magic_be = htons(LANE53_TAG_MAGIC),
		.version = LANE53_ABI_VERSION,
		.flags = LANE53_TAG_PROBE | (packet->ipv6 ? LANE53_TAG_IPV6 : 0),
		.l3_off_be = htons((uint16_t)packet->l3_off),
		.l4_off_be = htons((uint16_t)packet->l4_off),
		.dns_off_be = htons((uint16_t)packet->dns_off),
		.dns_len_be = htons(MESSAGE_LEN),
	};
	struct xdp_reply reply;
	struct frame frame;

	bytes[12] = LANE53_ETHERTYPE >> 8;
	bytes[13] = LANE53_ETHERTYPE & 0xff;
	memcpy(bytes + 14, &tag, sizeof(tag));
	CU_ASSERT_EQUAL_FATAL(frame_read(&frame, bytes, LANE53_LANE_PUSH + packet->len),
			      FRAME_OK);
	CU_ASSERT_TRUE(frame.probe);
	CU_ASSERT_EQUAL(frame.dns_len, MESSAGE_LEN);
	CU_ASSERT_EQUAL(frame.local_port, 53);
	frame_reply(bytes, frame.dns_off, MESSAGE_LEN);
	packet_read_reply(packet, bytes + LANE53_LANE_PUSH, packet->len, &reply);
	CU_ASSERT_EQUAL(reply.len, MESSAGE_LEN);
	CU_ASSERT_EQUAL(memcmp(reply.message, message, MESSAGE_LEN), 0);
}

static void test_frames(void)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct xdp_question question = frames[i].question;
		uint8_t bytes[LANE53_LANE_PUSH + 512] = { 0 };
		struct packet packet;

		printf("  %s\n", frames[i].name);
		question.local_port = 53;
		question.message = message;
		question.len = MESSAGE_LEN;
		CU_ASSERT_EQUAL_FATAL(packet_build(&packet, &question, mac,
						   bytes + LANE53_LANE_PUSH, 512),
				      0);
		CU_ASSERT_EQUAL(packet.l3_off, frames[i].l3_off);
		CU_ASSERT_EQUAL(packet.ipv6, frames[i].ipv6);
		CU_ASSERT_EQUAL(memcmp(bytes + LANE53_LANE_PUSH, mac, 6), 0);
		check_sums(bytes + LANE53_LANE_PUSH, &packet);
		check_lane(bytes, &packet);
	}
}

static void test_frame_limits(void)
{
	static const uint8_t large[600];
	struct xdp_question question = { .local = IPV4(10, 53, 0, 1),
					 .local_port = 53,
					 .message = large,
					 .len = 600 };
	uint8_t bytes[512];
	struct xdp_reply reply;
	struct packet packet;

	CU_ASSERT_EQUAL(packet_build(&packet, &question, mac, bytes, 512), -EINVAL);
	question.len = 0;
	CU_ASSERT_EQUAL(packet_build(&packet, &question, mac, bytes, 512), -EINVAL);
	question.len = 30;
	CU_ASSERT_EQUAL(packet_build(&packet, &question, mac, bytes, 512), 0);
	packet_read_reply(&packet, bytes, packet.len, &reply);
	CU_ASSERT_EQUAL(reply.len, 30);
	packet_read_reply(&packet, bytes, packet.len - 1, &reply);
	CU_ASSERT_EQUAL(reply.len, 0); /* cut short of what UDP says */
	packet_read_reply(&packet, bytes, 10, &reply);
	CU_ASSERT_EQUAL(reply.len, 0);
}

static void test_pin_names(void)
{
	static const struct {
		const char *ifname, *path;
	} links[] = {
		{ "eth0", "/sys/fs/bpf/lane53/x/v1/link-eth0" },
		{ "eth0.100", "/sys/fs/bpf/lane53/x/v1/link-eth0:100" },
		{ "lane", "/sys/fs/bpf/lane53/x/v1/link-lane" },
	};
	char dir[PINS_BYTES], path[PINS_BYTES], ifname[IF_NAMESIZE];

	pins_dir("x", 1, dir);
	CU_ASSERT_STRING_EQUAL(dir, "/sys/fs/bpf/lane53/x/v1");
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		pins_link_path(dir, links[i].ifname, path);
		CU_ASSERT_STRING_EQUAL(path, links[i].path);
		CU_ASSERT_TRUE(pins_is_link(strrchr(path, '/') + 1, ifname));
		CU_ASSERT_STRING_EQUAL(ifname, links[i].ifname);
	}
	CU_ASSERT_FALSE(pins_is_link("local", ifname));
}

static void test_instance_names(void)
{
	static const struct {
		const char *name;
		bool ok;
	} names[] = {
		{ "default", true },
		{ "Pod_7-a", true },
		{ "", false },
		{ "a.b", false },
		{ "a/b", false },
		{ "..", false },
		{ "12345678901234567890123456789012", true },
		{ "123456789012345678901234567890123", false },
	};
	char a[IF_NAMESIZE], b[IF_NAMESIZE], other[IF_NAMESIZE];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		CU_ASSERT_EQUAL(pins_instance_is_valid(names[i].name), names[i].ok);
	xdp_lane_names("default", 0, a, b);
	CU_ASSERT_STRING_EQUAL(a, "lane53a");
	CU_ASSERT_STRING_EQUAL(b, "lane53b");
	xdp_lane_names("default", LANE53_LANES_MAX - 1, a, b);
	CU_ASSERT_STRING_EQUAL(a, "lane53a-15");
	CU_ASSERT_STRING_EQUAL(b, "lane53b-15");
	xdp_lane_names("one", 0, a, b);
	xdp_lane_names("two", 0, other, b);
	CU_ASSERT_STRING_NOT_EQUAL(a, other);
	CU_ASSERT_TRUE(lane_has_end("one", a) && !lane_has_end("two", a));
	xdp_lane_names("one", LANE53_LANES_MAX - 1, a, b);
	CU_ASSERT_EQUAL(strlen(b), 14); /* of the 15 that an interface's may have */
	CU_ASSERT_TRUE(lane_has_end("one", b) && !lane_has_end("two", b));
}

static void test_rules(void)
{
	static const struct xdp_prefix from = { IPV4(10, 0, 0, 0), 104 };
	static const struct xdp_rule rules[] = {
		{ .pattern = "eth0", .mode = ATTACH_NATIVE, .vlan = 5, .tenant = 2 },
		{ .pattern = "eth*",
		  .mode = ATTACH_GENERIC,
		  .from = &from,
		  .from_count = 1,
		  .tenant = 3 },
		{ .pattern = "eth*", .tenant = 4 },
		{ .pattern = "tap[0-9]", .hijack = true, .view = 9 },
		{ .pattern = "*lane*", .tenant = 5 },
	};
	static const struct {
		const char *name;
		struct rule_match want;
	} cases[] = {
		{ "eth0", { true, ATTACH_NATIVE, true, 4, 0 } },
		{ "eth1", { true, ATTACH_GENERIC, false, 4, 0 } },
		{ "tap7", { true, ATTACH_AUTO, false, 0, 9 } },
		{ "tap10", { false, ATTACH_AUTO, false, 0, 0 } },
		{ "wlan0", { false, ATTACH_AUTO, false, 0, 0 } },
		{ "lane53a", { false, ATTACH_AUTO, false, 0, 0 } }, /* never our own */
		{ "lane53b-3", { false, ATTACH_AUTO, false, 0, 0 } },
		{ "lane9", { true, ATTACH_AUTO, false, 5, 0 } },
	};
	struct xdp xdp = { .instance = "default" };

	CU_ASSERT_EQUAL_FATAL(rules_set(&xdp, rules, ARRAY_LEN(rules)), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rule_match got = rules_match(&xdp, cases[i].name);

		printf("  %s\n", cases[i].name);
		CU_ASSERT_EQUAL(got.any, cases[i].want.any);
		CU_ASSERT_EQUAL(got.mode, cases[i].want.mode);
		CU_ASSERT_EQUAL(got.has_vlan, cases[i].want.has_vlan);
		CU_ASSERT_EQUAL(got.tenant, cases[i].want.tenant);
		CU_ASSERT_EQUAL(got.view, cases[i].want.view);
	}
	rules_deinit(&xdp);
}

static const struct check_case test_cases[] = {
	{ "frames of questions, and their responses", test_frames },
	{ "frames that do not fit", test_frame_limits },
	{ "names of pins", test_pin_names },
	{ "names of instances and lanes", test_instance_names },
	{ "rules of an interface", test_rules },
};

CHECK_MAIN("xdp_parts", test_cases)
