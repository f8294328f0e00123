/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport_socket.h - upstreams over the kernel's sockets, UDP and TCP.
 *
 * The transport that always works: a ClusterIP is reached only through the kernel's
 * NAT (ARCHITECTURE 10).  One connected socket per question, so that the source port is
 * the kernel's random choice and the kernel itself drops what another address sends;
 * the message ID is drawn here (RFC 5452 9.2).  A response is handed up only if its ID
 * and its question are the query's.
 *
 * It never blocks and has no timers: whoever asks also cancels.
 */
#ifndef LANE53_TRANSPORT_SOCKET_H
#define LANE53_TRANSPORT_SOCKET_H

#include <stddef.h>
#include <stdint.h>

struct exchange;
struct transport;

/* Both end the exchange: its handle is gone when they are called. */
struct transport_sink {
	/* @message is borrowed during the call; its ID is the transport's. */
	void (*response)(void *context, struct exchange *exchange,
			 const uint8_t *message, size_t len);
	/* @error: negative errno. */
	void (*failed)(void *context, struct exchange *exchange, int error);
	void *context;
};

/* On success *@ret_transport is the caller's. Return: 0 or a negative errno. */
int transport_socket_open(struct transport **ret_transport,
			  const struct transport_sink *sink);
/* Cancels what is open.  NULL is allowed. */
void transport_socket_close(struct transport *transport);

/* Readable (epoll) when transport_socket_run() has something to do. */
int transport_socket_fd(const struct transport *transport);

/* Handle what is ready; calls the sink.  Return: how many events there were. */
unsigned transport_socket_run(struct transport *transport);

/* Messages that fit no question of ours since open: late, broken or forged. */
uint64_t transport_socket_mismatched(const struct transport *transport);

#endif
