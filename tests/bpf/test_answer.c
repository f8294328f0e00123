/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_answer.c - what lane53_entry answers: every kind of answer over every kind of
 * frame, to the byte; who may see it; what is counted and told about it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "dns/name.h"
#include "lane53.skel.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "rig.h"

static struct rig rig;
static struct rig_run run;

#define RR(...)    __VA_ARGS__
#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })
#define OWNER      0xc0, 0x0c
#define TTL_300    0, 0, 1, 44
#define TTL_3      0, 0, 0, 3
#define RR_A(last) OWNER, 0, 1, 0, 1, TTL_300, 0, 4, 192, 0, 2, last
#define RR_AAAA                                                                       \
	OWNER, 0, 28, 0, 1, TTL_300, 0, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, \
		0, 0, 0, 0, 1
#define RR_CNAME OWNER, 0, 5, 0, 1, TTL_3, 0, 6, 3, 'f', 'o', 'o', 0xc0, 0x10
#define RR_SOA                                                                         \
	0xc0, 0x10, 0, 6, 0, 1, TTL_300, 0, 24, 0xc0, 0x0c, 0xc0, 0x0c, 0, 0, 0, 1, 0, \
		0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5

#define AA LANE53_SLOT_AA
#define RA LANE53_SLOT_RA
#define AD LANE53_SLOT_AD

static uint8_t long_txt[1100], middle_txt[600];

static const struct rig_entry entries[] = {
	{ "a.example.", TYPE_A, 0, 0, AA, 0, BYTES(RR_A(1)), 1 },
	{ "aaaa.example.", TYPE_AAAA, 0, 0, AA | RA, 0, BYTES(RR_AAAA), 1 },
	{ "cname.example.", TYPE_A, 0, 0, RA, 0, BYTES(RR_CNAME), 1 },
	{ "set.example.", TYPE_A, 0, 0, AA, 0, BYTES(RR_A(1), RR_A(2), RR_A(3)), 3 },
	{ "chain.example.", TYPE_A, 0, 0, AA, 0, BYTES(RR_CNAME, RR_A(9)), 2 },
	{ "nxdomain.example.", TYPE_A, 0, 0, AA, RCODE_NXDOMAIN, BYTES(RR_SOA), 0, 1 },
	{ "nodata.example.", TYPE_A, 0, 0, AA, 0, BYTES(RR_SOA), 0, 1 },
	{ "bare.example.", TYPE_A, 0, 0, AA, 0, NULL, 0, 0 },
	{ "middle.example.", TYPE_TXT, 0, 0, AA, 0, middle_txt, sizeof(middle_txt), 1 },
	{ "long.example.", TYPE_TXT, 0, 0, AA, 0, long_txt, sizeof(long_txt), 1 },
	{ "ad.example.", TYPE_A, 0, 0, RA | AD, 0, BYTES(RR_A(7)), 1 },
};

/* What a slot's flags come to for a query with RD, without AD. */
static uint16_t flags_of(const struct rig_entry *e, bool dnssec_ok)
{
	uint16_t flags = 0x8100;

	if (e->slot_flags & AA)
		flags |= 0x0400;
	if (e->slot_flags & RA)
		flags |= 0x0080;
	if (e->slot_flags & AD && dnssec_ok)
		flags |= 0x0020;
	return (uint16_t)(flags | e->rcode);
}

static void ask(const struct packet *p)
{
	rig_heartbeat(&rig);
	rig_entry(&rig, p->bytes, p->len, &run);
}

/* Ask, and read the response; a failure says which case it was. */
static bool answered(const char *name, const struct packet *p, int outcome,
		     struct response *ret)
{
	const char *why;

	ask(p);
	if (run.outcome != outcome || run.action != 3) {
		printf("\n    %s: got %s, want %s", name, rig_outcome_name(run.outcome),
		       rig_outcome_name(outcome));
		CU_FAIL("outcome");
		return false;
	}
	why = response_read(ret, p, run.bytes, run.len);
	if (why) {
		printf("\n    %s: %s", name, why);
		CU_FAIL("response");
	}
	return !why;
}

/* Ask; the query must be in the lane whole. */
static void goes_to_lane(const char *name, const struct packet *p)
{
	ask(p);
	if (run.outcome != LANE53_TO_LANE)
		printf("\n    %s: got %s, want TO_LANE", name,
		       rig_outcome_name(run.outcome));
	CU_ASSERT_EQUAL_FATAL(run.outcome, LANE53_TO_LANE);
	CU_ASSERT_EQUAL(run.len, p->len + LANE53_LANE_PUSH);
	CU_ASSERT_EQUAL(memcmp(run.bytes + LANE53_LANE_PUSH, p->bytes, p->len), 0);
}

static void expect_entry(const struct rig_entry *e, struct packet_spec *spec)
{
	struct packet p;
	struct response r;
	char name[64];
	const bool fits = e->len + 60 < 512 || spec->edns;

	spec->qname = e->qname;
	spec->qtype = e->qtype;
	snprintf(name, sizeof(name), "%s v%d tags %u edns %d do %d", e->qname,
		 spec->ipv6 ? 6 : 4, spec->tags, spec->edns, spec->dnssec_ok);
	packet_build(&p, spec);
	if (!answered(name, &p,
		      fits ? LANE53_ANSWERED_LOCAL : LANE53_ANSWERED_TRUNCATED, &r))
		return;
	CU_ASSERT_EQUAL(r.flags, flags_of(e, spec->dnssec_ok) | (fits ? 0 : 0x0200));
	CU_ASSERT_EQUAL(r.ancount, fits ? e->ancount : 0);
	CU_ASSERT_EQUAL(r.nscount, fits ? e->nscount : 0);
	CU_ASSERT_EQUAL_FATAL(r.answer_len, fits ? e->len : 0);
	if (r.answer_len)
		CU_ASSERT_EQUAL(memcmp(r.answer, e->bytes, e->len), 0);
}

