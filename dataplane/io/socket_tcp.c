/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_tcp.c - DNS over TCP (RFC 7766): framing, pipelining, limits.
 *
 *   accept ─► live ──whole query──► handed out (in_flight) ──response──► sent or queued
 *              │                                                            │
 *              └── idle, evicted, broken, or closed by the client and drained ──► gone
 *
 * Responses leave in the order in which they are ready (RFC 7766 6.2.1.1).  A client
 * that sends faster than it reads is not read any further.  Only a whole query and a
 * byte taken of a response count as life: dribbling bytes keeps no connection open.
 */
#include "io/socket_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"

/* Queries of one connection being answered: two batches keep a worker busy. */
#define IN_FLIGHT_MAX 64

/* Unsent bytes at which a connection is not read any further: one large response. */
#define OUT_HIGH_BYTES 65536

/* First room for queries: a dozen of them; grows to what a whole one needs. */
#define IN_FIRST_BYTES 1024

#define ACCEPTS_PER_TURN 32

/* ---- lists ---- */

static void live_remove(struct socket_port *port, struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		port->live = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		port->live_last = c->prev;
	c->prev = c->next = NULL;
}

static void live_append(struct socket_port *port, struct conn *c)
{
	c->prev = port->live_last;
	if (c->prev)
		c->prev->next = c;
	else
		port->live = c;
	port->live_last = c;
}

static void touch(struct socket_port *port, struct conn *c)
{
	c->touched_ns = port->now_ns;
	if (port->live_last == c)
		return;
	live_remove(port, c);
	live_append(port, c);
}

static void waiting_append(struct socket_port *port, struct conn *c)
{
	c->is_waiting = true;
	c->next_waiting = NULL;
	if (port->waiting)
		port->waiting_last->next_waiting = c;
	else
		port->waiting = c;
	port->waiting_last = c;
}

static void waiting_remove(struct socket_port *port, struct conn *c)
{
	struct conn **at = &port->waiting, *before = NULL;

	for (; *at != c; at = &(*at)->next_waiting)
		before = *at;
	*at = c->next_waiting;
	if (port->waiting_last == c)
		port->waiting_last = before;
	c->is_waiting = false;
}

static void conn_close(struct socket_port *port, struct conn *c)
{
	if (c->is_waiting)
		waiting_remove(port, c);
	live_remove(port, c);
	if (c->out_len > c->out_at)
		port->writing--;
	close(c->source.fd);
	c->source.fd = -1;
	port->conns[(uint32_t)c->id] = NULL;
	port->conn_count--;
	c->next = port->gone; /* may still stand in this recv()'s events */
	port->gone = c;
}

void tcp_free_gone(struct socket_port *port)
{
	while (port->gone) {
		struct conn *c = port->gone;

		port->gone = c->next;
		free(c->in);
		free(c->out);
		free(c);
	}
}

/* ---- what a connection waits for ---- */

/* Length of the query at in_at, length bytes included; 0: not whole yet. */
static size_t whole_query(const struct conn *c)
{
	size_t have = c->in_len - c->in_at, len;

	if (have < 2)
		return 0;
	len = 2u + ((size_t)c->in[c->in_at] << 8 | c->in[c->in_at + 1]);
	return have >= len ? len : 0;
}

static bool may_hand_out(const struct conn *c)
{
	return c->in_flight < IN_FLIGHT_MAX && c->out_len - c->out_at < OUT_HIGH_BYTES;
}

/* Nothing more will come of it: the client has closed and has all responses. */
static bool is_drained(const struct conn *c)
{
	return c->eof && c->in_flight == 0 && c->out_at == c->out_len &&
	       whole_query(c) == 0;
}

/* After each change: closed if drained, else waits for what it needs. */
static void conn_settle(struct socket_port *port, struct conn *c)
{
	bool whole = whole_query(c) > 0;
	struct epoll_event event = { .data.ptr = &c->source };

	if (is_drained(c)) {
		conn_close(port, c);
		return;
	}
	if (whole && may_hand_out(c) && !c->is_waiting)
		waiting_append(port, c);
	if (!whole && !c->eof && may_hand_out(c))
		event.events |= EPOLLIN;
	if (c->out_at < c->out_len)
		event.events |= EPOLLOUT;
	if (event.events == c->events)
		return;
	c->events = event.events;
	if (epoll_ctl(port->epoll_fd, EPOLL_CTL_MOD, c->source.fd, &event) < 0)
		conn_close(port, c);
}

/* ---- in ---- */

/* Room for the rest of the query at in_at. Return: is there? */
static bool in_make_room(struct conn *c)
{
	size_t have = c->in_len - c->in_at, want = IN_FIRST_BYTES;
	uint8_t *grown;

	if (have)
		memmove(c->in, c->in + c->in_at, have);
	c->in_at = 0;
	c->in_len = have;
	if (have >= 2)
		want = 2u + ((size_t)c->in[0] << 8 | c->in[1]);
	if (want <= c->in_room)
		return true;
	grown = realloc(c->in, want);
	if (!grown)
		return false;
	c->in = grown;
	c->in_room = want;
	return true;
}

