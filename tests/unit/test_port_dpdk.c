/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_port_dpdk.c - the port on the lane: DPDK's real net_af_xdp on a real veth.
 *
 * In a network namespace of its own: the test stands where XDP does, on lane53a, with a
 * packet socket, and echoes for an engine on lane53b.  DPDK starts once per process, so
 * there is one port for all cases.
 */
#include "check.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/port.h"
#include "io/port_dpdk.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

#define HEADERS (48 + 14 + 20 + 8) /* lane, Ethernet, IPv4, UDP */

#define LANES 2

static struct port *ports[LANES], *port; /* of the first lane */
static int lanes[LANES], lane;           /* packet sockets on lane53a, lane53a-1 */
static struct client kept;

static void put(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A tagged query of @dns_len bytes of @fill. */
static size_t build(uint8_t *f, uint8_t fill, size_t dns_len)
{
	memset(f, 0, HEADERS);
	memcpy(f, "\2\0\0\0\0\x0b\2\0\0\0\0\x0a", 12);
	put(f + 12, LANE53_ETHERTYPE);
	put(f + 14, LANE53_TAG_MAGIC);
	f[16] = LANE53_ABI_VERSION;
	f[21] = 9; /* ifindex */
	f[25] = 5; /* view */
	put(f + 30, 14);
	put(f + 32, 34);
	put(f + 34, 42);
	put(f + 36, (unsigned)dns_len);
	memcpy(f + 48, "\2\1\1\1\1\1\2\2\2\2\2\2\x08\0", 14);
	f[62] = 0x45;
	put(f + 64, (unsigned)(28 + dns_len));
	f[70] = 64;
	f[71] = 17;
	memcpy(f + 74, "\xc0\0\2\7\xc6\x33\x64\x35", 8);
	put(f + 82, 40000);
	put(f + 84, 53);
	put(f + 86, (unsigned)(8 + dns_len));
	memset(f + HEADERS, fill, dns_len);
	return HEADERS + dns_len;
}

/* One turn of an engine that echoes; a message of 'l' is kept, one of 'd' dropped. */
static unsigned echo(void)
{
	struct query queries[PORT_BATCH];
	unsigned n = port->ops->recv(port, queries, PORT_BATCH);

	for (unsigned i = 0; i < n; i++) {
		struct query *q = &queries[i];

		CU_ASSERT_EQUAL(q->client.view, 5);
		CU_ASSERT_EQUAL(q->client.ifindex, 9);
		CU_ASSERT_EQUAL(q->client.remote_port, 40000);
		if (q->message[0] == 'l' || q->message[0] == 'd') {
			kept = q->client;
			port->ops->drop(port, q, 1);
			continue;
		}
		q->reply_len = q->message[0] == 't' ? 4000 : q->len;
		memset(q->reply, 0, q->reply_len);
		memcpy(q->reply, q->message, q->len);
		port->ops->send(port, q, 1);
	}
	return n;
}

static unsigned echo_until(unsigned want)
{
	struct pollfd p = { .fd = port_dpdk_fd(port), .events = POLLIN };
	unsigned got = 0;

	while (got < want && poll(&p, 1, 1000) > 0)
		got += echo();
	return got;
}

/* The next frame of ours on the lane; the kernel's own (neighbour discovery) skipped. */
static size_t lane_recv(uint8_t *f, size_t room, int timeout_ms)
{
	struct pollfd p = { .fd = lane, .events = POLLIN };

	while (poll(&p, 1, timeout_ms) > 0) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(lane, f, room, 0, (struct sockaddr *)&from, &len);

		if (n > HEADERS && from.sll_pkttype != PACKET_OUTGOING &&
		    f[12] == LANE53_ETHERTYPE >> 8)
			return (size_t)n;
	}
	return 0;
}

static void lane_send(const uint8_t *f, size_t len)
{
	CU_ASSERT_EQUAL(send(lane, f, len, 0), (ssize_t)len);
}