/* 11 answers x 2 families x 3 kinds of tagging x no EDNS, EDNS, DO, and a cookie. */
static void every_answer_over_every_frame(void)
{
	static const uint8_t cookie[] = { 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };

	for (size_t i = 0; i < ARRAY_LEN(entries) * 24; i++) {
		struct packet_spec spec = {
			.ipv6 = i & 1,
			.edns = i >> 1 & 3,
			.dnssec_ok = (i >> 1 & 3) >= 2,
			.options = cookie,
			.options_len = (i >> 1 & 3) == 3 ? sizeof(cookie) : 0,
			.tags = (unsigned)(i / 8 % 3),
			.vlan = { 10, 30 },
		};

		expect_entry(&entries[i / 24], &spec);
	}
}

/* The sum over IPv6 must hold wherever the answer begins: all lengths of QNAME. */
static void every_length_of_name(void)
{
	static const uint8_t soa[] = { RR_SOA };
	static const uint8_t a[] = { RR_A(1) };
	char text[256];

	rig_clear(&rig.local);
	for (size_t len = 1; len <= 249; len++) {
		struct rig_entry e = { text, TYPE_A, 0, 0, AA, 0, a, sizeof(a), 1 };

		memset(text, 'x', len);
		for (size_t dot = 50; dot < len; dot += 50)
			text[dot] = '.';
		if (text[len - 1] == '.')
			text[len - 1] = 'x';
		strcpy(text + len, ".");
		if (len % 3 == 0)
			e = (struct rig_entry){ text, TYPE_A, 0,           0, AA,
						0,    soa,    sizeof(soa), 0, 1 };
		rig_clear(&rig.local);
		rig_put(&rig, &rig.local, &e);
		expect_entry(&e, &(struct packet_spec){ .ipv6 = len & 1 });
		expect_entry(&e,
			     &(struct packet_spec){ .ipv6 = !(len & 1), .edns = true });
	}
	rig_clear(&rig.local);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		rig_put(&rig, &rig.local, &entries[i]);
}

/* All IDs: for one of them the sum over IPv6 is 0, which has to be sent as all ones. */
static void every_id(void)
{
	struct packet p;
	struct response r;
	unsigned wrong = 0, ones = 0;

	packet_build(&p, &(struct packet_spec){ .qname = "a.example.", .ipv6 = true });
	for (unsigned id = 0; id < 0x10000; id++) {
		packet_put_u16(p.bytes + p.dns_off, (uint16_t)id);
		packet_seal(&p);
		ask(&p);
		wrong += response_read(&r, &p, run.bytes, run.len) != NULL;
		ones += packet_u16(run.bytes + p.l4_off + 6) == 0xffff;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(ones > 0);
}

static void case_survives(void)
{
	struct packet p;
	struct response r;

	/* response_read() compares the question byte by byte */
	packet_build(&p, &(struct packet_spec){ .qname = "A.eXAMPle." });
	(void)answered("0x20", &p, LANE53_ANSWERED_LOCAL, &r);
	packet_build(&p, &(struct packet_spec){ .qname = "NXDOMAIN.EXAMPLE." });
	(void)answered("upper case", &p, LANE53_ANSWERED_LOCAL, &r);
}

static void header_bits(void)
{
	static const struct {
		const char *name;
		uint16_t query, want;
	} cases[] = {
		{ "nothing", 0, 0x8080 },
		{ "RD", 0x0100, 0x8180 },
		{ "CD", 0x0010, 0x8090 },
		{ "AD", 0x0020, 0x80a0 },
		{ "Z is cleared", 0x0040, 0x8080 },
		{ "RA, AA, TC are ours", 0x0680, 0x8080 },
		{ "rcode is ours", 0x0003, 0x8080 },
	};
	struct packet p;
	struct response r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		packet_build(&p, &(struct packet_spec){ .qname = "ad.example.",
							.flags = cases[i].query,
							.no_flags = true });
		if (answered(cases[i].name, &p, LANE53_ANSWERED_LOCAL, &r))
			CU_ASSERT_EQUAL(r.flags, cases[i].want);
	}
}

/* RFC 6891 6.2.3, 6.2.5; the configured limit caps it. */
static void truncation(void)
{
	static const struct {
		const char *name, *qname;
		bool edns;
		uint16_t asked, configured;
		bool fits;
	} cases[] = {
		{ "no EDNS: 512", "middle.example.", false, 0, 1232, false },
		{ "below 512 counts as 512", "middle.example.", true, 100, 1232,
		  false },
		{ "to the byte", "middle.example.", true, 643, 1232, true },
		{ "a byte short", "middle.example.", true, 642, 1232, false },
		{ "1232", "long.example.", true, 1232, 1232, true },
		{ "4096", "long.example.", true, 4096, 1232, true },
		{ "configured below", "long.example.", true, 4096, 1000, false },
		{ "a small set always fits", "set.example.", false, 0, 512, true },
	};
	struct packet p;
	struct response r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		packet_build(&p, &(struct packet_spec){
					 .qname = cases[i].qname,
					 .qtype = i < 7 ? TYPE_TXT : TYPE_A,
					 .edns = cases[i].edns,
					 .udp_size = cases[i].asked,
					 .ipv6 = i & 1,
				 });
		rig.settings->udp_limit = cases[i].configured;
		if (answered(cases[i].name, &p,
			     cases[i].fits ? LANE53_ANSWERED_LOCAL
					   : LANE53_ANSWERED_TRUNCATED,
			     &r))
			CU_ASSERT_EQUAL(r.flags & 0x0200, cases[i].fits ? 0 : 0x0200);
	}
	rig.settings->udp_limit = 1232;
}

