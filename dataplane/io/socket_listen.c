/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_listen.c - the sockets that the plan wants: open, keep, close, explain.
 *
 * "Any address" is two sockets, 0.0.0.0 and [::], so that IPv6 may be off.  SO_REUSEPORT
 * lets two workers stand side by side while one takes over from the other.
 */
#include "io/socket_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"

/* How soon a listener that failed is tried again: an address may appear any time. */
#define RETRY_NS 2000000000ull

/* Datagrams the kernel holds for us while a batch runs; it may grant less. */
#define RECEIVE_BYTES (1 << 20)

#define TCP_BACKLOG 512

/* Connections, if the plan does not say: 4 MiB of first rooms at the most. */
#define CONNECTIONS_DEFAULT 1000
#define IDLE_MS_DEFAULT     10000 /* CoreDNS's */

const struct endpoint *endpoint_find(const struct socket_port *port, uint32_t id)
{
	const struct endpoint *e = port->endpoints;

	while (e && e->id != id)
		e = e->next;
	return e;
}

/* ---- explain ---- */

static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "stop what holds it, or `bind` another address or port";
	case EADDRNOTAVAIL:
		return "give a network interface this address, or correct `bind`";
	case EACCES:
		return "ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose "
		       "a "
		       "higher one (-dns.port)";
	case EAFNOSUPPORT:
		return "this kernel has no IPv6: bind IPv4 addresses only";
	case EMFILE:
		return "raise the limit of open files (ulimit -n)";
	default:
		return "tried again every 2 s";
	}
}

static void explain(struct endpoint *e, int error)
{
	char holder[128] = "";

	if (error == e->error && e->why[0])
		return; /* the same as the last time: /proc was searched then */
	if (error == EADDRINUSE)
		holder_name(holder, sizeof(holder), &e->local,
			    e->source.kind == SOURCE_ACCEPT);
	snprintf(e->why, sizeof(e->why), "%s%s; %s", strerror(error), holder,
		 advice(error));
}

/* ---- one socket ---- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* What the socket cannot do without.  Return: 0 or positive errno. */
static int configure(int fd, bool tcp, bool ipv6)
{
	if (set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0 ||
	    (ipv6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0))
		return errno;
	if (tcp && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
		return errno;
	/* which address was asked, and by which interface; connections inherit it */
	if (ipv6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) < 0
		 : set(fd, IPPROTO_IP, IP_PKTINFO, 1) < 0)
		return errno;
	if (tcp)
		return 0;
	/* Both are improvements that may be refused: a larger queue, and no trust in
	 * ICMP "fragmentation needed", which is easily forged. */
	(void)set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
	if (ipv6)
		(void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	else
		(void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	return 0;
}

/* Return: 0 or positive errno. */
static int endpoint_open(struct socket_port *port, struct endpoint *e)
{
	bool tcp = e->source.kind == SOURCE_ACCEPT;
	int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &e->source };
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, e->local.addr, e->local.port);
	int fd = socket(at.ss_family, type, 0), error;

	if (fd < 0)
		return errno;
	error = configure(fd, tcp, at.ss_family == AF_INET6);
	if (!error && bind(fd, (struct sockaddr *)&at, len) < 0)
		error = errno;
	if (!error && tcp && listen(fd, TCP_BACKLOG) < 0)
		error = errno;
	if (!error && epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		error = errno;
	if (error) {
		close(fd);
		return error;
	}
	e->source.fd = fd;
	return 0;
}

static void endpoint_close(struct socket_port *port, struct endpoint *e)
{
	if (e->source.kind == SOURCE_ACCEPT)
		tcp_close_of(port, e);
	if (e->source.fd >= 0)
		close(e->source.fd);
	free(e);
}

/* ---- all of them ---- */

void endpoints_retry(struct socket_port *port)
{
	port->retry_ns = UINT64_MAX;
	for (struct endpoint *e = port->endpoints; e; e = e->next) {
		struct epoll_event event = { .events = EPOLLIN,
					     .data.ptr = &e->source };
		int error;

		if (e->paused)
			e->paused = epoll_ctl(port->epoll_fd, EPOLL_CTL_MOD,
					      e->source.fd, &event) < 0;
		if (e->source.fd >= 0 ||
		    (port->stopping && e->source.kind == SOURCE_ACCEPT))
			continue;
		error = endpoint_open(port, e);
		if (e->optional && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL))
			error = 0;
		if (error) {
			explain(e, error);
			port->retry_ns = port->now_ns + RETRY_NS;
		}
		e->error = error;
	}
}