/* Return: is the connection still open? */
static bool conn_read(struct socket_port *port, struct conn *c)
{
	ssize_t n;

	if (!in_make_room(c)) {
		conn_close(port, c);
		return false;
	}
	n = recv(c->source.fd, c->in + c->in_len, c->in_room - c->in_len, 0);
	if (n > 0) {
		c->in_len += (size_t)n;
	} else if (n == 0) {
		c->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		conn_close(port, c);
		return false;
	}
	return true;
}

/* Return: false, nobody knows whose the connection is. */
static bool client_fill(struct socket_port *port, struct client *client,
			const struct conn *c)
{
	memcpy(client->remote, c->remote, 16);
	memcpy(client->local, c->local, 16);
	client->remote_port = c->remote_port;
	client->local_port = c->local_port;
	client->ifindex = c->ifindex;
	client->proto = CLIENT_TCP;
	ticket_write(client, (struct ticket){ .conn = c->id });
	return client_settle(port, client, c->endpoint);
}

static unsigned hand_out(struct socket_port *port, struct conn *c,
			 struct query *queries, unsigned max)
{
	unsigned count = 0;
	size_t len;

	while (count < max && may_hand_out(c) && (len = whole_query(c)) > 0) {
		struct slot *slot;

		if (!client_fill(port, &queries[count].client, c)) {
			conn_close(port, c);
			return count;
		}
		slot = slot_take(port);
		if (!slot)
			break;
		memcpy(slot->message, c->in + c->in_at + 2, len - 2);
		slot_fill(&queries[count], slot, len - 2);
		c->in_at += len;
		c->in_flight++;
		count++;
	}
	if (count)
		touch(port, c);
	conn_settle(port, c);
	return count;
}

unsigned tcp_waiting(struct socket_port *port, struct query *queries, unsigned max)
{
	unsigned count = 0;

	/* ends: each gives a query or is out of the list; slots are @max at the least */
	while (port->waiting && count < max) {
		struct conn *c = port->waiting;

		waiting_remove(port, c);
		count += hand_out(port, c, queries + count, max - count);
	}
	return count;
}

/* ---- out ---- */

static bool out_append(struct socket_port *port, struct conn *c, const uint8_t *bytes,
		       size_t len)
{
	size_t have = c->out_len - c->out_at;
	uint8_t *grown;

	if (have)
		memmove(c->out, c->out + c->out_at, have);
	grown = realloc(c->out, have + len);
	if (!grown)
		return false;
	memcpy(grown + have, bytes, len);
	c->out = grown;
	if (!have)
		port->writing++;
	c->out_at = 0;
	c->out_len = have + len;
	return true;
}