/* An answer of a signed zone, published as it is without DO. */
static void dnssec_takes_the_lane(void)
{
	static const uint8_t a[] = { RR_A(1) };
	const struct rig_entry e = {
		"signed.example.", TYPE_A, 0, 0, AA | LANE53_SLOT_NO_DO, 0, a,
		sizeof(a),         1
	};
	struct packet p;
	struct response r;

	rig_put(&rig, &rig.local, &e);
	for (unsigned edns = 0; edns < 2; edns++) {
		packet_build(&p,
			     &(struct packet_spec){ .qname = e.qname, .edns = edns });
		(void)answered("without DO", &p, LANE53_ANSWERED_LOCAL, &r);
	}
	packet_build(&p, &(struct packet_spec){
				 .qname = e.qname, .edns = true, .dnssec_ok = true });
	goes_to_lane("with DO", &p);
}

/* ---- cache: time, RD, DO, CD ---- */

#define TTL_OFFS_SET { 6, 22, 38 }, 3

static void put_cached(const char *qname, uint16_t slot_flags, uint8_t key_flags,
		       uint32_t age_s, uint32_t left_s)
{
	static const uint8_t set[] = { RR_A(1), RR_A(2), RR_CNAME };
	const uint32_t now_s = rig_now_s();
	const bool one = qname[0] == '1';
	struct rig_entry e = {
		qname,
		TYPE_A,
		0,
		key_flags,
		slot_flags | LANE53_SLOT_AGE | RA,
		0,
		set,
		one ? 16 : sizeof(set),
		one ? 1 : 3,
		0,
		TTL_OFFS_SET,
		now_s - age_s,
		left_s ? now_s + left_s : now_s,
	};

	rig_put(&rig, &rig.cache, &e);
}

/* The clock may tick between the put and the question. */
static void expect_ttl(const uint8_t *p, uint32_t want)
{
	const uint32_t ttl = packet_u32(p);

	CU_ASSERT_TRUE(ttl == want || ttl + 1 == want);
}

#define AGE_S 5 /* more than a TTL of 3; machines are up for longer */

static void ttls_age(void)
{
	struct packet p;
	struct response r;

	for (unsigned v = 0; v < 4; v++) {
		rig_clear(&rig.cache);
		put_cached("1.cached.", 0, 0, AGE_S, 200);
		put_cached("3.cached.", 0, 0, AGE_S, 200);
		packet_build(&p, &(struct packet_spec){ .qname = "1.cached.",
							.ipv6 = v & 1,
							.edns = v >> 1 });
		if (answered("one RR", &p, LANE53_ANSWERED_CACHE, &r)) {
			CU_ASSERT_EQUAL(r.flags, 0x8180);
			expect_ttl(r.answer + 6, 300 - AGE_S);
		}
		packet_build(&p, &(struct packet_spec){ .qname = "3.cached.",
							.ipv6 = v & 1,
							.edns = v >> 1 });
		if (answered("three RRs", &p, LANE53_ANSWERED_CACHE, &r)) {
			expect_ttl(r.answer + 6, 300 - AGE_S);
			expect_ttl(r.answer + 22, 300 - AGE_S);
			CU_ASSERT_EQUAL(packet_u32(r.answer + 38), 1); /* of 3: floor */
		}
	}
}

static void floor_is_one(void)
{
	static const uint8_t cname[] = { RR_CNAME };
	const uint32_t now_s = rig_now_s();
	const struct rig_entry e = { .qname = "1.cached.",
				     .slot_flags = LANE53_SLOT_AGE,
				     .bytes = cname,
				     .len = sizeof(cname),
				     .ancount = 1,
				     .stored_s = now_s - AGE_S,
				     .expires_s = now_s + 100 };
	struct packet p;
	struct response r;

	rig_clear(&rig.cache);
	rig_put(&rig, &rig.cache, &e);
	packet_build(&p, &(struct packet_spec){ .qname = "1.cached." });
	if (answered("older than its TTL", &p, LANE53_ANSWERED_CACHE, &r))
		CU_ASSERT_EQUAL(packet_u32(r.answer + 6), 1);
}

static void expired_is_no_answer(void)
{
	struct packet p;

	rig_clear(&rig.cache);
	put_cached("1.cached.", 0, 0, AGE_S, 0);
	packet_build(&p, &(struct packet_spec){ .qname = "1.cached." });
	goes_to_lane("expired", &p);
}

static void recursion_must_be_desired(void)
{
	struct packet p;
	struct response r;

	rig_clear(&rig.cache);
	put_cached("1.cached.", LANE53_SLOT_NEEDS_RD, 0, 0, 100);
	packet_build(&p,
		     &(struct packet_spec){ .qname = "1.cached.", .no_flags = true });
	goes_to_lane("RD=0", &p);
	packet_build(&p, &(struct packet_spec){ .qname = "1.cached." });
	(void)answered("RD=1", &p, LANE53_ANSWERED_CACHE, &r);
}

