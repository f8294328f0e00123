/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transport_lane.c - one entry per local port: a question on the lane, or a probe.
 *
 *   ask ─► entry (random port) ─► `asked` opened ─► frame ─► lane
 *   response, failure, cancel ─► `asked` closed ─► entry free
 *
 * Entries wait in a queue, oldest first, until they are hedged: asked by a socket too.
 * Handles of the socket transport are passed through; an entry is told from them by its
 * place in the array.  For a hedged question the socket transport's exchange is the entry.
 */
#include "io/transport_lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/address.h"
#include "io/frame.h"
#include "io/match.h"
#include "io/transport.h"
#include "lane53/abi.h"
#include "plan/plan.h"

#define MS_NS 1000000ull

/* Upstreams beyond these are asked by sockets. */
#define PATHS_MAX 64

/* The engine's queries: header, question, OPT; a longer one goes by a socket. */
#define QUERY_MAX 320

/* 64 pairs of port and ID per getrandom(). */
#define RANDOM_DRAWN 128

/* Free ports are tried at random, then one after the other. */
#define PORT_DRAWS 8

/* Between probes: doubled at each that fails, and at each end of a path. */
#define PROBE_FIRST_NS (100 * MS_NS)
#define PROBE_LAST_NS  (60000 * MS_NS)

/* So many answers in a row make a path good: its next end is not held against it. */
#define ANSWERS_OF_A_GOOD_PATH 64

/*
 * So many questions that a socket answered and the lane did not end a path, if it has
 * brought nothing at all since they were asked: else a frame was lost, as frames are.
 */
#define STRIKES_MAX 3

/*
 * A question cancelled sooner than this says nothing of the lane: another upstream was
 * faster (fanout).  Later, it was given up.
 */
#define CANCEL_COUNTS_NS (20 * MS_NS)

struct path {
	struct plan_address remote;
	uint8_t local[16];
	bool used;
	bool probing;
	uint32_t ifindex; /* that the probe's answer came in by */
	unsigned strikes, answers;
	uint64_t answered_ns; /* last */
	uint64_t probe_ns;    /* not before */
	uint64_t pause_ns;    /* to the probe after that */
};

struct entry {
	struct entry *prev, *next; /* the queue; none of both once hedged */
	bool open, queued;
	struct path *path;
	struct exchange *exchange; /* NULL: a probe */
	void *socket;              /* handle, NULL = not hedged */
	uint64_t sent_ns;
	uint16_t question_len, len;
	uint8_t query[QUERY_MAX]; /* with the ID it was sent with */
};

struct lane_transport {
	struct transport base; /* first: the engine holds a pointer to it */
	struct transport_sink sink;
	struct lane_link link;
	struct transport *sockets;
	uint64_t now_ns;
	struct entry *entries; /* link.ports, by port */
	struct entry *oldest, *newest;
	struct path paths[PATHS_MAX];
	unsigned path_count;
	uint16_t random[RANDOM_DRAWN];
	unsigned random_left;
	uint64_t mismatched;
};

static struct lane_transport *of(struct transport *transport)
{
	return (struct lane_transport *)transport;
}

static bool is_entry(const struct lane_transport *t, const void *handle)
{
	const uintptr_t first = (uintptr_t)t->entries;

	return (uintptr_t)handle - first < t->link.ports * sizeof(*t->entries);
}

/* Return: 0, -EIO. */
static int draw(struct lane_transport *t, uint16_t *ret)
{
	if (t->random_left == 0) {
		if (getrandom(t->random, sizeof(t->random), 0) != sizeof(t->random))
			return -EIO;
		t->random_left = RANDOM_DRAWN;
	}
	*ret = t->random[--t->random_left];
	return 0;
}

/* ---- entries ---- */

static void unqueue(struct lane_transport *t, struct entry *e)
{
	if (!e->queued)
		return;
	*(e->prev ? &e->prev->next : &t->oldest) = e->next;
	*(e->next ? &e->next->prev : &t->newest) = e->prev;
	e->queued = false;
}

static void enqueue(struct lane_transport *t, struct entry *e)
{
	e->prev = t->newest;
	e->next = NULL;
	*(e->prev ? &e->prev->next : &t->oldest) = e;
	t->newest = e;
	e->queued = true;
}

static struct lane53_asked *asked_of(const struct lane_transport *t,
				     const struct entry *e)
{
	return &t->link.asked[e - t->entries];
}

/* Release: XDP must not see it open with what it said before. */
static void asked_set_open(struct lane53_asked *asked, uint32_t open)
{
	__atomic_store_n(&asked->open, open, __ATOMIC_RELEASE);
}