static void round_trip(void)
{
	uint8_t query[2000], got[2000];
	size_t len = build(query, 'q', 33);

	lane_send(query, len);
	CU_ASSERT_EQUAL(echo_until(1), 1);
	CU_ASSERT_EQUAL_FATAL(lane_recv(got, sizeof(got), 1000), len);
	CU_ASSERT_EQUAL(memcmp(got, query + 6, 6), 0);        /* to lane53a */
	CU_ASSERT_EQUAL(memcmp(got + 14, query + 14, 34), 0); /* tag as it came */
	CU_ASSERT_EQUAL(memcmp(got + 48, query + 54, 6), 0);
	CU_ASSERT_EQUAL(memcmp(got + 74, query + 78, 4), 0);
	CU_ASSERT_EQUAL(memcmp(got + HEADERS, query + HEADERS, 33), 0);
}

static void largest_question(void)
{
	uint8_t query[2000], got[2000];
	size_t len = build(query, 'q', LANE53_LANE_MTU + 14 - HEADERS);

	lane_send(query, len);
	CU_ASSERT_EQUAL(echo_until(1), 1);
	CU_ASSERT_EQUAL(lane_recv(got, sizeof(got), 1000), len);
}

static void answered_later(void)
{
	uint8_t query[2000], got[2000];

	lane_send(query, build(query, 'l', 40));
	CU_ASSERT_EQUAL(echo_until(1), 1);
	CU_ASSERT_EQUAL(lane_recv(got, sizeof(got), 50), 0);
	port->ops->send_later(port, &kept, (const uint8_t *)"response", 8);
	port_dpdk_flush(port);
	CU_ASSERT_EQUAL(lane_recv(got, sizeof(got), 1000), HEADERS + 8);
	CU_ASSERT_EQUAL(memcmp(got + HEADERS, "response", 8), 0);
}

/* A response that fits no frame comes as TC=1 with the question. */
static void too_large_is_truncated(void)
{
	static const uint8_t message[] = { 't', 1, 1, 0,   0, 1, 0, 9, 0, 0,
					   0,   0, 1, 'x', 0, 0, 1, 0, 1 };
	uint8_t query[2000], got[2000];
	size_t len = build(query, 0, sizeof(message));

	memcpy(query + HEADERS, message, sizeof(message));
	lane_send(query, len);
	CU_ASSERT_EQUAL(echo_until(1), 1);
	CU_ASSERT_EQUAL(lane_recv(got, sizeof(got), 1000), len);
	CU_ASSERT_TRUE(got[HEADERS + 2] & FLAG_TC >> 8);
	CU_ASSERT_EQUAL(got[HEADERS + 7], 0); /* ANCOUNT */
}

static void bad_frames_are_counted(void)
{
	struct port_dpdk_counts before, after;
	uint8_t query[2000], got[2000];
	size_t len = build(query, 'q', 33);

	port_dpdk_counts(port, &before);
	query[14] = 0; /* magic */
	lane_send(query, len);
	build(query, 'q', 33);
	query[71] = 6; /* TCP */
	lane_send(query, len);
	lane_send(query, build(query, 'd', 33)); /* good: tells when all have come */
	CU_ASSERT_EQUAL(echo_until(1), 1);
	CU_ASSERT_EQUAL(lane_recv(got, sizeof(got), 50), 0);
	port_dpdk_counts(port, &after);
	CU_ASSERT_EQUAL(after.rx_bad - before.rx_bad, 2);
	CU_ASSERT_EQUAL(after.rx - before.rx, 1);
	CU_ASSERT_EQUAL(after.tx - before.tx, 0);
}