void endpoints_close(struct socket_port *port)
{
	while (port->endpoints) {
		struct endpoint *e = port->endpoints;

		port->endpoints = e->next;
		endpoint_close(port, e);
	}
}

static void want(struct socket_port *port, const struct plan_address *local,
		 enum source_kind kind, uint32_t view, bool optional)
{
	struct endpoint *e = port->endpoints;

	while (e && (e->source.kind != kind || e->local.port != local->port ||
		     memcmp(e->local.addr, local->addr, 16)))
		e = e->next;
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return; /* the next plan, or a restart, tries again */
		e->source = (struct source){ kind, -1 };
		e->local = *local;
		e->id = ++port->next_endpoint;
		e->next = port->endpoints;
		port->endpoints = e;
	}
	if (!e->wanted) /* else another tenant listens there too */
		e->view = view;
	e->optional = optional;
	e->wanted = true;
}

static void want_listener(struct socket_port *port, const struct plan_listener *l)
{
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };
	struct plan_address ipv4 = l->local;
	bool both = address_is_any(l->local.addr) && !address_is_ipv4(l->local.addr);

	memcpy(ipv4.addr, any4, 16);
	for (int tcp = 0; tcp < 2; tcp++) {
		enum source_kind kind = tcp ? SOURCE_ACCEPT : SOURCE_UDP;

		want(port, &l->local, kind, l->view, both);
		if (both)
			want(port, &ipv4, kind, l->view, false);
	}
}

static void close_unwanted(struct socket_port *port)
{
	struct endpoint **at = &port->endpoints;

	while (*at) {
		struct endpoint *e = *at;

		if (e->wanted) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		endpoint_close(port, e);
	}
}

unsigned port_socket_apply(struct port *base, const struct plan *plan, uint64_t now_ns)
{
	struct socket_port *port = (struct socket_port *)base;
	unsigned failed = 0;

	port->now_ns = now_ns;
	port->idle_ns =
		(plan->tcp_idle_ms ? plan->tcp_idle_ms : IDLE_MS_DEFAULT) * 1000000ull;
	/* out of memory leaves the limit as it was: it still is a limit */
	(void)tcp_set_limit(port, plan->tcp_connections ? plan->tcp_connections
							: CONNECTIONS_DEFAULT);
	for (struct endpoint *e = port->endpoints; e; e = e->next)
		e->wanted = false;
	for (unsigned i = 0; i < plan->listener_count; i++)
		want_listener(port, &plan->listeners[i]);
	tenants_apply(port, plan);
	close_unwanted(port);
	endpoints_retry(port);
	for (struct endpoint *e = port->endpoints; e; e = e->next)
		failed += e->error != 0;
	return failed;
}

void port_socket_stop_accepting(struct port *base)
{
	struct socket_port *port = (struct socket_port *)base;

	port->stopping = true;
	for (struct endpoint *e = port->endpoints; e; e = e->next)
		if (e->source.kind == SOURCE_ACCEPT && e->source.fd >= 0) {
			close(e->source.fd);
			e->source.fd = -1;
		}
}

void port_socket_each_listener(const struct port *base,
			       void (*each)(void *context,
					    const struct port_socket_listener *at),
			       void *context)
{
	const struct socket_port *port = (const struct socket_port *)base;

	for (const struct endpoint *e = port->endpoints; e; e = e->next) {
		struct port_socket_listener at = {
			.addr = e->local.addr,
			.port = e->local.port,
			.tcp = e->source.kind == SOURCE_ACCEPT,
			.view = e->view,
			.error = e->error ? e->why : NULL,
		};

		if (e->source.fd >= 0 || e->error)
			each(context, &at);
	}
}
