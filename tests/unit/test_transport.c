/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_transport.c - questions to an upstream of the test's own, on loopback.
 */
#include "check.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"
#include "io/transport_socket.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "respond/engine.h"

/* The engine's side: what became of the last exchange. */
struct exchange {
	int responses, failures, error;
	size_t len;
	uint8_t message[PORT_MESSAGE_MAX];
	struct exchange *cancel_too;
	void *handle;
};

static struct transport *transport;
static const uint8_t loopback[16] = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 1 };
static const uint8_t query[] = {
	0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 1, 'x', 0, 0, 1, 0, 1,
};

static void on_response(void *context, struct exchange *e, const uint8_t *message,
			size_t len)
{
	(void)context;
	e->responses++;
	e->len = len;
	memcpy(e->message, message, len);
	if (e->cancel_too)
		transport->ops->cancel(transport, e->cancel_too->handle);
}

static void on_failed(void *context, struct exchange *e, int error)
{
	(void)context;
	e->failures++;
	e->error = error;
}

/* A bound socket of the upstream, and its address as a plan has it. */
static int upstream_open(int type, struct plan_upstream *ret)
{
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, loopback, 0);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, len), 0);
	len = sizeof(at);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	memset(ret, 0, sizeof(*ret));
	address_from_socket(&at, ret->remote.addr, &ret->remote.port);
	if (type == SOCK_STREAM)
		CU_ASSERT_EQUAL(listen(fd, 8), 0);
	return fd;
}

/* Run until something happened to @e, a second at the most. */
static void run_until_ended(struct exchange *e)
{
	struct pollfd p = { .fd = transport_socket_fd(transport), .events = POLLIN };

	while (!e->responses && !e->failures && poll(&p, 1, 1000) > 0)
		transport_socket_run(transport);
}

static void run_once(void)
{
	struct pollfd p = { .fd = transport_socket_fd(transport), .events = POLLIN };

	CU_ASSERT_EQUAL(poll(&p, 1, 1000), 1);
	transport_socket_run(transport);
}

static void ask(struct exchange *e, const struct plan_upstream *upstream, bool tcp)
{
	memset(e, 0, sizeof(*e));
	CU_ASSERT_EQUAL_FATAL(transport->ops->ask(transport, e, upstream, tcp, query,
						  sizeof(query), &e->handle),
			      0);
}

static size_t upstream_recv(int fd, uint8_t *m, struct sockaddr_storage *from)
{
	socklen_t from_len = sizeof(*from);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(poll(&p, 1, 1000), 1);
	n = recvfrom(fd, m, 512, 0, (struct sockaddr *)from, &from_len);
	CU_ASSERT_EQUAL_FATAL(n, sizeof(query));
	return (size_t)n;
}

static void upstream_send(int fd, const uint8_t *m, size_t len,
			  const struct sockaddr_storage *to)
{
	CU_ASSERT_EQUAL(sendto(fd, m, len, 0, (const struct sockaddr *)to,
			       sizeof(struct sockaddr_in)),
			(ssize_t)len);
}

static void udp_question_and_response(void)
{
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	struct sockaddr_storage from;
	struct exchange e;
	uint8_t m[512];
	size_t len;

	ask(&e, &upstream, false);
	len = upstream_recv(fd, m, &from);
	CU_ASSERT_EQUAL(memcmp(m + 2, query + 2, len - 2), 0);
	m[2] |= 0x80;
	m[13] = 'W'; /* an upstream may change the case */
	upstream_send(fd, m, len, &from);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(e.len, len);
	CU_ASSERT_EQUAL(memcmp(e.message, m, len), 0);
	close(fd);
}

static void forged_responses_do_not_end_it(void)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t flip;
		size_t cut;
	} forgeries[] = {
		{ "ID", 1, 0x01, 0 },          { "not a response", 2, 0x80, 0 },
		{ "name", 13, 0x01, 0 },       { "type", 20, 0x02, 0 },
		{ "class", 22, 0x02, 0 },      { "two questions", 5, 0x03, 0 },
		{ "no question", 5, 0x01, 0 }, { "question cut", 2, 0, 1 },
		{ "header cut", 2, 0, 12 },    { "length byte", 12, 0x20, 0 },
	};
	uint64_t before = transport_socket_mismatched(transport);
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	struct sockaddr_storage from;
	struct exchange e;
	uint8_t m[512];
	size_t len;

	ask(&e, &upstream, false);
	len = upstream_recv(fd, m, &from);
	m[2] |= 0x80;
	for (size_t i = 0; i < ARRAY_LEN(forgeries); i++) {
		uint8_t forged[512];

		memcpy(forged, m, len);
		forged[forgeries[i].at] ^= forgeries[i].flip;
		upstream_send(fd, forged, len - forgeries[i].cut, &from);
		run_once();
		if (e.responses || e.failures)
			printf("# ended by: %s\n", forgeries[i].name);
		CU_ASSERT_EQUAL_FATAL(e.responses + e.failures, 0);
	}
	CU_ASSERT_EQUAL(transport_socket_mismatched(transport) - before,
			ARRAY_LEN(forgeries));
	upstream_send(fd, m, len, &from);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.responses, 1);
	close(fd);
}