/* More than there are mbufs, so that one that is not given back would be missed. */
static void no_buffer_is_lost(void)
{
	enum { ROUNDS = 1000, AT_ONCE = 20 };
	struct port_dpdk_counts counts;
	uint8_t query[2000], got[2000];
	size_t len = build(query, 'q', 60);
	unsigned answered = 0;

	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < AT_ONCE; j++) {
			static const char kinds[] = "qdl";

			build(query, (uint8_t)kinds[j % 3], 60);
			lane_send(query, len);
		}
		CU_ASSERT_EQUAL(echo_until(AT_ONCE), AT_ONCE);
		port->ops->send_later(port, &kept, query + HEADERS, 60);
		port_dpdk_flush(port);
		while (answered < (unsigned)(i + 1) * 8 &&
		       lane_recv(got, sizeof(got), 1000))
			answered++;
	}
	/* 7 of 20 are 'q'; one of the others is answered later */
	CU_ASSERT_EQUAL(answered, ROUNDS * 8);
	port_dpdk_counts(port, &counts);
	CU_ASSERT_EQUAL(counts.tx_dropped, 0);
}

static void count_frame(void *context, const uint8_t *bytes, size_t len)
{
	CU_ASSERT_TRUE(bytes[17] & LANE53_TAG_UPSTREAM);
	CU_ASSERT_TRUE(len > HEADERS);
	++*(unsigned *)context;
}

/* Take up to @max queries and drop them.  Return: how many there were. */
static unsigned shed(unsigned max)
{
	struct query queries[PORT_BATCH];
	unsigned n = port->ops->recv(port, queries, max);

	port->ops->drop(port, queries, n);
	return n;
}

/* Turns of a worker that takes one query in each, until there is a response. */
static unsigned turn_until_response(void)
{
	unsigned taken = 0;

	for (unsigned turns = 0; turns < 8 && !port_dpdk_has_upstream(port); turns++) {
		if (turns) /* not here yet: the kernel may have put it off */
			poll(NULL, 0, 5);
		taken += shed(1);
	}
	return taken;
}

/*
 * Two hundred queries, then an upstream's response, over and over: far more than ring
 * and queue hold, and not one response may be lost.  Again and again, until each mbuf has
 * been in the kernel's hands.
 */
static void flood_loses_no_response(void)
{
	enum { FLOODS = 5, STEPS = 40, FLOOD = 200 };
	const uint64_t before = port_dpdk_xsk_dropped(port);
	unsigned taken = 0, heard = 0, more;
	uint8_t query[2000], response[2000];
	size_t len = build(query, 'q', 60);

	build(response, 'u', 60);
	response[17] |= LANE53_TAG_UPSTREAM;
	for (unsigned i = 0; i < FLOODS * STEPS; i++) {
		port_dpdk_expect_upstream(port, true);
		for (unsigned n = 0; n < FLOOD; n++)
			lane_send(query, len);
		lane_send(response, len);
		taken += turn_until_response();
		port_dpdk_each_upstream(port, count_frame, &heard);
		CU_ASSERT_EQUAL_FATAL(heard, i + 1);
		if (i % STEPS < STEPS - 1)
			continue;
		port_dpdk_expect_upstream(port, false);
		while ((more = shed(PORT_BATCH)))
			taken += more;
	}
	CU_ASSERT_TRUE(port_dpdk_xsk_dropped(port) > before);
	CU_ASSERT_EQUAL(taken + port_dpdk_xsk_dropped(port) - before,
			FLOODS * STEPS * FLOOD);
	round_trip();
}

/* ---- several lanes ---- */

static void each_lane_has_its_port(void)
{
	uint8_t query[2000];
	size_t len = build(query, 'd', 33);
	struct query got[PORT_BATCH];

	CU_ASSERT_NOT_EQUAL(port_dpdk_fd(ports[0]), port_dpdk_fd(ports[1]));
	for (unsigned i = 0; i < LANES; i++) {
		struct port *here = ports[i], *other = ports[1 - i];
		struct pollfd p = { .fd = port_dpdk_fd(here), .events = POLLIN };

		CU_ASSERT_EQUAL(send(lanes[i], query, len, 0), (ssize_t)len);
		CU_ASSERT_EQUAL(poll(&p, 1, 1000), 1);
		CU_ASSERT_EQUAL(other->ops->recv(other, got, PORT_BATCH), 0);
		CU_ASSERT_EQUAL_FATAL(here->ops->recv(here, got, PORT_BATCH), 1);
		here->ops->drop(here, got, 1);
	}
}

#define THREAD_FRAMES 20000

