/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_transport_lane.c - the fast upstream path without a lane: frames are taken from
 * the transport and given to it, sockets end at an upstream on loopback, and time is
 * what the test says.
 */
#include "check.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"
#include "io/frame.h"
#include "io/transport.h"
#include "io/transport_lane.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "plan/plan.h"

#define MS         1000000ull
#define SECOND     (1000 * MS)
#define FIRST_PORT 61440
#define IFINDEX    7

/* The engine's side. */
struct exchange {
	int responses, failures;
	uint8_t last; /* byte of the message, as respond() set it */
	void *handle;
};

static struct transport *transport;
static struct lane53_asked asked[LANE53_ASKED_COUNT];
static struct plan_upstream upstream;
static int upstream_fd;
static uint64_t now_ns;

/* What was sent by the lane, the newest last. */
static struct {
	uint8_t bytes[512];
	size_t len;
} frames[8];
static unsigned frame_count;
static bool lane_is_full;

static const uint8_t query[] = {
	0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 1, 'x', 0, 0, 1, 0, 1,
};

static void on_response(void *context, struct exchange *e, const uint8_t *message,
			size_t len)
{
	(void)context;
	e->responses++;
	e->last = message[len - 1];
}

static void on_failed(void *context, struct exchange *e, int error)
{
	(void)context;
	(void)error;
	e->failures++;
}

static bool on_frame(void *context, const uint8_t *bytes, size_t len)
{
	(void)context;
	if (lane_is_full)
		return false;
	frame_count++;
	if (frame_count <= ARRAY_LEN(frames)) {
		memcpy(frames[frame_count - 1].bytes, bytes, len);
		frames[frame_count - 1].len = len;
	}
	return true;
}

/* 127.0.0.2: not the address that we would have ourselves. */
static void set_up(void)
{
	static const uint8_t address[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 2 };
	static const struct transport_sink sink = { on_response, on_failed, NULL };
	const struct lane_link link = {
		.send = on_frame,
		.asked = asked,
		.first_port = FIRST_PORT,
		.ports = LANE53_ASKED_COUNT,
		.mac_a = { 2, 0, 0, 0, 0, 0xa },
		.mac_b = { 2, 0, 0, 0, 0, 0xb },
	};
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, address, 0);

	memset(asked, 0xff, sizeof(asked)); /* of a worker that was killed */
	frame_count = 0;
	lane_is_full = false;
	now_ns = SECOND;
	upstream_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(upstream_fd, (struct sockaddr *)&at, len), 0);
	len = sizeof(at);
	CU_ASSERT_EQUAL(getsockname(upstream_fd, (struct sockaddr *)&at, &len), 0);
	upstream = (struct plan_upstream){ .proto = PLAN_UDP };
	address_from_socket(&at, upstream.remote.addr, &upstream.remote.port);
	CU_ASSERT_EQUAL_FATAL(transport_lane_open(&transport, &sink, &link), 0);
	transport_lane_begin(transport, now_ns);
}

static unsigned open_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LANE53_ASKED_COUNT; i++)
		count += asked[i].open != 0;
	return count;
}

static void tear_down(void)
{
	transport_lane_close(transport);
	CU_ASSERT_EQUAL(open_count(), 0);
	close(upstream_fd);
}

static void ask(struct exchange *e)
{
	memset(e, 0, sizeof(*e));
	CU_ASSERT_EQUAL_FATAL(transport->ops->ask(transport, e, &upstream, false, query,
						  sizeof(query), &e->handle),
			      0);
}

static uint64_t later(uint64_t ns)
{
	now_ns += ns;
	transport_lane_begin(transport, now_ns);
	return transport_lane_tick(transport);
}

/* The upstream answers what reached it by sockets.  Return: how many questions. */
static unsigned sockets_answer(uint8_t last)
{
	struct pollfd p = { .fd = upstream_fd, .events = POLLIN };
	struct transport *sockets = transport_lane_sockets(transport);
	struct sockaddr_storage from;
	unsigned count = 0;
	uint8_t m[512];

	while (poll(&p, 1, 0) > 0) {
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(upstream_fd, m, sizeof(m), 0,
				     (struct sockaddr *)&from, &from_len);

		m[2] |= 0x80;
		m[n] = last; /* in place of an answer */
		CU_ASSERT_EQUAL(sendto(upstream_fd, m, (size_t)n + 1, 0,
				       (struct sockaddr *)&from, from_len),
				n + 1);
		count++;
	}
	p.fd = transport_socket_fd(sockets);
	while (poll(&p, 1, 0) > 0)
		transport_socket_run(sockets);
	return count;
}

/* ---- the far end of the lane ---- */