static ssize_t send_some(const struct conn *c, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(c->source.fd, bytes, len, MSG_NOSIGNAL);

	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

/* Return: is the connection still open? */
static bool conn_flush(struct socket_port *port, struct conn *c)
{
	ssize_t n = send_some(c, c->out + c->out_at, c->out_len - c->out_at);

	if (n < 0) {
		conn_close(port, c);
		return false;
	}
	if (n > 0)
		touch(port, c);
	c->out_at += (size_t)n;
	if (c->out_at == c->out_len) {
		free(c->out);
		c->out = NULL;
		c->out_at = c->out_len = 0;
		port->writing--;
	}
	return true;
}

/* @bytes: length and message. */
static void respond(struct socket_port *port, struct conn *c, const uint8_t *bytes,
		    size_t len)
{
	ssize_t n = c->out_len > c->out_at ? 0 : send_some(c, bytes, len);

	if (c->in_flight)
		c->in_flight--;
	if (n < 0 ||
	    ((size_t)n < len && !out_append(port, c, bytes + n, len - (size_t)n))) {
		conn_close(port, c);
		return;
	}
	if (n > 0)
		touch(port, c);
	conn_settle(port, c);
}

static struct conn *conn_find(const struct socket_port *port,
			      const struct client *client)
{
	uint64_t id = ticket_read(client).conn;
	struct conn *c = port->conns[(uint32_t)id];

	return c && c->id == id ? c : NULL;
}

void tcp_send(struct socket_port *port, const struct query *query)
{
	struct conn *c = conn_find(port, &query->client);
	struct slot *slot = query->handle;

	if (!c)
		return; /* gone meanwhile */
	slot->length_be[0] = (uint8_t)(query->reply_len >> 8);
	slot->length_be[1] = (uint8_t)query->reply_len;
	respond(port, c, slot->length_be, 2 + query->reply_len);
}

void tcp_send_later(struct socket_port *port, const struct client *client,
		    const uint8_t *bytes, size_t len)
{
	struct conn *c = conn_find(port, client);
	uint8_t framed[2 + PORT_MESSAGE_MAX];

	if (!c || len > PORT_MESSAGE_MAX)
		return;
	framed[0] = (uint8_t)(len >> 8);
	framed[1] = (uint8_t)len;
	memcpy(framed + 2, bytes, len);
	respond(port, c, framed, 2 + len);
}

void tcp_drop(struct socket_port *port, const struct client *client)
{
	struct conn *c = conn_find(port, client);

	if (!c)
		return;
	if (c->in_flight)
		c->in_flight--;
	conn_settle(port, c);
}

unsigned tcp_ready(struct socket_port *port, struct conn *c, uint32_t events,
		   struct query *queries, unsigned max)
{
	if (events & (EPOLLERR | EPOLLHUP)) { /* reset: no response can be taken */
		conn_close(port, c);
		return 0;
	}
	if ((events & EPOLLOUT) && c->out_at < c->out_len && !conn_flush(port, c))
		return 0;
	if ((events & EPOLLIN) && !c->eof && whole_query(c) == 0 && !conn_read(port, c))
		return 0;
	return hand_out(port, c, queries, max);
}

/* ---- accept, limits, idle ---- */

/* Make room by closing whoever has been idle longest. Return: was there one? */
static bool evict(struct socket_port *port)
{
	for (struct conn *c = port->live; c; c = c->next)
		if (c->in_flight == 0 && c->out_at == c->out_len && !c->is_waiting) {
			port->counts.refused++;
			conn_close(port, c);
			return true;
		}
	return false;
}

static uint32_t free_place(const struct socket_port *port)
{
	uint32_t i = 0;

	while (i < port->conn_room && port->conns[i])
		i++;
	return i;
}

/* Return: 0 or a negative errno; @fd stays the caller's on failure. */
static int conn_open(struct socket_port *port, struct endpoint *endpoint, int fd,
		     const struct sockaddr_storage *from)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event event = { .events = EPOLLIN };
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	uint32_t place = free_place(port);
	int on = 1;

	if (!c)
		return -ENOMEM;
	c->source = (struct source){ SOURCE_CONN, fd };
	c->endpoint = endpoint;
	c->events = event.events;
	event.data.ptr = &c->source;
	address_from_socket(from, c->remote, &c->remote_port);
	if (place == port->conn_room ||
	    getsockname(fd, (struct sockaddr *)&local, &len) < 0 ||
	    epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(c);
		return -ENOBUFS;
	}
	address_from_socket(&local, c->local, &c->local_port);
	c->ifindex = conn_ifindex(fd, local.ss_family == AF_INET6);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* latency */
	c->id = (uint64_t)++port->conn_generation << 32 | place;
	port->conns[place] = c;
	port->conn_count++;
	live_append(port, c);
	c->touched_ns = port->now_ns;
	port->counts.accepted++;
	return 0;
}

/* Out of descriptors: an accept() that fails would be reported again and again. */
static void accept_pause(struct socket_port *port, struct endpoint *endpoint)
{
	struct epoll_event event = { .data.ptr = &endpoint->source };

	if (evict(port))
		return;
	endpoint->paused =
		!epoll_ctl(port->epoll_fd, EPOLL_CTL_MOD, endpoint->source.fd, &event);
	port->retry_ns = port->now_ns; /* the next tick looks again */
}

void tcp_accept(struct socket_port *port, struct endpoint *endpoint)
{
	for (int i = 0; i < ACCEPTS_PER_TURN && endpoint->source.fd >= 0; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(endpoint->source.fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				accept_pause(port, endpoint);
			return;
		}
		if ((port->conn_count >= port->conn_limit && !evict(port)) ||
		    conn_open(port, endpoint, fd, &from) < 0) {
			port->counts.refused++;
			close(fd);
		}
	}
}

int tcp_set_limit(struct socket_port *port, unsigned limit)
{
	struct conn **grown;

	if (limit > port->conn_room) {
		grown = realloc(port->conns, limit * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(grown + port->conn_room, 0,
		       (limit - port->conn_room) * sizeof(*grown));
		port->conns = grown;
		port->conn_room = limit;
	}
	port->conn_limit = limit;
	return 0;
}

uint64_t tcp_tick(struct socket_port *port)
{
	while (port->live && port->now_ns >= port->live->touched_ns + port->idle_ns)
		conn_close(port, port->live);
	tcp_free_gone(port); /* not within recv(): nobody names them any more */
	return port->live ? port->live->touched_ns + port->idle_ns : UINT64_MAX;
}

void tcp_close_of(struct socket_port *port, const struct endpoint *endpoint)
{
	struct conn *next;

	for (struct conn *c = port->live; c; c = next) {
		next = c->next;
		if (c->endpoint == endpoint)
			conn_close(port, c);
	}
}
