/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_frame.c - frames on the lane: refuse what the bytes do not bear out, and build
 * responses that a client's stack accepts.
 */
#include "check.h"

#include <stdbool.h>
#include <string.h>
#include "io/frame.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

#define DNS_LEN 20

/* One query's frame, as XDP would tag it; fields that the cases vary. */
struct shape {
	unsigned vlans;
	bool ipv6;
};

struct built {
	uint8_t bytes[1700];
	size_t len, l3, l4, dns; /* absolute */
};

static const uint8_t lane_a[6] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t lane_b[6] = { 2, 0, 0, 0, 0, 0xb };
static const uint8_t mac_us[6] = { 2, 1, 1, 1, 1, 1 };
static const uint8_t mac_client[6] = { 2, 2, 2, 2, 2, 2 };
static const uint8_t v4_client[4] = { 192, 0, 2, 7 };
static const uint8_t v4_us[4] = { 198, 51, 100, 53 };
static const uint8_t v6_client[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };
static const uint8_t v6_us[16] = { 0x20, 1, 0xd, 0xb8, [15] = 0x53 };

static void put(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void build_tag(struct built *b, bool ipv6)
{
	uint8_t *tag = b->bytes + 14;

	put(tag, LANE53_TAG_MAGIC);
	tag[2] = LANE53_ABI_VERSION;
	tag[3] = ipv6 ? LANE53_TAG_IPV6 : 0;
	memcpy(tag + 4, "\0\0\1\2", 4);  /* ifindex 258 */
	memcpy(tag + 8, "\0\0\0\5", 4);  /* view 5 */
	memcpy(tag + 12, "\0\0\0\t", 4); /* tenant 9 */
	put(tag + 16, (unsigned)(b->l3 - 48));
	put(tag + 18, (unsigned)(b->l4 - 48));
	put(tag + 20, (unsigned)(b->dns - 48));
	put(tag + 22, DNS_LEN);
}

static void build(struct built *b, struct shape shape)
{
	uint8_t *p;

	memset(b, 0, sizeof(*b));
	b->l3 = 48 + 14 + 4 * shape.vlans;
	b->l4 = b->l3 + (shape.ipv6 ? 40 : 20);
	b->dns = b->l4 + 8;
	b->len = b->dns + DNS_LEN;
	memcpy(b->bytes, lane_b, 6);
	memcpy(b->bytes + 6, lane_a, 6);
	put(b->bytes + 12, LANE53_ETHERTYPE);
	build_tag(b, shape.ipv6);
	memcpy(b->bytes + 48, mac_us, 6);
	memcpy(b->bytes + 54, mac_client, 6);
	for (unsigned i = 0; i < shape.vlans; i++) {
		put(b->bytes + 60 + 4 * i, i + 1 < shape.vlans ? 0x88a8 : 0x8100);
		put(b->bytes + 62 + 4 * i, 100 + i);
	}
	put(b->bytes + b->l3 - 2, shape.ipv6 ? 0x86dd : 0x0800);
	p = b->bytes + b->l3;
	if (shape.ipv6) {
		p[0] = 0x60;
		put(p + 4, 8 + DNS_LEN);
		p[6] = 17;
		p[7] = 3;
		memcpy(p + 8, v6_client, 16);
		memcpy(p + 24, v6_us, 16);
	} else {
		p[0] = 0x45;
		put(p + 2, 28 + DNS_LEN);
		put(p + 4, 4711);
		p[8] = 3;
		p[9] = 17;
		memcpy(p + 12, v4_client, 4);
		memcpy(p + 16, v4_us, 4);
	}
	p = b->bytes + b->l4;
	put(p, 40000);
	put(p + 2, 53);
	put(p + 4, 8 + DNS_LEN);
}

static const struct shape shapes[] = {
	{ 0, false }, { 1, false }, { 2, false }, { 0, true }, { 1, true }, { 2, true },
};

static void queries_are_read(void)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct built b;
		struct frame f;

		build(&b, shapes[i]);
		CU_ASSERT_EQUAL_FATAL(frame_read(&f, b.bytes, b.len), FRAME_OK);
		CU_ASSERT_EQUAL(f.ifindex, 258);
		CU_ASSERT_EQUAL(f.view, 5);
		CU_ASSERT_EQUAL(f.tenant, 9);
		CU_ASSERT_EQUAL(f.l3_off, b.l3);
		CU_ASSERT_EQUAL(f.dns_off, b.dns);
		CU_ASSERT_EQUAL(f.dns_len, DNS_LEN);
		CU_ASSERT_EQUAL(f.remote_port, 40000);
		CU_ASSERT_EQUAL(f.local_port, 53);
		CU_ASSERT_TRUE(f.dns_off <= FRAME_PREFIX_MAX);
		if (shapes[i].ipv6) {
			CU_ASSERT_EQUAL(memcmp(f.remote, v6_client, 16), 0);
			CU_ASSERT_EQUAL(memcmp(f.local, v6_us, 16), 0);
		} else {
			CU_ASSERT_EQUAL(get(f.remote + 10), 0xffff);
			CU_ASSERT_EQUAL(memcmp(f.remote + 12, v4_client, 4), 0);
			CU_ASSERT_EQUAL(memcmp(f.local + 12, v4_us, 4), 0);
		}
	}
}