static void put(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t kept[16];

	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

#define IP  62
#define UDP (IP + 20)
#define DNS (UDP + 8)

/* Full sum over pseudo header and UDP, as the upstream's stack makes it. */
static void seal(uint8_t *f, size_t len)
{
	unsigned long sum = 17 + (len - UDP);

	put(f + UDP + 6, 0);
	for (size_t i = IP + 12; i < len; i++)
		sum += i % 2 ? f[i] : (unsigned long)f[i] << 8;
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	put(f + UDP + 6, (unsigned)(sum ^ 0xffff));
}

/* The upstream's response to frame number @idx, as XDP tags it. */
static size_t answer_to(unsigned idx, uint8_t last, uint8_t *f)
{
	size_t len = frames[idx].len + 1;

	memcpy(f, frames[idx].bytes, frames[idx].len);
	swap(f + IP + 12, f + IP + 16, 4);
	swap(f + UDP, f + UDP + 2, 2);
	f[DNS + 2] |= 0x80;
	f[len - 1] = last;
	f[14 + 7] = IFINDEX;
	put(f + 14 + 22, (unsigned)(len - DNS));
	put(f + IP + 2, (unsigned)(len - IP));
	put(f + UDP + 4, (unsigned)(len - UDP));
	seal(f, len);
	return len;
}

static void lane_answers(unsigned idx, uint8_t last)
{
	uint8_t f[600];

	transport_lane_frame(transport, f, answer_to(idx, last, f));
}

static void lane_returns(unsigned idx)
{
	uint8_t f[600];

	memcpy(f, frames[idx].bytes, frames[idx].len);
	f[14 + 3] |= LANE53_TAG_RETURNED;
	transport_lane_frame(transport, f, frames[idx].len);
}

static bool is_used(void)
{
	return transport_lane_is_used(transport, &upstream);
}

static const struct lane53_asked *asked_for(unsigned idx)
{
	const uint8_t *udp = frames[idx].bytes + UDP;

	return &asked[(unsigned)(udp[0] << 8 | udp[1]) - FIRST_PORT];
}

/* A path in use, with nothing on its way. */
static void open_path(void)
{
	struct exchange e;

	ask(&e);
	CU_ASSERT_EQUAL(sockets_answer(1), 1);
	CU_ASSERT_EQUAL_FATAL(frame_count, 1);
	lane_answers(0, 2);
	CU_ASSERT_TRUE(is_used());
	frame_count = 0;
}

/* ---- cases ---- */

static void first_a_probe_beside_the_socket(void)
{
	struct exchange e, other;

	set_up();
	CU_ASSERT_EQUAL(open_count(), 0); /* the killed worker's are gone */
	ask(&e);
	CU_ASSERT_EQUAL(frame_count, 1);
	ask(&other); /* one probe at a time */
	CU_ASSERT_EQUAL(frame_count, 1);
	CU_ASSERT_FALSE(is_used());
	CU_ASSERT_EQUAL(asked_for(0)->ifindex, 0);
	lane_answers(0, 2);
	CU_ASSERT_EQUAL(e.responses, 0); /* a probe is nobody's question */
	CU_ASSERT_TRUE(is_used());
	CU_ASSERT_EQUAL(sockets_answer(1), 2);
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(other.responses, 1);
	tear_down();
}

static void then_by_the_lane_alone(void)
{
	const struct lane53_asked *a;
	struct exchange e;
	struct frame f;

	set_up();
	open_path();
	ask(&e);
	CU_ASSERT_EQUAL_FATAL(frame_count, 1);
	CU_ASSERT_EQUAL_FATAL(frame_read(&f, frames[0].bytes, frames[0].len), FRAME_OK);
	CU_ASSERT_EQUAL(f.local_port, upstream.remote.port);
	CU_ASSERT_EQUAL(memcmp(f.local, upstream.remote.addr, 16), 0);
	CU_ASSERT_EQUAL(
		memcmp(frames[0].bytes + f.dns_off + 2, query + 2, sizeof(query) - 2),
		0);
	a = asked_for(0);
	CU_ASSERT_EQUAL(open_count(), 1);
	CU_ASSERT_EQUAL(a->open, 1);
	CU_ASSERT_EQUAL(a->ifindex, IFINDEX);
	CU_ASSERT_EQUAL(memcmp(a->remote, upstream.remote.addr, 16), 0);
	CU_ASSERT_EQUAL(memcmp(&a->id_be, frames[0].bytes + DNS, 2), 0);
	lane_answers(0, 9);
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(e.last, 9);
	CU_ASSERT_EQUAL(open_count(), 0);
	CU_ASSERT_EQUAL(sockets_answer(1), 0);
	CU_ASSERT_EQUAL(later(SECOND), UINT64_MAX);
	lane_answers(0, 9); /* once more: fits no question */
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(transport_lane_mismatched(transport), 1);
	tear_down();
}

static void forgeries_do_not_end_it(void)
{
	static const struct {
		const char *name;
		size_t at;
		bool seal;
	} forgeries[] = {
		{ "message ID", DNS + 1, true },
		{ "not a response", DNS + 2, true },
		{ "another name", DNS + 13, true },
		{ "another type", DNS + 20, true },
		{ "upstream's address", IP + 15, true },
		{ "upstream's port", UDP + 1, true },
		{ "our address", IP + 19, true },
		{ "our port", UDP + 3, true },
		{ "checksum", UDP + 7, false },
		{ "not from an upstream", 14 + 3, false },
	};
	struct exchange e;

	set_up();
	open_path();
	ask(&e);
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		uint8_t f[600];
		size_t len = answer_to(0, 9, f);

		f[forgeries[i].at] ^= forgeries[i].at == DNS + 2 ? 0x80 : 4;
		if (forgeries[i].seal)
			seal(f, len);
		transport_lane_frame(transport, f, len);
		if (e.responses)
			printf("# %s\n", forgeries[i].name);
		CU_ASSERT_EQUAL(e.responses, 0);
	}
	CU_ASSERT_EQUAL(transport_lane_mismatched(transport), ARRAY_LEN(forgeries));
	lane_answers(0, 9);
	CU_ASSERT_EQUAL(e.responses, 1);
	tear_down();
}

