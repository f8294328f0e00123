/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_port_socket.c - the port on sockets, over loopback, with an echo for an engine.
 *
 * The echo answers with the query's own bytes; a query that begins with 'L' is answered
 * later (the test says when), one with 'D' is dropped, one with 'B' gets the largest
 * response there is.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"
#include "io/port.h"
#include "io/port_socket.h"
#include "plan/plan.h"

#define SECOND 1000000000ull

static struct port *port;
static uint64_t now_ns;
static unsigned handed_out;

static struct {
	struct client client;
	uint8_t bytes[64];
	size_t len;
} held[8];
static unsigned held_count;
static struct client last_client;

static const uint8_t any[16];
static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };
static const uint8_t v4_1[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };
static const uint8_t v4_2[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 2 };
static const uint8_t v6_1[16] = { [15] = 1 };

/* ---- the engine's side ---- */

static void echo(struct query *q)
{
	last_client = q->client;
	if (q->message[0] == 'L') {
		held[held_count].client = q->client;
		held[held_count].len = q->len;
		memcpy(held[held_count++].bytes, q->message, q->len);
		port->ops->later(port, q, 1);
	} else if (q->message[0] == 'D') {
		port->ops->drop(port, q, 1);
	} else {
		q->reply_len = q->message[0] == 'B' ? q->reply_room : q->len;
		memset(q->reply, 'b', q->reply_len);
		memcpy(q->reply, q->message, q->len);
		port->ops->send(port, q, 1);
	}
}

/* Turns until nothing was ready for @ms. */
static void serve_for(int ms)
{
	struct pollfd p = { .fd = port_socket_fd(port), .events = POLLIN };
	struct query queries[PORT_BATCH];

	while (port_socket_has_more(port) || poll(&p, 1, ms) > 0) {
		unsigned n;

		port_socket_tick(port, now_ns);
		n = port->ops->recv(port, queries, PORT_BATCH);
		handed_out += n;
		for (unsigned i = 0; i < n; i++)
			echo(&queries[i]);
	}
}

static void serve(void)
{
	serve_for(20);
}

static void answer_held(unsigned i)
{
	port->ops->send_later(port, &held[i].client, held[i].bytes, held[i].len);
}

/* ---- plans and clients ---- */

static struct plan_listener listeners[4];
static struct plan plan = { .listeners = listeners, .tcp_idle_ms = 10000 };

static void plan_set(unsigned i, const uint8_t addr[16], uint16_t udp_port,
		     uint32_t view)
{
	memcpy(listeners[i].local.addr, addr, 16);
	listeners[i].local.port = udp_port;
	listeners[i].view = view;
	listeners[i].tenant = 0;
	plan.listener_count = i + 1;
}

/* A port number free for UDP and TCP on all addresses. */
static uint16_t free_port(void)
{
	for (;;) {
		struct sockaddr_storage at;
		socklen_t len = address_to_socket(&at, any4, 0);
		int udp = socket(AF_INET, SOCK_DGRAM, 0);
		int tcp = socket(AF_INET, SOCK_STREAM, 0), r;
		uint8_t addr[16];
		uint16_t number;

		CU_ASSERT_EQUAL_FATAL(bind(udp, (struct sockaddr *)&at, len), 0);
		CU_ASSERT_EQUAL(getsockname(udp, (struct sockaddr *)&at, &len), 0);
		r = bind(tcp, (struct sockaddr *)&at, len);
		address_from_socket(&at, addr, &number);
		close(udp);
		close(tcp);
		if (r == 0)
			return number;
	}
}

static int client_to(int type, const uint8_t addr[16], uint16_t to_port)
{
	struct timeval second = { .tv_sec = 1 };
	struct sockaddr_storage to;
	socklen_t len = address_to_socket(&to, addr, to_port);
	int fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)), 0);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to, len), 0);
	return fd;
}

/* Connected, so the kernel takes a response only from the address that was asked. */
static bool udp_is_answered(const uint8_t addr[16], uint16_t to_port, const char *text)
{
	int fd = client_to(SOCK_DGRAM, addr, to_port);
	char got[512];
	ssize_t n;

	CU_ASSERT_EQUAL(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	serve();
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n);
}