static void entry_close(struct lane_transport *t, struct entry *e)
{
	asked_set_open(asked_of(t, e), 0);
	unqueue(t, e);
	if (!e->exchange)
		e->path->probing = false;
	e->open = false;
}

static struct entry *entry_choose(struct lane_transport *t)
{
	uint16_t at = 0;

	for (int i = 0; i < PORT_DRAWS; i++) {
		if (draw(t, &at) < 0)
			return NULL;
		if (!t->entries[at % t->link.ports].open)
			return &t->entries[at % t->link.ports];
	}
	for (unsigned i = 0; i < t->link.ports; i++)
		if (!t->entries[(at + i) % t->link.ports].open)
			return &t->entries[(at + i) % t->link.ports];
	return NULL;
}

static bool entry_send(struct lane_transport *t, const struct entry *e)
{
	uint8_t frame[FRAME_PREFIX_MAX + QUERY_MAX];
	struct frame_ends ends = {
		.remote_port = e->path->remote.port,
		.local_port = (uint16_t)(t->link.first_port + (e - t->entries)),
	};
	size_t prefix_len;

	memcpy(ends.remote, e->path->remote.addr, 16);
	memcpy(ends.local, e->path->local, 16);
	memcpy(ends.lane_a, t->link.mac_a, 6);
	memcpy(ends.lane_b, t->link.mac_b, 6);
	prefix_len = frame_ask_prefix(&ends);
	memcpy(frame + prefix_len, e->query, e->len);
	frame_ask(frame, &ends, e->len);
	return t->link.send(t->link.context, frame, prefix_len + e->len);
}

static void asked_open(struct lane_transport *t, const struct entry *e)
{
	struct lane53_asked *asked = asked_of(t, e);
	const uint8_t port_be[2] = { (uint8_t)(e->path->remote.port >> 8),
				     (uint8_t)e->path->remote.port };

	memcpy(asked->remote, e->path->remote.addr, 16);
	memcpy(&asked->remote_port_be, port_be, 2);
	memcpy(&asked->id_be, e->query, 2);
	asked->ifindex = e->path->used ? e->path->ifindex : 0;
	asked_set_open(asked, 1);
}

/* Send @query on @path.  @exchange NULL: a probe.  Return: the entry, or NULL. */
static struct entry *entry_ask(struct lane_transport *t, struct path *path,
			       struct exchange *exchange, const uint8_t *query,
			       size_t len)
{
	size_t question_len = match_question_length(query, len);
	struct entry *e;
	uint16_t id;

	if (question_len == 0 || len > QUERY_MAX)
		return NULL;
	e = entry_choose(t);
	if (!e || draw(t, &id) < 0)
		return NULL;
	e->open = true;
	e->path = path;
	e->exchange = exchange;
	e->socket = NULL;
	e->sent_ns = t->now_ns;
	e->question_len = (uint16_t)question_len;
	e->len = (uint16_t)len;
	memcpy(e->query, query, len);
	memcpy(e->query, &id, 2);
	enqueue(t, e);
	asked_open(t, e);
	if (entry_send(t, e))
		return e;
	entry_close(t, e);
	return NULL;
}

/* ---- paths ---- */

static struct path *path_find(const struct lane_transport *t,
			      const struct plan_address *remote)
{
	for (unsigned i = 0; i < t->path_count; i++)
		if (t->paths[i].remote.port == remote->port &&
		    !memcmp(t->paths[i].remote.addr, remote->addr, 16))
			return (struct path *)&t->paths[i];
	return NULL;
}

static struct path *path_find_or_add(struct lane_transport *t,
				     const struct plan_address *remote)
{
	struct path *path = path_find(t, remote);

	if (path || t->path_count == PATHS_MAX)
		return path;
	path = &t->paths[t->path_count++];
	path->remote = *remote;
	path->pause_ns = PROBE_FIRST_NS;
	return path;
}

static void path_pause(struct lane_transport *t, struct path *path)
{
	path->used = false;
	path->probe_ns = t->now_ns + path->pause_ns;
	path->pause_ns *= 2;
	if (path->pause_ns > PROBE_LAST_NS)
		path->pause_ns = PROBE_LAST_NS;
}

/* The kernel's choice of our address towards @path.  Return: is there one to use? */
static bool path_find_local(struct path *path)
{
	struct sockaddr_storage at;
	socklen_t len = address_to_socket(&at, path->remote.addr, path->remote.port);
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;
	uint16_t port;

	if (fd < 0)
		return false;
	found = connect(fd, (struct sockaddr *)&at, len) == 0;
	len = sizeof(at);
	found = found && getsockname(fd, (struct sockaddr *)&at, &len) == 0;
	close(fd);
	if (!found)
		return false;
	address_from_socket(&at, path->local, &port);
	return memcmp(path->local, path->remote.addr, 16) != 0; /* not ourselves */
}

