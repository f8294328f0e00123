/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_veth.c - the same frames through a real driver, native and generic: there is less
 * room behind a frame than BPF_PROG_RUN gives, so answers have to grow at the head.
 */
#include <linux/if_link.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "lane53.skel.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "live.h"
#include "rig.h"

static struct rig rig;
static uint8_t filler[LANE53_LARGE_BYTES];

/* Name of @len bytes on the wire, in labels of up to 50; 3 <= @len <= 250. */
static void name_of(char *text, size_t len)
{
	memset(text, 'x', len - 2);
	for (size_t dot = 50; dot < len - 3; dot += 51)
		text[dot] = '.';
	strcpy(text + len - 2, ".");
}

/*
 * XDP_PACKET_HEADROOM less struct xdp_frame: 216 bytes at the head, whatever the tail
 * has.  What grows by less is always answered, and as BPF_PROG_RUN says.
 */
#define HEAD_ROOM 216

static void expect_same(struct live *live, const struct packet *p, size_t grows)
{
	static struct rig_run want;
	uint8_t got[4096];
	size_t len;

	rig_entry(&rig, p->bytes, p->len, &want);
	CU_ASSERT_EQUAL(want.outcome, LANE53_ANSWERED_LOCAL);
	len = live_ask(live, p->bytes, p->len, got, sizeof(got));
	if (!len && grows > HEAD_ROOM)
		return; /* the lane's, were it open */
	if (len != want.len)
		printf("\n    message of %zu, growing by %zu: %zu bytes came back",
		       p->dns_len, grows, len);
	CU_ASSERT_EQUAL_FATAL(len, want.len);
	CU_ASSERT_EQUAL(memcmp(got, want.bytes, len), 0);
}

static void every_size(uint32_t mode)
{
	static const size_t answers[] = { 0,   16,  28,  56,  57, 100,
					  150, 200, 216, 400, 900 };
	struct live live;
	char text[256];
	int r = live_open(&live, &rig, bpf_program__fd(rig.skel->progs.lane53_entry),
			  mode, 2 /* XDP_PASS */);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	rig.settings->heartbeat_ns =
		0; /* what cannot be answered is not lost in a lane */
	for (size_t i = 0; i < ARRAY_LEN(answers) * 8; i++) {
		const size_t len = answers[i / 8];
		struct rig_entry e = { .qname = text,
				       .bytes = filler,
				       .len = len,
				       .ancount = len ? (len <= 28 ? 1 : 2) : 0 };
		struct packet p;

		name_of(text, 10 + i % 8 * 32);
		rig_clear(&rig.local);
		rig_put(&rig, &rig.local, &e);
		packet_build(&p, &(struct packet_spec){ .qname = text,
							.ipv6 = i & 1,
							.edns = len > 150 || i & 2 });
		expect_same(&live, &p, len);
	}
	live_close(&live);
}

static void native(void)
{
	every_size(XDP_FLAGS_DRV_MODE);
}

static void generic(void)
{
	every_size(XDP_FLAGS_SKB_MODE);
}

static uint64_t passed_count(void)
{
	const uint32_t slot = LANE53_PASSED_NO_WORKER;
	uint64_t per_cpu[1024] = { 0 }, sum = 0;

	CU_ASSERT_EQUAL(bpf_map_lookup_elem(bpf_map__fd(rig.skel->maps.outcomes), &slot,
					    per_cpu),
			0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		sum += per_cpu[cpu];
	return sum;
}

/*
 * Without room at either end the query is passed on, not lost.  Kernels before 6.7 have
 * some 3 KiB at a veth's tail and answer.
 */
static void no_room_is_no_harm(void)
{
	struct rig_entry e = {
		.qname = "big.", .bytes = filler, .len = 1000, .ancount = 2
	};
	const uint64_t before = passed_count();
	uint8_t got[4096];
	struct packet p;
	struct live live;
	bool came_back;

	CU_ASSERT_EQUAL_FATAL(live_open(&live, &rig,
					bpf_program__fd(rig.skel->progs.lane53_entry),
					XDP_FLAGS_DRV_MODE, 2),
			      0);
	rig_clear(&rig.local);
	rig_put(&rig, &rig.local, &e);
	packet_build(&p, &(struct packet_spec){ .qname = "big.", .edns = true });
	came_back = live_ask(&live, p.bytes, p.len, got, sizeof(got)) > 0;
	CU_ASSERT_EQUAL(passed_count() - before, came_back ? 0 : 1);
	live_close(&live);
}

static const struct check_case checks[] = {
	{ "native", native },
	{ "generic", generic },
	{ "no room is no harm", no_room_is_no_harm },
};

int main(void)
{
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(filler); i++)
		filler[i] = (uint8_t)(i * 13);
	r = check_main("veth", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
