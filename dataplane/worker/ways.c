/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ways.c - how this worker reaches upstreams: by sockets, and by the lane if it has
 * one and XDP's maps (docs/decisions: the fast upstream path).
 */
#include <stdio.h>
#include <string.h>
#include "io/transport_lane.h"
#include "io/transport_socket.h"
#include "lane53/abi.h"
#include "worker/parts.h"

/* Ports below this are those of well-known services. */
#define LOWEST_PORT 8192

static bool send_frame(void *context, const uint8_t *bytes, size_t len)
{
	const struct worker *w = context;

	return port_dpdk_send_frame(w->port, bytes, len);
}

/*
 * The first of the fast path's ports: none that the kernel gives to sockets of its own
 * accord.  0: there is no room beside those.
 */
static uint16_t choose_ports(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first = 32768, last = 60999;

	if (file) {
		if (fscanf(file, "%u %u", &first, &last) != 2)
			last = 65535; /* not known: as if there were no room */
		fclose(file);
	}
	if (last < LANE53_ASKED_PORT)
		return LANE53_ASKED_PORT;
	return first >= LOWEST_PORT + LANE53_ASKED_COUNT
		       ? (uint16_t)(first - LANE53_ASKED_COUNT)
		       : 0;
}

/* The first entry of `asked` that is of lane number @lane, or of a later one. */
static unsigned first_entry(const struct worker *w, unsigned lane)
{
	const unsigned count = worker_count(w);

	return (lane * LANE53_ASKED_COUNT + count - 1) / count;
}

/* Each worker has its part of the ports, as lane53_asked_lane() deals them out. */
static int open_by_lane(struct worker *w, const struct transport_sink *sink)
{
	struct lane53_settings *settings = w->pins.settings;
	const unsigned first = first_entry(w, w->idx);
	struct lane_link link = {
		.send = send_frame,
		.context = w,
		.asked = w->pins.asked + first,
		.ports = (uint16_t)(first_entry(w, w->idx + 1) - first),
	};
	uint16_t base;
	int r;

	if (w->idx == 0) {
		settings->upstream_port = 0;
		base = choose_ports();
	} else {
		base = settings->upstream_port;
	}
	if (base == 0)
		return 0;
	link.first_port = (uint16_t)(base + first);
	memcpy(link.mac_a, settings->lane_mac_a, sizeof(link.mac_a));
	memcpy(link.mac_b, settings->lane_mac_b, sizeof(link.mac_b));
	r = transport_lane_open(&w->by_lane, sink, &link);
	if (r == 0)
		settings->upstream_port = base;
	return r;
}

int ways_open(struct worker *w, const struct transport_sink *sink)
{
	int r = 0;

	if (w->options->lane && w->pins.settings)
		r = open_by_lane(w, sink);
	if (r == 0 && w->by_lane) {
		w->sockets = transport_lane_sockets(w->by_lane);
		w->transport = w->by_lane;
	} else if (r == 0) {
		r = transport_socket_open(&w->sockets, sink);
		w->transport = w->sockets;
	}
	w->upstream_ns = UINT64_MAX;
	return r;
}

void ways_close(struct worker *w)
{
	if (!w->by_lane) {
		transport_socket_close(w->sockets);
		return;
	}
	w->pins.settings->upstream_port = 0;
	transport_lane_close(w->by_lane);
}

void ways_begin(struct worker *w, uint64_t now_ns)
{
	if (w->by_lane)
		transport_lane_begin(w->by_lane, now_ns);
}

void ways_end(struct worker *w)
{
	if (w->by_lane)
		w->upstream_ns = transport_lane_tick(w->by_lane);
	if (w->options->lane)
		port_dpdk_expect_upstream(w->port, w->upstream_ns != UINT64_MAX);
}

static void on_frame(void *context, const uint8_t *bytes, size_t len)
{
	struct worker *w = context;

	if (w->by_lane)
		transport_lane_frame(w->by_lane, bytes, len);
}

void ways_run(struct worker *w)
{
	if (w->options->lane)
		port_dpdk_each_upstream(w->port, on_frame, w);
	if (w->upstream_ready) {
		w->upstream_ready = false;
		transport_socket_run(w->sockets);
	}
}

bool ways_have_more(const struct worker *w)
{
	return w->upstream_ready ||
	       (w->options->lane && port_dpdk_has_upstream(w->port));
}

uint64_t ways_mismatched(const struct worker *w)
{
	return transport_socket_mismatched(w->sockets) +
	       (w->by_lane ? transport_lane_mismatched(w->by_lane) : 0);
}