static void a_late_answer_is_hedged(void)
{
	struct exchange e;

	set_up();
	open_path();
	ask(&e);
	CU_ASSERT_EQUAL(later(0), now_ns + TRANSPORT_LANE_HEDGE_NS);
	CU_ASSERT_EQUAL(later(TRANSPORT_LANE_HEDGE_NS - 1), now_ns + 1);
	CU_ASSERT_EQUAL(sockets_answer(1), 0);
	CU_ASSERT_EQUAL(later(1), UINT64_MAX);
	lane_answers(0, 9); /* the lane is first after all */
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(e.last, 9);
	CU_ASSERT_EQUAL(sockets_answer(1), 1); /* heard by nobody */
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_TRUE(is_used());

	ask(&e);
	later(TRANSPORT_LANE_HEDGE_NS);
	CU_ASSERT_EQUAL(sockets_answer(3), 1);
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(e.last, 3);
	CU_ASSERT_EQUAL(open_count(), 0);
	CU_ASSERT_TRUE(is_used()); /* one may be lost */
	tear_down();
}

static void a_silent_lane_is_left(void)
{
	struct exchange e;

	set_up();
	open_path();
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(is_used());
		ask(&e);
		later(TRANSPORT_LANE_HEDGE_NS);
		CU_ASSERT_EQUAL(sockets_answer(3), 1);
		CU_ASSERT_EQUAL(e.responses, 1);
	}
	CU_ASSERT_FALSE(is_used());
	frame_count = 0;
	ask(&e);
	CU_ASSERT_EQUAL(frame_count, 0); /* not at once */
	later(100 * MS);
	ask(&e);
	CU_ASSERT_EQUAL(frame_count, 1); /* a probe */
	CU_ASSERT_EQUAL(sockets_answer(3), 2);
	lane_answers(0, 2);
	CU_ASSERT_TRUE(is_used());
	tear_down();
}

/* Where others are answered, one that is not was lost on the way. */
static void lost_frames_do_not_end_a_path(void)
{
	struct exchange lost, e;

	set_up();
	open_path();
	for (int i = 0; i < 20; i++) {
		frame_count = 0;
		ask(&lost);
		later(MS);
		ask(&e);
		lane_answers(1, 9);
		CU_ASSERT_EQUAL(e.responses, 1);
		later(TRANSPORT_LANE_HEDGE_NS);
		CU_ASSERT_EQUAL(sockets_answer(3), 1);
		CU_ASSERT_EQUAL(lost.responses, 1);
	}
	CU_ASSERT_TRUE(is_used());
	tear_down();
}

static void what_comes_back_goes_by_a_socket(void)
{
	struct exchange a, b;

	set_up();
	open_path();
	ask(&a);
	ask(&b);
	lane_returns(0);
	lane_returns(1);
	CU_ASSERT_FALSE(is_used());
	CU_ASSERT_EQUAL(sockets_answer(3), 2); /* at once */
	CU_ASSERT_EQUAL(a.responses, 1);
	CU_ASSERT_EQUAL(b.responses, 1);
	CU_ASSERT_EQUAL(open_count(), 0);
	lane_returns(0);
	CU_ASSERT_EQUAL(transport_lane_mismatched(transport), 1);
	tear_down();
}