/* One byte pair changed in a good IPv4 frame without VLAN tags, or a shorter length. */
static void lies_are_refused(void)
{
	static const struct {
		const char *name;
		unsigned at, value;
		size_t cut;
		enum frame_status want;
	} lies[] = {
		{ "neighbour discovery", 12, 0x86dd, 0, FRAME_NOT_LANE },
		{ "magic", 14, 0x1234, 0, FRAME_BAD_TAG },
		{ "version 9", 16, 9 << 8, 0, FRAME_BAD_TAG },
		{ "l3 before Ethernet's end", 30, 13, 0, FRAME_BAD_TAG },
		{ "l3 within a VLAN tag", 30, 15, 0, FRAME_BAD_TAG },
		{ "l3 behind three VLAN tags", 30, 26, 0, FRAME_BAD_TAG },
		{ "l4 before l3's end", 32, 14, 0, FRAME_BAD_TAG },
		{ "l4 far away", 32, 60000, 0, FRAME_BAD_TAG },
		{ "dns not after UDP", 34, 43, 0, FRAME_BAD_TAG },
		{ "message past the frame", 36, DNS_LEN + 1, 0, FRAME_BAD_TAG },
		{ "message shorter than UDP says", 36, DNS_LEN - 1, 0, FRAME_NOT_UDP },
		{ "frame cut by one", 12, LANE53_ETHERTYPE, 1, FRAME_BAD_TAG },
		{ "IP options", 62, 0x4600, 0, FRAME_NOT_UDP },
		{ "IPv6 in an IPv4 tag", 62, 0x6000, 0, FRAME_NOT_UDP },
		{ "total length", 64, 29 + DNS_LEN, 0, FRAME_NOT_UDP },
		{ "first fragment", 68, 0x2000, 0, FRAME_NOT_UDP },
		{ "last fragment", 68, 100, 0, FRAME_NOT_UDP },
		{ "TCP", 70, 64 << 8 | 6, 0, FRAME_NOT_UDP },
		{ "UDP length", 86, 9 + DNS_LEN, 0, FRAME_NOT_UDP },
	};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct built b;
		struct frame f = { .view = 77 };
		enum frame_status got;

		build(&b, shapes[0]);
		put(b.bytes + lies[i].at, lies[i].value);
		got = frame_read(&f, b.bytes, b.len - lies[i].cut);
		if (got != lies[i].want)
			printf("# %s: got %d want %d\n", lies[i].name, got,
			       lies[i].want);
		CU_ASSERT_EQUAL(got, lies[i].want);
		CU_ASSERT_EQUAL(f.view, 77); /* untouched */
	}
}

/* Every prefix of every good frame, so that nothing is read past the end (ASan). */
static void short_frames_are_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct built b;
		struct frame f;

		build(&b, shapes[i]);
		for (size_t len = 0; len < b.len; len++) {
			uint8_t exact[256];

			memcpy(exact + sizeof(exact) - len, b.bytes, len);
			CU_ASSERT_NOT_EQUAL(
				frame_read(&f, exact + sizeof(exact) - len, len),
				FRAME_OK);
		}
	}
}

/* As a receiver checks it (RFC 1071): the sum of all, checksum included, is ffff. */
static unsigned receiver_sum(unsigned long sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (unsigned long)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return (unsigned)sum;
}

