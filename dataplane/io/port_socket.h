/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_socket.h - the port on the kernel's sockets: UDP and TCP listeners of the plan.
 *
 * Needs nothing but the right to bind.  Replies leave from the address that was asked
 * (IP_PKTINFO), also on wildcard listeners.  A listener that cannot be opened is
 * reported and tried again; the others serve.
 */
#ifndef LANE53_PORT_SOCKET_H
#define LANE53_PORT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan;
struct port;

/* On success *@ret_port is the caller's: port->ops->close(). Return: 0 or -errno. */
int port_socket_open(struct port **ret_port);

/*
 * Listen where @plan says: open what is new, keep what stays, close what is gone with its
 * connections.  One socket for all tenants at an address; who asks decides the view, 0 =
 * nobody's.  Return: how many sockets could not be opened.
 */
unsigned port_socket_apply(struct port *port, const struct plan *plan, uint64_t now_ns);

/*
 * Tell the time, once per turn before recv(): closes idle connections, tries failed
 * listeners again.  Return: when to call again at the latest, UINT64_MAX = no need.
 */
uint64_t port_socket_tick(struct port *port, uint64_t now_ns);

/* Readable (epoll) when recv() has something to do. */
int port_socket_fd(const struct port *port);
/* Are there whole queries in memory already, that the descriptor does not tell of? */
bool port_socket_has_more(const struct port *port);

/* No new connections from now on; the rest goes on. */
void port_socket_stop_accepting(struct port *port);
/* Are there responses that TCP clients have not taken yet? */
bool port_socket_is_writing(const struct port *port);

struct port_socket_listener {
	const uint8_t *addr; /* 16 bytes */
	uint16_t port;
	bool tcp;
	uint32_t view;     /* of several tenants there: the first's */
	const char *error; /* NULL = open; else reason and what to do */
};
/* Each socket wanted; borrowed during the call. */
void port_socket_each_listener(const struct port *port,
			       void (*each)(void *context,
					    const struct port_socket_listener *at),
			       void *context);

struct port_socket_counts {
	uint64_t accepted;
	uint64_t refused; /* connection limit, or evicted for a newer one */
	uint64_t unsent;  /* UDP responses the kernel did not take */
	uint64_t
		unknown; /* queries by an interface that the plan does not know (yet) */
};
void port_socket_counts(const struct port *port, struct port_socket_counts *ret);

#endif
