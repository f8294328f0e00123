/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_dpdk.h - the port on the lane: DPDK's stock net_af_xdp on lane53b.
 *
 * Needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_SYS_ADMIN: the program that libxdp attaches
 * to lane53b is loaded and its map is opened by this process.
 *
 * Opened once per process and life: DPDK 22.11's net_af_xdp leaks its UMEM and its socket
 * on close, so the ports are released by the end of the process.
 *
 * A port for each of several lanes, and a thread for each port: no two threads may use the
 * same one, and they share nothing.
 */
#ifndef LANE53_PORT_DPDK_H
#define LANE53_PORT_DPDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port;

enum dpdk_hugepages { DPDK_HUGEPAGES_AUTO, DPDK_HUGEPAGES_YES, DPDK_HUGEPAGES_NO };

struct port_dpdk_config {
	const char
		*interface;   /* lane53b; LANE53_LANE_FORMAT says how further ones go */
	unsigned count;       /* of lanes, 1..LANE53_LANES_MAX */
	const char *instance; /* prefix of EAL's files ... */
	const char *run_dir;  /* ... which go in here */
	enum dpdk_hugepages hugepages;
};

/*
 * On success ret_ports[0..config->count - 1] are the caller's until the process ends.  On
 * failure @why (@room bytes) says what is wrong and what to do.
 * Return: 0 or a negative errno.
 */
int port_dpdk_open(struct port **ret_ports, const struct port_dpdk_config *config,
		   char *why, size_t room);

/* First thing in each thread but the one that opened the ports: its cache of buffers. */
void port_dpdk_enter(void);

/*
 * Responses by send_later() and questions to upstreams wait until now, or until there are
 * many; send() takes them along.  Once per turn.
 */
void port_dpdk_flush(struct port *port);

/* Send @len bytes of a frame to the lane as they are.  Return: is it on its way? */
bool port_dpdk_send_frame(struct port *port, const uint8_t *bytes, size_t len);

/*
 * Are answers of upstreams due?  As long as they are, recv() empties the ring each time,
 * so that no flood of queries pushes them out; queries that it has no time for it drops.
 */
void port_dpdk_expect_upstream(struct port *port, bool expecting);

/* Are there frames from upstreams that recv() has kept? */
bool port_dpdk_has_upstream(const struct port *port);

/* Hand each of them to @each, borrowed during the call, and forget it. */
void port_dpdk_each_upstream(struct port *port,
			     void (*each)(void *context, const uint8_t *bytes,
					  size_t len),
			     void *context);

/* Is the interface still the one that was opened?  If not, nothing will come any more. */
bool port_dpdk_is_alive(const struct port *port);

/* The AF_XDP socket, readable when the lane has frames; -1 = not found: poll. */
int port_dpdk_fd(const struct port *port);

struct port_dpdk_counts {
	uint64_t rx, tx;
	uint64_t rx_bad;     /* no valid tag, or not a DNS query's frame */
	uint64_t tx_dropped; /* no buffer, or the ring stayed full */
};
void port_dpdk_counts(const struct port *port, struct port_dpdk_counts *ret);

/* Frames that found the AF_XDP socket's ring full, or recv()'s; a system call. */
uint64_t port_dpdk_xsk_dropped(const struct port *port);

#endif