/* 100 ms, 200 ms, 400 ms ... between probes that fail. */
static void probes_become_rare(void)
{
	uint64_t pause = 100 * MS;
	struct exchange e;

	set_up();
	for (int i = 0; i < 12; i++) {
		frame_count = 0;
		ask(&e);
		CU_ASSERT_EQUAL(frame_count, 1);
		if (i % 2)
			lane_returns(0); /* XDP knows no way */
		else
			later(TRANSPORT_LANE_HEDGE_NS); /* or never answered */
		CU_ASSERT_EQUAL(open_count(), 0);
		later(pause - 1);
		ask(&e);
		CU_ASSERT_EQUAL(frame_count, 1);
		later(1);
		pause = pause * 2 < 60 * SECOND ? pause * 2 : 60 * SECOND;
		CU_ASSERT_EQUAL(sockets_answer(3), 2);
		CU_ASSERT_FALSE(is_used());
	}
	tear_down();
}

static void cancelled_is_forgotten(void)
{
	struct exchange e;

	set_up();
	open_path();
	ask(&e);
	transport->ops->cancel(transport, e.handle);
	CU_ASSERT_EQUAL(open_count(), 0);
	lane_answers(0, 9);
	ask(&e);
	later(TRANSPORT_LANE_HEDGE_NS);
	transport->ops->cancel(transport, e.handle); /* the socket's half too */
	CU_ASSERT_EQUAL(sockets_answer(3), 1);
	lane_answers(1, 9);
	CU_ASSERT_EQUAL(e.responses + e.failures, 0);
	CU_ASSERT_TRUE(is_used());
	tear_down();
}

static void the_rest_goes_by_sockets(void)
{
	static struct exchange e[LANE53_ASKED_COUNT + 1];
	struct plan_upstream ourselves = upstream;
	uint8_t seen[LANE53_ASKED_COUNT] = { 0 };
	unsigned ascending = 0;

	set_up();
	open_path();
	lane_is_full = true;
	ask(&e[0]);
	CU_ASSERT_EQUAL(sockets_answer(3), 1);
	CU_ASSERT_EQUAL(e[0].responses, 1);
	lane_is_full = false;

	for (unsigned i = 0; i < LANE53_ASKED_COUNT; i++) {
		const uint8_t *udp = frames[0].bytes + UDP;
		unsigned port;

		frame_count = 0;
		ask(&e[i]);
		port = (unsigned)(udp[0] << 8 | udp[1]) - FIRST_PORT;
		CU_ASSERT_FATAL(port < LANE53_ASKED_COUNT);
		CU_ASSERT_EQUAL(seen[port]++, 0); /* one question each */
		ascending += i && seen[port - (port > 0)];
	}
	CU_ASSERT_EQUAL(open_count(), LANE53_ASKED_COUNT);
	CU_ASSERT_TRUE(ascending < LANE53_ASKED_COUNT * 3 / 4); /* at random */
	frame_count = 0;
	ask(&e[LANE53_ASKED_COUNT]);
	CU_ASSERT_EQUAL(frame_count, 0);
	CU_ASSERT_EQUAL(sockets_answer(3), 1);
	CU_ASSERT_EQUAL(e[LANE53_ASKED_COUNT].responses, 1);
	for (unsigned i = 0; i < LANE53_ASKED_COUNT; i++)
		transport->ops->cancel(transport, e[i].handle);

	/* an upstream at our own address is not behind any interface */
	ourselves = upstream;
	ourselves.remote.addr[15] = 1;
	frame_count = 0;
	CU_ASSERT_EQUAL(transport->ops->ask(transport, &e[0], &ourselves, false, query,
					    sizeof(query), &e[0].handle),
			0);
	CU_ASSERT_EQUAL(frame_count, 0);
	tear_down();
}

static const struct check_case cases[] = {
	{ "first a probe beside the socket", first_a_probe_beside_the_socket },
	{ "then by the lane alone", then_by_the_lane_alone },
	{ "forgeries do not end it", forgeries_do_not_end_it },
	{ "a late answer is hedged", a_late_answer_is_hedged },
	{ "a silent lane is left", a_silent_lane_is_left },
	{ "lost frames do not end a path", lost_frames_do_not_end_a_path },
	{ "what comes back goes by a socket", what_comes_back_goes_by_a_socket },
	{ "probes become rare", probes_become_rare },
	{ "cancelled is forgotten", cancelled_is_forgotten },
	{ "the rest goes by sockets", the_rest_goes_by_sockets },
};

CHECK_MAIN("transport_lane", cases)
