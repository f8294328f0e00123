/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_socket.c - the port on sockets: rooms for queries, and who is asked when.
 *
 * One epoll set holds every descriptor; recv() asks it once per batch and reads until
 * the batch is full.  What did not fit is level-triggered, so it is reported again.
 *
 * Nobody who asks without end keeps the others waiting: connections with queries in
 * memory take half a batch before the datagrams, what is left after them, and each in
 * turn; and who is asked first of those ready goes round.
 */
#include "io/port_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include "io/socket_parts.h"
#include "plan/tenants.h"

#define EVENTS_PER_RECV 64

_Static_assert(sizeof(struct ticket) <= CLIENT_TICKET_BYTES, "tickets fit");

static struct socket_port *of(struct port *port)
{
	return (struct socket_port *)port;
}

static const struct socket_port *of_const(const struct port *port)
{
	return (const struct socket_port *)port;
}

/* ---- slots and tickets ---- */

struct slot *slot_take(struct socket_port *port)
{
	if (port->free_count == 0)
		return NULL;
	return &port->slots[port->free_slots[--port->free_count]];
}

void slot_fill(struct query *query, struct slot *slot, size_t len)
{
	query->message = slot->message;
	query->len = len;
	query->reply = slot->reply;
	query->reply_room = sizeof(slot->reply);
	query->reply_len = 0;
	query->handle = slot;
}

static void slots_give(struct socket_port *port, const struct query *queries,
		       unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct slot *slot = queries[i].handle;

		port->free_slots[port->free_count++] = (unsigned)(slot - port->slots);
	}
}

struct ticket ticket_read(const struct client *client)
{
	struct ticket ticket;

	memcpy(&ticket, client->ticket, sizeof(ticket));
	return ticket;
}

void ticket_write(struct client *client, struct ticket ticket)
{
	memcpy(client->ticket, &ticket, sizeof(ticket));
}

/* ---- the port's operations ---- */

static unsigned source_ready(struct socket_port *port, const struct epoll_event *event,
			     struct query *queries, unsigned max)
{
	struct source *source = event->data.ptr;

	if (source->fd < 0)
		return 0; /* closed earlier in this batch */
	switch (source->kind) {
	case SOURCE_UDP:
		return max ? udp_recv(port, (struct endpoint *)source, queries, max)
			   : 0;
	case SOURCE_ACCEPT:
		tcp_accept(port, (struct endpoint *)source);
		return 0;
	case SOURCE_CONN:
		return tcp_ready(port, (struct conn *)source, event->events, queries,
				 max);
	}
	return 0;
}

/* Of the @n sources that are ready, UDP's or the others. */
static unsigned sources_ready(struct socket_port *port,
			      const struct epoll_event *events, int n, bool udp,
			      struct query *queries, unsigned max)
{
	unsigned got = 0;

	for (int i = 0; i < n; i++) {
		const struct epoll_event *event =
			&events[(port->turn + (unsigned)i) % (unsigned)n];
		const struct source *source = event->data.ptr;

		if ((source->kind == SOURCE_UDP) == udp)
			got += source_ready(port, event, queries + got, max - got);
	}
	return got;
}

static unsigned port_recv(struct port *base, struct query *queries, unsigned max)
{
	struct socket_port *port = of(base);
	struct epoll_event events[EVENTS_PER_RECV];
	unsigned got;
	int n;

	if (max > port->free_count)
		max = port->free_count;
	got = tcp_waiting(port, queries, (max + 1) / 2);
	n = epoll_wait(port->epoll_fd, events, EVENTS_PER_RECV, 0);
	port->turn++;
	got += sources_ready(port, events, n, true, queries + got, max - got);
	got += sources_ready(port, events, n, false, queries + got, max - got);
	got += tcp_waiting(port, queries + got, max - got);
	tcp_free_gone(port);
	return got;
}

static void port_send(struct port *base, struct query *queries, unsigned count)
{
	struct socket_port *port = of(base);

	for (unsigned i = 0; i < count;) {
		unsigned run = 0;

		while (i + run < count && queries[i + run].client.proto == CLIENT_UDP)
			run++;
		if (run)
			udp_send(port, queries + i, run);
		else
			tcp_send(port, &queries[i++]);
		i += run;
	}
	slots_give(port, queries, count);
}

static void port_drop(struct port *base, struct query *queries, unsigned count)
{
	struct socket_port *port = of(base);

	for (unsigned i = 0; i < count; i++)
		if (queries[i].client.proto == CLIENT_TCP)
			tcp_drop(port, &queries[i].client);
	slots_give(port, queries, count);
}

static void port_later(struct port *base, struct query *queries, unsigned count)
{
	slots_give(of(base), queries, count);
}

static void port_send_later(struct port *base, const struct client *client,
			    const uint8_t *bytes, size_t len)
{
	if (client->proto == CLIENT_TCP)
		tcp_send_later(of(base), client, bytes, len);
	else
		udp_send_later(of(base), client, bytes, len);
}

static void port_close(struct port *base)
{
	struct socket_port *port = of(base);

	endpoints_close(port); /* with their connections */
	tcp_free_gone(port);
	tenants_free(port->tenants);
	free(port->conns);
	munmap(port->slots, PORT_BATCH * sizeof(*port->slots));
	close(port->epoll_fd);
	free(port);
}

static const struct port_ops ops = {
	.name = "socket",
	.recv = port_recv,
	.send = port_send,
	.drop = port_drop,
	.later = port_later,
	.send_later = port_send_later,
	.close = port_close,
};

/* ---- open, tick, what there is to know ---- */

int port_socket_open(struct port **ret_port)
{
	struct socket_port *port = calloc(1, sizeof(*port));
	int r;

	if (!port)
		return -ENOMEM;
	port->base.ops = &ops;
	port->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (port->epoll_fd < 0) {
		r = -errno;
		goto err_port;
	}
	port->slots =
		mmap(NULL, PORT_BATCH * sizeof(*port->slots), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (port->slots == MAP_FAILED) {
		r = -errno;
		goto err_epoll;
	}
	for (unsigned i = 0; i < PORT_BATCH; i++)
		port->free_slots[port->free_count++] = PORT_BATCH - 1 - i;
	port->retry_ns = UINT64_MAX;
	*ret_port = &port->base;
	return 0;

err_epoll:
	close(port->epoll_fd);
err_port:
	free(port);
	return r;
}

uint64_t port_socket_tick(struct port *base, uint64_t now_ns)
{
	struct socket_port *port = of(base);
	uint64_t idle;

	port->now_ns = now_ns;
	if (now_ns >= port->retry_ns)
		endpoints_retry(port);
	idle = tcp_tick(port);
	return idle < port->retry_ns ? idle : port->retry_ns;
}

int port_socket_fd(const struct port *port)
{
	return of_const(port)->epoll_fd;
}

bool port_socket_has_more(const struct port *port)
{
	return of_const(port)->waiting;
}

bool port_socket_is_writing(const struct port *port)
{
	return of_const(port)->writing > 0;
}

void port_socket_counts(const struct port *port, struct port_socket_counts *ret)
{
	*ret = of_const(port)->counts;
}