static void tcp_send_text(int fd, const char *text)
{
	uint8_t framed[300] = { 0, (uint8_t)strlen(text) };

	memcpy(framed + 2, text, strlen(text));
	CU_ASSERT_EQUAL(send(fd, framed, 2 + strlen(text), 0),
			(ssize_t)(2 + strlen(text)));
}

static bool tcp_got_text(int fd, const char *text)
{
	uint8_t got[300];
	size_t len = 2 + strlen(text);

	return recv(fd, got, len, MSG_WAITALL) == (ssize_t)len && got[0] == 0 &&
	       got[1] == len - 2 && !memcmp(got + 2, text, len - 2);
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void setup(unsigned connections)
{
	plan.tcp_connections = connections;
	held_count = handed_out = 0;
	now_ns = SECOND;
	CU_ASSERT_EQUAL_FATAL(port_socket_open(&port), 0);
	CU_ASSERT_EQUAL_FATAL(port_socket_apply(port, &plan, now_ns), 0);
}

/* ---- cases ---- */

static void udp_answers_from_the_address_asked(void)
{
	uint16_t number = free_port();

	plan_set(0, any, number, 7);
	setup(0);
	CU_ASSERT_TRUE(udp_is_answered(v4_1, number, "one"));
	CU_ASSERT_EQUAL(last_client.view, 7);
	CU_ASSERT_EQUAL(last_client.proto, CLIENT_UDP);
	CU_ASSERT_EQUAL(last_client.local_port, number);
	CU_ASSERT_TRUE(udp_is_answered(v4_2, number, "two"));
	CU_ASSERT_EQUAL(memcmp(last_client.local, v4_2, 16), 0);
	CU_ASSERT_TRUE(udp_is_answered(v6_1, number, "six"));
	CU_ASSERT_EQUAL(memcmp(last_client.local, v6_1, 16), 0);
	CU_ASSERT_FALSE(udp_is_answered(v4_1, number, "Dropped"));
	port->ops->close(port);
}

static void udp_in_batches(void)
{
	enum { SENT = 3 * PORT_BATCH + 5 };
	uint16_t number = free_port();
	int fd, got = 0;
	char byte;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_DGRAM, v4_1, number);
	for (int i = 0; i < SENT; i++)
		CU_ASSERT_EQUAL(send(fd, "q", 1, 0), 1);
	serve();
	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		got++;
	CU_ASSERT_EQUAL(got, SENT);
	CU_ASSERT_EQUAL(handed_out, SENT);
	close(fd);
	port->ops->close(port);
}

static void udp_later_and_after_the_listener(void)
{
	uint16_t number = free_port();
	struct port_socket_counts counts;
	char got[8];
	int fd;

	plan_set(0, any, number, 1);
	setup(0);
	fd = client_to(SOCK_DGRAM, v4_2, number);
	CU_ASSERT_EQUAL(send(fd, "Later", 5, 0), 5);
	serve();
	CU_ASSERT_EQUAL(held_count, 1);
	answer_held(0);
	CU_ASSERT_EQUAL(recv(fd, got, sizeof(got), 0), 5);

	plan.listener_count = 0;
	CU_ASSERT_EQUAL(port_socket_apply(port, &plan, now_ns), 0);
	answer_held(0); /* its listener is gone: nothing happens, but it is counted */
	CU_ASSERT_TRUE(recv(fd, got, sizeof(got), MSG_DONTWAIT) < 0);
	port_socket_counts(port, &counts);
	CU_ASSERT_EQUAL(counts.unsent, 1);
	close(fd);
	port->ops->close(port);
}

static void tcp_pipelined_and_out_of_order(void)
{
	uint16_t number = free_port();
	int fd;

	plan_set(0, any, number, 3);
	setup(0);
	fd = client_to(SOCK_STREAM, v6_1, number);
	tcp_send_text(fd, "Later a");
	tcp_send_text(fd, "now b");
	tcp_send_text(fd, "Dropped");
	tcp_send_text(fd, "Later c");
	serve();
	CU_ASSERT_EQUAL(last_client.view, 3);
	CU_ASSERT_EQUAL(last_client.proto, CLIENT_TCP);
	CU_ASSERT_EQUAL(memcmp(last_client.local, v6_1, 16), 0);
	CU_ASSERT_TRUE(tcp_got_text(fd, "now b"));
	CU_ASSERT_EQUAL(held_count, 2);
	answer_held(1);
	answer_held(0);
	CU_ASSERT_TRUE(tcp_got_text(fd, "Later c"));
	CU_ASSERT_TRUE(tcp_got_text(fd, "Later a"));
	close(fd);
	port->ops->close(port);
}