/* DO and CD have answers of their own in `cache`, and share those of `local`. */
static void dnssec_bits_are_in_the_key(void)
{
	struct packet p;
	struct response r;

	for (unsigned stored = 0; stored < 4; stored++) {
		rig_clear(&rig.cache);
		put_cached("1.cached.", 0, (uint8_t)stored, 0, 100);
		for (unsigned asked = 0; asked < 4; asked++) {
			packet_build(&p,
				     &(struct packet_spec){
					     .qname = "1.cached.",
					     .edns = true,
					     .dnssec_ok = asked & LANE53_KEY_DO,
					     .flags = asked & LANE53_KEY_CD ? 0x0110
									    : 0x0100,
				     });
			if (asked == stored)
				(void)answered("same bits", &p, LANE53_ANSWERED_CACHE,
					       &r);
			else
				goes_to_lane("other bits", &p);
		}
	}
	packet_build(&p, &(struct packet_spec){ .qname = "a.example.",
						.edns = true,
						.dnssec_ok = true,
						.flags = 0x0110 });
	if (answered("local", &p, LANE53_ANSWERED_LOCAL, &r))
		CU_ASSERT_EQUAL(r.flags, 0x8510);
}

static void local_comes_first(void)
{
	struct packet p;
	struct response r;

	put_cached("a.example.", 0, 0, 0, 100);
	packet_build(&p, &(struct packet_spec){ .qname = "a.example." });
	(void)answered("both", &p, LANE53_ANSWERED_LOCAL, &r);
}

/* ---- views ---- */

static void put_view(uint32_t view, uint8_t last)
{
	const uint8_t a[] = { RR_A(last) };

	rig_put(&rig, &rig.local,
		&(struct rig_entry){ "view.example.", TYPE_A, view, 0, AA, 0, a,
				     sizeof(a), 1 });
}

static void add_iface(uint16_t vlan, uint8_t flags, uint32_t tenant, uint32_t view)
{
	const struct lane53_iface_key key = { .ifindex = (uint32_t)rig.ifindex,
					      .vlan = vlan };
	struct lane53_iface iface = { .flags = flags, .tenant = tenant, .view = view };

	memcpy(iface.mac, packet_mac, 6);
	rig_iface(&rig, &key, &iface);
}

static void add_source(uint16_t vlan, const char *addr, uint32_t bits, uint32_t tenant)
{
	struct lane53_source_key key = {
		.prefix_len = LANE53_SOURCE_BITS + bits,
		.in = { .ifindex = (uint32_t)rig.ifindex, .vlan = vlan },
	};
	struct lane53_source source = { .tenant = tenant };

	packet_addr(key.addr, addr);
	CU_ASSERT_EQUAL(bpf_map__update_elem(rig.skel->maps.sources, &key, sizeof(key),
					     &source, sizeof(source), BPF_ANY),
			0);
}

/* One name, five views: whoever asks gets the answer of the view that is his. */
static void views_are_apart(void)
{
	static const uint8_t any_mac[6] = { 0x02, 9, 9, 9, 9, 9 };
	static const uint8_t group_mac[6] = { 0x01, 0, 0x5e, 0, 0, 0xfb };
	/* clang-format off: one case a line */
	const struct {
		const char *name;
		struct packet_spec spec;
		int last; /* octet of the answer; 0: not ours */
	} cases[] = {
		{ "the usual service", { .qname = "view.example." }, 1 },
		{ "another address",
		  { .qname = "view.example.", .to = "192.0.2.54" },
		  2 },
		{ "another port", { .qname = "view.example.", .to_port = 1053 }, 3 },
		{ "another port, IPv6: no such service",
		  { .qname = "view.example.", .to_port = 1053, .ipv6 = true },
		  0 },
		{ "a VLAN of tenant 7",
		  { .qname = "view.example.", .tags = 1, .vlan = { 40 } },
		  4 },
		{ "its service, untagged",
		  { .qname = "view.example.", .to = "192.0.2.55" },
		  0 },
		{ "the usual address from tenant 7",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 40 },
		    .to = "192.0.2.54" },
		  0 },
		{ "source prefix of tenant 8",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 41 },
		    .from = "198.51.100.9" },
		  5 },
		{ "the same prefix in another VLAN, of tenant 7",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 43 },
		    .from = "198.51.100.9" },
		  4 },
		{ "source beside the prefix",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 41 },
		    .from = "198.51.101.9" },
		  1 },
		{ "IPv6 prefix of tenant 8",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 41 },
		    .from = "2001:db8:8::9",
		    .ipv6 = true },
		  5 },
		{ "the prefix where sources do not count",
		  { .qname = "view.example.", .from = "198.51.100.9" },
		  1 },
		{ "hijacked: any address, any MAC",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 42 },
		    .to = "8.8.8.8",
		    .to_mac = any_mac },
		  6 },
		{ "hijacked, IPv6",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 42 },
		    .to = "2001:4860::8",
		    .ipv6 = true },
		  6 },
		{ "hijacked: a service of its tenant comes first",
		  { .qname = "view.example.", .tags = 1, .vlan = { 42 } },
		  1 },
		{ "hijacked: only port 53",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 42 },
		    .to = "8.8.8.8",
		    .to_port = 5353 },
		  0 },
		{ "hijacked: no multicast",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 42 },
		    .to = "224.0.0.251" },
		  0 },
		{ "hijacked: no group MAC",
		  { .qname = "view.example.",
		    .tags = 1,
		    .vlan = { 42 },
		    .to = "8.8.8.8",
		    .to_mac = group_mac },
		  0 },
	};
	/* clang-format on */

	for (uint8_t view = 1; view <= 6; view++)
		put_view(view, view);
	rig_service(&rig, "192.0.2.54", 0, 53, 2);
	rig_service(&rig, "192.0.2.53", 0, 1053, 3);
	rig_service(&rig, "192.0.2.53", 7, 53, 4);
	rig_service(&rig, "192.0.2.55", 7, 53, 4);
	rig_service(&rig, "192.0.2.53", 8, 53, 5);
	rig_service(&rig, "2001:db8::53", 8, 53, 5);
	add_iface(40, 0, 7, 0);
	add_iface(41, LANE53_IFACE_SOURCES, 0, 0);
	add_iface(42, LANE53_IFACE_HIJACK, 0, 6);
	add_iface(43, LANE53_IFACE_SOURCES, 0, 0);
	add_source(41, "198.51.100.0", 96 + 24, 8);
	add_source(41, "2001:db8:8::", 48, 8);
	add_source(43, "198.51.100.0", 96 + 24, 7);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct packet p;
		struct response r;

		packet_build(&p, &cases[i].spec);
		if (!cases[i].last) {
			ask(&p);
			if (run.outcome != LANE53_PASSED_NOT_OURS)
				printf("\n    %s: %s", cases[i].name,
				       rig_outcome_name(run.outcome));
			CU_ASSERT_EQUAL(run.outcome, LANE53_PASSED_NOT_OURS);
		} else if (answered(cases[i].name, &p, LANE53_ANSWERED_LOCAL, &r)) {
			CU_ASSERT_EQUAL(r.answer[15], cases[i].last);
		}
	}
}