static void path_probe(struct lane_transport *t, struct path *path,
		       const uint8_t *query, size_t len)
{
	if (!path_find_local(path) || !entry_ask(t, path, NULL, query, len))
		path_pause(t, path);
	else
		path->probing = true;
}

/* Not answered: @e.  Is it the lane's fault? */
static void path_strike(struct lane_transport *t, const struct entry *e)
{
	struct path *path = e->path;

	if (!path->used || path->answered_ns > e->sent_ns)
		return;
	path->answers = 0;
	if (++path->strikes >= STRIKES_MAX)
		path_pause(t, path);
}

static void path_answered(struct lane_transport *t, const struct entry *e,
			  uint32_t ifindex)
{
	struct path *path = e->path;

	path->strikes = 0;
	path->answered_ns = t->now_ns;
	if (!e->exchange) {
		path->used = true;
		path->ifindex = ifindex;
		path->answers = 0;
	} else if (++path->answers == ANSWERS_OF_A_GOOD_PATH) {
		path->pause_ns = PROBE_FIRST_NS;
	}
}

/* ---- the engine's side ---- */

static int ask(struct transport *transport, struct exchange *exchange,
	       const struct plan_upstream *upstream, bool tcp, const uint8_t *query,
	       size_t len, void **ret_handle)
{
	struct lane_transport *t = of(transport);
	struct path *path = NULL;
	struct entry *e;
	int r;

	if (!tcp && upstream->proto == PLAN_UDP)
		path = path_find_or_add(t, &upstream->remote);
	if (path && path->used) {
		e = entry_ask(t, path, exchange, query, len);
		if (e) {
			*ret_handle = e;
			return 0;
		}
	}
	r = t->sockets->ops->ask(t->sockets, exchange, upstream, tcp, query, len,
				 ret_handle);
	if (r == 0 && path && !path->used && !path->probing &&
	    t->now_ns >= path->probe_ns)
		path_probe(t, path, query, len);
	return r;
}

static void cancel(struct transport *transport, void *handle)
{
	struct lane_transport *t = of(transport);
	struct entry *e = handle;

	if (!is_entry(t, handle)) {
		t->sockets->ops->cancel(t->sockets, handle);
		return;
	}
	if (e->socket)
		t->sockets->ops->cancel(t->sockets, e->socket);
	else if (t->now_ns - e->sent_ns >= CANCEL_COUNTS_NS)
		path_strike(t, e);
	entry_close(t, e);
}

/* ---- sockets ---- */

/* Ask @e by a socket, too.  Return: 0 or a negative errno. */
static int entry_hedge(struct lane_transport *t, struct entry *e)
{
	const struct plan_upstream upstream = { e->path->remote, PLAN_UDP };

	unqueue(t, e);
	return t->sockets->ops->ask(t->sockets, (struct exchange *)e, &upstream, false,
				    e->query, e->len, &e->socket);
}

static void on_response(void *context, struct exchange *exchange,
			const uint8_t *message, size_t len)
{
	struct lane_transport *t = context;
	struct entry *e = (struct entry *)exchange;

	if (is_entry(t, exchange)) {
		exchange = e->exchange;
		path_strike(t, e);
		entry_close(t, e);
	}
	t->sink.response(t->sink.context, exchange, message, len);
}

static void on_failed(void *context, struct exchange *exchange, int error)
{
	struct lane_transport *t = context;
	struct entry *e = (struct entry *)exchange;

	if (is_entry(t, exchange)) {
		exchange = e->exchange;
		entry_close(t, e);
	}
	t->sink.failed(t->sink.context, exchange, error);
}

/* ---- frames ---- */

/* XDP knows no way: not to this upstream, not for some time. */
static void entry_returned(struct lane_transport *t, struct entry *e)
{
	struct exchange *exchange = e->exchange;
	int r;

	if (e->path->used || !exchange)
		path_pause(t, e->path);
	if (!exchange) {
		entry_close(t, e);
		return;
	}
	if (e->socket)
		return;
	r = entry_hedge(t, e);
	if (r < 0) {
		entry_close(t, e);
		t->sink.failed(t->sink.context, exchange, r);
	}
}