static void tcp_byte_by_byte(void)
{
	static const uint8_t bytes[] = { 0, 3, 'a', 'b', 'c', 0, 2, 'd', 'e' };
	uint16_t number = free_port();
	int fd, on = 1;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_STREAM, v4_1, number);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		CU_ASSERT_EQUAL(send(fd, bytes + i, 1, 0), 1);
		serve_for(1);
	}
	CU_ASSERT_TRUE(tcp_got_text(fd, "abc"));
	CU_ASSERT_TRUE(tcp_got_text(fd, "de"));
	CU_ASSERT_EQUAL(handed_out, 2);
	close(fd);
	port->ops->close(port);
}

/* More whole queries in one segment than a batch or a connection may have. */
static void tcp_more_than_a_batch(void)
{
	enum { SENT = 500 };
	uint16_t number = free_port();
	static uint8_t all[SENT * 4];
	int fd, good = 0;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_STREAM, v4_1, number);
	for (int i = 0; i < SENT; i++)
		memcpy(all + 4 * i, "\0\2qq", 4);
	CU_ASSERT_EQUAL(send(fd, all, sizeof(all), 0), sizeof(all));
	serve();
	for (int i = 0; i < SENT; i++)
		good += tcp_got_text(fd, "qq");
	CU_ASSERT_EQUAL(good, SENT);
	CU_ASSERT_EQUAL(handed_out, SENT);
	close(fd);
	port->ops->close(port);
}

static void one_turn(void)
{
	struct query queries[PORT_BATCH];
	unsigned n;

	port_socket_tick(port, now_ns);
	n = port->ops->recv(port, queries, PORT_BATCH);
	handed_out += n;
	for (unsigned i = 0; i < n; i++)
		echo(&queries[i]);
}