/* A lane's whole life in a thread of its own: asked, echoed, heard.  @context: its number. */
static void *serve(void *context)
{
	const unsigned idx = *(const unsigned *)context;
	struct port *here = ports[idx];
	uint8_t query[2000], got[2000];
	size_t len = build(query, (uint8_t)('A' + idx), 60);
	unsigned long heard = 0;

	if (idx)
		port_dpdk_enter();
	for (unsigned i = 0; i < THREAD_FRAMES; i++) {
		struct pollfd p = { .fd = port_dpdk_fd(here), .events = POLLIN };
		struct query q;

		if (send(lanes[idx], query, len, 0) != (ssize_t)len ||
		    poll(&p, 1, 1000) != 1 || here->ops->recv(here, &q, 1) != 1)
			break;
		memcpy(q.reply, q.message, q.len);
		q.reply_len = q.len;
		here->ops->send(here, &q, 1);
		if (recv(lanes[idx], got, sizeof(got), 0) == (ssize_t)len &&
		    got[HEADERS + 59] == 'A' + idx)
			heard++;
	}
	return (void *)heard;
}

static void a_thread_for_each_lane(void)
{
	unsigned idx[LANES] = { 0, 1 };
	pthread_t thread;
	void *heard = NULL;

	for (unsigned i = 0; i < LANES; i++) {
		const int on = 1;

		CU_ASSERT_EQUAL(setsockopt(lanes[i], SOL_PACKET, PACKET_IGNORE_OUTGOING,
					   &on, sizeof(on)),
				0);
	}
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, serve, &idx[1]), 0);
	CU_ASSERT_EQUAL((unsigned long)serve(&idx[0]), THREAD_FRAMES);
	pthread_join(thread, &heard);
	CU_ASSERT_EQUAL((unsigned long)heard, THREAD_FRAMES);
}

static bool make_lane(unsigned idx, const char *a, const char *b)
{
	const struct timeval second = { .tv_sec = 1 };
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL) };
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add %s mtu 1600 type veth peer name %s mtu 1600 && "
		 "for i in %s %s; do "
		 "echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; "
		 "ip link set $i up; done",
		 a, b, a, b);
	if (system(command) != 0)
		return false;
	lanes[idx] = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex(a);
	return lanes[idx] >= 0 &&
	       bind(lanes[idx], (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       setsockopt(lanes[idx], SOL_SOCKET, SO_RCVTIMEO, &second,
			  sizeof(second)) == 0;
}

static const struct check_case cases[] = {
	{ "round trip", round_trip },
	{ "largest question", largest_question },
	{ "answered later", answered_later },
	{ "too large is truncated", too_large_is_truncated },
	{ "bad frames are counted", bad_frames_are_counted },
	{ "no buffer is lost", no_buffer_is_lost },
	{ "flood loses no response", flood_loses_no_response },
	{ "each lane has its port", each_lane_has_its_port },
	{ "a thread for each lane", a_thread_for_each_lane },
};

int main(void)
{
	static struct port_dpdk_config config = { .interface = "lane53b",
						  .count = LANES,
						  .instance = "test" };
	char run_dir[] = "/tmp/lane53-dpdk-XXXXXX", command[64];
	char instance[32], why[512];
	int r;

	if (geteuid() != 0)
		return check_skip("needs root: a network namespace and AF_XDP");
	if (!mkdtemp(run_dir))
		return 1;
	if (unshare(CLONE_NEWNET) < 0 || !make_lane(0, "lane53a", "lane53b") ||
	    !make_lane(1, "lane53a-1", "lane53b-1"))
		return check_skip("no veth pairs in a network namespace of our own");
	lane = lanes[0];
	snprintf(instance, sizeof(instance), "test%d", getpid());
	config.instance = instance;
	config.run_dir = run_dir;
	if (port_dpdk_open(ports, &config, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	port = ports[0];
	r = check_main("port_dpdk", cases, ARRAY_LEN(cases));
	snprintf(command, sizeof(command), "rm -rf %s", run_dir);
	return system(command) || r;
}