/* A client's view is remembered until the generation says that the maps changed. */
static void remembered_until_told(void)
{
	struct lane53_service_key key = { .tenant = 0 };
	struct lane53_service service = { .view = 2 };
	struct packet p;
	struct response r;

	packet_addr(key.addr, "192.0.2.53");
	packet_put_u16((uint8_t *)&key.port_be, 53);
	packet_build(&p, &(struct packet_spec){ .qname = "view.example." });
	if (answered("before", &p, LANE53_ANSWERED_LOCAL, &r))
		CU_ASSERT_EQUAL(r.answer[15], 1);
	CU_ASSERT_EQUAL(bpf_map__update_elem(rig.skel->maps.services, &key, sizeof(key),
					     &service, sizeof(service), BPF_ANY),
			0);
	if (answered("not told", &p, LANE53_ANSWERED_LOCAL, &r))
		CU_ASSERT_EQUAL(r.answer[15], 1);
	rig.settings->address_generation++;
	if (answered("told", &p, LANE53_ANSWERED_LOCAL, &r))
		CU_ASSERT_EQUAL(r.answer[15], 2);

	CU_ASSERT_EQUAL(
		bpf_map__delete_elem(rig.skel->maps.services, &key, sizeof(key), 0), 0);
	rig.settings->address_generation++;
	ask(&p);
	CU_ASSERT_EQUAL(run.outcome, LANE53_PASSED_NOT_OURS);
	rig_service(&rig, "192.0.2.53", 0, 53, RIG_VIEW);
	if (answered("back", &p, LANE53_ANSWERED_LOCAL, &r))
		CU_ASSERT_EQUAL(r.answer[15], 1);
}

/* ::ffff:192.0.2.7 on the wire is not the IPv4 client that our keys write so. */
static void remembered_by_family(void)
{
	struct packet p;
	struct response r;

	packet_build(&p, &(struct packet_spec){ .qname = "view.example." });
	CU_ASSERT_TRUE(answered("IPv4", &p, LANE53_ANSWERED_LOCAL, &r));
	packet_build(&p, &(struct packet_spec){ .qname = "view.example.",
						.ipv6 = true,
						.from = "::ffff:192.0.2.7",
						.to = "::ffff:192.0.2.53" });
	ask(&p);
	CU_ASSERT_EQUAL(run.outcome, LANE53_PASSED_NOT_OURS);
}