/* Read what came, send as much again: there is always a whole query to be had. */
static void flood(int fd)
{
	static uint8_t all[4096], got[65536];

	for (size_t i = 0; i < sizeof(all); i += 4)
		memcpy(all + i, "\0\2qq", 4);
	while (recv(fd, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	(void)send(fd, all, sizeof(all), MSG_DONTWAIT);
}

/* Those who pipeline without end leave the others their turn. */
static void tcp_flood_starves_nobody(void)
{
	enum { FLOODERS = 3, PATIENCE = 12 };
	uint16_t number = free_port();
	int flooders[FLOODERS], tcp, udp, turns_tcp = 0, turns_udp = 0;
	char got[8];

	plan_set(0, v4_1, number, 1);
	setup(0);
	tcp = client_to(SOCK_STREAM, v4_1, number);
	udp = client_to(SOCK_DGRAM, v4_1, number);
	for (int i = 0; i < FLOODERS; i++)
		flooders[i] = client_to(SOCK_STREAM, v4_1, number);
	for (int turn = 0; turn < 100; turn++) {
		for (int i = 0; i < FLOODERS; i++)
			flood(flooders[i]);
		if (turn == 20) {
			tcp_send_text(tcp, "tcp");
			CU_ASSERT_EQUAL(send(udp, "udp", 3, 0), 3);
		}
		one_turn();
		if (turn >= 20 && !turns_tcp && recv(tcp, got, 5, MSG_DONTWAIT) == 5)
			turns_tcp = turn - 19;
		if (turn >= 20 && !turns_udp && recv(udp, got, 3, MSG_DONTWAIT) == 3)
			turns_udp = turn - 19;
	}
	CU_ASSERT_TRUE(handed_out > 90 * PORT_BATCH); /* it was a flood */
	if (turns_tcp < 1 || turns_tcp > PATIENCE || turns_udp < 1 ||
	    turns_udp > PATIENCE)
		printf("# turns until answered: TCP %d, UDP %d\n", turns_tcp,
		       turns_udp);
	CU_ASSERT_TRUE(turns_tcp >= 1 && turns_tcp <= PATIENCE);
	CU_ASSERT_TRUE(turns_udp >= 1 && turns_udp <= PATIENCE);
	for (int i = 0; i < FLOODERS; i++)
		close(flooders[i]);
	close(tcp);
	close(udp);
	port->ops->close(port);
}

/* Nor do datagrams to one address keep those to another waiting. */
static void udp_flood_starves_nobody(void)
{
	uint16_t number = free_port();
	int flooder, tcp, udp, turns_tcp = 0, turns_udp = 0;
	char got[8];

	plan_set(0, v4_1, number, 1);
	plan_set(1, v4_2, number, 1);
	setup(0);
	tcp = client_to(SOCK_STREAM, v4_1, number);
	for (int way = 0; way < 2; way++) { /* whichever comes first in the set */
		flooder = client_to(SOCK_DGRAM, way ? v4_1 : v4_2, number);
		udp = client_to(SOCK_DGRAM, way ? v4_2 : v4_1, number);
		turns_tcp = turns_udp = 0;
		for (int turn = 0; turn < 60; turn++) {
			for (int i = 0; i < 2 * PORT_BATCH; i++)
				(void)send(flooder, "qq", 2, MSG_DONTWAIT);
			if (turn == 20) {
				tcp_send_text(tcp, "tcp");
				CU_ASSERT_EQUAL(send(udp, "udp", 3, 0), 3);
			}
			one_turn();
			if (!turns_tcp && recv(tcp, got, 5, MSG_DONTWAIT) == 5)
				turns_tcp = turn - 19;
			if (!turns_udp && recv(udp, got, 3, MSG_DONTWAIT) == 3)
				turns_udp = turn - 19;
		}
		if (turns_tcp < 1 || turns_tcp > 6 || turns_udp < 1 || turns_udp > 6)
			printf("# turns until answered: TCP %d, UDP %d\n", turns_tcp,
			       turns_udp);
		CU_ASSERT_TRUE(turns_tcp >= 1 && turns_tcp <= 6);
		CU_ASSERT_TRUE(turns_udp >= 1 && turns_udp <= 6);
		close(flooder);
		close(udp);
		serve(); /* what is left of the flood */
	}
	close(tcp);
	plan.listener_count = 1;
	port->ops->close(port);
}

/* A client that asks and asks and reads nothing is not read either, and gets all later. */
static void tcp_largest_responses_wait_for_the_reader(void)
{
	enum { SENT = 200 };
	uint16_t number = free_port();
	static uint8_t got[2 + PORT_MESSAGE_MAX];
	unsigned before;
	int fd, good = 0;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_STREAM, v4_1, number);
	for (int i = 0; i < SENT; i++)
		tcp_send_text(fd, "Big");
	serve();
	CU_ASSERT_TRUE(port_socket_is_writing(port));
	CU_ASSERT_TRUE(handed_out < SENT);
	before = handed_out;
	serve();
	CU_ASSERT_EQUAL(handed_out, before);
	for (int i = 0; i < SENT; i++) {
		size_t have = 0;

		while (have < sizeof(got)) {
			ssize_t n =
				recv(fd, got + have, sizeof(got) - have, MSG_DONTWAIT);

			if (n > 0)
				have += (size_t)n;
			else
				serve_for(1);
			if (n == 0)
				break;
		}
		good += have == sizeof(got) && got[0] == 0xff && got[1] == 0xff &&
			got[2] == 'B' && got[sizeof(got) - 1] == 'b';
	}
	CU_ASSERT_EQUAL(good, SENT);
	CU_ASSERT_EQUAL(handed_out, SENT);
	CU_ASSERT_FALSE(port_socket_is_writing(port));
	close(fd);
	port->ops->close(port);
}

static void tcp_half_closed_client_gets_its_response(void)
{
	uint16_t number = free_port();
	int fd;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_STREAM, v4_1, number);
	tcp_send_text(fd, "Later");
	shutdown(fd, SHUT_WR);
	serve();
	CU_ASSERT_EQUAL(held_count, 1);
	CU_ASSERT_FALSE(is_closed(fd));
	answer_held(0);
	CU_ASSERT_TRUE(tcp_got_text(fd, "Later"));
	CU_ASSERT_TRUE(is_closed(fd));
	answer_held(0); /* the connection is gone: nothing happens */
	close(fd);
	port->ops->close(port);
}

