/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport_lane.h - the fast upstream path (ARCHITECTURE 10): questions to upstreams as
 * frames over the lane, with the kernel's sockets behind it.
 *
 *   UDP question ─► path to this upstream? ─ yes ─► frame ─► lane ─► XDP ─► upstream
 *                     │ no                             │ no response for a while
 *                     ▼                                ▼
 *                   socket, and now and then the same   socket as well; the first
 *                   question by the lane too: a probe   response counts
 *
 * A path is in use from its first answered probe on.  It is left when XDP hands a
 * question back, or when sockets keep answering what the lane did not; then sockets
 * carry the upstream's questions again and probes begin anew, ever less often.  TCP is
 * always a socket's.
 *
 * The message ID and the source port are random; a port has one question at a time, and
 * a response has to come from the interface that the probe's came from.
 */
#ifndef LANE53_TRANSPORT_LANE_H
#define LANE53_TRANSPORT_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/transport_socket.h"

struct lane53_asked;
struct plan_upstream;
struct transport;

/* A question is asked by a socket as well if the lane brings no response for so long. */
#define TRANSPORT_LANE_HEDGE_NS 250000000ull

/* What carries the frames: the DPDK port, or a test. */
struct lane_link {
	/* Send @len bytes; they are copied.  Return: are they on their way? */
	bool (*send)(void *context, const uint8_t *bytes, size_t len);
	void *context;
	struct lane53_asked *asked; /* one per port; borrowed; emptied at open */
	uint16_t first_port, ports;
	uint8_t mac_a[6], mac_b[6]; /* of the lane's ends */
};

/*
 * Opens a transport_socket of its own.  On success *@ret_transport is the caller's.
 * Return: 0 or a negative errno.
 */
int transport_lane_open(struct transport **ret_transport,
			const struct transport_sink *sink,
			const struct lane_link *link);
/* Cancels what is open.  NULL is allowed. */
void transport_lane_close(struct transport *transport);

/* The transport_socket within, for its descriptor, its turns and its counts. */
struct transport *transport_lane_sockets(struct transport *transport);

/* Tell the time, CLOCK_MONOTONIC, before anything else of a batch. */
void transport_lane_begin(struct transport *transport, uint64_t now_ns);

/* A frame with the UPSTREAM tag came down the lane; calls the sink. */
void transport_lane_frame(struct transport *transport, const uint8_t *bytes,
			  size_t len);

/*
 * What has waited too long; may call the sink.
 * Return: when to call again (ns), UINT64_MAX = no need.
 */
uint64_t transport_lane_tick(struct transport *transport);

/* Do UDP questions to @upstream go by the lane at present? */
bool transport_lane_is_used(const struct transport *transport,
			    const struct plan_upstream *upstream);

/* Frames that fit no question of ours since open. */
uint64_t transport_lane_mismatched(const struct transport *transport);

#endif