/* More clients than are remembered, each of two tenants by turns: none gets the other's. */
static void many_clients_are_apart(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 20000; i++) {
		const bool other = i / 3 % 2;
		char from[32];
		struct packet p;

		snprintf(from, sizeof(from), "%s.%u.%u", other ? "198.51" : "198.50",
			 other ? 100 : i / 7 % 50, 1 + i / 2 % 200);
		packet_build(&p, &(struct packet_spec){ .qname = "view.example.",
							.tags = 1,
							.vlan = { 41 },
							.from = from });
		ask(&p);
		wrong += run.outcome != LANE53_ANSWERED_LOCAL ||
			 run.bytes[p.dns_off + p.question_end + 15] != (other ? 5 : 1);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* ---- torn reads ---- */

static void being_written_is_no_answer(void)
{
	struct packet p;
	struct lane53_slot *slot = rig_put(&rig, &rig.local, &entries[0]);

	rig_clear(&rig.cache);
	slot->seq |= 1;
	packet_build(&p,
		     &(struct packet_spec){ .qname = entries[0].qname, .edns = true });
	goes_to_lane("odd sequence", &p);
	slot->seq++;
	ask(&p);
	CU_ASSERT_EQUAL(run.outcome, LANE53_ANSWERED_LOCAL);
}

static atomic_bool writer_stops;

/* Rewrite one answer for ever, always of one letter throughout. */
static void *rewrite(void *arg)
{
	struct lane53_slot *slot = arg;
	struct lane53_large *blob = &rig.local.large[slot->blob];
	volatile __u32 *seq = &slot->seq;

	for (uint8_t letter = 0; !atomic_load(&writer_stops); letter++) {
		*seq = *seq + 1;
		atomic_thread_fence(memory_order_seq_cst);
		memset(blob->bytes, letter, blob->head.len);
		slot->csum = (__u16)packet_sum(blob->bytes, blob->head.len, 0);
		atomic_thread_fence(memory_order_seq_cst);
		*seq = *seq + 1;
		for (volatile int i = 0; i < 400; i++)
			; /* leave readers a chance */
	}
	return NULL;
}

/* An adversary of a writer: no response is of two minds, and no query is harmed. */
static void torn_reads_take_the_lane(void)
{
	static const uint8_t letters[1000]; /* all of one letter from the start */
	const struct rig_entry e = { "torn.example.", TYPE_TXT,        0, 0, AA, 0,
				     letters,         sizeof(letters), 1 };
	struct lane53_slot *slot = rig_put(&rig, &rig.local, &e);
	unsigned mixed = 0, lane = 0, whole = 0, harmed = 0;
	struct packet p;
	struct response r;
	pthread_t writer;

	packet_build(&p, &(struct packet_spec){ .qname = e.qname,
						.qtype = TYPE_TXT,
						.edns = true,
						.ipv6 = true });
	atomic_store(&writer_stops, false);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&writer, NULL, rewrite, slot), 0);
	for (unsigned i = 0; i < 20000; i++) {
		ask(&p);
		if (run.outcome == LANE53_TO_LANE) {
			lane++;
			harmed += run.len != p.len + LANE53_LANE_PUSH ||
				  memcmp(run.bytes + LANE53_LANE_PUSH, p.bytes,
					 p.len) != 0;
			continue;
		}
		if (response_read(&r, &p, run.bytes, run.len)) {
			harmed++;
			continue;
		}
		whole++;
		mixed += memcmp(r.answer, r.answer + 1, r.answer_len - 1) != 0;
	}
	atomic_store(&writer_stops, true);
	pthread_join(writer, NULL);
	printf("%u whole, %u to the lane ... ", whole, lane);
	CU_ASSERT_EQUAL(mixed, 0);
	CU_ASSERT_EQUAL(harmed, 0);
	CU_ASSERT_TRUE(whole > 0);
	CU_ASSERT_TRUE(lane > 0);
}

/* ---- series and events ---- */

static void series_read(struct lane53_series *ret)
{
	static struct lane53_series per_cpu[1024];
	const int cpus = libbpf_num_possible_cpus();
	const uint32_t label = RIG_LABEL;
	uint64_t *sum = (uint64_t *)ret;

	memset(ret, 0, sizeof(*ret));
	CU_ASSERT_EQUAL_FATAL(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.series),
						  &label, per_cpu),
			      0);
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < sizeof(*ret) / sizeof(*sum); i++)
			sum[i] += ((const uint64_t *)&per_cpu[cpu])[i];
}

static void series_count_answers(void)
{
	static const struct {
		const char *qname;
		uint16_t qtype;
		bool ipv6, dnssec_ok, truncated;
		enum lane53_result result;
	} cases[] = {
		{ "a.example.", TYPE_A, false, false, false, LANE53_RESULT_NOERROR },
		{ "aaaa.example.", TYPE_AAAA, true, true, false,
		  LANE53_RESULT_NOERROR },
		{ "nxdomain.example.", TYPE_A, true, false, false,
		  LANE53_RESULT_NXDOMAIN },
		{ "nodata.example.", TYPE_A, false, false, false,
		  LANE53_RESULT_NODATA },
		{ "long.example.", TYPE_TXT, false, false, true,
		  LANE53_RESULT_NOERROR },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint32_t type = lane53_type_class(cases[i].qtype);
		struct lane53_series before, after, want;
		struct packet p;
		size_t sent;

		packet_build(&p,
			     &(struct packet_spec){ .qname = cases[i].qname,
						    .qtype = cases[i].qtype,
						    .ipv6 = cases[i].ipv6,
						    .edns = cases[i].dnssec_ok,
						    .dnssec_ok = cases[i].dnssec_ok });
		series_read(&before);
		ask(&p);
		series_read(&after);
		sent = run.len - p.dns_off;
		want = before;
		want.requests[cases[i].ipv6][type]++;
		want.responses[RIG_DIRECTIVE][cases[i].result]++;
		want.do_count += cases[i].dnssec_ok;
		want.truncated += cases[i].truncated;
		want.request_bytes += p.dns_len;
		want.response_bytes += sent;
		want.request_bucket[lane53_size_bucket((uint32_t)p.dns_len)]++;
		want.response_bucket[lane53_size_bucket((uint32_t)sent)]++;
		CU_ASSERT_EQUAL(memcmp(&after, &want, sizeof(want)), 0);
	}
}