static void tcp_idle_is_closed(void)
{
	uint16_t number = free_port();
	int idle, dribbling, busy;

	plan_set(0, v4_1, number, 1);
	setup(0);
	idle = client_to(SOCK_STREAM, v4_1, number);
	dribbling = client_to(SOCK_STREAM, v4_1, number);
	busy = client_to(SOCK_STREAM, v4_1, number);
	serve();
	now_ns += 9 * SECOND;
	CU_ASSERT_EQUAL(send(dribbling, "\0", 1, 0), 1);
	tcp_send_text(busy, "hello");
	serve();
	CU_ASSERT_EQUAL(port_socket_tick(port, now_ns), 11 * SECOND);
	CU_ASSERT_FALSE(is_closed(idle));
	now_ns += SECOND;
	CU_ASSERT_EQUAL(port_socket_tick(port, now_ns), 20 * SECOND);
	CU_ASSERT_TRUE(is_closed(idle));
	CU_ASSERT_TRUE(is_closed(dribbling));
	CU_ASSERT_TRUE(tcp_got_text(busy, "hello"));
	CU_ASSERT_FALSE(is_closed(busy));
	close(idle);
	close(dribbling);
	close(busy);
	port->ops->close(port);
}

static void tcp_limit_evicts_the_idle_and_refuses_among_the_busy(void)
{
	uint16_t number = free_port();
	struct port_socket_counts counts;
	int first, second, third, fourth;

	plan_set(0, v4_1, number, 1);
	setup(2);
	first = client_to(SOCK_STREAM, v4_1, number);
	serve();
	second = client_to(SOCK_STREAM, v4_1, number);
	tcp_send_text(second, "Later");
	serve();
	third = client_to(SOCK_STREAM, v4_1, number);
	tcp_send_text(third, "Later");
	serve();
	CU_ASSERT_TRUE(is_closed(first)); /* idle longest */
	CU_ASSERT_FALSE(is_closed(second));
	fourth = client_to(SOCK_STREAM, v4_1, number);
	serve();
	CU_ASSERT_TRUE(is_closed(fourth)); /* both others are being answered */
	CU_ASSERT_EQUAL(held_count, 2);
	answer_held(0);
	answer_held(1);
	CU_ASSERT_TRUE(tcp_got_text(second, "Later"));
	CU_ASSERT_TRUE(tcp_got_text(third, "Later"));
	port_socket_counts(port, &counts);
	CU_ASSERT_EQUAL(counts.accepted, 3);
	CU_ASSERT_EQUAL(counts.refused, 2);
	close(first);
	close(second);
	close(third);
	close(fourth);
	port->ops->close(port);
}

static void listeners_follow_the_plan(void)
{
	uint16_t stays = free_port(), goes, comes;
	int kept, lost;

	plan_set(0, v4_1, stays, 1);
	goes = free_port();
	plan_set(1, v4_1, goes, 2);
	setup(0);
	kept = client_to(SOCK_STREAM, v4_1, stays);
	lost = client_to(SOCK_STREAM, v4_1, goes);
	serve();
	comes = free_port();
	plan_set(0, v4_1, stays, 9);
	plan_set(1, v4_1, comes, 4);
	CU_ASSERT_EQUAL(port_socket_apply(port, &plan, now_ns), 0);

	tcp_send_text(kept, "kept");
	serve();
	CU_ASSERT_TRUE(tcp_got_text(kept, "kept"));
	CU_ASSERT_EQUAL(last_client.view, 9); /* the view of now */
	CU_ASSERT_TRUE(is_closed(lost));
	CU_ASSERT_TRUE(udp_is_answered(v4_1, comes, "new"));
	CU_ASSERT_FALSE(udp_is_answered(v4_1, goes, "old"));
	close(kept);
	close(lost);
	port->ops->close(port);
}

static struct {
	unsigned open, failed;
	char error[400];
} seen;

static void see(void *context, const struct port_socket_listener *at)
{
	(void)context;
	if (at->error) {
		seen.failed++;
		snprintf(seen.error, sizeof(seen.error), "%s", at->error);
	} else {
		seen.open++;
	}
}

