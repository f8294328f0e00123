/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h - an I/O backend: where queries come from and responses go.
 *
 * Three of them: `dpdk` (the lane), `socket` (UDP and TCP), `memory` (tests, fuzzers,
 * benchmarks).  The engine sees none of the differences.
 *
 * A query belongs to the port until recv() hands it out, and from then until it is
 * given back, once, by send() (with the response) or drop().  A query that is answered
 * later is copied by the engine with client_keep() semantics: the port's own handle is
 * dropped at once, and the response goes out by send_later().
 */
#ifndef LANE53_PORT_H
#define LANE53_PORT_H

#include <stddef.h>
#include <stdint.h>

struct port;

enum client_proto { CLIENT_UDP = 17, CLIENT_TCP = 6 };

/* What a port needs to reach the client again; private to the port, plain bytes. */
#define CLIENT_TICKET_BYTES 128

struct client {
	uint8_t remote[16], local[16];    /* IPv4 as ::ffff:a.b.c.d */
	uint16_t remote_port, local_port; /* host order */
	uint32_t view;
	uint32_t ifindex; /* 0 = unknown */
	enum client_proto proto;
	uint8_t ticket[CLIENT_TICKET_BYTES];
};

/* The most a response can be: a DNS message over TCP. */
#define PORT_MESSAGE_MAX 65535

struct query {
	const uint8_t *message;
	size_t len;
	struct client client;
	uint8_t *reply;    /* room for the response, of the port */
	size_t reply_room; /* >= 4096 */
	size_t reply_len;  /* set before send() */
	void *handle;      /* the port's own */
};

#define PORT_BATCH 32

struct port_ops {
	const char *name;
	/* Fill up to @max queries; return how many. Never blocks. */
	unsigned (*recv)(struct port *port, struct query *queries, unsigned max);
	/* Send the response of each (reply, reply_len) and take the queries back. */
	void (*send)(struct port *port, struct query *queries, unsigned count);
	/* Take queries back without a response. */
	void (*drop)(struct port *port, struct query *queries, unsigned count);
	/* Take queries back whose responses follow by send_later(), or never; a TCP
	 * connection stays open for them.  NULL: drop() will do. */
	void (*later)(struct port *port, struct query *queries, unsigned count);
	/* A response to a client whose query was taken back before.  @bytes is copied. */
	void (*send_later)(struct port *port, const struct client *client,
			   const uint8_t *bytes, size_t len);
	void (*close)(struct port *port);
};

struct port {
	const struct port_ops *ops;
};

#endif