/* The program's table of type classes says what lane53_type_class() says. */
static void type_classes_agree(void)
{
	static const uint16_t types[] = { 1,   2,   3,   5,   6,   12,  15,  16,   28,
					  29,  33,  43,  46,  47,  48,  50,  64,   65,
					  251, 252, 254, 255, 256, 257, 258, 65280 };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const uint32_t type = lane53_type_class(types[i]);
		struct rig_entry e = { "type.example.", types[i] };
		struct lane53_series before, after;
		struct packet p;

		rig_put(&rig, &rig.local, &e);
		packet_build(&p, &(struct packet_spec){ .qname = e.qname,
							.qtype = types[i] });
		series_read(&before);
		ask(&p);
		series_read(&after);
		CU_ASSERT_EQUAL(after.requests[0][type] - before.requests[0][type], 1);
		memset(rig.local.slots, 0,
		       sizeof(*rig.local.slots) * rig.local.slot_count);
	}
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		rig_put(&rig, &rig.local, &entries[i]);
}

static struct lane53_event last_event;
static unsigned event_count;

static int on_event(void *ctx, void *data, size_t len)
{
	(void)ctx;
	CU_ASSERT_EQUAL(len, sizeof(last_event));
	memcpy(&last_event, data, sizeof(last_event));
	event_count++;
	return 0;
}

static unsigned events_take(void)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(rig.skel->maps.events),
						    on_event, NULL, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ring);
	event_count = 0;
	(void)ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return event_count;
}

/* bpf_ktime_get_ns()'s clock. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void logged_answers_are_told(void)
{
	struct rig_entry e = entries[1];
	struct packet p;
	uint8_t addr[16];

	e.qname = "logged.example.";
	e.slot_flags |= LANE53_SLOT_LOG;
	rig_put(&rig, &rig.local, &e);
	packet_build(&p, &(struct packet_spec){ .qname = "LOGged.example.",
						.qtype = TYPE_AAAA,
						.ipv6 = true,
						.edns = true,
						.dnssec_ok = true,
						.id = 0xbeef });
	ask(&p);
	CU_ASSERT_EQUAL_FATAL(events_take(), 1);
	CU_ASSERT_EQUAL(last_event.view, RIG_VIEW);
	CU_ASSERT_EQUAL(last_event.ifindex, (uint32_t)rig.ifindex);
	CU_ASSERT_EQUAL(last_event.label, RIG_LABEL);
	CU_ASSERT_EQUAL(packet_u16((uint8_t *)&last_event.id_be), 0xbeef);
	packet_addr(addr, "2001:db8::7");
	CU_ASSERT_EQUAL(memcmp(last_event.remote, addr, 16), 0);
	packet_addr(addr, "2001:db8::53");
	CU_ASSERT_EQUAL(memcmp(last_event.local, addr, 16), 0);
	CU_ASSERT_EQUAL(packet_u16((uint8_t *)&last_event.remote_port_be), 40000);
	CU_ASSERT_EQUAL(packet_u16((uint8_t *)&last_event.local_port_be), 53);
	CU_ASSERT_EQUAL(last_event.qtype, TYPE_AAAA);
	CU_ASSERT_EQUAL(last_event.qclass, CLASS_IN);
	CU_ASSERT_EQUAL(last_event.request_bytes, p.dns_len);
	CU_ASSERT_EQUAL(last_event.response_bytes, run.len - p.dns_off);
	CU_ASSERT_EQUAL(last_event.edns_bytes, 1232);
	CU_ASSERT_EQUAL(last_event.response_flags, 0x8580);
	CU_ASSERT_EQUAL(last_event.outcome, LANE53_ANSWERED_LOCAL);
	CU_ASSERT_EQUAL(last_event.proto, 17);
	CU_ASSERT_EQUAL(last_event.edns_do, 1);
	CU_ASSERT_EQUAL_FATAL(last_event.qname_len, 16);
	CU_ASSERT_EQUAL(memcmp(last_event.qname, p.bytes + p.dns_off + 12, 16), 0);
	CU_ASSERT_EQUAL(last_event.why, LANE53_EVENT_LOGGED);
	CU_ASSERT_EQUAL(last_event.duration_ns, 0); /* nobody asked */

	/* How long it took: never nothing, and no longer than the call. */
	rig.settings->event_timed = 1;
	for (int i = 0; i < 100; i++) {
		const uint64_t before = now_ns();

		packet_build(&p, &(struct packet_spec){ .qname = "logged.example.",
							.qtype = TYPE_AAAA });
		ask(&p);
		CU_ASSERT_EQUAL_FATAL(events_take(), 1);
		CU_ASSERT_TRUE(last_event.duration_ns > 0);
		CU_ASSERT_TRUE(last_event.time_ns - last_event.duration_ns >= before);
		CU_ASSERT_TRUE(last_event.time_ns <= now_ns());
	}
	rig.settings->event_timed = 0;
}