/* Who forges without end holds up this question, not the worker. */
static void forgeries_end_a_run(void)
{
	uint64_t before = transport_socket_mismatched(transport);
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	struct sockaddr_storage from;
	struct exchange e;
	uint8_t m[512];
	size_t len;

	ask(&e, &upstream, false);
	len = upstream_recv(fd, m, &from); /* still a query: no response */
	for (int i = 0; i < 100; i++)
		upstream_send(fd, m, len, &from);
	m[2] |= 0x80;
	upstream_send(fd, m, len, &from);
	run_once();
	CU_ASSERT_EQUAL(e.responses, 0);
	CU_ASSERT_TRUE(transport_socket_mismatched(transport) - before < 100);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.responses, 1);
	CU_ASSERT_EQUAL(transport_socket_mismatched(transport) - before, 100);
	close(fd);
}

static void another_port_is_not_heard(void)
{
	struct plan_upstream upstream, other;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	int other_fd = upstream_open(SOCK_DGRAM, &other);
	struct sockaddr_storage from;
	struct exchange e;
	uint8_t m[512];
	size_t len;

	ask(&e, &upstream, false);
	len = upstream_recv(fd, m, &from);
	m[2] |= 0x80;
	upstream_send(other_fd, m, len, &from);
	CU_ASSERT_EQUAL(transport_socket_run(transport), 0);
	CU_ASSERT_EQUAL(e.responses, 0);
	transport->ops->cancel(transport, e.handle);
	close(fd);
	close(other_fd);
}

static void error_without_question_is_a_response(void)
{
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	struct sockaddr_storage from;
	struct exchange e;
	uint8_t m[512];

	ask(&e, &upstream, false);
	upstream_recv(fd, m, &from);
	m[2] |= 0x80;
	m[3] = RCODE_FORMERR;
	m[5] = 0;
	upstream_send(fd, m, DNS_HEADER_BYTES, &from);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.responses, 1);
	close(fd);
}

static void ids_and_ports_differ(void)
{
	enum { ASKED = 100 };
	static struct exchange e[ASKED];
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream), same_id = 0, same_port = 0;
	uint16_t ids[ASKED], ports[ASKED];

	for (int i = 0; i < ASKED; i++) {
		struct sockaddr_storage from;
		uint8_t addr[16], m[512];

		ask(&e[i], &upstream, false);
		upstream_recv(fd, m, &from);
		address_from_socket(&from, addr, &ports[i]);
		memcpy(&ids[i], m, 2);
		for (int j = 0; j < i; j++) {
			same_id += ids[i] == ids[j];
			same_port += ports[i] == ports[j];
		}
	}
	for (int i = 0; i < ASKED; i++)
		transport->ops->cancel(transport, e[i].handle);
	CU_ASSERT_EQUAL(same_port, 0); /* all are open at once */
	CU_ASSERT_TRUE(same_id <= 4);  /* 4,950 pairs / 65,536: more is p < 1e-6 */
	close(fd);
}

static void refused_fails_at_once(void)
{
	struct plan_upstream upstream;
	struct exchange e;

	close(upstream_open(SOCK_DGRAM, &upstream));
	ask(&e, &upstream, false);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.failures, 1);
	CU_ASSERT_EQUAL(e.error, -ECONNREFUSED);

	close(upstream_open(SOCK_STREAM, &upstream));
	ask(&e, &upstream, true);
	run_until_ended(&e);
	CU_ASSERT_EQUAL(e.failures, 1);
	CU_ASSERT_EQUAL(e.error, -ECONNREFUSED);
}

/* Two are ready in one run; the first one's end cancels the second. */
static void cancel_within_a_run(void)
{
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_DGRAM, &upstream);
	struct sockaddr_storage from;
	struct exchange a, b;
	uint8_t m[512];
	size_t len;

	ask(&a, &upstream, false);
	ask(&b, &upstream, false);
	a.cancel_too = &b;
	b.cancel_too = &a;
	for (int i = 0; i < 2; i++) {
		len = upstream_recv(fd, m, &from);
		m[2] |= 0x80;
		upstream_send(fd, m, len, &from);
	}
	run_once();
	transport_socket_run(transport);
	CU_ASSERT_EQUAL(a.responses + b.responses, 1);
	CU_ASSERT_EQUAL(a.failures + b.failures, 0);
	close(fd);
}

