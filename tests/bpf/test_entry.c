/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_entry.c - which frames lane53_entry takes: every shape of frame has one outcome,
 * and a frame that is passed on is passed on as it came.
 */
#include <string.h>

#include "../check.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "rig.h"

static struct rig rig;

static const uint8_t rr_a[] = {
	0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1
};

#define NAME "www.example.org."

/* ---- changes to a frame that is right ---- */

static uint8_t *l3(struct packet *p)
{
	return p->bytes + p->l3_off;
}

static uint8_t *l4(struct packet *p)
{
	return p->bytes + p->l4_off;
}

static uint8_t *dns(struct packet *p)
{
	return p->bytes + p->dns_off;
}

static void shorten(struct packet *p, size_t message_len)
{
	p->len -= p->dns_len - message_len;
	p->dns_len = message_len;
	packet_seal(p);
}

static void other_mac(struct packet *p)
{
	p->bytes[5] ^= 1;
}

static void group_mac(struct packet *p)
{
	memset(p->bytes, 0xff, 6);
}

static void ip_options(struct packet *p)
{
	l3(p)[0] = 0x46;
}

static void more_fragments(struct packet *p)
{
	l3(p)[6] |= 0x20;
}

static void later_fragment(struct packet *p)
{
	l3(p)[7] = 1;
}

static void dont_fragment(struct packet *p)
{
	l3(p)[6] = 0x40;
	packet_seal(p);
}

static void ip_too_short(struct packet *p)
{
	packet_put_u16(l3(p) + 2, (uint16_t)(27 + p->dns_len));
}

static void ip_too_long(struct packet *p)
{
	packet_put_u16(l3(p) + 2, (uint16_t)(29 + p->dns_len));
}

static void udp_too_short(struct packet *p)
{
	packet_put_u16(l4(p) + 4, (uint16_t)(7 + p->dns_len));
}

static void udp_beyond_frame(struct packet *p)
{
	p->dns_len++;
	packet_seal(p);
}

static void udp_len_tiny(struct packet *p)
{
	packet_put_u16(l4(p) + 4, 7);
	packet_put_u16(l3(p) + 2, 27);
}

static void tcp(struct packet *p)
{
	l3(p)[9] = 6;
}

static void tcp6(struct packet *p)
{
	l3(p)[6] = 6;
}

static void fragment6(struct packet *p)
{
	l3(p)[6] = 44;
}

static void version6(struct packet *p)
{
	l3(p)[0] = 0x50;
}

static void payload6_zero(struct packet *p)
{
	packet_put_u16(l3(p) + 4, 0);
}

static void arp(struct packet *p)
{
	packet_put_u16(p->bytes + 12, 0x0806);
}

static void only_ethernet(struct packet *p)
{
	p->len = 14;
}

static void cut_in_ip(struct packet *p)
{
	p->len = p->l3_off + 19;
}

static void cut_in_udp(struct packet *p)
{
	p->len = p->l4_off + 7;
}

static void third_tag(struct packet *p)
{
	packet_put_u16(p->bytes + p->l3_off - 2, 0x8100);
}

static void header_cut(struct packet *p)
{
	shorten(p, 11);
}

static void no_message(struct packet *p)
{
	shorten(p, 0);
}

static void is_response(struct packet *p)
{
	dns(p)[2] |= 0x80;
	packet_seal(p);
}

static void is_notify(struct packet *p)
{
	dns(p)[2] = OPCODE_NOTIFY << 3;
	packet_seal(p);
}

static void no_question(struct packet *p)
{
	dns(p)[5] = 0;
	packet_seal(p);
}

static void two_questions(struct packet *p)
{
	dns(p)[5] = 2;
	packet_seal(p);
}

static void has_answer(struct packet *p)
{
	dns(p)[7] = 1;
	packet_seal(p);
}

static void has_authority(struct packet *p)
{
	dns(p)[9] = 1;
	packet_seal(p);
}

static void additional_missing(struct packet *p)
{
	dns(p)[11] = 1;
	packet_seal(p);
}

static void two_additional(struct packet *p)
{
	dns(p)[11] = 2;
	packet_seal(p);
}

static void header_only(struct packet *p)
{
	shorten(p, 12);
}

static void name_cut(struct packet *p)
{
	shorten(p, 20);
}

static void class_cut(struct packet *p)
{
	shorten(p, p->question_end - 1);
}