/* Each event says what it is for: a sample is no line of `log`, a logged one no sample. */
static void events_say_what_for(void)
{
	static const struct {
		const char *qname;
		unsigned sample, events, logged, sampled;
	} cases[] = {
		{ "logged.example.", 0, 6, 6, 0 },
		{ "logged.example.", 3, 6, 6, 2 },
		{ "logged.example.", 1, 6, 6, 6 },
		{ "unlogged.example.", 0, 0, 0, 0 },
		{ "unlogged.example.", 2, 3, 0, 3 },
	};
	struct rig_entry e = entries[1];

	e.qname = "unlogged.example.";
	rig_put(&rig, &rig.local, &e);
	e.qname = "logged.example.";
	e.slot_flags |= LANE53_SLOT_LOG;
	rig_put(&rig, &rig.local, &e);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned events = 0, logged = 0, sampled = 0;
		struct packet p;

		rig.settings->event_sample = cases[i].sample;
		for (int n = 0; n < 6; n++) {
			packet_build(&p, &(struct packet_spec){ .qname = cases[i].qname,
								.qtype = TYPE_AAAA });
			ask(&p);
			if (!events_take())
				continue;
			events++;
			logged += (last_event.why & LANE53_EVENT_LOGGED) != 0;
			sampled += (last_event.why & LANE53_EVENT_SAMPLED) != 0;
		}
		rig.settings->event_sample = 0;
		CU_ASSERT_EQUAL(events, cases[i].events);
		CU_ASSERT_EQUAL(logged, cases[i].logged);
		CU_ASSERT_EQUAL(sampled, cases[i].sampled);
	}
}

/* `log { class denial }` has to tell NODATA from an answer. */
static void nodata_is_told(void)
{
	static const struct {
		const char *qname;
		unsigned nodata;
	} cases[] = { { "nodata.example.", 1 },
		      { "nxdomain.example.", 0 },
		      { "a.example.", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t j = 0; j < ARRAY_LEN(entries); j++) {
			struct rig_entry e = entries[j];
			struct packet p;

			if (strcmp(e.qname, cases[i].qname) != 0)
				continue;
			e.slot_flags |= LANE53_SLOT_LOG;
			rig_put(&rig, &rig.local, &e);
			packet_build(&p, &(struct packet_spec){ .qname = e.qname });
			ask(&p);
			CU_ASSERT_EQUAL_FATAL(events_take(), 1);
			CU_ASSERT_EQUAL(last_event.nodata, cases[i].nodata);
			rig_put(&rig, &rig.local, &entries[j]);
			break;
		}
}

static void events_are_sampled(void)
{
	struct packet p;

	packet_build(&p, &(struct packet_spec){ .qname = "a.example." });
	for (int i = 0; i < 10; i++)
		ask(&p);
	CU_ASSERT_EQUAL(events_take(), 0); /* off */
	rig.settings->event_sample = 5;
	for (int i = 0; i < 20; i++)
		ask(&p);
	rig.settings->event_sample = 0;
	CU_ASSERT_EQUAL(events_take(), 4);
}

/* Over the limit, and with a full ring: lost, and counted as lost. */
static void lost_events_are_counted(void)
{
	struct packet p;
	unsigned lost = 0;

	packet_build(&p, &(struct packet_spec){ .qname = "a.example." });
	rig.settings->event_sample = 1;
	rig.settings->event_limit = 0;
	ask(&p);
	CU_ASSERT_EQUAL(run.events_lost, 1);
	CU_ASSERT_EQUAL(run.outcome, LANE53_ANSWERED_LOCAL);
	CU_ASSERT_EQUAL(events_take(), 0);

	rig.settings->event_limit = 1000000;
	for (int i = 0; i < 1000; i++) {
		ask(&p);
		lost += (unsigned)run.events_lost;
	}
	rig.settings->event_sample = 0;
	CU_ASSERT_TRUE(lost > 0); /* 1,000 x 344 bytes do not fit 256 KiB */
	CU_ASSERT_EQUAL(events_take() + lost, 1000);
}

static const struct check_case checks[] = {
	{ "every answer over every frame", every_answer_over_every_frame },
	{ "every length of name", every_length_of_name },
	{ "every ID", every_id },
	{ "case survives", case_survives },
	{ "header bits", header_bits },
	{ "truncation", truncation },
	{ "a query with DO for a signed zone takes the lane", dnssec_takes_the_lane },
	{ "TTLs age", ttls_age },
	{ "the floor is one second", floor_is_one },
	{ "expired is no answer", expired_is_no_answer },
	{ "recursion must be desired", recursion_must_be_desired },
	{ "DNSSEC bits are in the key", dnssec_bits_are_in_the_key },
	{ "local comes first", local_comes_first },
	{ "views are apart", views_are_apart },
	{ "remembered until told", remembered_until_told },
	{ "remembered by family", remembered_by_family },
	{ "many clients are apart", many_clients_are_apart },
	{ "being written is no answer", being_written_is_no_answer },
	{ "torn reads take the lane", torn_reads_take_the_lane },
	{ "series count answers", series_count_answers },
	{ "type classes agree", type_classes_agree },
	{ "logged answers are told", logged_answers_are_told },
	{ "NODATA is told", nodata_is_told },
	{ "events say what for", events_say_what_for },
	{ "events are sampled", events_are_sampled },
	{ "lost events are counted", lost_events_are_counted },
};

int main(void)
{
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	add_iface(10, 0, 0, 0);
	rig_iface(&rig,
		  &(struct lane53_iface_key){ .ifindex = (uint32_t)rig.ifindex,
					      .vlan = 10,
					      .vlan_inner = 30 },
		  &(struct lane53_iface){ .mac = { 0x02, 0x53, 0, 0, 0, 0x01 } });
	for (size_t i = 0; i < sizeof(long_txt); i++)
		long_txt[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(middle_txt); i++)
		middle_txt[i] = (uint8_t)(i * 11);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		rig_put(&rig, &rig.local, &entries[i]);
	r = check_main("answer", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