static int tcp_accept(int fd, uint8_t *m, size_t want)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int client;

	CU_ASSERT_EQUAL_FATAL(poll(&p, 1, 1000), 1);
	client = accept(fd, NULL, NULL);
	CU_ASSERT_TRUE_FATAL(client >= 0);
	CU_ASSERT_EQUAL(recv(client, m, want, MSG_WAITALL), (ssize_t)want);
	return client;
}

/* The largest message there is, in pieces that split even the length. */
static void tcp_response_in_pieces(void)
{
	static uint8_t m[2 + PORT_MESSAGE_MAX];
	static const size_t pieces[] = { 1, 1, 5, 1000, 30000, 34530 };
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_STREAM, &upstream), client;
	struct exchange *e = calloc(1, sizeof(*e));
	size_t at = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	ask(e, &upstream, true);
	run_once(); /* connected: sends */
	client = tcp_accept(fd, m, 2 + sizeof(query));
	CU_ASSERT_EQUAL(m[0] << 8 | m[1], sizeof(query));
	CU_ASSERT_EQUAL(memcmp(m + 4, query + 2, sizeof(query) - 2), 0);
	m[4] |= 0x80;
	m[0] = m[1] = 0xff;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		CU_ASSERT_EQUAL(e->responses, 0);
		CU_ASSERT_EQUAL(send(client, m + at, pieces[i], 0), (ssize_t)pieces[i]);
		at += pieces[i];
		run_once();
	}
	CU_ASSERT_EQUAL(at, sizeof(m));
	run_until_ended(e);
	CU_ASSERT_EQUAL(e->responses, 1);
	CU_ASSERT_EQUAL(e->len, PORT_MESSAGE_MAX);
	CU_ASSERT_EQUAL(memcmp(e->message, m + 2, PORT_MESSAGE_MAX), 0);
	close(client);
	close(fd);
	free(e);
}

static void tcp_ends_are_failures(void)
{
	static const struct {
		const char *name;
		uint8_t bytes[4];
		size_t len;
		int error;
	} ends[] = {
		{ "closed at once", { 0 }, 0, -ECONNRESET },
		{ "closed within the length", { 1 }, 1, -ECONNRESET },
		{ "closed within the message", { 0, 40, 1 }, 3, -ECONNRESET },
		{ "shorter than a header", { 0, 2, 1, 1 }, 4, -EPROTO },
	};
	struct plan_upstream upstream;
	int fd = upstream_open(SOCK_STREAM, &upstream);

	upstream.proto = PLAN_TCP; /* as good as asking for TCP */
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct exchange e;
		uint8_t m[64];
		int client;

		ask(&e, &upstream, false);
		run_once();
		client = tcp_accept(fd, m, 2 + sizeof(query));
		if (ends[i].len)
			CU_ASSERT_EQUAL(send(client, ends[i].bytes, ends[i].len, 0),
					(ssize_t)ends[i].len);
		shutdown(client, SHUT_WR);
		run_until_ended(&e);
		CU_ASSERT_EQUAL(e.failures, 1);
		CU_ASSERT_EQUAL(e.error, ends[i].error);
		close(client);
	}
	close(fd);
}

static void what_cannot_be_asked(void)
{
	static const uint8_t cut[] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w' };
	struct plan_upstream tls = { .proto = PLAN_TLS }, udp = { .proto = PLAN_UDP };
	struct exchange e = { 0 };
	void *handle = NULL;

	CU_ASSERT_EQUAL(transport->ops->ask(transport, &e, &tls, false, query,
					    sizeof(query), &handle),
			-EPROTONOSUPPORT);
	CU_ASSERT_EQUAL(transport->ops->ask(transport, &e, &udp, false, cut,
					    sizeof(cut), &handle),
			-EINVAL);
	CU_ASSERT_PTR_NULL(handle);
	CU_ASSERT_EQUAL(e.failures, 0);
}

static const struct check_case cases[] = {
	{ "UDP question and response", udp_question_and_response },
	{ "forged responses do not end it", forged_responses_do_not_end_it },
	{ "forgeries end a run", forgeries_end_a_run },
	{ "another port is not heard", another_port_is_not_heard },
	{ "error without question is a response",
	  error_without_question_is_a_response },
	{ "IDs and ports differ", ids_and_ports_differ },
	{ "refused fails at once", refused_fails_at_once },
	{ "cancel within a run", cancel_within_a_run },
	{ "TCP response in pieces", tcp_response_in_pieces },
	{ "TCP ends are failures", tcp_ends_are_failures },
	{ "what cannot be asked", what_cannot_be_asked },
};

int main(void)
{
	static const struct transport_sink sink = { .response = on_response,
						    .failed = on_failed };
	int r;

	if (transport_socket_open(&transport, &sink) < 0)
		return 1;
	r = check_main("transport", cases, ARRAY_LEN(cases));
	transport_socket_close(transport);
	return r;
}