static void entry_answered(struct lane_transport *t, struct entry *e,
			   const struct frame *f, const uint8_t *message)
{
	struct exchange *exchange = e->exchange;

	path_answered(t, e, f->ifindex);
	if (e->socket)
		t->sockets->ops->cancel(t->sockets, e->socket);
	entry_close(t, e);
	if (exchange)
		t->sink.response(t->sink.context, exchange, message, f->dns_len);
}

/* The open entry that @local_port is of, if the upstream's address fits too. */
static struct entry *entry_of(struct lane_transport *t, uint16_t local_port,
			      const uint8_t local[16], const uint8_t remote[16],
			      uint16_t remote_port)
{
	unsigned idx = (unsigned)local_port - t->link.first_port;
	struct entry *e = &t->entries[idx % t->link.ports];

	if (idx >= t->link.ports || !e->open || remote_port != e->path->remote.port ||
	    memcmp(local, e->path->local, 16) ||
	    memcmp(remote, e->path->remote.addr, 16))
		return NULL;
	return e;
}

void transport_lane_frame(struct transport *transport, const uint8_t *bytes, size_t len)
{
	struct lane_transport *t = of(transport);
	struct entry *e = NULL;
	struct frame f;

	if (frame_read(&f, bytes, len) != FRAME_OK || !f.upstream ||
	    f.ipv6 == address_is_ipv4(f.remote))
		goto mismatch;
	if (f.returned) {
		e = entry_of(t, f.remote_port, f.remote, f.local, f.local_port);
		if (!e || f.dns_len < 2 || memcmp(bytes + f.dns_off, e->query, 2))
			goto mismatch;
		entry_returned(t, e);
		return;
	}
	e = entry_of(t, f.local_port, f.local, f.remote, f.remote_port);
	if (!e || !frame_sum_is_right(&f, bytes) ||
	    !match_response(e->query, e->query + DNS_HEADER_BYTES, e->question_len,
			    bytes + f.dns_off, f.dns_len))
		goto mismatch;
	entry_answered(t, e, &f, bytes + f.dns_off);
	return;

mismatch:
	t->mismatched++; /* keep waiting: a forgery must not end the question */
}

/* ---- time ---- */

void transport_lane_begin(struct transport *transport, uint64_t now_ns)
{
	of(transport)->now_ns = now_ns;
}

uint64_t transport_lane_tick(struct transport *transport)
{
	struct lane_transport *t = of(transport);

	while (t->oldest) {
		struct entry *e = t->oldest;

		if (t->now_ns < e->sent_ns + TRANSPORT_LANE_HEDGE_NS)
			return e->sent_ns + TRANSPORT_LANE_HEDGE_NS;
		if (!e->exchange) {
			path_pause(t, e->path);
			entry_close(t, e);
		} else {
			/* if not even that: then the lane, or the engine's timeout */
			(void)entry_hedge(t, e);
		}
	}
	return UINT64_MAX;
}

/* ---- open and close ---- */

static const struct transport_ops ops = { .ask = ask, .cancel = cancel };

int transport_lane_open(struct transport **ret_transport,
			const struct transport_sink *sink, const struct lane_link *link)
{
	struct lane_transport *t = calloc(1, sizeof(*t));
	const struct transport_sink own = { on_response, on_failed, t };
	int r = -ENOMEM;

	if (!t)
		return -ENOMEM;
	t->base.ops = &ops;
	t->sink = *sink;
	t->link = *link;
	t->entries = calloc(t->link.ports, sizeof(*t->entries));
	if (t->entries)
		r = transport_socket_open(&t->sockets, &own);
	if (r < 0) {
		free(t->entries);
		free(t);
		return r;
	}
	/* what a worker before us left open */
	memset(link->asked, 0, link->ports * sizeof(*link->asked));
	*ret_transport = &t->base;
	return 0;
}

void transport_lane_close(struct transport *transport)
{
	struct lane_transport *t = of(transport);

	if (!t)
		return;
	for (unsigned i = 0; i < t->link.ports; i++)
		asked_set_open(&t->link.asked[i], 0);
	transport_socket_close(t->sockets);
	free(t->entries);
	free(t);
}

struct transport *transport_lane_sockets(struct transport *transport)
{
	return of(transport)->sockets;
}

bool transport_lane_is_used(const struct transport *transport,
			    const struct plan_upstream *upstream)
{
	const struct lane_transport *t = (const struct lane_transport *)transport;
	const struct path *path = path_find(t, &upstream->remote);

	return upstream->proto == PLAN_UDP && path && path->used;
}

uint64_t transport_lane_mismatched(const struct transport *transport)
{
	return ((const struct lane_transport *)transport)->mismatched;
}