static void check_reply(const struct built *b, struct shape shape, size_t message_len)
{
	const uint8_t *ip = b->bytes + b->l3, *udp = b->bytes + b->l4;
	size_t udp_len = 8 + message_len, addr_len = shape.ipv6 ? 16 : 4;
	const uint8_t *src = ip + (shape.ipv6 ? 8 : 12), *dst = src + addr_len;

	CU_ASSERT_EQUAL(memcmp(b->bytes, lane_a, 6), 0);
	CU_ASSERT_EQUAL(memcmp(b->bytes + 6, lane_b, 6), 0);
	CU_ASSERT_EQUAL(memcmp(b->bytes + 48, mac_client, 6), 0);
	CU_ASSERT_EQUAL(memcmp(b->bytes + 54, mac_us, 6), 0);
	CU_ASSERT_EQUAL(memcmp(src, shape.ipv6 ? v6_us : v4_us, addr_len), 0);
	CU_ASSERT_EQUAL(memcmp(dst, shape.ipv6 ? v6_client : v4_client, addr_len), 0);
	if (shape.ipv6) {
		CU_ASSERT_EQUAL(get(ip + 4), udp_len);
	} else {
		CU_ASSERT_EQUAL(get(ip + 2), 20 + udp_len);
		CU_ASSERT_EQUAL(receiver_sum(0, ip, 20), 0xffff);
	}
	CU_ASSERT_EQUAL(get(udp), 53);
	CU_ASSERT_EQUAL(get(udp + 2), 40000);
	CU_ASSERT_EQUAL(get(udp + 4), udp_len);
	CU_ASSERT_NOT_EQUAL(get(udp + 6), 0);
	CU_ASSERT_EQUAL(receiver_sum(17 + udp_len + receiver_sum(0, src, 2 * addr_len),
				     udp, udp_len),
			0xffff);
}

static void replies_are_what_a_client_accepts(void)
{
	static const size_t lens[] = { 12, 13, 512, 1231, 1232 };

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (size_t j = 0; j < ARRAY_LEN(lens); j++) {
			struct built b, before;

			build(&b, shapes[i]);
			before = b;
			for (size_t k = 0; k < lens[j]; k++)
				b.bytes[b.dns + k] = (uint8_t)(k * 37 + 200);
			frame_reply(b.bytes, b.dns, lens[j]);
			check_reply(&b, shapes[i], lens[j]);
			/* tag and VLAN tags are as they came */
			CU_ASSERT_EQUAL(memcmp(b.bytes + 12, before.bytes + 12, 36), 0);
			CU_ASSERT_EQUAL(
				memcmp(b.bytes + 60, before.bytes + 60, b.l3 - 60), 0);
		}
}

/* A sum of 0 must be sent as ffff: 0 means "no checksum", forbidden in IPv6. */
static void udp_checksum_is_never_zero(void)
{
	struct built b;
	unsigned sum;

	build(&b, shapes[3]);
	frame_reply(b.bytes, b.dns, DNS_LEN);
	sum = get(b.bytes + b.l4 + 6);
	build(&b, shapes[3]);
	put(b.bytes + b.dns, sum); /* brings the sum to ffff, its complement to 0 */
	frame_reply(b.bytes, b.dns, DNS_LEN);
	CU_ASSERT_EQUAL(get(b.bytes + b.l4 + 6), 0xffff);
}

static void too_large_is_truncated(void)
{
	static const uint8_t question[] = { 1, 'a', 0, 0, 1, 0, 1 };
	static const uint8_t opt[] = { 0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0 };
	uint8_t m[2000] = { 0x12, 0x34, 0x85, 0x00, 0, 1, 0, 9, 0, 2, 0, 1 };

	memcpy(m + 12, question, sizeof(question));
	memcpy(m + sizeof(m) - 11, opt, 11);
	CU_ASSERT_EQUAL(frame_truncate(m, sizeof(m)), 12 + 7 + 11);
	CU_ASSERT_EQUAL(get(m + 2), 0x8500 | FLAG_TC);
	CU_ASSERT_EQUAL(memcmp(m + 4, "\0\1\0\0\0\0\0\1", 8), 0);
	CU_ASSERT_EQUAL(memcmp(m + 12, question, sizeof(question)), 0);
	CU_ASSERT_EQUAL(memcmp(m + 19, opt, 11), 0);

	m[11] = 0; /* without OPT */
	CU_ASSERT_EQUAL(frame_truncate(m, sizeof(m)), 12 + 7);
	CU_ASSERT_EQUAL(memcmp(m + 4, "\0\1\0\0\0\0\0\0", 8), 0);
}

/* ---- questions to upstreams ---- */

static struct frame_ends ends_of(bool ipv6)
{
	struct frame_ends ends = { .remote_port = 53, .local_port = 61500 };

	if (ipv6) {
		memcpy(ends.remote, v6_us, 16);
		memcpy(ends.local, v6_client, 16);
	} else {
		put(ends.remote + 10, 0xffff);
		put(ends.local + 10, 0xffff);
		memcpy(ends.remote + 12, v4_us, 4);
		memcpy(ends.local + 12, v4_client, 4);
	}
	memcpy(ends.lane_a, lane_a, 6);
	memcpy(ends.lane_b, lane_b, 6);
	return ends;
}

/* Return: bytes in the frame. */
static size_t build_question(uint8_t *bytes, const struct frame_ends *ends)
{
	size_t prefix_len = frame_ask_prefix(ends);

	memset(bytes, 0xee, prefix_len);
	for (size_t i = 0; i < DNS_LEN; i++)
		bytes[prefix_len + i] = (uint8_t)(i * 31 + 7);
	frame_ask(bytes, ends, DNS_LEN);
	return prefix_len + DNS_LEN;
}

