/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport.h - how the engine reaches upstreams, whatever carries it.
 */
#ifndef LANE53_TRANSPORT_H
#define LANE53_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange; /* one question to one upstream; the engine's */
struct plan_upstream;

struct transport;
struct transport_ops {
	/*
	 * Send @len bytes of query to @upstream, over TCP if @tcp.  The transport draws
	 * the message ID and the source port, and calls exactly one of
	 * engine_upstream_response() or engine_upstream_failed() unless cancelled first.
	 * *@ret_handle: the transport's own, for cancel().
	 * Return: 0 or a negative errno (nothing will be called).
	 */
	int (*ask)(struct transport *transport, struct exchange *exchange,
		   const struct plan_upstream *upstream, bool tcp, const uint8_t *query,
		   size_t len, void **ret_handle);
	void (*cancel)(struct transport *transport, void *handle);
};
struct transport {
	const struct transport_ops *ops;
};

#endif