/*
 * Who asks from 127.0.0.2 is tenant 3, from 127.0.0.4 tenant 4, from elsewhere nobody's;
 * each has a listener at 127.0.0.1, one socket for all three.
 */
static struct plan_source of_lo[] = {
	{ { [10] = 0xff, [11] = 0xff, 127, 0, 0, 2 }, 128, 3 },
	{ { [10] = 0xff, [11] = 0xff, 127, 0, 0, 4 }, 128, 4 },
	{ { [10] = 0xff, [11] = 0xff, 127, 0, 0, 6 }, 128, 6 },
};
static struct plan_scope scopes[] = { { 0, 0, of_lo, ARRAY_LEN(of_lo) }, { 0 } };
static unsigned first_scope[] = { 0 }, both_scopes[] = { 0, 1 };
static struct plan_ingress ingress = { 1, first_scope, 1 };

/* Ask 127.0.0.1 from 127.0.0.@last; the view that it was handed out for, -1 = not. */
static int view_from(int type, uint8_t last, uint16_t number)
{
	const uint8_t from[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, last };
	struct sockaddr_storage at, to;
	socklen_t at_len = address_to_socket(&at, from, 0);
	socklen_t to_len = address_to_socket(&to, v4_1, number);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	unsigned before = handed_out;
	bool answered;
	char got[8];

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, at_len), 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, to_len), 0);
	if (type == SOCK_STREAM)
		tcp_send_text(fd, "who");
	else
		CU_ASSERT_EQUAL(send(fd, "who", 3, 0), 3);
	serve();
	if (type == SOCK_STREAM)
		answered = !is_closed(fd);
	else
		answered = recv(fd, got, sizeof(got), MSG_DONTWAIT) == 3;
	close(fd);
	CU_ASSERT_EQUAL(handed_out - before, (unsigned)answered);
	return answered ? (int)last_client.view : -1;
}

static void tenants_at_one_socket(void)
{
	static const struct {
		const char *name;
		uint8_t last;
		int view; /* as the plan is; 0: REFUSED by the engine */
		int view_doubtful, view_unknown;
	} cases[] = {
		{ "nobody's", 9, 10, 10, -1 },
		{ "tenant 3", 2, 13, 0, -1 },
		{ "tenant 4", 4, 14, 0, -1 },
		{ "a tenant who is not served here", 6, 0, 0, -1 },
		{ "this machine itself", 1, 10, 10, -1 },
	};
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	uint16_t number = free_port();
	struct port_socket_counts counts;

	plan_set(0, v4_1, number, 10);
	plan_set(1, v4_1, number, 13);
	plan_set(2, v4_1, number, 14);
	listeners[1].tenant = 3;
	listeners[2].tenant = 4;
	plan.scopes = scopes;
	plan.scope_count = ARRAY_LEN(scopes);
	plan.ingresses = &ingress;
	plan.ingress_count = 1;
	setup(0);
	memset(&seen, 0, sizeof(seen));
	port_socket_each_listener(port, see, NULL);
	CU_ASSERT_EQUAL(seen.open, 2); /* UDP and TCP */
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t t = 0; t < ARRAY_LEN(types); t++) {
			ingress = (struct plan_ingress){ 1, first_scope, 1 };
			port_socket_apply(port, &plan, now_ns);
			CU_ASSERT_EQUAL(view_from(types[t], cases[i].last, number),
					cases[i].view);
			/* perhaps by an interface where sources count, perhaps not */
			ingress = (struct plan_ingress){ 1, both_scopes, 2 };
			port_socket_apply(port, &plan, now_ns);
			CU_ASSERT_EQUAL(view_from(types[t], cases[i].last, number),
					cases[i].view_doubtful);
			/* by an interface nobody has told us of */
			ingress = (struct plan_ingress){ 7, first_scope, 1 };
			port_socket_apply(port, &plan, now_ns);
			CU_ASSERT_EQUAL(view_from(types[t], cases[i].last, number),
					cases[i].view_unknown);
		}
	port_socket_counts(port, &counts);
	CU_ASSERT_EQUAL(counts.unknown, ARRAY_LEN(cases) * ARRAY_LEN(types));
	port->ops->close(port);
	plan.scope_count = plan.ingress_count = 0;
}