static void questions_are_whole(void)
{
	static const uint8_t no_macs[12];

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		const struct frame_ends ends = ends_of(ipv6);
		const size_t addr_len = ipv6 ? 16 : 4;
		uint8_t b[256];
		size_t len = build_question(b, &ends);
		struct frame f;

		CU_ASSERT_EQUAL(len, 48u + 14 + (ipv6 ? 40 : 20) + 8 + DNS_LEN);
		CU_ASSERT_EQUAL_FATAL(frame_read(&f, b, len), FRAME_OK);
		CU_ASSERT_TRUE(f.upstream && !f.returned && !f.probe);
		CU_ASSERT_EQUAL(f.ipv6, ipv6);
		CU_ASSERT_EQUAL(f.ifindex | f.view | f.tenant, 0);
		/* we send it: to a reader the sender is the remote end */
		CU_ASSERT_EQUAL(memcmp(f.remote, ends.local, 16), 0);
		CU_ASSERT_EQUAL(memcmp(f.local, ends.remote, 16), 0);
		CU_ASSERT_EQUAL(f.remote_port, 61500);
		CU_ASSERT_EQUAL(f.local_port, 53);
		CU_ASSERT_EQUAL(memcmp(b, lane_a, 6), 0);
		CU_ASSERT_EQUAL(memcmp(b + 6, lane_b, 6), 0);
		CU_ASSERT_EQUAL(memcmp(b + 48, no_macs, 12), 0);
		CU_ASSERT_EQUAL(get(b + 60), ipv6 ? 0x86dd : 0x0800);
		if (!ipv6)
			CU_ASSERT_EQUAL(receiver_sum(0, b + f.l3_off, 20), 0xffff);
		CU_ASSERT_EQUAL(
			receiver_sum(17 + 8 + DNS_LEN +
					     receiver_sum(0,
							  b + f.l4_off - 2 * addr_len,
							  2 * addr_len),
				     b + f.l4_off, 8 + DNS_LEN),
			0xffff);
		CU_ASSERT_TRUE(frame_sum_is_right(&f, b));
	}
}

static void checksums_as_the_stack_takes_them(void)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		const struct frame_ends ends = ends_of(ipv6);
		const size_t addr_len = ipv6 ? 16 : 4;
		uint8_t b[256], *sum;
		size_t len = build_question(b, &ends);
		struct frame f;

		CU_ASSERT_EQUAL_FATAL(frame_read(&f, b, len), FRAME_OK);
		sum = b + f.l4_off + 6;
		b[f.dns_off + 3] ^= 1; /* damaged on the way */
		CU_ASSERT_FALSE(frame_sum_is_right(&f, b));
		put(sum, 0); /* none */
		CU_ASSERT_EQUAL(frame_sum_is_right(&f, b), !ipv6);
		/* a local sender's, left for hardware to complete */
		put(sum, receiver_sum(17 + 8 + DNS_LEN, b + f.l4_off - 2 * addr_len,
				      2 * addr_len));
		CU_ASSERT_TRUE(frame_sum_is_right(&f, b));
		sum[1] ^= 1;
		CU_ASSERT_FALSE(frame_sum_is_right(&f, b));
	}
}

static void the_tag_tells_whose_it_is(void)
{
	const struct frame_ends ends = ends_of(false);
	uint8_t b[256];
	size_t len = build_question(b, &ends);

	CU_ASSERT_TRUE(frame_is_upstream(b, len));
	CU_ASSERT_FALSE(frame_is_upstream(b, 47)); /* no whole tag */
	b[17] ^= LANE53_TAG_UPSTREAM;
	CU_ASSERT_FALSE(frame_is_upstream(b, len)); /* a client's */
	b[17] ^= LANE53_TAG_UPSTREAM;
	b[12] ^= 1;
	CU_ASSERT_FALSE(frame_is_upstream(b, len)); /* the kernel's own */
}

static const struct check_case cases[] = {
	{ "queries are read", queries_are_read },
	{ "lies are refused", lies_are_refused },
	{ "short frames are refused", short_frames_are_refused },
	{ "replies are what a client accepts", replies_are_what_a_client_accepts },
	{ "UDP checksum is never zero", udp_checksum_is_never_zero },
	{ "too large is truncated", too_large_is_truncated },
	{ "questions are whole", questions_are_whole },
	{ "checksums as the stack takes them", checksums_as_the_stack_takes_them },
	{ "the tag tells whose it is", the_tag_tells_whose_it_is },
};

CHECK_MAIN("frame", cases)