static void name_pointer(struct packet *p)
{
	dns(p)[12] = 0xc0;
	packet_seal(p);
}

static void label_too_long(struct packet *p)
{
	dns(p)[12] = 64;
	packet_seal(p);
}

static void opt_with_owner(struct packet *p)
{
	dns(p)[p->question_end] = 1;
	packet_seal(p);
}

static void tsig(struct packet *p)
{
	packet_put_u16(dns(p) + p->question_end + 1, TYPE_TSIG);
	packet_seal(p);
}

static void bytes_after_opt(struct packet *p)
{
	p->dns_len += 3;
	p->len += 3;
	packet_seal(p);
}

static void opt_rdata_beyond(struct packet *p)
{
	packet_put_u16(dns(p) + p->question_end + 9, 4);
	packet_seal(p);
}

static const uint8_t opt_ecs[] = { 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2 };
static const uint8_t opt_nsid[] = { 0, 3, 0, 0 };
static const uint8_t opt_cookie[] = { 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t opt_unknown[] = { 0xfd, 0xe9, 0, 1, 9 };
static const uint8_t opt_padding[72] = { 0, 12, 0, 68 };
static const uint8_t opt_four[16] = { 0, 12, 0, 0, 0, 12, 0, 0, 0, 12 };
static const uint8_t opt_five[20] = { 0, 12, 0, 0, 0, 12, 0, 0, 0, 12 };

#define OPTIONS(o) .edns = true, .options = (o), .options_len = sizeof(o)
#define V6         .ipv6 = true
#define TAG1       .tags = 1, .vlan = { 10 }
#define TAG2       .tags = 2, .vlan = { 20, 30 }

/* clang-format off: one case a line */
static const struct {
	const char *name;
	struct packet_spec spec;
	void (*bend)(struct packet *p);
	int outcome;
} cases[] = {
	{ "IPv4", { .qname = NAME }, NULL, LANE53_ANSWERED_LOCAL },
	{ "IPv6", { .qname = NAME, V6 }, NULL, LANE53_ANSWERED_LOCAL },
	{ "DF", { .qname = NAME }, dont_fragment, LANE53_ANSWERED_LOCAL },
	{ "padded to 60 and beyond",
	  { .qname = NAME, .padding = 18 },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "other case", { .qname = "WwW.eXaMpLe.ORG." }, NULL, LANE53_ANSWERED_LOCAL },
	{ "priority tag is no tag",
	  { .qname = NAME, .tags = 1, .vlan = { 0xe000 } },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "known tag", { .qname = NAME, TAG1 }, NULL, LANE53_ANSWERED_LOCAL },
	{ "known tag with priority",
	  { .qname = NAME, .tags = 1, .vlan = { 0x600a } },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "known two tags", { .qname = NAME, TAG2 }, NULL, LANE53_ANSWERED_LOCAL },
	{ "known two tags, IPv6",
	  { .qname = NAME, TAG2, V6 },
	  NULL,
	  LANE53_ANSWERED_LOCAL },

	{ "unknown tag",
	  { .qname = NAME, .tags = 1, .vlan = { 11 } },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "known outer, unknown inner tag",
	  { .qname = NAME, .tags = 2, .vlan = { 10, 11 } },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "two tags swapped",
	  { .qname = NAME, .tags = 2, .vlan = { 30, 20 } },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "three tags", { .qname = NAME, TAG2 }, third_tag, LANE53_PASSED_NOT_DNS },
	{ "other MAC", { .qname = NAME }, other_mac, LANE53_PASSED_NOT_OURS },
	{ "broadcast MAC", { .qname = NAME }, group_mac, LANE53_PASSED_NOT_OURS },
	{ "other address",
	  { .qname = NAME, .to = "192.0.2.54" },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "other address, IPv6",
	  { .qname = NAME, V6, .to = "2001:db8::54" },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "other port",
	  { .qname = NAME, .to_port = 5353 },
	  NULL,
	  LANE53_PASSED_NOT_OURS },
	{ "IPv4-mapped on the wire",
	  { .qname = NAME, V6, .to = "::ffff:192.0.2.53" },
	  NULL,
	  LANE53_PASSED_NOT_OURS },

	{ "from port 53",
	  { .qname = NAME, .from_port = 53 },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from 0.0.0.0",
	  { .qname = NAME, .from = "0.0.0.0" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from 127.0.0.1",
	  { .qname = NAME, .from = "127.0.0.1" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from multicast",
	  { .qname = NAME, .from = "224.0.0.251" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from broadcast",
	  { .qname = NAME, .from = "255.255.255.255" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from ourselves",
	  { .qname = NAME, .from = "192.0.2.53" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from another of our addresses",
	  { .qname = NAME, .from = "192.0.2.99" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from ::",
	  { .qname = NAME, V6, .from = "::" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from ::1",
	  { .qname = NAME, V6, .from = "::1" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from IPv4-mapped",
	  { .qname = NAME, V6, .from = "::ffff:192.0.2.7" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from IPv6 multicast",
	  { .qname = NAME, V6, .from = "ff02::1" },
	  NULL,
	  LANE53_PASSED_UNSUPPORTED },
	{ "from link-local",
	  { .qname = NAME, V6, .from = "fe80::7" },
	  NULL,
	  LANE53_ANSWERED_LOCAL },

	{ "ARP", { .qname = NAME }, arp, LANE53_PASSED_NOT_DNS },
	{ "TCP", { .qname = NAME }, tcp, LANE53_PASSED_NOT_DNS },
	{ "TCP, IPv6", { .qname = NAME, V6 }, tcp6, LANE53_PASSED_NOT_DNS },
	{ "IPv6 fragment", { .qname = NAME, V6 }, fragment6, LANE53_PASSED_NOT_DNS },
	{ "IPv6 of another version",
	  { .qname = NAME, V6 },
	  version6,
	  LANE53_PASSED_NOT_DNS },
	{ "only Ethernet", { .qname = NAME }, only_ethernet, LANE53_PASSED_NOT_DNS },
	{ "cut in IPv4", { .qname = NAME }, cut_in_ip, LANE53_PASSED_NOT_DNS },
	{ "cut in IPv6", { .qname = NAME, V6 }, cut_in_ip, LANE53_PASSED_NOT_DNS },
	{ "cut in UDP", { .qname = NAME }, cut_in_udp, LANE53_PASSED_UNSUPPORTED },
	{ "IP options", { .qname = NAME }, ip_options, LANE53_PASSED_UNSUPPORTED },
	{ "first fragment",
	  { .qname = NAME },
	  more_fragments,
	  LANE53_PASSED_UNSUPPORTED },
	{ "later fragment",
	  { .qname = NAME },
	  later_fragment,
	  LANE53_PASSED_UNSUPPORTED },
	{ "IP length below UDP's",
	  { .qname = NAME },
	  ip_too_short,
	  LANE53_PASSED_UNSUPPORTED },
	{ "IP length above UDP's",
	  { .qname = NAME, .padding = 4 },
	  ip_too_long,
	  LANE53_PASSED_UNSUPPORTED },
	{ "UDP length below IP's",
	  { .qname = NAME },
	  udp_too_short,
	  LANE53_PASSED_UNSUPPORTED },
	{ "UDP length beyond the frame",
	  { .qname = NAME },
	  udp_beyond_frame,
	  LANE53_PASSED_UNSUPPORTED },
	{ "UDP length beyond, IPv6",
	  { .qname = NAME, V6 },
	  udp_beyond_frame,
	  LANE53_PASSED_UNSUPPORTED },
	{ "UDP length below 8",
	  { .qname = NAME },
	  udp_len_tiny,
	  LANE53_PASSED_UNSUPPORTED },
	{ "IPv6 payload length 0",
	  { .qname = NAME, V6 },
	  payload6_zero,
	  LANE53_PASSED_UNSUPPORTED },

	{ "no message", { .qname = NAME }, no_message, LANE53_PASSED_UNSUPPORTED },
	{ "header cut", { .qname = NAME }, header_cut, LANE53_PASSED_UNSUPPORTED },
	{ "QR=1", { .qname = NAME }, is_response, LANE53_PASSED_UNSUPPORTED },
	{ "NOTIFY", { .qname = NAME }, is_notify, LANE53_TO_LANE },
	{ "QDCOUNT 0", { .qname = NAME }, no_question, LANE53_TO_LANE },
	{ "QDCOUNT 2", { .qname = NAME }, two_questions, LANE53_TO_LANE },
	{ "ANCOUNT 1", { .qname = NAME }, has_answer, LANE53_TO_LANE },
	{ "NSCOUNT 1", { .qname = NAME }, has_authority, LANE53_TO_LANE },
	{ "ARCOUNT 1 and nothing there",
	  { .qname = NAME },
	  additional_missing,
	  LANE53_TO_LANE },
	{ "ARCOUNT 2",
	  { .qname = NAME, .edns = true },
	  two_additional,
	  LANE53_TO_LANE },
	{ "header only", { .qname = NAME }, header_only, LANE53_TO_LANE },
	{ "QNAME cut", { .qname = NAME }, name_cut, LANE53_TO_LANE },
	{ "QCLASS cut", { .qname = NAME }, class_cut, LANE53_TO_LANE },
	{ "QNAME is a pointer", { .qname = NAME }, name_pointer, LANE53_TO_LANE },
	{ "label of 64", { .qname = NAME }, label_too_long, LANE53_TO_LANE },
	{ "class CH", { .qname = NAME, .qclass = CLASS_CH }, NULL, LANE53_TO_LANE },
	{ "class ANY", { .qname = NAME, .qclass = CLASS_ANY }, NULL, LANE53_TO_LANE },
	{ "another name", { .qname = "ww.example.org." }, NULL, LANE53_TO_LANE },
	{ "another type", { .qname = NAME, .qtype = TYPE_AAAA }, NULL, LANE53_TO_LANE },
	{ "the root", { .qname = "." }, NULL, LANE53_TO_LANE },
	{ "a miss with 2 tags, IPv6",
	  { .qname = "x.", TAG2, V6 },
	  NULL,
	  LANE53_TO_LANE },

	{ "EDNS", { .qname = NAME, .edns = true }, NULL, LANE53_ANSWERED_LOCAL },
	{ "EDNS version 1",
	  { .qname = NAME, .edns = true, .version = 1 },
	  NULL,
	  LANE53_TO_LANE },
	{ "OPT with an owner",
	  { .qname = NAME, .edns = true },
	  opt_with_owner,
	  LANE53_TO_LANE },
	{ "TSIG", { .qname = NAME, .edns = true }, tsig, LANE53_TO_LANE },
	{ "bytes after the OPT",
	  { .qname = NAME, .edns = true },
	  bytes_after_opt,
	  LANE53_TO_LANE },
	{ "bytes after the question",
	  { .qname = NAME },
	  bytes_after_opt,
	  LANE53_TO_LANE },
	{ "OPT's RDATA beyond the message",
	  { .qname = NAME, .edns = true },
	  opt_rdata_beyond,
	  LANE53_TO_LANE },
	{ "ECS", { .qname = NAME, OPTIONS(opt_ecs) }, NULL, LANE53_TO_LANE },
	{ "NSID", { .qname = NAME, OPTIONS(opt_nsid) }, NULL, LANE53_TO_LANE },
	{ "cookie",
	  { .qname = NAME, OPTIONS(opt_cookie) },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "unknown option",
	  { .qname = NAME, OPTIONS(opt_unknown) },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "padding option",
	  { .qname = NAME, OPTIONS(opt_padding) },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "four options",
	  { .qname = NAME, OPTIONS(opt_four) },
	  NULL,
	  LANE53_ANSWERED_LOCAL },
	{ "five options", { .qname = NAME, OPTIONS(opt_five) }, NULL, LANE53_TO_LANE },
};
/* clang-format on */

static uint32_t action_of(int outcome)
{
	switch (outcome) {
	case LANE53_ANSWERED_LOCAL:
	case LANE53_ANSWERED_CACHE:
	case LANE53_ANSWERED_TRUNCATED:
		return 3; /* XDP_TX */
	case LANE53_TO_LANE:
		return 4; /* XDP_REDIRECT */
	default:
		return 2; /* XDP_PASS */
	}
}

/* What stays of @p when it is passed on or sent down the lane, padding aside. */
static void expect_untouched(const struct packet *p, const struct rig_run *run)
{
	const size_t push = run->outcome == LANE53_TO_LANE ? LANE53_LANE_PUSH : 0;

	CU_ASSERT_TRUE(run->len >= push && run->len - push <= p->len);
	CU_ASSERT_EQUAL(memcmp(run->bytes + push, p->bytes, run->len - push), 0);
	if (run->outcome == LANE53_TO_LANE)
		CU_ASSERT_EQUAL(run->len - push, p->dns_off + p->dns_len);
}

static void expect(const char *name, const struct packet *p, int outcome)
{
	static struct rig_run run;
	struct response r;
	const char *why = NULL;

	rig_heartbeat(&rig);
	rig_entry(&rig, p->bytes, p->len, &run);
	if (run.outcome != outcome || run.action != action_of(outcome))
		printf("\n    %s: got %s, action %u; want %s", name,
		       rig_outcome_name(run.outcome), run.action,
		       rig_outcome_name(outcome));
	CU_ASSERT_EQUAL(run.outcome, outcome);
	CU_ASSERT_EQUAL(run.action, action_of(outcome));
	if (outcome != LANE53_ANSWERED_LOCAL) {
		expect_untouched(p, &run);
		return;
	}
	why = response_read(&r, p, run.bytes, run.len);
	if (why)
		printf("\n    %s: %s", name, why);
	CU_ASSERT_PTR_NULL_FATAL(why);
	CU_ASSERT_EQUAL(r.answer_len, sizeof(rr_a));
	CU_ASSERT_EQUAL(memcmp(r.answer, rr_a, sizeof(rr_a)), 0);
}

static void every_shape_has_its_outcome(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct packet p;

		packet_build(&p, &cases[i].spec);
		if (cases[i].bend)
			cases[i].bend(&p);
		expect(cases[i].name, &p, cases[i].outcome);
	}
}

static void all_ethertypes(void)
{
	struct packet p;
	struct rig_run run;
	unsigned wrong = 0;

	packet_build(&p, &(struct packet_spec){ .qname = NAME });
	for (unsigned type = 0; type < 0x10000; type++) {
		if (type == 0x0800)
			continue;
		packet_put_u16(p.bytes + 12, (uint16_t)type);
		rig_entry(&rig, p.bytes, p.len, &run);
		wrong += run.action != 2 || run.outcome != LANE53_PASSED_NOT_DNS ||
			 run.len != p.len || memcmp(run.bytes, p.bytes, p.len) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void all_ports(void)
{
	struct packet p;
	struct rig_run run;
	unsigned wrong = 0;

	for (unsigned port = 0; port < 0x10000; port++) {
		packet_build(&p, &(struct packet_spec){ .qname = NAME });
		packet_put_u16(p.bytes + p.l4_off + 2, (uint16_t)port);
		rig_entry(&rig, p.bytes, p.len, &run);
		wrong += run.outcome !=
			 (port == 53 ? LANE53_ANSWERED_LOCAL : LANE53_PASSED_NOT_OURS);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (unsigned port = 0; port < 0x10000; port++) {
		packet_build(&p, &(struct packet_spec){ .qname = NAME });
		packet_put_u16(p.bytes + p.l4_off, (uint16_t)port);
		rig_entry(&rig, p.bytes, p.len, &run);
		wrong += run.outcome != (port == 0 || port == 53
						 ? LANE53_PASSED_UNSUPPORTED
						 : LANE53_ANSWERED_LOCAL);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void kill_switch(void)
{
	struct packet p;

	packet_build(&p, &(struct packet_spec){ .qname = NAME });
	rig.settings->enabled = 0;
	expect("killed", &p, LANE53_PASSED_DISABLED);
	rig.settings->enabled = 1;
	expect("alive again", &p, LANE53_ANSWERED_LOCAL);
}

static const struct check_case checks[] = {
	{ "every shape has its outcome", every_shape_has_its_outcome },
	{ "all EtherTypes", all_ethertypes },
	{ "all ports, to and from", all_ports },
	{ "kill switch", kill_switch },
};

int main(void)
{
	const struct rig_entry www = { .qname = NAME,
				       .slot_flags = LANE53_SLOT_AA,
				       .bytes = rr_a,
				       .len = sizeof(rr_a),
				       .ancount = 1 };
	struct lane53_iface iface = { .flags = 0 };
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	memcpy(iface.mac, packet_mac, 6);
	rig_iface(&rig,
		  &(struct lane53_iface_key){ .ifindex = (uint32_t)rig.ifindex,
					      .vlan = 10 },
		  &iface);
	rig_iface(&rig,
		  &(struct lane53_iface_key){ .ifindex = (uint32_t)rig.ifindex,
					      .vlan = 20,
					      .vlan_inner = 30 },
		  &iface);
	rig_service(&rig, "192.0.2.99", 0, 53, RIG_VIEW);
	rig_put(&rig, &rig.local, &www);
	r = check_main("entry", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