static void taken_address_is_explained_and_retried(void)
{
	uint16_t taken = free_port(), good;
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, v4_1, taken);
	int holder = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char pid[32];

	CU_ASSERT_EQUAL(bind(holder, (struct sockaddr *)&at, len), 0);
	plan_set(0, v4_1, taken, 1);
	good = free_port();
	plan_set(1, v4_1, good, 1);
	held_count = 0;
	CU_ASSERT_EQUAL_FATAL(port_socket_open(&port), 0);
	CU_ASSERT_EQUAL(port_socket_apply(port, &plan, now_ns), 1);
	memset(&seen, 0, sizeof(seen));
	port_socket_each_listener(port, see, NULL);
	CU_ASSERT_EQUAL(seen.open, 3);
	CU_ASSERT_EQUAL(seen.failed, 1);
	snprintf(pid, sizeof(pid), "pid %d", getpid());
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.error, "Address already in use"));
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.error, pid));
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.error, "bind"));
	CU_ASSERT_TRUE(udp_is_answered(v4_1, good, "the rest serves"));

	close(holder);
	now_ns += SECOND;
	port_socket_tick(port, now_ns);
	CU_ASSERT_FALSE(udp_is_answered(v4_1, taken, "not yet"));
	now_ns += SECOND;
	CU_ASSERT_EQUAL(port_socket_tick(port, now_ns), UINT64_MAX);
	CU_ASSERT_TRUE(udp_is_answered(v4_1, taken, "now"));
	port->ops->close(port);
}

static void address_of_nobody_is_explained(void)
{
	static const uint8_t nobody[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };

	plan_set(0, nobody, free_port(), 1);
	CU_ASSERT_EQUAL_FATAL(port_socket_open(&port), 0);
	CU_ASSERT_EQUAL(port_socket_apply(port, &plan, now_ns), 2);
	memset(&seen, 0, sizeof(seen));
	port_socket_each_listener(port, see, NULL);
	CU_ASSERT_EQUAL(seen.failed, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(seen.error, "give a network interface"));
	port->ops->close(port);
}

static void stopping_answers_but_accepts_no_more(void)
{
	uint16_t number = free_port();
	struct sockaddr_storage to;
	socklen_t len = address_to_socket(&to, v4_1, number);
	int fd, late;

	plan_set(0, v4_1, number, 1);
	setup(0);
	fd = client_to(SOCK_STREAM, v4_1, number);
	serve();
	port_socket_stop_accepting(port);
	tcp_send_text(fd, "last");
	serve();
	CU_ASSERT_TRUE(tcp_got_text(fd, "last"));
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL(connect(late, (struct sockaddr *)&to, len), -1);
	CU_ASSERT_TRUE(udp_is_answered(v4_1, number, "udp"));
	close(fd);
	close(late);
	port->ops->close(port);
}

static const struct check_case cases[] = {
	{ "UDP answers from the address asked", udp_answers_from_the_address_asked },
	{ "UDP in batches", udp_in_batches },
	{ "UDP later, and after the listener", udp_later_and_after_the_listener },
	{ "TCP pipelined and out of order", tcp_pipelined_and_out_of_order },
	{ "TCP byte by byte", tcp_byte_by_byte },
	{ "TCP more than a batch", tcp_more_than_a_batch },
	{ "TCP flood starves nobody", tcp_flood_starves_nobody },
	{ "UDP flood starves nobody", udp_flood_starves_nobody },
	{ "TCP largest responses wait for the reader",
	  tcp_largest_responses_wait_for_the_reader },
	{ "TCP half-closed client gets its response",
	  tcp_half_closed_client_gets_its_response },
	{ "TCP idle is closed", tcp_idle_is_closed },
	{ "TCP limit evicts the idle, refuses among the busy",
	  tcp_limit_evicts_the_idle_and_refuses_among_the_busy },
	{ "listeners follow the plan", listeners_follow_the_plan },
	{ "tenants at one socket", tenants_at_one_socket },
	{ "taken address is explained and retried",
	  taken_address_is_explained_and_retried },
	{ "address of nobody is explained", address_of_nobody_is_explained },
	{ "stopping answers but accepts no more",
	  stopping_answers_but_accepts_no_more },
};

CHECK_MAIN("port_socket", cases)
