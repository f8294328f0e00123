/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_parts.h - what the files of port_socket share; nobody else includes it.
 *
 *   port_socket.c    the port: slots, the epoll set, who is asked when
 *   socket_listen.c  endpoints: open, keep, close, explain, try again
 *   socket_udp.c     datagrams in batches
 *   socket_tcp.c     connections: framing, pipelining, limits
 *   socket_view.c    whose a query is
 */
#ifndef LANE53_SOCKET_PARTS_H
#define LANE53_SOCKET_PARTS_H

#include "io/port_socket.h"

#include "io/port.h"
#include "plan/plan.h"

/* What an epoll event points at; first member of each kind. */
enum source_kind { SOURCE_UDP, SOURCE_ACCEPT, SOURCE_CONN };
struct source {
	enum source_kind kind;
	int fd; /* -1: not open, or ended during this recv() */
};

#define ENDPOINT_ERROR_ROOM 320

/* One socket of a listener. */
struct endpoint {
	struct source source; /* SOURCE_UDP or SOURCE_ACCEPT */
	struct endpoint *next;
	struct plan_address local;
	uint32_t id;   /* never used again: a ticket may outlive the endpoint */
	uint32_t view; /* without tenants: who answers; with them: the first that may */
	bool optional; /* the IPv6 half of "any address": IPv6 may be off */
	bool wanted;   /* during port_socket_apply() */
	bool paused;   /* SOURCE_ACCEPT: out of descriptors until the next tick */
	int error;     /* 0 or positive errno */
	char why[ENDPOINT_ERROR_ROOM];
};

/* A TCP connection.  `live` list: longest untouched first. */
struct conn {
	struct source source;
	struct conn *prev, *next;
	struct conn *next_waiting; /* list of those with whole queries in `in` */
	struct endpoint *endpoint;
	uint64_t id;
	uint64_t touched_ns; /* last whole query, or last byte of response taken */
	unsigned in_flight;  /* queries handed out, responses due */
	uint32_t events;     /* as the epoll set has them */
	bool eof, is_waiting;
	uint8_t remote[16], local[16];
	uint16_t remote_port, local_port;
	uint32_t ifindex; /* it came in by; 0 = not known */
	uint8_t *in;      /* in_at: first byte not handed out */
	size_t in_at, in_len, in_room;
	uint8_t *out;
	size_t out_at, out_len;
};

/* A query's room.  Pages that small messages never touch are never backed. */
struct slot {
	uint8_t message[PORT_MESSAGE_MAX + 1];
	uint8_t length_be[2]; /* TCP: length and reply go out in one send() */
	uint8_t reply[PORT_MESSAGE_MAX];
	/* 65,536-byte strides would put all slots on the same cache sets */
	uint8_t stagger[64 * 5 - 1];
};

/* client.ticket */
struct ticket {
	uint32_t endpoint; /* UDP */
	uint32_t scope;    /* UDP, IPv6 link-local: the interface */
	uint32_t leave_by; /* UDP, a tenant's: the interface it came in by; else 0 */
	uint64_t conn;     /* TCP */
};

struct socket_port {
	struct port base; /* first */
	int epoll_fd;
	uint64_t now_ns;
	unsigned turn; /* which of the ready is asked first */
	bool stopping;

	struct endpoint *endpoints;
	uint32_t next_endpoint;
	struct tenants *tenants; /* NULL: every endpoint answers everybody */
	bool tenants_lost;       /* out of memory: nobody is answered */
	uint64_t retry_ns;

	struct conn *live, *live_last, *gone;
	struct conn *waiting, *waiting_last; /* first come, first served */
	struct conn **conns;                 /* by low 32 bits of the id */
	unsigned conn_count, conn_room, conn_limit;
	uint32_t conn_generation;
	uint64_t idle_ns;
	unsigned writing; /* connections with unsent bytes */

	struct slot *slots;
	unsigned free_slots[PORT_BATCH], free_count;
	struct port_socket_counts counts;
};

/* port_socket.c */
struct slot *slot_take(struct socket_port *port);
void slot_fill(struct query *query, struct slot *slot, size_t len);
struct ticket ticket_read(const struct client *client);
void ticket_write(struct client *client, struct ticket ticket);

/* socket_listen.c */
void endpoints_retry(struct socket_port *port);
void endpoints_close(struct socket_port *port);
const struct endpoint *endpoint_find(const struct socket_port *port, uint32_t id);

/* socket_udp.c; responses to consecutive UDP queries go out together */
unsigned udp_recv(struct socket_port *port, struct endpoint *endpoint,
		  struct query *queries, unsigned max);
void udp_send(struct socket_port *port, const struct query *queries, unsigned count);
void udp_send_later(struct socket_port *port, const struct client *client,
		    const uint8_t *bytes, size_t len);

/* socket_view.c */
/*
 * Whose is it?  Sets client->view and the ticket's leave_by from what else @client says.
 * Return: false, it is not known yet: no response.
 */
bool client_settle(struct socket_port *port, struct client *client,
		   const struct endpoint *endpoint);
void tenants_apply(struct socket_port *port, const struct plan *plan);
/* The interface that the connection came in by, 0 = not known. */
uint32_t conn_ifindex(int fd, bool ipv6);

/* socket_tcp.c */
void tcp_accept(struct socket_port *port, struct endpoint *endpoint);
unsigned tcp_ready(struct socket_port *port, struct conn *conn, uint32_t events,
		   struct query *queries, unsigned max);
unsigned tcp_waiting(struct socket_port *port, struct query *queries, unsigned max);
void tcp_send(struct socket_port *port, const struct query *query);
void tcp_send_later(struct socket_port *port, const struct client *client,
		    const uint8_t *bytes, size_t len);
void tcp_drop(struct socket_port *port, const struct client *client);
uint64_t tcp_tick(struct socket_port *port);
void tcp_close_of(struct socket_port *port, const struct endpoint *endpoint);
int tcp_set_limit(struct socket_port *port, unsigned limit);
void tcp_free_gone(struct socket_port *port);

/* holder.c */
/* Who holds what @local wants: " (held by NAME, pid N)" or "" in @text. */
void holder_name(char *text, size_t room, const struct plan_address *local, bool tcp);

#endif
